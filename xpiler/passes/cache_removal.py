"""Tiles in shared memory that only copy global memory are removed: their readers read the source.

    for t: s[t] = i0 + t < n ? a[i0 + t] : 0        for t: sum = 0
    for t: for p in 0..16: sum += s[p] * b[p]  -->         for p in 0..16: sum += (i0 + p < n ? a[i0 + p]
    : 0) * b[p]

Applies to an array of the block that is filled by one nest of loops, each element by one assignment of
its own, and only read in later statements, where every index read is one that was filled. A counter of that
nest may be taken apart, `s[i % 16][i / 16]`, and may be shared out over threads, `for i in t..1024 step 256`.
The source must not change in the kernel.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import permutations

from xpiler.ir.affine import Affine, coefficient, lift, linear, prove_le, prove_lt, simplify, stride, to_expr
from xpiler.ir.affine_form import atom_variables, divide_out
from xpiler.ir.nodes import (
    Assign,
    Atomic,
    Binary,
    Block,
    Call,
    Cast,
    Const,
    Decl,
    Expr,
    For,
    Function,
    If,
    Instr,
    Load,
    LoopKind,
    Ref,
    Select,
    Stmt,
    Unary,
    Var,
    While,
)
from xpiler.ir.rewrite import children, free_vars, substitute, uses, walk, walk_exprs, walk_stmts
from xpiler.passes.facts import End, Facts, Ranges
from xpiler.passes.names import Names
from xpiler.passes.reached_indices import not_negative
from xpiler.passes.structured import spliced
from xpiler.passes.tidy import simplified, without_dead
from xpiler.passes.tile_fills import Fill, forms

_VALUE_NODES = 60  # different ones


def remove_caches(function: Function) -> Function:
    """Every tile for which it is shown to be right, one after the other."""
    outside = frozenset(p.name for p in function.params) | {d.name for d in function.globals}
    tried: set[str] = set()
    while True:
        fills, facts = _only_writes(function.body), Facts.of(function)
        for decl in _candidates(function.body, tried):
            tried.add(decl.name)
            filled = fills.get(decl.name)
            body = None if filled is None else _without_tile(function, decl, filled, facts)
            if body is not None:
                function = replace(function, body=without_dead(body, outside))
                break
        else:
            return function


def _candidates(body: Block, tried: set[str]) -> list[Decl]:
    return [
        s
        for s in walk_stmts(body)
        if isinstance(s, Decl) and s.shape and s.init is None and s.name not in tried
    ]


def _only_writes(body: Block) -> dict[str, Assign]:
    """Of the arrays that one plain assignment of what may be a copy fills, and nothing else touches but
    loads: that assignment."""
    writes: dict[str, list[Assign]] = {}
    others: set[str] = set()
    for node in walk(body):
        match node:
            case Ref(array=array):
                others.add(array)
            case Atomic() | Instr():
                others |= _arrays(node)
            case Assign(target=Load(array=array)):
                writes.setdefault(array, []).append(node)
    return {
        array: found[0]
        for array, found in writes.items()
        if len(found) == 1
        and found[0].reduce is None
        and array not in others
        and _is_of_copies(found[0].value)
    }


def _without_tile(function: Function, decl: Decl, filled: Assign, facts: Facts) -> Block | None:
    if filled.target.dtype != decl.dtype:
        return None
    place = _find(function.body.body, filled, facts, ())
    if place is None:
        return None
    siblings, position, fill, looped = place
    filler = siblings[position]
    later = siblings[position + 1 :]
    if _reads(filler, decl.name) or _count_reads(function.body, decl.name) != sum(
        _count_reads(s, decl.name) for s in later
    ):
        return None
    value = _source(fill, filler)
    # Behind the fill of an array that a round has for itself a variable is what it was there until it is set.
    changing = uses(Block((filler, *later))).vars_assigned if not looped else facts.mutable
    if value is None or not _copies(value, function.body, fill, changing):
        return None
    fill = replace(fill, assign=replace(fill.assign, value=value))
    if fill.conditions and looped:  # an element may be left over from an earlier iteration
        return None
    known = {**_definitions(function, facts), **not_negative(later, decl.name)}
    for form in forms(fill, Names(function)):
        replaced = _Replacement(_Inverse(decl, form), known)
        new_body = simplified(function.body, facts, replaced.load)
        if replaced.failed or _reads(new_body, decl.name):
            continue
        return new_body if _right_in_place(later, new_body, decl.name, value, facts) else None
    return None


def _definitions(function: Function, facts: Facts) -> dict[str, tuple[End, End]]:
    """Numbers that the function declares at its start, by what they are."""
    found: dict[str, tuple[End, End]] = {}
    for stmt in function.body.body:
        match stmt:
            case Decl(name=name, shape=(), init=Expr() as init) if (
                init.dtype.is_integer and not ({name} | free_vars(init)) & facts.mutable
            ):
                if not any(isinstance(e, Load) for e in walk_exprs(init)):
                    found[name] = (init, init)
    return found


def _find(
    body: Sequence[Stmt], target: Assign, facts: Facts, around: tuple[For | While, ...]
) -> tuple[tuple[Stmt, ...], int, Fill, bool] | None:
    """The list of statements in which the fill is one statement among its readers: the innermost such
    list whose later statements read the tile."""
    stmts = spliced(body)
    array = target.target.array if isinstance(target.target, Load) else ""
    for n, stmt in enumerate(stmts):
        if array not in uses(stmt).arrays_written:
            continue
        if any(_reads(s, array) for s in stmts[n + 1 :]):
            fill = _descend(stmt, target, (), (), facts)
            looped = any(not _declares(loop, array) for loop in around)
            return None if fill is None else (stmts, n, fill, looped)
        match stmt:
            case For(body=inner):
                return _find(inner.body, target, facts.inside(stmt), (*around, stmt))
            case While(body=inner):
                return _find(inner.body, target, facts, (*around, stmt))
            case If(condition=condition, then=then, otherwise=otherwise):
                return _find(then.body, target, facts.where(condition), around) or _find(
                    otherwise.body, target, facts.where(condition, False), around
                )
    return None


def _descend(
    stmt: Stmt, target: Assign, loops: tuple[For, ...], conditions: tuple[Expr, ...], facts: Facts
) -> Fill | None:
    if stmt is target:
        return Fill(target, loops, conditions, facts)
    match stmt:
        case Block(body=body):
            for inner in body:
                found = _descend(inner, target, loops, conditions, facts)
                if found is not None:
                    return found
        case For(body=inner_block):
            return _descend(inner_block, target, (*loops, stmt), conditions, facts.inside(stmt))
        case If(condition=condition, then=then):
            return _descend(then, target, loops, (*conditions, condition), facts.where(condition))
    return None


def _source(fill: Fill, filler: Stmt) -> Expr | None:
    """The value in terms of what its readers can see: variables of the filling statement replaced by
    what they are."""
    inside = {s.name: s for s in walk_stmts(filler) if isinstance(s, Decl)}
    counters = {loop.var for loop in fill.loops}
    value = fill.assign.value
    for _ in range(len(inside) + 1):
        names = {e.name for e in walk_exprs(value) if isinstance(e, Var)} & inside.keys()
        if not names:
            break
        inits: dict[str, Expr] = {}
        for name in names:
            init = inside[name].init
            if not isinstance(init, Expr) or name in fill.facts.mutable:
                return None
            inits[name] = init
        value = substitute(value, inits)
    loops = {s.var for s in walk_stmts(filler) if isinstance(s, For)} - counters
    return None if {e.name for e in walk_exprs(value) if isinstance(e, Var)} & loops else value


def _declares(loop: For | While, array: str) -> bool:
    return array in uses(loop.body).arrays_declared


def _copies(value: Expr, body: Block, fill: Fill, changing: frozenset[str]) -> bool:
    """Whether the value may be computed again by each reader: cheap, and of things that do not change."""
    parts = list(walk_exprs(value))
    if len(set(parts)) > _VALUE_NODES:
        return False
    if not all(map(_is_of_copies, (value, *fill.conditions))):
        return False
    written = uses(body).arrays_written
    scalars = {e.name for e in parts if isinstance(e, Var)}
    return (
        not any(isinstance(e, Load) and e.array in written for e in parts)
        and not scalars & fill.facts.mutable & changing
    )


def _is_of_copies(value: Expr) -> bool:
    """Whether nothing is computed but indices and conditions."""
    for part in walk_exprs(value):
        if isinstance(part, (Binary, Unary)) and part.dtype.is_float:
            return False
        if isinstance(part, Call) and not part.dtype.is_integer:
            return False
        if not isinstance(part, (Const, Var, Load, Select, Cast, Binary, Unary, Call)):
            return False
    return True


def _right_in_place(later: Sequence[Stmt], new_body: Block, tile: str, value: Expr, facts: Facts) -> bool:
    """Whether the source may be read later than before although a call may be in place (`aliasing.py`).

    A write to what may be the source has to follow all readers, replace the very element that is read, or
    lie in another block's part of the array: then a call in place would be a race.
    """
    blocks = {s.var for s in walk_stmts(new_body) if isinstance(s, For) and s.kind is LoopKind.PARALLEL}
    for source in (e for e in walk_exprs(value) if isinstance(e, Load)):
        others = facts.aliases.get(source.array, frozenset())
        if not others & uses(new_body).arrays_written:
            continue
        stores = [
            s
            for s in walk_stmts(new_body)
            if isinstance(s, Assign) and isinstance(s.target, Load) and s.target.array in others
        ]
        part = _part(source, blocks, facts)
        if all(_part(s.target, blocks, facts) != part for s in stores if isinstance(s.target, Load)):
            continue
        written = False
        for stmt in later:
            reads, writes = _reads(stmt, tile), bool(uses(stmt).arrays_written & others)
            if reads and written:
                return False
            if reads and writes and not _element_by_element(stmt, tile, stores, source.array):
                return False
            written |= writes
    return True


def _part(load: Load, blocks: set[str], facts: Facts) -> Affine | None:
    """How an index depends on the block."""
    form = linear(load.index[0], facts.ranges) if len(load.index) == 1 else None
    found = lift(0)
    for monomial, factor in form.terms if form is not None else ():
        if any(atom_variables(a) & blocks for a in monomial):
            found = found + Affine(((monomial, factor),))
    return found


def _element_by_element(reader: Stmt, tile: str, stores: Sequence[Assign], source: str) -> bool:
    """Whether each store replaces just what its value reads, and nothing else reads the tile."""
    inside = sum(
        _count_reads(s, tile)
        for s in walk_stmts(reader)
        if isinstance(s, Assign) and isinstance(s.target, Load) and s.target.array != tile
    )
    return inside == _count_reads(reader, tile) and all(
        linear(e.index[0]) == linear(s.target.index[0])
        for s in stores
        for e in walk_exprs(s.value)
        if isinstance(e, Load) and e.array == source and isinstance(s.target, Load)
    )


@dataclass(frozen=True)
class _Inverse:
    """From an index of the tile to the values of the counters that filled it."""

    decl: Decl
    fill: Fill

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
        rows = self._rows(form, loops, wanted_form, facts)
        if rows is not None:
            return rows
        terms: list[tuple[int, For]] = []
        rest = form
        for loop in loops.values():
            if loop.var not in form.variables():
                continue
            counter = linear(Var(loop.dtype, loop.var))
            assert counter is not None
            factor = stride(form, loop.var)
            if factor is None or factor <= 0:
                return None
            rest = rest - counter * factor
            terms.append((factor, loop))
        if rest.variables() & loops.keys():
            return None
        remaining = wanted_form - rest
        result: dict[str, Expr] = {}
        terms.sort(key=lambda t: -t[0])
        if not all(_counts_from_zero(loop) for _, loop in terms):
            return None
        expected = 1
        for unit, loop in reversed(terms):  # contiguous mixed radix, or a digit would have no preimage
            extent = _extent(loop)
            if unit != expected:
                return None
            if extent is None:
                if loop is not terms[0][1]:
                    return None
                break
            expected *= extent
        for unit, loop in terms:
            dividend = to_expr(remaining, loop.dtype)
            quotient, left = divide_out(remaining, lift(unit))
            if unit == 1:
                digit, remaining = remaining, remaining - remaining
            elif prove_le(0, left, facts.ranges) and prove_lt(left, unit, facts.ranges):
                digit, remaining = quotient, left
            else:
                by = Const(loop.dtype, unit)
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

    def _is_below(self, digit: Affine, stop: Expr, facts: Facts) -> bool:
        match stop:
            case Call(function="min", args=sides):
                return all(self._is_below(digit, side, facts) for side in sides)
        form = linear(stop, self.fill.facts.ranges)
        if form is None or prove_lt(digit, form, facts.ranges):
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


def _extent(loop: For) -> int | None:
    return int(loop.stop.value) if isinstance(loop.stop, Const) else None


class _Replacement:
    """`known`: ranges that hold wherever the tile is read."""

    def __init__(self, inverse: _Inverse, known: Ranges) -> None:
        self.inverse = inverse
        self.known = known
        self.failed = False

    def load(self, load: Load, facts: Facts) -> Expr:
        decl, fill = self.inverse.decl, self.inverse.fill
        if load.array != decl.name:
            return load
        told = replace(facts, ranges={**self.known, **facts.ranges})
        values = self.inverse.counters(load.index, told) if load.dtype == decl.dtype else None
        if values is None:
            self.failed = True
            return load
        return substitute(fill.assign.value, values)


def _arrays(stmt: Stmt) -> set[str]:
    found = uses(stmt)
    return set(found.arrays_read | found.arrays_written)


def _reads(stmt: Stmt, array: str) -> bool:
    return _count_reads(stmt, array) > 0


def _count_reads(node: Stmt | Expr, array: str) -> int:
    """Loads of the array, places that are written apart."""
    if array not in uses(node).arrays_read:
        return 0
    total = 0
    stack: list[Stmt | Expr] = [node]
    while stack:
        current = stack.pop()
        if isinstance(current, Assign) and isinstance(current.target, Load):
            stack.append(current.value)
            stack.extend(current.target.index)
            continue
        if isinstance(current, Load) and current.array == array:
            total += 1
        stack.extend(c for c in children(current) if isinstance(c, (Stmt, Expr)))
    return total
