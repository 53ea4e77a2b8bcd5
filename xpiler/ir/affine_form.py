"""Index expressions as polynomials over the integers: constant + sum of coefficient * product of atoms.

An atom is a variable, a floored division or remainder, or any other expression taken as it is. Products
of variables stay (`row*K + k` with a symbolic `K`), so strides may be symbolic. The values are mathematical
integers: whether an expression of the IR has the value of its form (no wrap-around on the way) is decided in
`affine.linear`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache

from xpiler.ir import build
from xpiler.ir.nodes import Expr, Var
from xpiler.ir.printer import show
from xpiler.ir.rewrite import walk
from xpiler.ir.types import I32, DType


@dataclass(frozen=True)
class FloorDiv:
    """floor(operand / divisor) with divisor > 0. `dtype`: where it was computed. `shift`: the operand may be
    negative, so C's `/` would truncate instead; the divisor is a power of two and `>>` says the right
    thing."""

    operand: Affine
    divisor: Affine
    dtype: DType
    shift: bool = False


@dataclass(frozen=True)
class Mod:
    """operand - divisor * floor(operand / divisor), in [0, divisor)."""

    operand: Affine
    divisor: Affine
    dtype: DType
    shift: bool = False


Atom = Expr | FloorDiv | Mod
Monomial = tuple[Atom, ...]


@dataclass(frozen=True)
class Affine:
    """`terms`: (monomial, coefficient), sorted, no zeros; the empty monomial holds the constant."""

    terms: tuple[tuple[Monomial, int], ...] = ()

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        return isinstance(other, Affine) and hash(self) == hash(other) and self.terms == other.terms

    def __hash__(self) -> int:
        return self._hash

    @cached_property
    def _hash(self) -> int:
        return hash(self.terms)

    @property
    def constant(self) -> int:
        return self.terms[-1][1] if self.terms and not self.terms[-1][0] else 0

    @property
    def as_int(self) -> int | None:
        """The value if it is a constant."""
        if not self.terms:
            return 0
        return self.terms[0][1] if len(self.terms) == 1 and not self.terms[0][0] else None

    def __add__(self, other: Affine | int) -> Affine:
        right = lift(other).terms
        if not right:
            return self
        if not self.terms:
            return Affine(right)
        if len(right) == 1 and not right[0][0]:
            return self._plus(right[0][1])
        return collect([*self.terms, *right])

    def _plus(self, number: int) -> Affine:
        """The constant is the last term."""
        if not self.terms or self.terms[-1][0]:
            return Affine((*self.terms, ((), number)))
        total = self.terms[-1][1] + number
        return Affine((*self.terms[:-1], ((), total)) if total else self.terms[:-1])

    def __neg__(self) -> Affine:
        return Affine(tuple([(m, -c) for m, c in self.terms]))

    def __sub__(self, other: Affine | int) -> Affine:
        return self + -other

    def __mul__(self, other: Affine | int) -> Affine:
        right = lift(other)
        for form, factor in ((self, right.as_int), (right, self.as_int)):
            if factor is not None:
                return Affine(tuple([(m, c * factor) for m, c in form.terms])) if factor else Affine()
        return collect([(_product(m, n), c * d) for m, c in self.terms for n, d in right.terms])

    def atoms(self) -> tuple[Atom, ...]:
        """Each atom once, outermost ones only."""
        return self._atoms

    @cached_property
    def _atoms(self) -> tuple[Atom, ...]:
        return tuple(dict.fromkeys([atom for monomial, _ in self.terms for atom in monomial]))

    def variables(self) -> frozenset[str]:
        """Names of all variables, also within other atoms."""
        return self._variables

    @cached_property
    def _variables(self) -> frozenset[str]:
        return frozenset(name for atom in self._atoms for name in atom_variables(atom))

    def __str__(self) -> str:
        return " + ".join(_term_text(m, c) for m, c in self.terms) or "0"


def _term_text(monomial: Monomial, coefficient: int) -> str:
    factors = [_atom_key(atom) for atom in monomial]
    return "*".join([str(coefficient), *factors] if coefficient != 1 or not factors else factors)


def lift(value: Affine | int) -> Affine:
    if isinstance(value, Affine):
        return value
    return Affine((((), value),)) if value else Affine()


def of_atom(atom: Atom) -> Affine:
    return Affine((((atom,), 1),))


def of_var(name: str, dtype: DType = I32) -> Affine:
    return of_atom(Var(dtype, name))


def collect(terms: Iterable[tuple[Monomial, int]]) -> Affine:
    """The sum of the terms, equal monomials merged."""
    sums: dict[Monomial, int] = {}
    for monomial, coefficient in terms:
        sums[monomial] = sums.get(monomial, 0) + coefficient
    return Affine(tuple(sorted([term for term in sums.items() if term[1]], key=_term_key)))


def _product(left: Monomial, right: Monomial) -> Monomial:
    if not left or not right:
        return left or right
    return tuple(sorted((*left, *right), key=_atom_key))


def _term_key(term: tuple[Monomial, int]) -> tuple[int, tuple[str, ...]]:
    return _sort_key(term[0])


@lru_cache(maxsize=65536)
def _sort_key(monomial: Monomial) -> tuple[int, tuple[str, ...]]:
    return -len(monomial), tuple([_atom_key(atom) for atom in monomial])


@lru_cache(maxsize=65536)
def _atom_key(atom: Atom) -> str:
    match atom:
        case FloorDiv():
            return f"(({atom.operand})/({atom.divisor}))"
        case Mod():
            return f"(({atom.operand})%({atom.divisor}))"
        case Var():
            return atom.name
    return f"({show(atom)})"


@lru_cache(maxsize=65536)
def atom_variables(atom: Atom) -> frozenset[str]:
    """Names of the variables in an atom."""
    match atom:
        case FloorDiv() | Mod():
            return atom.operand.variables() | atom.divisor.variables()
        case Var():
            return frozenset({atom.name})
    return frozenset(n.name for n in walk(atom) if isinstance(n, Var))


def split_by_var(affine: Affine, atom: Atom) -> tuple[Affine, Affine] | None:
    """`(c, rest)` with affine = c * atom + rest, neither mentioning the atom's variables where `atom` is one.

    None if the atom occurs squared, or (a variable) within another atom.
    """
    inside: list[tuple[Monomial, int]] = []
    rest: list[tuple[Monomial, int]] = []
    for term in affine.terms:
        monomial = others = term[0]
        count = monomial.count(atom)
        if count > 1:
            return None
        if count:
            others = tuple([a for a in monomial if a != atom])
            inside.append((others, term[1]))
        else:
            rest.append(term)
        if isinstance(atom, Var) and any(atom.name in atom_variables(a) for a in others):
            return None
    # The order of monomials does not change when each loses the same factor.
    return Affine(tuple(inside)), Affine(tuple(rest))


def divide_out(affine: Affine, divisor: Affine) -> tuple[Affine, Affine]:
    """`(q, r)` with affine = divisor * q + r, where every term of which the divisor (one term) is a factor
    goes to q.

    For a constant divisor D the coefficients of r are reduced into [0, D) only for the constant term; a term
    whose coefficient is no multiple of D stays whole in r.
    """
    if len(divisor.terms) != 1:
        return Affine(), affine
    ((factor, scale),) = divisor.terms
    quotient: list[tuple[Monomial, int]] = []
    remainder: list[tuple[Monomial, int]] = []
    for monomial, coefficient in affine.terms:
        if not monomial and not factor:
            quotient += [((), coefficient // scale)] if coefficient // scale else []
            remainder += [((), coefficient % scale)] if coefficient % scale else []
            continue
        left = _without(monomial, factor)
        if left is not None and coefficient % scale == 0:
            quotient.append((left, coefficient // scale))
        else:
            remainder.append((monomial, coefficient))
    # The order of monomials does not change when each loses the same factors.
    return Affine(tuple(quotient)), Affine(tuple(remainder))


def _without(monomial: Monomial, factor: Monomial) -> Monomial | None:
    left = list(monomial)
    for atom in factor:
        if atom not in left:
            return None
        left.remove(atom)
    return tuple(left)


def replace_variables(
    affine: Affine, values: Mapping[str, Affine], opaque: Callable[[Expr], Affine]
) -> Affine:
    """Variables replaced by forms, also within divisions; other expressions go through `opaque`.

    A division whose operand changed keeps `shift` off only if the caller knows the new operand to be
    non-negative: substitute values that lie in the variable's range.
    """

    def atom_value(atom: Atom) -> Affine:
        match atom:
            case FloorDiv():
                return of_atom(FloorDiv(go(atom.operand), go(atom.divisor), atom.dtype, atom.shift))
            case Mod():
                return of_atom(Mod(go(atom.operand), go(atom.divisor), atom.dtype, atom.shift))
            case Var():
                return values.get(atom.name, of_atom(atom))
        return opaque(atom) if atom_variables(atom) & values.keys() else of_atom(atom)

    def go(form: Affine) -> Affine:
        if not form.variables() & values.keys():
            return form
        total = lift(0)
        for monomial, coefficient in form.terms:
            term = lift(coefficient)
            for atom in monomial:
                term = term * atom_value(atom)
            total = total + term
        return total

    return go(affine)


# ------------------------------------------------------------------------------------------ back to the IR


def to_expr(affine: Affine, dtype: DType) -> Expr:
    """The form as an expression of `dtype`. Its value is right modulo the width; if it fits it is right."""
    result: Expr | None = None
    for monomial, coefficient in affine.terms:
        if result is None:
            result = _term(monomial, coefficient, dtype)
        elif coefficient < 0:
            result = build.sub(result, _term(monomial, -coefficient, dtype))
        else:
            result = build.add(result, _term(monomial, coefficient, dtype))
    return build.const(0, dtype) if result is None else build.cast(result, dtype)


def _term(monomial: Monomial, coefficient: int, dtype: DType) -> Expr:
    if not monomial:
        return build.const(coefficient, dtype)
    product: Expr | None = None
    for atom in monomial:
        factor = build.cast(_atom_expr(atom), dtype)
        product = factor if product is None else build.mul(product, factor)
    assert product is not None
    if coefficient == -1:
        return build.neg(product)
    return product if coefficient == 1 else build.mul(product, build.const(coefficient, dtype))


def _atom_expr(atom: Atom) -> Expr:
    if isinstance(atom, Expr):
        return atom
    left = to_expr(atom.operand, atom.dtype)
    divisor = atom.divisor.as_int
    if atom.shift and divisor is not None:
        if isinstance(atom, FloorDiv):
            return build.binary(">>", left, divisor.bit_length() - 1)
        return build.binary("&", left, build.const(divisor - 1, atom.dtype))
    right = to_expr(atom.divisor, atom.dtype)
    return build.div(left, right) if isinstance(atom, FloorDiv) else build.mod(left, right)
