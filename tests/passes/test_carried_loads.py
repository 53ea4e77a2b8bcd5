"""Elements that a loop hands on from round to round are read where they are used."""

from __future__ import annotations

import pytest

from xpiler.frontend import parse
from xpiler.ir.printer import show
from xpiler.passes.canonical import canonicalise

COLUMN = """\
__global__ void column(const float *__restrict__ u, float *__restrict__ v, int n, int planes) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  float below = u[FIRST], cur = u[i + n];
  for (int k = 1; k < planes - 1; ++k) {
    float above = u[i + (k + 1) * n];
    v[i + k * n] = below + 2.0f * cur + above;
    BEFORE
    below = cur;
    cur = NEXT;
  }
  AFTER
}
"""


def column(first: str = "i", before: str = "", following: str = "above", after: str = "") -> str:
    text = COLUMN.replace("FIRST", first).replace("BEFORE", before)
    text = text.replace("NEXT", following).replace("AFTER", after)
    (kernel,) = parse(text, "kernel.cu", platform="cuda").program.kernels
    return show(canonicalise(kernel, (64, 1, 1), (None, 1, 1)).function)


def test_rounds_do_not_wait_for_elements_of_the_last_ones() -> None:
    text = column()
    assert "parallel for i32 k in 1 .. planes - 1" in text, text
    assert "u[i + (k - 1) * n]" in text or "u[k * n + i - n]" in text, text
    assert "below" not in text


@pytest.mark.parametrize(
    "change",
    [
        {"first": "i + 1"},  # not what the rule gives for the first round
        {"following": "above * 0.5f"},  # no element
        {"after": "v[i] = below;"},  # wanted behind the loop
        {"before": "if (above < 0.0f) cur = 0.0f;"},  # set in a branch, too
        {"before": "if (above < 0.0f) continue;"},  # not handed on in every round
    ],
)
def test_what_is_more_than_that_is_carried(change: dict[str, str]) -> None:
    assert "below = cur" in column(**change)


def test_elements_of_an_array_that_is_written_are_carried() -> None:
    text = COLUMN.replace("const float *__restrict__ u, float *__restrict__ v", "float *u, float *v")
    for name, value in (("FIRST", "i"), ("BEFORE", ""), ("NEXT", "above"), ("AFTER", "")):
        text = text.replace(name, value)
    (kernel,) = parse(text, "kernel.cu", platform="cuda").program.kernels
    assert "below = cur" in show(canonicalise(kernel, (64, 1, 1), (None, 1, 1)).function)
