"""A body in which threads meet, cut into regions between the meeting points.

    A;  if (u) { B; __syncthreads(); C; }  D;   -->   [A]  if (u) { [B] [C] }  [D]

Each region becomes one loop over the threads of the team. What is the same for all threads (`Once`) is
done once for
the team, before the region it stands in where that changes nothing, so that it does not cut the region
in two.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from xpiler.ir.nodes import (
    EMPTY,
    Atomic,
    Barrier,
    Block,
    Break,
    Collective,
    Continue,
    Decl,
    For,
    If,
    Instr,
    Return,
    Space,
    Stmt,
    Trap,
    While,
)
from xpiler.ir.rewrite import Uses, uses, walk_stmts
from xpiler.passes.structured import spliced
from xpiler.passes.sync import Team, own_team, team


@dataclass
class Region:
    """Statements that every thread of the team runs without meeting another."""

    stmts: list[Stmt]


@dataclass
class Once:
    """A statement executed once for the whole team."""

    stmt: Stmt


@dataclass
class Nest:
    """Uniform control flow around items: an `If`, `For` or `While` whose own blocks are to be ignored."""

    stmt: If | For | While
    body: list[Item]
    otherwise: list[Item] = field(default_factory=list)


Item = Region | Once | Nest


def regions(items: Sequence[Item]) -> Iterator[Region]:
    for item in items:
        if isinstance(item, Region):
            yield item
        elif isinstance(item, Nest):
            yield from regions(item.body)
            yield from regions(item.otherwise)


def team_expressions(items: Sequence[Item]) -> Iterator[Stmt]:
    """Statements evaluated once for the team, without the regions inside them."""
    for item in items:
        if isinstance(item, Once):
            yield item.stmt
        elif isinstance(item, Nest):
            yield _head(item.stmt)
            yield from team_expressions(item.body)
            yield from team_expressions(item.otherwise)


def _head(stmt: If | For | While) -> Stmt:
    if isinstance(stmt, If):
        return replace(stmt, then=EMPTY, otherwise=EMPTY)
    return replace(stmt, body=EMPTY)


@dataclass
class Cutter:
    """Cuts a body for a team of `level`. `varying`: names that differ between its threads."""

    level: Team
    varying: set[str]
    accumulators: set[str]  # scalars of the team that its threads fold values into
    team_arrays: set[str]  # arrays of which the team has one
    team_scalars: set[str] = field(default_factory=set)
    private_arrays: set[str] = field(default_factory=set)
    _assigned: frozenset[str] = frozenset()

    def cut(self, stmts: Sequence[Stmt]) -> list[Item]:
        body = Block(tuple(stmts))
        for stmt in walk_stmts(body):
            if isinstance(stmt, Decl) and stmt.shape and not self._of_team(stmt):
                self.private_arrays.add(stmt.name)
        self._assigned = uses(body).vars_assigned
        self._find_team_scalars(body)
        return self._items(body.body)

    def _of_team(self, decl: Decl) -> bool:
        if decl.name in self.team_arrays or (decl.space is Space.SHARED and self.level <= Team.BLOCK):
            return True
        return decl.space is Space.FRAGMENT and self.level is Team.WARP

    # ------------------------------------------------------------------ scalars of the team

    def _find_team_scalars(self, body: Block) -> None:
        """Uniform scalars all of whose assignments can be executed once for the team: the largest such
        set."""
        loose = list(self._positions(body.body))
        found = uses(body)
        counters = {s.var for s in walk_stmts(body) if isinstance(s, For) and team(s) >= self.level}
        self.team_scalars = (set(found.vars_assigned) - self.varying - self.accumulators) | counters
        changed = True
        while changed:
            changed = False
            for stmt in loose:
                if not self.executable(stmt):
                    wrong = (uses(stmt).vars_assigned & self.team_scalars) - counters
                    if wrong:
                        self.team_scalars -= wrong
                        changed = True

    def _positions(self, stmts: Sequence[Stmt]) -> Iterator[Stmt]:
        """Statements that do not synchronise and are not inside another such statement."""
        for stmt in spliced(stmts):
            if team(stmt) < self.level:
                yield stmt
            elif isinstance(stmt, If):
                yield from self._positions(stmt.then.body)
                yield from self._positions(stmt.otherwise.body)
            elif isinstance(stmt, (For, While)):
                yield from self._positions(stmt.body.body)

    def executable(self, stmt: Stmt) -> bool:
        """Whether one execution for the team is as good as one by each thread."""
        for inner in walk_stmts(stmt):
            if isinstance(inner, (Atomic, Collective, Instr, Trap, Barrier, Break, Continue, Return)):
                return False
        found = uses(stmt)
        if found.arrays_written or found.arrays_declared or found.arrays_read & self.private_arrays:
            return False
        own = frozenset() if isinstance(stmt, Decl) else found.vars_declared
        if not found.vars_assigned <= self.team_scalars | self.accumulators | own:
            return False
        if found.vars_assigned & found.vars_read & self.accumulators:  # each thread's contribution counts
            return False
        if self.varying & (found.vars_read | found.arrays_read | found.vars_assigned):
            return False
        return all(self._visible(name) for name in found.vars_read - own)

    def _visible(self, name: str) -> bool:
        return name in self.team_scalars or name in self.accumulators or name not in self._assigned

    # ------------------------------------------------------------------ cutting

    def _items(self, stmts: Sequence[Stmt]) -> list[Item]:
        items: list[Item] = []
        current: Region | None = None
        for stmt in spliced(stmts):
            if own_team(stmt) >= self.level and not isinstance(stmt, Instr):
                current = None  # a barrier
            elif isinstance(stmt, Instr) and self.level is Team.WARP:
                items.append(Once(stmt))
                current = None
            elif team(stmt) >= self.level:
                items.append(self._nest(stmt))
                current = None
            elif self._team_decl(stmt):
                _before(items, current, Once(stmt))
            elif self.executable(stmt):
                if current is None or not _conflict(current, stmt):
                    _before(items, current, Once(stmt))
                else:
                    items.append(Once(stmt))
                    current = None
            else:
                if current is None:
                    current = Region([])
                    items.append(current)
                current.stmts.append(stmt)
        return items

    def _team_decl(self, stmt: Stmt) -> bool:
        return isinstance(stmt, Decl) and (
            stmt.name in self.accumulators if not stmt.shape else stmt.name not in self.private_arrays
        )

    def _nest(self, stmt: Stmt) -> Nest:
        match stmt:
            case If(then=then, otherwise=otherwise):
                return Nest(stmt, self._items(then.body), self._items(otherwise.body))
            case For() | While():
                return Nest(stmt, self._items(stmt.body.body))
        raise AssertionError(stmt)


def _before(items: list[Item], current: Region | None, once: Once) -> None:
    if current is None:
        items.append(once)
    else:
        items.insert(len(items) - 1, once)


def _conflict(region: Region, stmt: Stmt) -> bool:
    """Whether `stmt` may not move before `region`."""
    here = uses(stmt)
    for other in region.stmts:
        there: Uses = uses(other)
        if here.vars_assigned & (there.vars_read | there.vars_assigned):
            return True
        if here.vars_read & there.vars_assigned or here.arrays_read & there.arrays_written:
            return True
    return False
