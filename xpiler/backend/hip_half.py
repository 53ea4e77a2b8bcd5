"""16-bit floats: the half functions that ROCm 5.2 lacks, and bfloat16, for which it has no usable type."""

from __future__ import annotations

from xpiler.backend.hip_edits import EditList
from xpiler.backend.hip_half_helpers import HALF_HELPERS
from xpiler.backend.hip_source import Call, SourceText
from xpiler.backend.hip_types import BFLOAT_NAMES, HALF_NAMES, is_plain, uses_small_floats

_BFLOAT = {
    "__nv_bfloat16": "hip_bf16",
    "nv_bfloat16": "hip_bf16",
    "__nv_bfloat16_raw": "hip_bf16",
    "__nv_bfloat162": "hip_bf162",
    "nv_bfloat162": "hip_bf162",
}
_HALF = {
    "__hmax": "half_max",
    "__hmin": "half_min",
    "__hmax_nan": "half_max_nan",
    "__hmin_nan": "half_min_nan",
    "__hmax2": "half2_max",
    "__hmin2": "half2_min",
    "__hfma_relu": "half_fma_relu",
    "__hfma2_relu": "half2_fma_relu",
    "__double2half": "half_from_double",
    "htanh": "half_tanh",
    "h2tanh": "half2_tanh",
}
_UNFUSED = {
    "__hadd_rn": "__hadd",
    "__hsub_rn": "__hsub",
    "__hmul_rn": "__hmul",
    "__hadd2_rn": "__hadd2",
    "__hsub2_rn": "__hsub2",
    "__hmul2_rn": "__hmul2",
}
_WITHOUT_TWIN = frozenset("__hcmadd __hmax2_nan __hmin2_nan".split())


def translate_small_floats(source: SourceText, edits: EditList) -> None:
    """`__nv_bfloat16` --> `hip_bf16` and its functions; `__hmax` --> `half_max`; half atomics."""
    bfloat = any(t.text in BFLOAT_NAMES for _, t in source.names())
    half = any(t.text in HALF_NAMES for _, t in source.names()) or "cuda_fp16.h" in source.text
    if bfloat:
        edits.need("hip_bf16")
    small = uses_small_floats(source)
    for i, token in source.names():
        name = token.text
        if name in source.defined or source.is_member(i):
            continue
        if name in _BFLOAT:
            edits.replace(token.start, token.end, _BFLOAT[name], "ROCm 5.2 has no such type")
            edits.need(_BFLOAT[name])
        elif name in _HALF:
            edits.replace(token.start, token.end, _HALF[name], "ROCm 5.2 has no such function")
            if half or not bfloat:
                edits.need(_HALF[name])
            if bfloat and _HALF[name] + "_bf16" in HALF_HELPERS:
                edits.need(_HALF[name] + "_bf16")
        elif name in _UNFUSED:
            edits.replace(token.start, token.end, _UNFUSED[name], "ROCm 5.2 has no such function")
        elif name in _WITHOUT_TWIN:
            raise source.refuse("hip-no-twin", f"{name} has no HIP twin", token)
        elif "bfloat16" in name and name.startswith(("__", "make_")):
            twin = "hip_" + name.removeprefix("__").replace("bfloat16", "bf16")
            if twin not in HALF_HELPERS:
                raise source.refuse("hip-no-twin", f"{name} has no HIP twin in ROCm 5.2", token)
            edits.replace(token.start, token.end, twin, "ROCm 5.2 has no such function")
            edits.need(twin)
        elif bfloat and name + "_bf16" in HALF_HELPERS:
            edits.need(name + "_bf16")
        elif name == "__ldg" and bfloat and (call := source.call(i)):
            edits.replace(token.start, token.end, "(*", "a plain load: HIP's __ldg takes built-in types only")
            edits.close(call.close + 1, ")", call.open, "a plain load: HIP's __ldg takes built-in types only")
        elif name == "atomicAdd" and small and (call := source.call(i)) and _may_be_small(source, call):
            edits.replace(token.start, token.end, "hip_atomic_add", "HIP 5.2 has no 16-bit atomicAdd")
            edits.need("hip_atomic_add")
            if half:
                edits.need("hip_atomic_add_half")
            if bfloat:
                edits.need("hip_atomic_add_bf16")


def _may_be_small(source: SourceText, call: Call) -> bool:
    return bool(call.arguments) and not is_plain(source, call.arguments[0])
