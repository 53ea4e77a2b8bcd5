"""Integers that move with loops: their value in one iteration, and by how much each loop's next one differs.

row * 64 + col, row = 3 in loop 1, col = 5 in loop 2   -->   197, by 64 in loop 1 and by 1 in loop 2
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from xpiler.ir.nodes import Binary, Call, Cast, Const, Expr, Select, Unary, Var


@dataclass(frozen=True)
class Moving:
    """`by`: numbers of loops, each with the difference that an iteration makes."""

    value: int
    by: tuple[tuple[int, int], ...] = ()

    def plus(self, other: Moving) -> Moving:
        if not other.by:
            return Moving(self.value + other.value, self.by)
        steps = dict(self.by)
        for loop, step in other.by:
            steps[loop] = steps.get(loop, 0) + step
        return Moving(self.value + other.value, tuple((k, s) for k, s in steps.items() if s))

    def times(self, factor: int) -> Moving:
        return Moving(self.value * factor, tuple((k, s * factor) for k, s in self.by) if factor else ())


Value = Moving | None
"""None: nothing is known, data decide."""


def calculated(expr: Expr, known: Mapping[str, Value]) -> Value:
    """An integer or truth value, with the variables that are known."""
    match expr:
        case Const(value=value):
            return None if expr.dtype.is_float else Moving(int(value))
        case Var(name=name):
            return known.get(name)
        case Cast(operand=operand):
            return None if expr.dtype.is_float or operand.dtype.is_float else calculated(operand, known)
        case Unary(op=op, operand=operand):
            return _unary(op, calculated(operand, known))
        case Binary(op=op, left=left, right=right):
            return _binary(op, calculated(left, known), calculated(right, known))
        case Select(condition=condition, then=then, otherwise=otherwise):
            chosen = calculated(condition, known)
            return None if chosen is None else calculated(then if chosen.value else otherwise, known)
        case Call(function="min" | "max" as name, args=args):
            values = [calculated(arg, known) for arg in args]
            there = [value for value in values if value is not None]
            if len(there) < len(values) or not there:
                return None
            return (min if name == "min" else max)(there, key=lambda one: one.value)
    return None


def _unary(op: str, value: Value) -> Value:
    if value is None:
        return None
    if op == "-":
        return value.times(-1)
    return Moving(int(not value.value)) if op == "!" else Moving(~value.value)


def _binary(op: str, left: Value, right: Value) -> Value:
    if op in ("&&", "||"):  # one side may decide
        for side in (left, right):
            if side is not None and bool(side.value) == (op == "||"):
                return Moving(int(op == "||"))
    if left is None or right is None:
        return None
    match op:
        case "+":
            return left.plus(right)
        case "-":
            return left.plus(right.times(-1))
        case "*" if not right.by:
            return left.times(right.value)
        case "*" if not left.by:
            return right.times(left.value)
        case "<<" if not right.by and right.value < 64:
            return left.times(1 << max(0, right.value))
        case "/" | "%" | ">>":
            return _divided(op, left, right)
    operation = _PLAIN.get(op)
    return Moving(int(operation(left.value, right.value))) if operation else None


def _divided(op: str, left: Moving, right: Moving) -> Value:
    """Quotient and rest. Steps that the divisor does not divide are those between whole quotients, or of
    rests that do not wrap."""
    divisor = 1 << max(0, min(right.value, 62)) if op == ">>" else right.value
    if not divisor:
        return None
    quotient = abs(left.value) // abs(divisor) * (1 if (left.value < 0) == (divisor < 0) else -1)
    if op == "%":
        rest = tuple((k, s) for k, s in left.by if abs(s) % abs(divisor))
        return Moving(left.value - quotient * divisor, rest)
    whole = tuple((k, s // divisor) for k, s in left.by if abs(s) >= abs(divisor))
    return Moving(quotient, whole)


_PLAIN: dict[str, Callable[[int, int], int | bool]] = {
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "&&": lambda a, b: bool(a) and bool(b),
    "||": lambda a, b: bool(a) or bool(b),
    "&": lambda a, b: a & b,
    "|": lambda a, b: a | b,
    "^": lambda a, b: a ^ b,
    "*": lambda a, b: a * b,
}
