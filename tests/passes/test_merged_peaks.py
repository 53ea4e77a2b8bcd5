"""Lanes that merge peaks and sums pair by pair: however the merge is written, and only if it is one."""

from __future__ import annotations

import random

import pytest

from tests.passes import machine
from tests.passes.test_loop_recovery import close
from xpiler.frontend import parse
from xpiler.ir.nodes import Call, For, Function
from xpiler.ir.printer import show
from xpiler.ir.rewrite import walk
from xpiler.passes.canonical import canonicalise
from xpiler.passes.merged_peaks import split_merged_peaks

MERGES = {
    "both rescaled": "float h = fmaxf(m, m2); l = l * expf(m - h) + l2 * expf(m2 - h); m = h;",
    "branches": "if (m2 > m) { l = l * expf(m - m2) + l2; m = m2; } else l += l2 * expf(m2 - m);",
    "choices": (
        "bool a = m > m2; float hm = a ? m : m2, hl = a ? l : l2, am = a ? m2 : m, al = a ? l2 : l;"
        "l = hl + al * expf(am - hm); m = hm;"
    ),
    "empty lanes": (
        "float h = fmaxf(m, m2), a = m == -INFINITY ? 0.f : expf(m - h);"
        "float b = m2 == -INFINITY ? 0.f : expf(m2 - h); l = l * a + l2 * b; m = h;"
    ),
    "scaled": "float h = fmaxf(m, m2); l = l * exp2f((m - h) * 1.5f) + l2 * exp2f((m2 - h) * 1.5f); m = h;",
}
OTHERS = {
    "not rescaled": "float h = fmaxf(m, m2); l = l + l2 * expf(m2 - h); m = h;",
    "the smaller": "float h = fminf(m, m2); l = l * expf(m - h) + l2 * expf(m2 - h); m = h;",
    "another lane where equal": (
        "float h = fmaxf(m, m2); l = m == m2 ? l : l * expf(m - h) + l2 * expf(m2 - h); m = h;"
    ),
    "a number decides": (
        "float h = fmaxf(m, m2); l = l * expf(m - h) + (m2 > 90.f ? 0.f : l2 * expf(m2 - h)); m = h;"
    ),
}

WARP = """
__global__ void merged(const float *x, float *y, int n) {
  float m = -1e30f, l = 0.f;
  for (int j = threadIdx.x; j < n; j += 32) {
    float h = fmaxf(m, x[j]);
    l = l * EXP((m - h) SCALE) + EXP((x[j] - h) SCALE);
    m = h;
  }
  for (int s = 16; s > 0; s /= 2) {
    float m2 = __shfl_xor_sync(~0u, m, s), l2 = __shfl_xor_sync(~0u, l, s);
    MERGE
  }
  if (threadIdx.x == 0) { y[0] = m; y[1] = l; }
}
"""
TREE = """
__global__ void merged(const float *x, float *y, int n) {
  __shared__ float sm[64], sl[64];
  float p = -1e30f, q = 0.f;
  for (int j = threadIdx.x; j < n; j += 64) {
    float h = fmaxf(p, x[j]);
    q = q * EXP((p - h) SCALE) + EXP((x[j] - h) SCALE);
    p = h;
  }
  sm[threadIdx.x] = p;
  sl[threadIdx.x] = q;
  __syncthreads();
  for (int s = 32; s > 0; s >>= 1) {
    if (threadIdx.x < s) {
      float m = sm[threadIdx.x], l = sl[threadIdx.x], m2 = sm[threadIdx.x + s], l2 = sl[threadIdx.x + s];
      MERGE
      sm[threadIdx.x] = m; sl[threadIdx.x] = l;
    }
    __syncthreads();
  }
  if (threadIdx.x == 0) { y[0] = sm[0]; y[1] = sl[0]; }
}
"""


def forms(text: str, merge: str, threads: int) -> tuple[Function, Function]:
    """The kernel, and its serial form."""
    exponential, scale = ("exp2f", "* 1.5f") if "exp2f" in merge else ("expf", "")
    text = text.replace("MERGE", merge).replace("EXP", exponential).replace("SCALE", scale)
    (kernel,) = parse(text, "merged.cu").program.kernels
    return kernel, canonicalise(kernel, (threads, 1, 1), (1, 1, 1)).function


def same(kernel: Function, made: Function, threads: int) -> None:
    for n in (threads, 150):
        draws = random.Random(n)
        given = {"x": [draws.uniform(-2, 2) for _ in range(n)], "y": [None, None], "n": n}
        dims = {f"{name}.{axis}": 1 for name in ("gridDim", "blockDim") for axis in "xyz"}
        found = machine.run(made, given | dims | {"blockDim.x": threads})
        close(found, machine.run(kernel, given, (1, 1, 1), (threads, 1, 1)), show(made))


def count(function: Function, kind: type) -> int:
    return sum(isinstance(node, kind) for node in walk(function.body))


@pytest.mark.parametrize(("text", "threads"), [(WARP, 32), (TREE, 64)], ids=["shuffles", "tree"])
@pytest.mark.parametrize("name", MERGES)
def test_a_merge_may_be_written_in_many_ways(name: str, text: str, threads: int) -> None:
    kernel, made = forms(text, MERGES[name], threads)
    assert count(made, For) == 2, show(made)  # a loop for the peak and one for the sum
    same(kernel, made, threads)


@pytest.mark.parametrize(("text", "threads"), [(WARP, 32), (TREE, 64)], ids=["shuffles", "tree"])
@pytest.mark.parametrize("name", OTHERS)
def test_what_merges_otherwise_stays(name: str, text: str, threads: int) -> None:
    kernel, made = forms(text, OTHERS[name], threads)
    assert count(made, For) > 2
    same(kernel, made, threads)


def test_warps_that_meet_in_shared_memory_add_up_at_the_peak_of_all() -> None:
    merge = "float h = fmaxf(m, m2); l = l * expf(m - h) + l2 * expf(m2 - h); m = h;"
    text = """
    __device__ void merge(float &m, float &l, float m2, float l2) { MERGE }
    __global__ void merged(const float *x, float *y, int n) {
      __shared__ float sm[2], sl[2];
      float m = -1e30f, l = 0.f;
      for (int j = threadIdx.x; j < n; j += 64) merge(m, l, x[j], 1.f);
      for (int s = 16; s > 0; s /= 2) merge(m, l, __shfl_xor_sync(~0u, m, s), __shfl_xor_sync(~0u, l, s));
      if (threadIdx.x % 32 == 0) { sm[threadIdx.x / 32] = m; sl[threadIdx.x / 32] = l; }
      __syncthreads();
      if (threadIdx.x == 0) { merge(sm[0], sl[0], sm[1], sl[1]); y[0] = sm[0]; y[1] = sl[0]; }
    }"""
    kernel, made = forms(text, merge, 64)
    same(kernel, made, 64)
    assert count(made, Call) <= 4, show(made)


def test_nothing_to_do_gives_the_function_itself() -> None:
    _, made = forms(WARP, MERGES["branches"], 32)
    assert split_merged_peaks(made) is made
