"""Structs that are defined in templates, and members that are references to them, as in libraries."""

from __future__ import annotations

import pytest

from xpiler.frontend import parse
from xpiler.ir.printer import show
from xpiler.translate import translate_text

TEXT = """
template <typename T, int THREADS> class BlockReduce {
    static constexpr int WARPS = THREADS / 32;
public:
    struct TempStorage { T partial[WARPS]; };
    __device__ explicit BlockReduce(TempStorage &storage) : storage_(storage), calls_(0) {}
    template <typename Op> __device__ T all(T v, Op op) {
        ++calls_;
        for (int o = 16; o > 0; o >>= 1) v = op(v, __shfl_down_sync(0xffffffffu, v, o));
        if ((threadIdx.x & 31) == 0) storage_.partial[threadIdx.x >> 5] = v;
        __syncthreads();
        for (int w = 1; w < WARPS && threadIdx.x == 0; ++w) v = op(v, storage_.partial[w]);
        return v;
    }
    int calls_;
private:
    TempStorage &storage_;
};
struct Max { template <typename T> __device__ T operator()(T a, T b) const { return a > b ? a : b; } };
template <int THREADS> __global__ void peaks(const float *x, float *y, int *calls, int cols) {
    using Block = BlockReduce<float, THREADS>;
    using Counts = BlockReduce<int, THREADS>;
    __shared__ typename Block::TempStorage temp;
    __shared__ typename Counts::TempStorage counts;
    float m = 0;
    int n = 0;
    for (int c = threadIdx.x; c < cols; c += THREADS) { m = fmaxf(m, x[blockIdx.x * cols + c]); ++n; }
    Block block(temp);
    float peak = block.all(m, Max());
    int most = Counts(counts).all(n, Max());
    if (threadIdx.x == 0) { y[blockIdx.x] = peak; calls[blockIdx.x] = block.calls_ + most; }
}
void run(const float *x, float *y, int *calls, int rows, int cols) {
    peaks<64><<<rows, 64>>>(x, y, calls, cols);
}
"""


def test_what_an_instance_owns_has_its_arguments_and_constants() -> None:
    unit = parse(TEXT, "k.cu")
    assert not unit.refusals
    (kernel,) = unit.program.kernels
    text = show(kernel)
    assert "shared f32 temp[2];" in text and "shared i32 counts[2];" in text


@pytest.mark.parametrize("to", ["hip", "vnni", "bang"])
def test_blocks_that_keep_a_reference_to_their_storage_are_translated(to: str) -> None:
    result = translate_text(TEXT, "k.cu", to)
    assert result.status == "verified", [rung.detail for rung in result.evidence if not rung.ok]
