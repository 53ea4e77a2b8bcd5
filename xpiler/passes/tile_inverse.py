"""Which counters filled an element of a tile: the inverse of the index that its fill writes.

    for i: for p in 0..k: for q in 0..8: s[(i * k + p) * 8 + q] = ...       s[(a * k + b) * 8 + c]
      -->  i = a, p = b, q = c

Counters are the digits of a number, each as large as what the digits below it count to, which may be sizes.
So an index has one preimage at most; that there is one has to be shown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import permutations

from xpiler.ir.affine import Affine, coefficient, lift, linear, prove_le, prove_lt, simplify, stride, to_expr
from xpiler.ir.affine_form import divide_out, of_var, split_by_var
from xpiler.ir.build import ceil_div, const, div
from xpiler.ir.nodes import Binary, Call, Const, Decl, Expr, For, Load, Var
from xpiler.ir.rewrite import map_expr, substitute, walk_exprs
from xpiler.passes.facts import Facts
from xpiler.passes.stated_ends import shown_natural
from xpiler.passes.tile_fills import Fill

_STEPS = "#"  # behind the name of a counter: the number of its steps


@dataclass(frozen=True)
class Inverse:
    """From an index of the tile to the values of the counters that filled it.

    `steps`: of the loops that count from 0 in steps, by their counters.
    """

    decl: Decl
    fill: Fill
    steps: Mapping[str, int] = field(default_factory=dict)

    def value(self, index: Sequence[Expr], facts: Facts) -> Expr | None:
        """What is in the element; None if it is not shown to be filled."""
        values = self.counters(index, facts)
        if values is None:
            return None
        value = substitute(self.fill.assign.value, values)
        return map_expr(value, self._in_steps) if self.steps else value

    def _in_steps(self, expr: Expr) -> Expr:
        """With counters that count in steps again where only their steps are meant."""
        match expr:
            case Binary() | Load():
                pass
            case _:
                return expr
        numbers = {e for e in walk_exprs(expr) if isinstance(e, Var) and e.name.endswith(_STEPS)}
        if not numbers:
            return expr
        if isinstance(expr, Binary) and (not expr.dtype.is_integer or expr.op not in "+-*"):
            return expr
        if isinstance(expr, Load):
            return replace(expr, index=tuple(self._in_steps(i) for i in expr.index))
        form = linear(expr)
        if form is None:
            return expr
        for number in numbers:
            parts = split_by_var(form, number)
            step = self.steps[number.name.removesuffix(_STEPS)]
            if parts is None or divide_out(parts[0], lift(step))[1].terms:
                return expr
            counter = of_var(number.name.removesuffix(_STEPS), number.dtype)
            form = parts[1] + divide_out(parts[0], lift(step))[0] * counter
        return to_expr(form, expr.dtype)

    def counters(self, index: Sequence[Expr], facts: Facts) -> dict[str, Expr] | None:
        """None if some index is not shown to be filled."""
        target = self.fill.assign.target
        assert isinstance(target, Load)
        if len(index) != len(target.index):
            return None
        loops = {loop.var: loop for loop in self.fill.loops}
        found: dict[str, Expr] = {}
        for filled, wanted in zip(target.index, index, strict=True):
            form = linear(filled, self.fill.facts.ranges)
            if form is None:
                return None
            digits = self._digits(form, loops, wanted, facts)
            if digits is None or found.keys() & digits.keys():
                return None
            found |= digits
        unused = loops.keys() - found.keys()
        used = {e.name for e in walk_exprs(self.fill.assign.value) if isinstance(e, Var)}
        return None if unused & used else found

    def _digits(
        self, form: Affine, loops: dict[str, For], wanted: Expr, facts: Facts
    ) -> dict[str, Expr] | None:
        """Solve form(counters) = wanted, for a form that counts 0, 1, 2... without gaps."""
        wanted_form = linear(wanted, facts.ranges)
        if wanted_form is None:
            return None
        wanted_form, facts = self._by_steps(wanted_form, facts)
        rows = self._rows(form, loops, wanted_form, facts)
        if rows is not None:
            return rows
        terms: list[tuple[Affine, For]] = []
        rest = form
        for loop in loops.values():
            if loop.var not in form.variables():
                continue
            counter = linear(Var(loop.dtype, loop.var))
            assert counter is not None
            factor = coefficient(form, loop.var)
            if factor is None:
                return None
            rest = rest - counter * factor
            terms.append((factor, loop))
        if rest.variables() & loops.keys():
            return None
        remaining = wanted_form - rest
        result: dict[str, Expr] = {}
        ordered = self._by_size(terms)
        if ordered is None:
            return None
        for unit, loop in ordered:
            quotient, left = divide_out(remaining, unit)
            if unit.as_int == 1:
                digit, remaining = remaining, remaining - remaining
            elif prove_le(0, left, facts.ranges) and shown_natural(unit - left - 1, facts):
                digit, remaining = quotient, left
            else:
                dividend, by = to_expr(remaining, loop.dtype), to_expr(unit, loop.dtype)
                first = linear(simplify(Binary(loop.dtype, "/", dividend, by), facts.ranges), facts.ranges)
                second = linear(simplify(Binary(loop.dtype, "%", dividend, by), facts.ranges), facts.ranges)
                if first is None or second is None:
                    return None
                digit, remaining = first, second
            start = linear(loop.start, self.fill.facts.ranges)
            if start is None or not prove_le(start, digit, facts.ranges):
                return None
            if not self._is_below(digit, loop.stop, facts):
                return None
            result[loop.var] = to_expr(digit, loop.dtype)
        if terms:
            return result
        return {} if not remaining.terms else None

    def _by_steps(self, wanted: Affine, facts: Facts) -> tuple[Affine, Facts]:
        """With counters that count steps, and what is known of them."""
        ranges, below = dict(facts.ranges), set(facts.below)
        for atom in wanted.atoms():
            if not isinstance(atom, Var) or atom.name not in self.steps or atom.name not in ranges:
                continue
            parts = split_by_var(wanted, atom)
            if parts is None:
                continue
            name, step = atom.name + _STEPS, const(self.steps[atom.name], atom.dtype)
            high = ranges[atom.name][1]
            if isinstance(high, int):
                high //= int(step.value)
            ranges[name] = (0, div(high, step) if isinstance(high, Expr) else high)
            ends = {end for other, end in facts.below if other == atom.name}
            below |= {(name, ceil_div(end, const(int(step.value), end.dtype))) for end in ends}
            wanted = parts[1] + parts[0] * of_var(name, atom.dtype) * int(step.value)
        return wanted, replace(facts, ranges=ranges, below=frozenset(below))

    def _by_size(self, terms: Sequence[tuple[Affine, For]]) -> list[tuple[Affine, For]] | None:
        """The digits, highest first: each counts what all below it count through, or some number would have
        no digits, or two."""
        waiting, ordered, expected = list(terms), list[tuple[Affine, For]](), lift(1)
        while waiting:
            found = next(((unit, loop) for unit, loop in waiting if unit == expected), None)
            if found is None or not _counts_from_zero(found[1]):
                return None
            waiting.remove(found)
            ordered.insert(0, found)
            extent = linear(found[1].stop, self.fill.facts.ranges)
            if extent is None:
                return None
            expected = expected * extent
        return ordered

    def _is_below(self, digit: Affine, stop: Expr, facts: Facts) -> bool:
        match stop:
            case Call(function="min", args=sides):
                return all(self._is_below(digit, side, facts) for side in sides)
        form = linear(stop, self.fill.facts.ranges)
        if form is None or shown_natural(form - digit - 1, facts):
            return form is not None
        said = [linear(end) for name, end in facts.below if linear(Var(stop.dtype, name)) == digit]
        return form in said

    def _rows(
        self, form: Affine, loops: dict[str, For], wanted: Affine, facts: Facts
    ) -> dict[str, Expr] | None:
        """Solve high * width + low = wanted for a low digit that counts to the width."""
        mine = [loop for loop in loops.values() if loop.var in form.variables()]
        for high, low in permutations(mine, 2) if len(mine) == 2 else ():
            width, unit = coefficient(form, high.var), stride(form, low.var)
            ranges = self.fill.facts.ranges
            if width is None or unit != 1 or width != linear(low.stop, ranges):
                continue
            counts = [linear(Var(loop.dtype, loop.var)) for loop in (high, low)]
            assert counts[0] is not None and counts[1] is not None
            row, column = divide_out(wanted - (form - counts[0] * width - counts[1]), width)
            rows = linear(high.stop, ranges)
            if not _counts_from_zero(high) or not _counts_from_zero(low) or rows is None:
                continue
            places = ((row, rows), (column, width))
            if all(prove_le(0, at, facts.ranges) and prove_lt(at, n, facts.ranges) for at, n in places):
                return {high.var: to_expr(row, high.dtype), low.var: to_expr(column, low.dtype)}
        return None


def _counts_from_zero(loop: For) -> bool:
    return (
        isinstance(loop.step, Const)
        and loop.step.value == 1
        and isinstance(loop.start, Const)
        and not loop.start.value
    )
