"""Lanes of which each takes what a stride divides, as transposed convolutions do, on an MLU."""

from __future__ import annotations

import numpy as np
import pytest

from tests.passes.mlu import assert_same, canonical, instructions, laid_out, normal
from xpiler.passes.bang_schedule import schedule
from xpiler.platforms.bang import DEFAULT

SPREAD = """__global__ void spread(const float *x, const float *w, float *y, int n, int m, int taps,
                                  int stride) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    float sum = 0.0f;
    for (int k = 0; k < taps; ++k) {
        int at = i + 1 - k;
        if (at < 0 || at % stride != 0) continue;
        int j = at / stride;
        if (j < m) sum += x[j] * w[k];
    }
    y[i] = sum;
}"""


@pytest.mark.parametrize("stride", [1, 2, 3, 7])
def test_a_transposed_convolution_is_vectors_of_one_rest(stride: int) -> None:
    function = canonical(SPREAD, x=4)
    scheduled = schedule(function, DEFAULT)
    assert scheduled.notes == ()
    assert "__bang_mul_scalar" in instructions(scheduled.function)
    y = np.zeros(190, np.float32)
    assert_same(function, x=normal(60), w=normal(4), y=y, n=190, m=60, taps=4, stride=stride)
    y = np.zeros(2, np.float32)
    assert_same(function, x=normal(60), w=normal(4), y=y, n=2, m=60, taps=4, stride=stride)


def test_lanes_that_only_some_do_something_else_stay_neighbours() -> None:
    function = canonical(
        """__global__ void f(const float *x, float *y, int n) {
            int i = blockIdx.x * blockDim.x + threadIdx.x;
            if (i < n) y[i] = i % 4 == 0 ? x[i] : -x[i];
        }""",
        x=4,
    )
    assert "phase" not in str(laid_out(function).body)
    assert_same(function, x=normal(190), y=np.zeros(190, np.float32), n=190)
