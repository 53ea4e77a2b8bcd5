"""Updates at places that the data choose become atomic, so that the loop around them can be shared out.

    for i in 0..n: h[bin[i]] += 1;    -->    parallel for i in 0..n: atomic h[bin[i]] += 1;

Applies where nothing else in the loop touches the array or has an order; sums of floats are added up in
another order.
"""

from __future__ import annotations

from dataclasses import replace

from xpiler.ir.nodes import Assign, Atomic, Decl, Expr, For, Load, LoopKind, Stmt, Var
from xpiler.ir.rewrite import map_stmt, walk, walk_exprs, walk_stmts
from xpiler.ir.types import F32, F64, DType
from xpiler.passes.facts import Facts
from xpiler.passes.independence import independent
from xpiler.passes.reduction_values import NAMES


def with_atomics(loop: For, facts: Facts) -> For | None:
    """The loop as a parallel one; None if that is not what keeps it serial."""
    read = _read_names(loop)
    scattered = {
        s.target.array
        for s in walk(loop)
        if isinstance(s, Assign) and isinstance(s.target, Load) and _is_scatter(s, read)
    }
    if not scattered:
        return None

    def change(stmt: Stmt) -> Stmt:
        match stmt:
            case Assign(target=Load(array=array) as place, value=value, reduce=str() as op) if (
                array in scattered and _is_scatter(stmt, read)
            ):
                return Atomic(NAMES[op], place, (value,), range=stmt.range)
        return stmt

    changed = map_stmt(loop, change)
    assert isinstance(changed, For)
    return replace(changed, kind=LoopKind.PARALLEL) if independent(changed, facts) else None


def _read_names(loop: For) -> frozenset[str]:
    """Variables of the loop that follow from what it reads."""
    found: set[str] = set()
    for stmt in walk_stmts(loop):
        if isinstance(stmt, Decl) and isinstance(stmt.init, Expr) and _reads(stmt.init, frozenset(found)):
            found.add(stmt.name)
    return frozenset(found)


def _is_scatter(stmt: Assign, read: frozenset[str]) -> bool:
    place = stmt.target
    return (
        isinstance(place, Load)
        and stmt.reduce is not None
        and _has_atomic(stmt.reduce, place.dtype)
        and any(_reads(i, read) for i in place.index)
    )


def _reads(expr: Expr, names: frozenset[str]) -> bool:
    return any(isinstance(e, Load) or (isinstance(e, Var) and e.name in names) for e in walk_exprs(expr))


def _has_atomic(op: str, dtype: DType) -> bool:
    if dtype.is_float:
        return (op == "+" and dtype in (F32, F64)) or (op in ("min", "max") and dtype == F32)
    return dtype.bits >= 32 and op in ("+", "min", "max", "&", "|", "^")
