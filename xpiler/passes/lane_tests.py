"""Conditions that have a name, or change, as numbers: 1 or 0, as instructions compare.

    bool keep = x[i] > p;  z[i] = keep ? x[i] : 0   -->   float keep = x[i] > p;  z[i] = keep != 0 ? x[i] : 0

Lanes keep what they found in a vector of floats; there is none of single bits.
"""

from __future__ import annotations

from dataclasses import replace

from xpiler.ir.build import const, ne
from xpiler.ir.nodes import Assign, Block, Cast, Decl, Expr, For, If, Stmt, Var
from xpiler.ir.rewrite import assigned_vars, map_expr, map_stmt, walk
from xpiler.ir.types import BOOL, F32
from xpiler.passes.choices import varying_scalars


def tests_as_numbers(loop: For) -> For:
    """The vector loop without variables that are conditions."""
    varying = varying_scalars(loop).union(*(assigned_vars(n) for n in walk(loop.body) if isinstance(n, If)))
    declared = (n for n in walk(loop.body) if isinstance(n, Decl) and n.dtype == BOOL and not n.shape)
    named = {decl.name for decl in declared} & varying
    if not named:
        return loop

    def read(expr: Expr) -> Expr:
        match expr:
            case Var(name=name) if name in named:
                return ne(Var(F32, name), const(0.0, F32))
        return expr

    def change(stmt: Stmt) -> Stmt:
        match stmt:
            case Decl(name=name) if name in named:
                init = Cast(F32, stmt.init) if isinstance(stmt.init, Expr) else stmt.init
                return replace(stmt, dtype=F32, init=init)
            case Assign(target=Var(name=name), reduce=None) if name in named:
                return replace(stmt, target=Var(F32, name), value=Cast(F32, stmt.value))
        return stmt

    body = map_stmt(map_expr(loop.body, read), change)
    assert isinstance(body, Block)
    return replace(loop, body=body)
