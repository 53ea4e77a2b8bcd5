"""Loops over threads of which only the first do something."""

from __future__ import annotations

import pytest

from xpiler.frontend import parse
from xpiler.ir import build as b
from xpiler.ir.nodes import Assign, Block, Expr, For, If, LoopKind
from xpiler.ir.printer import show
from xpiler.ir.types import I32
from xpiler.passes.canonical import canonicalise
from xpiler.passes.leading_threads import leading

WARP = b.var("warp", I32)


def loop(condition: Expr) -> For:
    work = Assign(b.load("a", I32, WARP), b.const(1))
    body = Block((If(condition, Block((work,)), Block(())),))
    return For("warp", I32, b.const(0), b.const(8), b.const(1), body, LoopKind.THREADS)


@pytest.mark.parametrize(
    "condition, left",
    [
        (b.lt(b.mul(WARP, 32), 64), "threads for i32 warp in 0 .. 2 {\n  a[warp] = 1;\n}"),
        (b.eq(WARP, b.const(0)), "a[0] = 1;"),
        (b.lt(WARP, 100), "threads for i32 warp in 0 .. 8 {\n  a[warp] = 1;\n}"),
    ],
)
def test_the_first_threads_are_left(condition: Expr, left: str) -> None:
    (found,) = leading(loop(condition))
    assert show(found) == left


@pytest.mark.parametrize("condition", [b.eq(WARP, b.const(3)), b.lt(WARP, b.var("n", I32)), b.lt(WARP, 0)])
def test_others_and_what_parameters_decide_stay(condition: Expr) -> None:
    whole = loop(condition)
    assert leading(whole) == (whole,)


SCALE = """\
__global__ void scale(const float *x, float *y, int n) {
  __shared__ float part[32];
  float sum = 0.0f;
  for (int i = threadIdx.x; i < n; i += blockDim.x) sum += x[blockIdx.x * n + i];
  for (int o = 16; o > 0; o >>= 1) sum += __shfl_xor_sync(0xffffffffu, sum, o);
  if ((threadIdx.x & 31) == 0) part[threadIdx.x >> 5] = sum;
  __syncthreads();
  if (threadIdx.x < 32) {
    sum = threadIdx.x < blockDim.x / 32 ? part[threadIdx.x] : 0.0f;
    for (int o = 16; o > 0; o >>= 1) sum += __shfl_xor_sync(0xffffffffu, sum, o);
    if (threadIdx.x == 0) part[0] = rsqrtf(sum);
  }
  __syncthreads();
  for (int i = threadIdx.x; i < n; i += blockDim.x) y[blockIdx.x * n + i] = x[blockIdx.x * n + i] * part[0];
}
void host(const float *x, float *y, int rows, int n) { scale<<<rows, 256>>>(x, y, n); }
"""


def test_the_second_stage_that_the_first_warp_takes_is_part_of_the_sum() -> None:
    (kernel,) = parse(SCALE, "scale.cu").program.kernels
    text = show(canonicalise(kernel, (256, 1, 1)).function)
    inner = text[text.index("parallel for i32 block_x") :]
    assert "threads" not in inner and "while" not in inner
    assert inner.count("sum_sum += ") == 1 and "rsqrt(sum_sum)" in inner
