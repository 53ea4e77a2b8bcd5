"""The stages of a software pipeline come back together: what loads, computes and stores one tile is one
iteration.

    for step in 0..n + 2:                          for step in 0..n:
      if (step >= 2)              store(step - 2)    load(step)
      if (step >= 1 && step <= n) f(step - 1)  -->   f(step)
      if (step < n)               load(step)         store(step)

Applies to a loop whose statements each run in an interval of its iterations, all of one length, and only
where no two accesses change their order that might meet: halves of a buffer that take turns (`step % 2`) are
told apart by looking at each remainder of the counter.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import lcm

from xpiler.ir.affine import bounds, coefficient, linear, prove_eq, prove_le, simplify
from xpiler.ir.build import add, and_, as_expr, const, is_const, mul, sub, unify
from xpiler.ir.nodes import (
    Atomic,
    Barrier,
    Binary,
    Block,
    Break,
    Call,
    Collective,
    Const,
    Continue,
    Decl,
    Expr,
    For,
    Function,
    If,
    Instr,
    Load,
    Return,
    Stmt,
    Trap,
    Var,
    While,
)
from xpiler.ir.rewrite import free_vars, map_stmt, substitute, uses, walk
from xpiler.passes.accesses import Access, accesses
from xpiler.passes.facts import Facts, Ranges, mutable_vars
from xpiler.passes.loop_distribution import with_values
from xpiler.passes.names import Names
from xpiler.passes.placed import after
from xpiler.passes.structured import spliced
from xpiler.passes.sync import leaves_loop

_MOST_STEPS = 4  # that two stages of a tile may lie apart
MOST_TURNS = 12  # parts of a buffer that take turns


def remove_pipelines(function: Function) -> Function:
    """Everywhere in the function."""
    body = _block(function.body, Facts.of(function), Names(function))
    return function if body == function.body else replace(function, body=body)


def _block(block: Block, facts: Facts, names: Names) -> Block:
    out: list[Stmt] = []
    for stmt in spliced(block.body):
        out.append(_stmt(stmt, facts, names))
        facts = after(stmt, facts)
    return Block(tuple(out), range=block.range)


def _stmt(stmt: Stmt, facts: Facts, names: Names) -> Stmt:
    match stmt:
        case For():
            loop = replace(stmt, body=_block(stmt.body, facts.inside(stmt), names))
            return _straightened(loop, facts, names) or loop
        case If(condition=condition):
            return replace(
                stmt,
                then=_block(stmt.then, facts.where(condition), names),
                otherwise=_block(stmt.otherwise, facts.where(condition, False), names),
            )
        case While():
            return replace(stmt, body=_block(stmt.body, facts, names))
    return stmt


@dataclass(frozen=True)
class Stage:
    """Statements that run from `delay` iterations after the first one on, in all for `length` iterations."""

    delay: int
    length: Expr
    place: int  # among the statements of the loop
    body: tuple[Stmt, ...]

    def of_tile(self, tile: Expr, var: str) -> Block:
        return substitute(Block(self.body), {var: add(tile, self.delay)})


def _straightened(loop: For, facts: Facts, names: Names) -> For | None:
    return straightened(loop, stages_of(loop, facts, names), facts)


def straightened(loop: For, stages: Sequence[Stage], facts: Facts) -> For | None:
    """The stages of each tile after one another; None where that is not shown to be the same."""
    if len({stage.delay for stage in stages}) < 2:
        return None
    first = stages[0]
    if not all(prove_eq(stage.length, first.length, facts.ranges) for stage in stages):
        return None
    stages = sorted(stages, key=lambda stage: (stage.delay, stage.place))
    for n, earlier in enumerate(stages):
        for later in stages[n + 1 :]:
            if not _may_change_places(loop, earlier, later, facts):
                return None
    counter = Var(loop.dtype, loop.var)
    body = [s for stage in stages for s in stage.of_tile(counter, loop.var).body]
    length = min((stage.length for stage in stages), key=lambda e: sum(1 for _ in walk(e)))
    return replace(loop, stop=add(loop.start, length), body=Block(tuple(body)))


# ---------------------------------------------------------------------------------------------- stages


def stages_of(loop: For, facts: Facts, names: Names) -> list[Stage]:
    """The stages in the order of the text; none where the loop is no such pipeline."""
    if not is_const(loop.step, 1) or any(isinstance(n, _ORDERED) for n in walk(loop.body)):
        return []
    if leaves_loop(loop.body, (Break, Continue, Return)):
        return []
    assigned = uses(loop.body).vars_assigned
    values: list[Decl] = []
    stages: list[Stage] = []
    for place, stmt in enumerate(loop.body.body):
        if _is_value(stmt, loop, assigned):
            assert isinstance(stmt, Decl)
            values.append(stmt)
            continue
        stage = None if isinstance(stmt, Decl) else _stage(loop, stmt, place, facts)
        if stage is None:
            return []
        stages.append(replace(stage, body=with_values(values, stage.body, names).body))
    return stages


_ORDERED = (Barrier, Collective, Atomic, Instr, Trap)


def _is_value(stmt: Stmt, loop: For, assigned: frozenset[str]) -> bool:
    """A name for a number that every stage can compute for itself."""
    match stmt:
        case Decl(shape=(), init=Expr() as init) if stmt.name not in assigned - {stmt.name}:
            written = uses(loop.body).arrays_written
            again = not free_vars(init) & (assigned - {loop.var})
            return again and not any(isinstance(n, Load) and n.array in written for n in walk(init))
    return False


def _stage(loop: For, stmt: Stmt, place: int, facts: Facts) -> Stage | None:
    """The iterations in which the statement does something; None where they are no interval."""
    lows, highs = [loop.start], [loop.stop]
    body: tuple[Stmt, ...] = (stmt,)
    if isinstance(stmt, If) and not stmt.otherwise.body:
        rest: list[Expr] = []
        for part in _conjuncts(stmt.condition):
            ends = _ends(part, loop)
            if ends is None:
                rest.append(part)
            else:
                lows += ends[0]
                highs += ends[1]
        if any(isinstance(n, Load) for e in (*lows[1:], *highs[1:]) for n in walk(e)):
            return None
        body = (replace(stmt, condition=and_(*rest)),) if rest else stmt.then.body
    low, high = _greatest(lows, facts), _least(highs, facts)
    if low is None or high is None:
        return None
    form = linear(sub(low, loop.start), facts.ranges)
    delay = form.as_int if form is not None else None
    if delay is None:
        return None
    return Stage(delay, simplify(sub(high, low), facts.ranges), place, body)


def _conjuncts(condition: Expr) -> Iterator[Expr]:
    if isinstance(condition, Binary) and condition.op == "&&":
        yield from _conjuncts(condition.left)
        yield from _conjuncts(condition.right)
    else:
        yield condition


def _ends(condition: Expr, loop: For) -> tuple[list[Expr], list[Expr]] | None:
    """Where the counter begins and ends (exclusive) to fulfil the comparison."""
    match condition:
        case Binary(op="<" | "<=" | ">" | ">=" as op, left=left, right=right) if left.dtype == loop.dtype:
            form = coefficient(sub(left, right), loop.var)
            sign = form.as_int if form is not None else None
            if sign not in (1, -1):
                return None
            counter = Var(loop.dtype, loop.var)
            # left - right = sign * counter + rest
            rest = simplify(sub(sub(left, right), mul(counter, sign)))
            if loop.var in free_vars(rest):
                return None
            if op[0] == ">":
                rest, sign = simplify(sub(const(0, loop.dtype), rest)), -sign
            slack = 1 if op[-1] == "=" else 0
            if sign == 1:  # counter + rest < slack
                return [], [simplify(sub(as_expr(slack, rest.dtype), rest))]
            return [simplify(add(rest, 1 - slack))], []  # rest - counter < slack
    return None


def _least(ends: Sequence[Expr], facts: Facts) -> Expr | None:
    return next((e for e in ends if all(prove_le(e, other, facts.ranges) for other in ends)), None)


def _greatest(ends: Sequence[Expr], facts: Facts) -> Expr | None:
    return next((e for e in ends if all(prove_le(other, e, facts.ranges) for other in ends)), None)


# ---------------------------------------------------------------------------------------------- order


def _may_change_places(loop: For, earlier: Stage, later: Stage, facts: Facts) -> bool:
    """Whether the later stage of a tile may come before the earlier stage of the tiles that follow it, which
    the pipeline has begun by then."""
    ahead = later.delay - earlier.delay
    if ahead == 0:
        return True
    ahead -= earlier.place > later.place  # in the same iteration, and after it
    shared = interfere(Block(later.body), Block(earlier.body), facts)
    if not shared:
        return shared is not None
    low = bounds(loop.start, facts.ranges)[0]
    if ahead > _MOST_STEPS or low is None or low < 0:
        return False
    return all(
        not may_meet(one_access, other)
        for turn, turns in _turns(loop, (earlier, later))
        for distance in range(1, ahead + 1)
        for one_access, other in _pairs(loop, earlier, later, facts, turn, turns, distance)
        if (one_access.array, other.array) in shared
    )


def interfere(one: Block, two: Block, facts: Facts) -> set[tuple[str, str]] | None:
    """The arrays of the two, by pairs, that may be the same memory, and one of them is written; None where
    they share a variable that one assigns."""
    first, second = uses(one), uses(two)
    for mine, theirs in ((first, second), (second, first)):
        kept = mine.vars_assigned - mine.vars_declared
        if kept & (theirs.vars_read | theirs.vars_assigned):
            return None
    written = first.arrays_written | second.arrays_written
    touched = (first.arrays_read | first.arrays_written, second.arrays_read | second.arrays_written)
    shared = {(a, b) for a in touched[0] for b in touched[1] if a in written or b in written}
    return {(a, b) for a, b in shared if a == b or b in facts.aliases.get(a, ())}


def _turns(loop: For, stages: Sequence[Stage]) -> list[tuple[int, int]]:
    """The remainders of the counter that matter to indices, and by what it is divided."""
    turns = 1
    for stage in stages:
        for node in walk(Block(stage.body)):
            match node:
                case Binary(op="%", left=left, right=Const(value=parts)) if loop.var in free_vars(left):
                    turns = lcm(turns, int(parts))
    return [(turn, turns) for turn in range(turns)] if 0 < turns <= MOST_TURNS else [(0, 1)]


def _pairs(
    loop: For, earlier: Stage, later: Stage, facts: Facts, turn: int, turns: int, distance: int
) -> Iterator[tuple[Access, Access]]:
    """Accesses of the later stage of tile `turns * round + turn`, and of the earlier one of the tile that is
    `distance` further."""
    rounds = Var(loop.dtype, f"{loop.var}?round")
    known = replace(facts, ranges={**facts.ranges, rounds.name: (0, None)})
    tile = add(mul(rounds, turns), turn)
    ones = accesses(without_names(later.of_tile(tile, loop.var)).body, known)
    others = accesses(without_names(earlier.of_tile(add(tile, distance), loop.var)).body, known)
    for one in ones:
        for other in others:
            if one.write or other.write:
                yield one, other


def without_names(block: Block) -> Block:
    """With the numbers that have a name written out, so that the ends of loops show."""
    mutable = mutable_vars(block)
    values: dict[str, Expr] = {}

    def note(stmt: Stmt) -> Stmt:
        match stmt:
            case Decl(name=name, shape=(), init=Expr() as init) if (
                stmt.dtype.is_integer
                and name not in mutable
                and not free_vars(init) & mutable
                and not any(isinstance(n, Load) for n in walk(init))
            ):
                values[name] = substitute(init, values)
        return stmt

    map_stmt(block, note)
    return substitute(block, values)


def may_meet(one: Access, other: Access) -> bool:
    """Whether two accesses might touch the same bytes. Inner counters of the two have different names."""
    if len(one.index) != len(other.index) or not one.index:
        return True
    ranges = {**_ranges(one), **_ranges(other)}
    if one.dtype == other.dtype:
        for mine, theirs in zip(one.index, other.index, strict=True):
            low, high = bounds(simplify(sub(*unify(mine, theirs)), ranges), ranges)
            if (low is not None and low > 0) or (high is not None and high < 0):
                return False
        return True
    if len(one.index) != 1:
        return True
    (low, high), (bottom, top) = _bytes(one, ranges), _bytes(other, ranges)
    return not (
        (high is not None and bottom is not None and high < bottom)
        or (top is not None and low is not None and top < low)
    )


def _bytes(access: Access, ranges: Ranges) -> tuple[int | None, int | None]:
    low, high = bounds(access.index[0], ranges)
    width = access.dtype.bytes
    return (None if low is None else low * width), (None if high is None else (high + 1) * width - 1)


def _ranges(access: Access) -> Ranges:
    """With the number that a loop stays below, where it stays below something else as well."""
    ranges = dict(access.facts.ranges)
    for loop in access.loops:
        ends = [e.value for e in _below(loop.stop) if isinstance(e, Const)]
        if ends:
            ranges[loop.var] = (ranges.get(loop.var, (None, None))[0], int(min(ends)) - 1)
    return ranges


def _below(stop: Expr) -> Iterator[Expr]:
    if isinstance(stop, Call) and stop.function == "min":
        for argument in stop.args:
            yield from _below(argument)
    else:
        yield stop
