"""Intrinsics with names that look alike, lanes that a lost mask or fill lets in, lanes that do not go on."""

from __future__ import annotations

import pytest

from tests.repair.changed import changed

TEXT = """#include <immintrin.h>
extern "C" void f(float *y, int *at, const float *x, const float *mean, int n) {
  __m512 best = _mm512_set1_ps(-1e30f);
  __m512i where = _mm512_setzero_si512(), place = _mm512_set1_epi32(0);
  for (int i = 0; i < n; i += 16) {
    const __mmask16 m = n - i >= 16 ? 0xffff : (__mmask16)((1u << (n - i)) - 1);
    __m512 v = _mm512_mask_loadu_ps(_mm512_set1_ps(-1e30f), m, x + i);
    v = _mm512_fmaddsub_ps(_mm512_abs_ps(v), _mm512_set1_ps(64.0f), v);
    v = _mm512_maskz_sub_ps(m, v, _mm512_loadu_ps(mean));
    best = _mm512_max_ps(best, v);
    where = _mm512_mask_add_epi32(where, m, place, _mm512_cvtps_epi32(v));
    place = _mm512_add_epi32(place, _mm512_set1_epi32(16));
  }
  *y = _mm512_reduce_max_ps(best) + fabsf(x[0]);
  *at = _mm512_reduce_add_epi32(_mm512_add_epi32(where, place));
}
"""


@pytest.mark.parametrize(
    ("right", "wrong", "kind"),
    [
        ("_mm512_fmaddsub_ps", "_mm512_fmsubadd_ps", "callee"),
        ("_mm512_cvtps_epi32", "_mm512_cvttps_epi32", "callee"),
        ("_mm512_maskz_sub_ps(m, v,", "_mm512_sub_ps(v,", "mask"),
        ("_mm512_mask_loadu_ps(_mm512_set1_ps(-1e30f), m,", "_mm512_maskz_loadu_ps(m,", "kept lanes"),
        ("_mm512_abs_ps(v)", "v", "function"),
        ("64.0f", "32.0f", "number"),
        ("    place = _mm512_add_epi32(place, _mm512_set1_epi32(16));\n", "", "missing"),
    ],
)
def test_what_is_wrong_with_lanes_is_in_the_menu(right: str, wrong: str, kind: str) -> None:
    text = TEXT.replace(right, wrong, 1)
    assert text != TEXT
    made = {"".join(new.split()): of for new, of in changed(text, "f.cpp").items()}
    assert made["".join(TEXT.split())].endswith(kind)


def test_a_share_that_may_go_beyond_the_end_is_cut_off_there() -> None:
    text = """#include <bang.h>
__mlu_entry__ void f(float *y, int n) {
  int per = (n + taskDim - 1) / taskDim, first = taskId * per;
  int last = first + per;
  for (int i = first; i < last; ++i) y[i] = 0.0f;
}
"""
    right = text.replace("= first + per;", "= first + per < n ? first + per : n;")
    assert changed(text, "f.mlu")[right].endswith("at most")
