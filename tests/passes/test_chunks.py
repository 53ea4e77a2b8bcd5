"""Chunks of workers are one loop again."""

from __future__ import annotations

import pytest

from tests.passes.test_spread_tiles import canonical

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


def test_a_chunk_whose_number_counts_otherwise_stays() -> None:
    assert len(loops("(n + 15) / 16", "16", " + w")) == 2
