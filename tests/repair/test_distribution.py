"""Terms that stand inside of a product and belong outside, or the other way round."""

from __future__ import annotations

import pytest

from tests.repair.changed import changed


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("(acc + b[i]) * s * w[i]", "acc * s * w[i] + b[i]"),
        ("s * (acc - b[i]) / t", "s * acc / t - b[i]"),
        ("acc * s * w[i] + b[i]", "(acc + b[i]) * s * w[i]"),
        ("(acc + s) * b[i]", "acc + s * b[i]"),
    ],
)
def test_brackets_are_put_elsewhere(wrong: str, right: str) -> None:
    given = "float *y, const float *b, const float *w, float acc, float s, float t, int i"
    text = f"void f({given}) {{{{ y[i] = {{}}; }}}}\n"
    made = changed(text.format(wrong), "f.cpp")
    assert text.format(right) in made
