"""Intrinsics that move lanes: permutations, shuffles, unpacking, packing, alignment, parts of registers,
compression."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from xpiler.frontend.lower_avx import (
    WIDTHS,
    Handler,
    define,
    everywhere,
    immediate,
    operand,
    register_type,
    selected,
    without,
)
from xpiler.frontend.lower_builtins import Invocation
from xpiler.frontend.lower_lanes import (
    Lanes,
    lanes_of_value,
    moved,
    numbers_of,
    shuffled,
    simple,
)
from xpiler.frontend.lower_registry import BUILTINS
from xpiler.ir import build
from xpiler.ir.nodes import Expr
from xpiler.ir.types import F32, F64, I8, I16, I32, I64, U8, U16, DType
from xpiler.platforms.vnni_elementwise import SUFFIXES, saturated

BLOCK = 128  # bits within which most shuffles stay

Places = Sequence[tuple[int, int]]


# -------------------------------------------------------------------------------------------- known movements


def _blocks(bits: int, dtype: DType) -> tuple[int, int]:
    """(number of 128-bit blocks, lanes in one)"""
    return bits // BLOCK, BLOCK // dtype.bits


def unpacked(bits: int, dtype: DType, high: bool, imm: int) -> Places:
    """The lower or upper halves of the blocks of two registers, lane by lane in turn."""
    blocks, n = _blocks(bits, dtype)
    first = n // 2 if high else 0
    return [(i % 2, block * n + first + i // 2) for block in range(blocks) for i in range(n)]


def by_pairs(bits: int, dtype: DType, imm: int) -> Places:
    """`shuffle_ps`: in each block the lower half from the first operand, the upper from the second."""
    blocks, n = _blocks(bits, dtype)
    if dtype.bits == 64:
        return [
            (i % 2, block * 2 + (imm >> (block * 2 + i) & 1)) for block in range(blocks) for i in range(2)
        ]
    return [(i // 2, block * n + (imm >> (2 * i) & 3)) for block in range(blocks) for i in range(n)]


def within_blocks(bits: int, dtype: DType, imm: int) -> Places:
    """`permute_ps`, `shuffle_epi32`"""
    blocks, n = _blocks(bits, dtype)
    if dtype.bits == 64:
        return [(0, block * 2 + (imm >> (block * 2 + i) & 1)) for block in range(blocks) for i in range(2)]
    return [(0, block * n + (imm >> (2 * i) & 3)) for block in range(blocks) for i in range(n)]


def four_in_half(bits: int, imm: int) -> Places:
    """`permutex_epi64`: within 256 bits."""
    return [(0, half * 4 + (imm >> (2 * i) & 3)) for half in range(bits // 256) for i in range(4)]


def whole_blocks(bits: int, dtype: DType, imm: int) -> Places:
    """`shuffle_f32x4`: blocks, the lower half of them from the first operand."""
    blocks, n = _blocks(bits, dtype)
    width = 2 if blocks == 4 else 1
    return [
        (block * 2 // blocks, (imm >> (width * block) & (blocks - 1)) * n + i)
        for block in range(blocks)
        for i in range(n)
    ]


def two_blocks(dtype: DType, imm: int) -> Places:
    """`permute2f128`: any two of the four halves of two registers, or zero."""
    n = BLOCK // dtype.bits
    found = []
    for half in range(2):
        control = imm >> (4 * half) & 15
        for i in range(n):
            found.append((-1, 0) if control & 8 else (control >> 1 & 1, (control & 1) * n + i))
    return found


def aligned_bytes(bits: int, imm: int) -> Places:
    """`alignr_epi8`: in each block the bytes of (first:second) from number `imm` on."""
    found = []
    for block in range(bits // BLOCK):
        for i in range(16):
            at = i + imm
            found.append(
                (1, block * 16 + at) if at < 16 else (0, block * 16 + at - 16) if at < 32 else (-1, 0)
            )
    return found


def aligned_lanes(bits: int, dtype: DType, imm: int) -> Places:
    """`alignr_epi32`: over the whole register."""
    count = bits // dtype.bits
    imm %= count
    return [(1, i + imm) if i + imm < count else (0, i + imm - count) for i in range(count)]


def shifted_bytes(bits: int, left: bool, imm: int) -> Places:
    found = []
    for block in range(bits // BLOCK):
        for i in range(16):
            at = i - imm if left else i + imm
            found.append((0, block * 16 + at) if 0 <= at < 16 else (-1, 0))
    return found


def half_words(bits: int, high: bool, imm: int) -> Places:
    """`shufflelo_epi16`: four words of each block, the others stay."""
    found = []
    first = 4 if high else 0
    for block in range(bits // BLOCK):
        for i in range(8):
            inside = first <= i < first + 4
            found.append((0, block * 8 + (first + (imm >> (2 * (i - first)) & 3) if inside else i)))
    return found


def _fixed(bits: int, dtype: DType, sources: int, places: Callable[[int], Places], imm: bool) -> Handler:
    def handler(call: Invocation) -> Lanes:
        parts = [operand(call, i, dtype) for i in range(sources)]
        where = places(immediate(call, sources) & 0xFF if imm else 0)
        return shuffled(call.ctx, register_type(bits, dtype), dtype, parts, where)

    return handler


def in_twos(count: int, odd: bool, imm: int) -> Places:
    """`moveldup_ps`: of each pair of lanes one, twice."""
    return [(0, i | 1 if odd else i & ~1) for i in range(count)]


def halves(upper: bool, imm: int) -> Places:
    """`movelh_ps`, `movehl_ps`"""
    return [(1, 2), (1, 3), (0, 2), (0, 3)] if upper else [(0, 0), (0, 1), (1, 0), (1, 1)]


def _register_fixed() -> None:
    for prefix, bits in WIDTHS.items():
        for suffix, dtype in SUFFIXES.items():
            if suffix.startswith("epu"):
                continue

            define(
                prefix,
                f"unpacklo_{suffix}",
                _fixed(bits, dtype, 2, partial(unpacked, bits, dtype, False), False),
            )
            define(
                prefix,
                f"unpackhi_{suffix}",
                _fixed(bits, dtype, 2, partial(unpacked, bits, dtype, True), False),
            )
            if suffix in ("ps", "pd"):
                define(
                    prefix, f"shuffle_{suffix}", _fixed(bits, dtype, 2, partial(by_pairs, bits, dtype), True)
                )
                define(
                    prefix,
                    f"permute_{suffix}",
                    _fixed(bits, dtype, 1, partial(within_blocks, bits, dtype), True),
                )
            if suffix in ("epi32", "epi64"):
                define(
                    prefix,
                    f"alignr_{suffix}",
                    _fixed(bits, dtype, 2, partial(aligned_lanes, bits, dtype), True),
                )
            if suffix in ("epi64", "pd") and bits > BLOCK:
                define(
                    prefix, f"permutex_{suffix}", _fixed(bits, dtype, 1, partial(four_in_half, bits), True)
                )
            if dtype.bits >= 32 and bits > BLOCK:
                letter = "f" if dtype.is_float else "i"
                name = f"shuffle_{letter}{dtype.bits}x{BLOCK // dtype.bits}"
                define(prefix, name, _fixed(bits, dtype, 2, partial(whole_blocks, bits, dtype), True))
        define(prefix, "shuffle_epi32", _fixed(bits, I32, 1, partial(within_blocks, bits, I32), True))
        define(prefix, "shufflelo_epi16", _fixed(bits, I16, 1, partial(half_words, bits, False), True))
        define(prefix, "shufflehi_epi16", _fixed(bits, I16, 1, partial(half_words, bits, True), True))
        define(prefix, "alignr_epi8", _fixed(bits, I8, 2, partial(aligned_bytes, bits), True))
        for name, left in (("slli", True), ("srli", False), ("bslli", True), ("bsrli", False)):
            one = _fixed(bits, I8, 1, partial(shifted_bytes, bits, left), True)
            BUILTINS[f"{prefix}{name}_si{bits}"] = one
            if name.startswith("b"):
                BUILTINS[f"{prefix}{name}_epi128"] = one
        define(prefix, "moveldup_ps", _fixed(bits, F32, 1, partial(in_twos, bits // 32, False), False))
        define(prefix, "movehdup_ps", _fixed(bits, F32, 1, partial(in_twos, bits // 32, True), False))
        define(prefix, "movedup_pd", _fixed(bits, F64, 1, partial(in_twos, bits // 64, False), False))
    BUILTINS["_mm256_permute4x64_epi64"] = _fixed(256, I64, 1, partial(four_in_half, 256), True)
    BUILTINS["_mm256_permute4x64_pd"] = _fixed(256, F64, 1, partial(four_in_half, 256), True)
    for name, dtype in (("f128_ps", F32), ("f128_pd", F64), ("x128_si256", I64), ("f128_si256", I64)):
        BUILTINS[f"_mm256_permute2{name}"] = _fixed(256, dtype, 2, partial(two_blocks, dtype), True)
    BUILTINS["_mm_movehl_ps"] = _fixed(128, F32, 2, partial(halves, True), False)
    BUILTINS["_mm_movelh_ps"] = _fixed(128, F32, 2, partial(halves, False), False)


_register_fixed()


# ----------------------------------------------------------------------------------------- parts of registers


def _part(bits: int, part: int, dtype: DType) -> Handler:
    """`extractf32x4`, `extracti128`: part number `imm`."""
    count = part // dtype.bits

    def handler(call: Invocation) -> Lanes:
        number = immediate(call, 1) % (bits // part)
        places = [(0, number * count + i) for i in range(count)]
        return shuffled(call.ctx, register_type(part, dtype), dtype, [operand(call, 0, dtype)], places)

    return handler


def _with_part(bits: int, part: int, dtype: DType) -> Handler:
    count = part // dtype.bits

    def handler(call: Invocation) -> Lanes:
        number = immediate(call, 2) % (bits // part)
        places = [
            (1, i - number * count) if i // count == number else (0, i) for i in range(bits // dtype.bits)
        ]
        parts = [operand(call, i, dtype) for i in range(2)]
        return shuffled(call.ctx, register_type(bits, dtype), dtype, parts, places)

    return handler


def _register_parts() -> None:
    for prefix, bits in WIDTHS.items():
        for letter, dtype, suffix in (
            ("f", F32, "ps"),
            ("f", F64, "pd"),
            ("i", I32, "epi32"),
            ("i", I64, "epi64"),
        ):
            for part in (128, 256):
                if part >= bits:
                    continue
                name = f"{letter}{dtype.bits}x{part // dtype.bits}"
                define(prefix, f"extract{name}_{suffix}", _part(bits, part, dtype))
                define(prefix, f"insert{name}", _with_part(bits, part, dtype))
    for name, dtype in (("f128_ps", F32), ("f128_pd", F64), ("f128_si256", I32), ("i128_si256", I32)):
        BUILTINS[f"_mm256_extract{name}"] = _part(256, 128, dtype)
        BUILTINS[f"_mm256_insert{name}"] = _with_part(256, 128, dtype)
    for name, dtype in (("m128", F32), ("m128d", F64), ("m128i", I32)):
        for verb, order in (("set", (1, 0)), ("setr", (0, 1))):

            def two(call: Invocation, dtype: DType = dtype, order: tuple[int, int] = order) -> Lanes:
                count = 128 // dtype.bits
                parts = [operand(call, i, dtype) for i in order]
                places = [(i // count, i % count) for i in range(2 * count)]
                return shuffled(call.ctx, register_type(256, dtype), dtype, parts, places)

            BUILTINS[f"_mm256_{verb}_{name}"] = two


_register_parts()


# ---------------------------------------------------------------------------------------------------- packing


def _packed(bits: int, source: DType, target: DType) -> Handler:
    """`packs`, `packus`: in each block first the lanes of one register, then of the other, clamped."""
    blocks, n = _blocks(bits, source)

    def handler(call: Invocation) -> Lanes:
        places = [(i // n, block * n + i % n) for block in range(blocks) for i in range(2 * n)]
        parts = [operand(call, i, source) for i in range(2)]
        wide = shuffled(call.ctx, register_type(bits, source), source, parts, places)
        return Lanes(register_type(bits, target), target, lambda lane: saturated(wide.at(lane), target))

    return handler


for _name, _source, _target in (
    ("packs_epi32", I32, I16),
    ("packs_epi16", I16, I8),
    ("packus_epi32", I32, U16),
    ("packus_epi16", I16, U8),
):
    everywhere(_name, partial(_packed, source=_source, target=_target))


# -------------------------------------------------------------------------------------- movement by registers


def _numbers(count: int) -> Callable[[Lanes], list[int] | None]:
    def found(index: Lanes) -> list[int] | None:
        numbers = numbers_of(index)
        return None if numbers is None else [n % count for n in numbers]

    return found


def _index_type(dtype: DType) -> DType:
    return {8: I8, 16: I16, 32: I32, 64: I64}[dtype.bits]


def _by_index(bits: int, dtype: DType, index_first: bool) -> Handler:
    count = bits // dtype.bits

    def handler(call: Invocation) -> Lanes:
        source, index = (1, 0) if index_first else (0, 1)
        value, where = operand(call, source, dtype), operand(call, index, _index_type(dtype))
        numbers = _numbers(count)(where)
        ctype = register_type(bits, dtype)
        if numbers is not None:
            return shuffled(call.ctx, ctype, dtype, [value], [(0, n) for n in numbers])
        return Lanes(ctype, dtype, moved(call.ctx, value, simple(call.ctx, where).at, count))

    return handler


def _by_index_of_two(bits: int, dtype: DType) -> Handler:
    count = bits // dtype.bits

    def handler(call: Invocation) -> Lanes:
        a, index, b = operand(call, 0, dtype), operand(call, 1, _index_type(dtype)), operand(call, 2, dtype)
        ctype = register_type(bits, dtype)
        numbers = _numbers(2 * count)(index)
        if numbers is not None:
            return shuffled(call.ctx, ctype, dtype, [a, b], [(n // count, n % count) for n in numbers])
        where = simple(call.ctx, index)
        first, second = (moved(call.ctx, side, where.at, count) for side in (a, b))
        flag = build.const(count, where.dtype)

        def at(lane: Expr) -> Expr:
            upper = build.ne(build.binary("&", where.at(lane), flag), 0)
            return build.select(upper, second(lane), first(lane))

        return Lanes(ctype, dtype, at)

    return handler


def _within_block(bits: int, dtype: DType) -> Handler:
    """`permutevar_ps`, `shuffle_epi8`: the index counts within the block; a byte of negative index is 0."""
    n = BLOCK // dtype.bits
    count = bits // dtype.bits

    def handler(call: Invocation) -> Lanes:
        value, where = operand(call, 0, dtype), operand(call, 1, _index_type(dtype))
        ctype = register_type(bits, dtype)
        numbers = numbers_of(where)
        is_bytes = dtype.bits == 8
        if numbers is not None:
            shift = 1 if dtype.bits == 64 else 0
            places = [
                (-1, 0) if is_bytes and k & 0x80 else (0, i // n * n + (k >> shift) % n)
                for i, k in enumerate(numbers)
            ]
            return shuffled(call.ctx, ctype, dtype, [value], places)
        index = simple(call.ctx, where)

        def place(lane: Expr) -> Expr:
            own = build.cast(index.at(lane), I32)
            if dtype.bits == 64:
                own = build.binary(">>", own, build.const(1))
            return build.add(build.mul(build.div(lane, n), n), build.binary("&", own, build.const(n - 1)))

        source = moved(call.ctx, value, place, count)
        if not is_bytes:
            return Lanes(ctype, dtype, source)
        zero = build.const(0, dtype)
        return Lanes(
            ctype, dtype, lambda lane: build.select(build.lt(index.at(lane), zero), zero, source(lane))
        )

    return handler


def _register_by_index() -> None:
    for suffix, dtype in SUFFIXES.items():
        if suffix.startswith("epu"):
            continue
        for prefix, bits in WIDTHS.items():
            define(prefix, f"permutexvar_{suffix}", _by_index(bits, dtype, True))
            two = _by_index_of_two(bits, dtype)
            define(prefix, f"permutex2var_{suffix}", two)

            def merging(call: Invocation, two: Handler = two) -> Lanes:
                return selected(
                    call, call.args[1], two(without(call, 1)), lanes_of_value(call.ctx, call.args[0])
                )

            def over_index(call: Invocation, two: Handler = two) -> Lanes:
                return selected(
                    call, call.args[2], two(without(call, 2)), lanes_of_value(call.ctx, call.args[1])
                )

            BUILTINS[f"{prefix}mask_permutex2var_{suffix}"] = merging
            BUILTINS[f"{prefix}mask2_permutex2var_{suffix}"] = over_index
            if suffix in ("ps", "pd"):
                define(prefix, f"permutevar_{suffix}", _within_block(bits, dtype))
    everywhere("shuffle_epi8", lambda bits: _within_block(bits, I8))
    BUILTINS["_mm256_permutevar8x32_ps"] = _by_index(256, F32, False)
    BUILTINS["_mm256_permutevar8x32_epi32"] = _by_index(256, I32, False)
    BUILTINS["_mm512_permutevar_epi32"] = _by_index(512, I32, True)


_register_by_index()
