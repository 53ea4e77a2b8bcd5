"""Sums of products over two independent loops become matrix products of tiles, with the weights in WRAM.

    for m, n:  acc = 0                            for m0, n0 by tiles:  sums = 0
      for k: acc += L[m, k] * R[k, n]      -->      for k0 by tiles: left, right into NRAM, right into WRAM
      C[m, n] = f(acc)                                part = left x right;  sums += part
                                                    C[m0.., n0..] = f(sums)

What is matched is the meaning of `__bang_matmul`, dst[m, n] = sum over k of src0[m, k] * src1[n, k], and
nothing of names: any two factors of which one does not move with n and the other not with m. Outer loops of
a reduction stay around the product. The right factor is brought into the order of WRAM: columns first,
padded to 64 lanes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from xpiler.ir.affine import coefficient, prove_le, simplify, to_expr
from xpiler.ir.build import add, cast, const, div, is_const, lt, minimum, mul, or_, sub
from xpiler.ir.nodes import (
    Assign,
    Binary,
    Block,
    Call,
    Cast,
    Const,
    Decl,
    Expr,
    For,
    Function,
    If,
    Instr,
    Load,
    LoopKind,
    Ref,
    Select,
    Space,
    Stmt,
    Var,
)
from xpiler.ir.rewrite import (
    arrays_read,
    arrays_written,
    assigned_vars,
    free_vars,
    map_body,
    substitute,
    walk,
)
from xpiler.ir.types import F16, F32, I32, DType
from xpiler.passes.composite_sums import as_one_loop
from xpiler.passes.gathered_factors import Tile, by_pieces, by_rows, fill
from xpiler.passes.names import Names
from xpiler.platforms.bang import WEIGHT_BYTES, WEIGHT_LANES, Architecture

INDEPENDENT = (LoopKind.PARALLEL, LoopKind.THREADS, LoopKind.VECTOR)


@dataclass(frozen=True)
class Nest:
    """`rows` and `columns` around `acc = start; loops...: if (guards) acc += left * right; rest`. `piece`: of
    the sum's steps, how many follow each other where a factor is not in one piece."""

    rows: For
    columns: For
    before: tuple[Decl, ...]  # between the two
    accumulator: Decl
    loops: tuple[For, ...]
    left: Load
    right: Load
    rest: tuple[Stmt, ...]
    guards: tuple[Expr, ...] = ()
    piece: Expr | None = None


@dataclass(frozen=True)
class Contracted:
    """`reserved`: bytes of NRAM that the tiles take."""

    function: Function
    reserved: int


def contract(function: Function, architecture: Architecture, taken: int = 0) -> Contracted:
    """The first such nest of the function as products of tiles; unchanged if there is none. `taken`: bytes of
    NRAM that are in use otherwise."""
    names = Names(function)
    memory = {p.name: p.dtype for p in function.params if p.is_pointer}
    found: list[_Product] = []

    def change(stmt: Stmt) -> Stmt | tuple[Stmt, ...]:
        if found or not isinstance(stmt, For):
            return stmt
        nest = match(stmt, names)
        if nest is None or any(memory.get(f.array) != f.dtype for f in (nest.left, nest.right)):
            return stmt
        product = _Product(nest, names, architecture, memory, taken)
        result = product.loops()
        if result is None:
            return stmt
        found.append(product)
        return result

    changed = map_body(function, change)
    if not found:
        return Contracted(function, 0)
    body = Block((*found[0].declarations(), *changed.body.body), range=changed.body.range)
    return Contracted(replace(changed, body=body), found[0].bytes)


# ---------------------------------------------------------------------------------------------- recognition


def match(rows: For, names: Names | None = None) -> Nest | None:
    """The nest whose outer loop this is."""
    *before, columns = rows.body.body or (rows,)
    if not isinstance(columns, For) or not _independent(rows) or not _independent(columns):
        return None
    if not all(isinstance(d, Decl) and d.shape == () and isinstance(d.init, Expr) for d in before):
        return None
    own = {d.name for d in before if isinstance(d, Decl)} | {rows.var}
    if (free_vars(columns.start) | free_vars(_widest(columns, rows))) & own:
        return None
    values = {d.name: d.init for d in before if isinstance(d, Decl) and isinstance(d.init, Expr)}
    if any(d.dtype.is_float for d in before if isinstance(d, Decl)):
        return None
    for name in list(values):
        values[name] = substitute(values[name], values)
    body = substitute(columns.body, values).body
    body = _with_scalar(without_values(Block(body)).body, {rows.var, columns.var})
    if len(body) < 2:
        return None
    start, reduction, rest = body[0], body[1], body[2:]
    if not isinstance(start, Decl) or not isinstance(reduction, For):
        return None
    if start.dtype != F32 or not isinstance(start.init, Expr):
        return None
    loops, guards, innermost = _loops(reduction)
    innermost = _with_guards(innermost, guards)
    factors = _factors(innermost, start.name)
    if factors is None or any(not is_const(each.step, 1) for each in loops):
        return None
    bounds = frozenset().union(*(free_vars(each.start) | free_vars(each.stop) for each in loops))
    if bounds & {rows.var, columns.var, *(each.var for each in loops)}:
        return None
    piece = None
    if len(loops) > 1 or guards:
        if any(isinstance(n, Load) for guard in guards for n in walk(guard)):
            return None
        whole = as_one_loop(loops, *factors, guards, names)
        if whole is None and guards:
            return None
        if whole is not None:
            inner_guard = any(loops[-1].var in free_vars(g) for g in guards)
            loops, factors, guards = [whole.loop], (whole.left, whole.right), list(whole.guards)
            piece = None if inner_guard else whole.piece
    for left, right in (factors, factors[::-1]):
        moves_left, moves_right = free_vars(left), free_vars(right)
        if (
            rows.var in moves_left
            and columns.var not in moves_left
            and columns.var in moves_right
            and rows.var not in moves_right
        ):
            return Nest(
                rows, columns, (), start, tuple(loops), left, right, tuple(rest), tuple(guards), piece
            )
    return None


def _loops(reduction: For) -> tuple[list[For], list[Expr], Block]:
    """The loops of a sum, the conditions between them, and what is inside."""
    loops, guards, body = [reduction], list[Expr](), without_values(reduction.body)
    while len(body.body) == 1:
        match body.body[0]:
            case For() as inner:
                loops.append(inner)
                body = without_values(inner.body)
            case If(condition=condition, then=then, otherwise=Block(body=())):
                guards.append(condition)
                body = without_values(then)
            case _:
                break
    return loops, guards, body


def without_values(body: Block) -> Block:
    """The body with what it computes first put in where it is used: integers, and what is used once."""
    while body.body:
        match body.body[0]:
            case Decl(name=name, shape=(), init=Expr() as init, dtype=dtype) if (
                name not in assigned_vars(rest := Block(body.body[1:]))
                and (dtype.is_integer or sum(n == Var(dtype, name) for n in walk(rest)) == 1)
                and not (set(arrays_read(init)) & set(arrays_written(rest)))
            ):
                body = substitute(rest, {name: init})
            case _:
                break
    return body


def _with_guards(body: Block, guards: list[Expr]) -> Block:
    """`acc += (guard ? x : 0) * y` as `if (guard) acc += x * y`: what is inside, the guards are collected."""
    match body.body:
        case (Assign(value=Binary(op="*", left=left, right=right) as product, reduce="+") as step,):
            sides: list[Expr] = []
            for side in (left, right):
                while isinstance(side, Select) and is_const(side.otherwise, 0):
                    guards.append(side.condition)
                    side = side.then
                sides.append(side)
            return Block((replace(step, value=replace(product, left=sides[0], right=sides[1])),))
    return body


def _with_scalar(body: tuple[Stmt, ...], places: set[str]) -> tuple[Stmt, ...]:
    """`for k: t[m, n] += a * b` as a sum of its own that is added to the element at the end."""
    if len(body) != 1 or not isinstance(body[0], For):
        return body
    loops = [body[0]]
    while len(loops[-1].body.body) == 1:
        inner = loops[-1].body.body[0]
        if not isinstance(inner, For):
            break
        loops.append(inner)
    match loops[-1].body.body:
        case (Assign(target=Load() as target, value=value, reduce="+"),) if target.dtype == F32:
            inside = {each.var for each in loops}
            moving = {name for index in target.index for name in free_vars(index)}
            if moving & inside or not places <= moving or target.array in arrays_read(value):
                return body
            total = Var(F32, f"{target.array}_product")
            nest: Stmt = Assign(total, value, "+")
            for each in reversed(loops):
                nest = replace(each, body=Block((nest,)))
            return Decl(total.name, F32, init=const(0.0, F32)), nest, Assign(target, total, "+")
    return body


def _widest(columns: For, rows: For) -> Expr:
    """The end of the columns in the first row, if later rows have no more of them."""
    match columns.stop:
        case Call(function="min", args=ends) if all(_shrinks(e, rows.var) for e in ends):
            return simplify(substitute(columns.stop, {rows.var: const(0, rows.dtype)}))
    return columns.stop


def _shrinks(end: Expr, row: str) -> bool:
    step = coefficient(end, row)
    return step is not None and prove_le(step, 0)


def _independent(loop: For) -> bool:
    return loop.kind in INDEPENDENT and is_const(loop.step, 1)


def _factors(body: Block, accumulator: str) -> tuple[Load, Load] | None:
    """The two loads of `acc += a * b`, halves among them."""
    match body.body:
        case (Assign(target=Var(name=name), value=Binary(op="*", left=x, right=y), reduce="+"),) if (
            name == accumulator
        ):
            a, b = _element(x), _element(y)
            if a is not None and b is not None and a.dtype == b.dtype:
                return a, b
    return None


def _element(expr: Expr) -> Load | None:
    inner = expr.operand if isinstance(expr, Cast) and expr.operand.dtype == F16 else expr
    if isinstance(inner, Load) and len(inner.index) == 1 and inner.dtype in (F32, F16):
        return inner
    return None


# ---------------------------------------------------------------------------------------------- tiles


class _Product:
    """One nest on its way into tiles of at most `side` rows, columns and depth."""

    def __init__(
        self, nest: Nest, names: Names, architecture: Architecture, memory: Mapping[str, DType], taken: int
    ) -> None:
        self.nest, self.names, self.memory = nest, names, memory
        self.guarded = nest.right
        self.dtype = nest.left.dtype
        self.stop = _widest(nest.columns, nest.rows)
        self.depth_unit = WEIGHT_BYTES // self.dtype.bytes
        element = self.dtype.bytes
        # left, right as it comes, right by columns, right by lanes; part and sums
        per_element = 4 * element + 2 * F32.bytes
        plain = self.plain_store()
        room = architecture.usable_nram - taken
        capacity = room if plain else room * 3 // 4
        side = math.isqrt(capacity // per_element) // WEIGHT_LANES * WEIGHT_LANES
        self.side = min(side, math.isqrt(architecture.wram // element) // WEIGHT_LANES * WEIGHT_LANES)
        self.bytes = per_element * self.side**2
        self.side_var = Var(I32, names.fresh("side"))
        left, right = nest.left.array, nest.right.array
        self.left = names.fresh(f"{left}_nram")
        self.right = names.fresh(f"{right}_nram")
        self.by_column = names.fresh(f"{right}_columns")
        self.by_lane = names.fresh(f"{right}_lanes")
        self.weights = names.fresh(f"{right}_wram")
        self.part = names.fresh("part_nram")
        self.sums = names.fresh(f"{nest.accumulator.name}_nram")

    def declarations(self) -> list[Stmt]:
        area = (self.side_var, self.side_var)
        out: list[Stmt] = [Decl(self.side_var.name, I32, init=const(self.side))]
        for name in (self.left, self.right, self.by_column, self.by_lane):
            out.append(Decl(name, self.dtype, area, Space.NRAM))
        out += [Decl(name, F32, area, Space.NRAM) for name in (self.part, self.sums)]
        out.append(Decl(self.weights, self.dtype, area, Space.WRAM))
        return out

    def plain_store(self) -> Assign | None:
        """`C[..] = acc` if that is all that is left to do."""
        if self.stop != self.nest.columns.stop or self.nest.accumulator.init != const(0.0, F32):
            return None
        match self.nest.rest:
            case (Assign(target=Load(index=(index,)) as target, value=Var(name=name), reduce=None) as store,):
                near = coefficient(index, self.nest.columns.var)
                if (
                    name == self.nest.accumulator.name
                    and target.dtype == F32
                    and self.memory.get(target.array) == F32
                    and near is not None
                    and near.as_int == 1
                    and coefficient(index, self.nest.rows.var) is not None
                ):
                    return store
        return None

    # ---------------------------------------------------------------------------------- the loops

    def loops(self) -> tuple[Stmt, ...] | None:
        nest, fresh = self.nest, self.names.fresh
        m, n, k = nest.rows, nest.columns, nest.loops[-1]
        row, column, inner = (Var(each.dtype, fresh(f"{each.var}_tile")) for each in (m, n, k))
        rows, columns, depth = (Var(I32, fresh(name)) for name in ("rows", "columns", "depth"))
        wide, deep = Var(I32, fresh("columns_padded")), Var(I32, fresh("depth_padded"))
        self.guarded = nest.left if self.has_guards(nest.left, m.var) else nest.right
        left = self.bring(nest.left, m.var, row, rows, k.var, inner, depth, deep, self.left, None)
        right = self.bring(
            nest.right, n.var, column, columns, k.var, inner, depth, deep, self.by_column, wide
        )
        if left is None or right is None:
            return None
        area = mul(rows, wide)
        padding = (
            fill(self.left, self.dtype, mul(rows, deep)),
            fill(self.right, self.dtype, mul(wide, deep)),
            fill(self.by_column, self.dtype, mul(wide, deep)),
        )
        product: list[Stmt] = [
            _length(depth, inner, k.stop, self.side_var),
            Decl(deep.name, I32, init=_rounded(depth, self.depth_unit)),
            If(or_(lt(depth, deep), lt(columns, wide)), Block(padding)),
            *left,
            *right,
            Instr(
                "__bang_reshape_filter",
                (self.ref(self.by_lane), self.ref(self.by_column), wide, const(1), const(1), deep),
            ),
            Instr(
                "__memcpy",
                (self.ref(self.weights), self.ref(self.by_lane), mul(wide, deep)),
                (("direction", "NRAM2WRAM"),),
            ),
            Instr(
                "__bang_matmul",
                (_ref(self.part, F32), self.ref(self.left), self.ref(self.weights), rows, deep, wide),
            ),
            Instr("__bang_add", (_ref(self.sums, F32), _ref(self.sums, F32), _ref(self.part, F32), area)),
        ]
        step = self.side_var
        body: Stmt = For(inner.name, k.dtype, k.start, k.stop, cast(step, k.dtype), Block(tuple(product)))
        for outer in reversed(nest.loops[:-1]):
            body = replace(outer, body=Block((body,)), kind=LoopKind.SERIAL)
        last = self.stop
        ends: tuple[Stmt, ...] = ()
        if not isinstance(last, (Var, Const)):
            last = Var(n.dtype, fresh(f"{n.var}_end"))
            ends = (Decl(last.name, n.dtype, init=cast(self.stop, n.dtype)),)
        end = self.epilogue(row, rows, column, columns, wide)
        within = Block(
            (
                _length(columns, column, last, step),
                Decl(wide.name, I32, init=_rounded(columns, WEIGHT_LANES)),
                fill(self.sums, F32, area),
                body,
                *end,
            )
        )
        across = For(column.name, n.dtype, n.start, last, cast(step, n.dtype), within)
        tiles = Block((_length(rows, row, m.stop, step), across))
        return (*ends, For(row.name, m.dtype, m.start, m.stop, cast(step, m.dtype), tiles))

    def has_guards(self, load: Load, var: str) -> bool:
        """Whether the guards are about this factor: about its rows, or about nothing of the other's."""
        moving = frozenset().union(*map(free_vars, self.nest.guards))
        if moving & {self.nest.rows.var, self.nest.columns.var}:
            return var in moving
        along = coefficient(load.index[0], self.nest.loops[-1].var)
        return along is None or self.nest.loops[-1].var in along.variables()

    def ref(self, name: str) -> Ref:
        return _ref(name, self.dtype)

    def bring(
        self,
        load: Load,
        var: str,
        first: Var,
        count: Var,
        k: str,
        inner: Var,
        depth: Var,
        deep: Var,
        to: str,
        padded: Var | None,
    ) -> tuple[Stmt, ...] | None:
        """A factor's tile as [count][deep]: by one copy, a copy and a transposition, or row by row."""
        index = load.index[0]
        along, across = coefficient(index, k), coefficient(index, var)
        guards = [g for g in self.nest.guards if self.guarded is load]
        if guards or along is None or k in along.variables():
            tile = Tile(load, var, first, count, k, inner, depth, deep, to, self.right)
            found = by_rows(tile, padded or count, guards, self.names)
            near = across is not None and across.as_int == 1
            if self.nest.piece is not None and not near:
                found = by_pieces(tile, self.nest.piece, guards, self.names) or found
            return tuple(found) if found is not None else None
        base = substitute(index, {var: first, k: inner})
        if along is not None and along.as_int == 1 and across is not None and k not in across.variables():
            return (
                _copy(
                    self.ref(to), Ref(load.dtype, load.array, base), depth, deep, to_expr(across, I32), count
                ),
            )
        if across is not None and across.as_int == 1 and along is not None and padded is not None:
            if var in along.variables() or k in along.variables():
                return None
            source = Ref(load.dtype, load.array, base)
            copied = _copy(self.ref(self.right), source, count, padded, to_expr(along, I32), depth)
            turned = Instr("__bang_transpose", (self.ref(to), self.ref(self.right), deep, padded))
            return copied, turned
        if along is not None and along.as_int == 1:
            i = Var(I32, self.names.fresh("i"))
            place = substitute(index, {var: add(first, cast(i, first.dtype)), k: inner})
            dst = Ref(load.dtype, to, mul(i, deep))
            one = Instr(
                "__memcpy", (dst, Ref(load.dtype, load.array, place), depth), (("direction", "GDRAM2NRAM"),)
            )
            return (For(i.name, I32, const(0), count, const(1), Block((one,))),)
        return None

    def epilogue(self, row: Var, rows: Var, column: Var, columns: Var, wide: Var) -> tuple[Stmt, ...]:
        nest = self.nest
        store = self.plain_store()
        if store is not None:
            assert isinstance(store.target, Load)
            index = store.target.index[0]
            stride = coefficient(index, nest.rows.var)
            assert stride is not None
            base = substitute(index, {nest.rows.var: row, nest.columns.var: column})
            operands = (
                Ref(F32, store.target.array, base),
                _ref(self.sums, F32),
                columns,
                to_expr(stride, I32),
                wide,
                sub(rows, 1),
            )
            return (Instr("__memcpy", operands, (("direction", "NRAM2GDRAM"),)),)
        m, n = Var(nest.rows.dtype, nest.rows.var), Var(nest.columns.dtype, nest.columns.var)
        at = add(mul(cast(sub(m, row), I32), wide), cast(sub(n, column), I32))
        assert isinstance(nest.accumulator.init, Expr)
        collected: Expr = Load(F32, self.sums, (at,))
        if nest.accumulator.init != const(0.0, F32):
            collected = add(nest.accumulator.init, collected)
        total = Decl(nest.accumulator.name, F32, init=collected)
        stop = add(column, cast(columns, column.dtype))
        inner = replace(
            nest.columns,
            start=column,
            stop=stop if self.stop == nest.columns.stop else minimum(stop, nest.columns.stop),
            body=Block((total, *nest.rest)),
        )
        outer = replace(
            nest.rows, start=row, stop=add(row, cast(rows, row.dtype)), body=Block((*nest.before, inner))
        )
        return (outer,)


# ---------------------------------------------------------------------------------------------- small parts


def _ref(name: str, dtype: DType) -> Ref:
    return Ref(dtype, name, const(0))


def _length(name: Var, first: Var, stop: Expr, side: Var) -> Decl:
    return Decl(name.name, I32, init=cast(minimum(cast(side, first.dtype), sub(stop, first)), I32))


def _rounded(count: Var, unit: int) -> Expr:
    return mul(div(add(count, unit - 1), unit), unit)


def _copy(dst: Ref, src: Ref, size: Expr, dst_stride: Expr, src_stride: Expr, segments: Expr) -> Instr:
    operands = (dst, src, size, dst_stride, src_stride, sub(segments, 1))
    return Instr("__memcpy", operands, (("direction", "GDRAM2NRAM"),))
