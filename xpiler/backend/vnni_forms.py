"""Values over lanes: uniform (one scalar), linear (base + lane * stride) or a vector."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from xpiler.backend.c import CPrinter
from xpiler.backend.c_types import is_half_width, value_type
from xpiler.backend.vnni_lanes import Lanes
from xpiler.backend.vnni_shapes import Shapes
from xpiler.ir.build import const
from xpiler.ir.nodes import Expr
from xpiler.ir.types import F16, DType, Kind


@dataclass(frozen=True)
class Value:
    """`text`: of a uniform value the scalar, of a linear one the scalar of lane 0, of a vector the register.

    `stride` (linear): per lane, a number or C text. `multiple` (linear): lane 0's value is a multiple of
    it. `minus`: a
    subtraction took part, so an unsigned value may have wrapped.
    """

    kind: str
    text: str
    dtype: DType
    stride: int | str = 0
    multiple: int = 1
    minus: bool = False


LONG = 90  # longer vector texts get a name of their own
_PLAIN = 1 << 31  # a larger literal has a suffix


class Forms:
    """Values of a vector loop and the forms they are in; temporaries are printed through `printer`.

    `mask` is the name of the mask of active lanes, None where all are. `guarded`: it may be empty here.
    """

    def __init__(self, printer: CPrinter, lanes: Lanes, shapes: Shapes) -> None:
        self.printer = printer
        self.lanes = lanes
        self.shapes = shapes
        self.mask: str | None = None
        self.guarded = False
        self.linear: dict[str, Value] = {}
        self.lane_names: dict[bool, str] = {}

    def vector(self, value: Value) -> str:
        """The value as a register (a mask for bool)."""
        lanes, dtype = self.lanes, value.dtype
        if value.kind == "vector":
            return value.text
        if value.kind == "uniform":
            return lanes.set1(dtype, value.text)
        offsets = self.offsets(dtype, value.stride)
        return lanes.op("add", dtype, lanes.set1(dtype, value.text), offsets)

    def offsets(self, dtype: DType, stride: int | str) -> str:
        """lane * stride as a register."""
        lanes = self.lanes
        numbers = self.lane_numbers(dtype)
        if stride == 1:
            return numbers
        if isinstance(stride, int) and abs(stride) > _PLAIN:
            stride = self.printer.expr(const(stride, dtype))  # wrapped to the type, with its suffix
        return lanes.op("mullo", dtype, numbers, lanes.set1(dtype, str(stride)))

    def lane_numbers(self, dtype: DType) -> str:
        """A register with 0, 1, 2 ...; declared before the loop by whoever prints it (`lane_names`)."""
        wide = dtype.bits == 64
        if wide not in self.lane_names:
            self.lanes.bits(dtype)
            self.lane_names[wide] = self.printer.fresh("lane_64" if wide else "lane")
        return self.lane_names[wide]

    def named(self, value: Value) -> Value:
        """The value with a short text."""
        if value.kind != "vector" or _length(value.text) < 24:
            return value
        return self.temporary(value)

    def temporary(self, value: Value, wish: str = "t") -> Value:
        name = self.printer.fresh(wish)
        kind = self.lanes.register(value.dtype) if value.kind == "vector" else value_type(value.dtype)
        self.printer.line(f"const {kind} {name} = {value.text};")
        return replace(value, text=name)

    def short(self, value: Value) -> Value:
        return self.temporary(value) if value.kind == "vector" and _length(value.text) > LONG else value

    def result(self, dtype: DType, text: str) -> Value:
        return self.short(Value("vector", text, dtype))

    def mask_text(self) -> str:
        return self.mask or self.lanes.all

    def rounded(self, dtype: DType, text: str) -> Value:
        """A float result of `dtype`, 16-bit types rounded."""
        if is_half_width(dtype):
            function = "round_to_half_ps" if dtype == F16 else "round_to_bfloat16_ps"
            text = self.lanes.narrow(dtype, f"{function}({self.lanes.widen(dtype, text)})")
        return self.result(dtype, text)

    def _wrapped(self, dtype: DType, text: str) -> Value:
        """An integer result brought into the range of a narrow type."""
        lanes = self.lanes
        if dtype.bits >= 32:
            return self.result(dtype, text)
        if dtype.kind is Kind.UINT:
            return self.result(
                dtype, lanes.bitwise("and", dtype, text, lanes.set1(dtype, str((1 << dtype.bits) - 1)))
            )
        shift = str(32 - dtype.bits)
        return self.result(dtype, lanes.op("srai", dtype, lanes.op("slli", dtype, text, shift), shift))

    def eval(self, expr: Expr) -> Value:
        """The value of an expression (`LaneValues` knows how)."""
        raise NotImplementedError


def _length(text: str) -> int:
    """How long a text is but for the numbers that tell names apart: a loop that is printed twice, with other
    names, gives names to the same values both times."""
    return len(re.sub(r"_\d+\b", "", text))


def atom(text: str) -> str:
    """In parentheses unless it is one word, number or call."""
    if text.replace("_", "").replace(".", "").isalnum() or (text.startswith("(") and _encloses(text)):
        return text
    return f"({text})"


def _encloses(text: str) -> bool:
    depth = 0
    for i, letter in enumerate(text):
        depth += {"(": 1, ")": -1}.get(letter, 0)
        if depth == 0:
            return i == len(text) - 1
    return False
