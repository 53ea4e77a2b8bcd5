"""Values of vector registers: lanes as a function of their position, written out by one loop over the lanes.

    __m512 s = _mm512_add_ps(_mm512_loadu_ps(a + i), x);
      -->   float s[16];  for lane in 0..16: s[lane] = a[i + lane] + x[lane]

A register variable is a small array. The value of an intrinsic has no place: it says for a lane which
expression it is, so that a nest of intrinsics becomes one loop. The lanes of one register may be seen as any
type: bits are taken apart and put together as memory has them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from xpiler.frontend.lower_context import Context
from xpiler.frontend.lower_offsets import divided, flat_offset, in_units, plus
from xpiler.frontend.lower_types import REGISTERS, Pointer, Register, size_of
from xpiler.frontend.lower_values import ZERO, Element, Memory, Value
from xpiler.ir import build
from xpiler.ir.affine import linear, simplify
from xpiler.ir.fitting import fitted
from xpiler.ir.nodes import (
    FALSE,
    TRUE,
    Assign,
    Binary,
    Bitcast,
    Block,
    Call,
    Cast,
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
    Unary,
    Var,
)
from xpiler.ir.rewrite import walk
from xpiler.ir.types import BOOL, I32, U32, U64, DType, promote
from xpiler.platforms.vnni_elementwise import as_bits, unsigned

Lane = Callable[[Expr], Expr]


@dataclass(frozen=True)
class Terms:
    """What is added to each lane: `count` numbers, `term(lane, part)`."""

    count: int
    term: Callable[[Expr, Expr], Expr]


@dataclass(frozen=True, eq=False)
class Lanes(Value):
    """A register's value: `at(lane)`, of type `dtype`. `origin` is the place that it was read from.

    With `terms` the value is the sum of `base` and of the terms. `live`: lanes that the operation made, the
    others being zero (0: all). `bits`: the number that a mask was made of.
    """

    type: Register
    dtype: DType
    at: Lane
    origin: Element | None = None
    base: Lanes | None = None
    terms: Terms | None = None
    live: int = 0
    bits: Expr | None = None

    @property
    def count(self) -> int:
        return lanes_in(self.type, self.dtype)


def lanes_in(ctype: Register, dtype: DType) -> int:
    return ctype.lanes if ctype.is_mask else (size_of(ctype) or 0) // dtype.bytes


# ------------------------------------------------------------------------------------------ positions


def half_of(ctx: Context, lane: Expr, parts: int) -> tuple[Expr, Expr]:
    """(lane / parts, lane % parts), as simple as the ranges of lanes allow."""
    if parts == 1:
        return lane, ZERO
    by = build.const(parts, I32)
    return tidy(ctx, build.div(lane, by)), tidy(ctx, build.mod(lane, by))


def tidy(ctx: Context, index: Expr) -> Expr:
    return index if isinstance(index, (Const, Var)) else simplify(index, ctx.lanes)


def scaled_lane(ctx: Context, lane: Expr, parts: int, part: Expr) -> Expr:
    return tidy(ctx, build.add(build.mul(lane, build.const(parts, I32)), part))


# ------------------------------------------------------------------------------------------ reading


def lanes_of_value(ctx: Context, value: Value, dtype: DType | None = None) -> Lanes:
    """The value of a register, its lanes seen as `dtype` (None: as they are)."""
    found = _lanes(ctx, value)
    return found if dtype is None else seen_as(ctx, found, dtype)


def _lanes(ctx: Context, value: Value) -> Lanes:
    if isinstance(value, Lanes):
        return value
    if isinstance(value, Element) and isinstance(value.type, Register):
        dtype = natural_type(value)
        return Lanes(value.type, dtype, lambda lane: element_lane(ctx, value, dtype, lane), origin=value)
    ctx.refuse("not-a-vector", f"a vector is needed here, not a value of type `{value.type}`")


def natural_type(element: Element) -> DType:
    """The type that the lanes of a place are seen as first: its own, of integers that of the memory."""
    ctype = element.type
    assert isinstance(ctype, Register)
    if ctype.is_integer and element.memory.dtype.is_integer and element.memory.dtype is not BOOL:
        return element.memory.dtype
    return ctype.dtype


def element_lane(ctx: Context, element: Element, dtype: DType, lane: Expr) -> Expr:
    """A lane of a register in memory."""
    place = lane_place(ctx, element, dtype, lane)
    if place is not None:
        return as_bits(place, dtype)
    memory = element.memory  # narrower, and not shown to be aligned: put together
    ratio = dtype.bytes // memory.dtype.bytes
    parts = [
        element_lane(ctx, element, memory.dtype, scaled_lane(ctx, lane, ratio, build.const(k)))
        for k in range(ratio)
    ]
    return joined(parts, dtype)


def lane_place(ctx: Context, element: Element, dtype: DType, lane: Expr) -> Load | None:
    """The place of a lane in memory, of the memory's type if it has the width."""
    memory = element.memory
    width = memory.dtype.bytes
    if dtype.bytes == width and element.index is not None:
        return Load(memory.dtype, memory.name, (*element.index, lane))
    if dtype.bytes == width == element.unit and element.prefix:
        return Load(memory.dtype, memory.name, (*element.prefix, plus(memory, element.offset, lane)))
    offset, unit = flat_offset(element)
    if dtype.bytes <= width:
        at = plus(memory, in_units(memory, offset, unit, dtype.bytes), lane)
        return Load(memory.dtype if dtype.bytes == width else dtype, memory.name, (_index(at),))
    exact = divided(in_units(memory, offset, unit, width), dtype.bytes // width)
    if exact is None:
        return None
    return Load(dtype, memory.name, (_index(plus(memory, exact, lane)),))


def _index(at: Expr) -> Expr:
    return build.cast(at, promote(at.dtype))


def joined(parts: Sequence[Expr], dtype: DType) -> Expr:
    """Narrow integers, the lowest first, as one of `dtype`."""
    word = U64 if dtype.bits == 64 else U32
    result: Expr = build.const(0, word)
    for k, part in enumerate(parts):
        piece = build.cast(as_bits(part, unsigned(part.dtype)), word)
        result = build.binary("|", result, build.binary("<<", piece, build.const(k * part.dtype.bits)))
    return as_bits(build.cast(result, unsigned(dtype)), dtype)


def piece_of(expr: Expr, dtype: DType, part: Expr) -> Expr:
    """Part number `part`, of the narrower type `dtype`, of a value."""
    if isinstance(expr, Load) and len(expr.index) == 1:
        ratio = expr.dtype.bytes // dtype.bytes
        (index,) = expr.index
        at = build.add(build.mul(index, build.const(ratio, index.dtype)), build.cast(part, index.dtype))
        return Load(dtype, expr.array, (simplify(at),))
    whole = _whole(expr)
    if whole is not None and isinstance(part, Const):
        pieces, width = whole
        if width == dtype.bits and int(part.value) < len(pieces):
            return as_bits(pieces[int(part.value)], dtype)
    if isinstance(expr, Const):
        bits = as_bits(expr, unsigned(expr.dtype)) if not expr.dtype.is_float else None
        if isinstance(bits, Const) and isinstance(part, Const):
            return build.const(int(bits.value) >> (int(part.value) * dtype.bits), dtype)
    word = as_bits(expr, unsigned(expr.dtype))
    shift = build.mul(part, build.const(dtype.bits))
    return as_bits(build.cast(build.binary(">>", word, shift), unsigned(dtype)), dtype)


def _whole(expr: Expr) -> tuple[list[Expr], int] | None:
    """The parts that `joined` put together, and their width."""
    while (
        isinstance(expr, Cast)
        and expr.operand.dtype.is_integer
        and expr.operand.dtype.bits >= expr.dtype.bits
    ):
        expr = expr.operand
    pieces: list[Expr] = []
    width = 0
    while isinstance(expr, Binary) and expr.op == "|":
        match expr.right:
            case Binary(op="<<", left=Cast(operand=piece), right=Const(value=shift)):
                width = width or piece.dtype.bits
                if int(shift) % piece.dtype.bits:
                    return None
                pieces.append(piece)
            case _:
                return None
        expr = expr.left
    if not pieces or not isinstance(expr, Cast):
        return None
    return [expr.operand, *reversed(pieces)], width


def seen_as(ctx: Context, lanes: Lanes, dtype: DType) -> Lanes:
    """The same register with lanes of another type."""
    if lanes.dtype == dtype:
        return lanes
    if lanes.type.is_mask or dtype is BOOL:
        ctx.refuse("mask", "a mask is used as a vector, or a vector as a mask")
    own, wanted = lanes.dtype.bytes, dtype.bytes
    origin = lanes.origin
    if origin is not None and own != wanted:
        return Lanes(lanes.type, dtype, lambda lane: element_lane(ctx, origin, dtype, lane), origin=origin)
    if own == wanted:
        return Lanes(lanes.type, dtype, lambda lane: as_bits(lanes.at(lane), dtype), origin=origin)
    lanes = simple(ctx, lanes)

    def narrower(lane: Expr) -> Expr:
        whole, part = half_of(ctx, lane, own // wanted)
        return piece_of(lanes.at(whole), dtype, part)

    def wider(lane: Expr) -> Expr:
        ratio = wanted // own
        return joined([lanes.at(scaled_lane(ctx, lane, ratio, build.const(k))) for k in range(ratio)], dtype)

    return Lanes(lanes.type, dtype, narrower if wanted < own else wider)


def retyped(lanes: Lanes, ctype: Register) -> Lanes:
    """A cast between register types: the bits stay."""
    return replace(lanes, type=ctype, base=None, terms=None)


# ------------------------------------------------------------------------------------------ masks


def mask_of(ctx: Context, value: Value, count: int) -> Lane:
    """A mask as a condition of the lane: from a mask register or from the bits of a number."""
    if isinstance(value.type, Register) and value.type.is_mask:
        lanes = _lanes(ctx, value)
        own = lanes.live or lanes.count
        return lanes.at if count <= own else lambda lane: build.and_(below(ctx, lane, own), lanes.at(lane))
    from xpiler.frontend.lower_memory import load

    bits = load(ctx, value)
    return lambda lane: bit(ctx, bits, lane)


def below(ctx: Context, lane: Expr, limit: int) -> Expr:
    """Whether a position is below a limit, decided where its range tells."""
    if isinstance(lane, Var) and lane.name in ctx.lanes and ctx.lanes[lane.name][1] < limit:
        return TRUE
    return build.lt(lane, build.const(limit))


def mask_from(ctx: Context, value: Value, ctype: Register) -> Lanes:
    """A mask of another one's lanes, or of the bits of a number."""
    from xpiler.frontend.lower_memory import load

    if isinstance(value.type, Register):
        return Lanes(ctype, BOOL, mask_of(ctx, value, ctype.lanes))
    bits = load(ctx, value)
    return Lanes(ctype, BOOL, lambda lane: bit(ctx, bits, lane), bits=bits)


def new_mask(ctx: Context, lanes: int, at: Lane) -> Lanes:
    """A mask of which an operation on `lanes` lanes made the lowest bits; the others are zero."""
    ctype = REGISTERS[f"__mmask{max(lanes, 8)}"]
    if lanes >= 8:
        return Lanes(ctype, BOOL, at)
    return Lanes(ctype, BOOL, lambda lane: build.and_(below(ctx, lane, lanes), at(lane)))


def bit(ctx: Context, bits: Expr, lane: Expr) -> Expr:
    """Whether a bit of a number is set, as a comparison where the number is that of a run of bits."""
    match bits:
        case Const(value=value):
            return _constant_bit(ctx, int(value), bits.dtype, lane)
        case Cast(operand=operand) if operand.dtype is BOOL:
            return build.and_(build.eq(lane, 0), operand)
        case Cast(operand=operand) if operand.dtype.is_integer:
            return bit(ctx, operand, lane)
        case Select(condition=condition, then=then, otherwise=otherwise):
            return chosen_bit(ctx, condition, bit(ctx, then, lane), bit(ctx, otherwise, lane))
        case Binary(op="-" | "+" as op, left=left, right=Const(value=value)) if value == (
            1 if op == "-" else -1
        ):
            count = _shifted_one(left)
            if count is not None:
                return _less(ctx, lane, build.cast(count, I32))
        case Binary(op=">>", left=Const(value=value, dtype=dtype), right=right) if _is_run(int(value), dtype):
            run = (int(value) & (1 << dtype.bits) - 1).bit_length()
            return _less(ctx, lane, tidy(ctx, build.sub(build.const(run), build.cast(right, I32))))
        case Binary(op="&", left=left, right=right):
            return build.and_(bit(ctx, left, lane), bit(ctx, right, lane))
        case Binary(op="|", left=left, right=right):
            return build.or_(bit(ctx, left, lane), bit(ctx, right, lane))
        case Binary(op="^", left=left, right=right):
            return build.ne(bit(ctx, left, lane), bit(ctx, right, lane))
        case Unary(op="~", operand=operand):
            return build.not_(bit(ctx, operand, lane))
        case Binary(op=">>", left=left, right=right):
            return bit(ctx, left, tidy(ctx, build.add(lane, build.cast(right, I32))))
    wide = bits if bits.dtype.bits >= 32 else build.cast(bits, U32)
    moved = build.binary(">>", as_bits(wide, unsigned(wide.dtype)), lane)
    return build.ne(build.binary("&", moved, build.const(1, moved.dtype)), build.const(0, moved.dtype))


def chosen_bit(ctx: Context, condition: Expr, then: Expr, otherwise: Expr) -> Expr:
    """`c ? a : b` of conditions, without a selection where one side decides."""
    match then, otherwise:
        case Const(value=True), _:
            if _implied(ctx, condition, otherwise):
                return otherwise
            return build.or_(condition, otherwise)
        case _, Const(value=True):
            if _implied(ctx, build.not_(condition), then):
                return then
            return build.or_(build.not_(condition), then)
        case _, Const(value=False):
            return build.and_(condition, then)
    return build.select(condition, then, otherwise)


def _implied(ctx: Context, condition: Expr, test: Expr) -> bool:
    """Whether `n - i >= 16` says enough for `lane < n - i`."""
    match condition, test:
        case Binary(op=">=" | ">" as op, left=left, right=Const(value=least)), Binary(
            op="<", left=Var(name=name), right=right
        ):
            high = ctx.lanes.get(name, (0, 1 << 30))[1]
            difference = linear(build.sub(left, build.cast(right, left.dtype)))
            enough = int(least) + (1 if op == ">" else 0) > high
            return enough and difference is not None and difference.as_int == 0
    return False


def _less(ctx: Context, lane: Expr, count: Expr) -> Expr:
    """`lane < count`, where a limit of the count beyond the lanes counts for nothing."""
    high = ctx.lanes.get(lane.name, (0, 1 << 30))[1] if isinstance(lane, Var) else 1 << 30
    match count:
        case Call(function="min", args=(inner, Const(value=limit))) if int(limit) > high:
            return build.lt(lane, inner)
        case Select(condition=condition, then=then, otherwise=otherwise):
            first, second = _less(ctx, lane, then), _less(ctx, lane, otherwise)
            if isinstance(then, Const):
                first = below(ctx, lane, int(then.value))
            if isinstance(otherwise, Const):
                second = below(ctx, lane, int(otherwise.value))
            return chosen_bit(ctx, condition, first, second)
    return build.lt(lane, count)


def _is_run(value: int, dtype: DType) -> bool:
    bits = value & (1 << dtype.bits) - 1
    return bits & (bits + 1) == 0 and bits != 0


def _shifted_one(expr: Expr) -> Expr | None:
    while isinstance(expr, Cast) and expr.operand.dtype.is_integer:
        expr = expr.operand
    match expr:
        case Binary(op="<<", left=Const(value=1), right=right):
            return right
    return None


def _constant_bit(ctx: Context, value: int, dtype: DType, lane: Expr) -> Expr:
    bits = value & (1 << dtype.bits) - 1
    if isinstance(lane, Const):
        return TRUE if bits >> int(lane.value) & 1 else FALSE
    if bits == 0:
        return FALSE
    if _is_run(value, dtype):
        return below(ctx, lane, bits.bit_length()) if bits.bit_length() < dtype.bits else TRUE
    word = U64 if bits >> 32 else U32
    moved = build.binary(">>", build.const(bits, word), lane)
    return build.ne(build.binary("&", moved, build.const(1, word)), build.const(0, word))


def mask_number(ctx: Context, value: Value) -> Expr:
    """A mask register as a number: bit i is lane i."""
    lanes = _lanes(ctx, value)
    dtype = U64 if lanes.count > 32 else U32
    if lanes.bits is not None:
        return build.cast(lanes.bits, unsigned_of(lanes.count))
    result = Var(dtype, ctx.fresh("bits"))
    ctx.emit(Decl(result.name, dtype, init=build.const(0, dtype)))
    lane = new_lane(ctx, lanes.count)
    one = build.select(lanes.at(lane), build.const(1, dtype), build.const(0, dtype))
    body = Assign(Var(dtype, result.name), build.binary("<<", one, lane), "|")
    ctx.emit(lane_loop(lane, lanes.count, (body,), LoopKind.SERIAL))
    narrow = {8: 8, 16: 16}.get(lanes.count)
    return build.cast(result, unsigned_of(narrow)) if narrow else result


def unsigned_of(bits: int) -> DType:
    from xpiler.ir.types import U8, U16

    return {8: U8, 16: U16, 32: U32, 64: U64}[bits]


# ------------------------------------------------------------------------------------------ writing


def new_lane(ctx: Context, count: int) -> Var:
    """A new loop variable over the lanes of a register."""
    lane = Var(I32, ctx.fresh("lane"))
    ctx.lanes[lane.name] = (0, count - 1)
    ctx.settled.add(lane.name)
    ctx.non_negative.add(lane.name)
    return lane


def lane_loop(lane: Var, count: int, body: tuple[Stmt, ...], kind: LoopKind) -> For:
    return For(lane.name, I32, build.const(0), build.const(count), build.const(1), Block(body), kind)


def declare_register(ctx: Context, name: str, ctype: Register, dtype: DType) -> Element:
    """A new register variable, uninitialised."""
    count = lanes_in(ctype, dtype)
    memory = Memory(ctx.fresh(name), dtype, (count,), Space.LOCAL)
    ctx.emit(Decl(memory.name, dtype, (build.const(count),), Space.LOCAL))
    return Element(ctype, memory, ())


def kept(ctx: Context, name: str, lanes: Lanes) -> Element:
    """A register variable with this value."""
    dtype = BOOL if lanes.type.is_mask else lanes.dtype
    target = declare_register(ctx, name, lanes.type, dtype)
    assign_lanes(ctx, target, lanes)
    return target


def simple(ctx: Context, lanes: Lanes) -> Lanes:
    """Lanes that may be asked for more than once: a computed value is written out first."""
    if lanes.origin is not None or is_settled(ctx, lanes):
        return lanes
    sample = lanes.at(Var(I32, "lane"))
    if lanes.terms is None and (isinstance(sample, (Load, Const, Var)) or _is_cheap(sample)):
        return lanes
    written = _lanes(ctx, kept(ctx, "v", lanes))
    return written if lanes.type.is_mask else seen_as(ctx, written, lanes.dtype)


def _is_cheap(expr: Expr) -> bool:
    while isinstance(expr, (Cast, Bitcast)):
        expr = expr.operand
    return isinstance(expr, (Load, Const, Var))


def is_settled(ctx: Context, lanes: Lanes) -> bool:
    """Whether the lanes are made of numbers that never change alone, so that they need no variable."""
    if lanes.terms is not None:
        return False
    sample = lanes.at(Var(I32, "lane"))
    for node in walk(sample):
        if isinstance(node, Load) and node.array not in ctx.tables:
            return False
        if (
            isinstance(node, Var)
            and node.name != "lane"
            and not (node.name in ctx.settled or "." in node.name)
        ):
            return False
    return True


def assign_lanes(ctx: Context, target: Element, value: Lanes, where: Lane | None = None) -> None:
    """`target = value`, or only the lanes `where` says so."""
    assert isinstance(target.type, Register)
    if target.type.is_mask:
        dtype = BOOL
    elif target.memory.space is Space.LOCAL and target.index is not None:
        dtype = target.memory.dtype  # a register variable keeps its lanes as it was declared
    elif value.dtype.bytes != target.memory.dtype.bytes and where is None:
        dtype = target.memory.dtype
    else:
        dtype = value.dtype
    if where is not None and dtype != value.dtype and dtype.bytes != value.dtype.bytes:
        ctx.refuse("mask-width", "a masked store of lanes of another width than the array's elements")
    if not target.type.is_mask and dtype.bytes != value.dtype.bytes:
        value = seen_as(ctx, value, dtype)
    count = lanes_in(target.type, value.dtype)
    lane = new_lane(ctx, count)
    place = lane_place(ctx, target, value.dtype, lane)
    if place is None:
        narrow = seen_as(ctx, value, target.memory.dtype)
        assign_lanes(ctx, target, narrow, where)
        return
    stored = _stored(place, value, lane)
    condition = where(lane) if where is not None else TRUE
    if _meets(place, [*(_exprs(stored)), condition]):
        assign_lanes(ctx, target, _lanes(ctx, kept(ctx, "v", value)), where)
        return
    body: tuple[Stmt, ...] = stored
    if where is not None and condition != TRUE:
        body = (If(condition, Block(stored)),)
    ctx.emit(lane_loop(lane, count, body, LoopKind.THREADS))


def _stored(place: Load, value: Lanes, lane: Var) -> tuple[Stmt, ...]:
    terms, base = value.terms, value.base
    if terms is None or base is None or place.dtype != value.dtype:
        return (Assign(place, as_bits(value.at(lane), place.dtype)),)
    start = base.at(lane)
    first: tuple[Stmt, ...] = () if start == place else (Assign(place, start),)
    part = Var(I32, f"{lane.name}_part")
    numbers = [terms.term(lane, build.const(k)) for k in range(terms.count)]
    one = fitted(numbers, part)
    if one is None:
        return (*first, *(Assign(place, n, "+") for n in numbers))
    inner = For(
        part.name, I32, build.const(0), build.const(terms.count), build.const(1),
        Block((Assign(place, one, "+"),)),
    )  # fmt: skip
    return (*first, inner)


def _exprs(stmts: Sequence[Stmt]) -> list[Expr]:
    return [node for stmt in stmts for node in walk(stmt) if isinstance(node, Expr)]


def _meets(place: Load, exprs: Sequence[Expr]) -> bool:
    """Whether something is read from the array of `place` elsewhere than there."""
    return any(
        isinstance(node, Load) and node.array == place.array and node != place
        for expr in exprs
        for node in walk(expr)
    )


# ------------------------------------------------------------------------------------------ makers


def constant_lanes(ctype: Register, value: Expr) -> Lanes:
    """The same number in every lane."""
    return Lanes(ctype, value.dtype, lambda lane: value)


def listed(ctx: Context, ctype: Register, values: Sequence[Expr]) -> Lanes:
    """Each lane a number of its own."""

    def one(value: Expr) -> Callable[[], Expr]:
        return lambda: value

    return picked(ctx, ctype, values[0].dtype, [one(v) for v in values])


def picked(ctx: Context, ctype: Register, dtype: DType, lanes: Sequence[Callable[[], Expr]]) -> Lanes:
    """Each lane an expression of its own; a loop over them finds the form that they have in common."""

    def at(lane: Expr) -> Expr:
        if isinstance(lane, Const):
            return lanes[int(lane.value)]()
        exprs = [one() for one in lanes]
        found = fitted(exprs, lane)
        return found if found is not None else table(ctx, exprs, lane)

    return Lanes(ctype, dtype, at)


def table(ctx: Context, exprs: Sequence[Expr], lane: Expr) -> Expr:
    """Expressions without a common form: a table of constants, else a chain of choices."""
    dtype = exprs[0].dtype
    if all(isinstance(e, Const) for e in exprs):
        key = (dtype, tuple(e.value for e in exprs if isinstance(e, Const)))
        name = ctx.constant_tables.get(key)
        if name is None:
            name = ctx.constant_tables[key] = ctx.fresh("lanes")
            ctx.tables.add(name)
            shape = (build.const(len(exprs)),)
            ctx.prologue.append(Decl(name, dtype, shape, Space.LOCAL, tuple(exprs), range=ctx.range()))
        return Load(dtype, name, (lane,))
    half = len(exprs) // 2
    if half == 0:
        return exprs[0]
    best = _by_digit(ctx, exprs, lane)
    if best is not None:
        return best
    low = fitted(exprs[:half], lane) or table(ctx, exprs[:half], lane)
    rest = tidy(ctx, build.sub(lane, half))
    high = fitted(exprs[half:], rest) or table(ctx, exprs[half:], rest)
    return build.select(build.lt(lane, half), low, high)


def _by_digit(ctx: Context, exprs: Sequence[Expr], lane: Expr) -> Expr | None:
    """A choice by one binary digit of the position whose two sides have a form each."""
    count = len(exprs)
    bits = count.bit_length() - 1
    for b in range(bits):
        sides = []
        for value in (0, 1):
            chosen = [e for i, e in enumerate(exprs) if (i >> b & 1) == value]
            low = build.mod(lane, 1 << b) if b else ZERO
            rest = tidy(ctx, build.add(build.mul(build.div(lane, 2 << b), 1 << b), low))
            sides.append(fitted(chosen, rest))
        if sides[0] is not None and sides[1] is not None:
            digit = tidy(ctx, build.mod(build.div(lane, 1 << b), 2))
            return build.select(build.eq(digit, 0), sides[0], sides[1])
    return None


def shuffled(
    ctx: Context, ctype: Register, dtype: DType, sources: Sequence[Lanes], places: Sequence[tuple[int, int]]
) -> Lanes:
    """Lanes moved as `places` says: (number of the source, its lane) for each; a source of -1 is zero."""
    sources = [simple(ctx, seen_as(ctx, s, dtype)) for s in sources]
    zero = build.const(0, dtype)

    def one(source: int, place: int) -> Callable[[], Expr]:
        return lambda: zero if source < 0 else sources[source].at(build.const(place))

    return picked(ctx, ctype, dtype, [one(s, p) for s, p in places])


def moved(ctx: Context, lanes: Lanes, index: Lane, count: int) -> Lane:
    """Lane `index(lane) % count` of a register."""
    source = simple(ctx, lanes)

    def at(lane: Expr) -> Expr:
        number = index(lane)
        if isinstance(number, Const):
            return source.at(build.const(int(number.value) % count))
        word = build.cast(as_bits(number, unsigned(number.dtype)), U32)
        return source.at(build.cast(build.binary("&", word, build.const(count - 1, U32)), I32))

    return at


def numbers_of(lanes: Lanes) -> list[int] | None:
    """The lanes as numbers if they are all known."""
    found = [lanes.at(build.const(i)) for i in range(lanes.count)]
    return (
        [int(e.value) for e in found if isinstance(e, Const)]
        if all(isinstance(e, Const) for e in found)
        else None
    )


def register_at(ctx: Context, ctype: Register, pointer: Value) -> Element:
    """The register's worth of memory that a pointer points to."""
    from xpiler.frontend.lower_memory import deref, pointer_of
    from xpiler.frontend.lower_pointers import retype

    place = deref(ctx, retype(pointer_of(ctx, pointer), Pointer(ctype)))
    if not isinstance(place, Element):
        ctx.refuse("pointer-to-variable", "a vector is read from the address of a single variable")
    return place
