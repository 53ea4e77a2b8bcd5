"""Floating point as the record of its own computation: two programs agree if they compute the same way.

A value is a 63-bit hash of the tree of operations that made it from the inputs. Equal outputs mean, but for
hash collisions, that each element is computed by the same operations in the same order from the same inputs,
so that the results are equal bit by bit on any data: what a pass must show that only moves, tiles or maps
work. (PolyCheck, POPL 2016, compares the last writers of all operands to the same end.) `+` and `*` commute,
and `a*b + c` is the same fused or not; extrema are sets (`interpret_extrema`); sums do not reassociate: for
that see `interpret_field`.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from xpiler.errors import Refusal
from xpiler.ir.build import COMPARISONS
from xpiler.ir.interpret_extrema import Extrema
from xpiler.ir.interpret_native import Binary, Family, Native, Unary, Value
from xpiler.ir.types import BOOL, DType

_COMMUTATIVE = frozenset({"+", "*", "hypot"})
_MASK = np.uint64(2**63 - 1)


def inputs(shape: int | tuple[int, ...], rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """Values that stand for themselves, all different."""
    return np.asarray(rng.integers(1, 2**63 - 1, shape))


def combine(name: str, *args: Value) -> Value:
    """The hash of an operation on hashes."""
    with np.errstate(over="ignore"):
        state: Any = np.uint64(zlib.crc32(name.encode()) * 0x9E3779B1)
        for x in args:
            state = (state ^ np.asarray(x).astype(np.uint64)) * np.uint64(0x9E3779B97F4A7C15)
            state = (state ^ (state >> np.uint64(29))) * np.uint64(0xBF58476D1CE4E5B9)
            state = state ^ (state >> np.uint64(32))
    result: Value = (state & _MASK).astype(np.int64)
    return result


_GREATEST = frozenset(
    int(combine("constant", np.float64(v).view(np.int64)))
    for v in (np.inf, np.finfo(np.float32).max, np.finfo(np.float64).max)
)
_LEAST = frozenset(
    int(combine("constant", np.float64(v).view(np.int64)))
    for v in (-np.inf, np.finfo(np.float32).min, np.finfo(np.float64).min)
)

Note = Callable[[str, Value, tuple[Value, ...]], None]  # an operation, its result, its operands

_CALLS: dict[str, Callable[..., Value]] = {
    "isnan": lambda x: np.zeros_like(x, np.bool_),
    "isinf": lambda x: np.zeros_like(x, np.bool_),
    "isfinite": lambda x: np.ones_like(x, np.bool_),
    "signbit": lambda x: (x & x.dtype.type(1)) != 0,
}


class Trace(Native):
    """Floats are hashes of how they were computed; integers are as ever. `note` is told every operation."""

    reinterprets = False

    def __init__(self, note: Note | None = None, *, numeric_doubles: bool = False) -> None:
        self.note = note
        self.numeric_doubles = numeric_doubles
        self.extrema = {
            op: Extrema(op, lambda bits: bits >> 1, nothing=_LEAST if op == "max" else _GREATEST)
            for op in ("min", "max")
        }

    @property
    def family(self) -> Family | None:
        """Who is told of operations is told of constants where closures are made."""
        return super().family if self.note is None else None

    def know(self, other: Native) -> None:
        assert isinstance(other, Trace)
        self.extrema = other.extrema

    def _operation(self, name: str) -> Callable[..., Value]:
        """An operation on hashes by its name."""

        def compute(*args: Value) -> Value:
            if name in _COMMUTATIVE:
                args = np.minimum(*args), np.maximum(*args)
            result = combine(name, *args)
            if self.note is not None:
                self.note(name, result, args)
            return result

        return compute

    def _constant(self, value: Value) -> Value:
        """The hash of numbers in double precision."""
        result = combine("constant", value.view(np.int64)[()])
        if self.note is not None:
            self.note("constant", result, (value,))
        return result

    def value_type(self, dtype: DType) -> npt.DTypeLike:
        return np.int64 if self.is_symbolic(dtype) else super().value_type(dtype)

    def storage_type(self, dtype: DType) -> npt.DTypeLike:
        return np.int64 if self.is_symbolic(dtype) else super().storage_type(dtype)

    def loaded(self, dtype: DType) -> Unary | None:
        return None

    def stored(self, dtype: DType) -> Unary | None:
        return None

    def const(self, value: int | float | bool, dtype: DType) -> Value:
        if not self.is_symbolic(dtype):
            return super().const(value, dtype)
        if isinstance(value, int) and value > 2**53:
            return np.int64(value)  # an input of this mode, given as a scalar argument
        return np.int64(self._constant(np.float64(value)))

    def unary(self, op: str, dtype: DType) -> Unary:
        if self.is_symbolic(dtype):
            return self._operation("negate") if op == "-" else (lambda x: x == 0)
        return super().unary(op, dtype)

    def binary(self, op: str, dtype: DType) -> Binary:
        if self.is_symbolic(dtype) and op not in COMPARISONS:
            return self._operation(op)
        return super().binary(op, dtype)

    def cast(self, source: DType, target: DType) -> Unary:
        if self.is_symbolic(source) and self.is_symbolic(target):
            if target.bits > source.bits:
                return lambda x: x  # exact
            return self._operation(f"round to {target}") if source != target else lambda x: x
        if self.is_symbolic(target):
            exact = Native().cast(source, DType("f64", target.kind, 64))
            return lambda x: self._constant(np.asarray(exact(x)))
        if self.is_symbolic(source) and target == BOOL:
            return lambda x: x != 0
        if self.is_symbolic(source):
            raise Refusal(
                "trace-conversion", f"a trace has no integer part: conversion of {source} to {target}"
            )
        return super().cast(source, target)

    def bitcast(self, source: DType, target: DType) -> Unary:
        if self.is_symbolic(source) or self.is_symbolic(target):
            raise Refusal("trace-conversion", f"a trace has no bits: {source} read as {target}")
        return super().bitcast(source, target)

    def call(self, function: str, operand: DType, result: DType) -> Callable[..., Value]:
        if not self.is_symbolic(operand):
            return super().call(function, operand, result)
        if function == "fma":
            product, total = self._operation("*"), self._operation("+")
            return lambda x, y, z: total(product(x, y), z)
        if function in self.extrema:
            return self._extremum(function)
        return _CALLS.get(function, self._operation(function))

    def _extremum(self, op: str) -> Callable[..., Value]:
        def compute(x: Value, y: Value) -> Value:
            result = self.extrema[op](x, y)
            if self.note is not None:
                self.note(op, result, (x, y))
            return result

        return compute

    def matrix_product(
        self, a: Value, b: Value, c: Value, operand: DType, addend: DType, result: DType
    ) -> Value:
        """The order of sums within a matrix unit is its own: a sum that does not depend on it."""
        if not self.is_symbolic(operand):
            return super().matrix_product(a, b, c, operand, addend, result)
        with np.errstate(over="ignore"):
            products = self._operation("*")(a[:, :, :, None], b[:, None, :, :]).sum(axis=2)
        return self._operation("+")(self._operation("matrix product")(products), c)
