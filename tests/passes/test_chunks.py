"""Chunks of workers are one loop again."""

from __future__ import annotations

import pytest

from tests.passes.test_spread_tiles import canonical
from xpiler.frontend import parse
from xpiler.ir.printer import show
from xpiler.passes.canonical import canonicalise

TEXT = """
extern "C" void twice(const float *x, float *y, int n, int workers) {
  int size = SIZE;
  for (int w = 0; w < COUNT; ++w) {
    int first = w * size;
    int last = first + size < n ? first + size : n;
    for (int i = first; i < last; ++i) y[i] = 2 * x[i]EXTRA;
  }
}
"""


def loops(size: str, count: str, extra: str = "") -> list[str]:
    text = TEXT.replace("SIZE", size).replace("COUNT", count).replace("EXTRA", extra)
    return [line for line in canonical(text).splitlines() if "for i32" in line]


@pytest.mark.parametrize(
    ("size", "count", "stop"),
    [
        ("(n + 15) / 16", "16", "n"),
        ("((unsigned)n + 16u - 1u) / 16u", "16", "n"),
        ("(n + workers - 1) / workers", "workers", "min(workers * size, n)"),
        ("100", "workers", "min(workers * 100, n)"),
        ("(n + 7) / 8", "4", "min(4 * ((n + 7) / 8), n)"),
    ],
)
def test_chunks_of_elements_are_the_elements(size: str, count: str, stop: str) -> None:
    assert loops(size, count) == [f"parallel for i32 i in 0 .. {stop} {{"]


def test_sizes_of_tasks_are_those_of_chunks() -> None:
    """`taskDim` has no sign, and a chunk is taken in parts."""
    text = """
    #define PART 16
    __mlu_entry__ void twice(const float *x, float *y, int n) {
      __nram__ float part[PART];
      int size = (n + taskDim - 1) / taskDim;
      int first = taskId * size;
      int last = first + size < n ? first + size : n;
      for (int i = first; i < last; i += PART) {
        int count = last - i < PART ? last - i : PART;
        for (int j = 0; j < count; ++j) part[j] = SOURCE;
        for (int j = 0; j < count; ++j) y[i + j] = part[j] * 2;
      }
    }
    """
    for source, loop in (("x[i + j]", ["parallel for i32 j_1 in 0 .. n {"]), ("x[(i + j) % 5]", [])):
        (kernel,) = parse(text.replace("SOURCE", source), "k.mlu", platform="bang").program.kernels
        shown = show(canonicalise(kernel, (1, 1, 1), (8, 1, 1)).function)
        found = [line.strip() for line in shown.splitlines() if "for i32" in line]
        # In a call in place tasks would read what others write, but the elements of a task in their order.
        assert found == loop if loop else "block_x" in found[0], shown


@pytest.mark.parametrize(
    "count",
    [
        "first >= n ? 0 : (first + size > n ? n - first : size)",
        "std::min(size, n - first)",
        "n - first < size ? n - first : size",
    ],
)
@pytest.mark.parametrize("guard", ["", "if (count > 0)"])
def test_chunks_that_count_their_own_elements_are_the_elements(count: str, guard: str) -> None:
    text = """
    #include <algorithm>
    extern "C" void twice(const float *x, float *y, int n) {
      const int size = (n + 7) / 8;
      for (int w = 0; w < 8; ++w) {
        const int first = w * size, count = COUNT;
        GUARD for (int i = 0; i < count; ++i) y[first + i] = 2 * x[first + i];
      }
    }
    """.replace("COUNT", count).replace("GUARD", guard)
    assert [line for line in canonical(text).splitlines() if "for i32" in line] == [
        "parallel for i32 i in 0 .. n {"
    ]


def test_chunks_that_count_other_elements_stay() -> None:
    text = """
    extern "C" void twice(const float *x, float *y, int n) {
      const int size = (n + 7) / 8;
      for (int w = 0; w < 8; ++w) {
        const int first = w * size, count = n - first < size ? n - first : size;
        for (int i = 0; i < count; ++i) y[first + i] = 2 * x[w * 3 + i];
      }
    }
    """
    assert len([line for line in canonical(text).splitlines() if "for i32" in line]) == 2


def test_a_chunk_whose_number_counts_otherwise_stays() -> None:
    assert len(loops("(n + 15) / 16", "16", " + w")) == 2


@pytest.mark.parametrize(
    "chunk",
    [
        "int first = w * size, last = std::min(n, first + size); if (first >= last) break;",
        "int first = w * size, last = std::min(n, first + size); if (n <= first) break;",
        "int first = w * size, last = std::min(n, first + size); if (first >= n) continue;",
        "int first = std::min(n, w * size), last = std::min(n, (w + 1) * size);",
    ],
)
def test_chunks_that_may_be_empty_are_the_elements(chunk: str) -> None:
    text = """
    extern "C" void twice(const float *x, float *y, int n) {
      const int size = (n + 7) / 8;
      for (int w = 0; w < 8; ++w) { CHUNK for (int i = first; i < last; ++i) y[i] = 2 * x[i]; }
    }
    """.replace("CHUNK", chunk)
    assert [line for line in canonical(text).splitlines() if "for i32" in line] == [
        "parallel for i32 i in 0 .. n {"
    ]


def test_a_loop_that_ends_for_another_reason_stays() -> None:
    text = """
    extern "C" void twice(const float *x, float *y, int n) {
      const int size = (n + 7) / 8;
      for (int w = 0; w < 8; ++w) {
        int first = w * size, last = std::min(n, first + size);
        if (first >= n / 2) break;
        for (int i = first; i < last; ++i) y[i] = 2 * x[i];
      }
    }
    """
    assert "break" in canonical(text)
