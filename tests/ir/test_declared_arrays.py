"""Storage of the arrays that a program declares: no more of it is touched than a run comes to."""

from __future__ import annotations

from typing import Any

import pytest

from xpiler.frontend import parse
from xpiler.ir.interpret_declare import Arrays
from xpiler.symbolic.check import Options, check_unit

TURNS = """
extern "C" void f(float *y) {
  for (int i = 0; i < 50; ++i) {
    float part[64];
    for (int j = 0; j < 64; ++j) part[j] = i + j;
    y[i] = part[63];
  }
}
"""
HUGE = """
#include <stdlib.h>
extern "C" void f(const float *x, float *y) {
  float *copy = (float *)malloc(8000000 * sizeof(float));
  copy[7] = x[7];
  y[7] = copy[7] + copy[8];
  free(copy);
}
"""


def filled(text: str, monkeypatch: pytest.MonkeyPatch) -> tuple[list[int], list[str]]:
    """Elements of the arrays that were filled, and the codes of what was found."""
    counts: list[int] = []
    blank = Arrays.blank

    def noted(self: Arrays, dtype: Any, count: int, zero: bool) -> Any:
        counts.append(0 if zero else count)
        return blank(self, dtype, count, zero)

    monkeypatch.setattr(Arrays, "blank", noted)
    report = check_unit(parse(text, "k.cpp", platform="vnni", tells_streams=True), Options(seconds=60))
    assert not report.refusals
    return counts, [f.code for f in report.findings]


def test_an_array_of_a_loop_keeps_its_storage_from_turn_to_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(filled(TURNS, monkeypatch)[0]) < 5


def test_a_large_array_is_not_filled_and_still_known_to_be_unwritten(monkeypatch: pytest.MonkeyPatch) -> None:
    counts, codes = filled(HUGE, monkeypatch)
    assert max(counts) < 1 << 20
    assert codes == ["XP-UNINIT"]
