"""Arrays of any size that a function takes for itself become parameters: the host allocates them.

    void f(const float *x, int n) {               -->   void f(const float *x, int n, float *t) { ... }
        float t[n]; ... }                               with memory for n elements

Applies to arrays at the top of the function whose extents follow from its parameters.
"""

from __future__ import annotations

from dataclasses import replace

from xpiler.ir.build import cast
from xpiler.ir.nodes import Block, Const, Decl, Expr, Function, Load, Param, Space, Stmt
from xpiler.ir.rewrite import free_vars, substitute, walk
from xpiler.ir.types import I64
from xpiler.passes.facts import mutable_vars
from xpiler.passes.structured import spliced


def with_arrays_of_any_size_in_memory(function: Function) -> tuple[Function, tuple[tuple[Param, Expr], ...]]:
    """The function, and each new parameter with how many elements its memory needs."""
    mutable = mutable_vars(function)
    sizes = frozenset(p.name for p in function.params if not p.is_pointer) - mutable
    known: dict[str, Expr] = {}  # what has a name, over the parameters
    taken: list[tuple[Param, Expr]] = []
    body: list[Stmt] = []
    for stmt in spliced(function.body.body):
        count = _count(stmt, known, sizes)
        if isinstance(stmt, Decl) and count is not None:
            taken.append((Param(stmt.name, stmt.dtype, is_pointer=True, is_restrict=True), count))
            continue
        body.append(stmt)
        if isinstance(stmt, Decl) and not stmt.shape and isinstance(stmt.init, Expr):
            value = substitute(stmt.init, known)
            if stmt.name not in mutable and _is_of_sizes(value, sizes):
                known[stmt.name] = value
    if not taken:
        return function, ()
    params = (*function.params, *(p for p, _ in taken))
    return replace(function, params=params, body=Block(tuple(body))), tuple(taken)


def _count(stmt: Stmt, known: dict[str, Expr], sizes: frozenset[str]) -> Expr | None:
    """The elements of an array whose length depends on the function's sizes; None if it is no such array."""
    if not isinstance(stmt, Decl) or len(stmt.shape) != 1 or stmt.init is not None:
        return None
    extent = substitute(stmt.shape[0], known)
    if isinstance(extent, Const) or stmt.space is not Space.LOCAL or not _is_of_sizes(extent, sizes):
        return None
    return cast(extent, I64)


def _is_of_sizes(value: Expr, sizes: frozenset[str]) -> bool:
    return free_vars(value) <= sizes and not any(isinstance(n, Load) for n in walk(value))
