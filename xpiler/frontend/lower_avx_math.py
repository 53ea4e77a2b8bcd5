"""Intrinsics that work lane by lane: arithmetic, comparison, rounding, conversion, operations on masks."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from xpiler.frontend.lower_avx import (
    WIDTHS,
    Handler,
    define,
    everywhere,
    immediate,
    nearest,
    operand,
    register_type,
    selected,
    without,
)
from xpiler.frontend.lower_builtins import Invocation
from xpiler.frontend.lower_context import number
from xpiler.frontend.lower_lanes import (
    Lanes,
    lanes_of_value,
    mask_of,
    new_mask,
    scaled_lane,
    seen_as,
    simple,
)
from xpiler.frontend.lower_registry import BUILTINS
from xpiler.ir import build
from xpiler.ir.nodes import Expr, Var
from xpiler.ir.rewrite import walk
from xpiler.ir.types import BOOL, F32, F64, I8, I16, I32, I64, U32, U64, DType
from xpiler.platforms import vnni_elementwise as meanings
from xpiler.platforms.vnni_elementwise import SUFFIXES, Meaning, as_bits, unsigned

BYTE, WORD, DOUBLE, QUAD = 8, 16, 32, 64


def lanewise(bits: int, dtype: DType, count: int, meaning: Meaning) -> Handler:
    """The handler of an operation on lanes of one type."""

    repeated = _repeated(dtype, count, meaning)

    def handler(call: Invocation) -> Lanes:
        parts = [operand(call, i, dtype) for i in range(count)]
        parts = [simple(call.ctx, p) if again else p for p, again in zip(parts, repeated, strict=True)]
        return Lanes(register_type(bits, dtype), dtype, lambda lane: meaning(*(p.at(lane) for p in parts)))

    return handler


def _repeated(dtype: DType, count: int, meaning: Meaning) -> list[bool]:
    """Which operands a meaning looks at more than once: their values are kept first."""
    samples = [Var(dtype, f"operand{i}") for i in range(count)]
    seen = [node.name for node in walk(meaning(*samples)) if isinstance(node, Var)]
    return [seen.count(sample.name) > 1 for sample in samples]


def rounding_form(handler: Handler) -> Handler:
    """The form with a rounding mode as its last operand."""

    def rounding(call: Invocation) -> Lanes:
        nearest(call, len(call.args) - 1)
        return handler(without(call, len(call.args) - 1))

    return rounding


def _register_table() -> None:
    for stem, (suffixes, count, meaning) in meanings.TABLE.items():
        for suffix in suffixes:
            dtype = SUFFIXES[suffix]
            for prefix, bits in WIDTHS.items():
                handler = lanewise(bits, dtype, count, meaning)
                if count == meanings.THREE:
                    _define_fused(prefix, stem, suffix, handler)
                else:
                    define(prefix, f"{stem}_{suffix}", handler)
                    if dtype.is_float:
                        define(prefix, f"{stem}_round_{suffix}", rounding_form(handler))
    for stem, meaning in meanings.WHOLE.items():
        for prefix, bits in WIDTHS.items():
            BUILTINS[f"{prefix}{stem}_si{bits}"] = _whole(bits, meaning)


def _whole(bits: int, meaning: Meaning) -> Handler:
    """An operation on all the bits of a register, in the lanes that its first operand has."""

    def handler(call: Invocation) -> Lanes:
        call.need(2)
        first = lanes_of_value(call.ctx, call.args[0])
        if first.dtype.is_float or first.dtype is BOOL:
            first = seen_as(call.ctx, first, unsigned(first.dtype))
        second = seen_as(call.ctx, lanes_of_value(call.ctx, call.args[1]), first.dtype)
        return Lanes(
            register_type(bits, first.dtype),
            first.dtype,
            lambda lane: meaning(first.at(lane), second.at(lane)),
        )

    return handler


def _define_fused(prefix: str, stem: str, suffix: str, handler: Handler) -> None:
    """`fmadd` and its like: the masked form keeps the first operand, `mask3_` the third."""
    for name, one in ((f"{stem}_{suffix}", handler), (f"{stem}_round_{suffix}", rounding_form(handler))):

        def merging(call: Invocation, one: Handler = one) -> Lanes:
            result = one(without(call, 1))
            return selected(call, call.args[1], result, lanes_of_value(call.ctx, call.args[0]))

        def third(call: Invocation, one: Handler = one) -> Lanes:
            result = one(without(call, 3))
            return selected(call, call.args[3], result, lanes_of_value(call.ctx, call.args[2]))

        define(prefix, name, one)
        BUILTINS[f"{prefix}mask_{name}"] = merging
        BUILTINS[f"{prefix}mask3_{name}"] = third


_register_table()


# ---------------------------------------------------------------------------------------- shifts by one count

_SHIFTS = {"slli": "sll", "srli": "srl", "srai": "sra", "sll": "sll", "srl": "srl", "sra": "sra"}


def _shift(bits: int, dtype: DType, op: str, counted: bool) -> Handler:
    def handler(call: Invocation) -> Lanes:
        value = operand(call, 0, dtype)
        count = operand(call, 1, U64).at(build.const(0)) if counted else build.cast(call.number(1), U32)
        return Lanes(
            register_type(bits, dtype), dtype, lambda lane: meanings.shifted(op, value.at(lane), count)
        )

    return handler


def _rotation(bits: int, dtype: DType, left: bool) -> Handler:
    def handler(call: Invocation) -> Lanes:
        value, count = operand(call, 0, dtype), call.number(1)
        return Lanes(
            register_type(bits, dtype), dtype, lambda lane: meanings.rotated(left, value.at(lane), count)
        )

    return handler


for _dtype in (I16, I32, I64):
    for _stem, _op in _SHIFTS.items():
        _counted = not _stem.endswith("i")
        everywhere(f"{_stem}_epi{_dtype.bits}", partial(_shift, dtype=_dtype, op=_op, counted=_counted))
for _dtype in (I32, I64):
    for _stem in ("rol", "ror"):
        everywhere(f"{_stem}_epi{_dtype.bits}", partial(_rotation, dtype=_dtype, left=_stem == "rol"))


# ---------------------------------------------------------------------------------------- rounding and floats


def _with_immediate(bits: int, dtype: DType, meaning: Callable[[int, Expr], Expr]) -> Handler:
    def handler(call: Invocation) -> Lanes:
        value, imm = simple(call.ctx, operand(call, 0, dtype)), immediate(call, 1)
        return Lanes(register_type(bits, dtype), dtype, lambda lane: meaning(imm, value.at(lane)))

    return handler


def _range(bits: int, dtype: DType) -> Handler:
    """`range`: the smaller or the larger, of a number and a NaN the number, with its sign."""

    def handler(call: Invocation) -> Lanes:
        function = {4: "min", 5: "max"}.get(immediate(call, 2))
        if function is None:
            call.ctx.refuse("range-mode", f"`{call.name}`: only the modes 4 and 5 are supported", call.node)
        a, b = (operand(call, i, dtype) for i in range(2))
        return Lanes(
            register_type(bits, dtype),
            dtype,
            lambda lane: build.call(function, dtype, a.at(lane), b.at(lane)),
        )

    return handler


def _mantissa(bits: int, dtype: DType) -> Handler:
    def handler(call: Invocation) -> Lanes:
        value = simple(call.ctx, operand(call, 0, dtype))
        interval, sign = immediate(call, 1), immediate(call, 2)
        meaning = partial(meanings.mantissa, interval, sign)
        return Lanes(register_type(bits, dtype), dtype, lambda lane: meaning(value.at(lane)))

    return handler


def _added_or_subtracted(bits: int, dtype: DType) -> Handler:
    """`addsub`: differences in even lanes, sums in odd ones."""

    def handler(call: Invocation) -> Lanes:
        a, b = (simple(call.ctx, operand(call, i, dtype)) for i in range(2))

        def at(lane: Expr) -> Expr:
            x, y = a.at(lane), b.at(lane)
            return build.select(build.eq(build.mod(lane, 2), 1), build.add(x, y), build.sub(x, y))

        return Lanes(register_type(bits, dtype), dtype, at)

    return handler


def _rest(imm: int, value: Expr) -> Expr:
    rest = build.sub(value, meanings.scaled_rounding(imm, value))
    return build.select(build.call("isinf", BOOL, value), build.const(0.0, value.dtype), rest)


def _alternating(bits: int, dtype: DType, even: int) -> Handler:
    """`fmaddsub`: the sign of what is added differs between even and odd lanes."""

    def handler(call: Invocation) -> Lanes:
        a, b, c = (operand(call, i, dtype) for i in range(3))

        def at(lane: Expr) -> Expr:
            odd = build.eq(build.mod(lane, 2), 1)
            minus, plus = (
                build.call("fma", dtype, a.at(lane), b.at(lane), x)
                for x in (build.neg(c.at(lane)), c.at(lane))
            )
            return build.select(odd, plus, minus) if even < 0 else build.select(odd, minus, plus)

        return Lanes(register_type(bits, dtype), dtype, at)

    return handler


for _suffix in ("ps", "pd"):
    _float = SUFFIXES[_suffix]
    _rounded = partial(_with_immediate, dtype=_float)
    everywhere(f"roundscale_{_suffix}", partial(_rounded, meaning=meanings.scaled_rounding))
    everywhere(f"range_{_suffix}", partial(_range, dtype=_float))
    everywhere(f"getmant_{_suffix}", partial(_mantissa, dtype=_float))
    everywhere(f"addsub_{_suffix}", partial(_added_or_subtracted, dtype=_float), masked=False)
    everywhere(f"reduce_{_suffix}", partial(_rounded, meaning=_rest))
    everywhere(f"round_{_suffix}", partial(_rounded, meaning=meanings.rounded), masked=False)
    everywhere(f"fmaddsub_{_suffix}", partial(_alternating, dtype=_float, even=-1), masked=False)
    everywhere(f"fmsubadd_{_suffix}", partial(_alternating, dtype=_float, even=1), masked=False)


# ------------------------------------------------------------------------------------------------- comparison


def _comparison(bits: int, dtype: DType, compare: Callable[[Expr, Expr], Expr]) -> Handler:
    def handler(call: Invocation) -> Lanes:
        a, b = (simple(call.ctx, operand(call, i, dtype)) for i in range(2))
        return new_mask(call.ctx, bits // dtype.bits, lambda lane: compare(a.at(lane), b.at(lane)))

    return handler


def _predicate(bits: int, dtype: DType) -> Handler:
    order = meanings.compared if dtype.is_float else meanings.compared_integers

    def handler(call: Invocation) -> Lanes:
        predicate = immediate(call, 2)
        return _comparison(bits, dtype, lambda a, b: order(predicate, a, b))(call)

    return handler


def _classes(bits: int, dtype: DType) -> Handler:
    def handler(call: Invocation) -> Lanes:
        a, classes = simple(call.ctx, operand(call, 0, dtype)), immediate(call, 1)
        lanes = bits // dtype.bits
        return new_mask(call.ctx, lanes, lambda lane: meanings.is_of_class(classes, a.at(lane)))

    return handler


def _define_comparison(prefix: str, stem: str, handler: Handler, lanes: int) -> None:
    """A comparison into a mask; the masked form compares only the lanes of its mask."""
    BUILTINS[prefix + stem] = handler

    def masked(call: Invocation) -> Lanes:
        result = handler(without(call, 0))
        condition = mask_of(call.ctx, call.args[0], lanes)
        return Lanes(result.type, BOOL, lambda lane: build.and_(condition(lane), result.at(lane)))

    BUILTINS[f"{prefix}mask_{stem}"] = masked


def _bits_set(want: bool) -> Callable[[Expr, Expr], Expr]:
    def test(a: Expr, b: Expr) -> Expr:
        both = build.cast(build.binary("&", a, b), a.dtype)
        zero = build.const(0, a.dtype)
        return build.ne(both, zero) if want else build.eq(both, zero)

    return test


def _all_ones(bits: int, dtype: DType, compare: Callable[[Expr, Expr], Expr]) -> Handler:
    """A comparison of AVX2 and before: all bits of a lane are set where it holds."""
    word = unsigned(dtype)
    ones, none = build.const((1 << dtype.bits) - 1, word), build.const(0, word)

    def handler(call: Invocation) -> Lanes:
        a, b = (operand(call, i, dtype) for i in range(2))
        return Lanes(
            register_type(bits, dtype),
            dtype,
            lambda lane: as_bits(build.select(compare(a.at(lane), b.at(lane)), ones, none), dtype),
        )

    return handler


def _register_comparisons() -> None:
    for suffix, dtype in SUFFIXES.items():
        for prefix, bits in WIDTHS.items():
            lanes = bits // dtype.bits
            _define_comparison(prefix, f"cmp_{suffix}_mask", _predicate(bits, dtype), lanes)
            for name, compare in meanings.comparisons(dtype).items():
                _define_comparison(
                    prefix, f"cmp{name}_{suffix}_mask", _comparison(bits, dtype, compare), lanes
                )
            if dtype in (F32, F64):
                _define_comparison(prefix, f"fpclass_{suffix}_mask", _classes(bits, dtype), lanes)
            if dtype.is_float:
                continue
            _define_comparison(
                prefix, f"test_{suffix}_mask", _comparison(bits, dtype, _bits_set(True)), lanes
            )
            _define_comparison(
                prefix, f"testn_{suffix}_mask", _comparison(bits, dtype, _bits_set(False)), lanes
            )
            for name in ("eq", "gt", "lt"):
                BUILTINS[f"{prefix}cmp{name}_{suffix}"] = _all_ones(bits, dtype, meanings.COMPARISONS[name])
    for prefix, bits in (("_mm_", 128), ("_mm256_", 256)):
        for suffix, dtype in (("ps", F32), ("pd", F64)):

            def old(call: Invocation, bits: int = bits, dtype: DType = dtype) -> Lanes:
                predicate = immediate(call, 2)
                return _all_ones(bits, dtype, lambda a, b: meanings.compared(predicate, a, b))(call)

            BUILTINS[f"{prefix}cmp_{suffix}"] = old
            for name, compare in meanings.comparisons(dtype).items():
                BUILTINS[f"{prefix}cmp{name}_{suffix}"] = _all_ones(bits, dtype, compare)


_register_comparisons()


# ----------------------------------------------------------------------------------------- products of halves


def _even_product(bits: int, narrow: DType, wide: DType) -> Handler:
    def handler(call: Invocation) -> Lanes:
        a, b = (operand(call, i, narrow) for i in range(2))

        def at(lane: Expr) -> Expr:
            even = scaled_lane(call.ctx, lane, 2, build.const(0))
            return build.mul(build.cast(a.at(even), wide), build.cast(b.at(even), wide))

        return Lanes(register_type(bits, wide), wide, at)

    return handler


everywhere("mul_epi32", lambda bits: _even_product(bits, I32, I64))
everywhere("mul_epu32", lambda bits: _even_product(bits, U32, U64))


def _ternary(bits: int, dtype: DType) -> Handler:
    """Each bit of the result is looked up in the immediate by the bits of the three operands."""
    word = unsigned(dtype)

    def handler(call: Invocation) -> Lanes:
        a, b, c = (simple(call.ctx, operand(call, i, word)) for i in range(3))
        imm = immediate(call, 3)

        def at(lane: Expr) -> Expr:
            x, y, z = a.at(lane), b.at(lane), c.at(lane)
            result: Expr = build.const(0, word)
            for row in range(8):
                if imm >> row & 1:
                    term: Expr = x if row & 4 else meanings.inverted(x)
                    for bit, value in ((2, y), (1, z)):
                        term = build.cast(
                            build.binary("&", term, value if row & bit else meanings.inverted(value)), word
                        )
                    result = build.cast(build.binary("|", result, term), word)
            return as_bits(result, dtype)

        return Lanes(register_type(bits, dtype), dtype, at)

    return handler


for _dtype in (I32, I64):
    for _prefix, _bits in WIDTHS.items():
        _name, _one = f"ternarylogic_epi{_dtype.bits}", _ternary(_bits, _dtype)
        define(_prefix, _name, _one)

        def _merging(call: Invocation, one: Handler = _one) -> Lanes:
            result = one(without(call, 1))
            return selected(call, call.args[1], result, lanes_of_value(call.ctx, call.args[0]))

        BUILTINS[f"{_prefix}mask_{_name}"] = _merging


# ------------------------------------------------------------------------------------------- blends and moves


def _blend(bits: int, dtype: DType) -> Handler:
    def handler(call: Invocation) -> Lanes:
        return selected(call, call.args[0], operand(call, 2, dtype), operand(call, 1, dtype))

    return handler


def _move(bits: int, dtype: DType) -> Handler:
    return lambda call: operand(call, 0, dtype)


def _blend_by_sign(bits: int, dtype: DType) -> Handler:
    whole = {8: I8, 32: I32, 64: I64}[dtype.bits]

    def handler(call: Invocation) -> Lanes:
        a, b = (operand(call, i, dtype) for i in range(2))
        sign = operand(call, 2, whole)
        zero = build.const(0, whole)
        return Lanes(
            register_type(bits, dtype),
            dtype,
            lambda lane: build.select(build.lt(sign.at(lane), zero), b.at(lane), a.at(lane)),
        )

    return handler


def _blend_by_immediate(bits: int, dtype: DType) -> Handler:
    def handler(call: Invocation) -> Lanes:
        imm = immediate(call, 2)
        if dtype.bits == WORD:
            imm |= imm << 8
        return selected(
            without(call, 2), number(build.const(imm)), operand(call, 1, dtype), operand(call, 0, dtype)
        )

    return handler


for _suffix, _dtype in SUFFIXES.items():
    if _suffix.startswith("epu"):
        continue
    for _prefix, _bits in WIDTHS.items():
        BUILTINS[f"{_prefix}mask_blend_{_suffix}"] = _blend(_bits, _dtype)
        define(_prefix, f"mov_{_suffix}", _move(_bits, _dtype))
        BUILTINS[f"{_prefix}blend_{_suffix}"] = _blend_by_immediate(_bits, _dtype)
        if _suffix in ("ps", "pd", "epi8"):
            BUILTINS[f"{_prefix}blendv_{_suffix}"] = _blend_by_sign(_bits, _dtype)
