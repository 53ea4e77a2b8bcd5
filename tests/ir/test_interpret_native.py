"""Scalar operations on lanes against exact arithmetic."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xpiler.ir import functions
from xpiler.ir.build import round_float
from xpiler.ir.interpret_native import Native
from xpiler.ir.types import BF16, F16, F32, F64, I8, I32, I64, U8, U32, U64, DType

NATIVE = Native()
pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")  # integers wrap; a run silences this itself
FLOATS = st.floats(width=32)
SOME = st.floats(-1e4, 1e4, width=16)


def nearest(value: Fraction, dtype: DType) -> float:
    """A real number rounded once to nearest even."""
    bits, low = {"f16": (11, -14), "bf16": (8, -126), "f32": (24, -126)}[dtype.name]
    if value == 0:
        return 0.0
    exponent = math.frexp(float(value))[1] - 1
    while abs(value) >= Fraction(2) ** (exponent + 1):
        exponent += 1
    while abs(value) < Fraction(2) ** exponent:
        exponent -= 1
    unit = Fraction(2) ** (max(exponent, low) - bits + 1)
    return float(round(value / unit) * unit)


@settings(max_examples=300, deadline=None)
@given(st.floats(-1e30, 1e30))
def test_doubles_round_once_to_bf16(x: float) -> None:
    expected = nearest(Fraction(x), BF16)
    assert float(NATIVE.cast(F64, BF16)(np.float64(x))) == expected
    assert NATIVE.cast(F64, BF16)(np.array([x])).tolist() == [expected]
    assert round_float(x, BF16) == expected


@settings(max_examples=300, deadline=None)
@given(SOME, SOME, SOME)
def test_fma_rounds_once(x: float, y: float, z: float) -> None:
    exact = Fraction(x) * Fraction(y) + Fraction(z)
    for dtype in (F32, BF16):
        inputs = [np.float32(nearest(Fraction(v), dtype)) for v in (x, y, z)]
        exact = Fraction(float(inputs[0])) * Fraction(float(inputs[1])) + Fraction(float(inputs[2]))
        assert float(NATIVE.call("fma", dtype, dtype)(*inputs)) == nearest(exact, dtype)


def test_fma_of_doubles_keeps_the_low_bits() -> None:
    x = np.float64(1 + 2**-30)
    assert NATIVE.call("fma", F64, F64)(x, x, np.float64(-1 - 2**-29)) == 2.0**-60


@settings(max_examples=200, deadline=None)
@given(SOME, SOME)
def test_bf16_arithmetic_rounds_each_operation(x: float, y: float) -> None:
    a, b = (np.float32(nearest(Fraction(v), BF16)) for v in (x, y))
    for op, exact in (
        ("+", Fraction(float(a)) + Fraction(float(b))),
        ("*", Fraction(float(a)) * Fraction(float(b))),
    ):
        assert float(NATIVE.binary(op, BF16)(a, b)) == nearest(exact, BF16)


@pytest.mark.parametrize(
    ("value", "dtype", "expected"),
    [
        (3.9, I32, 3),
        (-3.9, I32, -3),
        (3e9, I32, 2**31 - 1),
        (-3e9, I32, -(2**31)),
        (math.inf, I64, 2**63 - 1),
        (-math.inf, I64, -(2**63)),
        (-1.0, U32, 0),
        (300.0, U8, 255),
        (1e30, U64, 2**64 - 1),
        (-200.5, I8, -128),
    ],
)
def test_floats_become_integers_as_on_gpus(value: float, dtype: DType, expected: int) -> None:
    assert int(NATIVE.cast(F32, dtype)(np.float32(value))) == expected
    assert NATIVE.cast(F64, dtype)(np.array([value])).tolist() == [expected]


def test_not_a_number_becomes_zero_or_the_top_bit_as_on_gpus() -> None:
    for source, dtype, expected in ((F32, I32, 0), (F32, U32, 0), (F64, I32, -(2**31)), (F32, U64, 2**63)):
        assert int(NATIVE.cast(source, dtype)(NATIVE.const(math.nan, source))) == expected


def test_minimum_and_maximum_take_the_operand_that_is_a_number() -> None:
    for dtype in (F16, F32, F64):
        low, high = NATIVE.call("min", dtype, dtype), NATIVE.call("max", dtype, dtype)
        one, nan = NATIVE.const(1.0, dtype), NATIVE.const(math.nan, dtype)
        assert low(one, nan) == low(nan, one) == high(one, nan) == high(nan, one) == 1
        assert np.isnan(low(nan, nan))


def test_wide_shifts_push_everything_out() -> None:
    left, right = NATIVE.binary("<<", I32), NATIVE.binary(">>", I32)
    assert left(np.int32(5), np.int32(32)) == 0
    assert right(np.int32(-5), np.int32(40)) == -1
    assert left(np.array([5, 5], np.int32), np.array([1, 99], np.int64)).tolist() == [10, 0]


def signed(x: int, bits: int = 32) -> int:
    x %= 2**bits
    return x - 2**bits if x >= 2 ** (bits - 1) else x


@settings(max_examples=200, deadline=None)
@given(st.integers(-(2**31), 2**31 - 1), st.integers(-(2**31), 2**31 - 1), st.integers(0, 2**31 - 1))
def test_bit_functions(x: int, y: int, z: int) -> None:
    a, b, c = np.int32(x), np.int32(y), np.int32(z)
    word, other = x % 2**32, y % 2**32

    def call(name: str, *args: object) -> int:
        scalar = int(NATIVE.call(name, I32, I32)(*args))
        assert NATIVE.call(name, I32, I32)(*(np.array([v]) for v in args)).tolist() == [scalar]
        return scalar

    assert call("popc", a) == word.bit_count()
    assert call("clz", a) == 32 - word.bit_length()
    assert call("ffs", a) == (word & -word).bit_length()
    assert call("brev", a) == signed(int(f"{word:032b}"[::-1], 2))
    assert call("mulhi", a, b) == (x * y) >> 32
    assert call("funnelshift_l", a, b, c) == signed(((other << 32 | word) << (z % 32)) >> 32)
    assert call("funnelshift_r", a, b, c) == signed((other << 32 | word) >> (z % 32))
    numbers = (other << 32 | word).to_bytes(8, "little")
    chosen = [numbers[(z >> (4 * i)) & 7] for i in range(4)]
    chosen = [(255 if v >= 128 else 0) if (z >> (4 * i)) & 8 else v for i, v in enumerate(chosen)]
    assert call("byte_perm", a, b, c) == signed(int.from_bytes(bytes(chosen), "little"))
    pairs = zip(word.to_bytes(4, "little"), other.to_bytes(4, "little"), strict=True)
    assert call("dp4a", a, b, c) == signed(z + sum(signed(p, 8) * signed(q, 8) for p, q in pairs))


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1))
def test_the_high_half_of_a_product_of_64_bits(x: int, y: int) -> None:
    assert int(NATIVE.call("mulhi", U64, U64)(np.uint64(x), np.uint64(y))) == (x * y) >> 64


REFERENCE = {
    "erf": math.erf,
    "erfc": math.erfc,
    "tgamma": math.gamma,
    "lgamma": math.lgamma,
    "exp10": lambda x: 10.0**x,
    "rsqrt": lambda x: 1 / math.sqrt(x),
    "rcp": lambda x: 1 / x,
    "sinpi": lambda x: math.sin(math.pi * x),
    "cospi": lambda x: math.cos(math.pi * x),
    "abs": abs,
    "round": lambda x: float(math.floor(x + 0.5)),
    "rint": round,
    "normcdf": lambda x: 0.5 * math.erfc(-x / math.sqrt(2)),
    "saturate": lambda x: min(max(x, 0.0), 1.0),
    "erfinv": None,
    "j0": None,
    "j1": None,
}


@pytest.mark.parametrize("name", sorted(functions.FLOAT_UNARY))
def test_every_float_function_of_one_argument_is_accurate(name: str) -> None:
    xs = np.array([0.125, 0.3, 0.5, 0.75, 0.99], np.float32)
    if name == "acosh":
        xs = xs + 1
    expected = REFERENCE.get(name, getattr(math, name, None))
    found = NATIVE.call(name, F32, F32)(xs)
    assert found.dtype == np.float32
    if expected is not None:
        assert np.allclose(found, [expected(float(x)) for x in xs], rtol=1e-6, atol=1e-16)
    assert float(NATIVE.call(name, F32, F32)(xs[1])) == found[1]


def test_functions_without_a_counterpart_in_python() -> None:
    assert np.allclose(
        NATIVE.call("j0", F64, F64)(np.array([0.0, 1.0, 10.0])), [1, 0.7651976865579666, -0.2459357644513483]
    )
    assert np.allclose(
        NATIVE.call("j1", F64, F64)(np.array([0.0, 1.0, 10.0])), [0, 0.4400505857449335, 0.0434727461688614]
    )
    y = np.array([-0.999, -0.5, 0.0, 0.1, 0.9, 0.9999])
    inverse = NATIVE.call("erfinv", F64, F64)(y)
    assert np.allclose([math.erf(x) for x in inverse], y, rtol=1e-12)


def test_float_functions_of_two_arguments() -> None:
    x, y = np.float32(-7.5), np.float32(2.0)
    found = {
        name: float(NATIVE.call(name, F32, F32)(x, y))
        for name in functions.FLOAT_BINARY - {"ldexp", "nextafter"}
    }
    assert found["fmod"] == -1.5 and found["remainder"] == 0.5 and found["fdim"] == 0
    assert (
        found["pow"] == 56.25
        and found["copysign"] == 7.5
        and found["hypot"] == pytest.approx(math.hypot(7.5, 2))
    )


def test_unsigned_and_signed_division_differ() -> None:
    assert NATIVE.binary("/", I32)(np.int32(-7), np.int32(2)) == -3
    assert NATIVE.binary("%", I32)(np.int32(-7), np.int32(2)) == -1
    assert NATIVE.binary("/", U32)(np.uint32(2**32 - 7), np.uint32(2)) == 2**31 - 4
