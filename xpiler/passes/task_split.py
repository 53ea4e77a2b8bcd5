"""Splits the outermost independent loop of a function over the tasks of a launch, remainders included.

parallel for row in 0..rows      -->      int row_share = rows / taskDim, row_rest = rows % taskDim;
                                          int row_begin = taskId * row_share + min(taskId, row_rest);
                                          int row_end = row_begin + row_share + (taskId < row_rest);
                                          for row in row_begin..row_end

Of a loop in larger steps, the steps are shared; a condition around the loop is decided by every task, and
where only one of its branches is shared out, the first task does the other. Loops over the digits of a
number, the groups of each image, are shared as the loop over the number. Where an iteration is a
transposition or a product, tasks without an iteration of their own take a part of one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from xpiler.ir.affine import linear, to_expr
from xpiler.ir.build import add, cast, ceil_div, const, div, eq, lt, maximum, minimum, mod, mul, sub
from xpiler.ir.nodes import (
    EMPTY,
    Binary,
    Block,
    Call,
    Const,
    Decl,
    Expr,
    For,
    Function,
    If,
    LoopKind,
    Stmt,
    Var,
)
from xpiler.ir.rewrite import free_vars, substitute, walk
from xpiler.passes.apart_lanes import may_be_lanes
from xpiler.passes.facts import Facts
from xpiler.passes.lane_arrays import is_lane_array
from xpiler.passes.names import Names
from xpiler.passes.vectorize import candidate_worth, inner_worth
from xpiler.passes.window_rows import is_window_row

_ENOUGH = 64  # iterations: as many as devices have cores
INDEPENDENT = (LoopKind.PARALLEL, LoopKind.VECTOR, LoopKind.THREADS)


@dataclass(frozen=True)
class Split:
    """`loop`: the variable whose iterations are shared out; None if the whole function is one task's."""

    function: Function
    loop: str | None


def split_over_tasks(
    function: Function,
    task: Var,
    tasks: Var,
    keep: Callable[[For], bool] = lambda loop: False,
    in_parts: Callable[[For], bool] = lambda loop: False,
) -> Split:
    """The function as one of `tasks` tasks does its share. Nested loops are shared out together, but for
    those from where `keep` holds, and for the innermost, which is left for vectors: unless an iteration of
    it has arrays of its own, as a block of threads has, and not only small ones that vectors can be, or
    better lanes than the loop itself. `in_parts`: whether tasks may take parts of a loop that is kept."""
    found: list[str] = []
    names = Names(function)
    facts = Facts.of(function)
    sizes = {d.name: d.init for d in function.body.body if isinstance(d, Decl) and isinstance(d.init, Expr)}

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
                whole = _fused(stmt, names, keep, facts, sizes) if _unit(stmt) else _counted(stmt, names)
                numbers, whole = _in_parts(whole, names, in_parts, tasks)
                out += [*numbers, *_shared(whole, names, task, tasks)]
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


def _fused(
    loop: For, names: Names, keep: Callable[[For], bool], facts: Facts, sizes: Mapping[str, Expr]
) -> For:
    """The outer loops of a nest as one over their product. `sizes`: what names stand for."""
    loop = _with_numbers(loop, names, keep, facts, sizes)
    nest = [loop]
    while len(nest[-1].body.body) == 1:
        inner = nest[-1].body.body[0]
        if not isinstance(inner, For) or inner.kind not in INDEPENDENT or not _unit(inner):
            break
        if free_vars(inner.stop) & {each.var for each in nest} or keep(nest[-1]):
            break
        nest.append(inner)
    own = [s for s in nest[-1].body.body if isinstance(s, Decl) and s.shape and not is_lane_array(s)]
    inside = facts
    for each in nest[:-1]:
        inside = inside.inside(each)
    shared = nest if own or _holds_lanes(nest[-1], inside) else nest[:-1]
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


def _with_numbers(
    loop: For, names: Names, keep: Callable[[For], bool], facts: Facts, sizes: Mapping[str, Expr]
) -> For:
    """The nest with loops over two digits as one over the number that they are of."""
    if keep(loop) or loop.kind not in INDEPENDENT:
        return loop
    inside = facts.inside(loop)
    taken_apart = _of_digits(loop, sizes)
    if taken_apart is not None:
        total, radix, low = taken_apart
        held = not keep(low) and _holds_lanes(low, inside)
        return _joined(loop, low, total, radix, names) if held else loop
    match loop.body.body:
        case (For() as inner,):
            return replace(loop, body=Block((_with_numbers(inner, names, keep, inside, sizes),)))
    return loop


def _holds_lanes(loop: For, facts: Facts) -> bool:
    """Whether loops inside make better vectors than the loop does; of loops that make none the innermost
    independent ones do, and of windows the outputs of a row."""
    if is_window_row(loop):
        return False
    inside = facts.inside(loop)
    own, inner = candidate_worth(loop, loop.body, inside), inner_worth(loop.body, inside, 0)
    if own <= 0 and inner <= 0:
        return any(isinstance(n, For) and may_be_lanes(n) for n in walk(loop.body))
    return inner > max(own, 0)


def _of_digits(loop: For, sizes: Mapping[str, Expr]) -> tuple[Expr, Expr, For] | None:
    """How many numbers there are, the radix, and the loop over the lowest digit, if the loop is over the rest
    of a number that was taken apart, as `split_digits.py` does it."""
    *_, low = loop.body.body
    if not isinstance(low, For) or not all(isinstance(s, Decl) for s in loop.body.body[:-1]):
        return None
    zero = const(0, loop.dtype)
    if low.kind not in INDEPENDENT or not _unit(low) or low.start != zero or loop.start != zero:
        return None
    match low.stop:
        case Call(function="min", args=(radix, rest)) if low.dtype == loop.dtype:
            pass
        case _:
            return None
    total = linear(add(rest, mul(Var(loop.dtype, loop.var), radix)))
    if total is None or total.variables() & {loop.var} or loop.var in free_vars(radix):
        return None
    number = to_expr(total, loop.dtype)
    least = radix if isinstance(radix, Const) else maximum(radix, const(1, radix.dtype))
    match substitute(loop.stop, dict(sizes)):
        case Binary(op="+", left=Binary(op="/", left=left, right=right), right=Const(value=1)):
            whole, counted = right == least, linear(add(left, 1))
        case Binary(op="/", left=left, right=right):
            whole, counted = right == least, linear(sub(left, sub(right, 1)))
        case _:
            return None
    return (number, radix, low) if whole and counted == total else None


def _joined(loop: For, low: For, total: Expr, radix: Expr, names: Names) -> For:
    """The loops over both digits as the one over the number."""
    job = Var(loop.dtype, names.fresh("job"))
    digits = [
        Decl(loop.var, loop.dtype, init=cast(div(job, radix), loop.dtype)),
        Decl(low.var, low.dtype, init=cast(mod(job, radix), low.dtype)),
    ]
    body = Block((*digits, *loop.body.body[:-1], *low.body.body))
    return replace(loop, var=job.name, stop=cast(total, loop.dtype), body=body)


def _in_parts(loop: For, names: Names, in_parts: Callable[[For], bool], tasks: Var) -> tuple[list[Decl], For]:
    """Where an iteration is a loop of which tasks may take parts, and there may be more of them than
    iterations, a loop over as many parts of each iteration as there are tasks for it, and the numbers that it
    needs."""
    *head, inner = loop.body.body
    if not isinstance(inner, For) or not in_parts(inner) or inner.kind not in INDEPENDENT or not _unit(inner):
        return [], loop
    own = {loop.var, *(s.name for s in head if isinstance(s, Decl))}
    if len(own) <= len(head) or free_vars(inner.stop) & own or inner.start != const(0, inner.dtype):
        return [], loop
    if isinstance(loop.stop, Const) and int(loop.stop.value) >= _ENOUGH:
        return [], loop
    job, parts = (Var(loop.dtype, names.fresh(wish)) for wish in ("job", "parts"))
    length, first = (Var(inner.dtype, names.fresh(f"{inner.var}_{wish}")) for wish in ("part", "first"))
    count: Expr = sub(loop.stop, loop.start)
    numbers = []
    if not isinstance(count, (Const, Var)):
        named = Var(loop.dtype, names.fresh(f"{loop.var}_count"))
        numbers.append(Decl(named.name, loop.dtype, init=cast(count, loop.dtype)))
        count = named
    for_each = div(cast(tasks, loop.dtype), maximum(count, const(1, loop.dtype)))
    numbers.append(Decl(parts.name, loop.dtype, init=cast(maximum(for_each, 1), loop.dtype)))
    numbers.append(Decl(length.name, inner.dtype, init=cast(ceil_div(inner.stop, parts), inner.dtype)))
    place = mul(cast(mod(job, parts), inner.dtype), length)
    start = Decl(first.name, inner.dtype, init=cast(minimum(place, inner.stop), inner.dtype))
    part = replace(inner, start=first, stop=cast(minimum(add(first, length), inner.stop), inner.dtype))
    outer = Decl(loop.var, loop.dtype, init=cast(add(loop.start, div(job, parts)), loop.dtype))
    body = Block((outer, *head, start, part))
    stop = cast(mul(count, parts), loop.dtype)
    return numbers, replace(loop, var=job.name, start=const(0, loop.dtype), stop=stop, body=body)


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
