"""Blocks that are counted through both axes of a tile become rows and columns within their guards."""

from __future__ import annotations

import numpy as np
import pytest

from tests.backend.cpp import Library, build
from xpiler.backend.vnni import generate
from xpiler.frontend import parse
from xpiler.ir.nodes import Function
from xpiler.ir.printer import show
from xpiler.passes.block_digits import rows_of_blocks
from xpiler.passes.canonical import canonicalise

PLANE = """\
__global__ void plane(const float *__restrict__ x, float *__restrict__ y, int rows, int columns) {
  const unsigned across = (columns + 7) / 8;
  const int column = blockIdx.x % across * 8 + threadIdx.x, row = blockIdx.x / across * 4 + threadIdx.y;
  if (row < rows && column < columns) y[row * columns + column] = BODY;
}
"""


def canonical(body: str) -> Function:
    (kernel,) = parse(PLANE.replace("BODY", body), "plane.cu", platform="cuda").program.kernels
    return canonicalise(kernel, (8, 4, 1)).function


def test_rows_and_columns_are_counted_as_far_as_the_guards_go() -> None:
    text = show(rows_of_blocks(canonical("2 * x[row * columns + column]")))
    assert "parallel for i32 thread_y_1 in 0 .. min(rows, thread_y_end) - thread_y_before" in text
    assert "parallel for i32 thread_x_1 in 0 .. min(columns, thread_x_columns)" in text
    assert "if (" not in text and "/ block" not in text.split("parallel for", 1)[1]


def test_a_block_that_is_used_by_its_number_stays_one() -> None:
    function = canonical("x[blockIdx.x]")
    assert rows_of_blocks(function) is function


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Library:
    launch = {"gridDim.x": 7, **dict.fromkeys(("gridDim.y", "gridDim.z", "blockDim.z"), 1)}
    launch |= {"blockDim.x": 8, "blockDim.y": 4}
    made = generate(canonical("2 * x[row * columns + column]"), extern_c=True, launch=launch)
    return build([made], tmp_path_factory.mktemp("plane"), "plane")


# seven blocks of 4x8: whole rows of blocks, one that is cut short, more and fewer than there are, none
@pytest.mark.parametrize(("rows", "columns"), [(28, 8), (9, 24), (16, 16), (3, 5), (4, 80), (40, 20), (5, 0)])
def test_every_element_that_a_block_has_is_written(rows: int, columns: int, library: Library) -> None:
    x = np.arange(rows * columns, dtype=np.float32).reshape(rows, columns)
    y = np.full_like(x, -1)
    library.call("plane", x, y, np.int32(rows), np.int32(columns))
    expected, across = np.full_like(x, -1), (columns + 7) // 8
    for block in range(7 if across else 0):
        top, left = block // across * 4, block % across * 8
        expected[top : top + 4, left : left + 8] = 2 * x[top : top + 4, left : left + 8]
    np.testing.assert_array_equal(y, expected)
