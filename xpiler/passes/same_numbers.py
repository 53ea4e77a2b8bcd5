"""Numbers that are computed in the same way, one in the scope of the other, have one name.

    int a = i < m ? 64 : n % 64;  for lane in 0..a: S            int a = i < m ? 64 : n % 64;
    int b = i < m ? 64 : n % 64;  for lane in 0..b: T     -->    for lane in 0..a: S
                                                                 for lane in 0..a: T

So loops of as many lanes, of stages that each compute how many, are seen to be of as many.
"""

from __future__ import annotations

from dataclasses import replace

from xpiler.ir.nodes import Block, Decl, Expr, Function, Load, Stmt, Var
from xpiler.ir.rewrite import free_vars, map_body, substitute, walk
from xpiler.passes.facts import mutable_vars
from xpiler.passes.structured import spliced


def name_once(function: Function) -> Function:
    """In every list of statements."""
    mutable = mutable_vars(function)

    def change(stmt: Stmt) -> Stmt:
        if not isinstance(stmt, Block):
            return stmt
        known: dict[Expr, Var] = {}
        out: list[Stmt] = []
        same: dict[str, Expr] = {}
        for own in spliced(stmt.body):
            renamed = substitute(own, same) if same else own
            match renamed:
                case Decl(name=name, dtype=dtype, shape=(), init=Expr() as init) if (
                    dtype.is_integer
                    and not ({name} | free_vars(init)) & mutable
                    and not any(isinstance(n, Load) for n in walk(init))
                ):
                    first = known.setdefault(init, Var(dtype, name))
                    if first.name != name and first.dtype == dtype:
                        same[name] = first
                        continue
            out.append(renamed)
        return replace(stmt, body=tuple(out)) if same else stmt

    return map_body(function, change)
