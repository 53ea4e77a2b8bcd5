"""Elements of local arrays that a loop goes on with are variables meanwhile."""

from __future__ import annotations

import pytest

from xpiler.frontend import parse
from xpiler.ir.printer import show
from xpiler.passes.canonical import canonicalise
from xpiler.passes.element_registers import keep_elements
from xpiler.passes.vectorize import vectorize

PEAKS = """\
__global__ void peaks(const float *__restrict__ x, float *__restrict__ y, int n) {
  __shared__ float peak[32];
  peak[threadIdx.x] = 0.0f;
  for (int c = 0; c < n; ++c) peak[threadIdx.x] = fmaxf(PLACE, x[c * 32 + threadIdx.x]);
  __syncthreads();
  y[blockIdx.x * 32 + threadIdx.x] = peak[31 - threadIdx.x];
}
"""


def kept(place: str) -> str:
    text = PEAKS.replace("PLACE", place)
    (kernel,) = parse(text, "kernel.cu", platform="cuda").program.kernels
    chosen = vectorize(canonicalise(kernel, (32, 1, 1), (None, 1, 1)).function)
    return show(keep_elements(chosen.function))


def test_a_loop_goes_on_with_a_variable() -> None:
    text = kept("peak[threadIdx.x]")
    assert "f32 peak_kept = peak[(u32)thread_x];" in text
    assert "peak_kept max= x[" in text or "peak_kept = max(peak_kept, x[" in text
    assert "peak[(u32)thread_x] = peak_kept;" in text


@pytest.mark.parametrize("place", ["peak[threadIdx.x ^ 1]", "peak[c % 32]"])
def test_an_element_that_others_read_stays(place: str) -> None:
    assert "peak_kept" not in kept(place)
