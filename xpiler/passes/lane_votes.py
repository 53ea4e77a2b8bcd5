"""A branch that is taken if any lane is on, around what lanes that are on do: the lanes decide alone.

    bits = 0;  for lane: bits |= (c(lane) ? 1 : 0) << lane;
    if (bits != 0) { for lane: if (c(lane)) y[lane] = x[lane]; }
      -->   for lane: if (c(lane)) y[lane] = x[lane];

Kernels of masked vectors skip stores of nothing that way. Where lanes that are off would do something, one
lane decides for all if the condition is a bound that it is the first to keep:

    bits = 0;  for lane: bits |= (i + lane < n ? 1 : 0) << lane;
    if (bits != 0) { ... }      -->   if (i + 0 < n) { ... }

Where no lane is on, what is chosen for lanes that are on is not asked for:

    if (bits == 0) for lane: y[lane] = a(lane);
    else { ...; for lane: y[lane] = c(lane) ? b(lane) : a(lane); }      -->   the latter
"""

from __future__ import annotations

from dataclasses import replace

from xpiler.ir.build import const
from xpiler.ir.nodes import (
    Assign,
    Binary,
    Block,
    Cast,
    Const,
    Decl,
    Expr,
    For,
    Function,
    If,
    Select,
    Stmt,
    Var,
)
from xpiler.ir.rewrite import free_vars, map_stmt, substitute, uses
from xpiler.ir.types import I32


def drop_votes(function: Function) -> Function:
    """Everywhere in the function."""

    def change(stmt: Stmt) -> Stmt:
        return _without_votes(stmt) if isinstance(stmt, Block) else stmt

    body = map_stmt(function.body, change)
    assert isinstance(body, Block)
    return function if body is function.body else replace(function, body=body)


def _without_votes(block: Block) -> Block:
    out: list[Stmt] = []
    changed = False
    for position, stmt in enumerate(block.body):
        chosen = _chosen(out[-2], out[-1], stmt) if len(out) >= 2 else None
        if chosen is not None:
            bits = out[-2]
            rest = Block((*chosen, *block.body[position + 1 :]))
            if isinstance(bits, Decl) and bits.name not in free_vars(rest):
                del out[-2:]
            out.extend(chosen)
            changed = True
            continue
        vote = _vote(out[-2], out[-1], stmt) if len(out) >= 2 else None
        decisive = _decisive(*vote) if vote is not None else None
        if vote is not None and isinstance(stmt, If) and all(_is_masked(s, *vote) for s in stmt.then.body):
            out.extend(stmt.then.body)
            changed = True
        elif vote is not None and isinstance(stmt, If) and decisive is not None:
            lane, _, condition = vote
            one = {lane: const(decisive, I32)}
            rest = Block((stmt.then, *block.body[position + 1 :]))
            bits = out[-2]
            if isinstance(bits, Decl) and bits.name not in free_vars(rest):
                del out[-2:]
            out.append(replace(stmt, condition=substitute(condition, one)))
            changed = True
        else:
            out.append(stmt)
    return replace(block, body=tuple(out)) if changed else block


def _chosen(declared: Stmt, loop: Stmt, branch: Stmt) -> tuple[Stmt, ...] | None:
    """What is done where some lane is on, if that is right where none is."""
    match branch:
        case If(condition=Binary(op="==") as asked, then=without, otherwise=among) if among.body:
            vote = _vote(declared, loop, If(replace(asked, op="!="), among))
        case If(condition=asked, then=among, otherwise=without):
            vote = _vote(declared, loop, If(asked, among))
        case _:
            return None
    if vote is None or len(without.body) != 1:
        return None
    lane, lanes, condition = vote
    *before, last = among.body
    own = {s.name for s in before if isinstance(s, Decl)}
    if not all(_is_own(s, own) for s in before):
        return None
    plain, picked = _of_lanes(without.body[0], lane, lanes), _of_lanes(last, lane, lanes)
    if plain is None or picked is None or plain.target != picked.target or picked.reduce or plain.reduce:
        return None
    match picked.value:
        case Select(condition=own_condition, otherwise=otherwise) if otherwise == plain.value:
            return among.body if set(_parts(own_condition)) & set(_parts(condition, "||")) else None
    return None


def _is_own(stmt: Stmt, own: set[str]) -> bool:
    """Whether a statement sets nothing but arrays and variables of the branch."""
    done = uses(stmt)
    return done.arrays_written <= own and done.vars_assigned - done.vars_declared <= own


def _of_lanes(stmt: Stmt, lane: str, lanes: int) -> Assign | None:
    """What a loop over the lanes assigns in each, with the lane's name."""
    match stmt:
        case For(
            var=var,
            start=Const(value=0),
            stop=Const(value=count),
            step=Const(value=1),
            body=Block(body=(Assign() as assign,)),
        ) if int(count) == lanes:
            renamed = substitute(assign, {var: Var(stmt.dtype, lane)})
            return renamed if isinstance(renamed, Assign) else None
    return None


def _vote(declared: Stmt, loop: Stmt, branch: Stmt) -> tuple[str, int, Expr] | None:
    """The lane, how many there are, and the condition whose bits are gathered and asked for."""
    match declared, loop, branch:
        case (
            Decl(name=name, shape=(), init=Const(value=0)),
            For(
                var=lane,
                start=Const(value=0),
                stop=Const(value=lanes),
                step=Const(value=1),
                body=Block(
                    body=(
                        Assign(
                            target=Var(name=target),
                            reduce="|",
                            value=Binary(
                                op="<<",
                                left=Select(
                                    condition=condition, then=Const(value=1), otherwise=Const(value=0)
                                ),
                                right=Var(name=by),
                            ),
                        ),
                    )
                ),
            ),
            If(condition=Binary(op="!=", left=asked, right=Const(value=0)), otherwise=Block(body=())),
        ) if name == target and lane == by and _bits_of(asked, int(lanes)) == name:
            return lane, int(lanes), condition
    return None


def _decisive(lane: str, lanes: int, condition: Expr) -> int | None:
    """The lane for which the condition holds if it does for any: the first or the last one, where bounds are
    all that is asked."""
    growth = _growth(condition, lane)
    return None if growth is None else lanes - 1 if growth > 0 else 0


def _growth(expr: Expr, lane: str) -> int | None:
    """Whether a value grows with the lane: 1, 0 if it has nothing to do with it, -1 if it falls, None if
    that is not known. False is less than true."""
    if lane not in free_vars(expr):
        return 0
    match expr:
        case Var():
            return 1 if expr.dtype.is_signed else None
        case Cast(operand=operand, dtype=dtype):
            is_wider = dtype.is_signed and dtype.is_integer and dtype.bits >= operand.dtype.bits
            return _growth(operand, lane) if is_wider else None
        case Binary(op="+" | "&&", left=left, right=right):
            return _together(_growth(left, lane), _growth(right, lane))
        case Binary(op="*", left=left, right=Const(value=factor)) if expr.dtype.is_integer:
            grows = _growth(left, lane)
            return grows if factor > 0 else _turned(grows)
        case Binary(op="-" | ">" | ">=", left=left, right=right):
            return _together(_growth(left, lane), _turned(_growth(right, lane)))
        case Binary(op="<" | "<=", left=left, right=right):
            return _together(_turned(_growth(left, lane)), _growth(right, lane))
    return None


def _turned(growth: int | None) -> int | None:
    return None if growth is None else -growth


def _together(first: int | None, second: int | None) -> int | None:
    if first is None or second is None or first * second < 0:
        return None
    return first or second


def _bits_of(expr: Expr, lanes: int) -> str:
    """The variable whose lowest bits an expression is, as many as there are lanes."""
    while isinstance(expr, Cast) and expr.dtype.is_integer and expr.dtype.bits >= lanes:
        expr = expr.operand
    return expr.name if isinstance(expr, Var) else ""


def _is_masked(stmt: Stmt, lane: str, lanes: int, condition: Expr) -> bool:
    """Whether a loop over lanes does nothing where the condition does not hold."""
    match stmt:
        case For(
            var=var,
            start=Const(value=0),
            stop=Const(value=count),
            step=Const(value=1),
            body=Block(body=(If(condition=own, otherwise=Block(body=())),)),
        ) if int(count) <= lanes:
            own_lane: dict[str, Expr] = {lane: Var(stmt.dtype, var)}
            return substitute(condition, own_lane) in _parts(own)
    return False


def _parts(condition: Expr, op: str = "&&") -> list[Expr]:
    match condition:
        case Binary(op=own, left=left, right=right) if own == op:
            return [*_parts(left, op), *_parts(right, op)]
    return [condition]
