"""Products in tiles of shared memory and registers come out as the three loops that they are."""

from __future__ import annotations

from pathlib import Path

import pytest

from xpiler.frontend import parse
from xpiler.ir.nodes import Decl, For
from xpiler.ir.printer import show
from xpiler.ir.rewrite import walk
from xpiler.passes.canonical import canonicalise

ROOT = Path(__file__).parents[2]
TILES = ROOT / "tests/backend/cuda/register_tiles.cu"
KERNELS = {k.template or k.name: k for k in parse(TILES.read_text(), str(TILES)).program.kernels}
GEMM = ROOT / "snippets/cuda/gemm.cu"
KERNELS["gemm"] = parse(GEMM.read_text(), str(GEMM)).program.kernels[0]


@pytest.mark.parametrize("name", ["strided_fill", "two_by_two", "gemm"])
def test_a_register_tile_is_two_loops_and_a_sum(name: str) -> None:
    function = canonicalise(KERNELS[name], KERNELS[name].block_size, (None, None, 1)).function
    loops = [n.stop for n in walk(function.body) if isinstance(n, For)]
    assert [show(stop).split(",")[0] for stop in loops] == ["min(M", "min(N", "K"], show(function)
    assert not [n for n in walk(function.body) if isinstance(n, Decl) and n.shape]


def test_a_column_of_registers_is_one_sum() -> None:
    function = canonicalise(KERNELS["column"], KERNELS["column"].block_size).function
    assert not [n for n in walk(function.body) if isinstance(n, Decl) and n.shape], show(function)


MIXED = """
__global__ void mixed(const float *a, float *c, int n) {
  float acc[2];
  acc[0] = 0; acc[1] = 0;
  for (int k = 0; k < n; ++k)
    for (int i = 0; i < 2; ++i) acc[i] += acc[1 - i] * a[k * 2 + i];
  for (int i = 0; i < 2; ++i) c[threadIdx.x * 2 + i] = acc[i];
}
"""


def test_registers_that_meet_stay_together() -> None:
    kernel = parse(MIXED, "mixed.cu").program.kernels[0]
    assert "acc[2]" in show(canonicalise(kernel, (32, 1, 1)).function)


def test_counters_of_threads_are_taken_apart_only_where_all_stores_do() -> None:
    text = """
    __global__ void both(float *a, float *b, int n) {
      int t = threadIdx.x;
      a[blockIdx.x * n + t / 8 * 8 + t % 8] = 1;
      b[blockIdx.x * n + t / 4 * n + t % 4] = 2;
    }"""
    kernel = parse(text, "both.cu").program.kernels[0]
    assert "thread_y" not in show(canonicalise(kernel, (32, 1, 1)).function)
