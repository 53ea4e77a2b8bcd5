"""Assertions: what a launch decides is no question any more, the rest stays where it was."""

from xpiler.frontend import parse
from xpiler.ir.printer import show
from xpiler.passes.canonical import canonicalise

KERNEL = """
__global__ void twice(const float *x, float *y, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  assert(%s && "launch it otherwise");
  if (i < n) y[i] = 2.0f * x[i];
}
"""


def canonical(condition: str) -> str:
    (kernel,) = parse(KERNEL % condition, "k.cu").program.kernels
    return show(canonicalise(kernel, (128, 1, 1)).function)


def test_an_assertion_about_the_block_is_gone() -> None:
    assert "assert" not in canonical("blockDim.x == 128")


def test_one_that_fails_stays() -> None:
    assert "assert(false, " in canonical("blockDim.x == 256")


def test_one_about_sizes_stays() -> None:
    assert "assert(n < 4096, " in canonical("n < 4096")
