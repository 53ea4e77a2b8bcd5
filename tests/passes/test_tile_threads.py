"""Products of matrix instructions, staged through shared memory, are the loops of any other product."""

from __future__ import annotations

import pytest

from tests.passes import machine
from xpiler.frontend import parse
from xpiler.ir.nodes import Decl, For, Function, Load
from xpiler.ir.printer import show
from xpiler.ir.rewrite import walk
from xpiler.passes.canonical import canonicalise
from xpiler.passes.rolled_fills import roll_fills
from xpiler.passes.shaped_indices import shape_indices

STAGED = """
#include <mma.h>
using namespace nvcuda;
__global__ void product(const half *x, const half *w, float *y, int M, int N, int K) {
  __shared__ half xs[32][16 + 8];
  __shared__ half ws[16][64];
  __shared__ float out[32][64 + 4];
  int warp = threadIdx.x / 32, row0 = blockIdx.y * 32, col0 = blockIdx.x * 64;
  wmma::fragment<wmma::accumulator, 16, 16, 16, float> acc[2];
  for (int j = 0; j < 2; ++j) wmma::fill_fragment(acc[j], 0.0f);
  for (int k0 = 0; k0 < K; k0 += 16) {
    for (int t = threadIdx.x; t < 32 * 16; t += 128) {
      int r = t / 16, c = t % 16;
      xs[r][c] = row0 + r < M && k0 + c < K ? x[(row0 + r) * K + k0 + c] : __float2half(0.f);
    }
    for (int t = threadIdx.x; t < 16 * 64; t += 128) {
      int r = t / 64, c = t % 64;
      ws[r][c] = k0 + r < K && col0 + c < N ? w[(k0 + r) * N + col0 + c] : __float2half(0.f);
    }
    __syncthreads();
    wmma::fragment<wmma::matrix_a, 16, 16, 16, half, wmma::row_major> a;
    wmma::fragment<wmma::matrix_b, 16, 16, 16, half, wmma::row_major> b[2];
    wmma::load_matrix_sync(a, &xs[warp / 2 * 16][0], 24);
    for (int j = 0; j < 2; ++j) wmma::load_matrix_sync(b[j], &ws[0][warp % 2 * 32 + j * 16], 64);
    for (int j = 0; j < 2; ++j) wmma::mma_sync(acc[j], a, b[j], acc[j]);
    __syncthreads();
  }
  for (int j = 0; j < 2; ++j)
    wmma::store_matrix_sync(&out[warp / 2 * 16][warp % 2 * 32 + j * 16], acc[j], 68, wmma::mem_row_major);
  __syncthreads();
  for (int t = threadIdx.x; t < 32 * 64; t += 128) {
    int r = t / 64, c = t % 64;
    if (row0 + r < M && col0 + c < N) y[(row0 + r) * N + col0 + c] = out[r][c];
  }
}
void run(const half *x, const half *w, float *y, int M, int N, int K) {
  product<<<dim3((N + 63) / 64, (M + 31) / 32), 128>>>(x, w, y, M, N, K);
}
"""


def test_several_fragments_a_warp_are_one_product() -> None:
    (kernel,) = parse(STAGED, "product.cu").program.kernels
    serial = canonicalise(kernel, kernel.block_size, kernel.grid_size).function
    assert not any(isinstance(n, Decl) and n.shape for n in walk(serial.body)), "no tile is left"
    loops = [n for n in walk(serial.body) if isinstance(n, For)]
    assert len(loops) == 3, show(serial)
    assert "acc += (f32)x[" in show(serial)


def plain(body: str) -> Function:
    (found,) = parse(
        f"void f(const float *x, float *y, int n) {{ {body} }}", "f.cpp", platform="vnni"
    ).program.kernels
    return found


@pytest.mark.parametrize(
    ("index", "shaped"),
    [
        ("8 * i + j", "[i][j]"),
        ("8 * i + 2 * j", "[i][j * 2]"),
        ("8 * i + 3 * j", "[0][8 * i + 3 * j]"),
        ("8 * i + j + n", "[0][8 * i + j + n]"),
    ],
)
def test_flat_indices_have_digits_where_these_stay_in_their_dimensions(index: str, shaped: str) -> None:
    body = (
        "float t[4][8]; float *p = &t[0][0];"
        f"for (int i = 0; i < 4; ++i) for (int j = 0; j < 4; ++j) {{ p[{index}] = x[j]; y[j] = p[{index}]; }}"
    )
    before = plain(body)
    text = show(shape_indices(before))
    assert f"t{shaped} = x[j]" in text and f"= t{shaped}" in text, text


def test_copies_one_by_one_are_a_loop() -> None:
    fill = "".join(f"t[4 * i + {e}] = x[n * i + {e}];" for e in range(4))
    before = plain(f"float t[16]; for (int i = 0; i < 4; ++i) {{ {fill} }} y[0] = t[n];")
    after = roll_fills(before)
    assert sum(isinstance(n, For) for n in walk(after.body)) == 2, show(after)
    assert sum(isinstance(n, Load) and n.array == "x" for n in walk(after.body)) == 1
    given = {"x": [float(i) for i in range(32)], "y": [None], "n": 7}
    assert machine.run(after, given) == machine.run(before, given)


def test_copies_that_skip_an_element_stay() -> None:
    before = plain("float t[16]; for (int i = 0; i < 4; ++i) { t[4 * i] = x[i]; t[4 * i + 1] = x[i]; "
                   "t[4 * i + 3] = x[i]; } y[0] = t[n];")  # fmt: skip
    assert roll_fills(before) is before
