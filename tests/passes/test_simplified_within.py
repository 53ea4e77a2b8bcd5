"""Code is simplified as far as it takes to see that too many divisions stay."""

from __future__ import annotations

import pytest

from xpiler.ir import build as b
from xpiler.ir.nodes import Assign, Block, Expr, For, If, Stmt
from xpiler.ir.types import F32, I32
from xpiler.passes.facts import Facts
from xpiler.passes.tidy import divisions, simplified, simplified_within

I, N, T = b.var("i"), b.var("n"), b.var("t")  # noqa: E741
NOTHING = Facts(frozenset())


def store(index: Expr) -> Stmt:
    return Assign(b.load("y", F32, index), b.const(1.0, F32))


def loop(var: str, stop: Expr, *body: Stmt) -> For:
    return For(var, I32, b.const(0), stop, b.const(1), Block(body))


PIECES = [
    (Block((store(b.div(I, 16)), store(I))), 1),
    (Block((loop("i", N, store(b.mod(I, N)), store(b.div(I, 3))),)), 1),  # i % n is i there
    (Block((If(b.lt(b.div(I, 3), N), Block((store(b.mod(I, 5)),))),)), 2),
    (Block((If(b.lt(N, N), Block((store(b.mod(I, 5)),))), store(I))), 0),  # is never run
    # For one number alone: what is divided is a number then.
    (Block((loop("t", b.const(8), If(b.eq(T, b.const(3)), Block((store(b.div(T, N)), store(T))))),)), 1),
    (Block((loop("t", b.const(8), If(b.eq(T, b.const(3)), Block((store(b.div(T, 4)),)))),)), 0),
]


@pytest.mark.parametrize("piece, left", PIECES)
def test_what_may_have_as_many_divisions_as_stay_is_simplified(piece: Block, left: int) -> None:
    found = simplified(piece, NOTHING)
    assert divisions(found) == left
    assert simplified_within(piece, NOTHING, left) == found
    if left:
        assert simplified_within(piece, NOTHING, left - 1) is None
