"""A product of rows by columns on tensor cores: 16-bit factors with float sums, bytes with int sums.

    block: 64 x 64 sums, 8 warps with 16 x 32 each
    for k0 in 0..K step 32:
        x_tile, y_tile = the factors, in slices 16 wide, 0 outside
        acc += x_tile[16 x 16] * y_tile[16 x 16]      wmma.mma_sync
    sums through shared memory to where the sum went

Products of such factors are exact in the type of the sum, so only the order of additions changes. There are
no fragments of unsigned by signed bytes: 128 is taken off the unsigned ones, and 128 times the sum of the
others is added at the end, which is exact too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from xpiler.ir.build import add, binary, cast, const, div, lt, mod, mul, select, var
from xpiler.ir.nodes import (
    Assign,
    Barrier,
    Block,
    Cast,
    Const,
    Decl,
    Expr,
    For,
    If,
    Instr,
    Load,
    Ref,
    Select,
    Space,
    Stmt,
    Var,
)
from xpiler.ir.types import BF16, F16, F32, I8, I32, U8, U32, DType
from xpiler.passes.names import Names
from xpiler.passes.product_tiles import (
    THREADS,
    Side,
    Step,
    Tiled,
    finish,
    grid_of,
    oriented,
    places,
    sides,
    stage,
    unrolled,
)
from xpiler.passes.products import Product
from xpiler.passes.simt_bind import index_type, total

TILE = 64
DEPTH = 32
EDGE = 16  # of a fragment
WARPS_ACROSS = 2
FRAGMENTS = TILE // WARPS_ACROSS // EDGE  # of a warp, side by side
_SUMS = {F16: F32, BF16: F32, I8: I32, U8: I32}


def on_tensor_cores(product: Product, names: Names, thread: Var, warp: Var) -> Tiled | None:
    """None where the types have no fragments or a block would be mostly padding."""
    product = oriented(product)
    x, y = narrow(product.x), narrow(product.y)
    if x is None or y is None:
        return None
    types = {x.dtype, y.dtype}
    sum_type = product.accumulator.dtype
    if any(_SUMS.get(t) != sum_type for t in types) or not (len(types) == 1 or types == {I8, U8}):
        return None
    rows, columns = sides(replace(product, x=x, y=y))
    if rows.tile < TILE or columns.tile < TILE:
        return None
    kernel = _Kernel(product, rows, columns, names, thread, warp)
    return Tiled(kernel.body(), grid_of(product, rows, columns), (THREADS, 1, 1))


def narrow(factor: Expr) -> Expr | None:
    """The factor before it was converted to the type of the sum."""
    match factor:
        case Cast(operand=operand) if operand.dtype in _SUMS:
            return operand
        case Cast(operand=Cast() as inner) if inner.dtype.is_integer and factor.dtype.is_integer:
            return narrow(inner)
        case Cast(operand=Select() as inner) if inner.dtype.is_integer == factor.dtype.is_integer:
            return narrow(inner)
        case Select(condition=condition, then=then, otherwise=Const(value=0)):
            inside = narrow(then)
            return None if inside is None else select(condition, inside, const(0, inside.dtype))
    return factor if factor.dtype in _SUMS else None


@dataclass
class _Kernel:
    product: Product
    rows: Side
    columns: Side
    names: Names
    thread: Var
    warp: Var

    def body(self) -> Block:
        product, names = self.product, self.names
        self.dtype = product.accumulator.dtype
        types = {self.rows.factor.dtype, self.columns.factor.dtype}
        self.mixed = len(types) == 2
        self.element = I8 if self.mixed else types.pop()
        out: list[Stmt] = [
            Decl(self.thread.name, I32, (), init=cast(Var(U32, "threadIdx.x"), I32)),
            Decl(self.warp.name, I32, (), init=div(self.thread, 32)),
        ]
        declared, self.first_row, self.first_column = places(product, self.rows, self.columns, names)
        x_tile, y_tile, self.sums = names.fresh("x_tile"), names.fresh("y_tile"), names.fresh("sums")
        self.x, self.y, self.acc = names.fresh("x"), names.fresh("y"), names.fresh("acc")
        slices, element = DEPTH // EDGE, self.element
        out += [
            *declared,
            Decl(x_tile, element, (const(slices), const(TILE), const(EDGE)), Space.SHARED, alignment=32),
            Decl(
                y_tile, element, (const(TILE // EDGE), const(DEPTH), const(EDGE)), Space.SHARED, alignment=32
            ),
            Decl(self.sums, self.dtype, (const(TILE), const(TILE)), Space.SHARED, alignment=32),
            _fragment(self.x, element, "matrix_a"),
            _fragment(self.y, element, "matrix_b"),
            _fragment(self.acc, self.dtype, "accumulator", FRAGMENTS),
        ]
        out += [
            Instr("wmma.fill_fragment", (Ref(self.dtype, self.acc, const(n)), const(0, self.dtype)))
            for n in range(FRAGMENTS)
        ]
        k0 = var(names.fresh("k0"), index_type(product.sums))
        count = total(product.sums, k0.dtype)
        part = Step(k0, count, DEPTH, self.thread)
        others = self.other_sums(x_tile, y_tile)
        out += others[:1]
        step = (
            stage(product, self.rows, self.first_row, part, names, self.into_x(x_tile)),
            stage(product, self.columns, self.first_column, part, names, self.into_y(y_tile)),
            Barrier(),
            *others[1:2],
            self.multiply(x_tile, y_tile),
            Barrier(),
        )
        out.append(
            For(k0.name, k0.dtype, const(0, k0.dtype), count, const(DEPTH, k0.dtype), Block(tuple(step)))
        )
        out += self.stored()
        out += others[2:]
        out += [Barrier(), self.results()]
        return Block(tuple(out))

    def into_x(self, tile: str) -> Callable[[Expr, Expr, Expr], Stmt]:
        def put(k: Expr, m: Expr, value: Expr) -> Stmt:
            place = Load(self.element, tile, (div(k, EDGE), m, mod(k, EDGE)))
            return Assign(place, self.signed(value))

        return put

    def into_y(self, tile: str) -> Callable[[Expr, Expr, Expr], Stmt]:
        def put(k: Expr, m: Expr, value: Expr) -> Stmt:
            place = Load(self.element, tile, (div(m, EDGE), k, mod(m, EDGE)))
            return Assign(place, self.signed(value))

        return put

    def signed(self, value: Expr) -> Expr:
        if self.mixed and value.dtype == U8:
            return cast(binary("-", cast(value, I32), const(128)), I8)
        return value

    def multiply(self, x_tile: str, y_tile: str) -> Stmt:
        """The slices of a step, one after the other."""
        names, element = self.names, self.element
        s = var(names.fresh("s"))
        row = mul(div(self.warp, WARPS_ACROSS), EDGE)
        x_at = mul(add(mul(s, TILE), row), EDGE)
        body: list[Stmt] = [_load(self.x, element, "matrix_a", x_tile, x_at)]
        for n in range(FRAGMENTS):
            slice_ = add(mul(mod(self.warp, WARPS_ACROSS), FRAGMENTS), n)
            y_at = mul(add(mul(slice_, DEPTH), mul(s, EDGE)), EDGE)
            acc = Ref(self.dtype, self.acc, const(n))
            body.append(_load(self.y, element, "matrix_b", y_tile, y_at))
            operands = (acc, Ref(element, self.x, const(0)), Ref(element, self.y, const(0)), acc)
            layouts = (("a_layout", "row_major"), ("b_layout", "row_major"))
            body.append(Instr("wmma.mma_sync", operands, layouts))
        return unrolled(s, DEPTH // EDGE, Block(tuple(body)))

    def stored(self) -> list[Stmt]:
        row = mul(div(self.warp, WARPS_ACROSS), EDGE)
        out: list[Stmt] = []
        for n in range(FRAGMENTS):
            column = add(mul(mod(self.warp, WARPS_ACROSS), FRAGMENTS * EDGE), n * EDGE)
            place = Ref(self.dtype, self.sums, add(mul(row, TILE), column))
            layout = (("layout", "mem_row_major"),)
            acc = Ref(self.dtype, self.acc, const(n))
            out.append(Instr("wmma.store_matrix_sync", (place, acc, const(TILE)), layout))
        return out

    def other_sums(self, x_tile: str, y_tile: str) -> list[Stmt]:
        """What 128 is multiplied by, a row or column a thread: declared, added up, stored."""
        if not self.mixed:
            return []
        names = self.names
        k, t = var(names.fresh("k")), self.thread
        self.offset = var(names.fresh("offset"))
        self.offsets = names.fresh("offsets")
        if self.rows.factor.dtype == U8:
            element = Load(I8, y_tile, (div(t, EDGE), k, mod(t, EDGE)))
        else:
            element = Load(I8, x_tile, (div(k, EDGE), t, mod(k, EDGE)))
        added = Assign(self.offset, cast(element, I32), "+")
        return [
            Decl(self.offset.name, I32, (), init=const(0)),
            If(lt(t, TILE), Block((unrolled(k, DEPTH, added),))),
            Decl(self.offsets, I32, (const(TILE),), Space.SHARED),
            If(lt(t, TILE), Block((Assign(Load(I32, self.offsets, (t,)), mul(self.offset, 128)),))),
        ]

    def results(self) -> Stmt:
        names = self.names
        e, i, j = (var(names.fresh(n)) for n in ("e", "i", "j"))
        row, column = self.rows.index(names), self.columns.index(names)
        value: Expr = Load(self.dtype, self.sums, (i, j))
        if self.mixed:
            value = add(value, Load(I32, self.offsets, (j if self.rows.factor.dtype == U8 else i,)))
        body = (
            Decl(i.name, I32, (), init=div(e, TILE)),
            Decl(j.name, I32, (), init=mod(e, TILE)),
            Decl(row.name, row.dtype, (), init=cast(add(self.first_row, i), row.dtype)),
            Decl(column.name, column.dtype, (), init=cast(add(self.first_column, j), column.dtype)),
            finish(self.product, self.rows, self.columns, row, column, value),
        )
        return For(e.name, I32, self.thread, const(TILE * TILE), const(THREADS), Block(body))


def _shared(name: str, dtype: DType, *shape: int) -> Decl:
    return Decl(name, dtype, tuple(const(n) for n in shape), Space.SHARED, alignment=32)


def _fragment(name: str, dtype: DType, use: str, count: int = 1) -> Instr:
    """The declaration of a fragment, or of several."""
    return Instr("wmma.fragment", (Ref(dtype, name, const(0)),), (("use", use), ("count", str(count))))


def _load(fragment: str, dtype: DType, use: str, tile: str, at: Expr) -> Instr:
    operands = (Ref(dtype, fragment, const(0)), Ref(dtype, tile, at), const(EDGE))
    return Instr("wmma.load_matrix_sync", operands, (("layout", "row_major"), ("use", use)))
