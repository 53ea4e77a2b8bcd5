"""A buffer that is used in parts becomes an array for each part, of the type that it is used with.

    char room[4096];                                   float room_0[512], room_1[512];
    ((float *)room)[i] = ...;                   -->    room_0[i] = ...;
    ((float *)room)[512 + i] = ...;    i < 512         room_1[i] = ...;

Applies where the bounds of all indices are known as numbers and show the parts to be apart. A part that is
used with several types stays a part of untyped memory; one of a single element is a scalar.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod

from xpiler.ir.affine import Interval, bounds, coefficient, linear, simplify, substitute
from xpiler.ir.build import const, sub
from xpiler.ir.nodes import Atomic, Block, Const, Decl, Expr, Function, Load, Ref, Space, Stmt, Var
from xpiler.ir.rewrite import map_expr, map_stmt, walk, walk_stmts
from xpiler.ir.types import DType
from xpiler.passes.facts import Facts, lowest
from xpiler.passes.names import Names
from xpiler.passes.placed import at_each_access


def split_buffers(function: Function) -> Function:
    """Every local array for which it is shown to be right."""
    names = Names(function)
    whole = {n.array for n in walk(function.body) if isinstance(n, Ref)}
    whole |= {n.place.array for n in walk(function.body) if isinstance(n, Atomic)}
    for decl in [s for s in walk_stmts(function.body) if isinstance(s, Decl)]:
        if decl.name not in whole and _is_buffer(decl):
            function = _split(function, decl, _parts(function, decl), names)
    return function


def _is_buffer(decl: Decl) -> bool:
    constant = all(isinstance(e, Const) for e in decl.shape)
    return bool(decl.shape) and decl.init is None and decl.space is Space.LOCAL and constant


@dataclass(frozen=True)
class _Part:
    """Bytes [start, end) of a buffer, and the type that they are used with (None: several)."""

    start: int
    end: int
    dtype: DType | None


def _parts(function: Function, decl: Decl) -> list[_Part]:
    """The parts in order; empty if the buffer is one, of its own type already."""
    size = prod(int(e.value) for e in decl.shape if isinstance(e, Const)) * decl.dtype.bytes
    spans: set[tuple[int, int, DType]] = set()

    def visit(load: Load, facts: Facts) -> Load:
        if load.array == decl.name:
            low, high = _span(load.index[0], facts) if len(load.index) == 1 else (None, None)
            width = load.dtype.bytes
            end = size if high is None else min(size, (high + 1) * width)
            spans.add((_first(low) * width, end, load.dtype))
        return load

    at_each_access(function, visit)
    parts: list[_Part] = []
    for start, end, dtype in sorted(spans, key=lambda s: (s[0], s[1], s[2].name)):
        if parts and start < parts[-1].end:
            last = parts[-1]
            parts[-1] = _Part(last.start, max(last.end, end), dtype if dtype == last.dtype else None)
        else:
            parts.append(_Part(start, end, dtype))
    if any(p.start % (p.dtype or decl.dtype).bytes for p in parts):
        return []
    if any(p.end <= p.start for p in parts):  # a program that reaches beyond the end
        return []
    return parts if len(parts) > 1 or (parts and parts[0].dtype not in (None, decl.dtype)) else []


def _span(index: Expr, facts: Facts) -> Interval:
    """The lowest and the highest value of an index. Where the end of a counter is an expression, the others
    in it count with it: `s + j` for j in 0..e - s ends at e."""
    low, high = bounds(index, facts.ranges)
    form = linear(index, facts.ranges) if index.dtype.is_signed else None
    for name in form.variables() if form is not None else ():
        step, end = coefficient(index, name), facts.ranges.get(name, (None, None))[1]
        last = linear(end, facts.ranges) if isinstance(end, Expr) else None
        if form is None or step is None or step.as_int != 1 or last is None:
            continue
        at_end = bounds(substitute(form, {name: last}), facts.ranges)[1]
        high = at_end if high is None or (at_end is not None and at_end < high) else high
    from_ends = lowest(form, facts) if form is not None else None
    if from_ends is not None and (low is None or low < from_ends):
        low = from_ends
    return low, high


def _first(low: int | None) -> int:
    """The first element that an index may be of, where its lower bound is `low`: none is before the array."""
    return max(low or 0, 0)


def _split(function: Function, decl: Decl, parts: list[_Part], names: Names) -> Function:
    if not parts:
        return function
    own = {p: names.fresh(decl.name if len(parts) == 1 else f"{decl.name}_{n}") for n, p in enumerate(parts)}

    def visit(load: Load, facts: Facts) -> Load:
        if load.array != decl.name:
            return load
        at = _first(_span(load.index[0], facts)[0]) * load.dtype.bytes
        part = next(p for p in parts if p.start <= at < p.end)
        first = const(part.start // load.dtype.bytes, load.index[0].dtype)
        return replace(load, array=own[part], index=(simplify(sub(load.index[0], first), facts.ranges),))

    def change(stmt: Stmt) -> Stmt | tuple[Stmt, ...]:
        return tuple(_declared(decl, p, own[p]) for p in parts) if stmt == decl else stmt

    body = map_stmt(at_each_access(function, visit).body, change)
    single = {own[p]: p.dtype for p in parts if p.dtype and p.end - p.start == p.dtype.bytes}

    def scalar(expr: Expr) -> Expr:
        return Var(expr.dtype, expr.array) if isinstance(expr, Load) and expr.array in single else expr

    def place(target: Var | Load) -> Var | Load:
        return (
            Var(target.dtype, target.array) if isinstance(target, Load) and target.array in single else target
        )

    body = map_expr(body, scalar, place) if single else body
    assert isinstance(body, Block)
    return replace(function, body=body)


def _declared(decl: Decl, part: _Part, name: str) -> Decl:
    dtype = part.dtype or decl.dtype
    extent = -(-(part.end - part.start) // dtype.bytes)
    if part.dtype and extent == 1:
        return replace(decl, name=name, dtype=dtype, shape=())
    return replace(decl, name=name, dtype=dtype, shape=(const(extent),))
