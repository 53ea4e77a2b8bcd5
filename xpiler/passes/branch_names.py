"""Names that branches around parallel loops give to sizes are written out where they are used.

    if (n > 0) {                                   if (n > 0) {
      rows = (n + 15) / 16;                -->       parallel for r in 0..(n + 15) / 16: ...
      parallel for r in 0..rows: ... }             }

So that what runs a branch or a serial loop outside of all kernels needs no variables there. Applies to names
that are given once, over the function's scalars, in branches and serial loops with a parallel loop inside.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from xpiler.ir.nodes import Block, Decl, Expr, For, Function, If, Load, LoopKind, Ref, Stmt
from xpiler.ir.rewrite import free_vars, substitute, walk, walk_stmts
from xpiler.passes.facts import mutable_vars
from xpiler.passes.structured import spliced


def without_branch_names(function: Function) -> Function:
    """In all such branches and loops."""
    mutable = mutable_vars(function)
    known = {p.name for p in function.params if not p.is_pointer} - mutable
    body: list[Stmt] = []
    for stmt in spliced(function.body.body):
        body.append(_below(stmt, frozenset(known), mutable))
        if isinstance(stmt, Decl) and _is_size(stmt, frozenset(known), mutable):
            known.add(stmt.name)
    return replace(function, body=Block(tuple(body), range=function.body.range))


def _below(stmt: Stmt, known: frozenset[str], mutable: frozenset[str]) -> Stmt:
    if not any(isinstance(s, For) and s.kind is LoopKind.PARALLEL for s in walk_stmts(stmt)):
        return stmt
    match stmt:
        case If(then=then, otherwise=otherwise):
            return replace(
                stmt,
                then=_spelled(then.body, known, mutable),
                otherwise=_spelled(otherwise.body, known, mutable),
            )
        case For(kind=LoopKind.SERIAL, var=var, body=body):
            return replace(stmt, body=_spelled(body.body, known | {var}, mutable))
    return stmt


def _spelled(stmts: Sequence[Stmt], known: frozenset[str], mutable: frozenset[str]) -> Block:
    values: dict[str, Expr] = {}
    out: list[Stmt] = []
    for stmt in spliced(stmts):
        plain = substitute(stmt, values) if values else stmt
        if isinstance(plain, Decl) and _is_size(plain, known, mutable):
            assert isinstance(plain.init, Expr)
            values[plain.name] = plain.init
        else:
            out.append(_below(plain, known, mutable))
    return Block(tuple(out))


def _is_size(decl: Decl, known: frozenset[str], mutable: frozenset[str]) -> bool:
    init = decl.init
    return (
        not decl.shape
        and isinstance(init, Expr)
        and init.dtype == decl.dtype
        and decl.dtype.is_integer
        and decl.name not in mutable
        and free_vars(init) <= known
        and not any(isinstance(n, Load | Ref) for n in walk(init))
    )
