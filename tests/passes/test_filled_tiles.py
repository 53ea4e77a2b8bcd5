"""Sums over a tile that was filled up, and elements of registers that nobody reads."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from xpiler.frontend import parse
from xpiler.ir.interpret import run
from xpiler.ir.nodes import Function
from xpiler.ir.printer import show
from xpiler.passes.canonical import canonicalise
from xpiler.passes.filled_tiles import stop_at_fillings
from xpiler.passes.team_steps import shape_steps
from xpiler.passes.unread_elements import skip_unread

# Each warp has a row; 32 items of a tile at a time, the last one filled up.
WEIGHTED = """\
__global__ void weighted(const float *x, const float *v, float *y, int n, int dim) {
  __shared__ float tile[32][64];
  float peak = -INFINITY, sum = 0.0f, own[2] = {0.0f};
  const int lane = threadIdx.x, row = threadIdx.y;
  for (int base = 0; base < n; base += 32) {
    __syncthreads();
    for (int i = row * 32 + lane; i < 32 * dim; i += 128)
      tile[i / dim][i % dim] = base + i / dim < n ? v[(base + i / dim) * dim + i % dim] : 0.0f;
    __syncthreads();
    const float score = base + lane < n ? x[row * n + base + lane] : -INFINITY;
    float top = score;
    for (int mask = 16; mask > 0; mask >>= 1) top = fmaxf(top, __shfl_xor_sync(0xffffffffu, top, mask));
    top = fmaxf(top, peak);
    const float p = expf(score - top);
    float total = p;
    for (int mask = 16; mask > 0; mask >>= 1) total += __shfl_xor_sync(0xffffffffu, total, mask);
    const float shrink = expf(peak - top);
    sum = sum * shrink + total;
    peak = top;
    for (int j = 0; j < 2; ++j) own[j] *= shrink;
    for (int i = 0; i < 32; ++i) {
      const float weight = __shfl_sync(0xffffffffu, p, i);
      for (int j = 0; j < 2; ++j)
        if (lane + 32 * j < dim) own[j] += weight * tile[i][lane + 32 * j];
    }
  }
  for (int j = 0; j < 2; ++j)
    if (lane + 32 * j < dim) y[row * dim + lane + 32 * j] = own[j] / sum;
}
"""


def canonical(*edit: str) -> Function:
    text = WEIGHTED.replace(*edit) if edit else WEIGHTED
    (kernel,) = parse(text, "kernel.cu", platform="cuda").program.kernels
    return canonicalise(kernel, (32, 4, 1), (1, 1, 1)).function


def results(function: Function, n: int, dim: int) -> np.ndarray[Any, Any]:
    rng = np.random.default_rng(n)
    given: dict[str, Any] = {
        "x": rng.normal(size=4 * n).astype(np.float32),
        "v": rng.normal(size=n * dim).astype(np.float32),
        "y": np.zeros(4 * dim, np.float32),
        "n": n,
        "dim": dim,
        **{f"gridDim.{axis}": 1 for axis in "xyz"},
    }
    found = run(function, given)
    assert not found.errors, found.errors[0]
    return given["y"]


def sums(text: str) -> str:
    """The range of the loop that sums products."""
    return text[: text.index("own_total +=")].rsplit("for i32 i", 1)[1].split("{")[0]


def test_a_sum_stops_where_the_tile_was_filled_up() -> None:
    assert "in 0 .. min(32, -base + n)" in sums(show(shape_steps(canonical())))


@pytest.mark.parametrize(
    "edit",
    [
        (": 0.0f;\n    __syncthreads", ": 1.0f;\n    __syncthreads"),  # filled with something else
        ("expf(score - top)", "score - top"),  # weights are not 0 there
        (": -INFINITY;\n", ": -1e30f;\n"),  # nor here as far as is known
        ("base + i / dim < n ?", "base + i / dim < n + 1 ?"),  # another end
        ("base + i / dim < n ?", "base + i / dim < n || i < 3 ?"),
        ("weight * tile[i]", "weight * tile[31 - i]"),  # in another order
    ],
)
def test_a_sum_goes_on_where_it_may_add_something(edit: tuple[str, str]) -> None:
    before = canonical(*edit)
    assert before != canonical()
    assert "min(32" not in sums(show(shape_steps(before)))


def test_a_part_that_is_written_besides_is_not_filled() -> None:
    extra = "    if (lane == 0) tile[31][row] = 2.0f;\n    __syncthreads();\n    const float score"
    text = show(stop_at_fillings(shape_steps(canonical("    const float score", extra))))
    assert "min(32, -base + n)" not in sums(text)


def test_registers_beyond_the_size_are_left_alone() -> None:
    text = show(shape_steps(canonical()))
    assert text.count("in 0 .. min(64, dim)") == 2  # at the beginning, and where sums shrink
    assert "in 0 .. 64" not in text


@pytest.mark.parametrize(
    "edit",
    [
        ("if (lane + 32 * j < dim) y[", "if (lane + 32 * j <= dim) y["),
        ("own[j] / sum", "own[j] / sum + own[1 - j]"),
    ],
)
def test_registers_that_are_read_are_computed(edit: tuple[str, str]) -> None:
    assert "min(64, dim)" not in show(shape_steps(canonical(*edit)))


@pytest.mark.parametrize(("n", "dim"), [(1, 1), (31, 5), (32, 64), (33, 40), (70, 17)])
def test_results_are_the_same(n: int, dim: int) -> None:
    before = canonical()
    after = shape_steps(before)
    assert skip_unread(after) is after, "nothing is left to do"
    np.testing.assert_allclose(results(after, n, dim), results(before, n, dim), rtol=1e-5, atol=1e-6)
