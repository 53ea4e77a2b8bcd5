"""Loops over lanes inside loops over steps, on an MLU: each step is vectors."""

from __future__ import annotations

import numpy as np
import pytest

from tests.passes.mlu import assert_same, canonical, laid_out, normal
from xpiler.ir.nodes import For, While
from xpiler.ir.rewrite import free_vars, walk


@pytest.mark.parametrize(
    "threads", [64, 256]
)  # few enough for a sum of its own for each, which would be worse
def test_a_scan_by_doubling_distances(threads: int) -> None:
    function = canonical(
        """__global__ void f(const float *x, float *y, int n) {
            __shared__ float sums[256];
            sums[threadIdx.x] = threadIdx.x < n ? x[threadIdx.x] : 0.0f;
            __syncthreads();
            for (int o = 1; o < 256; o <<= 1) {
                float before = threadIdx.x >= o ? sums[threadIdx.x - o] : 0.0f;
                __syncthreads();
                sums[threadIdx.x] += before;
                __syncthreads();
            }
            if (threadIdx.x < n) y[threadIdx.x] = sums[threadIdx.x];
        }""".replace("256", str(threads)),
        block=(threads, 1, 1),
    )
    laid = laid_out(function)
    steps = [n for n in walk(laid.body) if isinstance(n, While) and "o" in free_vars(n.condition)]
    assert len(steps) == 1 and not any(isinstance(n, For) for n in walk(steps[0].body))
    assert_same(function, x=normal(50), y=np.zeros(50, np.float32), n=50)
