"""Conditions on the lane of a vector as ranges of lanes, so that instructions run on those lanes only.

    if (i >= 2 && i - k < n) y[i] = x[i - k]   -->   begin = max(0, 2 - i0);  end = min(count, n + k - i0);
                                                     if (begin < end) y[i0 + begin ..] = x[i0 - k + begin ..]

A comparison whose sides differ by a multiple of the lane cuts a tile at one place. The multiple may be an
expression that is the same for all lanes: the cut is right where it is positive, which the caller has to see
to. Bounds of 64 bits (`i < limit` with the largest number for none) are compared as such before they count
lanes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from xpiler.ir.affine import Affine, coefficient, linear, to_expr
from xpiler.ir.build import add, cast, const, div, lt, maximum, minimum, sub
from xpiler.ir.nodes import Binary, Call, Cast, Expr, Load, Unary, Var
from xpiler.ir.rewrite import substitute, walk
from xpiler.ir.types import I32, I64, DType

_OPPOSITE = {"<": ">=", ">=": "<", ">": "<=", "<=": ">"}
_TURNED = {"<": ">", ">": "<", "<=": ">=", ">=": "<="}


@dataclass(frozen=True)
class Parts:
    """The conjuncts of a condition: the same for all lanes, cutting the lanes, and anything else."""

    uniform: tuple[Expr, ...]
    cuts: tuple[Expr, ...]
    other: tuple[Expr, ...]


def parts_of(condition: Expr, lane: str, varies: Callable[[Expr], bool]) -> Parts:
    uniform: list[Expr] = []
    cuts: list[Expr] = []
    other: list[Expr] = []
    for part in _joined_by_and(condition):
        if not varies(part):
            uniform.append(part)
            continue
        for conjunct in conjuncts(part):
            kind = uniform if not varies(conjunct) else cuts if is_cut(conjunct, lane, varies) else other
            kind.append(conjunct)
    return Parts(tuple(uniform), tuple(cuts), tuple(other))


def joined(condition: Expr, lane: str, varies: Callable[[Expr], bool]) -> tuple[Expr, bool]:
    """The condition or its opposite (then True): the one whose parts, joined by `&&`, are ranges of lanes."""
    if isinstance(condition, Binary) and condition.op == "||":
        turned = Unary(condition.dtype, "!", condition)
        return (condition, False) if parts_of(turned, lane, varies).other else (turned, True)
    if (
        isinstance(condition, Unary)
        and isinstance(condition.operand, Binary)
        and condition.operand.op == "&&"
    ):
        return condition.operand, True
    return condition, False


def _joined_by_and(condition: Expr) -> list[Expr]:
    match condition:
        case Binary(op="&&", left=left, right=right):
            return [*_joined_by_and(left), *_joined_by_and(right)]
    return [condition]


def conjuncts(condition: Expr) -> list[Expr]:
    match condition:
        case Binary(op="&&", left=left, right=right):
            return [*conjuncts(left), *conjuncts(right)]
        case Unary(op="!", operand=Binary(op="||", left=left, right=right)):
            return [*conjuncts(opposite(left)), *conjuncts(opposite(right))]
        case Unary(op="!", operand=inner) if opposite(inner) != condition:
            return conjuncts(opposite(inner))
        case Binary(op="==", left=left, right=right) if left.dtype.is_integer:
            return [Binary(condition.dtype, op, left, right) for op in ("<=", ">=")]
    return [condition]


def opposite(condition: Expr) -> Expr:
    match condition:
        case Unary(op="!", operand=inner):
            return inner
        case Binary(op=op, left=left, right=right) if op in _OPPOSITE and left.dtype.is_integer:
            return Binary(condition.dtype, _OPPOSITE[op], left, right)
    return Unary(condition.dtype, "!", condition)


def is_cut(condition: Expr, lane: str, varies: Callable[[Expr], bool]) -> bool:
    if not isinstance(condition, Binary) or condition.op not in _OPPOSITE:
        return False
    if not condition.left.dtype.is_integer:
        return False
    if any(isinstance(n, (Load, Call)) and varies(n) for n in walk(condition)):
        return False
    if varies(substitute(condition, {lane: const(0)})):
        return False  # each lane is compared with a number of its own
    step = _step(condition, lane)
    return step is not None and step.as_int != 0 and lane not in step.variables()


def _sides(condition: Binary) -> tuple[Expr, Expr]:
    """a and b of a < b or a <= b."""
    turned = condition.op in (">", ">=")
    return (condition.right, condition.left) if turned else (condition.left, condition.right)


def _step(condition: Binary, lane: str) -> Affine | None:
    low, high = _sides(condition)
    return coefficient(sub(low, high), lane)


@dataclass(frozen=True)
class Cut:
    """Lanes from `begin` on, or lanes before `end`, counted from the first one of the tile; where `needs`
    (an expression) is positive."""

    begin: Expr | None
    end: Expr | None
    needs: Expr | None


def cut_of(condition: Expr, lane: str, first: Expr) -> Cut:
    """Where a condition with `is_cut` holds; `first` is the lane at the start of the tile."""
    assert isinstance(condition, Binary)
    low, high = _sides(condition)
    step = _step(condition, lane)
    assert step is not None
    below = substitute(sub(high, low), {lane: first})  # the condition holds while this minus step * t > 0
    if condition.op in ("<=", ">="):
        below = add(below, 1)
    form = linear(below)
    width = _width(below)
    room = to_expr(form, width) if form is not None else below
    number = step.as_int
    by = const(abs(number), width) if number is not None else to_expr(step if _grows(step) else -step, width)
    needs = by if number is None else None
    if _grows(step):
        end = room if number == 1 else div(add(maximum(const(0, width), room), sub(by, 1)), by)
        return Cut(None, end, needs)
    away = linear(sub(const(1), room))
    begin = to_expr(away, width) if away is not None else sub(const(1), room)
    if number != -1:  # room + |a| t > 0 from t = ceil((1 - room) / |a|) on
        begin = div(add(maximum(const(0, width), begin), sub(by, 1)), by)
    return Cut(begin, None, needs)


def _width(bound: Expr) -> DType:
    wide = any(isinstance(n, (Var, Load)) and n.dtype.bits > I32.bits for n in walk(bound))
    return I64 if wide else I32


def clamped(place: Expr, low: Expr, high: Expr) -> Expr:
    """What a cut says, which may be of 64 bits, as a number of lanes from `low` to `high`."""
    if place.dtype.bits <= I32.bits:
        return place
    return cast(minimum(maximum(place, low), high), I32)


def lane_test(
    condition: Binary, lane: str, first: Expr, varies: Callable[[Expr], bool]
) -> tuple[str, Expr] | None:
    """A comparison of the lane with what is the same for all of them, as the operator and the number that
    places in the tile are compared with; None for another one."""
    if condition.op not in (*_OPPOSITE, "==", "!=") or not condition.left.dtype.is_integer:
        return None
    step = coefficient(sub(condition.left, condition.right), lane)
    if step is None or step.as_int not in (1, -1):
        return None
    if any(isinstance(n, (Load, Call)) and varies(n) for n in walk(condition)):
        return None
    if varies(substitute(condition, {lane: const(0)})):
        return None
    here = linear(substitute(sub(condition.left, condition.right), {lane: first}))
    if here is None:
        return None
    if step.as_int == 1:
        return condition.op, to_expr(-here, I64)
    return _TURNED.get(condition.op, condition.op), to_expr(here, I64)


def is_clamped(place: Expr) -> bool:
    return isinstance(place, Cast) and place.operand.dtype == I64 and place.dtype == I32


def _grows(step: Affine) -> bool:
    """Whether a step is positive, as long as what it is a multiple of is."""
    return step.terms[0][1] > 0


def positive(needs: Sequence[Expr]) -> list[Expr]:
    return [lt(const(0), each) for each in dict.fromkeys(needs)]
