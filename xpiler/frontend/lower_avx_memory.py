"""Intrinsics that read and write memory or make registers from numbers: loads, gathers, broadcasts."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

from xpiler.frontend.lower_avx import (
    WIDTHS,
    Handler,
    define,
    immediate,
    operand,
    register_type,
    without,
)
from xpiler.frontend.lower_builtins import Invocation
from xpiler.frontend.lower_context import number
from xpiler.frontend.lower_lanes import (
    Lanes,
    assign_lanes,
    constant_lanes,
    element_lane,
    lanes_of_value,
    listed,
    mask_of,
    new_lane,
    register_at,
    retyped,
    seen_as,
    simple,
)
from xpiler.frontend.lower_memory import load, pointer_of
from xpiler.frontend.lower_pointers import retype
from xpiler.frontend.lower_registry import BUILTINS, builtin
from xpiler.frontend.lower_types import REGISTERS, Pointer, Scalar
from xpiler.frontend.lower_values import VOID_VALUE, Address, Element, Value
from xpiler.ir import build
from xpiler.ir.nodes import Assign, Block, Expr, For, If, Load, LoopKind, Trap
from xpiler.ir.rewrite import children
from xpiler.ir.types import BF16, F16, F32, F64, I8, I16, I32, I64, DType
from xpiler.platforms.vnni_elementwise import SUFFIXES, as_bits

_TYPES: dict[str, DType] = {s: d for s, d in SUFFIXES.items() if not s.startswith("epu")}


# ------------------------------------------------------------------------------------------------------ loads


def _place(call: Invocation, bits: int, dtype: DType) -> Element:
    """The memory that the first argument points to; for those who check, with what `load` and `store` without
    `u` need of it: its offset in the array is a multiple of the register's size."""
    place = register_at(call.ctx, register_type(bits, dtype), call.args[0])
    aligned = not re.search(r"_(loadu|storeu|lddqu)_", call.name)
    if aligned and call.ctx.entities.tells_streams and place.index is None and place.unit:
        bytes_ = build.mul(build.cast(place.offset, I64), build.const(place.unit, I64))
        whole = build.eq(build.mod(bytes_, build.const(bits // 8, I64)), build.const(0, I64))
        name = f"{place.memory.name} at an address that may be no multiple of {bits // 8} bytes"
        call.ctx.emit(
            Trap("alignment", whole, f"{call.name} accesses {name}", range=call.ctx.range(call.node))
        )
    return place


def _load(bits: int, dtype: DType) -> Handler:
    def handler(call: Invocation) -> Lanes:
        call.need(1)
        place = _place(call, bits, dtype)
        return lanes_of_value(call.ctx, place, dtype)

    return handler


def _load_whole(bits: int) -> Callable[[Invocation], Value]:
    """A load of integers of no said width: a place, whose lanes are those of the array."""
    return lambda call: _place(call, bits, I32)


def _store(bits: int, dtype: DType | None) -> Callable[[Invocation], Value]:
    def handler(call: Invocation) -> Value:
        call.need(2)
        ctype = register_type(bits, dtype or I32)
        place = _place(call, bits, dtype or I32)
        value = lanes_of_value(call.ctx, call.args[1], dtype)
        assign_lanes(call.ctx, place, retyped(value, ctype) if value.type != ctype else value)
        return VOID_VALUE

    return handler


def _masked_store(bits: int, dtype: DType) -> Callable[[Invocation], Value]:
    def handler(call: Invocation) -> Value:
        call.need(3)
        place = _place(call, bits, dtype)
        where = mask_of(call.ctx, call.args[1], bits // dtype.bits)
        assign_lanes(call.ctx, place, lanes_of_value(call.ctx, call.args[2], dtype), where)
        return VOID_VALUE

    return handler


def _register_loads() -> None:
    for prefix, bits in WIDTHS.items():
        for suffix, dtype in _TYPES.items():
            for name in ("loadu", "load"):
                define(prefix, f"{name}_{suffix}", _load(bits, dtype))
            for name in ("storeu", "store", "stream"):
                BUILTINS[f"{prefix}{name}_{suffix}"] = _store(bits, dtype)
            for name in ("storeu", "store"):
                BUILTINS[f"{prefix}mask_{name}_{suffix}"] = _masked_store(bits, dtype)
        for name in ("loadu", "load", "stream_load", "lddqu"):
            BUILTINS[f"{prefix}{name}_si{bits}"] = _load_whole(bits)
        for name in ("storeu", "store", "stream"):
            BUILTINS[f"{prefix}{name}_si{bits}"] = _store(bits, None)
    for prefix in ("_mm_", "_mm256_"):
        for suffix, dtype in (("ps", F32), ("pd", F64), ("epi32", I32), ("epi64", I64)):
            BUILTINS[f"{prefix}maskload_{suffix}"] = _load_by_sign(WIDTHS[prefix], dtype)
            BUILTINS[f"{prefix}maskstore_{suffix}"] = _store_by_sign(WIDTHS[prefix], dtype)
    for suffix, dtype in (("ss", F32), ("sd", F64), ("si32", I32), ("si64", I64), ("si16", I16)):
        for name in ("load", "loadu"):
            BUILTINS[f"_mm_{name}_{suffix}"] = _load_first(dtype)
        for name in ("store", "storeu"):
            BUILTINS[f"_mm_{name}_{suffix}"] = _store_first(dtype)
    for name in ("loadl_epi64", "storel_epi64"):
        BUILTINS[f"_mm_{name}"] = _load_first(I64) if name[0] == "l" else _store_first(I64)


def _sign(call: Invocation, position: int, dtype: DType) -> Callable[[Expr], Expr]:
    whole = I64 if dtype.bits == 64 else I32
    value = operand(call, position, whole)
    return lambda lane: build.lt(value.at(lane), build.const(0, whole))


def _load_by_sign(bits: int, dtype: DType) -> Handler:
    def handler(call: Invocation) -> Lanes:
        value, where = _load(bits, dtype)(call), _sign(call, 1, dtype)
        zero = build.const(0, dtype)
        return Lanes(value.type, dtype, lambda lane: build.select(where(lane), value.at(lane), zero))

    return handler


def _store_by_sign(bits: int, dtype: DType) -> Callable[[Invocation], Value]:
    def handler(call: Invocation) -> Value:
        place = register_at(call.ctx, register_type(bits, dtype), call.args[0])
        assign_lanes(call.ctx, place, operand(call, 2, dtype), _sign(call, 1, dtype))
        return VOID_VALUE

    return handler


def _scalar_at(call: Invocation, pointer: Value, dtype: DType) -> Expr:
    """A number in memory, as intrinsics read it: of any alignment."""
    from xpiler.frontend.lower_memory import deref

    ctx = call.ctx
    place = deref(ctx, retype(pointer_of(ctx, pointer), Pointer(Scalar(dtype))))
    if isinstance(place, Element):
        whole = REGISTERS["__m128i"]
        inner = Element(whole, place.memory, place.index, place.offset, place.unit, place.prefix)
        if place.index is not None and len(place.index) == len(place.memory.shape) and place.index:
            return as_bits(load(ctx, place), dtype)
        return element_lane(ctx, inner, dtype, build.const(0))
    return as_bits(load(ctx, place), dtype)


def _load_first(dtype: DType) -> Handler:
    def handler(call: Invocation) -> Lanes:
        return first_lane(call, _scalar_at(call, call.args[0], dtype), 128)

    return handler


def _store_first(dtype: DType) -> Callable[[Invocation], Value]:
    def handler(call: Invocation) -> Value:
        from xpiler.frontend.lower_memory import deref, store

        ctx = call.ctx
        value = operand(call, 1, dtype).at(build.const(0))
        place = deref(ctx, retype(pointer_of(ctx, call.args[0]), Pointer(Scalar(dtype))))
        store(ctx, place, value)
        return VOID_VALUE

    return handler


def first_lane(call: Invocation, value: Expr, bits: int) -> Lanes:
    """The number in lane 0, zeros elsewhere."""
    ctype = register_type(bits, value.dtype)
    zero = build.const(0, value.dtype)
    return Lanes(ctype, value.dtype, lambda lane: build.select(build.eq(lane, 0), value, zero))


_register_loads()


# --------------------------------------------------------------------------------------- numbers to registers


def _same(bits: int, dtype: DType) -> Handler:
    def handler(call: Invocation) -> Lanes:
        value = call.number_as(0, dtype)
        return constant_lanes(register_type(bits, dtype), steady(call, value))

    return handler


def steady(call: Invocation, value: Expr) -> Expr:
    """A number that is computed once, not in every lane, if it takes more than a look."""
    from xpiler.ir.nodes import Cast, Const, Load, Var

    inner = value
    while isinstance(inner, Cast):
        inner = inner.operand
    if isinstance(inner, (Const, Var, Load)):
        return value
    kept = call.ctx.temporary(value, "scalar")
    call.ctx.settled.add(kept.name)
    return kept


def _zero(bits: int, dtype: DType) -> Handler:
    return lambda call: constant_lanes(register_type(bits, dtype), build.const(0, dtype))


def _listed(bits: int, dtype: DType, upwards: bool) -> Handler:
    """`setr`: the first operand is lane 0; `set`: the last one."""

    def handler(call: Invocation) -> Lanes:
        values = [build.cast(n, dtype) for n in call.numbers()]
        if not upwards:
            values.reverse()
        lanes = bits // dtype.bits
        if len(values) != lanes:
            values = (values * lanes)[:lanes]  # set4
        return listed(call.ctx, register_type(bits, dtype), values)

    return handler


def _first_repeated(bits: int, dtype: DType) -> Handler:
    """Lane 0 of a register in every lane."""

    def handler(call: Invocation) -> Lanes:
        value = operand(call, 0, dtype).at(build.const(0))
        return constant_lanes(register_type(bits, dtype), value)

    return handler


def _repeated(bits: int, part: int, dtype: DType) -> Handler:
    """A narrow register again and again."""

    def handler(call: Invocation) -> Lanes:
        source = operand(call, 0, dtype)
        count = part // dtype.bits
        return Lanes(register_type(bits, dtype), dtype, lambda lane: source.at(build.mod(lane, count)))

    return handler


def _repeated_memory(bits: int, part: int, dtype: DType) -> Handler:
    def handler(call: Invocation) -> Lanes:
        source = _load(part, dtype)(call)
        count = part // dtype.bits
        return Lanes(register_type(bits, dtype), dtype, lambda lane: source.at(build.mod(lane, count)))

    return handler


def _broadcast_number(bits: int, dtype: DType) -> Handler:
    """`_mm256_broadcast_ss(pointer)`"""
    return lambda call: constant_lanes(register_type(bits, dtype), _scalar_at(call, call.args[0], dtype))


def _first(call: Invocation, dtype: DType) -> Lanes:
    return first_lane(call, call.number_as(0, dtype), 128)


def _register_makers() -> None:
    for prefix, bits in WIDTHS.items():
        for suffix, dtype in _TYPES.items():
            define(prefix, f"set1_{suffix}", _same(bits, dtype))
            for name, upwards in (("set", False), ("setr", True), ("set4", False), ("setr4", True)):
                BUILTINS[f"{prefix}{name}_{suffix}"] = _listed(bits, dtype, upwards)
            for name in ("setzero", "undefined"):
                BUILTINS[f"{prefix}{name}_{suffix}"] = _zero(bits, dtype)
        BUILTINS[f"{prefix}setzero_si{bits}"] = BUILTINS[f"{prefix}undefined_si{bits}"] = _zero(bits, I32)
        BUILTINS[f"{prefix}setzero"] = BUILTINS[f"{prefix}undefined"] = _zero(bits, F32)
        BUILTINS[f"{prefix}set1_epi64x"] = _same(bits, I64)
        BUILTINS[f"{prefix}set_epi64x"] = _listed(bits, I64, False)
        BUILTINS[f"{prefix}setr_epi64x"] = _listed(bits, I64, True)
        BUILTINS[f"{prefix}set_ps1"] = _same(bits, F32)
        for suffix, dtype in (
            ("ss_ps", F32),
            ("sd_pd", F64),
            ("b_epi8", I8),
            ("w_epi16", I16),
            ("d_epi32", I32),
            ("q_epi64", I64),
        ):
            define(prefix, f"broadcast{suffix}", _first_repeated(bits, dtype))
        for dtype, letter in ((F32, "f"), (F64, "f"), (I32, "i"), (I64, "i")):
            for count in (2, 4, 8):
                part = max(count * dtype.bits, 128)
                if count * dtype.bits < bits and part < bits:
                    define(prefix, f"broadcast_{letter}{dtype.bits}x{count}", _repeated(bits, part, dtype))
        BUILTINS[f"{prefix}broadcast_ss"] = _broadcast_number(bits, F32)
        BUILTINS[f"{prefix}broadcast_sd"] = _broadcast_number(bits, F64)
        BUILTINS[f"{prefix}load1_ps"] = BUILTINS[f"{prefix}load_ps1"] = _broadcast_number(bits, F32)
    BUILTINS["_mm256_broadcast_ps"] = _repeated_memory(256, 128, F32)
    BUILTINS["_mm256_broadcast_pd"] = _repeated_memory(256, 128, F64)
    BUILTINS["_mm256_broadcastsi128_si256"] = _repeated(256, 128, I32)
    for suffix, dtype in (("ss", F32), ("sd", F64)):
        BUILTINS[f"_mm_set_{suffix}"] = partial(_first, dtype=dtype)
    for suffix, dtype in (("si32", I32), ("si64", I64), ("si64x", I64)):
        BUILTINS[f"_mm_cvt{suffix}_si128"] = partial(_first, dtype=dtype)


_register_makers()


# ----------------------------------------------------------------------------------------- casts, first lanes


def _cast(bits: int, dtype: DType) -> Handler:
    """The same bits as another register type; a wider one has zeros behind."""

    def handler(call: Invocation) -> Lanes:
        source = lanes_of_value(call.ctx, call.args[0])
        ctype = register_type(bits, dtype)
        wanted = dtype if dtype.is_float else source.dtype
        if source.count * source.dtype.bits < bits:
            source = seen_as(call.ctx, simple(call.ctx, source), wanted)
            limit, zero = source.count, build.const(0, wanted)
            return Lanes(
                ctype,
                wanted,
                lambda lane: build.select(
                    build.lt(lane, limit), source.at(build.minimum(lane, limit - 1)), zero
                ),
            )
        if source.dtype != wanted:
            source = seen_as(call.ctx, source, wanted)
        return retyped(source, ctype)

    return handler


def _first_lane(call: Invocation, dtype: DType) -> Value:
    return number(operand(call, 0, dtype).at(build.const(0)))


def _register_casts() -> None:
    names = {"ps": F32, "pd": F64, "si": I32, "ph": F16, "pbh": BF16}
    for prefix, bits in WIDTHS.items():
        for source in names:
            for target, dtype in names.items():
                spelled = [f"{n}{bits}" if n == "si" else n for n in (source, target)]
                BUILTINS[f"{prefix}cast{spelled[0]}_{spelled[1]}"] = _cast(bits, dtype)
        for name, dtype in names.items():
            for small in (128, 256):
                for large in (256, 512):
                    if small < large:
                        for verb in ("cast", "zext"):
                            BUILTINS[f"{prefix}{verb}{name}{small}_{name}{large}"] = _cast(large, dtype)
                        BUILTINS[f"{prefix}cast{name}{large}_{name}{small}"] = _cast(small, dtype)
    firsts = {
        "ss_f32": F32,
        "sd_f64": F64,
        "si128_si32": I32,
        "si128_si64": I64,
        "si256_si32": I32,
        "si512_si32": I32,
    }
    for prefix in WIDTHS:
        for name, dtype in firsts.items():
            BUILTINS[f"{prefix}cvt{name}"] = partial(_first_lane, dtype=dtype)
    for prefix in WIDTHS:
        for name, dtype in (("epi8", I8), ("epi16", I16), ("epi32", I32), ("epi64", I64), ("ps", I32)):

            def extract(call: Invocation, dtype: DType = dtype) -> Value:
                value = operand(call, 0, dtype)
                lane = immediate(call, 1) % value.count
                found = value.at(build.const(lane))
                if dtype in (I8, I16):  # zero-extended
                    from xpiler.ir.types import U8, U16

                    found = build.cast(build.cast(found, U8 if dtype is I8 else U16), I32)
                return number(found)

            def insert(call: Invocation, dtype: DType = dtype) -> Lanes:
                value, one, lane = operand(call, 0, dtype), call.number_as(1, dtype), immediate(call, 2)
                number_ = lane % value.count
                return Lanes(
                    value.type, dtype, lambda at: build.select(build.eq(at, number_), one, value.at(at))
                )

            BUILTINS[f"{prefix}extract_{name}"] = extract
            if name != "ps":
                BUILTINS[f"{prefix}insert_{name}"] = insert


_register_casts()


# ------------------------------------------------------------------------------------------------------- bf16


def _from_bf16(bits: int) -> Handler:
    def handler(call: Invocation) -> Lanes:
        value = operand(call, 0, BF16)
        return Lanes(register_type(bits, F32), F32, lambda lane: build.cast(value.at(lane), F32))

    return handler


def _to_bf16(bits: int) -> Handler:
    def handler(call: Invocation) -> Lanes:
        value = operand(call, 0, F32)
        return Lanes(register_type(bits // 2, BF16), BF16, lambda lane: build.cast(value.at(lane), BF16))

    return handler


def _two_to_bf16(bits: int) -> Handler:
    """The second operand in the lower half."""

    def handler(call: Invocation) -> Lanes:
        high, low = (simple(call.ctx, operand(call, i, F32)) for i in range(2))
        half = bits // F32.bits

        def at(lane: Expr) -> Expr:
            first = build.lt(lane, half)
            return build.select(
                first,
                build.cast(low.at(build.minimum(lane, half - 1)), BF16),
                build.cast(high.at(build.maximum(build.sub(lane, half), 0)), BF16),
            )

        return Lanes(register_type(bits, BF16), BF16, at)

    return handler


for _prefix, _bits in WIDTHS.items():
    define(_prefix, "cvtpbh_ps", _from_bf16(_bits))
    define(_prefix, "cvtneps_pbh", _to_bf16(_bits))
    define(_prefix, "cvtne2ps_pbh", _two_to_bf16(_bits))
BUILTINS["_mm_cvtness_sbh"] = lambda call: number(build.cast(call.number_as(0, F32), BF16))
BUILTINS["_mm_cvtsbh_ss"] = lambda call: number(build.cast(call.number(0), F32))


# --------------------------------------------------------------------------------------- gathers and scatters


def _element_at(call: Invocation, pointer: Value, index: Expr, scale: int, dtype: DType) -> Expr:
    """The number at `pointer + index * scale` bytes."""
    from xpiler.frontend.lower_memory import advanced, deref

    ctx = call.ctx
    address = pointer_of(ctx, pointer)
    if not isinstance(address, Address) or address.memory is None:
        ctx.refuse("pointer-to-variable", f"`{call.name}` gathers from a single variable", call.node)

    def as_pointer(to: DType) -> Address:
        assert isinstance(address, Address)
        return replace(address, type=Pointer(Scalar(to)))

    unit = address.memory.dtype.bytes
    if scale == dtype.bytes and unit == dtype.bytes:
        place = deref(ctx, advanced(ctx, as_pointer(dtype), index))
        return as_bits(load(ctx, place), dtype)
    if scale % unit:
        ctx.refuse("gather-scale", f"`{call.name}` gathers at parts of the elements", call.node)
    steps = build.mul(index, build.const(scale // unit, index.dtype))
    moved = advanced(ctx, as_pointer(address.memory.dtype), steps)
    place = register_at(ctx, REGISTERS["__m512i"], moved)
    return element_lane(ctx, place, dtype, build.const(0))


def _gather(bits: int, index_type: DType, dtype: DType, swapped: bool) -> Handler:
    """Operands: indices, pointer, scale; before AVX-512 the pointer comes first."""

    def handler(call: Invocation) -> Lanes:
        pointer, position = (call.args[0], 1) if swapped else (call.args[1], 0)
        indices = operand(call, position, index_type)
        scale = immediate(call, 2)
        count = bits // max(index_type.bits, dtype.bits)
        return Lanes(
            register_type(count * dtype.bits, dtype),
            dtype,
            lambda lane: _element_at(call, pointer, indices.at(lane), scale, dtype),
        )

    return handler


def _masked_gather(one: Handler) -> Handler:
    def handler(call: Invocation) -> Lanes:
        result = one(without(call, 0, 1))
        condition = mask_of(call.ctx, call.args[1], result.count)
        rest = lanes_of_value(call.ctx, call.args[0], result.dtype)
        return Lanes(
            result.type,
            result.dtype,
            lambda lane: build.select(condition(lane), result.at(lane), rest.at(lane)),
        )

    return handler


def _scatter(bits: int, index_type: DType, dtype: DType, masked: bool) -> Callable[[Invocation], Value]:
    """Lanes are written in order: of equal addresses the last one stays."""

    def handler(call: Invocation) -> Value:
        ctx = call.ctx
        inner = without(call, 1) if masked else call
        indices = simple(ctx, operand(inner, 1, index_type))
        value, scale = simple(ctx, operand(inner, 2, dtype)), immediate(inner, 3)
        count = bits // max(index_type.bits, dtype.bits)
        lane = new_lane(ctx, count)
        place = _element_at(call, call.args[0], indices.at(lane), scale, dtype)
        from xpiler.ir.nodes import Load

        if not isinstance(place, Load):
            ctx.refuse("scatter", f"`{call.name}` writes parts of elements", call.node)
        body: tuple[Assign | If, ...] = (Assign(place, as_bits(value.at(lane), place.dtype)),)
        if masked:
            body = (If(mask_of(ctx, call.args[1], count)(lane), Block(body)),)
        ctx.emit(
            For(
                lane.name,
                I32,
                build.const(0),
                build.const(count),
                build.const(1),
                Block(body),
                LoopKind.SERIAL,
            )
        )
        return VOID_VALUE

    return handler


def _register_gathers() -> None:
    for prefix, bits in WIDTHS.items():
        for index_type in (I32, I64):
            for suffix, dtype in (("ps", F32), ("pd", F64), ("epi32", I32), ("epi64", I64)):
                name = f"i{index_type.bits}gather_{suffix}"
                plain = _gather(bits, index_type, dtype, swapped=bits < 512)
                BUILTINS[prefix + name] = plain
                BUILTINS[f"{prefix}mask_{name}"] = BUILTINS[f"{prefix}mmask_{name}"] = _masked_gather(
                    _gather(bits, index_type, dtype, swapped=False)
                )
                name = f"i{index_type.bits}scatter_{suffix}"
                BUILTINS[prefix + name] = _scatter(bits, index_type, dtype, False)
                BUILTINS[f"{prefix}mask_{name}"] = _scatter(bits, index_type, dtype, True)


_register_gathers()


# ---------------------------------------------------------------------------------------- no effect on values


@builtin("_mm_prefetch", "__builtin_prefetch")
def _prefetched(call: Invocation) -> Value:
    """Nothing happens to what is brought near; the indices that say what it is are read all the same."""
    address = call.args[0] if call.args else VOID_VALUE
    if isinstance(address, Address):
        for part in (*address.prefix, address.offset):
            for read in _outermost_reads(part):
                call.ctx.temporary(read)
    return VOID_VALUE


def _outermost_reads(expr: Expr) -> Iterator[Load]:
    if isinstance(expr, Load):
        yield expr
        return
    for child in children(expr):
        if isinstance(child, Expr):
            yield from _outermost_reads(child)


@builtin(
    "_mm_sfence", "_mm_lfence", "_mm_mfence", "_mm256_zeroupper", "_mm256_zeroall",
    "_mm_pause", "_mm_clflush", "_mm_clflushopt", "_mm_free",
)  # fmt: skip
def _nothing(call: Invocation) -> Value:
    return VOID_VALUE
