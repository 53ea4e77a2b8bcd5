"""Arrays for which neither the scratchpad nor the stack of a core has room."""

from __future__ import annotations

from xpiler.frontend import parse
from xpiler.ir.printer import show
from xpiler.passes.arrays_spilled import with_large_arrays_in_memory
from xpiler.passes.canonical import canonicalise
from xpiler.platforms.bang import DEFAULT

ROWS = """\
void rows(const float *__restrict__ x, float *__restrict__ y, int n, int m) {
#pragma omp parallel for
  for (int r = 0; r < n; ++r) {
    float small[1024], large[SIZE];
    for (int i = 0; i < 1024; ++i) small[i] = x[r * 1024 + i] * x[r];
    for (int i = 0; i < SIZE; ++i) large[i] = small[i % 1024] + small[(i + m) % 1024];
    for (int i = 0; i < SIZE; ++i) y[r * SIZE + i] = large[SIZE - 1 - i] * large[i / 2];
  }
}
"""


def spilled(size: int) -> tuple[str, list[tuple[str, str]]]:
    text = ROWS.replace("SIZE", str(size))
    (kernel,) = parse(text, "rows.cpp", platform="vnni").program.kernels
    function, taken = with_large_arrays_in_memory(canonicalise(kernel).function, DEFAULT)
    return show(function), [(param.name, show(count)) for param, count in taken]


def test_an_array_that_is_too_large_becomes_a_piece_of_memory_a_row() -> None:
    shown, taken = spilled(200_000)
    assert taken == [("large", "(i64)n * 200000l")]
    assert "large[(i64)i_1 + (i64)r * 200000l] = " in shown
    assert "f32 small[1024];" in shown


def test_what_the_scratchpad_has_room_for_stays() -> None:
    shown, taken = spilled(20_000)
    assert not taken
    assert "f32 large[20000];" in shown


def test_an_array_of_any_size_becomes_a_piece_of_memory_an_iteration() -> None:
    text = """\
void rows(const float *__restrict__ x, float *__restrict__ y, int n, int m) {
#pragma omp parallel for
  for (int first = 0; first < n; first += 8) {
    int width = 2 * m;
    float row[width];
    for (int i = 0; i < m; ++i) row[i] = x[first + i] * x[i], row[m + i] = x[i] * x[i];
    for (int i = 0; i < m; ++i) y[first * m + i] = row[2 * i] * row[i / 2];
  }
}
"""
    (kernel,) = parse(text, "rows.cpp", platform="vnni").program.kernels
    function, taken = with_large_arrays_in_memory(canonicalise(kernel).function, DEFAULT)
    assert [(param.name, show(count)) for param, count in taken] == [
        ("row", "((i64)n + 7l) / 8l * (i64)(2 * m)")
    ]
    assert "row[(i64)i + (i64)first / 8l * (i64)(2 * m)] = " in show(function)
