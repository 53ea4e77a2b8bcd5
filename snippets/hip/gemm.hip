// C = A * B, row-major, on the matrix cores: four wavefronts share 64x64 tiles in LDS, each computes 32x32 of C as
// four 16x16 blocks of the instruction v_mfma_f32_16x16x4f32.
#include <hip/hip_runtime.h>

typedef float floatx4 __attribute__((ext_vector_type(4)));

constexpr int TILE = 64;
constexpr int DEPTH = 16;

__global__ __launch_bounds__(256) void gemm_kernel(const float *__restrict__ A, const float *__restrict__ B,
                                                   float *__restrict__ C, int M, int N, int K) {
  __shared__ float a_tile[TILE][DEPTH + 1];
  __shared__ float b_tile[DEPTH][TILE];
  const int lane = threadIdx.x % 64;
  const int wave = threadIdx.x / 64;
  const int row0 = blockIdx.y * TILE, col0 = blockIdx.x * TILE;
  const int wave_row = wave / 2 * 32, wave_col = wave % 2 * 32;

  floatx4 acc[2][2] = {};
  for (int k0 = 0; k0 < K; k0 += DEPTH) {
    for (int i = threadIdx.x; i < TILE * DEPTH; i += 256) {
      const int m = i / DEPTH, ka = i % DEPTH;
      a_tile[m][ka] = row0 + m < M && k0 + ka < K ? A[(row0 + m) * K + k0 + ka] : 0.0f;
      const int kb = i / TILE, n = i % TILE;
      b_tile[kb][n] = k0 + kb < K && col0 + n < N ? B[(k0 + kb) * N + col0 + n] : 0.0f;
    }
    __syncthreads();
    // Lane l holds row (column) l % 16 and the depth l / 16 of its operands.
    for (int k = lane / 16; k < DEPTH; k += 4) {
      for (int i = 0; i < 2; ++i) {
        const float a = a_tile[wave_row + 16 * i + lane % 16][k];
        for (int j = 0; j < 2; ++j) {
          const float b = b_tile[k][wave_col + 16 * j + lane % 16];
          acc[i][j] = __builtin_amdgcn_mfma_f32_16x16x4f32(a, b, acc[i][j], 0, 0, 0);
        }
      }
    }
    __syncthreads();
  }

  // Register r of lane l is row 4 * (l / 16) + r, column l % 16 of its block.
  for (int i = 0; i < 2; ++i) {
    for (int j = 0; j < 2; ++j) {
      for (int r = 0; r < 4; ++r) {
        const int row = row0 + wave_row + 16 * i + 4 * (lane / 16) + r;
        const int col = col0 + wave_col + 16 * j + lane % 16;
        if (row < M && col < N) C[row * N + col] = acc[i][j][r];
      }
    }
  }
}

extern "C" void gemm(const float *A, const float *B, float *C, int M, int N, int K) {
  float *d_A, *d_B, *d_C;
  hipMalloc(&d_A, sizeof(float) * M * K);
  hipMalloc(&d_B, sizeof(float) * K * N);
  hipMalloc(&d_C, sizeof(float) * M * N);
  hipMemcpy(d_A, A, sizeof(float) * M * K, hipMemcpyHostToDevice);
  hipMemcpy(d_B, B, sizeof(float) * K * N, hipMemcpyHostToDevice);
  dim3 grid((N + TILE - 1) / TILE, (M + TILE - 1) / TILE);
  hipLaunchKernelGGL(gemm_kernel, grid, dim3(256), 0, 0, d_A, d_B, d_C, M, N, K);
  hipMemcpy(C, d_C, sizeof(float) * M * N, hipMemcpyDeviceToHost);
  hipFree(d_A);
  hipFree(d_B);
  hipFree(d_C);
}
