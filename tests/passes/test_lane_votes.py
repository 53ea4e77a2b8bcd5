"""Branches that are taken if any lane of a mask is on."""

from __future__ import annotations

import pytest

from xpiler.frontend import parse
from xpiler.ir.printer import show
from xpiler.passes.canonical import canonicalise
from xpiler.passes.lane_votes import drop_votes

STORE = """\
#include <immintrin.h>
void copy(const float *x, float *y, int n) {
  const __mmask16 on = _mm512_cmplt_epi32_mask(_mm512_set_epi32(LANES), _mm512_set1_epi32(n));
  if (on) BODY
}
"""
LANES = ", ".join(map(str, range(15, -1, -1)))
MASKED = "_mm512_mask_storeu_ps(y, on, _mm512_maskz_loadu_ps(on, x));"
WHOLE = "_mm512_storeu_ps(y, _mm512_loadu_ps(x));"
OTHER = "_mm512_mask_storeu_ps(y, on | 1, _mm512_loadu_ps(x));"


def shown(body: str) -> str:
    text = STORE.replace("LANES", LANES).replace("BODY", body)
    (kernel,) = parse(text, "copy.cpp", platform="vnni").program.kernels
    return show(drop_votes(kernel))


def test_a_store_of_the_lanes_that_are_on_needs_no_branch() -> None:
    assert "!= (u16)0" not in shown(MASKED)


@pytest.mark.parametrize("body", [WHOLE, OTHER, "{ " + MASKED + " y[20] = 0; }"])
def test_what_lanes_that_are_off_would_do_keeps_the_branch(body: str) -> None:
    text = STORE.replace("set_epi32(LANES)", "loadu_si512((const __m512i *)x)").replace("BODY", body)
    (kernel,) = parse(text, "copy.cpp", platform="vnni").program.kernels
    assert "!= (u16)0" in show(drop_votes(kernel)), "any value of x may be the smallest"


@pytest.mark.parametrize(
    ("lanes", "test", "decisive"),
    [
        ("ascending", "cmplt", "0 < n"),
        ("descending", "cmplt", "15 + 15 * -1 < n"),
        ("ascending", "cmpgt", "15 > n"),
        ("ascending", "cmpneq", ""),
    ],
)
def test_of_lanes_below_a_bound_one_decides_for_all(lanes: str, test: str, decisive: str) -> None:
    numbers = LANES if lanes == "ascending" else ", ".join(map(str, range(16)))
    text = STORE.replace("LANES", numbers).replace("BODY", WHOLE).replace("cmplt", test)
    (kernel,) = parse(text, "copy.cpp", platform="vnni").program.kernels
    found = show(drop_votes(kernel))
    assert f"if ({decisive})" in found if decisive else "!= (u16)0" in found, found
    assert ("bits" in found) == (not decisive)


def test_a_mask_and_a_constant_is_a_condition_of_the_lane() -> None:
    text = STORE.replace("LANES", LANES).replace("BODY", MASKED).replace("if (on)", "")
    text = text.replace("maskz_loadu_ps(on", "maskz_loadu_ps((__mmask16)(0xffff & on)")
    (kernel,) = parse(text, "copy.cpp", platform="vnni").program.kernels
    assert show(canonicalise(kernel).function).count("for ") == 1


CHOSEN = """\
#include <immintrin.h>
static __m512 clamped(__m512 x) {
  const __mmask16 big = _mm512_cmp_ps_mask(x, _mm512_set1_ps(8), _CMP_GT_OQ);
  if (_mm512_kortestz(big, big)) return FEW;
  const __m512 half = _mm512_mul_ps(x, _mm512_set1_ps(0.5f));
  return _mm512_mask_blend_ps(big, x, half);
}
void clamp(const float *x, float *y) { _mm512_storeu_ps(y, clamped(_mm512_loadu_ps(x))); }
"""


@pytest.mark.parametrize(("few", "branches"), [("x", False), ("_mm512_abs_ps(x)", True)])
def test_what_is_chosen_for_lanes_that_are_on_is_not_asked_for(few: str, branches: bool) -> None:
    (kernel,) = parse(CHOSEN.replace("FEW", few), "clamp.cpp", platform="vnni").program.kernels
    assert ("if (" in show(canonicalise(kernel).function)) == branches
