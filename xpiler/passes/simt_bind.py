"""Parallel loops bound to the threads of a grid, an iteration a thread.

    parallel for r in 0..M:                int c = blockIdx.x * 32 + threadIdx.x;
        parallel for c in 0..N: S    -->   if (c >= N) return;
                                           for (r = blockIdx.y * 8 + threadIdx.y; r < M; r += gridDim.y * 8) S

The loop that makes neighbouring threads touch neighbouring elements becomes threadIdx.x. More than two loops,
and short inner ones, are one row-major index. Applies to loops whose bounds do not depend on one another.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from xpiler.ir.affine import linear
from xpiler.ir.build import add, cast, ceil_div, const, ge, is_const, minimum, mul, or_, sub, var
from xpiler.ir.nodes import Block, Const, Decl, Expr, For, If, Return, Stmt, Var, While
from xpiler.ir.rewrite import walk_stmts
from xpiler.ir.types import I32, I64, U32, DType
from xpiler.passes.coalescing import quality, trips
from xpiler.passes.facts import Facts
from xpiler.passes.knobs import Knob
from xpiler.passes.names import Names
from xpiler.passes.simt_team import extent, extents, unravel, value

THREADS = Knob("simt_bind.threads", (64, 128, 256, 512, 1024), 256, "threads of a block")
WIDTH = 32
MOST_Y = 65535
STEP = 256  # threads of a block that takes turns with itself
ONE = const(1)

Grid = tuple[Expr, Expr, Expr]


@dataclass(frozen=True)
class Bound:
    """The body of a kernel and its launch. `thread`: the thread's number in the grid, `threads` of them."""

    body: Block
    grid: Grid
    block: tuple[int, int, int]
    thread: Expr
    threads: Expr


def bind_threads(
    nest: Sequence[For], body: Block, facts: Facts, names: Names, private: frozenset[str], flat: bool
) -> Bound:
    """`flat`: one index whatever the shape, so that each thread has one iteration."""
    ordered = in_order(nest, body, facts, private)
    if len(ordered) == 1 or flat or len(ordered) > 2 or not _is_wide(ordered[1]):
        return _flat(ordered, body, names)
    return _plane(ordered[0], ordered[1], body)


def in_order(nest: Sequence[For], body: Block, facts: Facts, private: frozenset[str]) -> list[For]:
    """The loops with the one for threadIdx.x last."""
    inside = facts
    for loop in nest:
        inside = inside.inside(loop)
    worth = [quality(loop.var, body.body, inside, private) for loop in nest]
    best = max(range(len(nest)), key=lambda n: (worth[n] > 0.01 and round(worth[n], 3), n))
    return [*nest[:best], *nest[best + 1 :], nest[best]]


def _is_wide(loop: For) -> bool:
    length = trips(loop)
    return length is None or length >= WIDTH


def index_type(nest: Sequence[For]) -> DType:
    return I64 if any(loop.dtype.bits == 64 for loop in nest) else I32


def total(nest: Sequence[For], dtype: DType) -> Expr:
    count: Expr = const(1, dtype)
    for one in extents(nest):
        count = mul(count, cast(one, dtype))
    return count


def index_of(axis: str, dtype: DType, thread_axis: str = "") -> Expr:
    """`blockIdx.x * blockDim.x + threadIdx.x` in the type of a loop variable."""
    within = thread_axis or axis
    block: Expr = Var(U32, f"blockIdx.{axis}")
    if dtype.bits == 64:
        block = cast(block, dtype)
    return cast(add(mul(block, Var(U32, f"blockDim.{within}")), Var(U32, f"threadIdx.{within}")), dtype)


def _flat(nest: Sequence[For], body: Block, names: Names) -> Bound:
    dtype = index_type(nest)
    count = total(nest, dtype)
    threads = THREADS.value
    if isinstance(count, Const):
        threads = min(THREADS.value, -(-int(count.value) // WIDTH) * WIDTH) or WIDTH
    grid = (ceil_div(count, const(threads, dtype)), ONE, ONE)
    single = len(nest) == 1 and nest[0].start == const(0, nest[0].dtype) and nest[0].step == const(1, dtype)
    name = nest[0].var if single else names.fresh("index")
    index = var(name, dtype)
    out: list[Stmt] = [Decl(name, dtype, (), init=index_of("x", dtype), range=nest[0].range)]
    if not (isinstance(count, Const) and int(count.value) % threads == 0):
        out.append(If(ge(index, count), Block((Return(),))))
    if not single:
        out += unravel(nest, index)
    every = cast(mul(grid[0], const(threads, dtype)), I64)
    return Bound(Block((*out, *body.body)), grid, (threads, 1, 1), index, every)


def _plane(rows: For, columns: For, body: Block) -> Bound:
    width, height = WIDTH, THREADS.value // WIDTH
    down = trips(rows)
    if down is not None and down < height:
        width, height = THREADS.value // max(1, down), max(1, down)
        width = width // WIDTH * WIDTH
    size_x, size_y = extent(columns), extent(rows)
    grid_y = ceil_div(size_y, height)
    strided = down is None or down > MOST_Y * height
    out: list[Stmt] = [
        Decl(columns.var, columns.dtype, (), init=value(columns, index_of("x", columns.dtype)),
             range=columns.range),
    ]  # fmt: skip
    if strided:
        start = value(rows, index_of("y", rows.dtype))
        step = mul(cast(mul(Var(U32, "gridDim.y"), Var(U32, "blockDim.y")), rows.dtype), rows.step)
        loop = For(rows.var, rows.dtype, start, rows.stop, step, body, range=rows.range)
        inner: tuple[Stmt, ...] = (loop,)
        guard = ge(var(columns.var, columns.dtype), columns.stop)
    else:
        out.append(
            Decl(rows.var, rows.dtype, (), init=value(rows, index_of("y", rows.dtype)),
                 range=rows.range)
        )  # fmt: skip
        inner = body.body
        guard = or_(
            ge(var(rows.var, rows.dtype), rows.stop), ge(var(columns.var, columns.dtype), columns.stop)
        )
    grid = (
        ceil_div(size_x, width),
        minimum(grid_y, MOST_Y) if strided else grid_y,
        ONE,
    )
    out.append(If(guard, Block((Return(),))))
    return Bound(Block((*out, *inner)), grid, (width, height, 1), const(0), const(1, I64))


def is_a_step(loop: For) -> bool:
    """Whether a block does all of a parallel loop in one step of its threads: the lanes of a register."""
    inner = [s for s in walk_stmts(loop.body) if isinstance(s, For | While)]
    form = linear(sub(loop.stop, loop.start))
    count = None if form is None else form.as_int
    return not inner and is_const(loop.step, 1) and count is not None and count <= STEP
