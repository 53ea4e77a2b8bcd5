"""Lanes that only fill up whole pieces."""

from __future__ import annotations

import numpy as np
import pytest

from xpiler.frontend import parse
from xpiler.ir.interpret import run
from xpiler.ir.printer import show
from xpiler.passes.canonical import canonicalise

ADD = """
#include <bang.h>
#define SPAN 256
__nram__ float na[SPAN], nb[SPAN];
__mlu_entry__ void add(const float *a, const float *b, float *c, int n, float f) {
  for (int i = taskId * SPAN; i < n; i += taskDim * SPAN) {
    int count = n - i < SPAN ? n - i : SPAN;
    int whole = WHOLE;
    __memcpy(na, a + i, count * sizeof(float), GDRAM2NRAM);
    __memcpy(nb, b + i, count * sizeof(float), GDRAM2NRAM);
    __bang_mul_scalar(na, na, f, whole);
    __bang_add(na, na, nb, whole);
    MORE
    __memcpy(c + i, na, count * sizeof(float), NRAM2GDRAM);
  }
}
"""


def shown(whole: str, more: str = "") -> str:
    (kernel,) = parse(
        ADD.replace("WHOLE", whole).replace("MORE", more), "k.mlu", platform="bang"
    ).program.kernels
    return show(canonicalise(kernel, (1, 1, 1), (4, 1, 1)).function)


@pytest.mark.parametrize("whole", ["(count + 63) / 64 * 64", "(count - 1 + 64) / 64 * 64", "SPAN", "count"])
def test_lanes_that_nobody_reads_are_left_out(whole: str) -> None:
    lines = [line.strip() for line in shown(whole).splitlines()]
    assert [line for line in lines if " for " in line or ("[" in line and "=" in line)] == [
        "parallel for i32 i in 0 .. n {",
        "f32 na = a[(i64)i];",
        "f32 nb = b[(i64)i];",
        "c[(i64)i] = na;",
    ]


@pytest.mark.parametrize(
    ("whole", "more"),
    [
        ("(count + 62) / 64 * 64", ""),  # fewer, maybe
        ("count / 64 * 64", ""),
        ("(count + 63) / 64 * 64", "na[0] = na[count];"),
        ("(count + 63) / 64 * 64", "c[i] = __bang_sum(na, whole);"),
        (
            "(count + 63) / 64 * 64",
            "__bang_move(nb, na + 1, count * sizeof(float)); __bang_add(na, na, nb, count);",
        ),
    ],
)
def test_lanes_that_may_be_read_stay(whole: str, more: str) -> None:
    assert "na[" in shown(whole, more)


ROWS = """
#include <bang.h>
#define ROOM 4096
__nram__ float xs[ROOM], w[ROOM];
__mlu_entry__ void rows(const float *x, const float *g, float *y, int rows, int d) {
  int dp = (d + 63) / 64 * 64;
  int batch = ROOM / dp;
  __memcpy(w, g, d * sizeof(float), GDRAM2NRAM);
  for (int r = taskId * batch; r < rows; r += taskDim * batch) {
    int some = rows - r < batch ? rows - r : batch;
    __memcpy(xs, x + r * d, d * 4, GDRAM2NRAM, dp * 4, d * 4, some - 1);
    __bang_cycle_mul(xs, xs, w, some * dp, dp);
    __bang_add_scalar(xs, xs, 1.0f, LANES);
    __memcpy(y + r * d, xs, d * 4, NRAM2GDRAM, d * 4, dp * 4, some - 1);
  }
}
"""


@pytest.mark.parametrize(("lanes", "whole"), [("some * dp", True), ("some * dp - 1", False), ("ROOM", False)])
def test_rows_that_are_filled_up_are_as_long_as_what_is_read(lanes: str, whole: bool) -> None:
    (kernel,) = parse(ROWS.replace("LANES", lanes), "k.mlu", platform="bang").program.kernels
    lines = show(canonicalise(kernel, (1, 1, 1), (4, 1, 1)).function).splitlines()
    loops = [line.strip() for line in lines if " for " in line]
    wanted = ["parallel for i32 j in 0 .. rows {", "threads for i32 i_1 in 0 .. d {"]
    assert (loops == wanted) == whole, lines


PIPELINE = """
#include <bang.h>
#define SPAN 64
__nram__ float in[2][SPAN], out[2][SPAN];
__mlu_entry__ void twice(const float *x, float *y, int n) {
  const int size = n / taskDim + (n % taskDim > 0);
  const int first = taskId * size;
  const int num = first >= n ? 0 : (first + size > n ? n - first : size);
  if (num <= 0) return;
  const int whole = num / SPAN, rest = num % SPAN;
  const int tiles = whole + (rest > 0);
  for (int i = 0; i < tiles + 2; ++i) {
    if (i >= 2) {
      int count = i - 2 < whole ? SPAN : rest;
      __memcpy_async(y + first + (i - 2) * SPAN, out[i % 2], count * sizeof(float), NRAM2GDRAM);
    }
    if (i >= 1 && i - 1 < tiles) {
      int count = i - 1 < whole ? SPAN : rest;
      __bang_mul_scalar(out[(i - 1) % 2], in[(i - 1) % 2], 2.0f, count);
    }
    if (i < tiles) {
      int count = i < whole ? SPAN : rest;
      __memcpy_async(in[i % 2], x + first + i * SPAN, count * sizeof(float), GDRAM2NRAM);
    }
    __sync();
  }
}
"""


def test_a_pipeline_over_whole_tiles_and_a_rest_is_one_loop() -> None:
    (kernel,) = parse(PIPELINE, "k.mlu", platform="bang").program.kernels
    shown = show(canonicalise(kernel, (1, 1, 1), (4, 1, 1)).function)
    (loop,) = [line.strip() for line in shown.splitlines() if " for " in line]
    assert loop.startswith("parallel for") and "in[" not in shown and "out[" not in shown


def test_lanes_that_a_sum_over_whole_pieces_reads_are_set() -> None:
    text = """
    #include <bang.h>
    __nram__ float na[256], nm[256], nq[256], ns[256];
    __mlu_entry__ void above(const float *a, float *y, float *c, int n) {
      int count = n < 256 ? n : 256;
      int whole = (count + 63) / 64 * 64;
      __bang_write_value(na, whole, 0.0f);
      __memcpy(na, a, count * sizeof(float), GDRAM2NRAM);
      __bang_gt_scalar(nm, na, 0.5f, whole);
      __bang_add_scalar(nq, nm, 1.0f, whole);
      __bang_reduce_sum(ns, nq, whole);
      __memcpy(y, na, count * sizeof(float), NRAM2GDRAM);
      float sum = 0.0f;
      for (int i = 0; i < whole / 32; ++i) sum += ns[i * 32];
      *c = sum;
    }
    """
    (kernel,) = parse(text, "k.mlu", platform="bang").program.kernels
    form = canonicalise(kernel, (1, 1, 1), (1, 1, 1)).function
    a, y, c = np.linspace(0, 1, 100, dtype=np.float32), np.zeros(100, np.float32), np.zeros(1, np.float32)
    assert not run(form, {"a": a, "y": y, "c": c, "n": 100}).errors
    assert c[0] == 128 + 50 and (y == a).all()
