"""Blocks that stage the same memory, step by step, stage it once for several of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.passes.kernels import kernel, loop, pointer, scalar, when
from xpiler.ir.build import add, const, load, lt, mod, mul, select, var
from xpiler.ir.interpret import run
from xpiler.ir.nodes import Assign, Block, Break, Decl, Expr, For, Function, LoopKind, Stmt
from xpiler.ir.printer import show
from xpiler.ir.types import F32, I32
from xpiler.passes.knobs import chosen
from xpiler.passes.shared_stages import share_stages

B, T, K, BASE, ROWS, TAPS = (var(name) for name in ("b", "t", "k", "base", "rows", "taps"))
ROW = add(mul(B, 4), T)
AT = add(BASE, K)
STAGED = select(lt(AT, TAPS), load("c", F32, AT), const(0.0, F32))
TOTAL = load("total", F32, T)


def independent(name: str, stop: Expr | int, *body: Stmt, kind: LoopKind = LoopKind.PARALLEL) -> For:
    return For(
        name, I32, const(0), stop if isinstance(stop, Expr) else const(stop), const(1), Block(body), kind
    )


def threads(*body: Stmt) -> For:
    return independent("t", 4, *body, kind=LoopKind.THREADS)


def sums(staged: Expr = STAGED, *step: Stmt, apart: bool = True) -> Function:
    """y[row] = sum of (x[row] + c[k]) * total so far, in blocks of four rows that stage c in pieces of 32."""
    term = add(mul(TOTAL, 0.5), add(load("x", F32, ROW), load("tile", F32, K)))
    blocks = independent(
        "b",
        var("blocks"),
        Decl("tile", F32, (const(32),)),
        Decl("total", F32, (const(4),)),
        threads(Assign(TOTAL, const(0.0, F32))),
        loop(
            "base",
            0,
            TAPS,
            independent("k", 32, Assign(load("tile", F32, K), staged)),
            threads(when(lt(ROW, ROWS), loop("k", 0, 32, Assign(TOTAL, term)))),
            *step,
            step=32,
        ),
        threads(when(lt(ROW, ROWS), Assign(load("y", F32, ROW), TOTAL))),
    )
    names = ("blocks", "rows", "taps")
    arrays = (replace(pointer(name), is_restrict=apart) for name in "xcy")
    return kernel("sums", (*arrays, *map(scalar, names)), blocks)


def results(function: Function, rows: int, taps: int) -> np.ndarray[Any, Any]:
    rng = np.random.default_rng(rows)
    given: dict[str, Any] = {
        "x": rng.normal(size=rows).astype(np.float32),
        "c": rng.normal(size=taps).astype(np.float32),
        "y": np.zeros(rows, np.float32),
        "blocks": -(-rows // 4),
        "rows": rows,
        "taps": taps,
    }
    found = run(function, given)
    assert not found.errors, found.errors[0]
    return given["y"]


def test_sixteen_blocks_share_a_tile() -> None:
    text = show(share_stages(sums()))
    assert "f32 total[16][4];" in text and "tile[32];" in text
    assert "parallel for i32 b_first in 0 .. blocks step 16" in text
    step = text[text.index("for i32 base") :]
    assert step.index("tile[k] =") < step.index("parallel for i32 b in 0 .. b_many")


@pytest.mark.parametrize(("rows", "taps"), [(1, 1), (32, 64), (33, 40), (70, 7), (5, 0)])
def test_the_same_is_computed(rows: int, taps: int) -> None:
    np.testing.assert_array_equal(results(share_stages(sums()), rows, taps), results(sums(), rows, taps))


@pytest.mark.parametrize(
    "staged",
    [load("c", F32, mod(add(AT, B), TAPS)), load("y", F32, AT), load("total", F32, mod(K, 4))],
    ids=["by the block's number", "of memory that blocks write", "of what a block has of its own"],
)
def test_what_may_differ_from_block_to_block_is_not_shared(staged: Expr) -> None:
    assert share_stages(sums(staged)) == sums(staged)


def test_blocks_that_leave_at_times_of_their_own_go_alone() -> None:
    before = sums(STAGED, when(lt(load("total", F32, 0), 0.5), Break()))
    assert share_stages(before) == before


def test_a_tile_that_a_block_changes_is_its_own() -> None:
    before = sums(STAGED, threads(Assign(load("tile", F32, T), TOTAL)))
    assert share_stages(before) == before


def test_arrays_that_may_be_the_result_are_not_shared() -> None:
    assert share_stages(sums(apart=False)) == sums(apart=False)


def test_one_block_at_a_time_is_a_choice() -> None:
    with chosen({"shared_stages.blocks": 1}):
        assert share_stages(sums()) == sums()
