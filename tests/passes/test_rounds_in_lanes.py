"""Sums of which few terms at a time are lanes are added up once, behind all rounds."""

from __future__ import annotations

import pytest

from xpiler.frontend import parse
from xpiler.ir.printer import show
from xpiler.passes.canonical import canonicalise
from xpiler.passes.rounds_in_lanes import rounds_in_lanes
from xpiler.passes.vectorize import vectorize

WORDS = """\
__global__ void gemv(const unsigned *__restrict__ q, const float *__restrict__ scale,
                     const float *__restrict__ x, float *__restrict__ y, int n, int words) {
  int row = blockIdx.x * blockDim.x + threadIdx.x;
  if (row >= n) return;
  float acc = 0.0f;
  for (int w = 0; w < words; ++w) {
    unsigned p = q[row * words + w];
    float s = scale[row * words + w];
    BODY
  }
  y[row] = acc;
}
"""
TERMS = "for (int j = 0; j < 8; ++j) acc += s * (float)((int)((p >> (4 * j)) & 15u) - 8) * x[w * 8 + j];"


def turned(body: str) -> tuple[str, list[str]]:
    (kernel,) = parse(WORDS.replace("BODY", body), "kernel.cu", platform="cuda").program.kernels
    notes: list[str] = []
    chosen = vectorize(canonicalise(kernel, (32, 1, 1), (None, 1, 1)).function)
    assert "vector for i32 j in" in show(chosen.function), show(chosen.function)
    return show(rounds_in_lanes(chosen.function, notes)), notes


def test_the_nibbles_of_a_word_are_lanes_of_which_each_goes_through_all_words() -> None:
    text, notes = turned(TERMS)
    lanes, rounds = text.index("vector for i32 j in 0 .. 8"), text.index("for i32 w in")
    assert lanes < text.index("f32 acc_part = 0") < rounds < text.index("acc += acc_part"), text
    assert notes == ["the sum over w is added up in another order"]


@pytest.mark.parametrize(
    "body",
    [
        f"{TERMS} acc *= 0.5f;",
        f"float before = acc; {TERMS.replace('s *', 's * before *')}",
        f"acc = s; {TERMS}",
        TERMS.replace("8;", "64;"),
        f"float sum = 0.0f; {TERMS.replace('acc', 'sum').replace('s *', '')} acc += s * sum;",
    ],
    ids=["goes on with the sum", "reads it", "begins anew", "many registers", "scaled as a whole"],
)
def test_sums_that_a_round_needs_and_long_rows_stay(body: str) -> None:
    text, notes = turned(body)
    assert "acc_part" not in text and not notes
