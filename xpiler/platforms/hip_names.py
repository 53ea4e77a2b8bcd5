"""CUDA's names for HIP's: the tables of `platforms/hip.py` read from the other side."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from xpiler.platforms import cuda, cuda_names, hip, torch_names

HEADERS: Mapping[str, str] = MappingProxyType(
    {
        **{ours: theirs for theirs, ours in torch_names.HEADERS.items()},
        "hip/hip_runtime.h": "cuda_runtime.h",
        "hip/hip_runtime_api.h": "cuda_runtime_api.h",
        "hip/hip_ext.h": "cuda_runtime.h",
        "hip/hip_common.h": "cuda_runtime.h",
        "hip/hip_vector_types.h": "vector_types.h",
        "hip/driver_types.h": "driver_types.h",
        "hip/hip_texture_types.h": "texture_types.h",
        "hip/surface_types.h": "surface_types.h",
        "hip/channel_descriptor.h": "channel_descriptor.h",
        "hip/library_types.h": "library_types.h",
        "hip/device_functions.h": "cuda_runtime.h",
        "hip/math_functions.h": "cuda_runtime.h",
        "hip/hip_math_constants.h": "math_constants.h",
        "hip/hip_fp16.h": "cuda_fp16.h",
        "hip/hip_bf16.h": "cuda_bf16.h",
        "hip/hip_bfloat16.h": "cuda_bf16.h",
        "hip/hip_cooperative_groups.h": "cooperative_groups.h",
        "hip/hip_complex.h": "cuComplex.h",
        "hip/hip_profile.h": "cuda_profiler_api.h",
        "hip/hiprtc.h": "nvrtc.h",
        "hipblas.h": "cublas_v2.h",
        "hipblas/hipblas.h": "cublas_v2.h",
        "hipblaslt/hipblaslt.h": "cublasLt.h",
        "hipfft.h": "cufft.h",
        "hipfft/hipfft.h": "cufft.h",
        "hipfft/hipfftXt.h": "cufftXt.h",
        "hiprand.h": "curand.h",
        "hiprand/hiprand.h": "curand.h",
        "hiprand_kernel.h": "curand_kernel.h",
        "hiprand/hiprand_kernel.h": "curand_kernel.h",
        "hipsparse.h": "cusparse.h",
        "hipsparse/hipsparse.h": "cusparse.h",
        "hipsolver.h": "cusolverDn.h",
        "hipsolver/hipsolver.h": "cusolverDn.h",
        "hipcub/hipcub.hpp": "cub/cub.cuh",
        "rccl.h": "nccl.h",
        "rccl/rccl.h": "nccl.h",
        "roctx.h": "nvToolsExt.h",
        "roctracer/roctx.h": "nvToolsExt.h",
        "rocwmma/rocwmma.hpp": "mma.h",
    }
)
"""HIP header -> the CUDA header that declares the same."""

HEADERS_WITHOUT_TWIN: Mapping[str, str] = MappingProxyType(
    {
        "miopen/miopen.h": "MIOpen (cuDNN takes other parameters)",
        "rocblas/rocblas.h": "rocBLAS (hipBLAS has a twin)",
        "rocblas.h": "rocBLAS (hipBLAS has a twin)",
        "rocrand/rocrand.h": "rocRAND (hipRAND has a twin)",
        "rocprim/rocprim.hpp": "rocPRIM (hipCUB has a twin)",
        "ck/ck.hpp": "Composable Kernel",
        "hsa/hsa.h": "HSA",
    }
)
"""HIP headers that nothing in CUDA stands for -> what they bring."""

_PREFERRED = ("cudaMallocHost", "cudaHostAlloc", "cudaThread", "device_launch", "__NVCC__", "CUDART_CB")
_NOT_BACK = frozenset({"(-1)", "100", "0", ""})


def _irregular() -> dict[str, str]:
    names: dict[str, str] = {}
    for theirs, ours in hip.NAMES.items():
        if ours in _NOT_BACK or theirs.startswith(_PREFERRED):
            continue
        names.setdefault(ours, theirs)
    return names


NAMES: Mapping[str, str] = MappingProxyType(
    _irregular()
    | {
        "hipError_t": "cudaError_t",
        "hipDeviceScheduleBlockingSync": "cudaDeviceScheduleBlockingSync",
        "hipHostMalloc": "cudaHostAlloc",
        "hipHostAlloc": "cudaHostAlloc",
        "hipMallocHost": "cudaMallocHost",
        "hipFreeHost": "cudaFreeHost",
        "hipHostMallocDefault": "cudaHostAllocDefault",
        "hipHostMallocMapped": "cudaHostAllocMapped",
        "hipHostMallocPortable": "cudaHostAllocPortable",
        "hipHostMallocWriteCombined": "cudaHostAllocWriteCombined",
        "hipHostMallocNumaUser": "cudaHostAllocDefault",
        "hipHostMallocCoherent": "cudaHostAllocDefault",
        "hipHostMallocNonCoherent": "cudaHostAllocDefault",
        "hipErrorOutOfMemory": "cudaErrorMemoryAllocation",
        "hipErrorMemoryAllocation": "cudaErrorMemoryAllocation",
        "hipErrorInitializationError": "cudaErrorInitializationError",
        "hipErrorInvalidDevicePointer": "cudaErrorInvalidDevicePointer",
        "hipErrorTbd": "cudaErrorUnknown",
        "hipDataType": "cudaDataType_t",
        "hipMemcpyHtoD": "cudaMemcpyHtoD",
        "hipGetDevicePropertiesR0600": "cudaGetDeviceProperties",
        "hipDeviceProp_tR0600": "cudaDeviceProp",
        "hipDevicePropertyWarpSize": "cudaDevAttrWarpSize",
        "hipEventDisableSystemFence": "cudaEventDefault",
        "__HIPCC__": "__CUDACC__",
        "__HIP__": "__CUDACC__",
        "__HIP_PLATFORM_AMD__": "__CUDACC__",
        "__HIP_PLATFORM_HCC__": "__CUDACC__",
        "__HIP_DEVICE_COMPILE__": "__CUDA_ARCH__",
        "hipComplex": "cuComplex",
        "hipFloatComplex": "cuFloatComplex",
        "hipDoubleComplex": "cuDoubleComplex",
        "make_hipComplex": "make_cuComplex",
        "make_hipFloatComplex": "make_cuFloatComplex",
        "make_hipDoubleComplex": "make_cuDoubleComplex",
        "HIPRT_INF_F": "CUDART_INF_F",
        "HIP_INF_F": "CUDART_INF_F",
        "HIP_INF": "CUDART_INF",
        "HIP_NAN_F": "CUDART_NAN_F",
        "hip_bfloat16": "__nv_bfloat16",
        "__hip_bfloat16": "__nv_bfloat16",
        "__hip_bfloat162": "__nv_bfloat162",
        "_Float16": "__half",
        "__fp16": "__half",
        "half_raw": "__half_raw",
        "HIPBLAS_R_16F": "CUDA_R_16F",
        "HIPBLAS_R_32F": "CUDA_R_32F",
        "HIPBLAS_OP_N": "CUBLAS_OP_N",
        "HIPBLAS_OP_T": "CUBLAS_OP_T",
        "HIPBLAS_OP_C": "CUBLAS_OP_C",
        "HIPBLAS_GEMM_DEFAULT": "CUBLAS_GEMM_DEFAULT",
    }
)
"""HIP names whose CUDA twin does not follow the rule `hipXyz` -> `cudaXyz`."""

LIBRARIES: Mapping[str, str] = MappingProxyType(
    {ours: theirs for theirs, ours in cuda.LIBRARY_PREFIXES.items()}
)
"""Prefix of a HIP library's names -> the prefix of its CUDA twin's."""

NAMESPACES: Mapping[str, str] = MappingProxyType({ours: theirs for theirs, ours in hip.NAMESPACES.items()})

_WITH_TWIN = cuda_names.WITH_REGULAR_TWIN | cuda_names.WITHOUT_TWIN


def twin_of(name: str) -> str | None:
    """CUDA's name for a HIP name, None where the name is not HIP's or has no twin."""
    if name in NAMES:
        return NAMES[name]
    if name.startswith("hip") and f"cuda{name[3:]}" in _WITH_TWIN:
        return f"cuda{name[3:]}"
    for theirs, ours in hip.REGULAR_PREFIXES.items():
        if name.startswith(ours) and name != f"{ours}_t":
            return theirs + name.removeprefix(ours)
    if name.startswith("hip") and name[3:] in hip.COMPLEX_FUNCTIONS:
        return "cu" + name[3:]
    if name.startswith("hiprand_"):
        return "cu" + name.removeprefix("hip")
    for ours, theirs in LIBRARIES.items():
        rest = name.removeprefix(ours)
        if rest != name and (rest[:1].isupper() or ours.endswith("_")):
            return theirs + rest
    return None


PROPERTIES: Mapping[str, str] = MappingProxyType({ours: theirs for theirs, ours in hip.PROPERTIES.items()})
"""Member of `hipDeviceProp_t` -> member of `cudaDeviceProp`, where the names differ."""

PROPERTIES_WITHOUT_TWIN = frozenset({"gcnArchName", "gcnArch", "arch", "isLargeBar", "asicRevision"})
"""Members of `hipDeviceProp_t` that `cudaDeviceProp` lacks."""

KNOWN_MACROS: Mapping[str, int] = MappingProxyType(
    {
        "__HIPCC__": 1,
        "__HIP__": 1,
        "__HIP_PLATFORM_AMD__": 1,
        "__HIP_PLATFORM_HCC__": 1,
        "__HIP_DEVICE_COMPILE__": 1,
        "HIP_VERSION_MAJOR": 5,
        "HIP_VERSION_MINOR": 2,
    }
)
"""What hipcc for CDNA defines: the branches of a text that count."""
