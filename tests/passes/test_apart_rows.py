"""Rows that a stride keeps apart, and rows that may overlap: both are written down."""

import pytest

from xpiler.frontend import parse
from xpiler.ir.printer import show
from xpiler.passes.canonical import canonicalise
from xpiler.translate import translate_text

SCALED = """
void scale_rows(float *restrict x, const float *restrict s, int ld, int rows, int cols) {
    for (int r = 0; r < rows; ++r)
        for (int c = 0; c < cols; ++c) x[r * ld + c] = s[r] * x[r * ld + c] + 1.0f;
}
"""


def canonical(text: str, file: str = "rows.c") -> str:
    (kernel,) = parse(text, file, platform="vnni").program.kernels
    return show(canonicalise(kernel).function)


def test_rows_at_a_leading_dimension_run_at_once_where_they_are_apart() -> None:
    shown = canonical(SCALED)
    assert "if (cols <= ld) {\n    parallel for i32 r in 0 .. rows {" in shown
    assert "} else {\n    for i32 r_1 in 0 .. rows {" in shown


@pytest.mark.parametrize(
    ("params", "index", "condition"),
    [
        ("size_t pitch", "r * pitch + c", "(u64)cols <= pitch"),
        ("int pitch", "c * pitch + r", "rows <= pitch"),  # column by column
        ("int pitch", "r * pitch + 4 * c", "cols * 4 <= pitch"),
    ],
)
def test_the_condition_is_that_of_the_addresses(params: str, index: str, condition: str) -> None:
    text = f"""
#include <stddef.h>
void f(float *restrict x, {params}, int rows, int cols) {{
    for (int r = 0; r < rows; ++r)
        for (int c = 0; c < cols; ++c) x[{index}] += 1.0f;
}}
"""
    assert f"if ({condition})" in canonical(text)


def test_elements_at_an_increment_are_apart_where_it_is_one_at_least() -> None:
    text = """
void axpy(int n, float a, const float *restrict x, int incx, float *restrict y, int incy) {
    for (int i = 0; i < n; ++i) y[i * incy] += a * x[i * incx];
}
"""
    assert "if (1 <= incy) {\n    parallel for i32 i in 0 .. n {" in canonical(text)


def test_rows_of_a_triangle_are_as_long_as_the_last() -> None:
    text = """
void lower(float *restrict c, int n, int ldc) {
    for (int i = 0; i < n; ++i)
        for (int j = 0; j <= i; ++j) c[i * ldc + j] *= 2.0f;
}
"""
    assert "if (n <= ldc) {\n    parallel for i32 i in 0 .. n {" in canonical(text)


def test_matrices_of_a_batch_are_apart_where_their_columns_are_too() -> None:
    text = """
void f(float *restrict c, int m, int n, int ldc, long long stride, int batch) {
    for (int b = 0; b < batch; ++b)
        for (int j = 0; j < n; ++j)
            for (int i = 0; i < m; ++i) c[b * stride + j * ldc + i] *= 2.0f;
}
"""
    shown = canonical(text)
    assert "if (m <= ldc && (i64)ldc * (i64)n <= stride) {\n    parallel for i32 b in 0 .. batch {" in shown


@pytest.mark.parametrize(
    "body",
    [
        "x[r * ld + c] = x[(r + 1) * ld + c];",  # the next row, whatever the stride
        "x[s[r] * ld + c] = 1.0f;",  # rows that data decide
    ],
)
def test_what_no_stride_makes_independent_is_written_once(body: str) -> None:
    text = f"""
void f(float *restrict x, const int *restrict s, int ld, int rows, int cols) {{
    for (int r = 0; r < rows; ++r)
        for (int c = 0; c < cols; ++c) {body}
}}
"""
    assert "<= ld" not in canonical(text)


def test_both_branches_are_verified_on_both_kinds_of_machines() -> None:
    cuda = translate_text(SCALED, "rows.c", "cuda")
    assert cuda.status == "verified" and cuda.text is not None
    assert "if (cols <= ld) {" in cuda.text and cuda.text.count("__global__") == 2
    bang = translate_text(SCALED, "rows.c", "bang")
    assert bang.status == "verified" and bang.text is not None
    assert "if (cols <= ld) {\n        int r_share" in bang.text
    assert "} else if ((int)taskId == 0) {" in bang.text
