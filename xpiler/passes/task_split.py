"""Splits the outermost independent loop of a function over the tasks of a launch, remainders included.

parallel for row in 0..rows      -->      int row_share = rows / taskDim, row_rest = rows % taskDim;
                                          int row_begin = taskId * row_share + min(taskId, row_rest);
                                          int row_end = row_begin + row_share + (taskId < row_rest);
                                          for row in row_begin..row_end

Of a loop in larger steps, the steps are shared; a condition around the loop is decided by every task, and
where only one of its branches is shared out, the first task does the other.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from xpiler.ir.build import add, cast, const, div, eq, lt, minimum, mod, mul, sub
from xpiler.ir.nodes import EMPTY, Block, Const, Decl, Expr, For, Function, If, LoopKind, Stmt, Var
from xpiler.ir.rewrite import free_vars, walk
from xpiler.passes.lane_arrays import is_lane_array
from xpiler.passes.names import Names

INDEPENDENT = (LoopKind.PARALLEL, LoopKind.VECTOR, LoopKind.THREADS)


@dataclass(frozen=True)
class Split:
    """`loop`: the variable whose iterations are shared out; None if the whole function is one task's."""

    function: Function
    loop: str | None


def split_over_tasks(
    function: Function, task: Var, tasks: Var, keep: Callable[[For], bool] = lambda loop: False
) -> Split:
    """The function as one of `tasks` tasks does its share. Nested loops are shared out together, but for
    those from where `keep` holds, and for the innermost, which is left for vectors: unless an iteration of
    it has arrays of its own, as a block of threads has, and not only small ones that vectors can be."""
    found: list[str] = []
    names = Names(function)

    def block(body: Block) -> Block:
        loops = [s for s in body.body if not _is_scalar(s)]
        if len(loops) != 1 or not isinstance(loops[0], (For, If)):
            return body
        out: list[Stmt] = []
        for stmt in body.body:
            if isinstance(stmt, If):  # every task decides alike
                out.append(branches(stmt))
            elif not isinstance(stmt, For):
                out.append(stmt)
            elif stmt.kind in INDEPENDENT and isinstance(stmt.step, Const):
                found.append(stmt.var)
                whole = _fused(stmt, names, keep) if _unit(stmt) else _counted(stmt, names)
                out += _shared(whole, names, task, tasks)
            else:  # its iterations wait for each other, which the tasks of several jobs cannot
                out.append(stmt)
        return Block(tuple(out), range=body.range)

    def branches(stmt: If) -> If:
        parts, shared = [], []
        for part in (stmt.then, stmt.otherwise):
            before = len(found)
            parts.append(block(part))
            shared.append(len(found) > before)
        if any(shared):
            parts = [p if known or not p.body else alone(p) for p, known in zip(parts, shared, strict=True)]
        return replace(stmt, then=parts[0], otherwise=parts[1])

    def alone(part: Block) -> Block:
        return Block((If(eq(task, const(0, task.dtype)), part, EMPTY),), range=part.range)

    body = block(function.body)
    return Split(replace(function, body=body), found[0]) if found else Split(function, None)


def _is_scalar(stmt: Stmt) -> bool:
    return isinstance(stmt, Decl) and stmt.shape == ()


def _unit(loop: For) -> bool:
    return loop.step == Const(loop.step.dtype, 1)


def _counted(loop: For, names: Names) -> For:
    """A loop in larger steps as one over their number."""
    job = Var(loop.dtype, names.fresh("job"))
    one = const(1, loop.dtype)
    count = div(add(sub(loop.stop, loop.start), sub(loop.step, one)), loop.step)
    first = Decl(loop.var, loop.dtype, init=cast(add(loop.start, mul(job, loop.step)), loop.dtype))
    return replace(
        loop,
        var=job.name,
        start=const(0, loop.dtype),
        stop=cast(count, loop.dtype),
        step=one,
        body=Block((first, *loop.body.body)),
    )


def _fused(loop: For, names: Names, keep: Callable[[For], bool]) -> For:
    """The outer loops of a nest as one over their product."""
    nest = [loop]
    while len(nest[-1].body.body) == 1:
        inner = nest[-1].body.body[0]
        if not isinstance(inner, For) or inner.kind not in INDEPENDENT or not _unit(inner):
            break
        if free_vars(inner.stop) & {each.var for each in nest} or keep(nest[-1]):
            break
        nest.append(inner)
    own = [s for s in nest[-1].body.body if isinstance(s, Decl) and s.shape and not is_lane_array(s)]
    shared = nest if own else nest[:-1]
    outer = [each for each in shared if each.start == Const(each.dtype, 0) and each.dtype == loop.dtype]
    if len(outer) < 2 or len(outer) < len(shared) or any(keep(each) for each in outer):
        return loop
    job = Var(loop.dtype, names.fresh("job"))
    count: Expr = const(1, loop.dtype)
    digits: list[Stmt] = []
    for each in reversed(outer):
        value = div(job, count)
        if each is not outer[0]:
            value = mod(value, each.stop)
        digits.append(Decl(each.var, each.dtype, init=cast(value, each.dtype)))
        count = mul(count, each.stop)
    body = Block((*reversed(digits), *outer[-1].body.body))
    return replace(loop, var=job.name, stop=cast(count, loop.dtype), body=body)


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
