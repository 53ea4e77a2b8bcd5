"""Functions of C that BANG C has no instruction for, by those that it has, to the accuracy of single
precision.

Where a plain formula loses the digits of small arguments (`exp(x) - 1`) a series takes over there.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from xpiler.ir.build import add, const, div, eq, lt, mul, sub
from xpiler.ir.nodes import Binary, Bitcast, Call, Cast, Const, Expr, Select, Var
from xpiler.ir.types import BOOL, F32, I32

_X = Var(F32, "x")
_ONE, _HALF = const(1.0, F32), const(0.5, F32)


@dataclass(frozen=True)
class Let:
    """Named intermediate results, in order, and the result that uses them."""

    bindings: tuple[tuple[str, Expr], ...]
    result: Expr


def function_of(name: str, args: Sequence[Expr], varies: Callable[[Expr], bool]) -> Expr | Let | None:
    """The function of floats by others; None for one that is not here."""
    match name, args:
        case "pow", (x, y):
            return None if varies(y) else _power(x, y)
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
_EXP, _EXP_OF_NEGATIVE = _call("exp", _X), _call("exp", mul(_X, const(-1.0, F32)))
_R, _SQUARE = Var(F32, "r"), Var(F32, "q")
_STEPS: dict[str, tuple[tuple[str, Expr], ...]] = {  # what a result needs more than once
    "log1p": (("r", div(_X, add(_X, const(2.0, F32)))), ("q", mul(_R, _R))),  # log1p(x) = 2 * atanh(r)
    "sinh": (("q", mul(_X, _X)),),
    "tanh": (("q", mul(_X, _X)),),
    "erf": (("q", mul(_X, _X)),),
    "erfc": (("tail", _call("erfc", _call("abs", _X))),),
}
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
    "cosh": mul(add(_EXP, _EXP_OF_NEGATIVE), _HALF),
    "tan": div(_call("sin", _X), _call("cos", _X)),
    "trunc": Select(F32, _NOT_NEGATIVE, _call("floor", _X), _call("ceil", _X)),
    "exp10": _call("exp2", mul(_X, const(math.log2(10), F32))),
    "cbrt": _call("copysign", _call("exp2", mul(_call("log2", _call("abs", _X)), const(1 / 3, F32))), _X),
    "normcdf": mul(_call("erfc", mul(_X, const(-math.sqrt(0.5), F32))), _HALF),
}
