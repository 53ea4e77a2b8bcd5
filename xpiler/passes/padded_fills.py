"""A panel that is filled part by part is filled by one loop, which chooses.

    for j in 0..nr: p[j] = b[j]; for j in nr..16: p[j] = 0    -->   for j in 0..16: p[j] = j < nr ? b[j] : 0
    if (nr == 16) for j in 0..16: p[j] = b[j]                 -->   for j in 0..16: p[j] = j < nr ? b[j] : 0
    else for j in 0..16: p[j] = j < nr ? b[j] : 0

So that there is one value for an element, which its readers can have as well (`cache_removal.py`). In plain
functions; of consecutive loops where they are shown to follow each other, of cases where the general one
computes the same for the number that is asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from xpiler.ir.affine import prove_eq, prove_le
from xpiler.ir.build import is_const, lt, select
from xpiler.ir.nodes import (
    Assign,
    Binary,
    Block,
    Call,
    Const,
    Expr,
    For,
    Function,
    If,
    Load,
    Select,
    Stmt,
    Var,
    While,
)
from xpiler.ir.rewrite import map_expr, rename, uses
from xpiler.passes.facts import Facts
from xpiler.passes.strips import same_work
from xpiler.passes.structured import spliced


def join_fills(function: Function) -> Function:
    """Everywhere in a plain function."""
    if not function.is_serial:
        return function
    body = _block(function.body, Facts.of(function))
    return function if body == function.body else replace(function, body=body)


def _block(block: Block, facts: Facts) -> Block:
    out: list[Stmt] = []
    for stmt in spliced(block.body):
        one = _inside(stmt, facts)
        joined = _joined(out[-1], one, facts) if out else None
        if joined is None:
            out.append(one)
        else:
            out[-1] = joined
    return replace(block, body=tuple(out))


def _inside(stmt: Stmt, facts: Facts) -> Stmt:
    match stmt:
        case For(body=body):
            return replace(stmt, body=_block(body, facts.inside(stmt)))
        case While(body=body):
            return replace(stmt, body=_block(body, facts))
        case If(condition=condition, then=then, otherwise=otherwise):
            then = _block(then, facts.where(condition))
            otherwise = _block(otherwise, facts.where(condition, False))
            return _general(condition, then, otherwise, facts) or replace(
                stmt, then=then, otherwise=otherwise
            )
    return stmt


# ------------------------------------------------------------------------------------------ part by part


def _joined(first: Stmt, second: Stmt, facts: Facts) -> For | None:
    parts = _fill(first), _fill(second)
    if parts[0] is None or parts[1] is None or not isinstance(first, For) or not isinstance(second, For):
        return None
    names = {second.var: first.var}
    one, other = parts[0], rename(parts[1], names)
    assert isinstance(other, Assign)
    if first.dtype != second.dtype or one.target != other.target or first.kind != second.kind:
        return None
    middle = first.stop
    if second.start != middle and not prove_eq(second.start, middle, facts.ranges):
        return None
    if not _at_most(first.start, middle, facts) or not _at_most(middle, second.stop, facts):
        return None
    value = select(lt(Var(first.dtype, first.var), middle), one.value, other.value)
    return replace(first, stop=second.stop, body=Block((replace(one, value=value),)))


def _at_most(low: Expr, high: Expr, facts: Facts) -> bool:
    """Whether it is shown that low <= high."""
    match low, high:
        case Call(function="min", args=sides), _:
            return any(_at_most(side, high, facts) for side in sides)
        case _, Call(function="min", args=sides):
            return all(_at_most(low, side, facts) for side in sides)
    return prove_le(low, high, facts.ranges)


def _fill(stmt: Stmt) -> Assign | None:
    """The only thing that a loop does, if it sets elements to what it reads elsewhere."""
    match stmt:
        case For(step=step, body=Block(body=(Assign(target=Load(array=array), reduce=None) as only,))) if (
            is_const(step, 1) and array not in uses(only).arrays_read
        ):
            return only
    return None


# ------------------------------------------------------------------------------------------ a case of its own


def _general(condition: Expr, then: Block, otherwise: Block, facts: Facts) -> Stmt | None:
    """The general case, if for the number that is asked for it does what the special one does."""
    match condition:
        case Binary(op="==", left=asked, right=Const() as number):
            pass
        case _:
            return None
    if not _are_fills(then.body) or not _are_fills(otherwise.body):
        return None

    def with_number(expr: Expr) -> Expr:
        return number if expr == asked else expr

    special, general = (map_expr(block, with_number) for block in (then, otherwise))
    assert isinstance(special, Block) and isinstance(general, Block)
    if not same_work(special, _decided(general, facts)):
        return None
    return otherwise


def _are_fills(stmts: Sequence[Stmt]) -> bool:
    return len(stmts) == 1 and _fill(stmts[0]) is not None


def _decided(block: Block, facts: Facts) -> Block:
    """With the choices of its loop made that its range decides."""
    (loop,) = block.body
    assert isinstance(loop, For)
    inside = facts.inside(loop)

    def choose(expr: Expr) -> Expr:
        known = inside.decides(expr.condition) if isinstance(expr, Select) else None
        if known is None or not isinstance(expr, Select):
            return expr
        return expr.then if known else expr.otherwise

    body = map_expr(loop.body, choose)
    assert isinstance(body, Block)
    return Block((replace(loop, body=body),))
