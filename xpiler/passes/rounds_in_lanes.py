"""A sum of which few terms at a time are lanes stays in the lanes until it ends.

    for w:                                                for j in 0..8 VECTOR:
      p = q[w], s = scale[w]                                part = 0
      for j in 0..8 VECTOR: acc += s * f(p, j)    -->       for w:
                                                              p = q[w], s = scale[w], part += s * f(p, j)
                                                            acc += part

So are weights of few bits multiplied, word by word, each with its scale. Lanes are added up once instead of
for each word. The order of the sum changes, as it does where its terms are lanes at all. A sum of each word
that is scaled as a whole stays: scaled one by one, terms that cancel may be too large.
"""

from __future__ import annotations

from dataclasses import replace

from xpiler.ir.build import const, is_const
from xpiler.ir.nodes import Assign, Block, Const, Decl, Expr, For, Function, LoopKind, Stmt, Var
from xpiler.ir.rewrite import free_vars, map_stmt
from xpiler.passes.folds import folded
from xpiler.passes.names import Names

_LONGEST = 32  # terms at a time: each of their registers goes through all rounds


def rounds_in_lanes(function: Function, notes: list[str]) -> Function:
    """In all serial loops. `notes` gets what the user should know."""
    names = Names(function)

    def change(stmt: Stmt) -> Stmt:
        lanes = _turned(stmt, names) if isinstance(stmt, For) and stmt.kind is LoopKind.SERIAL else None
        if lanes is None or not isinstance(stmt, For):
            return stmt
        notes.append(f"the sum over {stmt.var} is added up in another order")
        return lanes

    body = map_stmt(function.body, change)
    assert isinstance(body, Block)
    return function if body == function.body else replace(function, body=body)


def _turned(rounds: For, names: Names) -> For | None:
    """The loop over lanes with that over rounds inside; None where they are of another form."""
    *heads, lanes = rounds.body.body or (None,)
    if not isinstance(lanes, For) or lanes.kind is not LoopKind.VECTOR or not _is_short(lanes):
        return None
    *own, term = lanes.body.body or (None,)
    fold = folded(term) if isinstance(term, Assign) else None
    if fold is None or fold[0] != "+" or not isinstance(term, Assign) or not isinstance(term.target, Var):
        return None
    total = term.target
    before = [s for s in (*heads, *own) if isinstance(s, Decl) and _is_value(s)]
    if len(before) != len(heads) + len(own) or not total.dtype.is_float:
        return None
    moved: tuple[Stmt | Expr, ...] = (*before, rounds.start, rounds.stop, rounds.step)
    if any(total.name in free_vars(n) | _declared(n) for n in moved):
        return None
    part = Var(total.dtype, names.fresh(f"{total.name}_part"))
    turns = replace(rounds, body=Block((*before, replace(term, target=part, value=fold[1], reduce="+"))))
    start = Decl(part.name, part.dtype, init=const(0.0, part.dtype))
    return replace(lanes, body=Block((start, turns, replace(term, value=part, reduce="+"))))


def _is_value(decl: Decl) -> bool:
    return not decl.shape and isinstance(decl.init, Expr)


def _declared(node: Stmt | Expr) -> frozenset[str]:
    return frozenset((node.name,)) if isinstance(node, Decl) else frozenset()


def _is_short(loop: For) -> bool:
    match loop:
        case For(start=Const(value=start), stop=Const(value=stop)):
            return is_const(loop.step, 1) and int(stop) - int(start) <= _LONGEST
    return False
