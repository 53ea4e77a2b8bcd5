"""CUDA as data: the facts that more than one part of the engine needs."""

from __future__ import annotations

from types import MappingProxyType

WARP_SIZE = 32
"""Lanes of a warp, on every CUDA device."""

ARCHS = (800, 700, 600)
"""The `__CUDA_ARCH__` values whose branches a translation may take, in order of preference."""

TOOLKIT = 12000
"""The `CUDART_VERSION` whose branches a translation takes."""

MAX_THREADS_PER_BLOCK = 1024

MAX_STATIC_SHARED_BYTES = 48 * 1024
"""Shared memory that a block has without asking for more, which only dynamic arrays can."""

FULL_MASKS = frozenset(
    {"0xffffffff", "0xffffffffu", "0xfffffffful", "-1", "~0", "~0u", "uint32_max", "uint_max"}
)
"""Spellings (lower case) of the mask that names all 32 lanes."""

SHUFFLES = MappingProxyType(
    {"__shfl": "idx", "__shfl_up": "delta", "__shfl_down": "delta", "__shfl_xor": "delta"}
    | {
        "__shfl_sync": "idx",
        "__shfl_up_sync": "delta",
        "__shfl_down_sync": "delta",
        "__shfl_xor_sync": "delta",
    }
)
"""Shuffle -> what its lane argument is: `idx` an index taken modulo the width, `delta` a distance."""

WMMA_SHAPES = MappingProxyType(
    {
        "half": ((16, 16, 16), (32, 8, 16), (8, 32, 16)),
        "bfloat16": ((16, 16, 16), (32, 8, 16), (8, 32, 16)),
        "int8": ((16, 16, 16), (32, 8, 16), (8, 32, 16)),
        "tf32": ((16, 16, 8),),
        "double": ((8, 8, 4),),
    }
)
"""Operand type -> the (M, N, K) of its WMMA fragments."""

LIBRARY_PREFIXES = MappingProxyType(
    {
        "cublasLt": "hipblasLt",
        "cublas": "hipblas",
        "CUBLAS_": "HIPBLAS_",
        "curand": "hiprand",
        "CURAND_": "HIPRAND_",
        "cufft": "hipfft",
        "CUFFT_": "HIPFFT_",
        "cusparse": "hipsparse",
        "CUSPARSE_": "HIPSPARSE_",
        "cusolver": "hipsolver",
        "CUSOLVER_": "HIPSOLVER_",
        "nvrtc": "hiprtc",
        "NVRTC_": "HIPRTC_",
    }
)
"""Prefix of a library's names -> the prefix of its HIP twin's."""
