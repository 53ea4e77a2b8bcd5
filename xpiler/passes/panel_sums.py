"""Sums over panels that each add to an element of memory are one sum, which is added once.

    for kb in 0..K step 256:                              for m, n:
      for m, n:                                             acc = 0
        acc = 0                                             for kb in 0..K step 256:
        for k in 0..min(256, K - kb): acc += f(k)   -->       for k in 0..min(256, K - kb): acc += f(k)
        c[m, n] += acc * alpha                              c[m, n] += acc * alpha

So that the loops over panels and over the elements of one are one loop (`strips.py`). What is added comes
together in another order, and a factor is applied once. Applies where the elements of the sum are independent
of each other, and nothing else in the loop uses the array that is added to.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from xpiler.ir.nodes import (
    Assign,
    Binary,
    Block,
    Call,
    Const,
    Decl,
    Expr,
    For,
    Function,
    If,
    Load,
    LoopKind,
    Stmt,
    Var,
    While,
)
from xpiler.ir.rewrite import free_vars, substitute, uses, walk
from xpiler.passes.facts import Facts
from xpiler.passes.folds import folded
from xpiler.passes.independence import independent
from xpiler.passes.structured import spliced

_INDEPENDENT = (LoopKind.PARALLEL, LoopKind.THREADS)


def join_panels(function: Function) -> Function:
    """Everywhere in a plain function."""
    if not function.is_serial:
        return function
    body = _block(function.body, Facts.of(function))
    return function if body == function.body else replace(function, body=body)


def _block(block: Block, facts: Facts) -> Block:
    return replace(block, body=tuple(_stmt(s, facts) for s in spliced(block.body)))


def _stmt(stmt: Stmt, facts: Facts) -> Stmt:
    match stmt:
        case For():
            joined = _joined(stmt, facts)
            if joined is not None:
                return joined
            return replace(stmt, body=_block(stmt.body, facts.inside(stmt)))
        case If(condition=condition):
            then = _block(stmt.then, facts.where(condition))
            return replace(stmt, then=then, otherwise=_block(stmt.otherwise, facts.where(condition, False)))
        case While(body=body):
            return replace(stmt, body=_block(body, facts))
    return stmt


def _joined(panels: For, facts: Facts) -> Stmt | None:
    if panels.kind in _INDEPENDENT or not isinstance(panels.step, Const) or int(panels.step.value) < 2:
        return None
    around: list[For] = []
    body = spliced(panels.body.body)
    while len(body) == 1 and isinstance(body[0], For):
        bounds = free_vars(replace(body[0], body=Block(())))
        if panels.var in bounds:
            return None
        around.append(body[0])
        body = spliced(body[0].body.body)
    match body:
        case (Decl(shape=(), init=Const(value=0)) as total, For() as loop, *tail) if total.dtype.is_float:
            pass
        case _:
            return None
    if not _only_adds(loop, total.name) or not _adds(tail, total.name, panels.var, loop):
        return None
    if not around:
        return None
    scopes = [facts]
    for each in around:
        scopes.append(scopes[-1].inside(each))
    inner: tuple[Stmt, ...] = (total, replace(panels, body=Block((loop,))), *tail)
    for each, scope in zip(reversed(around), reversed(scopes[:-1]), strict=True):
        moved = replace(each, body=Block(inner), kind=LoopKind.SERIAL)
        if not independent(moved, scope):
            return None
        inner = (replace(moved, kind=LoopKind.PARALLEL),)
    return inner[0]


def _only_adds(loop: For, total: str) -> bool:
    """Whether the loop does nothing but to add to the total."""
    match spliced(loop.body.body):
        case (Assign(target=Var(name=name)) as add,):
            fold = folded(add)
            return name == total and fold is not None and fold[0] == "+"
    return False


def _adds(tail: Sequence[Stmt], total: str, panel: str, loop: For) -> bool:
    """Whether the rest adds the total, or a multiple of it, to one element."""
    match tail:
        case [Decl(name=name, shape=(), init=Load() as old), Assign() as store]:
            names: dict[str, Expr] = {name: old}
        case [Assign() as store]:
            names = {}
        case _:
            return False
    place, value = store.target, substitute(store.value, names)
    if not isinstance(place, Load):
        return False
    if store.reduce is None:
        match value:
            case Binary(op="+", left=Load() as left, right=right) if left == place:
                value = right
            case Binary(op="+", left=left, right=Load() as right) if right == place:
                value = left
            case Call(function="fma", args=(a, b, Load() as c)) if c == place:
                value = Binary(value.dtype, "*", a, b)
            case _:
                return False
    elif store.reduce != "+":
        return False
    if place.array in uses(loop).arrays_read or any(
        isinstance(n, Load) and n.array == place.array for n in walk(value)
    ):
        return False
    moving = {panel, loop.var}
    return not any(moving & free_vars(part) for part in (value, *place.index)) and _is_multiple(value, total)


def _is_multiple(value: Expr, total: str) -> bool:
    """Whether it is the total or a product of it with something else."""
    match value:
        case Var(name=name):
            return name == total
        case Binary(op="*", left=left, right=right):
            for factor, rest in ((left, right), (right, left)):
                if total not in free_vars(rest) and not any(isinstance(n, Load) for n in walk(rest)):
                    return _is_multiple(factor, total)
    return False
