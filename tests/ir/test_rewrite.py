"""Walking and rebuilding."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.ir.kernels import array, index, integer, kernel, tiled_gemm
from xpiler.ir import build as b
from xpiler.ir.nodes import (
    Assign,
    Atomic,
    Barrier,
    Binary,
    Block,
    Collective,
    Const,
    Decl,
    Expr,
    For,
    If,
    Instr,
    Load,
    Ref,
    Space,
    Stmt,
    Var,
    While,
)
from xpiler.ir.printer import show
from xpiler.ir.rewrite import (
    arrays_read,
    arrays_written,
    assigned_vars,
    free_vars,
    map_body,
    map_expr,
    map_stmt,
    rename,
    substitute,
    uses,
    walk,
)
from xpiler.ir.source import SourceRange
from xpiler.ir.types import F32, I32

HERE = SourceRange("a.cu", 3, 1, 3, 9)
I, X = b.var("i"), b.var("x")  # noqa: E741


def test_what_does_not_change_is_the_same_object() -> None:
    function = tiled_gemm()
    assert map_expr(function, lambda e: e) is function
    assert map_body(function, lambda s: s) is function
    assert substitute(function, {"nobody": I}) is function
    assert rename(function, {"nobody": "else"}) is function


def test_only_what_changes_is_new_and_ranges_stay() -> None:
    first = Assign(X, b.add(I, 1), range=HERE)
    second = Assign(X, b.const(2))
    before = Block((first, second))
    after = substitute(before, {"i": b.const(7)})
    assert isinstance(after, Block) and after.body[1] is second
    assert after.body[0].range == HERE and show(after.body[0]) == "x = 7 + 1;"


def test_walk_visits_parents_first_in_source_order() -> None:
    stmt = If(b.lt(I, 3), Block((Assign(X, b.const(1)),)), Block((Assign(X, b.const(2)),)))
    kinds = [type(n).__name__ for n in walk(stmt)]
    assert kinds == [
        "If",
        "Binary",
        "Var",
        "Const",
        "Block",
        "Assign",
        "Var",
        "Const",
        "Block",
        "Assign",
        "Var",
        "Const",
    ]


def test_expressions_are_mapped_bottom_up_but_not_what_is_written() -> None:
    stmt = Assign(b.load("a", F32, I), b.cast(I, F32))

    def count(expr: Expr) -> Expr:
        return Binary(I32, "+", expr, Const(I32, 1)) if isinstance(expr, Var) else expr

    assert show(map_expr(stmt, count)) == "a[i + 1] = (f32)(i + 1);"
    assert show(map_expr(Assign(I, I), count)) == "i = i + 1;"
    moved = map_expr(
        stmt, lambda e: e, places=lambda p: Load(p.dtype, "c", p.index) if isinstance(p, Load) else p
    )
    assert show(moved) == "c[i] = (f32)i;"


def test_a_variable_becomes_an_element_wherever_it_occurs() -> None:
    stmt = Block(
        (Assign(X, b.add(X, 1)), Atomic("add", b.load("a", I32, X), (X,), X), Collective("any", X, (X,)))
    )
    element = b.load("x_of", I32, I)
    text = show(substitute(Block(stmt.body[:1]), {"x": element}))
    assert text == "{\n  x_of[i] = x_of[i] + 1;\n}"
    with pytest.raises(ValueError, match="cannot become"):
        substitute(stmt, {"x": b.const(1)})


def test_statements_are_spliced_into_the_block_around() -> None:
    store = Assign(X, b.const(1))
    nested = For(
        "i", I32, b.const(0), b.const(4), b.const(1), Block((store, If(b.lt(I, 2), Block((store,)))))
    )

    def fence(stmt: Stmt) -> Stmt | tuple[Stmt, ...]:
        return (stmt, Barrier()) if isinstance(stmt, Assign) else stmt

    expected = """\
for i32 i in 0 .. 4 {
  x = 1;
  barrier block;
  if (i < 2) {
    x = 1;
    barrier block;
  }
}"""
    assert show(map_stmt(nested, fence)) == expected
    assert (
        show(map_stmt(nested, lambda s: () if isinstance(s, Assign) else s))
        == "for i32 i in 0 .. 4 {\n  if (i < 2) {\n  }\n}"
    )


def test_renaming_reaches_declarations_loops_arrays_and_parameters() -> None:
    function = kernel(
        [array("a"), integer("n")],
        index("i"),
        Decl("s", F32, (b.const(4),), Space.SHARED),
        For(
            "k",
            I32,
            b.const(0),
            b.var("n"),
            b.const(1),
            Block((Assign(b.load("s", F32, b.var("k")), b.load("a", F32, I)),)),
        ),
    )
    text = show(rename(function, {"a": "A", "i": "I", "s": "S", "k": "K", "n": "N"}))
    assert "kernel kernel(f32* A, i32 N)" in text
    assert "i32 I = " in text and "shared f32 S[4]" in text
    assert "for i32 K in 0 .. N {" in text and "S[K] = A[I];" in text


def test_uses() -> None:
    fragment = Instr("wmma.load_matrix_sync", (Ref(F32, "f", b.const(0)), Ref(F32, "a", I), b.var("ld")))
    body = Block(
        (
            Decl("t", I32, init=b.var("n")),
            Decl("l", F32, (b.const(3),)),
            For(
                "k",
                I32,
                b.const(0),
                b.var("t"),
                b.const(1),
                Block((Assign(b.load("out", F32, b.var("k")), b.load("l", F32, 0)),)),
            ),
            Assign(b.load("sum", F32, 0), b.const(1.0, F32), "+"),
            Assign(X, b.const(1), "+"),
            Atomic("add", b.load("hist", I32, I), (b.const(1),), b.var("old")),
            While(b.lt(X, 3), Block((fragment,)), advance=Block((Assign(b.var("y"), b.const(0)),))),
        )
    )
    assert free_vars(body) == {"n", "x", "i", "old", "ld", "y"}
    assert assigned_vars(body) == {"t", "k", "x", "old", "y"}
    assert arrays_written(body) == {"out", "sum", "hist", "f"}
    assert arrays_read(body) == {"l", "sum", "hist", "a"}
    assert uses(body).arrays_declared == {"l"}
    assert uses(Assign(X, b.const(1))).vars_read == frozenset()


def test_nodes_are_rebuilt_while_other_threads_remember_things_with_them() -> None:
    often = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(2) as pool:
            for _ in range(300):
                sums = [b.binary("+", b.var(f"i{k}"), X) for k in range(40)]
                hashed = pool.submit(lambda sums: [hash(one) for one in sums], sums)
                renamed = [rename(one, {"x": "y"}) for one in sums]
                assert renamed == [b.binary("+", b.var(f"i{k}"), b.var("y")) for k in range(40)]
                hashed.result()
    finally:
        sys.setswitchinterval(often)
