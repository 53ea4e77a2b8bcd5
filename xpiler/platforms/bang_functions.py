"""Functions of C that BANG C has no instruction for, by those that it has, to the accuracy of single
precision.

Where a plain formula loses the digits of small arguments (`exp(x) - 1`) a series takes over there.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from xpiler.ir.build import add, const, div, eq, lt, mul, sub
from xpiler.ir.nodes import Binary, Bitcast, Call, Cast, Const, Expr, Select, Var
from xpiler.ir.types import BOOL, F32, I32

_X = Var(F32, "x")
_ONE, _HALF = const(1.0, F32), const(0.5, F32)


@dataclass(frozen=True)
class Let:
    """Named intermediate results, in order, and the result that uses them. `scalars`: those before them that
    are the same for all lanes."""

    bindings: tuple[tuple[str, Expr], ...]
    result: Expr
    scalars: tuple[tuple[str, Expr], ...] = ()


def function_of(name: str, args: Sequence[Expr], varies: Callable[[Expr], bool]) -> Expr | Let | None:
    """The function of floats by others; None for one that is not here."""
    match name, args:
        case "pow", (x, y):
            return _powers(x, y, varies) if varies(y) else _power(x, y)
        case "quotient", (x, y):
            return _quotient(x, y, varies)
        case (("atan2" | "hypot"), (first, second)):
            x, y = (second, first) if name == "atan2" else (first, second)
            return Let((("x", x), ("y", y), *_SIDES), _ATAN2 if name == "atan2" else _HYPOT)
        case _, (x,) if name in _OF_ONE:
            return Let((("x", x), *_STEPS.get(name, ())), _OF_ONE[name])
    return None


def test_of(name: str, x: Expr) -> Expr | None:
    """`isnan(x)` and the like as a comparison."""
    size = Call(F32, "abs", (x,))
    match name:
        case "isnan":
            return Binary(BOOL, "!=", x, x)
        case "isinf":
            return eq(size, const(math.inf, F32))
        case "isfinite":
            return lt(size, const(math.inf, F32))
        case "signbit":
            return lt(Bitcast(I32, x), const(0, I32))
    return None


def tail_of_erf(x: Expr) -> Let:
    """1 - erf(x) for x >= 0, to a relative error of 1.2e-7 (Numerical Recipes in C, 6.2)."""
    z, t = Var(F32, "z"), Var(F32, "t")
    power = sub(_polynomial(_ERFC, t), mul(z, z))
    reciprocal = _call("rcp", add(mul(z, _HALF), _ONE))
    return Let((("z", x), ("t", reciprocal)), mul(_call("exp", power), t))


def _quotient(x: Expr, y: Expr, varies: Callable[[Expr], bool]) -> Let:
    """x / y to the last digit: x times the reciprocal, and what that leaves of x. The rest is exact, as the
    halves of 12 digits have products without a rounding. Quotients from 2^24 on, whole numbers as they are,
    stay (and what is infinite or no number)."""
    names: tuple[tuple[str, Expr], ...] = (("x", x),) if varies(x) else ()
    dividend = _X if varies(x) else x
    divisor, inverse = y, div(_ONE, y)
    if varies(y):
        divisor, inverse = Var(F32, "y"), Var(F32, "inverse")
        names = (*names, ("y", y), ("inverse", _call("rcp", divisor)))
    high, low = Var(F32, "high"), Var(F32, "low")
    upper: Expr = Var(F32, "upper") if varies(y) else _upper_half(y)
    lower: Expr = Var(F32, "lower") if varies(y) else sub(y, upper)
    if varies(y):
        names = (*names, ("upper", _upper_half(divisor)), ("lower", sub(divisor, upper)))
    rest = sub(sub(sub(sub(dividend, mul(high, upper)), mul(high, lower)), mul(low, upper)), mul(low, lower))
    names = (
        *names,
        ("q", mul(dividend, inverse)),
        ("high", _upper_half(_SQUARE)),
        ("low", sub(_SQUARE, high)),
    )
    is_small = lt(_call("abs", _SQUARE), const(2.0**24, F32))
    return Let(names, Select(F32, is_small, add(mul(rest, inverse), _SQUARE), _SQUARE))


def _upper_half(x: Expr) -> Expr:
    """The first 12 digits."""
    if isinstance(x, Const):
        (bits,) = struct.unpack("<i", struct.pack("<f", x.value))
        return const(struct.unpack("<f", struct.pack("<i", bits & -4096))[0], F32)
    return Bitcast(F32, Binary(I32, "&", Bitcast(I32, x), const(-4096, I32)))


def _power(x: Expr, y: Expr) -> Expr | Let:
    """x ** y for a y that is the same for all lanes, so that its parity is found once."""
    if isinstance(y, Const) and y.value in (1, 2, 3, 4):
        product = x
        for _ in range(int(y.value) - 1):
            product = mul(product, x)
        return product
    size = _call("exp2", mul(_call("log2", _call("abs", _X)), y))
    half = mul(y, _HALF)
    is_even = eq(_call("floor", half), half)
    is_whole = eq(_call("floor", y), y)
    sign = Select(F32, is_even, _ONE, Select(F32, is_whole, const(-1.0, F32), const(math.nan, F32)))
    signed = Select(F32, lt(_X, const(0.0, F32)), mul(size, sign), size)
    if isinstance(y, Const) and y.value != 0:
        return Let((("x", x),), signed)
    zero = const(0.0, F32)  # whose logarithm has no product with a y of 0
    return Let((("x", x),), Select(F32, eq(_X, zero), _call("pow", zero, y), signed))


def _powers(x: Expr, y: Expr, varies: Callable[[Expr], bool]) -> Let:
    """x ** y for a y of each lane. The logarithm of 0 and of infinity is a number whose product with a y of 0
    is 0. An x that is the same for all lanes has its logarithm taken once, and one sign."""
    names: tuple[tuple[str, Expr], ...] = (("y", y),)
    scalars: tuple[tuple[str, Expr], ...] = ()
    half = mul(_Y, _HALF)
    log = _call("log2", _call("abs", _X if varies(x) else x))
    log = _call("max", _call("min", log, const(2.0**127, F32)), const(-(2.0**127), F32))
    if varies(x):
        names, size = (("x", x), *names), _call("exp2", mul(_Y, log))
    elif isinstance(x, Const) and 0 < x.value < math.inf:
        exact = math.log2(x.value)
        steps, size = _powers_of(const(exact, F32), *(const(n, F32) for n in _in_two(exact)))
        return Let((*names, *steps), size)
    else:
        log_, coarse, fine = (Var(F32, name) for name in ("log", "coarse", "fine"))
        usual = lt(_call("abs", log_), const(_MOST, F32))
        rounded = mul(_call("floor", add(mul(log_, const(16.0, F32)), _HALF)), const(1 / 16, F32))
        rest = _call("log2", mul(_call("abs", x), _call("exp2", sub(const(0.0, F32), coarse))))
        scalars = (
            ("log", log),
            ("coarse", Select(F32, usual, rounded, const(0.0, F32))),
            ("fine", Select(F32, usual, rest, log_)),
        )
        steps, size = _powers_of(log_, coarse, fine)
        names = (*names, *steps)
    is_even = eq(_call("floor", half), half)
    is_whole = eq(_call("floor", _Y), _Y)
    sign = Select(F32, is_even, _ONE, Select(F32, is_whole, const(-1.0, F32), const(math.nan, F32)))
    if isinstance(x, Const):
        return Let(names, mul(size, sign), scalars)
    is_negative = lt(_X if varies(x) else _call("copysign", _ONE, x), const(0.0, F32))
    return Let(names, Select(F32, is_negative, mul(size, sign), size), scalars)


_MOST = 125.0  # powers of two up to which all steps are normal floats


def _in_two(log: float) -> tuple[float, float]:
    """The logarithm as one of a few digits and the rest."""
    coarse = math.floor(log * 16 + 0.5) / 16
    return coarse, log - coarse


def _powers_of(log: Expr, coarse: Expr, fine: Expr) -> tuple[tuple[tuple[str, Expr], ...], Expr]:
    """2 ** (y * log) to the last digits, where a product of floats loses as many as it is large: `log` is
    the sum of `coarse`, of which products with 12 digits are exact, and `fine`. Steps, and the result."""
    power, upper, large, whole = (Var(F32, name) for name in ("power", "upper", "large", "whole"))
    steps = (
        ("power", mul(_Y, log)),
        ("upper", _upper_half(_Y)),
        ("large", mul(upper, coarse)),
        ("whole", _call("floor", large)),
    )
    rest = add(sub(large, whole), add(mul(sub(_Y, upper), coarse), mul(_Y, fine)))
    close = mul(_call("exp2", whole), _call("exp2", rest))
    return steps, Select(F32, lt(_call("abs", power), const(_MOST, F32)), close, _call("exp2", power))


def _polynomial(factors: Sequence[float], x: Expr) -> Expr:
    """`factors[0] + factors[1] * x + ...`"""
    result: Expr = const(factors[-1], F32)
    for factor in reversed(factors[:-1]):
        result = add(mul(result, x), const(factor, F32))
    return result


def _call(name: str, *args: Expr) -> Expr:
    return Call(F32, name, args)


def _near_zero(limit: float, near: Expr, far: Expr) -> Expr:
    return Select(F32, lt(_call("abs", _X), const(limit, F32)), near, far)


def _inverse_factorials(first: int, last: int, step: int) -> list[float]:
    return [1 / math.factorial(n) for n in range(first, last + 1, step)]


_ERFC = (
    *(-1.26551223, 1.00002368, 0.37409196, 0.09678418, -0.18628806, 0.27886807),
    *(-1.13520398, 1.48851587, -0.82215223, 0.17087277),
)
_TANH = (1.0, -0.333332819422, 0.133314422036, -0.0537397155531, 0.0206390887954, -0.00570498872745)  # Cephes
_ERF = (  # the same
    *(1.128379165726710, -0.3761262582423300, 0.1128358514861418, -0.02685381193529856),
    *(0.005188327685732524, -0.0008010193625184903, 0.00007853861353153693),
)
_ATAN = (  # atan(t) = t + t * q * _ATAN(q) with q = t * t, to 1.7 units in the last place up to t = 1
    *(-0.33333152720567016, 0.19993772461997453, -0.1421105219524394, 0.10665992172824368),
    *(-0.07552187383759375, 0.04321154055782187, -0.016367729931472834, 0.00292064253185423),
)
_ASIN = (0.16666752422, 0.074953002686, 0.045470025998, 0.024181311049, 0.042163199048)  # Cephes, up to 1 / 2
_EXP, _EXP_OF_NEGATIVE = _call("exp", _X), _call("exp", mul(_X, const(-1.0, F32)))
_R, _SQUARE = Var(F32, "r"), Var(F32, "q")
_Y, _SIZE, _ROOT = Var(F32, "y"), Var(F32, "size"), Var(F32, "root")
_PI = const(math.pi, F32)
_RIGHT = const(math.pi / 2, F32)


def _series(factors: Sequence[float], x: Expr) -> Expr:
    """x + x * q * polynomial(q) with q, the square of x, known by its name."""
    return add(mul(mul(_polynomial(factors, _SQUARE), _SQUARE), x), x)


_LARGER, _SMALLER = (_call(name, _call("abs", _X), _call("abs", _Y)) for name in ("max", "min"))
_SIDES: tuple[tuple[str, Expr], ...] = (  # the smaller side by the larger one, and its square
    ("size", _call("max", _LARGER, const(2.0**-126, F32))),
    ("r", div(_SMALLER, _SIZE)),
    ("q", mul(_R, _R)),
)
_IS_STEEP = lt(_call("abs", _X), _call("abs", _Y))
_UP = _series(_ATAN, _R)
_ATAN2 = _call(
    "copysign",
    Select(
        F32,
        lt(Bitcast(I32, _X), const(0, I32)),
        sub(_PI, Select(F32, _IS_STEEP, sub(_RIGHT, _UP), _UP)),
        Select(F32, _IS_STEEP, sub(_RIGHT, _UP), _UP),
    ),
    _Y,
)
_HYPOT = mul(_call("sqrt", add(_SQUARE, _ONE)), _SIZE)
_FAR = lt(const(2.0**30, F32), _SIZE)  # whose square need not be known
_BY_LOG = add(_call("log", _SIZE), const(math.log(2), F32))
_STEPS: dict[str, tuple[tuple[str, Expr], ...]] = {  # what a result needs more than once
    "log1p": (("r", div(_X, add(_X, const(2.0, F32)))), ("q", mul(_R, _R))),  # log1p(x) = 2 * atanh(r)
    "sinh": (("q", mul(_X, _X)),),
    "tanh": (("q", mul(_X, _X)),),
    "erf": (("q", mul(_X, _X)),),
    "erfc": (("tail", _call("erfc", _call("abs", _X))),),
    "atan": (
        ("size", _call("abs", _X)),
        ("r", _call("min", _SIZE, _call("rcp", _SIZE))),
        ("q", mul(_R, _R)),
    ),
    "asin": (
        ("size", _call("abs", _X)),
        ("q", Select(F32, lt(_SIZE, _HALF), mul(_X, _X), mul(sub(_ONE, _SIZE), _HALF))),
        ("root", Select(F32, lt(_SIZE, _HALF), _SIZE, _call("sqrt", _SQUARE))),
        ("r", _series(_ASIN, _ROOT)),
    ),
    "asinh": (("size", _call("abs", _X)), ("q", mul(_X, _X))),
    "acosh": (("size", _X), ("r", sub(_X, _ONE))),
}
_STEPS["acos"] = _STEPS["asin"]
_NOT_NEGATIVE = Binary(BOOL, ">=", _X, const(0.0, F32))
_OF_ONE: dict[str, Expr] = {
    "expm1": _near_zero(0.5, mul(_polynomial(_inverse_factorials(1, 9, 1), _X), _X), sub(_EXP, _ONE)),
    "log1p": _near_zero(
        0.25,
        mul(_polynomial([2 / n for n in (1, 3, 5, 7, 9)], _SQUARE), _R),
        _call("log", add(_X, _ONE)),
    ),
    "sinh": _near_zero(
        0.5,
        mul(_polynomial(_inverse_factorials(1, 9, 2), _SQUARE), _X),
        mul(sub(_EXP, _EXP_OF_NEGATIVE), _HALF),
    ),
    "tanh": _near_zero(
        0.625,
        mul(_polynomial(_TANH, _SQUARE), _X),
        sub(_ONE, div(const(2.0, F32), add(_call("exp", mul(_X, const(2.0, F32))), _ONE))),
    ),
    "erf": _near_zero(
        1.0,
        mul(_polynomial(_ERF, _SQUARE), _X),
        mul(
            sub(_ONE, _call("erfc", _call("abs", _X))),
            sub(mul(Cast(F32, _NOT_NEGATIVE), const(2.0, F32)), _ONE),
        ),
    ),
    "erfc": Select(F32, _NOT_NEGATIVE, Var(F32, "tail"), sub(const(2.0, F32), Var(F32, "tail"))),
    "atan": _call("copysign", Select(F32, lt(_ONE, _SIZE), sub(_RIGHT, _UP), _UP), _X),
    "asin": _call("copysign", Select(F32, lt(_SIZE, _HALF), _R, sub(_RIGHT, mul(_R, const(2.0, F32)))), _X),
    "acos": Select(
        F32,
        lt(_SIZE, _HALF),
        sub(_RIGHT, _call("copysign", _R, _X)),
        Select(F32, _NOT_NEGATIVE, mul(_R, const(2.0, F32)), sub(_PI, mul(_R, const(2.0, F32)))),
    ),
    "asinh": _call(
        "copysign",
        Select(
            F32,
            _FAR,
            _BY_LOG,
            _call("log1p", add(_SIZE, div(_SQUARE, add(_call("sqrt", add(_SQUARE, _ONE)), _ONE)))),
        ),
        _X,
    ),
    "acosh": Select(
        F32,
        _FAR,
        _BY_LOG,
        _call("log1p", add(_R, _call("sqrt", mul(_R, add(_R, const(2.0, F32)))))),
    ),
    "atanh": mul(_call("log1p", div(mul(_X, const(2.0, F32)), sub(_ONE, _X))), _HALF),
    "cosh": mul(add(_EXP, _EXP_OF_NEGATIVE), _HALF),
    "tan": div(_call("sin", _X), _call("cos", _X)),
    "trunc": Select(F32, _NOT_NEGATIVE, _call("floor", _X), _call("ceil", _X)),
    "exp10": _call("exp2", mul(_X, const(math.log2(10), F32))),
    "cbrt": _call("copysign", _call("exp2", mul(_call("log2", _call("abs", _X)), const(1 / 3, F32))), _X),
    "normcdf": mul(_call("erfc", mul(_X, const(-math.sqrt(0.5), F32))), _HALF),
}
