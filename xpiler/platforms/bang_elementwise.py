"""BANG C intrinsics that compute each element of dst from the elements at the same place."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

from xpiler.ir.build import add, and_, bitcast, cast, const, mod, mul, ne, neg, not_, or_, select
from xpiler.ir.nodes import Binary, Call, Const, Expr, Ref, Stmt, Unary
from xpiler.ir.types import BF16, BOOL, F16, F32, I32, I64, U8, U32, DType
from xpiler.platforms.bang_meaning import BadUse, Use, at, means, store

Unary1 = Callable[[Expr], Expr]
Binary2 = Callable[[Expr, Expr], Expr]

# ------------------------------------------------------------------------------------------ operations


def in_float(function: Callable[..., Expr]) -> Callable[..., Expr]:
    """Half and bfloat16 go through single precision and are rounded once."""

    def apply(*args: Expr) -> Expr:
        dtype = args[0].dtype
        if dtype in (F16, BF16):
            return cast(function(*(cast(a, F32) for a in args)), dtype)
        return function(*args)

    return apply


def _call(name: str) -> Callable[..., Expr]:
    return in_float(lambda *args: Call(args[0].dtype, name, tuple(args)))


def _operator(op: str) -> Binary2:
    return lambda x, y: Binary(x.dtype, op, x, y)


def _test(op: str) -> Binary2:
    """1 or 0 in the operands' type."""
    return lambda x, y: cast(Binary(BOOL, op, x, y), x.dtype)


def _holds(x: Expr) -> Expr:
    return ne(x, const(0, x.dtype))


def _logic(combine: Callable[[Expr, Expr], Expr]) -> Binary2:
    return lambda x, y: cast(combine(_holds(x), _holds(y)), x.dtype)


def _sign(x: Expr) -> Expr:
    """1 for zero too."""
    one = const(1, x.dtype)
    return select(Binary(BOOL, ">=", x, const(0, x.dtype)), one, const(-1, x.dtype))


def _relu(x: Expr) -> Expr:
    return Call(x.dtype, "max", (x, const(0, x.dtype)))


@in_float
def _sigmoid(x: Expr) -> Expr:
    one = const(1.0, x.dtype)
    return Binary(x.dtype, "/", one, add(one, Call(x.dtype, "exp", (neg(x),))))


@in_float
def _gelu(x: Expr) -> Expr:
    t = x.dtype
    inner = Call(t, "erf", (mul(x, const(math.sqrt(0.5), t)),))
    return mul(mul(const(0.5, t), x), add(const(1.0, t), inner))


@in_float
def _softplus(x: Expr) -> Expr:
    t = x.dtype
    grown = Call(t, "log1p", (Call(t, "exp", (x,)),))
    return select(Binary(BOOL, ">", x, const(20.0, t)), x, grown)


def _remainder(x: Expr, y: Expr) -> Expr:
    if x.dtype.is_float:
        return Call(x.dtype, "fmod", (x, y))
    return Binary(x.dtype, "%", x, y)


def _shift(op: str) -> Binary2:
    def apply(x: Expr, y: Expr) -> Expr:
        bits = const(x.dtype.bits, y.dtype)
        if op == ">>" and x.dtype.is_signed:
            last = const(x.dtype.bits - 1, y.dtype)
            return Binary(x.dtype, op, x, Call(y.dtype, "min", (y, last)))
        shifted = Binary(x.dtype, op, x, y)
        return select(Binary(BOOL, "<", y, bits), shifted, const(0, x.dtype))

    return apply


def _saturating(op: str) -> Binary2:
    """The sum or difference, or what is nearest to it of the operands' type."""

    def apply(x: Expr, y: Expr) -> Expr:
        dtype = x.dtype
        if dtype.is_float:
            return Binary(dtype, op, x, y)
        value = Binary(I64, op, cast(x, I64), cast(y, I64))
        most = (1 << (dtype.bits - dtype.is_signed)) - 1
        least = -most - 1 if dtype.is_signed else 0
        clamped = Call(I64, "max", (Call(I64, "min", (value, const(most, I64))), const(least, I64)))
        return cast(clamped, dtype)

    return apply


def _high_half(x: Expr, y: Expr) -> Expr:
    """The upper half of the product's bits."""
    product = mul(cast(x, I64), cast(y, I64))
    return cast(Binary(I64, ">>", product, const(x.dtype.bits, I64)), x.dtype)


def _logical_right(x: Expr, y: Expr) -> Expr:
    unsigned = DType(f"u{x.dtype.bits}", U32.kind, x.dtype.bits)
    return cast(_shift(">>")(cast(x, unsigned), y), x.dtype)


BINARY: dict[str, Binary2] = {
    "add": _operator("+"), "sub": _operator("-"), "mul": _operator("*"),
    "eq": _test("=="), "ne": _test("!="), "lt": _test("<"), "le": _test("<="), "gt": _test(">"),
    "ge": _test(">="),
    "and": _logic(and_), "or": _logic(or_), "xor": _logic(ne),
    "maxequal": _call("max"), "minequal": _call("min"), "maximum": _call("max"), "minimum": _call("min"),
    "nan_maximum": _call("max"), "nan_minimum": _call("min"),
}  # fmt: skip
OTHERS: dict[str, Binary2] = {
    "__bang_maxeq_scalar": _call("max"), "__bang_mineq_scalar": _call("min"),
    "__bang_add_const": _operator("+"), "__bang_sub_const": _operator("-"),
    "__bang_mul_const": _operator("*"),
    "__bang_adds": _saturating("+"), "__bang_subs": _saturating("-"), "__bang_mulh": _high_half,
    "__bang_div_scalar": _operator("/"), "__bang_rem": _remainder,
    "__bang_sll": _shift("<<"), "__bang_srl": _logical_right, "__bang_sra": _shift(">>"),
}  # fmt: skip
UNARY: dict[str, Unary1] = {
    "not": lambda x: cast(not_(_holds(x)), x.dtype),
    "abs": lambda x: Call(x.dtype, "abs", (x,)),
    "neg": neg,
    "square": lambda x: mul(x, x),
    "recip": _call("rcp"), "sqrt": _call("sqrt"), "rsqrt": _call("rsqrt"), "sin": _call("sin"),
    "cos": _call("cos"), "tanh": _call("tanh"), "pow2": _call("exp2"),
    "log": _call("log2"),  # base 2, whatever its name says
    "log2": _call("log2"), "floor": _call("floor"), "ceil": _call("ceil"), "trunc": _call("trunc"),
    "round": _call("round"), "nearbyint": _call("rint"), "relu": _relu, "sigmoid": _sigmoid,
}  # fmt: skip
ACTIVE: dict[str, Unary1] = {
    "abs": UNARY["abs"], "relu": _relu, "sign": _sign, "exp": _call("exp"), "exphp": _call("exp"),
    "exp_less_0": _call("exp"), "sigmoid": _sigmoid, "tanh": _call("tanh"), "sin": _call("sin"),
    "cos": _call("cos"), "gelu": _gelu, "gelup": _gelu, "log": _call("log"), "loghp": _call("log"),
    "pow2": _call("exp2"), "recip": _call("rcp"), "reciphp": _call("rcp"),
    "recip_greater_1": _call("rcp"), "sqrt": _call("sqrt"), "sqrthp": _call("sqrt"),
    "rsqrt": _call("rsqrt"), "rsqrthp": _call("rsqrt"),
}  # fmt: skip
_TAYLOR: dict[str, Unary1] = {
    "sin": _call("sin"), "cos": _call("cos"), "tanh": _call("tanh"), "sigmoid": _sigmoid,
    "softplus": _softplus,
}  # fmt: skip

# ------------------------------------------------------------------------------------------ forms


def _each(use: Use, dst: Ref, n: Expr, value: Callable[[Expr], Expr]) -> Sequence[Stmt]:
    return (use.loop(n, lambda i: (store(at(dst, i), value(i)),)),)


def _unary(function: Unary1) -> Callable[[Use], Sequence[Stmt]]:
    def rule(use: Use) -> Sequence[Stmt]:
        dst, src = use.ref(0), use.ref(1)
        if dst.dtype != src.dtype:  # the widening square
            return _each(use, dst, use.size(2), lambda i: function(cast(at(src, i), dst.dtype)))
        return _each(use, dst, use.size(2), lambda i: function(at(src, i)))

    return rule


def _binary(function: Binary2) -> Callable[[Use], Sequence[Stmt]]:
    """The second operand is a vector or a scalar."""

    def rule(use: Use) -> Sequence[Stmt]:
        dst, src, other = use.ref(0), use.ref(1), use.operands[2]
        n = use.size(3)
        if isinstance(other, Ref):
            return _each(use, dst, n, lambda i: function(at(src, i), at(other, i)))
        value = cast(other, src.dtype)
        return _each(use, dst, n, lambda i: function(at(src, i), value))

    return rule


def _cyclic(function: Binary2) -> Callable[[Use], Sequence[Stmt]]:
    """`dst[i] = src[i] op seg[i mod seg_n]`, row by row."""

    def rule(use: Use) -> Sequence[Stmt]:
        dst, src, seg = use.ref(0), use.ref(1), use.ref(2)
        total, period = use.size(3), use.size(4)

        def row(r: Expr) -> Sequence[Stmt]:
            def element(i: Expr) -> Sequence[Stmt]:
                place = add(mul(r, period), i)
                return (store(at(dst, place), function(at(src, place), at(seg, i))),)

            return (use.loop(period, element),)

        return (use.loop(Binary(I32, "/", total, period), row, name="r"),)

    return rule


for _name, _function in BINARY.items():
    means(f"__bang_{_name}", f"__bang_{_name}_scalar")(_binary(_function))
    means(f"__bang_cycle_{_name}")(_cyclic(_function))
for _name, _function in OTHERS.items():
    means(_name)(_binary(_function))
for _name, _apply in UNARY.items():
    means(f"__bang_{_name}")(_unary(_apply))
for _name, _apply in ACTIVE.items():
    means(f"__bang_active_{_name}")(_unary(_apply))
means("__bang_cycle_div")(_cyclic(_operator("/")))


@means("__bang_div")
def _div(use: Use) -> Sequence[Stmt]:
    """The deprecated form has a scratch vector before the count."""
    if len(use.operands) == 5:
        use = replace(use, operands=(*use.operands[:3], use.operands[4]))
    return _binary(_operator("/"))(use)


@means("__bang_relun")
def _relun(use: Use) -> Sequence[Stmt]:
    dst, src, most = use.ref(0), use.ref(1), use.number(3)
    limit = cast(most, src.dtype)
    return _each(use, dst, use.size(2), lambda i: Call(src.dtype, "min", (_relu(at(src, i)), limit)))


@means(*(f"__bang_taylor{degree}_{name}" for degree in (3, 4) for name in _TAYLOR))
def _taylor(use: Use) -> Sequence[Stmt]:
    """The two scratch vectors are left alone."""
    function = _TAYLOR[use.name.split("_")[-1]]
    dst, src = use.ref(0), use.ref(1)
    return _each(use, dst, use.size(4), lambda i: function(at(src, i)))


@means("__cn_vector_sin_f32", "__cn_vector_cos_f32")
def _library(use: Use) -> Sequence[Stmt]:
    """The vendor's library: the count comes first."""
    function = UNARY[use.name.split("_")[4]]
    dst, src = use.ref(1), use.ref(2)
    return _each(use, dst, use.size(0), lambda i: function(at(src, i)))


@means("__cn_vector_hypot_f32")
def _hypot(use: Use) -> Sequence[Stmt]:
    dst, x, y = use.ref(1), use.ref(2), use.ref(3)
    return _each(use, dst, use.size(0), lambda i: Call(F32, "hypot", (at(x, i), at(y, i))))


_FUSED: tuple[Callable[[Expr, Expr, Expr], Expr], ...] = (
    lambda x, y, z: Binary(x.dtype, "+", Binary(x.dtype, "*", x, y), z),
    lambda x, y, z: Binary(x.dtype, "-", Binary(x.dtype, "*", x, y), z),
    lambda x, y, z: Binary(x.dtype, "*", Binary(x.dtype, "+", x, y), z),
    lambda x, y, z: Binary(x.dtype, "*", Binary(x.dtype, "-", x, y), z),
    lambda x, y, z: Binary(x.dtype, "+", Binary(x.dtype, "+", x, y), z),
    lambda x, y, z: Binary(x.dtype, "-", Binary(x.dtype, "+", x, y), z),
    lambda x, y, z: Binary(x.dtype, "-", Binary(x.dtype, "-", x, y), z),
    lambda x, y, z: Binary(x.dtype, "+", Binary(x.dtype, "-", x, y), z),
)


@means("__bang_fusion")
def _fusion(use: Use) -> Sequence[Stmt]:
    """`(code, dst, src0, src1, src2, n [, seg_n])`: vector operands repeat every seg_n."""
    code = use.number(0)
    if not isinstance(code, Const):
        raise BadUse("the operation of `__bang_fusion` has to be known when it is compiled")
    function = in_float(_FUSED[int(code.value)])
    dst, src, n = use.ref(1), use.ref(2), use.size(5)
    period = use.size(6) if len(use.operands) > 6 else None

    def operand(position: int, i: Expr) -> Expr:
        other = use.operands[position]
        if not isinstance(other, Ref):
            return cast(other, src.dtype)
        same = period is None or period == n
        return at(other, i if same or period is None else mod(i, period))

    return _each(use, dst, n, lambda i: function(at(src, i), operand(3, i), operand(4, i)))


# ------------------------------------------------------------------------------------------ bits

_BITS = {"band": "&", "bor": "|", "bxor": "^"}


@means(*(f"__bang_{name}" for name in _BITS), "__bang_bnot")
def _bits(use: Use) -> Sequence[Stmt]:
    """Operands of bytes; those of the deprecated forms are wider and counted in elements."""
    refs = [use.ref(n) for n in range(2 if use.name == "__bang_bnot" else 3)]
    dtype = _integer(refs[0].dtype)
    dst, *sources = (Ref(dtype, r.array, r.offset) for r in refs)
    n = use.size(len(refs))
    if use.name == "__bang_bnot":
        return _each(use, dst, n, lambda i: Unary(dtype, "~", at(sources[0], i)))
    op = _BITS[use.name.removeprefix("__bang_")]
    return _each(use, dst, n, lambda i: Binary(dtype, op, at(sources[0], i), at(sources[1], i)))


@means(*(f"__bang_cycle_{name}" for name in _BITS))
def _cyclic_bits(use: Use) -> Sequence[Stmt]:
    dtype = _integer(use.ref(0).dtype)
    views = tuple(Ref(dtype, r.array, r.offset) for r in (use.ref(0), use.ref(1), use.ref(2)))
    op = _BITS[use.name.removeprefix("__bang_cycle_")]
    return _cyclic(_operator(op))(Use(use.name, (*views, *use.operands[3:]), use.fresh))


@means(*(f"__bang_{name}_scalar" for name in _BITS))
def _bits_scalar(use: Use) -> Sequence[Stmt]:
    """The scalar is converted to the element type first: its bits count."""
    element = use.ref(0).dtype
    dtype = _integer(element)
    dst, src = (Ref(dtype, r.array, r.offset) for r in (use.ref(0), use.ref(1)))
    value = cast(use.number(2), element)
    pattern = bitcast(value, dtype) if element != dtype else value
    op = _BITS[use.name.removeprefix("__bang_").removesuffix("_scalar")]
    return _each(use, dst, use.size(3), lambda i: Binary(dtype, op, at(src, i), pattern))


def _integer(dtype: DType) -> DType:
    if not dtype.is_float:
        return dtype
    return DType(f"u{dtype.bits}", U32.kind, dtype.bits)


@means(*(f"__bang_{name}_bitindex" for name in ("eq", "ne", "lt", "le", "gt", "ge")))
def _bit_index(use: Use) -> Sequence[Stmt]:
    """Eight tests a byte, the first in bit 0."""
    test = BINARY[use.name.removeprefix("__bang_").removesuffix("_bitindex")]
    dst, a, b = use.ref(0), use.ref(1), use.ref(2)
    bytes_ = Ref(U8, dst.array, mul(dst.offset, const(dst.dtype.bytes, dst.offset.dtype)))
    target = bytes_ if dst.dtype.bytes > 1 else Ref(U8, dst.array, dst.offset)

    def byte(i: Expr) -> Sequence[Stmt]:
        packed: Expr = const(0, I32)
        for bit in range(8):
            place = add(mul(i, const(8)), const(bit))
            hit = cast(test(at(a, place), at(b, place)), I32)
            packed = add(packed, mul(hit, const(1 << bit)))
        return (store(at(target, i), packed),)

    return (use.loop(Binary(I32, "/", use.size(3), const(8)), byte),)
