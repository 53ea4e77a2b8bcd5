"""Sizes beyond what counters of few bits hold."""

from __future__ import annotations

import pytest

from xpiler.frontend.syntax import analyse
from xpiler.gate.narrow_counters import narrow_counters
from xpiler.translate import verify_text

SUMS = """
extern "C" void sums(const float *x, float *y, int rows, int cols) {
  for (int r = 0; r < rows; ++r) {
    float sum = 0.0f;
    for (COUNTER c = 0; c < cols; ++c) sum += x[r * cols + c];
    y[r] = sum;
  }
}
"""


@pytest.mark.parametrize(
    ("declared", "sizes"),
    [
        ("for (short i = 0; i < n; ++i) y[i] = x[i];", [36867]),
        ("for (unsigned short i = 0; i < n; ++i) y[i] = x[i];", [73731]),
        ("for (int i = 0; i < n; ++i) { uint8_t at = i; y[i] = x[at]; }", [291]),
        ("for (int i = 0; i < n; ++i) { short value = x[i]; y[i] = value; }", []),  # data, no index
        ("const short *p = x; for (int i = 0; i < n; ++i) y[i] = p[i];", []),
        ("for (int i = 0; i < n; ++i) { signed char i8[4]; y[i] = i8[i & 3]; }", []),
    ],
)
def test_what_counts_in_few_bits(declared: str, sizes: list[int]) -> None:
    text = f"void f(const short *x, short *y, int n) {{ {declared} }}"
    turns = narrow_counters(analyse(text, "f.c", platform="vnni"), {"n": 37})
    assert [dict(turn.values)["n"] for turn in turns] == sizes


@pytest.mark.parametrize(("counter", "status"), [("int", "verified"), ("short", "unverified")])
def test_a_counter_that_never_gets_to_the_end_is_refused(counter: str, status: str) -> None:
    target = SUMS.replace("COUNTER", counter)
    result = verify_text(SUMS.replace("COUNTER", "int"), "sums.cpp", target, "counted.cpp")
    assert result.status == status
