"""Folds of several neighbouring elements an iteration become folds of one.

    for i in 0..n step 4: s += a[i]*b[i] + a[i+1]*b[i+1]      for j in 0..ceil(n / 4) * 4:
                              + a[i+2]*b[i+2] + ...     -->     s += a[j] * b[j]

A sum of numbers is then added up in another order. Any spelling of the folds will do: one for all elements or
one for each, of sums, products, minima or maxima.
"""

from __future__ import annotations

from dataclasses import replace
from functools import reduce

from xpiler.ir.affine import Affine, linear
from xpiler.ir.build import const, mul
from xpiler.ir.nodes import Assign, Binary, Block, Call, Expr, For, Load, Stmt, Var
from xpiler.ir.rewrite import free_vars, substitute, walk
from xpiler.passes.folds import with_reductions
from xpiler.passes.rerolled_values import common, noted


def rerolled_folds(loop: For, j: Var) -> For | None:
    """The loop, which counts from 0 by 1, over the elements `j`."""
    folds = _folds(with_reductions(loop.body))
    if not folds:
        return None
    most = min(len(terms) for terms in folds.values())
    for width in range(most, 1, -1):
        body = _narrow(folds, width, loop, j)
        if body is not None:
            stop = mul(const(width, loop.dtype), loop.stop)
            return replace(loop, var=j.name, stop=stop, body=Block(body))
    return None


def _folds(body: Block) -> dict[tuple[Var, str], list[Expr]]:
    """What straight-line code folds into each scalar, term by term; empty if it does anything else."""
    values: dict[str, Expr] = {}
    found: dict[tuple[Var, str], list[Expr]] = {}
    for stmt in body.body:
        if noted(stmt, values):
            continue
        match stmt:
            case Assign(target=Var() as target, value=value, reduce="+" | "*" | "min" | "max" as op):
                found.setdefault((target, op), []).extend(_terms(substitute(value, values), op))
            case _:
                return {}
    names = [target.name for target, _ in found]
    read = {name for terms in found.values() for term in terms for name in free_vars(term)}
    return found if len(set(names)) == len(names) and not read & set(names) else {}


def _terms(value: Expr, op: str) -> list[Expr]:
    match value:
        case Binary(left=left, right=right) if value.op == op:
            return _terms(left, op) + _terms(right, op)
        case Call(args=(left, right)) if value.function == op:
            return _terms(left, op) + _terms(right, op)
    return [value]


def _narrow(
    folds: dict[tuple[Var, str], list[Expr]], width: int, loop: For, j: Var
) -> tuple[Stmt, ...] | None:
    body: list[Stmt] = []
    for (target, op), terms in folds.items():
        each, rest = divmod(len(terms), width)
        if rest:
            return None
        ordered = _by_element(terms)
        columns = [common(ordered[n::each], loop, width, j) for n in range(each)]
        values = [c for c in columns if c is not None]
        if len(values) != each:
            return None
        body.append(Assign(target, reduce(lambda a, b: _joined(op, a, b), values), op))
    return tuple(body)


def _by_element(terms: list[Expr]) -> list[Expr]:
    """The terms in the order of the elements that they read: chains of `fma` begin with the last one."""
    offsets: list[int] = []
    first: Affine | None = None
    for term in terms:
        read = next((n.index[0] for n in walk(term) if isinstance(n, Load) and len(n.index) == 1), None)
        form = linear(read) if read is not None else None
        first = first or form
        offset = (form - first).as_int if form is not None and first is not None else None
        if offset is None:
            return terms
        offsets.append(offset)
    return [terms[n] for n in sorted(range(len(terms)), key=offsets.__getitem__)]


def _joined(op: str, left: Expr, right: Expr) -> Expr:
    return (
        Call(left.dtype, op, (left, right)) if op in ("min", "max") else Binary(left.dtype, op, left, right)
    )
