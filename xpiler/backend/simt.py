"""Kernels of a plan as CUDA C++: device code, and the host code that launches them in order."""

from __future__ import annotations

import math
import re
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from xpiler.backend.c import CPrinter
from xpiler.backend.c_expressions import CONDITIONAL, LINE_LENGTH, PRIMARY, UNARY, ArrayInfo
from xpiler.backend.c_helpers import used_in
from xpiler.backend.c_types import c_string, is_half_width, storage_type, value_type
from xpiler.backend.signature import parameters_of
from xpiler.backend.simt_helpers import HELPERS, REDUCERS
from xpiler.errors import Refusal
from xpiler.frontend.unit import Signature
from xpiler.ir.functions import POINTER_PREDICATES
from xpiler.ir.nodes import (
    Atomic,
    Barrier,
    Call,
    Collective,
    Const,
    Decl,
    Expr,
    For,
    Function,
    If,
    Instr,
    LoopKind,
    Param,
    Ref,
    Return,
    Space,
    Stmt,
    Trap,
)
from xpiler.ir.rewrite import free_vars
from xpiler.ir.types import BF16, BOOL, F16, F32, F64, DType, Kind
from xpiler.passes.constant_tables import with_constant_tables
from xpiler.passes.simt_plan import HostBranch, HostLoop, Launch, Plan, Scratch, Step
from xpiler.passes.simt_schedule import schedule

_INDICES = tuple(
    f"{which}.{axis}" for which in ("threadIdx", "blockIdx", "blockDim", "gridDim") for axis in "xyz"
)
_TAKEN = (
    "threadIdx blockIdx blockDim gridDim warpSize dim3 min max grid block stream half half2 float2 float3 "
    "float4 int2 int3 int4 uint2 uint4 char4 uchar4 rsqrt rsqrtf clock uint ushort uchar norm3d rnorm3d"
).split()
_CONSTANT_BYTES = 4096  # of a table in constant memory, of which a program has 64 KiB


@dataclass(frozen=True)
class CudaFunction:
    """What a serial function became. `kernels`: texts of the `__global__` functions, the first with the
    tables that they read before it."""

    name: str
    function: Function
    plan: Plan
    kernels: tuple[str, ...]
    names: tuple[str, ...]
    helpers: tuple[str, ...]
    notes: tuple[str, ...]


def generate(
    canonical: Function,
    *,
    name: str | None = None,
    comments: Mapping[int, str] | None = None,
    beside: str = "",
) -> CudaFunction:
    """One canonical function as kernels with their launches. `name`: of the kernel, if there is one;
    `beside`: the text of the file that it was in, whose names are not given to several kernels.

    Raises `Refusal` for what has no CUDA form.
    """
    canonical, tables = with_constant_tables(canonical)
    plan = schedule(canonical)
    shown = name or canonical.name
    launches = plan.launches
    several = shown
    while re.search(rf"\b{several}_\d+\b", beside):
        several += "_"
    names = (shown,) if len(launches) == 1 else tuple(f"{several}_{n + 1}" for n in range(len(launches)))
    texts = []
    left = dict(comments or {})
    shown_tables = {table.name: _table_name(table, shown, beside) for table in tables}
    for launch, own in zip(launches, names, strict=True):
        texts.append(kernel_text(launch, own, canonical, left, shown_tables))
    if tables:
        texts[0] = "\n".join([*(_table(t, shown_tables[t.name]) for t in tables), "", texts[0]])
    helpers = used_in("\n".join(texts), HELPERS)
    return CudaFunction(shown, canonical, plan, tuple(texts), names, helpers, plan.notes)


def kernel_text(
    launch: Launch, name: str, function: Function, comments: dict[int, str], tables: Mapping[str, str]
) -> str:
    """A `__global__` function. `tables`: names of the variables of the program that are declared anew."""
    printer = CudaPrinter(launch.params, comments)
    printer._taken.add(name)
    printer.depth = 1
    narrow = {
        p.name: printer.fresh(f"{p.name}_bits")
        for p in launch.params
        if is_half_width(p.dtype) and not p.is_pointer
    }
    parameters = [parameter_text(p, narrow.get(p.name) or printer.name(p.name)) for p in launch.params]
    for bits in narrow:
        dtype = next(p.dtype for p in launch.params if p.name == bits)
        printer.line(f"const float {printer.name(bits)} = {printer.from_storage(narrow[bits], dtype)};")
    for decl in function.globals:
        if decl.name in tables:
            printer.names[decl.name] = tables[decl.name]
            printer.arrays[decl.name] = ArrayInfo(decl.dtype, decl.shape)
        else:
            printer.declare_global(decl)
    printer.block(launch.body)
    threads = launch.block[0] * launch.block[1] * launch.block[2]
    from xpiler.backend.vnni import _wrapped

    head = f"void {name}({', '.join(parameters)}) {{"
    comments.clear()
    comments.update(printer.comments.left)
    return "\n".join([f"__global__ __launch_bounds__({threads})", *_wrapped(head), *printer.lines, "}"])


def _table_name(table: Decl, kernel: str, beside: str) -> str:
    name = f"{kernel}_{table.name}"
    while re.search(rf"\b{name}\b", beside):
        name += "_"
    return name


def _table(table: Decl, name: str) -> str:
    """A table as memory of the device, flat: constant memory has little room."""
    printer = CudaPrinter()
    extents = [int(extent.value) for extent in table.shape if isinstance(extent, Const)]
    size = f"[{math.prod(extents)}]" if extents else ""
    small = math.prod(extents) * table.dtype.bits // 8 <= _CONSTANT_BYTES
    values = table.init if isinstance(table.init, tuple) else (table.init,)
    texts = ", ".join(printer.to_storage(v) for v in values if v is not None)
    init = f"{{{texts}}}" if extents else texts
    qualifier = "__constant__" if small else "__device__ const"
    text = f"{qualifier} {type_name(table.dtype)} {name}{size} = {init};"
    return textwrap.fill(text, LINE_LENGTH, subsequent_indent="    ")


def parameter_text(param: Param, name: str) -> str:
    kind = type_name(param.dtype)
    if not param.is_pointer:
        return f"{kind} {name}"
    const = "const " if param.is_const else ""
    return f"{const}{kind} *{'__restrict__ ' if param.is_restrict else ''}{name}"


def type_name(dtype: DType) -> str:
    return "__nv_bfloat16" if dtype == BF16 else storage_type(dtype)


class CudaPrinter(CPrinter):
    """C++ with CUDA's own words."""

    def __init__(self, params: Sequence[Param] = (), comments: Mapping[int, str] | None = None) -> None:
        super().__init__((), comments)
        self._taken |= {*_TAKEN, *HELPERS}
        self.counts: dict[str, int] = {}  # fragments
        self.names |= {index: index for index in _INDICES}
        for param in params:
            self.name(param.name)
            if param.is_pointer:
                self.arrays[param.name] = ArrayInfo(param.dtype)

    # -------------------------------------------------------------------------------------- numbers

    def from_storage(self, text: str, dtype: DType) -> str:
        if dtype == F16:
            return f"__half2float({text})"
        return f"__bfloat162float({text})" if dtype == BF16 else text

    def to_storage(self, value: Expr) -> str:
        if not is_half_width(value.dtype):
            return self.converted(value, value.dtype)
        text = super().to_storage(value)
        return text.replace("float_to_half(", "__float2half(").replace(
            "float_to_bfloat16(", "__float2bfloat16("
        )

    def _round(self, dtype: DType) -> str:
        return "round_to_half" if dtype == F16 else "round_to_bfloat16"

    def convert(self, operand: Expr, dtype: DType) -> tuple[str, int]:
        source = operand.dtype
        if source.is_float and dtype.is_integer and dtype != BOOL and dtype.bits >= 32 and source != dtype:
            wide = "double" if source == F64 else "float"
            target = {"i32": "int", "u32": "uint", "i64": "ll", "u64": "ull"}[dtype.name]
            return f"__{wide}2{target}_rz({self.expr(operand)})", PRIMARY
        if is_half_width(dtype) and (source == F64 or (source.is_integer and source.bits >= 32)):
            kind = {"f64": "double", "i32": "int", "u32": "uint", "i64": "ll", "u64": "ull"}[source.name]
            target = "half" if dtype == F16 else "bfloat16"
            rounding = "" if source == F64 else "_rn"
            return self.from_storage(f"__{kind}2{target}{rounding}({self.expr(operand)})", dtype), PRIMARY
        return super().convert(operand, dtype)

    def _bitcast(self, operand: Expr, dtype: DType) -> str:
        names = (operand.dtype.name, dtype.name)
        if names in _BITCASTS:
            return f"{_BITCASTS[names]}({self.expr(operand)})"
        for half, word in ((F16, "half"), (BF16, "bfloat16")):
            if operand.dtype == half and dtype.bits == 16 and dtype.is_integer:
                kind = "ushort" if dtype.kind is Kind.UINT else "short"
                return f"__{word}_as_{kind}({self.to_storage(operand)})"
            if dtype == half and operand.dtype.is_integer:
                kind = "ushort" if operand.dtype.kind is Kind.UINT else "short"
                return self.from_storage(f"__{kind}_as_{word}({self.expr(operand)})", dtype)
        return super()._bitcast(operand, dtype)

    def _call(self, expr: Call) -> tuple[str, int]:
        name, dtype = expr.function, expr.dtype
        if name in POINTER_PREDICATES:
            return super()._call(expr)
        args = [self.expr(a, CONDITIONAL) for a in expr.args]
        joined = ", ".join(args)
        if name in ("min", "max"):
            if dtype.is_float:
                return f"f{name}{'' if dtype == F64 else 'f'}({joined})", PRIMARY
            if dtype.bits < 32:
                ints = ", ".join(f"(int){self.expr(a, UNARY)}" for a in expr.args)
                return f"({value_type(dtype)}){name}({ints})", UNARY
            return f"{name}({', '.join(self._typed(a) for a in expr.args)})", PRIMARY
        if name in ("isnan", "isinf", "isfinite", "signbit"):
            return f"(bool){name}({joined})", UNARY
        if name == "fma" and dtype == F16:
            halves = ", ".join(self.to_storage(a) for a in expr.args)
            return f"__half2float(__hfma({halves}))", PRIMARY
        return super()._call(expr)

    def _math(self, name: str, dtype: DType, expr: Call) -> tuple[str, int]:
        texts = ", ".join(self.expr(a, CONDITIONAL) for a in expr.args)
        single = dtype == F32
        if expr.fast and single and name in _FAST:
            return f"{_FAST[name]}({texts})", PRIMARY
        if name in ("rsqrt", "sinpi", "cospi", "erfinv", "normcdf"):
            return f"{name}{'f' if single else ''}({texts})", PRIMARY
        if name == "saturate" and single:
            return f"__saturatef({texts})", PRIMARY
        return super()._math(name, dtype, expr)

    def _int_call(self, expr: Call) -> str:
        texts = ", ".join(self._typed(a) for a in expr.args)
        source = expr.args[0].dtype
        wide, unsigned = source.bits == 64, source.kind is Kind.UINT
        match expr.function:
            case "abs":
                return f"{'llabs' if wide else 'abs'}({texts})"
            case "popc" | "clz" | "ffs" | "brev" as name:
                return f"__{name}{'ll' if wide else ''}({texts})"
            case "mulhi":
                return f"__{'u' if unsigned else ''}mul{'64hi' if wide else 'hi'}({texts})"
            case "mul24":
                return f"__{'u' if unsigned else ''}mul24({texts})"
            case "byte_perm" | "funnelshift_l" | "funnelshift_r" | "dp4a" as name:
                return f"__{name}({texts})"
            case "sad":
                return f"__{'u' if unsigned else ''}sad({texts})"
        return super()._int_call(expr)

    # -------------------------------------------------------------------------------------- memory

    def declare_array(self, decl: Decl, name: str) -> None:
        sizes = [e.value for e in decl.shape if isinstance(e, Const)]
        if len(sizes) < len(decl.shape):
            raise Refusal(
                "array-size",
                f"the size of the array `{decl.name}` is only known while the kernel runs",
                decl.range,
                "give it a constant size",
            )
        self.arrays[decl.name] = ArrayInfo(decl.dtype, decl.shape, nested=True)
        extents = "".join(f"[{int(v)}]" for v in sizes)
        shared = "__shared__ " if decl.space is Space.SHARED else ""
        align = f"__align__({decl.alignment}) " if decl.alignment else ""
        init = ""
        if isinstance(decl.init, tuple):
            init = " = {" + ", ".join(self._initial(e) for e in decl.init) + "}"
        self.line(f"{shared}{align}{type_name(decl.dtype)} {name}{extents}{init};")

    # -------------------------------------------------------------------------------------- statements

    def loop(self, loop: For) -> None:
        if loop.kind is LoopKind.UNROLLED:
            self.line("#pragma unroll")
        super().loop(loop)

    def stmt(self, stmt: Stmt) -> None:
        match stmt:
            case Barrier(scope=scope, mask=mask):
                lanes = self.expr(mask) if mask is not None else ""
                self.line("__syncthreads();" if scope == "block" else f"__syncwarp({lanes});")
            case Collective():
                self.print_comments(stmt)
                self.line(f"{self.collective(stmt)};")
            case Instr():
                self.line(f"{self.fragments(stmt)};")
            case Trap(condition=condition, message=message):
                self.line(f"assert(({self.expr(condition)}) && {c_string(message)});")
            case _:
                super().stmt(stmt)

    def conditional(self, stmt: If) -> None:
        if not stmt.otherwise.body and len(stmt.then.body) == 1 and isinstance(stmt.then.body[0], Return):
            self.line(f"if ({self.expr(stmt.condition)}) return;")
        else:
            super().conditional(stmt)

    def collective(self, stmt: Collective) -> str:
        target = self.name(stmt.target.name)
        if stmt.kind == "shfl":
            value, lane = self.expr(stmt.args[0]), self.expr(stmt.args[1])
            return f"{target} = __shfl_sync(0xffffffffu, {value}, {lane})"
        call = f"{stmt.scope}_{REDUCERS[stmt.kind]}({self.expr(stmt.args[0])})"
        if is_half_width(stmt.target.dtype):
            call = f"{self._round(stmt.target.dtype)}({call})"
        return f"{target} = {call}"

    def fragments(self, instr: Instr) -> str:
        """A function of `nvcuda::wmma`, or the declaration of a fragment."""
        function, attributes = instr.name.removeprefix("wmma."), dict(instr.attributes)
        first = instr.operands[0]
        assert isinstance(first, Ref)
        if function == "fragment":
            use, count = attributes["use"], int(attributes["count"])
            self.counts[first.array] = count
            layout = "" if use == "accumulator" else ", wmma::row_major"
            kind = f"wmma::fragment<wmma::{use}, 16, 16, 16, {type_name(first.dtype)}{layout}>"
            return f"{kind} {self.name(first.array)}{f'[{count}]' if count > 1 else ''}"
        texts = [self.matrix(o) for o in instr.operands]
        if function == "store_matrix_sync":
            texts.append(f"wmma::{attributes['layout']}")
        return f"wmma::{function}({', '.join(texts)})"

    def matrix(self, operand: Expr) -> str:
        if not isinstance(operand, Ref):
            return self.expr(operand)
        if operand.array in self.counts:
            index = f"[{self.expr(operand.offset)}]" if self.counts[operand.array] > 1 else ""
            return f"{self.name(operand.array)}{index}"
        return f"{self.base(operand.array)} + {self.expr(operand.offset, 12)}"

    def atomic(self, stmt: Atomic) -> str:
        dtype = stmt.place.dtype
        pointer = self.pointer(stmt.place)
        args = [self.expr(a) for a in stmt.args]
        op = stmt.op
        if dtype.bits < 32 and dtype != F16:
            raise Refusal(
                "unsupported-atomic", f"an atomic '{op}' on {dtype.name} has no CUDA form", stmt.range,
                "use a 32-bit element type",
            )  # fmt: skip
        if op == "sub" and (dtype.is_float or dtype.bits == 64):
            op, args = "add", [f"-({args[0]})"]
        if dtype == F16:
            args = [self.to_storage(a) for a in stmt.args]
        if dtype.bits == 64 and dtype.is_integer:
            kind = "long long" if dtype.is_signed and op in ("min", "max") else "unsigned long long"
            pointer, args = f"({kind} *){pointer}", [f"({kind})({a})" for a in args]
        if dtype.is_float and op in ("min", "max"):
            call = f"atomic_{op}({pointer}, {args[0]})"
        else:
            call = f"atomic{_ATOMICS[op]}({pointer}, {', '.join(args)})"
        if stmt.target is None:
            return call
        return f"{self.name(stmt.target.name)} = {self.from_storage(call, dtype)}"


_ATOMICS = {
    "add": "Add", "sub": "Sub", "min": "Min", "max": "Max", "and": "And", "or": "Or", "xor": "Xor",
    "exch": "Exch", "cas": "CAS", "inc": "Inc", "dec": "Dec",
}  # fmt: skip
_FAST = {
    "exp": "__expf", "log": "__logf", "log2": "__log2f", "log10": "__log10f", "exp10": "__exp10f",
    "sin": "__sinf", "cos": "__cosf", "tan": "__tanf", "pow": "__powf",
}  # fmt: skip
_BITCASTS = {
    ("f32", "i32"): "__float_as_int",
    ("f32", "u32"): "__float_as_uint",
    ("i32", "f32"): "__int_as_float",
    ("u32", "f32"): "__uint_as_float",
    ("f64", "i64"): "__double_as_longlong",
    ("i64", "f64"): "__longlong_as_double",
}


# ------------------------------------------------------------------------------------------ launching


class HostPrinter(CPrinter):
    """The launches of a plan as host code."""

    def __init__(self, function: CudaFunction, stream: str) -> None:
        super().__init__(())
        self._taken |= {*_TAKEN, *function.names, "blocks", "check"}
        self.function = function
        self.stream = stream
        self.next = 0

    def steps(self, steps: Sequence[Step]) -> None:
        for step in steps:
            match step:
                case Launch():
                    self.launch(step)
                case HostLoop(loop=loop):
                    run = partial(self.with_memory, step.scratch, step.steps)
                    self.braces(self.loop_head(loop), run)
                case HostBranch(condition=condition, then=then, otherwise=otherwise):
                    self.braces(f"if ({self.expr(condition)})", lambda then=then: self.steps(then))  # type: ignore[misc]
                    if otherwise:
                        self.braces("else", lambda otherwise=otherwise: self.steps(otherwise))  # type: ignore[misc]

    def with_memory(self, scratch: Sequence[Scratch], steps: Sequence[Step]) -> None:
        """The steps between taking memory of the device and giving it back."""
        for memory in scratch:
            kind, own = type_name(memory.dtype), self.name(memory.name)
            self.line(f"{kind} *{own} = nullptr;")
            self.line(f"cudaMalloc(&{own}, ({self.expr(memory.count)}) * sizeof({kind}));")
        self.steps(steps)
        for memory in scratch:
            self.line(f"cudaFree({self.name(memory.name)});")

    def launch(self, launch: Launch) -> None:
        name = self.function.names[self.next]
        self.next += 1
        arguments = ", ".join(self.name(p.name) for p in launch.params)
        block = _dims([str(n) for n in launch.block])
        constant = all(isinstance(e, Const) for e in launch.grid)
        stream = f", 0, {self.stream}" if self.stream else ""
        if constant:
            grid = _dims([str(e.value) for e in launch.grid if isinstance(e, Const)])
            if all(e.value for e in launch.grid if isinstance(e, Const)):
                self.call(f"{name}<<<{grid}, {block}{stream}>>>", arguments)
            return
        grid = _dims([self.blocks(e) for e in launch.grid])
        own = self.fresh("grid")
        self.line(f"const dim3 {own} = {grid};")
        empty = " && ".join(
            f"{own}.{a}" for a, e in zip("xyz", launch.grid, strict=True) if not isinstance(e, Const)
        )
        self.call(f"if ({empty}) {name}<<<{own}, {block}{stream}>>>", arguments)

    def call(self, head: str, arguments: str) -> None:
        text = "    " * self.depth + f"{head}({arguments});"
        if len(text) > LINE_LENGTH:
            text = "    " * self.depth + f"{head}(\n{'    ' * (self.depth + 1)}{arguments});"
        self.lines.append(text)

    def _call(self, expr: Call) -> tuple[str, int]:
        if expr.function in ("min", "max") and expr.dtype.is_integer:
            args = ", ".join(self.expr(a, CONDITIONAL) for a in expr.args)
            return f"std::{expr.function}<{value_type(expr.dtype)}>({args})", PRIMARY
        return super()._call(expr)

    def blocks(self, size: Expr) -> str:
        return str(size.value) if isinstance(size, Const) else f"blocks({self.expr(size)})"


def _dims(sizes: list[str]) -> str:
    while len(sizes) > 1 and sizes[-1] == "1":
        sizes = sizes[:-1]
    return sizes[0] if len(sizes) == 1 else f"dim3({', '.join(sizes)})"


BLOCKS = """\
static unsigned blocks(int64_t count) {
    return count > 0 ? (unsigned)count : 0;
}"""


def launcher(
    function: CudaFunction, name: str, signature: Signature | None = None, *, stream: str = "stream"
) -> str:
    """A host function of the parameters of the source that runs all kernels on device memory. Without a
    `stream` it can be called from outside, and waits for them. `signature`: the source's, where it takes
    structs."""
    printer = HostPrinter(function, stream)
    params = plain_params(function)
    names = {p.name: printer.name(p.name) for p in params}
    parameters, values = parameters_of(params, signature, names, parameter_text, printer.fresh)
    printer.names |= values
    parameters += [f"cudaStream_t {stream}"] if stream else []
    printer.depth = 1
    host_body(function, printer)
    from xpiler.backend.vnni import _wrapped

    if not stream:
        printer.line("cudaDeviceSynchronize();")
    linkage = "static" if stream else 'extern "C"'
    head = f"{linkage} void {name}({', '.join(parameters)}) {{"
    return "\n".join([*_wrapped(head), *printer.lines, "}"])


def plain_params(function: CudaFunction) -> list[Param]:
    """Parameters of the source, then the dimensions of its launch that the kernels look at."""
    from xpiler.passes.simt_prepare import with_plain_dimensions

    renamed = with_plain_dimensions(function.function)
    own, dims = [], []
    used = _used_scalars(function)
    for before, after in zip(function.function.params, renamed.params, strict=True):
        if "." not in before.name:
            own.append(after)
        elif after.name in used:
            dims.append(after)
    return [*own, *dims]


def launch_dimensions(function: CudaFunction) -> list[str]:
    """Of the source's launch, what the kernels look at: `gridDim.x`."""
    from xpiler.passes.simt_prepare import with_plain_dimensions

    renamed = with_plain_dimensions(function.function)
    used = _used_scalars(function)
    return [
        before.name
        for before, after in zip(function.function.params, renamed.params, strict=True)
        if "." in before.name and after.name in used
    ]


def _used_scalars(function: CudaFunction) -> set[str]:
    plan = function.plan
    used = {p.name for launch in plan.launches for p in launch.params}
    used |= {v for launch in plan.launches for e in launch.grid for v in free_vars(e)}
    used |= {v for s in plan.scratch for v in free_vars(s.count)}
    used |= _step_scalars(plan.steps)
    for decl in reversed(plan.lets):
        if isinstance(decl.init, Expr):
            used |= free_vars(decl.init)
    return used


def _step_scalars(steps: Sequence[Step]) -> set[str]:
    found: set[str] = set()
    for step in steps:
        match step:
            case HostLoop(loop=loop, steps=inner, scratch=scratch):
                sizes = (s.count for s in scratch)
                found |= {v for e in (loop.start, loop.stop, loop.step, *sizes) for v in free_vars(e)}
                found |= _step_scalars(inner)
            case HostBranch(condition=condition, then=then, otherwise=otherwise):
                found |= free_vars(condition) | _step_scalars(then) | _step_scalars(otherwise)
    return found


def host_body(function: CudaFunction, printer: HostPrinter) -> None:
    plan = function.plan
    needed = {v for launch in plan.launches for e in launch.grid for v in free_vars(e)}
    needed |= {p.name for launch in plan.launches for p in launch.params}
    needed |= {v for s in plan.scratch for v in free_vars(s.count)} | _step_scalars(plan.steps)
    chosen: list[Decl] = []
    for decl in reversed(plan.lets):
        if decl.name in needed and isinstance(decl.init, Expr):
            chosen.insert(0, decl)
            needed |= free_vars(decl.init)
    for decl in chosen:
        assert isinstance(decl.init, Expr)
        text = printer.converted(decl.init, decl.dtype)
        printer.line(f"const {value_type(decl.dtype)} {printer.name(decl.name)} = {text};")
    printer.with_memory(plan.scratch, plan.steps)


def finished(text: str) -> str:
    """With CUDA's names of 16-bit types."""
    return re.sub(r"\bbfloat16\b", "__nv_bfloat16", text)
