#include <mma.h>
using namespace nvcuda;
#define M 16
__global__ void wmma_scaled(const half *a, const half *b, float *c, int lda, int ldb, int ldc, int k, float alpha) {
    int warp = (blockIdx.x * blockDim.x + threadIdx.x) / warpSize;
    wmma::fragment<wmma::matrix_a, M, M, M, half, wmma::row_major> a_frag;
    wmma::fragment<wmma::matrix_b, M, M, M, half, wmma::col_major> b_frag;
    wmma::fragment<wmma::accumulator, M, M, M, float> acc[2];
    for (int j = 0; j < 2; j++) wmma::fill_fragment(acc[j], 0.0f);
    for (int i = 0; i < k; i += M) {
        wmma::load_matrix_sync(a_frag, a + warp * M * lda + i, lda);
        for (int j = 0; j < 2; j++) {
            wmma::load_matrix_sync(b_frag, b + j * M * ldb + i, ldb);
            wmma::mma_sync(acc[j], a_frag, b_frag, acc[j]);
        }
    }
    for (int j = 0; j < 2; j++) {
        for (int t = 0; t < acc[j].num_elements; t++) acc[j].x[t] *= alpha;
        wmma::store_matrix_sync(c + warp * M * ldc + j * M, acc[j], ldc, wmma::mem_row_major);
    }
}
