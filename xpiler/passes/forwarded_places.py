"""Places that were noted just before they are read are written out: so it shows that they were read already.

if (x[h*W + w] > best) { at = h*W + w; best = x[at]; }   -->   ...; best = x[h*W + w];
"""

from __future__ import annotations

from dataclasses import replace

from xpiler.ir.nodes import Assign, Block, Expr, For, Load, Stmt, Var
from xpiler.ir.rewrite import assigned_vars, free_vars, map_expr, map_stmt, substitute, walk


def forward_places(loop: For) -> For:
    """The loop with integers put into the indices that follow in the same list of statements."""

    def change(stmt: Stmt) -> Stmt:
        return _forwarded(stmt) if isinstance(stmt, Block) else stmt

    body = map_stmt(loop.body, change)
    assert isinstance(body, Block)
    return replace(loop, body=_forwarded(body))


def _forwarded(block: Block) -> Block:
    values: dict[str, Expr] = {}
    out: list[Stmt] = []

    def read(expr: Expr) -> Expr:
        if isinstance(expr, Load) and any(free_vars(i) & values.keys() for i in expr.index):
            return replace(expr, index=tuple(substitute(i, values) for i in expr.index))
        return expr

    for stmt in block.body:
        if isinstance(stmt, Assign) and values:
            stmt = map_expr(stmt, read)
        out.append(stmt)
        changed = assigned_vars(stmt)
        values = {n: e for n, e in values.items() if n not in changed and not free_vars(e) & changed}
        match stmt:
            case Assign(target=Var(name=name), value=value, reduce=None) if (
                value.dtype.is_integer
                and name not in free_vars(value)
                and not any(isinstance(n, Load) for n in walk(value))
            ):
                values[name] = value
    return (
        replace(block, body=tuple(out))
        if any(a is not b for a, b in zip(out, block.body, strict=True))
        else block
    )
