"""Loops over the lanes of a wave, and over their registers, become loops over rows and columns of the tiles.

    for lane in 0..64: for e in 0..4:                     for q in 0..4: for e in 0..4: for i in 0..16:
      a[lane % 16][4 * (lane / 16) + e] = ...       -->     a[i][4 * q + e] = ...

Done for loops of constant extent whose counter is taken apart by constants in the indices of tiles. Each
thread keeps the order of what it does, and threads are independent; index fusion then joins `q` and `e`.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from xpiler.ir.build import add, const, mul, var
from xpiler.ir.nodes import Assign, Binary, Block, Const, Expr, For, Load, LoopKind, Stmt, Var
from xpiler.ir.rewrite import map_expr, map_stmt, substitute, walk
from xpiler.ir.types import I32
from xpiler.passes.names import Names
from xpiler.passes.structured import spliced


def split_lanes(body: Block, tiles: Collection[str], names: Names) -> Block:
    """All loops whose counter is a number of several digits in the indices of `tiles`."""

    def change(stmt: Stmt) -> Stmt:
        while isinstance(stmt, For) and (radix := _radix(stmt, tiles)):
            stmt = _split(stmt, radix, names)
        return stmt

    result = map_stmt(body, change)
    assert isinstance(result, Block)
    return result


def _radix(loop: For, tiles: Collection[str]) -> int:
    """The smallest number that divides the counter somewhere in an index of a tile, 0 if there is none."""
    extent = loop.stop
    if not isinstance(extent, Const) or loop.start != const(0) or loop.step != const(1):
        return 0
    found: set[int] = set()
    for node in walk(loop.body):
        if isinstance(node, Load) and node.array in tiles:
            for index in node.index:
                found |= {
                    int(part.right.value)
                    for part in walk(index)
                    if isinstance(part, Binary)
                    and part.op in ("/", "%")
                    and part.left == Var(I32, loop.var)
                    and isinstance(part.right, Const)
                }
    return min((r for r in found if 1 < r < int(extent.value) and int(extent.value) % r == 0), default=0)


def _split(loop: For, radix: int, names: Names) -> For:
    assert isinstance(loop.stop, Const)
    high, low = var(names.fresh(f"{loop.var}_row"), I32), var(names.fresh(f"{loop.var}_column"), I32)

    def digit(expr: Expr) -> Expr:
        match expr:
            case Binary(op="/" | "%" as op, left=Var(name=loop.var), right=Const(value=n)):
                if int(n) == radix:
                    return high if op == "/" else low
                if int(n) % radix == 0 and op == "/":
                    return Binary(I32, "/", high, const(int(n) // radix))
                if int(n) % radix == 0:
                    return add(mul(Binary(I32, "%", high, const(int(n) // radix)), radix), low)
        return expr

    body = substitute(map_expr(loop.body, digit), {loop.var: add(mul(high, radix), low)})
    assert isinstance(body, Block)
    parts = (body.body,) if loop.kind is not LoopKind.THREADS else _apart(body)
    inner = replace(loop, var=low.name, stop=const(radix))
    nests = tuple(_inmost(replace(inner, body=Block(part))) for part in parts)
    return replace(loop, var=high.name, stop=const(int(loop.stop.value) // radix), body=Block(nests))


def _apart(body: Block) -> tuple[tuple[Stmt, ...], ...]:
    """Statements that lanes may run one after the other: threads are independent until they meet again."""
    stmts = spliced(body.body)
    if all(isinstance(s, For) or (isinstance(s, Assign) and isinstance(s.target, Load)) for s in stmts):
        return tuple((s,) for s in stmts)
    return (tuple(stmts),)


def _inmost(loop: For) -> Stmt:
    """A loop over lanes inside the loop that every lane runs: rows and columns are then neighbours."""
    match loop.body.body:
        case (For(start=Const(), stop=Const(), step=Const()) as inner,) if loop.kind is LoopKind.THREADS:
            return replace(inner, body=Block((_inmost(replace(loop, body=inner.body)),)))
    return loop
