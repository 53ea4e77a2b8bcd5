"""Threads that take several rows of a tile, as many apart as there are threads, become a thread a row.

    threads t in 0..8: threads x: for j in 0..32 step 8: f(t + j)   -->   threads j in 0..32: threads x: f(j)

Applies to whole strips of constant sizes, in which counter and thread occur as their sum only and no two
steps of a thread touch the same element.
"""

from __future__ import annotations

from dataclasses import replace

from xpiler.ir.nodes import Block, Const, Expr, For, Function, If, LoopKind, Stmt, Var, While
from xpiler.ir.rewrite import free_vars
from xpiler.passes.facts import Facts, Ranges
from xpiler.passes.independence import independent
from xpiler.passes.strips import of_the_sum
from xpiler.passes.structured import spliced


def widen_threads(function: Function) -> Function:
    """In every nest of threads."""
    body = _block(function.body, Facts.of(function))
    return function if body == function.body else replace(function, body=body)


def _block(block: Block, facts: Facts) -> Block:
    return replace(block, body=tuple(_stmt(s, facts) for s in block.body))


def _stmt(stmt: Stmt, facts: Facts) -> Stmt:
    match stmt:
        case For(kind=LoopKind.THREADS):
            return _widened(stmt, facts) or stmt
        case For():
            return replace(stmt, body=_block(stmt.body, facts.inside(stmt)))
        case If(condition=condition):
            return replace(
                stmt,
                then=_block(stmt.then, facts.where(condition)),
                otherwise=_block(stmt.otherwise, facts.where(condition, False)),
            )
        case While():
            return replace(stmt, body=_block(stmt.body, facts))
        case Block():
            return _block(stmt, facts)
    return stmt


def _widened(nest: For, facts: Facts) -> For | None:
    threads = [nest]
    facts = facts.inside(nest)
    body = spliced(nest.body.body)
    while len(body) == 1 and isinstance(body[0], For) and body[0].kind is LoopKind.THREADS:
        threads.append(body[0])
        facts = facts.inside(body[0])
        body = spliced(body[0].body.body)
    if len(body) != 1 or not isinstance(body[0], For) or not independent(body[0], facts):
        return None
    strip = body[0]
    for thread in threads:
        inner = _of_rows(strip, thread)
        if inner is None:
            continue
        for each in reversed(threads):
            head = replace(strip, start=thread.start, step=thread.step, kind=LoopKind.THREADS)
            inner = Block((replace(head if each is thread else each, body=inner),))
        (widened,) = inner.body
        assert isinstance(widened, For)
        return widened
    return None


def _of_rows(strip: For, thread: For) -> Block | None:
    """The body of a strip in terms of the row, by the name of the strip's counter."""
    if not isinstance(strip.stop, Const) or not isinstance(strip.step, Const) or int(strip.step.value) < 2:
        return None
    if not _is(thread.start, 0) or not _is(thread.step, 1) or not _is(thread.stop, int(strip.step.value)):
        return None
    if int(strip.stop.value) % int(strip.step.value):
        return None
    if strip.start == Var(thread.dtype, thread.var) and thread.var not in free_vars(strip.body):
        return strip.body
    if not _is(strip.start, 0):
        return None
    ranges: Ranges = {
        strip.var: (0, int(strip.stop.value) - int(strip.step.value)),
        thread.var: (0, int(strip.step.value) - 1),
    }
    return of_the_sum(strip.body, strip.var, thread.var, Var(strip.dtype, strip.var), ranges)


def _is(expr: Expr, value: int) -> bool:
    return isinstance(expr, Const) and int(expr.value) == value
