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
    assert "!= (u16)0" in shown(body)


def test_a_mask_and_a_constant_is_a_condition_of_the_lane() -> None:
    text = STORE.replace("LANES", LANES).replace("BODY", MASKED).replace("if (on)", "")
    text = text.replace("maskz_loadu_ps(on", "maskz_loadu_ps((__mmask16)(0xffff & on)")
    (kernel,) = parse(text, "copy.cpp", platform="vnni").program.kernels
    assert show(canonicalise(kernel).function).count("for ") == 1
