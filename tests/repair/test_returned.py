"""What is missing goes where all threads come by, and what nothing sets begins with zeros."""

from __future__ import annotations

from xpiler.frontend.syntax import analyse
from xpiler.repair.changes import apply
from xpiler.repair.distribution import distributed
from xpiler.repair.menu import sites_of
from xpiler.repair.statics import statics_of
from xpiler.repair.vocabulary import vocabulary
from xpiler.repair.walk import Walker

SOURCE = """extern "C" void mirror(const int *x, int *y, int n) {
  for (int i = 0; i < n; ++i) y[i] = 0;
  for (int i = 0; i < n; ++i) y[x[i] % n] += 1;
}
"""
TARGET = """__global__ void mirror_kernel(const int *x, int *y, int n) {
  __shared__ int s[64];
  int i = blockIdx.x * 64 + threadIdx.x;
  s[threadIdx.x] = i < n ? x[i] : 0;
  __syncthreads();
  if (i >= n) return;
  int other = 63 - threadIdx.x;
  atomicAdd(&y[s[other] % n], 1);
}
extern "C" void mirror(const int *x, int *y, int n) {
  int *a, *b;
  cudaMalloc(&a, n * sizeof(int));
  cudaMalloc(&b, n * sizeof(int));
  cudaMemcpy(a, x, n * sizeof(int), cudaMemcpyHostToDevice);
  cudaMemset(b, 0, n * sizeof(int));
  mirror_kernel<<<(n + 63) / 64, 64>>>(a, b, n);
  cudaMemcpy(y, b, n * sizeof(int), cudaMemcpyDeviceToHost);
}
"""


def changes(text: str) -> dict[str, float]:
    return changes_of(SOURCE, text, "mirror")


def changes_of(right: str, text: str, entry: str) -> dict[str, float]:
    """The texts that one change makes, with what it costs."""
    words = vocabulary(right, text, "cuda")
    unit, source = analyse(text, "target.cu", platform="cuda"), analyse(right, "source.cpp", platform="vnni")
    sites = sites_of(unit, source, words, entry)
    return {apply(text, s.edits(n)): a.cost for s in sites for n, a in enumerate(s.alternatives, 1)}


def test_a_barrier_stands_before_threads_return() -> None:
    wrong = TARGET.replace("  __syncthreads();\n", "")
    found = changes(wrong)
    too_late = wrong.replace("  int other", "  __syncthreads();\n  int other")
    assert found[TARGET] + 0.5 < found[too_late]


def test_what_is_only_added_to_begins_with_zeros() -> None:
    assert TARGET in changes(TARGET.replace("  cudaMemset(b, 0, n * sizeof(int));\n", ""))


def test_brackets_of_a_quotient_that_is_rounded_up_stay() -> None:
    unit = analyse(
        "int f(int n) { return (n + 63) / 64 * 64 + 0 * ((n + 62) / 64); }", "f.cpp", platform="vnni"
    )
    walker = Walker(unit)
    walker.run()
    texts = {text for place in walker.places for text in distributed(walker, place.node)}
    assert not any(text.startswith("n + 63") for text in texts)
    assert any("n + 62" in text for text in texts)


def test_a_sum_that_threads_race_for_is_tried_as_an_atomic_early() -> None:
    text = TARGET.replace("atomicAdd(&y[s[other] % n], 1);", "y[s[other]] += 1;")
    line = text[: text.index("+= 1")].count("\n") + 1
    found = statics_of(text, SOURCE, frozenset({line}))
    atomic = next(s for s in found if "atomic" in s.title)
    assert found.index(atomic) < 4
    assert apply(text, [atomic.edit]) == text.replace("y[s[other]] += 1;", "atomicAdd(&y[s[other]], 1);")
