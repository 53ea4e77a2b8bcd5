"""Random kernels on shared memory: noting many reads at a time changes no finding."""

from __future__ import annotations

from collections.abc import Sequence
from unittest.mock import patch

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.ir.kernels import array, kernel
from xpiler.ir import build as b
from xpiler.ir import interpret_checks
from xpiler.ir.interpret import run
from xpiler.ir.nodes import Assign, Atomic, Barrier, Block, Decl, Expr, For, If, Space, Stmt
from xpiler.ir.types import F32, I32

SIZE, THREADS, BLOCKS = 8, 64, 2
TX = b.cast(b.thread_index(), I32)
SUM = b.var("sum", F32)


def elements() -> st.SearchStrategy[Expr]:
    def element(scale: int, offset: int, loop: bool) -> Expr:
        index = b.add(b.mul(TX, scale), b.add(b.mul(b.var("i"), int(loop)), offset))
        return b.load("s", F32, b.binary("%", index, SIZE))

    return st.builds(element, st.sampled_from([0, 1, 1, 3, 8]), st.integers(0, SIZE - 1), st.booleans())


def steps() -> st.SearchStrategy[Stmt]:
    one = b.const(1.0, F32)
    plain = st.one_of(
        st.builds(lambda e: Assign(SUM, e, "+"), elements()),
        st.builds(lambda e: Assign(e, b.cast(TX, F32)), elements()),
        st.builds(lambda e: Atomic("add", e, (one,)), elements()),
    )
    guarded = st.builds(
        lambda stmt, first, number: If(
            b.and_(b.le(first, TX), b.lt(TX, b.add(first, number))), Block((stmt,))
        ),
        plain,
        st.integers(0, THREADS - 1),
        st.sampled_from([1, 2, 32, 40]),
    )
    barriers = st.sampled_from([Barrier(), Barrier(), Barrier("warp")])
    return st.one_of(plain, guarded, barriers)


@settings(max_examples=150, deadline=None)
@given(st.lists(steps(), min_size=2, max_size=8), st.integers(1, 3))
def test_findings_are_those_of_reads_noted_one_by_one(body: Sequence[Stmt], rounds: int) -> None:
    loop = For("i", I32, b.const(0), b.const(rounds), b.const(1), Block(tuple(body)))
    function = kernel(
        [array("x")],
        Decl("s", F32, (b.const(SIZE),), Space.SHARED),
        If(b.lt(TX, SIZE), Block((Assign(b.load("s", F32, TX), b.const(0.0, F32)),))),
        Barrier(),
        Decl("sum", F32, init=b.const(0.0, F32)),
        loop,
        Assign(b.load("x", F32, b.add(b.mul(b.cast(b.block_index(), I32), THREADS), TX)), SUM),
    )

    def findings() -> tuple[object, ...]:
        return run(
            function, {"x": np.zeros(BLOCKS * THREADS, np.float32)}, (BLOCKS, 1, 1), (THREADS, 1, 1)
        ).findings

    many = findings()
    with patch.object(interpret_checks, "_put_off", lambda *_: False):
        assert many == findings()


def test_reads_before_a_barrier_are_not_beside_those_behind_it() -> None:
    first = b.load("s", F32, 0)
    read = Assign(SUM, first, "+")
    function = kernel(
        [array("x")],
        Decl("s", F32, (b.const(SIZE),), Space.SHARED),
        Decl("sum", F32, init=b.const(0.0, F32)),
        If(b.eq(TX, 0), Block((Assign(first, b.const(0.0, F32)),))),
        Barrier(),
        If(b.eq(TX, 1), Block((read,))),
        Barrier(),
        If(b.eq(TX, 40), Block((read, Assign(first, SUM)))),
    )
    assert not run(function, {"x": np.zeros(1, np.float32)}, (1, 1, 1), (THREADS, 1, 1)).findings
