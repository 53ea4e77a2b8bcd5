"""Products of matrices that are summed in one loop get a loop each.

    for m, n:  g = u = 0                                             for m, n:  g = u = 0
      for k:  g += x[m, k] * a[k, n];  u += x[m, k] * b[k, n]  -->     for k:  g += x[m, k] * a[k, n]
      C[m, n] = f(g, u)                                                for k:  u += x[m, k] * b[k, n]
                                                                       C[m, n] = f(g, u)

Only where each sum is a product over two of the independent loops around it: an instruction does each then,
and what they share is read twice, which other sums would do for nothing.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations

from xpiler.ir.nodes import Assign, Block, Decl, Expr, For, Function, Stmt, Var
from xpiler.ir.rewrite import free_vars, map_body
from xpiler.passes.arranged_products import built, nest_of
from xpiler.passes.contraction import match, without_values
from xpiler.passes.guards import fold_guards


def separate_products(function: Function) -> Function:
    """All nests of the function."""

    def change(stmt: Stmt) -> Stmt:
        return (_separated(stmt, function) or stmt) if isinstance(stmt, For) else stmt

    return map_body(function, change)


def _separated(outer: For, function: Function) -> For | None:
    nest, body = nest_of(outer)
    if len(nest) < 2:
        return None
    alone = {id(s): loops for s in body if isinstance(s, For) and (loops := _each_alone(s))}
    if not alone:
        return None
    apart = built(nest, tuple(each for s in body for each in alone.get(id(s), (s,))))
    # What lies beyond a guard in both factors of a sum is cut off once the sum is alone.
    (cut,) = fold_guards(replace(function, body=Block((apart,)))).body.body
    if not isinstance(cut, For):
        return None
    nest, body = nest_of(cut)
    starts = {s.name: s for s in body if isinstance(s, Decl)}
    for stmt in body:
        if not isinstance(stmt, For):
            continue
        (name,) = _sums(stmt) or ("",)
        if name not in starts:
            return None
        one = (starts[name], stmt)
        if not any(match(built(pair, one)) for pair in permutations(nest, 2)):
            return None
    return cut


def _each_alone(loop: For) -> tuple[For, ...] | None:
    """The loop once for each sum in it, with the values that this one needs; None if it has only one, or
    does something else."""
    sums = _sums(loop)
    if sums is None or len(sums) < 2:
        return None
    return tuple(_keeping(loop, name) for name in sums)


def _sums(loop: For) -> tuple[str, ...] | None:
    """The scalars that a loop, or the only loop in it, adds to, if it does nothing else but find values."""
    match loop.body.body:
        case (For() as inner,):
            return _sums(inner)
    names: list[str] = []
    read: set[str] = set()
    for stmt in loop.body.body:
        match stmt:
            case Decl(shape=(), init=Expr() as value):
                read |= free_vars(value)
            case Assign(target=Var(name=name), value=value, reduce="+"):
                names.append(name)
                read |= free_vars(value)
            case _:
                return None
    return tuple(names) if len(set(names)) == len(names) and not read & set(names) else None


def _keeping(loop: For, name: str) -> For:
    match loop.body.body:
        case (For() as inner,):
            return replace(loop, body=Block((_keeping(inner, name),)))
    kept: list[Stmt] = []
    needed = {name}
    for stmt in reversed(loop.body.body):
        match stmt:
            case Decl(name=each, init=Expr() as value) if each in needed:
                needed |= free_vars(value)
                kept.append(stmt)
            case Assign(target=Var(name=each), value=value) if each == name:
                needed |= free_vars(value)
                kept.append(stmt)
    return replace(loop, body=without_values(Block(tuple(reversed(kept)))))
