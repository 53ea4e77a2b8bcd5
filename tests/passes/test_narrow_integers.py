"""Narrow integers on an MLU: vectors of conversions, exact also for values beyond the range of the type."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.passes.mlu import assert_same, canonical, expanded, instructions, laid_out
from xpiler.ir.interpret import run
from xpiler.ir.nodes import Assign, Const
from xpiler.ir.rewrite import walk
from xpiler.ir.types import F32
from xpiler.platforms.bang_integers import Range, range_of


def kernel(source: str, target: str, value: str) -> str:
    return (
        f"__global__ void f(const {source} *x, {target} *y, int s, int n)"
        f"{{ int i = threadIdx.x; if (i < n) {{ {value} }} }}"
    )


WORDS = np.array([0, 1, -1, 127, 128, -128, -129, 255, 256, 40000, -40000, 2**31 - 1, -(2**31)], np.int32)
BYTES = np.arange(256, dtype=np.uint8)


@pytest.mark.parametrize(
    ("target", "kind", "value", "shifts"),
    [
        ("signed char", np.int8, "y[i] = (signed char)x[i];", True),
        ("short", np.int16, "y[i] = (short)x[i];", True),
        ("unsigned char", np.uint8, "y[i] = (unsigned char)x[i];", True),
        ("signed char", np.int8, "int q = x[i] < -128 ? -128 : x[i] > 127 ? 127 : x[i]; y[i] = q;", False),
        ("signed char", np.int8, "y[i] = max(-100, min(x[i], 100));", False),
        ("signed char", np.int8, "y[i] = (x[i] >> 4) & 15;", False),
        ("int", np.int32, "y[i] = (x[i] << s) >> 7;", True),
    ],
)
def test_ints_become_narrower(target: str, kind: Any, value: str, shifts: bool) -> None:
    function = canonical(kernel("int", target, value))
    names = instructions(laid_out(function))
    assert shifts == ("__bang_sll" in names)
    assert_same(function, x=WORDS.copy(), y=np.zeros(WORDS.size, kind), s=3, n=WORDS.size)


@pytest.mark.parametrize(
    "value",
    [
        "y[i] = x[i] * 0.5f;",
        "y[i] = (int)x[i] - s;",
        "y[i] = x[i] ? 2.0f : 1.0f;",
        "y[i] = x[i] < s ? 2.0f : 1.0f;",
    ],
)
def test_bytes_without_sign_become_floats(value: str) -> None:
    function = canonical(kernel("unsigned char", "float", value))
    assert "__bang_int82float" in instructions(laid_out(function))
    assert_same(function, x=BYTES.copy(), y=np.zeros(256, np.float32), s=100, n=256)


def test_floats_become_bytes_without_sign() -> None:
    function = canonical(kernel("float", "unsigned char", "y[i] = (unsigned char)x[i];"))
    laid = laid_out(function)
    assert "__bang_float2int8_tz" in instructions(laid)
    x = np.array([-3.5, -0.5, 0, 0.9, 1.5, 127.9, 128.2, 200.7, 254.99, 255.5, 1e9], np.float32)
    given = {"x": x, "y": np.zeros(x.size, np.uint8), "s": 0, "n": x.size}
    assert not run(expanded(laid), given).errors
    assert np.array_equal(given["y"], np.clip(x, 0, 255).astype(np.uint8))


def test_a_histogram_is_added_as_a_vector() -> None:
    function = canonical(
        """__global__ void f(const unsigned *x, unsigned *bins, int n) {
            __shared__ unsigned own[64];
            own[threadIdx.x] = 0;
            __syncthreads();
            for (int i = threadIdx.x; i < n; i += 64) atomicAdd(&own[x[i]], 1u);
            __syncthreads();
            atomicAdd(&bins[threadIdx.x], own[threadIdx.x]);
        }"""
    )
    names = instructions(laid_out(function))
    assert "__bang_write_value" in names and "__bang_atomic_reduce_add" in names


def test_ranges_are_of_what_was_computed_last() -> None:
    def within(text: str, ranges: dict[str, Range]) -> Range | None:
        body = canonical(f"__global__ void f(int *y, int a, int b) {{ y[0] = {text}; }}").body
        (assign,) = (n for n in walk(body) if isinstance(n, Assign))
        return range_of(assign.value, ranges)

    assert within("a & 7", {}) == (0, 7)
    assert within("min(a, 9)", {"a": (3, 20)}) == (3, 9)
    assert within("a < 0 ? 0 : a > 9 ? 9 : a", {}) == (0, 9)
    assert within("b * 2 - a", {"a": (1, 5), "b": (0, 3)}) == (-5, 5)
    assert within("b + 1", {"b": (0, 2**31 - 1)}) is None  # which may wrap
    assert within("b + a", {"b": (0, 3)}) is None
    assert range_of(Const(F32, float("-inf")), {}) is None
