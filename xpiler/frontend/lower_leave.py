"""Structured control flow for jumps out of a region: early returns of inlined functions, `break` in a switch.

    if (a) { r = 1; LEAVE }          if (a) { r = 1; }
    b;                        -->    else { b; r = 2; }
    r = 2; LEAVE

A jump out of a loop sets a flag and breaks; what follows the loop runs only if the flag is not set.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from xpiler.frontend.lower_context import Leave
from xpiler.ir import build
from xpiler.ir.nodes import EMPTY, FALSE, TRUE, Assign, Block, Break, Decl, For, If, Stmt, Var, While
from xpiler.ir.rewrite import map_stmt, walk
from xpiler.ir.types import BOOL


@dataclass(frozen=True)
class _Region:
    label: str
    flag: Var


@dataclass(frozen=True)
class _Result:
    body: tuple[Stmt, ...]
    may_leave: bool
    always_leaves: bool


def resolve(body: Sequence[Stmt], label: str, fresh: Callable[[str], str]) -> list[Stmt]:
    """`body` without its `Leave(label)`s; control reaches the end instead."""
    if not any(_leaves(stmt, label) for stmt in body):
        return list(body)
    region = _Region(label, Var(BOOL, f"{label}?"))
    result = _sequence(tuple(body), region)
    marker = region.flag
    whole = Block(result.body)
    tested = any(
        isinstance(n, Var) and n.name == marker.name
        for stmt in walk(whole)
        if isinstance(stmt, If)
        for n in walk(stmt.condition)
    )
    if not tested:
        cleaned = map_stmt(whole, lambda s: () if isinstance(s, Assign) and s.target == marker else s)
        return _tidy(cleaned)
    from xpiler.ir.rewrite import rename

    name = fresh("done")
    flagged = rename(whole, {marker.name: name})
    rest = _drop_last(tuple(_tidy(flagged)), name)
    return [Decl(name, BOOL, init=FALSE), *_tidy(Block(rest))]


def _tidy(body: Stmt) -> list[Stmt]:
    """Branches that lost their statements turned round or dropped."""

    def turned(stmt: Stmt) -> Stmt | tuple[Stmt, ...]:
        if isinstance(stmt, If) and not stmt.then.body:
            if not stmt.otherwise.body:
                return ()
            return replace(stmt, condition=build.not_(stmt.condition), then=stmt.otherwise, otherwise=EMPTY)
        return stmt

    result = map_stmt(body, turned)
    assert isinstance(result, Block)
    return list(result.body)


def _drop_last(body: tuple[Stmt, ...], flag: str) -> tuple[Stmt, ...]:
    """Without flags that are set where the region ends anyway."""
    if not body:
        return body
    match body[-1]:
        case Assign(target=Var(name=name)) if name == flag:
            return body[:-1]
        case If() as last:
            then, otherwise = _drop_last(last.then.body, flag), _drop_last(last.otherwise.body, flag)
            return (*body[:-1], _if(last, then, otherwise))
    return body


def _leaves(stmt: Stmt, label: str) -> bool:
    return any(isinstance(n, Leave) and n.label == label for n in walk(stmt))


def _sequence(body: tuple[Stmt, ...], region: _Region) -> _Result:
    done: list[Stmt] = []
    may_leave = False
    for position, stmt in enumerate(body):
        rest = body[position + 1 :]
        if isinstance(stmt, Leave) and stmt.label == region.label:
            done.append(Assign(region.flag, TRUE, range=stmt.range))
            return _Result(tuple(done), True, True)
        if not _leaves(stmt, region.label):
            done.append(stmt)
            continue
        may_leave = True
        match stmt:
            case Block(body=inner):
                # Spliced: names are unique, so the scope may grow.
                result = _sequence((*inner, *rest), region)
                return _Result((*done, *result.body), True, result.always_leaves)
            case If():
                then, otherwise = _sequence(stmt.then.body, region), _sequence(stmt.otherwise.body, region)
                if then.always_leaves and otherwise.always_leaves:
                    done.append(_if(stmt, then.body, otherwise.body))
                    return _Result(tuple(done), True, True)
                if then.always_leaves and not otherwise.may_leave:
                    tail = _sequence(rest, region)
                    done.append(_if(stmt, then.body, (*otherwise.body, *tail.body)))
                    return _Result(tuple(done), True, tail.always_leaves)
                if otherwise.always_leaves and not then.may_leave:
                    tail = _sequence(rest, region)
                    done.append(_if(stmt, (*then.body, *tail.body), otherwise.body))
                    return _Result(tuple(done), True, tail.always_leaves)
                done.append(_if(stmt, then.body, otherwise.body))
            case For() | While():
                done.append(_loop(stmt, region))
            case _:
                raise AssertionError(f"a jump inside {type(stmt).__name__}")
        if rest:
            tail = _sequence(rest, region)
            if tail.body:
                done.append(If(build.not_(region.flag), Block(tail.body), range=rest[0].range))
        return _Result(tuple(done), True, False)
    return _Result(tuple(done), may_leave, False)


def _if(stmt: If, then: tuple[Stmt, ...], otherwise: tuple[Stmt, ...]) -> If:
    return replace(
        stmt, then=replace(stmt.then, body=then), otherwise=Block(otherwise, range=stmt.otherwise.range)
    )


def _loop(stmt: For | While, region: _Region) -> Stmt:
    """The loop with each jump as a flag and `break`; a jump out of an inner loop breaks the outer ones in
    turn."""

    def inside(body: tuple[Stmt, ...]) -> tuple[Stmt, ...]:
        result: list[Stmt] = []
        for item in body:
            if isinstance(item, Leave) and item.label == region.label:
                result += [Assign(region.flag, TRUE, range=item.range), Break(range=item.range)]
            elif not _leaves(item, region.label):
                result.append(item)
            elif isinstance(item, Block):
                result.append(replace(item, body=inside(item.body)))
            elif isinstance(item, If):
                result.append(_if(item, inside(item.then.body), inside(item.otherwise.body)))
            elif isinstance(item, (For, While)):
                result.append(_loop(item, region))
                result.append(If(region.flag, Block((Break(range=item.range),)), range=item.range))
            else:
                raise AssertionError(f"a jump inside {type(item).__name__}")
        return tuple(result)

    return replace(stmt, body=replace(stmt.body, body=inside(stmt.body.body)))
