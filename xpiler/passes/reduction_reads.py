"""Which elements of small arrays a statement reads, where it does more than reduce.

    for warp in 0..8: for lane in 0..32:
      v = s[warp][lane]                           reads s[0] of the 256 elements: v is used for no other
      if (warp * 32 + lane == 0) scale = rsqrt(v / n)

Counters run through their numbers, and conditions on them hold or do not; everything else is data. An element
that is only kept in a variable is read when the variable is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from xpiler.ir.nodes import (
    Assign,
    Atomic,
    Binary,
    Decl,
    Expr,
    If,
    Instr,
    Load,
    Ref,
    Select,
    Stmt,
    Var,
    While,
)
from xpiler.ir.rewrite import children
from xpiler.passes.reduction_steps import (
    OPAQUE,
    Machine,
    Opaque,
    Place,
    Reduced,
    Unknown,
    Value,
    computed,
)

_STEPS = 5_000


def elements_read(stmt: Stmt, shapes: Mapping[str, tuple[int, ...]]) -> set[Place] | None:
    """The elements whose values at the start may be read; None if only running it would tell."""
    reader = _Reader(dict(shapes))
    try:
        reader.step(stmt)
    except Unknown:
        return None
    return reader.read


def elements_written(stmt: Stmt, shapes: Mapping[str, tuple[int, ...]]) -> set[Place]:
    """The elements that are written whatever the data are; none if only running it would tell."""
    reader = _Reader(dict(shapes))
    try:
        reader.step(stmt)
    except Unknown:
        return set()
    return reader.written


@dataclass
class _Reader(Machine):
    kept: dict[str, Place] = field(default_factory=dict)  # variables that hold an element
    doubtful: int = 0  # conditions around that depend on data

    def step(self, stmt: Stmt) -> None:
        self.steps += 1
        if self.steps > _STEPS:
            raise Unknown("too many steps")
        match stmt:
            case Decl(name=name, shape=(), init=Load() as init) if init.array in self.shapes:
                place = self.place(init)
                if place not in self.written:
                    self.kept[name] = place
                self.scalars[name] = OPAQUE
            case Decl(name=name, shape=(), init=init):
                self.kept.pop(name, None)
                self.scalars[name] = self.value(init) if isinstance(init, Expr) else OPAQUE
            case Decl(name=name, shape=shape):
                self.declare(name, shape)
            case Assign(target=target, value=value, reduce=reduce):
                new = self.value(value)
                if reduce is not None:
                    self.value(target)
                    new = OPAQUE
                self._assign(target, new)
            case If(condition=condition, then=then, otherwise=otherwise):
                holds = self.value(condition)
                if not isinstance(holds, (Opaque, Reduced)):
                    return self.run((then if holds else otherwise).body)
                self.doubtful += 1
                self.run(then.body)
                self.run(otherwise.body)
                self.doubtful -= 1
            case While() | Atomic() | Instr():
                raise Unknown(type(stmt).__name__)
            case _:
                super().step(stmt)

    def _assign(self, target: Load | Var, new: Value) -> None:
        if isinstance(target, Var):
            self.kept.pop(target.name, None)
            self.scalars[target.name] = OPAQUE if self.doubtful else new
        elif target.array not in self.shapes:
            for index in target.index:
                self.value(index)
        elif not self.doubtful:
            self.written.add(self.place(target))

    def value(self, expr: Expr) -> Value:
        match expr:
            case Var(name=name):
                if name in self.kept:
                    self.read.add(self.kept[name])
                return self.scalars.get(name, OPAQUE)
            case Load(array=array):
                if array not in self.shapes:
                    return self._data(expr)
                place = self.place(expr)
                if place not in self.written:
                    self.read.add(place)
                return OPAQUE
            case Ref(array=array):
                if array in self.shapes:
                    raise Unknown("an array as a whole")
                return self._data(expr)
            case Binary(op="&&" | "||" as op, left=left, right=right):
                first = self.value(left)
                if not isinstance(first, (Opaque, Reduced)) and bool(first) == (op == "||"):
                    return bool(first)
                second = self.value(right)
                if isinstance(first, (Opaque, Reduced)) or isinstance(second, (Opaque, Reduced)):
                    return OPAQUE
                return bool(second)
            case Select(condition=condition, then=then, otherwise=otherwise):
                holds = self.value(condition)
                if not isinstance(holds, (Opaque, Reduced)):
                    return self.value(then if holds else otherwise)
                self.value(then)
                self.value(otherwise)
                return OPAQUE
        below = [self.value(c) for c in children(expr) if isinstance(c, Expr)]
        if any(isinstance(value, (Opaque, Reduced)) for value in below):
            return OPAQUE
        try:
            return computed(expr, *below) if below else super().value(expr)
        except Unknown:
            return OPAQUE

    def _data(self, expr: Expr) -> Value:
        for child in children(expr):
            if isinstance(child, Expr):
                self.value(child)
        return OPAQUE
