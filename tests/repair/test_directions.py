"""A copy between memories of an MLU goes from the one of its sides to the other."""

from __future__ import annotations

import pytest

from xpiler.frontend.syntax import analyse
from xpiler.repair.menu import sites_of
from xpiler.repair.vocabulary import vocabulary

TEXT = """#include <bang.h>
__nram__ float tile[1024];
__mlu_entry__ void f(float *y, const float *x, int n) {
  __memcpy(tile, x + taskId * n, n * sizeof(float), GDRAM2NRAM);
  __memcpy(y + taskId * n, tile, n * sizeof(float), NRAM2GDRAM);
}
"""


@pytest.mark.parametrize(("right", "wrong"), [("NRAM2GDRAM", "GDRAM2NRAM"), ("GDRAM2NRAM", "NRAM2GDRAM")])
def test_the_direction_of_its_memories_comes_first(right: str, wrong: str) -> None:
    at = TEXT.index(right)
    text = TEXT[:at] + wrong + TEXT[at + len(right) :]
    unit = analyse(text, "f.mlu", platform="bang")
    sites = sites_of(unit, unit, vocabulary(text, text, "bang"), "f")
    (site,) = (s for s in sites if s.start == at and s.alternatives[0].kind.endswith("word"))
    costs = {a.text: a.cost for a in site.alternatives}
    assert min(costs, key=lambda word: costs[word]) == right
    assert costs[right] < 0.7
