"""Sums of products over windows of an HWC tensor become convolutions, with the weights in WRAM.

    for x: for o:  acc = 0                           for o0 by 64:  weights of 64 channels into WRAM
      for i: for j: for c:                             for x0 by pixels:
        acc += in[.. i*R + (x*sw + j)*P + c]    -->      window <- in[..]   kh rows of (n - 1)*sw + kw pixels
               * f[((o*kh + i)*kw + j)*C + c]            __bang_conv(sums, window, weights, ...)
      out[.. x.., o] = g(acc)                            out[..] = g(sums)

What is matched is the meaning of `__bang_conv` and nothing of names: one factor that has the strides of an
HWC tensor in x, j and c and does not move with o, and one that has those of OHWI weights and does not move
with x. Pixels that a guard leaves out (padding) are zeros. Channels are padded to what a row of weights in
WRAM needs.

The loop over the channels of the output moves outside of all loops that the weights are the same for: each
core loads them once. The nest stays as it was for the sizes where a window or its weights do not fit: there
it becomes a product of matrices.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from xpiler.ir.affine import coefficient, simplify, to_expr
from xpiler.ir.build import add, and_, cast, const, div, is_const, le, lt, maximum, minimum, mul, or_, sub
from xpiler.ir.nodes import (
    Assign,
    Block,
    Const,
    Decl,
    Expr,
    For,
    Function,
    If,
    Instr,
    Load,
    Ref,
    Space,
    Stmt,
    Var,
)
from xpiler.ir.rewrite import free_vars, substitute
from xpiler.ir.types import F32, I32
from xpiler.passes.lane_ranges import clamped, cut_of
from xpiler.passes.names import Names
from xpiler.passes.window_nests import Windows, is_form, match_windows
from xpiler.platforms.bang import VECTOR_BYTES, WEIGHT_BYTES, WEIGHT_LANES, Architecture

LONGEST_STRIDE = 1023
VECTOR_ELEMENTS = VECTOR_BYTES // F32.bytes
_LANES = const(WEIGHT_LANES)


@dataclass(frozen=True)
class Convolved:
    """`bytes`: of NRAM that windows and sums take; `wram`: of WRAM."""

    function: Function
    bytes: int = 0
    wram: int = 0


def convolve_windows(function: Function, architecture: Architecture, taken: int) -> Convolved:
    """The first such nest; `taken`: bytes of NRAM in use otherwise."""
    names = Names(function)
    memory = {p.name: p.dtype for p in function.params if p.is_pointer}
    made: list[_Convolution] = []

    def block(inner: Block) -> Block:
        out: list[Stmt] = []
        for stmt in inner.body:
            found = None
            if isinstance(stmt, For) and not made:
                windows = match_windows(stmt, memory)
                if windows is not None:
                    new = _Convolution(windows, stmt, names, architecture, taken, frozenset(memory))
                    found = new.choice()
                    made.extend([new] if found is not None else [])
            match stmt:
                case _ if found is not None:
                    out += found
                case For():
                    out.append(replace(stmt, body=block(stmt.body)))
                case If(then=then, otherwise=otherwise):
                    out.append(replace(stmt, then=block(then), otherwise=block(otherwise)))
                case _:
                    out.append(stmt)
        return replace(inner, body=tuple(out))

    body = block(function.body)
    if not made:
        return Convolved(function)
    body = replace(body, body=(*made[0].declarations(), *body.body))
    return Convolved(replace(function, body=body), made[0].bytes, made[0].wram)


# ---------------------------------------------------------------------------------------------- the loops


@dataclass
class _Convolution:
    """One nest on its way to a convolution of as many neighbouring pixels at a time as have room."""

    windows: Windows
    whole: For
    names: Names
    architecture: Architecture
    taken: int
    memory: frozenset[str]  # arrays of the device; others lie in the scratchpad
    bytes: int = 0

    def __post_init__(self) -> None:
        nest, fresh = self.windows, self.names.fresh
        self.dtype = nest.image.dtype
        self.wram = self.architecture.wram * 3 // 4  # the rest is for products that are no convolutions
        self.room = Var(I32, fresh("room"))  # elements of the sums; the windows take seven times as much
        self.window_room = mul(self.room, 7 * F32.bytes // self.dtype.bytes)
        self.window = fresh(f"{nest.image.array}_window")
        self.weights = fresh(f"{nest.weight.array}_wram")
        self.sums = fresh(f"{nest.accumulator.name}_nram")
        unit = WEIGHT_BYTES // self.dtype.bytes
        self.padded = mul(div(add(nest.window[2], unit - 1), unit), unit)
        self.deep = self.padded if is_const(self.padded) else Var(I32, fresh("channels_padded"))

    def choice(self) -> tuple[Stmt, ...] | None:
        """The convolution where it fits, else the nest as it was."""
        deep = (Decl(self.deep.name, I32, init=self.padded),) if isinstance(self.deep, Var) else ()
        fits = self.fits()
        free = self.architecture.usable_nram - self.taken
        known = not free_vars(fits) - {self.room.name}
        plain = known and self.plain_store() is not None
        self.elements = (free if plain else free // 2) // (8 * F32.bytes) // VECTOR_ELEMENTS * VECTOR_ELEMENTS
        self.bytes = 8 * F32.bytes * self.elements
        if self.elements < WEIGHT_LANES:
            return None
        if not known:
            return (*deep, If(fits, Block(self.loops()), Block((self.whole,))))
        return (*deep, *self.loops()) if is_const(simplify(self.with_room(fits)), 1) else None

    def with_room(self, expr: Expr) -> Expr:
        return substitute(expr, {self.room.name: const(self.elements)})

    def declarations(self) -> list[Stmt]:
        parts = 7 * F32.bytes // self.dtype.bytes
        return [
            Decl(self.room.name, I32, init=const(self.elements)),
            Decl(self.window, self.dtype, (mul(const(parts), self.room),), Space.NRAM),
            Decl(self.sums, F32, (self.room,), Space.NRAM),
            Decl(self.weights, self.dtype, (const(self.wram // self.dtype.bytes),), Space.WRAM),
        ]

    def fits(self) -> Expr:
        rows, columns, _ = self.windows.window
        lanes = mul(mul(mul(rows, columns), self.deep), WEIGHT_LANES)
        step = self.windows.step
        conditions = [
            *(le(1, size) for size in dict.fromkeys((rows, columns, step))),
            le(step, LONGEST_STRIDE),
        ]
        conditions += [le(lanes, self.window_room), le(lanes, self.wram // self.dtype.bytes)]
        return and_(*conditions)

    def loops(self) -> tuple[Stmt, ...]:
        nest, fresh = self.windows, self.names.fresh
        o = nest.channels
        first, count = Var(I32, fresh(f"{o.var}_tile")), Var(I32, fresh("columns"))
        stop, ends = self.end(o)
        inside: tuple[Stmt, ...] = self.pixels(first, count, stop)
        at = self.depth_of_weights()
        for outer in reversed(nest.outer[at:]):
            *before, _ = outer.body.body
            inside = (replace(outer, body=Block((*before, *inside))),)
        tile = Decl(count.name, I32, init=minimum(_LANES, sub(stop, first)))
        body = Block((tile, *self.bring_weights(first, count), *inside))
        inside = (*ends, For(first.name, I32, o.start, stop, _LANES, body, range=o.range))
        for outer in reversed(nest.outer[:at]):
            *before, _ = outer.body.body
            inside = (replace(outer, body=Block((*before, *inside))),)
        return inside

    def depth_of_weights(self) -> int:
        """How many of the outer loops stay around the loads of weights."""
        nest = self.windows
        needs = (
            free_vars(nest.weight.index[0]) | free_vars(nest.channels.start) | free_vars(nest.channels.stop)
        )
        needs |= {name for size in nest.window for name in free_vars(size)}
        at = 0
        for n, outer in enumerate(nest.outer):
            inside = {outer.var} | {d.name for d in outer.body.body if isinstance(d, Decl)}
            at = n + 1 if inside & needs else at
        return at

    def end(self, loop: For) -> tuple[Expr, tuple[Stmt, ...]]:
        if isinstance(loop.stop, (Var, Const)):
            return loop.stop, ()
        name = Var(I32, self.names.fresh(f"{loop.var}_end"))
        return name, (Decl(name.name, I32, init=loop.stop),)

    def bring_weights(self, first: Var, count: Var) -> tuple[Stmt, ...]:
        """The weights of 64 channels of the output, which need no other order, by way of the window."""
        nest = self.windows
        rows, columns, depth = nest.window
        area = mul(rows, columns)
        place = substitute(
            nest.weight.index[0], {nest.channels.var: first, **dict.fromkeys(nest.vars, const(0))}
        )
        source, staged = Ref(self.dtype, nest.weight.array, place), Ref(self.dtype, self.window, const(0))
        lanes = mul(mul(area, self.deep), WEIGHT_LANES)
        partly = or_(lt(depth, self.deep), lt(count, _LANES))
        zeros = Instr("__bang_write_value", (staged, lanes, const(0, self.dtype)))
        segments = sub(mul(count, area), 1)
        return (
            If(partly, Block((zeros,))),
            _copy(staged, source, "GDRAM2NRAM", depth, self.deep, depth, segments),
            _copy(Ref(self.dtype, self.weights, const(0)), staged, "NRAM2WRAM", lanes),
        )

    def pixels(self, channel: Var, channels: Var, stop: Expr) -> tuple[Stmt, ...]:
        nest, fresh = self.windows, self.names.fresh
        x = nest.pixels
        rows, columns, _ = nest.window
        first, most = Var(I32, fresh(f"{x.var}_tile")), Var(I32, fresh("pixels"))
        count, width = Var(I32, fresh("count")), Var(I32, fresh("width"))
        last, ends = self.end(x)
        by_window = add(div(sub(div(self.window_room, mul(rows, self.deep)), columns), nest.step), 1)
        by_sums = div(self.room, _LANES)
        window, sums = Ref(self.dtype, self.window, const(0)), Ref(F32, self.sums, const(0))
        weights = Ref(self.dtype, self.weights, const(0))
        sizes = (self.deep, rows, width, rows, columns, nest.step, const(1), channels)
        body = (
            Decl(count.name, I32, init=minimum(most, sub(last, first))),
            Decl(width.name, I32, init=add(mul(sub(count, 1), nest.step), columns)),
            *self.bring_window(first, width),
            Instr("__bang_conv", (sums, window, weights, *sizes)),
            *self.results(first, count, channel, channels),
        )
        tiles = For(first.name, I32, x.start, last, most, Block(body), range=x.range)
        return (*ends, Decl(most.name, I32, init=minimum(by_window, by_sums)), tiles)

    def bring_window(self, first: Var, width: Var) -> tuple[Stmt, ...]:
        """The rows of pixels that windows need, zeros where guards leave some out or channels are padded."""
        nest, fresh = self.windows, self.names.fresh
        rows, _, depth = nest.window
        i_var, j_var, c_var = nest.vars
        i = Var(I32, fresh("row"))
        here = {i_var: i, nest.pixels.var: first, c_var: const(0)}
        guards = [substitute(g, here) for g in nest.guards]
        begin: Expr = const(0)
        end: Expr = width
        for guard in nest.cuts:
            cut = cut_of(substitute(guard, here), j_var, const(0))
            begin = begin if cut.begin is None else maximum(begin, clamped(cut.begin, const(0), width))
            end = end if cut.end is None else minimum(end, clamped(cut.end, const(0), width))
        named: list[Stmt] = []
        if nest.cuts:
            lo, hi = Var(I32, fresh("begin")), Var(I32, fresh("end"))
            named = [Decl(lo.name, I32, init=cast(begin, I32)), Decl(hi.name, I32, init=cast(end, I32))]
            begin, end = lo, hi
        place = substitute(nest.image.index[0], {**here, j_var: begin})
        to = Ref(self.dtype, self.window, mul(add(mul(i, width), begin), self.deep))
        source = Ref(self.dtype, nest.image.array, simplify(place))
        copied = _copy(to, source, "GDRAM2NRAM", depth, self.deep, nest.pixel, sub(sub(end, begin), 1))
        inside: tuple[Stmt, ...] = (copied,)
        if nest.cuts:
            guards.append(lt(begin, end))
        if guards:
            inside = (If(and_(*guards), Block(inside)),)
        zeros: Stmt = Instr(
            "__bang_write_value",
            (Ref(self.dtype, self.window, const(0)), mul(mul(rows, width), self.deep), const(0, self.dtype)),
        )
        if not nest.guards and not nest.cuts:
            zeros = If(lt(depth, self.deep), Block((zeros,)))
        if is_const(rows, 1):
            return (zeros, *named, *(substitute(s, {i.name: const(0)}) for s in inside))
        return (zeros, *named, For(i.name, I32, const(0), rows, const(1), Block(inside)))

    def results(self, first: Var, count: Var, channel: Var, channels: Var) -> tuple[Stmt, ...]:
        """What was done with a sum, for the pixels and channels of a tile."""
        nest = self.windows
        x, o = nest.pixels, nest.channels
        store = self.plain_store()
        if store is not None:
            target = store.target
            assert isinstance(target, Load)
            stride = coefficient(target.index[0], x.var)
            assert stride is not None
            place = substitute(target.index[0], {x.var: first, o.var: channel})
            to = Ref(F32, target.array, place)
            sums = Ref(F32, self.sums, const(0))
            direction = "NRAM2GDRAM" if target.array in self.memory else "NRAM2NRAM"
            return (_copy(to, sums, direction, channels, to_expr(stride, I32), channels, sub(count, 1)),)
        at = add(mul(sub(Var(I32, x.var), first), channels), sub(Var(I32, o.var), channel))
        collected: Expr = Load(F32, self.sums, (at,))
        start = nest.accumulator.init
        assert isinstance(start, Expr)
        if not is_const(start, 0):
            collected = add(start, collected)
        total = Decl(nest.accumulator.name, F32, init=collected)
        inner = replace(o, start=channel, stop=add(channel, channels), body=Block((total, *nest.rest)))
        stop = add(first, count)
        return (replace(x, start=first, stop=stop, body=Block((*nest.before, inner))),)

    def plain_store(self) -> Assign | None:
        """`out[..] = acc` if that is all that is left to do, along the channels."""
        nest = self.windows
        if nest.accumulator.init != const(0, F32):
            return None
        match nest.rest:
            case (Assign(target=Load(index=(index,)) as target, value=Var(name=name), reduce=None) as store,):
                near, beside = (coefficient(index, v.var) for v in (nest.channels, nest.pixels))
                if name == nest.accumulator.name and target.dtype == F32 and is_form(near, const(1)):
                    return store if beside is not None and nest.pixels.var not in beside.variables() else None
        return None


def _copy(dst: Ref, src: Ref, direction: str, size: Expr, *strided: Expr) -> Instr:
    return Instr("__memcpy", (dst, src, size, *strided), (("direction", direction),))
