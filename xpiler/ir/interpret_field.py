"""Floating point as exact algebra modulo primes: programs that are equal over the reals give equal residues.

By the theorem of Schwartz and Zippel two different polynomials agree at a random point with probability about
degree / 2^31, so one run on random residues decides whether two programs compute the same rational function,
whatever the order of their sums. `exp` needs exponents: p = 2q + 1 with p and q prime, every value has a
residue modulo p and one modulo q, and exp(x) = w^(x mod q) mod p with w of order q turns sums into products.
The result of `exp` has no residue modulo q, so that exponentials of exponentials are not expanded. Other
functions are uninterpreted: a hash of the argument. Extrema are, too, but for their algebra
(`interpret_extrema`). Comparisons see residues as signed numbers: right for small integers, and some fixed
total order otherwise.

A value is one int64: residue modulo p in the low 31 bits, residue modulo q (or q itself: unknown) above; two
negative values stand for the infinities. After Volta and Mirage (OSDI 2025).
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from xpiler.errors import Refusal
from xpiler.ir.build import COMPARISONS
from xpiler.ir.interpret_extrema import Extrema
from xpiler.ir.interpret_native import Binary, Native, Unary, Value
from xpiler.ir.types import BOOL, DType

P = 2147483579
Q = (P - 1) // 2
_SHIFT = 31
_LOW = (1 << _SHIFT) - 1
UNKNOWN = Q
MINUS_INFINITY = -1
INFINITY = -2
_HUGE = 1e30  # constants beyond stand for an infinity: what a running maximum begins with
_SMALL = 1 << 20  # whole numbers below are taken for numbers, and compared as such
_WINDOW = 10  # bits of the exponent looked up at a time

# log2(e) is some number L; exp2(x) is then exp(x / L), so that exp2(x * log2(e)) is exp(x).
_LOG2_E = (1234567891, 987654321)


def pack(modulo_p: Any, modulo_q: Any) -> Any:
    return modulo_p | (modulo_q << _SHIFT)


def residues(values: npt.ArrayLike) -> npt.NDArray[np.int64]:
    """Numbers (exactly, as fractions) as residues: integers, and floats as they are in binary."""
    array = np.asarray(values)
    if array.dtype.kind in "iub":
        return np.asarray(_from_int(array))
    flat = [_number(float(v)) for v in array.reshape(-1)]
    return np.array(flat, np.int64).reshape(array.shape)


def random_residues(shape: int | tuple[int, ...], rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """Random values, all but surely different from 0 and from each other."""
    return np.asarray(pack(rng.integers(1, P, shape), rng.integers(1, Q, shape)))


def _from_int(x: Any) -> Any:
    if np.asarray(x).dtype == np.uint64:
        return pack((x % np.uint64(P)).astype(np.int64), (x % np.uint64(Q)).astype(np.int64))
    wide = x.astype(np.int64)
    return pack(wide % P, wide % Q)


def _number(value: float) -> int:
    if math.isnan(value):
        return INFINITY
    if abs(value) >= _HUGE:
        return INFINITY if value > 0 else MINUS_INFINITY
    for constant, power in ((math.log2(math.e), 1), (math.log(2.0), -1)):
        if math.isclose(abs(value), constant, rel_tol=1e-6):
            found = tuple(pow(r, power, m) for r, m in zip(_LOG2_E, (P, Q), strict=True))
            return int(pack(found[0], found[1]) if value > 0 else pack(P - found[0], Q - found[1]))
    numerator, denominator = value.as_integer_ratio()
    modulo_p, modulo_q = (numerator * pow(denominator, -1, m) % m for m in (P, Q))
    return int(pack(modulo_p, modulo_q))


def _where(condition: Any, then: Any, otherwise: Any) -> Value:
    """`np.where`, of scalars a scalar."""
    return np.where(condition, then, otherwise)[()]


def _combine(modular: Callable[[Any, Any, int], Any]) -> Binary:
    """An operation on residues as one on values."""

    def operation(x: Value, y: Value) -> Value:
        xq, yq = x >> _SHIFT, y >> _SHIFT
        unknown = (xq == UNKNOWN) | (yq == UNKNOWN)
        modulo_q = np.where(unknown, UNKNOWN, modular(xq, yq, Q))
        result = pack(modular(x & _LOW, y & _LOW, P), modulo_q)
        infinite = (x < 0) | (y < 0)
        if np.any(infinite):
            result = np.where(infinite, np.where(x < 0, x, y), result)
        return np.asarray(result)[()]

    return operation


def _power(x: Any, exponent: int, modulus: int) -> Any:
    result = np.ones_like(x)
    while exponent:
        if exponent & 1:
            result = result * x % modulus
        x = x * x % modulus
        exponent >>= 1
    return result


_add = _combine(lambda a, b, m: (a + b) % m)
_subtract = _combine(lambda a, b, m: (a - b) % m)
_multiply = _combine(lambda a, b, m: a * b % m)
_divide = _combine(lambda a, b, m: a * _power(b, m - 2, m) % m)


def _negate(x: Value) -> Value:
    zero = np.int64(0)
    flipped = np.where(x == MINUS_INFINITY, INFINITY, MINUS_INFINITY)
    return _where(x < 0, flipped, _subtract(zero, np.where(x < 0, 0, x)))


def _order(x: Value) -> Value:
    """A key whose order is that of small integers, and a total order of all values."""
    modulo_p = x & _LOW
    signed = np.where(modulo_p > P // 2, modulo_p - P, modulo_p)
    key = (signed << _SHIFT) + (x >> _SHIFT)
    return _where(x == MINUS_INFINITY, -(2**62), np.where(x == INFINITY, 2**62, key))


def _tables() -> list[npt.NDArray[np.int64]]:
    """4^(i * 2^(10 k)) mod p; 4 is a square, so its order is q."""
    tables = []
    for window in range(0, _SHIFT, _WINDOW):
        base = pow(4, 1 << window, P)
        row = [1]
        for _ in range((1 << _WINDOW) - 1):
            row.append(row[-1] * base % P)
        tables.append(np.array(row, np.int64))
    return tables


_TABLES = _tables()


def _exp(x: Value) -> Value:
    exponent = x >> _SHIFT
    result: Any = np.int64(1)
    for number, table in enumerate(_TABLES):
        result = result * table[(exponent >> (_WINDOW * number)) & ((1 << _WINDOW) - 1)] % P
    hashed = _hash("exp", x) & _LOW
    value = pack(np.where(exponent == UNKNOWN, hashed, result), np.int64(UNKNOWN))
    return _where(x == MINUS_INFINITY, 0, np.where(x == INFINITY, x, value))


def _hash(name: str, *args: Value) -> Value:
    """An uninterpreted function: equal arguments give equal results, others all but surely different ones."""
    with np.errstate(over="ignore"):
        state: Any = np.uint64(zlib.crc32(name.encode()))
        for x in args:
            state = (state ^ np.asarray(x).astype(np.uint64)) * np.uint64(0x9E3779B97F4A7C15)
            state = (state ^ (state >> np.uint64(29))) * np.uint64(0xBF58476D1CE4E5B9)
            state = state ^ (state >> np.uint64(32))
    modulo_p, modulo_q = (
        (state >> np.uint64(32)) % np.uint64(P),
        (state & np.uint64(0xFFFFFFFF)) % np.uint64(Q),
    )
    packed: Value = pack(modulo_p.astype(np.int64), modulo_q.astype(np.int64))
    return packed


_ONE, _TWO, _HALF = (np.int64(_number(v)) for v in (1.0, 2.0, 0.5))
_LN_2 = np.int64(_number(math.log(2.0)))


def _sqrt(x: Value) -> Value:
    return _where((x == 0) | (x == _ONE), x, _hash("sqrt", x))


def _abs(x: Value) -> Value:
    opposite = _negate(x)
    positive = np.where(_order(x) < 0, opposite, x)
    unknown = _hash("abs", np.minimum(x, opposite))
    return _where(_is_number(x) | (x < 0), positive, unknown)


def _is_number(x: Value) -> Value:
    """Whether it is a small whole number: any other value is one by chance, with probability 2^-40."""
    modulo_p, modulo_q = x & _LOW, x >> _SHIFT
    signed = np.where(modulo_p > P // 2, modulo_p - P, modulo_p)
    same = signed == np.where(modulo_q > Q // 2, modulo_q - Q, modulo_q)
    return same & (np.abs(signed) < _SMALL) & (modulo_q != UNKNOWN)


def _number_of(x: int) -> int | None:
    modulo_p, modulo_q = x & _LOW, x >> _SHIFT
    signed = modulo_p - P if modulo_p > P // 2 else modulo_p
    same = signed == (modulo_q - Q if modulo_q > Q // 2 else modulo_q)
    return signed if same and abs(signed) < _SMALL else None


def _symbol(bits: int) -> int:
    return (bits >> 32) % P | (bits & 0xFFFFFFFF) % Q << _SHIFT


def _tanh(x: Value) -> Value:
    square = _exp(_multiply(x, _TWO))
    return _divide(_subtract(square, _ONE), _add(square, _ONE))


def _pow(x: Value, y: Value) -> Value:
    found = _hash("pow", x, y)
    for exponent, value in ((_ONE, x), (_TWO, _multiply(x, x)), (_HALF, _sqrt(x))):
        found = np.where(y == exponent, value, found)
    return np.asarray(found)[()]


_CALLS: dict[str, Callable[..., Value]] = {
    "exp": _exp,
    "exp2": lambda x: _exp(_multiply(x, _LN_2)),
    "expm1": lambda x: _subtract(_exp(x), _ONE),
    "tanh": _tanh,
    "rcp": lambda x: _divide(_ONE, x),
    "sqrt": _sqrt,
    "rsqrt": lambda x: _divide(_ONE, _sqrt(x)),
    "pow": _pow,
    "fma": lambda x, y, z: _add(_multiply(x, y), z),
    "isnan": lambda x: np.zeros_like(x, np.bool_)[()],
    "isinf": lambda x: x < 0,
    "isfinite": lambda x: x >= 0,
    "signbit": lambda x: _order(x) < 0,
}
_BINARY: dict[str, Binary] = {"+": _add, "-": _subtract, "*": _multiply, "/": _divide}


class Field(Native):
    """Floats of all widths are residues; integers are as ever."""

    reinterprets = False

    def __init__(self, *, numeric_doubles: bool = False) -> None:
        self.numeric_doubles = numeric_doubles
        least, greatest = frozenset((MINUS_INFINITY,)), frozenset((INFINITY,))
        self.extrema = {
            "max": Extrema("max", _symbol, least, greatest, _number_of),
            "min": Extrema("min", _symbol, greatest, least, _number_of),
        }
        self.calls: dict[str, Callable[..., Value]] = {
            **_CALLS,
            "max": lambda x, y: self.extrema["max"](x, y),
            "min": lambda x, y: self.extrema["min"](x, y),
            "abs": _abs,
            "fdim": lambda x, y: self.extrema["max"](_subtract(x, y), np.int64(0)),
        }

    def know(self, other: Native) -> None:
        assert isinstance(other, Field)
        self.extrema = other.extrema

    def value_type(self, dtype: DType) -> npt.DTypeLike:
        return np.int64 if self.is_symbolic(dtype) else super().value_type(dtype)

    def storage_type(self, dtype: DType) -> npt.DTypeLike:
        return np.int64 if self.is_symbolic(dtype) else super().storage_type(dtype)

    def loaded(self, dtype: DType) -> Unary | None:
        return None

    def stored(self, dtype: DType) -> Unary | None:
        return None

    def const(self, value: int | float | bool, dtype: DType) -> Value:
        return np.int64(_number(float(value))) if self.is_symbolic(dtype) else super().const(value, dtype)

    def unary(self, op: str, dtype: DType) -> Unary:
        if self.is_symbolic(dtype):
            return _negate if op == "-" else lambda x: x == 0
        return super().unary(op, dtype)

    def binary(self, op: str, dtype: DType) -> Binary:
        if not self.is_symbolic(dtype):
            return super().binary(op, dtype)
        if op in COMPARISONS:
            compare = super().binary(op, dtype)
            return lambda x, y: compare(_order(x), _order(y))
        return _BINARY[op]

    def cast(self, source: DType, target: DType) -> Unary:
        if self.is_symbolic(source) and self.is_symbolic(target):
            return lambda x: x
        if self.is_symbolic(target):
            return _from_int
        if self.is_symbolic(source) and target == BOOL:
            return lambda x: x != 0
        if self.is_symbolic(source):
            raise Refusal(
                "field-conversion", f"a residue has no integer part: conversion of {source} to {target}"
            )
        return super().cast(source, target)

    def bitcast(self, source: DType, target: DType) -> Unary:
        if self.is_symbolic(source) or self.is_symbolic(target):
            raise Refusal("field-conversion", f"a residue has no bits: {source} read as {target}")
        return super().bitcast(source, target)

    def call(self, function: str, operand: DType, result: DType) -> Callable[..., Value]:
        if not self.is_symbolic(operand):
            return super().call(function, operand, result)
        return self.calls.get(function, lambda *args: _hash(function, *args))

    def matrix_product(
        self, a: Value, b: Value, c: Value, operand: DType, addend: DType, result: DType
    ) -> Value:
        if not self.is_symbolic(operand):
            return super().matrix_product(a, b, c, operand, addend, result)
        total = c
        for k in range(a.shape[2]):
            total = _add(total, _multiply(a[:, :, k, None], b[:, k, None, :]))
        return total
