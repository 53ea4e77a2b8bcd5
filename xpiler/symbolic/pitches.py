"""Parameters that are nothing but the distance of rows: no caller passes less than a row is long.

    if (c < cols) x[r * ld + c] = ...;            ld is at least cols
    for (c = t; c < 4 * w; c += T) s += p[y * pitch + c];    pitch is at least 4 * w

A parameter that bounds something too is no such distance: rows of `rows` elements where there are `cols` are
the error that is looked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod

from xpiler.ir.affine import linear
from xpiler.ir.affine_form import Affine, of_var
from xpiler.ir.nodes import Binary, Expr, For, Function, Load, Ref, Var
from xpiler.ir.rewrite import substitute, walk
from xpiler.symbolic.scalars import STRIDE, roles
from xpiler.symbolic.shape import LaunchShape

_MIRROR = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}


@dataclass(frozen=True)
class Pitch:
    """`name`: the parameter; `row`: how many elements of a row something bounds."""

    name: str
    row: Affine

    def least(self, scalars: Mapping[str, int | float]) -> int | None:
        """The row's length at these values of parameters, if it is theirs alone."""
        total = 0
        for monomial, factor in self.row.terms:
            values = [scalars.get(atom.name) if isinstance(atom, Var) else None for atom in monomial]
            numbers = [value for value in values if isinstance(value, int)]
            if len(numbers) < len(values):
                return None
            total += factor * prod(numbers)
        return total


def pitches(kernel: Function, defined: Mapping[str, Expr]) -> tuple[Pitch, ...]:
    """Of all accesses to memory whose column something bounds."""
    known = roles(kernel, defined, LaunchShape((1, 1, 1), (1, 1, 1)))
    strides = {name for name, role in known.items() if role.kinds == {STRIDE}}
    if not strides:
        return ()
    columns = list(_bounded(kernel, defined))
    found: dict[Pitch, None] = {}
    for node in walk(kernel.body):
        index = node.index if isinstance(node, Load) else (node.offset,) if isinstance(node, Ref) else ()
        for form in (linear(substitute(each, dict(defined))) for each in index):
            for column, row in columns if form is not None else ():
                assert form is not None
                rest = form - column
                if len(rest.terms) == len(form.terms) - len(column.terms):
                    common = [{getattr(a, "name", "") for a in monomial} for monomial, _ in rest.terms]
                    shared = set.intersection(*common) & strides if common else set[str]()
                    found.update(dict.fromkeys(Pitch(name, row) for name in sorted(shared)))
    return tuple(found)


def _bounded(kernel: Function, defined: Mapping[str, Expr]) -> Iterator[tuple[Affine, Affine]]:
    """Sums of indices, and the number that each stays below where it is used."""
    for node in walk(kernel.body):
        match node:
            case For(var=var, stop=stop):
                end = linear(substitute(stop, dict(defined)))
                if end is not None:
                    yield of_var(var, node.dtype), end
            case Binary(op="<" | "<=" | ">" | ">=" as op, left=left, right=right) if left.dtype.is_integer:
                first, second = (linear(substitute(side, dict(defined))) for side in (left, right))
                for one, other, sign in ((first, second, op), (second, first, _MIRROR[op])):
                    if one is not None and other is not None and one.as_int is None:
                        # `c <= w - 1` is of rows of w; `c <= w` is too, and one too far
                        yield one, other + (1 if sign in ("<=", ">") and other.constant == -1 else 0)
