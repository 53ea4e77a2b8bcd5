"""HIP's host names as CUDA's: headers, the runtime API, the libraries, launches, symbols, properties.

Only names change: what the call does is the same on both platforms.
"""

from __future__ import annotations

import re

from xpiler.backend.hip_edits import EditList
from xpiler.backend.hip_source import Argument, Call, SourceText
from xpiler.backend.hip_types import declared_type
from xpiler.platforms import hip_names, torch_names

_REASON = "CUDA's name"
_LAUNCHES = ("hipLaunchKernelGGL",)
_INDEX = re.compile(r"hip(ThreadIdx|BlockIdx|BlockDim|GridDim)_([xyz])")
_INDICES = {"ThreadIdx": "threadIdx", "BlockIdx": "blockIdx", "BlockDim": "blockDim", "GridDim": "gridDim"}


def rename_headers(source: SourceText, edits: EditList) -> None:
    """`#include <hip/hip_runtime.h>` --> `#include <cuda_runtime.h>`; one include a header."""
    kept: set[str] = set()
    for directive in source.directives:
        if directive.word not in ("include", "include_next") or not directive.tokens:
            continue
        token = directive.tokens[0]
        if source.is_dead(token.start):
            continue
        name = token.text.strip('<>"')
        twin = hip_names.HEADERS.get(name)
        if twin is None and name.startswith("hipcub/"):
            twin = "cub/" + name.removeprefix("hipcub/").replace(".hpp", ".cuh")
        if twin is not None:
            if twin in kept and directive.depth == 0:
                edits.replace(directive.start, directive.end, "", "CUDA has it in a header included before")
                continue
            kept.add(twin)
            edits.replace(token.start, token.end, f"<{twin}>", "CUDA's header")
        elif name in hip_names.HEADERS_WITHOUT_TWIN or name.split("/")[0] in ("miopen", "rocprim", "ck"):
            why = hip_names.HEADERS_WITHOUT_TWIN.get(name, f"part of {name.split('/')[0]}")
            raise source.refuse("cuda-no-twin", f"{name} has no CUDA twin: {why}", token, "replace its use")
        elif token.text.startswith('"'):
            edits.note(f"{token.text} is included as it is: if it holds HIP, translate it too")
    missing = [h for h, names in _NEEDED.items() if h not in kept and _uses_any(source, names)]
    if missing:
        text = "".join(f"#include <{name}>{source.newline}" for name in missing)
        edits.insert(_after_includes(source), text, "CUDA's header")


_NEEDED = {
    "cuda_fp16.h": frozenset({"_Float16", "__fp16"}),
    "cuda_bf16.h": frozenset({"hip_bfloat16", "__hip_bfloat16"}),
}


def _uses_any(source: SourceText, names: frozenset[str]) -> bool:
    return any(t.text in names for _, t in source.names())


def _after_includes(source: SourceText) -> int:
    at = 0
    for directive in source.directives:
        if directive.word == "include" and directive.depth == 0:
            at = directive.end
    return at


def rename_api(source: SourceText, edits: EditList) -> None:
    """`hipMalloc` --> `cudaMalloc`, `hipblasSgemm` --> `cublasSgemm`, ...; names of the file itself stay."""
    for i, token in source.names():
        name = token.text
        if found := _INDEX.fullmatch(name):
            edits.replace(token.start, token.end, f"{_INDICES[found[1]]}.{found[2]}", _REASON)
            continue
        if name in source.defined:
            continue
        if source.is_member(i):
            _property(source, edits, i)
            continue
        call = source.call(i)
        if name in _LAUNCHES and call is not None:
            _launch(source, edits, call)
        elif (name == "HIP_SYMBOL" or name == "HIP_KERNEL_NAME") and call is not None:
            edits.replace(token.start, call.open + 1, "", "CUDA takes the name itself")
            edits.replace(call.close, call.close + 1, "", "CUDA takes the name itself")
        elif name == "HIP_DYNAMIC_SHARED" and call is not None and len(call.arguments) == 2:
            kind, array = call.arguments
            semicolon = "" if source.text[call.close + 1 :].lstrip().startswith(";") else ";"
            text = f"extern __shared__ {kind.text} {array.text}[]{semicolon}"
            edits.replace(token.start, call.close + 1, text, "CUDA has no such macro")
        elif name == "hipHostMalloc" and call is not None and len(call.arguments) == 2:
            edits.replace(token.start, token.end, "cudaMallocHost", _REASON)
        elif (twin := hip_names.twin_of(name)) is not None:
            edits.replace(token.start, token.end, twin, _REASON)
        elif name in hip_names.NAMESPACES and source.tokens[i + 1].text == "::":
            edits.replace(token.start, token.end, hip_names.NAMESPACES[name], _REASON)
        elif name == "hip" and source.tokens[i - 2].text == "thrust":
            edits.replace(token.start, token.end, "cuda", "Thrust's backend")
        elif name == "hip" and source.tokens[i - 2].text in torch_names.NAMESPACES:
            edits.replace(token.start, token.end, "cuda", "PyTorch's name for CUDA")
        elif re.fullmatch(r"hip[A-Z]\w*|miopen[A-Z]\w*|rocblas_\w+|rocrand_\w+", name) and not _of_text(name):
            raise source.refuse("cuda-no-twin", f"{name} has no CUDA twin", token, "remove or replace it")


_MATRIX_TYPES = {
    "float16_t": "__half",
    "hfloat16_t": "__half",
    "bfloat16_t": "__nv_bfloat16",
    "float32_t": "float",
    "float64_t": "double",
}


def rename_matrix_types(source: SourceText, edits: EditList) -> None:
    """`rocwmma::float16_t` --> `__half`; `using rocwmma::...;` goes."""
    tokens = source.tokens
    if not any(t.text == "rocwmma" for _, t in source.names()):
        return
    for i, token in source.names():
        if token.text == "using":
            end = next(j for j in range(i, len(tokens)) if tokens[j].text == ";" or tokens[j].kind == "end")
            if "rocwmma" in [t.text for t in tokens[i + 1 : i + 3]]:
                edits.replace(token.start, tokens[end].end, "", "CUDA's names need no declaration")
        elif token.text in _MATRIX_TYPES and tokens[i - 1].text != "using" and not source.is_member(i):
            qualified = tokens[i - 1].text == "::" and tokens[i - 2].text == "rocwmma"
            start = tokens[i - 2].start if qualified else token.start
            edits.replace(start, token.end, _MATRIX_TYPES[token.text], _REASON)


def _of_text(name: str) -> bool:
    """Macros of samples' own headers, which only look like the platform's."""
    return name.isupper()


def _property(source: SourceText, edits: EditList, i: int) -> None:
    """A member of an object that is declared as `hipDeviceProp_t`."""
    token = source.tokens[i]
    known = token.text in hip_names.PROPERTIES or token.text in hip_names.PROPERTIES_WITHOUT_TWIN
    if not known or declared_type(source, i - 2) != "hipDeviceProp_t":
        return
    if token.text in hip_names.PROPERTIES:
        edits.replace(token.start, token.end, hip_names.PROPERTIES[token.text], "CUDA's member")
    elif token.text == "gcnArchName":
        edits.replace(token.start, token.end, "name", "CUDA devices are told apart by their name")
    else:
        raise source.refuse(
            "cuda-no-twin", f"the device property {token.text} is not in CUDA's device properties", token
        )


def _launch(source: SourceText, edits: EditList, call: Call) -> None:
    """`hipLaunchKernelGGL(k, grid, block, bytes, stream, a)` --> `k<<<grid, block, bytes, stream>>>(a)`."""
    if len(call.arguments) < 5:
        raise source.refuse(
            "hip-launch", f"{call.name.text} needs a kernel, two extents, bytes and a stream", call.name
        )
    reason = "CUDA's launch"
    kernel, grid, block, shared, stream, *rest = call.arguments
    edits.replace(call.name.start, kernel.start, "", reason)
    if kernel.text.startswith("(") and kernel.text.endswith(")"):
        edits.replace(kernel.start, kernel.start + 1, "", reason)
        edits.replace(kernel.end - 1, kernel.end, "", reason)
    edits.replace(kernel.end, grid.start, "<<<" + _breaks(source, kernel, grid), reason)
    plain = stream.text in ("0", "nullptr", "NULL") and shared.text == "0"
    last = block if plain else shared if stream.text in ("0", "nullptr", "NULL") else stream
    first = rest[0].start if rest else call.close
    edits.replace(last.end, first, ">>>(" + _breaks(source, stream, first), reason)


def _breaks(source: SourceText, before: Argument, after: Argument | int) -> str:
    """The line break between two arguments, so that the layout survives."""
    between = source.text[before.end : after if isinstance(after, int) else after.start]
    return between[between.index("\n") :] if "\n" in between and "//" not in between else ""
