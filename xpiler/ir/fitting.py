"""Expressions in a row as one expression of the position, where their constants follow its binary digits.

    a[0], a[1], a[4], a[5]    -->    i: a[i / 2 * 4 + i % 2]

That is how the lanes of a shuffle become the index of a loop again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any

from xpiler.ir.affine import Affine, linear
from xpiler.ir.affine_form import to_expr
from xpiler.ir.build import add, cast, const, div, mod, mul
from xpiler.ir.nodes import Const, Expr, Load
from xpiler.ir.types import I32


def fitted(exprs: Sequence[Expr], position: Expr) -> Expr | None:
    """The expression that is `exprs[i]` where `position` is i, None if there is no such form.

    `position` is an integer in [0, len(exprs)); the number of expressions is a power of two.
    """
    first = exprs[0]
    if all(e == first for e in exprs):
        return first
    if isinstance(first, Const):
        if not all(isinstance(e, Const) and e.dtype == first.dtype for e in exprs) or first.dtype.is_float:
            return None
        found = fitted_numbers([int(e.value) for e in exprs if isinstance(e, Const)], position)
        return None if found is None else cast(found, first.dtype)
    if any(type(e) is not type(first) or e.dtype != first.dtype for e in exprs):
        return None
    if isinstance(first, Load):
        return _fitted_load([e for e in exprs if isinstance(e, Load)], position)
    changed: dict[str, Any] = {}
    for item in fields(first):
        if item.name in ("range", "dtype"):
            continue
        values = [getattr(e, item.name) for e in exprs]
        if isinstance(values[0], Expr):
            inner = fitted(values, position)
            if inner is None:
                return None
            changed[item.name] = inner
        elif isinstance(values[0], tuple) and values[0] and isinstance(values[0][0], Expr):
            if any(len(v) != len(values[0]) for v in values):
                return None
            parts = [fitted([v[n] for v in values], position) for n in range(len(values[0]))]
            if any(part is None for part in parts):
                return None
            changed[item.name] = tuple(parts)
        elif any(v != values[0] for v in values):
            return None
    return replace(first, **changed)


def _fitted_load(loads: Sequence[Load], position: Expr) -> Load | None:
    first = loads[0]
    if any(e.array != first.array or len(e.index) != len(first.index) for e in loads):
        return None
    index = [_fitted_index([e.index[n] for e in loads], position) for n in range(len(first.index))]
    found = tuple(part for part in index if part is not None)
    return replace(first, index=found) if len(found) == len(index) else None


def _fitted_index(exprs: Sequence[Expr], position: Expr) -> Expr | None:
    """Indices are compared as what they are worth: each of their terms may have a factor that fits."""
    dtype = max((e.dtype for e in exprs), key=lambda d: d.bits)
    forms = [linear(e) for e in exprs]
    monomials = dict.fromkeys(m for form in forms if form is not None for m, _ in form.terms)
    result: Expr = const(0, dtype)
    for monomial in monomials:
        factors = [dict(form.terms).get(monomial, 0) if form is not None else 0 for form in forms]
        factor = fitted_numbers(factors, position)
        if factor is None:
            return None
        result = add(result, mul(to_expr(Affine(((monomial, 1),)), dtype), cast(factor, dtype)))
    return result


def fitted_numbers(values: Sequence[int], position: Expr) -> Expr | None:
    """The same for numbers: a constant and multiples of runs of the position's binary digits."""
    count = len(values)
    if count & (count - 1):
        return None
    bits = count.bit_length() - 1
    steps = [values[1 << b] - values[0] for b in range(bits)]
    for i, value in enumerate(values):
        if value != values[0] + sum(step for b, step in enumerate(steps) if i >> b & 1):
            return None
    result: Expr = const(values[0], I32)
    at = cast(position, I32)
    b = 0
    while b < bits:
        end = b + 1
        while end < bits and steps[end] == 2 * steps[end - 1]:
            end += 1
        if steps[b]:
            digit = div(at, const(1 << b, I32)) if b else at
            if end < bits:
                digit = mod(digit, const(1 << (end - b), I32))
            result = add(result, mul(digit, const(steps[b], I32)))
        b = end
    return result
