"""Values that a sum needs and an array gets later are computed once."""

from __future__ import annotations

from pathlib import Path

import pytest

from xpiler.frontend import parse
from xpiler.ir.nodes import Function
from xpiler.ir.printer import show
from xpiler.passes.canonical import canonicalise
from xpiler.passes.kept_values import keep_values

SOFTMAX = Path(__file__).parents[2] / "snippets/cuda/softmax.cu"


def canonical(text: str, block: tuple[int, int, int] = (1, 1, 1)) -> Function:
    (kernel,) = parse(text, "kernel.cu", platform="cuda").program.kernels
    return canonicalise(kernel, block).function


KEPT = """\
__global__ void kept(const float *__restrict__ x, float *__restrict__ y, float *__restrict__ s, int n) {
  float sum = 0;
  for (int c = 0; c < n; ++c) sum += expf(x[c] - 1);
  BETWEEN
  for (int c = 0; c < n; ++c) y[c] = expf(x[c] - 1) / sum;
}
"""


def kept(between: str) -> str:
    return show(keep_values(canonical(KEPT.replace("BETWEEN", between))))


def test_a_value_of_a_sum_is_kept_where_it_is_stored_later() -> None:
    text = kept("s[0] = sum;")
    assert text.count("exp(") == 1 and "y[c] = element;" in text, text


@pytest.mark.parametrize("between", ["s[0] = y[0];", "y[n] = 0;", "if (sum == 0) return;"])
def test_an_array_that_is_used_in_between_keeps_nothing(between: str) -> None:
    assert kept(between).count("exp(") == 2


def test_a_softmax_computes_each_exponential_once() -> None:
    text = show(keep_values(canonical(SOFTMAX.read_text(), (32, 4, 1))))
    assert text.count("exp(") == 1, text
