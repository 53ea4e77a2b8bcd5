"""A local array moves into the innermost loop that has all its uses, where no element outlives an iteration.

    float tile[256];                               for i in 0..n step 256:
    for i in 0..n step 256:                          float tile[256];
      for k in 0..256: tile[k] = a[i + k]   -->      for k in 0..256: tile[k] = a[i + k]
      for k in 0..256: b[i + k] = tile[k]            for k in 0..256: b[i + k] = tile[k]

An array that is written anew in between is two arrays, and one of which only one element is used a variable.
Applies where each read of an iteration comes after a write, in the same iteration, of what it reads: the
loops that write it run over at least the indices that are read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from xpiler.ir.affine import coefficient, linear, prove_eq, prove_le
from xpiler.ir.build import add, is_const, sub, unify
from xpiler.ir.nodes import (
    Assign,
    Block,
    Const,
    Decl,
    Expr,
    For,
    Function,
    If,
    Load,
    Ref,
    Stmt,
    Var,
)
from xpiler.ir.rewrite import free_vars, map_expr, rename, substitute, uses, walk
from xpiler.passes.facts import Facts, inside_of, lowest
from xpiler.passes.names import Names
from xpiler.passes.placed import after
from xpiler.passes.structured import spliced

_MOST_ELEMENTS = 4  # of an array that is some variables


def sink_arrays(function: Function) -> Function:
    """Every array as far in as it goes."""
    body = _block(function.body, Facts.of(function), Names(function))
    return function if body == function.body else replace(function, body=body)


def _block(block: Block, facts: Facts, names: Names) -> Block:
    stmts = _versions(_apart(list(spliced(block.body)), facts, names), facts, names)
    for decl in [s for s in stmts if isinstance(s, Decl) and _is_scratch(s)]:
        users = [n for n, s in enumerate(stmts) if s is not decl and _touches(s, decl.name)]
        if len(users) != 1:
            continue
        moved = _into(stmts[users[0]], decl, _facts_at(stmts[: users[0]], facts))
        if moved is not None:
            stmts[users[0]] = moved
            stmts.remove(decl)
    stmts = _with_scalars(stmts, facts, names)
    out: list[Stmt] = []
    for stmt in stmts:
        out.append(_below(stmt, facts, names))
        facts = after(stmt, facts)
    return Block(tuple(out), range=block.range)


def _below(stmt: Stmt, facts: Facts, names: Names) -> Stmt:
    return inside_of(stmt, facts, lambda block, inner: _block(block, inner, names))


def _apart(stmts: list[Stmt], facts: Facts, names: Names) -> list[Stmt]:
    """An array that several statements use, each for itself, becomes an array of each."""
    for decl in [s for s in stmts if isinstance(s, Decl) and _is_scratch(s)]:
        users = [n for n, s in enumerate(stmts) if s is not decl and _touches(s, decl.name)]
        if len(users) < 2:
            continue
        alone = all(
            isinstance(stmts[n], (For, If))
            and _stmt(stmts[n], decl.name, _facts_at(stmts[:n], facts), []) is not None
            and not _is_handed_on(stmts[n], decl.name)
            for n in users
        )
        if alone:
            for n in reversed(users[1:]):
                own = names.fresh(decl.name)
                stmts[n : n + 1] = [replace(decl, name=own), rename(stmts[n], {decl.name: own})]
    return stmts


def _versions(stmts: list[Stmt], facts: Facts, names: Names) -> list[Stmt]:
    """An array that is written anew, so that nothing of the old contents is read, is another array then."""
    for decl in [s for s in stmts if isinstance(s, Decl) and _is_scratch(s)]:
        if any(_is_handed_on(s, decl.name) for s in stmts):
            continue
        name = decl.name
        for n in [n for n, s in enumerate(stmts) if s is not decl and _touches(s, decl.name)][1:]:
            if _covered(stmts[n:], name, _facts_at(stmts[:n], facts), []) is not None:
                own = names.fresh(decl.name)
                stmts[n:] = [rename(s, {name: own}) for s in stmts[n:]]
                stmts.insert(stmts.index(decl) + 1, replace(decl, name=own))
                return _versions(stmts, facts, names)
    return stmts


def _into(stmt: Stmt, decl: Decl, facts: Facts) -> Stmt | None:
    """The statement with the declaration inside; None where the array outlives an iteration."""
    match stmt:
        case For(body=body) if _lives_in(body.body, decl.name, facts.inside(stmt)):
            return replace(stmt, body=Block((decl, *body.body)))
        case If(condition=condition, then=then, otherwise=otherwise):
            tested = _touches(Assign(Var(condition.dtype, "?"), condition), decl.name)
            if not tested and not _touches(otherwise, decl.name):
                return replace(stmt, then=Block((decl, *then.body)))
    return None


def _with_scalars(stmts: list[Stmt], facts: Facts, names: Names) -> list[Stmt]:
    """Arrays of which only some elements are used, always the same and surely different ones, become a
    variable for each."""
    for decl in [s for s in stmts if isinstance(s, Decl) and _is_scratch(s)]:
        if any(_is_handed_on(s, decl.name) for s in stmts):
            continue
        found = {n: None for s in stmts for n in walk(s) if isinstance(n, Load) and n.array == decl.name}
        loads = list(found)  # in the order of the text
        changed = uses(Block(tuple(stmts))).vars_assigned
        if not loads or len(loads) > _MOST_ELEMENTS or any(each.dtype != decl.dtype for each in loads):
            continue
        if any(free_vars(_value(i)) & changed for each in loads for i in each.index):
            continue
        if not all(_differ(one, other, facts) for n, one in enumerate(loads) for other in loads[:n]):
            continue
        own = [decl.name, *(names.fresh(decl.name) for _ in loads[1:])]
        variables = [replace(decl, name=name, shape=(), alignment=0) for name in own]
        stmts = [each for s in stmts for each in (variables if s is decl else [s])]
        for load, name in zip(loads, own, strict=True):
            stmts = [_substituted(s, load, Var(decl.dtype, name)) for s in stmts]
    return stmts


def _differ(one: Load, other: Load, facts: Facts) -> bool:
    if len(one.index) != 1 or len(other.index) != 1:
        return False
    form = linear(sub(*unify(one.index[0], other.index[0])), facts.ranges)
    return form is not None and any((lowest(each, facts) or 0) > 0 for each in (form, -form))


def _value(expr: Expr) -> Stmt:
    return Assign(Var(expr.dtype, "?"), expr)


def _substituted(stmt: Stmt, load: Load, variable: Var) -> Stmt:
    return map_expr(
        stmt, lambda e: variable if e == load else e, lambda place: variable if place == load else place
    )


def _facts_at(before: Sequence[Stmt], facts: Facts) -> Facts:
    for stmt in before:
        facts = after(stmt, facts)
    return facts


def _is_scratch(decl: Decl) -> bool:
    return bool(decl.shape) and decl.init is None and all(isinstance(e, Const) for e in decl.shape)


def _touches(stmt: Stmt, array: str) -> bool:
    return any(isinstance(n, (Load, Ref)) and n.array == array for n in walk(stmt))


# ------------------------------------------------------------------------------------------ coverage


@dataclass(frozen=True)
class _Span:
    """Elements [low, high) of an array, in units of one type; for every iteration of `pending` loops."""

    low: Expr
    high: Expr
    width: int
    pending: tuple[For, ...] = ()


def _lives_in(body: Sequence[Stmt], array: str, facts: Facts) -> bool:
    """Whether everything that an iteration reads of the array it has written before."""
    if any(_is_handed_on(s, array) for s in body):
        return False
    return _covered(list(spliced(body)), array, facts, []) is not None


def _covered(stmts: Sequence[Stmt], array: str, facts: Facts, written: list[_Span]) -> list[_Span] | None:
    """What is written behind the statements; None if one of them reads what was not."""
    for stmt in stmts:
        if _touches(stmt, array):
            found = _stmt(stmt, array, facts, written)
            if found is None:
                return None
            written = found
        facts = after(stmt, facts)
    return written


def _stmt(stmt: Stmt, array: str, facts: Facts, written: list[_Span]) -> list[_Span] | None:
    match stmt:
        case For(body=body):
            if any(_touches(Assign(Var(e.dtype, "?"), e), array) for e in (stmt.start, stmt.stop)):
                return None
            inner = _covered(spliced(body.body), array, facts.inside(stmt), written)
            if inner is None:
                return None
            more = [_over(stmt, s, facts) for s in inner if s not in written]
            return [*written, *(s for s in more if s is not None)]
        case If(condition=condition, then=then, otherwise=otherwise):
            if _touches(Assign(Var(condition.dtype, "?"), condition), array):
                return None
            yes = _covered(spliced(then.body), array, facts.where(condition), written)
            no = _covered(spliced(otherwise.body), array, facts.where(condition, False), written)
            return None if yes is None or no is None else [s for s in yes if s in no]
        case Assign(target=target, value=value, reduce=reduce):
            reads = _loads(value, array)
            if isinstance(target, Load):
                reads += [n for i in target.index for n in _loads(i, array)]
                if target.array == array and reduce is not None:
                    reads.append(target)
            if not all(_is_written(r, written, facts) for r in reads):
                return None
            if isinstance(target, Load) and target.array == array and len(target.index) == 1:
                (index,) = target.index
                return [*written, _Span(index, _next(index), target.dtype.bytes)]
            return written
        case Decl(init=Expr() as init):
            reads = _loads(init, array)
            return written if all(_is_written(r, written, facts) for r in reads) else None
    return None


def _is_handed_on(stmt: Stmt, array: str) -> bool:
    """Whether an instruction gets the whole array."""
    return any(isinstance(n, Ref) and n.array == array for n in walk(stmt))


def _loads(expr: Expr, array: str) -> list[Load]:
    return [n for n in walk(expr) if isinstance(n, Load) and n.array == array]


def _next(index: Expr) -> Expr:
    return add(index, Const(index.dtype, 1))


def _over(loop: For, span: _Span, facts: Facts) -> _Span | None:
    """What all iterations together write of a span that moves with the counter; one that stands still is
    written if the loop runs at all, which is not known. Loops that leave gaps wait for those that fill them.
    """
    loops = [loop, *span.pending]
    while loops:
        fitting = next((each for each in loops if _fits(each, span, facts)), None)
        if fitting is None:
            break
        loops.remove(fitting)
        values = {fitting.var: fitting.start}, {fitting.var: fitting.stop}
        first, end = (substitute(span.low, v) for v in values)
        span = _Span(first, end, span.width)
    if any(not is_const(each.step, 1) or each.var not in free_vars(_value(span.low)) for each in loops):
        return None
    return replace(span, pending=tuple(loops))


def _fits(loop: For, span: _Span, facts: Facts) -> bool:
    """Whether the spans of its iterations lie end to end."""
    step = coefficient(span.low, loop.var)
    if step is None or not is_const(loop.step, 1):
        return False
    return prove_eq(sub(span.high, span.low), step, facts.ranges)


def _is_written(load: Load, written: Sequence[_Span], facts: Facts) -> bool:
    if len(load.index) != 1:
        return False
    (index,) = load.index
    return any(
        span.width == load.dtype.bytes
        and not span.pending
        and prove_le(span.low, index, facts.ranges)
        and (_next(index) == span.high or prove_le(_next(index), span.high, facts.ranges))
        for span in written
    )
