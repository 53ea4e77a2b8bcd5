// C = A * B^T for int8, sums in int32, on the matrix cores: one wavefront a 16x16 block of C, sixteen bytes of K a
// step; a lane holds four of them, of the row (column) lane % 16.
#include <hip/hip_runtime.h>
#include <stdint.h>

typedef int intx4 __attribute__((ext_vector_type(4)));

__global__ void gemm_int8_kernel(const int *__restrict__ A, const int *__restrict__ B, int *__restrict__ C, int M,
                                 int N, int words) {
  const int lane = threadIdx.x;
  const int row = blockIdx.y * 16 + lane % 16;
  const int col = blockIdx.x * 16 + lane % 16;
  intx4 acc = {0, 0, 0, 0};
  for (int w0 = 0; w0 < words; w0 += 4) {
    const int w = w0 + lane / 16;
    const int a = row < M && w < words ? A[row * words + w] : 0;
    const int b = col < N && w < words ? B[col * words + w] : 0;
    acc = __builtin_amdgcn_mfma_i32_16x16x16i8(a, b, acc, 0, 0, 0);
  }
  for (int r = 0; r < 4; ++r) {
    const int m = blockIdx.y * 16 + 4 * (lane / 16) + r;
    if (m < M && col < N) C[m * N + col] = acc[r];
  }
}

// K is a multiple of 4.
extern "C" void gemm_int8(const int8_t *A, const int8_t *B, int *C, int M, int N, int K) {
  int8_t *d_A, *d_B;
  int *d_C;
  hipMalloc(&d_A, M * K);
  hipMalloc(&d_B, N * K);
  hipMalloc(&d_C, sizeof(int) * M * N);
  hipMemcpy(d_A, A, M * K, hipMemcpyHostToDevice);
  hipMemcpy(d_B, B, N * K, hipMemcpyHostToDevice);
  dim3 grid((N + 15) / 16, (M + 15) / 16);
  hipLaunchKernelGGL(gemm_int8_kernel, grid, dim3(64), 0, 0, (const int *)d_A, (const int *)d_B, d_C, M, N, K / 4);
  hipMemcpy(C, d_C, sizeof(int) * M * N, hipMemcpyDeviceToHost);
  hipFree(d_A);
  hipFree(d_B);
  hipFree(d_C);
}
