"""Lanes that only fill up whole pieces."""

from __future__ import annotations

import pytest

from xpiler.frontend import parse
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
