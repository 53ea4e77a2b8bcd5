"""What data pick: integers that depend on elements of arrays, or on conversions and comparisons of floats.

b = clamp((int)(x[i] * scale), lo, hi);  hist[b - lo] += 1      `b`
if (p[k] > coin) pick = k;  token[r] = ids[r * K + pick]        `pick`
"""

from __future__ import annotations

from collections.abc import Iterator

from xpiler.ir.build import COMPARISONS
from xpiler.ir.index_arrays import index_arrays
from xpiler.ir.nodes import (
    Assign,
    Atomic,
    Binary,
    Cast,
    Collective,
    Decl,
    Expr,
    For,
    Function,
    If,
    Load,
    Stmt,
    Var,
    While,
)
from xpiler.ir.rewrite import children, walk


def picked_by_data(kernel: Function) -> frozenset[str]:
    """Variables and arrays of a kernel whose integers depend on data; counters, which count up, are none."""
    arrays = {p.name for p in kernel.params if p.is_pointer}
    counters = {name for name, use in index_arrays(kernel).items() if use == "counter"}
    picked = frozenset(arrays - counters)
    while True:
        found = picked | {name for stmt in kernel.body.body for name in _picked_in(stmt, picked, False)}
        if found == picked:
            return picked
        picked = found


def _picked_in(stmt: Stmt, picked: frozenset[str], decided: bool) -> Iterator[str]:
    """`decided`: floats say whether the statement is run."""
    match stmt:
        case Decl(name=name, init=Expr() as value) | Assign(target=Var(name=name), value=value):
            if not value.dtype.is_float and (decided or is_picked(value, picked)):
                yield name
        case Assign(target=Load(array=name), value=value) if not value.dtype.is_float:
            if decided or is_picked(value, picked):
                yield name
        case Collective(target=Var(name=name, dtype=dtype), args=args) if not dtype.is_float:
            if decided or any(is_picked(arg, picked) for arg in args):
                yield name
        case Atomic(target=Var(name=name), place=place) if not place.dtype.is_float:
            if decided or place.array in picked:
                yield name
        case For(var=name, start=start, stop=stop) if is_picked(start, picked) or is_picked(stop, picked):
            yield name
        case If(condition=condition) | While(condition=condition):
            decided = decided or is_picked(condition, picked)
    for inner in children(stmt):
        if isinstance(inner, Stmt):
            yield from _picked_in(inner, picked, decided)


def is_picked(expr: Expr, picked: frozenset[str]) -> bool:
    """Whether an integer depends on what is `picked`, or on floats."""
    return any(
        (isinstance(n, Var) and n.name in picked)
        or (isinstance(n, Load) and n.array in picked)
        or (isinstance(n, Cast) and n.dtype.is_integer and n.operand.dtype.is_float)
        or (isinstance(n, Binary) and n.op in COMPARISONS and n.left.dtype.is_float)
        for n in walk(expr)
    )
