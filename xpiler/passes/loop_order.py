"""Loops go through memory in its order: what takes the longest steps is outside.

    parallel j: parallel i:                               parallel k: parallel j: parallel i:
      if (j < m) parallel k: v[(k*m + j)*n + i] = ...  -->  if (j < m) v[(k*m + j)*n + i] = ...

    threads t in 0..256:                                  for first in b..n step 1024:
      for i in (b + t)..n step 1024: f(i)         -->       threads t in 0..min(256, n - first): f(first + t)

A thread that walks along an axis far apart, or takes every so many-th element, has neighbours that read what
lies beside; a processor that runs one of them after the other would come by each line of memory again and
again, long after it left the first cache. Iterations are independent; where the steps are long by a size that
is not known, sizes of more dimensions are longer.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from xpiler.ir.affine import coefficient, simplify
from xpiler.ir.affine_form import Affine
from xpiler.ir.build import add, cast, const, is_const, minimum, sub
from xpiler.ir.nodes import (
    Assign,
    Atomic,
    Barrier,
    Binary,
    Block,
    Break,
    Collective,
    Const,
    Continue,
    Decl,
    Expr,
    For,
    Function,
    If,
    Instr,
    Load,
    LoopKind,
    Return,
    Stmt,
    Trap,
    Var,
    While,
)
from xpiler.ir.rewrite import free_vars, substitute, uses, walk
from xpiler.passes.names import Names
from xpiler.passes.sync import leaves_loop

INDEPENDENT = (LoopKind.THREADS, LoopKind.PARALLEL)
FAR = 64  # elements: the next line of memory, and not the one that comes along with it


def in_order_of_memory(function: Function) -> Function:
    """All nests of independent loops of a function."""
    names, memory = Names(function), {p.name for p in function.params if p.is_pointer}

    def ordered(stmt: Stmt) -> Stmt:  # the outermost loops of a nest first
        match stmt:
            case For(kind=kind):
                if kind in INDEPENDENT:
                    stmt = _strided(stmt, names) or _moved_out(stmt, memory) or stmt
                return replace(stmt, body=block(stmt.body))
            case If(then=then, otherwise=otherwise):
                return replace(stmt, then=block(then), otherwise=block(otherwise))
            case While(body=body):
                return replace(stmt, body=block(body))
            case Block():
                return block(stmt)
        return stmt

    def block(body: Block) -> Block:
        return replace(body, body=tuple(ordered(s) for s in body.body))

    body = block(function.body)
    return function if body == function.body else replace(function, body=body)


# ----------------------------------------------------------------------------------- a loop with long steps


def _moved_out(outer: For, memory: set[str]) -> For | None:
    """The nest with its innermost loop further outside; None if that has no reason to be there."""
    chain = list(_chain(outer))
    last = max(n for n, stmt in enumerate(chain) if isinstance(stmt, For))
    inner = chain[last]
    assert isinstance(inner, For)
    body = inner.body
    around = [stmt for stmt in chain[:last] if isinstance(stmt, For)]
    if not around or _is_tied(inner, {loop.var for loop in around}) or _has_state(body):
        return None
    stores = [s.target for s in walk(body) if isinstance(s, Assign) and isinstance(s.target, Load)]
    accesses = [n for n in walk(body) if isinstance(n, Load)]
    if not stores or any(a.array not in memory or len(a.index) != 1 for a in accesses):
        return None
    lanes = around[-1].var
    if not all(_reach(a, lanes) in (0, 1) for a in accesses) or _reach(stores[0], lanes) != 1:
        return None
    if not all(_is_far(a, inner.var) for a in stores):
        return None
    if not all(_is_far(a, inner.var) or _reach(a, inner.var) == 0 for a in accesses):
        return None
    step = _length(stores[0], inner.var)
    place = last
    for n in range(last - 1, -1, -1):
        loop = chain[n]
        if isinstance(loop, For):
            length = _length(stores[0], loop.var)
            if step is None or length is None or length > step:
                break
            place = n
    if place == last:
        return None
    made: Stmt = body.body[0] if len(body.body) == 1 else body
    for stmt in (*reversed(chain[place:last]), inner, *reversed(chain[:place])):
        inside = made if isinstance(made, Block) else Block((made,))
        made = replace(stmt, body=inside) if isinstance(stmt, For) else replace(stmt, then=inside)
    assert isinstance(made, For)
    return made


def _chain(stmt: Stmt) -> Iterator[For | If]:
    """Independent loops and conditions, each all that the one before it contains."""
    while True:
        match stmt:
            case For(kind=kind, body=body) if kind in INDEPENDENT:
                yield stmt
            case If(then=body, otherwise=Block(body=())):
                yield stmt
            case _:
                return
        if len(body.body) != 1:
            return
        stmt = body.body[0]


def _is_tied(loop: For, counters: set[str]) -> bool:
    """Whether its range is not the same for all of these counters, or may not be computed without them."""
    bounds = (loop.start, loop.stop, loop.step)
    divides = any(
        isinstance(n, Load) or (isinstance(n, Binary) and n.op in "/%") for e in bounds for n in walk(e)
    )
    return divides or any(free_vars(e) & counters for e in bounds)


def _has_state(body: Block) -> bool:
    """Whether it is more than arithmetic and memory."""
    kinds = (Atomic, Barrier, Break, Collective, Continue, For, Instr, Return, Trap)
    return any(isinstance(s, kinds) or (isinstance(s, Decl) and s.shape) for s in walk(body))


def _reach(access: Load, counter: str) -> int | None:
    """How far the next iteration's element is, if that is a number."""
    step = coefficient(access.index[0], counter)
    return None if step is None else step.as_int


def _is_far(access: Load, counter: str) -> bool:
    step = coefficient(access.index[0], counter)
    return step is not None and (step.as_int is None or abs(step.as_int) >= FAR)


def _length(access: Load, counter: str) -> tuple[int, int] | None:
    """How long a step is, to compare: the sizes that are multiplied, then the number."""
    step = coefficient(access.index[0], counter)
    return None if step is None else _magnitude(step)


def _magnitude(step: Affine) -> tuple[int, int]:
    if step.as_int is not None:
        return 0, abs(step.as_int)
    return max((len(factors), abs(number)) for factors, number in step.terms)


# --------------------------------------------------------------------------------- every so many-th element


def _strided(threads: For, names: Names) -> For | None:
    """Threads that take every so many-th element each: all of them take their next ones together."""
    match threads.body.body:
        case (For(kind=kind) as steps,) if kind in INDEPENDENT and threads.kind is LoopKind.THREADS:
            pass
        case _:
            return None
    moving = {threads.var, steps.var} | uses(steps.body).vars_assigned
    start = coefficient(steps.start, threads.var)
    if start is None or start.as_int != 1 or _is_short(steps.step) or not steps.dtype.is_signed:
        return None
    if (free_vars(steps.stop) | free_vars(steps.step) | free_vars(threads.stop)) & moving:
        return None
    if not is_const(threads.start, 0) or not is_const(threads.step, 1):
        return None
    if any(leaves_loop(s, (Break, Return)) for s in steps.body.body):
        return None
    if not any(_reach(n, steps.var) == 1 for n in _plain(steps.body.body)):
        return None
    first = Var(steps.dtype, names.fresh("first"))
    lane = Var(steps.dtype, threads.var)
    body = substitute(steps.body, {steps.var: add(first, lane)})
    rest = cast(minimum(cast(threads.stop, steps.dtype), sub(steps.stop, first)), steps.dtype)
    together = replace(
        threads,
        dtype=steps.dtype,
        start=const(0, steps.dtype),
        stop=rest,
        step=const(1, steps.dtype),
        body=body,
    )
    begin = simplify(substitute(steps.start, {threads.var: const(0, threads.dtype)}))
    return replace(steps, var=first.name, start=begin, body=Block((together,)), kind=LoopKind.SERIAL)


def _is_short(step: Expr) -> bool:
    return isinstance(step, Const) and int(step.value) < FAR


def _plain(body: Sequence[Stmt]) -> Iterator[Load]:
    return (n for s in body for n in walk(s) if isinstance(n, Load) and len(n.index) == 1)
