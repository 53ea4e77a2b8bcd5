"""Lanes for loops none of which runs over consecutive elements: those of the innermost independent ones are
gathered by copies, which is far better than scalar code on device memory.

    for (x) PARALLEL for (y) PARALLEL  b[y * n] = f(a[y * n])    -->    for (x) for (y) VECTOR ...

A loop over a few iterations, as of the lowest digit of a counter, stays around or inside the lanes.
"""

from __future__ import annotations

from dataclasses import replace

from xpiler.ir.build import is_const
from xpiler.ir.nodes import Binary, Block, Call, Const, Expr, For, If, Instr, LoopKind, Stmt
from xpiler.ir.rewrite import walk
from xpiler.passes.contraction import INDEPENDENT

_FEW = 4  # iterations that are no lanes


def with_apart_lanes(block: Block) -> Block:
    """The block with such lanes in those of its loops that have none yet."""
    return replace(block, body=tuple(_stmt(stmt) for stmt in block.body))


def has_lanes(node: Stmt | Block) -> bool:
    return any(isinstance(n, Instr) or (isinstance(n, For) and n.kind is LoopKind.VECTOR) for n in walk(node))


def _stmt(stmt: Stmt) -> Stmt:
    match stmt:
        case For(kind=LoopKind.VECTOR):
            return stmt
        case For() if has_lanes(stmt):
            return replace(stmt, body=with_apart_lanes(stmt.body))
        case For() if may_be_lanes(stmt):
            last = _last(stmt.body) or stmt
            if isinstance(last, For) and _holds_lanes(last):
                return replace(stmt, body=with_apart_lanes(stmt.body))
            return replace(stmt, kind=LoopKind.VECTOR)
        case For():
            return replace(stmt, body=with_apart_lanes(stmt.body))
        case If(then=then, otherwise=otherwise):
            return replace(stmt, then=with_apart_lanes(then), otherwise=with_apart_lanes(otherwise))
    return stmt


def _last(body: Block) -> Stmt | None:
    """The last statement, also of a branch that ends the body."""
    match body.body:
        case (*_, If(then=then, otherwise=otherwise)) if not otherwise.body:
            return _last(then)
        case (*_, last):
            return last
    return None


def may_be_lanes(loop: For) -> bool:
    """Whether its iterations are independent, and not so few that they are no lanes."""
    return loop.kind in INDEPENDENT and is_const(loop.step, 1) and not _is_short(loop)


def _holds_lanes(loop: For) -> bool:
    """Whether the loop, or one directly inside it, may be lanes."""
    if may_be_lanes(loop):
        return True
    inside = loop.body.body
    return (
        loop.kind in INDEPENDENT
        and len(inside) == 1
        and isinstance(inside[0], For)
        and _holds_lanes(inside[0])
    )


def _is_short(loop: For) -> bool:
    return isinstance(loop.start, Const) and _most(loop.stop) - loop.start.value < _FEW


def _most(stop: Expr) -> float:
    """What the end of a loop is not above, as far as its form says."""
    match stop:
        case Const(value=int(value)):
            return value
        case Call(function="min", args=args):
            return min(map(_most, args))
        case Binary(op="min", left=left, right=right):
            return min(_most(left), _most(right))
    return float("inf")
