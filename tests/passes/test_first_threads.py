"""Threads that left early, and what only the first ones do at the end."""

from __future__ import annotations

import pytest

from tests.passes.test_loop_recovery import floats, same
from xpiler.frontend import parse
from xpiler.ir.printer import show
from xpiler.passes.canonical import canonicalise

PEAKS = """\
__global__ void peaks(const float *x, float *q, float *y, int n) {
  const int i = blockDim.x * blockIdx.x + threadIdx.x;
  if (i >= n) return;
  const float v = x[i];
  float peak = v;
  for (int mask = 16; mask > 0; mask >>= 1) peak = fmaxf(peak, __shfl_xor_sync(0xffffffffu, peak, mask));
  q[i] = peak - v;
  if (threadIdx.x % 32 > 0) return;
  y[i / 32] = peak;
}
void host(const float *x, float *q, float *y, int n) { peaks<<<(n + 63) / 64, 64>>>(x, q, y, n); }
"""


def test_a_warp_of_which_threads_may_have_left_is_reduced_as_a_whole() -> None:
    (kernel,) = parse(PEAKS, "peaks.cu").program.kernels
    text = show(canonicalise(kernel, (64, 1, 1), (None, 1, 1)).function)
    assert (
        text[text.index("{") + 1 :] + "\n"
        == """
  parallel for i32 index in 0 .. gridDim.x * 2 {
    f32 v[32];
    threads for i32 lane in 0 .. 32 {
      v[lane] = 0.0f;
      if (index * 32 + lane < n) {
        v[lane] = x[index * 32 + lane];
      }
    }
    f32 v_max = -inf;
    for i32 part in 0 .. 32 {
      v_max max= v[part];
    }
    threads for i32 lane in 0 .. 32 {
      if (index * 32 + lane < n) {
        q[index * 32 + lane] = v_max - v[lane];
      }
    }
    if (index * 32 < n) {
      y[index] = v_max;
    }
  }
}
"""
    )


def test_whole_warps_give_what_the_threads_give() -> None:
    (kernel,) = parse(PEAKS, "peaks.cu").program.kernels
    arguments = {"x": floats(96), "q": [None] * 96, "y": [None] * 3, "n": 96}
    same(kernel, arguments, (2, 1, 1), (64, 1, 1))


VOTES = """\
__global__ void votes(const float *x, int *y, int n) {
  if (threadIdx.x >= n) return;
  y[threadIdx.x] = __popc(__ballot_sync(0xffffffffu, x[threadIdx.x] > 0));
}
"""


def test_threads_that_left_have_no_vote() -> None:
    (kernel,) = parse(VOTES, "votes.cu").program.kernels
    arguments = {"x": [1.0] * 64, "y": [None] * 64, "n": 41}
    same(kernel, arguments, (1, 1, 1), (64, 1, 1))


@pytest.mark.parametrize(
    "change",
    [
        ("mask > 0; mask >>= 1", "mask != 1; mask = mask / 2"),  # goes on for ever from some numbers
        ("mask = 16; mask > 0", "mask = i; mask > 0"),  # not the same in all threads
    ],
)
def test_rounds_that_threads_may_leave_apart_are_masked(change: tuple[str, str]) -> None:
    text = PEAKS.replace(*change)
    assert text != PEAKS
    (kernel,) = parse(text, "peaks.cu").program.kernels
    assert "while (any)" in show(canonicalise(kernel, (64, 1, 1), (None, 1, 1)).function)


OUTSIDE = """\
__global__ void halves(const float *x, float *y) {
  float sum = x[threadIdx.x];
  if (threadIdx.x < 16) {
    for (int o = 8; o > 0; o >>= 1) sum += __shfl_down_sync(0xffffu, sum, o, 16);
  }
  y[threadIdx.x] = sum;
}
"""


def test_threads_that_come_back_keep_what_they_had() -> None:
    (kernel,) = parse(OUTSIDE, "halves.cu").program.kernels
    same(kernel, {"x": floats(32), "y": [None] * 32}, (1, 1, 1), (32, 1, 1))


MIXED = """\
__global__ void scale(float *x, float *q, float *y, int n) {
  float peak = fabsf(x[blockIdx.x * 32 + threadIdx.x]);
  for (int o = 16; o > 0; o >>= 1) peak = fmaxf(peak, __shfl_xor_sync(0xffffffffu, peak, o));
  float old = x[blockIdx.x * 32 + threadIdx.x];
  q[blockIdx.x * 32 + threadIdx.x] = peak / 2 - old;
  if (threadIdx.x == 0) y[blockIdx.x] = peak + old;
}
"""


@pytest.mark.parametrize("written, apart", [("q", True), ("x", False)])
def test_what_the_first_thread_does_is_done_last_where_nothing_changes_it(written: str, apart: bool) -> None:
    (kernel,) = parse(MIXED.replace("  q[", f"  {written}["), "scale.cu").program.kernels
    text = show(canonicalise(kernel, (32, 1, 1), (None, 1, 1)).function)
    assert ("if (" in text) is not apart
    arguments = {"x": floats(64), "q": [None] * 64, "y": [None] * 2, "n": 64}
    same(kernel, arguments, (2, 1, 1), (32, 1, 1))
