"""Searches for the place of an extreme value become vector loops, which `__bang_argmax` fits.

    for c: if (x[c] > best) { best = x[c]; at = c; }   -->   VECTOR for c: ...     (`Search` says what it is)

    for c: { v = x[c]; if (v > best) { ... } }         -->   the same with x[c] for v

    for c: if (x[c] > x[at]) at = c;                   -->   best = x[at];
                                                             for c: if (x[c] > best) { best = x[c]; at = c; }

Only comparisons by `>` or `<`, which keep the first of equal values, as the instruction does.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from xpiler.ir.build import is_const, lt
from xpiler.ir.nodes import (
    Assign,
    Binary,
    Block,
    Decl,
    Expr,
    For,
    Function,
    If,
    Load,
    LoopKind,
    Stmt,
    Var,
)
from xpiler.ir.rewrite import free_vars, map_body, substitute, walk
from xpiler.ir.types import F32
from xpiler.passes.names import Names


@dataclass(frozen=True)
class Search:
    """`best` collects `value` by `op` (max or min), `at` the `place` of the first such one."""

    op: str
    value: Expr
    best: Var
    at: Var
    place: Expr


def search(stmt: Stmt) -> Search | None:
    """The search that a branch is a step of."""
    match stmt:
        case If(
            condition=Binary(op=">" | "<" as sign, left=left, right=right),
            then=then,
            otherwise=otherwise,
        ) if not otherwise.body and left.dtype == F32:
            pass
        case _:
            return None
    moves = [s for s in then.body if isinstance(s, Assign) and isinstance(s.target, Var) and s.reduce is None]
    if len(moves) != 2 or len(then.body) != 2:
        return None
    for value, best, larger in ((left, right, sign == ">"), (right, left, sign == "<")):
        for mine, other in (moves, moves[::-1]):
            if not isinstance(best, Var) or mine.target != best or mine.value != value:
                continue
            assert isinstance(other.target, Var)
            apart = best.name != other.target.name and other.target.dtype.is_integer
            used = free_vars(value) | free_vars(other.value)
            if apart and not used & {best.name, other.target.name} and not _reads(other.value):
                return Search("max" if larger else "min", value, best, other.target, other.value)
    return None


def _reads(expr: Expr) -> bool:
    return any(isinstance(n, Load) for n in walk(expr))


def with_best_values(function: Function) -> Function:
    """Searches that remember the place only remember the value as well. Before a loop that does not run the
    value is not read."""
    names = Names(function)

    def change(stmt: Stmt) -> Stmt:
        stmt = _with_values_in_place(stmt)
        match stmt:
            case For(
                kind=LoopKind.SERIAL,
                body=Block(
                    body=(If(condition=Binary(op=">" | "<") as test, then=then, otherwise=otherwise),)
                ),
            ) if not otherwise.body:
                return _with_best_value(stmt, test, then, names) or stmt
        return stmt

    return map_body(function, change)


def _with_values_in_place(stmt: Stmt) -> Stmt:
    """A loop whose body is a search in values that it names first, without the names."""
    match stmt:
        case For(kind=LoopKind.SERIAL, body=Block(body=(*named, If() as step))) if named:
            pass
        case _:
            return stmt
    for decl in reversed(named):
        if not isinstance(decl, Decl) or decl.shape or not isinstance(decl.init, Expr):
            return stmt
        targets = [n.target for n in walk(step) if isinstance(n, Assign)]
        if any(isinstance(t, Load) or t.name in {decl.name, *free_vars(decl.init)} for t in targets):
            return stmt
        changed = substitute(step, {decl.name: decl.init})
        assert isinstance(changed, If)
        step = changed
    return replace(stmt, body=Block((step,))) if search(step) is not None else stmt


def _with_best_value(loop: For, test: Binary, then: Block, names: Names) -> Stmt | None:
    match then.body:
        case (Assign(target=Var() as at, value=Var(name=loop.var), reduce=None) as move,):
            pass
        case _:
            return None
    if at.dtype != loop.dtype or at.name in free_vars(test.left) or test.left.dtype != F32:
        return None
    if substitute(test.left, {loop.var: at}) != test.right or not _reads(test.left):
        return None
    best = Var(F32, names.fresh("best"))
    step = If(replace(test, right=best), Block((Assign(best, test.left), move)))
    found = (Decl(best.name, F32, init=test.right), replace(loop, body=Block((step,))))
    return If(lt(loop.start, loop.stop), Block(found))


def mark_searches(function: Function) -> Function:
    """The loops that do nothing but such a search as vector loops."""

    def change(stmt: Stmt) -> Stmt:
        match stmt:
            case For(kind=LoopKind.SERIAL) if len(stmt.body.body) == 1 and is_const(stmt.step, 1):
                found = search(stmt.body.body[0])
                if found is not None and stmt.var in free_vars(found.value) and _reads(found.value):
                    return replace(stmt, kind=LoopKind.VECTOR)
        return stmt

    return map_body(function, change)
