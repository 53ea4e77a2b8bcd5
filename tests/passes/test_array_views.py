"""Arrays of words that are numbers of another type."""

from __future__ import annotations

from xpiler.frontend import parse
from xpiler.ir.nodes import Decl
from xpiler.ir.rewrite import walk_stmts
from xpiler.passes.array_views import with_elements_as_meant


def type_of_tile(fill: str, read: str = "((float *)tile)[k]") -> str:
    text = f"""
    void f(const int *x, float *y, int n) {{
        int tile[4];
        for (int k = 0; k < 4; ++k) tile[k] = {fill};
        for (int k = 0; k < 4; ++k) y[k] = {read};
    }}"""
    (kernel,) = parse(text, "f.cpp", platform="vnni").program.kernels
    function = with_elements_as_meant(kernel)
    (tile,) = (d for d in walk_stmts(function.body) if isinstance(d, Decl) and d.shape)
    return tile.dtype.name


def test_words_that_are_read_as_floats_are_floats() -> None:
    assert type_of_tile("k < n ? x[k] : 0") == "f32"


def test_words_that_are_computed_stay_words() -> None:
    assert type_of_tile("x[k] + 1") == "i32"


def test_words_that_are_read_as_both_stay_words() -> None:
    assert type_of_tile("x[k]", "((float *)tile)[k] + tile[k]") == "i32"
