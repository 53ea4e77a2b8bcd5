"""Lanes that lie far apart in memory are read as rows and turned."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.backend.cpp import build
from xpiler.backend.c import CPrinter
from xpiler.backend.vnni import CppFunction, generate
from xpiler.frontend import parse
from xpiler.passes.canonical import canonicalise

TURN = """\
__global__ void turn(const float *__restrict__ in, float *__restrict__ out, int rows, int columns) {
  int x = blockIdx.x * 32 + threadIdx.x, y = blockIdx.y * 8 + threadIdx.y;
  if (x < columns && y < rows) STORE
}
"""


def turned(store: str, plain: bool = False) -> CppFunction:
    (kernel,) = parse(TURN.replace("STORE", store), "turn.cu", platform="cuda").program.kernels
    function = canonicalise(kernel, (32, 8, 1), (None, None, 1)).function

    launch = {"gridDim.x": 200, "gridDim.y": 200}
    name = "turn_plain" if plain else "turn"
    return generate(function, name=name, extern_c=True, launch=launch, scalar=CPrinter if plain else None)


def test_rows_are_read_and_written_as_columns(tmp_path: Path) -> None:
    store = "out[x * rows + y] = in[y * columns + x] * 2.0f;"
    function = turned(store)
    assert "turn_ps(" in function.text and "load_step_ps" not in function.text, function.text
    made = build([function, turned(store, plain=True)], tmp_path, "turn")
    for rows, columns in ((1, 1), (16, 64), (37, 129), (100, 15), (5, 300)):
        x = np.random.default_rng(1).standard_normal(rows * columns).astype(np.float32)
        results = [np.zeros(rows * columns, np.float32) for _ in range(2)]
        for name, result in zip(("turn", "turn_plain"), results, strict=True):
            made.call(name, x, result, np.int32(rows), np.int32(columns))
        np.testing.assert_array_equal(*results)
        np.testing.assert_array_equal(results[0], (2 * x.reshape(rows, columns).T).ravel())


@pytest.mark.parametrize(
    "store",
    [
        "if (in[x] > 0.0f) out[x * rows + y] = in[y * columns + x];",  # not read everywhere
        "out[x * rows + y] = out[y * columns + x];",  # of what is written
        "out[y * columns + x] = in[y * columns + x];",  # neighbours
    ],
)
def test_other_elements_are_read_as_they_are(store: str) -> None:
    assert "turn_ps(" not in turned(store).text


LAST = """\
__global__ void last(const float *__restrict__ in, float *__restrict__ out, int total, int C, int HW) {
  int i = blockIdx.x * 256 + threadIdx.x;
  if (i >= total) return;
  int c = i % C, p = i / C % HW, n = i / (C * HW);
  out[i] = in[(n * C + c) * HW + p];
}
"""


def test_a_tensor_may_end_within_a_column(tmp_path: Path) -> None:
    """Channels last: the number of elements is an argument of its own, and says nothing of rows."""
    (kernel,) = parse(LAST, "last.cu", platform="cuda").program.kernels
    function = canonicalise(kernel, (256, 1, 1), (None, 1, 1)).function
    launch = {"gridDim.x": 1000}
    made = generate(function, name="last", extern_c=True, launch=launch)
    assert "turn_ps(" in made.text and "divide_epi32" not in made.text, made.text
    plain = generate(function, name="last_plain", extern_c=True, launch=launch, scalar=CPrinter)
    both = build([made, plain], tmp_path, "last")
    for images, channels, pixels, missing in ((2, 40, 70, 0), (3, 17, 33, 20), (1, 16, 16, 1), (2, 3, 5, 14)):
        whole = images * channels * pixels
        x = np.random.default_rng(2).standard_normal(whole).astype(np.float32)
        results = [np.zeros(whole, np.float32) for _ in range(2)]
        for name, result in zip(("last", "last_plain"), results, strict=True):
            both.call(name, x, result, np.int32(whole - missing), np.int32(channels), np.int32(pixels))
        np.testing.assert_array_equal(*results)
