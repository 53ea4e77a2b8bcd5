"""What all turns of a loop within lanes read is read before the loop, where that changes nothing."""

from __future__ import annotations

from xpiler.frontend import parse
from xpiler.ir.printer import show
from xpiler.passes.canonical import canonicalise
from xpiler.passes.lane_invariants import read_before_loops
from xpiler.passes.vectorize import vectorize

SUMS = """\
__global__ void sums(float *__restrict__ x, const float *__restrict__ w, float *__restrict__ y, int n) {
  int i = threadIdx.x;
  float sum = 0;
  for (int k = 0; k < STOP; ++k) BODY
  y[blockIdx.x * 64 + i] = sum;
}
"""


def written(body: str, stop: str = "9") -> str:
    text = SUMS.replace("BODY", body).replace("STOP", stop)
    (kernel,) = parse(text, "kernel.cu", platform="cuda").program.kernels
    chosen = vectorize(canonicalise(kernel, (64, 1, 1), (None, 1, 1)).function)
    return show(read_before_loops(chosen.function))


def test_an_element_of_the_lane_is_read_once() -> None:
    text = written("sum += fabsf(w[k] - x[i]);")
    assert text.index("f32 x_own = x[") < text.index("for i32 k ") < text.index("x_own)")


def test_the_same_under_a_condition_of_its_own() -> None:
    assert "f32 x_own = i < n ?" in written("sum += w[k] * (i < n ? x[i] : 0.0f);").replace("thread_x", "i")


def test_a_loop_that_may_not_run_reads_nothing_before() -> None:
    assert "x_own" not in written("sum += w[k] * x[i];", stop="n")


def test_what_is_written_or_differs_from_turn_to_turn_stays() -> None:
    assert "x_own" not in written("{ sum += w[k] * x[i]; x[i] = sum; }")
    assert "x_own" not in written("sum += w[k] * x[i + k];")


def test_what_only_some_turns_read_stays() -> None:
    assert "x_own" not in written("if (w[k] > 0) sum += x[i];")
    assert "x_own" not in written("{ if (w[k + i] > 0) break; sum += x[i]; }")
