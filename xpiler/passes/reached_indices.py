"""What the indices of a local array say of sizes, where all iterations of loops of known length use them.

    for y in 0..8: for x in 0..16: for k in 0..n: s += tile[y * stride * w + x * stride + k]

reads tile[15 * stride] if it reads anything: so stride is not negative, or the program reads outside of the
array. Only of accesses that no condition decides about.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from xpiler.ir.affine import coefficient, linear, substitute
from xpiler.ir.build import is_const
from xpiler.ir.nodes import Assign, Binary, Block, Cast, Const, Decl, Expr, For, Load, Stmt, Unary, Var

Ranges = dict[str, tuple[int | None, int | None]]


def not_negative(stmts: Sequence[Stmt], array: str) -> Ranges:
    """The variables that the statements, if they read the array, show to be 0 or more."""
    found: Ranges = {}
    for index, loops in _accesses(stmts, array, ()):
        form = linear(index)
        if form is None:
            continue
        first = substitute(form, {loop.var: 0 for loop in loops})
        if first.terms:
            continue
        for loop in loops:
            step = coefficient(form, loop.var)
            if step is None or not isinstance(loop.stop, Const) or int(loop.stop.value) < 2:
                continue
            alone = substitute(step, {other.var: 0 for other in loops})
            match alone.terms:
                case (((Var(name=name),), number),) if number > 0:
                    found[name] = (0, None)
    return found


def _accesses(
    stmts: Sequence[Stmt], array: str, loops: tuple[For, ...]
) -> Iterator[tuple[Expr, tuple[For, ...]]]:
    for stmt in stmts:
        match stmt:
            case Block(body=body):
                yield from _accesses(body, array, loops)
            case For(start=start, step=step, body=Block(body=body)) if is_const(start, 0) and is_const(
                step, 1
            ):
                yield from _accesses(body, array, (*loops, stmt))
            case Assign(value=value) | Decl(init=Expr() as value):
                for load in _certain(value):
                    if load.array == array and len(load.index) == 1:
                        yield load.index[0], loops


def _certain(value: Expr) -> Iterator[Load]:
    match value:
        case Load():
            yield value
        case Binary(op=op, left=left, right=right) if op not in ("&&", "||"):
            yield from _certain(left)
            yield from _certain(right)
        case Unary(operand=operand) | Cast(operand=operand):
            yield from _certain(operand)
