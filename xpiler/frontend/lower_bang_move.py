"""Copies, fills and single accesses of BANG C.

    __memcpy(dst, src, n * sizeof(float), GDRAM2NRAM)       for i in 0..n: dst[i] = src[i]
    __memcpy(d, s, w, dir, dst_stride, src_stride, 7)       for j in 0..8: for i in 0..w: d[j][i] = s[j][i]

An asynchronous copy is done at once: that is one of the times at which it may happen. Copies to and from SRAM
are the memory core's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from xpiler.frontend.lower_bang import address, element_type, on_each_side
from xpiler.frontend.lower_builtins import Invocation
from xpiler.frontend.lower_context import Context, constant
from xpiler.frontend.lower_memory import deref, load, place_of, pointer_of, snapshot, store
from xpiler.frontend.lower_offsets import divided, in_units, plus
from xpiler.frontend.lower_registry import method
from xpiler.frontend.lower_spaces import wanted_in
from xpiler.frontend.lower_streams import operands_of, stream_of
from xpiler.frontend.lower_tasks import ON_FIRST_CORE
from xpiler.frontend.lower_values import VOID_VALUE, Address, Value
from xpiler.frontend.predefined_bang import DIRECTIONS
from xpiler.ir import build
from xpiler.ir.affine import simplify
from xpiler.ir.nodes import Assign, Block, Const, Expr, For, If, Load, LoopKind, Space, Stmt, Trap, Var
from xpiler.ir.types import BOOL, F32, F64, I32, I64, U8, DType, promote

_BY_MEMORY_CORE = frozenset({"GDRAM2SRAM", "SRAM2GDRAM", "LDRAM2SRAM", "SRAM2LDRAM", "SRAM2SRAM"})


@dataclass(frozen=True)
class _Side:
    """One side of a copy: segments `strides` bytes apart, the inner first; `counts` of them."""

    pointer: Address
    strides: tuple[Expr, ...] = ()
    counts: tuple[Expr, ...] = ()


# ------------------------------------------------------------------------------------------ copies


@method("bang", "__memcpy", "__memcpy_async", "__bang_move")
def _memcpy(call: Invocation) -> Value:
    call.need(3)

    def lowered(args: Sequence[Value]) -> Value:
        to, from_, size = _shape(call, args)
        source, target = _direction(call, args).split("2")
        wanted_in(call, to.pointer, target, "its destination")
        wanted_in(call, from_.pointer, source, "its source")
        with call.ctx.capture() as out:
            _copy(call, to, from_, size)
        stmts: Sequence[Stmt] = out
        if _direction(call, args) in _BY_MEMORY_CORE:
            stmts = (If(ON_FIRST_CORE, Block(tuple(out))),)
        rule = "any" if call.name == "__bang_move" else "same"
        streams = stream_of(call, _direction(call, args), strided=bool(to.strides))
        with streams, operands_of(call, rule):
            for stmt in stmts:
                call.ctx.emit(stmt)
        return VOID_VALUE

    return on_each_side(call.ctx, call.args, lowered)


def _direction(call: Invocation, args: Sequence[Value]) -> str:
    if call.name == "__bang_move":
        return "NRAM2NRAM"
    call.need(4)
    direction = load(call.ctx, args[3])
    if not isinstance(direction, Const) or not 0 <= int(direction.value) < len(DIRECTIONS):
        call.ctx.refuse("bang-direction", f"the direction of `{call.name}` has to be a constant", call.node)
    return DIRECTIONS[int(direction.value)]


def _shape(call: Invocation, args: Sequence[Value]) -> tuple[_Side, _Side, Expr]:
    """Both sides and the bytes of a segment; a cluster's number at the end is left out."""
    ctx = call.ctx
    size = load(ctx, args[2])
    rest = [load(ctx, a) for a in args[3 if call.name == "__bang_move" else 4 :]]
    to, from_ = address(call, args[0]), address(call, args[1])
    match len(rest):
        case 0 | 1:
            return _Side(to), _Side(from_), size
        case 3 | 4:
            count = build.add(build.cast(rest[2], I32), 1)
            return _Side(to, (rest[0],), (count,)), _Side(from_, (rest[1],), (count,)), size
        case 8 | 9:
            counts = [build.add(build.cast(rest[n], I32), 1) for n in (1, 3, 5, 7)]
            there = _Side(to, (rest[0], rest[2]), (counts[0], counts[1]))
            here = _Side(from_, (rest[4], rest[6]), (counts[2], counts[3]))
            return there, here, size
    ctx.refuse("arguments", f"`{call.name}` has no form with {len(args)} arguments", call.node)


def _copy(call: Invocation, to: _Side, from_: _Side, size: Expr) -> None:
    ctx = call.ctx
    dtype = _unit(to, from_, size)
    total = divided(size, dtype.bytes)
    if call.name == "__bang_move" and not to.strides and to.pointer.memory is from_.pointer.memory:
        if total is None:
            dtype, total = U8, size
        _moved(ctx, to, from_, dtype, total)
        return
    if total is not None:
        _segments(ctx, to, from_, dtype, total)
        return
    # The size may not be a whole number of elements: what is left over is copied byte by byte.
    whole = build.div(size, dtype.bytes)
    _segments(ctx, to, from_, dtype, whole)
    if dtype.bytes > 1:
        _segments(ctx, to, from_, U8, size, build.mul(build.cast(whole, promote(size.dtype)), dtype.bytes))


def _unit(to: _Side, from_: _Side, size: Expr) -> DType:
    """The widest element of either side that divides the segments and what lies between them."""
    types: list[DType] = []
    for side in (from_, to):
        memory = side.pointer.memory
        assert memory is not None
        types += [memory.dtype, element_type(side.pointer)]
    found = sorted((t for t in types if t.bytes > 1), key=lambda t: -t.bytes)
    byte = types[0] if types[0].bytes == 1 else U8
    for dtype in found:
        parts = [*to.strides, *from_.strides, *([size] if isinstance(size, Const) else [])]
        offsets = [s.pointer.offset for s in (to, from_) if s.pointer.unit < dtype.bytes]
        scaled = [build.mul(o, s.pointer.unit) for o, s in zip(offsets, (to, from_), strict=False)]
        if all(divided(p, dtype.bytes) is not None for p in (*parts, *scaled)):
            return dtype
    return found[0] if found and not (to.strides or from_.strides) else byte


def _moved(ctx: Context, to: _Side, from_: _Side, dtype: DType, count: Expr) -> None:
    """Sides that overlap in one array: towards the start from the first element on, else from the last."""
    i = Var(I32, ctx.fresh("i"))
    zero, one, stop = build.const(0), build.const(1), build.cast(count, I32)

    def loop(index: Expr) -> For:
        assign = Assign(_at(to, dtype, zero, index), _at(from_, dtype, zero, index))
        return For(i.name, I32, zero, stop, one, Block((assign,)))

    forwards, backwards = loop(i), loop(build.sub(build.sub(stop, one), i))
    there, here = (s.index[0] for s in (_at(to, dtype, zero, zero), _at(from_, dtype, zero, zero)))
    distance = simplify(build.sub(build.cast(here, I64), build.cast(there, I64)))
    if isinstance(distance, Const):
        ctx.emit(forwards if distance.value >= 0 else backwards)
        return
    ctx.emit(If(build.le(there, here), Block((forwards,)), Block((backwards,))))


def _segments(
    ctx: Context, to: _Side, from_: _Side, dtype: DType, stop: Expr, start: Expr | None = None
) -> None:
    """`for every segment: for i in start..stop: to[i] = from[i]`, in elements of `dtype`."""
    i = Var(I32, ctx.fresh("i"))

    def innermost(places: tuple[Expr, Expr]) -> Stmt:
        assign = Assign(_at(to, dtype, places[0], i), _at(from_, dtype, places[1], i))
        first = build.const(0) if start is None else build.cast(start, I32)
        last = build.cast(stop, I32)
        return For(i.name, I32, first, last, build.const(1), Block((assign,)), LoopKind.VECTOR)

    ctx.emit(_walk(ctx, to, from_, dtype, innermost))


def _walk(
    ctx: Context, to: _Side, from_: _Side, dtype: DType, inner: Callable[[tuple[Expr, Expr]], Stmt]
) -> Stmt:
    """Loops over the segments: those of the destination, in whose order the source is walked."""
    zero: Expr = build.const(0)
    if not to.counts:
        return inner((zero, zero))
    counters = [Var(I32, ctx.fresh(name)) for name in ("j", "k")[: len(to.counts)]]
    first = _offset(to, counters, dtype)
    if to.counts == from_.counts:
        second = _offset(from_, counters, dtype)
    else:
        line = build.add(build.mul(counters[1], to.counts[0]), counters[0])
        second = _offset(from_, [build.mod(line, from_.counts[0]), build.div(line, from_.counts[0])], dtype)
    result = inner((first, second))
    for counter, count in zip(counters, to.counts, strict=True):
        result = For(counter.name, I32, zero, count, build.const(1), Block((result,)), LoopKind.VECTOR)
    return result


def _offset(side: _Side, counters: Sequence[Expr], dtype: DType) -> Expr:
    total: Expr = build.const(0)
    for counter, stride in zip(counters, side.strides, strict=True):
        step = divided(stride, dtype.bytes)
        step = build.div(stride, dtype.bytes) if step is None else step
        total = build.add(total, build.mul(counter, build.cast(step, I32)))
    return total


def _at(side: _Side, dtype: DType, segment: Expr, i: Expr) -> Load:
    memory = side.pointer.memory
    assert memory is not None
    start = in_units(memory, side.pointer.offset, side.pointer.unit, dtype.bytes)
    return Load(dtype, memory.name, (plus(memory, plus(memory, start, segment), i),))


# ------------------------------------------------------------------------------------------ fills

_FILLS = ("__bang_write_value", "__memset_nram", "__nramset", "__gdramset", "__ldramset", "__sramset")


@method(
    "bang",
    *_FILLS,
    *(f"{name}_async" for name in _FILLS[2:]),
    *(f"__nramset_{name}" for name in ("half", "float", "int", "short")),
)
def _fill(call: Invocation) -> Value:
    """`(dst, n, value [, stride, segnum [, stride1, segnum1]])`: the value's type is that of the elements."""
    call.need(3)

    def lowered(args: Sequence[Value]) -> Value:
        ctx = call.ctx
        value = load(ctx, snapshot(ctx, args[2]))
        pointer = address(call, args[0])
        own = call.name.removeprefix("__nramset_")
        if own in ("half", "float", "int", "short"):
            value = build.cast(value, element_type(pointer))
        if value.dtype == F64:
            value = build.cast(value, F32)
        if not isinstance(value, Const):
            value = ctx.temporary(value, "value")
        rest = [load(ctx, a) for a in args[3:]]
        strides = tuple(rest[0::2])
        counts = tuple(build.add(build.cast(n, I32), 1) for n in rest[1::2])
        side = _Side(pointer, strides, counts)
        i = Var(I32, ctx.fresh("i"))

        def innermost(places: tuple[Expr, Expr]) -> Stmt:
            body = Block((Assign(_at(side, value.dtype, places[0], i), value),))
            n = build.cast(load(ctx, args[1]), I32)
            return For(i.name, I32, build.const(0), n, build.const(1), body, LoopKind.VECTOR)

        stmt = _walk(ctx, side, side, value.dtype, innermost)
        ctx.emit(If(ON_FIRST_CORE, Block((stmt,))) if call.name.startswith("__sramset") else stmt)
        return VOID_VALUE

    return on_each_side(call.ctx, call.args, lowered)


@method("bang", "__bang_write_zero")
def _zero(call: Invocation) -> Value:
    call.need(2)

    def lowered(args: Sequence[Value]) -> Value:
        ctx = call.ctx
        pointer = address(call, args[0])
        dtype = element_type(pointer)
        i = Var(I32, ctx.fresh("i"))
        zero = build.const(0)
        place = _at(_Side(pointer), dtype, zero, i)
        n = build.cast(load(ctx, args[1]), I32)
        body = Block((Assign(place, build.const(0, dtype)),))
        ctx.emit(For(i.name, I32, zero, n, build.const(1), body, LoopKind.VECTOR))
        return VOID_VALUE

    return on_each_side(call.ctx, call.args, lowered)


# ------------------------------------------------------------------------------------------ single accesses

_MEMORIES = ("nram", "sram", "gdram", "ldram")


@method("bang", *(f"__load_{name}" for name in _MEMORIES))
def _load(call: Invocation) -> Value:
    call.need(1)
    return snapshot(call.ctx, deref(call.ctx, pointer_of(call.ctx, call.args[0])))


@method("bang", *(f"__store_{name}" for name in _MEMORIES))
def _store(call: Invocation) -> Value:
    call.need(2)
    target = deref(call.ctx, pointer_of(call.ctx, call.args[0]))
    place = place_of(call.ctx, target)
    store(call.ctx, target, build.cast(call.number(1), place.dtype))
    return VOID_VALUE


_SPACES = {
    "__is_nram": Space.NRAM,
    "__is_wram": Space.WRAM,
    "__is_sram": Space.SHARED,
    "__is_dram": Space.GLOBAL,
}


@method("bang", *_SPACES)
def _is_in(call: Invocation) -> Value:
    call.need(1)
    memory = address(call, call.args[0]).memory
    assert memory is not None
    return constant(memory.space is _SPACES[call.name], BOOL)


# ------------------------------------------------------------------------------------------ the rest


@method("bang", "__bang_printf")
def _printf(call: Invocation) -> Value:
    call.ctx.emit(Trap("printf", build.const(True, BOOL), call.ctx.text(call.node)))
    return constant(0, I32)


@method("bang", "__assert_fail")
def _assert(call: Invocation) -> Value:
    call.ctx.emit(Trap("assert", build.const(False, BOOL), call.ctx.text(call.node)))
    return VOID_VALUE
