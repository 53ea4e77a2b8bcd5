"""Conditions on lanes in their simplest form.

n - i >= 16 ? true : lane < n - i                           lane in 0..16     -->   i + lane < n
n - i > 16 && lane < n - i - 16                                               -->   i + (16 + lane) < n
n - i <= 16 ? false : n - i >= 32 || lane < n - i - 16                        -->   i + (16 + lane) < n
"""

from __future__ import annotations

from dataclasses import replace

from xpiler.ir.affine import linear
from xpiler.ir.affine_form import of_var
from xpiler.ir.build import add, sub
from xpiler.ir.nodes import (
    EMPTY,
    FALSE,
    TRUE,
    Assign,
    Binary,
    Block,
    Const,
    Expr,
    For,
    Function,
    If,
    Select,
    Stmt,
    Var,
)
from xpiler.ir.rewrite import map_body, map_expr, map_stmt
from xpiler.ir.types import BOOL


def plain_masks(function: Function) -> Function:
    """In all loops over a constant number of lanes."""

    def change(stmt: Stmt) -> Stmt:
        match stmt:
            case For(start=Const(value=0), stop=Const(value=lanes), step=Const(value=1)):
                masks = _Masks(stmt.var, int(lanes))
                body = map_expr(stmt.body, masks.plain)
                return stmt if body is stmt.body else replace(stmt, body=body)
        return stmt

    body = map_stmt(function.body, change)
    assert isinstance(body, Block)
    return function if body is function.body else replace(function, body=body)


def masked_steps(function: Function) -> Function:
    """`sum[lane] = lane < n ? sum[lane] + x : sum[lane]` as `if (lane < n) sum[lane] = sum[lane] + x`, in
    plain functions: registers whose masked lanes keep what they have."""

    def change(stmt: Stmt) -> Stmt:
        match stmt:
            case Assign(
                target=target, value=Select(condition=condition, then=then, otherwise=kept), reduce=None
            ) if kept == target:
                return If(condition, Block((replace(stmt, value=then),)), EMPTY, range=stmt.range)
        return stmt

    return map_body(function, change) if function.is_serial else function


class _Masks:
    def __init__(self, lane: str, lanes: int) -> None:
        self.lane, self.lanes = lane, lanes

    def plain(self, expr: Expr) -> Expr:
        match expr:
            case Select(condition=Binary() as test, then=then, otherwise=Binary(op="<") as one) if (
                then == TRUE
            ):
                return one if self.all_set(test, one) else expr
            case Select(condition=Binary() as test, then=Binary(op="<") as one, otherwise=otherwise) if (
                otherwise == FALSE
            ):
                return one if self.none_set(_opposite(test), one) else expr
            case Select(condition=Binary() as test, then=then, otherwise=Binary(op="<") as one) if (
                then == FALSE
            ):
                return one if self.none_set(test, one) else expr
            case Binary(op="||", left=Binary() as test, right=Binary(op="<") as one):
                return one if self.all_set(test, one) else expr
            case Binary(op="&&", left=Binary() as test, right=Binary(op="<") as one):
                return one if self.none_set(_opposite(test), one) else expr
            case Binary(op="<", left=left, right=Binary(op="-", left=end, right=start)) if (
                left.dtype == end.dtype and self._is_lane(left)
            ):
                return self.plain(replace(expr, left=add(start, left), right=end))
        return expr

    def all_set(self, test: Binary, one: Binary) -> bool:
        """Whether the condition `one` on a lane holds in all of them where `test` holds."""
        ahead = self._ahead(test, one)
        at_least = {">=": 0, ">": 1}.get(test.op)
        return ahead is not None and at_least is not None and ahead + at_least >= self.lanes

    def none_set(self, test: Binary, one: Binary) -> bool:
        """Whether it holds in none of them where `test` holds."""
        ahead = self._ahead(test, one)
        at_most = {"<=": 0, "<": -1}.get(test.op)
        return ahead is not None and at_most is not None and ahead + at_most <= 0

    def _ahead(self, test: Binary, one: Binary) -> int | None:
        """How many lanes `one` holds for where the sides of `test` are the same."""
        if not isinstance(test.right, Const) or not test.left.dtype.is_integer or test.left.dtype == BOOL:
            return None
        room, left = linear(sub(one.right, one.left)), linear(test.left)
        if room is None or left is None:
            return None
        return (room + of_var(self.lane, one.left.dtype) - left + int(test.right.value)).as_int

    def _is_lane(self, expr: Expr) -> bool:
        """The lane, or the lane and what was moved to it from the other side."""
        match expr:
            case Var(name=name):
                return name == self.lane
            case Binary(op="+", right=right):
                return self._is_lane(right)
        return False


def _opposite(test: Binary) -> Binary:
    return replace(test, op={">": "<=", ">=": "<", "<": ">=", "<=": ">"}.get(test.op, test.op))
