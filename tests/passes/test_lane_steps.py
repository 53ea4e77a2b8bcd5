"""Lanes that walk in strides, each for itself, become vectors of neighbours, also where a row ends early."""

from __future__ import annotations

import numpy as np
import pytest

from tests.passes.mlu import assert_same, canonical, instructions, laid_out, normal
from xpiler.ir.nodes import For, Load
from xpiler.ir.rewrite import walk

ONLINE = """__global__ void kernel(const float *x, float *y, int n) {
    int lane = threadIdx.x;
    float peak = -1e30f, sum = 0.0f;
    for (int c = %s; c < n; c += %s) {
        float higher = fmaxf(peak, x[c]);
        sum = sum * expf(peak - higher) + expf(x[c] - higher);
        peak = higher;
    }
    y[lane] = sum;
    y[32 + lane] = peak;
}"""


@pytest.mark.parametrize(
    ("start", "step"), [("lane", "32"), ("2 * lane + 1", "64"), ("lane", "40"), ("lane", "16")]
)
@pytest.mark.parametrize("n", [0, 5, 32, 83, 160])
def test_a_recurrence_of_each_lane_is_a_recurrence_of_vectors(start: str, step: str, n: int) -> None:
    function = canonical(ONLINE % (start, step), (32, 1, 1))
    layout = laid_out(function)
    assert "__bang_maxequal" in instructions(layout)
    assert not any(isinstance(e, Load) and e.array == "x" for e in walk(layout.body))
    assert_same(function, x=normal(max(n, 1)), y=np.zeros(64, np.float32), n=n)


def test_ends_of_each_lane_s_own_stay_scalar() -> None:
    source = ONLINE.replace("c < n", "c < n + lane") % ("lane", "32")
    function = canonical(source, (32, 1, 1))
    assert_same(function, x=normal(83 + 32), y=np.zeros(64, np.float32), n=83)


def test_lanes_that_fit_one_tile_are_no_loop() -> None:
    rows = canonical(
        """__global__ void kernel(const float *x, float *y, int rows, int n) {
            int r = blockIdx.x, lane = threadIdx.x;
            float sum = 0.0f;
            for (int c = lane; c < n; c += 32) sum = sum * 0.5f + x[r * n + c];
            y[r * 32 + lane] = sum;
        }""",
        (32, 1, 1),
        x=3,
    )
    assert [
        s.stop for s in walk(laid_out(rows).body) if isinstance(s, For) and s.var.startswith("thread")
    ] == []
    assert_same(rows, x=normal(3 * 71), y=np.zeros(96, np.float32), rows=3, n=71)
