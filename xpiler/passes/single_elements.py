"""Dimensions of one element go, and arrays of one element are scalars.

    float acc[1][16]; for i in 0..1: acc[i][lane] += e   -->   float acc[16]; for i in 0..1: acc[lane] += e
    float s[1]; s[0] = e                                 -->   float s; s = e

Of arrays of a plain function's own: tiles of registers that a template made one row high.
"""

from __future__ import annotations

from dataclasses import replace

from xpiler.ir.build import is_const
from xpiler.ir.nodes import Assign, Block, Decl, Expr, Function, Load, Space, Stmt, Var
from xpiler.ir.rewrite import map_expr, map_stmt, walk, walk_stmts


def drop_single(function: Function) -> Function:
    """Everywhere in a plain function."""
    if not function.is_serial:
        return function
    found = {
        s.name: tuple(n for n, extent in enumerate(s.shape) if not is_const(extent, 1))
        for s in walk_stmts(function.body)
        if isinstance(s, Decl) and s.space is Space.LOCAL and s.init is None
        if any(is_const(extent, 1) for extent in s.shape)
    }
    ranks = {s.name: len(s.shape) for s in walk_stmts(function.body) if isinstance(s, Decl)}
    kept = {name: places for name, places in found.items() if _is_plain(function, name, ranks[name])}
    if not kept:
        return function

    def place(target: Var | Load) -> Var | Load:
        if not isinstance(target, Load) or target.array not in kept:
            return target
        index = tuple(target.index[n] for n in kept[target.array])
        return replace(target, index=index) if index else Var(target.dtype, target.array)

    def change(stmt: Stmt) -> Stmt:
        if isinstance(stmt, Decl) and stmt.name in kept:
            return replace(stmt, shape=tuple(stmt.shape[n] for n in kept[stmt.name]))
        return stmt

    def value(expr: Expr) -> Expr:
        return place(expr) if isinstance(expr, Load) else expr

    body = map_stmt(map_expr(function.body, value, place), change)
    assert isinstance(body, Block)
    return replace(function, body=body)


def _is_plain(function: Function, array: str, rank: int) -> bool:
    """Whether the array is only ever indexed in all its dimensions, as values and by assignments."""
    for node in walk(function.body):
        if isinstance(node, Load):
            if node.array == array and len(node.index) != rank:
                return False
        elif not isinstance(node, (Assign, Decl)) and getattr(node, "array", None) == array:
            return False
    return True
