"""What is computed from a lane's number goes where it is used; choices by it, or for all lanes alike, become
branches.

    int j = i - left;                   -->    if (i - left < n) y[i] = a[i - left]; else y[i] = 0;
    y[i] = j < n ? a[j] : 0;

So that places in memory are seen as functions of the lane, and ranges of lanes are told apart.
"""

from __future__ import annotations

from dataclasses import replace

from xpiler.ir.build import is_const
from xpiler.ir.nodes import Assign, Binary, Block, Const, Decl, Expr, For, If, Load, Select, Stmt, Var
from xpiler.ir.rewrite import arrays_written, free_vars, map_expr, map_stmt, substitute, walk
from xpiler.ir.types import BOOL
from xpiler.passes.facts import mutable_vars
from xpiler.passes.lane_ranges import joined, parts_of
from xpiler.passes.lane_steps import steps_together
from xpiler.passes.names import Names
from xpiler.passes.repeated_hashes import mixes_bits


def branches(loop: For, names: Names) -> For:
    """The vector loop with such branches instead of choices."""
    loop = steps_together(_from_zero(with_places(loop)), names)
    varying, written = varying_scalars(loop), arrays_written(loop.body)

    def varies(expr: Expr) -> bool:
        return _depends(expr, varying, written)

    def cuts(select: Select) -> bool:
        if not any(isinstance(n, Load) for side in (select.then, select.otherwise) for n in walk(side)):
            return False
        condition, _ = joined(select.condition, loop.var, varies)
        parts = parts_of(condition, loop.var, varies)
        return not parts.other

    def change(stmt: Stmt) -> Stmt | tuple[Stmt, ...]:
        match stmt:
            case Assign(value=Select() as select, reduce=None) if cuts(select):
                sides = [Block((replace(stmt, value=side),)) for side in (select.then, select.otherwise)]
                then, otherwise = (map_stmt(side, change) for side in sides)
                assert isinstance(then, Block) and isinstance(otherwise, Block)
                return If(select.condition, then, otherwise, range=stmt.range)
            case Assign(value=value) | Decl(init=Expr() as value, shape=()):
                found = next((n for n in walk(value) if isinstance(n, Select) and cuts(n)), None)
                if found is None:
                    return stmt
                chosen = Var(found.dtype, names.fresh("chosen"))
                rest = map_expr(value, lambda e: chosen if e == found else e)
                after: Stmt = (
                    replace(stmt, value=rest) if isinstance(stmt, Assign) else replace(stmt, init=rest)
                )
                pick = change(Assign(chosen, found, range=stmt.range))
                more = change(after)
                return (
                    Decl(chosen.name, chosen.dtype),
                    *(pick if isinstance(pick, tuple) else (pick,)),
                    *(more if isinstance(more, tuple) else (more,)),
                )
        return stmt

    body = map_stmt(loop.body, change)
    assert isinstance(body, Block)
    return replace(loop, body=body)


def _from_zero(loop: For) -> For:
    """`t != 0` as `t > 0` and `t == 0` as `t <= 0`, ranges of lanes, where these count from 0 or more."""
    if not (isinstance(loop.start, Const) and loop.start.value >= 0):
        return loop

    def change(expr: Expr) -> Expr:
        match expr:
            case Binary(op="!=" | "==" as op, left=Var(name=name), right=right) if name == loop.var:
                return replace(expr, op=">" if op == "!=" else "<=") if is_const(right, 0) else expr
        return expr

    return replace(loop, body=map_expr(loop.body, change))


def with_places(loop: For) -> For:
    """Integers and conditions that follow from the lane's number alone, put in where they are used."""
    changed = mutable_vars(loop.body)

    def block(body: Block, lanes: frozenset[str]) -> Block:
        values: dict[str, Expr] = {}
        out: list[Stmt] = []
        for stmt in body.body:
            stmt = substitute(stmt, values)
            match stmt:
                case Decl(name=name, shape=(), init=Expr() as init, dtype=dtype) if (
                    (dtype.is_integer or dtype == BOOL)
                    and name not in changed
                    and free_vars(init) & lanes
                    and not free_vars(init) & changed
                    and not any(isinstance(n, Load) for n in walk(init))
                    and not mixes_bits(init)
                ):
                    values[name] = init
                case For(body=inside):
                    out.append(replace(stmt, body=block(inside, lanes)))
                case If(then=then, otherwise=otherwise):
                    out.append(replace(stmt, then=block(then, lanes), otherwise=block(otherwise, lanes)))
                case _:
                    out.append(stmt)
        return replace(body, body=tuple(out))

    return replace(loop, body=block(loop.body, frozenset((loop.var,))))


def varying_scalars(loop: For) -> set[str]:
    """The lane, and scalars that are assigned a value which depends on it or on what the loop writes."""
    varying, written = {loop.var}, arrays_written(loop.body)
    while True:
        more: set[str] = set()
        for stmt in walk(loop.body):
            match stmt:
                case Decl(name=name, init=Expr() as value) if _depends(value, varying, written):
                    more.add(name)
                case Assign(target=Var(name=name), value=value) if _depends(value, varying, written):
                    more.add(name)
        if more <= varying:
            return varying
        varying |= more


def _depends(expr: Expr, varying: set[str], written: frozenset[str]) -> bool:
    return bool(free_vars(expr) & varying) or any(
        isinstance(n, Load) and n.array in written for n in walk(expr)
    )
