"""Quotients that are rounded to whole numbers on an MLU."""

from __future__ import annotations

import numpy as np
import pytest

from tests.passes.mlu import canonical, expanded, instructions, laid_out
from xpiler.ir.interpret import run

STEPS = (0.1, 0.3, 1.7, 3.0, 255.0, 1e-3)


def _kernel(value: str) -> str:
    return f"""__global__ void f(const float *x, const float *w, int *y, float step, int n) {{
        int i = blockIdx.x * blockDim.x + threadIdx.x;
        if (i < n) {{ {value} }}
    }}"""


@pytest.mark.parametrize(
    ("value", "rounded"),
    [
        ("float t = x[i] / step; y[i] = (int)floorf(t);", np.floor),
        ("y[i] = __float2int_rn(x[i] / step);", np.rint),
        ("y[i] = (int)(fminf(x[i] / step, 1000.0f));", np.trunc),
        ("y[i] = (int)(x[i] / w[i]);", np.trunc),
    ],
)
def test_what_lies_at_the_edge_of_a_bin_is_in_the_bin_of_the_quotient(value: str, rounded: np.ufunc) -> None:
    laid = laid_out(canonical(_kernel(value), x=16))
    assert "__bang_sub" in instructions(laid)
    for step in np.float32(STEPS):
        x = (np.arange(-400, 600, dtype=np.float32) * np.float32(0.5) * step).astype(np.float32)
        w, y = np.full_like(x, step), np.zeros(x.size, np.int32)
        given = {"x": x, "w": w, "y": y, "step": float(step), "n": x.size}
        assert not run(expanded(laid), given).errors
        np.testing.assert_array_equal(y, rounded(x / step).astype(np.int32))


@pytest.mark.parametrize("value", ["y[i] = (int)(x[i] / 8.0f);", "y[i] = x[i] / step > 2.0f;"])
def test_a_product_with_the_reciprocal_does_where_it_is_exact_or_nothing_is_rounded(value: str) -> None:
    assert "__bang_sub" not in instructions(laid_out(canonical(_kernel(value), x=16)))


def test_infinite_quotients_stay_infinite() -> None:
    source = """__global__ void f(const float *x, float *y, float step, int n) {
        int i = blockIdx.x * blockDim.x + threadIdx.x;
        if (i < n) y[i] = rintf(x[i] / step);
    }"""
    x = np.array([np.inf, -np.inf, np.nan, 3e38, 0.0], np.float32)
    y = np.zeros_like(x)
    assert not run(expanded(laid_out(canonical(source))), {"x": x, "y": y, "step": 0.1, "n": 5}).errors
    np.testing.assert_array_equal(y, [np.inf, -np.inf, np.nan, np.inf, 0.0])
