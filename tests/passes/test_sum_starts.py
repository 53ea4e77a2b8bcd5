"""Arrays that are filled before sums are added to them: the sums start there."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from xpiler.frontend import parse
from xpiler.ir.interpret import run
from xpiler.ir.nodes import Function
from xpiler.ir.printer import show
from xpiler.passes.canonical import canonicalise

PRODUCT = """
extern "C" void gemm(const float *a, const float *b, float *c, int m, int n, int k, float beta) {
  %s
  for (int kb = 0; kb < k; kb += 64)
    for (int i = 0; i < m; ++i)
      for (int j = 0; j < n; ++j) {
        float sum = 0;
        for (int p = 0; p < (64 < k - kb ? 64 : k - kb); ++p) sum += a[i * k + kb + p] * b[(kb + p) * n + j];
        c[i * n + j] += sum;
      }
}
"""


def parsed(start: str, *, restrict: bool = True) -> Function:
    (function,) = parse(PRODUCT % start, "k.cpp", platform="vnni").program.kernels
    params = (replace(p, is_restrict=restrict and p.is_pointer) for p in function.params)
    return replace(function, params=tuple(params))


@pytest.mark.parametrize(
    ("start", "stored"),
    [
        ("for (int i = 0; i < m * n; ++i) c[i] = 0;", "= sum;"),
        ("for (int i = 0; i < m; ++i) for (int j = 0; j < n; ++j) c[i * n + j] = 0;", "= sum;"),
        ("for (int j = 0; j < n; ++j) for (int i = 0; i < m; ++i) c[i * n + j] = b[j];", "= b[j_1] + sum;"),
        ("for (int i = 0; i < m * n; ++i) c[i] *= beta;", "* beta + sum;"),
    ],
)
def test_sums_start_from_what_was_there_before(start: str, stored: str) -> None:
    function = parsed(start)
    after = canonicalise(function).function
    text = show(after)
    assert text.count("c[") == 1 + ("beta" in stored) and stored in text.replace("(i64)", "")
    rng = np.random.default_rng(3)
    arrays = {"a": 5 * 70, "b": 70 * 7, "c": 5 * 7}
    data = {name: rng.integers(-4, 5, size).astype(np.float32) for name, size in arrays.items()}
    results = []
    for each in (function, after):
        values = {**{k: v.copy() for k, v in data.items()}, "m": 5, "n": 7, "k": 70, "beta": 3.0}
        assert not run(each, values).errors
        results.append(values["c"])
    np.testing.assert_array_equal(*results)


@pytest.mark.parametrize(
    "start",
    [
        "for (int i = 0; i < m * n + 1; ++i) c[i] = 0;",
        "for (int i = 0; i < m; ++i) c[i * n] = 0;",
        "for (int i = 0; i < m * n; ++i) c[i] = c[0];",
    ],
)
def test_other_elements_are_set_apart(start: str) -> None:
    assert "+= sum;" in show(canonicalise(parsed(start)).function)


def test_what_the_sums_read_may_be_what_is_filled() -> None:
    text = show(canonicalise(parsed("for (int i = 0; i < m * n; ++i) c[i] = 0;", restrict=False)).function)
    assert "c[i] = 0.0f" in text
