"""Values as terms in a normal form, so that equal ones look alike.

    x*2 + 1*y, y + 2*x                                 -->  ("+", y, ("*", 2, x))
    sum over i < n of (sum over j < 4 of a[4*i + j])   -->  sum over i < 4*n of a[i]

A term is a tuple: its kind first, forms of integers and terms after it. Sums, products and extrema are sets
of terms. Variables that a fold binds are numbered by their depth, and joined where blocks of one are within
the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import permutations
from typing import Any

from xpiler.ir.affine import linear
from xpiler.ir.affine import substitute as substitute_form
from xpiler.ir.affine_form import Affine, lift, of_atom, of_var, split_by_var, to_expr
from xpiler.ir.nodes import Binary
from xpiler.symbolic.limits import holds, needed, ranges_of, variable

Term = tuple[Any, ...]  # its kind first; forms and terms follow
ZERO: Term = ("number", 0.0)
_MOST = 4  # bound variables whose order is no matter
_SETS = ("+", "*", "min", "max")


def as_term(value: Any) -> Term:
    return ("int", value) if isinstance(value, Affine) else value


def operation(op: str, left: Any, right: Any) -> Term:
    """An operation in its normal form: sums, products and extrema are flat and sorted."""
    first, second = as_term(left), as_term(right)
    if op not in ("+", "*", "min", "max"):
        return ("binary", op, first, second)
    if op == "*" and ("number", 1.0) in (first, second):
        return second if first == ("number", 1.0) else first
    for one, other in ((first, second), (second, first)):
        if op == "*" and one[0] == "choice" and one[3] == ZERO:
            return chosen(one[1], operation("*", one[2], other), ZERO)
    parts: list[Term] = []
    for term in (first, second):
        parts += term[1:] if term[0] == op else [term]
    if op == "+":
        parts = [p for p in parts if p not in (ZERO, ("int", lift(0)))] or [ZERO]
    if op in ("min", "max"):
        parts = list(dict.fromkeys(parts))
    return parts[0] if len(parts) == 1 else (op, *sorted(parts, key=text_of))


def negated(conditions: Sequence[Any]) -> list[Any]:
    if len(conditions) == 1 and isinstance(conditions[0], Affine):
        return [-conditions[0] - 1]
    if len(conditions) == 1 and conditions[0][0] == "not":
        return list(conditions[0][1])
    return [("not", tuple(conditions))]


def chosen(conditions: Iterable[Any], then: Any, otherwise: Any) -> Term:
    then, otherwise = as_term(then), as_term(otherwise)
    if then == otherwise:
        return as_term(then)
    if then[0] == "choice" and then[3] == otherwise == ZERO:
        conditions, then = dict.fromkeys([*conditions, *then[1]]), then[2]
    return ("choice", tuple(sorted(conditions, key=text_of)), as_term(then), as_term(otherwise))


def split_reduction(new: Any, mine: Term) -> tuple[str, Term, list[Any]] | None:
    """`mine + rest`, also where only some iterations add it."""
    if not isinstance(new, tuple):
        return None
    if new[0] in ("+", "max", "min") and new[1:].count(mine) == 1:
        rest = [p for p in new[1:] if p != mine]
        found: Term = rest[0] if len(rest) == 1 else (new[0], *rest)
        if new[0] == "+" and found[0] == "choice" and found[3] == ZERO:
            return "+", found[2], list(found[1])
        return new[0], found, []
    if new[0] == "choice" and new[3] == mine:
        inner = split_reduction(new[2], mine)
        return None if inner is None else (inner[0], inner[1], [*new[1], *inner[2]])
    return None


def fold(op: str, names: tuple[str, ...], limits: frozenset[Affine], body: Term) -> Term:
    """A sum of sums is one."""
    while body[0] == "fold" and body[1] == op:
        depth = _depth(body[3:]) - 1
        inner = {f"#{depth}.{i}": f"{names[0]}'{len(names)}.{i}" for i in range(body[2])}
        fresh = {old: of_var(new) for old, new in inner.items()}
        limits |= frozenset(placed(c, fresh) for c in body[3])
        names, body = (*names, *inner.values()), placed_term(body[4], fresh)
    return ("fold", op, *bound(names, limits, body))


def _depth(term: Any) -> int:
    """How deep variables are bound within: those of a depth are called `#depth.0`, `#depth.1`..."""
    found = [int(n[1:].partition(".")[0]) for f in _forms(term) for n in f.variables() if n[0] == "#"]
    return max(found, default=-1) + 1


def bound(
    names: tuple[str, ...], limits: Iterable[Affine], body: Term
) -> tuple[int, frozenset[Affine], Term]:
    """Without the names: joined where blocks of one are within the other, in the least of all orders."""
    names, constraints, body = joined(names, needed(names, frozenset(limits)), body)
    constraints = needed(names, constraints)
    best: tuple[str, frozenset[Affine], Term] | None = None
    for order in permutations(names) if len(names) <= _MOST else (names,):
        ordered = numbered(order, constraints, body)
        key = text_of((ordered[1], *sorted(map(str, ordered[0]))))
        if best is None or key < best[0]:
            best = (key, *ordered)
    assert best is not None
    return len(names), best[1], best[2]


def under(term: Any, names: tuple[str, ...], limits: frozenset[Affine]) -> Any:
    """Without what is decided where the limits hold."""
    if not isinstance(term, tuple) or not term:
        return term
    if term[0] == "choice":
        known = ranges_of(names, limits)
        rest = [c for c in term[1] if not (isinstance(c, Affine) and holds(c, limits, known))]
        then = under(term[2], names, limits | frozenset(c for c in term[1] if isinstance(c, Affine)))
        return chosen(rest, then, under(term[3], names, limits)) if rest else then
    if term[0] == "fold":
        inside = tuple(sorted({n for c in term[3] for n in c.variables() if n[0] == "#"}))
        both, own = (*names, *inside), term[3]
        for c in sorted(term[3], key=str):
            others = limits | own - {c}
            if c not in map(of_var, inside) and holds(c, others, ranges_of(both, others)):
                own = own - {c}
        return (*term[:3], own, under(term[4], both, limits | own))
    parts = tuple(under(part, names, limits) for part in term)
    return (parts[0], *sorted(parts[1:], key=text_of)) if parts[0] in _SETS else parts


def numbered(names: tuple[str, ...], limits: frozenset[Affine], body: Term) -> tuple[frozenset[Affine], Term]:
    depth = _depth((limits, body))
    fresh = {n: of_var(f"#{depth}.{i}") for i, n in enumerate(names)}
    return frozenset(placed(c, fresh) for c in limits), placed_term(body, fresh)


def text_of(term: Any) -> str:
    """A key to sort by."""
    if isinstance(term, tuple):
        return f"({','.join(map(text_of, term))})"
    if isinstance(term, frozenset):
        return f"{{{','.join(sorted(map(text_of, term)))}}}"
    return str(term)


def joined(
    names: tuple[str, ...], limits: frozenset[Affine], body: Term
) -> tuple[tuple[str, ...], frozenset[Affine], Term]:
    """`w*i + j` with 0 <= j < w, where i and j occur in no other way, as one variable."""
    for inner in names:
        for width in _widths(inner, limits):
            for outer in names:
                if outer == inner or width.variables() & set(names):
                    continue
                found = _join(outer, inner, width, limits, body)
                if found is not None:
                    return joined(tuple(n for n in names if n != outer), *found)
    return names, limits, body


def _join(
    outer: str, inner: str, width: Affine, limits: frozenset[Affine], body: Term
) -> tuple[frozenset[Affine], Term] | None:
    i, j = of_var(outer), of_var(inner)
    new: set[Affine] = {j}
    for c in limits - {i, j, width - 1 - j}:
        whole = split_by_var(c, variable(outer))
        if whole is not None and whole[0].as_int == -1 and inner not in whole[1].variables():
            new.add(whole[1] * width + width - 1 - j)
        elif _only_joined(c, outer, inner, width):
            new.add(placed(c, {outer: lift(0)}))
        else:
            return None
    if not all(_only_joined(form, outer, inner, width) for form in _forms(body)):
        return None
    return frozenset(new), placed_term(body, {outer: lift(0)})


def _widths(name: str, limits: frozenset[Affine]) -> list[Affine]:
    """Each w with 0 <= j < w among the limits of the variable."""
    j = of_var(name)
    if j not in limits:
        return []
    found = [
        c + j + 1 for c in limits if c != j and name in c.variables() and name not in (c + j).variables()
    ]
    return sorted((w for w in found if w.as_int != 1), key=str)


def _only_joined(form: Affine, outer: str, inner: str, width: Affine) -> bool:
    if not form.variables() & {outer, inner}:
        return True
    whole = of_var(outer) * width + of_var(inner)
    return placed(placed(form, {outer: lift(0)}), {inner: whole}) == form


def _forms(term: Any) -> Iterable[Affine]:
    if isinstance(term, Affine):
        yield term
    elif isinstance(term, (tuple, frozenset)):
        for part in term:
            yield from _forms(part)


def placed(form: Affine, values: Mapping[str, Affine]) -> Affine:
    return tidy(substitute_form(form, dict(values))) if form.variables() & values.keys() else form


def tidy(form: Affine) -> Affine:
    """Quotients that have no form with operands in normal form, so that equal ones look alike."""
    if not any(isinstance(a, Binary) for a in form.atoms()):
        return form
    total = lift(0)
    for monomial, factor in form.terms:
        term = lift(factor)
        for atom in monomial:
            if isinstance(atom, Binary):
                left, right = linear(atom.left), linear(atom.right)
                if left is not None and right is not None:
                    parts = to_expr(tidy(left), atom.dtype), to_expr(tidy(right), atom.dtype)
                    atom = replace(atom, left=parts[0], right=parts[1])
            term = term * of_atom(atom)
        total = total + term
    return total


def placed_term(term: Any, values: Mapping[str, Affine]) -> Any:
    if isinstance(term, Affine):
        return placed(term, values)
    if isinstance(term, frozenset):
        return frozenset(placed_term(part, values) for part in term)
    if isinstance(term, tuple):
        parts = tuple(placed_term(part, values) for part in term)
        if parts and parts[0] in _SETS:
            return (parts[0], *sorted(parts[1:], key=text_of))
        return parts
    return term


def replaced(term: Any, values: Mapping[Term, Term]) -> Any:
    if isinstance(term, tuple):
        if term in values:
            return values[term]
        return tuple(replaced(part, values) for part in term)
    return term


def mentions(term: Any, kind: str, name: str) -> bool:
    if isinstance(term, (tuple, frozenset)):
        if isinstance(term, tuple) and term[:2] == (kind, name):
            return True
        return any(mentions(part, kind, name) for part in term)
    return False
