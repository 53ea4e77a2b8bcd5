"""Canonical serial IR -> BANG C: one kernel at a time.

    independent loops   -->  shares of the tasks        (passes/task_split)
    vector loops        -->  tiles in NRAM              (passes/tile_scratchpad)

What no vector instruction fits is scalar code on device memory, and a note says where. Host programs are put
together by `bang_host`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from xpiler.backend.c import CPrinter
from xpiler.backend.c_expressions import CONDITIONAL, PRIMARY, UNARY, ArrayInfo
from xpiler.backend.c_helpers import HELPERS as C_HELPERS
from xpiler.backend.c_helpers import used_in
from xpiler.backend.c_types import c_string, is_half_width, parameter
from xpiler.errors import Refusal
from xpiler.ir.build import cast, const
from xpiler.ir.nodes import (
    Atomic,
    Binary,
    Block,
    Call,
    Const,
    Decl,
    Expr,
    For,
    Function,
    If,
    Instr,
    Load,
    Param,
    Ref,
    Space,
    Stmt,
    Trap,
    Var,
)
from xpiler.ir.rewrite import arrays_written, assigned_vars, map_expr, substitute, walk
from xpiler.ir.types import F16, F32, F64, I8, I16, I32, U32, DType
from xpiler.passes.bang_schedule import schedule
from xpiler.passes.covered import covered
from xpiler.passes.promote_arrays import Promoted, flat_loads
from xpiler.passes.tidy import tidy
from xpiler.platforms.bang import DEFAULT, POOL_WINDOW, STACK_BYTES, TASK, TASKS, Architecture

DIMENSIONS = tuple(f"{which}.{axis}" for which in ("gridDim", "blockDim") for axis in "xyz")
SHARED = "dynamicShared.bytes"

NAMES = {"bf16": "bfloat16_t"}
# BANG has its own 16-bit floats.
HELPERS = {
    name: text for name, text in C_HELPERS.items() if not re.search(r"half|bfloat16|_mm", f"{name} {text}")
}


@dataclass(frozen=True)
class BangFunction:
    """A generated kernel. Behind the parameters of the source come the launch dimensions `launch`, by IR
    name, and the variables `globals`."""

    name: str
    text: str
    helpers: tuple[str, ...]
    notes: tuple[str, ...]
    launch: tuple[str, ...]
    uses_nram: bool = False
    uses_wram: bool = False
    globals: tuple[Decl, ...] = ()


def generate(
    canonical: Function,
    *,
    name: str | None = None,
    launch: Mapping[str, Expr | int] | None = None,
    architecture: Architecture = DEFAULT,
) -> BangFunction:
    """One canonical function as a kernel. `launch` gives launch dimensions that are known, as numbers or
    expressions over the scalar parameters; the others become parameters.

    Raises `Refusal` for what has no BANG C form.
    """
    function = _with_globals_passed(with_known_dimensions(canonical, launch or {}))
    _check_types(function)
    scheduled = schedule(function, architecture)
    function = scheduled.function
    used = {n.name for n in walk(function.body) if isinstance(n, Var)}
    dimensions = tuple(d for d in (*DIMENSIONS, SHARED) if d in used)
    printer = BangPrinter(function, architecture, scheduled.promoted)
    passed = {d.name for d in function.globals}
    own = [p for p in function.params if p.name not in (*DIMENSIONS, SHARED)]
    printer.depth = 1
    printer.pipelines = scheduled.pipelines
    parameters = [parameter_text(p, printer.name(p.name)) for p in own if p.name not in passed]
    parameters += [f"int {printer.name(d)}" for d in dimensions]
    parameters += [parameter_text(p, printer.name(p.name)) for p in own if p.name in passed]
    printer.line("if (__is_mpu()) return;")
    if scheduled.single_task:
        printer.line("if (taskId != 0) return;")
    if scheduled.promoted.limit is not None:
        bytes_ = printer.expr(scheduled.promoted.limit, 10)
        printer.line(f'assert({bytes_} <= {scheduled.promoted.bytes} && "room for arrays in NRAM");')
    printer.block(function.body)
    shown = name or canonical.name
    from xpiler.backend.vnni import _wrapped

    head = f"__mlu_entry__ void {shown}({', '.join(parameters)}) {{"
    text = "\n".join([*_wrapped(head), *printer.lines, "}"])
    return BangFunction(
        shown,
        text,
        used_in(text, HELPERS),
        scheduled.notes,
        dimensions,
        "nram_buffer" in text,
        "wram_buffer" in text,
        function.globals,
    )


def _with_globals_passed(function: Function) -> Function:
    """`__constant__` variables as parameters: a core reaches memory by what it is given. Raises Refusal for
    variables that the kernel writes, as one launch would have to leave them to the next."""
    written = arrays_written(function.body) | assigned_vars(function.body)
    for decl in function.globals:
        if decl.name in written:
            raise Refusal(
                "device-variable",
                f"the kernel writes the variable `{decl.name}` of the whole program",
                decl.range or function.range,
                "pass the kernel a pointer to it",
            )
    params = [
        Param(d.name, d.dtype, is_pointer=bool(d.shape), is_const=bool(d.shape), range=d.range)
        for d in function.globals
    ]
    flat = flat_loads(function, {d.name: d.shape for d in function.globals})
    return replace(flat, params=(*flat.params, *params))


def parameter_text(param: Param, name: str) -> str:
    text = parameter(param, name)
    return text.replace("bfloat16 ", "bfloat16_t ")


def with_known_dimensions(function: Function, launch: Mapping[str, Expr | int]) -> Function:
    """Launch dimensions that are known written into the function."""
    known: dict[str, Expr] = {}
    for axis, size in zip("xyz", function.block_size, strict=True):
        if size is not None:
            known[f"blockDim.{axis}"] = const(size, U32)
    for key, value in launch.items():
        name = SHARED if key == "shared_bytes" else key
        known[name] = value if isinstance(value, Expr) else const(value, U32)
    types = {n.name: n.dtype for n in walk(function.body) if isinstance(n, Var) and n.name in known}
    body = substitute(function.body, {name: cast(known[name], dtype) for name, dtype in types.items()})
    params = tuple(p for p in function.params if p.name not in known)
    assert isinstance(body, Block)
    return tidy(replace(function, body=map_expr(body, covered), params=params))


def _check_types(function: Function) -> None:
    for param in function.params:
        if param.is_pointer and param.dtype == F64:
            raise Refusal(
                "double",
                f"`{param.name}` holds doubles, which MLU cores compute in single precision",
                param.range or function.range,
                "use float",
            )


class BangPrinter(CPrinter):
    """C with BANG's own words: native half, scratchpad buffers carved from one array, instructions."""

    def __init__(self, function: Function, architecture: Architecture, promoted: Promoted) -> None:
        super().__init__(function.params)
        self.architecture = architecture
        self._taken |= {"taskId", "taskDim", "nram_buffer", "wram_buffer", "NRAM_BYTES", "min", "max"}
        self.names |= {TASK.name: "(int)taskId", TASKS.name: "(int)taskDim"}
        self._carved: dict[Space, str] = {}  # where the space goes on behind its last array
        self._element: dict[Space, DType] = {}  # and that array's element type
        self._widths = _tile_widths(function, promoted)
        self.promoted = promoted
        self.pipelines: frozenset[str] = frozenset()

    # -------------------------------------------------------------------------------------- numbers

    def from_storage(self, text: str, dtype: DType) -> str:
        return f"(float){text}" if is_half_width(dtype) else text

    def to_storage(self, value: Expr) -> str:
        if not is_half_width(value.dtype):
            return self.converted(value, value.dtype)
        if isinstance(value, Load) and not self.reinterprets(value):
            return self.place(value)
        stored = self.arrays.get(value.array) if isinstance(value, Load) else None
        if isinstance(value, Load) and stored is not None and stored.dtype.bytes == value.dtype.bytes:
            return f"(({_type(value.dtype)} *){self.base(value.array)})[{self.flat_index(value)}]"
        return f"{'__float2half_rn' if value.dtype == F16 else '__float2bfloat16_rn'}({self.expr(value)})"

    def _round(self, dtype: DType) -> str:
        return f"(float){'__float2half_rn' if dtype == F16 else '__float2bfloat16_rn'}"

    def _call(self, expr: Call) -> tuple[str, int]:
        if expr.function in ("min", "max"):
            args = [self.expr(a, CONDITIONAL) for a in expr.args]
            if expr.dtype == F32:
                return f"f{expr.function}f({args[0]}, {args[1]})", PRIMARY
            if expr.dtype.is_integer:
                from xpiler.backend.c_types import value_type

                return f"std::{expr.function}<{value_type(expr.dtype)}>({args[0]}, {args[1]})", PRIMARY
        return super()._call(expr)

    # -------------------------------------------------------------------------------------- memory

    def decl(self, decl: Decl) -> None:
        if decl.name in self.promoted.offsets:
            kind = _type(decl.dtype)
            self.arrays[decl.name] = ArrayInfo(decl.dtype)
            at = self.promoted.offsets[decl.name]
            place = "nram_buffer" if at == const(0) else f"(nram_buffer + {self.expr(at, 12)})"
            self.line(f"{kind} *{self.name(decl.name)} = ({kind} *){place};")
        elif decl.space in (Space.NRAM, Space.WRAM):
            self.carve(decl)
        elif decl.name in self._widths:
            self.line(self.tile_length(decl))
        else:
            super().decl(decl)

    def carve(self, decl: Decl) -> None:
        """A pointer into the scratchpad, behind the array before."""
        kind = _type(decl.dtype)
        name = self.name(decl.name)
        self.arrays[decl.name] = ArrayInfo(decl.dtype)
        buffer = "nram_buffer" if decl.space is Space.NRAM else "wram_buffer"
        start = self._carved.get(decl.space)
        first = buffer
        if decl.space is Space.NRAM and self.promoted.bytes:
            first = f"({buffer} + {self.promoted.bytes})"
        at = f"({kind} *){first}" if start is None else f"({kind} *)({start})"
        if start is not None and self._element.get(decl.space) == decl.dtype:
            at = start
        self.line(f"{kind} *{name} = {at};")
        self._element[decl.space] = decl.dtype
        size = " * ".join(self.expr(e, 13) for e in decl.shape)
        self._carved[decl.space] = f"{name} + {size}"

    def tile_length(self, decl: Decl) -> str:
        """The length of tiles, by the arithmetic that gave it."""
        name, tiles = self.name(decl.name), self._widths[decl.name]
        assert isinstance(decl.init, Const)
        total, room = sum(tiles.widths), self.architecture.usable_nram - tiles.taken
        length, half = (space // total // tiles.group * tiles.group for space in (room, room // 2))
        value = f"constexpr int {name} = {decl.init.value};"
        if tiles.is_square:
            kind = _type(_BY_WIDTH[max(tiles.widths)])
            if len(set(tiles.widths)) > 1:
                return f"{value}  // {total} * {name} * {name} bytes fit into NRAM"
            return f"{value}  // {len(tiles.widths)} tiles of {name} x {name} {kind} fit into NRAM"
        if decl.init.value == POOL_WINDOW:
            return f"{value}  // no pooling window or strided copy takes more"
        if decl.init.value not in (length, half):
            return f"{value}  // {total} * {name} bytes of NRAM"
        space = f"(NRAM_BYTES - {tiles.taken})" if tiles.taken else "NRAM_BYTES"
        space = space if decl.init.value == length else f"{space} / 2"
        kinds = {w: _type(_BY_WIDTH[w]) for w in tiles.widths}
        each = " + ".join(f"{tiles.widths.count(w)} * sizeof({kind})" for w, kind in kinds.items())
        return f"constexpr int {name} = {space} / ({each}) / {tiles.group} * {tiles.group};"

    def declare_array(self, decl: Decl, name: str) -> None:
        sizes = [e.value for e in decl.shape if isinstance(e, Const)]
        total = decl.dtype.bytes
        for size in sizes:
            total *= int(size)
        if len(sizes) < len(decl.shape) or total > STACK_BYTES:
            raise Refusal(
                "large-array",
                f"the array `{decl.name}` is too large for the stack of a core",
                decl.range,
                "give it a smaller constant size",
            )
        super().declare_array(decl, name)

    # -------------------------------------------------------------------------------------- instructions

    def stmt(self, stmt: Stmt) -> None:
        if isinstance(stmt, Trap):
            self.line(f"assert(({self.expr(stmt.condition)}) && {c_string(stmt.message)});")
        elif isinstance(stmt, Instr):
            self.line(f"{self.instruction(stmt)};")
        elif isinstance(stmt, For) and stmt.var in self.pipelines:
            stages = [s for s in stmt.body.body if isinstance(s, If)]
            last = ", and stores the one before that" if len(stages) > 2 else ""
            self.line(f"// Each step loads a tile, computes the one before{last}.")
            super().stmt(stmt)
        else:
            super().stmt(stmt)

    def instruction(self, instr: Instr) -> str:
        attributes = dict(instr.attributes)
        is_untyped = instr.name.startswith("__memcpy") or attributes.get("suffix") == "bytes"
        texts = [self.operand(o, typed=not is_untyped) for o in instr.operands]
        if instr.name.startswith("__memcpy"):
            return self.copy(instr, texts, attributes["direction"])
        if instr.name == "__bang_write_value":  # elements are as wide as the value's type
            *_, value = instr.operands
            kind = _SIGNED.get(value.dtype.bytes) if value.dtype.is_integer else None
            if kind is not None and value.dtype != I32:
                texts[-1] = f"({_type(kind)}){_wrapped_text(texts[-1])}"
        if "suffix" in attributes:
            texts = self.suffixed(instr, texts, attributes["suffix"])
        return f"{instr.name}({', '.join(texts)})"

    def suffixed(self, instr: Instr, texts: list[str], suffix: str) -> list[str]:
        if suffix != "bytes":
            return [*texts, suffix]
        *refs, count = texts
        return [*(f"(char *){_wrapped_text(t)}" for t in refs), f"{_factor(count)} * 4"]

    def copy(self, instr: Instr, texts: list[str], direction: str) -> str:
        size = instr.operands[0].dtype.bytes
        unit = f"sizeof({_type(instr.operands[0].dtype)})"
        dst, src, count, *strided = texts
        parts = [dst, src, f"{_factor(count)} * {unit}" if count != "1" else unit, direction]
        if strided:
            dst_stride, src_stride, segments = strided
            parts += [self.bytes(dst_stride, unit), self.bytes(src_stride, unit), segments]
        assert size
        return f"{instr.name}({', '.join(parts)})"

    @staticmethod
    def bytes(count: str, unit: str) -> str:
        if count.startswith("-") and count[1:].isdigit():  # of sizes, which have no sign
            return f"-(int){unit}" if count == "-1" else f"{count} * (int){unit}"
        return unit if count == "1" else f"{_factor(count)} * {unit}"

    def operand(self, operand: Expr, typed: bool = True) -> str:
        """`typed`: for an instruction that asks what type elements have, not only how many bytes."""
        if isinstance(operand, Ref):
            base = self.base(operand.array)
            info = self.arrays.get(operand.array)
            if typed and info is not None and _is_other_view(info.dtype, operand.dtype):
                base = f"({_type(operand.dtype)} *){base}"
            if operand.offset == Const(operand.offset.dtype, 0):
                return base
            if info is not None and info.dtype.bytes != operand.dtype.bytes:
                base = f"(const {_type(operand.dtype)} *){base}"
            return f"{base} + {self.expr(operand.offset, 12)}"
        if is_half_width(operand.dtype):
            return self.to_storage(operand)
        return self.expr(operand, CONDITIONAL)

    # -------------------------------------------------------------------------------------- atomics

    def atomic(self, stmt: Atomic) -> str:
        if stmt.target is not None or stmt.op not in ("add", "min", "max", "and", "or", "xor", "sub"):
            raise Refusal(
                "unsupported-atomic",
                f"an atomic '{stmt.op}' whose old value is used has no BANG C form here",
                stmt.range,
            )
        value = self.expr(stmt.args[0], UNARY)
        op, value = ("add", f"-{value}") if stmt.op == "sub" else (stmt.op, value)
        return f"__bang_atomic_reduce_{op}({self.pointer(stmt.place)}, {value})"


def _is_other_view(stored: DType, dtype: DType) -> bool:
    return stored != dtype and stored.bytes == dtype.bytes


_BY_WIDTH = {4: F32, 2: F16, 1: I8}
_SIGNED = {4: I32, 2: I16, 1: I8}  # fills have no unsigned values


@dataclass
class _Tiles:
    """Buffers of one length: bytes of each one's element; `taken`: bytes of all buffers of other lengths."""

    widths: list[int]
    is_square: bool
    taken: int = 0

    @property
    def group(self) -> int:
        return 128 // min(self.widths)


def _tile_widths(function: Function, promoted: Promoted) -> dict[str, _Tiles]:
    """By the variable that is their length."""
    found: dict[str, _Tiles] = {}
    values = {d.name: d.init for d in function.body.body if isinstance(d, Decl)}
    taken = promoted.bytes
    for node in walk(function.body):
        if not isinstance(node, Decl) or node.space is not Space.NRAM or node.name in promoted.offsets:
            continue
        shape = node.shape
        match shape:
            case (Binary(op="*", left=Const(value=parts), right=Var() as one), *more):
                shape = (one, *more)
                extra = found.setdefault(one.name, _Tiles([], bool(more)))
                extra.widths += [node.dtype.bytes] * (int(parts) - 1)
                if more and isinstance(side := values.get(one.name), Const):
                    taken += (int(parts) - 1) * int(side.value) ** 2 * node.dtype.bytes
        match shape:
            case (Var(name=name), *more):
                tiles = found.setdefault(name, _Tiles([], bool(more)))
                tiles.widths.append(node.dtype.bytes)
                side = values.get(name)
                if more and isinstance(side, Const):
                    taken += int(side.value) ** 2 * node.dtype.bytes
            case (Const(value=value),):
                taken += int(value) * node.dtype.bytes
    for name, length in values.items():
        if name in found:
            tiles = found[name]
            tiles.taken = taken
            if not tiles.is_square and isinstance(length, Const):
                taken += int(length.value) * sum(tiles.widths)
    return found


def _type(dtype: DType) -> str:
    from xpiler.backend.c_types import storage_type

    return NAMES.get(dtype.name) or storage_type(dtype)


def _factor(text: str) -> str:
    return text if text.replace("_", "").isalnum() else f"({text})"


def _wrapped_text(text: str) -> str:
    return text if " " not in text else f"({text})"
