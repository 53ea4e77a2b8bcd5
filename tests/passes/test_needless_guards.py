"""Conditions that only keep empty loops from running."""

from __future__ import annotations

from xpiler.frontend import parse
from xpiler.ir.printer import show
from xpiler.passes.needless_guards import drop_needless
from xpiler.passes.repeated_conditions import join_repeated


def conditions(text: str) -> int:
    """How many conditions are left."""
    kernel = parse(f"void f(float *y, int n, int m) {{ {text} }}", "f.cpp", platform="vnni").program.kernels[
        0
    ]
    return show(drop_needless(join_repeated(kernel))).count("if (")


def test_a_loop_over_nothing_needs_no_condition() -> None:
    assert conditions("if (n > 0) for (int i = 0; i < n; ++i) y[i] = 1.0f;") == 0
    assert conditions("if (m < n) for (int i = m; i < n; ++i) y[i] = 1.0f;") == 0


def test_other_conditions_stay() -> None:
    assert conditions("if (m > 0) for (int i = 0; i < n; ++i) y[i] = 1.0f;") == 1
    assert conditions("if (n > 0) { y[0] = 2.0f; for (int i = 0; i < n; ++i) y[i] = 1.0f; }") == 1
    assert conditions("if (n > 0) for (int i = 0; i < n + 1; ++i) y[i] = 1.0f;") == 1


def test_what_stands_under_the_same_condition_stands_together() -> None:
    assert conditions("if (n > 3) y[0] = 1.0f; if (n > 3) y[1] = y[0];") == 1
    assert conditions("if (n > 3) y[0] = 1.0f; if (n > 4) y[1] = y[0];") == 2


def test_a_condition_that_changes_in_between_is_another_one() -> None:
    assert conditions("if (y[0] > 3.0f) y[0] = 1.0f; if (y[0] > 3.0f) y[1] = 2.0f;") == 2
    assert conditions("if (m > 3) m = n; if (m > 3) y[1] = 2.0f;") == 2
