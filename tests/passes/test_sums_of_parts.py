"""Sums of a few parts that go into one sum."""

from __future__ import annotations

import pytest

from tests.passes.test_spread_tiles import canonical

EXPONENTIALS = """
#include <immintrin.h>
extern "C" void squares(const float *x, float *y, TYPE *total, int n) {
  TYPE sum = 0;
  for (int i = 0; i + 15 < n; i += 16) {
    __m512 v = _mm512_loadu_ps(x + i);
    v = _mm512_mul_ps(v, v);
    _mm512_storeu_ps(y + i, v);
    sum += (TYPE)_mm512_reduce_add_ps(v);
  }
  total[0] = sum;
}
"""


@pytest.mark.parametrize("dtype", ["float", "double"])
def test_what_is_summed_register_by_register_is_one_sum(dtype: str) -> None:
    name = {"float": "f32", "double": "f64"}[dtype]
    added = {"float": "v", "double": "(f64)v"}[dtype]
    assert canonical(EXPONENTIALS.replace("TYPE", dtype)).splitlines() == [
        f"{name} sum = 0.0{'f' if dtype == 'float' else ''};",
        "for i32 i_1 in 0 .. max(n, 0) / 16 * 16 {",
        "f32 v = x[i_1];",
        "v = v * v;",
        "y[i_1] = v;",
        f"sum += {added};",
        "}",
        "total[0] = sum;",
    ]


@pytest.mark.parametrize(
    "part",
    [
        "float part = 0; for (int k = 0; k < m; ++k) part += x[i * m + k]; sum += part;",  # long
        "float part = 1; for (int k = 0; k < 8; ++k) part += x[i * 8 + k]; sum += part;",  # not of nothing
        "float part = 0; for (int k = 0; k < 8; ++k) part += x[i * 8 + k]; sum += part; y[i] = part;",
        "float part = 0; for (int k = 0; k < 8; ++k) part += x[i * 8 + k]; sum += 2 * part;",
        "float part = 0; for (int k = 0; k < 8; ++k) part += x[i * 8 + k] * sum; sum += part;",
        "double part = 0; for (int k = 0; k < 8; ++k) part += x[i * 8 + k]; sum += (float)part;",
    ],
)
def test_a_part_of_its_own_stays(part: str) -> None:
    text = f"""
    extern "C" void f(const float *x, float *y, float *total, int n, int m) {{
      float sum = 0;
      for (int i = 0; i < n; ++i) {{ {part} }}
      total[0] = sum;
    }}"""
    assert " part " in canonical(text)
