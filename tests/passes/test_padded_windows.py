"""Windows that overlap and may leave their array are read from a copy with borders."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from xpiler.frontend import parse
from xpiler.ir.interpret import run
from xpiler.ir.nodes import Function
from xpiler.ir.printer import show
from xpiler.passes.canonical import canonicalise
from xpiler.passes.operand_packing import pack_operands
from xpiler.passes.row_gathering import gather_rows, pad_windows
from xpiler.passes.vectorize import vectorize

# A row is a pixel of an image, and its sum runs over a window of that and its channels.
WINDOWS = """\
__global__ void windows(const float *__restrict__ x, const float *__restrict__ w, float *__restrict__ y,
                        int rows, int height, int width, int channels, int reach, int step, int pad,
                        int out_h, int out_w, int columns) {
  int c = blockIdx.x * blockDim.x + threadIdx.x, r = blockIdx.y;
  if (c >= columns || r >= rows) return;
  const int n = r / (out_w * out_h), oy = r / out_w % out_h, ox = r % out_w;
  float sum = 0;
  for (int i = 0; i < reach; ++i)
    for (int j = 0; j < reach; ++j)
      for (int k = 0; k < channels; ++k) {
        const int at_y = oy * step + i - pad, at_x = ox * step + j - pad;
        const bool inside = at_y >= 0 && at_y < height && at_x >= 0 && at_x < width;
        const float value = inside ? x[((n * height + at_y) * width + at_x) * channels + k] : 0.0f;
        sum += value * w[((i * reach + j) * channels + k) * columns + c];
      }
  y[r * columns + c] = sum;
}
"""


def lanes(text: str = WINDOWS) -> Function:
    (kernel,) = parse(text, "kernel.cu", platform="cuda").program.kernels
    return pack_operands(vectorize(canonicalise(kernel, (64, 1, 1), (None, None, 1)).function).function)


def results(
    function: Function, rows: int, length: int, reach: int, step: int, pad: int, out: int, sign: int = 1
) -> np.ndarray[Any, Any]:
    """Of images of `length` times `length` pixels, of which there are no more than these rows read."""
    rng = np.random.default_rng(reach)
    read = set[int]()
    for r in range(rows):
        n, oy, ox = r // (out * out), r // out % out, r % out
        ys = [y for y in range(oy * step - pad, oy * step - pad + reach) if 0 <= y < length]
        xs = [x for x in range(ox * step - pad, ox * step - pad + reach) if 0 <= x < length]
        read |= {((n * length + y) * length + x) * 2 + k for y in ys for x in xs for k in range(2)}
    given: dict[str, Any] = {
        "x": rng.integers(-4, 5, max(read, default=-1) + 1).astype(np.float32),
        "w": rng.integers(-4, 5, reach * reach * 2 * 3).astype(np.float32),
        "y": np.full(rows * 3, np.nan, np.float32),
        "rows": rows, "height": length, "width": length, "channels": 2, "reach": reach, "step": step,
        "pad": pad, "out_h": sign * out, "out_w": out, "columns": 3,
        "gridDim.x": 1, "gridDim.y": rows, "gridDim.z": 1,
    }  # fmt: skip
    found = run(function, given)
    assert not found.errors, found.errors[0]
    return given["y"]


@pytest.mark.parametrize(
    ("rows", "length", "reach", "step", "pad", "out"),
    [
        (18, 3, 3, 1, 1, 3),
        (8, 5, 2, 2, 0, 2),
        (8, 6, 2, 3, 1, 2),  # windows that share nothing
        (5, 4, 3, 1, 1, 4),  # rows that end in the second row of an image
        (13, 3, 2, 1, 1, 3),  # and of the second image
        (4, 2, 3, 0, 1, 2),  # all windows are one
        (4, 1, 2, 4, 3, 2),  # nothing inside
    ],
)
def test_the_sums_are_the_same_and_nothing_else_is_read(
    rows: int, length: int, reach: int, step: int, pad: int, out: int
) -> None:
    before = lanes()
    after = gather_rows(before)
    assert "x_padded" in show(after)
    sizes = (rows, length, reach, step, pad, out)
    np.testing.assert_array_equal(results(before, *sizes), results(after, *sizes))


def test_digits_by_a_negative_number_are_left_alone() -> None:
    before = lanes()
    sizes = (2, 3, 2, 1, 0, 2, -1)  # rows of the first line: all but their last digit is 0
    np.testing.assert_array_equal(results(before, *sizes), results(gather_rows(before), *sizes))


def test_each_element_is_copied_once_and_the_sum_walks_along_a_row_of_the_window() -> None:
    text = show(gather_rows(lanes()))
    copy, product, _ = text.split("vector for i32 c ")
    assert copy.count(" = x[") == 1
    product = product.split("else {")[0]
    assert product.count("for ") == 2, "rows of the window, and what lies in one"
    assert "sum += x_padded[x_padded_from[" in product


def test_rows_that_are_no_digits_need_no_table() -> None:
    text = (
        WINDOWS.replace("r / out_w % out_h", "0")
        .replace("r % out_w", "r")
        .replace("r / (out_w * out_h)", "0")
    )
    assert "x_padded_from" not in show(gather_rows(lanes(text)))
    assert "sum += x_padded[(i64)block_y * " in show(gather_rows(lanes(text)))


def test_what_is_compared_is_what_is_read() -> None:
    """Else neighbours share less than it seems."""
    other = WINDOWS.replace("at_x) * channels + k]", "at_x + ox) * channels + k]")
    assert "x_padded" not in show(gather_rows(lanes(other)))


def test_windows_alone_are_padded_where_lanes_were_found_late() -> None:
    """The copy has its lanes already, and what is gathered otherwise stays as it is; so do long pieces."""
    text = show(pad_windows(lanes()))
    assert "vector for i64 k_at_flat" in text.split("x_padded_from")[0]
    assert "(i64)reach * (i64)channels <= 16l" in text.replace(
        "(i64)channels * (i64)reach", "(i64)reach * (i64)channels"
    )
    assert text.count("parallel for i32 block_y in ") == 2
    other = lanes(WINDOWS.replace("at_x) * channels + k]", "at_x + ox) * channels + k]"))
    assert gather_rows(other) is not other and pad_windows(other) is other


def test_a_choice_may_say_where_there_is_nothing() -> None:
    outside = WINDOWS.replace(
        "inside = at_y >= 0 && at_y < height && at_x >= 0 && at_x < width", "inside = true"
    )
    outside = outside.replace(
        "inside ? x[((n * height + at_y) * width + at_x) * channels + k] : 0.0f",
        "(at_y < 0 || at_y >= height || at_x < 0 || at_x >= width) ? 0.0f"
        " : x[((n * height + at_y) * width + at_x) * channels + k]",
    )
    turned, plain = (show(gather_rows(lanes(text))).split("else {")[0] for text in (outside, WINDOWS))
    assert turned == plain
