"""Parallel loops that came from blocks and threads: which are shown to be independent, which are believed.

    parallel for row: parallel for col: c[row*n + col] = ...      shown: different iterations write apart
    parallel for b: y[index[b]] = ...                             believed: CUDA runs blocks in any order

That blocks of a launch, and threads between two barriers, do not wait for each other or write one another's
results is CUDA's own rule. It is shown anew where the index algebra can; elsewhere it stands as a premise,
which holds as far as the race check of the source's runs can tell. A loop with neither becomes serial.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace

from xpiler.ir.nodes import Block, For, Function, If, LoopKind, Stmt, While
from xpiler.ir.rewrite import map_body
from xpiler.passes.facts import Facts
from xpiler.passes.independence import independent

_FROM_SIMT = (LoopKind.PARALLEL, LoopKind.THREADS)


@dataclass(frozen=True)
class Premise:
    """One parallel loop by its variable. `reason` says why it is not shown to be independent, "" if it is."""

    loop: str
    reason: str = ""

    @property
    def shown(self) -> bool:
        return not self.reason


def premises(function: Function) -> tuple[Premise, ...]:
    """Every loop marked parallel, from the outermost in."""
    return tuple(_of_body(function.body.body, Facts.of(function)))


def _of_body(stmts: Sequence[Stmt], facts: Facts) -> Iterator[Premise]:
    for stmt in stmts:
        match stmt:
            case Block(body=body):
                yield from _of_body(body, facts)
            case For():
                if stmt.kind in _FROM_SIMT:
                    yield Premise(stmt.var, independent(stmt, facts).reason)
                yield from _of_body(stmt.body.body, facts.inside(stmt))
            case If(condition=condition, then=then, otherwise=otherwise):
                yield from _of_body(then.body, facts.where(condition))
                yield from _of_body(otherwise.body, facts.where(condition, False))
            case While(body=body):
                yield from _of_body(body.body, facts)


def serial_where_not_shown(function: Function, found: Collection[Premise]) -> Function:
    """The function whose loops run one iteration after the other unless they are shown to be independent."""
    doubtful = {premise.loop for premise in found if not premise.shown}

    def change(stmt: Stmt) -> Stmt:
        if isinstance(stmt, For) and stmt.kind in _FROM_SIMT and stmt.var in doubtful:
            return replace(stmt, kind=LoopKind.SERIAL)
        return stmt

    return map_body(function, change)
