"""Hashes that are written out again and again, computed once: vectors are too dear to be computed twice.

    y[i] = ((i ^ s) ^ (i ^ s) >> 16) * 3      -->      word = i ^ s;  y[i] = (word ^ word >> 16) * 3

Earlier passes put integers of a lane's number in where they are used: so places in memory are seen.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from xpiler.ir.nodes import Assign, Binary, Block, Decl, Expr, For, Load, Stmt, Var
from xpiler.ir.rewrite import free_vars, map_expr, map_stmt, walk
from xpiler.ir.types import I32, U32
from xpiler.passes.names import Names

_MIXING = ("^", "|", ">>")


def mixes_bits(expr: Expr) -> bool:
    """Whether something in it is part of a hash rather than of a place."""
    return any(isinstance(n, Binary) and n.op in _MIXING for n in walk(expr))


def name_hashes(loop: For, names: Names) -> For:
    """The loop with a variable for each such value that a statement uses twice."""

    def change(stmt: Stmt) -> Stmt | tuple[Stmt, ...]:
        match stmt:
            case Assign(value=value):
                before, rest = _named(value, loop.var, names)
                return (*before, replace(stmt, value=rest)) if before else stmt
            case Decl(init=Expr() as value, shape=()):
                before, rest = _named(value, loop.var, names)
                return (*before, replace(stmt, init=rest)) if before else stmt
        return stmt

    body = map_stmt(loop.body, change)
    assert isinstance(body, Block)
    return replace(loop, body=body)


def _named(value: Expr, lane: str, names: Names) -> tuple[list[Stmt], Expr]:
    """The declarations, inner values first, and the value by them."""
    found: list[Stmt] = []
    while (repeated := _largest_repeated(value, lane)) is not None:
        word = Var(repeated.dtype, names.fresh("word"))
        inner, init = _named(repeated, lane, names)
        found += [*inner, Decl(word.name, word.dtype, init=init)]
        value = _with(value, repeated, word)
    return found, value


def _with(value: Expr, old: Expr, new: Var) -> Expr:
    return map_expr(value, lambda e: new if e == old else e)


def _largest_repeated(value: Expr, lane: str) -> Expr | None:
    hashes = Counter(
        n
        for n in walk(value)
        if isinstance(n, Binary)
        and n.dtype in (I32, U32)
        and lane in free_vars(n)
        and mixes_bits(n)
        and not any(isinstance(inner, Load) or _may_trap(inner) for inner in walk(n))
    )
    repeated = [n for n, times in hashes.items() if times > 1]
    return max(repeated, key=lambda n: sum(1 for _ in walk(n)), default=None)


def _may_trap(node: object) -> bool:
    return isinstance(node, Binary) and node.op in ("/", "%") and node.dtype.is_integer
