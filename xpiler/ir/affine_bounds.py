"""What is known of an index form from the ranges of its variables: intervals, and proofs of `0 <= form`.

A range is `(lowest, highest)`, inclusive; each end is a number, a form over other variables (`n - 1`), or
None if nothing is known. Variables without a range have that of their type, the SIMT indices that of the
hardware.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import gcd, lcm

from xpiler.ir.affine_form import Affine, Atom, FloorDiv, Mod, lift, split_by_var
from xpiler.ir.build import int_limits, truncating_div
from xpiler.ir.nodes import Binary, Call, Cast, Const, Expr, Select, Unary, Var

Bound = int | Affine | None
Ranges = Mapping[str, tuple[Bound, Bound]]
Interval = tuple[int | None, int | None]

# What every launch respects, from the limits of CUDA devices.
HARDWARE: dict[str, tuple[int, int]] = {
    "threadIdx.x": (0, 1023),
    "threadIdx.y": (0, 1023),
    "threadIdx.z": (0, 63),
    "blockDim.x": (1, 1024),
    "blockDim.y": (1, 1024),
    "blockDim.z": (1, 64),
    "blockIdx.x": (0, 2**31 - 2),
    "blockIdx.y": (0, 65534),
    "blockIdx.z": (0, 65534),
    "gridDim.x": (1, 2**31 - 1),
    "gridDim.y": (1, 65535),
    "gridDim.z": (1, 65535),
    "warpSize": (32, 64),
}
_DEPTH = 12  # of eliminations in one proof; real indices have fewer variables
_STEPS = 4000  # of one proof with all its branches; real ones take some tens


class Known(dict[str, tuple[Bound, Bound]]):
    """Ranges with what was found out under them, so that no question is answered twice. Not to be changed."""

    def __init__(self, ranges: Ranges = {}) -> None:  # noqa: B006 (is only read)
        super().__init__(ranges)
        self.intervals: dict[tuple[Atom, int], Interval] = {}
        self.forms: tuple[dict[Expr, Affine], dict[Expr, Affine]] = ({}, {})  # overflow proved, ignored
        self.simple: tuple[dict[Expr, Expr], dict[Expr, Expr]] = ({}, {})
        self.proved: set[Affine] = set()
        self.refuted: dict[Affine, int] = {}  # not shown with so many eliminations
        self.bounded = frozenset(  # variables that bound others
            name for ends in ranges.values() for e in ends if isinstance(e, Affine) for name in e.variables()
        )


class Stated(dict[str, tuple[Bound | Expr, Bound | Expr]]):
    """Ranges as a text states them, whose ends may be expressions, with what they say once that was asked.
    Not to be changed then."""

    known: Known | None = None


def interval(affine: Affine, ranges: Ranges) -> Interval:
    """Lowest and highest value over the box of the ranges; None where unbounded."""
    return _interval(affine, ranges if isinstance(ranges, Known) else Known(ranges), _DEPTH)


def _interval(affine: Affine, ranges: Known, depth: int) -> Interval:
    low: int | None = 0
    high: int | None = 0
    for monomial, coefficient in affine.terms:
        term: Interval = (coefficient, coefficient)
        for atom in monomial:
            term = _times(term, atom_interval(atom, ranges, depth))
        low = None if low is None or term[0] is None else low + term[0]
        high = None if high is None or term[1] is None else high + term[1]
    return low, high


def _times(left: Interval, right: Interval) -> Interval:
    if left == (0, 0) or right == (0, 0):
        return 0, 0
    if None not in left and None not in right:
        corners = [a * b for a in left if a is not None for b in right if b is not None]
        return min(corners), max(corners)
    for first, second in ((left, right), (right, left)):
        if first[0] is not None and first[0] >= 0:
            low = _corner_low(first, second)
            high = (
                None
                if first[1] is None or second[1] is None
                else max(second[1] * first[1], second[1] * first[0])
            )
            if second[1] is not None and second[1] <= 0:
                high = second[1] * first[0]
            return low, high
        if first[1] is not None and first[1] <= 0:
            low2, high2 = _times((-first[1], None if first[0] is None else -first[0]), second)
            return (None if high2 is None else -high2), (None if low2 is None else -low2)
    return None, None


def _corner_low(first: Interval, second: Interval) -> int | None:
    """Lowest product where `first` is non-negative."""
    if second[0] is None or first[0] is None:
        return None
    if second[0] >= 0:
        return first[0] * second[0]
    return None if first[1] is None else first[1] * second[0]


def atom_interval(atom: Atom, ranges: Known, depth: int = _DEPTH) -> Interval:
    found = ranges.intervals.get((atom, depth))
    if found is None:
        found = ranges.intervals[atom, depth] = _atom_interval(atom, ranges, depth)
    return found


def _atom_interval(atom: Atom, ranges: Known, depth: int) -> Interval:
    match atom:
        case Var():
            return var_interval(atom, ranges, depth)
        case FloorDiv():
            return _floordiv(_interval(atom.operand, ranges, depth), _interval(atom.divisor, ranges, depth))
        case Mod():
            low, high = _interval(atom.operand, ranges, depth)
            limit = _interval(atom.divisor, ranges, depth)[1]
            top = None if limit is None else limit - 1
            if low is not None and low >= 0 and high is not None:
                top = high if top is None else min(top, high)
            return 0, top
    return expr_interval(atom, ranges, depth)


def _floordiv(operand: Interval, divisor: Interval) -> Interval:
    """For divisors >= 1."""
    smallest = max(divisor[0] or 1, 1)
    largest = divisor[1]
    low, high = operand
    new_low = None
    if low is not None:
        new_low = low // smallest if low < 0 else (0 if largest is None else low // largest)
    new_high = None
    if high is not None:
        new_high = high // smallest if high >= 0 else (-1 if largest is None else high // largest)
    return new_low, new_high


def var_interval(var: Var, ranges: Known, depth: int = _DEPTH) -> Interval:
    given = ranges.get(var.name)
    default = HARDWARE.get(var.name) or int_limits(var.dtype)
    if given is None:
        return default
    low, high = (_number(end, ranges, depth, side) for side, end in enumerate(given))
    return (default[0] if low is None else low), (default[1] if high is None else high)


def _number(end: Bound, ranges: Known, depth: int, side: int) -> int | None:
    if isinstance(end, Affine):
        return _interval(end, ranges, depth - 1)[side] if depth > 0 else None
    return end


def expr_interval(expr: Expr, ranges: Known, depth: int = _DEPTH) -> Interval:
    """Interval arithmetic on an expression as C computes it: what may wrap has its type's interval."""
    limits = _type_limits(expr)
    low, high = _structural(expr, ranges, depth)
    if low is None or high is None or limits[0] is None or limits[1] is None:
        return limits
    return (low, high) if limits[0] <= low and high <= limits[1] else limits


def _type_limits(expr: Expr) -> Interval:
    return (None, None) if expr.dtype.is_float else int_limits(expr.dtype)


def _structural(expr: Expr, ranges: Known, depth: int) -> Interval:
    def of(operand: Expr) -> Interval:
        return expr_interval(operand, ranges, depth)

    match expr:
        case Const(value=value) if not expr.dtype.is_float:
            return int(value), int(value)
        case Var() if not expr.dtype.is_float:
            return var_interval(expr, ranges, depth)
        case Cast(operand=operand) if operand.dtype.is_integer:
            return of(operand)
        case Select(then=then, otherwise=otherwise):
            return _hull(of(then), of(otherwise))
        case Call(function="min" | "max" as name, args=(first, second)):
            return _extremum(name, of(first), of(second))
        case Unary(op="-", operand=operand):
            low, high = of(operand)
            return (None if high is None else -high), (None if low is None else -low)
        case Binary(op="+" | "-" | "*" as op, left=left, right=right):
            return _arithmetic(op, of(left), of(right))
        case Binary(op="/" | "%" | ">>" | "&" as op, left=left, right=right):
            return _division(op, of(left), of(right))
    return None, None


def _hull(left: Interval, right: Interval) -> Interval:
    low = None if left[0] is None or right[0] is None else min(left[0], right[0])
    high = None if left[1] is None or right[1] is None else max(left[1], right[1])
    return low, high


def _extremum(name: str, left: Interval, right: Interval) -> Interval:
    if None in left or None in right:
        return None, None
    pick = min if name == "min" else max
    ends = [pick(a, b) for a, b in zip(left, right, strict=True) if a is not None and b is not None]
    return ends[0], ends[1]


def _arithmetic(op: str, left: Interval, right: Interval) -> Interval:
    if op == "*":
        return _times(left, right)
    if None in left or None in right:
        return None, None
    (a, b), (c, d) = left, right
    assert a is not None and b is not None and c is not None and d is not None
    return (a + c, b + d) if op == "+" else (a - d, b - c)


def _division(op: str, left: Interval, right: Interval) -> Interval:
    low, high = left
    if low is None or high is None or right[0] is None or right[1] is None:
        return None, None
    if op == "&":
        masks = [
            m for m in (high if low >= 0 else None, right[1] if right[0] >= 0 else None) if m is not None
        ]
        return (0, min(masks)) if masks else (None, None)
    if op == ">>":
        corners = [v >> s for v in (low, high) for s in right if s is not None and 0 <= s < 64]
        return (min(corners), max(corners)) if len(corners) == 4 else (None, None)
    if right[0] <= 0:
        return None, None
    if op == "/":
        corners = [truncating_div(v, d) for v in (low, high) for d in right if d is not None]
        return min(corners), max(corners)
    top = right[1] - 1
    return (0 if low >= 0 else max(-top, low)), (0 if high <= 0 else min(top, high))


# ------------------------------------------------------------------------------------------ proofs


def nonnegative(affine: Affine, ranges: Known) -> bool:
    """True if the form is >= 0 for all values in the ranges; False if that could not be shown.

    By elimination: for fixed other variables a form linear in `v` is lowest at an end of v's range, so `v` is
    replaced by that end, until numbers remain; variables that bound others go last.
    """
    if _Proof(ranges).shows(affine, _DEPTH):
        return True
    scaled = _without_fractions(affine)
    if scaled is not None and _Proof(ranges).shows(scaled, _DEPTH):
        ranges.proved.add(affine)
        return True
    if affine.as_int is None:
        ranges.refuted[affine] = _DEPTH
    return False


def _without_fractions(affine: Affine) -> Affine | None:
    """A multiple of the form in which the quotients' relation to what they are quotients of is exact: an
    integer x is at least 0 where n*x + n - 1 is."""
    scale = 1
    for monomial, coefficient in affine.terms:
        for atom in monomial:
            divisor = atom.divisor.as_int if isinstance(atom, FloorDiv) else None
            if divisor is not None and divisor > 0:
                scale = lcm(scale, divisor // gcd(divisor, coefficient))
    return affine * scale + (scale - 1) if scale > 1 else None


@dataclass
class _Proof:
    ranges: Known
    steps: int = _STEPS

    def shows(self, affine: Affine, depth: int) -> bool:
        number = affine.as_int
        if number is not None:
            return number >= 0
        if affine in self.ranges.proved:
            return True
        if self.ranges.refuted.get(affine, -1) >= depth:
            return False
        if self._search(affine, depth):
            self.ranges.proved.add(affine)
            return True
        if self.steps >= 0:
            self.ranges.refuted[affine] = depth
        return False

    def _search(self, affine: Affine, depth: int) -> bool:
        low = interval(affine, self.ranges)[0]
        if low is not None and low >= 0:
            return True
        self.steps -= 1
        if depth <= 0 or self.steps < 0:
            return False
        for atom in sorted(affine.atoms(), key=lambda a: not isinstance(a, (FloorDiv, Mod))):
            lower = self._at_lowest(affine, atom, depth)
            if lower is None or lower == affine:
                continue
            if self.shows(lower, depth - 1):
                return True
            if isinstance(atom, Var):
                return False  # nothing was lost in this step, so no other order can succeed
        return False

    def _at_lowest(self, affine: Affine, atom: Atom, depth: int) -> Affine | None:
        """The form with the atom at the end of its range where the form is lowest, or None if that is not
        possible."""
        parts = split_by_var(affine, atom)
        if parts is None:
            return None
        coefficient, rest = parts
        if (
            isinstance(atom, Var)
            and atom.name in self.ranges.bounded
            and _is_a_bound(atom, affine, self.ranges)
        ):
            return None
        if isinstance(atom, FloorDiv):
            # divisor * floor(x / divisor) lies in [x - divisor + 1, x]: exact in the relation to x, unlike
            # the interval
            scale, divisor = coefficient.as_int, atom.divisor.as_int
            if scale is not None and divisor is not None and scale % divisor == 0:
                factor = scale // divisor
                lost = factor * (divisor - 1) if factor > 0 else 0
                return rest + atom.operand * factor - lost
        rising = self.shows(coefficient, depth - 1)
        if not rising and not self.shows(-coefficient, depth - 1):
            return None
        end = _symbolic_end(atom, self.ranges, 0 if rising else 1)
        return None if end is None else rest + coefficient * end


def _symbolic_end(atom: Atom, ranges: Known, side: int) -> Affine | None:
    if isinstance(atom, Var) and atom.name in ranges:
        end = ranges[atom.name][side]
        if end is not None:
            return lift(end)
    if isinstance(atom, Mod) and side == 1:
        return atom.divisor - 1
    number = atom_interval(atom, ranges)[side]
    return None if number is None else lift(number)


def _is_a_bound(var: Var, affine: Affine, ranges: Known) -> bool:
    """Whether the range of another variable of the form mentions `var`: then that one has to go first."""
    for name in affine.variables() - {var.name}:
        if any(isinstance(end, Affine) and var.name in end.variables() for end in ranges.get(name, ())):
            return True
    return False
