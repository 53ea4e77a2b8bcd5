"""A sum of exponentials that is rescaled to a later peak is added up at that one.

    for c: sum += exp(x[c] - peak)                          for c: top = max(..)
    top = max(..)                                   -->     for c: sum += exp(x[c] - top)
    sum *= exp(peak - top)

So lanes that each have a peak of their own meet at the peak of all. The sums may stand in scalars of the loop
over lanes that stores them as its elements at the end.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Literal

from xpiler.ir.build import is_const, mul, sub
from xpiler.ir.nodes import (
    Assign,
    Binary,
    Block,
    Call,
    Cast,
    Const,
    Decl,
    Expr,
    For,
    If,
    Load,
    LoopKind,
    Select,
    Stmt,
    Var,
    While,
)
from xpiler.ir.rewrite import arrays_read, arrays_written, assigned_vars, free_vars, map_expr, walk

EXPONENTIALS = {"exp": 1.0, "exp2": math.log(2.0)}
Place = Var | Load
Above = tuple[tuple[Sequence[Stmt], Stmt | None], ...]
"""The statements before a place, level by level, the nearest first; with what each level is inside of."""


def at_later_peaks(stmts: list[Stmt], above: Above) -> list[Stmt]:
    """The statements of a block, with sums that are rescaled to another peak added up at that one."""
    for later, stmt in enumerate(stmts):
        for path, rescale in _statements(stmt, ()):
            factor = _factor(rescale) if isinstance(rescale, Assign) else None
            if not isinstance(rescale, Assign) or factor is None:
                continue
            own = stmts[:later]
            if isinstance(rescale.target, Load):
                own = [_in_elements(s, path) for s in own]
            for earlier in range(later):
                for back, loop in _statements(own[earlier], ()):
                    if not isinstance(loop, For) or not _alike(path, back):
                        continue
                    between = [
                        *_beside(own[earlier], loop, behind=True),
                        *own[earlier + 1 :],
                        *_beside(stmt, rescale, behind=False),
                    ]
                    new = _at_the_peak_of(rescale, factor, loop, between)
                    levels = _levels(own[:earlier], own[earlier], loop)
                    zero = zero_of(rescale.target, (*levels, *above)) if new is not None else None
                    if new is None or zero is None:
                        continue
                    before = [_with(s, loop, ()) for s in own]
                    first: tuple[Stmt, ...] = ()
                    if isinstance(zero, Assign):
                        first = (zero,)
                        before = [_with(s, zero, ()) for s in before]
                    name = name_of(rescale.target)
                    if any(name in free_vars(s) | arrays_read(s) for s in before):
                        continue
                    return at_later_peaks(
                        [*before, _with(stmt, rescale, (*first, new)), *stmts[later + 1 :]], above
                    )
    return stmts


def _in_elements(stmt: Stmt, path: Sequence[For]) -> Stmt:
    """A loop over threads that keeps in scalars what it stores in its own elements at the end, with the
    elements in their place."""
    if len(path) != 1 or not isinstance(stmt, For) or not _same_range(stmt, path[0]):
        return stmt
    counter = Var(stmt.dtype, stmt.var)
    body = list(stmt.body.body)
    for store in stmt.body.body:
        match store:
            case Assign(
                target=Load(array=array, index=(index,)) as element, value=Var() as kept, reduce=None
            ):
                at = body.index(store)
                start = [
                    n
                    for n, s in enumerate(body)
                    if isinstance(s, Decl) and s.name == kept.name and not s.shape
                ]
                if _plain(index) != counter or len(start) != 1 or kept.dtype != element.dtype:
                    continue
                rest = [*body[:at], *body[at + 1 :]]
                if any(array in arrays_read(s) | arrays_written(s) for s in rest):
                    continue
                if any(kept.name in free_vars(s) | assigned_vars(s) for s in body[at + 1 :]):
                    continue
                own = Load(element.dtype, array, (counter,))
                begun = body[start[0]]
                assert isinstance(begun, Decl)
                first: tuple[Stmt, ...] = ()
                if isinstance(begun.init, Expr):
                    first = (Assign(own, begun.init, range=begun.range),)

                def in_place(expr: Expr, kept: Var = kept, own: Load = own) -> Expr:
                    return own if expr == kept else expr

                def stored(place: Var | Load, kept: Var = kept, own: Load = own) -> Var | Load:
                    return own if place == kept else place

                inner = map_expr(Block(tuple(body[start[0] + 1 : at])), in_place, stored)
                assert isinstance(inner, Block)
                body = [*body[: start[0]], *first, *inner.body, *body[at + 1 :]]
    new = Block(tuple(body))
    return stmt if new.body == stmt.body.body else replace(stmt, body=replace(stmt.body, body=new.body))


def _plain(index: Expr) -> Expr:
    """An index without the conversions of integers around it."""
    while isinstance(index, Cast) and index.operand.dtype.is_integer:
        index = index.operand
    return index


def _levels(before: Sequence[Stmt], stmt: Stmt, inner: Stmt) -> Above:
    """The levels above the inner statement, up to that of `stmt`, which `before` stands before."""
    if stmt is inner:
        return ((before, None),)
    assert isinstance(stmt, For)
    body = stmt.body.body
    place = next(i for i, s in enumerate(body) if s is inner or any(n is inner for n in walk(s)))
    return (*_levels(body[:place], body[place], inner), (before, stmt))


def _statements(stmt: Stmt, path: tuple[For, ...]) -> Iterator[tuple[tuple[For, ...], Stmt]]:
    """It, and what stands in loops of independent iterations."""
    yield path, stmt
    if isinstance(stmt, For) and stmt.kind is not LoopKind.SERIAL:
        for inner in stmt.body.body:
            yield from _statements(inner, (*path, stmt))


def _beside(stmt: Stmt, inner: Stmt, behind: bool) -> list[Stmt]:
    """The statements behind or before the inner one, in the loops around it."""
    if stmt is inner:
        return []
    assert isinstance(stmt, For)
    body = stmt.body.body
    place = next(i for i, s in enumerate(body) if s is inner or any(n is inner for n in walk(s)))
    return [*_beside(body[place], inner, behind), *(body[place + 1 :] if behind else body[:place])]


def _alike(path: Sequence[For], other: Sequence[For]) -> bool:
    return len(path) == len(other) and all(map(_same_range, path, other))


def _with(stmt: Stmt, old: Stmt, new: tuple[Stmt, ...]) -> Stmt:
    """The statement with others in the place of one that it is, or that stands in its loops."""
    if stmt is old:
        return new[0] if len(new) == 1 else Block(new)
    if not isinstance(stmt, For):
        return stmt
    body: list[Stmt] = []
    for inner in stmt.body.body:
        if inner is old:
            body += new
        elif isinstance(inner, For) and any(n is old for n in walk(inner)):
            body.append(_with(inner, old, new))
        else:
            body.append(inner)
    return replace(stmt, body=replace(stmt.body, body=tuple(body)))


def _at_the_peak_of(rescale: Assign, factor: Call, loop: For, between: Sequence[Stmt]) -> For | None:
    """The loop with the later peak, if all that it reads is as it was and nobody wants the sum before."""
    total = rescale.target
    inner: Stmt = loop
    counters = set()
    while isinstance(inner, (For, If)):
        body = inner.then if isinstance(inner, If) else inner.body
        counters |= {inner.var} if isinstance(inner, For) else set()
        if len(body.body) != 1 or (isinstance(inner, If) and inner.otherwise.body):
            return None
        (inner,) = body.body
    summed = inner
    if not isinstance(summed, Assign):
        return None
    if summed.target != total or summed.reduce != "+":
        return None
    calls = [n for n in walk(summed.value) if isinstance(n, Call) and n.function == factor.function]
    if len(calls) != 1 or not _is_factor(summed.value, calls[0]):
        return None
    match _scaled(factor.args[0]), _scaled(calls[0].args[0]):
        case (
            (Binary(op="-", left=Var() | Load() as peak, right=Var() as top), by),
            (Binary(op="-", left=value, right=old), scale),
        ) if (old, scale) == (peak, by) and peak.dtype == top.dtype and not mentions(value, (peak,)):
            away = sub(value, top)
            late = replace(calls[0], args=(away if scale is None else mul(away, scale),))
        case _:
            return None
    own = {name_of(total)}
    kept = (free_vars(loop) | arrays_read(loop) | own | {name_of(peak)}) - counters
    for stmt in between:
        if (assigned_vars(stmt) | arrays_written(stmt)) & kept or (free_vars(stmt) | arrays_read(stmt)) & own:
            return None

    def at_top(expr: Expr) -> Expr:
        return late if expr == calls[0] else expr

    again = map_expr(loop.body, at_top)
    assert isinstance(again, Block)
    return replace(loop, body=again)


def _scaled(argument: Expr) -> tuple[Expr, Expr | None]:
    """A difference and what it is multiplied by."""
    match argument:
        case Binary(op="*", left=Binary(op="-") as away, right=scale):
            return away, scale
        case Binary(op="*", left=scale, right=Binary(op="-") as away):
            return away, scale
    return argument, None


def _is_factor(product: Expr, call: Call) -> bool:
    match product:
        case Binary(op="*", left=left, right=right):
            return _is_factor(left, call) or _is_factor(right, call)
        case Select(then=nothing, otherwise=otherwise) if is_const(nothing, 0):
            return _is_factor(otherwise, call)
    return product == call


def name_of(place: Place) -> str:
    return place.name if isinstance(place, Var) else place.array


def _factor(rescale: Assign) -> Call | None:
    """`exp(peak - top)` of `total *= exp(peak - top)`, however it is spelled."""
    factors: tuple[Expr, ...] = ()
    match rescale:
        case Assign(value=value, reduce="*"):
            factors = (value,)
        case Assign(target=target, value=Binary(op="*", left=left, right=right), reduce=None) if target in (
            left,
            right,
        ):
            factors = (right if left == target else left,)
    for factor in factors:
        match factor:  # lanes that have nothing add up to nothing at any peak
            case Select(
                condition=Binary(op="==", right=Const(value=least)), then=nothing, otherwise=Call()
            ) if is_const(nothing, 0) and least == -math.inf:
                factor = factor.otherwise
        if isinstance(factor, Call) and factor.function in EXPONENTIALS:
            return factor
    return None


def mentions(expr: Expr, places: Sequence[Place]) -> bool:
    return any(n in places for n in walk(expr) if isinstance(n, (Var, Load)))


def zero_of(place: Place, above: Above) -> Stmt | None:
    """What makes the sum 0 that it is known to be where `above` ends."""
    loops: list[For] = []
    for level, (before, around) in enumerate(above):
        if level:
            match around:
                case For(kind=LoopKind.SERIAL) | While():
                    return None  # the iteration before has left something
                case For():
                    loops.append(around)
        for stmt in reversed(before):
            known = _zeroed(stmt, place, loops)
            if known is not None:
                return known or None
    return None


def _zeroed(stmt: Stmt, place: Place, loops: Sequence[For]) -> Stmt | Literal[False] | None:
    """What leaves 0 there in a statement; False if it may leave something else, None if it leaves the place
    alone."""
    match stmt:
        case Decl(init=init) if isinstance(place, Var) and stmt.name == place.name:
            return stmt if isinstance(init, Expr) and is_const(init, 0) else False
        case Assign(target=target, value=value, reduce=None) if target == place:
            return stmt if is_const(value, 0) else False
        case For(body=body) if any(_same_range(stmt, loop) for loop in loops):
            for inner in reversed(body.body):
                known = _zeroed(inner, place, loops)
                if known is not None:
                    return known
            return None
    written = assigned_vars(stmt) if isinstance(place, Var) else arrays_written(stmt)
    declared = {n.name for n in walk(stmt) if isinstance(n, Decl)}
    return False if name_of(place) in written | declared else None


def _same_range(one: For, other: For) -> bool:
    return (one.var, one.start, one.stop, one.step) == (other.var, other.start, other.stop, other.step)
