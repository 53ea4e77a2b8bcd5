"""The meaning of each scalar operation on lane arrays, with C's types: integers wrap, `/` truncates, floats
round.

A value is a NumPy scalar (the same in all lanes) or an array (one element a lane). Types map to NumPy's of
the same name, except bf16: values are float32 already rounded to bf16, memory holds the 16 bits.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from xpiler.errors import Refusal
from xpiler.ir.build import COMPARISONS, convert, int_limits
from xpiler.ir.types import BOOL, DType, Kind

Value = Any  # np.generic, or np.ndarray of one element a lane
Unary = Callable[[Value], Value]
Binary = Callable[[Value, Value], Value]
Family = tuple[type["Native"], bool]

_VALUE = {
    "bool": np.bool_,
    "i8": np.int8,
    "i16": np.int16,
    "i32": np.int32,
    "i64": np.int64,
    "u8": np.uint8,
    "u16": np.uint16,
    "u32": np.uint32,
    "u64": np.uint64,
    "f16": np.float16,
    "bf16": np.float32,
    "f32": np.float32,
    "f64": np.float64,
}


class Native:
    """Arithmetic as the hardware does it."""

    reinterprets = True  # floats in memory may be read as another type
    fresh = 0xFF  # every byte of what was never written: NaN, -1
    numeric_doubles = False  # where floats stand for something else, doubles are numbers all the same

    @property
    def family(self) -> Family | None:
        """Closures made for one of a family serve any other of it; None: they serve this one alone."""
        return type(self), self.numeric_doubles

    def know(self, other: Native) -> None:
        """What another one of its family knows of its numbers, and goes on to learn, this one knows from now
        on."""

    def is_symbolic(self, dtype: DType) -> bool:
        """Whether values of the type stand for something else in a mode that has such values."""
        return dtype.is_float and not (self.numeric_doubles and dtype.name == "f64")

    def can_view(self, types: Collection[DType]) -> bool:
        """Whether the bytes of one memory can be taken for any of the types."""
        return self.reinterprets or len(types) < 2 or not any(dtype.is_float for dtype in types)

    def value_type(self, dtype: DType) -> npt.DTypeLike:
        """Type of the lanes' values."""
        return _VALUE[dtype.name]

    def storage_type(self, dtype: DType) -> npt.DTypeLike:
        """Type of an element in memory."""
        return np.uint16 if dtype.name == "bf16" else _VALUE[dtype.name]

    def loaded(self, dtype: DType) -> Unary | None:
        """Conversion of an element from memory; None if there is nothing to do."""
        return bf16_values if dtype.name == "bf16" else None

    def stored(self, dtype: DType) -> Unary | None:
        return bf16_bits if dtype.name == "bf16" else None

    def const(self, value: int | float | bool, dtype: DType) -> Value:
        scalar: Any = np.dtype(self.value_type(dtype)).type
        return scalar(convert(value, dtype))

    def unary(self, op: str, dtype: DType) -> Unary:
        return {"-": np.negative, "~": np.invert, "!": np.logical_not}[op]

    def binary(self, op: str, dtype: DType) -> Binary:
        """The operator on operands of `dtype`; of shifts, the right operand may have any integer type."""
        if op in COMPARISONS:
            return _COMPARE[op]
        if dtype.is_float:
            operation = {"+": np.add, "-": np.subtract, "*": np.multiply, "/": np.divide}[op]
            return operation if dtype.name != "bf16" else lambda x, y: round_bf16(operation(x, y))
        if dtype == BOOL:
            return {"&": np.logical_and, "|": np.logical_or, "^": np.logical_xor}[op]
        if op == "/":
            return np.floor_divide if dtype.kind is Kind.UINT else _truncating_divide
        if op in ("<<", ">>"):
            return _shift(np.left_shift if op == "<<" else np.right_shift, dtype)
        return _INTEGER[op]

    def cast(self, source: DType, target: DType) -> Unary:
        if source.name == "f64" and target.name == "bf16":
            return lambda x: round_bf16(_to_odd_f32(x))
        if target.name == "bf16":
            return lambda x: round_bf16(_astype(x, np.float32))
        if source.is_float and target.is_integer and target != BOOL:
            return _float_to_int(source, target)
        wanted = self.value_type(target)
        return lambda x: _astype(x, wanted)

    def bitcast(self, source: DType, target: DType) -> Unary:
        memory = self.storage_type(target)

        def change(x: Value) -> Value:
            bits = bf16_bits(x) if source.name == "bf16" else x
            viewed = bits.view(memory)
            return bf16_values(viewed) if target.name == "bf16" else viewed

        return change

    def call(self, function: str, operand: DType, result: DType) -> Callable[..., Value]:
        if operand.is_float:
            return _float_call(function, operand)
        return _integer_call(function, operand, result)

    def reduction(self, op: str, dtype: DType) -> Binary:
        """The operator of a reducing assignment or atomic: `+ * min max & | ^`."""
        if op in ("min", "max"):
            return self.call(op, dtype, dtype)
        return self.binary(op, dtype)

    def matrix_product(
        self, a: Value, b: Value, c: Value, operand: DType, addend: DType, result: DType
    ) -> Value:
        """a @ b + c for stacks of matrices: exact products, one rounding at the end; integers wrap."""
        if not operand.is_float:
            return (a.astype(np.int64) @ b.astype(np.int64) + c.astype(np.int64)).astype(
                self.value_type(result)
            )
        total = a.astype(np.float64) @ b.astype(np.float64) + c.astype(np.float64)
        return self.cast(_F64, result)(total)


def _astype(x: Value, wanted: npt.DTypeLike) -> Value:
    return x.astype(wanted, copy=False) if isinstance(x, np.ndarray) else x.astype(wanted)


# ------------------------------------------------------------------------------------------ bf16


def bf16_values(bits: Value) -> Value:
    return (bits.astype(np.uint32) << np.uint32(16)).view(np.float32)


def bf16_bits(values: Value) -> Value:
    """The upper halves of floats already rounded to bf16."""
    return (values.view(np.uint32) >> np.uint32(16)).astype(np.uint16)


def round_bf16(x: Value) -> Value:
    """float32 rounded to nearest even in 8 significant bits."""
    bits = x.view(np.uint32)
    rounded = bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))
    kept = (rounded & np.uint32(0xFFFF0000)).view(np.float32)
    return np.where(np.isnan(x), x, kept) if isinstance(x, np.ndarray) else (x if np.isnan(x) else kept)


def _to_odd_f32(x: Value) -> Value:
    """float64 to float32 rounded to odd, so that one more rounding to fewer bits is as if it were the only
    one."""
    near = np.asarray(x).astype(np.float32)
    bits = near.view(np.uint32)
    inexact = near.astype(np.float64) != x
    toward = np.where(near.astype(np.float64) < x, np.float32(np.inf), np.float32(-np.inf))
    odd = np.where(inexact & ((bits & np.uint32(1)) == 0), np.nextafter(near, toward), near)
    return odd if isinstance(x, np.ndarray) else odd[()]


# ------------------------------------------------------------------------------------------ operators

_COMPARE: dict[str, Binary] = {
    "<": np.less,
    "<=": np.less_equal,
    ">": np.greater,
    ">=": np.greater_equal,
    "==": np.equal,
    "!=": np.not_equal,
}
_INTEGER: dict[str, Binary] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "%": np.fmod,
    "&": np.bitwise_and,
    "|": np.bitwise_or,
    "^": np.bitwise_xor,
}


def _truncating_divide(x: Value, y: Value) -> Value:
    return np.floor_divide(x - np.fmod(x, y), y)


def _shift(operation: Binary, dtype: DType) -> Binary:
    """Amounts of the width or more shift everything out, as on NVIDIA GPUs."""
    bits = dtype.bits
    wanted: Any = _VALUE[dtype.name]

    def shift(x: Value, amount: Value) -> Value:
        if isinstance(amount, np.ndarray):
            clamped = np.where((amount < 0) | (amount >= bits), bits, amount).astype(wanted)
        else:
            count = int(amount)
            clamped = wanted(count if 0 <= count < bits else bits)
        return operation(x, clamped)

    return shift


def _float_to_int(source: DType, target: DType) -> Unary:
    """Truncates and clamps. NaN becomes 0, or, where either type has 64 bits, the number of which only
    the top bit is set."""
    low, high = int_limits(target)
    wanted: Any = _VALUE[target.name]
    top_bit = low or ((high >> 1) + 1 if target.bits >= 32 else 0)
    not_a_number = wanted(0 if max(source.bits, target.bits) < 64 else top_bit)

    def clamp(x: Value) -> Value:
        wide = np.trunc(np.asarray(x).astype(np.float64))
        inside = np.where((wide >= float(low)) & (wide < float(high + 1)), wide, 0.0).astype(wanted)
        result = np.where(
            wide >= float(high + 1), wanted(high), np.where(wide < float(low), wanted(low), inside)
        )
        result = np.where(np.isnan(wide), not_a_number, result)
        return result if isinstance(x, np.ndarray) else result[()]

    return clamp


# ------------------------------------------------------------------------------------------ float functions


def _elementwise(function: Callable[..., float], arity: int) -> Callable[..., Value]:
    """A function of Python floats on arrays, errors as C has them (infinity for poles, NaN outside the
    domain)."""

    def safe(*args: float) -> float:
        try:
            return function(*args)
        except OverflowError:
            return math.inf
        except ValueError:
            return math.nan

    ufunc = np.frompyfunc(safe, arity, 1)
    return lambda *args: np.asarray(ufunc(*args)).astype(np.float64)[()]


def _exp10(x: Value) -> Value:
    return np.power(10.0, x)


def _round_away(x: Value) -> Value:
    whole = np.trunc(x)
    return whole + np.where(np.abs(x - whole) >= 0.5, np.copysign(1.0, x), 0.0)


def _lgamma(x: float) -> float:
    return math.inf if x <= 0 and x == math.floor(x) else math.lgamma(x)


def _erfinv(y: float) -> float:
    """Newton's method on erf from Winitzki's approximation."""
    if abs(y) >= 1.0:
        return math.copysign(math.inf, y) if abs(y) == 1.0 else math.nan
    logarithm = math.log1p(-y * y)
    half = 2 / (math.pi * 0.147) + logarithm / 2
    x = math.copysign(math.sqrt(math.sqrt(half * half - logarithm / 0.147) - half), y)
    for _ in range(4):
        tail = math.erfc(abs(x)) - (1 - abs(y))  # keeps its digits where erf is near 1
        error = math.erf(x) - y if abs(y) < 0.5 else math.copysign(1.0, -y) * tail
        x -= error / (2 / math.sqrt(math.pi) * math.exp(-x * x))
    return x


def _tgamma(x: float) -> float:
    if x == 0:
        return math.copysign(math.inf, x)  # Python calls the pole a domain error
    try:
        return math.gamma(x)
    except OverflowError:
        return math.copysign(math.inf, x)


def _half_turns(function: Callable[..., Value], offset: float) -> Callable[..., Value]:
    """sin(pi x) or cos(pi x), exactly 0 where it is."""

    def value(x: Value) -> Value:
        turn = np.fmod(x, 2.0)
        is_zero = np.fmod(turn + offset, 1.0) == 0
        result: Any = np.where(is_zero, np.copysign(0.0, x), function(np.pi * turn))
        return result[()]

    return value


def _bessel(order: int) -> Callable[[float], float]:
    """J0 and J1 by the trapezoidal rule on Bessel's integral, which converges geometrically; by Hankel's
    asymptotic series where x is large."""

    def value(x: float) -> float:
        if abs(x) > 1000.0:
            return _hankel(order, x)
        count = 64 + 2 * int(abs(x))
        angles = np.arange(count) * (math.pi / count) + math.pi / (2 * count)
        return float(np.mean(np.cos(order * angles - x * np.sin(angles))))

    return value


def _hankel(order: int, x: float) -> float:
    if math.isinf(x):
        return 0.0
    z, mu = abs(x), 4 * order * order
    term, p, q = 1.0, 1.0, 0.0
    for k in range(1, 6):
        term *= (mu - (2 * k - 1) ** 2) / (k * 8 * z)
        sign = -1.0 if k in (2, 3) else 1.0
        if k % 2:
            q += sign * term
        else:
            p += sign * term
    # cos and sin of z - pi/4 (order 0) or z - 3 pi/4 (order 1), without rounding the difference.
    c, s = math.cos(z), math.sin(z)
    cosine, sine = ((c + s, s - c), (s - c, -c - s))[order]
    value = (p * cosine - q * sine) / math.sqrt(math.pi * z)
    return -value if order == 1 and x < 0 else value


# On float64; the result is rounded to the type, so it is the correctly rounded one but for rare ties.
_FLOAT: dict[str, Callable[..., Value]] = {
    "abs": np.abs,
    "sqrt": np.sqrt,
    "rsqrt": lambda x: 1.0 / np.sqrt(x),
    "cbrt": np.cbrt,
    "rcp": lambda x: 1.0 / x,
    "exp": np.exp,
    "exp2": np.exp2,
    "exp10": _exp10,
    "expm1": np.expm1,
    "log": np.log,
    "log2": np.log2,
    "log10": np.log10,
    "log1p": np.log1p,
    "sin": np.sin,
    "cos": np.cos,
    "tan": np.tan,
    "asin": np.arcsin,
    "acos": np.arccos,
    "atan": np.arctan,
    "sinh": np.sinh,
    "cosh": np.cosh,
    "tanh": np.tanh,
    "asinh": np.arcsinh,
    "acosh": np.arccosh,
    "atanh": np.arctanh,
    "sinpi": _half_turns(np.sin, 0.0),
    "cospi": _half_turns(np.cos, 0.5),
    "erf": _elementwise(math.erf, 1),
    "erfc": _elementwise(math.erfc, 1),
    "erfinv": _elementwise(_erfinv, 1),
    "tgamma": _elementwise(_tgamma, 1),
    "lgamma": _elementwise(_lgamma, 1),
    "floor": np.floor,
    "ceil": np.ceil,
    "trunc": np.trunc,
    "round": _round_away,
    "rint": np.rint,
    "normcdf": lambda x: 0.5 * _FLOAT["erfc"](-x / math.sqrt(2.0)),
    "saturate": lambda x: np.where(np.isnan(x), 0.0, np.clip(x, 0.0, 1.0))[()],
    "j0": _elementwise(_bessel(0), 1),
    "j1": _elementwise(_bessel(1), 1),
    "pow": np.power,
    "fmod": np.fmod,
    "remainder": _elementwise(math.remainder, 2),
    "atan2": np.arctan2,
    "hypot": np.hypot,
    "fdim": lambda x, y: np.where(x > y, x - y, np.where(np.isnan(x) | np.isnan(y), np.nan, 0.0))[()],
    "copysign": np.copysign,
    "ldexp": lambda x, n: np.ldexp(x, np.clip(n, -5000, 5000).astype(np.int32)),
}
# Exact in the type itself: no detour.
_EXACT: dict[str, Callable[..., Value]] = {
    "abs": np.abs,
    "min": np.fmin,
    "max": np.fmax,
    "floor": np.floor,
    "ceil": np.ceil,
    "trunc": np.trunc,
    "rint": np.rint,
    "copysign": np.copysign,
    "fmod": np.fmod,
    "isnan": np.isnan,
    "isinf": np.isinf,
    "isfinite": np.isfinite,
    "signbit": np.signbit,
}


def _float_call(function: str, dtype: DType) -> Callable[..., Value]:
    if function in _EXACT:
        return _EXACT[function]
    narrow = Native().cast(_F64, dtype) if dtype.bits < 64 else None
    if function == "fma":
        return _fma64 if narrow is None else lambda x, y, z: narrow(_fma_to_odd(x, y, z))
    if function == "nextafter" and dtype.name in ("f32", "f64", "f16"):
        return np.nextafter
    if function not in _FLOAT:
        raise Refusal("unsupported-function", f"the interpreter has no {function} of {dtype}")
    wide = _FLOAT[function]
    if narrow is None:
        return wide
    return lambda *args: narrow(wide(*(a.astype(np.float64) for a in args)))


_F64 = DType("f64", Kind.FLOAT, 64)


def _two_sum(x: Value, y: Value) -> tuple[Value, Value]:
    """Knuth: x + y and its rounding error."""
    total = x + y
    part = total - x
    return total, (x - (total - part)) + (y - part)


def _fma_to_odd(x: Value, y: Value, z: Value) -> Value:
    """x*y + z of types up to float32 in float64, rounded to odd: one more rounding gives the fused result."""
    product = x.astype(np.float64) * y.astype(np.float64)  # exact
    total, error = _two_sum(product, z.astype(np.float64))
    even = (np.asarray(total).view(np.int64) & 1) == 0
    sticky = np.isfinite(total) & (error != 0) & even & np.isfinite(error)
    fused: Value = np.where(sticky, np.nextafter(total, np.copysign(np.inf, error)), total)
    return fused[()]


def _fma64(x: Value, y: Value, z: Value) -> Value:
    """Error-free product (Dekker) and sum; exact fractions where its parts leave the normal range."""
    product = x * y
    split = 134217729.0
    x_high, y_high = x * split, y * split
    x_high, y_high = x_high - (x_high - x), y_high - (y_high - y)
    x_low, y_low = x - x_high, y - y_high
    product_error = ((x_high * y_high - product) + x_high * y_low + x_low * y_high) + x_low * y_low
    total, sum_error = _two_sum(product, z)
    fused = total + (sum_error + product_error)
    unfused = np.where(np.isinf(z) & np.isfinite(x) & np.isfinite(y), z, product + z)
    result = np.where(np.isfinite(fused), fused, unfused)
    largest = np.maximum(np.maximum(np.abs(x), np.abs(y)), np.maximum(np.abs(z), np.abs(product)))
    smallest = np.minimum(np.minimum(np.abs(x), np.abs(y)), np.abs(product))
    hard = np.isfinite(x) & np.isfinite(y) & np.isfinite(z) & (x != 0) & (y != 0)
    hard = hard & ((largest > 2.0**900) | (smallest < 2.0**-900))
    if np.any(hard):
        places = np.broadcast_to(hard, result.shape)
        operands = (np.broadcast_to(a, result.shape)[places] for a in (x, y, z))
        result[places] = [_exact_fma(*map(float, each)) for each in zip(*operands, strict=True)]
    return result[()]


def _exact_fma(x: float, y: float, z: float) -> float:
    exact = Fraction(x) * Fraction(y) + Fraction(z)
    try:
        return float(exact) if exact else x * y + z
    except OverflowError:
        return math.inf if exact > 0 else -math.inf


# ------------------------------------------------------------------------------------------ integer functions


def _unsigned(x: Value, dtype: DType) -> Value:
    return x.view(f"u{dtype.bytes}") if dtype.kind is Kind.INT else x


def _popc(x: Value, dtype: DType) -> Value:
    return np.bitwise_count(_unsigned(x, dtype)).astype(np.int32)


def _clz(x: Value, dtype: DType) -> Value:
    bits = _unsigned(x, dtype)
    shift = 1
    while shift < dtype.bits:
        bits = bits | (bits >> bits.dtype.type(shift))
        shift *= 2
    return (dtype.bits - np.bitwise_count(bits).astype(np.int32)).astype(np.int32)


def _ffs(x: Value, dtype: DType) -> Value:
    bits = _unsigned(x, dtype)
    lowest = bits & (~bits + bits.dtype.type(1))
    position = np.int32(dtype.bits) - _clz(lowest, dtype)
    return position * (bits != 0).astype(np.int32)


def _brev(x: Value, dtype: DType) -> Value:
    bits = _unsigned(x, dtype)
    one = bits.dtype.type
    reversed_bits = bits & one(0)
    for i in range(dtype.bits):
        reversed_bits = reversed_bits | (((bits >> one(i)) & one(1)) << one(dtype.bits - 1 - i))
    return reversed_bits.view(x.dtype)


def _mulhi(x: Value, y: Value, dtype: DType) -> Value:
    if dtype.bits <= 32:
        wide = np.int64 if dtype.kind is Kind.INT else np.uint64
        shift = wide(dtype.bits)
        return ((x.astype(wide) * y.astype(wide)) >> shift).astype(x.dtype)
    exact = np.frompyfunc(lambda a, b: (int(a) * int(b)) >> 64, 2, 1)
    return np.asarray(exact(x, y)).astype(x.dtype)[()]


def _mul24(x: Value, y: Value, dtype: DType) -> Value:
    eight = x.dtype.type(8)
    return ((x << eight) >> eight) * ((y << eight) >> eight)


def _byte_perm(x: Value, y: Value, selector: Value, dtype: DType) -> Value:
    both = x.view(np.uint32).astype(np.uint64) | (y.view(np.uint32).astype(np.uint64) << np.uint64(32))
    chosen = selector.view(np.uint32).astype(np.uint64)
    result = both & np.uint64(0)
    for i in range(4):
        nibble = (chosen >> np.uint64(4 * i)) & np.uint64(15)
        byte = (both >> (np.uint64(8) * (nibble & np.uint64(7)))) & np.uint64(255)
        sign = np.where((byte & np.uint64(128)) != 0, np.uint64(255), np.uint64(0))
        byte = np.where((nibble & np.uint64(8)) != 0, sign, byte)
        result = result | (byte << np.uint64(8 * i))
    return result.astype(np.uint32).view(x.dtype)


def _funnel(x: Value, y: Value, amount: Value, left: bool) -> Value:
    """The upper (left) or lower word of `y:x` shifted by amount modulo 32."""
    both = x.view(np.uint32).astype(np.uint64) | (y.view(np.uint32).astype(np.uint64) << np.uint64(32))
    count = (amount & amount.dtype.type(31)).astype(np.uint64)
    shifted = (both << count) >> np.uint64(32) if left else both >> count
    return shifted.astype(np.uint32).view(x.dtype)


def _dot(x: Value, y: Value, total: Value) -> Value:
    """dp4a: four products of bytes (signed or unsigned with the operand type) added to `total`."""
    signed_x, signed_y = np.issubdtype(x.dtype, np.signedinteger), np.issubdtype(y.dtype, np.signedinteger)
    result = total
    for i in range(4):
        a = _byte(x, i, signed_x)
        b = _byte(y, i, signed_y)
        result = result + (a * b).astype(total.dtype)
    return result


def _byte(x: Value, index: int, signed: bool) -> Value:
    byte = (x.view(np.uint32) >> np.uint32(8 * index)).astype(np.uint8)
    return (byte.view(np.int8) if signed else byte).astype(np.int32)


def _integer_abs(x: Value, dtype: DType) -> Value:
    return np.abs(x)


_INTEGER_UNARY: dict[str, Callable[[Value, DType], Value]] = {
    "abs": _integer_abs,
    "popc": _popc,
    "clz": _clz,
    "ffs": _ffs,
    "brev": _brev,
}


def _integer_call(function: str, dtype: DType, result: DType) -> Callable[..., Value]:
    match function:
        case "min":
            return np.minimum
        case "max":
            return np.maximum
        case "abs" | "popc" | "clz" | "ffs" | "brev":
            operation = _INTEGER_UNARY[function]
            return lambda x: operation(x, dtype)
        case "mulhi":
            return lambda x, y: _mulhi(x, y, dtype)
        case "mul24":
            return lambda x, y: _mul24(x, y, dtype)
        case "byte_perm":
            return lambda x, y, s: _byte_perm(x, y, s, dtype)
        case "funnelshift_l":
            return lambda x, y, s: _funnel(x, y, s, True)
        case "funnelshift_r":
            return lambda x, y, s: _funnel(x, y, s, False)
        case "dp4a":
            return lambda x, y, z: _dot(x, y, z)
        case "sad":
            wide = _VALUE[result.name]
            return lambda x, y, z: (np.maximum(x, y) - np.minimum(x, y)).astype(wide) + z.astype(wide)
    raise Refusal("unsupported-function", f"the interpreter has no {function} of {dtype}")
