"""Words without a sign on an MLU: vectors of instructions for signed ones, with the same bits."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.passes.mlu import canonical, expanded, instructions, laid_out
from xpiler.ir.interpret import run
from xpiler.platforms.bang import ARCHITECTURES

WORDS = np.array(
    [0, 1, 2, 3, 99, 100, 2**24 + 1, 12345678, 2**31 - 1, 2**31, 2**31 + 1, 2**32 - 128, 2**32 - 1], np.uint32
)
FLOATS = np.array([0.0, 0.75, 1e-40, 7.5, 2.0**31, 2.0**31 - 128, 2.0**32 - 256], np.float32)


def computed(source: str, target: str, value: str, x: np.ndarray[Any, Any]) -> tuple[Any, Any]:
    """What the kernel and its layout give; the layout has to have vectors."""
    function = canonical(
        f"__global__ void f(const {source} *x, {target} *y, int n)"
        f"{{ int i = threadIdx.x; if (i < n) {{ {value} }} }}"
    )
    layout = laid_out(function)
    assert len(instructions(layout)) > 2, "scalar code"
    results = []
    for each in (function, expanded(layout)):
        y = np.zeros(x.size, {"unsigned": np.uint32, "float": np.float32}[target])
        assert not run(each, {"x": x.copy(), "y": y, "n": x.size}).errors
        results.append(y)
    return results[0], results[1]


@pytest.mark.parametrize(
    "value",
    [
        "unsigned h = x[i]; h ^= h >> 16; h *= 0x7feb352du; h ^= h >> 15; y[i] = h + 7u;",
        "y[i] = max(x[i], 0x80000000u) - min(x[i], 100u);",
        "y[i] = x[i] > 0x80000000u ? x[i] << 3 : x[i] - 5u;",
        "y[i] = x[i] <= 100u ? 1u : 2u;",
    ],
)
def test_arithmetic_wraps_around_and_compares_without_a_sign(value: str) -> None:
    expected, found = computed("unsigned", "unsigned", value, WORDS)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("value", ["y[i] = x[i];", "y[i] = (x[i] >> 8) * 0.5f;", "y[i] = x[i] > 99u;"])
def test_words_become_floats_rounded_once(value: str) -> None:
    expected, found = computed("unsigned", "float", value, WORDS)
    np.testing.assert_array_equal(found, expected)


def test_floats_become_words() -> None:
    expected, found = computed("float", "unsigned", "y[i] = (unsigned)x[i];", FLOATS)
    np.testing.assert_array_equal(found, expected)


BITS = np.concatenate([np.arange(0, 2**16, 257), np.arange(0x7F70, 0x7F90), [0x8000, 1]]).astype(np.uint16)
HALVES_OF_A_UNIT = np.array(
    [0x3F808000, 0x3F818000, 0x3F808001, 0x3F807FFF, 0x7F7FFFFF, 0xFF7F8000, 0x00008000, 0x80018000],
    np.uint32,
)
SPECIAL = np.array([0x7F800000, 0xFF800000, 0x7F800001, 0xFFFFFFFF, 0x7FFFFFFF, 0x7FC00000], np.uint32)


@pytest.mark.parametrize("architecture", ["mtp_372", "mtp_592"])
def test_bfloat16_becomes_its_float_and_back(architecture: str) -> None:
    function = canonical(
        "#include <cuda_bf16.h>\n"
        "__global__ void f(const __nv_bfloat16 *x, float *y, __nv_bfloat16 *z, int n) { int i = threadIdx.x;"
        "if (i < n) { y[i] = __bfloat162float(x[i]); z[i] = __float2bfloat16(y[i]); } }",
        (512, 1, 1),
    )
    layout = laid_out(function, ARCHITECTURES[architecture])
    assert ("__bang_bfloat162float" in instructions(layout)) == (architecture == "mtp_592")
    assert len(instructions(layout)) > 3
    y, z = np.zeros(BITS.size, np.float32), np.zeros(BITS.size, np.uint16)
    assert not run(expanded(layout), {"x": BITS.copy(), "y": y, "z": z, "n": BITS.size}).errors
    floats = (BITS.astype(np.uint32) << 16).view(np.float32)
    np.testing.assert_array_equal(y, floats)
    numbers = ~np.isnan(floats)
    np.testing.assert_array_equal(z[numbers], BITS[numbers])
    assert np.isnan((z[~numbers].astype(np.uint32) << 16).view(np.float32)).all()


def test_floats_become_the_nearest_bfloat16() -> None:
    function = canonical(
        "#include <cuda_bf16.h>\n__global__ void f(const float *x, __nv_bfloat16 *y, int n)"
        "{ int i = threadIdx.x; if (i < n) y[i] = __float2bfloat16(x[i]); }"
    )
    x = np.concatenate([HALVES_OF_A_UNIT, SPECIAL])
    y = np.zeros(x.size, np.uint16)
    assert not run(expanded(laid_out(function)), {"x": x.view(np.float32), "y": y, "n": x.size}).errors
    up = [0x3F80, 0x3F82, 0x3F81, 0x3F80, 0x7F80, 0xFF80, 0x0000, 0x8002]
    np.testing.assert_array_equal(y[: len(up)], np.array(up, np.uint16))
    np.testing.assert_array_equal(y[len(up) :][:2], np.array([0x7F80, 0xFF80], np.uint16))
    assert np.isnan((y[len(up) + 2 :].astype(np.uint32) << 16).view(np.float32)).all()
