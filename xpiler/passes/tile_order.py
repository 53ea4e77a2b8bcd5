"""The loop over the elements of a tile moves next to the loop over the tiles.

    for m step 6:                                         for m step 6:
      rows = min(6, M - m)                                  rows = min(6, M - m)
      for n step 32:                                        for i in 0..rows:
        for i in 0..rows:                           -->       for n step 32:
          for j in 0..min(32, N - n): f(m + i, n + j)           for j in 0..min(32, N - n): f(m + i, n + j)

so that both pairs are loops over elements (`strip_mining.py`). Only of nests with nothing but numbers between
the loops, and only past loops whose iterations are independent, or where the elements are. The lanes of a sum
move inwards:

    for lane in 0..16:                                    for y:
      for y:                                                for c step 16:
        for c step 16: s += f(y, c + lane)          -->       for lane in 0..16: s += f(y, c + lane)

as the order of what is added is that of an associative sum.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from xpiler.ir.build import is_const
from xpiler.ir.nodes import (
    Assign,
    Block,
    Const,
    Decl,
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
from xpiler.ir.rewrite import assigned_vars, free_vars, substitute, walk, walk_stmts
from xpiler.passes.facts import Facts
from xpiler.passes.independence import accumulators, independent, independent_iterations
from xpiler.passes.strip_mining import end_of_tiles
from xpiler.passes.structured import spliced

_INDEPENDENT = (LoopKind.PARALLEL, LoopKind.THREADS)


def order_tiles(function: Function) -> Function:
    """Everywhere in a plain function, outer tiles first."""
    if not function.is_serial:
        return function
    body = _ordered(function.body, Facts.of(function))
    return function if body == function.body else replace(function, body=body)


def _ordered(block: Block, facts: Facts) -> Block:
    body = [part for s in spliced(block.body) for part in _apart(s)]
    return Block(tuple(_ordered_stmt(s, facts) for s in body), range=block.range)


def _ordered_stmt(stmt: Stmt, facts: Facts) -> Stmt:
    match stmt:
        case For():
            loop = _with_elements_next(stmt, facts)
            summed = _with_lanes_inside(loop)
            if summed is not None:
                return summed
            return replace(loop, body=_ordered(loop.body, facts.inside(loop)))
        case If(condition=condition):
            return replace(
                stmt,
                then=_ordered(stmt.then, facts.where(condition)),
                otherwise=_ordered(stmt.otherwise, facts.where(condition, False)),
            )
        case While():
            return replace(stmt, body=_ordered(stmt.body, facts))
    return stmt


def _with_elements_next(tiles: For, facts: Facts) -> For:
    """The loop over tiles with that over the elements of a tile directly inside, if it is further inside."""
    if not isinstance(tiles.step, Const) or int(tiles.step.value) < 2:
        return tiles
    names: dict[str, Expr] = {}  # what is computed around the loops, and inside the tiles
    between: list[tuple[Sequence[Decl], For]] = []
    body = spliced(tiles.body.body)
    while True:
        *heads, last = body or (tiles,)
        declared = [h for h in heads if isinstance(h, Decl) and _is_number(h)]
        if not isinstance(last, For) or len(declared) < len(heads) or last is tiles:
            return tiles
        if any(head.name in facts.mutable for head in declared):
            return tiles
        for head in declared:
            assert isinstance(head.init, Expr)
            names[head.name] = substitute(head.init, names)
        length = substitute(last.stop, names)
        if is_const(last.start, 0) and is_const(last.step, 1) and end_of_tiles(tiles, length) is not None:
            break
        between.append((declared, last))
        body = spliced(last.body.body)
    if not between or declared or not _may_move(last, between, facts.inside(tiles)):
        return tiles
    inner: tuple[Stmt, ...] = last.body.body
    for number, (heads_of, loop) in reversed(list(enumerate(between))):
        inner = (replace(loop, body=Block(inner)),)
        if number:
            inner = (*heads_of, *inner)
    return replace(tiles, body=Block((*between[0][0], replace(last, body=Block(inner)))))


def _may_move(elements: For, past: Sequence[tuple[Sequence[Decl], For]], facts: Facts) -> bool:
    loops = [loop for _, loop in past]
    inside = {d.name for heads, _ in past[1:] for d in heads} | {loop.var for loop in loops}
    if free_vars(replace(elements, body=Block(()))) & (inside | assigned_vars(elements.body)):
        return False
    nest = [*loops, elements]
    if all(loop.kind in _INDEPENDENT for loop in nest):
        return True
    around = facts
    for loop in nest:
        facts = facts.inside(loop)
    if all(loop.kind in _INDEPENDENT or independent(loop, around) for loop in loops):
        return True  # what one iteration does has nothing to do with the others, whole as they are
    heads = tuple(d for heads, _ in past[1:] for d in heads)
    if independent_iterations(nest, (*heads, *spliced(elements.body.body)), facts):
        return True
    inner: tuple[Stmt, ...] = elements.body.body
    for number, (heads_of, loop) in reversed(list(enumerate(past))):
        inner = (*(heads_of if number else ()), replace(loop, body=Block(inner)))
    return bool(independent(replace(elements, body=Block(inner)), around))


def _apart(stmt: Stmt) -> tuple[Stmt, ...]:
    """A sum over lanes of several parts as a sum over each; a condition that is the same for all lanes goes
    around it."""
    if not isinstance(stmt, For) or not isinstance(stmt.stop, Const):
        return (stmt,)
    parts = spliced(stmt.body.body)
    if not (is_const(stmt.start, 0) and is_const(stmt.step, 1)) or not _only_adds(parts):
        return (stmt,)
    out: list[Stmt] = []
    for part in parts:
        match part:
            case If(then=then, otherwise=Block(body=())) if stmt.var not in free_vars(_head(part)):
                out.append(replace(part, then=Block((replace(stmt, body=then),))))
            case _:
                out.append(replace(stmt, body=Block((part,))))
    return tuple(out)


def _only_adds(parts: Sequence[Stmt]) -> bool:
    """Whether all that the statements do is to add to sums that they do not read."""
    sums = accumulators(parts)
    assigns = [s for part in parts for s in walk_stmts(part) if not isinstance(s, For | If | Block)]
    return bool(assigns) and all(
        isinstance(s, Assign) and isinstance(s.target, Var) and s.target.name in sums for s in assigns
    )


def _with_lanes_inside(lanes: For) -> Stmt | None:
    """A sum over lanes around one over tiles of as many elements, the other way round."""
    if not is_const(lanes.start, 0) or not is_const(lanes.step, 1) or not isinstance(lanes.stop, Const):
        return None
    around: list[For | If] = []
    body = spliced(lanes.body.body)
    while len(body) == 1 and lanes.var not in free_vars(_head(body[0])):
        match body[0]:
            case For(step=step) as loop:
                around.append(loop)
                body = spliced(loop.body.body)
                if step == lanes.stop:
                    break
            case If(otherwise=Block(body=())) as choice:
                around.append(choice)
                body = spliced(choice.then.body)
            case _:
                return None
    *_, tiles = around or (None,)
    if not isinstance(tiles, For) or tiles.step != lanes.stop or not _only_adds(body):
        return None
    inner: Stmt = replace(lanes, body=Block(body), kind=LoopKind.SERIAL)
    for outer in reversed(around):
        block = Block((inner,))
        inner = replace(outer, body=block) if isinstance(outer, For) else replace(outer, then=block)
    return inner


def _head(stmt: Stmt) -> Stmt:
    """What decides whether and how often the body of a statement runs."""
    match stmt:
        case For():
            return replace(stmt, body=Block(()))
        case If():
            return replace(stmt, then=Block(()), otherwise=Block(()))
    return stmt


def _is_number(decl: Decl) -> bool:
    return (
        not decl.shape
        and decl.dtype.is_integer
        and isinstance(decl.init, Expr)
        and not any(isinstance(n, Load) for n in walk(decl.init))
    )
