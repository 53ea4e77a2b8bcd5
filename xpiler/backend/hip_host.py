"""Host names: headers, the runtime API, the CUDA libraries, symbols and device properties."""

from __future__ import annotations

import re

from xpiler.backend.hip_edits import EditList
from xpiler.backend.hip_sample_helpers import SAMPLE_HEADERS, SAMPLE_NAMES
from xpiler.backend.hip_source import Call, Directive, SourceText
from xpiler.backend.hip_types import HALF_NAMES, declared_type
from xpiler.platforms import cuda, cuda_names, hip, torch_names

_REASON = "HIP's name"


def rename_headers(source: SourceText, edits: EditList) -> None:
    """`#include <cuda_runtime.h>` --> `#include <hip/hip_runtime.h>`; headers that helpers replace go."""
    kept: list[str] = []
    runtime: Directive | None = None
    for directive in source.directives:
        if directive.word not in ("include", "include_next") or not directive.tokens:
            continue
        token = directive.tokens[0]
        if source.is_dead(token.start):
            continue
        name = token.text.strip('<>"')
        twin = _header_twin(name)
        if twin:
            if twin == hip.RUNTIME_HEADER and directive.depth == 0 and kept and runtime is None:
                runtime = directive  # moves to the front
            edits.replace(token.start, token.end, f"<{twin}>", "HIP's header")
            if directive.depth == 0:
                kept.append(twin)
        elif name in hip.HEADERS_REPLACED_BY_HELPERS or name in SAMPLE_HEADERS:
            reason = "HIP has no such header; what is used of it is defined in this file"
            edits.replace(directive.start, directive.end, "", reason)
            kept.append("")  # its definitions come here, so the runtime header must come before
            if name in SAMPLE_HEADERS:
                _need_sample_helpers(source, edits)
        elif name in hip.HEADERS_WITHOUT_TWIN or name.split("/")[0] in ("cuda", "cutlass", "cute", "cudnn"):
            why = hip.HEADERS_WITHOUT_TWIN.get(name, f"part of {name.split('/')[0]}")
            remedy = "replace its use by plain CUDA C first"
            raise source.refuse("hip-no-twin", f"{name} has no HIP twin: {why}", token, remedy)
        elif token.text.startswith('"'):
            edits.note(f"{token.text} is included as it is: if it holds CUDA, translate it too")
    _add_headers(source, edits, kept, runtime)


def _header_twin(name: str) -> str:
    if name in hip.HEADERS:
        return hip.HEADERS[name]
    if name.startswith("thrust/system/cuda/"):
        return name.replace("/cuda/", "/hip/")
    if name.startswith("cub/"):
        return f"hip{name[:-4]}.hpp"
    return name if name.startswith("hip/") else ""


def _need_sample_helpers(source: SourceText, edits: EditList) -> None:
    for _, used in source.names():
        if used.text in SAMPLE_NAMES and used.text not in source.defined:
            edits.need(SAMPLE_NAMES[used.text])


def _is_of_torch(source: SourceText, i: int) -> bool:
    """Whether a word stands in `at::cuda::`."""
    around = [source.tokens[n].text for n in (i - 2, i - 1, i + 1) if 0 <= n < len(source.tokens)]
    return len(around) == 3 and around[0] in torch_names.NAMESPACES and around[1:] == ["::", "::"]


def _add_headers(source: SourceText, edits: EditList, kept: list[str], runtime: Directive | None) -> None:
    """The runtime header comes first, because HIP 5.2's others rely on it; halves need their header."""
    missing = []
    if not kept or kept[0] != hip.RUNTIME_HEADER:
        missing.append(hip.RUNTIME_HEADER)
        line = source.text[runtime.start : runtime.end] if runtime else ""
        if runtime and "//" not in line and "/*" not in line:
            edits.replace(runtime.start, runtime.end, "", "the runtime header comes first")
    if "hip/hip_fp16.h" not in kept and any(t.text in HALF_NAMES for _, t in source.names()):
        missing.append("hip/hip_fp16.h")
    if missing:
        text = "".join(f"#include <{name}>{source.newline}" for name in missing)
        first = _first_code(source)
        runtime_first = kept[:1] == [hip.RUNTIME_HEADER]
        edits.insert(_after_runtime(source) if runtime_first else first, text, "HIP's header")


def _after_runtime(source: SourceText) -> int:
    for directive in source.directives:
        name = directive.tokens[0].text.strip('<>"') if directive.tokens else ""
        if directive.word == "include" and _header_twin(name) == hip.RUNTIME_HEADER:
            return directive.end
    return _first_code(source)


def _first_code(source: SourceText) -> int:
    """Where an include of ours belongs: before the first `#include`, else after the comments at the top."""
    for directive in source.directives:
        if directive.word == "include" and directive.depth == 0:
            return directive.start
    for directive in source.directives:
        if directive.word == "pragma" and directive.tokens and directive.tokens[0].text == "once":
            return directive.end
    for token in source.all_tokens:
        if token.kind not in ("comment", "newline"):
            return token.start
    return len(source.text)


def rename_api(source: SourceText, edits: EditList) -> None:
    """`cudaMalloc` --> `hipMalloc`, `cublasSgemm` --> `hipblasSgemm`, ...; names of the file itself stay."""
    for i, token in source.names():
        name = token.text
        if name in source.defined:
            continue
        if source.is_member(i):
            _property(source, edits, i)
            continue
        if name in hip.DEVICE_FUNCTIONS_WITHOUT_TWIN:
            raise source.refuse(
                "hip-no-twin", f"{name} has no HIP twin", token, hip.DEVICE_FUNCTIONS_WITHOUT_TWIN[name]
            )
        twin = twin_of(name)
        if twin is not None:
            edits.replace(token.start, token.end, twin, _REASON)
        elif name in cuda_names.WITHOUT_TWIN:
            raise source.refuse(
                "hip-no-twin", f"{name} has no HIP twin in ROCm 5.2", token, "remove or replace it"
            )
        elif name in hip.NAMESPACES and i + 1 < len(source.tokens) and source.tokens[i + 1].text == "::":
            edits.replace(token.start, token.end, hip.NAMESPACES[name], _REASON)
        elif name == "cuda" and source.tokens[i - 2].text == "thrust":
            edits.replace(token.start, token.end, "hip", "rocThrust's backend")
        elif name == "cuda" and _is_of_torch(source, i):
            edits.replace(token.start, token.end, "hip", "PyTorch's name for ROCm")
        elif re.fullmatch(r"cu[A-Z]\w*|CU_[A-Z]\w*|CU[a-z]\w+", name) and _driver_name(name):
            raise source.refuse(
                "hip-driver-api",
                f"{name}: the driver API is not translated",
                token,
                "use the runtime API instead",
            )
        elif name.startswith(("cudnn", "CUDNN_")):
            raise source.refuse("hip-no-twin", f"{name}: cuDNN has no twin with the same parameters", token)
    _wrap_arguments(source, edits)


def twin_of(name: str) -> str | None:
    """HIP's name for a CUDA name, None where the name is not CUDA's or has no twin."""
    if name in hip.NAMES:
        return hip.NAMES[name]
    if name in cuda_names.WITHOUT_TWIN:
        return None
    for prefix, replacement in hip.REGULAR_PREFIXES.items():
        if name.startswith(prefix):
            return replacement + name.removeprefix(prefix)
    if name in cuda_names.WITH_REGULAR_TWIN:
        return "hip" + name.removeprefix("cuda")
    if name.startswith("cu") and name[2:] in hip.COMPLEX_FUNCTIONS:
        return "hip" + name[2:]
    if name == "curand" or name.startswith("curand_"):
        return "hip" + name.removeprefix("cu")
    for prefix, replacement in cuda.LIBRARY_PREFIXES.items():
        rest = name.removeprefix(prefix)
        if rest != name and (rest[:1].isupper() or prefix.endswith("_")):
            return replacement + rest
    return None


def _driver_name(name: str) -> bool:
    return bool(
        re.match(
            r"cu(Init|Device|Ctx|Module|Mem|Launch|Stream|Event|Func|Graph|Link|Tex|Array|Driver|GetError)[A-Z_]?\w*$",
            name,
        )
        or re.match(r"CU(result|device|context|module|function|deviceptr|stream|event)\b|CUDA_SUCCESS$", name)
    )


def _property(source: SourceText, edits: EditList, i: int) -> None:
    """A member of an object that is declared as `cudaDeviceProp`."""
    token = source.tokens[i]
    if "cudaDeviceProp" not in source.text or declared_type(source, i - 2) != "cudaDeviceProp":
        return
    if token.text == "warpSize":
        edits.note(
            "the device property `warpSize` is 64 on gfx9; the translated kernels keep groups of 32 lanes"
        )
    elif token.text in hip.PROPERTIES:
        edits.replace(
            token.start, token.end, hip.PROPERTIES[token.text], "HIP's member of the device properties"
        )
    elif token.text in hip.PROPERTIES_WITHOUT_TWIN:
        raise source.refuse(
            "hip-no-twin",
            f"the device property {token.text} is not in HIP's device properties",
            token,
            "ask for it with cudaDeviceGetAttribute",
        )


def _wrap_arguments(source: SourceText, edits: EditList) -> None:
    """Device variables go into `HIP_SYMBOL()`, kernels become `const void*`."""
    for i, token in source.names():
        if token.text in source.defined:
            continue
        call = source.call(i)
        if call is None:
            continue
        if token.text in hip.SYMBOL_CALLS:
            _wrap(
                call,
                hip.SYMBOL_CALLS[token.text],
                "HIP_SYMBOL(",
                "a device variable is named by HIP_SYMBOL",
                edits,
            )
        elif token.text == "cudaMallocPitch" and not call.arguments[0].text.startswith("(void"):
            _wrap(call, 0, "reinterpret_cast<void**>(", "HIP declares the pointer as void**", edits)
        elif token.text == "cudaGraphInstantiate" and len(call.arguments) in (2, 3):
            reason = "HIP takes flags under another name"
            edits.insert(token.end, "WithFlags", reason)
            if len(call.arguments) == 2:
                edits.insert(call.close, ", 0", reason)
        elif token.text in hip.KERNEL_CALLS:
            index = hip.KERNEL_CALLS[token.text]
            if index < len(call.arguments) and not call.arguments[index].text.startswith(
                ("(", "reinterpret_cast")
            ):
                prefix = "reinterpret_cast<const void*>("
                _wrap(call, index, prefix, "HIP declares the kernel as const void*", edits)
            defaults = (", 0", ", nullptr")[len(call.arguments) - 4 :]
            if token.text == "cudaLaunchCooperativeKernel" and len(call.arguments) in (4, 5):
                edits.insert(call.close, "".join(defaults), "HIP has no default for it")


def _wrap(call: Call, index: int, prefix: str, reason: str, edits: EditList) -> None:
    if index < len(call.arguments) and not call.arguments[index].text.startswith(prefix):
        edits.wrap(call.arguments[index].start, call.arguments[index].end, prefix, ")", reason)


def rename_versions(source: SourceText, edits: EditList) -> None:
    """`__CUDA_ARCH__`, `CUDART_VERSION` --> what they are for the code that is translated.

    `defined(__CUDA_ARCH__)` asks "device pass?" and becomes HIP's question; a comparison asks for a version,
    answered for the one that is translated.
    """
    tokens = source.tokens
    for i, token in source.names():
        if token.text == "__CUDA_ARCH__":
            asked = tokens[i - 1].text in ("defined", "ifdef", "ifndef") or (
                i >= 2 and tokens[i - 1].text == "(" and tokens[i - 2].text == "defined"
            )
            if asked:
                edits.replace(token.start, token.end, "__HIP_DEVICE_COMPILE__", "asks for the device pass")
            else:
                reason = "the compute capability that is translated"
                edits.replace(token.start, token.end, str(source.arch), reason)
                capability = f"{source.arch // 100}.{source.arch % 100 // 10}"
                edits.note(f"branches on __CUDA_ARCH__ are taken as for compute capability {capability}")
        elif token.text in ("CUDART_VERSION", "CUDA_VERSION") and token.text not in source.defined:
            if tokens[i - 1].text in ("defined", "ifdef", "ifndef") or tokens[i - 2].text == "defined":
                continue
            edits.replace(token.start, token.end, str(cuda.TOOLKIT), "the toolkit that is translated")
        elif token.text == "__CUDACC_VER_MAJOR__":
            edits.replace(token.start, token.end, str(cuda.TOOLKIT // 1000), "the toolkit that is translated")
