"""Running reduction steps on symbols: what each element of a small array holds after shuffles and trees.

    for t in 0..4: s[t] = s[t] + s[t ^ 2]; ...      after all steps   s[0] = + over {s[0], s[1], s[2],
    s[3]} at the start

Every thread and every step is executed, with concrete indices and symbolic values: a value is a
reduction of one operator
over a set of start elements of one array. No pattern of the text matters: shuffle trees, butterflies,
shared-memory trees and mixtures all end in the same set.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

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
from xpiler.passes.folds import chosen_extreme, kept_extreme
from xpiler.passes.structured import spliced

OPERATORS = frozenset({"+", "*", "max", "min", "&", "|", "^"})
IDEMPOTENT = frozenset({"max", "min", "&", "|"})
_STEPS = 400_000


class Unknown(Exception):
    """The statement does something that is not a reduction step."""


@dataclass(frozen=True)
class Reduced:
    """`op` over the start values of the elements of `array` in the bit set `members`, and constants; a
    single element has op ""."""

    op: str
    array: str
    members: int
    constants: tuple[int | float, ...] = ()


@dataclass(frozen=True)
class Opaque:
    """Some value that is no reduction; fine as long as nobody needs it."""


@dataclass(frozen=True)
class Rescaled:
    """The sum of the start elements of `array` in `members`, each times e^(rate * (its peak - the largest
    peak)). Peaks are the elements of `peaks` of the same numbers."""

    array: str
    peaks: Reduced  # the largest of them
    members: int
    call: Call  # an exponential as the steps have it
    scale: Expr  # what a difference of peaks is multiplied by before it
    guarded: bool  # nothing of a lane whose peak is -inf


Value = int | float | bool | Reduced | Opaque
Result = Value | Rescaled
OPAQUE = Opaque()
Place = tuple[str, int]


class State(Protocol):
    """What steps leave behind."""

    @property
    def arrays(self) -> Mapping[Place, Result]: ...
    @property
    def scalars(self) -> Mapping[str, Result]: ...


@dataclass
class Machine:
    """Memory of one block: arrays by element, scalars by name. What was not set here has its start value."""

    shapes: dict[str, tuple[int, ...]]
    arrays: dict[Place, Value] = field(default_factory=dict)
    scalars: dict[str, Value] = field(default_factory=dict)
    read: set[Place] = field(default_factory=set)  # start values that were needed
    written: set[Place] = field(default_factory=set)
    accumulated: frozenset[str] = frozenset()  # arrays that are only ever added to: what is opaque stays it
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
                self.scalars[name] = OPAQUE if not isinstance(init, Expr) else self.value(init)
            case Decl(name=name, shape=shape, init=init_values, dtype=dtype):
                self.declare(name, shape)
                if init_values == ():
                    total = 1
                    for extent in self.shapes[name]:
                        total *= extent
                    for n in range(total):
                        self.arrays[name, n] = convert(0, dtype)
                elif init_values is not None:
                    raise Unknown("initialised array")
            case Assign(target=target, value=value, reduce=reduce):
                new = self.value(value)
                if reduce is not None:
                    new = combine(reduce, self.value(target), new, target)
                if isinstance(target, Var):
                    if target.name not in self.scalars:
                        raise Unknown(target.name)
                    self.scalars[target.name] = new
                else:
                    product = isinstance(value, Binary) and value.op == "*"
                    if product and target.array in self.accumulated and isinstance(new, Opaque):
                        raise Unknown("a sum of products of data")
                    place = self.place(target)
                    self.arrays[place] = new
                    self.written.add(place)
            case For(var=var, start=start, stop=stop, step=step, body=body_block):
                first, last, by = (self.number(e) for e in (start, stop, step))
                for i in range(first, last, by):
                    self.scalars[var] = i
                    self.run(body_block.body)
            case While(condition=condition, body=body_block, do_while=False, advance=advance):
                while self.number(condition):
                    self.run(body_block.body)
                    self.run(advance.body)
                    self.steps += 1
                    if self.steps > _STEPS:
                        raise Unknown("too many steps")
            case If() if (better := kept_extreme(stmt)) is not None:
                self.step(better)
            case If(condition=condition, then=then, otherwise=otherwise):
                self.run((then if self.number(condition) else otherwise).body)
            case _:
                raise Unknown(type(stmt).__name__)

    def declare(self, name: str, shape: Sequence[Expr]) -> None:
        extents = [self.number(e) for e in shape]
        self.shapes[name] = tuple(extents)
        for place in [p for p in self.arrays if p[0] == name]:
            del self.arrays[place]

    def place(self, load: Load) -> Place:
        shape = self.shapes.get(load.array)
        if shape is None:
            raise Unknown(load.array)
        index = [self.number(i) for i in load.index]
        if len(index) == 1:
            return load.array, index[0]
        if len(index) != len(shape):
            raise Unknown(load.array)
        offset = 0
        for i, extent in zip(index, shape, strict=True):
            if not 0 <= i < extent:
                raise Unknown("out of bounds")
            offset = offset * extent + i
        return load.array, offset

    def number(self, expr: Expr) -> int:
        value = self.value(expr)
        if isinstance(value, (Reduced, Opaque)):
            raise Unknown("control or an index depends on data")
        return int(value)

    def value(self, expr: Expr) -> Value:
        match expr:
            case Const(value=value):
                return value
            case Var(name=name):
                if name not in self.scalars:
                    raise Unknown(name)
                return self.scalars[name]
            case Load():
                place = self.place(expr)
                if place not in self.arrays:
                    self.read.add(place)
                    if place[1] < 0:
                        raise Unknown("out of bounds")
                    self.arrays[place] = Reduced("", place[0], 1 << place[1])
                return self.arrays[place]
            case Select() if (extreme := chosen_extreme(expr)) is not None:
                op, left, right = extreme
                return combine(op, self.value(left), self.value(right), left)
            case Select(condition=condition, then=then, otherwise=otherwise):
                return self.value(then if self.number(condition) else otherwise)
            case Cast(operand=operand):
                inner = self.value(operand)
                if isinstance(inner, (Reduced, Opaque)):
                    return inner if operand.dtype == expr.dtype else OPAQUE
                return computed(expr, inner)
            case Binary(op="&&", left=left, right=right):
                return bool(self.number(left)) and bool(self.number(right))
            case Binary(op="||", left=left, right=right):
                return bool(self.number(left)) or bool(self.number(right))
            case Binary(left=left, right=right) | Call(function="max" | "min", args=(left, right)):
                return computed(expr, self.value(left), self.value(right))
            case Unary(op="!", operand=operand):
                return computed(expr, self.number(operand))
            case Unary(op="-", operand=operand):
                inner = self.value(operand)
                return OPAQUE if isinstance(inner, (Reduced, Opaque)) else computed(expr, inner)
        raise Unknown(type(expr).__name__)


def computed(expr: Expr, *operands: Value) -> Value:
    """An operation on values: of one operand on a number."""
    match expr, operands:
        case Binary(op=op, left=left), (first, second):
            return combine(op, first, second, left)
        case Call(function="max" | "min" as op, args=(left, _)), (first, second):
            return combine(op, first, second, left)
        case Cast(dtype=dtype), (int() | float() as number,):
            return convert(number, dtype)
        case Unary(op="!"), (int() | float() as number,):
            return not int(number)
        case Unary(op="-", dtype=dtype), (int() | float() as number,):
            return convert(-number, dtype)
    raise Unknown(type(expr).__name__)


def combine(op: str, left: Value, right: Value, typed: Expr) -> Value:
    """Reassociation and commutation are taken to be allowed for the operators of reductions."""
    symbolic = [v for v in (left, right) if isinstance(v, Reduced)]
    if isinstance(left, Opaque) or isinstance(right, Opaque):
        return OPAQUE
    if not symbolic:
        assert not isinstance(left, Reduced) and not isinstance(right, Reduced)
        if op in ("max", "min"):
            return max(left, right) if op == "max" else min(left, right)
        result = evaluate(op, left, right, typed.dtype)
        return OPAQUE if result is None else result
    if op not in OPERATORS or any(v.op not in ("", op) for v in symbolic):
        return OPAQUE
    first = symbolic[0]
    members, constants = first.members, first.constants
    if len(symbolic) == 2:
        second = symbolic[1]
        if second.array != first.array or (first.members & second.members and op not in IDEMPOTENT):
            return OPAQUE
        members |= second.members
        constants += second.constants
    else:
        constant = right if isinstance(left, Reduced) else left
        assert not isinstance(constant, (Reduced, Opaque))
        if neutral(op, constant):
            return first
        constants = (*constants, constant)
    if op in IDEMPOTENT:
        constants = tuple(sorted(set(constants)))
    return Reduced(op, first.array, members, constants)


def neutral(op: str, constant: int | float) -> bool:
    """Whether combining with the constant changes nothing."""
    match op:
        case "+" | "|" | "^":
            return constant == 0
        case "*":
            return constant == 1
        case "max":
            return constant == float("-inf")
        case "min":
            return constant == float("inf")
    return False
