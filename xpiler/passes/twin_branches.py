"""A statement that stands in both branches of a condition stands once.

    if (n >= 32768) { parallel for i: y[i] = i } else { for j: y[j] = j }   -->   parallel for i: y[i] = i

Whatever the variables of the copies are called, and whether their loops were shared out to threads: programs
have a copy that starts threads and one that does not.
"""

from __future__ import annotations

from dataclasses import replace

from xpiler.ir.nodes import Block, Decl, For, Function, If, Load, LoopKind, Stmt
from xpiler.ir.rewrite import map_body, map_stmt, rename, walk


def merge_twins(function: Function) -> Function:
    """Everywhere in the function."""
    return map_body(function, _same)


def _same(stmt: Stmt) -> Stmt | tuple[Stmt, ...]:
    if not isinstance(stmt, If) or not stmt.then.body:
        return stmt
    if any(isinstance(n, Load) for n in walk(stmt.condition)):
        return stmt
    ours, theirs = _in_order(stmt.then), _in_order(stmt.otherwise)
    if len(ours) != len(theirs):
        return stmt
    renamed = rename(stmt.otherwise, dict(zip(theirs, ours, strict=True)))
    return stmt.then.body if _plain(renamed) == _plain(stmt.then) else stmt


def _in_order(block: Block) -> list[str]:
    """The variables that a block brings with it."""
    return [n.name if isinstance(n, Decl) else n.var for n in walk(block) if isinstance(n, (Decl, For))]


def _plain(block: Block) -> Block:
    """Without what says which loops have independent iterations."""

    def serial(stmt: Stmt) -> Stmt:
        return replace(stmt, kind=LoopKind.SERIAL) if isinstance(stmt, For) else stmt

    plain = map_stmt(block, serial)
    assert isinstance(plain, Block)
    return plain
