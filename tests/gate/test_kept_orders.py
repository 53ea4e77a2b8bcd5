"""Sizes that are raised with another one."""

from __future__ import annotations

from xpiler.gate.kept_orders import keeping_orders

RAN = [{"m": 37, "n": 3, "lda": 5}, {"m": 5, "n": 29, "lda": 37}]


def test_a_stride_that_was_never_less_than_the_row_is_raised_with_it() -> None:
    assert list(keeping_orders({"m": 5, "n": 2051, "lda": 5}, ["m", "n", "lda"], RAN)) == [("lda", 2053)]


def test_nothing_is_raised_where_no_order_is_broken_or_little_ran() -> None:
    assert not list(keeping_orders({"m": 5, "n": 29, "lda": 30}, ["m", "n", "lda"], RAN))
    assert not list(keeping_orders({"m": 5, "n": 2051, "lda": 5}, ["m", "n", "lda"], RAN[:1]))


def test_what_was_a_multiple_stays_one() -> None:
    ran = [{"n": 3, "lda": 32}, {"n": 29, "lda": 64}]
    assert list(keeping_orders({"n": 100, "lda": 32}, ["n", "lda"], ran)) == [("lda", 128)]
