"""Accumulations in any spelling: `x += e`, `x = e + x`, `x = max(x, e)`, `x = fma(a, b, x)`."""

from __future__ import annotations

from dataclasses import replace

from xpiler.ir.nodes import Assign, Binary, Block, Call, Const, Expr, Function, If, Load, Select, Stmt, Var
from xpiler.ir.rewrite import map_body, map_stmt, walk

REDUCTIONS = ("+", "*", "min", "max", "&", "|", "^")  # those that `Assign.reduce` can say


def folded(assign: Assign) -> tuple[str, Expr] | None:
    """(op, value) if the assignment is `x = x op value` in any spelling, the value not reading x."""
    if not isinstance(assign.target, Var):
        return None
    name, value = assign.target.name, assign.value
    op: str
    if assign.reduce is not None:
        return None if _reads(value, name) else (assign.reduce, value)
    match value:
        case Binary(op="+" | "*" | "&" | "|" | "^" | "&&" | "||" as op, left=left, right=right):
            pairs = [(left, right), (right, left)]
        case Call(function="min" | "max" as op, args=(left, right)):
            pairs = [(left, right), (right, left)]
        case Select() if (extreme := chosen_extreme(value)) is not None:
            op, left, right = extreme
            pairs = [(left, right), (right, left)]
        case Call(function="fma", args=(a, b, Var(name=other))) if other == name:
            product = Binary(value.dtype, "*", a, b)
            return None if _reads(product, name) else ("+", product)
        case Call(function="dp4a", args=(a, b, Var(name=other))) if other == name:
            product4 = replace(value, args=(a, b, Const(value.dtype, 0)))
            return None if _reads(product4, name) else ("+", product4)
        case _:
            return None
    for own, rest in pairs:
        if isinstance(own, Var) and own.name == name and not _reads(rest, name):
            return op, rest
    return None


def chosen_extreme(select: Select) -> tuple[str, Expr, Expr] | None:
    """(op, a, b) of `a > b ? a : b` and the like. Of numbers: which NaN is kept depends on the order."""
    match select:
        case Select(condition=Binary(op=">" | "<" | ">=" | "<=" as order, left=left, right=right)):
            if (select.then, select.otherwise) in ((left, right), (right, left)):
                return "max" if (order[0] == ">") == (select.then == left) else "min", left, right
    return None


def kept_extreme(stmt: If) -> Assign | None:
    """`if (x > best) best = x` as `best = x > best ? x : best`."""
    match stmt:
        case If(
            condition=Binary(left=left, right=right) as condition,
            then=Block(body=(Assign(target=target, value=value, reduce=None) as assign,)),
            otherwise=Block(body=()),
        ) if (left, right) in ((target, value), (value, target)):
            chosen = Select(value.dtype, condition, value, target)
            return replace(assign, value=chosen) if chosen_extreme(chosen) is not None else None
    return None


def with_reductions(body: Block) -> Block:
    """The body with every accumulation spelled `x op= value`."""

    def spelled(stmt: Stmt) -> Stmt:
        fold = folded(stmt) if isinstance(stmt, Assign) and stmt.reduce is None else None
        if fold is None or fold[0] not in REDUCTIONS:
            return stmt
        assert isinstance(stmt, Assign)
        return replace(stmt, value=fold[1], reduce=fold[0])

    mapped = map_stmt(body, spelled)
    assert isinstance(mapped, Block)
    return mapped


def with_summed_dots(function: Function) -> Function:
    """Elements that go on in products of packed bytes as sums: `s[t] = dp4a(a, b, s[t])` is `s[t] += ...`."""

    def spelled(stmt: Stmt) -> Stmt:
        match stmt:
            case Assign(
                target=Load() as own,
                value=Call(function="dp4a", args=(a, b, Load() as start)) as dot,
                reduce=None,
            ) if start == own and own.dtype == dot.dtype:
                return replace(stmt, value=replace(dot, args=(a, b, Const(dot.dtype, 0))), reduce="+")
        return stmt

    return map_body(function, spelled)


def with_chained_dots(function: Function) -> Function:
    """The other way round: `s += dp4a(a, b, 0)` is `s = dp4a(a, b, s)`, as instructions have it."""

    def spelled(stmt: Stmt) -> Stmt:
        match stmt:
            case Assign(
                target=target,
                value=Call(function="dp4a", args=(a, b, Const(value=0))) as dot,
                reduce="+",
            ) if target.dtype == dot.dtype:
                return replace(stmt, value=replace(dot, args=(a, b, target)), reduce=None)
        return stmt

    return map_body(function, spelled)


def _reads(expr: Expr, name: str) -> bool:
    return any(isinstance(n, Var) and n.name == name for n in walk(expr))
