"""Which parallel loops are shown to be independent, and what becomes of the others."""

from __future__ import annotations

from xpiler.frontend import parse
from xpiler.ir.nodes import For, Function, LoopKind
from xpiler.ir.rewrite import walk
from xpiler.passes.canonical import canonicalise
from xpiler.passes.premises import premises, serial_where_not_shown

SCATTER = (
    "__global__ void put(const float *__restrict__ x, float *__restrict__ y, const int *at, int n) {"
    " int i = blockIdx.x * 64 + threadIdx.x; if (i < n) y[at[i]] = x[i]; }"
)
ROWS = (
    "__global__ void twice(const float *__restrict__ x, float *__restrict__ y, int n) {"
    " for (int i = threadIdx.x; i < n; i += 64) y[blockIdx.x * n + i] = 2 * x[blockIdx.x * n + i]; }"
)


def canonical(text: str) -> Function:
    return canonicalise(parse(text, "k.cu").program.kernels[0], (64, 1, 1), (None, 1, 1)).function


def test_rows_of_their_own_are_shown_independent() -> None:
    assert all(premise.shown for premise in premises(canonical(ROWS)))


def test_a_scatter_is_believed_and_serial_where_it_may_not_be() -> None:
    function = canonical(SCATTER)
    found = premises(function)
    assert [premise.shown for premise in found] == [False]
    assert "`y`" in found[0].reason
    serial = serial_where_not_shown(function, found)
    assert {loop.kind for loop in walk(serial) if isinstance(loop, For)} == {LoopKind.SERIAL}
