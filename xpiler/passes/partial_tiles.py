"""Loops over tiles, the last of which may be partial, become the loop over elements that they stand for.

    for k0 in 0..N step 32: for k in 0..min(32, N - k0): f(k0 + k)        -->      for x in 0..N: f(x)
    for k0 in 0..N step 32: for k in k0..min(k0 + 32, N): f(k)

Whatever `f` does: the elements keep their order. Applies where tile and place in it occur as their sum only.
"""

from __future__ import annotations

from dataclasses import replace

from xpiler.ir.affine import prove_eq
from xpiler.ir.build import is_const, sub
from xpiler.ir.nodes import Break, Call, For, Function, LoopKind, Stmt, Var
from xpiler.ir.rewrite import assigned_vars, free_vars, map_body, substitute
from xpiler.passes.facts import Facts
from xpiler.passes.strips import of_the_sum
from xpiler.passes.structured import spliced
from xpiler.passes.sync import leaves_loop


def join_tiles(function: Function) -> Function:
    """Everywhere in the function, inner loops first."""
    facts = Facts.of(function)

    def change(stmt: Stmt) -> Stmt:
        return _elements(stmt, facts) if isinstance(stmt, For) else stmt

    return map_body(function, change)


def _elements(tiles: For, facts: Facts) -> For:
    """The loop over elements; the loop over tiles where it is not of that form."""
    body = spliced(tiles.body.body)
    inner = body[0] if len(body) == 1 else None
    if not isinstance(inner, For) or inner.dtype != tiles.dtype or not is_const(inner.step, 1):
        return tiles
    if is_const(tiles.step, 1) or leaves_loop(inner.body, (Break,)):
        return tiles
    if free_vars(tiles.stop) & assigned_vars(tiles.body) or free_vars(tiles.step) & assigned_vars(tiles.body):
        return tiles
    counter = Var(tiles.dtype, tiles.var)
    ends = inner.stop.args if isinstance(inner.stop, Call) and inner.stop.function == "min" else ()
    left = tuple(sub(end, counter) for end in ends) if inner.start == counter else ends
    wanted = (tiles.step, sub(tiles.stop, counter))
    if len(left) != 2 or not any(all(map(prove_eq, order, wanted)) for order in (left, left[::-1])):
        return tiles
    if inner.start == counter:
        if tiles.var in free_vars(inner.body):
            return tiles
        elements = inner.body
        name = inner.var
    elif is_const(inner.start, 0):
        known = {**facts.ranges, **facts.inside(tiles).ranges, **facts.inside(tiles).inside(inner).ranges}
        of_both = of_the_sum(inner.body, tiles.var, inner.var, counter, known)
        if of_both is None:
            return tiles
        made_up = inner.var.startswith(f"{tiles.var}_")
        name = tiles.var if made_up else inner.var
        elements = substitute(of_both, {tiles.var: Var(inner.dtype, name)})
    else:
        return tiles
    kind = tiles.kind if tiles.kind is inner.kind else LoopKind.SERIAL
    return replace(inner, var=name, start=tiles.start, stop=tiles.stop, body=elements, kind=kind)
