"""Places that a digit of a counter chooses between."""

from __future__ import annotations

import numpy as np
import pytest

from xpiler.frontend import parse
from xpiler.ir.interpret import run
from xpiler.ir.printer import show
from xpiler.passes.chosen_places import join_places


def chosen(value: str) -> str:
    """What is stored, afterwards; it is the same as before."""
    text = f"void f(const float *x, float *y) {{ for (int i = 0; i < 16; ++i) y[i] = {value}; }}"
    (kernel,) = parse(text, "f.cpp", platform="vnni").program.kernels
    joined = join_places(kernel)
    results = []
    for function in (kernel, joined):
        x, y = np.arange(64, dtype=np.float32), np.zeros(16, np.float32)
        assert not run(function, {"x": x, "y": y}).errors
        results.append(y)
    assert (results[0] == results[1]).all()
    return next(line.strip() for line in show(joined).splitlines() if "y[" in line)


@pytest.mark.parametrize(
    "value",
    [
        "i / 8 == 0 ? x[2 * (i % 8)] : x[16 + 2 * (i % 8)]",
        "i / 8 == 1 ? x[16 + 2 * (i % 8)] : x[2 * (i % 8)]",
        "i / 8 != 0 ? x[i % 8 * 2 + 16] : x[i % 8 * 2]",
    ],
)
def test_two_places_are_one(value: str) -> None:
    assert chosen(value) == "y[i] = x[i * 2];"


@pytest.mark.parametrize(
    "value",
    [
        "i / 4 == 0 ? x[i] : x[16 + i]",  # of four digits
        "i / 8 == 0 ? x[i] : x[3 * i]",  # not by a number
        "i / 8 == 0 ? x[i] : y[i]",
    ],
)
def test_other_choices_stay(value: str) -> None:
    assert "?" in chosen(value)
