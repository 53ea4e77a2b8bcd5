"""Constraints on bound variables: forms that are at least 0, what follows from them, and how far they reach.

0 <= i, 0 <= n - 1 - i        -->  i from 0 to n - 1;   0 <= n - i follows, and is not needed
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from xpiler.ir.affine import linear
from xpiler.ir.affine_bounds import Known, nonnegative
from xpiler.ir.affine_form import Affine, lift, of_var, split_by_var, to_expr
from xpiler.ir.nodes import Binary, Var
from xpiler.ir.types import I32, I64


def ranges_of(names: Iterable[str], limits: Iterable[Affine]) -> Known:
    """Each variable from 0 to an upper end that its limits give, a number if there is one."""
    found: dict[str, tuple[Any, Any]] = {}
    limits = list(limits)
    for name in names:
        highest = ends(name, limits)
        high = next((e for e in highest if e.as_int is not None), highest[0] if highest else None)
        found[name] = (0, high.as_int if high is not None and high.as_int is not None else high)
    return Known({**positive(limits), **found})


def positive(limits: Iterable[Affine]) -> dict[str, tuple[Any, Any]]:
    """Parameters that some variable from 0 on is less than."""
    found: dict[str, tuple[Any, Any]] = {}
    for c in limits:
        whole = [m[0] for m, f in c.terms if f == 1 and len(m) == 1 and isinstance(m[0], Var)]
        rest = [f for m, f in c.terms if f < 0]
        if len(whole) != 1 or len(rest) + 1 != len(c.terms) or c.constant != -1:
            continue
        if whole[0].name[0] not in "#%" and "." not in whole[0].name:
            found[whole[0].name] = (1, None)
    return found


def ends(name: str, limits: Iterable[Affine]) -> list[Affine]:
    """The highest values of a variable by each of its limits."""
    found: list[Affine] = []
    for c in sorted(limits, key=str):
        split = split_by_var(c, variable(name))
        if split is None or split[0].as_int is None or split[0].as_int >= 0:
            continue
        factor = -split[0].as_int
        if factor == 1:
            found.append(split[1])
        elif split[1].as_int is not None:
            found.append(lift(split[1].as_int // factor))
    return found


def needed(names: tuple[str, ...], limits: frozenset[Affine]) -> frozenset[Affine]:
    """Without the constraints that follow from the others."""
    kept = sorted(limits, key=str)
    for c in list(kept):
        if c in {of_var(n) for n in names}:
            continue
        others = [o for o in kept if o != c]
        if holds(c, frozenset(others), ranges_of(names, others)):
            kept = others
    return frozenset(kept)


def holds(c: Affine, limits: frozenset[Affine], known: Known) -> bool:
    if c in limits or nonnegative(c, known) or any(nonnegative(c - o, known) for o in limits):
        return True
    if not any(isinstance(a, Binary) for a in c.atoms()):
        return False
    plain = linear(to_expr(c, I64), known)  # where a dividend is known to be positive, a quotient has a form
    return plain is not None and (
        nonnegative(plain, known) or any(nonnegative(plain - o, known) for o in limits)
    )


def variable(name: str) -> Var:
    return Var(I32, name)
