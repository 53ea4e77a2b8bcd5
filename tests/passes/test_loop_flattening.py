"""Loops that walk memory without a break become one; others stay."""

from __future__ import annotations

import pytest

from xpiler.ir.build import add, cast, const, load, mul, var
from xpiler.ir.nodes import Assign, Block, Expr, For, Function, Param
from xpiler.ir.printer import show
from xpiler.ir.types import F32, I32
from xpiler.passes.loop_flattening import flatten_loops
from xpiler.passes.names import Names

Y, X, N = var("Y"), var("X"), var("N")
PARAMS = tuple(Param(n, I32, False) for n in "YXN")


def summed(value: Expr) -> str:
    """The sum over y and x, flattened where it can be."""
    zero, one = const(0, I32), const(1, I32)
    inner = For("x", I32, zero, X, one, Block((Assign(var("sum", F32), value, "+"),)))
    outer = For("y", I32, zero, Y, one, Block((inner,)))
    return show(flatten_loops(outer, Names(Function("f", PARAMS, Block((outer,))))))


def test_rows_next_to_one_another_are_one_loop() -> None:
    text = summed(load("a", F32, add(mul(var("y"), X), var("x"))))
    assert "x_flat in 0l .. max((i64)Y, 0l) * (i64)X" in text
    assert "sum += a[(i32)x_flat]" in text


@pytest.mark.parametrize(
    "index", [add(mul(var("y"), N), var("x")), add(mul(var("x"), Y), var("y")), mul(var("y"), var("x"))]
)
def test_rows_with_a_gap_stay_apart(index: Expr) -> None:
    assert "x_flat" not in summed(load("a", F32, index))


def test_a_counter_that_is_used_as_a_number_stays() -> None:
    assert "x_flat" not in summed(cast(var("y"), F32))
