"""Rows that fit into a tile: loaded and stored once, in a pipeline over rows; longer ones tile by tile."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.passes.mlu import assert_same, canonical, laid_out, normal
from xpiler.ir.nodes import Function
from xpiler.ir.printer import show
from xpiler.platforms.bang import DEFAULT

KB = 1024

SOFTMAX = """__global__ void softmax(const float *x, float *y, int n) {
    const float *row = x + blockIdx.x * n;
    float *out = y + blockIdx.x * n;
    float peak = -1e30f, sum = 0.0f;
    for (int i = 0; i < n; ++i) peak = fmaxf(peak, row[i]);
    for (int i = 0; i < n; ++i) { out[i] = expf(row[i] - peak); sum += out[i]; }
    for (int i = 0; i < n; ++i) out[i] = out[i] / sum;
}"""
NORM = """__global__ void norm(const float *RESTRICT x, const float *RESTRICT g, float *RESTRICT y, int n) {
    float sum = 0.0f;
    for (int i = 0; i < n; ++i) sum += x[blockIdx.x * n + i];
    for (int i = 0; i < n; ++i) y[blockIdx.x * n + i] = (x[blockIdx.x * n + i] - sum) * g[i];
}"""
GEMV = """__global__ void gemv(const float *RESTRICT a, const float *RESTRICT x, float *y, int n) {
    float sum = 0.0f;
    for (int i = 0; i < n; ++i) sum += a[blockIdx.x * n + i] * x[i];
    y[blockIdx.x] = sum;
}"""


def rows_of(source: str) -> Function:
    return canonical(source.replace("RESTRICT", "__restrict__"), (1, 1, 1), x=4)


def fitting(function: Function) -> str:
    """The layout of rows that fit."""
    text = show(laid_out(function))
    assert "n <= tile) {" in text
    return text[text.index("n <= tile) {") : text.index("  } else {")]


def test_a_row_is_loaded_once_and_stored_once_while_its_neighbours_are_under_way() -> None:
    text = fitting(rows_of(SOFTMAX))
    assert text.count("direction=GDRAM2NRAM") == 1 and text.count("direction=NRAM2GDRAM") == 1
    assert text.count("__memcpy_async") == 2 and text.count("__sync()") == 1


def test_what_is_the_same_for_all_rows_is_loaded_before_them_if_no_row_may_write_it() -> None:
    function = rows_of(NORM)
    text = fitting(function)
    assert text.index("&g[0]") < text.index("for i32 step")
    params = tuple(replace(param, is_restrict=False) for param in function.params)
    text = fitting(replace(function, params=params))
    assert text.index("&g[0]") > text.index("for i32 step")


def test_a_result_for_each_row_is_stored_by_the_stage_that_computes_it() -> None:
    text = fitting(rows_of(GEMV))
    assert text.count("__memcpy_async") == 1  # of a: x is the same for all rows
    assert "y[(u32)block_x] = sum;" in text


@pytest.mark.parametrize("source", [SOFTMAX, NORM, GEMV])
@pytest.mark.parametrize("n", [37, 150])
def test_rows_that_fit_and_rows_that_do_not(source: str, n: int) -> None:
    small = replace(DEFAULT, nram=DEFAULT.reserved + 4 * KB)
    function = rows_of(source)
    arrays = {p.name: normal(4 * n) for p in function.params if p.is_pointer}
    assert_same(function, small, **{**arrays, "y": np.zeros(4 * n, np.float32)}, n=n)


def test_a_buffer_that_is_written_again_is_not_taken_for_what_was_loaded() -> None:
    """The second loop changes what lies in memory, so the third one has to load it anew."""
    source = """__global__ void twice(float *x, float *y, int n) {
        float sum = 0.0f;
        for (int i = 0; i < n; ++i) sum += x[blockIdx.x * n + i];
        for (int i = 0; i < n; ++i) x[blockIdx.x * n + i] = x[blockIdx.x * n + i] * sum;
        for (int i = 0; i < n; ++i) y[blockIdx.x * n + i] = x[blockIdx.x * n + i] + 1.0f;
    }"""
    function = rows_of(source)
    assert_same(function, x=normal(4 * 20), y=np.zeros(80, np.float32), n=20)
