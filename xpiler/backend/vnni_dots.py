"""Sums of products by dot product instructions, several neighbouring elements of the sum at a time.

Along the sum, where both operands lie in memory one after the other (the lanes are 64 bytes of the sum):

    for (k)  acc += A[k] * B[k]                   acc_lanes = dpbusd(acc_lanes, 64 bytes of A, 64 bytes of B)

Across it, where the lanes are other results (columns); 4 rows of B are packed so that each lane has its 4:

    for (n) VECTOR for (k)                        acc = dpbusd(acc, the 4 bytes A[k..] in every lane,
        acc += A[k] * B[k * N + n]                             pack_bytes(B[k * N + n], B[(k+1) * N + n]...))
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from xpiler.backend.c_types import value_type
from xpiler.ir.build import add, cast, const, div, mul, sub
from xpiler.ir.nodes import Const, Expr, For, Load, Var
from xpiler.ir.rewrite import substitute
from xpiler.ir.types import BF16, I32, Kind
from xpiler.passes.dot_products import Dot, dot_products
from xpiler.passes.vectorize import Strides

if TYPE_CHECKING:
    from xpiler.backend.vnni_region import Region

PACKED = {8: "pack_bytes", 16: "pack_words"}
TOP_BITS = "(int)0x80808080u"


@dataclass(frozen=True)
class _Summed:
    """The text of both operands as registers, and of the register that holds what flipped bits add."""

    dot: Dot
    left: str
    right: str
    excess: str = ""

    def call(self, total: str) -> str:
        return _call(self.dot, total, self.left, self.right)

    def excess_call(self) -> str:
        constant = "_mm512_set1_epi8((char)0x80)"
        left = constant if self.dot.flip_left else self.left
        right = self.right if self.dot.flip_left else constant
        return _call(self.dot, self.excess, left, right)


def _call(dot: Dot, total: str, left: str, right: str) -> str:
    if dot.instruction.left == BF16:
        left, right = f"(__m512bh){left}", f"(__m512bh){right}"
    return f"{dot.instruction.name}({total}, {left}, {right})"


# ------------------------------------------------------------------------------------------- along the sum


def dots_along(region: Region) -> tuple[Dot, ...] | None:
    """The dots of a vector loop that is itself the sum, every operand contiguous; None if it is not one."""
    loop = region.loop
    if loop.step != Const(loop.step.dtype, 1) or region.lanes.count != 16:
        return None
    dots = dot_products(loop.body)
    if not dots or {d.accumulator.name for d in dots} != set(region.accumulators):
        return None
    sides = [side for dot in dots for side in (dot.left, dot.right)]
    return dots if all(_contiguous(region, side, loop.var) for side in sides) else None


def print_dots_along(region: Region, dots: tuple[Dot, ...]) -> None:
    printer, loop = region.printer, region.loop
    instruction = dots[0].instruction
    count = instruction.elements
    for acc in region.accumulators.values():
        region.declare_accumulator(acc)
    excess: dict[Expr, str] = {}
    for dot in dots:
        if _excess_key(dot) is not None and _excess_key(dot) not in excess:
            excess[_excess_key(dot)] = _declare_excess(region)  # type: ignore[index]
    kind, var = value_type(loop.dtype), printer.name(loop.var)
    stop = printer.invariant(loop.stop, loop, "end")
    start = printer.converted(loop.start, loop.dtype)
    printer.line(f"for ({kind} {var} = {start}; {var} < {stop}; {var} += {count}) {{")
    printer.depth += 1
    mask = ""
    length = sub(loop.stop, loop.start)
    if not (isinstance(length, Const) and int(length.value) % count == 0):
        mask, rest, one = printer.fresh("lanes"), f"{stop} - {var}", "1ull" if count == 64 else "1u"
        every = "~0ull" if count == 64 else "0xffffffff"
        low = f"({one} << ({rest})) - {one}"
        printer.line(f"const __mmask{count} {mask} = {rest} < {count} ? {low} : {every};")
    for stmt in loop.body.body:
        printer.print_comments(stmt)
    names: dict[tuple[Expr, bool], str] = {}

    def operand(side: Expr, flip: bool) -> str:
        if (side, flip) not in names:
            assert isinstance(side, Load)
            pointer = f"{printer.base(side.array)} + ({printer.flat_index(side)})"
            text = f"_mm512_loadu_si512({pointer})"
            if mask:
                text = f"_mm512_maskz_loadu_epi{side.dtype.bits}({mask}, {pointer})"
            names[side, flip] = _named(region, side, _flipped(text, flip))
        return names[side, flip]

    done: set[str] = set()
    for dot in dots:
        summed = _Summed(dot, operand(dot.left, dot.flip_left), operand(dot.right, dot.flip_right))
        total = printer.name(dot.accumulator.name)
        printer.line(f"{total} = {summed.call(total)};")
        key = _excess_key(dot)
        if key is not None and excess[key] not in done:
            done.add(excess[key])
            printer.line(f"{excess[key]} = {replace(summed, excess=excess[key]).excess_call()};")
    printer.depth -= 1
    printer.line("}")
    for dot in dots:
        key = _excess_key(dot)
        if key is not None:
            total = printer.name(dot.accumulator.name)
            printer.line(f"{total} = _mm512_sub_epi32({total}, {excess[key]});")
    for acc in region.accumulators.values():
        region.fold_accumulator(acc)
    _note(region, dots)


# ------------------------------------------------------------------------------------------- across the sum


def print_dots_across(region: Region, loop: For) -> bool:
    """A serial loop inside the lanes, all sums; False (and nothing printed) if it is no such loop."""
    values, printer = region.values, region.printer
    if loop.step != Const(loop.step.dtype, 1) or values.guarded:
        return False
    if loop.dtype.kind is Kind.UINT and loop.start != Const(loop.start.dtype, 0):
        return False
    dots = dot_products(loop.body)
    if not dots or any(d.accumulator.name not in region.shapes.varying for d in dots):
        return False
    parts = dots[0].instruction.parts
    length = sub(loop.stop, loop.start)
    if isinstance(length, Const) and int(length.value) < parts:
        return False
    excess: dict[Expr, str] = {}
    for dot in dots:
        if _excess_key(dot) is not None and _excess_key(dot) not in excess:
            excess[_excess_key(dot)] = _declare_excess(region)  # type: ignore[index]
    whole = mul(div(length, const(parts, length.dtype)), const(parts, length.dtype))
    middle = cast(add(loop.start, whole), loop.dtype)
    printer.line(f"{printer.loop_head(replace(loop, stop=middle, step=const(parts, loop.dtype)))} {{")
    printer.depth += 1
    _print_step(region, loop, dots, excess)
    printer.depth -= 1
    printer.line("}")
    for dot in dots:
        key = _excess_key(dot)
        if key is not None:
            total = region.lanes.widen(I32, printer.name(dot.accumulator.name))
            _update(region, dot, f"_mm512_sub_epi32({total}, {excess[key]})")
    if not (isinstance(length, Const) and int(length.value) % parts == 0):
        printer.line(f"{printer.loop_head(replace(loop, start=middle))} {{")
        region.inner(loop.body)
        printer.line("}")
    _note(region, dots)
    if not dots[0].instruction.exact:
        region.printer.notes.append(f"the sum over {loop.var} is added up in another order")
    return True


def _print_step(region: Region, loop: For, dots: tuple[Dot, ...], excess: dict[Expr, str]) -> None:
    printer = region.printer
    for stmt in loop.body.body:
        printer.print_comments(stmt)
    names: dict[tuple[Expr, bool], str] = {}

    def operand(side: Expr, flip: bool, parts: int) -> str:
        if (side, flip) not in names:
            names[side, flip] = _named(region, side, _flipped(_packed(region, side, loop, parts), flip))
        return names[side, flip]

    done: set[str] = set()
    for dot in dots:
        parts = dot.instruction.parts
        left, right = operand(dot.left, dot.flip_left, parts), operand(dot.right, dot.flip_right, parts)
        summed = _Summed(dot, left, right)
        acc = dot.accumulator
        _update(region, dot, summed.call(region.lanes.widen(acc.dtype, printer.name(acc.name))))
        key = _excess_key(dot)
        if key is not None and excess[key] not in done:
            done.add(excess[key])
            printer.line(f"{excess[key]} = {replace(summed, excess=excess[key]).excess_call()};")


def _packed(region: Region, side: Expr, loop: For, parts: int) -> str:
    """The values of `parts` iterations side by side in each 32-bit lane."""
    values, printer, lanes = region.values, region.printer, region.lanes
    if not region.shapes.varies(side) and _contiguous(region, side, loop.var):
        assert isinstance(side, Load)
        return f"_mm512_set1_epi32(load_word({printer.base(side.array)} + ({printer.flat_index(side)})))"
    texts = []
    for part in range(parts):
        at = add(Var(loop.dtype, loop.var), const(part, loop.dtype))
        value = values.eval(substitute(side, {loop.var: at}))
        texts.append(lanes.widen(side.dtype, values.vector(value)))
    function = "pack_bfloat16" if side.dtype == BF16 else PACKED[side.dtype.bits]
    return f"{function}({', '.join(texts)})"


def _update(region: Region, dot: Dot, text: str) -> None:
    """Sets the accumulator for the active lanes."""
    acc, lanes, mask = dot.accumulator, region.lanes, region.values.mask
    name = region.printer.name(acc.name)
    text = lanes.narrow(acc.dtype, text)
    if mask is not None and region.declared.get(acc.name) != mask:
        text = lanes.blend(acc.dtype, mask, name, text)
    region.printer.line(f"{name} = {text};")


# ------------------------------------------------------------------------------------------------ parts


def _contiguous(region: Region, side: Expr, var: str) -> bool:
    """A load of which the next element is the next iteration's."""
    if not isinstance(side, Load) or side.array in region.shapes.arrays or region.printer.reinterprets(side):
        return False
    *outer, last = (Strides(var).of(index) for index in side.index)
    return last == 1 and not any(outer)


def _excess_key(dot: Dot) -> Expr | None:
    """The operand on which the excess of flipped bits depends; None where no bits are flipped."""
    return dot.right if dot.flip_left else dot.left if dot.flip_right else None


def _declare_excess(region: Region) -> str:
    name = region.printer.fresh("excess")
    region.printer.line(f"__m512i {name} = _mm512_setzero_si512();")
    return name


def _flipped(text: str, flip: bool) -> str:
    return f"_mm512_xor_si512({text}, _mm512_set1_epi32({TOP_BITS}))" if flip else text


def _named(region: Region, side: Expr, text: str) -> str:
    wish = f"{side.array}_packed" if isinstance(side, Load) else "packed"
    name = region.printer.fresh(wish)
    region.printer.line(f"const __m512i {name} = {text};")
    return name


def _note(region: Region, dots: tuple[Dot, ...]) -> None:
    instruction = dots[0].instruction
    if instruction.deviation:
        region.printer.notes.append(f"products are summed by {instruction.name}: {instruction.deviation}")
