"""Formulas of elements: which programs share one, and which have none."""

from __future__ import annotations

import pytest

from xpiler.frontend import parse
from xpiler.ir.nodes import Function
from xpiler.passes.serial import serial_form
from xpiler.symbolic.forms import Unknown, formula


def program(body: str, params: str = "const float *x, float *y, int n, int m") -> Function:
    text = f'extern "C" void f({params}) {{\n{body}\n}}\n'
    (kernel,) = parse(text, "f.cpp", platform="vnni").program.kernels
    return serial_form(kernel)


SAME = [
    (
        """for (int i = 0; i < n; ++i) {
            float t = 0;
            for (int k = 0; k < m; ++k) t += x[i * m + k];
            y[i] = t;
        }""",
        """for (int i = 0; i < n; ++i) {
            float t = 0;
            for (int k = 0; k < m; k += 8) for (int l = 0; l < 8; ++l) if (k + l < m) t += x[i * m + (k + l)];
            y[i] = t;
        }""",
    ),
    (
        "for (int i = 0; i < n; ++i) for (int j = 0; j < m; ++j) y[i * m + j] = x[j * n + i];",
        "for (int j = 0; j < m; ++j) for (int i = 0; i < n; ++i) y[j + m * i] = x[i + n * j];",
    ),
    (
        "for (int i = 0; i < n; ++i) y[i] = x[i] * 2.0f - 1.0f;",
        "for (int i = 0; i < n; ++i) { float t = 2.0f; t *= x[i]; y[i] = t; y[i] = y[i] - 1.0f; }",
    ),
    (
        "for (int i = 0; i < n; ++i) y[i] = x[i] * x[i];",
        """float t[64];
        for (int i = 0; i < n; ++i) {
            for (int j = 0; j < 64; ++j) t[j] = x[i];
            y[i] = t[3] * t[5];
        }""",
    ),
]
DIFFERENT = [
    ("for (int i = 0; i < n; ++i) y[i] = x[i];", "for (int i = 0; i < n - 1; ++i) y[i] = x[i];"),
    ("for (int i = 0; i < n; ++i) y[i] = x[i];", "for (int i = 0; i < n; ++i) y[i] = x[i + 1];"),
    (
        "for (int i = 0; i < n; ++i) for (int j = 0; j < m; ++j) y[i * m + j] = x[i];",
        "for (int j = 0; j < m; ++j) for (int i = 0; i < n; ++i) y[i * n + j] = x[i];",
    ),
    (
        "for (int i = 0; i < n; ++i) { y[i] = 0; for (int k = 0; k < m; ++k) y[i] = x[k]; }",
        "for (int i = 0; i < n; ++i) { for (int k = 0; k < m; ++k) y[i] = x[k]; y[i] = 0; }",
    ),
    (
        """for (int i = 0; i < n; ++i) {
            float t = 0;
            for (int k = 0; k < m; ++k) t = t * x[k] + 1;
            y[i] = t;
        }""",
        """for (int i = 0; i < n; ++i) {
            float t = 1;
            for (int k = 0; k < m; ++k) t = t * x[k] + 1;
            y[i] = t;
        }""",
    ),
]


@pytest.mark.parametrize(("first", "second"), SAME)
def test_one_formula(first: str, second: str) -> None:
    assert formula(program(first)) == formula(program(second))


@pytest.mark.parametrize(("first", "second"), DIFFERENT)
def test_different_formulas(first: str, second: str) -> None:
    assert formula(program(first)) != formula(program(second))


NONE = [
    "for (int i = 1; i < n; ++i) y[i] = y[i - 1] + x[i];",
    "for (int i = 0; i < n; ++i) { y[i] = x[i]; y[i] = y[i + 1]; }",
    "while (n > 0) { y[n] = x[n]; n -= 1; }",
    "float t[4]; for (int i = 0; i < n; ++i) y[i] = t[i % 4];",
]


@pytest.mark.parametrize("body", NONE)
def test_no_formula(body: str) -> None:
    with pytest.raises(Unknown):
        formula(program(body))
