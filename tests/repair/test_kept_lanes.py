"""What lanes hold that a mask leaves out: zeros by `maskz`, what a vector had by `mask`."""

from __future__ import annotations

import pytest

from tests.repair.changed import changed

TEXT = """#include <immintrin.h>
extern "C" void f(float *y, const float *x, int n) {
  __m512 best = _mm512_set1_ps(-1e30f);
  for (int i = 0; i < n; i += 16) {
    const __mmask16 m = n - i >= 16 ? 0xffff : (__mmask16)((1u << (n - i)) - 1);
    const __m512 v = _mm512_maskz_loadu_ps(m, x + i);
    best = _mm512_mask_max_ps(best, m, best, v);
    best = _mm512_mask_fmadd_ps(best, m, v, v);
  }
  *y = _mm512_reduce_max_ps(best);
}
"""


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("_mm512_mask_max_ps(best, m, best, v)", "_mm512_maskz_max_ps(m, best, v)"),
        ("_mm512_mask_fmadd_ps(best, m, v, v)", "_mm512_maskz_fmadd_ps(m, best, v, v)"),
        ("_mm512_maskz_loadu_ps(m, x + i)", "_mm512_mask_loadu_ps(best, m, x + i)"),
    ],
)
def test_lanes_keep_what_they_had_or_become_zeros(right: str, wrong: str) -> None:
    text = TEXT.replace(right, wrong)
    assert text != TEXT
    assert changed(text, "f.cpp")[TEXT].endswith("kept lanes")
