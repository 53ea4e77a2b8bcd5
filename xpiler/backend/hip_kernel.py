"""Device code beside the warps: launch bounds, cache hints, intrinsics that HIP spells otherwise."""

from __future__ import annotations

import re

from xpiler.backend.hip_edits import EditList
from xpiler.backend.hip_source import Call, SourceText
from xpiler.platforms import hip

_LOADS = frozenset(["__ldcs", "__ldcg", "__ldca", "__ldlu", "__ldcv"])
_STORES = frozenset(["__stcs", "__stcg", "__stwt", "__stwb"])
_SPELLED_OTHERWISE = {
    "__trap": "__builtin_trap",
    "__brkpt": "__builtin_trap",
    "__assume": "__builtin_assume",
    "umin": "min",
    "umax": "max",
    "llmin": "min",
    "llmax": "max",
    "ullmin": "min",
    "ullmax": "max",
}
_DEFINED_HERE = {"__dp4a": "dot_4_bytes", "__nanosleep": "device_sleep"}
_CONSTANTS = {
    "CUDART_INF_F": "__builtin_inff()",
    "CUDART_NAN_F": '__builtin_nanf("")',
    "CUDART_INF": "__builtin_inf()",
    "CUDART_NAN": '__builtin_nan("")',
    "CUDART_MIN_DENORM_F": "1.401298464e-45f",
    "CUDART_MAX_NORMAL_F": "3.402823466e+38f",
    "CUDART_NORM_HUGE_F": "3.402823466e+38f",
    "CUDART_NEG_ZERO_F": "-0.0f",
    "CUDART_ZERO_F": "0.0f",
    "CUDART_ONE_F": "1.0f",
    "CUDART_SQRT_HALF_F": "0.707106781f",
    "CUDART_SQRT_TWO_F": "1.414213562f",
    "CUDART_PIO4_F": "0.785398163f",
    "CUDART_PIO2_F": "1.570796327f",
    "CUDART_PI_F": "3.141592654f",
    "CUDART_2_OVER_PI_F": "0.636619772f",
    "CUDART_SQRT_2_OVER_PI_F": "0.797884561f",
    "CUDART_L2E_F": "1.442695041f",
    "CUDART_LN2_F": "0.693147181f",
    "CUDART_PI": "3.1415926535897931",
    "CUDART_PIO2": "1.5707963267948966",
    "CUDART_LN2": "0.69314718055994529",
    "CUDART_L2E": "1.4426950408889634",
}
_ROUNDED = re.compile(r"__[fd](add|sub|mul|div|rcp|sqrt|ma)f?_r[zud]|__fmaf?_r[zud]")
_ATOMIC_BLOCK = re.compile(r"atomic(Add|Sub|Exch|Min|Max|Inc|Dec|CAS|And|Or|Xor)_block")


def convert_launch_bounds(source: SourceText, edits: EditList) -> None:
    """`__launch_bounds__(T, B)`: B blocks a multiprocessor --> ceil(B * ceil(T / 64) / 4) waves a SIMD."""
    for i, token in source.names():
        if token.text != "__launch_bounds__" or token.text in source.defined:
            continue
        call = source.call(i)
        if call is None or len(call.arguments) < 2:
            continue
        threads, blocks = call.arguments[0].text, call.arguments[1].text
        if threads.isdigit() and blocks.isdigit():
            waves = -(-int(threads) // hip.WAVE_SIZE)
            value = str(min(-(-int(blocks) * waves // hip.SIMDS_PER_UNIT), hip.MAX_WAVES_PER_SIMD))
        else:
            value = f"(({blocks}) * ((({threads}) + 63) / 64) + 3) / 4"
        reason = "CUDA counts blocks per multiprocessor, HIP waves per SIMD unit"
        edits.replace(call.arguments[1].start, call.close, value, reason)


def translate_intrinsics(source: SourceText, edits: EditList) -> None:
    """Cache hints become plain accesses; scoped atomics widen their scope."""
    for i, token in source.names():
        name = token.text
        if name in source.defined or source.is_member(i):
            continue
        call = source.call(i)
        if name in _LOADS and call and len(call.arguments) == 1:
            edits.replace(token.start, token.end, "(*", "a load; CDNA has no such cache hint in HIP 5.2")
            edits.close(call.close + 1, ")", call.open, "a load; CDNA has no such cache hint in HIP 5.2")
        elif name in _STORES and call and len(call.arguments) == 2:
            _plain_store(call, edits)
        elif name in _SPELLED_OTHERWISE:
            edits.replace(token.start, token.end, _SPELLED_OTHERWISE[name], "HIP's name")
        elif name in _DEFINED_HERE:
            edits.replace(token.start, token.end, _DEFINED_HERE[name], "HIP has no such function")
            edits.need(_DEFINED_HERE[name])
        elif name in _CONSTANTS:
            edits.replace(token.start, token.end, _CONSTANTS[name], "ROCm 5.2 has no math_constants.h")
        elif _ROUNDED.fullmatch(name):
            raise source.refuse(
                "hip-no-twin",
                f"{name}: HIP rounds to nearest only",
                token,
                "use the _rn form if its rounding will do",
            )
        elif name in ("rsqrtf", "rsqrt") and call and not source.in_device_function(token.start):
            one, root = ("1.0f", "sqrtf") if name == "rsqrtf" else ("1.0", "sqrt")
            edits.replace(token.start, token.end, f"({one} / {root}", "HIP has it on the device only")
            edits.close(call.close + 1, ")", call.open, "HIP has it on the device only")
        elif name == "__fsqrt_rn":
            edits.replace(
                token.start, token.end, "sqrtf", "HIP 5.2's __fsqrt_rn is not correctly rounded, sqrtf is"
            )
        elif _ATOMIC_BLOCK.fullmatch(name):
            edits.replace(
                token.start, token.end, name.removesuffix("_block"), "device scope includes the block"
            )


def _plain_store(call: Call, edits: EditList) -> None:
    """`__stcs(p, v)` --> `(*(p) = (v))`."""
    reason = "a store; CDNA has no such cache hint in HIP 5.2"
    pointer, value = call.arguments
    edits.replace(call.name.start, call.name.end, "(*", reason)
    edits.replace(pointer.end, value.start, ") = (", reason)
    edits.close(call.close + 1, ")", call.open, reason)
