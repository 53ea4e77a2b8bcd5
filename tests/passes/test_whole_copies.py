"""Copies of whole parameters that a function makes for itself go; those that something depends on stay."""

from xpiler.frontend import parse
from xpiler.ir.build import mul
from xpiler.ir.nodes import Decl, Expr, Var
from xpiler.ir.rewrite import walk
from xpiler.ir.types import I32
from xpiler.passes.whole_copies import Direct, without_whole_copies

DOUBLED = """
#include <string.h>
#include <stdlib.h>
extern "C" void doubled(const float *a, float *b, int rows, int cols) {
    float *x = (float *)malloc(sizeof(float) * (rows * cols ROOM));
    float *y = (float *)malloc(sizeof(float) * rows * cols);
    BEFORE
    memcpy(x, a, sizeof(float) * rows * cols);
    for (int i = 0; i < rows * cols; ++i) INSIDE
    memcpy(b, y, sizeof(float) * rows * cols);
    AFTER
}
"""
PLAIN = {"ROOM": "+ 3", "BEFORE": "", "INSIDE": "y[i] = 2.0f * x[i];", "AFTER": "free(x); free(y);"}
ROWS, COLS = Var(I32, "rows"), Var(I32, "cols")
PRODUCT = mul(ROWS, COLS)


def without(extent: Expr = PRODUCT, **parts: str) -> Direct:
    text = DOUBLED
    for name, part in (PLAIN | parts).items():
        text = text.replace(name, part)
    (function,) = parse(text, "f.cpp", platform="vnni").program.kernels
    return without_whole_copies(function, {"a": extent, "b": extent})


def arrays(direct: Direct) -> set[str]:
    return {d.name for d in walk(direct.function) if isinstance(d, Decl) and d.shape}


def test_arrays_that_stand_for_parameters_are_the_parameters() -> None:
    direct = without()
    assert arrays(direct) == set()
    assert direct.room == {"a": 3, "b": 0}


def test_after_an_early_return_as_well() -> None:
    assert arrays(without(BEFORE="if (rows <= 0) return;")) == set()


def test_an_array_that_is_written_is_not_its_source() -> None:
    assert arrays(without(INSIDE="{ x[i] += 1.0f; y[i] = x[i]; }")) == {"x"}


def test_a_copy_of_another_size_stays() -> None:
    assert arrays(without(extent=mul(PRODUCT, COLS))) == {"x", "y"}


def test_an_array_with_less_room_than_the_parameter_stays() -> None:
    assert "x" in arrays(without(ROOM="- 1"))


def test_a_parameter_that_is_used_otherwise_keeps_its_own_contents() -> None:
    assert "y" in arrays(without(INSIDE="{ y[i] = x[i]; b[i] = 1.0f; }"))
    assert "y" in arrays(without(AFTER="b[0] = 1.0f;"))


def test_one_array_between_two_copies_is_where_the_result_goes() -> None:
    direct = without(INSIDE="y[i] = 0.0f;", AFTER="memcpy(b, x, sizeof(float) * rows * cols);")
    assert "y" in arrays(direct)
