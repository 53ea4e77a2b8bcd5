"""Arrays inside loops get sizes that are known where the function starts.

    for i in 0..n: { k = 2 * m; float t[k + 1]; ... }   -->   for i in 0..n: { float t[2 * m + 1]; ... }
    for i in 0..n: { float t[i + 1]; ... }              -->   for i in 0..n: { float t[n]; ... }

So that whoever has no room for them in the loop can take memory for all iterations before it. A size that
differs between the iterations becomes the largest one. Applies where the size follows from the function's
sizes and the counters of the loops around; not where it is read from memory.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from xpiler.ir.affine import simplify
from xpiler.ir.build import add, binary, cast, const, maximum, minimum, mul, neg, sub
from xpiler.ir.nodes import (
    Binary,
    Block,
    Call,
    Cast,
    Const,
    Decl,
    Expr,
    For,
    Function,
    Load,
    Select,
    Stmt,
    Unary,
)
from xpiler.ir.nodes import Var as Variable
from xpiler.ir.rewrite import free_vars, map_expr, rebuild, substitute, walk
from xpiler.passes.extrema import named
from xpiler.passes.facts import mutable_vars
from xpiler.passes.structured import spliced


def with_sizes_at_start(function: Function) -> Function:
    """The function, each such size spelled out over its parameters and the names at its top."""
    mutable = mutable_vars(function)
    top = {s.name for s in spliced(function.body.body) if isinstance(s, Decl) and not s.shape}
    sizes = ({p.name for p in function.params if not p.is_pointer} | top) - mutable
    body = _Scope(frozenset(sizes), mutable).block(function.body, top=True)
    return function if body == function.body else replace(function, body=body)


@dataclass
class _Scope:
    """What a place of the function knows: named values, and the ends of the counters around it."""

    sizes: frozenset[str]
    mutable: frozenset[str]
    named: dict[str, Expr] = field(default_factory=dict)
    ends: Mapping[str, tuple[Expr | None, Expr | None]] = field(default_factory=dict)

    def block(self, block: Block, top: bool = False) -> Block:
        inner = replace(self, named=dict(self.named))
        return Block(tuple(inner.stmt(s, top) for s in block.body), range=block.range)

    def stmt(self, stmt: Stmt, top: bool) -> Stmt:
        match stmt:
            case Block() if top:
                return Block(tuple(self.stmt(s, top) for s in stmt.body), range=stmt.range)
            case Decl(name=name, shape=(), init=Expr() as init):
                if not top and name not in self.mutable:
                    self.named[name] = self.spelled(init)
                return stmt
            case Decl(shape=shape) if shape:
                return replace(stmt, shape=tuple(map(self.size, shape)))
            case For():
                return replace(stmt, body=self.inside(stmt).block(stmt.body))
        return self.parts(stmt)

    def parts(self, stmt: Stmt) -> Stmt:
        def change(child: Any, _: str) -> Any:
            return self.block(child) if isinstance(child, Block) else child

        changed: Stmt = rebuild(stmt, change)
        return changed

    def inside(self, loop: For) -> _Scope:
        upwards = isinstance(loop.step, Const) and loop.step.value > 0
        low = self.end(self.spelled(loop.start), False) if upwards else None
        stop = self.end(self.spelled(loop.stop), True) if upwards else None
        ends = low, None if stop is None else sub(stop, const(1, stop.dtype))
        return replace(self, ends={**self.ends, loop.var: ends})

    def spelled(self, value: Expr) -> Expr:
        return map_expr(substitute(value, self.named), named)

    def size(self, extent: Expr) -> Expr:
        if free_vars(extent) <= self.sizes:
            return extent
        largest = self.end(self.spelled(extent), True)
        return extent if largest is None else cast(simplify(largest), extent.dtype)

    def end(self, value: Expr, high: bool) -> Expr | None:
        """The largest value over all iterations, or the smallest one; None if that is not known."""
        if free_vars(value) <= self.sizes:
            return None if any(isinstance(e, Load) for e in walk(value)) else value
        match value:
            case Variable(name=name):
                return self.ends.get(name, (None, None))[high]
            case Cast(operand=operand) if value.dtype.is_integer and operand.dtype.is_integer:
                inner = self.end(operand, high)
                return None if inner is None else cast(inner, value.dtype)
            case Call(function="min" | "max" as name, args=(left, right)) if value.dtype.is_integer:
                a, b = self.end(left, high), self.end(right, high)
                if name == ("min" if high else "max") and (a is None or b is None):
                    return a if b is None else b  # the other one alone is an end, too
                if a is None or b is None:
                    return None
                return minimum(a, b) if name == "min" else maximum(a, b)
            case Select(then=then, otherwise=otherwise) if value.dtype.is_integer:
                a, b = self.end(then, high), self.end(otherwise, high)
                if a is None or b is None:
                    return None
                return maximum(a, b) if high else minimum(a, b)
            case Unary(op="-", operand=operand) if value.dtype.is_integer:
                inner = self.end(operand, not high)
                return None if inner is None else neg(inner)
            case Binary(op="+" | "-" as op, left=left, right=right) if value.dtype.is_integer:
                a, b = self.end(left, high), self.end(right, high == (op == "+"))
                return None if a is None or b is None else (add if op == "+" else sub)(a, b)
            case Binary(op="*", left=left, right=right) if value.dtype.is_integer:
                return self.product(left, right, high)
            case Binary(op="/" | "|" as op, left=left, right=Const(value=by) as right) if by > 0:
                inner = self.end(left, high)
                return None if inner is None else binary(op, inner, right)
        return None

    def product(self, left: Expr, right: Expr, high: bool) -> Expr | None:
        """Of something that differs between iterations and something that does not, of whatever sign."""
        if free_vars(left) <= self.sizes:
            left, right = right, left
        factor = self.end(right, high) if free_vars(right) <= self.sizes else None
        if factor is None:
            return None
        ends = self.end(left, high), self.end(left, not high)
        if isinstance(factor, Const):
            end = ends[0] if factor.value >= 0 else ends[1]
            return None if end is None else mul(end, factor)
        if ends[0] is None or ends[1] is None:
            return None
        return (maximum if high else minimum)(mul(ends[0], factor), mul(ends[1], factor))
