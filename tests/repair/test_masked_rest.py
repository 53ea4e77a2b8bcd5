"""A loop over whole vectors that nothing follows: its own statements under a mask do the rest."""

from __future__ import annotations

import pytest

from tests.repair.changed import changed

TEXT = """#include <immintrin.h>
extern "C" void f(float *y, const float *x, const float *slope, int n) {
  const __m512 a = _mm512_set1_ps(*slope);
  int i = 0;
  for (; i + 16 <= n; i += 16) {
    __m512 v = _mm512_loadu_ps(x + i);
    _mm512_storeu_ps(y + i, _mm512_max_ps(v, _mm512_mul_ps(v, a)));
  }
}
"""
REST = """  if (i < n) {
    const __mmask16 rest = (__mmask16)((1u << (n - i)) - 1);
    __m512 v = _mm512_maskz_loadu_ps(rest, x + i);
    _mm512_mask_storeu_ps(y + i, rest, _mm512_max_ps(v, _mm512_mul_ps(v, a)));
  }
"""


def test_the_statements_of_the_loop_are_offered_for_the_lanes_that_are_left() -> None:
    assert TEXT.removesuffix("}\n") + REST + "}\n" in changed(TEXT, "f.cpp")


def test_bytes_have_masks_of_64_lanes() -> None:
    text = TEXT.replace("16 <= n; i += 16", "64 <= n; i += 64").replace("_ps(x", "_si512(x")
    text = text.replace("storeu_ps", "storeu_si512")
    made = "\n".join(changed(text, "f.cpp"))
    assert "const __mmask64 rest = (__mmask64)((1ull << (n - i)) - 1);" in made
    assert "_mm512_mask_storeu_epi8(y + i, rest, " in made


@pytest.mark.parametrize(
    "text",
    [
        TEXT.replace("  }\n}\n", "  }\n  for (; i < n; ++i) y[i] = x[i];\n}\n"),  # nothing is missing
        TEXT.replace("i + 16 <= n; i += 16", "i + 32 <= n; i += 32"),  # a register is half of a step
        TEXT.replace("i + 16 <= n", "i < n"),
    ],
)
def test_of_other_loops_nothing_is_made(text: str) -> None:
    assert not any("__mmask" in one for one in changed(text, "f.cpp"))
