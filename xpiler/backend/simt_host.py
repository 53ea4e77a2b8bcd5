"""Host code around generated CUDA kernels.

k<<<grid, block, 0, s>>>(a, n);    -->  launch_k(a, n, s);     its kernels with grids of their own
a function without host code       -->  extern "C" wrapper: allocate, copy in, launch, copy out, free
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from xpiler.backend.c_helpers import emit
from xpiler.backend.hip_source import SourceText
from xpiler.backend.host_cpp import (
    Edit,
    _after_leading_comment,
    _apply,
    _device_function_edits,
    _kernel,
    _namespace,
    _parts,
    _without_comments,
    launched,
    leading_comment,
    macro_prototype_edits,
)
from xpiler.backend.host_dispatch import SHARED, dispatcher, passed
from xpiler.backend.largest_index import LARGEST_INDEX, largest_lines
from xpiler.backend.launch_axes import axis_of
from xpiler.backend.serial_host import as_passed
from xpiler.backend.signature import check_lines, parameters_of, signature_of, with_definitions
from xpiler.backend.simt import (
    BLOCKS,
    CudaFunction,
    HostPrinter,
    finished,
    host_body,
    launch_dimensions,
    launcher,
    parameter_text,
    type_name,
)
from xpiler.backend.simt_helpers import HELPERS
from xpiler.errors import Refusal
from xpiler.frontend.unit import KernelText, LaunchSite, Signature, Unit
from xpiler.ir.nodes import RETURN, Expr, Function, Param
from xpiler.passes.argument_checks import Checked, optional_arrays

CHECK = """\
static void check(cudaError_t status) {
    if (status == cudaSuccess) return;
    fprintf(stderr, "CUDA error: %s\\n", cudaGetErrorString(status));
    exit(EXIT_FAILURE);
}"""


# ---------------------------------------------------------------------------------------------- host code


def with_host(
    unit: Unit, functions: Mapping[str, CudaFunction], callable_alone: Mapping[str, str] | None = None
) -> str:
    """A CUDA file whose kernels are replaced by generated ones; `functions` by `Function.name`;
    `callable_alone`: names of the functions that stand for kernels which no host code but a
    `main` launches.

    Raises `Refusal` where host code launches a kernel that was refused.
    """
    source = SourceText(unit.text, unit.file)
    edits = [
        *_launch_edits(unit, source, functions),
        *_kernel_edits(unit, functions, callable_alone or {}),
        *_device_function_edits(unit, source),
        *macro_prototype_edits(unit),
    ]
    body = _apply(unit.text, edits)
    return with_preamble(body, functions.values())


def launch_name(unit: Unit, function: CudaFunction) -> str:
    name = f"launch_{function.name}"
    while re.search(rf"\b{name}\b", unit.text):
        name += "_"
    return name


def _launch_edits(unit: Unit, source: SourceText, functions: Mapping[str, CudaFunction]) -> Iterable[Edit]:
    sites: dict[tuple[int, int], list[LaunchSite]] = defaultdict(list)
    for site in unit.launches:
        sites[site.span].append(site)
    for span, group in sites.items():
        yield Edit(*span, _launch(unit, source, span, group, functions))


def _launch(
    unit: Unit,
    source: SourceText,
    span: tuple[int, int],
    group: Sequence[LaunchSite],
    functions: Mapping[str, CudaFunction],
) -> str:
    site = group[0]
    function, kernel = launched(unit, site, functions), _kernel(unit, site.kernel)
    configuration, arguments = _parts(source, span)
    if len({s.kernel for s in group}) != 1:
        if not configuration or site.value:
            raise _several_instances(group)
        callee = source.text[span[0] : source.text.index("<<<", span[0])].strip()
        defaults = ["1", "1", "0", "0"][len(configuration) :]
        return f"{callee}({', '.join([*configuration, *defaults, *arguments])})"
    if not configuration:  # the launch comes from a macro
        configuration, arguments = [site.grid, site.block, site.shared or "0"], list(site.arguments)
    if all(p.argument < len(arguments) for p in kernel.params):
        arguments = passed(kernel, arguments)
    for dimension in launch_dimensions(function):
        which, _, axis = dimension.partition(".")
        if which == "dynamicShared":
            arguments.append(configuration[2] if len(configuration) > 2 else "0")
        else:
            arguments.append(axis_of(configuration[0 if which == "gridDim" else 1], axis))
    stream = configuration[3] if len(configuration) > 3 else "0"
    return f"{_namespace(source, span)}{launch_name(unit, function)}({', '.join([*arguments, stream])})"


def _several_instances(group: Sequence[LaunchSite]) -> Refusal:
    return Refusal(
        "template-launch",
        f"one launch starts several instances: {', '.join(sorted(s.spelling for s in group))}",
        group[0].range,
        "launch each instance by itself",
    )


def _picked(
    unit: Unit, text: KernelText, group: Sequence[LaunchSite], functions: Mapping[str, CudaFunction]
) -> str:
    """The template that starts the instance which one launch of several means."""

    def call(function: CudaFunction) -> Callable[[Sequence[str]], str]:
        given = [d.replace("dynamicShared.bytes", SHARED) for d in launch_dimensions(function)]
        return lambda values: f"{launch_name(unit, function)}({', '.join([*values, *given, 'stream'])})"

    every = [k for k in unit.program.kernels if k.template == text.name and k.name in functions]
    head = ["dim3 gridDim", "dim3 blockDim", f"size_t {SHARED}", "cudaStream_t stream"]
    definition = _without_comments(unit.text[slice(*text.span)])
    found = dispatcher(definition, text.name, head, [(k, call(functions[k.name])) for k in every])
    if found is None:
        raise _several_instances(group)
    return found


def _kernel_edits(
    unit: Unit, functions: Mapping[str, CudaFunction], callable_alone: Mapping[str, str]
) -> Iterable[Edit]:
    sites: dict[tuple[int, int], list[LaunchSite]] = defaultdict(list)
    for site in unit.launches:
        sites[site.span].append(site)
    several = [g for g in sites.values() if len({s.kernel for s in g}) > 1 and not g[0].value]
    for text in unit.kernels:
        own = [
            k.name
            for k in unit.program.kernels
            if k.name in functions and text.name in (k.template, k.name, k.spelling.split("<")[0])
        ]
        parts: list[str] = []
        for name in own:
            made = functions[name]
            parts += made.kernels
            if name not in callable_alone or any(site.kernel == name for site in unit.launches):
                parts.append(launcher(made, launch_name(unit, made)))
                if name in callable_alone:
                    parts.append(passing(made, callable_alone[name], launch_name(unit, made)))
            elif name in callable_alone:
                parts.append(alone(made, callable_alone[name]))
        group = next((g for g in several if _kernel(unit, g[0].kernel).template == text.name), None)
        if group is not None:
            parts.append(_picked(unit, text, group, functions))
        yield Edit(*text.span, "\n\n".join(parts) or f"// {text.name}: not launched here, left out")


# ---------------------------------------------------------------------------------------------- wrappers


@dataclass(frozen=True)
class Array:
    """A pointer parameter as the wrapper sees it: its elements, whether to copy them in and out, and for how
    many more elements there must be room behind them."""

    param: Param
    count: Expr
    copy_in: bool
    copy_out: bool
    room: int = 0


def wrapper(
    function: CudaFunction,
    source: Function,
    arrays: Mapping[str, Array],
    checked: Checked,
    unit: Unit,
    *,
    whole: bool = False,
) -> str:
    """The `extern "C"` function of the source's name and parameters, on host memory. `checked`: the source
    apart from its checks. `whole`: in a file whose own functions call it."""
    from xpiler.backend.vnni import _wrapped

    name, params = source.name, source.params
    printer = HostPrinter(function, "")
    declared, outer = parameters_of(
        params,
        signature_of(unit, name),
        {p.name: printer.fresh("result" if p.name == RETURN else p.name) for p in params},
        lambda p, shown: (as_passed(p, shown) if whole else "") or parameter_text(p, shown),
        printer.fresh,
    )
    returned = next((type_name(p.dtype) for p in params if p.name == RETURN), "void")
    printer.depth = 1
    for param in params:
        if not param.is_pointer:
            printer.names[param.name] = outer[param.name]
    for line in check_lines(checked, outer, printer):
        printer.line(line)
    used = {p.name for launch in function.plan.launches for p in launch.params}
    sizes: dict[str, str] = {}
    lengths = [arrays[p.name].count for p in params if p.is_pointer and p.name in used]
    for line in largest_lines(lengths, {n: a.count for n, a in arrays.items()}, outer, printer):
        printer.line(line)
    on_device = [arrays[p.name] for p in params if p.is_pointer and p.name in used]
    optional = optional_arrays(checked.function)
    for array in on_device:
        given = outer[array.param.name]
        if_given = f"if ({given}) " if array.param.name in optional else ""
        kind = parameter_text(array.param, "").split("*")[0].replace("const ", "").strip()
        shown = re.sub(r"\W+", "_", given)
        device = printer.fresh(f"d_{shown}")
        printer.names[array.param.name] = device
        size = sizes[array.param.name] = printer.fresh(f"{shown}_bytes")
        count = printer.expr(array.count, 13)
        printer.line(f"const size_t {size} = {count} * sizeof({kind});")
        printer.line(f"{kind} *{device} = nullptr;")
        room = f" + {array.room} * sizeof({kind})" if array.room else ""
        printer.line(f"{if_given}check(cudaMalloc(&{device}, {size}{room}));")
        if array.copy_in:
            printer.line(f"{if_given}check(cudaMemcpy({device}, {given}, {size}, cudaMemcpyHostToDevice));")
    host_body(function, printer)
    printer.line("check(cudaGetLastError());")
    if returned != "void" and checked.result is None:
        printer.line(f"{returned} {outer[RETURN]};")
    for array in on_device:
        if array.copy_out:
            device = printer.names[array.param.name]
            host = f"&{outer[RETURN]}" if array.param.name == RETURN else outer[array.param.name]
            size = sizes[array.param.name]
            if_given = f"if ({host}) " if array.param.name in optional else ""
            printer.line(f"{if_given}check(cudaMemcpy({host}, {device}, {size}, cudaMemcpyDeviceToHost));")
    for array in on_device:
        printer.line(f"check(cudaFree({printer.names[array.param.name]}));")
    if returned != "void":
        printer.line(f"return {outer[RETURN] if checked.result is None else printer.expr(checked.result)};")
    head = f'extern "C" {returned} {name}({", ".join(declared)}) {{'
    return "\n".join([*_wrapped(head), *printer.lines, "}"])


def alone(function: CudaFunction, name: str, signature: Signature | None = None) -> str:
    """The function that stands for a kernel without host code: it chooses the launch."""
    return f"// The pointers are device pointers.\n{launcher(function, name, signature, stream='')}"


def passing(function: CudaFunction, name: str, to: str) -> str:
    """The function that stands for a kernel which `main` launches: what it takes of a launch comes first.

    extern "C" void k(dim3 grid, dim3 block, T *a)   -->   launch_k(a, grid.x, 0)
    """
    from xpiler.backend.vnni import _wrapped

    printer = HostPrinter(function, "")
    own = [p for p in function.function.params if "." not in p.name]
    parameters = [parameter_text(p, printer.name(p.name)) for p in own]
    values = [printer.name(p.name) for p in own]
    dimensions = launch_dimensions(function)
    if dimensions:
        grid, block, shared = (printer.fresh(each) for each in ("grid", "block", "shared"))
        takes = [f"dim3 {grid}", f"dim3 {block}"]
        takes += [f"size_t {shared}"] if any("dynamicShared" in d for d in dimensions) else []
        parameters = [*takes, *parameters]
        for which, _, axis in (d.partition(".") for d in dimensions):
            of = {"gridDim": f"{grid}.{axis}", "blockDim": f"{block}.{axis}"}
            values.append(of.get(which, shared))
    lines = [f"    {to}({', '.join([*values, '0'])});", "    cudaDeviceSynchronize();"]
    head = f'extern "C" void {name}({", ".join(parameters)}) {{'
    return "\n".join(["// The pointers are device pointers.", *_wrapped(head), *lines, "}"])


def with_wrappers(unit: Unit, functions: Mapping[str, CudaFunction]) -> str:
    """The file of functions without host code: each one's kernels, then what stands for it."""
    leading = leading_comment(unit.text).rstrip()
    known = {name: signature_of(unit, name) for name, f in functions.items() if not launch_dimensions(f)}
    texts = [t for name, f in functions.items() for t in (*f.kernels, alone(f, name, known.get(name)))]
    text = with_definitions(unit, list(known), "\n\n".join(texts))
    body = "\n\n".join([*([leading] if leading else []), text]) + "\n"
    return with_preamble(body, functions.values())


# ---------------------------------------------------------------------------------------------- the whole


def with_preamble(body: str, functions: Iterable[CudaFunction]) -> str:
    """Headers and helpers that the text needs and does not have."""
    functions = tuple(functions)
    helpers = dict.fromkeys(h for f in functions for h in f.helpers)
    code = re.sub(r"//[^\n]*|/\*.*?\*/", " ", body, flags=re.S)
    texts = emit(helpers, HELPERS)
    every = "\n".join([code, *texts])
    headers = {
        "cuda_runtime.h": "",
        "cuda_fp16.h": r"\bhalf\b|\b__half",
        "cuda_bf16.h": r"\b__nv_bfloat16\b|\bbfloat16\b|bfloat16",
        "mma.h": r"\bwmma::",
        "assert.h": r"\bassert\(",
        "math.h": r"\b(INFINITY|NAN|HUGE_VAL)\b",
        "type_traits": r"\bstd::is_same_v\b",
        "algorithm": r"\bstd::m(in|ax)\b|\blargest_index\(",
        "stdint.h": r"\bu?int(8|16|32|64)_t\b|\bblocks\(",
        "stdio.h": r"\bcheck\(cuda|\bstderr\b|\bf?printf\(",
        "stdlib.h": r"\bcheck\(cuda|\b(exit|abort|malloc|calloc|free|atoi|rand)\(",
        "string.h": r"\bmem(set|cpy|move|cmp)\(|\bstr(cmp|len)\(",
    }
    includes = [
        f"#include <{header}>"
        for header, words in headers.items()
        if re.search(words, every) and not re.search(rf"#\s*include\s*[<\"]{re.escape(header)}[>\"]", body)
    ]
    parts = ["\n".join(includes) + "\n"] if includes else []
    if re.search(r"\bwmma::", every) and not re.search(r"using namespace nvcuda|namespace wmma\b", code):
        parts.append("namespace wmma = nvcuda::wmma;\n")
    if re.search(r"\bblocks\(", code):
        parts.append(BLOCKS + "\n")
    if re.search(r"\bcheck\(cuda", code) and "static void check(" not in code:
        parts.append(CHECK + "\n")
    if re.search(r"\blargest_index\(", code):
        parts.append(LARGEST_INDEX + "\n")
    parts += [text + "\n" for text in texts]
    at = _after_includes(body)
    head = body[:at]
    return finished(head + "\n".join(parts) + "\n" + body[at:].lstrip("\n"))


def _after_includes(body: str) -> int:
    """Behind the includes at the top of a text, or its leading comment."""
    at = _after_leading_comment(body)
    top = re.match(r"(?:\s*(?:#\s*(?:include|pragma)[^\n]*|//[^\n]*)\n|\s*\n)*", body[at:])
    includes = list(re.finditer(r"#\s*include[^\n]*\n", top[0])) if top else []
    return at + includes[-1].end() if includes else at
