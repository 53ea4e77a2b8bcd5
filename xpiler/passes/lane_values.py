"""Values that vary along the lanes, by the instructions that the platform has.

    (x[i] + s) * y[i]   -->   __bang_add_scalar(tmp, x_nram, s, count);  __bang_mul(tmp, tmp, y_nram, count)

An expression is unified with the meanings of the instructions; what unifies with none is composed of others.
"""

from __future__ import annotations

from dataclasses import replace
from math import copysign, isfinite

from numpy import float32

from xpiler.ir.build import COMPARISONS, add, cast, const, mul, select
from xpiler.ir.nodes import (
    Binary,
    Bitcast,
    Block,
    Call,
    Cast,
    Const,
    Decl,
    Expr,
    If,
    Instr,
    Load,
    Ref,
    Select,
    Stmt,
    Unary,
    Var,
)
from xpiler.ir.rewrite import substitute
from xpiler.ir.types import BF16, BOOL, F16, F32, I8, I16, I32, I64, U8, U32, DType
from xpiler.passes.lane_buffers import NotTileable
from xpiler.passes.lane_elements import LaneElements
from xpiler.passes.lane_ranges import clamped, lane_test
from xpiler.platforms.bang import (
    Let,
    compose,
    matches,
    tests_as_floats,
)
from xpiler.platforms.bang_bfloat16 import bfloat16_conversion
from xpiler.platforms.bang_functions import test_of
from xpiler.platforms.bang_integers import choice_as_clamp, integer_conversion, shifted_quotient
from xpiler.platforms.bang_words import signed_comparison, word_operation

_TESTS = {"==": "eq", "!=": "ne", "<": "lt", "<=": "le", ">": "gt", ">=": "ge"}


class LaneValues(LaneElements):
    """One vector loop, with the values of its lanes."""

    def value(self, expr: Expr, wish: str) -> str:
        """The buffer that holds the expression for every lane of the tile; the caller releases it."""
        match expr:
            case Var(name=name) if name in self.lanes:
                self.hold(self.lanes[name])
                return self.lanes[name]
            case Load() if self.varies(expr):
                return self.load(expr)
        return self.compute(expr, wish, None)

    def into(self, buffer: str, dtype: DType, expr: Expr) -> None:
        """Computes into the buffer."""
        match expr:
            case Var(name=name) if name in self.lanes:
                self.move(buffer, self.lanes[name], dtype)
            case Load() if self.varies(expr) and self.is_gathered(expr):
                self.gathered(expr, buffer)
            case Load() if self.varies(expr) and self.is_brought(expr):
                self.bring(expr, buffer)
            case Load() if self.varies(expr):
                source = self.load(expr)
                self.move(buffer, source, dtype)
                self.release(source)
            case _:
                self.compute(expr, "", buffer)

    def move(self, dst: str, src: str, dtype: DType) -> None:
        ends = self.ref(dtype, dst), self.ref(dtype, src)
        self.out.append(Instr("__memcpy", (*ends, self.count), (("direction", "NRAM2NRAM"),)))

    def compute(self, expr: Expr, wish: str, into: str | None) -> str:
        if not self.varies(expr):
            buffer = into or self.acquire(wish, expr.dtype)
            operands = (self.ref(expr.dtype, buffer), self.count, expr)
            self.out.append(Instr("__bang_write_value", operands))
            return buffer
        normal = _normal(expr)
        architecture = self.tiler.architecture
        found = matches(normal, self.varies, architecture)
        if found is None and architecture.padded:  # without instructions that take a scalar: a vector of it
            found = matches(normal, lambda _: True, architecture)
        if found is not None:
            allowed = architecture.integers or expr.dtype.is_float
            if not allowed:
                raise NotTileable("vectors of integers")
            sources = {name: self.value(e, "tmp") for name, e in found.vectors.items()}
            overlap = found.intrinsic.overlap
            over = into if overlap or not self.share_memory(into, sources.values()) else None
            buffer = over or self.result(wish, expr.dtype, sources.values(), overlap)
            refs = [self.ref(found.vectors[n].dtype, b) for n, b in sources.items()]
            scalar = () if found.scalar is None else (found.scalar,)
            operands = (self.ref(expr.dtype, buffer), *refs, *scalar, self.count)
            suffix = found.intrinsic.suffix
            attributes = (("suffix", suffix),) if suffix else ()
            self.out.append(Instr(found.intrinsic.name, operands, attributes))
            for source in sources.values():
                self.release(source)
            if into is None or buffer == into:
                return buffer
            self.move(into, buffer, expr.dtype)
            self.release(buffer)
            return into
        match normal:
            case Select(condition=condition) if self.varies(condition):
                return self.choice(normal, wish, into)
            case Select():
                return self.either(normal, wish, into)
            case Bitcast(operand=operand):
                return self.same_bytes(operand, normal.dtype, wish, into)
            case Binary(op="&" | "|" | "^" as op, dtype=dtype) if dtype == I32:
                return self.bitwise(_BITWISE[op], normal, into)
        if isinstance(normal, Var) and normal.name == self.loop.var:
            return self.index(wish, into)
        simpler = word_operation(normal) or bfloat16_conversion(normal)
        simpler = simpler or integer_conversion(normal, self.ranges)
        simpler = simpler or shifted_quotient(normal, self.ranges)
        simpler = simpler or compose(normal, self.varies, self.tiler.architecture)
        simpler = simpler or _test_as_choice(normal)
        if simpler is None or simpler == expr:
            raise NotTileable(f"no instruction for {in_words(expr)}")
        if isinstance(simpler, Let):
            return self.let(simpler, wish, into)
        return self.compute_or_value(simpler, wish, into)

    def same_bytes(self, operand: Expr, dtype: DType, wish: str, into: str | None) -> str:
        if operand.dtype.bytes != dtype.bytes:
            raise NotTileable(f"the bits of {operand.dtype} values as {dtype}")
        return self.compute_or_value(operand, wish, into)  # an instruction looks at a buffer in any way

    def bitwise(self, name: str, expr: Binary, into: str | None) -> str:
        """With an operand that is the same for all lanes, which no instruction takes as a scalar."""
        left, right = self.value(expr.left, "tmp"), self.value(expr.right, "bits")
        result = into or self.acquire("bits", I32)
        self.bits(name, result, left, right)
        self.release(left)
        self.release(right)
        return result

    def index(self, wish: str, into: str | None) -> str:
        """The numbers of the lanes: those within a tile, which are kept, and the first one."""
        buffer = into or self.acquire(wish, I32)
        operands = (self.ref(I32, buffer), self.lane_numbers(), cast(self.first, I32), self.count)
        self.out.append(Instr("__bang_add_scalar", operands))
        return buffer

    def lane_numbers(self) -> Ref:
        self.tiler.numbers = self.tiler.numbers or self.tiler.names.fresh("numbers_nram")
        return Ref(I32, self.tiler.numbers, cast(self.skipped, I32))

    def let(self, steps: Let, wish: str, into: str | None) -> str:
        """Intermediate results that are needed more than once, then the result."""
        mine: list[str] = []
        names: dict[str, Expr] = {}
        for name, value in steps.scalars:
            scalar = Var(value.dtype, self.tiler.names.fresh(name))
            self.out.append(Decl(scalar.name, scalar.dtype, init=substitute(value, names)))
            names[name] = scalar
        for name, value in steps.bindings:
            own = Var(value.dtype, self.tiler.names.fresh(name))
            self.lanes[own.name] = self.value(substitute(value, names), name)
            names[name] = own
            mine.append(own.name)
        result = self.compute_or_value(substitute(steps.result, names), wish, into)
        for each in mine:
            self.release(self.lanes.pop(each))
        return result

    def choice(self, expr: Select, wish: str, into: str | None) -> str:
        """`condition ? a : b` by masks of bits: exact for every value."""
        if expr.dtype.bytes < I32.bytes:
            wide = F32 if expr.dtype in (F16, BF16) else I32
            sides = (cast(side, wide) for side in (expr.then, expr.otherwise))
            return self.compute_or_value(Cast(expr.dtype, Select(wide, expr.condition, *sides)), wish, into)
        if expr.dtype.bytes != I32.bytes:
            raise NotTileable(f"a choice between values of {expr.dtype}")
        numbers = _as_sum(expr)
        if numbers is not None:
            return self.compute_or_value(numbers, wish, into)
        mask = self.mask(expr.condition)
        then, otherwise = expr.then, expr.otherwise
        if then == const(0, expr.dtype):
            mask = self.opposite(mask)
            then, otherwise = otherwise, then
        if isinstance(then, Load) and otherwise == const(0, expr.dtype) and not self.speculable(then):
            with self.guarded(mask):
                result = self.gathered(then, into)
            self.release(mask)
            return result
        chosen = self.under(mask, then)
        result = self.acquire("choice", expr.dtype)
        self.bits("__bang_band", result, chosen, mask)
        self.release(chosen)
        if otherwise != const(0, expr.dtype):
            anywhere = self.speculable(otherwise)
            other = self.value(otherwise, "tmp") if anywhere else ""
            rest = self.acquire("rest", I32)
            mask = self.opposite(mask)
            other = other or self.under(mask, otherwise)
            self.bits("__bang_band", rest, other, mask)
            self.bits("__bang_bor", result, result, rest)
            self.release(other)
            self.release(rest)
        self.release(mask)
        if into is None:
            return result
        self.move(into, result, expr.dtype)
        self.release(result)
        return into

    def under(self, mask: str, expr: Expr) -> str:
        """The expression for the lanes of a mask; those of others do no harm."""
        if self.speculable(expr):
            return self.value(expr, "tmp")
        with self.guarded(mask):
            return self.value(expr, "tmp")

    def either(self, expr: Select, wish: str, into: str | None) -> str:
        """`condition ? a : b` for all lanes alike: the one or the other is computed."""
        buffer = into or self.acquire(wish or "choice", expr.dtype)
        outer, before = self.out, dict(self.loaded)
        sides: list[Block] = []
        for side in (expr.then, expr.otherwise):
            self.out = []
            self.into(buffer, expr.dtype, side)
            for key in [k for k in self.loaded if self.loaded[k] != before.get(k)]:
                self.release(self.loaded.pop(key))
            sides.append(Block(tuple(self.out)))
        self.out = [*outer, If(expr.condition, sides[0], sides[1])]
        return buffer

    def mask(self, condition: Expr) -> str:
        """All bits of the lanes where the condition holds."""
        if not self.varies(condition):
            result = self.acquire("mask", I32)
            word = select(condition, const(-1), const(0))
            self.out.append(Instr("__bang_write_value", (self.ref(I32, result), self.count, word)))
            return result
        match condition:
            case Binary(op="==" | "!=" as op, left=left, right=right) if left.dtype == BOOL == right.dtype:
                both = self.joined_masks("__bang_bxor", self.mask(left), self.mask(right))
                return self.opposite(both) if op == "==" else both
            case Binary(op="&&" | "||" as op, left=left, right=right):
                first = self.mask(left)
                second = self.mask(right) if self.speculable(right) else self.mask_under(first, right, op)
                return self.joined_masks("__bang_band" if op == "&&" else "__bang_bor", first, second)
            case Unary(op="!", operand=operand):
                return self.opposite(self.mask(operand))
            case Binary(op="!=", left=Var(name=name)) if name in self.masks:
                self.hold(self.lanes[name])
                return self.lanes[name]
            case Binary(op="==" | "!=", left=left, right=Const(value=0)) if left.dtype == U8:
                return self.mask(replace(condition, left=Bitcast(I8, left), right=const(0, I8)))
            case Binary(left=left) if left.dtype == U32 and (signed := signed_comparison(condition)):
                return self.mask(signed)
            case Binary(op=op, left=left, right=right) if left.dtype in (F16, BF16, I16, I8, U8):
                wide = F32 if left.dtype in (F16, BF16) else I32
                return self.mask(Binary(condition.dtype, op, cast(left, wide), cast(right, wide)))
            case Binary(left=left) if left.dtype in (F32, I32):
                ones = self.value(Cast(left.dtype, condition), "tmp")
                result = self.acquire("mask", I32)
                whole, part = self.ref(I32, result), self.ref(left.dtype, ones)
                if left.dtype == F32:
                    convert = Instr("__bang_float2int32_tz", (whole, part, self.count), (("suffix", "0"),))
                    self.out.append(convert)
                    part = whole
                self.out.append(Instr("__bang_mul_scalar", (whole, part, const(-1), self.count)))
                self.release(ones)
                return result
            case Call(function=name, args=(x,)) if x.dtype == F32 and (test := test_of(name, x)) is not None:
                return self.mask(test)
            case Binary(left=left) if left.dtype == I64 and (mask := self.test_of_place(condition)):
                return mask
        raise NotTileable(f"{in_words(condition)} as a condition")

    def mask_under(self, first: str, condition: Expr, op: str) -> str:
        """The condition that is asked for where the first one holds (`&&`), or does not."""
        self.hold(first)
        asked = self.opposite(first) if op == "||" else first
        with self.guarded(asked):
            second = self.mask(condition)
        self.release(asked)
        return second

    def opposite(self, mask: str) -> str:
        """The lanes that are not in the mask, which is released."""
        result = self.over(mask)
        self.bits("__bang_bnot", result, mask)
        return self.instead(mask, result)

    def joined_masks(self, name: str, first: str, second: str) -> str:
        """By an operation on their bits; both are released."""
        result = self.over(first)
        self.bits(name, result, first, second)
        self.release(second)
        return self.instead(first, result)

    def over(self, mask: str) -> str:
        """Where what comes of a mask goes: over it, unless somebody else holds it."""
        return mask if self.held.get(mask) == 1 else self.acquire("mask", I32)

    def instead(self, mask: str, result: str) -> str:
        if result != mask:
            self.release(mask)
        return result

    def test_of_place(self, condition: Binary) -> str | None:
        """All bits of the lanes whose number compares so with what is of 64 bits and the same for all."""
        found = lane_test(condition, self.loop.var, self.first, self.varies)
        if found is None or self.tiler.architecture.padded:
            return None
        op, place = found
        at = Var(I32, self.tiler.names.fresh("place"))
        behind = add(self.skipped, self.count)
        self.out.append(Decl(at.name, I32, init=clamped(place, const(-1), behind)))
        result = self.acquire("mask", I32)
        own = self.ref(I32, result)
        self.out.append(Instr(f"__bang_{_TESTS[op]}_scalar", (own, self.lane_numbers(), at, self.count)))
        self.out.append(Instr("__bang_mul_scalar", (own, own, const(-1), self.count)))
        return result

    def bits(self, name: str, *buffers: str) -> None:
        refs = tuple(self.ref(I32, b) for b in buffers)
        self.out.append(Instr(name, (*refs, self.count), (("suffix", "bytes"),)))

    def compute_or_value(self, expr: Expr, wish: str, into: str | None) -> str:
        if into is None:
            return self.value(expr, wish)
        self.into(into, expr.dtype, expr)
        return into


def _test_as_choice(expr: Expr) -> Expr | None:
    """A condition as a number, where no comparison gives it."""
    match expr:
        case Cast(operand=test, dtype=dtype) if test.dtype == BOOL and dtype in (F32, I32):
            by_instruction = isinstance(test, Binary) and test.left.dtype == dtype
            if not by_instruction:
                return Select(dtype, test, const(1, dtype), const(0, dtype))
        case Cast(operand=test, dtype=dtype) if test.dtype == BOOL and dtype in (I8, U8, I16):
            return Cast(dtype, Cast(I32, test))
    return None


_BITWISE = {"&": "__bang_band", "|": "__bang_bor", "^": "__bang_bxor"}


def _normal(expr: Expr) -> Expr:
    """`x > 0 ? x : 0` and its kin as max and min; the sum with a negation as a difference; sums of tests by
    floats."""
    if (clamp := choice_as_clamp(expr)) is not None:
        return clamp
    match expr:
        case Select(condition=Binary(op="<" | "<=" | ">" | ">=" as op, left=a, right=b), then=x, otherwise=y):
            if (x, y) in ((a, b), (b, a)):
                larger = (op[0] == ">") == ((x, y) == (a, b))
                return Call(expr.dtype, "max" if larger else "min", (x, y))
        case Binary(op="+", left=x, right=Unary(op="-", operand=y)):
            return Binary(expr.dtype, "-", x, y)
        case Cast(operand=operand, dtype=dtype) if dtype == F32:
            return tests_as_floats(operand) or expr
    return expr


def _as_sum(expr: Select) -> Expr | None:
    """A choice by a comparison of floats between numbers a and b of which `(a - b) + b` is a: the 1 or 0 that
    the instruction gives, times `a - b`, plus b."""
    match expr:
        case Select(
            condition=Binary(op=op, left=left) as test, then=Const(value=a), otherwise=Const(value=b)
        ) if op in COMPARISONS and left.dtype == F32 == expr.dtype:
            step = float32(a) - float32(b)
            exact = isfinite(step) and float32(step + float32(b)) == float32(a)
            if exact and b != 0 and step != 0 and (a != 0 or copysign(1, a) > 0):
                return add(mul(Cast(F32, test), const(float(step), F32)), const(b, F32))
    return None


def in_words(node: Expr | Stmt) -> str:
    match node:
        case If():
            return "a branch"
        case Call(function=function):
            return f"`{function}`"
        case Binary(op=op, dtype=dtype):
            return f"`{op}` of {node.left.dtype} values"
        case Cast(operand=operand, dtype=dtype):
            return f"a conversion from {operand.dtype} to {dtype}"
        case Select():
            return "a choice lane by lane"
        case Var(name=name):
            return f"the index `{name}` itself"
    return f"`{type(node).__name__}`"
