"""Elements that all turns of a loop within lanes need are read once, before it.

    for (lane) VECTOR:                                 for (lane) VECTOR:
      for k in 0..128:                                   float x_own = lane < n ? x[lane] : 0;
        sum += f((lane < n ? x[lane] : 0) - tile[k]) -->   for k in 0..128:
                                                           sum += f(x_own - tile[k])

Where threads meet at barriers, a value that they had from memory is read again where it is used; that is in
the innermost loop of whatever goes through a shared tile. Of memory that is never written, in loops that run.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from xpiler.ir.nodes import Assign, Block, Const, Decl, Expr, For, Function, If, LoopKind, Stmt, Var
from xpiler.ir.rewrite import (
    arrays_read,
    arrays_written,
    assigned_vars,
    free_vars,
    map_expr,
    map_stmt,
    walk_stmts,
)
from xpiler.passes.aliasing import may_be_same, with_aliases
from xpiler.passes.names import Names
from xpiler.passes.register_tile import certain_loads

_IN_TURN = (LoopKind.SERIAL, LoopKind.UNROLLED)


def read_before_loops(function: Function) -> Function:
    """In all loops over lanes."""
    written = with_aliases(arrays_written(function.body), may_be_same(function.params))
    own = {d.name for d in walk_stmts(function.body) if isinstance(d, Decl) and d.shape}
    changing = frozenset(written) | own
    names = Names(function)

    def change(stmt: Stmt) -> Stmt:
        if not isinstance(stmt, For) or stmt.kind is not LoopKind.VECTOR:
            return stmt
        lane = stmt.var

        def inside(inner: Stmt) -> Stmt | tuple[Stmt, ...]:
            return _read_before(inner, lane, changing, names) if isinstance(inner, For) else inner

        body = map_stmt(stmt.body, inside)
        assert isinstance(body, Block)
        return replace(stmt, body=body)

    body = map_stmt(function.body, change)
    assert isinstance(body, Block)
    return function if body == function.body else replace(function, body=body)


def _read_before(loop: For, lane: str, changing: frozenset[str], names: Names) -> Stmt | tuple[Stmt, ...]:
    plain = all(isinstance(s, (Decl, Assign, Block, For, If)) for s in walk_stmts(loop))  # nothing leaves it
    if loop.kind not in _IN_TURN or not _runs(loop) or not plain:
        return loop
    moving = assigned_vars(loop) | {loop.var} | {d.name for d in walk_stmts(loop) if isinstance(d, Decl)}
    found = [
        value
        for value in dict.fromkeys(_always_read(loop.body))
        if lane in free_vars(value) and not free_vars(value) & moving and not arrays_read(value) & changing
    ]
    if not found:
        return loop
    before: list[Decl] = []
    for value in found:
        (array, *_) = sorted(arrays_read(value))
        before.append(Decl(names.fresh(f"{array}_own"), value.dtype, init=value))
    own = {value: Var(value.dtype, decl.name) for value, decl in zip(found, before, strict=True)}
    return (*before, map_expr(loop, lambda e: own.get(e, e)))


def _runs(loop: For) -> bool:
    match loop:
        case For(start=Const(value=start), stop=Const(value=stop)):
            return int(start) < int(stop)
    return False


def _always_read(block: Block) -> Iterator[Expr]:
    """What every turn reads: elements, and choices between one and a number."""
    for stmt in block.body:
        match stmt:
            case Decl() | Assign():
                yield from certain_loads(stmt)
            case Block():
                yield from _always_read(stmt)
            case For() if _runs(stmt):
                yield from _always_read(stmt.body)
