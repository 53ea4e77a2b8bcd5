// One warp a block, half accumulators, the 32x8 and 8x32 shapes, bfloat16, signed and unsigned bytes, tf32.
#include <cstdint>
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <mma.h>

template <typename T, typename Acc, int M, int N, int K>
__global__ void tile_gemm(const T* __restrict__ A, const T* __restrict__ B, Acc* __restrict__ C, int n, int k) {
    using namespace nvcuda::wmma;
    const int row = blockIdx.y * M, col = blockIdx.x * N;
    fragment<matrix_a, M, N, K, T, row_major> a;
    fragment<matrix_b, M, N, K, T, row_major> b;
    fragment<accumulator, M, N, K, Acc> c;
    fill_fragment(c, static_cast<Acc>(0));
    for (int i = 0; i < k; i += K) {
        load_matrix_sync(a, A + row * k + i, k);
        load_matrix_sync(b, B + i * n + col, n);
        mma_sync(c, a, b, c);
    }
    store_matrix_sync(C + row * n + col, c, n, mem_row_major);
}

__global__ void tf32_gemm(const float* A, const float* B, float* C, int n, int k) {
    using namespace nvcuda;
    wmma::fragment<wmma::matrix_a, 16, 16, 8, wmma::precision::tf32, wmma::row_major> a;
    wmma::fragment<wmma::matrix_b, 16, 16, 8, wmma::precision::tf32, wmma::col_major> b;
    wmma::fragment<wmma::accumulator, 16, 16, 8, float> c;
    wmma::fill_fragment(c, 0.0f);
    for (int i = 0; i < k; i += 8) {
        wmma::load_matrix_sync(a, A + blockIdx.y * 16 * k + i, k);
        wmma::load_matrix_sync(b, B + blockIdx.x * 16 * k + i, k);
        for (int t = 0; t < a.num_elements; t++) a.x[t] = wmma::__float_to_tf32(a.x[t]);
        for (int t = 0; t < b.num_elements; t++) b.x[t] = wmma::__float_to_tf32(b.x[t]);
        wmma::mma_sync(c, a, b, c);
    }
    wmma::store_matrix_sync(C + blockIdx.y * 16 * n + blockIdx.x * 16, c, n, wmma::mem_row_major);
}

extern "C" void gemm_half_32x8(const half* A, const half* B, half* C, int m, int n, int k) {
    tile_gemm<half, half, 32, 8, 16><<<dim3(n / 8, m / 32), 32>>>(A, B, C, n, k);
}
extern "C" void gemm_half_8x32(const half* A, const half* B, float* C, int m, int n, int k) {
    tile_gemm<half, float, 8, 32, 16><<<dim3(n / 32, m / 8), 32>>>(A, B, C, n, k);
}
extern "C" void gemm_bf16(const __nv_bfloat16* A, const __nv_bfloat16* B, float* C, int m, int n, int k) {
    tile_gemm<__nv_bfloat16, float, 16, 16, 16><<<dim3(n / 16, m / 16), 32>>>(A, B, C, n, k);
}
extern "C" void gemm_s8(const signed char* A, const signed char* B, int* C, int m, int n, int k) {
    tile_gemm<signed char, int, 16, 16, 16><<<dim3(n / 16, m / 16), 32>>>(A, B, C, n, k);
}
extern "C" void gemm_u8(const uint8_t* A, const uint8_t* B, int* C, int m, int n, int k) {
    tile_gemm<uint8_t, int, 16, 16, 16><<<dim3(n / 16, m / 16), 32>>>(A, B, C, n, k);
}
extern "C" void gemm_tf32(const float* A, const float* B, float* C, int m, int n, int k) {
    tf32_gemm<<<dim3(n / 16, m / 16), 32>>>(A, B, C, n, k);
}
