// C[b] = A[b] * B[b] for small matrices: one wavefront a 32x32 block of C, fed from global memory to
// v_mfma_f32_32x32x2f32 without a detour.
#include <hip/hip_runtime.h>

using floatx16 = __attribute__((__vector_size__(16 * sizeof(float)))) float;

__global__ void batched_gemm_kernel(const float *__restrict__ A, const float *__restrict__ B, float *__restrict__ C,
                                    int M, int N, int K) {
  const int lane = threadIdx.x;
  const int row0 = blockIdx.y * 32, col0 = blockIdx.x * 32;
  A += (size_t)blockIdx.z * M * K;
  B += (size_t)blockIdx.z * K * N;
  C += (size_t)blockIdx.z * M * N;
  const int row = row0 + lane % 32;
  const int col = col0 + lane % 32;

  floatx16 acc = {0};
  for (int k0 = 0; k0 < K; k0 += 2) {
    const int k = k0 + lane / 32;  // the upper half of the wavefront has the odd depth
    const float a = row < M && k < K ? A[row * K + k] : 0.0f;
    const float b = col < N && k < K ? B[k * N + col] : 0.0f;
    acc = __builtin_amdgcn_mfma_f32_32x32x2f32(a, b, acc, 0, 0, 0);
  }
#pragma unroll
  for (int r = 0; r < 16; ++r) {
    const int m = row0 + 8 * (r / 4) + 4 * (lane / 32) + r % 4;
    if (m < M && col < N) C[m * N + col] = acc[r];
  }
}

extern "C" void batched_gemm(const float *A, const float *B, float *C, int batch, int M, int N, int K) {
  float *d_A, *d_B, *d_C;
  hipMalloc(&d_A, sizeof(float) * batch * M * K);
  hipMalloc(&d_B, sizeof(float) * batch * K * N);
  hipMalloc(&d_C, sizeof(float) * batch * M * N);
  hipMemcpy(d_A, A, sizeof(float) * batch * M * K, hipMemcpyHostToDevice);
  hipMemcpy(d_B, B, sizeof(float) * batch * K * N, hipMemcpyHostToDevice);
  dim3 grid((N + 31) / 32, (M + 31) / 32, batch);
  batched_gemm_kernel<<<grid, 64>>>(d_A, d_B, d_C, M, N, K);
  hipMemcpy(C, d_C, sizeof(float) * batch * M * N, hipMemcpyDeviceToHost);
  hipFree(d_A);
  hipFree(d_B);
  hipFree(d_C);
}
