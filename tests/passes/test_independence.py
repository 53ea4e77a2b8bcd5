"""Which loops of a tiled function have independent iterations."""

import re

import pytest

from xpiler.frontend import parse
from xpiler.ir.printer import show
from xpiler.passes.canonical import canonicalise

PANELS = """
#include <algorithm>
void pack(const float *__restrict__ b, float *__restrict__ o, int n, int k) {
    for (int j = 0; j < (n + 31) / 32; ++j)
        for (int p = 0; p < std::min(k, 128); ++p) {
            for (int t = 0; t < std::min(n - j * 32, 32); ++t)
                o[j * REACH + p * 32 + t] = b[p * n + j * 32 + t];
            for (int u = std::min(n - j * 32, 32); u < 32; ++u) o[j * REACH + p * 32 + u] = 0.0f;
        }
}
"""
HALVES = """
#include <algorithm>
void store(const float *__restrict__ b, float *__restrict__ c, int n, int m) {
    for (int i = 0; i < m; i += 6)
        for (int j = 0; j < (n + 31) / 32; ++j)
            for (int t = 0; t < std::min(6, m - i); ++t)
                for (int l = 0; l < 16; ++l) {
                    if (l < std::min(n - j * 32, 32)) c[i * n + j * 32 + t * n + l] = b[l];
                    if (AHEAD + l < std::min(n - j * 32, 32)) c[i * n + j * 32 + t * n + l + 16] = b[l];
                }
}
"""


def parallel(text: str) -> set[str]:
    (kernel,) = parse(text, "f.cpp", platform="vnni").program.kernels
    return set(re.findall(r"parallel for i32 (\w+) in", show(canonicalise(kernel).function)))


@pytest.mark.parametrize(("reach", "expected"), [("4096", set("jpt")), ("4000", set("pt"))])
def test_panels_are_apart_if_they_have_room_for_their_rows(reach: str, expected: set[str]) -> None:
    assert parallel(PANELS.replace("REACH", reach)) == expected


@pytest.mark.parametrize(("ahead", "expected"), [("16", {"i", "j", "l"}), ("0", {"l"})])
def test_halves_of_a_tile_are_of_one_row_where_both_are_guarded(ahead: str, expected: set[str]) -> None:
    assert parallel(HALVES.replace("AHEAD", ahead)) == expected


MASKS = """
#include <algorithm>
#include <immintrin.h>
void store(const float *__restrict__ b, float *__restrict__ c, int n, int m) {
    for (int m0 = 0; m0 < m; m0 += 72)
        for (int j = 0; j < (n + 31) / 32; ++j)
            for (int i = 0; i < std::min(72, m - m0); i += 6) {
                const int rows = std::min(6, std::min(72, m - m0) - i), left = std::min(32, n - j * 32);
                const __mmask16 first = left >= 16 ? 0xFFFF : (__mmask16)((1u << left) - 1);
                const __mmask16 some = left > 16 ? (__mmask16)((1u << (left - 16)) - 1) : 0;
                const __mmask16 second = left >= 32 ? 0xFFFF : some;
                for (int t = 0; t < rows; ++t) {
                    float *row = c + (m0 + i + t) * n + j * 32;
                    _mm512_mask_storeu_ps(row, first, _mm512_loadu_ps(b));
                    _mm512_mask_storeu_ps(row + 16, second, _mm512_loadu_ps(b + 16));
                }
            }
}
"""


def test_a_tile_behind_two_masks_is_one_of_independent_ones() -> None:
    (kernel,) = parse(MASKS, "f.cpp", platform="vnni").program.kernels
    shown = show(canonicalise(kernel).function)
    assert ">= 32" not in shown and "> 16" not in shown
    assert parallel(MASKS) >= {"j", "m0"}  # the rows are one loop


SLOT = """
void keep(const float *__restrict__ k, float *__restrict__ cache, int slot, int heads, int dim, int size) {
    BEFORE
    for (int h = 0; h < heads; ++h)
        for (int d = 0; d < dim; ++d) cache[(h * dim + d) * size + off] = k[h * dim + d];
}
"""


@pytest.mark.parametrize(
    ("before", "asked"),
    [
        ("int off = slot % size;", False),
        ("int off = slot;", True),
        ("int off = slot > 0 && slot % size > 2 ? 1 : 0;", True),
    ],
)
def test_what_something_was_divided_by_is_a_stride_that_is_not_0(before: str, asked: bool) -> None:
    text = SLOT.replace("BEFORE", before)
    (kernel,) = parse(text, "f.cpp", platform="vnni").program.kernels
    assert ("if (1 <= size)" in show(canonicalise(kernel).function)) == asked
    assert parallel(text) == {"d"}  # of all heads


def test_tiles_up_to_the_last_whole_one_are_independent() -> None:
    text = """
    void tiles(const float *__restrict__ x, float *__restrict__ y, int rows, int cols) {
      for (int i = 0; i < rows / 16 * 16; i += 16)
        for (int j = 0; j < cols / 16 * 16; j += 16) {
          float t[16][16];
          for (int r = 0; r < 16; ++r)
            for (int l = 0; l < 16; ++l) t[l][r] = x[(i + r) * cols + j + l];
          for (int r = 0; r < 16; ++r)
            for (int l = 0; l < 16; ++l) y[(j + r) * rows + i + l] = t[r][l] + t[r][l ^ 1];
        }
    }
    """
    assert parallel(text) >= {"i", "j"}


BLOCKS = """
struct Block { float scale; signed char q[32]; };
void quantise(const float *__restrict__ x, Block *__restrict__ y, int n) {
  for (int i = 0; i < n; ++i) {
    y[i].scale = x[i * 32];
    for (int k = 0; k < LENGTH; ++k) y[i].q[k] = (signed char)(x[i * 32 + k] / x[i * 32]);
  }
}
"""


@pytest.mark.parametrize(("length", "expected"), [("32", {"i", "k"}), ("33", {"k"})])
def test_members_of_different_structs_are_apart(length: str, expected: set[str]) -> None:
    assert parallel(BLOCKS.replace("LENGTH", length)) == expected


@pytest.mark.parametrize(
    ("ends", "expected"),
    [
        ("int j = 0; j <= i; ++j", {"i", "j"}),  # below n as i is
        ("int j = i; j < n; ++j", {"i", "j"}),
        ("int j = 0; j <= i + 1; ++j", {"j"}),  # row i ends where row i + 1 begins
        ("int j = 0; j <= 2 * i; ++j", {"j"}),
    ],
)
def test_rows_of_a_triangle_are_apart_as_those_of_its_matrix_are(ends: str, expected: set[str]) -> None:
    text = f"""
void scale(float *__restrict__ c, int n) {{
    for (int i = 0; i < n; ++i)
        for ({ends}) c[i * n + j] *= 2.0f;
}}
"""
    assert parallel(text) == expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        # Column j is solved by itself, whatever rows above it are read.
        ("for (int i = 0; i < m; ++i) for (int p = 0; p < i; ++p) b[i * n + j] -= b[p * n + j];", {"j"}),
        ("for (int i = 0; i < m; ++i) for (int p = 0; p < i; ++p) b[i * n + j] -= b[p * n + j + 1];", set()),
        # Column k is read alone, and never written.
        ("if (j > k) for (int i = 0; i < m; ++i) b[i * n + j] -= b[i * n + k];", {"j", "i"}),
        ("if (j >= k) for (int i = 0; i < m; ++i) b[i * n + j] -= b[i * n + k];", set()),
    ],
)
def test_columns_of_a_matrix_are_apart(body: str, expected: set[str]) -> None:
    text = f"""
void f(float *__restrict__ b, int m, int n, int k) {{
    if (k >= 0 && k < n)
        for (int j = 0; j < n; ++j) {{ {body} }}
}}
"""
    assert parallel(text) >= expected and ("j" in parallel(text)) == ("j" in expected)


def test_parts_of_a_row_that_end_and_begin_at_its_diagonal_are_of_one_row() -> None:
    text = """
void f(float *__restrict__ b, int n) {
    for (int i = 0; i < n; ++i) {
        for (int j = 0; j <= i; ++j) b[i * n + j] *= 2.0f;
        for (int j = i + 1; j < n; ++j) b[i * n + j] = 0.0f;
    }
}
"""
    assert "i" in parallel(text)
    assert "i" not in parallel(text.replace("j < n; ++j", "j <= n; ++j"))
