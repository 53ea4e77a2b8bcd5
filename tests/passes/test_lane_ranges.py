"""Conditions on the place in a row become ranges of lanes; others become masks."""

from __future__ import annotations

import numpy as np
import pytest

from tests.passes.mlu import assert_same, canonical, instructions, laid_out, normal
from xpiler.ir.nodes import Assign, For, Load
from xpiler.ir.rewrite import walk
from xpiler.passes.bang_schedule import schedule
from xpiler.platforms.bang import DEFAULT


def kernel(body: str) -> str:
    return f"""__global__ void kernel(const float *x, const float *a, float *y, int n, int m, int step) {{
        int r = blockIdx.x, i = threadIdx.x;
        {body}
    }}"""


BODIES = {
    "two parts": "if (i < n) y[r * n + i] = i < m ? x[r * m + i] : a[r * (n - m) + i - m];",
    "a window": "if (i < n) { float v = 0;"
    " if (i >= m && i < n - m) v = x[r * n + i - m]; y[r * n + i] = v; }",
    "backwards": "if (i < n) y[r * n + i] = m - i > 0 ? x[r * n + i] : 2.0f;",
    "every third": "if (i < n) { float v = 1.0f; if (3 * i < n) v = x[r * n + 3 * i]; y[r * n + i] = v; }",
    "by a step": "if (i < n) { float v = 1; if (i * step < n) v = x[r * n + i * step]; y[r * n + i] = v; }",
    "an unsigned test of both ends": "if (i < n) y[r * n + i] ="
    " (unsigned)(i - m) < (unsigned)(n - 1) ? x[r * n + i - m] : 2.0f;",
    "an unsigned test that fails": "if (i < n) { float v = 1.0f; unsigned j = i - m;"
    " if (j >= (unsigned)n) v = 3.0f; else v = x[r * n + j]; y[r * n + i] = v; }",
    "behind a step": "if (i < n) { float v = 1; if (i * step >= m) v = x[r * n + i]; y[r * n + i] = v; }",
    "one place": "if (i < n) y[r * n + i] = i == m ? x[r * n + i] : a[r * n + i];",
    "its own number": "if (i < n) y[r * n + i] = x[r * n + i] * (float)(2 * i + m);",
    "a convolution": "if (i < n) { float v = 0.0f; for (int k = 0; k < 5; ++k) { int j = i - 2 + k;"
    " if (j >= 0 && j < n) v += x[r * n + j] * a[k]; } y[r * n + i] = v; }",
}


# Numbers of lanes are written out once a run, a long loop for the interpreter: one case of it is enough.
CASES = [(name, m) for name in BODIES for m in (0, 3, 19) if m == 3 or name != "its own number"]


@pytest.mark.parametrize(("name", "m"), CASES)
def test_a_condition_on_the_lane_is_a_range_of_lanes(name: str, m: int) -> None:
    body = BODIES[name]
    n, rows = 19, 3
    function = canonical(kernel(body), x=rows)
    loops = [node for node in walk(laid_out(function)) if isinstance(node, For)]
    assert instructions(laid_out(function))
    if "step" not in body:  # there the loop as it was stays for steps that are not positive
        assert not any(
            isinstance(s, Assign) and isinstance(s.target, Load) and s.target.array == "y"
            for loop in loops
            for s in loop.body.body
        )
    data = normal(rows * n), normal(rows * n)
    for step in (1, 2) if "step" in body else (1,):
        y = np.zeros(rows * n, np.float32)
        assert_same(function, x=data[0], a=data[1], y=y, n=n, m=m, step=step)


def test_a_store_under_a_condition_on_the_data_keeps_the_rest() -> None:
    function = canonical(kernel("if (i < n && x[i] > 0.0f) { float t = a[i] * 2.0f; y[i] = t + x[i]; }"))
    assert "__bang_band" in instructions(laid_out(function))
    assert_same(function, x=normal(40), a=normal(50)[:40], y=normal(60)[:40], n=40, m=0, step=1)


def test_a_padded_pool_gathers_what_lies_apart() -> None:
    function = canonical(
        """__global__ void pool(const float *x, float *y, int width) {
            int o = threadIdx.x;
            if (o >= width / 2) return;
            float peak = -1e30f;
            for (int j = 0; j < 3; ++j) {
                int i = o * 2 - 1 + j;
                if (i >= 0 && i < width) peak = fmaxf(peak, x[blockIdx.x * width + i]);
            }
            y[blockIdx.x * (width / 2) + o] = peak;
        }""",
        x=3,
    )
    assert "__bang_maxequal" in instructions(laid_out(function))
    assert_same(function, x=normal(3 * 22), y=np.zeros(3 * 11, np.float32), width=22)


def test_rows_that_are_summed_up_one_by_one_are_the_lanes() -> None:
    function = canonical(
        """__global__ void scan(const float *x, float *y, int rows, int n) {
            int r = blockIdx.x * 64 + threadIdx.x;
            if (r >= rows) return;
            float sum = 0.0f;
            for (int c = 0; c < n; ++c) { sum += x[r * n + c]; y[r * n + c] = sum; }
        }"""
    )
    assert "__bang_add" in instructions(laid_out(function))
    assert_same(function, x=normal(20 * 7), y=np.zeros(20 * 7, np.float32), rows=20, n=7)


@pytest.mark.parametrize("asked", ["i == 0 || code[i] != code[i - 1]", "i > 0 && code[i] > code[i - 1]"])
def test_what_only_some_lanes_may_read_is_not_read_for_all(asked: str) -> None:
    function = canonical(
        f"""__global__ void f(const int *code, int *y, int n) {{
            int i = threadIdx.x;
            if (i < n) y[i] = {asked};
        }}"""
    )
    code = np.array([3, 3, 5, 1, 1, 1, 7], np.int32)
    assert_same(function, code=code, y=np.full(7, -1, np.int32), n=7)


SHIFTED = """
__global__ void shifted(const int *x, int *y) {
    __shared__ int part[64];
    part[threadIdx.x] = x[threadIdx.x];
    __syncthreads();
    for (int d = 1; d < 64; d *= 2) {
        int other = threadIdx.x >= d ? part[threadIdx.x - d] : 0;
        __syncthreads();
        part[threadIdx.x] += other;
        __syncthreads();
    }
    int before = CONDITION ? part[threadIdx.x - 1] : 0;
    for (int i = 0; i < 3; ++i) { y[threadIdx.x * 3 + i] = before; before += i; }
}
"""


@pytest.mark.parametrize("condition", ["threadIdx.x", "threadIdx.x && x[threadIdx.x] > 0"])
def test_nothing_is_read_before_the_first_array_of_a_scratchpad(condition: str) -> None:
    function = canonical(SHIFTED.replace("CONDITION", condition))
    assert_same(function, x=np.arange(64, dtype=np.int32) - 20, y=np.zeros(192, np.int32))


LIMITED = """__global__ void limited(const float *x, float *y, int n, long long low, long long high) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    if (i >= low && i < high) y[i] = x[i] * 2.0f; else y[i] = -1.0f;
}"""


@pytest.mark.parametrize("low", [-(1 << 40), 0, 5, 1 << 40])
@pytest.mark.parametrize("high", [-(1 << 40), 7, (1 << 63) - 1])
def test_limits_of_64_bits_are_not_cut_off(low: int, high: int) -> None:
    function = canonical(LIMITED, x=2)
    assert "__bang_mul_scalar" in instructions(laid_out(function))
    assert_same(function, x=normal(70), y=np.zeros(70, np.float32), n=70, low=low, high=high)


@pytest.mark.parametrize(("low", "high"), [(5, 20), (20, 5), (90, 5), (5, -3)])
def test_lanes_outside_of_an_empty_range_are_all(low: int, high: int) -> None:
    function = canonical(LIMITED.replace("long long", "int"), x=2)
    assert_same(function, x=normal(70), y=np.zeros(70, np.float32), n=70, low=low, high=high)


MARKED = """__global__ void marked(const float *x, const long long *label, float *y, COUNTER n, float by) {
    long long t = label[blockIdx.x];
    for (COUNTER c = threadIdx.x; c < n; c += blockDim.x)
        y[blockIdx.x * n + c] = x[blockIdx.x * n + c] - (c TEST t ? 1.0f - by : by);
}"""


@pytest.mark.parametrize("counter", ["int", "long long"])
@pytest.mark.parametrize("test", ["==", "!=", "<", ">="])
def test_places_are_compared_with_labels_of_64_bits(counter: str, test: str) -> None:
    function = canonical(MARKED.replace("COUNTER", counter).replace("TEST", test), x=4)
    scheduled = schedule(function, DEFAULT)
    assert scheduled.notes == ()
    assert any(name.endswith("_scalar") for name in instructions(scheduled.function))
    label = np.array([3, -1, 1 << 40, 69], np.int64)
    zeros = np.zeros(4 * 70, np.float32)
    assert_same(function, x=normal(4 * 70), label=label, y=zeros, n=70, by=0.25)
