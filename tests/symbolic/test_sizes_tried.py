"""At which sizes a kernel is run: long trials are followed by smaller ones."""

from __future__ import annotations

from typing import Any

import pytest

from xpiler.frontend import parse
from xpiler.symbolic import check
from xpiler.symbolic.check import Options, check_unit
from xpiler.symbolic.trial import Observed

NESTED = """
__global__ void products(const float* l, const float* x, float* y, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  float s = 0.f;
  for (int j = 0; j <= i; ++j)
    for (int k = j; k <= i; ++k) s += l[i * n + k] * x[j];
  y[i] = s;
}
"""

LONG = 600.0  # seconds


@pytest.fixture
def sizes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The sizes of the trials, none of which the clock of a slow machine cuts off."""
    tried: list[int] = []

    def observed(*given: Any) -> Observed:
        seen = observe(*given)
        tried.append(int(seen.trial.scalars["n"]))
        return seen

    observe = check.observe
    monkeypatch.setattr(check, "observe", observed)
    monkeypatch.setattr(check, "_LONGEST", LONG)
    monkeypatch.setattr(check, "_FURTHER", LONG)
    return tried


def test_loops_that_take_many_turns_are_run_once_at_the_size_of_all_blocks(sizes: list[int]) -> None:
    report = check_unit(parse(NESTED, "products.cu"), Options(seconds=LONG))
    assert report.kernels[0].status == "clean"
    assert sizes[0] == 128 and len(sizes) == 4 and max(sizes[1:]) < 64


def test_what_only_an_odd_size_shows_is_found_at_a_smaller_one(sizes: list[int]) -> None:
    text = NESTED.replace("y[i] = s;", "if (n % 2 == 1) y[i / 2] = s;")
    report = check_unit(parse(text, "products.cu"), Options(seconds=LONG))
    assert [f.code for f in report.findings] == ["XP-RACE"]
    assert sizes[0] == 128
