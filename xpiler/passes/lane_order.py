"""What each thread holds of a tile lies in the order of the tile.

    f32 acc[32][4];                                  f32 acc[128];
    threads t in 0..32: for j in 0..4:               threads t in 0..32: for j in 0..4:
      acc[t][j] += w * v[t + 32 * j]         -->       acc[t + 32 * j] += w * v[t + 32 * j]

Threads next to each other then have elements next to each other, as lanes of a vector want them, and where
the whole tile is meant the two loops become one over it. Of local arrays that every access enters by the
number of a thread, with the thread's own elements behind it.
"""

from __future__ import annotations

from dataclasses import replace
from math import prod

from xpiler.ir.build import add, cast, const, is_const, mul
from xpiler.ir.nodes import Atomic, Block, Const, Decl, Expr, For, Function, Load, LoopKind, Ref, Stmt, Var
from xpiler.ir.rewrite import map_expr, map_stmt, walk, walk_stmts

LANES = 16


def order_lanes(function: Function) -> Function:
    """All such arrays of the function."""
    threads = _threads(function)
    shapes: dict[str, tuple[int, ...]] = {}
    for decl in walk_stmts(function.body):
        if isinstance(decl, Decl) and len(decl.shape) > 1 and decl.init is None:
            sizes = tuple(int(e.value) for e in decl.shape if isinstance(e, Const))
            if len(sizes) == len(decl.shape):
                shapes[decl.name] = sizes
    places: dict[str, list[Load]] = {}
    for node in walk(function.body):
        match node:
            case Ref(array=array) | Atomic(place=Load(array=array)):
                shapes.pop(array, None)
            case Load(array=array):
                places.setdefault(array, []).append(node)
    chosen = {
        a: k
        for a, shape in shapes.items()
        if (k := _dimension(shape, places.get(a, []), threads)) is not None
    }
    if not chosen:
        return function

    def moved(load: Load) -> Load:
        k = chosen.get(load.array)
        if k is None:
            return load
        shape = shapes[load.array]
        lane, *own = load.index[k:]
        flat: Expr = const(0)
        for index, size in zip(own, shape[k + 1 :], strict=True):
            flat = add(mul(flat, const(size)), index)
        whole = add(lane, mul(cast(flat, lane.dtype), const(shape[k], lane.dtype)))
        return replace(load, index=(*load.index[:k], whole))

    def declared(stmt: Stmt) -> Stmt:
        if isinstance(stmt, Decl) and stmt.name in chosen:
            k = chosen[stmt.name]
            return replace(stmt, shape=(*stmt.shape[:k], const(prod(shapes[stmt.name][k:]))))
        return stmt

    body = map_expr(
        map_stmt(function.body, declared),
        lambda e: moved(e) if isinstance(e, Load) else e,
        lambda t: moved(t) if isinstance(t, Load) else t,
    )
    assert isinstance(body, Block)
    return replace(function, body=body)


def _threads(function: Function) -> dict[str, int]:
    """By counter: the number of threads of the loops that it counts, where these are loops over threads."""
    found: dict[str, int] = {}
    others: set[str] = set()
    for loop in walk_stmts(function.body):
        if not isinstance(loop, For):
            continue
        plain = is_const(loop.start, 0) and is_const(loop.step, 1) and isinstance(loop.stop, Const)
        size = int(loop.stop.value) if isinstance(loop.stop, Const) else 0
        if loop.kind is LoopKind.THREADS and plain and found.setdefault(loop.var, size) == size:
            continue
        others.add(loop.var)
    return {name: size for name, size in found.items() if name not in others}


def _dimension(shape: tuple[int, ...], places: list[Load], threads: dict[str, int]) -> int | None:
    """Which dimension the threads count, if others follow it."""
    if not places or any(len(p.index) != len(shape) for p in places):
        return None
    for k in range(len(shape) - 2, -1, -1):
        counters = [p.index[k] for p in places]
        if all(isinstance(c, Var) and threads.get(c.name) == shape[k] for c in counters):
            return k if shape[k] % LANES == 0 else None
    return None
