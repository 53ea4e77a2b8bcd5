"""Rows of a product that are taken from their source in pieces are gathered before the product."""

from __future__ import annotations

from xpiler.frontend import parse
from xpiler.ir.nodes import Function
from xpiler.ir.printer import show
from xpiler.passes.canonical import canonicalise
from xpiler.passes.knobs import chosen
from xpiler.passes.operand_packing import pack_operands
from xpiler.passes.row_gathering import gather_rows
from xpiler.passes.vectorize import vectorize

WINDOWS = """\
__global__ void windows(const float *__restrict__ x, const float *__restrict__ w, float *__restrict__ y,
                        int length, int channels, int width, int rows, int columns) {
  int c = blockIdx.x * blockDim.x + threadIdx.x, r = blockIdx.y;
  if (c >= columns) return;
  float sum = 0;
  for (int k = 0; k < width; ++k)
    for (int i = 0; i < channels; ++i)
      sum += VALUE * w[(k * channels + i) * columns + c];
  y[r * columns + c] = sum;
}
"""


def gathered(value: str) -> str:
    text = WINDOWS.replace("VALUE", value)
    (kernel,) = parse(text, "kernel.cu", platform="cuda").program.kernels
    return show(gather_rows(pack_operands(with_lanes(kernel))))


def with_lanes(kernel: Function) -> Function:
    return vectorize(canonicalise(kernel, (128, 1, 1), (None, None, 1)).function).function


# Windows further apart than what is compared, so that they are no windows of one array with borders.
PADDED = "(r + k - 1 >= 0 && r + k - 1 < length ? x[(r * 3 + k) * channels + i] : 0.0f)"


def test_a_padded_window_is_copied_where_it_is_inside() -> None:
    text = gathered(PADDED)
    assert "k_from = min(max(0, " in text
    assert "x_rows[(i64)(block_y - block_y_first) * ((i64)width * (i64)channels) + f] = 0.0f" in text
    assert "i_flat in 0l .. max((i64)(k_to - k_from), 0l) * (i64)channels" in text, "pieces are copied whole"
    assert "sum += x_rows[" in text


def test_the_sum_walks_through_what_was_gathered() -> None:
    sums = gathered(PADDED).split("vector for i32 c ")[-1]
    assert sums.count("for ") == 1, "one loop for the whole window"


def test_rows_that_are_counted_by_digits_are_copied_digit_by_digit() -> None:
    """The row is that of an image: nothing is divided for each of its pixels."""
    inside = "r % length + k - 1 >= 0 && r % length + k - 1 < length"
    text = gathered(f"({inside} ? x[(r / length * length + r % length * 3 + k) * channels + i] : 0.0f)")
    fill, product = text.split("vector for i32 c ")[0], text.split("vector for i32 c ")[-1]
    assert "length_or_one = max(length, 1)" in fill
    assert "in block_y_first / length_or_one .. (block_y_end - 1) / length_or_one + 1" in fill
    pixels = fill[fill.index("block_y_low_1 in") :]
    assert "%" not in pixels and "/" not in pixels, pixels
    assert "sum += x_rows[" in product


def test_what_lies_in_a_row_already_is_not_copied() -> None:
    assert "x_rows" not in gathered("x[(r * width + k) * channels + i]")


def test_what_the_kernel_writes_is_not_gathered() -> None:
    assert "y_rows" not in gathered("(r + k < length ? y[(r + k) * channels + i] : 0.0f)")


def test_nothing_is_gathered_if_the_knob_says_so() -> None:
    with chosen({"row_gathering.rows": 0}):
        assert "x_rows" not in gathered(PADDED)
