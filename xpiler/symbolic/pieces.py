"""What one assignment writes: elements, for all values of the loops' counters, each with its value.

for i in 0..n: y[2*i] = x[i]      -->   y[2*%0] = x[%0]   for 0 <= %0 < n, each element once
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice, product
from math import gcd
from typing import Any

from xpiler.ir.affine import digits
from xpiler.ir.affine_bounds import Known, nonnegative
from xpiler.ir.affine_form import Affine, divide_out, lift, of_var
from xpiler.symbolic.limits import ends, needed, positive, ranges_of
from xpiler.symbolic.terms import Term, bound, joined, numbered, placed, placed_term, text_of, under

_CHOICES = 16  # of upper ends, where variables have several


class Unknown(Exception):
    """What has no formula here, in words."""


@dataclass(frozen=True)
class Piece:
    """`array[index] = value` for all values of the bound `names` for which every constraint is at least 0
    and every one of `conditions` holds. `once`: no two of them are the same element."""

    names: tuple[str, ...]
    constraints: frozenset[Affine]
    conditions: frozenset[Term]
    index: Affine
    value: Term
    once: bool


def written(piece: Piece, index: Affine, known: Known, active: set[str]) -> Term:
    """The value at an index that the piece, the last to write the array, surely wrote.

    Of `active` loops it is the same iteration that wrote it; the others have ended.
    """
    if piece.conditions:
        raise Unknown("data decide what is written")
    found = _solved(piece, index, known, active)
    if found is None or any(not nonnegative(placed(c, found), known) for c in piece.constraints):
        raise Unknown("what was written to an element cannot be told")
    term: Term = placed_term(piece.value, found)
    return term


def _solved(piece: Piece, index: Affine, known: Known, active: set[str]) -> dict[str, Affine] | None:
    """The bound variables of loops that have ended for which a piece writes this very element."""
    ended = tuple(n for n in piece.names if n not in active)
    rest = index - placed(piece.index, {n: lift(0) for n in ended})
    if not ended:
        return {} if not rest.terms else None
    ranges = ranges_of(ended, piece.constraints)
    found = digits(piece.index, ranges)
    if found is None or {d.variable for d in found} != set(ended):
        return None
    values: dict[str, Affine] = {}
    for digit in found:
        stride = digit.stride.as_int
        if stride is None:
            upper, rest = divide_out(rest, digit.stride)
            extent = digit.stride
        elif stride < 1:
            return None
        else:
            whole = [(m, f // stride) for m, f in rest.terms if _whole(m, f, stride)]
            upper = Affine(tuple(term for term in whole if term[1]))
            rest = rest - upper * stride
            extent = lift(stride)
        if not nonnegative(rest, known) or not nonnegative(extent - 1 - rest, known):
            return None
        values[digit.variable] = upper
    return values if not rest.terms else None


def _whole(monomial: Any, factor: int, stride: int) -> bool:
    return not monomial or factor % stride == 0


def canonical(piece: Piece) -> Any:
    value = under(piece.value, piece.names, piece.constraints)
    body: Term = ("store", piece.index, value, tuple(sorted(piece.conditions, key=text_of)))
    if piece.once:
        return ("each", *bound(piece.names, piece.constraints, body))
    limits = needed(piece.names, piece.constraints)
    return ("in order", len(piece.names), *numbered(piece.names, limits, body))


def sequence(pieces: Sequence[Piece]) -> list[Any]:
    """Writes whose order may matter, as they are: which loops they share tells how they follow each other."""
    order = tuple(dict.fromkeys(n for piece in pieces for n in piece.names))
    found: list[Any] = []
    for piece in pieces:
        body = ("store", piece.index, piece.value, tuple(sorted(piece.conditions, key=text_of)))
        limits = needed(piece.names, piece.constraints)
        found.append(("then", tuple(map(order.index, piece.names)), *numbered(order, limits, body)))
    return found


def is_injective(index: Affine, names: tuple[str, ...], limits: frozenset[Affine]) -> bool:
    """Whether no two values of the bound variables give one index."""
    names, limits, body = joined(names, needed(names, limits), ("index", index))
    form: Affine = body[1]
    if not names:
        return True
    if not set(names) <= form.variables():
        return False
    highest = [ends(n, limits) for n in names]
    for chosen_ends in islice(product(*highest), _CHOICES):
        ranges = {
            n: (0, e if e.as_int is None else e.as_int) for n, e in zip(names, chosen_ends, strict=True)
        }
        found = digits(form, Known({**positive(limits), **ranges}))
        if found is not None and {d.variable for d in found} >= set(names):
            return True
    return False


def are_apart(pieces: Sequence[Piece]) -> bool:
    """Several pieces of one array do not write the same elements, so that their order is no matter."""
    for number, one in enumerate(pieces):
        for other in pieces[number + 1 :]:
            renamed = {n: of_var(f"{n}'") for n in other.names}
            second = placed(other.index, renamed)
            limits = one.constraints | frozenset(placed(c, renamed) for c in other.constraints)
            known = ranges_of([*one.names, *(f"{n}'" for n in other.names)], limits)
            apart = second - one.index
            if _never_zero(apart):
                continue
            if not nonnegative(apart - 1, known) and not nonnegative(-apart - 1, known):
                return False
    return True


def _never_zero(form: Affine) -> bool:
    """`4*i - 4*j + 1`"""
    factors = [f for m, f in form.terms if m]
    return bool(factors) and form.constant % gcd(*factors) != 0
