"""BANG C conversions: `__bang_<from>2<to>[_<mode>]`.

Without a mode integers truncate and floats round to nearest even. `rd` is nearest with ties away from zero,
`dn` and `up` are the directed ones. To integers: round(x / 2^p); from integers: x * 2^p.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from xpiler.ir.build import add, and_, bitcast, cast, const, is_const, le, lt, mul, select, sub
from xpiler.ir.nodes import Binary, Call, Const, Expr, Stmt
from xpiler.ir.types import BF16, BOOL, F16, F32, I8, I16, I32, U8, U16, U32, DType
from xpiler.platforms.bang_meaning import Use, at, means, store

_FLOATS = {"float": F32, "half": F16, "bfloat16": BF16}
_INTEGERS = {
    "int8": I8, "uint8": U8, "int16": I16, "int32": I32, "uint32": U32, "char": I8, "fix8": I8, "uchar": U8,
    "short": I16, "int": I32,
}  # fmt: skip
_LARGEST_POWER = 126  # of two, among floats and their reciprocals
_MODES = ("tz", "oz", "up", "dn", "rd", "rn", "rm", "sr")
_BETWEEN = (
    "int322int16", "int322int8", "int162int32", "int162int8", "int82int16", "int82int32", "char2short",
    "short2int", "int2short", "int2char",
)  # fmt: skip


def rounded(x: Expr, mode: str) -> Expr:
    """A single to a whole number."""
    t = x.dtype
    match mode:
        case "tz":
            return Call(t, "trunc", (x,))
        case "oz":
            down = lt(x, const(0, t))
            return select(down, Call(t, "floor", (x,)), Call(t, "ceil", (x,)))
        case "up":
            return Call(t, "ceil", (x,))
        case "dn":
            return Call(t, "floor", (x,))
        case "rd":
            return Call(t, "round", (x,))
        case "rm":
            return Call(t, "floor", (add(x, const(0.5, t)),))
    return Call(t, "rint", (x,))


def narrowed(x: Expr, dtype: DType, mode: str) -> Expr:
    """A single to half or bfloat16: the nearest, or its neighbour where the mode asks for that."""
    near = cast(x, dtype)
    if mode in ("rn", "sr", "rm", ""):
        return near
    back = cast(near, F32)
    bits = bitcast(near, U16)
    towards = bitcast(cast(sub(bits, 1), U16), dtype)  # zero
    away = bitcast(cast(add(bits, 1), U16), dtype)
    size, wanted = Call(F32, "abs", (back,)), Call(F32, "abs", (x,))
    too_far, too_near = lt(wanted, size), lt(size, wanted)
    negative = lt(x, const(0, F32))
    match mode:
        case "tz":
            return select(too_far, towards, near)
        case "oz":
            return select(too_near, away, near)
        case "up":
            positive = Binary(BOOL, ">", x, const(0, F32))
            return select(and_(negative, too_far), towards, select(and_(positive, too_near), away, near))
        case "dn":
            positive = Binary(BOOL, ">", x, const(0, F32))
            return select(and_(positive, too_far), towards, select(and_(negative, too_near), away, near))
    beyond = Call(F32, "abs", (cast(away, F32),))
    tie = le(sub(beyond, wanted), sub(wanted, size))
    return select(and_(too_near, tie), away, near)


def converted(x: Expr, dtype: DType, mode: str, position: Expr | None = None) -> Expr:
    """A value of any type as another, scaled by 2^position before it is rounded."""
    if dtype.is_float:
        wide = scaled(cast(x, F32), position)
        if dtype == F32:
            return wide
        return narrowed(wide, dtype, mode)
    if not x.dtype.is_float and position is None:
        low, high = _limits(dtype)
        return cast(Call(I32, "min", (Call(I32, "max", (cast(x, I32), low)), high)), dtype)
    wide = scaled(cast(x, F32), position)
    if mode in ("tz", ""):
        return cast(wide, dtype)
    return cast(rounded(wide, mode), dtype)


def _limits(dtype: DType) -> tuple[Expr, Expr]:
    high = 2 ** (dtype.bits - dtype.is_signed) - 1
    return const(-high - 1 if dtype.is_signed else 0), const(min(high, 2**31 - 1))


def scaled(x: Expr, position: Expr | None) -> Expr:
    """x * 2^position, in two steps where that power may be no float."""
    if position is None or is_const(position, 0):
        return x
    if isinstance(position, Const) and abs(position.value) <= _LARGEST_POWER:
        return mul(x, _power(position))
    half = Binary(I32, ">>", position, const(1))
    return mul(mul(x, _power(half)), _power(sub(position, half)))


def _power(position: Expr) -> Expr:
    return Call(F32, "exp2", (cast(position, F32),))


def _rule(source: DType, target: DType, mode: str) -> Callable[[Use], Sequence[Stmt]]:
    """`(dst, src, n [, position])`, between floats `(dst, src, n [, dst_stride, src_stride, segnum])`."""

    def rule(use: Use) -> Sequence[Stmt]:
        dst, src, n = use.ref(0), use.ref(1), use.size(2)
        if source.is_float and target.is_float and len(use.operands) > 5:
            strides = [Binary(I32, "/", use.size(k), const(r.dtype.bytes)) for k, r in ((3, dst), (4, src))]

            def row(j: Expr) -> Sequence[Stmt]:
                def element(i: Expr) -> Sequence[Stmt]:
                    there, here = add(mul(j, strides[0]), i), add(mul(j, strides[1]), i)
                    return (store(at(dst, there), converted(at(src, here), target, mode)),)

                return (use.loop(n, element),)

            return (use.loop(add(use.size(5), 1), row, name="j"),)
        position: Expr | None = None
        if len(use.operands) > 3 and not (source.is_float and target.is_float):
            position = use.size(3)
            position = sub(const(0), position) if source.is_float else position
        elif not (source.is_float and target.is_float):
            position = const(0)

        def element_at(i: Expr) -> Sequence[Stmt]:
            return (store(at(dst, i), converted(at(src, i), target, mode, position)),)

        return (use.converting(dst, src, n, element_at),)

    return rule


def _register() -> None:
    for source, one in _FLOATS.items():
        for target, other in _FLOATS.items():
            if source != target:
                for mode in ("", *_MODES):
                    means(f"__bang_{source}2{target}{'_' if mode else ''}{mode}")(_rule(one, other, mode))
        for name, integer in _INTEGERS.items():
            for mode in ("", *_MODES):
                suffix = f"_{mode}" if mode else ""
                means(f"__bang_{source}2{name}{suffix}")(_rule(one, integer, mode))
                means(f"__bang_{name}2{source}{suffix}")(_rule(integer, one, mode))


_register()


@means("__bang_float2tf32")
def _tf32(use: Use) -> Sequence[Stmt]:
    dst, src = use.ref(0), use.ref(1)
    return (use.loop(use.size(2), lambda i: (store(at(dst, i), at(src, i)),)),)


@means(*(f"__bang_{name}{mode}" for name in _BETWEEN for mode in ("", *(f"_{m}" for m in _MODES))))
def _between(use: Use) -> Sequence[Stmt]:
    """`(dst, src, n, dst_position, src_position)`: src * 2^(src_position - dst_position), saturating."""
    dst, src, n = use.ref(0), use.ref(1), use.size(2)
    mode = use.name.rsplit("_", 1)[1] if use.name.rsplit("_", 1)[1] in _MODES else "rd"
    scale: Expr = const(0)
    if len(use.operands) > 4:
        scale = sub(use.size(4), use.size(3))
    elif len(use.operands) > 3:
        scale = sub(const(0), use.size(3))
    position = None if is_const(scale, 0) else scale

    def element(i: Expr) -> Sequence[Stmt]:
        return (store(at(dst, i), converted(at(src, i), dst.dtype, mode, position)),)

    return (use.converting(dst, src, n, element),)


@means("__cn_vector_cast_f32_to_s32")
def _library(use: Use) -> Sequence[Stmt]:
    """The vendor's library: the count comes first."""
    dst, src = use.ref(1), use.ref(2)
    return (use.loop(use.size(0), lambda i: (store(at(dst, i), cast(at(src, i), I32)),)),)
