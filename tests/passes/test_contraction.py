"""Which loops are a product of matrices."""

from __future__ import annotations

from dataclasses import replace

import pytest

from xpiler.frontend import parse
from xpiler.ir.nodes import For, LoopKind, Stmt
from xpiler.ir.rewrite import map_stmt, walk
from xpiler.passes.contraction import match

NEST = """
void f(const float *a, const float *b, float *c, float *y, int M, int N, int K) {{
  for (int m = 0; m < M; ++m)
    for (int n = 0; n < N; ++n) {{
      {start}
      for (int k = 0; k < K; ++k) c[m * N + n] += a[m * K + k] * b[k * N + n];
      {rest}
    }}
}}"""


def rows(start: str, rest: str = "") -> For:
    """The outer loop, with the two outer ones independent."""
    text = NEST.format(start=start, rest=rest)
    (function,) = parse(text, "f.cpp", platform="vnni").program.kernels

    def independent(stmt: Stmt) -> Stmt:
        is_outer = isinstance(stmt, For) and stmt.var in ("m", "n")
        return replace(stmt, kind=LoopKind.PARALLEL) if is_outer else stmt

    body = map_stmt(function.body, independent)
    return next(n for n in walk(body) if isinstance(n, For))


@pytest.mark.parametrize(
    ("start", "rest", "is_product"),
    [
        ("", "", True),
        ("c[m * N + n] = 0.0f;", "", True),
        ("c[m * N + n] = 0.0f;", "y[m * N + n] = c[m * N + n];", True),
        ("c[m * N + n] = 1.0f;", "", False),
        ("c[m * N] = 0.0f;", "", False),
    ],
)
def test_a_sum_in_an_element_that_starts_at_zero_is_a_product(
    start: str, rest: str, is_product: bool
) -> None:
    assert (match(rows(start, rest)) is not None) == is_product
