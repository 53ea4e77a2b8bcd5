"""Loops whose iterations are shown to be independent are marked so.

    for row in 0..m: for col in 0..n: c[row*n + col] = ...   -->   parallel for row: parallel for col: ...

Loops that came from threads and blocks keep their mark. For the others the reason why not is reported.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from xpiler.ir.nodes import Block, Break, For, Function, If, LoopKind, Stmt, While
from xpiler.passes.facts import Facts
from xpiler.passes.independence import independent
from xpiler.passes.structured import spliced
from xpiler.passes.sync import leaves_loop


@dataclass
class Marked:
    """The function, and a line for every outermost loop that stays serial."""

    function: Function
    reasons: list[str] = field(default_factory=list)


def mark_parallel(function: Function) -> Marked:
    marked = Marked(function)
    body = _block(function.body, Facts.of(function), marked, True)
    marked.function = replace(function, body=body)
    return marked


def _block(block: Block, facts: Facts, marked: Marked, outermost: bool) -> Block:
    return Block(_body(block.body, facts, marked, outermost), range=block.range)


def _body(stmts: Sequence[Stmt], facts: Facts, marked: Marked, outermost: bool) -> tuple[Stmt, ...]:
    out: list[Stmt] = []
    for stmt in spliced(stmts):
        out.append(_stmt(stmt, facts, marked, outermost))
        facts = facts.after(stmt)
    return tuple(out)


def _stmt(stmt: Stmt, facts: Facts, marked: Marked, outermost: bool) -> Stmt:
    match stmt:
        case For():
            inner = _block(stmt.body, facts.inside(stmt), marked, False)
            return replace(stmt, body=inner, kind=_kind(stmt, facts, marked, outermost))
        case If(condition=condition):
            return replace(
                stmt,
                then=_block(stmt.then, facts.where(condition), marked, outermost),
                otherwise=_block(stmt.otherwise, facts.where(condition, False), marked, outermost),
            )
        case While():
            return replace(stmt, body=_block(stmt.body, facts, marked, outermost))
    return stmt


def _kind(loop: For, facts: Facts, marked: Marked, outermost: bool) -> LoopKind:
    if loop.kind in (LoopKind.THREADS, LoopKind.PARALLEL):
        return loop.kind
    if any(leaves_loop(s, (Break,)) for s in loop.body.body):
        return loop.kind
    answer = independent(loop, facts)
    if answer:
        return LoopKind.PARALLEL
    if outermost:
        marked.reasons.append(f"loop `{loop.var}` stays serial: {answer.reason}")
    return loop.kind
