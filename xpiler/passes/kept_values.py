"""A value that a sum needs, and an array gets a multiple of later, is computed once and kept in the array.

    for c: sum += exp(x[c] - top);                  for c: { e = exp(x[c] - top); y[c] = e; sum += e; }
    ...                                      -->    ...
    for c: y[c] = exp(x[c] - top) * scale;          for c: y[c] = y[c] * scale;

Where it takes a function to compute, both loops go over the same, and nothing in between has to do with the
array or changes what the value is computed from.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from xpiler.ir.build import is_const
from xpiler.ir.nodes import (
    Assign,
    Block,
    Break,
    Call,
    Continue,
    Decl,
    Expr,
    For,
    Function,
    Load,
    LoopKind,
    Return,
    Stmt,
    Trap,
    Var,
)
from xpiler.ir.rewrite import (
    arrays_read,
    assigned_vars,
    free_vars,
    map_expr,
    map_stmt,
    substitute,
    uses,
    walk,
)
from xpiler.passes.aliasing import Aliases, may_be_same, with_aliases
from xpiler.passes.names import Names
from xpiler.passes.structured import spliced
from xpiler.passes.sync import leaves_loop

_CHEAP = ("max", "min", "fma", "abs")  # functions that are one instruction


def keep_values(function: Function) -> Function:
    """In every list of statements."""
    names, aliases = Names(function), may_be_same(function.params)

    def change(stmt: Stmt) -> Stmt:
        if not isinstance(stmt, Block):
            return stmt
        body = list(spliced(stmt.body))
        for at in range(len(body)):
            for later in range(at + 1, len(body)):
                kept = _kept(body[at], body[at + 1 : later], body[later], aliases, names)
                if kept is not None:
                    body[at], body[later] = kept
                    break
        return stmt if tuple(body) == stmt.body else replace(stmt, body=tuple(body))

    body = map_stmt(function.body, change)
    assert isinstance(body, Block)
    return function if body == function.body else replace(function, body=body)


def _kept(
    first: Stmt, between: Sequence[Stmt], last: Stmt, aliases: Aliases, names: Names
) -> tuple[For, For] | None:
    match first, last:
        case (
            For(body=Block(body=(Assign(target=Var() as total, value=value, reduce="+") as add,))),
            For(body=Block(body=(Assign(target=Load() as place, value=result, reduce=None) as store,))),
        ) if _computes(value) and place.dtype == value.dtype:
            pass
        case _:
            return None
    same = (first.start, first.stop, first.step, first.dtype) == (
        last.start,
        last.stop,
        last.step,
        last.dtype,
    )
    if (
        not same
        or not is_const(first.step, 1)
        or last.kind is LoopKind.SERIAL
        or first.kind is LoopKind.VECTOR
    ):
        return None
    own = substitute(value, {first.var: Var(last.dtype, last.var)})
    used = map_expr(result, lambda e: place if e == own else e)
    if used == result or any(isinstance(n, Load) for i in place.index for n in walk(i)):
        return None
    array = with_aliases((place.array,), aliases)
    everything = [add, *between]
    if any(array & (uses(s).arrays_read | uses(s).arrays_written) for s in everything):
        return None
    if array & arrays_read(own) or any(
        n.array in array for n in walk(used) if isinstance(n, Load) and n != place
    ):
        return None
    if any(
        leaves_loop(s, (Break, Continue, Return)) or any(isinstance(n, Trap) for n in walk(s))
        for s in between
    ):
        return None
    meanwhile = Block(tuple(between))
    depends = free_vars(own).union(*(free_vars(i) for i in place.index)) - {last.var}
    if depends & assigned_vars(meanwhile) or total.name in depends:
        return None
    if with_aliases(uses(meanwhile).arrays_written, aliases) & arrays_read(own):
        return None
    element = Var(value.dtype, names.fresh("element"))
    here = substitute(place, {last.var: Var(first.dtype, first.var)})
    assert isinstance(here, Load)
    fill = (Decl(element.name, element.dtype, init=value), Assign(here, element), replace(add, value=element))
    return replace(first, body=Block(fill)), replace(last, body=Block((replace(store, value=used),)))


def _computes(value: Expr) -> bool:
    return any(isinstance(n, Call) and n.function not in _CHEAP for n in walk(value))
