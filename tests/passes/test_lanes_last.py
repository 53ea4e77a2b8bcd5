"""Values that threads keep several of lie in memory as what they are computed from."""

from __future__ import annotations

import pytest

from xpiler.frontend import parse
from xpiler.ir.nodes import Decl, For, Function, Load
from xpiler.ir.printer import show
from xpiler.ir.rewrite import walk
from xpiler.passes.canonical import canonicalise
from xpiler.passes.lanes_last import lanes_last

SCORES = """\
__global__ void scores(const float *__restrict__ q, const float *__restrict__ k, float *__restrict__ out,
                       int n) {
  const int lane = threadIdx.x;
  float own[2];
  for (int i = 0; i < 2; ++i) own[i] = expf(q[blockIdx.x * 64 + PLACE]);
  for (int t = 0; t < n; ++t) {
    float s = 0.f;
    for (int i = 0; i < 2; ++i) s += own[i] * k[t * 64 + PLACE];
    for (int o = 16; o; o >>= 1) s += __shfl_xor_sync(~0u, s, o);
    if (lane == 0) out[blockIdx.x * n + t] = s;
  }
}
"""


def turned(place: str) -> Function:
    (kernel,) = parse(SCORES.replace("PLACE", place), "k.cu", platform="cuda").program.kernels
    return lanes_last(canonicalise(kernel, (32, 1, 1), (None, 1, 1)).function)


@pytest.mark.parametrize(
    ("place", "shape", "loops"),
    [("lane + 32 * i", "[2][32]", "i lane"), ("lane * 2 + i", "[32][2]", "lane i")],
)
def test_neighbours_lie_beside_where_they_read_what_lies_beside(place: str, shape: str, loops: str) -> None:
    function = turned(place)
    (array,) = [n for n in walk(function.body) if isinstance(n, Decl) and n.shape]
    assert f"{array.name}{shape}" in show(function)
    sums = [
        f"{n.var} {inner.var}"
        for n in walk(function.body)
        if isinstance(n, For)
        and len(n.body.body) == 1
        and isinstance(inner := n.body.body[0], For)
        and any(isinstance(load, Load) and load.array == "k" for load in walk(inner))
        and not any(isinstance(deeper, For) for deeper in walk(inner.body))
    ]
    assert [
        " ".join("lane" if w.startswith("lane") or "thread" in w else "i" for w in s.split()) for s in sums
    ] == [loops]
