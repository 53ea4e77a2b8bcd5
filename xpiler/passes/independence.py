"""May the iterations of a loop run in any order, or at the same time?

    for i in 0..n: if (i < m) c[i*4 + k] = a[i]      k in 0..4:  yes, different i write different elements
    for i in 0..n: c[i / 2] = a[i]                               no: iterations 0 and 1 write the same element

Two accesses to one array, at least one a write, are harmless if equal addresses imply equal iterations:
addresses are
mixed-radix numbers (`ir/affine.digits`) whose digits, the loop variables among them, can be read back.
Guards help: under `row*4 + ty < M` the sum is one digit below M, which in turn gives back `row` and `ty`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from xpiler.ir.affine import (
    Affine,
    bounds,
    coefficient,
    digits,
    lift,
    linear,
    of_var,
    prove_le,
    prove_lt,
    substitute,
    to_expr,
)
from xpiler.ir.affine_bounds import interval
from xpiler.ir.affine_form import Atom, atom_variables, divide_out, split_by_var
from xpiler.ir.build import add, ceil_div, const, is_const, lt, mul, sub
from xpiler.ir.nodes import (
    EMPTY,
    Assign,
    Atomic,
    Block,
    Call,
    Collective,
    Const,
    Expr,
    For,
    If,
    Stmt,
    Var,
    While,
)
from xpiler.ir.rewrite import map_stmt, uses, walk_stmts
from xpiler.ir.rewrite import substitute as substitute_expr
from xpiler.ir.types import I32
from xpiler.passes.accesses import Access, Guard, accesses, assigned_scalars, declared, lower_bound
from xpiler.passes.facts import End, Facts, Ranges

_NESTED = 8  # ends of loops by the counters of loops around them
_COMMUTATIVE = frozenset({"add", "sub", "min", "max", "and", "or", "xor"})


@dataclass(frozen=True)
class Independence:
    """`reason` says why not (with the name of the array or variable), "" if independent. `atomics`:
    arrays that several iterations update atomically; running at the same time then needs atomic updates."""

    reason: str = ""
    atomics: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return not self.reason


def independent(loop: For, facts: Facts) -> Independence:
    """Of the iterations of one loop; `facts` hold around it."""
    answer = independent_iterations((loop,), loop.body.body, facts.inside(loop))
    if answer:
        return answer
    counted = map_stmt(loop, lambda stmt: _by_ones(stmt) if isinstance(stmt, For) else stmt)
    if not isinstance(counted, For) or counted == loop:
        return answer
    running = facts.where(lt(loop.start, loop.stop))
    return independent_iterations((counted,), counted.body.body, running.inside(counted))


def _by_ones(loop: For) -> For:
    """`for i in s..e step 32: f(i)` as `for i in 0..: f(s + 32 * i)`: the step shows in the addresses."""
    if not isinstance(loop.step, Const) or int(loop.step.value) < 2:
        return loop
    count = ceil_div(sub(loop.stop, loop.start), loop.step)
    value = add(loop.start, mul(Var(loop.dtype, loop.var), loop.step))
    start, step = const(0, loop.dtype), const(1, loop.dtype)
    body = substitute_expr(loop.body, {loop.var: value})
    return replace(loop, start=start, stop=count, step=step, body=body)


def independent_iterations(
    loops: Sequence[For],
    body: Sequence[Stmt],
    facts: Facts,
    reductions: frozenset[str] = frozenset(),
    ordered: frozenset[str] = frozenset(),
) -> Independence:
    """Of a nest: every two different iterations of all `loops` together, around `body`. `reductions`:
    scalars that the body only accumulates into, in any order; `ordered`: arrays that do not count, as their
    accesses keep their order."""
    return _Question(loops, body, facts, reductions, ordered).answer()


def accumulators(body: Sequence[Stmt]) -> frozenset[str]:
    """Scalars that are only updated by one and the same commutative operator, and not read otherwise."""
    operators: dict[str, set[str]] = {}
    for stmt in walk_stmts(Block(tuple(body))):
        if isinstance(stmt, (Assign, Atomic, Collective)) and isinstance(stmt.target, Var):
            operator = (stmt.reduce or "=") if isinstance(stmt, Assign) else "="
            operators.setdefault(stmt.target.name, set()).add(operator)
    read = uses(Block(tuple(_unreduced(s) for s in walk_stmts(Block(tuple(body)))))).vars_read
    return frozenset(n for n, ops in operators.items() if len(ops) == 1 and "=" not in ops and n not in read)


def _unreduced(stmt: Stmt) -> Stmt:
    """A statement by itself, an accumulation as a plain assignment: then only real reads are left."""
    match stmt:
        case Assign(target=Var()):
            return replace(stmt, reduce=None)
        case For():
            return replace(stmt, body=EMPTY)
        case If():
            return replace(stmt, then=EMPTY, otherwise=EMPTY)
        case While():
            return replace(stmt, body=EMPTY, advance=EMPTY)
        case Block():
            return EMPTY
    return stmt


@dataclass
class _Question:
    loops: Sequence[For]
    body: Sequence[Stmt]
    facts: Facts
    reductions: frozenset[str] = frozenset()
    ordered: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        self.counters = {loop.var for loop in self.loops}
        self.own = declared(self.body)
        self.assigned = assigned_scalars(self.body)
        self.ranges_at: dict[int, dict[str, tuple[End, End]]] = {}  # of accesses, by identity
        self.readable: dict[tuple[Affine, int], set[str]] = {}
        self.found: list[Access] = []  # all accesses: while they are here their identities are theirs

    def answer(self) -> Independence:
        for name in self.assigned:
            if name not in self.own and name not in self.reductions:
                return Independence(f"`{name}` carries a value from one iteration to the next")
        by_array: dict[str, list[Access]] = {}
        self.found = accesses(self.body, self.facts)
        for access in self.found:
            if access.array not in self.own and access.array not in self.ordered:
                by_array.setdefault(access.array, []).append(access)
        atomics = []
        for array, found in by_array.items():
            writes = [a for a in found if a.write]
            if not writes:
                continue
            operations = {a.atomic for a in found}
            if operations <= _COMMUTATIVE and len(operations) == 1:
                if any(self._conflict(w, a) for w in writes for a in found):
                    atomics.append(array)
                continue
            for write in writes:
                for access in found:
                    if self._conflict(write, access):
                        return Independence(f"different iterations may touch the same element of `{array}`")
            for other in self.facts.aliases.get(array, frozenset()):
                reads = [a for a in by_array.get(other, ()) if not a.write]
                if any(self._meet_in_place(w, a) and self._conflict(w, a) for w in writes for a in reads):
                    return Independence(f"`{array}` and `{other}` may be the same array")
        return Independence(atomics=tuple(atomics))

    # ------------------------------------------------------------------ two accesses

    def _meet_in_place(self, write: Access, read: Access) -> bool:
        """Whether a call in place could make them meet: what is constant here is the same in both."""
        if len(write.index) != 1 or len(read.index) != 1:
            return True
        moving = self.counters | self.own
        parts = []
        for access in (write, read):
            form = linear(access.index[0], access.facts.ranges)
            if form is None or any(not isinstance(a, Var) and _variables(a) & moving for a in form.atoms()):
                return True
            parts.append(_without_vars(form, frozenset(moving)))
        return (parts[0] - parts[1]).as_int is not None

    def _conflict(self, write: Access, other: Access) -> bool:
        """Whether different iterations might meet in one element."""
        if len(write.index) != len(other.index) or not write.index:
            return True
        if write.dtype != other.dtype:
            return not self.counters <= self._with_bytes(write, other)
        known: set[str] = set()
        for mine, theirs in zip(write.index, other.index, strict=True):
            known |= self._determined(write, mine, other, theirs)
        return not self.counters <= known

    def _with_bytes(self, one: Access, other: Access) -> set[str]:
        """Counters that are equal where elements of two types have a byte in common, as members of structs in
        an array."""
        sizes = one.dtype.bytes, other.dtype.bytes
        first, second = (linear(a.index[0], a.facts.ranges) for a in (one, other))
        if len(one.index) != 1 or first is None or second is None:
            return set()
        return self._with_residue(first * sizes[0], one, second * sizes[1], other, sizes)

    def _determined(self, one: Access, mine: Expr, other: Access, theirs: Expr) -> set[str]:
        """Counters that equal addresses force to be equal."""
        first, second = linear(mine, one.facts.ranges), linear(theirs, other.facts.ranges)
        if first is None or second is None:
            return set()
        if first == second and self._same_inner(one, other, first):
            known = self._readable(first, one)
            return known if self.counters <= known else known | self._with_columns(first, one, second, other)
        renamed = self._renamed(second, other, one)
        if renamed is not None and renamed == first:
            return self._readable(first, one)
        if self._apart(first - second, first):
            return set(self.counters)
        return (
            self._with_residue(first, one, second, other)
            or self._with_sums(first, one, second, other)
            or self._with_columns(first, one, second, other)
        )

    def _apart(self, distance: Affine, form: Affine) -> bool:
        """Whether addresses that run in step are further apart than the loop reaches, as halves of a row are:
        then none of one access is ever one of the other."""
        moving = distance.variables() & self.counters | form.variables() & self.own
        if len(self.loops) != 1 or moving or distance.variables() & self.own:
            return False
        (loop,) = self.loops
        step, extent = coefficient(form, loop.var), linear(sub(loop.stop, loop.start), self.facts.ranges)
        if step is None or step.as_int is None or extent is None or not is_const(loop.step, 1):
            return False
        reach = extent * abs(step.as_int)
        return prove_le(reach, distance) or prove_le(reach, -distance)

    def _renamed(self, form: Affine, access: Access, like: Access) -> Affine | None:
        """The form with inner loop variables named as in another access, loop by loop over the same range."""
        names: dict[str, Affine | Expr | int] = {}
        mine = {loop.var: loop for loop in access.loops}
        for name in form.variables() & self.own:
            loop = mine.get(name)
            twins = [
                t
                for t in like.loops
                if loop is not None and _head(t) == _head(loop) and t.dtype == loop.dtype
            ]
            if len(twins) != 1 or loop is None:
                return None
            names[name] = Var(loop.dtype, twins[0].var)
        return substitute(form, names) if names else None

    def _same_inner(self, one: Access, other: Access, form: Affine) -> bool:
        """Whether the variables in the form that are not counters range over the same loops in both
        accesses."""
        inner = form.variables() & self.own
        mine = {loop.var: loop for loop in one.loops if loop.var in inner}
        theirs = {loop.var: loop for loop in other.loops if loop.var in inner}
        return all(
            name in mine and name in theirs and _head(mine[name]) == _head(theirs[name]) for name in inner
        )

    def _readable(self, form: Affine, access: Access) -> set[str]:
        """Counters that can be read back from an address."""
        known = self.readable.get((form, id(access)))
        if known is None:
            known = self.readable[form, id(access)] = self._read_back(form, access)
        return known

    def _read_back(self, form: Affine, access: Access) -> set[str]:
        ranges = self._ranges(access)
        definitions: dict[str, Affine] = {}
        known = self._digits(form, ranges)
        if not self.counters <= known:
            known |= self._digits(*self._with_stops(form, access, ranges))
        if not self.counters <= known:
            changed, more = self._with_guards(form, access.guards, ranges, definitions)
            if definitions:
                known |= self._digits(changed, {**ranges, **more})
        for loop in access.loops:  # i = start + step*q is known: so is what start says modulo step
            step = loop.step
            start = linear(loop.start, access.facts.ranges)
            if loop.var in known and start is not None and start.variables() & self.counters:
                low, high = interval(start, _numbers(ranges))
                if (
                    isinstance(step, Const)
                    and low is not None
                    and high is not None
                    and high - low < int(step.value)
                ) or self._below_step(start, step, ranges):
                    known |= self._digits(start, ranges)
        for name, definition in definitions.items():
            if name in known:
                known |= self._digits(definition, ranges)
        return known

    def _with_stops(self, form: Affine, access: Access, ranges: Ranges) -> tuple[Affine, Ranges]:
        """The form with the stop of an inner loop as a variable, such as `min(256, K - k0)` of a panel that
        is as long: there is one element at least where there is an access."""
        more: dict[str, tuple[End, End]] = {}
        moving = self.counters | self.own
        for loop in (*self.loops, *access.loops):
            stop, low = linear(loop.stop, access.facts.ranges), ranges[loop.var][0]
            if stop is None or not is_const(loop.step, 1) or not isinstance(low, int) or low < 0:
                continue
            match stop.terms:
                case (((atom,), 1),) if not isinstance(atom, Var) and not _variables(atom) & moving:
                    name = f"?stop of {loop.var}"
                    form = _renamed_atom(form, atom, of_var(name, loop.dtype))
                    more[name] = 1, None
                    more[loop.var] = low, sub(Var(loop.dtype, name), 1)
        for atom in form.atoms():
            match atom:
                case Call(function="min", args=args) if not _variables(atom) & moving:
                    if all(_is_passed(arg, access.facts) for arg in args):  # by loops around all of it
                        name = f"?stop {len(more)}"
                        form = _renamed_atom(form, atom, of_var(name, atom.dtype))
                        more[name] = 1, None
        return form, {**ranges, **more}

    def _below_step(self, start: Affine, step: Expr, ranges: Ranges) -> bool:
        """Whether 0 <= start < step, for a step that is an expression."""
        width = linear(step, ranges)
        return width is not None and prove_le(lift(0), start, ranges) and prove_lt(start, width, ranges)

    def _digits(self, form: Affine, ranges: Ranges) -> set[str]:
        form, ranges = self._with_parts_as_variables(form, ranges)
        unknown = (form.variables() & self.own) - set(ranges)
        if unknown or any(ranges.get(n, (None, None))[1] is None for n in form.variables() & self.own):
            return set()
        if any(not isinstance(a, Var) and _variables(a) & (self.own | self.counters) for a in form.atoms()):
            return set()
        found = digits(self._without_divisors(form), ranges)
        return set() if found is None else {d.variable for d in found}

    def _without_divisors(self, form: Affine) -> Affine:
        """What moves, divided by factors of all of it that are not 0: so it tells as much as before."""
        moving, _ = _split(form, self.counters | self.own)
        for name in self.facts.divisors if moving is not None else ():
            if moving is not None and moving.terms and all(_holds(m, name) for m, _ in moving.terms):
                moving, _ = divide_out(moving, of_var(name))
                form = moving
        return form

    def _with_parts_as_variables(self, form: Affine, ranges: Ranges) -> tuple[Affine, Ranges]:
        """`thread / 16` and `thread % 16` of an inner loop as variables of their own, free in their ranges:
        what is shown for all their values holds for those that they take."""
        parts: dict[Atom, str] = {}
        more: dict[str, tuple[End, End]] = {}
        for atom in form.atoms():
            variables = _variables(atom)
            if isinstance(atom, Var) or variables & self.counters or not variables & self.own:
                continue
            low, high = interval(Affine((((atom,), 1),)), _numbers(ranges))
            if low is not None and high is not None:
                parts[atom] = f"?part{len(parts)}"
                more[parts[atom]] = (low, high)
        if not parts:
            return form, ranges
        for atom, name in parts.items():
            form = _renamed_atom(form, atom, of_var(name))
        return form, {**ranges, **more}

    def _ranges(self, access: Access) -> dict[str, tuple[End, End]]:
        """Ends of counters and inner loop variables, as numbers where they depend on counters."""
        known = self.ranges_at.get(id(access))
        if known is None:
            known = self.ranges_at[id(access)] = self._ends(access)
        return known

    def _ends(self, access: Access) -> dict[str, tuple[End, End]]:
        ranges = dict(access.facts.ranges)
        for loop in (*self.loops, *access.loops):
            low, high = ranges.get(loop.var, (None, None))
            if not isinstance(low, int):
                low = lower_bound(loop.start, access.facts)
            form = linear(high) if isinstance(high, Expr) else None
            if isinstance(high, Expr) and form and form.variables() & (self.counters | self.own):
                most = self._at_most(form, ranges)
                high = bounds(high, access.facts.ranges)[1] if most is None else to_expr(most, loop.dtype)
            ranges[loop.var] = (low, high)
        # What is neither a counter nor an inner loop variable is a constant of the question.
        moving = self.counters | {loop.var for loop in access.loops}
        return {n: ends if n in moving else (ends[0], None) for n, ends in ranges.items()}

    def _at_most(self, form: Affine, ranges: Ranges) -> Affine | None:
        """The form where all that moves in it is at an end of its range: n - 1 of `j <= i`, i below n."""
        moving = self.counters | self.own
        for _ in range(_NESTED):
            name = min(form.variables() & moving, default=None)
            if name is None:
                return form
            factor = coefficient(form, name)
            if factor is None or factor.as_int is None:
                return None
            end = ranges.get(name, (None, None))[factor.as_int > 0]
            last = linear(end) if isinstance(end, Expr) else end
            if last is None:
                return None
            form = substitute(form, {name: last})
        return None

    def _with_guards(
        self, form: Affine, guards: Sequence[Guard], ranges: Ranges, definitions: dict[str, Affine]
    ) -> tuple[Affine, dict[str, tuple[End, End]]]:
        """Sums that a guard bounds, as one new variable each, those of the most variables first, and of
        them those that a size bounds: numbers bound what they are made of as well."""
        more: dict[str, tuple[End, End]] = {}
        numbers = _numbers(ranges)

        def moving_in(guard: Guard) -> list[Var]:
            inside = self.counters | self.own
            return [a for a in guard.form.atoms() if isinstance(a, Var) and a.name in inside]

        def first(guard: Guard) -> tuple[int, bool]:
            return -len(moving_in(guard)), guard.high.as_int is not None

        for n, guard in enumerate(sorted(guards, key=first)):
            moving = moving_in(guard)
            if not moving or not guard.form.variables() & form.variables():
                continue
            lowest = interval(guard.form, numbers)[0]
            if lowest is None or lowest < 0:
                continue
            factors = (_common_factor(form, guard.form, atom) for atom in moving)
            factor = next((f for f in factors if f is not None and f.terms), None)
            if factor is None:
                continue
            name = f"?{n}"
            definitions[name] = guard.form
            form = form - factor * guard.form + factor * of_var(name)
            more[name] = (0, to_expr(guard.high, I32))
        return form, more

    def _with_residue(
        self, first: Affine, one: Access, second: Affine, other: Access, sizes: tuple[int, int] = (1, 1)
    ) -> set[str]:
        """Same dependence on the counters and on loops around both, the rest of each within one interval:
        that is one more digit. `sizes`: how much each access takes from there on."""
        moving = self.counters | self._loops_of_both(one, other)
        moving_one, rest_one = _split(first, moving)
        moving_two, rest_two = _split(second, moving)
        if moving_one is None or moving_two is None or rest_one is None or rest_two is None:
            return set()
        if moving_one != moving_two:
            return set()
        common, other_common = _without_vars(rest_one, self.own), _without_vars(rest_two, self.own)
        common, other_common = common - common.constant, other_common - other_common.constant
        if common != other_common:
            return set()
        ranges = self._ranges(one)
        ends = [
            interval(rest_one - common, _numbers(ranges)),
            interval(rest_two - common, _numbers(self._ranges(other))),
        ]
        lows = [end[0] for end in ends if end[0] is not None]
        highs = [end[1] + size - 1 for end, size in zip(ends, sizes, strict=True) if end[1] is not None]
        if len(lows) < 2 or len(highs) < 2:
            return set()
        form, ranges = moving_one + of_var("?rest"), {**ranges, "?rest": (min(lows), max(highs))}
        return self._digits(form, ranges) or self._digits(*self._with_stops(form, one, ranges))

    def _with_columns(self, first: Affine, one: Access, second: Affine, other: Access) -> set[str]:
        """Addresses are of whole rows and a column within them: `i*n + j` and `p*n + k`, with `j` and `k`
        from 0 to below n, are equal only where both are. What is left are questions about either."""
        for pitch in dict.fromkeys(_factors(first, self.counters | self.own)):
            parts = [divide_out(form, pitch) for form in (first, second)]
            if not all(
                row.terms
                and prove_le(0, column, access.facts.ranges)
                and _is_below(column, pitch, access.facts.ranges)
                for (row, column), access in zip(parts, (one, other), strict=True)
            ):
                continue
            known: set[str] = set()
            for mine, theirs in zip(*parts, strict=True):
                if mine == theirs and not mine.variables() & self.own:
                    known |= self._digits(mine, self._ranges(one))
                if self._never(mine, one, theirs) or self._never(theirs, other, mine):
                    return set(self.counters)
            if known:
                return known
        return set()

    def _never(self, form: Affine, access: Access, number: Affine) -> bool:
        """Whether the form, at the access, is never what does not change."""
        if number.variables() & (self.counters | self.own):
            return False
        ranges = access.facts.ranges
        return prove_lt(form, number, ranges) or prove_lt(number, form, ranges)

    def _loops_of_both(self, one: Access, other: Access) -> set[str]:
        """Counters of loops inside that are around both accesses, and whose length is no number."""
        return {
            mine.var
            for mine, theirs in zip(one.loops, other.loops, strict=False)
            if mine is theirs and not isinstance(mine.stop, Const)
        }

    def _with_sums(self, first: Affine, one: Access, second: Affine, other: Access) -> set[str]:
        """Sums that guards of both keep below the same ends are digits: `n*i + 32*j + l` and
        `n*i + 32*j + l + 16`, each with its column below n, are of one row and one column."""
        mine: dict[str, Affine] = {}
        theirs: dict[str, Affine] = {}
        ranges = self._ranges(one)
        form, more = self._with_guards(first, one.guards, ranges, mine)
        like, ends = self._with_guards(second, other.guards, self._ranges(other), theirs)
        twins = {name: [n for n, end in ends.items() if end == more[name]] for name in mine}
        if not mine or any(len(found) != 1 for found in twins.values()):
            return set()
        names = {found[0]: of_var(name) for name, found in twins.items()}
        if substitute(like, names) != form or form.variables() & self.own:
            return set()
        known = self._digits(form, {**ranges, **more})
        for name in known & set(mine):
            left, right = mine[name], theirs[twins[name][0]]
            if left == right and self._same_inner(one, other, left):
                known |= self._digits(left, ranges)
            else:
                known |= self._with_residue(left, one, right, other)
        return known


def _is_below(column: Affine, pitch: Affine, ranges: Ranges) -> bool:
    """Also where `n <= pitch` is known of both, so that one end leads to the other and back."""
    ends = {name: (None, high) for name, (_, high) in ranges.items() if name in pitch.variables()}
    return prove_lt(column, pitch, ranges) or prove_lt(column, pitch, {**ranges, **ends})


def _factors(form: Affine, moving: set[str]) -> Iterator[Affine]:
    """What moving variables are multiplied by, but for numbers."""
    for monomial, _ in form.terms:
        names = [atom for atom in monomial if isinstance(atom, Var) and atom.name in moving]
        rest = [atom for atom in monomial if atom not in names]
        if len(names) == 1 and rest and not any(_variables(atom) & moving for atom in rest):
            yield Affine(((tuple(rest), 1),))


def _holds(monomial: Sequence[Atom], name: str) -> bool:
    return any(isinstance(a, Var) and a.name == name for a in monomial)


def _head(loop: For) -> tuple[Expr, Expr, Expr]:
    return loop.start, loop.stop, loop.step


def _variables(atom: Atom) -> frozenset[str]:
    return atom_variables(atom)


def _numbers(ranges: Ranges) -> dict[str, tuple[int | None, int | None]]:
    return {
        n: (low if isinstance(low, int) else None, high if isinstance(high, int) else None)
        for n, (low, high) in ranges.items()
    }


def _common_factor(form: Affine, part: Affine, atom: Var) -> Affine | None:
    """The factor by which `part` occurs in `form`, read off one variable."""
    inside, whole = split_by_var(part, atom), split_by_var(form, atom)
    if inside is None or whole is None:
        return None
    unit = inside[0]
    if unit.as_int is None:
        return None
    factor, left = divide_out(whole[0], unit)
    return None if left.terms else factor


def _is_passed(end: Expr, facts: Facts) -> bool:
    """Whether a number from 0 upward is below it."""
    form = linear(end, facts.ranges)
    if form is not None and form.as_int is not None:
        return form.as_int > 0
    return form is not None and any(
        linear(stop, facts.ranges) == form and lower_bound(Var(stop.dtype, name), facts) in (0, 1)
        for name, stop in facts.below
    )


def _renamed_atom(form: Affine, atom: Atom, variable: Affine) -> Affine:
    """The form with a variable in place of an atom."""
    changed = lift(0)
    for monomial, count in form.terms:
        term = lift(count)
        for one in monomial:
            term = term * (variable if one == atom else Affine((((one,), 1),)))
        changed = changed + term
    return changed


def _split(form: Affine, names: set[str]) -> tuple[Affine | None, Affine | None]:
    """The terms with these variables, and the others; None if such a variable hides in an atom."""
    moving, rest = lift(0), lift(0)
    for monomial, factor in form.terms:
        touched = any(_variables(a) & names for a in monomial)
        if touched and not all(isinstance(a, Var) for a in monomial if _variables(a) & names):
            return None, None
        term = Affine(((monomial, factor),))
        if touched:
            moving = moving + term
        else:
            rest = rest + term
    return moving, rest


def _without_vars(form: Affine, names: frozenset[str]) -> Affine:
    kept = lift(0)
    for monomial, factor in form.terms:
        if not any(_variables(a) & names for a in monomial):
            kept = kept + Affine(((monomial, factor),))
    return kept
