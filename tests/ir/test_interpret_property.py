"""Random programs: lanes in lockstep compute what each thread computes alone."""

from __future__ import annotations

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.ir.scalar import Undefined, evaluate, run_thread
from xpiler.ir import build as b
from xpiler.ir.interpret import run
from xpiler.ir.nodes import (
    Assign,
    Block,
    Break,
    Continue,
    Decl,
    Expr,
    For,
    Function,
    If,
    Param,
    Return,
    Stmt,
    While,
)
from xpiler.ir.printer import show
from xpiler.ir.types import F32, I8, I32, I64, U8, U16, U32, DType

THREADS, BLOCKS, ROW = 5, 3, 4
INTEGERS = (I8, U8, U16, I32, U32, I64)
X, Y, F, I = b.var("x"), b.var("y", U32), b.var("f", F32), b.var("i")  # noqa: E741
TID = b.var("tid")


def integers(leaves: st.SearchStrategy[Expr]) -> st.SearchStrategy[Expr]:
    def grow(inner: st.SearchStrategy[Expr]) -> st.SearchStrategy[Expr]:
        operators = st.sampled_from(["+", "-", "*", "&", "|", "^", "<", "<=", "==", "!=", "/", "%"])
        return st.one_of(
            st.builds(b.binary, operators, inner, inner),
            st.builds(
                lambda x, n, op: b.binary(op, x, n), inner, st.integers(0, 31), st.sampled_from(["<<", ">>"])
            ),
            st.builds(b.cast, inner, st.sampled_from(INTEGERS)),
            st.builds(b.neg, inner),
            st.builds(b.select, inner, inner, inner),
            st.builds(b.minimum, inner, inner),
            st.builds(b.and_, inner, inner),
            st.builds(b.or_, inner, inner),
            st.builds(b.not_, inner),
        )

    return st.recursive(leaves, grow, max_leaves=8)


def constants() -> st.SearchStrategy[Expr]:
    dtypes = st.sampled_from(INTEGERS)
    values = st.one_of(st.integers(-5, 40), st.integers(-(2**63), 2**63 - 1))
    return st.builds(b.const, values, dtypes)


def floats() -> st.SearchStrategy[Expr]:
    leaves = st.one_of(
        st.just(F), st.floats(-8, 8, width=16).map(lambda v: b.const(v, F32)), st.just(b.cast(X, F32))
    )

    def grow(inner: st.SearchStrategy[Expr]) -> st.SearchStrategy[Expr]:
        return st.one_of(
            st.builds(b.binary, st.sampled_from("+-*"), inner, inner),
            st.builds(lambda p, q, r, s: b.select(b.lt(p, q), r, s), inner, inner, inner, inner),
        )

    return st.recursive(leaves, grow, max_leaves=5)


LEAVES = st.one_of(st.sampled_from([X, Y, TID, b.load("own", I32, b.binary("&", X, ROW - 1))]), constants())


def conditions() -> st.SearchStrategy[Expr]:
    return integers(LEAVES).map(b.boolean)


def statements(depth: int, in_loop: bool) -> st.SearchStrategy[Stmt]:
    slot = b.add(b.mul(TID, ROW), b.binary("&", b.cast(Y, I32), ROW - 1))
    simple: list[st.SearchStrategy[Stmt]] = [
        integers(LEAVES).map(lambda e: Assign(X, b.cast(e, I32))),
        integers(LEAVES).map(lambda e: Assign(Y, b.cast(e, U32), "+")),
        st.just(Assign(X, TID)),
        floats().map(lambda e: Assign(F, e)),
        integers(LEAVES).map(
            lambda e: Assign(b.load("own", I32, b.binary("&", X, ROW - 1)), b.cast(e, I32), "^")
        ),
        integers(LEAVES).map(lambda e: Assign(b.load("out", I32, slot), b.cast(e, I32))),
        floats().map(lambda e: Assign(b.load("fout", F32, slot), e)),
        st.just(Return()),
    ]
    if in_loop:
        simple += [st.just(Break()), st.just(Continue())]
    if depth == 0:
        return st.one_of(simple)
    inner = st.lists(statements(depth - 1, in_loop), max_size=3).map(lambda s: Block(tuple(s)))
    looped = st.lists(statements(depth - 1, True), max_size=3).map(lambda s: Block(tuple(s)))
    return st.one_of(
        *simple[:-1],
        st.builds(If, conditions(), inner, inner),
        st.builds(
            lambda stop, step, body: For(
                f"i{depth}", I32, b.binary("&", X, 1), b.binary("&", stop, 3), step, body
            ),
            st.sampled_from([X, TID, b.const(3)]),
            st.sampled_from([b.const(1), b.const(2)]),
            looped,
        ),
        st.builds(
            lambda body, do: Block(
                (
                    Decl(f"w{depth}", I32, init=b.binary("&", TID, 3)),
                    While(
                        b.lt(b.var(f"w{depth}"), 3),
                        body,
                        do,
                        Block((Assign(b.var(f"w{depth}"), b.const(1), "+"),)),
                    ),
                )
            ),
            looped,
            st.booleans(),
        ),
    )


def as_kernel(body: tuple[Stmt, ...]) -> Function:
    launch = b.add(b.mul(b.block_index(), b.block_dim()), b.thread_index())
    head: tuple[Stmt, ...] = (
        Decl("tid", I32, init=b.cast(launch, I32)),
        Decl("x", I32, init=b.var("n")),
        Decl("y", U32, init=b.cast(TID, U32)),
        Decl("f", F32, init=b.const(0.5, F32)),
        Decl("own", I32, (b.const(ROW),), init=()),
    )
    params = (Param("out", I32, True), Param("fout", F32, True), Param("n", I32, False))
    return Function("random", params, Block(head + body))


@settings(max_examples=250, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(statements(2, False), min_size=1, max_size=5), st.integers(-3, 9), st.booleans())
def test_lanes_in_lockstep_compute_what_threads_compute_alone(body: list[Stmt], n: int, checks: bool) -> None:
    function = as_kernel(tuple(body))
    count = THREADS * BLOCKS * ROW
    memory = {"out": [0] * count, "fout": [0.0] * count}
    try:
        for tid in range(THREADS * BLOCKS):
            block, thread = divmod(tid, THREADS)
            env = {"n": n, "blockIdx.x": block, "threadIdx.x": thread, "blockDim.x": THREADS}
            run_thread(function.body, env, memory)
    except Undefined:
        return
    out, fout = np.zeros(count, np.int32), np.zeros(count, np.float32)
    arguments = {"out": out, "fout": fout, "n": n}
    result = run(function, arguments, (BLOCKS, 1, 1), (THREADS, 1, 1), checks=checks, lanes=2 * THREADS)
    assert out.tolist() == memory["out"], show(function)
    assert np.array_equal(fout, np.array(memory["fout"], np.float32), equal_nan=True), show(function)
    assert not result.findings


@settings(max_examples=400, deadline=None)
@given(integers(st.one_of(st.sampled_from([X, Y]), constants())), st.sampled_from(INTEGERS))
def test_integer_expressions_wrap_and_truncate_as_in_c(expr: Expr, dtype: DType) -> None:
    xs = np.array([0, 1, -1, 7, -128, 2**31 - 1, -(2**31), 12345], np.int32)
    ys = np.array([0, 3, 2**32 - 1, 2**31, 31, 64, 5, 255], np.uint32)
    params = tuple(Param(n, t, True) for n, t in (("xs", I32), ("ys", U32), ("out", I64)))
    t = b.thread_index()
    body = (
        Decl("x", I32, init=b.load("xs", I32, t)),
        Decl("y", U32, init=b.load("ys", U32, t)),
        Assign(b.load("out", I64, t), b.cast(b.cast(expr, dtype), I64)),
    )
    out = np.zeros(8, np.int64)
    run(Function("f", params, Block(body)), {"xs": xs, "ys": ys, "out": out}, (1, 1, 1), (8, 1, 1))
    for x, y, found in zip(xs.tolist(), ys.tolist(), out.tolist(), strict=True):
        try:
            expected = evaluate(b.cast(b.cast(expr, dtype), I64), {"x": x, "y": y})
        except Undefined:
            continue
        assert found == expected, f"{show(expr)} at x={x}, y={y}"
