"""A hash of a lane's number is computed once on an MLU, however often a kernel's values use it."""

from __future__ import annotations

import numpy as np

from tests.passes.mlu import assert_same, canonical, instructions, laid_out

HASHED = """
__device__ unsigned mixed(unsigned x) {
    x ^= x >> 16; x *= 0x7feb352du; x ^= x >> 15; x *= 0x846ca68bu; x ^= x >> 16; return x;
}
__global__ void f(float *y, unsigned s, int n) {
    int i = threadIdx.x;
    if (i < n) y[i] = (mixed(i ^ s) >> 8) * 0.5f;
}
"""


def test_each_step_of_a_hash_is_one_group_of_instructions() -> None:
    names = instructions(laid_out(canonical(HASHED)))
    assert names.count("__bang_srl") == 4
    assert names.count("__bang_mul_scalar") == 3


def test_it_stays_the_same_hash() -> None:
    assert_same(canonical(HASHED), y=np.zeros(40, np.float32), s=77, n=40)
