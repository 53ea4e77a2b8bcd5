"""Powers of two that are put together from their bits become `exp2`, which every target has.

    n = rint(min(max(x, -87), 88) * 1.44f)
    y = n != n ? n : ldexp(p, (int)floor(n))                      -->    y = p * exp2(floor(n))
    y = p * as_float(((n in the range of int ? (int)n : ...) + 127) << 23)   -->    y = p * exp2(n)

Only where limits on the way show that the exponent is that of a normal number, so that both are the same.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

from xpiler.ir.nodes import (
    Assign,
    Binary,
    Bitcast,
    Block,
    Call,
    Cast,
    Const,
    Decl,
    Expr,
    Function,
    Select,
    Stmt,
    Unary,
    Var,
)
from xpiler.ir.rewrite import map_expr, map_stmt, uses, walk
from xpiler.ir.types import F32

Interval = tuple[float, float]  # of a number, not NaN
_NORMAL = (-126.0, 127.0)  # exponents of normal numbers of f32


def powers_of_two(function: Function) -> Function:
    """In every list of statements of a plain function."""
    if not function.is_serial or not _has_candidates(function):
        return function

    def change(stmt: Stmt) -> Stmt:
        return _Straight().block(stmt) if isinstance(stmt, Block) else stmt

    body = map_stmt(function.body, change)
    assert isinstance(body, Block)
    return function if body == function.body else replace(function, body=body)


def _has_candidates(function: Function) -> bool:
    return any(
        isinstance(n, Bitcast) or (isinstance(n, Call) and n.function == "ldexp") for n in walk(function.body)
    )


@dataclass
class _Straight:
    """Ranges of the scalars of one block, as its statements go."""

    ranges: dict[str, Interval] = field(default_factory=dict)
    integers: dict[str, Expr] = field(default_factory=dict)  # what integer scalars are

    def block(self, block: Block) -> Block:
        out: list[Stmt] = []
        for stmt in block.body:
            match stmt:
                case Decl(name=name, shape=(), init=Expr() as init):
                    init = map_expr(init, self.simpler)
                    out.append(replace(stmt, init=init))
                    self.note(name, init)
                case Assign(target=Var(name=name), value=value, reduce=None):
                    value = map_expr(value, self.simpler)
                    out.append(replace(stmt, value=value))
                    self.note(name, value)
                case Assign(value=value):
                    out.append(replace(stmt, value=map_expr(value, self.simpler)))
                    if isinstance(stmt.target, Var):
                        self.forget(stmt.target.name)
                case _:
                    out.append(stmt)
                    for name in uses(stmt).vars_assigned:
                        self.forget(name)
        return replace(block, body=tuple(out))

    def note(self, name: str, value: Expr) -> None:
        self.integers = {k: v for k, v in self.integers.items() if k != name and name not in _read(v)}
        if value.dtype.is_integer and name not in _read(value):
            self.integers[name] = value
        found = self.range(value)
        if found is None:
            self.ranges.pop(name, None)
        else:
            self.ranges[name] = found

    def forget(self, name: str) -> None:
        """The variable has a value that is not followed."""
        self.ranges.pop(name, None)
        self.integers = {k: v for k, v in self.integers.items() if k != name and name not in _read(v)}

    def simpler(self, expr: Expr) -> Expr:
        match expr:
            case Select(condition=Binary(op="!=", left=left, right=right)) if left == right and self.range(
                left
            ):
                return expr.otherwise  # no NaN
            case Select(condition=condition, then=then) if self.always(condition):
                return then
            case Call(function="ldexp", args=(value, Cast(operand=exponent))) if (
                expr.dtype is F32 and self.is_normal(exponent)
            ):
                return Binary(F32, "*", value, Call(F32, "exp2", (exponent,)))
            case Bitcast(operand=Var(name=name)) if name in self.integers:
                return (
                    self.simpler(replace(expr, operand=self.integers[name])) if self.is_power(name) else expr
                )
            case Bitcast(operand=Binary(op="<<", left=biased, right=Const(value=23))):
                power = self.unbiased(biased)
                if expr.dtype is F32 and power is not None and self.is_normal(power):
                    return Call(F32, "exp2", (power,))
        return expr

    def is_power(self, name: str) -> bool:
        match self.integers[name]:
            case Binary(op="<<", left=biased, right=Const(value=23)):
                power = self.unbiased(biased)
                return power is not None and self.is_normal(power)
        return False

    def unbiased(self, expr: Expr) -> Expr | None:
        """The float `n` of `(int)n + 127`."""
        while isinstance(expr, Cast) and expr.operand.dtype.is_integer:
            expr = expr.operand
        match expr:
            case Var(name=name) if name in self.integers:
                return self.unbiased(self.integers[name])
            case (
                Binary(op="+", left=left, right=Const(value=127))
                | Binary(op="+", left=Const(value=127), right=left)
            ):
                while isinstance(left, Var) and left.name in self.integers:
                    left = self.integers[left.name]
                return _whole(left)
        return None

    def is_normal(self, exponent: Expr) -> bool:
        found = self.range(exponent)
        return found is not None and _NORMAL[0] <= found[0] and found[1] <= _NORMAL[1]

    def always(self, condition: Expr) -> bool:
        match condition:
            case Binary(op="&&", left=left, right=right):
                return self.always(left) and self.always(right)
            case Binary(op=">=" | "<" as op, left=left, right=Const(value=limit)) if left.dtype.is_float:
                found = self.range(left)
                if found is None:
                    return False
                return found[0] >= limit if op == ">=" else found[1] < limit
        return False

    def range(self, expr: Expr) -> Interval | None:
        """Between which numbers a float lies, None if it may be NaN or is not known."""
        if not expr.dtype.is_float:
            return None
        match expr:
            case Const(value=value):
                return (float(value), float(value)) if not math.isnan(value) else None
            case Var(name=name):
                return self.ranges.get(name)
            case Unary(op="-", operand=operand):
                inner = self.range(operand)
                return None if inner is None else (-inner[1], -inner[0])
            case Call(function="max" | "min" as function, args=(first, second)):
                return self.limited(function, first, second)
            case Call(function="rint" | "floor" | "ceil" | "trunc", args=(operand,)):
                inner = self.range(operand)
                return None if inner is None else (math.floor(inner[0]), math.ceil(inner[1]))
            case Call(function="fma", args=(a, b, c)):
                product = self.combined("*", a, b)
                rest = self.range(c)
                return (
                    None if product is None or rest is None else (product[0] + rest[0], product[1] + rest[1])
                )
            case Binary(op="+" | "-" | "*" as op, left=left, right=right):
                return self.combined(op, left, right)
        return None

    def limited(self, function: str, first: Expr, second: Expr) -> Interval | None:
        """`max` and `min` take the operand that is a number: one limit that is one is enough for its side."""
        one, other = self.range(first), self.range(second)
        if one is None and other is None:
            return None
        known = [r for r in (one, other) if r is not None]
        if function == "max":
            low = max(r[0] for r in known)
            return (low, max(r[1] for r in known) if len(known) == 2 else math.inf)
        high = min(r[1] for r in known)
        return (min(r[0] for r in known) if len(known) == 2 else -math.inf, high)

    def combined(self, op: str, left: Expr, right: Expr) -> Interval | None:
        one, other = self.range(left), self.range(right)
        if one is None or other is None or not all(map(math.isfinite, (*one, *other))):
            return None
        if op == "+":
            return one[0] + other[0], one[1] + other[1]
        if op == "-":
            return one[0] - other[1], one[1] - other[0]
        ends = [a * b for a in one for b in other]
        return min(ends), max(ends)


def _read(expr: Expr) -> frozenset[str]:
    return frozenset(n.name for n in walk(expr) if isinstance(n, Var))


def _whole(expr: Expr) -> Expr | None:
    """The float of which an integer is the whole number."""
    match expr:
        case Cast(operand=Call(function="rint" | "floor" | "ceil" | "trunc") as operand) if (
            operand.dtype is F32
        ):
            return operand
    return None
