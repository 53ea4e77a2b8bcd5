"""Copies of an expression, each for the next element, as one expression over the element.

a[4*i] * s, a[4*i + 1] * s, a[4*i + 2] * s, a[4*i + 3] * s   -->   a[j] * s
a[4*i*n], a[4*i*n + n], a[4*i*n + 2*n], ...                  -->   a[j*n]
b[4*(i % n)], b[4*(i % n) + 1], ...                          -->   b[j % (4*n)]
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from xpiler.ir.affine import linear, to_expr
from xpiler.ir.affine_form import lift, of_var
from xpiler.ir.build import cast, const, mod, mul
from xpiler.ir.nodes import Assign, Binary, Cast, Const, Decl, Expr, For, Load, Stmt, Var
from xpiler.ir.rewrite import children, free_vars, map_expr, rebuild, substitute, walk


def typed(index: Expr, j: Var) -> Expr:
    """An index in which `j` may have been given another type than its own."""
    result = map_expr(index, lambda e: cast(j, e.dtype) if isinstance(e, Var) and e.name == j.name else e)
    return j if result == cast(j, index.dtype) else result


def noted(stmt: Stmt, values: dict[str, Expr]) -> bool:
    """Whether a statement only sets a scalar of the code itself; its value is then among the `values`."""
    match stmt:
        case Decl(name=name, shape=(), init=Expr() as init):
            values[name] = substitute(init, values)
            return True
        case Assign(target=Var(name=name) as target, value=value, reduce=None | "+" | "*" as op) if (
            name in values
        ):
            value = value if op is None else Binary(target.dtype, op, target, value)
            values[name] = substitute(value, values)
            return True
    return False


def common(copies: Sequence[Expr], loop: For, width: int, j: Var) -> Expr | None:
    """The expression over j that copy k is with j = width * i + k."""
    first = copies[0]
    if any(type(c) is not type(first) or c.dtype != first.dtype for c in copies):
        return None
    if isinstance(first, Load):
        return _common_load([c for c in copies if isinstance(c, Load)], loop, width, j)
    if isinstance(first, (Var, Const)):
        same = all(c == first for c in copies) and loop.var not in free_vars(first)
        return first if same else None
    parts = [[c for c in children(copy) if isinstance(c, Expr)] for copy in copies]
    shells = [_shell(c) for c in copies]
    if any(s != shells[0] for s in shells):
        return None
    folded = [common(column, loop, width, j) for column in zip(*parts, strict=True)]
    if any(f is None for f in folded):
        return None
    rest = iter([f for f in folded if f is not None])
    result: Expr = rebuild(first, lambda child, _field: next(rest) if isinstance(child, Expr) else child)
    return result


def _shell(expr: Expr) -> tuple[object, ...]:
    return (*(getattr(expr, name, None) for name in ("op", "function", "fast")), len(children(expr)))


def _common_load(copies: Sequence[Load], loop: For, width: int, j: Var) -> Expr | None:
    if any(c.array != copies[0].array or len(c.index) != 1 for c in copies):
        return None
    remainder = _remainder(copies[0].index[0], loop)
    if remainder is not None:
        return _common_cyclic(copies, loop, width, j, remainder)
    forms = [linear(c.index[0]) for c in copies]
    if any(f is None for f in forms):
        return None
    known = [f for f in forms if f is not None]
    step = known[1] - known[0]
    if any(f - known[0] != step * k for k, f in enumerate(known)):
        return None
    if not step.terms and loop.var not in known[0].variables():
        return copies[0]
    rest = known[0] - of_var(loop.var, loop.dtype) * step * lift(width)
    if loop.var in rest.variables() | step.variables():
        return None
    place = to_expr(rest + of_var(j.name, j.dtype) * step, copies[0].index[0].dtype)
    return replace(copies[0], index=(typed(place, j),))


def _remainder(index: Expr, loop: For) -> Binary | None:
    """`i % n` in an index, if that is all that there is of the loop's counter i."""
    found = {n for n in walk(index) if isinstance(n, Binary) and n.op == "%" and _counts(n.left, loop)}
    if len(found) != 1:
        return None
    (only,) = found
    return None if loop.var in free_vars(Assign(Var(only.dtype, "?"), only.right)) else only


def _counts(expr: Expr, loop: For) -> bool:
    """Whether it is the counter, as it is or as a number that has room for it."""
    match expr:
        case Cast(operand=Var() as counter, dtype=dtype) if dtype.bits >= loop.dtype.bits:
            return _counts(counter, loop)
    return isinstance(expr, Var) and expr.name == loop.var and expr.dtype == loop.dtype


def _common_cyclic(copies: Sequence[Load], loop: For, width: int, j: Var, remainder: Binary) -> Expr | None:
    """`a[width * (i % n) + k]` as `a[j % (width * n)]`"""
    counter = Var(remainder.dtype, "?cycle")
    forms = [linear(map_expr(c.index[0], lambda e: counter if e == remainder else e)) for c in copies]
    known = [f for f in forms if f is not None]
    if len(known) < width:
        return None
    rest = known[0] - of_var(counter.name, counter.dtype) * lift(width)
    if [(f - known[0]).as_int for f in known] != list(range(width)):
        return None
    if rest.variables() & {loop.var, counter.name}:
        return None
    dtype = copies[0].index[0].dtype
    cycle = mod(cast(j, remainder.dtype), mul(const(width, remainder.dtype), remainder.right))
    place = to_expr(rest + of_var(counter.name, counter.dtype), dtype)
    index = map_expr(
        place, lambda e: cast(cycle, e.dtype) if isinstance(e, Var) and e.name == counter.name else e
    )
    return replace(copies[0], index=(index,))
