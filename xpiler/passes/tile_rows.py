"""A loop over all lanes of a tile goes by its rows where others do.

    for r in 0..n: for l in 0..d: t[r * P + l] = x[r * d + l]       for r in 0..n: for l in 0..d: ...
    for i in 0..n * P: t[i] = f(t[i])                         -->   for r in 0..n: for l in 0..P:
                                                                        t[r * P + l] = f(t[r * P + l])

So rows are worked on one after the other, whole. Of loops of one list over threads that do not ask for one
another's elements of local arrays.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from xpiler.ir.affine import coefficient, linear
from xpiler.ir.affine_form import Affine, divide_out, to_expr
from xpiler.ir.build import add, const, is_const, mul
from xpiler.ir.nodes import Assign, Block, Decl, For, Function, Load, LoopKind, Stmt, Var
from xpiler.ir.rewrite import map_body, substitute, uses, walk, walk_stmts
from xpiler.passes.names import Names
from xpiler.passes.structured import spliced


def go_by_rows(function: Function) -> Function:
    """In every list of statements."""
    local = {d.name for d in walk_stmts(function.body) if isinstance(d, Decl) and len(d.shape) == 1}
    names = Names(function)

    def change(stmt: Stmt) -> Stmt:
        if not isinstance(stmt, Block):
            return stmt
        body = spliced(stmt.body)
        strides = [s for loop in body if isinstance(loop, For) for s in _strides(loop, local)]
        return (
            replace(stmt, body=tuple(_by_rows(s, strides, local, names) for s in body)) if strides else stmt
        )

    return map_body(function, change)


def _strides(rows: For, local: set[str]) -> list[tuple[str, Affine]]:
    """Of a loop over rows: the arrays, and how far apart the rows are."""
    if not _counts(rows) or not any(isinstance(s, For) for s in spliced(rows.body.body)):
        return []
    found: dict[tuple[str, Affine], None] = {}
    for node in walk(rows.body):
        if isinstance(node, Load) and node.array in local and len(node.index) == 1:
            step = coefficient(node.index[0], rows.var)
            if step is not None and len(step.terms) == 1 and step.as_int is None:
                found[node.array, step] = None
    return [*found]


def _counts(loop: For) -> bool:
    return loop.kind is LoopKind.THREADS and is_const(loop.start, 0) and is_const(loop.step, 1)


def _by_rows(stmt: Stmt, strides: Sequence[tuple[str, Affine]], local: set[str], names: Names) -> Stmt:
    if not isinstance(stmt, For) or not _counts(stmt):
        return stmt
    total = linear(stmt.stop)
    used = uses(stmt).arrays_read | uses(stmt).arrays_written
    for array, stride in strides if total is not None else ():
        assert total is not None
        count, rest = divide_out(total, stride)
        if array not in used or not count.terms or rest.terms or not _is_of_lanes(stmt, local):
            continue
        row, lane = Var(stmt.dtype, names.fresh("row")), Var(stmt.dtype, names.fresh("lane"))
        width = to_expr(stride, stmt.dtype)
        body = substitute(stmt.body, {stmt.var: add(mul(row, width), lane)})
        zero, one = const(0, stmt.dtype), const(1, stmt.dtype)
        lanes = replace(stmt, var=lane.name, stop=width, body=body)
        return For(
            row.name, stmt.dtype, zero, to_expr(count, stmt.dtype), one, Block((lanes,)), stmt.kind,
            range=stmt.range,
        )  # fmt: skip
    return stmt


def _is_of_lanes(loop: For, local: set[str]) -> bool:
    """Whether each round has nothing but its own elements of local arrays."""
    own = (Var(loop.dtype, loop.var),)
    return all(isinstance(s, Assign | Block | Decl) for s in walk_stmts(loop.body)) and all(
        n.array in local and n.index == own for n in walk(loop.body) if isinstance(n, Load)
    )
