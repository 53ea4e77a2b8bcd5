"""Elements of matrix instructions' tiles as threads, outside of the loops that go on in the sum.

    threads warp:                                        threads row in 0..64: threads column in 0..64:
      for kk in 0..32 step 16:                             for k in 0..32:
        for i in 0..2: for j in 0..2:                        acc[row][column] += f(row, k) * g(k, column)
          for r in 0..16: for c in 0..16:          -->
            for k in 0..16: acc[warp][i][j][r][c] +=
              f(warp / 2 * 32 + i * 16 + r, kk + k) * ...

So that a product of tiles is the same loops as a product whose threads each have an element of the result,
and thread fusion (`thread_fusion.py`) makes a scalar of the accumulator.
"""

from __future__ import annotations

from collections.abc import Callable, Set
from dataclasses import replace

from xpiler.ir.build import is_const
from xpiler.ir.nodes import EMPTY, Block, Const, For, Function, If, LoopKind, Stmt, While
from xpiler.ir.rewrite import children, free_vars, uses
from xpiler.passes.facts import Facts
from xpiler.passes.independence import independent_iterations
from xpiler.passes.index_fusion import fuse_indices
from xpiler.passes.structured import spliced
from xpiler.passes.thread_digits import split_thread_digits
from xpiler.passes.thread_fusion import fuse_threads

_IN_ORDER = (LoopKind.SERIAL, LoopKind.UNROLLED)
_Change = Callable[[For, Facts, bool], For]


def mark_tiles(function: Function, tiles: Set[str]) -> Function:
    """Loops over such tiles, and over their elements, whose iterations are independent are threads."""

    def change(loop: For, facts: Facts, inside: bool) -> For:
        plain = is_const(loop.start, 0) and is_const(loop.step, 1) and isinstance(loop.stop, Const)
        found = uses(loop.body)
        if loop.kind not in _IN_ORDER or not plain or not (found.arrays_read | found.arrays_written) & tiles:
            return loop
        if not independent_iterations([loop], loop.body.body, facts.inside(loop)):
            return loop
        return replace(loop, kind=LoopKind.THREADS, unroll=0)

    return replace(function, body=_block(function.body, Facts.of(function), change, False))


def turn_tiles(function: Function) -> Function:
    """Loops between threads go inside, and digits of rows and columns become one counter each."""

    def change(loop: For, facts: Facts, inside: bool) -> For:
        return _inwards(loop, facts) if inside else loop

    if not _has_tiles(function.body, 0):
        return function
    body = _block(function.body, Facts.of(function), change, False)
    return fuse_indices(split_thread_digits(fuse_threads(replace(function, body=body))))


def _has_tiles(stmt: Stmt, depth: int) -> bool:
    """Whether there are rows and columns of a tile in loops over threads or warps."""
    depth += isinstance(stmt, For) and stmt.kind is LoopKind.THREADS
    return depth > 2 or any(_has_tiles(s, depth) for s in children(stmt) if isinstance(s, Stmt))


def _inwards(loop: For, facts: Facts) -> For:
    """`for k: threads t: S` as `threads t: for k: S`."""
    match spliced(loop.body.body):
        case (For(kind=LoopKind.THREADS) as threads,) if loop.kind in _IN_ORDER and loop.var not in free_vars(
            replace(threads, body=EMPTY)
        ):
            inner = replace(loop, body=threads.body)
            within = facts.inside(threads)
            if independent_iterations([threads], [inner], within):
                return replace(threads, body=Block((_inwards(inner, within),)))
    return loop


def _block(block: Block, facts: Facts, change: _Change, inside: bool) -> Block:
    """All loops, inner ones first; `inside`: of threads."""
    return replace(block, body=tuple(_stmt(s, facts, change, inside) for s in block.body))


def _stmt(stmt: Stmt, facts: Facts, change: _Change, inside: bool) -> Stmt:
    match stmt:
        case Block():
            return _block(stmt, facts, change, inside)
        case For(kind=kind):
            within = inside or kind is LoopKind.THREADS
            body = _block(stmt.body, facts.inside(stmt), change, within)
            return change(replace(stmt, body=body), facts, inside)
        case While():
            return replace(stmt, body=_block(stmt.body, facts, change, inside))
        case If(condition=condition):
            then = _block(stmt.then, facts.where(condition), change, inside)
            otherwise = _block(stmt.otherwise, facts.where(condition, False), change, inside)
            return replace(stmt, then=then, otherwise=otherwise)
    return stmt
