"""Values are spelled out by the elements they come from; a wrong index shows as the terms it brings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from tests.ir.kernels import tiled_gemm
from xpiler.ir import build as b
from xpiler.ir.nodes import Expr, Function, Load
from xpiler.ir.rewrite import map_expr
from xpiler.passes.canonical import canonicalise
from xpiler.symbolic.provenance import first_divergence, first_foreign, record
from xpiler.symbolic.settings import Setting

SIZES = {"m": 5, "n": 7, "depth": 3}
SETTING = Setting(SIZES, {"A": 15, "B": 21, "C": 35}, (1, 1, 1), (16, 16, 1))


def canonical() -> Function:
    return canonicalise(tiled_gemm(), (16, 16, 1)).function


def with_load(function: Function, array: str, index: Callable[[Expr], Expr]) -> Function:
    def change(expr: Expr) -> Expr:
        if isinstance(expr, Load) and expr.array == array:
            return replace(expr, index=(index(expr.index[0]),))
        return expr

    return replace(function, body=map_expr(function.body, change))


def test_a_value_is_spelled_out_whatever_the_tiles_and_zeros_it_went_through() -> None:
    for function in (tiled_gemm(), canonical()):
        assert str(record(function, SETTING).term("C", 8)) == "A[3]*B[1] + A[4]*B[8] + A[5]*B[15]"


def test_a_kernel_and_its_canonical_form_do_not_diverge() -> None:
    source, target = record(tiled_gemm(), SETTING), record(canonical(), SETTING)
    assert first_divergence(source, target) is None


def test_a_wrong_index_shows_as_missing_and_surplus_terms() -> None:
    target = with_load(canonical(), "B", lambda index: b.mod(b.add(index, 1), 21))
    found = first_divergence(record(tiled_gemm(), SETTING), record(target, SETTING))
    assert found is not None
    assert (found.array, found.index, len(found.wrong)) == ("C", 0, 35)
    assert [str(t) for t in found.missing()] == ["A[0]*B[0]", "A[1]*B[7]", "A[2]*B[14]"]
    assert [str(t) for t in found.surplus()] == ["A[0]*B[1]", "A[1]*B[8]", "A[2]*B[15]"]


def test_the_first_foreign_value_is_at_the_store_that_went_wrong() -> None:
    source = record(canonical(), SETTING)
    assert first_foreign(source, source) is None
    wrong = record(with_load(canonical(), "A", lambda index: b.mod(b.add(index, 1), 15)), SETTING)
    found = first_foreign(source, wrong)
    assert found is not None
    assert (found.array, found.element, found.values) == ("C", 0, {"row": 0, "col": 0})
    assert str(found.found) == "A[1]*B[0] + A[2]*B[7] + A[3]*B[14]"
