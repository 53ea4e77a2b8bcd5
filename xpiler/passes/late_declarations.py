"""A variable that begins as a number is declared where it is first used, if threads meet in between.

    float top = -inf, sum = 0;                       float top = -inf;
    for c: top = max(top, x[c])                      for c: top = max(top, x[c])
    top = ... barrier ...                      -->   top = ... barrier ...
    for c: sum += exp(x[c] - top)                    float sum = 0;
                                                     for c: sum += exp(x[c] - top)

So that what threads do between two meetings is whole: a sum is seen with where it begins, and what comes
before is not held up by it.
"""

from __future__ import annotations

from dataclasses import replace

from xpiler.ir.nodes import Barrier, Block, Collective, Const, Decl, Function, Stmt
from xpiler.ir.rewrite import map_body, walk


def declare_late(function: Function) -> Function:
    """Everywhere in the function."""
    return map_body(function, lambda stmt: _sunk(stmt) if isinstance(stmt, Block) else stmt)


def _sunk(block: Block) -> Block:
    stmts = list(block.body)
    for decl in block.body:
        if isinstance(decl, Decl) and not decl.shape and isinstance(decl.init, Const):
            at = next(n for n, stmt in enumerate(stmts) if stmt is decl)
            first = next((n for n in range(at + 1, len(stmts)) if _mentions(stmts[n], decl.name)), None)
            if first is not None and any(map(_meets, stmts[at + 1 : first])):
                stmts.insert(first, decl)
                del stmts[at]
    return block if stmts == list(block.body) else replace(block, body=tuple(stmts))


def _mentions(stmt: Stmt, name: str) -> bool:
    return any(
        getattr(node, "name", None) == name or getattr(node, "array", None) == name for node in walk(stmt)
    )


def _meets(stmt: Stmt) -> bool:
    return any(isinstance(node, (Barrier, Collective)) for node in walk(stmt))
