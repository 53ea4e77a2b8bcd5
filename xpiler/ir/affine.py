"""Affine index algebra: linear forms of expressions, simplification of `/` and `%`, bounds, strides, digits.

    simplify((c0*16 + c1) / 16, {"c1": (0, 15)})  -->  c0
    bounds(row*8 + col, {"row": (0, 3), "col": (0, 7)})  -->  (0, 31)

C's `/` and `%` truncate; they are read as floored ones only where the operand is shown non-negative.
Conversions and unsigned arithmetic are looked through only where the ranges show that nothing wraps
(`Overflow.PROVED`), or, with `Overflow.IGNORED`, on the word of the caller. Signed overflow is undefined in
C and so does not happen.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from functools import lru_cache, partial
from math import gcd

from xpiler.ir import build
from xpiler.ir.affine_bounds import (
    Bound,
    Interval,
    Known,
    Ranges,
    Stated,
    expr_interval,
    interval,
    nonnegative,
)
from xpiler.ir.affine_form import (
    Affine,
    FloorDiv,
    Mod,
    divide_out,
    lift,
    of_atom,
    of_var,
    replace_variables,
    split_by_var,
    to_expr,
)
from xpiler.ir.nodes import Binary, Call, Cast, Const, Expr, Select, Unary, Var
from xpiler.ir.rewrite import children, rebuild, walk
from xpiler.ir.rewrite import substitute as substitute_expr
from xpiler.ir.types import BOOL, DType, Kind

__all__ = [
    "Affine",
    "Digit",
    "FloorDiv",
    "Interval",
    "Mod",
    "Overflow",
    "Ranges",
    "bounds",
    "coefficient",
    "delinearise",
    "digits",
    "divide",
    "forget",
    "lift",
    "linear",
    "of_var",
    "prove_eq",
    "prove_le",
    "prove_lt",
    "simplify",
    "stride",
    "substitute",
    "to_expr",
]

ExprRanges = Mapping[str, tuple[Bound | Expr, Bound | Expr]]
Form = Affine | Expr | int
NO_RANGES: ExprRanges = {}


class Overflow(Enum):
    PROVED = "proved"  # what may wrap stays an atom
    IGNORED = "ignored"  # index arithmetic is taken to fit its type


# ------------------------------------------------------------------------------------------ linear forms


def linear(
    expr: Expr, ranges: ExprRanges = NO_RANGES, overflow: Overflow = Overflow.IGNORED
) -> Affine | None:
    """The form of an integer expression, None for other types. What is not arithmetic becomes an atom as it
    is."""
    if expr.dtype.is_float:
        return None
    return _Linear(_forms(ranges), overflow).of(expr)


def _forms(ranges: ExprRanges) -> Known:
    """Ends that are expressions as forms."""
    if isinstance(ranges, Known):
        return ranges
    if isinstance(ranges, Stated):
        if ranges.known is None:
            ranges.known = _known(tuple(ranges.items()))
        return ranges.known
    return _known(tuple(ranges.items()))


@lru_cache(maxsize=512)
def _known(ranges: tuple[tuple[str, tuple[Bound | Expr, Bound | Expr]], ...]) -> Known:
    numbers = {
        name: (None if isinstance(low, Expr) else low, None if isinstance(high, Expr) else high)
        for name, (low, high) in ranges
    }
    plain = _Linear(Known(numbers), Overflow.IGNORED)

    def form(end: Bound | Expr) -> Bound:
        return plain.of(end) if isinstance(end, Expr) else end

    return Known({name: (form(low), form(high)) for name, (low, high) in ranges})


def forget() -> None:
    """Drops what was remembered of earlier questions: the results name places of the text they came from."""
    _known.cache_clear()


@dataclass(frozen=True)
class _Linear:
    ranges: Known
    overflow: Overflow

    def of(self, expr: Expr) -> Affine:
        if isinstance(expr, Var):
            return of_atom(expr)
        forms = self.ranges.forms[self.overflow is Overflow.IGNORED]
        found = forms.get(expr)
        if found is None:
            found = forms[expr] = self._of(expr)
        return found

    def _of(self, expr: Expr) -> Affine:
        match expr:
            case Const(value=value):
                return lift(int(value))
            case Cast(operand=operand) if operand.dtype.is_integer and expr.dtype != BOOL:
                return self._fitting(self.of(operand), expr, operand.dtype)
            case Unary(op="-", operand=operand):
                return self._fitting(-self.of(operand), expr)
            case Binary(op="+", left=left, right=right):
                return self._fitting(self.of(left) + self.of(right), expr)
            case Binary(op="-", left=left, right=right):
                return self._fitting(self.of(left) - self.of(right), expr)
            case Binary(op="*", left=left, right=right):
                return self._fitting(self.of(left) * self.of(right), expr)
            case Binary(op="<<", left=left, right=Const(value=count)) if 0 <= count < expr.dtype.bits:
                return self._fitting(self.of(left) * (1 << int(count)), expr)
            case Binary(op=">>", left=left, right=Const(value=count)) if 0 <= count < expr.dtype.bits:
                return self._shifted(expr, self.of(left), lift(1 << int(count)))[0]
            case Binary(op="&", left=left, right=Const(value=mask)) if _is_low_mask(int(mask)):
                return self._shifted(expr, self.of(left), lift(int(mask) + 1))[1]
            case Binary(op="&", left=Const(value=mask), right=right) if _is_low_mask(int(mask)):
                return self._shifted(expr, self.of(right), lift(int(mask) + 1))[1]
            case Binary(op="/" | "%" as op, left=left, right=right):
                dividend, divisor = self.of(left), self.of(right)
                if not dividend.terms:
                    return dividend  # nothing, divided by anything that can divide
                if nonnegative(divisor - 1, self.ranges) and self._is_natural(dividend):
                    return divide(dividend, divisor, self.ranges, expr.dtype)[op == "%"]
                quotient, rest = divide_out(dividend, divisor)
                if quotient.terms and not rest.terms:  # whatever the signs
                    return lift(0) if op == "%" else quotient
            case Binary(op="|", left=left, right=right):
                return self._disjoint_or(expr, self.of(left), self.of(right))
        return of_atom(expr)

    def _is_natural(self, operand: Affine) -> bool:
        return nonnegative(operand, self.ranges)

    def _shifted(self, expr: Expr, operand: Affine, divisor: Affine) -> tuple[Affine, Affine]:
        shift = not self._is_natural(operand)
        return divide(operand, divisor, self.ranges, expr.dtype, shift)

    def _disjoint_or(self, expr: Expr, left: Affine, right: Affine) -> Affine:
        """`a*2^k | b` with 0 <= b < 2^k is a sum."""
        for high, low in ((left, right), (right, left)):
            bottom, top = interval(low, self.ranges)
            if bottom is None or top is None or bottom < 0:
                continue
            unit = lift(1 << top.bit_length())
            if divide_out(high, unit)[1].as_int == 0:
                return high + low
        return of_atom(expr)

    def _fitting(self, form: Affine, expr: Expr, source: DType | None = None) -> Affine:
        """The form if the expression surely has its value, else the expression as an atom."""
        dtype = expr.dtype
        if self.overflow is Overflow.IGNORED and dtype.bits >= 32:
            return form
        if source is None and dtype.kind is Kind.INT:
            return form  # signed overflow is undefined
        low, high = build.int_limits(dtype)
        if source is not None:
            source_low, source_high = build.int_limits(source)
            low_known, high_known = low <= source_low, source_high <= high
        else:
            low_known = high_known = False
        found = interval(form, self.ranges)
        fits = (low_known or (found[0] is not None and found[0] >= low)) and (
            high_known or (found[1] is not None and found[1] <= high)
        )
        if fits or self._fits_by_proof(form, low, high, low_known, high_known):
            return form
        return of_atom(expr)

    def _fits_by_proof(self, form: Affine, low: int, high: int, low_known: bool, high_known: bool) -> bool:
        return (low_known or nonnegative(form - low, self.ranges)) and (
            high_known or nonnegative(lift(high) - form, self.ranges)
        )


def _is_low_mask(mask: int) -> bool:
    """2^k - 1, k > 0."""
    return mask > 0 and not mask & (mask + 1)


# ------------------------------------------------------------------------------------------ division


def divide(
    operand: Affine, divisor: Affine, ranges: Known, dtype: DType, shift: bool = False
) -> tuple[Affine, Affine]:
    """Floored quotient and remainder, with divisor > 0, by recovery of mixed-radix digits:

        (D*q + r) / D, 0 <= r < D          -->  q, r
        (D*q + g*s + t) / D, g | D, 0 <= t < g  -->  q + s/(D/g), g*(s%(D/g)) + t

    What is left becomes `FloorDiv` and `Mod` atoms; `shift`: the operand may be negative (D is a power of
    two).
    """
    quotient, rest = divide_out(operand, divisor)
    if not shift and not nonnegative(rest, ranges):
        quotient, rest = lift(0), operand  # C could not say a division of a negative rest
    if nonnegative(rest, ranges) and nonnegative(divisor - 1 - rest, ranges):
        return quotient, rest
    low, high = interval(rest, ranges)
    number = divisor.as_int
    if number is None:
        return _merged(quotient, rest, divisor, dtype, shift)
    if low is not None and high is not None and low // number == high // number:
        return quotient + low // number, rest - low // number * number
    for unit in _units(rest, number):
        upper, lower = divide_out(rest, lift(unit))
        if nonnegative(lower, ranges) and nonnegative(lift(unit - 1) - lower, ranges):
            inner_quotient, inner_rest = divide(upper, lift(number // unit), ranges, dtype, shift)
            return quotient + inner_quotient, inner_rest * unit + lower
    return _merged(quotient, rest, divisor, dtype, shift)


def _units(rest: Affine, number: int) -> list[int]:
    """Proper divisors of the divisor that split the coefficients, largest first."""
    found = {gcd(number, coefficient) for monomial, coefficient in rest.terms if monomial}
    return sorted((u for u in found if 1 < u < number), reverse=True)


def _merged(
    quotient: Affine, rest: Affine, divisor: Affine, dtype: DType, shift: bool
) -> tuple[Affine, Affine]:
    """Atoms for the remaining division; nested ones joined: (x/a)/b = x/(a*b), (x%(a*b))%a = x%a."""
    whole = _single(rest)
    if isinstance(whole, FloorDiv) and _is_constant_of(whole.divisor * divisor, whole.dtype):
        below = FloorDiv(whole.operand, whole.divisor * divisor, whole.dtype, whole.shift or shift)
        return quotient + of_atom(below), of_atom(Mod(rest, divisor, dtype, shift))
    if isinstance(whole, Mod) and divide_out(whole.divisor, divisor)[1].as_int == 0:
        remainder = Mod(whole.operand, divisor, whole.dtype, whole.shift or shift)
        return quotient + of_atom(FloorDiv(rest, divisor, dtype, shift)), of_atom(remainder)
    return (
        quotient + of_atom(FloorDiv(rest, divisor, dtype, shift)),
        of_atom(Mod(rest, divisor, dtype, shift)),
    )


def _is_constant_of(form: Affine, dtype: DType) -> bool:
    value = form.as_int
    return value is not None and value <= build.int_limits(dtype)[1]


def _single(form: Affine) -> object:
    """The atom if the form is just one."""
    if len(form.terms) == 1 and form.terms[0][1] == 1 and len(form.terms[0][0]) == 1:
        return form.terms[0][0][0]
    return None


def recombine(form: Affine) -> Affine:
    """`D*(x/D) + x%D` --> `x`, for any multiple of it, whatever C rounds to; the quotient of a quotient is
    one atom: `x/(C*D)`."""
    for monomial, factor in form.terms:
        for atom in monomial:
            if not isinstance(atom, Mod) and not (isinstance(atom, Binary) and atom.op == "%"):
                continue
            others = lift(factor)
            for other in (a for i, a in enumerate(monomial) if i != monomial.index(atom)):
                others = others * of_atom(other)
            if isinstance(atom, Mod):
                quotient, _ = _merged(lift(0), atom.operand, atom.divisor, atom.dtype, atom.shift)
                operand, divisor = atom.operand, atom.divisor
            else:
                quotient = of_atom(replace(atom, op="/"))
                operand, divisor = _unproved(atom.left), _unproved(atom.right)
            rest = form - others * of_atom(atom)
            for digit, whole in ((quotient, operand), *_next_digits(form, atom)):
                joined = rest - others * (digit * divisor) + others * whole
                if len(joined.terms) < len(form.terms):
                    return recombine(joined)
    return form


def _next_digits(form: Affine, lowest: object) -> Iterator[tuple[Affine, Affine]]:
    """Of `x % D` what may stand above it, and both together: `x % M / D` or `x / D % (M/D)`, and `x % M`."""
    if not isinstance(lowest, Mod):
        return
    for atom in dict.fromkeys(a for monomial, _ in form.terms for a in monomial):
        match atom:
            case FloorDiv(operand=operand, divisor=lowest.divisor):
                whole = _single(operand)
                same = isinstance(whole, Mod) and whole.operand == lowest.operand
                if same and isinstance(whole, Mod) and not divide_out(whole.divisor, lowest.divisor)[1].terms:
                    yield of_atom(atom), operand
            case Mod(operand=operand, divisor=radix):
                upper = _single(operand)
                if isinstance(upper, FloorDiv) and (upper.operand, upper.divisor) == (
                    lowest.operand,
                    lowest.divisor,
                ):
                    yield of_atom(atom), of_atom(replace(lowest, divisor=radix * lowest.divisor))


def _unproved(expr: Expr) -> Affine:
    return _Linear(_forms(NO_RANGES), Overflow.PROVED).of(expr)


# ------------------------------------------------------------------------------------------ simplification


def simplify(expr: Expr, ranges: ExprRanges = NO_RANGES, overflow: Overflow = Overflow.PROVED) -> Expr:
    """An equal expression with fewer operations: divisions removed where the digits are known, terms
    collected, comparisons and selections decided where the ranges decide them. The same object if nothing
    got simpler."""
    return _simplify(expr, _forms(ranges), overflow)


def _simplify(expr: Expr, ranges: Known, overflow: Overflow) -> Expr:
    if isinstance(expr, (Const, Var)):
        return expr
    simple = ranges.simple[overflow is Overflow.IGNORED]
    found = simple.get(expr)
    if found is None:
        found = simple[expr] = _simplified(expr, ranges, overflow)
    return expr if found == expr else found


def _simplified(expr: Expr, ranges: Known, overflow: Overflow) -> Expr:
    again = partial(_simplify, ranges=ranges, overflow=overflow)
    match expr:
        case Binary(op="<" | "<=" | ">" | ">=" | "==" | "!=") if expr.left.dtype.is_integer:
            decided = _decide(expr, ranges, overflow)
            if decided is not None:
                return Const(BOOL, decided, range=expr.range)
        case Select(condition=condition):
            test = again(condition)
            if isinstance(test, Const):
                return again(expr.then if test.value else expr.otherwise)
        case Binary(op="&&" | "||" as op):
            left, right = again(expr.left), again(expr.right)
            if isinstance(left, Const) or isinstance(right, Const):
                return build.binary(op, left, right)
        case Call(function="min" | "max", args=(first, second)) if expr.dtype.is_integer:
            smaller = _smaller(first, second, ranges, overflow)
            if smaller is not None:
                return again(first if smaller == (expr.function == "min") else second)
    below: Expr = rebuild(expr, lambda child, _: again(child))
    if not isinstance(below, (Binary, Unary, Cast)) or below.dtype.is_float or below.dtype == BOOL:
        return below
    form = recombine(_Linear(ranges, overflow).of(below))
    found = to_expr(form, below.dtype)
    return found if cost(found) < cost(below) else below


_WEIGHT = {"/": 8, "%": 8, "*": 2, "<<": 1, ">>": 1}


def cost(expr: Expr) -> int:
    """A rough count of operations; a division counts as eight, a conversion of an integer as almost
    nothing. Remembered with the node."""
    known: int | None = expr.__dict__.get("_cost")
    if known is None:
        known = _own_cost(expr) + sum(cost(child) for child in children(expr) if isinstance(child, Expr))
        object.__setattr__(expr, "_cost", known)  # nodes never change
    return known


def _own_cost(expr: Expr) -> int:
    match expr:
        case Binary(op=op):
            return 4 * _WEIGHT.get(op, 1)
        case Cast() | Const() | Var():
            return 1
    return 4


def _decide(expr: Binary, ranges: Known, overflow: Overflow) -> bool | None:
    make = _Linear(ranges, overflow)
    left, right = make.of(expr.left), make.of(expr.right)
    match expr.op:
        case "<":
            return _is_below(left + 1, right, ranges)
        case "<=":
            return _is_below(left, right, ranges)
        case ">":
            return _is_below(right + 1, left, ranges)
        case ">=":
            return _is_below(right, left, ranges)
    unequal = nonnegative(left - right - 1, ranges) or nonnegative(right - left - 1, ranges)
    equal = not (left - right).terms
    return (expr.op == "==") == equal if equal or unequal else None


def _is_below(left: Affine, right: Affine, ranges: Known) -> bool | None:
    """Whether left <= right, if that is decided."""
    if nonnegative(right - left, ranges):
        return True
    return False if nonnegative(left - right - 1, ranges) else None


def _smaller(first: Expr, second: Expr, ranges: Known, overflow: Overflow) -> bool | None:
    """Whether the first is the smaller one of the two, if that is known."""
    if _at_most(first, second, ranges, overflow):
        return True
    return False if _at_most(second, first, ranges, overflow) else None


def _at_most(first: Expr, second: Expr, ranges: Known, overflow: Overflow) -> bool:
    """Whether first <= second is shown: also by what one is the smaller or the larger one of."""
    make = _Linear(ranges, overflow)
    if nonnegative(make.of(second) - make.of(first), ranges):
        return True
    high, low = expr_interval(first, ranges)[1], expr_interval(second, ranges)[0]
    if high is not None and low is not None and high <= low:
        return True
    match first, second:
        case _, Call(function="min", args=(a, b)):
            return _at_most(first, a, ranges, overflow) and _at_most(first, b, ranges, overflow)
        case Call(function="max", args=(a, b)), _:
            return _at_most(a, second, ranges, overflow) and _at_most(b, second, ranges, overflow)
        case Call(function="min", args=(a, b)), _:
            return _at_most(a, second, ranges, overflow) or _at_most(b, second, ranges, overflow)
        case _, Call(function="max", args=(a, b)):
            return _at_most(first, a, ranges, overflow) or _at_most(first, b, ranges, overflow)
    return False


# ------------------------------------------------------------------------------------------ questions


def as_form(value: Form, ranges: Known, overflow: Overflow = Overflow.IGNORED) -> Affine:
    return _Linear(ranges, overflow).of(value) if isinstance(value, Expr) else lift(value)


def bounds(value: Form, ranges: ExprRanges = NO_RANGES) -> Interval:
    """Lowest and highest value (inclusive; None: unbounded). Of an expression: as computed, wrap-around
    included."""
    known = _forms(ranges)
    found = interval(as_form(value, known, Overflow.PROVED), known)
    if not isinstance(value, Expr):
        return found
    low, high = expr_interval(value, known)
    if found[0] is not None and (low is None or found[0] > low):
        low = found[0]
    if found[1] is not None and (high is None or found[1] < high):
        high = found[1]
    return low, high


def prove_le(left: Form, right: Form, ranges: ExprRanges = NO_RANGES) -> bool:
    """True if left <= right for all values in the ranges; False if that could not be shown."""
    known = _forms(ranges)
    return nonnegative(as_form(right, known) - as_form(left, known), known)


def prove_lt(left: Form, right: Form, ranges: ExprRanges = NO_RANGES) -> bool:
    """True if left < right for all values in the ranges; False if that could not be shown."""
    known = _forms(ranges)
    return nonnegative(as_form(right, known) - as_form(left, known) - 1, known)


def prove_eq(left: Form, right: Form, ranges: ExprRanges = NO_RANGES) -> bool:
    """True if both have the same form."""
    known = _forms(ranges)
    return not recombine(as_form(left, known) - as_form(right, known)).terms


def substitute(form: Affine, values: Mapping[str, Form]) -> Affine:
    """Variables replaced by forms, expressions or numbers, which must lie in the ranges of the variables."""
    forms = {name: as_form(value, Known()) for name, value in values.items()}

    def opaque(expr: Expr) -> Affine:
        exprs = {
            n.name: to_expr(forms[n.name], n.dtype)
            for n in walk(expr)
            if isinstance(n, Var) and n.name in forms
        }
        return of_atom(substitute_expr(expr, exprs))

    return replace_variables(form, forms, opaque)


def coefficient(value: Form, variable: str, ranges: ExprRanges = NO_RANGES) -> Affine | None:
    """How much the value grows with each step of the variable: 0 if it does not depend on it, None if that
    is no constant over the steps (the variable occurs squared, in a division, in an array index)."""
    known = _forms(ranges)
    form = as_form(value, known)
    found = lift(0)
    for atom in form.atoms():
        if isinstance(atom, Var) and atom.name == variable:
            parts = split_by_var(form, atom)
            if parts is None:
                return None
            found, form = parts
    return None if variable in form.variables() else found


def stride(value: Form, variable: str, ranges: ExprRanges = NO_RANGES) -> int | None:
    """`coefficient` where it is a number."""
    found = coefficient(value, variable, ranges)
    return None if found is None else found.as_int


@dataclass(frozen=True)
class Digit:
    """One variable of a mixed-radix number: value = stride * (variable - lowest), variable - lowest <
    extent."""

    variable: str
    stride: Affine
    extent: Affine


def digits(value: Form, ranges: ExprRanges) -> tuple[Digit, ...] | None:
    """The variables with a finite range as digits, most significant first, if different values of them
    always give different values of the form (each positive stride exceeds all that the digits below reach).
    None if that was not shown. Variables without an upper end in `ranges` are parameters: constants of the
    question."""
    known = _forms(ranges)
    form = as_form(value, known)
    found: list[Digit] = []
    for atom in tuple(form.atoms()):
        if not isinstance(atom, Var) or known.get(atom.name, (None, None))[1] is None:
            continue
        parts = split_by_var(form, atom)
        low, high = (lift(e) if e is not None else None for e in known[atom.name])
        if parts is None or low is None or high is None:
            return None
        found.append(Digit(atom.name, parts[0], high - low + 1))
    digit_names = {d.variable for d in found}
    if any(d.stride.variables() & digit_names for d in found):
        return None
    return _ordered(found, known)


def _ordered(found: list[Digit], ranges: Known) -> tuple[Digit, ...] | None:
    """Digits from the most significant down: the next one up has to exceed the reach of all chosen before
    it."""
    ordered: list[Digit] = []
    reach = lift(0)
    while found:
        for digit in sorted(found, key=_magnitude):
            size = digit.stride if nonnegative(digit.stride, ranges) else -digit.stride
            if nonnegative(size - reach - 1, ranges):
                reach = reach + size * (digit.extent - 1)
                ordered.append(digit)
                found.remove(digit)
                break
        else:
            return None
    return tuple(reversed(ordered))


def _magnitude(digit: Digit) -> tuple[int, int]:
    """A stride that is a number first; then `C` before `W*C`, as an extent may be 1."""
    degree = max((len(monomial) for monomial, _ in digit.stride.terms), default=0)
    return abs(digit.stride.as_int or 1 << 62), degree


def delinearise(value: Form, shape: tuple[Form, ...], ranges: ExprRanges) -> tuple[Affine, ...] | None:
    """Indices (i0, i1...) within `shape`, all but the first shown in range, with value = row-major flat
    index."""
    known = _forms(ranges)
    rest = as_form(value, known)
    indices: list[Affine] = []
    for extent in reversed(shape[1:]):
        size = as_form(extent, known)
        rest, index = divide_out(rest, size)
        if not (nonnegative(index, known) and nonnegative(size - 1 - index, known)):
            return None
        indices.append(index)
    return (rest, *reversed(indices))
