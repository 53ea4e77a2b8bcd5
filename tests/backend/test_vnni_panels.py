"""Operands that lie crosswise, packed by turning blocks: products at sizes around the blocks' own."""

from __future__ import annotations

import numpy as np
import pytest

from tests.backend.cpp import Library, build
from xpiler.backend.vnni import generate
from xpiler.frontend import parse
from xpiler.passes.canonical import canonicalise

DENSE = """\
__global__ void dense(const float *__restrict__ x, const float *__restrict__ w, float *__restrict__ y,
                      int rows, int columns, int taps, int depth) {
  int c = blockIdx.x * blockDim.x + threadIdx.x, r = blockIdx.y;
  if (c >= columns || r >= rows) return;
  float sum = 0;
  for (int t = 0; t < taps; ++t)
    for (int k = 0; k < depth; ++k) sum += x[(r * taps + t) * depth + k] * w[(c * taps + t) * PITCH + k];
  y[r * columns + c] = sum;
}
"""


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Library:
    made = []
    for name, pitch in (("dense", "depth"), ("apart", "(depth + 3)")):
        text = DENSE.replace("PITCH", pitch).replace("dense", name)
        (kernel,) = parse(text, "kernel.cu", platform="cuda").program.kernels
        serial = canonicalise(kernel, (64, 1, 1)).function
        made.append(
            generate(serial, extern_c=True, launch={"gridDim.x": 1, "gridDim.y": 5, "blockDim.x": 64})
        )
        assert "turn_ps(" in made[-1].text
    return build(made, tmp_path_factory.mktemp("panels"), "panels")


@pytest.mark.parametrize("columns", [1, 16, 17, 37])
@pytest.mark.parametrize(("taps", "depth"), [(1, 1), (1, 16), (3, 5), (2, 33)])
@pytest.mark.parametrize(("name", "gap"), [("dense", 0), ("apart", 3)])
def test_products_at_all_sizes(
    library: Library, name: str, gap: int, columns: int, taps: int, depth: int
) -> None:
    rng = np.random.default_rng(columns * depth)
    x = rng.integers(-4, 5, (5, taps, depth)).astype(np.float32)
    w = rng.integers(-4, 5, (columns, taps, depth + gap)).astype(np.float32)
    y = np.full((5, columns), np.nan, np.float32)
    sizes = (np.int32(n) for n in (5, columns, taps, depth))
    library.call(name, x, w, y, *sizes)
    np.testing.assert_array_equal(y, np.einsum("rtk,ctk->rc", x, w[:, :, :depth]))
