"""What like calls say is offered where one of them says something else."""

from __future__ import annotations

import pytest

from tests.repair.changed import changed

COPIES = """#include <immintrin.h>
extern "C" void f(const float *a, const float *x, float *y, int n) {
  for (int k = 0; k < n; k += 16) {
    __mmask16 m = (__mmask16)(n - k >= 16 ? 0xffff : (1 << (n - k)) - 1);
    __m512 s1 = _mm512_maskz_loadu_ps(m, a + 1 * n + k);
    __m512 s2 = _mm512_maskz_loadu_ps(m, a + 2 * n + k);
    __m512 s3 = _mm512_maskz_loadu_ps(m, a + 3 * n + k);
    __mmask16 up = _mm512_cmp_ps_mask(s1, s2, _CMP_GT_OS);
    _mm512_mask_storeu_ps(y + k, m, _mm512_mask_mul_ps(s1, (__mmask16)~up, s1, s2));
    _mm512_mask_storeu_ps(x + k, m, _mm512_add_ps(s3, _mm512_mask_mul_ps(s1, (__mmask16)~up, s1, s2)));
  }
}
"""


def like(text: str) -> list[str]:
    return [made for made, kind in changed(text, "f.cpp").items() if kind == "as like calls"]


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("a + 3 * n + k", "a + k"),
        ("a + 2 * n + k", "a + 2 * k"),
        ("(s3, _mm512_mask_mul_ps(s1, (__mmask16)~up", "(s3, _mm512_mask_mul_ps(s1, up"),
    ],
)
def test_numbers_go_on_in_copies_and_arguments_are_the_same_elsewhere(right: str, wrong: str) -> None:
    assert COPIES.replace(right, wrong) != COPIES
    assert COPIES in like(COPIES.replace(right, wrong))


def test_names_that_are_not_known_in_a_place_are_not_offered() -> None:
    text = """extern "C" void f(const float *x, float *y, int n) {
  for (int i = 0; i < n; ++i) y[i] = fmaxf(x[i], 0.0f);
  for (int j = 0; j < n; ++j) y[j] = fmaxf(x[j + 1], 0.0f);
}
"""
    assert not [made for made in like(text) if "x[j + 1], 0.0f);\n  for" in made]
