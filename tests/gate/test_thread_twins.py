"""Loops that are shared out to threads at sizes that no test reaches."""

from __future__ import annotations

import pytest

from xpiler.gate.thread_twins import as_if_enough
from xpiler.translate import verify_text

SOURCE = """
extern "C" void scale(const float *x, float *y, int rows, int cols) {
  for (int r = 0; r < rows; ++r) for (int c = 0; c < cols; ++c) y[r * cols + c] = 2.0f * x[r * cols + c];
}
"""
TARGET = """
extern "C" void scale(const float *x, float *y, int rows, int cols) {
  if ((long)rows * (cols + 1) >= 90000000) {
#pragma omp parallel for
    for (int r = 0; r < rows; ++r)
      for (int c = FIRST; c < cols; ++c) y[r * cols + c] = 2.0f * x[r * cols + c];
  } else {
    for (int r = 0; r < rows; ++r) for (int c = 0; c < cols; ++c) y[r * cols + c] = 2.0f * x[r * cols + c];
  }
}
"""


@pytest.mark.parametrize(("first", "status"), [("0", "verified"), ("1", "unverified")])
def test_a_copy_for_threads_that_differs_is_run_as_well(first: str, status: str) -> None:
    result = verify_text(SOURCE, "scale.cpp", TARGET.replace("FIRST", first), "scale_threads.cpp")
    assert result.status == status
    said = " ".join(rung.detail for rung in result.evidence if not rung.ok)
    assert ("as if there were enough to do for threads" in said) == (status == "unverified")


@pytest.mark.parametrize(
    ("text", "forced"),
    [
        (
            "if (n >= 4096) {\n#pragma omp parallel for\n} else {}",
            "if (true) {\n#pragma omp parallel for\n} else {}",
        ),
        (
            "if ((n + 1) * m > 32'768L) { #pragma omp parallel\n} else f();",
            "if (true) { #pragma omp parallel\n} else f();",
        ),
        ("if (n >= 4096) {\n#pragma omp parallel for\n}", None),  # nothing else is done below
        ("if (n >= 16) {\n#pragma omp parallel for\n} else {}", None),  # no question of speed
        ("if (n >= 4096) {\n#pragma omp simd\n} else {}", None),
    ],
)
def test_which_thresholds_are_reached(text: str, forced: str | None) -> None:
    assert as_if_enough(text) == (text if forced is None else forced)


def test_copies_that_are_not_read_are_run_as_well() -> None:
    unread = "static float (*factor)(void);\n" + TARGET.replace("2.0f *", "(factor ? factor() : 2.0f) *")
    for first, status in (("0", "verified"), ("1", "unverified")):
        result = verify_text(SOURCE, "scale.cpp", unread.replace("FIRST", first), "scale_threads.cpp")
        assert result.status == status, result.evidence
