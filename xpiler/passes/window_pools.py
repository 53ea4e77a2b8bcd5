"""Folds over windows become pools: a row of pixels at a time, with the channels innermost.

    for x: for c:  best = start                    window <- in[..]     kh rows of (n - 1) * sw + kw pixels
      for i in 0..kh: for j in 0..kw:        -->   __bang_maxpool(pooled, window, C, kh, width, kh, kw, sw, 1)
        best = max(best, in[.. i*R + (x*sw + j)*C + c])
      out[.. x*C + c] = f(best)                    for e in 0..n*C: out[.. e] = f(pooled[e])

What is matched is the meaning of the pools and nothing of names: a fold by max, min or + over an element
whose index has the strides of an HWC tensor. A step of j is a pixel, as many elements as there are channels;
a step of x is some pixels; a step of c is one element. Without a loop over channels there is one. The loops
stay as they were for the sizes where a window does not fit or not all channels take part.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from xpiler.ir.affine import Affine, coefficient, linear, prove_eq, simplify, to_expr
from xpiler.ir.affine_form import divide_out
from xpiler.ir.build import add, and_, const, div, ge, is_const, le, minimum, mul, sub
from xpiler.ir.nodes import (
    Assign,
    Block,
    Call,
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
    Space,
    Stmt,
    Var,
)
from xpiler.ir.rewrite import arrays_read, free_vars, map_body, map_expr, substitute
from xpiler.ir.types import F32, I32, DType
from xpiler.passes.contraction import INDEPENDENT, without_values
from xpiler.passes.names import Names
from xpiler.passes.split_digits import split_digit
from xpiler.platforms.bang import POOL_WINDOW, Architecture

POOLS = {"max": "__bang_maxpool", "min": "__bang_minpool", "+": "__bang_sumpool"}
_NEUTRAL = {"max": float("-inf"), "min": float("inf"), "+": 0.0}


@dataclass(frozen=True)
class Pooled:
    """`bytes`: of the scratchpad that windows and results take."""

    function: Function
    bytes: int


@dataclass(frozen=True)
class Pool:
    """`op` over the window of `load`; `whole`: what must hold for all channels to take part."""

    pixels: For
    window: tuple[For, For]
    load: Load
    op: str
    start: Expr
    store: Assign
    total: str
    channels: Expr
    step: Expr  # pixels from one window to the next
    row: Expr  # elements from one row of the window to the next
    whole: tuple[Expr, ...]
    channel: str


def pool_rows(function: Function) -> Function:
    """Loops over all pixels as loops over rows of them, where a pool can have the rows."""
    names = Names(function)
    memory = {p.name: p.dtype for p in function.params if p.is_pointer}

    def change(stmt: Stmt) -> Stmt:
        if not isinstance(stmt, For) or stmt.kind not in INDEPENDENT or match_pool(stmt, memory):
            return stmt
        split = split_digit(stmt, names)
        if split is None or not isinstance(split.body.body[-1], For):
            return stmt
        return split if match_pool(split.body.body[-1], memory) else stmt

    return map_body(function, change)


def pool_windows(function: Function, architecture: Architecture, taken: int) -> Pooled:
    """All such folds; `taken`: bytes of the scratchpad in use otherwise."""
    names = Names(function)
    memory = {p.name: p.dtype for p in function.params if p.is_pointer}
    room, window, pooled = (names.fresh(name) for name in ("room", "window_nram", "pooled_nram"))
    found: list[Pool] = []

    def change(stmt: Stmt) -> Stmt | tuple[Stmt, ...]:
        pool = match_pool(stmt, memory) if isinstance(stmt, For) else None
        if pool is None:
            return stmt
        found.append(pool)
        return _Rows(pool, names, Var(I32, room), window, pooled).choice()

    changed = map_body(function, change)
    if not found:
        return Pooled(function, 0)
    # Half of what is left, in two equal parts; the other half is for what else there is.
    elements = (architecture.usable_nram - taken) // (4 * F32.bytes) // 32 * 32
    head = [Decl(room, I32, init=const(elements))]
    head += [Decl(name, F32, (Var(I32, room),), Space.NRAM) for name in (window, pooled)]
    body = replace(changed.body, body=(*head, *changed.body.body))
    return Pooled(replace(changed, body=body), 2 * elements * F32.bytes)


# ---------------------------------------------------------------------------------------------- recognition


def match_pool(pixels: For, memory: Mapping[str, DType]) -> Pool | None:
    """The fold over windows whose loop over a row of pixels this is."""
    if pixels.kind not in INDEPENDENT or not is_const(pixels.step, 1) or pixels.dtype != I32:
        return None
    body = without_values(pixels.body).body
    channel: For | None = None
    if len(body) == 1 and isinstance(body[0], For) and body[0].kind in INDEPENDENT:
        channel = body[0]
        if not is_const(channel.step, 1) or not is_const(channel.start, 0) or channel.dtype != I32:
            return None
        body = without_values(channel.body).body
    match body:
        case (
            Decl(name=total, shape=(), dtype=dtype, init=Expr() as start),
            For() as rows,
            Assign(target=Load() as target, reduce=None) as store,
        ) if dtype == F32 and target.dtype == F32:
            pass
        case _:
            return None
    window = _window(rows, total)
    if window is None:
        return None
    loops, load, op = window
    own = {pixels.var, *((channel.var,) if channel else ()), *(loop.var for loop in loops)}
    place = target.index[0]
    if len(target.index) != 1 or load.array == target.array:
        return None
    if any(memory.get(p.array) != F32 for p in (load, target)) or free_vars(start) & own:
        return None
    if arrays_read(start) or arrays_read(store.value) or free_vars(store.value) & own:
        return None
    if any(free_vars(loop.stop) & own or not _plain(loop) for loop in loops):
        return None
    index = load.index[0]
    i, j = loops
    steps = {name: coefficient(index, name) for name in own}
    if any(s is None or s.variables() & own for s in steps.values()):
        return None
    row, pixel, across = steps[i.var], steps[j.var], steps[pixels.var]
    assert row is not None and pixel is not None and across is not None
    if channel is None:
        channels: Expr = const(1)
        whole: tuple[Expr, ...] | None = () if pixel.as_int == 1 else None
    else:
        one = steps[channel.var]
        channels = to_expr(pixel, I32)
        whole = _all_channels(channel, channels, pixels) if one is not None and one.as_int == 1 else None
    step = _quotient(across, pixel)
    beside, along = coefficient(place, pixels.var), channel and coefficient(place, channel.var)
    if whole is None or step is None or beside is None or not prove_eq(beside, pixel):
        return None
    if channel is not None and (along is None or not isinstance(along, Affine) or along.as_int != 1):
        return None
    return Pool(
        pixels, loops, load, op, start, store, total, channels, step, to_expr(row, I32), whole,
        channel.var if channel else "",
    )  # fmt: skip


def _window(rows: For, total: str) -> tuple[tuple[For, For], Load, str] | None:
    """The two loops of a fold, what it folds and how. A single loop goes over one row."""
    body = without_values(rows.body).body
    loops = [rows]
    if len(body) == 1 and isinstance(body[0], For):
        loops.append(body[0])
        body = without_values(body[0].body).body
    match body:
        case (Assign(target=Var(name=name), value=Load() as load, reduce=str() as op),) if (
            name == total and op in POOLS and load.dtype == F32 and len(load.index) == 1
        ):
            if len(loops) == 1:
                one = replace(rows, var=f"{rows.var}?", start=const(0), stop=const(1))
                loops.insert(0, one)
            return (loops[0], loops[1]), load, op
    return None


def _plain(loop: For) -> bool:
    return is_const(loop.start, 0) and is_const(loop.step, 1) and loop.dtype == I32


def _all_channels(channel: For, channels: Expr, pixels: For) -> tuple[Expr, ...] | None:
    """What has to hold for the loop to go through all channels at every pixel; None if it may well not."""
    wanted = linear(channels)
    ends: tuple[Expr, ...] = (channel.stop,)
    if isinstance(channel.stop, Call) and channel.stop.function == "min":
        ends = channel.stop.args
    forms = [linear(end) for end in ends]
    if wanted is None or not any(form is not None and prove_eq(form, wanted) for form in forms):
        return None
    conditions: list[Expr] = []
    for end, form in zip(ends, forms, strict=True):
        if form is not None and prove_eq(form, wanted):
            continue
        slope = coefficient(end, pixels.var)
        if slope is None or pixels.var in slope.variables():
            return None
        for place in (pixels.start, sub(pixels.stop, 1)):  # linear in between
            conditions.append(ge(substitute(end, {pixels.var: place}), channels))
    return tuple(dict.fromkeys(conditions))


def _quotient(across: Affine, pixel: Affine) -> Expr | None:
    quotient, rest = divide_out(across, pixel)
    return to_expr(quotient, I32) if rest.as_int == 0 else None


# ---------------------------------------------------------------------------------------------- rows


def _with(expr: Expr, part: Expr, name: Var) -> Expr:
    """An expression that has a name in place of a part."""
    return map_expr(expr, lambda e: name if e == part else e)


@dataclass
class _Rows:
    """A pool of as many neighbouring pixels at a time as have room."""

    pool: Pool
    names: Names
    room: Var
    window: str
    pooled: str

    def choice(self) -> tuple[Stmt, ...]:
        pool = self.pool
        ends: tuple[Stmt, ...] = ()
        if not isinstance(pool.pixels.stop, (Var, Const)):
            end = Var(I32, self.names.fresh(f"{pool.pixels.var}_end"))
            ends = (Decl(end.name, I32, init=pool.pixels.stop),)
            pool = self.pool = replace(
                pool,
                pixels=replace(pool.pixels, stop=end),
                whole=tuple(_with(condition, pool.pixels.stop, end) for condition in pool.whole),
            )
        kh, kw = (loop.stop for loop in pool.window)
        one, area = const(1), mul(kh, kw)
        fits = and_(
            *(le(one, size) for size in dict.fromkeys((pool.step, kh, kw, pool.channels))),
            le(area, const(POOL_WINDOW)),
            le(mul(area, pool.channels), self.room),
            *pool.whole,
        )
        return (*ends, If(fits, Block(self.tiles()), Block((pool.pixels,))))

    def tiles(self) -> tuple[Stmt, ...]:
        pool, fresh = self.pool, self.names.fresh
        x = pool.pixels
        kh, kw = (loop.stop for loop in pool.window)
        first, most = Var(I32, fresh(f"{x.var}0")), Var(I32, fresh("pixels"))
        count, width, e = Var(I32, fresh("count")), Var(I32, fresh("width")), Var(I32, fresh("e"))
        pixels = add(div(sub(div(self.room, pool.channels), mul(kh, kw)), mul(kh, pool.step)), const(1))
        window, pooled = Ref(F32, self.window, const(0)), Ref(F32, self.pooled, const(0))
        zeros = {loop.var: const(0) for loop in pool.window} | {pool.channel: const(0)}
        start = {**zeros, x.var: first}
        source = Ref(F32, pool.load.array, simplify(substitute(pool.load.index[0], start)))
        line = mul(width, pool.channels)
        extent: tuple[Expr, ...] = (line,) if is_const(kh, 1) else (line, line, pool.row, sub(kh, 1))
        sizes = (pool.channels, kh, width, kh, kw, pool.step, const(1))
        body = (
            Decl(count.name, I32, init=minimum(most, sub(x.stop, first))),
            Decl(width.name, I32, init=add(mul(sub(count, 1), pool.step), kw)),
            Instr("__memcpy", (window, source, *extent), (("direction", "GDRAM2NRAM"),)),
            Instr(POOLS[pool.op], (pooled, window, *sizes)),
            self.results(e, count, start),
        )
        loop = For(first.name, I32, x.start, x.stop, most, Block(body), range=x.range)
        return Decl(most.name, I32, init=pixels), loop

    def results(self, e: Var, count: Var, start: Mapping[str, Expr]) -> For:
        pool = self.pool
        value: Expr = Load(F32, self.pooled, (e,))
        if not is_const(pool.start, _NEUTRAL[pool.op]):
            value = add(value, pool.start) if pool.op == "+" else Call(F32, pool.op, (value, pool.start))
        assert isinstance(pool.store.target, Load)
        place = add(simplify(substitute(pool.store.target.index[0], start)), e)
        target = replace(pool.store.target, index=(place,))
        stored = replace(pool.store, target=target, value=substitute(pool.store.value, {pool.total: value}))
        stop = mul(count, pool.channels)
        return For(e.name, I32, const(0), stop, const(1), Block((stored,)), LoopKind.VECTOR)
