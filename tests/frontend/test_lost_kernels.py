"""A kernel that the grammar does not see for a syntax error is refused, with the place of the error."""

from __future__ import annotations

import pytest

from xpiler.errors import Refusal
from xpiler.frontend import parse
from xpiler.gate.entries import entries_of

GOOD = "__global__ void good(float *x) { x[0] = 1; }\n"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("__global__ void a(int n, float *x) {\n  x[0] +=\n}\n}\n", "k.cu:4:1: error: syntax error near `}`"),
        ("__global__ void a(int n, float *x) {\n  x[0] = ", "k.cu:1:36: error: syntax error near `{`"),
        (
            "__global__ void a(int n; float *x) { x[0] = n; }\n",
            "k.cu:1:19: error: syntax error near `int n;`",
        ),
        (
            "__global__ void __launch_bounds__(64, 2) a(int n, float *x) {\n  x[0] +=\n}\n}\n",
            "k.cu:4:1: error: syntax error near `}`",
        ),
    ],
)
def test_a_kernel_that_is_no_kernel_to_the_grammar_is_refused_by_name(text: str, found: str) -> None:
    alone, behind = parse(text, "k.cu"), parse(text + GOOD, "k.cu")
    assert list(alone.refusals) == ["a"] and "a" in behind.refusals
    assert str(alone.refusals["a"]).startswith(found)
    assert [entry.name for entry in entries_of(alone)] == ["a"]


def test_a_kernel_of_bang_c_is_found_missing_too() -> None:
    unit = parse("__mlu_entry__ void a(float *x) {\n  x[0] +=\n}\n}\n", "k.mlu", platform="bang")
    assert list(unit.refusals) == ["a"]


def test_a_declaration_and_a_text_without_kernels_have_lost_none() -> None:
    assert parse("__global__ void a(float *x);\n" + GOOD + "int f() { return ; ) }\n", "k.cu").refusals == {}
    with pytest.raises(Refusal, match="no __global__ kernel"):
        entries_of(parse("int main( { return 0; }\n", "k.cu"))
