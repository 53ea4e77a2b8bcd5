"""Loops over tiles, the last of which may be partial, become the loop over elements that they stand for.

    for k0 in 0..N step 32: for k in 0..min(32, N - k0): f(k0 + k)        -->      for x in 0..N: f(x)
    for k0 in 0..N step 32: for k in k0..min(k0 + 32, N): f(k)
    for t in 0..N / 32 + (N % 32 > 0): for k in 0..(t < N / 32 ? 32 : N % 32): f(t * 32 + k)

Whatever `f` does: the elements keep their order. Applies where tile and place in it occur as their sum only.
"""

from __future__ import annotations

from dataclasses import replace

from xpiler.ir.affine import linear, prove_eq
from xpiler.ir.affine_form import of_atom
from xpiler.ir.build import div, is_const, sub
from xpiler.ir.nodes import (
    Binary,
    Break,
    Call,
    Cast,
    Const,
    Decl,
    Expr,
    For,
    Function,
    LoopKind,
    Select,
    Stmt,
    Var,
)
from xpiler.ir.rewrite import assigned_vars, free_vars, map_body, substitute
from xpiler.passes.facts import Facts
from xpiler.passes.strips import of_the_sum
from xpiler.passes.structured import spliced
from xpiler.passes.sync import leaves_loop


def join_tiles(function: Function) -> Function:
    """Everywhere in the function, inner loops first."""
    facts = Facts.of(function)

    def change(stmt: Stmt) -> Stmt:
        if not isinstance(stmt, For):
            return stmt
        return _with_rest(stmt, facts) or _elements(stmt, facts)

    return map_body(function, change)


def _with_rest(tiles: For, facts: Facts) -> For | None:
    """The loop over elements of tiles that are counted, of which the last one is the rest."""
    *heads, inner = spliced(tiles.body.body) or (tiles,)
    names: dict[str, Expr] = {}
    for head in heads:
        if not (isinstance(head, Decl) and not head.shape and isinstance(head.init, Expr)):
            return None
        if head.name in facts.mutable or not head.dtype.is_integer:
            return None
        names[head.name] = substitute(head.init, names)
    if not isinstance(inner, For) or inner.dtype != tiles.dtype or free_vars(inner.body) & set(names):
        return None
    counts = all(is_const(loop.start, 0) and is_const(loop.step, 1) for loop in (tiles, inner))
    if not counts or leaves_loop(inner.body, (Break,)):
        return None
    match substitute(inner.stop, names):
        case Select(
            condition=Binary(op="<", left=Var(name=counter), right=whole),
            then=Const(value=length),
            otherwise=Binary(op="%", left=total, right=Const(value=by)) as rest,
        ) if counter == tiles.var and length == by and whole == div(total, by):
            pass
        case _:
            return None
    if free_vars(total) & assigned_vars(tiles.body) or not _is_number_of_tiles(tiles.stop, whole, rest):
        return None
    known = {**facts.ranges, **facts.inside(tiles).ranges, **facts.inside(tiles).inside(inner).ranges}
    element = Var(inner.dtype, inner.var)
    elements = of_the_sum(inner.body, tiles.var, inner.var, element, known, int(length))
    if elements is None:
        return None
    kind = tiles.kind if tiles.kind is inner.kind else LoopKind.SERIAL
    return replace(inner, stop=total, body=elements, kind=kind)


def _is_number_of_tiles(stop: Expr, whole: Expr, rest: Expr) -> bool:
    """Whether it is that of whole tiles and one more for the rest, if there is any."""
    more = linear(sub(stop, whole))
    atoms = tuple(more.atoms()) if more is not None else ()
    if more is None or len(atoms) != 1 or more != of_atom(atoms[0]):
        return False
    atom = atoms[0]
    while isinstance(atom, Cast):
        atom = atom.operand
    match atom:
        case (
            Binary(op=">" | "!=", left=left, right=Const(value=0))
            | Binary(op="<", left=Const(value=0), right=left)
        ):
            return left == rest
    return False


def _elements(tiles: For, facts: Facts) -> For:
    """The loop over elements; the loop over tiles where it is not of that form."""
    body = spliced(tiles.body.body)
    inner = body[0] if len(body) == 1 else None
    if not isinstance(inner, For) or inner.dtype != tiles.dtype or not is_const(inner.step, 1):
        return tiles
    if is_const(tiles.step, 1) or leaves_loop(inner.body, (Break,)):
        return tiles
    if free_vars(tiles.stop) & assigned_vars(tiles.body) or free_vars(tiles.step) & assigned_vars(tiles.body):
        return tiles
    counter = Var(tiles.dtype, tiles.var)
    ends = inner.stop.args if isinstance(inner.stop, Call) and inner.stop.function == "min" else ()
    left = tuple(sub(end, counter) for end in ends) if inner.start == counter else ends
    wanted = (tiles.step, sub(tiles.stop, counter))
    if len(left) != 2 or not any(all(map(prove_eq, order, wanted)) for order in (left, left[::-1])):
        return tiles
    if inner.start == counter:
        if tiles.var in free_vars(inner.body):
            return tiles
        elements = inner.body
        name = inner.var
    elif is_const(inner.start, 0):
        known = {**facts.ranges, **facts.inside(tiles).ranges, **facts.inside(tiles).inside(inner).ranges}
        of_both = of_the_sum(inner.body, tiles.var, inner.var, counter, known)
        if of_both is None:
            return tiles
        made_up = inner.var.startswith(f"{tiles.var}_")
        name = tiles.var if made_up else inner.var
        elements = substitute(of_both, {tiles.var: Var(inner.dtype, name)})
    else:
        return tiles
    kind = tiles.kind if tiles.kind is inner.kind else LoopKind.SERIAL
    return replace(inner, var=name, start=tiles.start, stop=tiles.stop, body=elements, kind=kind)
