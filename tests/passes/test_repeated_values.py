"""A value of floats that a statement needs several times is computed once on an MLU."""

from __future__ import annotations

import numpy as np

from tests.passes.mlu import assert_same, canonical, instructions, laid_out, normal

ACTIVATED = """
__device__ float cubic(float v) { return v * (1.0f + 0.25f * v * v * v); }
__global__ void f(const float *x, const float *b, float *y, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) y[i] = cubic(x[i] + b[i]);
}
"""


def test_an_argument_that_is_written_out_is_one_instruction() -> None:
    function = canonical(ACTIVATED, x=2)
    names = instructions(laid_out(function))
    assert names.count("__bang_add") == 1, "x[i] + b[i]"
    assert_same(function, x=normal(70), b=normal(70), y=np.zeros(70, np.float32), n=70)


def test_what_only_some_lanes_compute_stays_with_them() -> None:
    function = canonical(
        """__global__ void f(const float *x, const float *b, float *y, int n, int m) {
            int i = blockIdx.x * blockDim.x + threadIdx.x;
            if (i < n) y[i] = x[i] > 0.0f ? (i < m ? (x[i] + b[i]) * (x[i] + b[i]) : 1.0f) : 0.0f;
        }""",
        x=2,
    )
    assert_same(function, x=normal(70), b=normal(40), y=np.zeros(70, np.float32), n=70, m=40)
