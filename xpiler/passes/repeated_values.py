"""What a statement of a vector loop computes more than once is computed once: a vector is dear.

    y[i] = gelu(x[i] + b[i])  written out   -->   value = x[i] + b[i];  y[i] = value * (1 + erf(value * c))

Earlier passes put values in where they are used, and functions that are called write their arguments out.
Values of floats, at least one of whose uses is computed for every lane: then nothing is computed, or read,
that the statement would not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace

from xpiler.ir.nodes import Assign, Binary, Block, Call, Cast, Decl, Expr, For, Select, Stmt, Unary, Var
from xpiler.ir.rewrite import children, free_vars, map_expr, map_stmt, walk
from xpiler.ir.types import BF16, F16, F32
from xpiler.passes.names import Names


def name_values(loop: For, names: Names) -> For:
    """The loop with a variable for each such value."""
    inside = {loop.var} | {d.name for d in walk(loop.body) if isinstance(d, Decl) and not d.shape}

    def repeated(value: Expr) -> Expr | None:
        found = Counter(n for n in walk(value) if isinstance(n, Expr) and _is_computed(n))
        always = set(_always(value))
        several = [n for n, times in found.items() if times > 1 and n in always and free_vars(n) & inside]
        return max(several, key=lambda n: sum(1 for _ in walk(n)), default=None)

    return with_names(loop, repeated, "value", names)


def with_names(loop: For, repeated: Callable[[Expr], Expr | None], wish: str, names: Names) -> For:
    """The loop with a variable in front of each statement for what is found to be repeated in it."""

    def change(stmt: Stmt) -> Stmt | tuple[Stmt, ...]:
        match stmt:
            case Assign(value=value):
                before, rest = named(value)
                return (*before, replace(stmt, value=rest)) if before else stmt
            case Decl(init=Expr() as value, shape=()):
                before, rest = named(value)
                return (*before, replace(stmt, init=rest)) if before else stmt
        return stmt

    def named(value: Expr) -> tuple[list[Stmt], Expr]:
        """The declarations, inner values first, and the value by them."""
        found: list[Stmt] = []
        while (again := repeated(value)) is not None:
            own = Var(again.dtype, names.fresh(wish))
            inner, init = named(again)
            found += [*inner, Decl(own.name, own.dtype, init=init)]
            value = _with(value, again, own)
        return found, value

    body = map_stmt(loop.body, change)
    assert isinstance(body, Block)
    return replace(loop, body=body)


def _with(value: Expr, old: Expr, new: Var) -> Expr:
    return map_expr(value, lambda e: new if e == old else e)


def _is_computed(expr: Expr) -> bool:
    if expr.dtype not in (F32, F16, BF16) or not isinstance(expr, (Binary, Call, Cast, Select, Unary)):
        return False
    return not (isinstance(expr, Unary) and expr.op == "-")


def _always(expr: Expr) -> Iterator[Expr]:
    """The parts of an expression that are computed whatever the data."""
    yield expr
    match expr:
        case Select(condition=first) | Binary(op="&&" | "||", left=first):
            yield from _always(first)
            return
    for child in children(expr):
        if isinstance(child, Expr):
            yield from _always(child)
