"""The edges of a picture or a row are ranges of lanes, though the source tests them by `==`."""

from __future__ import annotations

import numpy as np
import pytest

from tests.passes.mlu import assert_same, canonical, instructions, normal
from xpiler.passes.bang_schedule import schedule
from xpiler.platforms.bang import DEFAULT

STENCIL = """__global__ void stencil(const float *x, float *y, int w, int h) {
    int c = blockIdx.x * blockDim.x + threadIdx.x, r = blockIdx.y;
    if (c >= w || r >= h) return;
    if (EDGE) { y[r * w + c] = 0.0f; return; }
    y[r * w + c] = x[(r - 1) * w + c] + x[r * w + c - 1] + x[r * w + c + 1] + x[(r + 1) * w + c];
}"""


@pytest.mark.parametrize(
    "edge",
    [
        "c == 0 || r == 0 || c == w - 1 || r == h - 1",
        "!(c != 0 && r != 0 && w - 1 != c && r + 1 != h)",
    ],
)
def test_what_lies_inside_of_the_edges_is_a_range(edge: str) -> None:
    function = canonical(STENCIL.replace("EDGE", edge), x=2, y=9)
    scheduled = schedule(function, DEFAULT)
    assert scheduled.notes == ()
    assert instructions(scheduled.function).count("__bang_add") == 3
    for w, h in ((1, 1), (2, 5), (77, 4), (128, 9)):
        assert_same(function, x=normal(w * h), y=np.ones(w * h, np.float32), w=w, h=h)
