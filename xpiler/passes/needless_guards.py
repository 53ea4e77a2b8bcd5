"""Loops over nothing need no condition that keeps them from running.

    if (n > 0)
      for i in 0..n: f(i)      -->      for i in 0..n: f(i)

Applies where the condition stands before nothing but loops, and all of these are empty if it does not hold.
"""

from __future__ import annotations

from xpiler.ir.affine import prove_eq
from xpiler.ir.build import is_const, sub
from xpiler.ir.nodes import Binary, Block, Decl, Expr, For, Function, If, Load, Stmt
from xpiler.ir.rewrite import map_body, walk
from xpiler.passes.structured import spliced


def drop_needless(function: Function) -> Function:
    """Everywhere in the function."""
    return map_body(function, _without_guard)


def _without_guard(stmt: Stmt) -> Stmt | tuple[Stmt, ...]:
    match stmt:
        case If(condition=Binary(op=">" | "<" as op, left=left, right=right), otherwise=Block(body=())) if (
            left.dtype.is_integer and left.dtype.is_signed
        ):
            if op == "<":
                left, right = right, left
            body = spliced(stmt.then.body)
            if body and all(_is_value(s) or _is_empty(s, left, right) for s in body):
                return tuple(body)
    return stmt


def _is_value(stmt: Stmt) -> bool:
    """A name for what is found without reading memory, or dividing."""
    match stmt:
        case Decl(init=Expr() as init):
            return not any(
                isinstance(n, Load) or (isinstance(n, Binary) and n.op in ("/", "%")) for n in walk(init)
            )
    return isinstance(stmt, Decl) and stmt.init is None


def _is_empty(stmt: Stmt, more: Expr, less: Expr) -> bool:
    """A loop that runs over nothing unless `more > less`."""
    if not isinstance(stmt, For) or not is_const(stmt.step, 1) or more.dtype != stmt.dtype:
        return False
    return prove_eq(sub(stmt.stop, stmt.start), sub(more, less))
