"""Sizes that branches around parallel loops give names to."""

from __future__ import annotations

from xpiler.frontend import parse
from xpiler.ir.printer import show
from xpiler.passes.canonical import canonicalise
from xpiler.passes.simt_plan import HostBranch, Launch
from xpiler.passes.simt_schedule import schedule

BRANCH = """\
static inline int smaller(int a, int b) { return a < b ? a : b; }
void scale(const float *x, float *y, int n, int m) {
  if (n > 0 && m > 0) {
    const int rows = (n + m - 1) / m;
    #pragma omp parallel for
    for (int r = 0; r < rows; ++r)
      for (int part = 0; part < 2; ++part)
        for (int c = part != 0 ? m / 2 : 0; c < (part != 0 ? smaller(m, n - r * m) : m / 2); ++c)
          y[r * m + c] = part != 0 ? x[r * m + c] * 2.0f : x[r * m + c];
  }
}
"""


def test_a_branch_with_a_name_for_its_grid_launches_a_grid() -> None:
    (kernel,) = parse(BRANCH, "scale.cpp", platform="vnni").program.kernels
    (step,) = schedule(canonicalise(kernel).function).steps
    assert isinstance(step, HostBranch)
    (launch,) = step.then
    assert isinstance(launch, Launch)
    assert launch.native


def test_what_is_read_from_memory_keeps_its_name() -> None:
    text = BRANCH.replace("(n + m - 1) / m", "(int)x[0]")
    (kernel,) = parse(text, "scale.cpp", platform="vnni").program.kernels
    (step,) = schedule(canonicalise(kernel).function).steps
    assert isinstance(step, HostBranch)
    (launch,) = step.then
    assert isinstance(launch, Launch)
    assert [show(size) for size in launch.grid] == ["1", "1", "1"]
