"""Host code of a BANG C file as CUDA's, which is what every other platform's host code is made from.

    cnrtMemcpy(d, h, n, cnrtMemcpyHostToDev)     -->  cudaMemcpy(d, h, n, cudaMemcpyHostToDevice)
    kernel<<<dim, cnrtFuncTypeUnion1, q>>>(a)    -->  kernel<<<dim3(dim.x * dim.y * dim.z), 1, 0, q>>>(a)

Kernels and device functions stay as they are: what they become is put in their place later. Each task is a
block, or each cluster one, see `platforms/bang_tasks.py`. What has no form in CUDA is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from inspect import Parameter, signature

from xpiler.backend.bang_host import DIM3
from xpiler.backend.hip_source import SourceText
from xpiler.backend.host_cpp import Edit, _apply, _declaration_start, _parts, _prototype_end, _split
from xpiler.errors import Refusal
from xpiler.frontend.predefined_bang import NRAM, WRAM
from xpiler.frontend.syntax import analyse
from xpiler.frontend.unit import LaunchSite, Unit
from xpiler.ir.nodes import Function
from xpiler.platforms.bang import DEFAULT
from xpiler.platforms.bang_tasks import LINEAR

RENAMED = {
    "cnrtDim3_t": "dim3",
    "Dim3_t": "dim3",
    "cnrtQueue_t": "cudaStream_t",
    "CNqueue": "cudaStream_t",
    "cnrtNotifier_t": "cudaEvent_t",
    "cnrtRet_t": "cudaError_t",
    "cnrtRet": "cudaError_t",
    "cnrtSuccess": "cudaSuccess",
    "CNRT_RET_SUCCESS": "cudaSuccess",
    "CN_SUCCESS": "0",
    "CNresult": "int",
    "CNdev": "int",
    "cnrtDev_t": "int",
    "cnrtFunctionType_t": "int",
    "cnrtFunctionType": "int",
    "cnrtJobType_t": "int",
    "KernelClass": "int",
    "cnrtMemTransDir_t": "cudaMemcpyKind",
    "cnrtMemcpyKind": "cudaMemcpyKind",
    "bfloat16_t": "__nv_bfloat16",
    "__mlu_const__": "__constant__",
    "cnrtGetErrorStr": "cudaGetErrorString",
    "cnrtGetErrorName": "cudaGetErrorName",
    "cnrtGetLastError": "cudaGetLastError",
    "cnrtPeekAtLastError": "cudaPeekAtLastError",
    "cnrtSetDevice": "cudaSetDevice",
    "cnrtSetCurrentDevice": "cudaSetDevice",
    "cnrtGetDevice": "cudaGetDevice",
    "cnrtSyncDevice": "cudaDeviceSynchronize",
    "cnrtDeviceReset": "cudaDeviceReset",
    "cnrtDestroy": "cudaDeviceReset",
    "cnrtMalloc": "cudaMalloc",
    "cnrtFree": "cudaFree",
    "cnrtHostMalloc": "cudaMallocHost",
    "cnrtMallocHost": "cudaMallocHost",
    "cnrtFreeHost": "cudaFreeHost",
    "cnrtMemset": "cudaMemset",
    "cnrtConvertFloatToHalf": "float_to_half",
    "cnrtConvertHalfToFloat": "half_to_float",
    "cnrtMemsetAsync": "cudaMemsetAsync",
    "cnrtMemcpy": "cudaMemcpy",
    "cnrtQueueCreate": "cudaStreamCreate",
    "cnrtCreateQueue": "cudaStreamCreate",
    "cnrtQueueSync": "cudaStreamSynchronize",
    "cnrtSyncQueue": "cudaStreamSynchronize",
    "cnrtQueueQuery": "cudaStreamQuery",
    "cnrtQueueDestroy": "cudaStreamDestroy",
    "cnrtDestroyQueue": "cudaStreamDestroy",
    "cnrtNotifierCreate": "cudaEventCreate",
    "cnrtCreateNotifier": "cudaEventCreate",
    "cnrtNotifierDestroy": "cudaEventDestroy",
    "cnrtPlaceNotifier": "cudaEventRecord",
    "cnrtWaitNotifier": "cudaEventSynchronize",
    **dict.fromkeys(("cnrtMemcpyHostToDev", "CNRT_MEM_TRANS_DIR_HOST2DEV"), "cudaMemcpyHostToDevice"),
    **dict.fromkeys(("cnrtMemcpyDevToHost", "CNRT_MEM_TRANS_DIR_DEV2HOST"), "cudaMemcpyDeviceToHost"),
    **dict.fromkeys(
        ("cnrtMemcpyDevToDev", "cnrtMemcpyPeerToPeer", "CNRT_MEM_TRANS_DIR_DEV2DEV"),
        "cudaMemcpyDeviceToDevice",
    ),
    **dict.fromkeys(("cnrtMemcpyHostToHost", "CNRT_MEM_TRANS_DIR_HOST2HOST"), "cudaMemcpyHostToHost"),
    **dict.fromkeys(("cnrtMemcpyNoDirection", "CNRT_MEM_TRANS_DIR_NODIR"), "cudaMemcpyDefault"),
    # A type of task is the number of cores that a job occupies.
    **dict.fromkeys(("cnrtFuncTypeBlock", "CNRT_FUNC_TYPE_BLOCK", "cnrtJobTypeBlock"), "1"),
    "CN_KERNEL_CLASS_BLOCK": "1",
    "CN_KERNEL_CLASS_UNION": "4",
    **{
        name: str(4 * n)
        for n in (1, 2, 4, 8, 16)
        for name in (
            f"cnrtFuncTypeUnion{n}", f"CNRT_FUNC_TYPE_UNION{n}", f"cnrtJobTypeUnion{n}",
            f"CN_KERNEL_CLASS_UNION{n}",
        )
    },
}  # fmt: skip
# What a host asks of the device to choose the number of tasks: the answers of the default architecture.
_ATTRIBUTES = {
    "ClusterCount": DEFAULT.clusters,
    "McorePerCluster": DEFAULT.cores,
    "MCoreCountPerCluster": DEFAULT.cores,
    "NramSizePerMcore": DEFAULT.nram,
    "WramSizePerMcore": DEFAULT.wram,
    "SharedRamSizePerCluster": DEFAULT.sram,
    "MaxClusterCountPerUnionTask": DEFAULT.clusters,
    "MAX_CLUSTER_COUNT": DEFAULT.clusters,
    "MAX_CLUSTER_COUNT_PER_UNION_TASK": DEFAULT.clusters,
    "MAX_CORE_COUNT_PER_CLUSTER": DEFAULT.cores,
    "NRAM_SIZE_PER_CORE": DEFAULT.nram,
    "MAX_NRAM_SIZE_PER_CORE": DEFAULT.nram,
    "MAX_WEIGHT_RAM_SIZE_PER_CORE": DEFAULT.wram,
    "MAX_SHARED_RAM_SIZE_PER_CLUSTER": DEFAULT.sram,
    "ISAVersion": DEFAULT.number,
    "IsaVersion": DEFAULT.number,
}
# What only packs the arguments of a launch, which has them itself in CUDA.
_PARAMETERS = frozenset(
    "cnrtKernelParamsBuffer_t cnrtGetKernelParamsBuffer cnrtKernelParamsBufferAddParam "
    "cnrtDestroyKernelParamsBuffer cnrtKernelInitParam_t cnrtCreateKernelInitParam cnrtInitKernelMemory "
    "cnrtDestroyKernelInitParamAndMemory".split()
)
_HEADER = re.compile(r'[<"](?:bang\w*|mlu|cnrt|cndrv|cn_api)(?:\.h|\.hpp)?[>"]')
_VENDOR = re.compile(r"(cnrt|cn)[A-Z]\w*$|CNRT_(?!CHECK)\w+$")
_CUDA_TYPE = re.compile(r"dim3|(?:u?(?:char|short|int|long|longlong)|float|double)[1-4]")
_CHECK = """\
#include <cstdio>
#include <cstdlib>

#define CNRT_CHECK(...)                                                                  \\
    do {                                                                                 \\
        cudaError_t status = (__VA_ARGS__);                                              \\
        if (status != cudaSuccess) {                                                     \\
            fprintf(stderr, "%s:%d: %s\\n", __FILE__, __LINE__, cudaGetErrorString(status)); \\
            exit(1);                                                                     \\
        }                                                                                \\
    } while (0)
"""
_HALVES = """\
#include <cuda_fp16.h>

static inline cudaError_t float_to_half(void *to, float from) {
    *(__half *)to = __float2half(from);
    return cudaSuccess;
}
static inline cudaError_t half_to_float(float *to, __half from) {
    *to = __half2float(from);
    return cudaSuccess;
}
static inline cudaError_t half_to_float(float *to, unsigned short bits) {
    *to = __half2float(*(__half *)&bits);
    return cudaSuccess;
}
"""


def to_cuda_host(unit: Unit) -> str:
    """The text with CUDA host code. Raises Refusal for what has no form there, with its place."""
    unit = _with_free_names(unit)
    source = SourceText(unit.text, unit.file)
    kept = [text.span for text in (*unit.kernels, *unit.device_functions)]
    kept += [site.span for site in unit.launches]
    edits = [
        *_launch_edits(unit, source),
        *_scratchpad_edits(unit),
        *_header_edits(source),
        *_prototype_edits(source),
        *_type_edits(source),
        *_name_edits(source, kept),
    ]
    return _apply(unit.text, edits)


def _with_free_names(unit: Unit) -> Unit:
    """A variable `dim3` has another name, as long as that one: it would hide the type."""
    if not re.search(r"\b(?:cnrt)?Dim3_t\s+dim3\b", unit.text):
        return unit
    names = ("dims", *(f"dim{c}" for c in "zyxwvu"))
    name = next(n for n in names if not re.search(rf"\b{n}\b", unit.text))

    def renamed(text: str) -> str:
        return re.sub(r"\bdim3\b", name, text)

    launches = tuple(
        replace(
            site,
            grid=renamed(site.grid),
            block=renamed(site.block),
            arguments=tuple(map(renamed, site.arguments)),
        )
        for site in unit.launches
    )
    return replace(unit, text=renamed(unit.text), launches=launches)


# ------------------------------------------------------------------------------------------ launches


def _launch_edits(unit: Unit, source: SourceText) -> Iterator[Edit]:
    kernels = {k.name: k for k in unit.program.kernels}
    done: set[tuple[int, int]] = set()
    for site in unit.launches:
        if site.span in done or site.kernel not in kernels:
            continue
        done.add(site.span)
        yield _launch(source, site, kernels[site.kernel])


def _launch(source: SourceText, site: LaunchSite, kernel: Function) -> Edit:
    start, end = site.span
    configuration, arguments = _parts(source, site.span)
    by_call = not configuration and len(site.arguments) == _parameters(kernel)
    if by_call:
        configuration, arguments = [site.grid, site.block, site.shared], list(site.arguments)
        callee = site.spelling
    elif len(configuration) < 2:
        raise Refusal("launch", "a launch that was not understood", site.range, "spell it with <<<...>>>")
    else:
        callee = source.text[start : source.text.index("<<<", start)].rstrip()
    queue = _renamed(configuration[2]) if len(configuration) > 2 else "0"
    cores = kernel.block_size[0] or 1
    grid = _blocks(_renamed(configuration[0]), cores, linear=kernel.tasks == LINEAR)
    values = ", ".join(map(_renamed, arguments))
    call = f"{callee}<<<{grid}, {cores}, 0, {queue}>>>({values})"
    return Edit(
        start, end, f"({call}, cudaSuccess)" if by_call and not _stands_alone(source, start) else call
    )


def _parameters(kernel: Function) -> int:
    return len({p.argument if p.argument >= 0 else p.name for p in kernel.params if "." not in p.name})


def _stands_alone(source: SourceText, start: int) -> bool:
    """Whether what begins there is a statement of its own, whose value nobody reads."""
    before = [t for t in source.tokens if t.end <= start]
    return not before or before[-1].text in (";", "{", "}")


def _blocks(tasks: str, cores: int, *, linear: bool) -> str:
    """The grid whose blocks are tasks, or clusters of so many cores."""
    of = tasks if re.fullmatch(r"\w+", tasks) and not tasks.isdigit() else f"dim3({tasks})"
    if tasks.startswith("{"):
        of = f"dim3{tasks}"
    share = f" / {cores}" if cores > 1 else ""
    if linear:
        return f"dim3({of}.x * {of}.y * {of}.z{share})"
    return f"dim3({of}.x{share}, {of}.y, {of}.z)"


# ------------------------------------------------------------------------------------------ declarations


def _scratchpad_edits(unit: Unit) -> Iterator[Edit]:
    """Scratchpads at file scope go with the kernels that use them."""
    syntax = analyse(unit.text, unit.file, platform=unit.platform)
    for variable in syntax.globals:
        if variable.qualifiers & {NRAM, WRAM, "__shared__"} and variable.range.file == unit.file:
            start, end = syntax.span_of(variable.node)
            yield Edit(start, end, "")


def _header_edits(source: SourceText) -> Iterator[Edit]:
    """The vendor's headers; a text without any gets CUDA's at its top."""
    replaced = False
    for directive in source.directives:
        if directive.word == "include" and _HEADER.search(source.text[directive.start : directive.end]):
            own = "" if replaced else "#include <cuda_runtime.h>\n"
            if not replaced and _uses(source, "CNRT_CHECK"):
                own += _CHECK
            if not replaced and any(_uses(source, f"cnrtConvert{way}") for way in _CONVERSIONS):
                own += _HALVES
            replaced = True
            yield Edit(directive.start, directive.end, own)


def _prototype_edits(source: SourceText) -> Iterator[Edit]:
    """Device functions that are only declared: their definitions go into the kernels."""
    for i, token in source.names():
        if token.text not in ("__mlu_func__", "__mlu_device__") or source.directive_at(token.start):
            continue
        end = _prototype_end(source, i)
        start = _declaration_start(source, i)
        if end is not None and "__mlu_host__" not in source.text[start:end]:
            yield Edit(start, end, "")


_CONVERSIONS = ("FloatToHalf", "HalfToFloat")


def _uses(source: SourceText, name: str) -> bool:
    return any(t.text == name for _, t in source.names()) and name not in source.defined


def _type_edits(source: SourceText) -> Iterator[Edit]:
    """Types of the file that are called what CUDA calls its own: a `dim3` that is the same goes, others get
    another name."""
    for i, token in source.names():
        definition = [t.text for t in source.tokens[i + 1 : i + 3]]
        if token.text not in ("struct", "class") or len(definition) < 2 or definition[1] != "{":
            continue
        close = source.match(i + 2)
        if not _CUDA_TYPE.fullmatch(definition[0]) or close is None:
            continue
        end = source.tokens[close + 1].end
        if source.text[token.start : end].split() == DIM3.split():
            yield Edit(token.start, end, "")
            continue
        name, after = definition[0], f"{definition[0]}_"
        while re.search(rf"\b{after}\b", source.text):
            after += "_"
        yield from (Edit(t.start, t.end, after) for _, t in source.names() if t.text == name)


# ------------------------------------------------------------------------------------------ calls


def _name_edits(source: SourceText, kept: Iterable[tuple[int, int]]) -> Iterator[Edit]:
    spans = sorted(kept)
    done = 0
    for i, token in source.names():
        if token.start < done:
            continue
        if any(start <= token.start < end for start, end in spans) or source.is_member(i):
            continue
        directive = source.directive_at(token.start)
        if directive is not None and directive.word == "include":
            continue
        if token.text in _PARAMETERS and token.text not in source.defined:
            end = next((t for t in source.tokens[i + 1 :] if t.text == ";"), None)
            close = _closing(source, i + 1)
            if _stands_alone(source, token.start) and end is not None:
                done = end.end
                yield Edit(token.start, done, "")
            elif source.tokens[i + 1].text == "(" and close is not None:
                done = source.tokens[close].end
                yield Edit(token.start, done, "cudaSuccess")
            continue
        if token.text in _CALLS and source.tokens[i + 1].text == "(":
            close = _closing(source, i + 1)
            if close is not None:
                arguments = _split(source, list(source.tokens[i + 2 : close]))
                text = _CALLS[token.text](*map(_renamed, arguments)) if _fits(token.text, arguments) else None
                if text is not None:
                    done = source.tokens[close].end
                    yield Edit(token.start, done, text)
                    continue
        if token.text in RENAMED:
            yield Edit(token.start, token.end, RENAMED[token.text])
        elif _VENDOR.match(token.text) and token.text not in source.defined:
            raise source.refuse(
                "host-api", f"`{token.text}` has no form in CUDA", token, "move it out of this file"
            )


def _renamed(text: str) -> str:
    return re.sub(r"[A-Za-z_]\w*", lambda m: RENAMED.get(m[0], m[0]), text)


def _closing(source: SourceText, i: int) -> int | None:
    depth = 0
    for j in range(i, len(source.tokens)):
        depth += {"(": 1, ")": -1}.get(source.tokens[j].text, 0)
        if depth == 0:
            return j
    return None


def _fits(name: str, arguments: list[str]) -> bool:
    parameters = signature(_CALLS[name]).parameters.values()
    needed = sum(p.default is Parameter.empty for p in parameters)
    return needed <= len(arguments) <= len(parameters)


def _copy_async(to: str, source: str, size: str, queue: str, kind: str) -> str:
    return f"cudaMemcpyAsync({to}, {source}, {size}, {kind}, {queue})"


def _elapsed(first: str, last: str, out: str) -> str:
    return f"cudaEventElapsedTime({out}, {first}, {last})"


def _microseconds(first: str, last: str, out: str) -> str:
    return f"(cudaEventElapsedTime({out}, {first}, {last}), *({out}) *= 1000.0f, cudaSuccess)"


def _attribute(out: str, which: str, device: str = "") -> str | None:
    name = which.removeprefix("cnrtAttr").removeprefix("CN_DEVICE_ATTRIBUTE_")
    value = _ATTRIBUTES.get(name)
    return None if value is None else f"(*({out}) = {value}, cudaSuccess)"


def _driver_attribute(out: str, which: str, device: str = "") -> str | None:
    found = _attribute(out, which, device)
    return None if found is None else found.replace("cudaSuccess", "0")


def _init(flags: str = "0") -> str:
    return "cudaSetDevice(0)"


def _handle(out: str, ordinal: str = "0") -> str:
    return f"cudaGetDevice({out})"


def _count(out: str) -> str:
    return f"cudaGetDeviceCount((int *)({out}))"


def _destroyed(notifier: str) -> str:
    return f"cudaEventDestroy(*({notifier}))"


def _driver_device(out: str, ordinal: str = "0") -> str:
    return f"(*({out}) = 0, 0)"


def _wait(notifier: str, queue: str, flags: str = "0") -> str:
    return f"cudaStreamWaitEvent({queue}, {notifier}, 0)"


_CALLS: Mapping[str, Callable[..., str | None]] = {
    "cnrtMemcpyAsync": _copy_async,
    "cnrtMemcpyAsync_V2": _copy_async,
    "cnrtMemcpyAsync_V3": _copy_async,
    "cnrtNotifierElapsedTime": _elapsed,
    "cnrtNotifierDuration": _microseconds,
    "cnrtDeviceGetAttribute": _attribute,
    "cnDeviceGetAttribute": _driver_attribute,
    "cnrtInit": _init,
    "cnInit": lambda flags="0": "0",
    "cnrtGetDeviceHandle": _handle,
    "cnrtGetDeviceCount": _count,
    "cnrtDestroyNotifier": _destroyed,
    "cnDeviceGet": _driver_device,
    "cnCtxGetDevice": _driver_device,
    "cnrtQueueWaitNotifier": _wait,
}
