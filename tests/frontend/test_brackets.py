"""The bracket to blame, by text and by what a translation says."""

from __future__ import annotations

import pytest

from xpiler.errors import Refusal
from xpiler.frontend.brackets import unclosed
from xpiler.translate import translate_text

HOST = "void run(float* x) { k<<<1, 32>>>(x); }\n"


@pytest.mark.parametrize(
    ("text", "blamed"),
    [
        ("f(a, b);", None),
        ("g(\"(\", '{');", None),
        ("}", "}"),
        ("void f() {\n  if (a) {\n}\nvoid g() {\n}\n", "{\n}\nvoid g"),
        ("void f() {\n  if (a b;\n}\n", "(a b"),
        ("void f() {\n  a;\nvoid g() {\n}\n", "{\n  a;"),
    ],
)
def test_the_bracket_that_nothing_closes(text: str, blamed: str | None) -> None:
    found = unclosed(text)
    assert (found is None) == (blamed is None)
    if found is not None and blamed is not None:
        assert text[found.start :].startswith(blamed)


@pytest.mark.parametrize(
    ("kernel", "message"),
    [
        (
            "  if (x[0] > 0) { x[0] = 1;\n}\n",
            r"odd\.cu:2:17: error: syntax error near `\{ x\[0\] = 1;`: no `\}`",
        ),
        ("  if (x[0] > 0 { x[0] = 1; }\n}\n", r"odd\.cu:2:15: error: the source does not compile: expected"),
        ("  x[0] = 1; }\n}\n", r"odd\.cu:3:1: error: the source does not compile: "),
    ],
)
def test_a_syntax_error_has_its_own_place_and_reason(kernel: str, message: str) -> None:
    with pytest.raises(Refusal, match=message):
        translate_text(f"__global__ void k(float* x) {{\n{kernel}{HOST}", "odd.cu", "hip")
