"""Steps of threads between barriers, in the form that lanes want; each form computes what the other does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tests.passes.kernels import kernel, pointer
from xpiler.frontend import parse
from xpiler.ir.build import const, load, sub, var
from xpiler.ir.interpret import run
from xpiler.ir.nodes import Assign, Block, Decl, For, Function, LoopKind, Stmt
from xpiler.ir.printer import show
from xpiler.ir.types import F32, I8, I32
from xpiler.passes.canonical import canonicalise
from xpiler.passes.copied_arrays import drop_copies
from xpiler.passes.lane_order import order_lanes
from xpiler.passes.product_nests import split_products
from xpiler.passes.team_steps import shape_steps
from xpiler.passes.uniform_elements import collapse_uniform

STEPS = """\
__global__ void steps(const float *x, const float *w, float *y, int n) {
  __shared__ float tile[32][128];
  float peak = -1e30f, own[4] = {0.0f};
  const int lane = threadIdx.x, row = threadIdx.y;
  for (int k = 0; k < n; ++k) {
    __syncthreads();
    for (int i = row * 32 + lane; i < 32 * 128; i += 128) tile[i / 128][i % 128] = w[i] + k;
    __syncthreads();
    const float score = x[row * n * 32 + k * 32 + lane];
    float top = score;
    for (int mask = 16; mask > 0; mask >>= 1) top = fmaxf(top, __shfl_xor_sync(0xffffffffu, top, mask));
    top = fmaxf(top, peak);
    const float p = score - top;
    for (int j = 0; j < 4; ++j) own[j] *= peak - top;
    peak = top;
    for (int i = 0; i < 32; ++i) {
      const float other = __shfl_sync(0xffffffffu, p, i);
      for (int j = 0; j < 4; ++j) own[j] += other * tile[i][lane + 32 * j];
    }
  }
  for (int j = 0; j < 4; ++j) y[row * 128 + lane + 32 * j] = own[j] + peak;
}
"""


def canonical(text: str = STEPS) -> Function:
    (kernel,) = parse(text, "kernel.cu", platform="cuda").program.kernels
    return canonicalise(kernel, (32, 4, 1), (1, 1, 1)).function


def results(function: Function, n: int = 3) -> np.ndarray[Any, Any]:
    rng = np.random.default_rng(7)
    given = {
        "x": rng.normal(size=4 * n * 32).astype(np.float32),
        "w": rng.normal(size=32 * 128).astype(np.float32),
        "y": np.zeros(4 * 128, np.float32),
        "n": n,
        "gridDim.x": 1,
        "gridDim.y": 1,
        "gridDim.z": 1,
    }
    found = run(function, given)
    assert not found.errors, found.errors[0]
    return given["y"]


def test_what_all_threads_have_is_one_value() -> None:
    text = show(collapse_uniform(canonical()))
    assert "f32 peak[4];" in text
    assert "peak[" in text and "f32 top[" not in text
    assert text.count("peak[warp") >= 2


def test_a_value_of_its_own_stays_with_each_thread() -> None:
    text = show(collapse_uniform(canonical(STEPS.replace("peak = top;", "peak = top + lane;"))))
    assert "f32 peak[4][32];" in text


def test_a_copy_for_an_exchange_is_dropped() -> None:
    before = canonical()
    assert "shuffled" in show(before)
    assert "shuffled" not in show(drop_copies(before))


def test_threads_elements_lie_in_the_order_of_the_tile() -> None:
    before = canonical()
    assert "f32 own[4][32][4];" in show(before)
    assert "f32 own[4][128];" in show(order_lanes(before))


def test_a_product_gets_a_nest_and_its_sum_a_variable() -> None:
    text = show(shape_steps(canonical()))
    assert "f32 own_total = own[" in text
    nest = text[text.index("f32 own_total") : text.index("= own_total")]
    assert "own_total +=" in nest and "own[" not in nest.split("\n", 1)[1].rsplit("\n", 1)[0]


@pytest.mark.parametrize("step", [collapse_uniform, drop_copies, order_lanes, split_products, shape_steps])
def test_each_form_computes_the_same(step: Callable[[Function], Function]) -> None:
    before = canonical()
    np.testing.assert_allclose(results(step(before)), results(before), rtol=1e-4, atol=1e-4)


def test_an_array_of_each_threads_own_is_not_alike() -> None:
    t = var("t")
    own, tile = load("own", F32, 0), load("tile", F32, t)

    def threads(*body: Stmt) -> Stmt:
        return For("t", t.dtype, const(0), const(16), const(1), Block(body), LoopKind.THREADS)

    before = kernel(
        "turned",
        (pointer("x"), pointer("y")),
        Decl("tile", F32, (const(16),)),
        threads(Decl("own", F32, (const(1),)), Assign(own, load("x", F32, t)), Assign(tile, own)),
        threads(Assign(load("y", F32, t), load("tile", F32, sub(15, t)))),
    )
    after = shape_steps(before)
    assert "f32 tile[16];" in show(after)
    for function in (before, after):
        given = {"x": np.arange(16, dtype=np.float32), "y": np.zeros(16, np.float32)}
        assert not run(function, given).errors
        np.testing.assert_array_equal(given["y"], given["x"][::-1])


def test_bytes_of_a_word_are_not_words() -> None:
    t = var("t")
    word, byte = load("word", I32, t), load("word", I8, t)

    def threads(*body: Stmt) -> Stmt:
        return For("t", t.dtype, const(0), const(4), const(1), Block(body), LoopKind.THREADS)

    before = kernel(
        "bytes",
        (pointer("y", I8),),
        Decl("word", I32, (const(4),)),
        threads(Assign(word, const(0x01020304))),
        threads(Assign(load("y", I8, t), byte)),
    )
    assert collapse_uniform(before) is before
