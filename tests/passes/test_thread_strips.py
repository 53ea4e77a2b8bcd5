"""Threads that take several rows of a tile each."""

from __future__ import annotations

import re

import pytest

from xpiler.frontend import parse
from xpiler.ir.nodes import Function
from xpiler.ir.printer import show
from xpiler.passes.canonical import canonicalise

TRANSPOSE = """
__global__ void transpose(const float *in, float *out, int h, int w) {
    __shared__ float tile[32][33];
    int x = blockIdx.x * 32 + threadIdx.x, y = blockIdx.y * 32 + threadIdx.y;
    for (STRIP)
        if (x < w && blockIdx.y * 32 + ROW < h) tile[ROW][threadIdx.x] = in[(blockIdx.y * 32 + ROW) * w + x];
    __syncthreads();
    x = blockIdx.y * 32 + threadIdx.x;
    for (STRIP)
        if (x < h && blockIdx.x * 32 + ROW < w) out[(blockIdx.x * 32 + ROW) * h + x] = tile[threadIdx.x][ROW];
}
void run(const float *in, float *out, int h, int w, dim3 grid) {
    transpose<<<grid, dim3(32, 8)>>>(in, out, h, w);
}
"""


def canonical(strip: str, row: str) -> Function:
    (kernel,) = parse(TRANSPOSE.replace("STRIP", strip).replace("ROW", row), "t.cu").program.kernels
    return canonicalise(kernel, kernel.block_size, kernel.grid_size).function


@pytest.mark.parametrize(
    ("strip", "row"),
    [
        ("int j = 0; j < 32; j += 8", "(threadIdx.y + j)"),
        ("int j = threadIdx.y; j < 32; j += 8", "j"),
    ],
)
def test_a_tile_that_few_threads_fill_is_seen_through(strip: str, row: str) -> None:
    shown = show(canonical(strip, row))
    assert "tile" not in shown
    column, line = r"\(u32\)(?P<column>\w+)", r"\(u32\)(?P<row>\w+)"
    moved = (
        rf"out\[{column} \* \(u32\)h \+ {line}\] = in\[\(u32\)(?P=row) \* \(u32\)w \+ \(u32\)(?P=column)\]"
    )
    assert re.search(moved, shown), shown
    assert shown.count("for i32") == 3  # blocks along z, rows, columns


def test_strips_that_do_not_meet_stay() -> None:
    shown = show(canonical("int j = 0; j < 32; j += 16", "(threadIdx.y + j)"))
    assert "tile" in shown
