"""Rows whose sums are bounded only near the edges: in between a tile of them shares its loops."""

from __future__ import annotations

import numpy as np
import pytest

from tests.backend.cpp import Library, build
from xpiler.backend.vnni import generate
from xpiler.frontend import parse
from xpiler.passes.canonical import canonicalise

# Rows by a number that is taken apart, a step that is a variable, edges that are left out.
WINDOW = """\
__global__ void window(const float *__restrict__ x, const float *__restrict__ w, float *__restrict__ y,
                       int height, int width, int channels, int reach, int step, int pad, int rows,
                       int columns) {
  const int c = blockIdx.x * blockDim.x + threadIdx.x, pixel = blockIdx.y;
  if (c >= channels || pixel >= rows * columns) return;
  const int row = pixel / columns, column = pixel % columns;
  float sum = 0;
  for (int i = 0; i < reach; ++i) {
    const int h = row * step + i - pad;
    if (h < 0 || h >= height) continue;
    for (int k = 0; k < reach; ++k) {
      const int at = column * step + k - pad;
      if (at < 0 || at >= width) continue;
      sum += x[(h * width + at) * channels + c] * w[(i * reach + k) * channels + c];
    }
  }
  y[pixel * channels + c] = sum;
}

__global__ void pool(const float *__restrict__ x, float *__restrict__ y, int width, int channels, int reach,
                     int step, int columns) {
  const int c = blockIdx.x * blockDim.x + threadIdx.x, column = blockIdx.y;
  if (c >= channels || column >= columns) return;
  float sum = 0;
  for (int i = 0; i < reach; ++i)
    for (int at = column * step; at < column * step + reach; ++at) sum += x[(i * width + at) * channels + c];
  y[column * channels + c] = sum;
}
"""
NO_DIMENSION = {f"{which}.{axis}": 1 for which in ("gridDim", "blockDim") for axis in "xyz"}
LAUNCH = {**NO_DIMENSION, "gridDim.x": 8, "gridDim.y": 512, "blockDim.x": 32}


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Library:
    kernels = parse(WINDOW, "window.cu", platform="cuda").program.kernels
    made = [
        generate(canonicalise(k, (32, 1, 1), (8, 512, 1)).function, extern_c=True, launch=LAUNCH)
        for k in kernels
    ]
    assert "sum_3_1" in made[0].text and "column_from" in made[0].text, made[0].text
    assert "sum_3_1" in made[1].text and "column_from" not in made[1].text, made[1].text
    return build(made, tmp_path_factory.mktemp("interior"), "interior")


def windows(x: np.ndarray, w: np.ndarray, step: int, pad: int, rows: int, columns: int) -> np.ndarray:
    reach, (height, width, channels) = w.shape[0], x.shape
    y = np.zeros((rows, columns, channels), np.float32)
    for row, column, i, k in np.ndindex(rows, columns, reach, reach):
        h, at = row * step + i - pad, column * step + k - pad
        if 0 <= h < height and 0 <= at < width:
            y[row, column] += x[h, at] * w[i, k]
    return y


# the interior is wide, one row, empty, everything; then more columns than data, and a step backwards
@pytest.mark.parametrize(
    ("width", "reach", "step", "pad", "columns"),
    [
        (12, 3, 1, 1, 12),
        (11, 3, 2, 1, 6),
        (4, 7, 1, 3, 4),
        (9, 2, 1, 0, 8),
        (5, 3, 3, 2, 9),
        (3, 2, -1, -2, 7),
    ],
)
@pytest.mark.parametrize("channels", [16, 37, 70])
def test_every_row_is_summed_where_it_is_inside(
    width: int, reach: int, step: int, pad: int, columns: int, channels: int, library: Library
) -> None:
    random = np.random.default_rng(7)
    x = random.integers(-4, 5, (5, width, channels)).astype(np.float32)
    w = random.integers(-4, 5, (reach, reach, channels)).astype(np.float32)
    y = np.full((5, columns, channels), np.nan, np.float32)
    sizes = (5, width, channels, reach, step, pad, 5, columns)
    library.call("window", x, w, y, *map(np.int32, sizes))
    np.testing.assert_array_equal(y, windows(x, w, step, pad, 5, columns))


@pytest.mark.parametrize("columns", [1, 4, 7])
def test_a_window_that_starts_elsewhere_in_each_row_is_as_long_in_all(columns: int, library: Library) -> None:
    x = np.random.default_rng(7).integers(-4, 5, (3, 24, 37)).astype(np.float32)
    y = np.full((columns, 37), np.nan, np.float32)
    library.call("pool", x, y, *map(np.int32, (24, 37, 3, 2, columns)))
    expected = [x[:, 2 * column : 2 * column + 3].sum((0, 1)) for column in range(columns)]
    np.testing.assert_array_equal(y, expected)
