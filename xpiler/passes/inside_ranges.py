"""A choice between an element and a number, by loops: the ranges of the counters in which it is the element.

    for y in 0..Y: for x in 0..X:                   y_from = min(max(0, -r), Y); y_to = ...
      v = 0 <= y + r && y + r < H && x + q < W      for y in y_from..y_to: for x in x_from..x_to:
          ? a : 0                             -->     v = a
                                                    and 0 elsewhere

Of conditions joined by `&&` that compare, each, one counter at most and things that stay the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from xpiler.ir.affine import linear, stride
from xpiler.ir.affine_form import Affine, lift, to_expr
from xpiler.ir.build import and_, const, gt, lt, maximum, minimum, not_, or_, select, sub
from xpiler.ir.nodes import Binary, Const, Decl, Expr, For, Load, Select, Var
from xpiler.ir.rewrite import free_vars, walk
from xpiler.passes.names import Names


@dataclass(frozen=True)
class Inside:
    """`value` where counter k is one of `lengths[k]` from `starts[k]`, `otherwise` elsewhere. `bounds`
    declare what these use; `partly`: there is an elsewhere."""

    value: Expr
    otherwise: Const
    starts: tuple[Expr, ...]
    lengths: tuple[Expr, ...]
    bounds: tuple[Decl, ...]
    partly: Expr


def inside_of(value: Expr, loops: Sequence[For], names: Names) -> Inside | None:
    """None if the value is no such choice. The loops count from 0 by 1, to what is the same in all."""
    if not isinstance(value, Select) or not isinstance(value.otherwise, Const):
        return None
    counters = {loop.var for loop in loops}
    lows: dict[str, list[Expr]] = {loop.var: [] for loop in loops}
    highs: dict[str, list[Expr]] = {loop.var: [] for loop in loops}
    always: list[Expr] = []
    for condition in parts_of(value.condition):
        mentioned = free_vars(condition) & counters
        if not mentioned:
            always.append(condition)
            continue
        var = next(iter(mentioned))
        low, high = (bound_of(condition, var) if len(mentioned) == 1 else None) or (None, None)
        if low is not None:
            lows[var].append(low)
        elif high is not None:
            highs[var].append(high)
        else:
            return None
    bounds: list[Decl] = []
    starts: list[Expr] = []
    lengths: list[Expr] = []
    partly: list[Expr] = []
    for loop in loops:
        start: Expr = const(0, loop.dtype)
        stop = loop.stop
        if lows[loop.var]:
            for low in lows[loop.var]:
                start = maximum(start, low)
            bounds.append(Decl(names.fresh(f"{loop.var}_from"), loop.dtype, init=minimum(start, loop.stop)))
            start = Var(loop.dtype, bounds[-1].name)
            partly.append(gt(start, const(0, loop.dtype)))
        if highs[loop.var]:
            for high in highs[loop.var]:
                stop = minimum(stop, high)
            bounds.append(Decl(names.fresh(f"{loop.var}_to"), loop.dtype, init=maximum(stop, start)))
            stop = Var(loop.dtype, bounds[-1].name)
            partly.append(lt(stop, loop.stop))
        starts.append(start)
        lengths.append(sub(stop, start))
    if always:
        holds = and_(*always)
        lengths[0] = select(holds, lengths[0], const(0, lengths[0].dtype))
        partly.append(not_(holds))
    return Inside(value.then, value.otherwise, tuple(starts), tuple(lengths), tuple(bounds), or_(*partly))


def parts_of(condition: Expr) -> list[Expr]:
    """What `&&` joins."""
    match condition:
        case Binary(op="&&", left=left, right=right):
            return [*parts_of(left), *parts_of(right)]
    return [condition]


def bound_of(condition: Expr, var: str) -> tuple[Expr | None, Expr | None] | None:
    """The least value that a counter may have, or what it must stay below; None: it says something else."""
    if not isinstance(condition, Binary) or condition.op not in ("<", "<=", ">", ">="):
        return None
    left, right = linear(condition.left), linear(condition.right)
    signed = all(e.dtype.is_integer and e.dtype.is_signed for e in (condition.left, condition.right))
    if left is None or right is None or not signed or any(isinstance(n, Load) for n in walk(condition)):
        return None
    form: Affine = (
        left - right if condition.op in (">", ">=") else right - left
    )  # is positive, or not negative
    if condition.op in ("<", ">"):
        form = form - lift(1)  # is not negative
    step = stride(form, var)
    counter = next(n for n in walk(condition) if isinstance(n, Var) and n.name == var)
    if step not in (1, -1):
        return None
    own = linear(counter)
    assert own is not None
    rest = form - own if step == 1 else form + own
    if var in rest.variables():
        return None
    if step == 1:
        return to_expr(lift(0) - rest, counter.dtype), None
    return None, to_expr(rest + lift(1), counter.dtype)
