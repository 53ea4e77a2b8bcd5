"""A product of rows by columns in tiles: factors staged through shared memory, sums in registers.

    block: 64 x 64 sums, 256 threads with 4 x 4 each
    for k0 in 0..K step 16:
        x_tile[k][m] = x(m0 + m, k0 + k); y_tile[k][n] = y(n0 + n, k0 + k)      0 outside
        acc[i][j] += x_tile[k][m(i)] * y_tile[k][n(j)]
    every thread: start + acc[i][j] goes where the sum went

The tiles are one element wider than their data, so that threads that write along k meet no bank conflicts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from xpiler.ir.affine import coefficient
from xpiler.ir.build import add, and_, cast, ceil_div, const, div, lt, mod, mul, var
from xpiler.ir.nodes import (
    Assign,
    Barrier,
    Binary,
    Block,
    Decl,
    Expr,
    For,
    If,
    Load,
    LoopKind,
    Space,
    Stmt,
    Var,
)
from xpiler.ir.rewrite import walk_exprs, walk_stmts
from xpiler.ir.types import I32, U32, DType
from xpiler.passes.coalescing import trips
from xpiler.passes.knobs import Knob
from xpiler.passes.names import Names
from xpiler.passes.products import Product
from xpiler.passes.simt_bind import ONE, Grid, index_type, total
from xpiler.passes.simt_team import unravel

SIDE = 16  # threads along each side of a block
DEPTH = Knob("product_tiles.depth", (8, 16, 32), 16, "terms of the sum in a tile")
THREADS = SIDE * SIDE


@dataclass(frozen=True)
class Tiled:
    body: Block
    grid: Grid
    block: tuple[int, int, int]


@dataclass(frozen=True)
class Step:
    """A part of the sum: `depth` of its `count` terms from `start` on."""

    start: Var
    count: Expr
    depth: int
    thread: Var


@dataclass(frozen=True)
class Side:
    """Rows or columns of a product: their loops, how many there are, and how many a block takes."""

    loops: tuple[For, ...]
    count: Expr
    tile: int
    factor: Expr
    name: str

    @property
    def is_plain(self) -> bool:
        """Whether the place itself is the loop variable."""
        loop = self.loops[0]
        plain = (const(0, loop.dtype), const(1, loop.dtype))
        return len(self.loops) == 1 and (loop.start, loop.step) == plain

    def index(self, names: Names) -> Var:
        """A variable for the place among all rows (columns, terms)."""
        loop = self.loops[0]
        return (
            var(loop.var, loop.dtype)
            if self.is_plain
            else var(names.fresh(self.name), index_type(self.loops))
        )

    def counters(self, index: Var) -> list[Stmt]:
        return [] if self.is_plain else unravel(self.loops, index)


def oriented(product: Product) -> Product:
    """With the loop that the results are consecutive in as the last of the columns."""
    stores = [
        s.target
        for s in walk_stmts(Block(product.rest))
        if isinstance(s, Assign) and isinstance(s.target, Load)
    ]
    last = product.rows[-1].var
    along = any(len(s.index) == 1 and _is_one(coefficient(s.index[0], last)) for s in stores)
    if not along:
        return product
    return replace(product, rows=product.columns, columns=product.rows, x=product.y, y=product.x)


def _is_one(form: object) -> bool:
    return getattr(form, "as_int", None) == 1


def side(loops: Sequence[For], factor: Expr, name: str, most: int = 64) -> Side:
    dtype = index_type(loops)
    length = 1
    for loop in loops:
        length *= trips(loop) or most
    tile = most
    while tile > SIDE and length <= tile // 2:
        tile //= 2
    return Side(tuple(loops), total(loops, dtype), tile, factor, name)


def tiled(product: Product, names: Names, thread: Var) -> Tiled:
    """`thread`: the name for a thread's number in its block."""
    product = oriented(product)
    rows, columns = sides(product)
    kernel = _Kernel(product, rows, columns, names, thread)
    return Tiled(kernel.body(), grid_of(product, rows, columns), (THREADS, 1, 1))


def sides(product: Product) -> tuple[Side, Side]:
    return side(product.rows, product.x, "row"), side(product.columns, product.y, "column")


def grid_of(product: Product, rows: Side, columns: Side) -> Grid:
    """A block a tile: tiles of rows (of all batches) along x, of columns along y."""
    across = ceil_div(rows.count, rows.tile)
    if product.batch:
        across = mul(total(product.batch, index_type(product.batch)), across)
    return across, ceil_div(columns.count, columns.tile), ONE


def places(product: Product, rows: Side, columns: Side, names: Names) -> tuple[list[Stmt], Var, Var]:
    """Declarations of the batch's loop variables and of a block's first row and column."""
    block_x = cast(Var(U32, "blockIdx.x"), I32)
    out: list[Stmt] = []
    tile: Expr = block_x
    if product.batch:
        tiles = ceil_div(rows.count, rows.tile)
        out += unravel(product.batch, div(block_x, tiles))
        tile = mod(block_x, tiles)
    first_row, first_column = (var(names.fresh(n)) for n in ("first_row", "first_column"))
    out.append(Decl(first_row.name, I32, (), init=cast(mul(tile, rows.tile), I32)))
    block_y = cast(Var(U32, "blockIdx.y"), I32)
    out.append(Decl(first_column.name, I32, (), init=mul(block_y, columns.tile)))
    return out, first_row, first_column


@dataclass
class _Kernel:
    product: Product
    rows: Side
    columns: Side
    names: Names
    thread: Var

    def body(self) -> Block:
        product, names = self.product, self.names
        dtype = product.accumulator.dtype
        self.tx, self.ty = var(names.fresh("tx")), var(names.fresh("ty"))
        out: list[Stmt] = [
            Decl(self.thread.name, I32, (), init=cast(Var(U32, "threadIdx.x"), I32)),
            Decl(self.tx.name, I32, (), init=mod(self.thread, SIDE)),
            Decl(self.ty.name, I32, (), init=div(self.thread, SIDE)),
        ]
        declared, self.first_row, self.first_column = places(product, self.rows, self.columns, names)
        out += declared
        x_tile, y_tile = names.fresh("x_tile"), names.fresh("y_tile")
        for name, one in ((x_tile, self.rows), (y_tile, self.columns)):
            shape = (const(DEPTH.value), const(one.tile + 1))
            out.append(Decl(name, dtype, shape, Space.SHARED))
        high, wide = self.rows.tile // SIDE, self.columns.tile // SIDE
        acc = names.fresh(product.accumulator.name)
        out.append(Decl(acc, dtype, (const(high), const(wide)), init=(const(0, dtype),)))
        k0 = var(names.fresh("k0"), index_type(product.sums))
        count = total(product.sums, index_type(product.sums))
        part = Step(k0, count, DEPTH.value, self.thread)
        step: list[Stmt] = [
            stage(product, self.rows, self.first_row, part, names, _into(x_tile)),
            stage(product, self.columns, self.first_column, part, names, _into(y_tile)),
            Barrier(),
            *self.multiply(acc, x_tile, y_tile, high, wide, dtype),
            Barrier(),
        ]
        out.append(
            For(
                k0.name, k0.dtype, const(0, k0.dtype), count, const(DEPTH.value, k0.dtype), Block(tuple(step))
            )
        )
        out += self.results(acc, high, wide, dtype)
        return Block(tuple(out))

    def multiply(self, acc: str, x_tile: str, y_tile: str, high: int, wide: int, dtype: DType) -> list[Stmt]:
        names = self.names
        k, i, j = (var(names.fresh(n)) for n in ("k", "i", "j"))
        x = Load(dtype, x_tile, (k, add(self.ty, mul(i, SIDE))))
        y = Load(dtype, y_tile, (k, add(self.tx, mul(j, SIDE))))
        added = Assign(Load(dtype, acc, (i, j)), Binary(dtype, "*", x, y), "+")
        return [unrolled(k, DEPTH.value, unrolled(i, high, unrolled(j, wide, added)))]

    def results(self, acc: str, high: int, wide: int, dtype: DType) -> list[Stmt]:
        names = self.names
        i, j = var(names.fresh("i")), var(names.fresh("j"))
        row, column = self.rows.index(names), self.columns.index(names)
        where = [
            Decl(
                row.name, row.dtype, (), init=cast(add(self.first_row, add(self.ty, mul(i, SIDE))), row.dtype)
            ),
            Decl(
                column.name,
                column.dtype,
                (),
                init=cast(add(self.first_column, add(self.tx, mul(j, SIDE))), column.dtype),
            ),
        ]
        done = finish(self.product, self.rows, self.columns, row, column, Load(dtype, acc, (i, j)))
        return [unrolled(i, high, unrolled(j, wide, Block((*where, done))))]


def finish(product: Product, rows: Side, columns: Side, row: Var, column: Var, value: Expr) -> Stmt:
    """What became of one sum, if there is such a row and column."""
    accumulator = product.accumulator
    is_zero = product.start == const(0, product.start.dtype)
    summed = value if is_zero else add(product.start, value)
    body = (
        *rows.counters(row),
        *columns.counters(column),
        *product.before,
        replace(accumulator, init=summed),
        *product.rest,
    )
    return If(and_(lt(row, rows.count), lt(column, columns.count)), Block(body))


def stage(
    product: Product,
    one: Side,
    first: Var,
    step: Step,
    names: Names,
    put: Callable[[Expr, Expr, Expr], Stmt],
) -> Stmt:
    """One factor's part of a step, `put(term, place, value)` by threads along the loop that its array is
    read in; 0 outside."""
    e, k, m = (var(names.fresh(n)) for n in ("e", "k", "m"))
    dtype = one.factor.dtype
    if along(one.factor, product.sums[-1].var):
        split = (mod(e, step.depth), div(e, step.depth))
    else:
        split = (div(e, one.tile), mod(e, one.tile))
    at, sums = one.index(names), Side(product.sums, step.count, step.depth, one.factor, "term")
    term = sums.index(names)
    value = var(names.fresh("value"), dtype)
    inside = and_(lt(at, one.count), lt(term, step.count))
    loaded = Block((*one.counters(at), *sums.counters(term), Assign(value, one.factor)))
    body = (
        Decl(k.name, I32, (), init=split[0]),
        Decl(m.name, I32, (), init=split[1]),
        Decl(at.name, at.dtype, (), init=cast(add(first, m), at.dtype)),
        Decl(term.name, step.start.dtype, (), init=add(step.start, cast(k, step.start.dtype))),
        Decl(value.name, dtype, (), init=const(0, dtype)),
        If(inside, loaded),
        put(k, m, value),
    )
    total_ = const(one.tile * step.depth)
    return For(e.name, I32, step.thread, total_, const(THREADS), Block(body))


def _into(tile: str) -> Callable[[Expr, Expr, Expr], Stmt]:
    return lambda k, m, value: Assign(Load(value.dtype, tile, (k, m)), value)


def along(factor: Expr, variable: str) -> bool:
    """Whether an array is read with stride 1 in a variable."""
    loads = [e for e in walk_exprs(factor) if isinstance(e, Load) and len(e.index) == 1]
    return any(_is_one(coefficient(e.index[0], variable)) for e in loads)


def unrolled(counter: Var, count: int, body: Stmt) -> Stmt:
    inner = body if isinstance(body, Block) else Block((body,))
    return For(counter.name, I32, const(0), const(count), const(1), inner, LoopKind.UNROLLED, unroll=count)
