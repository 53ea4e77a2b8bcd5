"""Tiles of a factor that does not lie in one piece, brought row by row or piece by piece.

    factor x[(c*H + oh + kh)*W + ow + kw], k = (c, kh, kw), columns ow:
      for i in 0..depth:  scratch[i][..] <- x[.. k0 + i ..], `count` neighbours;   tile = transposed scratch

    factor x[((oh + kh)*W + ow + kw)*C + c], k = (kh, kw, c), rows ow:
      for every piece of C elements:  tile[..][piece] <- x[..], `count` rows apart

Elements that a guard leaves out are zeros: a range of rows or columns is cut where a guard says so.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from xpiler.ir.affine import coefficient, to_expr
from xpiler.ir.build import add, and_, cast, const, lt, maximum, minimum, mod, mul, or_, sub
from xpiler.ir.nodes import Assign, Block, Const, Decl, Expr, For, If, Instr, Load, Ref, Stmt, Var, While
from xpiler.ir.rewrite import free_vars, substitute
from xpiler.ir.types import I32, DType
from xpiler.passes.lane_ranges import clamped, cut_of, parts_of
from xpiler.passes.names import Names


@dataclass(frozen=True)
class Tile:
    """`count` rows from `first` on of the loop over `var`, and `depth` steps from `inner` on of the loop over
    `k`; a row of the tile takes `deep` elements of the buffer `to`."""

    load: Load
    var: str
    first: Var
    count: Expr
    k: str
    inner: Var
    depth: Var
    deep: Expr
    to: str
    scratch: str

    def at(self, row: Expr, k: Expr) -> Ref:
        place = substitute(self.load.index[0], {self.var: row, self.k: k})
        return Ref(self.load.dtype, self.load.array, place)

    @property
    def across(self) -> Expr | None:
        found = coefficient(self.load.index[0], self.var)
        if found is None or {self.var, self.k} & found.variables():
            return None
        return to_expr(found, I32)


def by_rows(tile: Tile, width: Expr, guards: Sequence[Expr], names: Names) -> list[Stmt] | None:
    """Neighbours along the rows, one step of `k` after the other, then transposed."""
    across = tile.across
    if not isinstance(across, Const) or int(across.value) < 1:
        return None
    dtype = tile.load.dtype
    i, k = Var(I32, names.fresh("i")), Var(tile.inner.dtype, names.fresh(tile.k))

    def copy(lo: Expr, n: Expr) -> Stmt:
        dst = Ref(dtype, tile.scratch, add(mul(i, width), lo))
        src = tile.at(add(tile.first, cast(lo, tile.first.dtype)), k)
        extent: tuple[Expr, ...] = (n,)
        if int(across.value) != 1:
            extent = (const(1), const(1), across, sub(n, 1))
        return Instr("__memcpy", (dst, src, *extent), (("direction", "GDRAM2NRAM"),))

    one = _guarded(tile, k, guards, copy, names)
    if one is None:
        return None
    body = Block((Decl(k.name, k.dtype, init=add(tile.inner, cast(i, k.dtype))), *one))
    zeros = fill(tile.scratch, dtype, mul(width, tile.deep))
    partly = or_(lt(tile.depth, tile.deep), lt(tile.count, width))
    first: Stmt = zeros if guards else If(partly, Block((zeros,)))
    turned = Instr("__bang_transpose", (Ref(dtype, tile.to, const(0)), _start(tile), tile.deep, width))
    return [first, For(i.name, I32, const(0), tile.depth, const(1), body), turned]


def by_pieces(tile: Tile, piece: Expr, guards: Sequence[Expr], names: Names) -> list[Stmt] | None:
    """Pieces of consecutive elements along `k`, of all rows at once."""
    across, dtype = tile.across, tile.load.dtype
    if across is None:
        return None
    done, n = Var(I32, names.fresh("done")), Var(I32, names.fresh("piece"))
    k = Var(tile.inner.dtype, names.fresh(tile.k))

    def copy(lo: Expr, rows: Expr) -> Stmt:
        dst = Ref(dtype, tile.to, add(mul(lo, tile.deep), done))
        src = tile.at(add(tile.first, cast(lo, tile.first.dtype)), k)
        operands: tuple[Expr, ...] = (dst, src, n)
        if rows != const(1):
            operands = (*operands, tile.deep, across, sub(rows, 1))
        return Instr("__memcpy", operands, (("direction", "GDRAM2NRAM"),))

    one = _guarded(tile, k, guards, copy, names) or _row_by_row(tile, k, guards, copy, names)
    rest = sub(cast(piece, I32), cast(mod(k, cast(piece, k.dtype)), I32))
    body = Block(
        (
            Decl(k.name, k.dtype, init=add(tile.inner, cast(done, k.dtype))),
            Decl(n.name, I32, init=minimum(rest, sub(tile.depth, done))),
            *one,
            Assign(done, add(done, n)),
        )
    )
    zeros = [fill(tile.to, dtype, mul(tile.count, tile.deep))] if guards else []
    return [*zeros, Decl(done.name, I32, init=const(0)), While(lt(done, tile.depth), body)]


def _row_by_row(
    tile: Tile, k: Var, guards: Sequence[Expr], copy: Callable[[Expr, Expr], Stmt], names: Names
) -> list[Stmt]:
    """A copy of every row for which the guards hold, where they say no range of rows."""
    row = Var(I32, names.fresh("row"))
    place = {tile.var: add(tile.first, cast(row, tile.first.dtype)), tile.k: k}
    holds = and_(*(substitute(guard, place) for guard in guards))
    body = Block((If(holds, Block((copy(row, const(1)),))),))
    return [For(row.name, I32, const(0), tile.count, const(1), body)]


def fill(name: str, dtype: DType, count: Expr) -> Instr:
    return Instr("__bang_write_value", (Ref(dtype, name, const(0)), count, const(0, dtype)))


def _start(tile: Tile) -> Ref:
    return Ref(tile.load.dtype, tile.scratch, const(0))


def _guarded(
    tile: Tile, k: Var, guards: Sequence[Expr], copy: Callable[[Expr, Expr], Stmt], names: Names
) -> list[Stmt] | None:
    """A copy of the rows for which the guards hold at step `k`."""
    uniform: list[Expr] = []
    begin: Expr = const(0)
    end: Expr = tile.count
    for guard in guards:
        parts = parts_of(substitute(guard, {tile.k: k}), tile.var, lambda e: tile.var in free_vars(e))
        if parts.other:
            return None
        uniform += parts.uniform
        for condition in parts.cuts:
            cut = cut_of(condition, tile.var, tile.first)
            if cut.needs is not None:
                return None
            begin = begin if cut.begin is None else maximum(begin, clamped(cut.begin, const(0), tile.count))
            end = end if cut.end is None else minimum(end, clamped(cut.end, const(0), tile.count))
    if begin == const(0) and end == tile.count:
        stmts: list[Stmt] = [copy(begin, end)]
    else:
        lo, hi = Var(I32, names.fresh("begin")), Var(I32, names.fresh("end"))
        stmts = [
            Decl(lo.name, I32, init=cast(begin, I32)),
            Decl(hi.name, I32, init=cast(end, I32)),
            If(lt(lo, hi), Block((copy(lo, sub(hi, lo)),))),
        ]
    return [If(and_(*uniform), Block(tuple(stmts)))] if uniform else stmts
