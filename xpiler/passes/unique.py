"""Every declaration gets a name of its own again.

{ float v = a; ... }  { float v = b; ... }   -->   { float v = a; ... }  { float v_1 = b; ... }
"""

from __future__ import annotations

from xpiler.ir.nodes import Block, Decl, Stmt
from xpiler.ir.rewrite import rebuild, rename
from xpiler.passes.names import Names


def with_unique_names(body: Block, names: Names) -> Block:
    """Sibling scopes may have declared the same name after regions were cut; nested ones never do."""
    seen: set[str] = set()

    def block(old: Block) -> Block:
        stmts = list(old.body)
        for n, stmt in enumerate(stmts):
            if isinstance(stmt, Decl) and stmt.name in seen:
                new = names.fresh(stmt.name)
                stmts[n:] = rename(Block(tuple(stmts[n:])), {stmt.name: new}).body
            current = stmts[n]
            if isinstance(current, Decl):
                seen.add(current.name)
            else:
                stmts[n] = below(current)
        return Block(tuple(stmts), range=old.range)

    def below(stmt: Stmt) -> Stmt:
        def change(child: object, field: str) -> object:
            return block(child) if isinstance(child, Block) else child

        result: Stmt = block(stmt) if isinstance(stmt, Block) else rebuild(stmt, change)
        return result

    return block(body)
