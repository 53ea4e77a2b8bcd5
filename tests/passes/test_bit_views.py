"""Words that carry the bits of numbers are these numbers."""

from xpiler.frontend import parse
from xpiler.ir.printer import show
from xpiler.passes.bit_views import with_bits_as_meant
from xpiler.passes.canonical import canonicalise

WAVE_SUM = """
#include <hip/hip_runtime.h>
template <int control>
__device__ float shifted_sum(float v) {
    const int moved = __builtin_amdgcn_update_dpp(0, __float_as_int(v), control, 0xf, 0xf, true);
    return v + __int_as_float(moved);
}
__global__ void total(const float *x, float *o, int n) {
    float v = 0.0f;
    for (int c = threadIdx.x; c < n; c += 64) v += x[c];
    v = shifted_sum<0x111>(v);
    v = shifted_sum<0x112>(v);
    v = shifted_sum<0x114>(v);
    v = shifted_sum<0x118>(v);
    v = shifted_sum<0x142>(v);
    v = shifted_sum<0x143>(v);
    const int last = __builtin_amdgcn_readlane(__float_as_int(v), 63);
    if (threadIdx.x == 0) o[blockIdx.x] = __int_as_float(last);
}
"""
BITS = """
__global__ void f(const float *x, float *o, int *p) {
    int bits = __float_as_int(x[0]);
    FURTHER
    o[0] = __int_as_float(bits);
}
"""


def test_shifted_sums_of_a_wave_are_one_sum() -> None:
    (kernel,) = parse(WAVE_SUM, "f.hip", platform="hip").program.kernels
    shown = show(canonicalise(kernel, (64, 1, 1)).function)
    assert "shuffled" not in shown and "bits<" not in shown
    assert "for i32 c in 0 .. n" in shown


def viewed(further: str) -> str:
    (kernel,) = parse(BITS.replace("FURTHER", further), "f.cu").program.kernels
    return show(with_bits_as_meant(kernel))


def test_only_bits_that_are_nothing_else_are_numbers() -> None:
    assert "bits<" not in viewed("")
    assert "bits<" not in viewed("int copy = bits; o[1] = __int_as_float(copy);")
    assert "bits<" in viewed("int copy = bits; p[0] = copy + 1;")
    assert "bits<" not in viewed("if (x[1] > 0) bits = __float_as_int(x[1]);")
    for further in ("bits &= 0x7fffffff;", "p[0] = bits;", "bits = p[1];", "bits = 1 << 23;"):
        assert "bits<" in viewed(further), further
