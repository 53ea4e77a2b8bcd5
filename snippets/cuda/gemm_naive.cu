// C = alpha * A * B + beta * C, one thread an element; no host code: the launch follows from the guards.
__global__ void gemm_naive(int M, int N, int K, float alpha, const float *A, const float *B, float beta, float *C) {
  const int col = blockIdx.x * blockDim.x + threadIdx.x;
  const int row = blockIdx.y * blockDim.y + threadIdx.y;
  if (row >= M || col >= N) return;

  float sum = 0.0f;
  for (int k = 0; k < K; ++k) {
    sum += A[row * K + k] * B[k * N + col];
  }
  C[row * N + col] = alpha * sum + beta * C[row * N + col];
}
