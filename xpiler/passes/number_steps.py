"""Running steps on numbers: what elements of small arrays hold afterwards, and which ones they come from.

Conditions may depend on data: the side that the numbers choose is run. Where a number of the text decides, no
draw tells what other data do, so that such steps are refused; start values beyond all data are none.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from xpiler.ir.build import convert, evaluate
from xpiler.ir.nodes import (
    Assign,
    Binary,
    Block,
    Call,
    Cast,
    Const,
    Decl,
    Expr,
    For,
    If,
    Load,
    Select,
    Stmt,
    Unary,
    Var,
    While,
)
from xpiler.passes.later_peaks import EXPONENTIALS
from xpiler.passes.reduction_steps import Place, Unknown
from xpiler.passes.structured import spliced

_STEPS = 60_000
_BEYOND_DATA = 1e30  # a start value of a peak may be of this size


@dataclass(frozen=True)
class Datum:
    """A number that depends on start elements: those in the bit set `origins`."""

    value: float
    origins: int


Held = int | float | bool | Datum


@dataclass
class NumberRun:
    """The steps on numbers. Start values come from `drawn`; conditions may depend on data."""

    shapes: dict[str, tuple[int, ...]]
    places: dict[Place, int]  # which bit stands for a start element
    drawn: Callable[[str, int], float]
    arrays: dict[Place, Held] = field(default_factory=dict)
    scalars: dict[str, Held] = field(default_factory=dict)
    steps: int = 0

    def run(self, stmts: Sequence[Stmt]) -> None:
        for stmt in spliced(stmts):
            self.step(stmt)

    def step(self, stmt: Stmt) -> None:
        self.steps += 1
        if self.steps > _STEPS:
            raise Unknown("too many steps")
        match stmt:
            case Block(body=body):
                self.run(body)
            case Decl(name=name, shape=(), init=init):
                if isinstance(init, Expr):
                    self.scalars[name] = self.value(init)
                else:
                    self.scalars.pop(name, None)
            case Decl(name=name, shape=shape, init=None):
                self.shapes[name] = tuple(self.number(e) for e in shape)
                for place in [p for p in self.arrays if p[0] == name]:
                    del self.arrays[place]
            case Assign(target=target, value=value, reduce=reduce):
                new = self.value(value)
                if reduce is not None:
                    new = self.combined(reduce, self.value(target), new, target)
                if isinstance(target, Var):
                    self.scalars[target.name] = new
                else:
                    self.arrays[self.place(target)] = new
            case For(var=name, start=start, stop=stop, step=step, body=block):
                for i in range(*(self.number(e) for e in (start, stop, step))):
                    self.scalars[name] = i
                    self.run(block.body)
            case While(condition=condition, body=block, do_while=False, advance=advance):
                while self.number(condition):
                    self.steps += 1
                    self.run(block.body)
                    self.run(advance.body)
            case If(condition=condition, then=then, otherwise=otherwise):
                holds = self.value(condition)
                taken, other = (then, otherwise) if self.truth(holds) else (otherwise, then)
                if isinstance(holds, Datum):
                    self.either(holds, taken.body, other.body)
                else:
                    self.run(taken.body)
            case _:
                raise Unknown(type(stmt).__name__)

    def either(self, holds: Datum, taken: Sequence[Stmt], other: Sequence[Stmt]) -> None:
        """The side that the condition chooses; what either side sets comes from the condition, too."""
        arrays, scalars = dict(self.arrays), dict(self.scalars)
        self.run(other)
        places = {p for p, v in self.arrays.items() if v != arrays.get(p, self.start(p))}
        names = {n for n, v in self.scalars.items() if v != scalars.get(n)}
        self.arrays, self.scalars = dict(arrays), dict(scalars)
        self.run(taken)
        places |= {p for p, v in self.arrays.items() if v != arrays.get(p, self.start(p))}
        names |= {n for n, v in self.scalars.items() if v != scalars.get(n)}
        for place in places:
            value = self.arrays.get(place, self.start(place))
            self.arrays[place] = self._of(self.plain(value), holds, value)
        for name in names & self.scalars.keys():
            self.scalars[name] = self._of(self.plain(self.scalars[name]), holds, self.scalars[name])

    def start(self, place: Place) -> Datum:
        """What the element holds before all steps."""
        return Datum(self.drawn(*place), 1 << self.places.setdefault(place, len(self.places)))

    @staticmethod
    def plain(value: Held) -> float:
        return float(value.value if isinstance(value, Datum) else value)

    def place(self, load: Load) -> Place:
        shape = self.shapes.get(load.array)
        if shape is None:
            raise Unknown(load.array)
        index = [self.number(i) for i in load.index]
        if len(index) not in (1, len(shape)):
            raise Unknown(load.array)
        offset = 0
        for i, extent in zip(index, shape[-len(index) :], strict=True):
            if i < 0 or (i >= extent and len(index) > 1):
                raise Unknown("out of bounds")
            offset = offset * extent + i
        return load.array, offset

    def number(self, expr: Expr) -> int:
        value = self.value(expr)
        if isinstance(value, Datum):
            raise Unknown("control or an index depends on data")
        return int(value)

    @staticmethod
    def truth(value: Held) -> bool:
        return bool(value.value if isinstance(value, Datum) else value)

    def value(self, expr: Expr) -> Held:
        match expr:
            case Const(value=value):
                return value
            case Var(name=name):
                if name not in self.scalars:
                    if not expr.dtype.is_float:
                        raise Unknown(name)
                    self.scalars[name] = Datum(self.drawn(name, -1), 0)
                return self.scalars[name]
            case Load():
                place = self.place(expr)
                if place not in self.arrays:
                    self.arrays[place] = self.start(place)
                return self.arrays[place]
            case Select(condition=condition, then=then, otherwise=otherwise):
                holds = self.value(condition)
                if not isinstance(holds, Datum):
                    return self.value(then if holds else otherwise)
                chosen = self.value(then if holds.value else otherwise)
                return self._of(self.plain(chosen), holds, chosen)
            case Cast(operand=operand):
                inner = self.value(operand)
                if not isinstance(inner, Datum):
                    return convert(inner, expr.dtype)
                if not (expr.dtype.is_float and operand.dtype.is_float):
                    raise Unknown("a conversion of data")
                return inner
            case Binary(op="&&" | "||" as op, left=left, right=right):
                first = self.value(left)
                if self.truth(first) == (op == "||"):
                    return first
                second = self.value(right)
                return self._of(float(self.truth(second)), first, second)
            case Binary(op=op, left=left, right=right):
                return self.combined(op, self.value(left), self.value(right), left)
            case Call(function="max" | "min" as op, args=(left, right)):
                return self.combined(op, self.value(left), self.value(right), left)
            case Call(function="fma", args=(left, right, added)):
                product = self.combined("*", self.value(left), self.value(right), left)
                return self.combined("+", product, self.value(added), left)
            case Call(function=function, args=(argument,)) if function in EXPONENTIALS:
                inner = self.value(argument)
                power = EXPONENTIALS[function] * self.plain(inner)
                return self._of(math.exp(power) if power < 700 else math.inf, inner)
            case Unary(op="!", operand=operand):
                inner = self.value(operand)
                return self._of(float(not self.truth(inner)), inner)
            case Unary(op="-", operand=operand):
                inner = self.value(operand)
                return Datum(-inner.value, inner.origins) if isinstance(inner, Datum) else -inner
        raise Unknown(type(expr).__name__)

    def combined(self, op: str, left: Held, right: Held, typed: Expr) -> Held:
        if not isinstance(left, Datum) and not isinstance(right, Datum):
            if op in ("max", "min"):
                return max(left, right) if op == "max" else min(left, right)
            if not typed.dtype.is_float:
                result = evaluate(op, left, right, typed.dtype)
                if result is None:
                    raise Unknown(op)
                return result
        elif op in ("max", "min", "<", "<=", ">", ">=", "==", "!="):
            for side in (left, right):
                if not isinstance(side, Datum) and abs(side) < _BEYOND_DATA:
                    raise Unknown("a number decides what data do")
        a, b = self.plain(left), self.plain(right)
        match op:
            case "max" | "min":
                found = max(a, b) if op == "max" else min(a, b)
            case "+" | "-":
                found = a + b if op == "+" else a - b
            case "*":
                found = a * b
            case "<" | "<=" | ">" | ">=" | "==" | "!=":
                found = float(bool(evaluate(op, a, b, typed.dtype)))
            case _:
                raise Unknown(op)
        return self._of(found, left, right)

    @staticmethod
    def _of(value: float, *sources: Held) -> Held:
        if not any(isinstance(s, Datum) for s in sources):
            return value
        origins = 0
        for source in sources:
            origins |= source.origins if isinstance(source, Datum) else 0
        return Datum(float(value), origins)
