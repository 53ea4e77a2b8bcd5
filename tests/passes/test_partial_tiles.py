"""Loops over tiles, the last of which may be partial."""

from __future__ import annotations

import pytest

from tests.passes import machine
from xpiler.frontend import parse
from xpiler.ir.nodes import For, Function
from xpiler.ir.printer import show
from xpiler.ir.rewrite import walk
from xpiler.passes.partial_tiles import join_tiles


def function(loops: str) -> Function:
    """`y[0]` is a sum that depends on the order of its elements."""
    text = f"""
    void f(const float *x, float *y, int n, int tile) {{
      float s = 1.0f;
      {loops}
      y[0] = s;
    }}"""
    (found,) = parse(text, "f.cpp", platform="vnni").program.kernels
    return found


COUNTED = """
for (int t = 0; t < n / 4 + (n %% 4 > 0); ++t) {
    int count = t < n / 4 ? %s : n %% 4;
    for (int k = 0; k < count; ++k) { s = s * 0.5f + x[t * 4 + k] * (t * 4 + k < n / 2 ? 2.0f : 3.0f); }
}"""
STEP = "{ s = s * 0.5f + x[%s] * (%s < n ? 2.0f : 3.0f); }"
FROM_ZERO = "for (int t = 0; t < n; t += %s) for (int k = 0; k < min(%s, n - t); ++k) " + STEP % (
    "t + k",
    "t + k",
)
FROM_START = "for (int t = 0; t < n; t += %s) for (int k = t; k < min(n, t + %s); ++k) " + STEP % ("k", "k")


@pytest.mark.parametrize(
    ("loops", "left"),
    [
        (FROM_ZERO % ("4", "4"), 1),
        (FROM_START % ("4", "4"), 1),
        (FROM_ZERO % ("tile", "tile"), 1),
        (FROM_ZERO % ("4", "3"), 2),
        (COUNTED % "4", 1),
        (COUNTED % "3", 2),
        ((COUNTED % "4").replace("x[t * 4 + k]", "x[t * 3 + k]"), 2),
        ((COUNTED % "4").replace("+ (n % 4 > 0)", ""), 2),
        (FROM_START % ("3", "4"), 2),
        ((FROM_ZERO % ("4", "4")).replace("x[t + k]", "x[k]"), 2),
        ((FROM_ZERO % ("4", "4")).replace("x[t + k]", "x[(t + k) % tile]"), 1),
        ((FROM_ZERO % ("4", "4")).replace("x[t + k]", "(t + k)"), 1),
        ((FROM_ZERO % ("4", "4")).replace("x[t + k]", "x[(t + 2 * k) % tile]"), 2),
        ((FROM_START % ("4", "4")).replace("{ s", "{ if (k % 4 == 2) break; s"), 2),
    ],
)
def test_loops_that_are_one_become_one_and_others_stay(loops: str, left: int) -> None:
    before = function(loops)
    after = join_tiles(before)
    assert sum(isinstance(node, For) for node in walk(after.body)) == left, show(after)
    for n in (0, 1, 4, 11):
        given = {"x": [float(i % 5) for i in range(n)], "y": [None], "n": n, "tile": 4}
        assert machine.run(after, given) == machine.run(before, given)
