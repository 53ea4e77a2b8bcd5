"""Conversions that are missing or too much, and numbers in the words of the texts."""

from __future__ import annotations

import pytest

from tests.repair.changed import changed
from xpiler.frontend.syntax import analyse
from xpiler.repair.casts import without_cast
from xpiler.repair.menu import sites_of
from xpiler.repair.scope import FLOAT
from xpiler.repair.vocabulary import vocabulary

_KERNEL = "__global__ void f({}) {{\n  int i = threadIdx.x;\n  {}\n}}\n"


@pytest.mark.parametrize(
    ("parameters", "wrong", "right"),
    [
        ("const int *s, float *y, int n", "y[i] = s[i] / n;", "y[i] = (float)s[i] / n;"),
        ("float *y, int n, int m", "float q = n / m;", "float q = (float)n / m;"),
        ("float *y, int n, int m", "y[i] = 2.0f * (n / m);", "y[i] = 2.0f * ((float)n / m);"),
        ("float *y, int n, int m", "y[i] = (n + 1) / m;", "y[i] = (float)(n + 1) / m;"),
        ("int *y, int n, int m", "y[i] = (float)n / m;", "y[i] = n / m;"),
        ("const signed char *x, int *y", "y[i] = x[i] * 3;", "y[i] = ((unsigned char)x[i]) * 3;"),
        ("const unsigned char *x, int *y", "y[i] = (int)(char)x[i];", "y[i] = (int)x[i];"),
    ],
)
def test_conversions_are_offered_where_they_make_another_value(
    parameters: str, wrong: str, right: str
) -> None:
    assert _KERNEL.format(parameters, right) in changed(_KERNEL.format(parameters, wrong), "f.cu")


def test_a_quotient_that_stays_an_integer_is_left_alone() -> None:
    texts = changed(_KERNEL.format("const float *x, float *y, int n", "y[i] = x[n / 2];"), "f.cu")
    assert not any("(float)n" in text for text in texts)


@pytest.mark.parametrize("text", ["(float)n", "float(n)", "static_cast<float>(n)", "( double ) n"])
def test_what_is_converted_is_known_in_all_spellings(text: str) -> None:
    assert without_cast(text, FLOAT).strip() == "n"


def test_programs_with_choices_hold_the_value_of_the_wider_type() -> None:
    """A choice is of the type of the place, where `(float)n / m` would be an integer again."""
    text = _KERNEL.format("float *y, int n, int m", "y[i] = n / m;")
    unit = analyse(text, "f.cu", platform="cuda")
    sites = sites_of(unit, unit, vocabulary(text, text, "cuda"), "f")
    (site,) = [s for s in sites if any(a.text == "(float)n / m" for a in s.alternatives)]
    assert site.dtype == "decltype(true ? (n / m) : ((float)n / m))"


@pytest.mark.parametrize(("said", "expected"), [("-FLT_MAX", "-FLT_MAX"), ("-INFINITY", "-INFINITY")])
def test_what_is_below_all_floats_is_said_as_the_source_says_it(said: str, expected: str) -> None:
    target = _KERNEL.format("const float *x, float *y", "float best = 0.0f;")
    source = f"void f(const float *x, float *y) {{ float best = {said}; y[0] = best; }}\n"
    unit, other = (
        analyse(t, n, platform=p) for t, n, p in ((target, "f.cu", "cuda"), (source, "f.cpp", "vnni"))
    )
    sites = sites_of(unit, other, vocabulary(source, target, "cuda"), "f")
    costs = {
        alternative.text: alternative.cost
        for site in sites
        if target[site.start : site.end] == "0.0f"
        for alternative in site.alternatives
    }
    assert min(("-FLT_MAX", "-INFINITY"), key=lambda word: costs[word]) == expected


def test_the_numbers_of_a_thread_are_exchanged() -> None:
    text = _KERNEL.format("float *y, int n", "int j = threadIdx.x * 128 + blockIdx.x;\n  y[j] = 0.0f;")
    assert text.replace("threadIdx.x * 128 + blockIdx.x", "blockIdx.x * 128 + threadIdx.x") in changed(
        text, "f.cu"
    )


def test_a_larger_grid_than_is_needed_is_far_fetched() -> None:
    text = (
        _KERNEL.format("float *y, int n", "if (i < n) y[i] = 0.0f;").replace("void f", "void k")
        + "void f(float *y, int n) { k<<<(n + 127) / 128, 128>>>(y, n); }\n"
    )
    unit = analyse(text, "f.cu", platform="cuda")
    sites = sites_of(unit, unit, vocabulary(text, text, "cuda"), "f")
    grid = next(s for s in sites if text[s.start : s.end] == "(n + 127) / 128")
    assert all(a.cost >= 2.0 for a in grid.alternatives if a.text == "(n + 127) / 128 + n")
