"""What each lane finds on its way is told to the vote at once.

    for lane in 0..64:                                 for lane in 0..64:
      int f = 0;                                         for c in lane..n step 64:
      for c in lane..n step 64: f |= x[c] < 0     -->      any |= x[c] < 0
      any |= f != 0

`any` is a vote that finds something, `all` (`&`, of truth values) one that finds nothing amiss. Applies if
nothing else uses the lane's own number.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from xpiler.ir.build import cast, const, ne
from xpiler.ir.nodes import Assign, Binary, Block, Cast, Const, Decl, Expr, For, Function, Stmt, Var
from xpiler.ir.rewrite import map_body, uses, walk, walk_stmts
from xpiler.ir.types import BOOL
from xpiler.passes.structured import spliced


def tell_votes(function: Function) -> Function:
    """Everywhere in the function."""
    votes = _Votes(_truths(function))
    return map_body(function, lambda stmt: votes.told(stmt) if isinstance(stmt, Block) else stmt)


def _truths(function: Function) -> frozenset[str]:
    """The scalars that are 0 or 1 all the time."""
    good: set[str] = set()
    bad: set[str] = set()
    for stmt in walk_stmts(function.body):
        match stmt:
            case Decl(name=name, shape=(), init=Const(value=0 | 1)):
                good.add(name)
            case Assign(target=Var(name=name)):
                found = _accumulated(stmt)
                if found is None or _inner(found[2]).dtype != BOOL:
                    bad.add(name)
            case _:
                bad |= uses(stmt).vars_assigned if not _has_blocks(stmt) else set()
    return frozenset(good - bad)


def _has_blocks(stmt: Stmt) -> bool:
    return any(s is not stmt for s in walk_stmts(stmt))


@dataclass(frozen=True)
class _Votes:
    truths: frozenset[str]

    def told(self, block: Block) -> Block:
        body = spliced(block.body)
        for at, decl in enumerate(body[:-2]):
            loop, vote = body[at + 1 : at + 3]
            if isinstance(decl, Decl) and isinstance(loop, For) and not _use(decl.name, body[at + 3 :]):
                told = self._loop(decl, loop, vote)
                if told is not None:
                    return self.told(replace(block, body=(*body[:at], told, *body[at + 3 :])))
        return block

    def _loop(self, decl: Decl, loop: For, vote: Stmt) -> For | None:
        """The loop that votes itself."""
        voted = _accumulated(vote)
        if voted is None or decl.shape or not isinstance(decl.init, Const) or not decl.dtype.is_integer:
            return None
        total, op, value = voted
        own = Var(decl.dtype, decl.name)
        if _inner(value) != ne(own, const(0, own.dtype)) or (op == "&") == (decl.init.value == 0):
            return None
        if op == "&" and total.name not in self.truths:  # what no lane looks at stays as it is
            return None
        return _telling(loop, own, total, op)


def _use(name: str, stmts: Sequence[Stmt]) -> bool:
    return any(name in used.vars_read | used.vars_assigned for used in map(uses, stmts))


def _telling(loop: For, own: Var, total: Var, op: str) -> For | None:
    inner = spliced(loop.body.body)
    made: Stmt | None = None
    if len(inner) == 1 and isinstance(inner[0], For):
        made = _telling(inner[0], own, total, op)
    elif len(inner) == 1:
        found = _accumulated(inner[0])
        if found is not None and found[:2] == (own, op):
            made = _vote(inner[0], found[2], own, total, op)
    if made is None or {own.name, total.name} & _names(loop.start, loop.stop, loop.step):
        return None
    return replace(loop, body=replace(loop.body, body=(made,)))


def _vote(stmt: Stmt, value: Expr, own: Var, total: Var, op: str) -> Stmt | None:
    truth = _inner(value)
    if {own.name, total.name} & _names(value) or (op == "&" and truth.dtype != BOOL):
        return None  # 1 & 2 is nothing, though both are something
    if truth.dtype != BOOL:
        truth = ne(value, const(0, value.dtype))
    return Assign(total, cast(truth, total.dtype), op, range=stmt.range)


def _names(*exprs: Expr) -> set[str]:
    return {n.name for e in exprs for n in walk(e) if isinstance(n, Var)}


def _inner(value: Expr) -> Expr:
    """Without conversions of truth values."""
    inner = value
    while isinstance(inner, Cast):
        inner = inner.operand
    return inner if inner.dtype == BOOL else value


def _accumulated(stmt: Stmt) -> tuple[Var, str, Expr] | None:
    """Of `v |= e`, `v = v | e`, and the same with `&`."""
    match stmt:
        case Assign(target=Var() as var, value=value, reduce="|" | "&" as op):
            return var, op, value
        case Assign(
            target=Var() as var, value=Binary(op="|" | "&" as op, left=left, right=value), reduce=None
        ) if left == var:
            return var, op, value
    return None
