"""A variable that only carries the bits of a value of another type is of that type.

    int moved = bits<int>(t);                      float moved = t;
    v = v + bits<float>(moved);            -->     v = v + moved;

So lanes that exchange words, as AMD's instructions have it, exchange the numbers that are meant, and what
they add up is seen. Applies to integers that are read as nothing but the other type and set to nothing but
its bits or 0.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from xpiler.ir.build import bitcast
from xpiler.ir.nodes import Assign, Bitcast, Block, Collective, Decl, Expr, Function, Stmt, Var
from xpiler.ir.rewrite import map_expr, map_stmt, walk
from xpiler.ir.types import DType


def with_bits_as_meant(function: Function) -> Function:
    """All such variables of a kernel."""
    types = _candidates(function)
    wrong = {name for node in walk(function.body) for name in _otherwise_set(node, types)}
    while wrong & types.keys():  # what is set to one of these is none either
        types = {name: dtype for name, dtype in types.items() if name not in wrong}
        wrong = {name for node in walk(function.body) for name in _otherwise_set(node, types)}
    return _retyped(function, types) if types else function


def _candidates(function: Function) -> dict[str, DType]:
    """By name: the type as which every read of an integer takes its bits."""
    seen, views, targets, declared = Counter[str](), Counter[str](), Counter[str](), Counter[str]()
    types: dict[str, set[DType]] = {}
    integers = set()
    copies: list[tuple[str, str]] = []
    for node in walk(function.body):
        match node:
            case Var(name=name):
                seen[name] += 1
            case Bitcast(operand=Var(name=name), dtype=dtype):
                views[name] += 1
                types.setdefault(name, set()).add(dtype)
            case Assign(target=Var(name=name), reduce=None) | Collective(kind="shfl", target=Var(name=name)):
                targets[name] += 1
            case Decl(name=name, shape=(), dtype=dtype):
                declared[name] += 1
                if dtype.is_integer:
                    integers.add(name)
        match node:
            case Assign(target=Var(name=copy), value=Var(name=name)) | Decl(name=copy, init=Var(name=name)):
                views[name] += 1
                copies.append((name, copy))
    for name, copy in reversed(copies):
        types.setdefault(name, set()).update(types.get(copy, ()))
    return {
        name: dtype
        for name in integers & types.keys()
        for dtype in types[name]
        if len(types[name]) == declared[name] == 1 and seen[name] == views[name] + targets[name]
    }


def _otherwise_set(node: object, types: dict[str, DType]) -> tuple[str, ...]:
    """The variables of these that the statement sets to what is not of their new type, or copies as words."""
    match node:
        case Assign(target=Var(name=name), value=value) | Decl(name=name, init=Expr() as value):
            pass
        case Collective(target=Var(name=name), args=(value, *_)):
            pass
        case _:
            return ()
    if isinstance(value, Var) and (name in types or value.name in types):
        return () if types.get(name) == types.get(value.name) else (name, value.name)
    return (name,) if name in types and isinstance(bitcast(value, types[name]), Bitcast) else ()


def _retyped(function: Function, types: dict[str, DType]) -> Function:
    def as_meant(stmt: Stmt) -> Stmt:
        match stmt:
            case Assign(target=Var(name=name) as var, value=value) if name in types:
                dtype = types[name]
                return replace(stmt, target=replace(var, dtype=dtype), value=bitcast(value, dtype))
            case Collective(target=Var(name=name) as var, args=(value, *rest)) if name in types:
                dtype = types[name]
                return replace(stmt, target=replace(var, dtype=dtype), args=(bitcast(value, dtype), *rest))
            case Decl(name=name, init=init) if name in types:
                new = bitcast(init, types[name]) if isinstance(init, Expr) else init
                return replace(stmt, dtype=types[name], init=new)
        return stmt

    def read(expr: Expr) -> Expr:
        match expr:
            case Bitcast(operand=Var(name=name) as var) if name in types:
                return replace(var, dtype=types[name])
        return expr

    body = map_expr(map_stmt(function.body, as_meant), read)
    assert isinstance(body, Block)
    return replace(function, body=body)
