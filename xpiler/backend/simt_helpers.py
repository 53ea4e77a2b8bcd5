"""Small device functions that generated CUDA kernels may call; each is emitted only where used."""

from __future__ import annotations

import re

from xpiler.backend.c_helpers import HELPERS as C_HELPERS
from xpiler.backend.c_helpers import registry

_COMBINE = {
    "sum": "value += {other};",
    "product": "value *= {other};",
    "min": "value = min(value, {other});",
    "max": "value = max(value, {other});",
    "and": "value &= {other};",
    "or": "value |= {other};",
    "xor": "value ^= {other};",
}
REDUCERS = {
    "reduce_add": "sum",
    "reduce_mul": "product",
    **{f"reduce_{n}": n for n in ("min", "max", "and", "or", "xor")},
}


_SHUFFLED = "__shfl_xor_sync(0xffffffffu, value, mask)"


def _warp(name: str, combine: str) -> str:
    return f"""\
template <class T>
static __device__ __forceinline__ T warp_{name}(T value) {{
    for (int mask = 16; mask > 0; mask /= 2) {combine.format(other=_SHUFFLED)}
    return value;
}}"""


def _block(name: str, combine: str) -> str:
    return f"""\
// Of all threads of a block, in every one of them.
template <class T>
static __device__ T block_{name}(T value) {{
    __shared__ T partial[32];
    value = warp_{name}(value);
    __syncthreads();
    if (threadIdx.x % 32 == 0) partial[threadIdx.x / 32] = value;
    __syncthreads();
    value = partial[0];
    for (int i = 1; i < blockDim.x / 32; ++i) {combine.format(other="partial[i]")}
    return value;
}}"""


_OWN = (
    """\
static __device__ __forceinline__ float round_to_half(float x) {
    return __half2float(__float2half(x));
}""",
    """\
static __device__ __forceinline__ float round_to_bfloat16(float x) {
    return __bfloat162float(__float2bfloat16(x));
}""",
    *(_warp(name, combine) for name, combine in _COMBINE.items()),
    *(_block(name, combine) for name, combine in _COMBINE.items()),
    """\
static __device__ float atomic_min(float *place, float value) {
    int *bits = (int *)place, old = *bits;
    while (value < __int_as_float(old)) {
        const int seen = atomicCAS(bits, old, __float_as_int(value));
        if (seen == old) break;
        old = seen;
    }
    return __int_as_float(old);
}""",
    """\
static __device__ float atomic_max(float *place, float value) {
    int *bits = (int *)place, old = *bits;
    while (value > __int_as_float(old)) {
        const int seen = atomicCAS(bits, old, __float_as_int(value));
        if (seen == old) break;
        old = seen;
    }
    return __int_as_float(old);
}""",
)
_HOST_ONLY = re.compile(r"half|bfloat16|_mm|Buffer|abort|__atomic|__int128|__builtin_(?:clz|popc)")


def _device(text: str) -> str:
    text = text.replace("static inline", "static __device__ __forceinline__")
    return re.sub(r"__builtin_(memcpy|fabs)\b", r"\1", text).replace("__builtin_isinf", "isinf")


HELPERS: dict[str, str] = {
    **{name: _device(text) for name, text in C_HELPERS.items() if not _HOST_ONLY.search(text)},
    **registry(_OWN),
}
