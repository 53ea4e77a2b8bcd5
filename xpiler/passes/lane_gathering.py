"""Lanes along which a result lies: what they take from their source in pieces is gathered first.

    parallel c: parallel y: parallel x:                    for (l0 in 0..Y * X step 64) parallel:
      for k: sum += (inside(y, x, k) ? a[g(y, x, k)] : 0)    f32 a_lanes[K * 64];
                    * w[c * K + k]                           for y, vector x of l0..l0 + 64: for k:
      out[(c * Y + y) * X + x] = sum                   -->     a_lanes[k * 64 + y * X + x - l0] =
                                                                 inside(y, x, k) ? a[g(y, x, k)] : 0
                                                             parallel c: vector l in l0..l0 + 64:
                                                               for k: sum += a_lanes[k * 64 + l - l0]
                                                                             * w[c * K + k]
                                                               out[c * Y * X + l] = sum

For sums of products whose result is contiguous along a loop, and of which a factor is not: other lanes would
scatter what they store, 16 elements one by one. The factor is read again by another loop of the nest, of
memory that is never written. Where the result goes on from one `y` to the next (its rows are as long as `x`
runs, which is asked at run time), lanes go on as well, so that short rows fill registers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from xpiler.ir.affine import coefficient
from xpiler.ir.affine_form import to_expr
from xpiler.ir.build import add, and_, cast, const, div, eq, gt, maximum, minimum, mul, select, sub
from xpiler.ir.nodes import (
    EMPTY,
    Assign,
    Block,
    Const,
    Decl,
    Expr,
    For,
    If,
    Load,
    LoopKind,
    Select,
    Space,
    Stmt,
    Var,
)
from xpiler.ir.rewrite import free_vars, map_expr, substitute, walk
from xpiler.ir.types import F32, I64
from xpiler.passes.folds import folded
from xpiler.passes.interior_rows import is_number
from xpiler.passes.knobs import Knob
from xpiler.passes.loop_flattening import flatten_loops
from xpiler.passes.names import Names
from xpiler.passes.row_gathering import values_in, with_step_of_one
from xpiler.passes.vectorize import FAR, Strides

AT_ONCE = Knob("lane_gathering.lanes", (0, 32, 64, 128), 64, "lanes that are gathered at a time; 0: none are")


@dataclass(frozen=True)
class _Factor:
    """A value in the sum that differs from lane to lane, with the loops of the sum around it, outermost
    first."""

    value: Load | Select
    sums: tuple[For, ...]


def stores_contiguously(loop: For, body: Block) -> bool:
    """Whether neighbouring iterations of a loop around `body` store to neighbouring elements, and to nothing
    else."""
    strides = Strides(loop.var)
    strides.block(body, 0)
    places = [s.target for s in walk(body) if isinstance(s, Assign) and isinstance(s.target, Load)]
    return bool(places) and all(
        not any(strides.of(i) for i in place.index[:-1]) and strides.of(place.index[-1]) == 1
        for place in places
    )


@dataclass(frozen=True)
class LaneGathering:
    """`written`: arrays that the function writes, under all their names; `mutable`: variables that change."""

    names: Names
    written: frozenset[str]
    mutable: frozenset[str]

    def gathered(self, nest: Sequence[For], body: Block) -> list[Stmt] | None:
        """What replaces independent loops around the body of a sum; None where no lanes gain by it."""
        lanes = next((n for n in nest if stores_contiguously(n, body)), None)
        if lanes is None or not AT_ONCE.value:
            return None
        body = self._without_numbers(body)
        if not all(isinstance(s, (Decl, For, Assign)) for s in body.body):
            return None
        factors = [f for f in dict.fromkeys(self._factors(body, ())) if lanes.var in free_vars(f.value)]
        factors = [
            f for f in factors if not (isinstance(f.value, Load) and _stride(f.value, lanes.var) in (0, 1))
        ]
        if not factors or not all(self._may_be_gathered(f, body) for f in factors):
            return None
        used = frozenset().union(*(free_vars(f.value) for f in factors))
        around = [n for n in nest if n is not lanes and n.var in used]
        rows = [n for n in nest if n is not lanes and n.var not in used]
        if not rows or any(n.dtype != lanes.dtype for n in nest):
            return None
        return self._written(around, rows, lanes, body, factors)

    def _without_numbers(self, body: Block) -> Block:
        values: dict[str, Expr] = {}
        out: list[Stmt] = []
        for stmt in body.body:
            stmt = substitute(stmt, values)
            if is_number(stmt, self.mutable):
                assert isinstance(stmt, Decl) and isinstance(stmt.init, Expr)
                values[stmt.name] = stmt.init
            else:
                out.append(stmt)
        return replace(body, body=tuple(out))

    def _factors(self, block: Block, sums: tuple[For, ...]) -> Iterator[_Factor]:
        for stmt in block.body:
            match stmt:
                case For(body=body) if stmt.kind is not LoopKind.VECTOR and self._is_plain(stmt, sums):
                    yield from self._factors(body, (*sums, stmt))
                case Assign(target=Var(), value=value) if sums and folded(stmt) is not None:
                    yield from (_Factor(v, sums) for v in values_in(value))

    def _is_plain(self, loop: For, sums: Sequence[For]) -> bool:
        names = {s.var for s in sums} | self.mutable
        counts = loop.step == const(1, loop.dtype) and loop.start == const(0, loop.dtype)
        return counts and not free_vars(loop.stop) & names and not _loads(loop.stop)

    def _may_be_gathered(self, factor: _Factor, body: Block) -> bool:
        value = factor.value
        inside = {d.name for d in walk(body) if isinstance(d, Decl)} | self.mutable
        loads = [n for n in walk(value) if isinstance(n, Load)]
        if value.dtype != F32 or free_vars(value) & inside or not loads:
            return False
        if any(load.array in self.written or any(_loads(i) for i in load.index) for load in loads):
            return False
        return bool(free_vars(value) & {s.var for s in factor.sums})

    # ------------------------------------------------------------------------------------ the new nest

    def _written(
        self, around: list[For], rows: Sequence[For], lanes: For, body: Block, factors: Sequence[_Factor]
    ) -> list[Stmt]:
        dtype = lanes.dtype
        first, end = (Var(dtype, self.names.fresh(f"{lanes.var}_{which}")) for which in ("first", "end"))
        at_once = const(AT_ONCE.value, dtype)
        strips = self._strips(around, lanes, body, factors)
        lane = lanes if strips is None else strips.lane
        filled: list[Stmt] = []
        places: dict[Expr, Expr] = {}
        for factor in factors:
            if factor.value in places:
                continue
            load = next(n for n in walk(factor.value) if isinstance(n, Load))
            array = self.names.fresh(f"{load.array}_lanes")
            depth: Expr = const(1, I64)
            at: Expr = const(0, I64)
            for loop in factor.sums:
                extent = cast(loop.stop, I64)
                depth, at = mul(depth, extent), add(mul(at, extent), cast(Var(loop.dtype, loop.var), I64))
            step = cast(at_once, I64)
            at = mul(at, step)
            column = cast(sub(Var(dtype, lane.var), first), I64)
            places[factor.value] = Load(F32, array, (add(at, column),))
            filled.append(Decl(array, F32, (mul(step, maximum(depth, const(0, I64))),), Space.LOCAL))
            value: Expr = factor.value
            column = cast(sub(Var(dtype, lanes.var), first), I64)
            if strips is not None:
                value, column = strips.value(value), cast(sub(strips.number, first), I64)
            fill: Stmt = Assign(Load(F32, array, (add(at, column),)), value)
            for loop in _conditions_last(factor):
                fill = replace(loop, body=Block((fill,)), kind=LoopKind.PARALLEL)
            part = replace(lanes, start=first, stop=end, body=Block((fill,)), kind=LoopKind.VECTOR)
            pieces = part if strips is None else strips.pieces(part)
            filled += with_step_of_one(pieces, load, lanes.var)
        product = map_expr(body, lambda e: places.get(e, e) if isinstance(e, (Load, Select)) else e)
        heads: list[Stmt] = []
        if strips is not None:
            heads, product, around = strips.heads, strips.product(product), [*around[:-1], strips.strip]
        flat = flatten_loops(product, self.names)
        assert isinstance(flat, Block)
        work: Stmt = replace(lane, start=first, stop=end, body=flat, kind=LoopKind.VECTOR)
        for loop in reversed(rows):
            work = replace(loop, body=Block((work,)), kind=LoopKind.PARALLEL)
        last = Decl(end.name, dtype, init=add(first, minimum(at_once, sub(lane.stop, first))))
        inside = Block((last, *filled, work))
        whole: Stmt = replace(lane, var=first.name, step=at_once, body=inside, kind=LoopKind.PARALLEL)
        for loop in reversed(around):
            whole = replace(loop, body=Block((whole,)), kind=LoopKind.PARALLEL)
        runs = [gt(n.stop, const(0, n.stop.dtype)) for n in rows if not isinstance(n.stop, Const)]
        if runs:  # what nobody reads need not be there
            whole = If(and_(*runs), Block((whole,)), EMPTY)
        return [*heads, whole]

    def _strips(
        self, around: Sequence[For], lanes: For, body: Block, factors: Sequence[_Factor]
    ) -> _Strips | None:
        """The rows of lanes as strips; None where results do not go on from row to row, or rows count for
        something besides."""
        if not around:
            return None
        rows, dtype = around[-1], lanes.dtype
        values = {f.value for f in factors}
        places = [s.target for s in walk(body) if isinstance(s, Assign) and isinstance(s.target, Load)]
        apart = {coefficient(place.index[-1], rows.var) for place in places}
        if len(apart) != 1 or None in apart:
            return None
        (form,) = apart
        assert form is not None
        if len(form.variables()) > 1:
            return None
        pitch = to_expr(form, dtype)
        rest = map_expr(
            body,
            lambda e: const(0.0, F32) if e in values else e,
            lambda target: replace(target, index=()) if isinstance(target, Load) else target,
        )
        changing = (
            {d.name for d in walk(body) if isinstance(d, Decl)} | self.mutable | {n.var for n in around}
        )
        changing |= {lanes.var}
        ends = free_vars(pitch) | free_vars(rows.stop) | free_vars(lanes.stop)
        if free_vars(rest) & {rows.var, lanes.var} or ends & changing or _loads(pitch):
            return None
        numbers = [
            Var(dtype, self.names.fresh(name))
            for name in (f"{lanes.var}_width", "strips", "strip_lanes", "strip", f"{lanes.var}_of_strip")
        ]
        return _Strips(rows, lanes, pitch, *numbers)


@dataclass(frozen=True)
class _Strips:
    """Rows of lanes as strips: one of all rows where the result of a row goes on from the one before
    (`pitch`, what lies between their beginnings, is the row's length), else one a row."""

    rows: For
    lanes: For
    pitch: Expr
    width: Var  # of a row
    count: Var  # of strips
    length: Var  # of a strip
    which: Var
    at: Var

    @property
    def heads(self) -> list[Stmt]:
        """What is known before."""
        goes_on, one = eq(self.width, self.pitch), const(1, self.width.dtype)
        inits = (
            (self.width, self.lanes.stop),
            (self.count, select(goes_on, minimum(self.rows.stop, one), self.rows.stop)),
            (self.length, select(goes_on, mul(self.rows.stop, self.width), self.width)),
        )
        return [Decl(var.name, var.dtype, init=init) for var, init in inits]

    @property
    def strip(self) -> For:
        return replace(self.rows, var=self.which.name, stop=self.count)

    @property
    def lane(self) -> For:
        return replace(self.lanes, var=self.at.name, stop=self.length)

    @property
    def number(self) -> Expr:
        """The lane in the strip that is `lanes` in `rows`, counted from the strip's first row."""
        return add(
            mul(Var(self.rows.dtype, self.rows.var), self.width), Var(self.lanes.dtype, self.lanes.var)
        )

    def value(self, factor: Expr) -> Expr:
        row = Var(self.rows.dtype, self.rows.var)
        changed = substitute(factor, {row.name: add(self.which, row)})
        assert isinstance(changed, Expr)
        return changed

    def product(self, body: Block) -> Block:
        return substitute(body, {self.rows.var: self.which, self.lanes.var: self.at})

    def pieces(self, part: For) -> For:
        """Some lanes of a strip, row by row."""
        one, zero = const(1, part.dtype), const(0, part.dtype)
        before = mul(Var(part.dtype, self.rows.var), self.width)
        start, stop = maximum(sub(part.start, before), zero), minimum(sub(part.stop, before), self.width)
        return replace(
            self.rows,
            start=div(part.start, self.width),
            stop=add(div(sub(part.stop, one), self.width), one),
            body=Block((replace(part, start=start, stop=stop),)),
            kind=LoopKind.PARALLEL,
        )


def _conditions_last(factor: _Factor) -> list[For]:
    """The loops of the sum, innermost first: those that no condition depends on, which GCC then works out
    less often."""
    conditions = [n.condition for n in walk(factor.value) if isinstance(n, Select)]
    deciding = frozenset().union(*(free_vars(c) for c in conditions)) if conditions else frozenset()
    inwards = list(factor.sums)[::-1]
    return [loop for late in (False, True) for loop in inwards if (loop.var in deciding) is late]


def _stride(load: Load, var: str) -> int:
    strides = Strides(var)
    return FAR if len(load.index) != 1 else strides.of(load.index[0])


def _loads(expr: Expr) -> bool:
    return any(isinstance(n, Load) for n in walk(expr))
