"""Reduction steps are run on symbols, and no longer than they can come to anything."""

from __future__ import annotations

import pytest

from xpiler.frontend import parse
from xpiler.ir import build as b
from xpiler.ir.nodes import Assign, Block, For
from xpiler.ir.printer import show
from xpiler.ir.types import F32, I32
from xpiler.passes.canonical import canonicalise
from xpiler.passes.reduction_steps import Machine, Reduced, Unknown

K = b.var("k")


def added(array: str) -> For:
    """`for k in 0..4: sums[0] += array[k] * array[k]`, or without the product for `values`."""
    value = b.load(array, F32, K)
    term = value if array == "values" else b.mul(value, value)
    body = Block((Assign(b.load("sums", F32, 0), term, "+"),))
    return For("k", I32, b.const(0), b.const(4), b.const(1), body)


def machine(accumulated: frozenset[str]) -> Machine:
    shapes = {"sums": (1,), "values": (4,), "factors": (4,)}
    made = Machine(shapes, accumulated=accumulated)
    made.arrays["sums", 0] = 0.0
    return made


def test_a_sum_of_elements_is_a_set_of_them() -> None:
    ran = machine(frozenset({"sums"}))
    ran.step(added("values"))
    assert ran.arrays["sums", 0] == Reduced("+", "values", 0b1111, ())


def test_a_sum_of_products_ends_the_run_at_its_first_term() -> None:
    ran = machine(frozenset({"sums"}))
    with pytest.raises(Unknown, match="sum of products"):
        ran.step(added("factors"))
    assert ran.steps == 2
    patient = machine(frozenset())
    patient.step(added("factors"))
    assert patient.steps == 5


ONLINE = """\
__global__ void rescale(const float *x, float *y, float *z, int n) {
  const int lane = threadIdx.x;
  float peak = -1e30f, sum = 0.0f;
  for (int k = 0; k < n; ++k) {
    const float score = x[k * 32 + lane];
    float top = score;
    for (int mask = 16; mask > 0; mask >>= 1) top = fmaxf(top, __shfl_xor_sync(0xffffffffu, top, mask));
    top = fmaxf(top, peak);
    sum = sum * (peak - top) + score;
    peak = top;
  }
  y[lane] = sum;
  z[lane] = peak;
}
"""


def test_what_lanes_do_next_with_values_of_their_own_does_not_hide_a_reduction() -> None:
    (kernel,) = parse(ONLINE, "kernel.cu", platform="cuda").program.kernels
    shown = [line.strip() for line in show(canonicalise(kernel, (32, 1, 1), (1, 1, 1)).function).splitlines()]
    at = shown.index("score_max max= x[k * 32 + part];")
    assert shown[at + 1 : at + 3] == ["}", "top[0] = score_max;"]
    assert "top[lane_1] = max(top[lane_1], peak[lane_1]);" in shown[at + 3 :], "\n".join(shown)
