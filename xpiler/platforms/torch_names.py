"""PyTorch's headers, guards and streams in builds for ROCm, where devices pass for CUDA's."""

from __future__ import annotations

from types import MappingProxyType

HEADERS = MappingProxyType(
    {
        "ATen/cuda/CUDAContext.h": "ATen/hip/HIPContext.h",
        "ATen/cuda/Exceptions.h": "ATen/hip/Exceptions.h",
        "c10/cuda/CUDAException.h": "c10/hip/HIPException.h",
        "c10/cuda/CUDAGuard.h": "ATen/hip/impl/HIPGuardImplMasqueradingAsCUDA.h",
        "c10/cuda/CUDAStream.h": "ATen/hip/impl/HIPStreamMasqueradingAsCUDA.h",
    }
)
"""Header -> its twin."""

NAMES = MappingProxyType(
    {
        "getCurrentCUDAStream": "getCurrentHIPStreamMasqueradingAsCUDA",
        "getDefaultCUDAStream": "getDefaultHIPStreamMasqueradingAsCUDA",
        "CUDAGuard": "HIPGuardMasqueradingAsCUDA",
        "OptionalCUDAGuard": "OptionalHIPGuardMasqueradingAsCUDA",
        "C10_CUDA_CHECK": "C10_HIP_CHECK",
        "C10_CUDA_KERNEL_LAUNCH_CHECK": "C10_HIP_KERNEL_LAUNCH_CHECK",
    }
)
"""Name -> its twin. The namespaces `at::cuda` and `c10::cuda` are `at::hip` and `c10::hip`."""

NAMESPACES = frozenset({"at", "c10", "torch"})
