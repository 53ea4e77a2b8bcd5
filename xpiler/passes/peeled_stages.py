"""The first and the last stages of a software pipeline, which are written out around its loop, come back into
it: the form that `pipeline_removal.py` makes whole tiles of.

    if (n > 0) load(0)
    if (n > 1) { load(1)  f(0) }
    for i in 0..n - 2:                             for i in 0..n:
      store(i)  load(i + 2)  f(i + 1)                load(i)
    if (n > 1) store(n - 2)                 -->      f(i)
    if (n > 0) f(n - 1)                              store(i)
    if (n > 0) store(n - 1)

Applies where what stands around the loop is what its statements are for counters before the first and behind
the last one, where for every `n` this runs what a pipeline over `n` tiles runs, in its order, and where
`pipeline_removal.py` shows that the stages of a tile may come together. What stands between these pieces
stays where it is, if it meets none of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import lcm

from xpiler.ir.affine import bounds, linear
from xpiler.ir.affine_form import Affine
from xpiler.ir.build import add, const, is_const, mul, sub
from xpiler.ir.nodes import Binary, Block, Const, Decl, Expr, For, Function, If, Stmt, Var
from xpiler.ir.rewrite import free_vars, map_expr, substitute, uses, walk
from xpiler.passes.accesses import accesses
from xpiler.passes.facts import Facts, inside_of
from xpiler.passes.loop_distribution import with_values
from xpiler.passes.names import Names
from xpiler.passes.pipeline_removal import (
    MOST_TURNS,
    Stage,
    interfere,
    may_meet,
    stages_of,
    straightened,
    without_names,
)
from xpiler.passes.placed import after
from xpiler.passes.strips import same_forms
from xpiler.passes.structured import spliced

_MOST_STEPS = 4  # of a pipeline that are written out before its loop
_HOLDS = {
    "<": int.__lt__,
    "<=": int.__le__,
    ">": int.__gt__,
    ">=": int.__ge__,
    "==": int.__eq__,
    "!=": int.__ne__,
}


def join_peeled(function: Function) -> Function:
    """Everywhere in the function."""
    body = _block(function.body, Facts.of(function), Names(function))
    return function if body == function.body else replace(function, body=body)


def _block(block: Block, facts: Facts, names: Names) -> Block:
    stmts: list[Stmt] = []
    known: list[Facts] = []
    for stmt in spliced(block.body):
        known.append(facts)
        stmts.append(_below(stmt, facts, names))
        facts = after(stmt, facts)
    for place in reversed(range(len(stmts))):
        loop = stmts[place]
        if isinstance(loop, For):
            joined = _Pipeline(tuple(stmts), place, loop, known[place], names).joined()
            if joined is not None:
                return _block(Block(tuple(joined), range=block.range), known[0], names)
    return Block(tuple(stmts), range=block.range)


def _below(stmt: Stmt, facts: Facts, names: Names) -> Stmt:
    return inside_of(stmt, facts, lambda block, inner: _block(block, inner, names))


@dataclass(frozen=True)
class _Piece:
    """A stage that is written out: which one, for which counter (`behind`: counted from the loop's end), and
    under which conditions."""

    stage: int
    at: int
    behind: bool
    conditions: tuple[Expr, ...]


@dataclass(frozen=True)
class _Span:
    """A stage runs for the counters from `low` to the loop's end and `more`."""

    low: int
    more: int


class _Pipeline:
    """A loop with the statements around it."""

    def __init__(self, stmts: tuple[Stmt, ...], place: int, loop: For, facts: Facts, names: Names) -> None:
        self.stmts, self.place, self.loop, self.facts, self.names = stmts, place, loop, facts, names
        self.stages: list[Stage] = []
        self.tiles, self.steps = "", 0  # the loop ends at `tiles - steps`

    def joined(self) -> list[Stmt] | None:
        loop, facts = self.loop, self.facts
        end = linear(loop.stop, facts.ranges)
        if (
            end is None
            or not is_const(loop.start, 0)
            or not is_const(loop.step, 1)
            or len(end.variables()) != 1
        ):
            return None
        (self.tiles,) = end.variables()
        rest = (end - _of(self.tiles, loop)).as_int
        if rest is None or not 0 < -rest <= _MOST_STEPS or self.tiles in facts.mutable:
            return None
        self.steps = -rest
        stages = [self._plain(stage) for stage in stages_of(loop, facts, self.names)]
        self.stages = [stage for stage in stages if stage is not None]
        if not self.stages or len(self.stages) != len(stages):
            return None
        pieces = {
            n: self._pieces(stmt, n > self.place) for n, stmt in enumerate(self.stmts) if n != self.place
        }
        found = {n: each for n, each in pieces.items() if each}
        spans = self._spans([p for each in found.values() for p in each])
        if spans is None or not self._is_pipeline(found, spans) or not self._may_move(found):
            return None
        whole = self._whole(spans)
        if whole is None:
            return None
        return [whole if n == self.place else s for n, s in enumerate(self.stmts) if n not in found]

    # ------------------------------------------------------------------------------------------ pieces

    def _plain(self, stage: Stage) -> Stage | None:
        """With the counter's remainders such that they count on below 0; None where it is divided."""
        loop, known = self.loop, self.facts.inside(self.loop).ranges
        failed = False

        def change(expr: Expr) -> Expr:
            nonlocal failed
            match expr:
                case Binary(op="/" | "%" as op, left=left, right=right) if loop.var in free_vars(expr):
                    low = bounds(left, known)[0]
                    if (
                        op == "/"
                        or not isinstance(right, Const)
                        or low is None
                        or low < 0
                        or int(right.value) < 1
                    ):
                        failed = True
                        return expr
                    before = _greatest_step(left, loop.var) * self.steps
                    parts = int(right.value)
                    return replace(expr, left=add(left, const(-(-before // parts) * parts, left.dtype)))
            return expr

        body = map_expr(without_names(Block(stage.body)), change)
        return None if failed else replace(stage, body=body.body)

    def _at(self, stage: Stage, counter: Expr) -> Block:
        return substitute(Block(stage.body), {self.loop.var: counter})

    def _pieces(self, stmt: Stmt, behind: bool) -> list[_Piece]:
        """The stages that the statement is made of; none where some of it is no stage."""
        out: list[_Piece] = []
        for conditions, part in _parts(stmt, (), self.names):
            facts = self.facts
            for condition in conditions:
                facts = facts.where(condition)
            found = next(self._likes(part, behind, facts), None)
            if found is None:
                return []
            out.append(_Piece(*found, behind, conditions))
        return out

    def _likes(self, part: Block, behind: bool, facts: Facts) -> Iterator[tuple[int, int]]:
        written = uses(part).arrays_written
        for n, stage in enumerate(self.stages):
            if uses(Block(stage.body)).arrays_written != written:
                continue
            for at in range(self.steps) if behind else range(-1, -self.steps - 1, -1):
                number = const(at, self.loop.dtype)
                counter = add(self.loop.stop, number) if behind else number
                if same_forms(self._at(stage, counter), part, facts.ranges):
                    yield n, at

    # ------------------------------------------------------------------------------------------ order

    def _spans(self, pieces: Sequence[_Piece]) -> list[_Span] | None:
        """For which counters the pipeline of all tiles runs each stage; None where these are not as many."""
        spans = []
        for n, stage in enumerate(self.stages):
            form = linear(sub(stage.length, self.loop.stop), self.facts.ranges)
            missing = form.as_int if form is not None else None
            if missing is None:
                return None
            before = [p.at for p in pieces if p.stage == n and not p.behind]
            behind = [p.at + 1 for p in pieces if p.stage == n and p.behind]
            spans.append(_Span(min(before, default=stage.delay), max(behind, default=stage.delay + missing)))
        return spans if all(s.more - s.low == self.steps for s in spans) else None

    def _is_pipeline(self, found: dict[int, list[_Piece]], spans: Sequence[_Span]) -> bool:
        """Whether what is written runs the same stages in the same order, however many tiles there are."""
        reach = 2 * self.steps + 2  # no condition asks for more, so that more tiles are like that many
        least = bounds(Var(self.loop.dtype, self.tiles), self.facts.ranges)[0]
        for tiles in range(max(-reach, -reach if least is None else least), reach + self.steps + 1):
            end = tiles - self.steps
            ran: list[tuple[int, int]] = []
            for n in range(len(self.stmts)):
                if n == self.place:
                    ran += self._ran_in_loop(end)
                for piece in found.get(n, ()):
                    holds = [self._holds(c, tiles, reach) for c in piece.conditions]
                    if None in holds:
                        return False
                    if all(holds):
                        ran.append((piece.at + end if piece.behind else piece.at, piece.stage))
            first, last = min(s.low for s in spans), max(s.more for s in spans)
            wanted = [
                (at, n)
                for at in range(first, end + last)
                for n, span in enumerate(spans)
                if span.low <= at < end + span.more
            ]
            if ran != wanted:
                return False
        return True

    def _ran_in_loop(self, end: int) -> list[tuple[int, int]]:
        out = []
        for at in range(end):
            for n, stage in enumerate(self.stages):
                form = linear(sub(stage.length, self.loop.stop), self.facts.ranges)
                missing = form.as_int if form is not None else None
                if missing is not None and stage.delay <= at < stage.delay + end + missing:
                    out.append((at, n))
        return out

    def _holds(self, condition: Expr, tiles: int, reach: int) -> bool | None:
        """Of so many tiles; None where the condition asks for something else."""
        match condition:
            case Binary(op=op, left=left, right=right) if op in _HOLDS and left.dtype.is_integer:
                form = linear(sub(left, right), self.facts.ranges)
                if form is None:
                    return None
                for sign in (1, -1):
                    rest = (form - _of(self.tiles, self.loop) * sign).as_int
                    if rest is not None and abs(rest) <= reach:
                        return bool(_HOLDS[op](sign * tiles + rest, 0))
        return None

    # ------------------------------------------------------------------------------------------ moving

    def _may_move(self, found: dict[int, list[_Piece]]) -> bool:
        """Whether the pieces may move to the loop, past what stands between."""
        for n in found:
            low, high = (n + 1, self.place) if n < self.place else (self.place + 1, n)
            if any(
                m not in found and not self._is_apart(self.stmts[n], self.stmts[m]) for m in range(low, high)
            ):
                return False
        return True

    def _is_apart(self, one: Stmt, other: Stmt) -> bool:
        used = uses(Block((one,)))
        shared = interfere(Block((one,)), Block((other,)), self.facts)
        if shared is None or (
            isinstance(other, Decl)
            and other.name in (used.vars_read | used.arrays_read | used.arrays_written)
        ):
            return False
        if not shared:
            return True
        turns = 1
        for node in walk(Block((one, other))):
            match node:
                case Binary(op="%", left=left, right=Const(value=parts)) if self.tiles in free_vars(left):
                    turns = lcm(turns, int(parts))
        if not 0 < turns <= MOST_TURNS:
            return False
        rounds = Var(self.loop.dtype, f"{self.tiles}?round")
        known = replace(self.facts, ranges={**self.facts.ranges, rounds.name: (0, None)})
        for turn in range(1, turns + 1):  # of no tiles there are no pieces
            tiles = {self.tiles: add(mul(rounds, turns), turn)}
            mine, theirs = (
                accesses(substitute(without_names(Block((s,))), tiles).body, known) for s in (one, other)
            )
            for access in mine:
                for reach in theirs:
                    if (access.array, reach.array) in shared and may_meet(access, reach):
                        return False
        return True

    def _whole(self, spans: Sequence[_Span]) -> For | None:
        loop, first = self.loop, min(s.low for s in spans)
        counter = Var(loop.dtype, loop.var)
        shifted = add(counter, const(first, loop.dtype))
        number = Var(loop.dtype, self.tiles)
        stages = [
            replace(stage, delay=span.low - first, length=number, body=self._at(stage, shifted).body)
            for stage, span in zip(self.stages, spans, strict=True)
        ]
        return straightened(replace(loop, stop=number), stages, self.facts)


def _of(name: str, loop: For) -> Affine:
    form = linear(Var(loop.dtype, name))
    assert form is not None
    return form


def _greatest_step(expr: Expr, var: str) -> int:
    """How much the expression may change with the counter, at most: 0 where that is not a number."""
    form = linear(sub(substitute(expr, {var: add(Var(expr.dtype, var), const(1, expr.dtype))}), expr))
    return abs(form.as_int) if form is not None and form.as_int is not None else 0


def _parts(
    stmt: Stmt, conditions: tuple[Expr, ...], names: Names
) -> Iterator[tuple[tuple[Expr, ...], Block]]:
    """The statements that do something, each with the conditions that it stands under."""
    if isinstance(stmt, If) and not stmt.otherwise.body:
        values: list[Decl] = []
        for inner in spliced(stmt.then.body):
            if isinstance(inner, Decl) and not inner.shape and isinstance(inner.init, Expr):
                values.append(inner)
            else:
                named = with_values(values, [inner], names)
                yield from _parts_of(named, (*conditions, stmt.condition), names)
    else:
        yield conditions, Block((stmt,))


def _parts_of(
    block: Block, conditions: tuple[Expr, ...], names: Names
) -> Iterator[tuple[tuple[Expr, ...], Block]]:
    if len(block.body) == 1:
        yield from _parts(block.body[0], conditions, names)
    else:
        yield conditions, block
