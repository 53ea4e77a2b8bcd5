"""An unsigned comparison of signed numbers is two signed ones; one of bit patterns stays as it is."""

from __future__ import annotations

import pytest

from xpiler.frontend import parse
from xpiler.ir.printer import show
from xpiler.passes.signed_tests import signed_tests

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


@pytest.mark.parametrize("test", ["state * 5u < limit", "(state ^ state >> 7) >= limit", "state < limit"])
def test_what_was_never_signed_is_compared_as_it_is(test: str) -> None:
    assert "(i32)" not in rewritten(test).split("if (")[1].split("\n")[0]


def test_a_signed_number_against_a_pattern_of_bits_stays() -> None:
    assert "0 <=" not in rewritten("(unsigned)(i - w) < (state ^ limit)")
