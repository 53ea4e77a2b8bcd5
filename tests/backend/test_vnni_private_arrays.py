"""Arrays that each lane has a copy of are registers, also where they are taken for another type."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.backend.cpp import build, function, lanes, pointer, scalar
from xpiler.backend.vnni import generate
from xpiler.ir.build import add, cast, const, load, var
from xpiler.ir.nodes import Assign, Block, Decl, For, Load
from xpiler.ir.types import F32, I32, U32, U64

T, N = var("t"), var("n")


def test_words_that_were_floats_are_read_as_integers(tmp_path: Path) -> None:
    """The bits of 1.0f and one more are the next float."""
    first = (const(0),)
    body = lanes(
        "t",
        N,
        Decl("p", F32, (const(2),)),
        Assign(Load(F32, "p", first), load("x", F32, T)),
        Assign(Load(I32, "p", first), add(Load(I32, "p", first), 1)),
        Assign(load("y", F32, T), Load(F32, "p", first)),
    )
    kernel = function("next_float", (pointer("x", F32, True), pointer("y", F32), scalar("n")), body)
    text = generate(kernel, name="next_float", extern_c=True, launch={})
    x = np.linspace(1, 2, 37, dtype=np.float32)
    y = np.zeros_like(x)
    build([text], tmp_path, "next").call("next_float", x, y, np.int32(37))
    np.testing.assert_array_equal(y, np.nextafter(x, np.float32(9)))


def test_what_narrows_in_braces_says_so() -> None:
    """C++ takes no `{wide}` for a narrower element, g++ but with a warning."""
    element = load("y", U32, T)
    words = Decl("p", U32, (const(2),), init=(cast(var("wide", U64), U32), cast(T, U32)))
    chosen = Assign(element, Load(U32, "p", (cast(element, I32),)))
    body = For("t", I32, const(0), N, const(1), Block((words, chosen)))
    kernel = function("words", (pointer("y", U32), scalar("wide", U64), scalar("n")), body)
    text = generate(kernel, name="words", extern_c=True, launch={}).text
    assert "= {(uint32_t)wide, (uint32_t)t}" in text
