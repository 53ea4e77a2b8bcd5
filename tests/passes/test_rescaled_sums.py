"""A peak and its sum that are kept together become two loops: however the step is written, and only then."""

from __future__ import annotations

import random

import pytest

from tests.passes import machine
from tests.passes.test_loop_recovery import close
from xpiler.frontend import parse
from xpiler.ir.nodes import For, Function
from xpiler.ir.printer import show
from xpiler.ir.rewrite import walk
from xpiler.passes.canonical import canonicalise
from xpiler.passes.rescaled_sums import split_rescaled_sums

STEPS = {
    "larger": "float h = fmaxf(m, v); d = d * expf(m - h) + expf(v - h); m = h;",
    "branches": "if (v > m) { d = d * expf(m - v) + 1.0f; m = v; } else d += expf(v - m);",
    "choices": "float h = m > v ? m : v; d *= expf(m - h); d += expf(v - h); m = h;",
    "base two": "float h = fmaxf(m, v); d = d * exp2f((m - h) * 1.5f) + exp2f((v - h) * 1.5f); m = h;",
    "weights": "float h = fmaxf(m, v); d = fmaf(d, expf(m - h), w[j] * expf(v - h)); m = h;",
    "empty": (
        "float h = fmaxf(m, v), a = m == -INFINITY ? 0.f : expf(m - h);"
        "float b = v == -INFINITY ? 0.f : expf(v - h); d = d * a + b; m = h;"
    ),
    "guarded": "if (j % 3 != 1) { float h = fmaxf(m, v); d = d * expf(m - h) + expf(v - h); m = h; }",
}
OTHERS = {
    "not rescaled": "float h = fmaxf(m, v); d = d + expf(v - h); m = h;",
    "the smaller": "float h = fminf(m, v); d = d * expf(m - h) + expf(v - h); m = h;",
    "the peak before": "float h = fmaxf(m, v); d = d * expf(m - h) + expf(v - m); m = h;",
    "a weight beyond a number": (
        "float h = fmaxf(m, v); d = d * expf(m - h) + (v > 9.0f ? 2.0f : 1.0f) * expf(v - h); m = h;"
    ),
    "another where equal": "float h = fmaxf(m, v); d = m == v ? d : d * expf(m - h) + expf(v - h); m = h;",
    "rescaled twice": "float h = fmaxf(m, v); d = d * expf(m - h) * expf(m - h) + expf(v - h); m = h;",
}


def written(step: str, start: str = "0.0f") -> Function:
    """`y` gets the peak and the sum of each row."""
    text = f"""
    void peaks(const float *x, const float *w, float *y, int rows, int n) {{
      for (int r = 0; r < rows; ++r) {{
        float m = -3.0f, d = {start};
        for (int j = 0; j < n; ++j) {{ float v = x[r * n + j]; {step} }}
        y[2 * r] = m; y[2 * r + 1] = d;
      }}
    }}"""
    (function,) = parse(text, "peaks.cpp", platform="vnni").program.kernels
    return function


def serial(step: str, start: str = "0.0f") -> Function:
    return canonicalise(written(step, start)).function


def loops(function: Function) -> int:
    return sum(isinstance(node, For) for node in walk(function.body))


def arguments(rows: int, n: int) -> dict[str, object]:
    draws = random.Random(n)
    x, w = ([draws.uniform(-2, 2) for _ in range(count)] for count in (rows * n, n))
    return {"x": x, "w": w, "y": [None] * (2 * rows), "rows": rows, "n": n}


@pytest.mark.parametrize("name", STEPS)
def test_the_step_may_be_written_in_many_ways(name: str) -> None:
    made = serial(STEPS[name])
    assert loops(made) == 3, show(made)
    for n in (1, 7):
        close(
            machine.run(made, arguments(3, n)), machine.run(written(STEPS[name]), arguments(3, n)), show(made)
        )


@pytest.mark.parametrize("name", OTHERS)
def test_what_is_no_rescaled_sum_stays(name: str) -> None:
    made = serial(OTHERS[name])
    assert loops(made) == 2
    close(machine.run(made, arguments(3, 7)), machine.run(written(OTHERS[name]), arguments(3, 7)), show(made))


def test_nothing_is_added_for_numbers_of_minus_infinity_where_the_step_asks() -> None:
    assert "== -inf ? 0.0f : exp(" in show(serial(STEPS["empty"]))
    assert "-inf" not in show(serial(STEPS["larger"]))


def test_a_sum_that_starts_with_something_stays() -> None:
    assert loops(serial(STEPS["larger"], "y[2 * r]")) == 2


LANES = """
__global__ void sums(const float *x, float *y, int n) {
  float m = -INFINITY, d = 0.0f;
  for (int j = threadIdx.x; j < n; j += 32) {
    float h = fmaxf(m, x[j]);
    d = d * expf(m - h) + expf(x[j] - h);
    m = h;
  }
  float top = m;
  for (int s = 16; s > 0; s /= 2) top = fmaxf(top, __shfl_xor_sync(~0u, top, s));
  BETWEEN d *= expf(m - top);
  for (int s = 16; s > 0; s /= 2) d += __shfl_xor_sync(~0u, d, s);
  if (threadIdx.x == 0) { y[0] = top; y[1] = d; }
}
"""


def lanes(between: str) -> tuple[Function, Function]:
    """The kernel, and its serial form."""
    (kernel,) = parse(LANES.replace("BETWEEN", between), "sums.cu").program.kernels
    return kernel, canonicalise(kernel, (32, 1, 1)).function


@pytest.mark.parametrize(("between", "expected"), [("", 3), ("y[2 + threadIdx.x] = d;", 9)])
def test_lanes_that_meet_add_up_at_the_peak_of_all(between: str, expected: int) -> None:
    kernel, made = lanes(between)
    assert loops(made) == expected, show(made)
    n = 70
    draws = random.Random(1)
    given = {"x": [draws.uniform(-2, 2) for _ in range(n)], "y": [None] * 34, "n": n}
    dims = {f"{name}.{axis}": 1 for name in ("gridDim", "blockDim") for axis in "xyz"} | {"blockDim.x": 32}
    close(machine.run(made, given | dims), machine.run(kernel, given, (1, 1, 1), (32, 1, 1)), show(made))


def test_nothing_to_do_gives_the_function_itself() -> None:
    made = serial(OTHERS["not rescaled"])
    assert split_rescaled_sums(made) is made
