"""Vectors that a loop takes several at a time become a loop over them.

    for i in 0..end step 32:                              for i in 0..end step 32:
      threads lane in 0..16:                                threads r in 0..2:
        low = a[i + lane]; high = a[i + 16 + lane]    -->     threads lane in 0..16:
        c[i + lane] = low; c[i + 16 + lane] = high              c[i + 16*r + lane] = a[i + 16*r + lane]

Sums that all lanes add to are taken together likewise,

    for lane in 0..16: { s += a[i + lane]; s += a[i + 16 + lane] }

so that strips of any width are loops over elements (`index_fusion.py`, `strips.py`).
"""

from __future__ import annotations

from dataclasses import replace

from xpiler.ir.build import const
from xpiler.ir.nodes import (
    Assign,
    Block,
    Const,
    Expr,
    For,
    Function,
    If,
    Load,
    LoopKind,
    Stmt,
    Var,
    While,
)
from xpiler.ir.rewrite import substitute, uses
from xpiler.passes.copies import template
from xpiler.passes.facts import Facts
from xpiler.passes.independence import independent_iterations
from xpiler.passes.names import Names
from xpiler.passes.rerolled_values import noted
from xpiler.passes.structured import spliced


def roll_strips(function: Function) -> Function:
    """Everywhere in a plain function."""
    if not function.is_serial:
        return function
    names = Names(function)
    body = _rolled(function.body, Facts.of(function), names)
    return function if body == function.body else replace(function, body=body)


def _rolled(block: Block, facts: Facts, names: Names) -> Block:
    def stmt(one: Stmt) -> Stmt:
        match one:
            case For():
                loop = _with_vectors(one, facts, names)
                return replace(loop, body=_rolled(loop.body, facts.inside(loop), names))
            case If():
                parts = (_rolled(part, facts, names) for part in (one.then, one.otherwise))
                return If(one.condition, *parts, range=one.range)
            case While():
                return replace(one, body=_rolled(one.body, facts, names))
        return one

    return Block(tuple(stmt(s) for s in spliced(block.body)), range=block.range)


def _with_vectors(strips: For, facts: Facts, names: Names) -> For:
    body = spliced(strips.body.body)
    lanes = body[0] if len(body) == 1 else None
    if not isinstance(lanes, For) or lanes.kind not in (LoopKind.THREADS, LoopKind.SERIAL):
        return strips
    if not isinstance(strips.step, Const) or not isinstance(lanes.stop, Const) or lanes.stop.value == 0:
        return strips
    count, rest = divmod(int(strips.step.value), int(lanes.stop.value))
    stores = _stores(lanes.body)
    if rest or count < 2 or not stores or len(stores) % count:
        return strips
    by_target: dict[str, list[Stmt]] = {}
    for store in stores:
        by_target.setdefault(_written(store), []).append(store)
    if any(len(own) != count for own in by_target.values()):
        return strips
    totals = frozenset(s.target.name for s in stores if isinstance(s.target, Var))
    number = Var(lanes.dtype, names.fresh("r"))
    copies = [[own[n] for own in by_target.values()] for n in range(count)]
    made = template(copies, number)
    if made is None:
        return strips
    inner = replace(lanes, body=Block(made))
    vectors = For(number.name, number.dtype, const(0), const(count), const(1), Block((inner,)), lanes.kind)
    inside = facts.inside(strips).inside(vectors).inside(inner)
    if not independent_iterations([vectors, inner], made, inside, totals):
        return strips
    return replace(strips, body=Block((vectors,)))


def _stores(block: Block) -> list[Assign]:
    """The stores and sums of straight-line code with all scalars put in; none if it is anything else, or
    reads what it writes."""
    values: dict[str, Expr] = {}
    out: list[Assign] = []
    for stmt in spliced(block.body):
        if noted(stmt, values):
            continue
        match stmt:
            case Assign(target=Load(index=index) as target, value=value, reduce=None):
                place = replace(target, index=tuple(substitute(i, values) for i in index))
                out.append(replace(stmt, target=place, value=substitute(value, values)))
            case Assign(target=Var(), value=value, reduce=str()):
                out.append(replace(stmt, value=substitute(value, values)))
            case _:
                return []
    found = [uses(s.value) for s in out]
    reads = {name for one in found for name in one.arrays_read | one.vars_read}
    return [] if {_written(s) for s in out} & reads else out


def _written(store: Assign) -> str:
    return store.target.array if isinstance(store.target, Load) else store.target.name
