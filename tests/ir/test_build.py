"""Constructors promote as C does and fold exactly."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.ir.scalar import Undefined, operate, to_type
from xpiler.ir import build as b
from xpiler.ir.nodes import Binary, Const, Expr
from xpiler.ir.printer import constant, show
from xpiler.ir.types import BF16, BOOL, F16, F32, F64, I8, I16, I32, I64, U8, U16, U32, U64, DType

INTEGERS = st.sampled_from([I8, I16, I32, I64, U8, U16, U32, U64])
WORDS = st.sampled_from([I32, I64, U32, U64])


@given(st.integers(-(2**70), 2**70), INTEGERS)
def test_constants_wrap_at_their_width(value: int, dtype: DType) -> None:
    assert b.const(value, dtype).value == to_type(value, dtype)


@given(
    st.integers(), st.integers(), WORDS, st.sampled_from(["+", "-", "*", "/", "%", "&", "|", "^", "<", "=="])
)
def test_folding_is_c_arithmetic(x: int, y: int, dtype: DType, op: str) -> None:
    left, right = b.const(x, dtype), b.const(y, dtype)
    folded = b.binary(op, left, right)
    try:
        expected = operate(op, left.value, right.value, dtype, folded.dtype)
    except Undefined:
        assert isinstance(folded, Binary) or folded == left or (op == "/" and right.value == -1) or op == "%"
        return
    assert folded == Const(folded.dtype, expected)


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        (I8, U8, I32),
        (U16, I16, I32),
        (I32, U32, U32),
        (U32, I64, I64),
        (I64, U64, U64),
        (I32, F32, F32),
        (F32, F64, F64),
        (F16, BF16, F32),
        (I64, F16, F16),
        (BOOL, BOOL, I32),
    ],
)
def test_operands_meet_in_their_common_type(left: DType, right: DType, expected: DType) -> None:
    result = b.add(b.var("x", left), b.var("y", right))
    assert isinstance(result, Binary)
    assert result.dtype == result.left.dtype == result.right.dtype == expected


X, F = b.var("x"), b.var("f", F32)


@pytest.mark.parametrize(
    ("expr", "text"),
    [
        (b.add(X, 0), "x"),
        (b.mul(1, X), "x"),
        (b.mul(X, 0), "0"),
        (b.div(X, 1), "x"),
        (b.mod(X, 1), "0"),
        (b.add(F, 0.0), "f + 0.0f"),
        (b.mul(F, 2), "f * 2.0f"),
        (b.add(b.var("h", F16), 1.5), "h + 1.5h"),
        (b.and_(b.lt(X, 3), True), "x < 3"),
        (b.or_(b.lt(X, 3), True), "true"),
        (b.and_(X, F), "x != 0 && f != 0.0f"),
        (b.not_(b.lt(X, 3)), "x >= 3"),
        (b.not_(b.lt(F, 3.0)), "!(f < 3.0f)"),
        (b.select(True, X, 5), "x"),
        (b.select(b.lt(X, 3), X, 5), "x < 3 ? x : 5"),
        (b.cast(b.cast(X, I64), I32), "x"),
        (b.cast(b.cast(X, U8), I32), "(i32)(u8)x"),
        (b.minimum(3, 5), "3"),
        (b.ceil_div(X, 16), "(x + 15) / 16"),
        (b.sub(X, b.sub(X, 1)), "x - (x - 1)"),
        (b.mul(b.add(X, 1), b.neg(X)), "(x + 1) * -x"),
        (b.neg(b.const(-3)), "3"),
        (b.binary("<<", b.var("c", U8), 3), "(i32)c << 3"),
        (b.add(X, 2**40), "(i64)x + 1099511627776l"),
        (b.div(b.const(1, I32), 0), "1 / 0"),
        (b.div(0, X), "0"),
        (b.mod(0, X), "0"),
        (b.sub(b.add(b.var("u", U32), 16), 1), "u + 15u"),
        (b.add(b.sub(b.var("u", U32), 16), 1), "u - 15u"),
        (b.sub(b.add(b.var("u", U32), 7), 7), "u"),
        (b.sub(b.add(X, 16), 1), "x + 16 - 1"),
    ],
)
def test_what_is_built(expr: Expr, text: str) -> None:
    assert show(expr) == text


@pytest.mark.parametrize(
    ("value", "dtype", "text"),
    [
        (0.1, F32, "0.1f"),
        (0.1, F64, "0.1"),
        (0.1, F16, "0.1h"),
        (100.0, F32, "100.0f"),
        (1e-6, F32, "1e-06f"),
        (16777217, F32, "16777216.0f"),
        (-3.4028235e38, F32, "-3.4028235e+38f"),
        (math.inf, F32, "inf"),
        (-math.inf, F64, "-inf"),
        (math.nan, F32, "nan"),
        (7, U8, "(u8)7"),
        (2**32 - 1, U32, "4294967295u"),
        (1, BOOL, "true"),
    ],
)
def test_constants_read_back_as_themselves(value: float, dtype: DType, text: str) -> None:
    assert constant(b.const(value, dtype)) == text


def test_float_constants_are_rounded_once() -> None:
    assert b.const(65520.0, F16).value == math.inf
    assert b.const(1 + 2**-9, BF16).value == 1.0
    assert b.const(1 + 2**-9 + 2**-30, BF16).value == 1.0
    assert b.const(1 + 3 * 2**-8, BF16).value == 1 + 2**-6
    assert b.const(1e39, F32).value == math.inf
    assert b.const(-0.0, F32).value == 0.0 and math.copysign(1, float(b.const(-0.0, F32).value)) == -1


@pytest.mark.parametrize(
    ("op", "mask", "shown"),
    [
        ("^", b.const(0x80000000, U32), "-x"),
        ("^", b.bitcast(b.const(-0.0, F32), U32), "-x"),
        ("&", b.const(0x7FFFFFFF, U32), "abs(x)"),
        ("&", b.bitcast(b.const(0x7FFFFFFF, I32), U32), "abs(x)"),
        ("|", b.const(0x80000000, U32), "-abs(x)"),
        ("&", b.const(0xFFFF0000, U32), "bits<f32>(bits<u32>(x) & 4294901760u)"),
        ("^", b.const(0x7FFFFFFF, U32), "bits<f32>(bits<u32>(x) ^ 2147483647u)"),
    ],
)
def test_bits_that_only_change_the_sign_are_read_as_that(op: str, mask: Expr, shown: str) -> None:
    x = b.bitcast(b.var("x", F32), U32)
    assert show(b.bitcast(b.binary(op, x, mask), F32)) == shown
    assert show(b.bitcast(b.binary(op, mask, x), F32)) == shown or shown.startswith("bits")
