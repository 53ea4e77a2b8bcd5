"""The host text of a CUDA file for an MLU: edited in place, so that names, comments and the interface
survive.

    __global__ void k(...) {...}    -->  __mlu_entry__ void k(...) {...}               (generated)
    k<<<grid, block>>>(a, n);       -->  k<<<all_cores(), cnrtFuncTypeUnion1, default_queue()>>>(a, n, ...);
    cudaMemcpy(d, h, bytes, kind)   -->  cnrtMemcpy(d, (void *)h, bytes, direction)

A launch starts one task on every core: the kernel shares the work out by itself; what it needs of the
source's grid it gets as arguments. A kernel that no host code launches gets a wrapper of its name that
launches it on device memory. What has no CNRT form is refused.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence

from xpiler.backend.bang import HELPERS, SHARED, BangFunction, _type
from xpiler.backend.bang_memory import CALLS, is_managed, memory_call
from xpiler.backend.bang_memory import HELPERS as MEMORY_HELPERS
from xpiler.backend.bang_table_launch import launch_by_table
from xpiler.backend.c_helpers import emit
from xpiler.backend.hip_source import SourceText, Token
from xpiler.backend.host_cpp import (
    Edit,
    _after_leading_comment,
    _apply,
    _device_function_edits,
    _kernel,
    _namespace,
    _parts,
    _split,
    _template,
    _text_edits,
    _without_comments,
    launched,
    macro_prototype_edits,
    none_of,
)
from xpiler.backend.host_dispatch import dispatcher, passed
from xpiler.backend.host_lambdas import lambda_edits
from xpiler.backend.host_math import called_in
from xpiler.backend.host_values import IS_KERNEL, address_function, chosen, value_edits
from xpiler.backend.largest_index import LARGEST_INDEX
from xpiler.backend.launch_axes import axis_of
from xpiler.backend.signature import parameters_of, signature_of, with_definitions
from xpiler.errors import Refusal
from xpiler.frontend.unit import KernelText, LaunchSite, Signature, Unit
from xpiler.ir.nodes import Decl, Expr, Function, Param

RENAMED = {
    "__half": "half",
    "__nv_bfloat16": "bfloat16_t",
    "__half2": "half2",
    "__nv_bfloat162": "bfloat162",
    "cudaError_t": "cnrtRet_t",
    "cudaErrorInvalidValue": "cnrtErrorArgsInvalid",
    "cudaErrorMemoryAllocation": "cnrtErrorNoMem",
    "cudaErrorNoDevice": "cnrtErrorNoDevice",
    "cudaErrorUnknown": "cnrtErrorUnknown",
    "cudaSuccess": "cnrtSuccess",
    "cudaStream_t": "cnrtQueue_t",
    "cudaEvent_t": "cnrtNotifier_t",
    "cudaGetErrorString": "cnrtGetErrorStr",
    "cudaGetErrorName": "cnrtGetErrorName",
    "cudaGetDeviceCount": "count_devices",
    "cudaDeviceProp": "DeviceProperties",
    "cudaGetDeviceProperties": "device_properties",
    "cudaDeviceReset": "cnrtDeviceReset",
    "cudaGetLastError": "cnrtGetLastError",
    "cudaPeekAtLastError": "cnrtPeekAtLastError",
    "cudaFreeHost": "cnrtFreeHost",
    "cudaSetDevice": "cnrtSetDevice",
    "cudaGetDevice": "cnrtGetDevice",
    "cudaStreamCreate": "cnrtQueueCreate",
    "cudaStreamSynchronize": "cnrtQueueSync",
    "cudaStreamDestroy": "cnrtQueueDestroy",
    "cudaDeviceSynchronize": "cnrtSyncDevice",
    "cudaThreadSynchronize": "cnrtSyncDevice",
    "cudaEventCreate": "cnrtNotifierCreate",
    "cudaEventDestroy": "cnrtNotifierDestroy",
    "cudaEventSynchronize": "cnrtWaitNotifier",
    "cudaMemcpyHostToDevice": "cnrtMemcpyHostToDev",
    "cudaMemcpyDeviceToHost": "cnrtMemcpyDevToHost",
    "cudaMemcpyDeviceToDevice": "cnrtMemcpyDevToDev",
}
_CALLS = frozenset(
    "cudaMalloc cudaMallocHost cudaHostAlloc cudaStreamCreateWithFlags cudaMemsetAsync "
    "cudaMallocAsync cudaFreeAsync cudaMemcpy cudaMemcpyAsync cudaEventRecord "
    "cudaEventElapsedTime cudaMemcpyToSymbol cudaMemcpyToSymbolAsync cudaMemcpyFromSymbol "
    "cudaStreamCreateWithPriority cudaEventCreateWithFlags cudaStreamWaitEvent".split()
)
_NO_STREAM = frozenset(("0", "nullptr", "NULL", "(cudaStream_t)0", "cudaStreamDefault"))

ALL_CORES = """\
// One task on every core of the device: a Union1 job on each cluster.
static cnrtDim3_t all_cores() {
    int device = 0, cores = 4, clusters = 1;
    cnrtGetDevice(&device);
    cnrtDeviceGetAttribute(&cores, cnrtAttrMcorePerCluster, device);
    cnrtDeviceGetAttribute(&clusters, cnrtAttrClusterCount, device);
    return {(unsigned)cores, (unsigned)clusters, 1};
}"""
DEFAULT_QUEUE = """\
static cnrtQueue_t default_queue() {
    static cnrtQueue_t queue = nullptr;
    if (queue == nullptr) cnrtQueueCreate(&queue);
    return queue;
}"""
ON_DEVICE = """\
// What was constant memory: a copy of it in device memory, brought up to date before a launch.
static void *on_device(const void *variable, size_t bytes) {
    static std::map<const void *, void *> copies;
    void *&copy = copies[variable];
    if (copy == nullptr) cnrtMalloc(&copy, bytes);
    cnrtMemcpy(copy, (void *)variable, bytes, cnrtMemcpyHostToDev);
    return copy;
}"""
COUNT_DEVICES = """\
static cnrtRet_t count_devices(int *count) {
    unsigned found = 0;
    cnrtRet_t status = cnrtGetDeviceCount(&found);
    *count = (int)found;
    return status;
}"""
DEVICE_PROPERTIES = """\
// What programs ask a device for before they choose the shape of a launch.
struct DeviceProperties {
    char name[256];
    size_t totalGlobalMem, sharedMemPerBlock;
    int multiProcessorCount, warpSize, maxThreadsPerBlock, maxThreadsPerMultiProcessor, major, minor;
};
static cnrtRet_t device_properties(DeviceProperties *found, int device) {
    int cores = 4, clusters = 1;
    cnrtDeviceGetAttribute(&cores, cnrtAttrMcorePerCluster, device);
    cnrtRet_t status = cnrtDeviceGetAttribute(&clusters, cnrtAttrClusterCount, device);
    *found = {"MLU", (size_t)8 << 30, 48 * 1024, cores * clusters, 32, 1024, 2048, 8, 0};
    return status;
}"""
COPY_CONSTANTS = """\
// Copies to or from a variable that kernels read, once they are done.
static cnrtRet_t copy_constants(void *dst, const void *src, size_t bytes, bool from_device = false) {
    cnrtRet_t status = cnrtSyncDevice();
    if (from_device) return cnrtMemcpy(dst, (void *)src, bytes, cnrtMemcpyDevToHost);
    memcpy(dst, src, bytes);
    return status;
}"""
# Types of short vectors, which BANG C has none of.
_VECTOR = r"(?:float|double|u?int|u?char|u?short|half)[234]|bfloat162"
_ELEMENTS = {"uint": "unsigned", "bfloat16": "bfloat16_t"}
DIM3 = """\
struct dim3 {
    unsigned x, y, z;
    dim3(unsigned x = 1, unsigned y = 1, unsigned z = 1) : x(x), y(y), z(z) {}
};"""
NRAM = """\
// What the compiler leaves of a core's NRAM.
#define NRAM_BYTES ((__MLU_NRAM_SIZE__ - 128) * 1024)
__nram__ char nram_buffer[NRAM_BYTES];"""
WRAM = """\
__wram__ char wram_buffer[__MLU_WRAM_SIZE__ * 1024];"""


# ---------------------------------------------------------------------------------------------- whole files


Wrapped = Mapping[str, tuple[BangFunction, Function]]


def to_bang(unit: Unit, functions: Mapping[str, BangFunction], wrapped: Wrapped | None = None) -> str:
    """The BANG C program of a file with host code. `functions`: generated kernels by `Function.name`;
    `wrapped`: those of them that get a wrapper.

    Raises `Refusal` where host code uses what has no CNRT form, or launches a kernel that was refused.
    """
    source = SourceText(unit.text, unit.file)
    edits = [
        *_launch_edits(unit, source, functions),
        *_kernel_edits(unit, functions, wrapped or {}),
        *_device_function_edits(unit, source),
        *_api_edits(source),
        *_text_edits(source),
        *macro_prototype_edits(unit),
        *(Edit(*edit) for edit in (*value_edits(unit), *lambda_edits(unit))),
    ]
    body = _apply(unit.text, edits)
    _check(source, edits)
    return _with_preamble(body, functions.values())


def with_wrapper(unit: Unit, kernels: Wrapped) -> str:
    """The file of kernels without host code: each with a wrapper of the name it is called by."""
    leading = unit.text[: _after_leading_comment(unit.text)].rstrip()
    parts = [_and_wrapper(name, *pair, signature_of(unit, name)) for name, pair in kernels.items()]
    text = with_definitions(
        unit, [name for name, (f, _) in kernels.items() if not f.launch], "\n\n".join(parts)
    )
    body = "\n\n".join([*([leading] if leading else []), text]) + "\n"
    return _with_preamble(body, [f for f, _ in kernels.values()])


def _and_wrapper(
    name: str, function: BangFunction, kernel: Function, signature: Signature | None = None
) -> str:
    own = [p for p in kernel.params if "." not in p.name]
    declared, values = parameters_of(
        own,
        None if function.launch else signature,
        {p.name: p.name for p in own},
        lambda p, shown: f"{_spelling(p)}{shown}",
        str,
    )
    parameters = ", ".join(declared)
    arguments = ", ".join(values[p.name] for p in own)
    if function.launch:  # the caller says what the source's launch would be
        sizes = "dim3 grid, dim3 block" + (", size_t shared" if SHARED in function.launch else "")
        parameters = f"{sizes}, {parameters}"
        given = {"gridDim": "grid", "blockDim": "block", "dynamicShared": "shared"}
        of = [
            d.replace(d.split(".")[0], given[d.split(".")[0]]).removesuffix(".bytes") for d in function.launch
        ]
        arguments = ", ".join([arguments, *of])
    arguments = ", ".join([arguments, *_passed_globals(function)])
    return (
        f"{function.text}\n\n"
        f"// The pointers are device pointers.\n"
        f'extern "C" void {name}({parameters}) {{\n'
        f"    {function.name}<<<all_cores(), cnrtFuncTypeUnion1, default_queue()>>>({arguments});\n"
        f"    cnrtQueueSync(default_queue());\n}}"
    )


def _passed_globals(function: BangFunction) -> list[str]:
    """The arguments for the variables of the program that a kernel reads."""
    return [passed_global(decl) for decl in function.globals]


def passed_global(decl: Decl) -> str:
    """The argument for a variable of the program: a copy in device memory of an array, a scalar's value."""
    name = decl.name
    return f"(const {_type(decl.dtype)} *)on_device(&{name}, sizeof({name}))" if decl.shape else name


def _spelling(param: Param) -> str:
    from xpiler.backend.bang import parameter_text

    return parameter_text(param, "").replace("__restrict__ ", "")


# ---------------------------------------------------------------------------------------------- launches


def known_dimensions(unit: Unit, kernel: str) -> dict[str, Expr | int]:
    """Grid extents that are 1 at every launch of a kernel, by the way the launches are written."""
    ranks = [_rank(unit, site) for site in unit.launches if site.kernel == kernel]
    if not ranks or None in ranks:
        return {}
    rank = max(r for r in ranks if r is not None)
    return {f"gridDim.{axis}": 1 for axis in "xyz"[rank:]}


def _rank(unit: Unit, site: LaunchSite) -> int | None:
    """How many extents of a launch's grid are given; None if that does not show."""
    return _rank_of(unit.text, site.grid.strip())


def _rank_of(text: str, grid: str) -> int | None:
    direct = re.fullmatch(r"dim3\s*[({](.*)[)}]", grid, re.S)
    if direct:
        return _arguments(direct[1])
    if grid.isdigit():
        return 1
    if re.fullmatch(r"\w+", grid):
        if re.search(rf"\b{grid}\s*\.\s*[xyz]\s*=[^=]|\b{grid}\s*=[^=;]*dim3\b(?!\s*\()", text):
            return None
        declared = re.search(rf"\bdim3\b[^;]*?\b{grid}\s*[({{]([^;]*)[)}}]\s*;", text)
        if declared:
            return _arguments(declared[1])
        assigned = re.search(rf"\b(?:dim3|auto)\s+{grid}\s*=\s*([^;]*);", text)
        if assigned:
            return _rank_of(text, assigned[1].strip()) if assigned[1].strip() != grid else None
        if re.search(rf"\bdim3\b[^;()]*\b{grid}\b", text):
            return None
        return 1
    names = re.findall(r"[A-Za-z_]\w*", grid)
    dim3s = set(re.findall(r"\bdim3\s*&?\s*(\w+)", text))
    return None if dim3s & set(names) or "dim3" in names else 1


def _arguments(text: str) -> int:
    depth, count = 0, 1
    for c in text:
        depth += {"(": 1, "[": 1, "{": 1, ")": -1, "]": -1, "}": -1}.get(c, 0)
        if depth < 0:
            break
        count += c == "," and depth == 0
    return count


def _launch_edits(unit: Unit, source: SourceText, functions: Mapping[str, BangFunction]) -> Iterable[Edit]:
    sites: dict[tuple[int, int], list[LaunchSite]] = defaultdict(list)
    for site in unit.launches:
        sites[site.span].append(site)
    for span, group in sites.items():
        start, end = span
        text = _launch(unit, source, span, group, functions)
        if text.endswith("}"):  # the braces make the semicolon behind it one too many
            rest = next((t for t in source.tokens if t.start >= end), None)
            end = rest.end if rest is not None and rest.text == ";" else end
        yield Edit(start, end, _renamed(text))


def _launch(
    unit: Unit,
    source: SourceText,
    span: tuple[int, int],
    group: list[LaunchSite],
    functions: Mapping[str, BangFunction],
) -> str:
    stopped = none_of(unit, group, functions)
    if stopped is not None:
        return stopped
    group = sorted(group, key=lambda s: s.kernel not in functions)
    site = group[0]
    function, kernel = launched(unit, site, functions), _kernel(unit, site.kernel)
    for other in group[1:] if site.value else ():
        launched(unit, other, functions)
    by_table = launch_by_table(
        unit, source, span, group, lambda k, *given: _start_with(unit, functions[k.name], *given)
    )
    if by_table is not None:
        return by_table
    configuration, arguments = _parts(source, span)
    if not configuration:  # the launch comes from a macro
        configuration, arguments = [site.grid, site.block, site.shared or "0"], list(site.arguments)
    stream = configuration[3].strip() if len(configuration) > 3 else "0"
    given = stream not in _NO_STREAM
    queue = stream if given else "default_queue()"
    if site.value:
        return _launch_by_value(unit, source, span, group, functions, (configuration, arguments, queue))
    if len({s.kernel for s in group}) > 1:
        named = unit.text[slice(*span)].split("<<<")[0].strip()
        shared = configuration[2] if len(configuration) > 2 else "0"
        call = f"{named}({', '.join([*configuration[:2], shared, queue, *arguments])})"
    else:
        call = _namespace(source, span) + _start(unit, kernel, function, configuration, arguments, queue)
    if is_managed(unit.text):
        return f"{{ to_device(); {call}; cnrtQueueSync({queue}); from_device(); }}"
    if given:
        return call
    wait = "cnrtQueueSync(default_queue())"
    before = [t for t in source.tokens if t.end <= span[0]]
    if before and before[-1].text in (";", "{", "}"):
        line = unit.text[unit.text.rfind("\n", 0, span[0]) + 1 : span[0]]
        indent = line if not line.strip() else " "
        return f"{call};\n{indent}{wait}" if not line.strip() else f"{call}; {wait}"
    return f"{{ {call}; {wait}; }}"


def _start(
    unit: Unit,
    kernel: Function,
    function: BangFunction,
    configuration: list[str],
    arguments: list[str],
    queue: str,
) -> str:
    """The launch of what was made of `kernel`."""
    values = list(arguments)
    if all(p.argument < len(arguments) for p in kernel.params):
        values = passed(kernel, arguments)
    return _start_with(unit, function, configuration, values, queue)


def _start_with(
    unit: Unit, function: BangFunction, configuration: Sequence[str], values: Sequence[str], queue: str
) -> str:
    """The launch with what is passed for each parameter."""
    if is_managed(unit.text):
        values = [f"on_mlu({value})" for value in values]
    given = [_dimension(unit, d, configuration) for d in function.launch] + _passed_globals(function)
    return f"{function.name}<<<all_cores(), cnrtFuncTypeUnion1, {queue}>>>({', '.join([*values, *given])})"


def _launch_by_value(
    unit: Unit,
    source: SourceText,
    span: tuple[int, int],
    group: list[LaunchSite],
    functions: Mapping[str, BangFunction],
    given: tuple[list[str], list[str], str],
) -> str:
    """A launch for each kernel that the value may be."""
    configuration, arguments, queue = given
    before = [t.text for t in source.tokens if t.end <= span[0]]
    if not arguments or (before and before[-1] not in (";", "{", "}", ")", "else", ":")):
        raise Refusal(
            "kernel-chosen",
            f"which kernel `{group[0].value}` starts is decided when the program runs",
            group[0].range,
            "launch each kernel by its own name: if (...) one<<<...>>>(...); else other<<<...>>>(...);",
        )
    cases = []
    for kernel, question in chosen(unit, group):
        call = _start(unit, kernel, functions[kernel.name], configuration, arguments, queue)
        cases.append(f"if ({question}) {kernel.namespace}{call};")
    started = f"{' else '.join(cases)} cnrtQueueSync({queue});"
    return f"{{ to_device(); {started} from_device(); }}" if is_managed(unit.text) else f"{{ {started} }}"


def _dimension(unit: Unit, dimension: str, configuration: Sequence[str]) -> str:
    """A launch dimension as an argument."""
    if dimension == SHARED:
        return configuration[2] if len(configuration) > 2 else "0"
    which, axis = dimension.split(".")
    text = configuration[0] if which == "gridDim" else configuration[1]
    if _rank_of(unit.text, text.strip()) == 1 and "dim3" not in text and not _is_dim3(unit.text, text):
        return text if axis == "x" else "1"
    return f"{text}.{axis}" if re.fullmatch(r"\w+", text.strip()) else axis_of(text, axis)


def _is_dim3(text: str, name: str) -> bool:
    """Whether a name is declared so: `dim3 grid(n)`, the second of `dim3 block(256), grid(n)`, `auto grid =
    dim3(n)`; not the number in `k<<<n, dim3(32, 8)>>>(n)`."""
    word = re.escape(name.strip())
    first, further = rf"\bdim3(?:\s+const)?[\s&]+{word}\b", rf"\bdim3\s[^;<>]*,\s*{word}\s*[({{=;]"
    deduced = rf"\bauto\s+(?:const\s+)?{word}\s*(?:=\s*|[({{]\s*)dim3\b"
    return re.search(rf"{first}|{further}|{deduced}", text) is not None


# ---------------------------------------------------------------------------------------------- definitions


def _kernel_edits(unit: Unit, functions: Mapping[str, BangFunction], wrapped: Wrapped) -> Iterable[Edit]:
    sites: dict[tuple[int, int], list[LaunchSite]] = defaultdict(list)
    for site in unit.launches:
        sites[site.span].append(site)
    several = [g for g in sites.values() if len({s.kernel for s in g}) > 1 and not g[0].value]
    for text in unit.kernels:
        own = [
            _and_wrapper(k.name, *wrapped[k.name]) if k.name in wrapped else functions[k.name].text
            for k in unit.program.kernels
            if k.name in functions and text.name in (k.template, k.name, k.spelling.split("<")[0])
        ]
        replacement = "\n\n".join(dict.fromkeys(own))
        group = next((g for g in several if _template(unit, g) == text.name), None)
        if group is not None:
            replacement += f"\n\n{_picked(unit, text, group, functions)}"
        address = address_function(unit, text.name, _without_comments(unit.text[slice(*text.span)]))
        replacement += f"\n\n{address}" if own and address else ""
        yield Edit(*text.span, replacement or f"// {text.name}: not launched here, left out")


def _picked(
    unit: Unit, text: KernelText, group: list[LaunchSite], functions: Mapping[str, BangFunction]
) -> str:
    """The template that starts the instance which one launch of several means."""

    def call(function: BangFunction) -> Callable[[Sequence[str]], str]:
        given = [
            d.replace("dynamicShared.bytes", "sharedBytes") for d in function.launch
        ]  # the names of the dimensions are those of the parameters
        given += _passed_globals(function)
        place = "on_mlu({})" if is_managed(unit.text) else "{}"
        return lambda values: (
            f"{function.name}<<<all_cores(), cnrtFuncTypeUnion1, queue>>>"
            f"({', '.join([*map(place.format, values), *given])})"
        )

    every = [k for k in unit.program.kernels if k.template == text.name and k.name in functions]
    head = ["dim3 gridDim", "dim3 blockDim", "size_t sharedBytes", "cnrtQueue_t queue"]
    found = dispatcher(
        _without_comments(unit.text[slice(*text.span)]),
        text.name,
        head,
        [(k, call(functions[k.name])) for k in every],
    )
    if found is None:
        raise Refusal(
            "template-launch",
            f"one launch starts several instances: {', '.join(sorted(s.spelling for s in group))}",
            group[0].range,
            "launch each instance by itself",
        )
    return _renamed(found)


# ---------------------------------------------------------------------------------------------- calls


def _api_edits(source: SourceText) -> Iterable[Edit]:
    for i, token in source.names():
        if source.is_member(i):
            continue
        if token.text in RENAMED:
            yield Edit(token.start, token.end, RENAMED[token.text])
        elif token.text in {*_CALLS, *CALLS} and source.tokens[i + 1].text == "(":
            call = _call(source, i)
            if call is not None:
                yield call


def _call(source: SourceText, i: int) -> Edit | None:
    close = _closing(source, i + 1)
    if close is None:
        return None
    arguments = [_renamed(a) for a in _split(source, list(source.tokens[i + 2 : close]))]
    start, end = source.tokens[i].start, source.tokens[close].end
    memory = memory_call(source.tokens[i].text, arguments, is_managed(source.text))
    if memory is not None:
        return Edit(start, end, memory)
    match source.tokens[i].text, arguments:
        case ("cudaMalloc", (pointer, size)) | ("cudaMallocAsync", (pointer, size, _)):
            return Edit(start, end, f"cnrtMalloc({_void(pointer, '**')}, {size})")
        case ("cudaFreeAsync", (pointer, stream_)):  # what was put into the queue before may use it
            queue = "default_queue()" if stream_ in _NO_STREAM else stream_
            freed = memory_call("cudaFree", [pointer], is_managed(source.text))
            return Edit(start, end, f"(cnrtQueueSync({queue}), {freed})")
        case ("cudaStreamCreateWithFlags" | "cudaStreamCreateWithPriority", (stream_, *_)):
            return Edit(start, end, f"cnrtQueueCreate({stream_})")
        case ("cudaEventCreateWithFlags", (event, _)):
            return Edit(start, end, f"cnrtNotifierCreate({event})")
        case ("cudaStreamWaitEvent", (stream_, event, *_)):
            queue = "default_queue()" if stream_ in _NO_STREAM else stream_
            return Edit(start, end, f"cnrtQueueWaitNotifier({event}, {queue}, 0)")
        case ("cudaMallocHost" | "cudaHostAlloc", (pointer, size, *_)):
            return Edit(start, end, f"cnrtHostMalloc({_void(pointer, '**')}, {size})")
        case ("cudaMemcpy", (dst, src, size, kind)):
            return Edit(start, end, f"cnrtMemcpy({dst}, {_void(src, '*')}, {size}, {kind})")
        case ("cudaMemcpyAsync", (dst, src, size, kind, *stream)):
            queue = stream[0] if stream and stream[0] not in _NO_STREAM else "default_queue()"
            return Edit(start, end, f"cnrtMemcpyAsync({dst}, {_void(src, '*')}, {size}, {queue}, {kind})")
        case ("cudaMemsetAsync", (dst, value, size, *stream)):
            queue = stream[0] if stream and stream[0] not in _NO_STREAM else "default_queue()"
            return Edit(start, end, f"cnrtMemsetAsync({dst}, {value}, {size}, {queue})")
        case ("cudaMemcpyToSymbol" | "cudaMemcpyToSymbolAsync", (variable, src, size, *more)):
            from_device = more[1:2] == ["cnrtMemcpyDevToDev"]
            place = _constant(variable, more)
            return Edit(
                start, end, f"copy_constants({place}, {src}, {size}{', true' if from_device else ''})"
            )
        case ("cudaMemcpyFromSymbol", (dst, variable, size, *more)) if more[1:2] != ["cnrtMemcpyDevToDev"]:
            return Edit(start, end, f"copy_constants({dst}, {_constant(variable, more)}, {size})")
        case ("cudaEventRecord", (event, *stream)):
            queue = stream[0] if stream and stream[0] not in _NO_STREAM else "default_queue()"
            return Edit(start, end, f"cnrtPlaceNotifier({event}, {queue})")
        case ("cudaEventElapsedTime", (out, first, last)):
            return Edit(start, end, f"cnrtNotifierElapsedTime({first}, {last}, {out})")
    return None


def _constant(variable: str, more: Sequence[str]) -> str:
    """The address of a variable, moved by the offset that may follow the size of a copy."""
    offset = more[0] if more else "0"
    return f"&{variable}" if offset == "0" else f"(char *)&{variable} + {offset}"


def _closing(source: SourceText, i: int) -> int | None:
    depth = 0
    for j in range(i, len(source.tokens)):
        depth += {"(": 1, ")": -1}.get(source.tokens[j].text, 0)
        if depth == 0:
            return j
    return None


def _renamed(text: str) -> str:
    return re.sub(r"\b(?:cuda\w+|__half2?|__nv_bfloat162?)\b", lambda m: RENAMED.get(m[0], m[0]), text)


def _void(argument: str, stars: str) -> str:
    if re.match(r"\(\s*(const\s+)?void\s*\*", argument):
        return argument.replace("const ", "", 1) if stars == "*" else argument
    simple = re.fullmatch(r"&?\w+", argument)
    return f"(void {stars}){argument if simple else f'({argument})'}"


def _check(source: SourceText, edits: list[Edit]) -> None:
    """Refuse what is left of CUDA in the host text."""
    gone = [(e.start, e.end) for e in edits if e.end > e.start]

    def left(token: Token) -> bool:
        return not any(start <= token.start < end for start, end in gone)

    for i, token in source.names():
        if not left(token) or source.is_member(i) or token.text in source.defined:
            continue
        directive = source.directive_at(token.start)
        if directive is not None and directive.word != "define":
            continue
        if re.match(r"(cuda|cu|cublas|curand|cusparse|cudnn|nccl|nvrtc)[A-Z]\w*$", token.text):
            raise source.refuse(
                "host-api",
                f"'{token.text}' has no CNRT form",
                token,
                "move it out of this file, or translate the kernel without its host code",
            )
        if token.text in ("thrust", "cub") and source.tokens[i + 1].text == "::":
            raise source.refuse("host-api", f"the library '{token.text}' has no form on an MLU", token)
    for token in source.tokens:
        if token.text == "<<<" and left(token):
            raise source.refuse("launch", "a launch that was not understood", token)


# ---------------------------------------------------------------------------------------------- preamble


def _with_preamble(body: str, functions: Iterable[BangFunction]) -> str:
    functions = tuple(functions)
    headers = ["#include <bang.h>", "#include <cnrt.h>", ""]
    standard = {
        "assert.h": "assert(",
        "algorithm": "std::m",
        "math.h": "INFINITY",
        "stdint.h": "int64_t",
        "float.h": "FLT_",
        "map": "on_device(",
        "string.h": "copy_constants(",
        "vector": "managed_",
    }
    code = re.sub(r"//[^\n]*|/\*.*?\*/", " ", body, flags=re.S)
    # min and max are BANG C's own.
    mathematics = [text + "\n" for text in called_in(code) if not text.startswith("template")]
    if mathematics and "<math.h>" not in code:
        headers.insert(2, "#include <math.h>")
    standard_used = [
        f"#include <{h}>"
        for h, word in standard.items()
        if word in code and not re.search(rf"#\s*include\s*<{re.escape(h)}>", code)
    ]
    parts = ["\n".join([*filter(None, headers), *standard_used]) + "\n"]
    if re.search(r"\bdim3\b", code):
        parts.append(DIM3 + "\n")
    for name in sorted(set(re.findall(rf"\b(?:make_)?({_VECTOR})\b", code))):
        kind = name[:-1]
        element = _ELEMENTS.get(kind, f"unsigned {kind[1:]}" if kind.startswith("u") else kind)
        members = "xyzw"[: int(name[-1])]
        parts.append(f"struct {name} {{\n    {element} {', '.join(members)};\n}};\n")
        if re.search(rf"\bmake_{name}\b", code):
            given = ", ".join(f"{element} {m}" for m in members)
            value = f"{{{', '.join(members)}}}"
            parts.append(f"static inline {name} make_{name}({given}) {{ return {value}; }}\n")
    if any(f.uses_nram for f in functions):
        parts.append(NRAM + ("\n" + WRAM if any(f.uses_wram for f in functions) else "") + "\n")
    helpers = dict.fromkeys(h for f in functions for h in f.helpers)
    parts += [
        re.sub(r"\bstatic inline\b", "static __mlu_func__", text) + "\n" for text in emit(helpers, HELPERS)
    ]
    parts += mathematics
    if "on_device(" in code:
        parts.append(ON_DEVICE + "\n")
    parts += [text + "\n" for word, text in MEMORY_HELPERS.items() if word in code]
    if "largest_index(" in code:
        parts.append(LARGEST_INDEX + "\n")
    if "is_kernel(" in code:
        parts.append(IS_KERNEL + "\n")
    if "copy_constants(" in code:
        parts.append(COPY_CONSTANTS + "\n")
    if "count_devices(" in code:
        parts.append(COUNT_DEVICES + "\n")
    if "DeviceProperties" in code:
        parts.append(DEVICE_PROPERTIES + "\n")
    if "all_cores()" in code:
        parts.append(ALL_CORES + "\n")
    if "default_queue()" in code:
        parts.append(DEFAULT_QUEUE + "\n")
    at = _after_leading_comment(body)
    return body[:at] + "\n".join(parts) + "\n" + body[at:].lstrip("\n")
