"""Threads that go through a tile between barriers: their sums and what they brought along are registers."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from tests.backend.cpp import build
from xpiler.backend.c import CPrinter
from xpiler.backend.vnni import CppFunction, generate
from xpiler.frontend import parse
from xpiler.passes.canonical import canonicalise

FORCES = """
__global__ void forces(const float4 *__restrict__ at, float *__restrict__ out, int n) {
  __shared__ float4 tile[64];
  int i = blockIdx.x * 64 + threadIdx.x;
  float4 own = i < n ? at[i] : make_float4(0, 0, 0, 0);
  float x = 0, y = 0;
  for (int first = 0; first < n; first += 64) {
    int j = first + threadIdx.x;
    tile[threadIdx.x] = j < n ? at[j] : make_float4(0, 0, 0, 0);
    __syncthreads();
    #pragma unroll 4
    for (int k = 0; k < 64; ++k) {
      float dx = tile[k].x - own.x, dy = tile[k].y - own.y;
      float w = tile[k].w / (dx * dx + dy * dy + own.w);
      x += dx * w;
      y += dy * w;
    }
    __syncthreads();
  }
  if (i < n) out[i] = x + y;
}"""

COUNTS = """
__global__ void counts(const unsigned char *__restrict__ x, KIND *__restrict__ out, int n) {
  __shared__ KIND own[32];
  own[threadIdx.x] = 0;
  __syncthreads();
  for (int i = blockIdx.x * 32 + threadIdx.x; i < n; i += gridDim.x * 32) atomicAdd(&own[x[i] % 32], AMOUNT);
  __syncthreads();
  atomicAdd(&out[threadIdx.x], own[threadIdx.x]);
}"""


def written(source: str, threads: int, blocks: int, plain: bool = False) -> CppFunction:
    (kernel,) = parse(source, "kernel.cu", platform="cuda").program.kernels
    function = canonicalise(kernel, (threads, 1, 1), (None, 1, 1)).function
    launch = {"gridDim.x": blocks, "gridDim.y": 1, "gridDim.z": 1, "blockDim.x": threads}
    name = f"{function.name}_plain" if plain else function.name
    return generate(function, name=name, extern_c=True, launch=launch, scalar=CPrinter if plain else None)


def counts(kind: str) -> str:
    amount = {"int": "0x70000000", "unsigned": "3u", "float": "0.5f"}[kind]
    return COUNTS.replace("KIND", kind).replace("AMOUNT", amount)


def test_sums_across_barriers_are_registers_in_the_loop_over_a_tile() -> None:
    text = written(FORCES, 64, 3).text
    turns = text.split("for (int k = 0; k < 64; ++k) {")[1].split("_mm512_storeu_ps(")[0]
    assert "x_kept = _mm512_fmadd_ps(dx, w, x_kept);" in turns
    assert "block_x_many = minimum(" in text, "several blocks share a tile, as many as there are left"
    assert "gather" not in turns, "what a thread brought along is read before"
    assert text.count("x_kept = _mm512_fmadd_ps(") <= 2, "a long body is not copied into tiles"


def test_forces_are_those_of_plain_loops(tmp_path: Path) -> None:
    made = build([written(FORCES, 64, 3), written(FORCES, 64, 3, plain=True)], tmp_path, "forces")
    n = 150
    at = np.abs(np.random.default_rng(3).standard_normal(4 * n)).astype(np.float32)
    results = [np.zeros(n, np.float32) for _ in range(2)]
    for name, result in zip(("forces", "forces_plain"), results, strict=True):
        made.call(name, at, result, np.int32(n))
    assert results[1].any()
    np.testing.assert_allclose(results[0], results[1], rtol=2e-4, atol=2e-4)


@pytest.mark.parametrize("kind", ["int", "unsigned", "float"])
def test_what_a_block_counts_for_itself_needs_no_atomic(kind: str, tmp_path: Path) -> None:
    source = counts(kind)
    function = written(source, 32, 5)
    assert re.search(r"own\[.*\] \+?=\s", function.text) and "&own[" not in function.text
    assert "own[each[" not in function.text, "lanes would only take each element out of a register again"
    assert "(&out[" in function.text, "blocks count there together"
    made = build([function, written(source, 32, 5, plain=True)], tmp_path, f"counts_{kind}")
    n = 1000
    x = np.random.default_rng(4).integers(0, 256, n, dtype=np.uint8)
    dtype = {"int": np.int32, "unsigned": np.uint32, "float": np.float32}[kind]
    results = [np.zeros(32, dtype) for _ in range(2)]
    for name, result in zip(("counts", "counts_plain"), results, strict=True):
        made.call(name, x, result, np.int32(n))
    assert results[1].any()
    np.testing.assert_array_equal(*results)
