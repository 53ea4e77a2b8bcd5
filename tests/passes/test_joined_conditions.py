"""Conditions that are found in two steps."""

from __future__ import annotations

import pytest

from xpiler.frontend import parse
from xpiler.ir.printer import show
from xpiler.passes.joined_conditions import join_conditions

TEXT = """\
void scale(float *x, int rows, int columns) {
  bool large = rows >= 192;
  if (large) { STEP }
  if (large) {
    for (int i = 0; i < rows; ++i) x[i] *= 2.0f;
  }
}
"""


def joined(step: str) -> str:
    (kernel,) = parse(TEXT.replace("STEP", step), "scale.cpp", platform="vnni").program.kernels
    return show(join_conditions(kernel))


def test_the_second_step_belongs_to_the_condition() -> None:
    text = joined("large = rows * columns >= 131072;")
    assert "bool large = rows >= 192 && rows * columns >= 131072;" in text
    assert text.count("if (large)") == 1


@pytest.mark.parametrize(
    "step", ["large = false; x[0] = 1.0f;", "x[1] = 1.0f;", "if (columns > 3) large = false;"]
)
def test_steps_that_do_something_else_stay(step: str) -> None:
    assert "bool large = rows >= 192;" in joined(step)
