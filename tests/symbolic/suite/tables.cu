// Indices that are kept below a size of the launch which is not that of the array.
#include <cuda_runtime.h>

// expect: XP-BOUNDS
__global__ void one_row_too_many(const int* id, const float* table, float* out, int rows, int dim) {
  int row = id[blockIdx.x];
  if (row < 0 || row > rows) return;
  for (int d = threadIdx.x; d < dim; d += blockDim.x) out[blockIdx.x * dim + d] = table[row * dim + d];
}

// expect: clean
__global__ void rows_of_the_table(const int* id, const float* table, float* out, int rows, int dim) {
  int row = id[blockIdx.x];
  if (row < 0 || row >= rows) return;
  for (int d = threadIdx.x; d < dim; d += blockDim.x) out[blockIdx.x * dim + d] = table[row * dim + d];
}

// expect: clean
__global__ void last_row_is_another(const int* id, const float* table, float* out, int rows, int dim) {
  int row = id[blockIdx.x];
  float scale = row == rows - 1 ? 2.0f : 1.0f;
  for (int d = threadIdx.x; d < dim; d += blockDim.x) out[blockIdx.x * dim + d] = scale * table[row * dim + d];
}

void run(const int* h_id, const float* h_table, float* h_out, int count, int rows, int dim) {
  int* id;
  float *table, *out;
  cudaMalloc(&id, count * sizeof(int));
  cudaMalloc(&table, sizeof(float) * rows * dim);
  cudaMalloc(&out, sizeof(float) * count * dim);
  one_row_too_many<<<count, 64>>>(id, table, out, rows, dim);
  rows_of_the_table<<<count, 64>>>(id, table, out, rows, dim);
  last_row_is_another<<<count, 64>>>(id, table, out, rows, dim);
}
