"""Operands that lie crosswise are packed for the lanes of AVX-512."""

from __future__ import annotations

from xpiler.frontend import parse
from xpiler.ir.printer import show
from xpiler.passes.canonical import canonicalise
from xpiler.passes.operand_packing import pack_operands
from xpiler.passes.zero_terms import drop_zero_terms

TRANSPOSED = """\
__global__ void dense(const float *__restrict__ x, const float *__restrict__ w, float *__restrict__ y,
                      int rows, int columns, int depth) {
  int c = blockIdx.x * blockDim.x + threadIdx.x, r = blockIdx.y;
  if (c >= columns) return;
  float sum = 0;
  for (int k = 0; k < depth; ++k) sum += x[r * depth + k] * WEIGHT;
  y[r * columns + c] = sum;
}
"""


def packed(text: str) -> str:
    (kernel,) = parse(text, "kernel.cu", platform="cuda").program.kernels
    return show(pack_operands(canonicalise(kernel, (128, 1, 1), (None, None, 1)).function))


def test_the_rows_of_a_transposed_matrix_become_panels() -> None:
    text = packed(TRANSPOSED.replace("WEIGHT", "w[c * depth + k]"))
    panel = "((i64)(c / 16) * (i64)depth + (i64)k) * 16l + (i64)(c % 16)"
    assert f"* w_packed[{panel}]" in text
    assert "turn_ps(" in text, "it lies row by row: blocks are turned"
    assert text.index("turn_ps(") < text.index("parallel for i32 block_y"), "once for all rows"


def test_rows_with_gaps_become_panels_element_by_element() -> None:
    text = packed(TRANSPOSED.replace("WEIGHT", "w[(c * depth + k) * 2]"))
    panel = "((i64)(c / 16) * (i64)depth + (i64)k) * 16l + (i64)(c % 16)"
    assert f"w_packed[{panel}] = w[" in text
    assert "turn_ps" not in text


def test_what_lies_along_the_lanes_is_not_packed() -> None:
    assert "packed" not in packed(TRANSPOSED.replace("WEIGHT", "w[k * columns + c]"))


def test_what_is_read_under_a_condition_is_not_packed() -> None:
    assert "w_packed" not in packed(TRANSPOSED.replace("WEIGHT", "(k < rows ? w[c * depth + k] : 0.0f)"))


def test_what_the_kernel_writes_is_not_packed() -> None:
    assert "y_packed" not in packed(TRANSPOSED.replace("WEIGHT", "y[c * depth + k]"))


def test_a_sum_ends_where_its_terms_are_zero() -> None:
    text = """\
__global__ void dot(const float *a, const float *b, float *y, int n) {
  float sum = 0;
  for (int k = 0; k < (n + 31) / 32 * 32; ++k) sum += (k < n ? a[k] : 0.0f) * (k < n ? b[k] : 0.0f);
  y[0] = sum;
}
"""
    (kernel,) = parse(text, "kernel.cu", platform="cuda").program.kernels
    shown = show(drop_zero_terms(kernel))
    assert "for i32 k in 0 .. n {" in shown
    assert "sum += a[k] * b[k]" in shown


def test_a_sum_whose_terms_may_be_infinite_goes_on() -> None:
    text = """\
__global__ void dot(const float *a, const float *b, float *y, int n) {
  float sum = 0;
  for (int k = 0; k < (n + 31) / 32 * 32; ++k) sum += (k < n ? a[k] : 0.0f) * b[k];
  y[0] = sum;
}
"""
    (kernel,) = parse(text, "kernel.cu", platform="cuda").program.kernels
    assert drop_zero_terms(kernel) == kernel
