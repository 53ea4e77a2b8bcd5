"""Memory whose extent the launch gives becomes an array for each part of it that begins at a size.

    float room[bytes / 4];                          float room_0[n], room_1[bytes / 4 - n];
    for j in 0..n: room[j] = ...             -->    for j in 0..n: room_0[j] = ...
    for t in 0..128: room[n + t] = ...              for t in 0..128: room_1[t] = ...

An index is a sum of sizes (parameters and their products), which says where its part begins, and of the
rest, which says where in the part. Applies where every index is shown to lie before the next part and not
before its own. Of a number that is only ever halved it is known that it stays between 0 and what it begins
with.
"""

from __future__ import annotations

from dataclasses import replace

from xpiler.ir.affine import Affine, linear, prove_le, prove_lt, simplify, to_expr
from xpiler.ir.build import cast, sub
from xpiler.ir.nodes import Assign, Atomic, Binary, Block, Const, Decl, Expr, Function, Load, Ref, Stmt, Var
from xpiler.ir.rewrite import map_stmt, walk, walk_stmts
from xpiler.ir.types import I32
from xpiler.passes.facts import Facts, Ranges
from xpiler.passes.names import Names
from xpiler.passes.placed import at_each_access

_MOST_PARTS = 6


def split_dynamic(function: Function) -> Function:
    """Every array of an extent that is known at run time only, where it is shown to be right."""
    names = Names(function)
    for decl in [s for s in walk_stmts(function.body) if isinstance(s, Decl) and _is_dynamic(s)]:
        if _is_read_flat(function, decl):
            starts = _starts(function, decl)
            if len(starts) > 1:
                function = _split(function, decl, starts, names)
    return function


def _is_dynamic(decl: Decl) -> bool:
    return len(decl.shape) == 1 and decl.init is None and not isinstance(decl.shape[0], Const)


def _is_read_flat(function: Function, decl: Decl) -> bool:
    for node in walk(function.body):
        match node:
            case Ref(array=array) | Atomic(place=Load(array=array)) if array == decl.name:
                return False
            case Load(array=array, index=index, dtype=dtype) if array == decl.name:
                if len(index) != 1 or dtype != decl.dtype:
                    return False
    return True


def _starts(function: Function, decl: Decl) -> list[Affine]:
    """Where the parts begin, in their order; empty if they are not shown to be apart."""
    fixed = {p.name for p in function.params if not p.is_pointer}
    halved = _halved(function)
    found: dict[Affine, list[tuple[Affine, Ranges]]] = {}
    unclear: list[Load] = []

    def visit(load: Load, facts: Facts) -> Load:
        if load.array == decl.name:
            form = linear(load.index[0])
            if form is None:
                unclear.append(load)
                return load
            known = {**facts.ranges, **halved}
            found.setdefault(_sizes(form, fixed - facts.mutable), []).append((form, known))
        return load

    at_each_access(function, visit)
    if unclear or not 1 < len(found) <= _MOST_PARTS:
        return []

    def is_below(first: Affine, second: Affine) -> bool:
        return all(prove_lt(form, second, known) for form, known in found[first])

    if not all(prove_le(start, form, known) for start, uses in found.items() for form, known in uses):
        return []
    order = sorted(found, key=lambda a: -sum(is_below(a, b) for b in found if b != a))
    pairs = [(a, b) for n, a in enumerate(order) for b in order[n + 1 :]]
    return order if all(is_below(a, b) for a, b in pairs) else []


def _sizes(form: Affine, fixed: frozenset[str] | set[str]) -> Affine:
    """The terms of an index that are products of parameters."""
    sizes = [
        (monomial, times)
        for monomial, times in form.terms
        if monomial and all(isinstance(atom, Var) and atom.name in fixed for atom in monomial)
    ]
    return Affine(tuple(sizes))


def _halved(function: Function) -> dict[str, tuple[int, int]]:
    """Numbers that begin with a constant and are only ever shifted right or divided."""
    begin = {
        s.name: int(s.init.value)
        for s in walk_stmts(function.body)
        if isinstance(s, Decl) and not s.shape and s.dtype.is_integer and isinstance(s.init, Const)
    }
    others: set[str] = set()
    for stmt in walk_stmts(function.body):
        match stmt:
            case Assign(target=Var(name=name), value=value, reduce=reduce):
                if reduce is not None or not _is_less(name, value):
                    others.add(name)
    return {name: (0, value) for name, value in begin.items() if value >= 0 and name not in others}


def _is_less(name: str, value: Expr) -> bool:
    match value:
        case Binary(op=">>" | "/", left=Var(name=same), right=Const(value=by)):
            return same == name and by >= 1
    return False


def _split(function: Function, decl: Decl, starts: list[Affine], names: Names) -> Function:
    fixed = {p.name for p in function.params if not p.is_pointer}
    own = {start: names.fresh(f"{decl.name}_{n}") for n, start in enumerate(starts)}

    def visit(load: Load, facts: Facts) -> Load:
        if load.array != decl.name:
            return load
        index = load.index[0]
        form = linear(index)
        assert form is not None
        start = _sizes(form, fixed - facts.mutable)
        rest = simplify(sub(index, to_expr(start, index.dtype)), facts.ranges) if start.terms else index
        return replace(load, array=own[start], index=(rest,))

    total = cast(decl.shape[0], I32)
    ends = [*(to_expr(s, I32) for s in starts[1:]), total]
    parts = tuple(
        replace(decl, name=own[start], shape=(simplify(sub(end, to_expr(start, I32))),))
        for start, end in zip(starts, ends, strict=True)
    )

    def change(stmt: Stmt) -> Stmt | tuple[Stmt, ...]:
        return parts if stmt == decl else stmt

    body = map_stmt(at_each_access(function, visit).body, change)
    assert isinstance(body, Block)
    return replace(function, body=body)
