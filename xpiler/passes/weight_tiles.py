"""A product of matrices in tiles of at most `side` rows, columns and depth, the right one by lanes in WRAM.

    for m0, n0 by tiles:  sums = 0
      left, right <- first tiles
      for k0 by tiles:                     while these are multiplied the next ones are copied
        sync;  left', right' <-async- next tiles
        right into lanes into WRAM;  part = left x right;  sums += part
      C[m0.., n0..] = f(sums)

The factors are brought ahead where each comes by one copy and both have room twice. Bytes are multiplied into
floats, which hold a tile's sums exactly, and these are added up as integers.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from xpiler.ir.affine import coefficient, prove_le, simplify, to_expr
from xpiler.ir.build import add, cast, const, div, lt, minimum, mul, or_, sub
from xpiler.ir.nodes import (
    Assign,
    Block,
    Call,
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
from xpiler.ir.rewrite import free_vars, map_expr, substitute
from xpiler.ir.types import F32, I8, I32, DType
from xpiler.passes.gathered_factors import Tile, by_pieces, by_rows, fill
from xpiler.passes.knobs import Knob
from xpiler.passes.names import Names
from xpiler.passes.pipeline import OVERLAPS
from xpiler.platforms.bang import WEIGHT_BYTES, WEIGHT_LANES, Architecture

PARTS = Knob(
    "weight_tiles.parts", (1, 2), 1, "tiles have so many times fewer rows, columns and depth than fit"
)
EXACT_DEPTH = 2**24 // 128**2  # so many products of bytes at most add up to an integer that a float holds


@dataclass(frozen=True)
class Nest:
    """`rows` and `columns` around `acc = start; loops...: if (guards) acc += left * right; rest`. `piece`: of
    the sum's steps, how many follow each other where a factor is not in one piece. `about`: the factor that
    the guards are about, if they leave the other one alone."""

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
    about: Load | None = None


def widest_end(columns: For, rows: For) -> Expr:
    """The end of the columns in the first row, if later rows have no more of them."""
    match columns.stop:
        case Call(function="min", args=ends) if all(_shrinks(e, rows.var) for e in ends):
            return simplify(substitute(columns.stop, {rows.var: const(0, rows.dtype)}))
    return columns.stop


def _shrinks(end: Expr, row: str) -> bool:
    step = coefficient(end, row)
    return step is not None and prove_le(step, 0)


class WeightTiles:
    """One nest on its way into tiles of at most `side` rows, columns and depth."""

    def __init__(
        self, nest: Nest, names: Names, architecture: Architecture, memory: Mapping[str, DType], taken: int
    ) -> None:
        self.nest, self.names, self.memory = nest, names, memory
        self.guarded = nest.right
        self.dtype = nest.left.dtype
        self.stop = widest_end(nest.columns, nest.rows)
        self.depth_unit = WEIGHT_BYTES // self.dtype.bytes
        element = self.dtype.bytes
        self.sum_type = nest.accumulator.dtype
        # left, right as it comes, right by columns, right by lanes; part, part as integers, and sums
        per_element = 4 * element + (2 if self.sum_type.is_float else 3) * F32.bytes
        plain = self.plain_store()
        room = architecture.usable_nram - taken
        capacity = room if plain else room * 3 // 4
        side, twice = (
            math.isqrt(capacity // size) // WEIGHT_LANES * WEIGHT_LANES
            for size in (per_element, per_element + 2 * element)
        )
        self.side = min(side, math.isqrt(architecture.wram // element) // WEIGHT_LANES * WEIGHT_LANES)
        self.side = max(self.side // PARTS.value // WEIGHT_LANES, 1) * WEIGHT_LANES
        if self.dtype == I8:
            self.side = min(self.side, EXACT_DEPTH)
        self.ahead = twice >= self.side  # both factors have room for two tiles
        self.per_element = per_element
        self.side_var = Var(I32, names.fresh("side"))
        left, right = nest.left.array, nest.right.array
        self.two_parts: tuple[str, ...] = ()
        self.left = names.fresh(f"{left}_nram")
        self.right = names.fresh(f"{right}_nram")
        self.by_column = names.fresh(f"{right}_columns")
        self.by_lane = names.fresh(f"{right}_lanes")
        self.weights = names.fresh(f"{right}_wram")
        self.part = names.fresh("part_nram")
        self.whole = self.part if self.sum_type.is_float else names.fresh("whole_nram")
        self.sums = names.fresh(f"{nest.accumulator.name}_nram")

    @property
    def bytes(self) -> int:
        """Of NRAM."""
        return (self.per_element + (2 * self.dtype.bytes if self.ahead else 0)) * self.side**2

    @property
    def weight_bytes(self) -> int:
        """Of WRAM."""
        return self.dtype.bytes * self.side**2

    def declarations(self) -> list[Stmt]:
        area = (self.side_var, self.side_var)
        out: list[Stmt] = [Decl(self.side_var.name, I32, init=const(self.side))]
        for name in (self.left, self.right, self.by_column, self.by_lane):
            parts = 2 if self.ahead and name in self.two_parts else 1
            shape = (mul(const(parts), self.side_var), self.side_var)
            out.append(Decl(name, self.dtype, shape, Space.NRAM))
        out += [Decl(self.part, F32, area, Space.NRAM)]
        wholes = (self.sums,) if self.whole == self.part else (self.whole, self.sums)
        out += [Decl(name, self.sum_type, area, Space.NRAM) for name in wholes]
        out.append(Decl(self.weights, self.dtype, area, Space.WRAM))
        return out

    def plain_store(self) -> Assign | None:
        """`C[..] = acc` if that is all that is left to do."""
        if self.stop != self.nest.columns.stop or self.nest.accumulator.init != const(0, self.sum_type):
            return None
        match self.nest.rest:
            case (Assign(target=Load(index=(index,)) as target, value=Var(name=name), reduce=None) as store,):
                near = coefficient(index, self.nest.columns.var)
                if (
                    name == self.nest.accumulator.name
                    and target.dtype == self.sum_type
                    and self.memory.get(target.array) == self.sum_type
                    and near is not None
                    and near.as_int == 1
                    and coefficient(index, self.nest.rows.var) is not None
                ):
                    return store
        return None

    # ---------------------------------------------------------------------------------- the loops

    def loops(self) -> tuple[Stmt, ...] | None:
        """None where a factor comes in no way that is known, or there is no room for any tile."""
        if self.side == 0:
            return None
        nest, fresh = self.nest, self.names.fresh
        m, n, k = nest.rows, nest.columns, nest.loops[-1]
        row, column, inner = (Var(each.dtype, fresh(f"{each.var}_tile")) for each in (m, n, k))
        rows, columns, depth = (Var(I32, fresh(name)) for name in ("rows", "columns", "depth"))
        wide, deep = Var(I32, fresh("columns_padded")), Var(I32, fresh("depth_padded"))
        self.guarded = nest.left if self.has_guards(nest.left, m.var) else nest.right
        if nest.about is not None:
            self.guarded = nest.about
        left = self.bring(nest.left, m.var, row, rows, k.var, inner, depth, deep, self.left, None)
        right = self.bring(
            nest.right, n.var, column, columns, k.var, inner, depth, deep, self.by_column, wide
        )
        if left is None or right is None:
            return None
        area = mul(rows, wide)
        partly = or_(lt(depth, deep), lt(columns, wide))
        zeros = (*left.zeros, *right.zeros)
        sums = _ref(self.sums, self.sum_type)
        compute: list[Stmt] = [
            *left.turned,
            *right.turned,
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
                () if self.dtype.is_float else (("suffix", "0"),),
            ),
            *self.as_integers(area),
            Instr("__bang_add", (sums, sums, _ref(self.whole, self.sum_type), area)),
        ]
        step = self.side_var
        lengths = [
            _length(depth, inner, k.stop, self.side_var),
            Decl(deep.name, I32, init=_rounded(depth, self.depth_unit)),
        ]
        padding = [If(partly, Block(zeros))] if zeros else []
        loads: list[Stmt] = [*padding, *left.copies, *right.copies]
        body: Stmt = For(
            inner.name, k.dtype, k.start, k.stop, cast(step, k.dtype), Block((*lengths, *loads, *compute))
        )
        ahead: tuple[Stmt, ...] = ()
        self.ahead &= bool(left.into and right.into) and len(nest.loops) == 1 and bool(OVERLAPS.value)
        if self.ahead:
            assert isinstance(body, For)
            self.two_parts = (left.into, right.into)
            ahead, body = self.with_copies_ahead(body, lengths, loads, compute)
        for outer in reversed(nest.loops[:-1]):
            body = replace(outer, body=Block((body,)), kind=LoopKind.SERIAL)
        last = self.stop
        ends: tuple[Stmt, ...] = ()
        if not isinstance(last, (Var, Const)):
            last = Var(n.dtype, fresh(f"{n.var}_end"))
            ends = (Decl(last.name, n.dtype, init=cast(self.stop, n.dtype)),)
        stop: Expr = m.stop
        if not isinstance(stop, (Var, Const)):
            stop = Var(m.dtype, fresh(f"{m.var}_end"))
            ends = (*ends, Decl(stop.name, m.dtype, init=cast(m.stop, m.dtype)))
        end = self.epilogue(row, rows, column, columns, wide)
        within = Block(
            (
                _length(columns, column, last, step),
                Decl(wide.name, I32, init=_rounded(columns, WEIGHT_LANES)),
                fill(self.sums, self.sum_type, area),
                *ahead,
                body,
                *end,
            )
        )
        across = For(column.name, n.dtype, n.start, last, cast(step, n.dtype), within)
        tiles = Block((_length(rows, row, stop, step), across))
        return (*ends, For(row.name, m.dtype, m.start, stop, cast(step, m.dtype), tiles))

    def with_copies_ahead(
        self, loop: For, lengths: list[Decl], loads: list[Stmt], compute: list[Stmt]
    ) -> tuple[tuple[Stmt, ...], For]:
        """The loop over the depth with the next step's tiles under way while one step is computed, and the
        copies of the first step."""
        fresh = self.names.fresh
        part = Var(I32, fresh("part"))
        other = sub(mul(self.side_var, self.side_var), part)
        following = Var(loop.dtype, fresh(f"{loop.var}_next"))

        def in_part(stmt: Stmt, start: Expr) -> Stmt:
            def moved(e: Expr) -> Expr:
                here = isinstance(e, Ref) and e.array in self.two_parts
                return replace(e, offset=add(start, e.offset)) if here and isinstance(e, Ref) else e

            return map_expr(stmt, moved)

        def brought(at: Expr, start: Expr, which: str) -> Block:
            names = {d.name: Var(d.dtype, fresh(f"{d.name}_{which}")) for d in lengths}
            values: dict[str, Expr] = {loop.var: at, **names}
            declared = [Decl(names[d.name].name, d.dtype, init=substitute(_init(d), values)) for d in lengths]
            copies = [_asynchronous(in_part(substitute(s, values), start)) for s in loads]
            return Block((*declared, *copies))

        next_at = Decl(following.name, loop.dtype, init=add(Var(loop.dtype, loop.var), loop.step))
        body = (
            *lengths,
            next_at,
            Instr("__sync", ()),
            If(lt(following, loop.stop), brought(following, other, "next")),
            *(in_part(s, part) for s in compute),
            Assign(part, other),
        )
        first = If(lt(loop.start, loop.stop), brought(loop.start, const(0), "first"))
        return (Decl(part.name, I32, init=const(0)), first), replace(loop, body=Block(body))

    def has_guards(self, load: Load, var: str) -> bool:
        """Whether the guards are about this factor: about its rows, or about nothing of the other's."""
        moving = frozenset().union(*map(free_vars, self.nest.guards))
        if moving & {self.nest.rows.var, self.nest.columns.var}:
            return var in moving
        along = coefficient(load.index[0], self.nest.loops[-1].var)
        return along is None or self.nest.loops[-1].var in along.variables()

    def as_integers(self, area: Expr) -> tuple[Stmt, ...]:
        if self.whole == self.part:
            return ()
        operands = (_ref(self.whole, I32), _ref(self.part, F32), area)
        return (Instr("__bang_float2int32_tz", operands, (("suffix", "0"),)),)

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
    ) -> _Brought | None:
        """A factor's tile as [count][deep]: by one copy, a copy and a transposition, or row by row."""
        index = load.index[0]
        along, across = coefficient(index, k), coefficient(index, var)
        guards = [g for g in self.nest.guards if self.guarded is load]
        area = mul(padded or count, deep)
        if guards or along is None or k in along.variables():
            tile = Tile(load, var, first, count, k, inner, depth, deep, to, self.right)
            found = by_rows(tile, padded or count, guards, self.names)
            near = across is not None and across.as_int == 1
            pieces = None
            if self.nest.piece is not None and not near:
                pieces = by_pieces(tile, self.nest.piece, guards, self.names)
            if pieces is not None:
                return _Brought(tuple(pieces), zeros=() if guards else (fill(to, self.dtype, area),))
            return _Brought(tuple(found)) if found is not None else None
        source = Ref(load.dtype, load.array, substitute(index, {var: first, k: inner}))
        if along is not None and along.as_int == 1 and across is not None and k not in across.variables():
            copied = _copy(self.ref(to), source, depth, deep, to_expr(across, I32), count)
            return _Brought((copied,), zeros=(fill(to, self.dtype, area),), into=to)
        if across is not None and across.as_int == 1 and along is not None and padded is not None:
            if var in along.variables() or k in along.variables():
                return None
            copied = _copy(self.ref(self.right), source, count, padded, to_expr(along, I32), depth)
            turned = Instr("__bang_transpose", (self.ref(to), self.ref(self.right), deep, padded))
            return _Brought((copied,), (turned,), (fill(self.right, self.dtype, area),), self.right)
        if along is not None and along.as_int == 1:
            i = Var(I32, self.names.fresh("i"))
            place = substitute(index, {var: add(first, cast(i, first.dtype)), k: inner})
            operands = (Ref(load.dtype, to, mul(i, deep)), Ref(load.dtype, load.array, place), depth)
            one = Instr("__memcpy", operands, (("direction", "GDRAM2NRAM"),))
            rows = For(i.name, I32, const(0), count, const(1), Block((one,)))
            return _Brought((rows,), zeros=(fill(to, self.dtype, area),))
        return None

    def epilogue(self, row: Var, rows: Var, column: Var, columns: Var, wide: Var) -> tuple[Stmt, ...]:
        nest, sums = self.nest, _ref(self.sums, self.sum_type)
        store = self.plain_store()
        if store is not None:
            assert isinstance(store.target, Load)
            index = store.target.index[0]
            stride = coefficient(index, nest.rows.var)
            assert stride is not None
            base = substitute(index, {nest.rows.var: row, nest.columns.var: column})
            operands = (
                Ref(self.sum_type, store.target.array, base),
                sums,
                columns,
                to_expr(stride, I32),
                wide,
                sub(rows, 1),
            )
            return (Instr("__memcpy", operands, (("direction", "NRAM2GDRAM"),)),)
        m, n = Var(nest.rows.dtype, nest.rows.var), Var(nest.columns.dtype, nest.columns.var)
        at = add(mul(cast(sub(m, row), I32), wide), cast(sub(n, column), I32))
        assert isinstance(nest.accumulator.init, Expr)
        collected: Expr = Load(self.sum_type, self.sums, (at,))
        if nest.accumulator.init != const(0, self.sum_type):
            collected = add(nest.accumulator.init, collected)
        total = Decl(nest.accumulator.name, self.sum_type, init=collected)
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


@dataclass(frozen=True)
class _Brought:
    """How a factor's tile comes: `copies` of it, what turns them into the tile, and what fills it with zeros
    first where it is larger than what is copied. `into`: the one buffer that the only copy goes to."""

    copies: tuple[Stmt, ...]
    turned: tuple[Stmt, ...] = ()
    zeros: tuple[Stmt, ...] = ()
    into: str = ""


def _init(decl: Decl) -> Expr:
    assert isinstance(decl.init, Expr)
    return decl.init


def _asynchronous(stmt: Stmt) -> Stmt:
    """A copy that is waited for later; zeros that it goes over are waited for first."""
    match stmt:
        case Instr(name="__memcpy"):
            return replace(stmt, name="__memcpy_async")
        case If(then=then):
            return replace(stmt, then=Block((*then.body, Instr("__sync_compute", ()))))
    return stmt


def _ref(name: str, dtype: DType) -> Ref:
    return Ref(dtype, name, const(0))


def _length(name: Var, first: Var, stop: Expr, side: Var) -> Decl:
    return Decl(name.name, I32, init=cast(minimum(cast(side, first.dtype), sub(stop, first)), I32))


def _rounded(count: Var, unit: int) -> Expr:
    return mul(div(add(count, unit - 1), unit), unit)


def _copy(dst: Ref, src: Ref, size: Expr, dst_stride: Expr, src_stride: Expr, segments: Expr) -> Instr:
    operands = (dst, src, size, dst_stride, src_stride, sub(segments, 1))
    return Instr("__memcpy", operands, (("direction", "GDRAM2NRAM"),))
