"""Loops go through memory in its order."""

from __future__ import annotations

import pytest

from xpiler.frontend import parse
from xpiler.ir.printer import show
from xpiler.passes.canonical import canonicalise
from xpiler.passes.loop_order import in_order_of_memory


def ordered(text: str, block: tuple[int, int, int]) -> list[str]:
    """The heads of the loops, outermost first."""
    (kernel,) = parse(text, "kernel.cu", platform="cuda").program.kernels
    made = show(in_order_of_memory(canonicalise(kernel, block, (None, None, 1)).function))
    return [line.strip() for line in made.splitlines() if " for " in f" {line}"]


PLANES = """\
__global__ void planes(const float *__restrict__ u, float *__restrict__ v, int nx, int ny, int nz) {
  int i = blockIdx.x * blockDim.x + threadIdx.x, j = blockIdx.y * blockDim.y + threadIdx.y;
  if (i >= nx || j >= ny) return;
  for (int k = 0; k < nz; ++k) v[PLACE] = 2.0f * u[PLACE];
}
"""


@pytest.mark.parametrize(
    ("place", "outermost", "innermost"),
    [
        ("(k * ny + j) * nx + i", "k", "i"),  # the axis with the longest steps
        ("(j * nz + k) * nx + i", "k", "i"),  # of j and k, which are one
        ("(j * nx + i) * nz + k", "j", "k"),  # the elements that lie together
    ],
)
def test_what_takes_the_longest_steps_is_outside(place: str, outermost: str, innermost: str) -> None:
    loops = ordered(PLANES.replace("PLACE", place), (32, 8, 1))
    assert f" {outermost} in" in loops[0] and f" {innermost} in" in loops[-1], loops


def test_a_sum_along_an_axis_stays_with_its_thread() -> None:
    text = PLANES.replace("for (int k = 0; k < nz; ++k) v[PLACE] = 2.0f * u[PLACE];", "SUM")
    body = "float s = 0; for (int k = 0; k < nz; ++k) s += u[(k * ny + j) * nx + i]; v[j * nx + i] = s;"
    loops = ordered(text.replace("SUM", body), (32, 8, 1))
    assert " k in" in loops[-1], loops


COUNTS = """\
__global__ void counts(const unsigned char *__restrict__ d, unsigned *__restrict__ h, int n) {
  __shared__ unsigned s[256];
  s[threadIdx.x] = 0;
  __syncthreads();
  for (int i = blockIdx.x * 256 + threadIdx.x; i < n; i += STEP) atomicAdd(&s[d[i]], 1u);
  __syncthreads();
  atomicAdd(&h[threadIdx.x], s[threadIdx.x]);
}
"""


def test_threads_take_their_next_elements_together() -> None:
    loops = ordered(COUNTS.replace("STEP", "16384"), (256, 1, 1))
    assert "for i32 first in block_x * 256 .. n step 16384 {" in [s.replace(" + 0", "") for s in loops], loops
    assert any("threads for i32 thread_x in 0 .. min(256, n - first)" in s for s in loops), loops
