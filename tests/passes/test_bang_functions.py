"""Functions that no instruction of BANG C computes: vectors of those that there are, accurate everywhere."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from tests.passes.mlu import canonical, expanded, instructions, laid_out
from xpiler.ir.interpret import run
from xpiler.ir.nodes import For, LoopKind
from xpiler.ir.rewrite import walk

EDGES = [0.0, 1e-30, 1e-6, 1e-3, 0.2, 0.2499, 0.2501, 0.4999, 0.5001, 0.9, 1.0, 1.5, 2.0, 7.3, 30.0]
FINITE = np.array([*EDGES, *(-np.array(EDGES))], np.float32)


def beside(x: float) -> float:
    return float(np.float32(2.5) - np.float32(2.5) * np.float32(x))


SPECIAL = np.array([np.inf, -np.inf, np.nan], np.float32)


@pytest.mark.parametrize(
    ("call", "reference", "special"),
    [
        ("expm1f(v)", math.expm1, True),
        ("log1pf(v)", lambda x: math.log1p(x) if x > -1 else -math.inf if x == -1 else math.nan, True),
        ("sinhf(v)", math.sinh, True),
        ("tanhf(v)", math.tanh, True),
        ("erff(v)", math.erf, True),
        ("erfcf(v)", math.erfc, True),
        ("coshf(v)", math.cosh, True),
        ("truncf(v)", math.trunc, False),
        ("tanf(v)", math.tan, False),
        ("exp10f(v)", lambda x: 10.0**x, False),
        ("cbrtf(v)", lambda x: math.copysign(abs(x) ** (1 / 3), x), True),
        ("normcdff(v)", lambda x: 0.5 * math.erfc(-x / math.sqrt(2)), False),
        ("atanf(v)", math.atan, True),
        ("asinf(v * 0.0333f)", lambda x: math.asin(x * np.float32(0.0333)), False),
        ("acosf(v * 0.0333f)", lambda x: math.acos(x * np.float32(0.0333)), False),
        ("asinhf(v)", math.asinh, True),
        ("asinhf(v * 1e20f)", lambda x: math.asinh(x * 1e20), True),
        ("acoshf(fabsf(v) + 1.0f)", lambda x: math.acosh(np.float32(abs(x)) + np.float32(1)), False),
        ("atanhf(v * 0.0333f)", lambda x: math.atanh(x * np.float32(0.0333)), False),
        (
            "atan2f(v, p - 2.5f * v)",
            lambda x: math.atan2(x, beside(x)),
            False,
        ),
        (
            "atan2f(p - 2.5f * v, v)",
            lambda x: math.atan2(beside(x), x),
            False,
        ),
        ("hypotf(v, p)", lambda x: math.hypot(x, 2.5), False),
        ("hypotf(v * 1e37f, v)", lambda x: math.hypot(x * 1e37, x), False),
        ("powf(fabsf(v), 0.5f * v)", lambda x: abs(x) ** (0.5 * x), False),
        ("powf(p, v)", lambda x: 2.5**x, False),
        ("powf(-p, floorf(v))", lambda x: (-2.5) ** math.floor(x), False),
        ("powf(p - 2.5f, fabsf(v))", lambda x: 1.0 if x == 0 else 0.0, False),
        ("powf(fminf(p, 0.0f), fabsf(v))", lambda x: 1.0 if x == 0 else 0.0, False),
        ("powf(p * INFINITY, v)", lambda x: 1.0 if x == 0 else math.inf if x > 0 else 0.0, False),
        ("powf(-2.0f, floorf(v))", lambda x: (-2.0) ** math.floor(x), False),
        ("powf(10000.0f, v)", lambda x: 10000.0**x if x < 9 else math.inf, False),
        ("powf(v, 3.0f)", lambda x: x**3, True),
        ("powf(v, p)", lambda x: abs(x) ** 2.5 if x >= 0 else math.nan, False),
        ("powf(v, -p * 2.0f)", lambda x: float(np.float64(x) ** -5) if x else math.inf, False),
        ("powf(v, p - 2.5f)", lambda x: 1.0, False),
        ("isnan(v) ? 1.0f : isinf(v) ? 2.0f : isfinite(v) ? 3.0f : 4.0f", None, True),
        ("signbit(v) ? 1.0f : 2.0f", lambda x: 1.0 if math.copysign(1, x) < 0 else 2.0, False),
    ],
)
def test_it_is_a_vector_and_right(
    call: str, reference: Callable[[float], float] | None, special: bool
) -> None:
    function = canonical(
        f"""__global__ void f(const float *x, float *y, float p, int n) {{
            int i = threadIdx.x;
            if (i < n) {{ float v = x[i]; y[i] = {call}; }}
        }}"""
    )
    laid = laid_out(function)
    loops = [n for n in walk(laid.body) if isinstance(n, For) and n.kind is not LoopKind.SERIAL]
    assert not any(n.kind is LoopKind.VECTOR for n in loops)
    x = np.concatenate([FINITE, SPECIAL]) if special else FINITE
    x = x[x != 0] if call == "powf(v, -p * 2.0f)" else x
    given = {"x": x.copy(), "y": np.zeros_like(x), "p": 2.5, "n": x.size}
    assert not run(expanded(laid), given).errors
    same = {"x": x.copy(), "y": np.zeros_like(x), "p": 2.5, "n": x.size}
    assert not run(function, same).errors
    finite = np.isfinite(x)
    if reference is not None:
        with np.errstate(over="ignore"):
            wanted = np.array([reference(float(v)) for v in x[finite]]).astype(np.float32)
        np.testing.assert_allclose(given["y"][finite], wanted, 6e-6, 1e-37)
    np.testing.assert_array_equal(given["y"][~finite], same["y"][~finite])


@pytest.mark.parametrize(("a", "b", "short"), [(1.0, -1.0, True), (0.25, 3.0, True), (0.1, 1e8, False)])
def test_a_choice_between_numbers_is_a_product_and_a_sum_where_these_are_exact(
    a: float, b: float, short: bool
) -> None:
    function = canonical(
        f"""__global__ void f(const float *x, float *y, int n) {{
            int i = threadIdx.x;
            if (i < n) y[i] = x[i] < 0.5f ? {a}f : {b}f;
        }}"""
    )
    assert ("__bang_band" not in instructions(laid_out(function))) == short
    x = np.concatenate([FINITE, SPECIAL])
    given = {"x": x.copy(), "y": np.zeros_like(x), "n": x.size}
    assert not run(expanded(laid_out(function)), given).errors
    np.testing.assert_array_equal(given["y"], np.where(x < 0.5, np.float32(a), np.float32(b)))


@pytest.mark.parametrize("base", ["10000.0f", "p"])
def test_powers_of_one_base_are_right_to_the_last_digits(base: str) -> None:
    function = canonical(
        f"""__global__ void f(const float *x, float *y, float p, int n) {{
            int i = blockIdx.x * blockDim.x + threadIdx.x;
            if (i < n) y[i] = powf({base}, x[i]);
        }}""",
        x=5,
    )
    x = np.random.default_rng(3).uniform(-2, 2, 300).astype(np.float32)
    given = {"x": x.copy(), "y": np.zeros_like(x), "p": 10000.0, "n": x.size}
    assert not run(expanded(laid_out(function)), given).errors
    np.testing.assert_allclose(given["y"], 10000.0 ** x.astype(np.float64), 4e-7)
