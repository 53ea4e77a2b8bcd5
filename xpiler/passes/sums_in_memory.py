"""Sums that a loop over blocks takes out of memory and puts back are added to in memory, so that the loops
over blocks and over the elements of one are one loop over elements.

    for kb in 0..K step 256: parallel for n:                for kb in 0..K step 256: parallel for n:
      acc = c[n]                                      -->     for k in 0..min(256, K - kb): c[n] += a * b
      for k in 0..min(256, K - kb): acc += a * b
      c[n] = acc

Applies inside a serial loop over tiles where nothing else reads the array that is summed in. What is added
keeps its order, but for the first that is there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from xpiler.ir.build import is_const
from xpiler.ir.nodes import Assign, Block, Decl, Expr, For, Function, Load, LoopKind, Stmt, Var
from xpiler.ir.rewrite import free_vars, map_stmt, substitute, uses, walk
from xpiler.passes.extrema import named
from xpiler.passes.structured import spliced

_PARALLEL = (LoopKind.PARALLEL, LoopKind.THREADS)


def sums_of_blocks(function: Function) -> Function:
    """Everywhere in the function."""

    def change(stmt: Stmt) -> Stmt:
        return _added(stmt) if isinstance(stmt, For) and stmt.kind not in _PARALLEL else stmt

    body = map_stmt(function.body, change)
    assert isinstance(body, Block)
    return function if body == function.body else replace(function, body=body)


def _added(blocks: For) -> Stmt:
    """A serial loop over tiles, around parallel loops around nothing but a sum."""
    if is_const(blocks.step, 1):
        return blocks
    around: list[For] = []
    body = _without_numbers(spliced(blocks.body.body))
    while len(body) == 1 and isinstance(body[0], For) and body[0].kind in _PARALLEL:
        around.append(body[0])
        body = spliced(body[0].body.body)
    match body:
        case [
            Decl(name=name, shape=(), init=Load() as place),
            For() as loop,
            Assign(target=Load() as stored, value=Var(name=kept), reduce=None),
        ] if around and place == stored and kept == name and loop.kind not in _PARALLEL:
            pass
        case _:
            return blocks
    (only,) = spliced(loop.body.body) if len(spliced(loop.body.body)) == 1 else (None,)
    if not isinstance(only, Assign) or only.target != Var(place.dtype, name) or only.reduce != "+":
        return blocks
    moving = {blocks.var, loop.var, name}
    reads = sum(isinstance(n, Load) and n.array == place.array for n in walk(blocks))
    if any(free_vars(i) & moving for i in place.index) or reads != 2 or name in free_vars(only.value):
        return blocks
    inner: Stmt = replace(loop, stop=named(loop.stop), body=Block((replace(only, target=place),)))
    for each in reversed(around):
        inner = replace(each, body=Block((inner,)))
    return replace(blocks, body=Block((inner,)))


def _without_numbers(stmts: Sequence[Stmt]) -> tuple[Stmt, ...]:
    """The last statement with the whole numbers put in that are computed before it: sizes of a block."""
    *heads, last = stmts
    names: dict[str, Expr] = {}
    for head in heads:
        match head:
            case Decl(name=name, shape=(), init=Expr() as init, dtype=dtype) if dtype.is_integer:
                names[name] = substitute(init, names)
            case _:
                return tuple(stmts)
    if any(isinstance(n, Load) for value in names.values() for n in walk(value)):
        return tuple(stmts)
    return tuple(stmts) if names.keys() & uses(last).vars_set else (substitute(last, names),)
