"""Statements in a form in which those that do the same are equal, whatever names and order they have.

    w = b[i]; v = a[i + 1 + k]; c[i] = v * w    -->    ?0 = a[i + k + 1]; ?1 = b[i]; c[i] = ?0 * ?1

Definitions come right before what asks for them first, in the order in which it does. The form serves to
compare, nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from xpiler.ir.affine import linear
from xpiler.ir.affine_form import to_expr
from xpiler.ir.nodes import Assign, Binary, Block, Const, Decl, Expr, For, If, Load, Stmt, Var
from xpiler.ir.rewrite import Uses, map_expr, map_stmt, rename, uses, walk
from xpiler.ir.types import I64
from xpiler.passes.structured import spliced


def normal(block: Block) -> Block:
    """The form of a block, in which a name is declared once."""
    ordered = _ordered(_plain(block))
    own = [n.name if isinstance(n, Decl) else n.var for n in walk(ordered) if isinstance(n, (Decl, For))]
    return rename(ordered, {name: f"?{n}" for n, name in enumerate(own)})


def _plain(block: Block) -> Block:
    """With integers in one form."""

    def expr(e: Expr) -> Expr:
        match e:
            case Load(index=index):
                return replace(e, index=tuple(map(_sum, index)))
            case Binary(op="<" | "<=" | ">" | ">=" as op, left=left, right=right) if left.dtype.is_integer:
                one, other = linear(left), linear(right)
                if one is None or other is None:
                    return e
                rest = other - one if op[0] == "<" else one - other
                op = ">" if len(op) == 1 else ">="
                return replace(e, op=op, left=to_expr(rest, I64), right=Const(I64, 0))
        return e

    def place(target: Var | Load) -> Var | Load:
        return replace(target, index=tuple(map(_sum, target.index))) if isinstance(target, Load) else target

    def stmt(s: Stmt) -> Stmt:
        match s:
            case For():
                return replace(s, start=_sum(s.start), stop=_sum(s.stop), step=_sum(s.step))
            case Decl(init=Expr() as init) if init.dtype.is_integer:
                return replace(s, init=_sum(init))
        return s

    made = map_stmt(map_expr(block, expr, place), stmt)
    assert isinstance(made, Block)
    return made


def _sum(value: Expr) -> Expr:
    form = linear(value)
    return value if form is None else to_expr(form, I64)


def _ordered(block: Block) -> Block:
    stmts = [_below(s) for s in spliced(block.body)]
    definitions = dict(_definitions(stmts))
    fixed = [s for s in stmts if all(s is not d for found in definitions.values() for d in found)]
    out: list[Stmt] = []

    def emit(stmt: Stmt) -> None:
        for name in _names(stmt):
            for definition in definitions.pop(name, ()):
                emit(definition)
        out.append(stmt)

    for stmt in fixed:
        emit(stmt)
    for name in list(definitions):  # what nothing here asks for
        for stmt in definitions.pop(name, ()):
            emit(stmt)
    return Block(tuple(out))


def _below(stmt: Stmt) -> Stmt:
    match stmt:
        case For():
            return replace(stmt, body=_ordered(stmt.body))
        case If():
            return replace(stmt, then=_ordered(stmt.then), otherwise=_ordered(stmt.otherwise))
    return stmt


def _definitions(stmts: Sequence[Stmt]) -> Iterator[tuple[str, tuple[Stmt, ...]]]:
    """By name: the statements that give it its value, where they might stand later as well: a declaration,
    and of an array the only other statement of the block that writes it."""
    every = [uses(s) for s in stmts]
    for n, stmt in enumerate(stmts):
        if not isinstance(stmt, Decl):
            continue
        if not stmt.shape:
            others = [u for m, u in enumerate(every) if m != n]
            if not any(stmt.name in u.vars_set for u in others) and _stays(n, every):
                yield stmt.name, (stmt,)
            continue
        writers = [m for m, u in enumerate(every) if stmt.name in u.arrays_written]
        only = writers[0] if len(writers) == 1 else n
        writes = every[only]
        if stmt.init is not None or writes.vars_set - writes.vars_declared or len(writes.arrays_written) > 1:
            only = n
        if only != n and stmt.name not in writes.arrays_read and _stays(only, every):
            yield stmt.name, (stmt, stmts[only])
        elif stmt.init is None and not uses(stmt).vars_read:
            yield stmt.name, (stmt,)


def _stays(number: int, every: Sequence[Uses]) -> bool:
    """Whether nothing beside a statement changes what it reads."""
    own = every[number]
    return not any(
        own.vars_read & other.vars_set or own.arrays_read & other.arrays_written
        for n, other in enumerate(every)
        if n != number
    )


def _names(stmt: Stmt) -> Iterator[str]:
    """What the statement uses, in the order of the text."""
    for node in walk(stmt):
        match node:
            case Var(name=name) | Load(array=name):
                yield name
            case Assign(target=Load(array=name)) | Assign(target=Var(name=name)):
                yield name
