"""Loops by which threads stride through memory are loops over its elements, however they are written."""

from __future__ import annotations

import numpy as np
import pytest

from tests.passes.mlu import assert_same, canonical, normal
from xpiler.ir.interpret import run
from xpiler.ir.printer import show

KERNEL = """__global__ void scale(const float *__restrict__ x, float *__restrict__ y, int n) {{
    const int t = blockIdx.x * blockDim.x + threadIdx.x, all = gridDim.x * blockDim.x;
    {body}
}}"""

BY_TWO = """float2 v = *(const float2 *)(x + i); v.x *= 3.0f; v.y = v.y * 3.0f; *(float2 *)(y + i) = v;"""
BODIES = {
    "while": "int i = t; while (i < n) { y[i] = x[i] * 3.0f; i += all; }",
    "two counters": "for (int j = 0, i = t; j < n; ++j, i += all) if (i < n) y[i] = x[i] * 3.0f;",
    "pairs": f"for (int i = 2 * t; i < n / 2 * 2; i += 2 * all) {{ {BY_TWO} }} "
    "const int rest = n - n % 2 + t; if (rest < n) y[rest] = x[rest] * 3.0f;",
    "pairs of a counter": f"for (int j = t; j < n / 2; j += all) {{ const int i = 2 * j; {BY_TWO} }} "
    "if (n / 2 * 2 + t < n) y[n / 2 * 2 + t] = x[n / 2 * 2 + t] * 3.0f;",
}


@pytest.mark.parametrize("written", BODIES)
@pytest.mark.parametrize("n", [0, 1, 70, 301])
def test_strides_of_threads_are_loops_over_elements(written: str, n: int) -> None:
    function = canonical(KERNEL.format(body=BODIES[written]), x=2)
    if written != "two counters":  # here every thread may come to any element
        (line,) = (line for line in show(function).splitlines() if " for " in line)
        assert line.endswith(" in 0 .. n {")
    x = normal(n + 1)[:n].copy()
    assert_same(function, x=x, y=np.zeros(n, np.float32), n=n)


def test_threads_that_stride_inside_another_loop_give_their_elements_to_the_lanes() -> None:
    function = canonical(
        """__global__ void rows(const float *x, const float *w, float *y, int n, int m) {
            for (int r = 0; r < m; ++r) for (int c = threadIdx.x; c < n; c += blockDim.x)
                y[r * n + c] = x[r * n + c] * w[c];
        }"""
    )
    assert "in 0 .. n {" in show(function) and "step" not in show(function)
    assert_same(function, x=normal(5 * 77), w=normal(77), y=np.zeros(5 * 77, np.float32), n=77, m=5)


@pytest.mark.parametrize(
    "body",
    [
        "for (int i = t; i < n; i += all) y[i] = x[i]; if (t < n) y[n - 1 - t] = 1.0f;",  # other elements
        "float s = 0.0f; for (int i = t; i < n; i += all) s += x[i]; if (t < n) y[t] = s;",  # carries a sum
    ],
)
def test_parts_that_need_each_other_stay_in_order(body: str) -> None:
    function = canonical(KERNEL.format(body=body), x=2)
    assert "0 .. n {" not in show(function) or show(function).count(" for ") > 1
    assert_same(function, x=normal(150), y=np.zeros(150, np.float32), n=150)


@pytest.mark.parametrize(("end", "together"), [("8", True), ("7", False)])
def test_lanes_that_start_apart_count_the_same(end: str, together: bool) -> None:
    function = canonical(
        """__global__ void sums(const float *x, float *y) {
            int lane = threadIdx.x % 32;
            float sum = 0.0f;
            for (int k = lane / 8; k < %s; k += 4)
                sum += x[k] * __shfl_xor_sync(0xffffffff, x[lane], 1);
            y[threadIdx.x] = sum;
        }""".replace("%s", end),
        block=(32, 1, 1),
    )
    assert ("while" not in show(function)) == together
    if together:  # the others may not shuffle with all lanes
        y = np.zeros(32, np.float32)
        x = normal(32)
        assert_same(function, x=x, y=y)
        assert run(function, {"x": x, "y": y}).errors == ()
        lanes = np.arange(32)
        expected = sum(x[lanes // 8 + 4 * k] * x[lanes ^ 1] for k in range(2))
        np.testing.assert_allclose(y, expected, 1e-5)
