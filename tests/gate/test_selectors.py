"""Parameters with which a caller chooses, and the values that are tried for them."""

from __future__ import annotations

import pytest

from xpiler.frontend import parse
from xpiler.gate.selectors import selectors, together

KIND = "enum class Kind { Add, Mul = 4, Max };\n"


@pytest.mark.parametrize(
    ("before", "parameter", "body", "expected"),
    [
        (KIND, "Kind k", "run(k);", (0, 4, 5)),  # all of them, wherever they are looked at
        ("typedef enum { F32, F16 } t;\n", "t k", "run(k);", (0, 1)),
        (KIND, "int k", "switch (k) { case 2: a(); break; case (int)Kind::Max: b(); }", (2, 5)),
        ("#define INT 7\n", "int k", "if (k == INT) a(); else if (k == 9) b();", (7, 9)),
        ("", "int k", 'if (k == 1) a(); else if (k == 2) b(); else fail("no such k");', (1, 2)),
        ("", "int k", "if (k == 1) a(); else if (k == 2) b(); else c<<<k / 2, 32>>>();", None),  # a size
        ("", "int k", "if (k == 1) a();", None),  # one value is as good as any other
        (KIND, "int k", "switch (k) { case 0: switch (j) { case 3: a(); } break; case 1: b(); }", (0, 1)),
    ],
)
def test_what_a_caller_chooses(
    before: str, parameter: str, body: str, expected: tuple[int, ...] | None
) -> None:
    text = f"{before}__global__ void kernel(float *x);\nvoid f(float *x, {parameter}) {{ {body} }}\n"
    (function,) = parse(text, "f.cu").host_functions
    assert selectors(function.params, text, [function]) == ({} if expected is None else {"k": expected})


def test_choices_are_tried_with_one_another() -> None:
    tried = together({"source": (0, 1), "target": (0, 3)})
    assert tried == [
        {"source": 0, "target": 0},
        {"source": 0, "target": 3},
        {"source": 1, "target": 0},
        {"source": 1, "target": 3},
    ]
    assert together({}) == []
