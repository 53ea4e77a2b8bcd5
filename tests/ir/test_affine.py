"""The index algebra against brute force over all values of the variables."""

from __future__ import annotations

import itertools
import operator
from collections.abc import Iterator

import pytest
from hypothesis import given, settings

from tests.ir.scalar import Undefined, evaluate, to_type
from tests.ir.strategies import RANGES, index_expressions
from tests.pace import paces
from xpiler.ir import build
from xpiler.ir.affine import (
    bounds,
    coefficient,
    delinearise,
    digits,
    lift,
    linear,
    prove_le,
    prove_lt,
    simplify,
    stride,
    substitute,
    to_expr,
)
from xpiler.ir.build import add, cast, div, lt, mod, mul, sub, var
from xpiler.ir.nodes import Binary, Expr
from xpiler.ir.printer import show
from xpiler.ir.rewrite import free_vars, walk
from xpiler.ir.types import I32, I64, U32, Kind

EXACT = {"+": operator.add, "-": operator.sub, "*": operator.mul}
A, B, C, K, M, N = (var(name) for name in "abcKMn")


def environments(expr: Expr) -> Iterator[dict[str, int]]:
    """All values of the variables but those for which C gives no meaning: signed arithmetic overflows."""
    names = sorted(free_vars(expr))
    for values in itertools.product(*(range(RANGES[n][0], RANGES[n][1] + 1) for n in names)):
        env = dict(zip(names, values, strict=True))
        if not any(overflows(part, env) for part in walk(expr)):
            yield env


def overflows(expr: Expr, env: dict[str, int]) -> bool:
    if not isinstance(expr, Binary) or expr.op not in EXACT or expr.dtype.kind is not Kind.INT:
        return False
    exact = EXACT[expr.op](evaluate(expr.left, env), evaluate(expr.right, env))
    return to_type(exact, expr.dtype) != exact


@settings(max_examples=400, deadline=None)
@given(index_expressions())
def test_a_simplified_expression_has_the_same_values(expr: Expr) -> None:
    simple = simplify(expr, RANGES)
    for env in environments(expr):
        assert evaluate(simple, env) == evaluate(expr, env), f"{show(expr)} --> {show(simple)} at {env}"


@settings(max_examples=300, deadline=None)
@given(index_expressions())
def test_no_value_lies_outside_the_bounds(expr: Expr) -> None:
    low, high = bounds(expr, RANGES)
    for env in environments(expr):
        value = evaluate(expr, env)
        assert low is None or low <= value
        assert high is None or value <= high


@settings(max_examples=300, deadline=None)
@given(index_expressions(), index_expressions())
def test_what_is_proved_is_true(left: Expr, right: Expr) -> None:
    left, right = cast(left, I64), cast(right, I64)
    test = lt(left, right)
    decided = simplify(test, RANGES)
    for env in environments(test):
        assert evaluate(decided, env) == evaluate(test, env)


@settings(max_examples=200, deadline=None)
@given(index_expressions())
def test_a_constant_stride_is_the_difference_of_neighbours(expr: Expr) -> None:
    step = stride(expr, "a", RANGES)
    if step is None or "b" in free_vars(expr):  # u32 arithmetic is taken not to wrap
        return
    for env in environments(expr):
        if env.get("a", 3) == 3:
            continue
        here, there = evaluate(expr, env), evaluate(expr, {**env, "a": env["a"] + 1})
        assert (there - here - step) % 2**32 == 0


@pytest.mark.parametrize(
    ("expr", "expected"),
    [
        (div(add(mul(A, 16), B), 16), "a"),
        (mod(add(mul(A, 16), B), 16), "b"),
        (div(add(mul(A, 16), B), 64), "a / 4"),
        (add(mul(div(N, 8), 8), mod(N, 8)), "n"),
        (div(add(mul(A, K), C), K), "a"),
        (mod(add(mul(A, K), C), K), "c"),
        (build.binary(">>", add(mul(A, 32), B), 5), "a"),
        (build.binary("&", add(mul(A, 32), B), 31), "b"),
        (div(div(N, 4), 8), "n / 32"),
        (sub(add(A, B), A), "b"),
        (lt(B, 16), "true"),
        (build.minimum(B, 40), "b"),
        (div(mul(sub(B, M), sub(M, 3)), sub(M, 3)), "(b - M) * (M - 3) / (M - 3)"),
        (div(mul(sub(B, M), mul(div(M, 4), 4)), mul(div(M, 4), 4)), "-M + b"),
        (mod(mul(sub(B, M), M), M), "0"),
        (build.minimum(A, build.maximum(A, B)), "a"),
        (build.maximum(0, build.minimum(40, sub(K, C))), "min(40, K - c)"),
        (build.minimum(0, sub(6, build.maximum(build.minimum(6, sub(M, N)), 0))), "0"),
        (build.select(lt(B, 16), A, C), "a"),
    ],
)
def test_digits_of_a_mixed_radix_number_are_recovered(expr: Expr, expected: str) -> None:
    ranges = {"a": (0, None), "b": (0, 15), "n": (0, None), "K": (1, None), "c": (0, sub(K, 1))}
    assert show(simplify(expr, ranges)) == expected


@pytest.mark.parametrize(
    "expr",
    [
        div(sub(mul(A, 8), mul(B, 3)), 4),
        mod(sub(mul(A, 8), mul(B, 3)), 4),
        div(sub(add(mul(A, 6), 40), mul(B, 5)), 3),
        build.binary(">>", sub(mul(A, 8), mul(B, 3)), 2),
        build.binary("&", sub(mul(A, 8), mul(B, 3)), 3),
        div(div(add(mul(A, 24), B), 4), 6),
        mod(div(add(mul(A, 24), mul(B, 4)), 4), 6),
    ],
    ids=show,
)
def test_digits_that_may_be_negative_keep_their_value(expr: Expr) -> None:
    ranges = {"a": (3, 9), "b": (0, 7)}
    simple = simplify(expr, ranges)
    for a, b in itertools.product(range(3, 10), range(8)):
        assert evaluate(simple, {"a": a, "b": b}) == evaluate(expr, {"a": a, "b": b}), show(simple)


def test_division_of_a_possibly_negative_number_stays() -> None:
    expr = div(add(mul(A, 16), B), 16)
    assert simplify(expr, {"a": (-2, 2), "b": (0, 15)}) is expr


def test_unsigned_arithmetic_that_may_wrap_is_not_looked_through() -> None:
    big = var("x", U32)
    expr = div(mul(big, 16), 16)
    assert simplify(expr, {"x": (0, 2**31)}) is expr
    assert show(simplify(expr, {"x": (0, 100)})) == "x"


def test_a_launch_index_loses_its_conversions_where_it_fits() -> None:
    index = cast(add(mul(build.block_index(), 16), build.thread_index()), I32)
    ranges = {"blockIdx.x": (0, 7), "threadIdx.x": (0, 15)}
    assert show(simplify(mod(index, 16), ranges)) == "(i32)threadIdx.x"
    assert simplify(mod(index, 16), {"threadIdx.x": (0, 15)}) == mod(index, 16)


def test_a_tiled_index_with_symbolic_extents_stays_in_bounds() -> None:
    ranges = {"a": (0, sub(M, 1)), "c": (0, sub(K, 1)), "K": (1, None), "M": (1, None)}
    assert prove_lt(add(mul(A, K), C), mul(M, K), ranges)
    assert not prove_lt(add(mul(A, K), add(C, 1)), mul(M, K), ranges)


def test_four_elements_a_thread_stay_in_bounds() -> None:
    assert prove_lt(add(mul(A, 4), 3), N, {"a": (0, sub(div(N, 4), 1)), "n": (0, None)})
    assert not prove_lt(add(mul(A, 4), 3), N, {"a": (0, div(N, 4)), "n": (0, None)})
    whole = {"a": (0, sub(div(N, 4), 1)), "n": (4, None)}
    assert prove_lt(A, div(add(N, 3), 4), whole)
    assert not prove_lt(add(A, 1), div(add(N, 3), 4), whole)
    assert prove_le(mul(div(N, 4), 4), N, {"n": (0, None)})


def test_strides_and_digits() -> None:
    index = add(mul(A, K), add(mul(B, 2), 7))
    ranges = {"a": (0, 3), "b": (0, 4), "K": (10, None)}
    assert str(coefficient(index, "a")) == "K"
    assert stride(index, "b") == 2
    assert stride(index, "c") == 0
    assert coefficient(mul(A, A), "a") is None
    found = digits(index, ranges)
    assert found is not None and [d.variable for d in found] == ["a", "b"]
    assert digits(index, {**ranges, "K": (8, None)}) is None, "b reaches the next row"


@settings(max_examples=200, deadline=None)
@given(index_expressions())
def test_digits_are_found_only_where_values_are_distinct(expr: Expr) -> None:
    used = free_vars(expr)
    found = digits(expr, {n: RANGES[n] for n in used})
    if found is None or {d.variable for d in found} != used:
        return
    try:
        values = [evaluate(expr, env) for env in environments(expr)]
    except Undefined:
        return
    assert len(set(values)) == len(values)


def test_a_flat_index_becomes_one_index_a_dimension() -> None:
    flat = add(mul(add(mul(A, M), B), K), C)
    ranges = {"a": (0, None), "b": (0, sub(M, 1)), "c": (0, sub(K, 1)), "K": (1, None), "M": (1, None)}
    found = delinearise(flat, (N, M, K), ranges)
    assert found is not None and [str(i) for i in found] == ["a", "b", "c"]
    assert delinearise(flat, (N, K, M), ranges) is None


def test_substitution_reaches_into_divisions() -> None:
    form = linear(div(add(A, B), 8), {"a": (0, 9), "b": (0, 9)})
    assert form is not None
    assert show(to_expr(substitute(form, {"a": mul(C, 8), "b": lift(3)}), I32)) == "(c * 8 + 3) / 8"


def test_a_proof_that_does_not_succeed_ends_soon() -> None:
    """Each remainder may be replaced by an end of its interval, in any order: not all orders are tried."""
    names = [f"x{n}" for n in range(24)]
    ranges = dict.fromkeys(names, (0, None)) | {"n": (1, 100)}
    total: Expr = var("n")
    for position, name in enumerate(names):
        total = sub(total, mul(mod(var(name), add(var("n"), position)), position + 1))
    assert paces(lambda: prove_le(0, total, ranges)) < 600
    assert not prove_le(0, total, ranges)


def test_equal_questions_about_other_ranges_have_their_own_answers() -> None:
    for top in (7, 8, 7):
        assert show(simplify(div(A, 8), {"a": (0, top)})) == ("0" if top == 7 else "a / 8")


def test_digits_taken_apart_and_put_together_are_the_index() -> None:
    i = var("i", I32)
    rows, columns = mod(div(i, 240), 8), mod(div(i, 24), 10)
    index = add(mul(add(mul(add(mul(div(i, 1920), 8), rows), 10), columns), 24), mod(i, 24))
    assert show(simplify(index, {"i": (0, None)})) == "i"


@pytest.mark.parametrize("signed", [False, True])
def test_digits_of_one_number_are_that_number(signed: bool) -> None:
    """Of a number that may be negative quotient and remainder are C's, which fit each other as well."""
    ranges = {} if signed else {"a": (0, None)}
    assert show(simplify(add(mul(div(A, 24), 24), mod(A, 24)), ranges)) == "a"
    if not signed:
        assert show(simplify(add(mul(div(mod(A, 8), 2), 2), mod(A, 2)), ranges)) == "a % 8"
        assert show(simplify(add(mul(mod(div(A, 2), 4), 2), mod(A, 2)), ranges)) == "a % 8"
    other = add(mul(div(A, 8), 4), mod(A, 4))
    assert "/" in show(simplify(other, ranges))
