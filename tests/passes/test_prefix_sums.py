"""Scans become running sums, only if each sum is stored over the last of its elements."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from xpiler.frontend import parse
from xpiler.ir.interpret import run
from xpiler.ir.nodes import Function
from xpiler.ir.printer import show
from xpiler.passes.canonical import canonicalise
from xpiler.passes.prefix_sums import join_prefixes

SCAN = """
__global__ void scan(const TYPE *x, TYPE *y) {
  TYPE v = x[threadIdx.x];
  for (int o = 1; o < 8; o <<= 1) {
    TYPE u = __shfl_up_sync(255u, v, o, 8);
    if (threadIdx.x >= o) v = MERGE;
  }
  y[threadIdx.x] = v;
}
"""
SUMS = """
__mlu_entry__ void sums(float *x) {
  float v[8];
  for (int i = 0; i < 8; ++i) v[i] = x[i];
  float a = 0.0f;
  for (int p = 0; p < 2; ++p) a += v[p];
  float b = 0.0f;
  for (int p = 0; p < 3; ++p) b += v[p];
  float c = START;
  for (int p = 0; p < 4; ++p) c += v[p];
  v[1] = a; v[2] = b; v[PLACE] = c;
  x[0] = OTHER;
  for (int i = 1; i < 8; ++i) x[i] = v[i];
}
"""


def sums(start: str = "0.0f", place: str = "3", other: str = "v[0]") -> Function:
    text = SUMS.replace("START", start).replace("PLACE", place).replace("OTHER", other)
    return parse(text, "k.mlu", platform="bang").program.kernels[0]


@pytest.mark.parametrize(
    ("kind", "merge", "meant"),
    [
        ("int", "v + u", np.cumsum),
        ("float", "v + u", np.cumsum),
        ("float", "fmaxf(v, u)", np.maximum.accumulate),
        ("unsigned", "v * u", np.cumprod),
    ],
)
def test_a_short_scan_by_shuffles_is_one_loop(
    kind: str, merge: str, meant: Callable[..., np.ndarray]
) -> None:
    text = SCAN.replace("TYPE", kind).replace("MERGE", merge)
    kernel = canonicalise(parse(text, "k.cu").program.kernels[0], (8, 1, 1), (1, 1, 1)).function
    assert show(kernel).count("in 1 .. 8") == 1
    assert "_sum" not in show(kernel)
    dtype = {"int": np.int32, "float": np.float32, "unsigned": np.uint32}[kind]
    x = np.random.default_rng(5).integers(1, 4, 8).astype(dtype)
    y = np.zeros(8, dtype)
    result = run(kernel, {"x": x, "y": y})
    assert not result.errors
    np.testing.assert_array_equal(y, meant(x, dtype=dtype))


def test_sums_of_ever_more_elements_become_one_loop() -> None:
    joined = join_prefixes(sums())
    assert "for i32 i_2 in 1 .. 4" in show(joined)
    x, y = (np.arange(1, 9, dtype=np.float32) for _ in range(2))
    run(sums(), {"x": x})
    run(joined, {"x": y})
    np.testing.assert_array_equal(x, y)


@pytest.mark.parametrize("changed", [{"start": "1.0f"}, {"place": "4"}, {"other": "a"}], ids=str)
def test_what_is_no_running_sum_stays(changed: dict[str, str]) -> None:
    function = sums(**changed)
    assert join_prefixes(function) == function
