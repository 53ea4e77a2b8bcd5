"""Lanes whose number is taken apart, on an MLU: copies at constant distances."""

from __future__ import annotations

import numpy as np
import pytest

from tests.passes.mlu import assert_same, canonical, instructions, laid_out, normal
from xpiler.ir.nodes import Assign, Load
from xpiler.ir.rewrite import walk

ROWS = """__global__ void rows(const float *x, float *y, int n, int r, int h) {
    int b = blockIdx.x;
    for (int i = threadIdx.x; i < n; i += 64) y[b * n + i] = BODY;
}"""


@pytest.mark.parametrize(
    "body",
    [
        "x[(b * r + i % r) * h + i / r]",  # pixels that are shuffled
        "x[b * h + i / r] * 2.0f",  # samples that are repeated
        "x[i / r + 3] - x[i / r * r]",
    ],
)
def test_each_digit_of_the_lanes_is_a_strided_copy(body: str) -> None:
    function = canonical(ROWS.replace("BODY", body), x=4)
    laid = laid_out(function)
    assert "__memcpy" in instructions(laid)
    assert not any(isinstance(n, Assign) and isinstance(n.target, Load) for n in walk(laid.body))
    for n, r in ((60, 3), (61, 3), (2, 5), (0, 4), (64, 1)):
        h = -(-n // r) + 2
        assert_same(function, x=normal(1000), y=np.zeros(4 * n + 1, np.float32), n=n, r=r, h=h)


def test_where_digits_are_no_distance_each_lane_says_where() -> None:
    function = canonical(ROWS.replace("BODY", "x[(i / r) * (i % r)]"), x=4)
    assert_same(function, x=normal(1000), y=np.zeros(240, np.float32), n=60, r=7, h=1)


def test_what_is_not_negative_is_divided_by_shifts() -> None:
    function = canonical(
        """__global__ void luma(const unsigned char *rgb, int *y, int n) {
            int i = blockIdx.x * blockDim.x + threadIdx.x;
            if (i < n) {
                int r = rgb[3 * i], g = rgb[3 * i + 1], b = rgb[3 * i + 2];
                int sum = 66 * r + 129 * g + 25 * b + 128;
                y[i] = sum / 256 * 1000 + sum % 64;
            }
        }""",
        x=4,
    )
    assert {"__bang_sra", "__bang_band"} <= set(instructions(laid_out(function)))
    rgb = np.random.default_rng(1).integers(0, 256, 570).astype(np.uint8)
    assert_same(function, rgb=rgb, y=np.zeros(190, np.int32), n=190)


def test_what_may_be_negative_is_not() -> None:
    function = canonical(
        """__global__ void halved(const signed char *x, int *y, int n) {
            int i = blockIdx.x * blockDim.x + threadIdx.x;
            if (i < n) y[i] = (x[i] * 3 - 1) / 8;
        }""",
        x=4,
    )
    assert "__bang_sra" not in instructions(laid_out(function))


def test_the_lowest_digit_is_the_lanes_where_its_elements_are_neighbours() -> None:
    function = canonical(
        """__global__ void turned(float *q, const float *c, int n, int w) {
            int t = blockIdx.x;
            for (int i = threadIdx.x; i < n; i += 64)
                q[(t * n + i) * 2] = c[i % w] * 2.0f + c[i / w * w * 3 + i % w];
        }""",
        x=4,
    )
    assert not any(
        isinstance(n, Assign) and isinstance(n.target, Load) for n in walk(laid_out(function).body)
    )
    for n, w in ((60, 8), (61, 7), (0, 3)):
        assert_same(function, q=np.zeros(1000, np.float32), c=normal(1000), n=n, w=w)


def test_elements_that_lie_apart_for_outer_lanes_are_rows_of_inner_ones() -> None:
    function = canonical(
        """__global__ void rows(const float *x, const int *at, float *y, int n) {
            int row = at[blockIdx.x];
            if (row < 0) return;
            for (int i = threadIdx.x; i < n; i += 64) y[blockIdx.x * n + i] = x[row * n + i] + 1.0f;
        }""",
        x=7,
    )
    laid = laid_out(function)
    assert not any(isinstance(n, Assign) and isinstance(n.target, Load) for n in walk(laid.body))
    at = np.array([2, -1, 0, 3, -7, 1, 2], np.int32)
    assert_same(function, x=normal(400), at=at, y=np.zeros(700, np.float32), n=100)
