"""Lanes whose elements lie apart: of the innermost loops, not of what stands around them."""

from __future__ import annotations

import numpy as np

from tests.passes.mlu import assert_same, canonical, instructions, normal
from xpiler.passes.bang_schedule import schedule
from xpiler.platforms.bang import DEFAULT


def test_pairs_of_neighbours_in_each_row_are_lanes() -> None:
    function = canonical(
        """__global__ void rotate(const long long *at, float *q, const float *table, int half, int heads) {
            long long pos = at[blockIdx.x];
            const float *c = table + pos * half * 2;
            for (int i = threadIdx.x; i < heads * half; i += blockDim.x) {
                int h = i / half, k = i % half;
                float *row = q + (blockIdx.x * heads + h) * half * 2;
                float x = row[2 * k], y = row[2 * k + 1];
                row[2 * k] = x * c[k] - y * c[k + half];
                row[2 * k + 1] = y * c[k] + x * c[k + half];
            }
        }""",
        x=3,
    )
    scheduled = schedule(function, DEFAULT)
    assert scheduled.notes == ()
    assert instructions(scheduled.function).count("__bang_mul") == 2 * 4  # the table stays, or is too long
    at = np.array([4, 0, 2], np.int64)
    assert_same(function, at=at, q=normal(3 * 2 * 10), table=normal(50), half=5, heads=2)


def test_the_lowest_digit_of_a_column_stays_a_loop() -> None:
    function = canonical(
        """__global__ void luma(const unsigned char *rgb, int *y, int *u, int w) {
            int x = blockIdx.x * blockDim.x + threadIdx.x;
            if (x >= w) return;
            int r = rgb[3 * x], g = rgb[3 * x + 1], b = rgb[3 * x + 2];
            y[x] = 2 * r + 5 * g + b;
            if ((x & 1) == 0) u[x / 2] = b - r;
        }""",
        x=2,
    )
    scheduled = schedule(function, DEFAULT)
    assert scheduled.notes == ()
    assert "__bang_int82float" in instructions(scheduled.function)
    for w in (1, 2, 77):
        rgb = np.random.default_rng(3).integers(0, 256, 3 * w).astype(np.uint8)
        assert_same(function, rgb=rgb, y=np.zeros(w, np.int32), u=np.zeros(w // 2 + 1, np.int32), w=w)
