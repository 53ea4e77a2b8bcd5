"""Choices between whole numbers that are extrema."""

import pytest

from xpiler.frontend import parse
from xpiler.ir.printer import show
from xpiler.passes.canonical import canonicalise

CLAMPED = """
static inline int clamp(int v, int lo, int hi) { return %s; }
void shift(const float *__restrict__ x, float *__restrict__ y, int n, int low, int high) {
    for (int i = 0; i < n; ++i) y[i] = x[clamp(i - low, %s)];
}
"""
FROM_BELOW, FROM_ABOVE = "v < lo ? lo : v > hi ? hi : v", "v > hi ? hi : v < lo ? lo : v"


@pytest.mark.parametrize(
    ("choice", "ends", "shown"),
    [
        (FROM_BELOW, "0, n - 1", "x[max(0, min(i - low, n - 1))]"),
        (FROM_ABOVE, "0, n - 1", "x[min(n - 1, max(i - low, 0))]"),
        (
            FROM_BELOW,
            "low, high",
            "x[i - low < low ? low : min(i - low, high)]",
        ),  # nobody says which is larger
        (FROM_ABOVE, "low, high", "x[i - low > high ? high : max(i - low, low)]"),
    ],
)
def test_a_place_that_is_held_within_an_array_shows_both_ends(choice: str, ends: str, shown: str) -> None:
    (kernel,) = parse(CLAMPED % (choice, ends), "f.cpp", platform="vnni").program.kernels
    assert shown in show(canonicalise(kernel).function)
