"""Values that each thread of a warp keeps several of lie in memory as what they are computed from.

    float q[32][2];                                       float q[2][32];
    for lane in 0..32: for i in 0..2:                -->  for i in 0..2: for lane in 0..32:
      s += q[lane][i] * k[row + lane + 32 * i];             s += q[i][lane] * k[row + lane + 32 * i];

A thread takes every 32nd element, so that neighbours read what lies beside: their own values should, too.
The order of an array's axes means nothing where each of its elements is named by all of its indices. In a sum
the loop over the threads goes inside, as its terms may be added up in any order.
"""

from __future__ import annotations

from dataclasses import replace

from xpiler.ir.affine import coefficient
from xpiler.ir.nodes import Assign, Block, Const, Decl, Expr, For, Function, Load, Ref, Stmt, Var
from xpiler.ir.rewrite import free_vars, map_body, map_expr, walk
from xpiler.ir.types import I32

_LANES = 16


def lanes_last(function: Function) -> Function:
    """All arrays of a function of which that is shown."""
    memory = {p.name for p in function.params if p.is_pointer}
    wide = {
        node.name
        for node in walk(function.body)
        if isinstance(node, Decl) and node.init is None and _is_wide(node.shape)
    }
    turned = {name for name in wide if _is_named_whole(function, name)}
    turned &= _beside(function, memory)
    if not turned:
        return function

    def element(load: Load) -> Load:
        return replace(load, index=load.index[::-1]) if load.array in turned else load

    def statement(stmt: Stmt) -> Stmt:
        match stmt:
            case Decl(name=name) if name in turned:
                return replace(stmt, shape=stmt.shape[::-1])
            case For(body=Block(body=(For() as inner,))) if _goes_inside(stmt, inner, turned):
                return replace(inner, body=Block((replace(stmt, body=inner.body),)))
        return stmt

    turned_around = map_body(function, statement)
    body = map_expr(
        turned_around.body,
        lambda e: element(e) if isinstance(e, Load) else e,
        lambda place: element(place) if isinstance(place, Load) else place,
    )
    return replace(turned_around, body=body)


def _goes_inside(threads: For, values: For, turned: set[str]) -> bool:
    """Whether a loop over threads goes inside the loop over the values of each: all of them are one sum."""
    if not isinstance(values.start, Const) or not isinstance(values.stop, Const):
        return False
    match values.body:
        case Block(body=(Assign(target=Var(name=total), value=value, reduce="+"),)):
            places = [n for n in walk(value) if isinstance(n, Load) and n.array in turned]
            own = (Var(I32, threads.var), Var(I32, values.var))
            return bool(places) and all(n.index == own for n in places) and total not in free_vars(value)
    return False


def _is_wide(shape: tuple[Expr, ...]) -> bool:
    """Several values for each of many threads."""
    if len(shape) != 2 or not all(isinstance(e, Const) for e in shape):
        return False
    threads, values = (int(e.value) for e in shape if isinstance(e, Const))
    return threads % _LANES == 0 and 1 < values < threads


def _is_named_whole(function: Function, name: str) -> bool:
    """Whether each use is of one element, of a thread that a variable names."""
    return not any(
        (isinstance(node, Ref) and node.array == name)
        or (isinstance(node, Load) and node.array == name and not isinstance(node.index[0], Var))
        for node in walk(function.body)
    )


def _beside(function: Function, memory: set[str]) -> set[str]:
    """The arrays whose first axis steps through memory by single elements wherever a statement has both, and
    the second in none."""
    found: dict[str, bool] = {}
    for stmt in walk(function.body):
        if not isinstance(stmt, Assign):
            continue
        loads = [n for n in walk(stmt) if isinstance(n, Load)]
        places = [n for n in loads if n.array in memory and len(n.index) == 1]
        for load in loads:
            if load.array in memory or len(load.index) != 2 or not places:
                continue
            steps = [_steps(place, load) for place in places]
            fits = all(along == 1 and across not in (1, -1) for along, across in steps)
            found[load.array] = found.get(load.array, True) and fits
    return {name for name, fits in found.items() if fits}


def _steps(place: Load, load: Load) -> tuple[int | None, int | None]:
    """How far apart in memory are what two neighbours of the first index use, and of the second."""
    along, across = (coefficient(place.index[0], i.name) if isinstance(i, Var) else None for i in load.index)
    return along.as_int if along is not None else None, across.as_int if across is not None else None
