"""Arrays of which every iteration uses one element only, written before it is read, become scalars.

    float t[256];                                  for i0: for i in 0..count: {
    for i0: for i in 0..count: {            -->        float t = a[i0 + i];
        t[i] = a[i0 + i]; c[i0 + i] = t[i]; }          c[i0 + i] = t; }

Applies to local arrays all of whose accesses stand in the body of one loop, have the same index there, and
follow an assignment to the element.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from xpiler.ir.nodes import Assign, Block, Cast, Decl, Expr, Function, Load, Ref, Space, Stmt, Var
from xpiler.ir.rewrite import free_vars, map_expr, map_stmt, rebuild, uses, walk, walk_stmts
from xpiler.ir.types import Kind
from xpiler.passes.structured import spliced


def scalars_of_elements(function: Function) -> Function:
    body = function.body
    for decl in walk_stmts(function.body):
        if isinstance(decl, Decl) and decl.shape and decl.init is None and decl.space is not Space.CONSTANT:
            body = _without_array(body, decl)
    return function if body is function.body else replace(function, body=body)


def _without_array(body: Block, decl: Decl) -> Block:
    home = _home(body, decl.name)
    if home is None:
        return body
    made = _scalar(home, decl)
    if made is None:
        return body

    def go(node: Stmt) -> Stmt:
        if node is home:
            return made
        result: Stmt = rebuild(node, lambda child, _: go(child) if isinstance(child, Stmt) else child)
        return result

    without = map_stmt(
        go(body), lambda s: () if isinstance(s, Decl) and s.name == decl.name and s.shape else s
    )
    assert isinstance(without, Block)
    return without


def _home(body: Block, array: str) -> Block | None:
    """The innermost block that holds all accesses; None if its statements hold none directly."""
    block = body
    while True:
        users = [s for s in spliced(block.body) if _touches(s, array)]
        inner = [b for s in users for b in _blocks(s)]
        if len(users) != 1 or len(inner) != 1 or _touches_outside(users[0], array):
            return block if users and not isinstance(users[0], Block) else None
        block = inner[0]


def _blocks(stmt: Stmt) -> list[Block]:
    return [b for b in vars(stmt).values() if isinstance(b, Block) and b.body]


def _touches_outside(stmt: Stmt, array: str) -> bool:
    """Whether the head of a statement (bounds, conditions) reads the array."""
    heads = [e for e in vars(stmt).values() if isinstance(e, (Expr, tuple))]
    flat = [e for h in heads for e in (h if isinstance(h, tuple) else (h,)) if isinstance(e, Expr)]
    return any(isinstance(n, Load) and n.array == array for e in flat for n in walk(e))


def _touches(node: Stmt, array: str) -> bool:
    found = uses(node)
    return array in found.arrays_read | found.arrays_written


def _accesses(block: Block, array: str) -> Iterator[Load | Ref]:
    for node in walk(block):
        if isinstance(node, (Load, Ref)) and node.array == array:
            yield node


def _plainly_indexed(block: Block, array: str) -> Block:
    """With indices of the array as they are before they are extended to more bits."""

    def plain(index: Expr) -> Expr:
        match index:
            case Cast(dtype=to, operand=Var(dtype=own) as counter) if own.kind is Kind.INT:
                return counter if to.is_integer and to.bits > own.bits else index
        return index

    def change(load: Load) -> Load:
        return replace(load, index=tuple(map(plain, load.index))) if load.array == array else load

    made = map_expr(
        block,
        lambda e: change(e) if isinstance(e, Load) else e,
        lambda place: change(place) if isinstance(place, Load) else place,
    )
    assert isinstance(made, Block)
    return made


def _scalar(block: Block, decl: Decl) -> Block | None:
    block = _plainly_indexed(block, decl.name)
    places = set(_accesses(block, decl.name))
    place = next(iter(places), None)
    if len(places) != 1 or not isinstance(place, Load) or place.dtype != decl.dtype:
        return None
    if any(isinstance(e, Load) for i in place.index for e in walk(i)):
        return None
    moving = uses(block).vars_assigned
    if any(free_vars(i) & moving for i in place.index):
        return None
    stmts = list(spliced(block.body))
    first = next(n for n, s in enumerate(stmts) if _touches(s, decl.name))
    match stmts[first]:
        case Assign(target=Load(array=array), value=value, reduce=None) if array == decl.name and not any(
            isinstance(e, Load) and e.array == decl.name for e in walk(value)
        ):
            stmts[first] = Decl(decl.name, decl.dtype, (), init=value, range=stmts[first].range)
        case _:
            return None
    var = Var(decl.dtype, decl.name)

    def change(expr: Expr) -> Expr:
        return var if expr == place else expr

    def target(old: Var | Load) -> Var | Load:
        return var if old == place else old

    rest = map_expr(Block(tuple(stmts)), change, target)
    return replace(rest, range=block.range)
