"""Tensor-core instructions become the loops that they mean.

    wmma.mma_sync(&d, &a, &b, &c)   -->   for i: for j: { float t = c[i][j]; for k: t += (float)a[i][k] *
    (float)b[k][j];
                                                          d[i][j] = t; }

Products of half inputs are exact in float; the sum is rounded at each step, where the hardware keeps
more or fewer bits.
In two parts: before loop recovery every instruction notes the shape of its fragments, and what single
threads do with
their elements `x[i]` is placed in the fragment; after it, when instructions stand once a warp, loops
take their place.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from xpiler.errors import Refusal
from xpiler.ir.build import add, cast, const, div, is_const, lt, maximum, minimum, mod, mul, var
from xpiler.ir.nodes import (
    Assign,
    Binary,
    Block,
    Const,
    Decl,
    Expr,
    For,
    If,
    Instr,
    Load,
    LoopKind,
    Ref,
    Space,
    Stmt,
    Var,
)
from xpiler.ir.rewrite import map_expr, map_stmt, walk_stmts
from xpiler.ir.types import F32, I32, I64
from xpiler.passes.names import Names
from xpiler.passes.teams import Launch

Wrap = Callable[..., tuple[Stmt, ...]]


def with_shapes(body: Block, launch: Launch) -> Block:
    """Shapes noted on the instructions, and element accesses of threads turned into accesses to the
    fragment."""
    fragments = {s.name: s for s in walk_stmts(body) if isinstance(s, Decl) and s.space is Space.FRAGMENT}
    if not fragments:
        return body
    lane = mod(launch.flat_thread(), launch.warp)

    def annotate(stmt: Stmt) -> Stmt | tuple[Stmt, ...]:
        match stmt:
            case Instr(operands=operands, attributes=attributes) if (
                not attributes or attributes[-1][0][:5] != "shape"
            ):
                noted = tuple(
                    (f"shape{n}", " ".join(str(e) for e in _tile(fragments[o.array])))
                    for n, o in enumerate(operands)
                    if isinstance(o, Ref) and o.array in fragments
                )
                return replace(stmt, attributes=(*attributes, *noted))
            case Assign(target=Load(array=array, index=index)) if array in fragments:
                decl = fragments[array]
                if len(index) == len(decl.shape) - 1:
                    # A fragment that is held twice (half matrix_a and matrix_b) is changed once.
                    return _once(stmt, index[-1], _count(decl, launch.warp))
        return stmt

    def element(expr: Expr) -> Expr:
        if isinstance(expr, Load) and expr.array in fragments:
            decl = fragments[expr.array]
            if len(expr.index) == len(decl.shape) - 1:
                count, columns = _count(decl, launch.warp), _tile(decl)[1]
                flat = add(mul(lane, count), mod(cast(expr.index[-1], I32), count))
                return replace(expr, index=(*expr.index[:-1], div(flat, columns), mod(flat, columns)))
        return expr

    def place(target: Var | Load) -> Var | Load:
        new = element(target)
        assert isinstance(new, (Var, Load))
        return new

    annotated = map_stmt(body, annotate)
    result = map_expr(annotated, element, place)
    assert isinstance(result, Block)
    return result


def _tile(decl: Decl) -> tuple[int, int]:
    rows, columns = decl.shape[-2:]
    assert isinstance(rows, Const) and isinstance(columns, Const)
    return int(rows.value), int(columns.value)


def _count(decl: Decl, lanes: int) -> int:
    """Elements of a tile that one lane holds."""
    rows, columns = _tile(decl)
    return max(1, rows * columns // lanes)


def _once(stmt: Stmt, position: Expr, count: int) -> Stmt:
    if isinstance(position, Const) and int(position.value) < count:
        return stmt
    return If(lt(cast(position, I32), count), Block((stmt,)))


# ------------------------------------------------------------------------------------------ loops


def detensorize(body: Block, names: Names) -> Block:
    """Every wmma instruction as loops; fragments are plain arrays then."""
    shapes = {s.name: s.shape for s in walk_stmts(body) if isinstance(s, Decl)}

    def change(stmt: Stmt) -> Stmt | tuple[Stmt, ...]:
        match stmt:
            case Instr():
                return _Tensor(names, shapes, stmt).loops()
            case Decl(space=Space.FRAGMENT):
                return replace(stmt, space=Space.LOCAL)
        return stmt

    result = map_stmt(body, change)
    assert isinstance(result, Block)
    return result


class _Tensor:
    def __init__(self, names: Names, shapes: dict[str, tuple[Expr, ...]], instr: Instr) -> None:
        self.names, self.shapes, self.instr = names, shapes, instr
        self.attributes = dict(instr.attributes)

    def loops(self) -> tuple[Stmt, ...]:
        operation = self.instr.name.removeprefix("wmma.").removesuffix("_sync")
        match operation:
            case "fill_fragment" | "fill":
                fragment, value = self.instr.operands[:2]
                i, j, wrap = self._nest(0)
                return wrap(Assign(self._element(fragment, 0, i, j), cast(value, fragment.dtype)))
            case "load_matrix":
                i, j, wrap = self._nest(0)
                fragment, memory, pitch = self.instr.operands
                loaded = self._memory(memory, pitch, i, j)
                return wrap(Assign(self._element(fragment, 0, i, j), cast(loaded, fragment.dtype)))
            case "store_matrix":
                i, j, wrap = self._nest(1)
                memory, fragment, pitch = self.instr.operands
                stored = cast(self._element(fragment, 1, i, j), memory.dtype)
                return wrap(Assign(self._memory(memory, pitch, i, j), stored))
            case "mma":
                return self._multiply()
        raise Refusal(
            "unsupported-instruction", f"`{self.instr.name}` has no meaning here yet", self.instr.range
        )

    def _shape(self, operand: int) -> tuple[int, int]:
        rows, columns = self.attributes[f"shape{operand}"].split()
        return int(rows), int(columns)

    def _nest(self, operand: int) -> tuple[Var, Var, Wrap]:
        rows, columns = self._shape(operand)
        i, j = var(self.names.fresh("tile_i"), I32), var(self.names.fresh("tile_j"), I32)

        def wrap(*stmts: Stmt) -> tuple[Stmt, ...]:
            return (_elements(i, rows, _elements(j, columns, *stmts)),)

        return i, j, wrap

    def _element(self, ref: Expr, operand: int, i: Expr, j: Expr) -> Load:
        assert isinstance(ref, Ref)
        rows, columns = self._shape(operand)
        if self.shapes.get(ref.array) == (const(rows), const(columns)) and is_const(ref.offset, 0):
            return Load(ref.dtype, ref.array, (i, j))
        return Load(ref.dtype, ref.array, (add(ref.offset, add(mul(i, columns), j)),))

    def _memory(self, ref: Expr, pitch: Expr, i: Expr, j: Expr) -> Load:
        assert isinstance(ref, Ref)
        column_major = self.attributes.get("layout", "row_major").endswith("col_major")
        slow, fast = (j, i) if column_major else (i, j)
        pitch = pitch if pitch.dtype == I32 else cast(pitch, I64)
        return Load(ref.dtype, ref.array, (add(ref.offset, add(mul(slow, pitch), fast)),))

    def _multiply(self) -> tuple[Stmt, ...]:
        d, a, b, c = self.instr.operands
        (rows, depth), columns = self._shape(1), self._shape(2)[1]
        i, j, k = (var(self.names.fresh(f"tile_{x}"), I32) for x in "ijk")
        dtype = d.dtype if d.dtype.bits >= 32 else F32
        left, right = self._element(a, 1, i, k), self._element(b, 2, k, j)
        product = Binary(dtype, "*", cast(left, dtype), cast(right, dtype))
        target, start = self._element(d, 0, i, j), self._element(c, 3, i, j)
        if self.attributes.get("satf") == "true":
            return self._saturating(i, j, k, target, start, product)
        if d == c and d.dtype == dtype:
            return (_elements(i, rows, _elements(j, columns, _loop(k, depth, Assign(target, product, "+")))),)
        total = var(self.names.fresh("tile_sum"), dtype)
        inner = (
            Decl(total.name, dtype, init=cast(start, dtype)),
            _loop(k, depth, Assign(total, product, "+")),
            Assign(target, cast(total, d.dtype)),
        )
        return (_elements(i, rows, _elements(j, columns, *inner)),)

    def _saturating(
        self, i: Var, j: Var, k: Var, target: Load, start: Load, product: Binary
    ) -> tuple[Stmt, ...]:
        (rows, depth), columns = self._shape(1), self._shape(2)[1]
        total = var(self.names.fresh("tile_sum"), I64)
        wide = Binary(I64, "*", _wide(product.left), _wide(product.right))
        clamped = minimum(maximum(total, const(-(2**31), I64)), const(2**31 - 1, I64))
        inner = (
            Decl(total.name, I64, init=cast(start, I64)),
            _loop(k, depth, Assign(total, wide, "+")),
            Assign(target, cast(clamped, target.dtype)),
        )
        return (_elements(i, rows, _elements(j, columns, *inner)),)


def _wide(expr: Expr) -> Expr:
    return cast(expr, I64)


def _elements(counter: Var, extent: int, *body: Stmt) -> For:
    """Over the elements of a tile: the threads of a warp have them, in no order."""
    return replace(_loop(counter, extent, *body), kind=LoopKind.THREADS)


def _loop(counter: Var, extent: int, *body: Stmt) -> For:
    return For(counter.name, I32, const(0), const(extent), const(1), Block(body))
