"""An array that only holds a copy of another is that one.

    f32 shuffled[32];
    parallel t in 0..32: shuffled[t] = p[t]      -->      v = p[k]
    v = shuffled[k]

So shuffles and staging buffers come out of threads that meet. Of a local array that is filled by the
statement after its declaration, element by element by one independent loop over all of it, and only read
after that, while the other is not written.
"""

from __future__ import annotations

from dataclasses import replace

from xpiler.ir.build import is_const
from xpiler.ir.nodes import (
    Assign,
    Atomic,
    Block,
    Const,
    Decl,
    Expr,
    For,
    Function,
    Instr,
    Load,
    Ref,
    Stmt,
    Var,
)
from xpiler.ir.rewrite import arrays_written, free_vars, map_expr, map_stmt, substitute, walk
from xpiler.passes.facts import mutable_vars
from xpiler.passes.vectorize import INDEPENDENT


def drop_copies(function: Function) -> Function:
    """All such arrays of the function."""
    local = {d.name for d in walk(function.body) if isinstance(d, Decl) and d.shape}
    mutable = mutable_vars(function)

    def change(stmt: Stmt) -> Stmt:
        if not isinstance(stmt, Block):
            return stmt
        body, at = list(stmt.body), 0
        while at + 1 < len(body):
            rest = tuple(body[at + 2 :])
            read = _without(body[at], body[at + 1], rest, local, mutable)
            if read is None:
                at += 1
            else:
                body[at:] = read
        return replace(stmt, body=tuple(body)) if len(body) < len(stmt.body) else stmt

    body = map_stmt(function.body, change)
    assert isinstance(body, Block)
    return function if body == function.body else replace(function, body=body)


def _without(
    decl: Stmt, fill: Stmt, rest: tuple[Stmt, ...], local: set[str], mutable: frozenset[str]
) -> list[Stmt] | None:
    """The statements after the fill, which read the original; None if this is no copy."""
    match decl, fill:
        case (
            Decl(name=name, shape=(Const(value=size),), init=None),
            For(
                body=Block(body=(Assign(target=Load() as target, value=Load() as value, reduce=None),))
            ) as loop,
        ):
            pass
        case _:
            return None
    counter = Var(loop.dtype, loop.var)
    whole = is_const(loop.start, 0) and is_const(loop.stop, int(size)) and is_const(loop.step, 1)
    if not whole or loop.kind not in INDEPENDENT or target.array != name or target.index != (counter,):
        return None
    if (
        value.array not in local
        or value.array == name
        or value.dtype != decl.dtype
        or target.dtype != decl.dtype
    ):
        return None
    given = frozenset().union(*(free_vars(i) for i in value.index)) - {counter.name}
    if given & mutable or any(isinstance(n, Load) for i in value.index for n in walk(i)):
        return None
    after = Block(rest)
    if {name, value.array} & arrays_written(after):
        return None
    names = {n.name for n in walk(after) if isinstance(n, Decl)} | {
        n.var for n in walk(after) if isinstance(n, For)
    }
    if names & {value.array, *given}:
        return None
    for node in walk(after):
        match node:
            case Ref(array=array) | Atomic(place=Load(array=array)) if array in (name, value.array):
                return None
            case Instr():
                return None
            case Load(array=array, index=index, dtype=dtype) if array == name:
                if len(index) != 1 or dtype != decl.dtype:
                    return None

    def original(expr: Expr) -> Expr:
        if isinstance(expr, Load) and expr.array == name:
            return replace(
                value, index=tuple(substitute(i, {counter.name: expr.index[0]}) for i in value.index)
            )
        return expr

    read = map_expr(after, original)
    assert isinstance(read, Block)
    return list(read.body)
