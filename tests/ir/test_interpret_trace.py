"""The same computation gives the same trace, another order of a sum does not."""

from __future__ import annotations

import numpy as np
import pytest

from tests.ir.kernels import array, integer, kernel, tiled_gemm
from xpiler.errors import Refusal
from xpiler.ir import build as b
from xpiler.ir.interpret import run
from xpiler.ir.interpret_trace import inputs
from xpiler.ir.nodes import Assign, Block, Decl, Expr, For, Function, LoopKind, Space
from xpiler.ir.types import F32, I8, I32

I, J, K = b.var("i"), b.var("j"), b.var("k")  # noqa: E741
M, N, DEPTH = b.var("m"), b.var("n"), b.var("depth")
SIZES = {"m": 20, "n": 18, "depth": 48}


def gemm(start: Expr | int = 0, *, backwards: bool = False, fused: bool = False) -> Function:
    """The serial meaning, each sum from the front or from the back."""
    k = b.sub(b.sub(DEPTH, 1), K) if backwards else K
    total = b.var("total", F32)
    factors = b.load("A", F32, b.add(b.mul(I, DEPTH), k)), b.load("B", F32, b.add(b.mul(k, N), J))
    step = (
        Assign(total, b.call("fma", F32, *factors, total))
        if fused
        else Assign(total, b.mul(factors[1], factors[0]), "+")
    )
    sum_up = For("k", I32, b.as_expr(start), DEPTH, b.const(1), Block((step,)))
    store = Assign(b.load("C", F32, b.add(b.mul(I, N), J)), total)
    columns = For(
        "j",
        I32,
        b.const(0),
        N,
        b.const(1),
        Block((Decl("total", F32, init=b.const(0.0, F32)), sum_up, store)),
        LoopKind.VECTOR,
    )
    rows = For("i", I32, b.const(0), M, b.const(1), Block((columns,)), LoopKind.PARALLEL)
    params = [array("A"), array("B"), array("C"), integer("m"), integer("n"), integer("depth")]
    return kernel(params, rows)


def trace(
    function: Function, grid: tuple[int, int, int] = (1, 1, 1), block: tuple[int, int, int] = (1, 1, 1)
) -> np.ndarray:
    rng = np.random.default_rng(4)
    a, bb = inputs(SIZES["m"] * SIZES["depth"], rng), inputs(SIZES["depth"] * SIZES["n"], rng)
    c = np.zeros(SIZES["m"] * SIZES["n"], np.int64)
    assert not run(function, {"A": a, "B": bb, "C": c, **SIZES}, grid, block, mode="trace").findings
    return c


def test_tiling_by_a_divisor_keeps_the_order_of_the_sums() -> None:
    assert np.array_equal(trace(tiled_gemm(), (2, 2, 1), (16, 16, 1)), trace(gemm()))


def test_fused_or_not_is_the_same() -> None:
    assert np.array_equal(trace(gemm(fused=True)), trace(gemm()))


def test_another_order_or_a_missing_term_is_not() -> None:
    reference = trace(gemm())
    assert not np.any(trace(gemm(backwards=True)) == reference)
    assert not np.any(trace(gemm(1)) == reference)


def scratchpad(*stmts: Assign) -> Function:
    """Sixteen bytes, of which the first four are a float and the next an integer; y[0] is what is left."""
    pad = Decl("pad", I8, shape=(b.const(16),), space=Space.NRAM)
    return kernel([array("x"), array("y")], pad, *stmts)


def kept(*stmts: Assign) -> int:
    given = {"x": np.array([1234, 5678]), "y": np.zeros(1, np.int64)}
    run(scratchpad(*stmts), given, mode="trace", checks=False)
    return int(given["y"][0])


FLOAT, WHOLE = b.load("pad", F32, b.const(0)), b.load("pad", I32, b.const(1))
PUT = Assign(FLOAT, b.load("x", F32, b.const(1)))
TAKE = Assign(b.load("y", F32, b.const(0)), FLOAT)


def test_a_scratchpad_holds_numbers_of_several_types() -> None:
    assert kept(PUT, Assign(WHOLE, b.const(7)), TAKE) == 5678


def test_numbers_are_not_read_as_another_type_or_in_part() -> None:
    overlapping = Assign(b.load("pad", I8, b.const(2)), b.const(0, I8))
    for spoiled in (overlapping, Assign(b.load("pad", I32, b.const(0)), b.const(7))):
        with pytest.raises(Refusal, match="numbers of another type"):
            kept(PUT, spoiled, TAKE)
