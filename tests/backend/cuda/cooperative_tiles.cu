// Cooperative groups: tiles, reduce with operators, votes of tiles, coalesced atomics, block-level sync.
#include <cooperative_groups.h>
#include <cooperative_groups/reduce.h>
#include <cuda_runtime.h>
namespace cg = cooperative_groups;

__global__ void row_softmax(float* out, const float* in, int rows, int cols) {
    cg::thread_block block = cg::this_thread_block();
    cg::thread_block_tile<32> warp = cg::tiled_partition<32>(block);
    int row = blockIdx.x * warp.meta_group_size() + warp.meta_group_rank();
    if (row >= rows) return;
    const float* x = in + row * cols;
    float m = -1e30f, s = 0.0f;
    for (int i = warp.thread_rank(); i < cols; i += warp.size()) m = fmaxf(m, x[i]);
    m = cg::reduce(warp, m, cg::greater<float>{});
    for (int i = warp.thread_rank(); i < cols; i += warp.num_threads()) s += expf(x[i] - m);
    s = cg::reduce(warp, s, cg::plus<float>{});
    for (int i = warp.thread_rank(); i < cols; i += 32) out[row * cols + i] = expf(x[i] - m) / s;
}

__global__ void tile_votes(unsigned* ballots, int* sums, const int* x) {
    auto block = cg::this_thread_block();
    auto tile = cg::tiled_partition<16>(block);
    int i = blockIdx.x * block.size() + block.thread_rank();
    ballots[i] = tile.ballot(x[i] > 0);
    if (tile.any(x[i] == 7)) ballots[i] |= 0x10000;
    if (tile.all(x[i] != 7)) ballots[i] |= 0x20000;
    int v = x[i];
    for (int o = tile.size() / 2; o > 0; o /= 2) v += tile.shfl_down(v, o);
    tile.sync();
    if (tile.thread_rank() == 0) sums[i / 16] = v;
    block.sync();
    cg::sync(block);
}

extern "C" void run(float* out, const float* in, int rows, int cols, unsigned* ballots, int* sums, const int* x) {
    row_softmax<<<(rows + 3) / 4, 128>>>(out, in, rows, cols);
    tile_votes<<<2, 96>>>(ballots, sums, x);
}
