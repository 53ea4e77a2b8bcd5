"""Elements that a loop hands on from round to round are read where they are used.

    f32 below = u[p], cur = u[p + s];                for k in 1..n:
    for k in 1..n:                                     f32 above = u[p + s * (k + 1)];
      f32 above = u[p + s * (k + 1)];        -->       v[p + s * k] = f(u[p + s * (k - 1)], u[p + s * k],
      v[p + s * k] = f(below, cur, above);                              above);
      below = cur;
      cur = above;

Threads that walk along an axis keep in registers what they will need again. Without that no round waits for
another, so that any loop may be the innermost one. Applies to arrays that the function never writes, where
all that the loop carries is such elements: what a variable holds first has to be what the rule gives for the
first round.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from xpiler.ir.affine import prove_eq
from xpiler.ir.build import sub
from xpiler.ir.nodes import (
    Assign,
    Block,
    Break,
    Continue,
    Decl,
    Expr,
    For,
    Function,
    Load,
    LoopKind,
    Return,
    Stmt,
    Var,
)
from xpiler.ir.rewrite import arrays_read, arrays_written, free_vars, map_body, substitute, uses
from xpiler.passes.aliasing import may_be_same, with_aliases
from xpiler.passes.structured import spliced
from xpiler.passes.sync import leaves_loop

Values = Mapping[str, Expr]


def read_carried(function: Function) -> Function:
    """Everywhere in the function."""
    written = with_aliases(arrays_written(function.body), may_be_same(function.params))

    def change(stmt: Stmt) -> Stmt:
        return _in_block(stmt, written) if isinstance(stmt, Block) else stmt

    return map_body(function, change)


def _in_block(block: Block, written: frozenset[str]) -> Block:
    for at, stmt in enumerate(block.body):
        if isinstance(stmt, For):
            carried = _carried(stmt, block.body[:at], written)
            ahead = tuple(s for s in block.body[:at] if not _sets(s, carried))
            behind = block.body[at + 1 :]
            if carried and not any(free_vars(s) & carried.keys() for s in (*ahead, *behind)):
                return replace(block, body=(*ahead, _plain(stmt, carried), *behind))
    return block


def _carried(loop: For, before: Sequence[Stmt], written: frozenset[str]) -> Values:
    """By name: what each variable that the loop carries holds at the beginning of a round; nothing if any
    holds something else than an element."""
    body = spliced(loop.body.body)
    inside = uses(loop.body)
    names = {s.target.name for s in body if isinstance(s, Assign) and isinstance(s.target, Var)}
    names -= inside.vars_declared
    own = {s.name for s in before if isinstance(s, Decl)}
    if (
        not names
        or not names <= own
        or names != inside.vars_assigned - inside.vars_declared
        or not loop.dtype.is_signed
    ):
        return {}
    if loop.kind is not LoopKind.SERIAL or any(leaves_loop(s, (Break, Continue, Return)) for s in body):
        return {}
    bounds = {n for e in (loop.start, loop.stop, loop.step) for n in free_vars(e)}
    if bounds & inside.vars_set:
        return {}
    first, after = _held(before, names), _held(body, names)
    if first is None or after is None or not names <= first.keys() & after.keys():
        return {}
    changing = inside.vars_set.union(*(uses(s).vars_set for s in before)) - names
    if any(free_vars(e) & changing for e in (*(first[n] for n in names), *_handed_on(body, names))):
        return {}
    counter = Var(loop.dtype, loop.var)
    found: dict[str, Expr] = {}
    for name in names:
        value, rounds = after[name], 1
        while isinstance(value, Var) and value.name in names and rounds <= len(names):
            value, rounds = after[value.name], rounds + 1
        if not isinstance(value, Load) or free_vars(value) & (inside.vars_set - {loop.var}):
            return {}
        if value.array in written or arrays_read(Block(tuple(Assign(counter, i) for i in value.index))):
            return {}
        back: Expr = counter
        for _ in range(rounds):
            back = sub(back, loop.step)
        found[name] = substitute(value, {loop.var: back})
    same = (_same(first[name], substitute(found[name], {loop.var: loop.start})) for name in names)
    return found if all(same) else {}


def _handed_on(body: Sequence[Stmt], names: set[str]) -> Iterator[Expr]:
    for stmt in body:
        if isinstance(stmt, Assign) and isinstance(stmt.target, Var) and stmt.target.name in names:
            yield stmt.value


def _held(body: Sequence[Stmt], names: set[str]) -> dict[str, Expr] | None:
    """What the variables hold behind these statements, in terms of what they held before them; None if one is
    set in a branch or a loop."""
    held: dict[str, Expr] = {}
    for stmt in body:
        match stmt:
            case Decl(shape=(), init=Expr() as init):
                held[stmt.name] = substitute(init, held)
            case Assign(target=Var(name=name), value=value, reduce=None):
                held[name] = substitute(value, held)
            case _ if uses(stmt).vars_assigned & (names | held.keys()):
                return None
    return held


def _same(one: Expr, two: Expr) -> bool:
    """Whether both are the same element."""
    return (
        isinstance(one, Load)
        and isinstance(two, Load)
        and (one.array, one.dtype, len(one.index)) == (two.array, two.dtype, len(two.index))
        and all(prove_eq(a, b) for a, b in zip(one.index, two.index, strict=True))
    )


def _sets(stmt: Stmt, carried: Values) -> bool:
    """Whether it declares or sets one of the variables, and no more."""
    match stmt:
        case Decl(name=name) | Assign(target=Var(name=name)):
            return name in carried
    return False


def _plain(loop: For, carried: Values) -> For:
    """The loop without these variables."""
    return replace(loop, body=replace(loop.body, body=tuple(_read(spliced(loop.body.body), carried))))


def _read(body: Sequence[Stmt], carried: Values) -> Iterator[Stmt]:
    now = dict(carried)
    for stmt in body:
        if isinstance(stmt, Assign) and isinstance(stmt.target, Var) and stmt.target.name in carried:
            now[stmt.target.name] = substitute(stmt.value, now)
        else:
            yield substitute(stmt, now)
