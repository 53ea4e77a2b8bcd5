"""A loop over tiles and the loop over a tile's elements become one.

    for i in s..e step 256: {                      for x in s..e: c[x] = a[x]
        n = min(256, e - i);                 -->
        for j in 0..n: c[i + j] = a[i + j] }

The tiles may also be counted: `for t in 0..ceil(e / 256)` with `256 * t` for i.

Applies where the two counters occur as their sum only, so that the order of iterations stays the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from xpiler.ir.affine import coefficient, linear, prove_eq, simplify
from xpiler.ir.build import add, ceil_div, const, mul, sub
from xpiler.ir.nodes import (
    Binary,
    Block,
    Break,
    Call,
    Cast,
    Const,
    Continue,
    Decl,
    Expr,
    For,
    Function,
    Load,
    LoopKind,
    Select,
    Stmt,
    Var,
)
from xpiler.ir.rewrite import children, free_vars, map_body, map_expr, substitute, walk_exprs
from xpiler.passes.facts import mutable_vars
from xpiler.passes.structured import spliced
from xpiler.passes.sync import leaves_loop


def whole_loops(function: Function) -> Function:
    """Everywhere in the function, innermost tiles first."""
    mutable = mutable_vars(function)

    def change(stmt: Stmt) -> Stmt:
        return _whole(stmt, mutable) if isinstance(stmt, For) else stmt

    return map_body(function, change)


def _whole(tiles: For, mutable: frozenset[str]) -> For:
    counted = _by_places(tiles)
    if counted is not None:
        whole = _whole(counted, mutable)
        return tiles if whole is counted else whole
    *heads, inner = spliced(tiles.body.body)
    if not isinstance(inner, For) or inner.start != const(0, inner.dtype):
        return tiles
    if inner.step != const(1, inner.dtype) or not isinstance(tiles.step, Const) or int(tiles.step.value) < 2:
        return tiles
    if any(leaves_loop(s, (Break, Continue)) for s in (*heads, *inner.body.body)):
        return tiles
    names: dict[str, Expr] = {}
    for head in heads:
        if not isinstance(head, Decl) or head.shape or not isinstance(head.init, Expr):
            return tiles
        if head.name in mutable or any(isinstance(e, Load) for e in walk_exprs(head.init)):
            return tiles
        names[head.name] = substitute(head.init, names)
    if free_vars(inner.body) & set(names):
        return tiles
    stop = end_of_tiles(tiles, substitute(inner.stop, names))
    if stop is None or not all(_is_sum(e, tiles.var, inner.var) for e in _values(inner.body)):
        return tiles
    if {tiles.var, inner.var} & mutable:
        return tiles
    index = Var(tiles.dtype, tiles.var)
    body = substitute(inner.body, {inner.var: const(0, inner.dtype), tiles.var: index})
    kinds = {tiles.kind, inner.kind}
    kind = LoopKind.PARALLEL if kinds <= {LoopKind.PARALLEL, LoopKind.THREADS} else LoopKind.SERIAL
    return replace(tiles, stop=stop, step=const(1, tiles.dtype), body=body, kind=kind)


def _by_places(tiles: For) -> For | None:
    """Counted tiles as a loop over where they start; None if they are no such tiles."""
    if tiles.start != const(0, tiles.dtype) or tiles.step != const(1, tiles.dtype):
        return None
    match tiles.stop:
        case Binary(op="/", left=left, right=Const(value=size)) if int(size) > 1:
            end = simplify(sub(left, int(size) - 1))
        case _:
            return None
    number, start = Var(tiles.dtype, tiles.var), Var(tiles.dtype, f"{tiles.var}?start")

    def placed(expr: Expr) -> Expr:
        match expr:
            case Binary(op="*", left=left, right=Const(value=factor)) if left == number:
                return mul(start, int(factor) // int(size)) if int(factor) % int(size) == 0 else expr
        return expr

    body = map_expr(tiles.body, placed)
    if tiles.var in free_vars(body):
        return None
    body = substitute(body, {start.name: number})
    assert isinstance(body, Block)
    return replace(tiles, stop=end, step=const(int(size), tiles.dtype), body=body)


def end_of_tiles(tiles: For, length: Expr) -> Expr | None:
    """Where the elements of all tiles end, each `length` long; None if a tile is not what it has to be."""
    whole = tiles.step
    rest = sub(tiles.stop, Var(tiles.dtype, tiles.var))
    if prove_eq(length, whole):
        return add(tiles.start, mul(ceil_div(sub(tiles.stop, tiles.start), whole), whole))
    match _uncast(length):
        case Call(function="min", args=(first, second)):
            parts = (first, second)
        case Select(condition=Binary(op="<" | "<=", left=left, right=right), then=then, otherwise=other):
            if not (prove_eq(left, then) and prove_eq(right, other)):
                return None
            parts = (then, other)
        case Select(condition=Binary(op=">" | ">=", left=left, right=right), then=then, otherwise=other):
            if not (prove_eq(left, other) and prove_eq(right, then)):
                return None
            parts = (then, other)
        case _:
            return None
    for this, other in (parts, parts[::-1]):
        if prove_eq(this, whole) and prove_eq(other, rest):
            return tiles.stop
    return None


def _uncast(expr: Expr) -> Expr:
    return _uncast(expr.operand) if isinstance(expr, Cast) and expr.operand.dtype.is_integer else expr


def _values(node: Stmt | Expr) -> Iterator[Expr]:
    """The outermost integer expressions."""
    for child in children(node):
        if isinstance(child, Expr) and child.dtype.is_integer and linear(child) is not None:
            if isinstance(child, (Load, Select)) or child.dtype.bits < 32:
                yield from _values(child)
            else:
                yield child
                yield from (v for e in walk_exprs(child) if isinstance(e, Load) for v in _values(e))
        elif isinstance(child, (Expr, Stmt)):
            yield from _values(child)


def _is_sum(expr: Expr, outer: str, inner: str) -> bool:
    if not free_vars(expr) & {outer, inner}:
        return True
    steps = coefficient(expr, outer), coefficient(expr, inner)
    return steps[0] is not None and steps[0] == steps[1]
