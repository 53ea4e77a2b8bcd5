"""Conditions on lanes in their simplest form.

n - i >= 16 ? true : lane < n - i      lane in 0..16      -->      i + lane < n
"""

from __future__ import annotations

from dataclasses import replace

from xpiler.ir.build import add
from xpiler.ir.nodes import TRUE, Binary, Block, Const, Expr, For, Function, Select, Stmt, Var
from xpiler.ir.rewrite import map_expr, map_stmt


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


class _Masks:
    def __init__(self, lane: str, lanes: int) -> None:
        self.lane, self.lanes = lane, lanes

    def plain(self, expr: Expr) -> Expr:
        match expr:
            case Select(
                condition=Binary(op=">=" | ">", left=left, right=Const(value=count)) as all_set,
                then=then,
                otherwise=Binary(op="<", left=Binary() | Var()) as one,
            ) if then == TRUE and count + (all_set.op == ">") >= self.lanes:
                return one if self._counts(one, left) else expr
            case Binary(
                op="||",
                left=Binary(op=">=" | ">", left=left, right=Const(value=count)) as all_set,
                right=Binary(op="<", left=Binary() | Var()) as one,
            ) if count + (all_set.op == ">") >= self.lanes:
                return one if self._counts(one, left) else expr
            case Binary(op="<", left=Var(name=name) as lane, right=Binary(op="-", left=end, right=start)) if (
                name == self.lane and lane.dtype == end.dtype
            ):
                return replace(expr, left=add(start, lane), right=end)
        return expr

    def _counts(self, one: Binary, left: Expr) -> bool:
        """Whether a condition on one lane holds in all of them if `left` is at least their number."""
        lane = Var(one.left.dtype, self.lane)
        if one.left == lane and one.right == left:
            return True
        match left:
            case Binary(op="-", left=end, right=start):
                return one.left == add(start, lane) and one.right == end
        return False
