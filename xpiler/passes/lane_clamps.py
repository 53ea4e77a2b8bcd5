"""Elements whose places are clamped to an array's borders: one copy, the border's element on either side.

    x[i] = a[row + min(max(i + d, 0), w - 1)]  -->  begin = max(-d - i0, 0);  end = min(w - d - i0, count)
                                                    x_nram[0 .. begin] = a[row]
                                                    x_nram[begin .. end] <- a[row + i0 + begin + d ..]
                                                    x_nram[end .. count] = a[row + w - 1]

So the borders of an image are repeated outside of it. A clamp may have one side only.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from xpiler.ir.affine import coefficient
from xpiler.ir.build import maximum, minimum
from xpiler.ir.nodes import Binary, Call, Cast, Expr, Load, Var
from xpiler.ir.rewrite import free_vars, map_expr, walk

_CLAMPED = "clamped"


@dataclass(frozen=True)
class Clamped:
    """`index` for a place that is clamped: of `inside`, which grows by one from lane to lane, and at least
    `low` and at most `high`, as far as there are such. `last`: which of the two wins where they cross."""

    index: Expr
    hole: Var
    inside: Expr
    low: Expr | None
    high: Expr | None
    last: str

    def at(self, place: Expr) -> Expr:
        """The index of a place that is inside."""
        return map_expr(self.index, lambda e: place if e == self.hole else e)

    def lowest(self) -> Expr:
        assert self.low is not None
        return self.low if self.high is None or self.last == "max" else minimum(self.low, self.high)

    def highest(self) -> Expr:
        assert self.high is not None
        return self.high if self.low is None or self.last == "min" else maximum(self.low, self.high)


def clamped_place(index: Expr, lane: str, varies: Callable[[Expr], bool]) -> Clamped | None:
    """The index as one of neighbouring places that are clamped, if it is such."""
    found = [e for e in walk(index) if isinstance(e, Expr) and _operands(e) is not None and varies(e)]
    if not found:
        return None
    outer = found[0]  # of nested ones the outer comes first
    limits: dict[str, Expr] = {}
    inside, last = outer, ""
    while (step := _operands(inside)) is not None and varies(inside):
        op, left, right = step
        if varies(left) == varies(right) or op in limits:
            return None
        inside, limits[op] = (left, right) if varies(left) else (right, left)
        last = last or op
    hole = Var(outer.dtype, _CLAMPED)
    rest = map_expr(index, lambda e: hole if e == outer else e)
    within, along = coefficient(rest, hole.name), coefficient(inside, lane)
    if within is None or along is None or within.as_int != 1 or along.as_int != 1:
        return None
    if lane in free_vars(rest) or varies(rest) or any(isinstance(n, Load) for n in walk(inside)):
        return None
    return Clamped(rest, hole, inside, limits.get("max"), limits.get("min"), last)


def _operands(expr: Expr) -> tuple[str, Expr, Expr] | None:
    """The operator of a smaller or larger one of two integers, and these."""
    match expr:
        case Call(function="min" | "max" as op, args=(left, right)) if expr.dtype.is_integer:
            return op, left, right
        case Binary(op="min" | "max" as op, left=left, right=right) if expr.dtype.is_integer:
            return op, left, right
        case Cast(operand=operand) if expr.dtype == operand.dtype:
            return _operands(operand)
    return None
