"""Races of a target that execution does not show."""

from __future__ import annotations

import pytest

from xpiler.translate import Trusted, translate_text

SHARES = """
__global__ void shares(const float *x, float *y, int n) {
    __shared__ float part[2];
    int at = blockIdx.x * 64 + threadIdx.x, warp = threadIdx.x / 32;
    float v = at < n ? x[at] : 0.0f, m = fabsf(v);
    for (int o = 16; o > 0; o /= 2) m = fmaxf(m, __shfl_xor_sync(0xffffffff, m, o));
    if (threadIdx.x % 32 == 0) part[warp] = m;
    __syncthreads();
    m = fmaxf(part[0], part[1]);
    __syncthreads();  // of the maximum
    float s = v - m;
    for (int o = 16; o > 0; o /= 2) s += __shfl_xor_sync(0xffffffff, s, o);
    if (threadIdx.x % 32 == 0) part[warp] = s;
    __syncthreads();
    if (at < n) y[at] = v / (part[0] + part[1]);
}
extern "C" void all_shares(const float *x, float *y, int n) { shares<<<(n + 63) / 64, 64>>>(x, y, n); }
"""


def test_a_race_that_ends_well_where_it_is_executed_is_no_right_program() -> None:
    """A warp may write its sum while another still reads the maxima."""
    source = Trusted.of(SHARES, "shares.cu")
    racy = source.verify(SHARES.replace("__syncthreads();  // of the maximum", ""), "racy.cu")
    assert racy.status != "verified"
    (found,) = [rung for rung in racy.evidence if not rung.ok]
    assert found.rung == "proved"
    assert "racy.cu:13:" in found.detail and "no barrier between" in found.detail
    in_warps = SHARES.replace("__syncthreads();  // of the maximum", "m = m + 0.0f; __syncthreads();")
    assert source.verify(in_warps, "right.cu").status == "verified"


LEAST = """
__device__ float atomicMin(float *a, float v) {
    int *bits = (int *)a, old = *bits;
    while (v < __int_as_float(old)) {
        int seen = atomicCAS(bits, old, __float_as_int(v));
        if (seen == old) break;
        old = seen;
    }
    return __int_as_float(old);
}
__global__ void start(float *least) { least[0] = 3.0e38f; }
__global__ void smallest(const float *x, float *least, int n) {
    int i = blockIdx.x * 64 + threadIdx.x;
    if (i < n) LOOK
}
void minimum(const float *x, float *least, int n) {
    start<<<1, 1>>>(least);
    smallest<<<(n + 63) / 64, 64>>>(x, least, n);
}
"""


@pytest.mark.parametrize(
    ("look", "status"),
    [
        ("atomicMin(least, x[i]);", "verified"),  # what is old when it is swapped is seen, and tried again
        ("if (x[i] < least[0]) least[0] = x[i];", "unverified"),
    ],
)
def test_the_first_look_of_a_loop_that_compares_and_swaps_is_no_race(look: str, status: str) -> None:
    result = translate_text(LEAST.replace("LOOK", look), "least.cu", "bang")
    assert result.status == status, result.evidence
