"""A local array that only carries the bits of numbers of another type is of that type.

    short a[4];                                        bfloat16 a[4];
    for k in 0..4: a[k] = c ? x[k] : 0            -->  for k in 0..4: a[k] = c ? ((bfloat16 *)x)[k] : 0
    s += (float)((bfloat16 *)a)[0] * ...               s += (float)a[0] * ...

So operands of matrix cores, which programs keep as words, are seen to be what they were read from. Applies to
arrays that are read as nothing but the other type, of as many bits, and set to nothing but what memory or
constants hold, or the bits of such a number.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from xpiler.ir.build import bitcast, select
from xpiler.ir.nodes import Assign, Bitcast, Decl, Expr, Function, Load, Ref, Select, Space, Stmt
from xpiler.ir.rewrite import map_body, map_expr, walk, walk_stmts
from xpiler.ir.types import DType


def with_elements_as_meant(function: Function) -> Function:
    """All such arrays of a function."""
    types = _types(function)
    if not types:
        return function

    def read(expr: Expr) -> Expr:
        match expr:
            case Bitcast(operand=Load(array=name) as load) if name in types:
                return replace(load, dtype=types[name])
        return expr

    def change(stmt: Stmt) -> Stmt:
        match stmt:
            case Assign(target=Load(array=name) as target, value=value) if name in types:
                meant = _as(value, types[name])
                assert meant is not None
                return replace(stmt, target=replace(target, dtype=types[name]), value=meant)
            case Decl(name=name) if name in types:
                return replace(stmt, dtype=types[name])
        return stmt

    body = map_expr(function.body, read, lambda place: place)
    return map_body(replace(function, body=body), change)


def _types(function: Function) -> dict[str, DType]:
    local = {
        d.name: d.dtype
        for d in walk_stmts(function.body)
        if isinstance(d, Decl) and d.shape and d.init is None and d.space in (Space.LOCAL, Space.SHARED)
    }
    wrong = {n.array for n in walk(function.body) if isinstance(n, Ref)}
    read = _read_as(function)
    types = {
        name: dtype
        for name, own in local.items()
        for dtype in read.get(name, ())
        if name not in wrong and len(read[name]) == 1 and dtype != own and dtype.bits == own.bits
    }
    for stmt in walk_stmts(function.body):
        match stmt:
            case Assign(target=Load(array=name, dtype=dtype), value=value, reduce=reduce) if name in types:
                if reduce is not None or dtype != local[name] or _as(value, types[name]) is None:
                    del types[name]
    return types


def _read_as(function: Function) -> dict[str, set[DType]]:
    """By array: the types of what is read."""
    found = Counter[tuple[str, DType]]()

    def note(expr: Expr) -> Expr:
        match expr:
            case Load(array=name, dtype=dtype):
                found[name, dtype] += 1
            case Bitcast(dtype=dtype, operand=Load(array=name, dtype=word)):  # behind the element itself
                found[name, word] -= 1
                found[name, dtype] += 1
        return expr

    map_expr(function.body, note, lambda place: place)
    types: dict[str, set[DType]] = {}
    for (name, dtype), number in found.items():
        if number > 0:
            types.setdefault(name, set()).add(dtype)
    return types


def _as(value: Expr, dtype: DType) -> Expr | None:
    """The number that these bits mean; None where they come from somewhere else."""
    match value:
        case Select(condition=condition, then=then, otherwise=otherwise):
            one, two = _as(then, dtype), _as(otherwise, dtype)
            return None if one is None or two is None else select(condition, one, two)
        case Load():
            return replace(value, dtype=dtype)
    meant = bitcast(value, dtype)
    return None if isinstance(meant, Bitcast) else meant
