// Warps of a pair that do different work: row tiles with their own trip counts (as in causal attention), half
// accumulators scaled element by element, tiles kept in shared memory.
#include <cuda_fp16.h>
#include <mma.h>

using namespace nvcuda::wmma;

__global__ void causal_products(const half* Q, const half* K, float* S, half* scaled, int n, int d) {
    extern __shared__ half stage[];
    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
    half* mine = stage + warp * 256;
    fragment<matrix_a, 16, 16, 16, half, row_major> q;
    fragment<matrix_b, 16, 16, 16, half, col_major> k;
    fragment<accumulator, 16, 16, 16, float> total;
    fill_fragment(total, 0.0f);
    for (int col = 0; col <= warp; ++col) {
        fragment<accumulator, 16, 16, 16, float> s;
        fill_fragment(s, 0.0f);
        for (int i = 0; i < d; i += 16) {
            for (int e = lane; e < 256; e += 32) mine[e] = Q[(warp * 16 + e / 16) * d + i + e % 16];
            __syncwarp();
            load_matrix_sync(q, mine, 16);
            load_matrix_sync(k, K + col * 16 * d + i, d);
            mma_sync(s, q, k, s);
            __syncwarp();
        }
        for (int i = 0; i < s.num_elements; ++i) total.x[i] += s.x[i] * 0.125f;
        store_matrix_sync(S + warp * 16 * n + col * 16, s, n, mem_row_major);
    }
    fragment<accumulator, 16, 16, 16, half> h;
    for (int i = 0; i < h.num_elements; ++i) h.x[i] = __float2half(total.x[i]);
    if (warp % 2 == 1) mma_sync(h, q, k, h);
    store_matrix_sync(scaled + warp * 256, h, 16, mem_col_major);
}

extern "C" void run(const half* Q, const half* K, float* S, half* scaled, int warps, int d) {
    causal_products<<<1, warps * 32, warps * 256 * sizeof(half)>>>(Q, K, S, scaled, warps * 16, d);
}
