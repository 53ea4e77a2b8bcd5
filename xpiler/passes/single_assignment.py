"""Integers that straight-line code assigns again get a name for every value.

    int r = i / c;  x = r % w;  r /= w;  y = r;   -->   int r = i / c;  x = r % w;  int r_1 = r / w;  y = r_1;

So indices that are taken apart step by step can be put in where they are used. Only where all assignments
stand in the block of the declaration itself.
"""

from __future__ import annotations

from dataclasses import replace

from xpiler.ir.build import binary
from xpiler.ir.nodes import Assign, Block, Decl, Expr, Function, Ref, Stmt, Var
from xpiler.ir.rewrite import map_stmt, rename, uses, walk
from xpiler.passes.names import Names

_OPERATORS = ("+", "*", "&", "|", "^")


def single_assignments(function: Function) -> Function:
    """Everywhere in the function."""
    names = Names(function)

    def change(stmt: Stmt) -> Stmt:
        return _renamed(stmt, names) if isinstance(stmt, Block) else stmt

    body = map_stmt(function.body, change)
    assert isinstance(body, Block)
    return function if body == function.body else replace(function, body=body)


def _renamed(block: Block, names: Names) -> Block:
    stmts = list(block.body)
    for at in range(len(stmts)):
        decl = stmts[at]
        if not isinstance(decl, Decl) or decl.shape or not decl.dtype.is_integer:
            continue
        later = stmts[at + 1 :]
        if not isinstance(decl.init, Expr) or not _only_here(decl.name, later):
            continue
        name = decl.name
        for n in range(at + 1, len(stmts)):
            stmt = stmts[n]
            if isinstance(stmt, Assign) and isinstance(stmt.target, Var) and stmt.target.name == name:
                value = stmt.value
                if stmt.reduce is not None:
                    value = binary(stmt.reduce, stmt.target, stmt.value)
                new = names.fresh(decl.name)
                stmts[n] = Decl(new, decl.dtype, (), decl.space, value, range=stmt.range)
                stmts[n + 1 :] = rename(Block(tuple(stmts[n + 1 :])), {name: new}).body
                name = new
    return block if stmts == list(block.body) else Block(tuple(stmts), range=block.range)


def _only_here(name: str, stmts: list[Stmt]) -> bool:
    """Whether the variable is assigned again, by assignments that stand in this very block."""
    assigned = False
    for stmt in stmts:
        if any(isinstance(n, Ref) and n.array == name for n in walk(stmt)):
            return False
        if name in uses(stmt).vars_assigned:
            plain = isinstance(stmt, Assign) and isinstance(stmt.target, Var)
            if not plain or (isinstance(stmt, Assign) and stmt.reduce not in (None, *_OPERATORS)):
                return False
            assigned = True
    return assigned
