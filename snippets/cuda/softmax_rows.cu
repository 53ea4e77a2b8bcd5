// Softmax over the rows of a matrix: one thread a row.
#include <cuda_runtime.h>
#include <float.h>

__global__ void softmax_rows(const float *x, float *y, int rows, int cols) {
  int row = blockIdx.x * blockDim.x + threadIdx.x;
  if (row < rows) {
    const float *in = x + row * cols;
    float *out = y + row * cols;

    float peak = -FLT_MAX;
    for (int c = 0; c < cols; c++) {
      peak = fmaxf(peak, in[c]);
    }
    float sum = 0.f;
    for (int c = 0; c < cols; c++) {
      out[c] = expf(in[c] - peak);
      sum += out[c];
    }
    for (int c = 0; c < cols; c++) {
      out[c] /= sum;
    }
  }
}
