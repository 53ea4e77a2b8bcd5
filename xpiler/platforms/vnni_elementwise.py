"""AVX-512 intrinsics that do the same in every lane, each defined once by what it does there.

    _mm512_min_ps(a, b)      for lane in 0..16: r[lane] = a[lane] < b[lane] ? a[lane] : b[lane]

A meaning takes the lanes of its operands in the type that the name's suffix says and gives the lane of the
result. Masked forms, widths and the loop over the lanes are the same for all and belong to the reader.
Signed sums are written as C's: they wrap in the register, a program that relies on it is rare and its sums
wrap here too.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from xpiler.ir.build import (
    add,
    and_,
    binary,
    bitcast,
    call,
    cast,
    const,
    div,
    eq,
    ge,
    gt,
    int_limits,
    le,
    lt,
    maximum,
    minimum,
    mul,
    ne,
    neg,
    not_,
    or_,
    select,
    sub,
)
from xpiler.ir.nodes import Binary, Const, Expr, Unary
from xpiler.ir.types import BOOL, F16, F32, F64, I8, I16, I32, I64, U8, U16, U32, U64, DType

Meaning = Callable[..., Expr]

SUFFIXES: dict[str, DType] = {
    "ps": F32, "pd": F64, "ph": F16, "epi8": I8, "epi16": I16, "epi32": I32, "epi64": I64,
    "epu8": U8, "epu16": U16, "epu32": U32, "epu64": U64,
}  # fmt: skip
FLOATS = ("ps", "pd", "ph")
SIGNED = ("epi8", "epi16", "epi32", "epi64")
UNSIGNED = ("epu8", "epu16", "epu32", "epu64")


def unsigned(dtype: DType) -> DType:
    return {8: U8, 16: U16, 32: U32, 64: U64}[dtype.bits]


def signed(dtype: DType) -> DType:
    return {8: I8, 16: I16, 32: I32, 64: I64}[dtype.bits]


def as_bits(value: Expr, dtype: DType) -> Expr:
    """The same bits as another type of the width."""
    if value.dtype == dtype:
        return value
    if value.dtype.is_float or dtype.is_float:
        return bitcast(value, dtype)
    return cast(value, dtype)


def _wrapped(op: str) -> Meaning:
    return lambda a, b: cast(binary(op, a, b), a.dtype)


def _bits(op: str) -> Meaning:
    def meaning(a: Expr, b: Expr) -> Expr:
        if not a.dtype.is_float:
            return cast(binary(op, a, b), a.dtype)
        word = unsigned(a.dtype)
        return as_bits(binary(op, as_bits(a, word), as_bits(b, word)), a.dtype)

    return meaning


def _andnot(a: Expr, b: Expr) -> Expr:
    word = unsigned(a.dtype)
    first = as_bits(a, word)
    return as_bits(cast(binary("&", inverted(first), as_bits(b, word)), word), a.dtype)


def inverted(a: Expr) -> Expr:
    return cast(
        binary("^", a, const(int_limits(a.dtype)[1] if not a.dtype.is_signed else -1, a.dtype)), a.dtype
    )


def _clamped(op: str) -> Meaning:
    def meaning(a: Expr, b: Expr) -> Expr:
        low, high = int_limits(a.dtype)
        value = binary(op, cast(a, I32), cast(b, I32))
        return cast(minimum(maximum(value, const(low)), const(high)), a.dtype)

    return meaning


def _low_product(a: Expr, b: Expr) -> Expr:
    word = U32 if a.dtype.bits <= 32 else U64
    return cast(mul(cast(a, word), cast(b, word)), a.dtype)


def _high_product(a: Expr, b: Expr) -> Expr:
    wide = U32 if a.dtype is U16 else I32
    return cast(binary(">>", mul(cast(a, wide), cast(b, wide)), const(16)), a.dtype)


def _rounded_high_product(a: Expr, b: Expr) -> Expr:
    product = binary(">>", mul(cast(a, I32), cast(b, I32)), const(14))
    return cast(binary(">>", add(product, const(1)), const(1)), a.dtype)


def _least(a: Expr, b: Expr) -> Expr:
    """Integers: the smaller. Floats: the second where either is NaN."""
    return select(lt(a, b), a, b) if a.dtype.is_float and not _is_number(b) else minimum_of(a, b)


def _greatest(a: Expr, b: Expr) -> Expr:
    return select(gt(a, b), a, b) if a.dtype.is_float and not _is_number(b) else maximum_of(a, b)


def _is_number(b: Expr) -> bool:
    """Where the second operand is no NaN the rule is that of `fmax`: the operand that is a number."""
    return isinstance(b, Const) and b.value == b.value


def minimum_of(a: Expr, b: Expr) -> Expr:
    return cast(minimum(a, b), a.dtype)


def maximum_of(a: Expr, b: Expr) -> Expr:
    return cast(maximum(a, b), a.dtype)


def _average(a: Expr, b: Expr) -> Expr:
    return cast(binary(">>", add(add(cast(a, I32), cast(b, I32)), const(1)), const(1)), a.dtype)


def _absolute(a: Expr) -> Expr:
    if a.dtype.is_float:
        return call("abs", a.dtype, a)
    if a.dtype.bits < 32:
        wide = cast(a, I32)
        return cast(call("abs", I32, wide), a.dtype)
    word = unsigned(a.dtype)
    return select(lt(a, const(0, a.dtype)), cast(sub(const(0, word), cast(a, word)), a.dtype), a)


def shifted(op: str, a: Expr, count: Expr) -> Expr:
    """`op`: `sll`, `srl`, `sra`. A count of the width or more leaves zeros, or copies of the sign."""
    bits = a.dtype.bits
    word = unsigned(a.dtype)
    number = as_bits(count, unsigned(count.dtype)) if count.dtype.is_signed else count
    large = ge(number, const(bits, number.dtype))
    wide = U64 if bits == 64 else U32
    if op == "sra":
        first = cast(a, signed(a.dtype))
        least = select(large, const(bits - 1, number.dtype), number)
        return cast(binary(">>", cast(first, I64 if bits == 64 else I32), cast(least, wide)), a.dtype)
    symbol = "<<" if op == "sll" else ">>"
    value = cast(binary(symbol, cast(as_bits(a, word), wide), cast(number, wide)), word)
    return as_bits(select(large, const(0, word), value), a.dtype)


def _variable_shift(op: str) -> Meaning:
    return lambda a, b: shifted(op, a, cast(b, unsigned(b.dtype)))


def rotated(left: bool, a: Expr, count: Expr) -> Expr:
    word = unsigned(a.dtype)
    value = as_bits(a, word)
    places = cast(binary("&", cast(count, word), const(a.dtype.bits - 1, word)), word)
    rest = cast(binary("&", sub(const(a.dtype.bits, word), places), const(a.dtype.bits - 1, word)), word)
    first, second = ("<<", ">>") if left else (">>", "<<")
    return as_bits(binary("|", binary(first, value, places), binary(second, value, rest)), a.dtype)


def _scaled(a: Expr, b: Expr) -> Expr:
    """a * 2^floor(b)"""
    power = cast(call("floor", a.dtype, b), I32)
    return select(ne(b, b), b, call("ldexp", a.dtype, a, power))


def _signed_by(a: Expr, b: Expr) -> Expr:
    """`a` with its sign changed where `b` is negative, 0 where `b` is."""
    opposite = cast(sub(const(0, unsigned(a.dtype)), cast(a, unsigned(a.dtype))), a.dtype)
    zero = const(0, a.dtype)
    return select(lt(b, zero), opposite, select(eq(b, zero), zero, a))


_FRACTION = {F32: 23, F64: 52}
_BIAS = {F32: 127, F64: 1023}


def _of_normal_size(a: Expr) -> tuple[Expr, Expr]:
    """The bits of |a|, of a denormal times 2 to the bits of its fraction; and what that adds to its
    exponent."""
    dtype, places = a.dtype, _FRACTION[a.dtype]
    size: Expr = call("abs", dtype, a)
    small = lt(size, const(2.0 ** (1 - _BIAS[dtype]), dtype))
    size = select(small, mul(size, const(2.0**places, dtype)), size)
    return as_bits(size, unsigned(dtype)), select(small, const(places), const(0))


def _exponent(a: Expr) -> Expr:
    """floor(log2 |a|) as a float: minus infinity of 0, infinity of infinities."""
    dtype = a.dtype
    word, more = _of_normal_size(a)
    power = sub(cast(binary(">>", word, const(_FRACTION[dtype], word.dtype)), I32), const(_BIAS[dtype]))
    found = select(eq(a, const(0.0, dtype)), const(float("-inf"), dtype), cast(sub(power, more), dtype))
    found = select(call("isinf", BOOL, a), const(float("inf"), dtype), found)
    return select(call("isnan", BOOL, a), a, found)


def mantissa(interval: int, sign: int, a: Expr) -> Expr:
    """`getmant`: |a| times a power of two that puts it into [1, 2), [1/2, 2), [1/2, 1) or [3/4, 3/2), for an
    interval of 0 to 3, with the sign of `a`; none if `sign` is 1, and NaN in place of a negative one if 2."""
    dtype, places = a.dtype, _FRACTION[a.dtype]
    word, more = _of_normal_size(a)
    fraction = binary("&", word, const((1 << places) - 1, word.dtype))
    one = const(_BIAS[dtype] << places, word.dtype)
    found = as_bits(cast(binary("|", fraction, one), word.dtype), dtype)
    half = mul(found, const(0.5, dtype))
    odd = binary("&", sub(cast(binary(">>", word, const(places, word.dtype)), I32), more), const(1))
    halved = (
        const(False, BOOL),
        eq(odd, const((_BIAS[dtype] + 1) & 1)),
        const(True, BOOL),
        ge(found, const(1.5, dtype)),
    )[interval & 3]
    found = select(halved, half, found)
    whole = or_(call("isinf", BOOL, a), eq(a, const(0.0, dtype)))
    found = select(whole, const(1.0, dtype), found)
    negative = call("signbit", BOOL, a)
    if sign & 1 == 0:
        found = select(negative, neg(found), found)
    if sign & 2:
        found = select(lt(a, const(0.0, dtype)), const(float("nan"), dtype), found)
    return select(call("isnan", BOOL, a), a, found)


ONE, TWO, THREE = 1, 2, 3


def _fma(sign_product: int, sign_sum: int) -> Meaning:
    def meaning(a: Expr, b: Expr, c: Expr) -> Expr:
        first = neg(a) if sign_product < 0 else a
        return call("fma", a.dtype, first, b, neg(c) if sign_sum < 0 else c)

    return meaning


# stem -> (suffixes, number of operands, meaning)
TABLE: dict[str, tuple[tuple[str, ...], int, Meaning]] = {
    "add": ((*FLOATS, *SIGNED), TWO, _wrapped("+")),
    "sub": ((*FLOATS, *SIGNED), TWO, _wrapped("-")),
    "mul": (FLOATS, TWO, lambda a, b: mul(a, b)),
    "div": (FLOATS, TWO, lambda a, b: div(a, b)),
    "and": (("ps", "pd", "epi32", "epi64"), TWO, _bits("&")),
    "or": (("ps", "pd", "epi32", "epi64"), TWO, _bits("|")),
    "xor": (("ps", "pd", "epi32", "epi64"), TWO, _bits("^")),
    "andnot": (("ps", "pd", "epi32", "epi64"), TWO, _andnot),
    "min": ((*FLOATS, *SIGNED, *UNSIGNED), TWO, _least),
    "max": ((*FLOATS, *SIGNED, *UNSIGNED), TWO, _greatest),
    "adds": (("epi8", "epi16", "epu8", "epu16"), TWO, _clamped("+")),
    "subs": (("epi8", "epi16", "epu8", "epu16"), TWO, _clamped("-")),
    "mullo": (("epi16", "epi32", "epi64"), TWO, _low_product),
    "mullox": (("epi64",), TWO, _low_product),
    "mulhi": (("epi16", "epu16"), TWO, _high_product),
    "mulhrs": (("epi16",), TWO, _rounded_high_product),
    "avg": (("epu8", "epu16"), TWO, _average),
    "abs": ((*FLOATS, *SIGNED), ONE, _absolute),
    "sign": (("epi8", "epi16", "epi32"), TWO, _signed_by),
    "getexp": (("ps", "pd"), ONE, _exponent),
    "sllv": (("epi16", "epi32", "epi64"), TWO, _variable_shift("sll")),
    "srlv": (("epi16", "epi32", "epi64"), TWO, _variable_shift("srl")),
    "srav": (("epi16", "epi32", "epi64"), TWO, _variable_shift("sra")),
    "rolv": (("epi32", "epi64"), TWO, lambda a, b: rotated(True, a, b)),
    "rorv": (("epi32", "epi64"), TWO, lambda a, b: rotated(False, a, b)),
    "scalef": (FLOATS, TWO, _scaled),
    "sqrt": (FLOATS, ONE, lambda a: call("sqrt", a.dtype, a)),
    "rsqrt14": (FLOATS, ONE, lambda a: call("rsqrt", a.dtype, a, fast=True)),
    "rsqrt28": (FLOATS, ONE, lambda a: call("rsqrt", a.dtype, a, fast=True)),
    "rsqrt": (FLOATS, ONE, lambda a: call("rsqrt", a.dtype, a, fast=True)),
    "rcp14": (FLOATS, ONE, lambda a: call("rcp", a.dtype, a, fast=True)),
    "rcp28": (FLOATS, ONE, lambda a: call("rcp", a.dtype, a, fast=True)),
    "rcp": (FLOATS, ONE, lambda a: call("rcp", a.dtype, a, fast=True)),
    "floor": (FLOATS, ONE, lambda a: call("floor", a.dtype, a)),
    "ceil": (FLOATS, ONE, lambda a: call("ceil", a.dtype, a)),
    "trunc": (FLOATS, ONE, lambda a: call("trunc", a.dtype, a)),
    "popcnt": (SIGNED, ONE, lambda a: cast(call("popc", I32, _word(a)), a.dtype)),
    "lzcnt": (("epi32", "epi64"), ONE, lambda a: cast(call("clz", I32, _word(a)), a.dtype)),
    "fmadd": (FLOATS, THREE, _fma(1, 1)),
    "fmsub": (FLOATS, THREE, _fma(1, -1)),
    "fnmadd": (FLOATS, THREE, _fma(-1, 1)),
    "fnmsub": (FLOATS, THREE, _fma(-1, -1)),
}
# Without the name's element type: plain bits.
WHOLE: dict[str, Meaning] = {
    "and": _bits("&"), "or": _bits("|"), "xor": _bits("^"), "andnot": _andnot,
}  # fmt: skip


def _word(a: Expr) -> Expr:
    word = U64 if a.dtype.bits == 64 else U32
    return cast(cast(a, unsigned(a.dtype)), word)


COMPARISONS: dict[str, Callable[[Expr, Expr], Expr]] = {
    "eq": eq, "lt": lt, "le": le, "neq": ne, "ge": ge, "gt": gt, "nlt": ge, "nle": gt,
}  # fmt: skip
# Of floats, by their predicate: `nlt` holds where either is NaN.
ORDERS = {
    "eq": 0, "lt": 1, "le": 2, "unord": 3, "neq": 4, "nlt": 5, "nle": 6, "ord": 7, "nge": 9, "ngt": 10,
    "ge": 13, "gt": 14,
}  # fmt: skip


def comparisons(dtype: DType) -> dict[str, Callable[[Expr, Expr], Expr]]:
    """Those with names of their own, for lanes of a type."""
    if not dtype.is_float:
        return COMPARISONS
    return {name: partial(compared, predicate) for name, predicate in ORDERS.items()}


def _unordered(a: Expr, b: Expr) -> Expr:
    return or_(ne(a, a), ne(b, b))


def compared(predicate: int, a: Expr, b: Expr) -> Expr:
    """One of the 32 predicates of `cmp_ps_mask`; those above 15 differ in exceptions alone."""
    base = predicate & 15
    orders: dict[int, Expr] = {
        0: eq(a, b), 1: lt(a, b), 2: le(a, b), 3: _unordered(a, b), 4: ne(a, b),
        5: _not(lt(a, b)), 6: _not(le(a, b)), 7: _not(_unordered(a, b)),
        8: or_(eq(a, b), _unordered(a, b)), 9: _not(ge(a, b)), 10: _not(gt(a, b)), 11: const(False, BOOL),
        12: _not(or_(eq(a, b), _unordered(a, b))), 13: ge(a, b), 14: gt(a, b), 15: const(True, BOOL),
    }  # fmt: skip
    return orders[base]


def _not(condition: Expr) -> Expr:
    """The negation of a comparison of floats is no comparison: NaN."""
    if isinstance(condition, Binary) and condition.left.dtype.is_float:
        return Unary(BOOL, "!", condition)
    return not_(condition)


_QUIET_NAN, _ZERO, _MINUS_ZERO, _INFINITE, _MINUS_INFINITE, _DENORMAL, _NEGATIVE, _SIGNALING_NAN = (
    1 << n for n in range(8)
)


def is_of_class(classes: int, a: Expr) -> Expr:
    """Whether `a` is of one of the classes of `fpclass`, a bit each."""
    dtype, zero = a.dtype, const(0.0, a.dtype)
    minus = call("signbit", BOOL, a)
    quiet_bit = const(1 << {F32: 22, F64: 51}[dtype], unsigned(dtype))
    quiet = ne(binary("&", as_bits(a, unsigned(dtype)), quiet_bit), const(0, unsigned(dtype)))
    smallest = const({F32: 2.0**-126, F64: 2.0**-1022}[dtype], dtype)
    nan, infinite = call("isnan", BOOL, a), call("isinf", BOOL, a)
    members = {
        _QUIET_NAN | _SIGNALING_NAN: nan,
        _QUIET_NAN: and_(nan, quiet),
        _SIGNALING_NAN: and_(nan, not_(quiet)),
        _INFINITE | _MINUS_INFINITE: infinite,
        _INFINITE: and_(infinite, not_(minus)),
        _MINUS_INFINITE: and_(infinite, minus),
        _ZERO | _MINUS_ZERO: eq(a, zero),
        _ZERO: and_(eq(a, zero), not_(minus)),
        _MINUS_ZERO: and_(eq(a, zero), minus),
        _DENORMAL: and_(ne(a, zero), lt(call("abs", dtype, a), smallest)),
        _NEGATIVE: and_(lt(a, zero), call("isfinite", BOOL, a)),
    }
    found = []
    for bits, condition in members.items():  # pairs come before the halves that they cover
        if classes & bits == bits:
            found.append(condition)
            classes &= ~bits
    return or_(const(False, BOOL), *found)


def compared_integers(predicate: int, a: Expr, b: Expr) -> Expr:
    orders = (eq, lt, le, None, ne, ge, gt, None)
    found = orders[predicate & 7]
    if found is None:
        return const(predicate & 7 == 7, BOOL)
    return found(a, b)


def rounded(mode: int, a: Expr) -> Expr:
    """Rounding to an integer: 0 nearest even, 1 down, 2 up, 3 towards zero, 4 as by default."""
    function = "rint" if mode & 4 else ("rint", "floor", "ceil", "trunc")[mode & 3]
    return call(function, a.dtype, a)


def scaled_rounding(imm: int, a: Expr) -> Expr:
    """`roundscale`: rounding to a multiple of 2^-M, M = imm >> 4."""
    places = imm >> 4 & 15
    if not places:
        return rounded(imm, a)
    factor = const(2.0**places, a.dtype)
    return div(rounded(imm, mul(a, factor)), factor)


def to_integer(value: Expr, dtype: DType, mode: int) -> Expr:
    """Conversion to an integer; what does not fit becomes the number with only the top bit set, of an
    unsigned type the largest."""
    whole = rounded(mode, value)
    low, high = int_limits(dtype)
    top = const(2.0 ** (dtype.bits - (1 if dtype.is_signed else 0)), value.dtype)
    bottom = const(-(2.0 ** (dtype.bits - 1)) if dtype.is_signed else 0.0, value.dtype)
    fits = binary("&&", ge(whole, bottom), lt(whole, top))
    return select(fits, cast(whole, dtype), const(low if dtype.is_signed else high, dtype))


def saturated(value: Expr, dtype: DType) -> Expr:
    """An integer clamped to the range of a narrower type."""
    low, high = int_limits(dtype)
    wide = value.dtype if value.dtype.bits >= 32 else I32
    number = cast(value, wide)
    if wide.is_signed:
        number = maximum(number, const(low, wide)) if dtype.is_signed or value.dtype.is_signed else number
    return cast(minimum(number, const(high, wide)), dtype)
