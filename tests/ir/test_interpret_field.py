"""Equal programs give equal residues, programs that differ give different ones."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.ir.kernels import array, index, integer, kernel, tiled_gemm
from xpiler.errors import Refusal
from xpiler.ir import build as b
from xpiler.ir.interpret import run
from xpiler.ir.interpret_field import UNKNOWN, Field, P, Q, random_residues, residues
from xpiler.ir.nodes import Assign, Block, Decl, Expr, For, Function, Load, Param, Stmt
from xpiler.ir.types import F32, I32

FIELD = Field()
I, J, N = b.var("i"), b.var("j"), b.var("n")  # noqa: E741
NUMBERS = st.fractions(min_value=-50, max_value=50, max_denominator=64).filter(
    lambda f: f.denominator & (f.denominator - 1) == 0
)


def loop(name: str, stop: Expr | int, *body: Stmt) -> For:
    return For(name, I32, b.const(0), b.as_expr(stop), b.const(1), Block(body))


def x(where: Expr) -> Load:
    return b.load("x", F32, where)


def exp(value: Expr) -> Expr:
    return b.call("exp", F32, value)


def value_of(packed: int) -> tuple[int, int]:
    return packed & (2**31 - 1), packed >> 31


@settings(max_examples=200, deadline=None)
@given(NUMBERS, NUMBERS, st.sampled_from("+-*/"))
def test_arithmetic_is_that_of_fractions(first: Fraction, second: Fraction, op: str) -> None:
    if op == "/" and second == 0:
        return
    exact = (
        {"+": first + second, "-": first - second, "*": first * second}.get(op)
        if op != "/"
        else first / second
    )
    assert exact is not None
    packed = FIELD.binary(op, F32)(*(np.int64(v) for v in residues([float(first), float(second)])))
    assert value_of(int(packed)) == tuple(exact.numerator * pow(exact.denominator, -1, m) % m for m in (P, Q))


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32))
def test_exp_turns_sums_into_products(seed: int) -> None:
    u, v = random_residues(2, np.random.default_rng(seed))
    function, plus, times = FIELD.call("exp", F32, F32), FIELD.binary("+", F32), FIELD.binary("*", F32)
    assert function(plus(u, v)) == times(function(u), function(v))
    assert value_of(int(function(u)))[1] == UNKNOWN
    log2_e = FIELD.const(1.4426950408889634, F32)
    assert FIELD.call("exp2", F32, F32)(times(u, log2_e)) == function(u)


def test_a_tiled_gemm_is_the_plain_one_whatever_the_order_of_sums() -> None:
    rng = np.random.default_rng(3)
    m, n, k = 20, 18, 37
    a, bb, c = random_residues((m, k), rng), random_residues((k, n), rng), np.zeros((m, n), np.int64)
    run(
        tiled_gemm(),
        {"A": a, "B": bb, "C": c, "m": m, "n": n, "depth": k},
        (2, 2, 1),
        (16, 16, 1),
        mode="field",
    )
    exact = (a & (2**31 - 1)).astype(object) @ (bb & (2**31 - 1)).astype(object) % P
    assert np.array_equal(c & (2**31 - 1), exact)


def naive_softmax() -> Function:
    """exp(x_i) / sum exp(x_j), without the maximum."""
    total = b.var("total", F32)
    return kernel(
        [array("x"), array("y"), integer("n")],
        Decl("total", F32, init=b.const(0.0, F32)),
        loop("j", N, Assign(total, exp(x(J)), "+")),
        loop("i", N, Assign(b.load("y", F32, I), b.div(exp(x(I)), total))),
    )


def online_softmax(*, rescale: bool = True) -> Function:
    """The running maximum and sum of flash attention."""
    peak, total, new = b.var("peak", F32), b.var("total", F32), b.var("new", F32)
    scaled = b.mul(total, exp(b.sub(peak, new))) if rescale else total
    step = (
        Decl("new", F32, init=b.maximum(peak, x(J))),
        Assign(total, b.add(scaled, exp(b.sub(x(J), new)))),
        Assign(peak, new),
    )
    return kernel(
        [array("x"), array("y"), integer("n")],
        Decl("peak", F32, init=b.const(float("-inf"), F32)),
        Decl("total", F32, init=b.const(0.0, F32)),
        loop("j", N, *step),
        loop("i", N, Assign(b.load("y", F32, I), b.div(exp(b.sub(x(I), peak)), total))),
    )


def outcome(function: Function) -> np.ndarray:
    values, y = random_residues(19, np.random.default_rng(5)), np.zeros(19, np.int64)
    assert not run(function, {"x": values, "y": y, "n": 19}, mode="field").findings
    return y


def test_online_softmax_is_softmax_and_without_the_rescaling_it_is_not() -> None:
    assert np.array_equal(outcome(online_softmax()), outcome(naive_softmax()))
    assert not np.array_equal(outcome(online_softmax(rescale=False)), outcome(naive_softmax()))


def test_tanh_and_sigmoid_are_made_of_exp() -> None:
    u = random_residues(4, np.random.default_rng(1))
    one, two = FIELD.const(1.0, F32), FIELD.const(2.0, F32)
    plus, minus, times, over = (FIELD.binary(op, F32) for op in "+-*/")
    sigmoid = over(one, plus(one, FIELD.call("exp", F32, F32)(FIELD.unary("-", F32)(times(two, u)))))
    assert np.array_equal(minus(times(two, sigmoid), one), FIELD.call("tanh", F32, F32)(u))


def test_other_functions_depend_on_their_argument_alone() -> None:
    u = random_residues(100, np.random.default_rng(1))
    found = FIELD.call("erf", F32, F32)(u)
    assert np.array_equal(found, FIELD.call("erf", F32, F32)(u.copy()))
    assert np.unique(found).size == 100
    assert not np.array_equal(found, FIELD.call("sin", F32, F32)(u))


def test_small_integers_are_ordered_as_such() -> None:
    values = np.arange(-5, 6)
    packed = residues(values)
    zero = FIELD.const(0.0, F32)
    assert np.array_equal(FIELD.call("max", F32, F32)(packed, zero), residues(np.maximum(values, 0)))
    assert np.array_equal(FIELD.binary("<", F32)(packed, zero), values < 0)


def test_residues_have_no_bits() -> None:
    function = Function(
        "f", (Param("x", F32, True),), Block((Assign(Load(I32, "x", (b.const(0),)), b.const(1)),))
    )
    with pytest.raises(Refusal, match="cannot be read as i32"):
        run(function, {"x": residues([1.0])}, mode="field")


def test_lanes_and_scalars_compute_the_same() -> None:
    function = kernel(
        [array("x")], index("i"), Assign(x(I), b.call("rsqrt", F32, b.add(b.mul(x(I), x(I)), 1.0)))
    )
    values = random_residues(6, np.random.default_rng(9))
    alone = values.copy()
    run(function, {"x": values}, (2, 1, 1), (3, 1, 1), mode="field")
    for i in range(6):
        run(function, {"x": alone[i : i + 1]}, mode="field")
    assert np.array_equal(values, alone)
