"""Scales of fixed-point numbers on an MLU."""

from __future__ import annotations

from xpiler.ir.build import const
from xpiler.ir.nodes import Var
from xpiler.ir.printer import show
from xpiler.ir.types import F32, I32
from xpiler.platforms.bang_convert import scaled


def test_a_position_may_be_larger_than_the_powers_that_are_floats() -> None:
    x, p = Var(F32, "x"), Var(I32, "p")
    assert show(scaled(x, p)) == "x * exp2((f32)(p >> 1)) * exp2((f32)(p - (p >> 1)))"
    assert show(scaled(x, const(0))) == "x"
