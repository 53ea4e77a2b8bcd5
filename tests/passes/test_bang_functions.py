"""Functions that no instruction of BANG C computes: vectors of those that there are, accurate everywhere."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from tests.passes.mlu import canonical, expanded, laid_out
from xpiler.ir.interpret import run
from xpiler.ir.nodes import For, LoopKind
from xpiler.ir.rewrite import walk

EDGES = [0.0, 1e-30, 1e-6, 1e-3, 0.2, 0.2499, 0.2501, 0.4999, 0.5001, 0.9, 1.0, 1.5, 2.0, 7.3, 30.0]
FINITE = np.array([*EDGES, *(-np.array(EDGES))], np.float32)
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
