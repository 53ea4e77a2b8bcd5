"""Every access to memory at its place: a walk that knows the loops, the branches and the values around it.

at_each_access(function, visit)      visit(load, facts) gives what stands there instead
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from xpiler.ir.affine import bounds
from xpiler.ir.nodes import Block, Decl, Expr, For, Function, If, Load, Stmt, Var, While
from xpiler.ir.rewrite import map_expr, walk_exprs
from xpiler.passes.facts import Facts

Visit = Callable[[Load, Facts], Load]


def at_each_access(function: Function, visit: Visit) -> Function:
    """Reads and places that are written alike; what is inside an index comes before the access itself."""
    body = _block(function.body, Facts.of(function), visit)
    return function if body == function.body else replace(function, body=body)


def after(stmt: Stmt, facts: Facts) -> Facts:
    """What is known behind a statement: the range of a number that it defines for good."""
    if isinstance(stmt, Decl) and not stmt.shape and stmt.dtype.is_integer and isinstance(stmt.init, Expr):
        loads = any(isinstance(e, Load) for e in walk_exprs(stmt.init))
        if stmt.name not in facts.mutable and not loads:
            return replace(facts, ranges={**facts.ranges, stmt.name: bounds(stmt.init, facts.ranges)})
    return facts


def _block(block: Block, facts: Facts, visit: Visit) -> Block:
    return replace(block, body=_body(block.body, facts, visit))


def _body(stmts: Sequence[Stmt], facts: Facts, visit: Visit) -> tuple[Stmt, ...]:
    out: list[Stmt] = []
    for stmt in stmts:
        out.append(_stmt(stmt, facts, visit))
        facts = after(stmt, facts)
    return tuple(out)


def _stmt(stmt: Stmt, facts: Facts, visit: Visit) -> Stmt:
    match stmt:
        case Block():
            return _block(stmt, facts, visit)
        case For(start=start, stop=stop, step=step):
            first, last, by = (_expr(e, facts, visit) for e in (start, stop, step))
            body = _block(stmt.body, facts.inside(stmt), visit)
            return replace(stmt, start=first, stop=last, step=by, body=body)
        case If(condition=condition):
            return replace(
                stmt,
                condition=_expr(condition, facts, visit),
                then=_block(stmt.then, facts.where(condition), visit),
                otherwise=_block(stmt.otherwise, facts.where(condition, False), visit),
            )
        case While(condition=condition):
            return replace(
                stmt,
                condition=_expr(condition, facts, visit),
                body=_block(stmt.body, facts, visit),
                advance=_block(stmt.advance, facts, visit),
            )

    def load(expr: Expr) -> Expr:
        return visit(expr, facts) if isinstance(expr, Load) else expr

    def place(target: Var | Load) -> Var | Load:
        return visit(target, facts) if isinstance(target, Load) else target

    return map_expr(stmt, load, place)


def _expr(expr: Expr, facts: Facts, visit: Visit) -> Expr:
    return map_expr(expr, lambda e: visit(e, facts) if isinstance(e, Load) else e)
