"""An unsigned comparison of signed numbers is two signed ones; one of bit patterns stays as it is."""

from __future__ import annotations

import pytest

from xpiler.frontend import parse
from xpiler.ir.printer import show
from xpiler.passes.signed_tests import plain_numbers, signed_tests

KERNEL = """
__global__ void k(const float *x, float *y, const unsigned *s, int n, int w, unsigned limit) {
    int i = threadIdx.x;
    unsigned state = s[i];
    if (TEST) y[i] = x[i];
}
"""


def rewritten(test: str) -> str:
    (kernel,) = parse(KERNEL.replace("TEST", test), "k.cu").program.kernels
    return show(signed_tests(kernel))


def test_both_ends_of_a_range() -> None:
    assert "if (0 <= i - w && i - w < n)" in rewritten("(unsigned)(i - w) < (unsigned)n")


@pytest.mark.parametrize(
    "test", ["state * 5u < limit", "(state ^ state >> 7) >= limit", "state < limit", "state > 0x80000000u"]
)
def test_what_was_never_signed_is_compared_as_it_is(test: str) -> None:
    assert "(i32)" not in rewritten(test).split("if (")[1].split("\n")[0]


def test_a_signed_number_against_a_pattern_of_bits_stays() -> None:
    assert "0 <=" not in rewritten("(unsigned)(i - w) < (state ^ limit)")


COUNTS = """
__global__ void k(const unsigned *a, unsigned *y, unsigned n, unsigned seed) {
    for (int i = 0; i < (int)n; ++i) {
        unsigned first = a[i], second = a[i + 1], place = 2 * (unsigned)i + 1;
        unsigned hash = (unsigned)i * 747796405u + 2891336453u, table[2] = {1, 2};
        if (TEST) y[i] = table[first & 1];
    }
}
"""


def numbers(test: str) -> str:
    (kernel,) = parse(COUNTS.replace("TEST", test), "k.cu").program.kernels
    return show(plain_numbers(kernel)).split("if (")[1].split(") {")[0]


def test_sizes_and_places_are_numbers() -> None:
    assert numbers("(unsigned)i + 1u < n") == "i + 1 < (i32)n"


@pytest.mark.parametrize("test", ["first > second", "first < 100u", "hash < n", "first / 3u < second"])
def test_what_was_read_or_hashed_has_any_bits(test: str) -> None:
    assert "(i32)" not in numbers(test)
