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


TILES = (
    "__global__ void tiles(const float *__restrict__ x, float *__restrict__ y, int m, int n) {"
    " int r = blockIdx.y * 8 + threadIdx.x / 8, c = blockIdx.x * 8 + threadIdx.x % 8;"
    " __shared__ float s[64]; s[threadIdx.x] = r < m && c < n ? x[r * n + c] : 0.f; __syncthreads();"
    " if (r < m && c < n) y[r * n + c] = s[63 - threadIdx.x]; }"
)


def test_blocks_of_tiles_are_shown_independent_through_the_digits_of_the_thread() -> None:
    kernel = parse(TILES, "k.cu").program.kernels[0]
    found = premises(canonicalise(kernel, (64, 1, 1), (None, None, 1)).function)
    blocks = {premise.loop: premise.shown for premise in found if premise.loop.startswith("block")}
    assert blocks == {"block_y": True, "block_x": True}
