"""Reduction steps are run on symbols, and no longer than they can come to anything."""

from __future__ import annotations

import pytest

from xpiler.ir import build as b
from xpiler.ir.nodes import Assign, Block, For
from xpiler.ir.types import F32, I32
from xpiler.passes.reduction_steps import Machine, Reduced, Unknown

K = b.var("k")


def added(array: str) -> For:
    """`for k in 0..4: sums[0] += array[k] * array[k]`, or without the product for `values`."""
    value = b.load(array, F32, K)
    term = value if array == "values" else b.mul(value, value)
    body = Block((Assign(b.load("sums", F32, 0), term, "+"),))
    return For("k", I32, b.const(0), b.const(4), b.const(1), body)


def machine(accumulated: frozenset[str]) -> Machine:
    shapes = {"sums": (1,), "values": (4,), "factors": (4,)}
    made = Machine(shapes, accumulated=accumulated)
    made.arrays["sums", 0] = 0.0
    return made


def test_a_sum_of_elements_is_a_set_of_them() -> None:
    ran = machine(frozenset({"sums"}))
    ran.step(added("values"))
    assert ran.arrays["sums", 0] == Reduced("+", "values", 0b1111, ())


def test_a_sum_of_products_ends_the_run_at_its_first_term() -> None:
    ran = machine(frozenset({"sums"}))
    with pytest.raises(Unknown, match="sum of products"):
        ran.step(added("factors"))
    assert ran.steps == 2
    patient = machine(frozenset())
    patient.step(added("factors"))
    assert patient.steps == 5
