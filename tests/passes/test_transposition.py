"""Copies that turn rows into columns."""

from __future__ import annotations

import numpy as np
import pytest

from tests.passes.mlu import assert_same, canonical, instructions, laid_out, normal
from xpiler.ir.printer import show
from xpiler.platforms.bang import DEFAULT, Architecture

KB = 1024
SMALL = Architecture("small", 372, DEFAULT.reserved + 80 * KB, 64 * KB, 0, 1, 4)  # tiles of 64 x 64


def kernel(body: str) -> str:
    return f"""__global__ void turn(const float *x, float *y, int rows, int columns) {{
        int r = blockIdx.y * 8 + threadIdx.y, c = blockIdx.x * 8 + threadIdx.x;
        if (r < rows && c < columns) {body}
    }}"""


@pytest.mark.parametrize(("rows", "columns"), [(1, 70), (67, 3), (70, 66)])
def test_a_copy_across_is_a_transposition_of_tiles(rows: int, columns: int) -> None:
    function = canonical(kernel("y[c * rows + r] = x[r * columns + c];"), (8, 8, 1), x=9, y=9)
    assert instructions(laid_out(function, SMALL)) == ["__memcpy", "__bang_transpose", "__memcpy"]
    x, y = normal(rows * columns), np.zeros(rows * columns, np.float32)
    assert_same(function, SMALL, x=x, y=y, rows=rows, columns=columns)


@pytest.mark.parametrize(
    "body", ["y[r * columns + c] = x[r * columns + c];", "y[c * rows + r] = x[r * columns + c] + 1.0f;"]
)
def test_other_copies_and_sums_are_none(body: str) -> None:
    function = canonical(kernel(body), (8, 8, 1), x=2, y=2)
    assert "__bang_transpose" not in instructions(laid_out(function))
    x, y = normal(9 * 5), np.zeros(9 * 5, np.float32)
    assert_same(function, x=x, y=y, rows=9, columns=5)


def test_tasks_without_an_image_of_their_own_turn_a_part_of_one() -> None:
    function = canonical(
        """__global__ void turn(const float *x, float *y, int rows, int columns) {
            int r = blockIdx.y * 8 + threadIdx.y, c = blockIdx.x * 8 + threadIdx.x, n = blockIdx.z;
            if (r < rows && c < columns) y[(n * columns + c) * rows + r] = x[(n * rows + r) * columns + c];
        }""",
        (8, 8, 1),
        x=9,
        y=9,
        z=2,
    )
    shown = show(laid_out(function, SMALL))
    assert "parts = max(taskDim / 2, 1)" in shown
    x, y = normal(2 * 67 * 3), np.zeros(2 * 67 * 3, np.float32)
    assert_same(function, SMALL, x=x, y=y, rows=67, columns=3)
