"""What some threads of a tile bring, apart from what all do."""

from __future__ import annotations

import numpy as np

from xpiler.frontend import parse
from xpiler.ir.interpret import run
from xpiler.ir.printer import show
from xpiler.passes.canonical import canonicalise
from xpiler.passes.edge_threads import edges_apart

HALO = """\
__global__ void halo(const float *u, float *v, int n) {
  __shared__ float t[10][34];
  int x = blockIdx.x * 32 + threadIdx.x, y = threadIdx.y, i = (y + 1) * n + x + 1;
  t[y + 1][threadIdx.x + 1] = u[i];
  if (threadIdx.x == 0) t[y + 1][0] = u[i - 1];
  if (threadIdx.x == 31) t[y + 1][33] = u[i + 1];
  if (threadIdx.y < 1) t[0][threadIdx.x + 1] = u[i - n];
  if (threadIdx.y >= 7) t[9][threadIdx.x + 1] = u[i + n];
  __syncthreads();
  v[i] = t[y][threadIdx.x + 1] + t[y + 1][threadIdx.x] + t[y + 2][threadIdx.x + 1];
}
void call(const float *u, float *v, int n) { halo<<<2, dim3(32, 8)>>>(u, v, n); }
"""

KEPT = """\
__global__ void kept(const float *u, float *v) {
  float own = u[threadIdx.x];
  if (threadIdx.x == 3) v[64] = own;
  v[threadIdx.x] = own + 1.f;
}
void call(const float *u, float *v) { kept<<<1, 64>>>(u, v); }
"""


def test_edges_of_a_tile_are_rows_of_their_own() -> None:
    (kernel,) = parse(HALO, "halo.cu").program.kernels
    function = canonicalise(kernel, kernel.block_size, kernel.grid_size).function
    apart = edges_apart(function)
    assert "if (" in show(function) and "if (" not in show(apart), show(apart)
    n = 66
    u = np.linspace(0, 9, 10 * n, dtype=np.float32)
    results = [np.zeros_like(u), np.zeros_like(u)]
    for form, v in zip((function, apart), results, strict=True):
        run(form, {"u": u, "v": v, "n": n})
    assert results[0].any()
    np.testing.assert_array_equal(*results)


def test_a_value_that_other_parts_use_keeps_them_together() -> None:
    (kernel,) = parse(KEPT, "kept.cu").program.kernels
    function = canonicalise(kernel, kernel.block_size, kernel.grid_size).function
    if "own" in show(function):
        assert edges_apart(function) == function, show(edges_apart(function))
