"""Splits the outermost independent loop of a function over the tasks of a launch, remainders included.

parallel for row in 0..rows      -->      int row_share = rows / taskDim, row_rest = rows % taskDim;
                                          int row_begin = taskId * row_share + min(taskId, row_rest);
                                          int row_end = row_begin + row_share + (taskId < row_rest);
                                          for row in row_begin..row_end
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from xpiler.ir.build import add, cast, div, lt, minimum, mod, mul, sub
from xpiler.ir.nodes import Block, Const, Decl, Expr, For, Function, LoopKind, Stmt, Var
from xpiler.ir.rewrite import walk
from xpiler.passes.names import Names

INDEPENDENT = (LoopKind.PARALLEL, LoopKind.VECTOR, LoopKind.THREADS)


@dataclass(frozen=True)
class Split:
    """`loop`: the variable whose iterations are shared out; None if the whole function is one task's."""

    function: Function
    loop: str | None


def split_over_tasks(function: Function, task: Var, tasks: Var) -> Split:
    """The function as one of `tasks` tasks does its share."""
    found: list[str] = []
    names = Names(function)

    def block(body: Block) -> Block:
        loops = [s for s in body.body if not _is_scalar(s)]
        if len(loops) != 1 or not isinstance(loops[0], For):
            return body
        out: list[Stmt] = []
        for stmt in body.body:
            if not isinstance(stmt, For):
                out.append(stmt)
            elif stmt.kind in INDEPENDENT and _unit(stmt):
                found.append(stmt.var)
                out += _shared(stmt, names, task, tasks)
            else:
                out.append(replace(stmt, body=block(stmt.body)))
        return Block(tuple(out), range=body.range)

    body = block(function.body)
    return Split(replace(function, body=body), found[0]) if found else Split(function, None)


def _is_scalar(stmt: Stmt) -> bool:
    return isinstance(stmt, Decl) and stmt.shape == ()


def _unit(loop: For) -> bool:
    return loop.step == Const(loop.step.dtype, 1)


def _shared(loop: For, names: Names, task: Var, tasks: Var) -> list[Stmt]:
    dtype = loop.dtype
    total = sub(loop.stop, loop.start)
    me, all_ = cast(task, dtype), cast(tasks, dtype)
    out: list[Stmt] = []

    def value(wish: str, init: Expr) -> Var:
        result = Var(dtype, names.fresh(f"{loop.var}_{wish}"))
        out.append(Decl(result.name, dtype, init=cast(init, dtype)))
        return result

    if any(True for n in walk(total) if not isinstance(n, (Const, Var))):
        total = value("count", total)
    share = value("share", div(total, all_))
    rest = value("rest", mod(total, all_))
    begin = value("begin", add(loop.start, add(mul(me, share), minimum(me, rest))))
    end = value("end", add(begin, add(share, cast(lt(me, rest), dtype))))
    out.append(replace(loop, start=begin, stop=end))
    return out
