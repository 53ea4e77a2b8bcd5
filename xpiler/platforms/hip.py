"""HIP as data: names, headers and limits, for ROCm 5.2 and later on CDNA (gfx9, waves of 64)."""

from __future__ import annotations

from types import MappingProxyType

from xpiler.platforms import torch_names

WAVE_SIZE = 64
"""Lanes of a wave on gfx9."""

MAX_SHARED_BYTES = 64 * 1024
"""LDS bytes a block may have, static and dynamic together; there is no opt-in for more."""

MAX_WAVES_PER_SIMD = 8
"""Waves that a SIMD unit of CDNA2 holds."""

SIMDS_PER_UNIT = 4
"""SIMD units of a compute unit: blocks per unit become waves per SIMD by this."""

RUNTIME_HEADER = "hip/hip_runtime.h"

HEADERS = MappingProxyType(
    {
        **torch_names.HEADERS,
        "cuda_runtime.h": RUNTIME_HEADER,
        "cuda.h": RUNTIME_HEADER,
        "device_launch_parameters.h": RUNTIME_HEADER,
        "device_functions.h": RUNTIME_HEADER,
        "device_atomic_functions.h": RUNTIME_HEADER,
        "device_double_functions.h": RUNTIME_HEADER,
        "math_functions.h": RUNTIME_HEADER,
        "sm_20_atomic_functions.h": RUNTIME_HEADER,
        "sm_30_intrinsics.h": RUNTIME_HEADER,
        "sm_32_atomic_functions.h": RUNTIME_HEADER,
        "sm_35_intrinsics.h": RUNTIME_HEADER,
        "sm_60_atomic_functions.h": RUNTIME_HEADER,
        "sm_61_intrinsics.h": RUNTIME_HEADER,
        "host_defines.h": RUNTIME_HEADER,
        "driver_functions.h": RUNTIME_HEADER,
        "crt/device_functions.h": RUNTIME_HEADER,
        "crt/host_defines.h": RUNTIME_HEADER,
        "cuda_device_runtime_api.h": RUNTIME_HEADER,
        "vector_functions.h": RUNTIME_HEADER,
        "cuda_texture_types.h": "hip/hip_texture_types.h",
        "texture_fetch_functions.h": RUNTIME_HEADER,
        "cuda_runtime_api.h": "hip/hip_runtime_api.h",
        "cuda_profiler_api.h": "hip/hip_runtime_api.h",
        "cudaProfiler.h": "hip/hip_runtime_api.h",
        "driver_types.h": "hip/driver_types.h",
        "vector_types.h": "hip/hip_vector_types.h",
        "texture_types.h": "hip/hip_texture_types.h",
        "surface_types.h": "hip/surface_types.h",
        "channel_descriptor.h": "hip/channel_descriptor.h",
        "library_types.h": "hip/library_types.h",
        "cuda_fp16.h": "hip/hip_fp16.h",
        "cuda_fp16.hpp": "hip/hip_fp16.h",
        "mma.h": "hip/hip_fp16.h",
        "cooperative_groups.h": "hip/hip_cooperative_groups.h",
        "cuComplex.h": "hip/hip_complex.h",
        "cublas_v2.h": "hipblas/hipblas.h",
        "cublas.h": "hipblas/hipblas.h",
        "cublasLt.h": "hipblaslt/hipblaslt.h",
        "cufft.h": "hipfft/hipfft.h",
        "cufftXt.h": "hipfft/hipfftXt.h",
        "curand.h": "hiprand/hiprand.h",
        "curand_kernel.h": "hiprand/hiprand_kernel.h",
        "cusparse.h": "hipsparse/hipsparse.h",
        "cusparse_v2.h": "hipsparse/hipsparse.h",
        "cusolverDn.h": "hipsolver/hipsolver.h",
        "cusolver_common.h": "hipsolver/hipsolver.h",
        "nvrtc.h": "hip/hiprtc.h",
        "nvToolsExt.h": "roctracer/roctx.h",
        "nvtx3/nvToolsExt.h": "roctracer/roctx.h",
        "nccl.h": "rccl/rccl.h",
        "cub/cub.cuh": "hipcub/hipcub.hpp",
    }
)
"""CUDA header -> the HIP header that declares the same."""

HEADERS_REPLACED_BY_HELPERS = frozenset(
    {"cuda_bf16.h", "cuda_bf16.hpp", "math_constants.h", "cooperative_groups/reduce.h"}
)
"""CUDA headers without a twin in ROCm 5.2 whose used parts are defined in the translated file itself."""

HEADERS_WITHOUT_TWIN = MappingProxyType(
    {
        "cuda_pipeline.h": "asynchronous copies to shared memory",
        "cuda_pipeline_primitives.h": "asynchronous copies to shared memory",
        "cuda/pipeline": "asynchronous copies to shared memory",
        "cuda/barrier": "asynchronous barriers",
        "cooperative_groups/memcpy_async.h": "asynchronous copies to shared memory",
        "cooperative_groups/scan.h": "cooperative-groups scans",
        "cuda_fp8.h": "NVIDIA's FP8 formats",
        "cuda_fp4.h": "NVIDIA's FP4 formats",
        "cuda_fp6.h": "NVIDIA's FP6 formats",
        "cudnn.h": "cuDNN (MIOpen takes other parameters)",
        "cutlass/cutlass.h": "CUTLASS",
        "cute/tensor.hpp": "CuTe",
        "optix.h": "OptiX",
        "npp.h": "NPP",
        "nvml.h": "NVML",
    }
)
"""CUDA headers that nothing in HIP stands for -> what they bring."""

NAMES = MappingProxyType(
    {
        **torch_names.NAMES,
        "cudaBoundaryModeClamp": "hipBoundaryModeClamp",
        "cudaDataType_t": "hipDataType",
        "cudaDevAttrGlobalMemoryBusWidth": "hipDeviceAttributeMemoryBusWidth",
        "cudaDevAttrGpuOverlap": "hipDeviceAttributeDeviceOverlap",
        "cudaDevAttrMaxBlocksPerMultiprocessor": "hipDeviceAttributeMaxBlocksPerMultiProcessor",
        "cudaDevAttrMaxSharedMemoryPerBlockOptin": "hipDeviceAttributeSharedMemPerBlockOptin",
        "cudaDevAttrMaxTexture1DLinearWidth": "hipDeviceAttributeMaxTexture1DLinear",
        "cudaDevAttrMultiProcessorCount": "hipDeviceAttributeMultiprocessorCount",
        "cudaDevAttrPciDomainId": "hipDeviceAttributePciDomainID",
        "cudaDevAttrReservedSharedMemoryPerBlock": "hipDeviceAttributeReservedSharedMemPerBlock",
        "cudaDeviceAttr": "hipDeviceAttribute_t",
        "cudaDeviceBlockingSync": "hipDeviceScheduleBlockingSync",
        "cudaDeviceProp": "hipDeviceProp_t",
        "cudaError": "hipError_t",
        "cudaErrorCudartUnloading": "hipErrorDeinitialized",
        "cudaErrorECCUncorrectable": "hipErrorECCNotCorrectable",
        "cudaErrorInitializationError": "hipErrorNotInitialized",
        "cudaErrorInvalidKernelImage": "hipErrorInvalidImage",
        "cudaErrorInvalidPtx": "hipErrorInvalidKernelFile",
        "cudaErrorInvalidResourceHandle": "hipErrorInvalidHandle",
        "cudaErrorLaunchTimeout": "hipErrorLaunchTimeOut",
        "cudaErrorMapBufferObjectFailed": "hipErrorMapFailed",
        "cudaErrorMemoryAllocation": "hipErrorOutOfMemory",
        "cudaErrorNoKernelImageForDevice": "hipErrorNoBinaryForGpu",
        "cudaErrorSymbolNotFound": "hipErrorNotFound",
        "cudaErrorUnmapBufferObjectFailed": "hipErrorUnmapFailed",
        "cudaFreeHost": "hipHostFree",
        "cudaFuncCache": "hipFuncCache_t",
        "cudaHostAlloc": "hipHostMalloc",
        "cudaHostAllocDefault": "hipHostMallocDefault",
        "cudaHostAllocMapped": "hipHostMallocMapped",
        "cudaHostAllocPortable": "hipHostMallocPortable",
        "cudaHostAllocWriteCombined": "hipHostMallocWriteCombined",
        "cudaLimit": "hipLimit_t",
        "cudaMallocHost": "hipHostMalloc",
        "cudaPointerAttributes": "hipPointerAttribute_t",
        "cudaThreadExit": "hipDeviceReset",
        "cudaThreadGetCacheConfig": "hipDeviceGetCacheConfig",
        "cudaThreadSetCacheConfig": "hipDeviceSetCacheConfig",
        "cudaThreadSynchronize": "hipDeviceSynchronize",
        "cudaSharedmemCarveoutDefault": "(-1)",
        "cudaSharedmemCarveoutMaxShared": "100",
        "cudaSharedmemCarveoutMaxL1": "0",
        "__CUDACC__": "__HIPCC__",
        "__NVCC__": "__HIPCC__",
        "CUDART_CB": "",
        "cuComplex": "hipComplex",
        "cuFloatComplex": "hipFloatComplex",
        "cuDoubleComplex": "hipDoubleComplex",
        "make_cuComplex": "make_hipComplex",
        "make_cuFloatComplex": "make_hipFloatComplex",
        "make_cuDoubleComplex": "make_hipDoubleComplex",
        "nvtxRangePush": "roctxRangePush",
        "nvtxRangePushA": "roctxRangePushA",
        "nvtxRangePop": "roctxRangePop",
        "nvtxMark": "roctxMark",
        "cublasGemmEx": "hipblasGemmEx_v2",
        "cublasGemmBatchedEx": "hipblasGemmBatchedEx_v2",
        "cublasGemmStridedBatchedEx": "hipblasGemmStridedBatchedEx_v2",
        "CUDA_R_16F": "HIP_R_16F",
        "CUDA_R_16BF": "HIP_R_16BF",
        "CUDA_R_32F": "HIP_R_32F",
        "CUDA_R_64F": "HIP_R_64F",
        "CUDA_R_8I": "HIP_R_8I",
        "CUDA_R_32I": "HIP_R_32I",
    }
)
"""CUDA names whose HIP twin does not follow the rule `cudaXyz` -> `hipXyz`."""

REGULAR_PREFIXES = MappingProxyType({"cudaDevAttr": "hipDeviceAttribute"})
"""Prefix of CUDA names whose twin has another prefix and the same rest, unless `NAMES` says otherwise."""

NAMESPACES = MappingProxyType({"cub": "hipcub"})
"""CUDA namespace -> HIP namespace (Thrust keeps its name: rocThrust)."""

COMPLEX_FUNCTIONS = frozenset(
    [
        "Creal",
        "Cimag",
        "Conj",
        "Cadd",
        "Csub",
        "Cmul",
        "Cdiv",
        "Cabs",
        "Crealf",
        "Cimagf",
        "Conjf",
        "Caddf",
        "Csubf",
        "Cmulf",
        "Cdivf",
        "Cabsf",
        "Cfma",
        "Cfmaf",
        "ComplexFloatToDouble",
        "ComplexDoubleToFloat",
    ]
)
"""`cuX` of `cuComplex.h` whose twin is `hipX`."""

SYMBOL_CALLS = MappingProxyType(
    {
        "cudaMemcpyToSymbol": 0,
        "cudaMemcpyToSymbolAsync": 0,
        "cudaMemcpyFromSymbol": 1,
        "cudaMemcpyFromSymbolAsync": 1,
        "cudaGetSymbolAddress": 1,
        "cudaGetSymbolSize": 1,
    }
)
"""Calls that take a device variable -> the index of that argument; HIP wants it in `HIP_SYMBOL()`."""

KERNEL_CALLS = MappingProxyType(
    {
        "cudaFuncSetAttribute": 0,
        "cudaFuncSetCacheConfig": 0,
        "cudaFuncSetSharedMemConfig": 0,
        "cudaFuncGetAttributes": 1,
        "cudaLaunchKernel": 0,
        "cudaLaunchCooperativeKernel": 0,
    }
)
"""Calls that take a kernel -> the index of that argument; HIP declares it `const void*`."""

PROPERTIES = MappingProxyType(
    {
        "sharedMemPerMultiprocessor": "maxSharedMemoryPerMultiProcessor",
    }
)
"""Member of `cudaDeviceProp` -> member of `hipDeviceProp_t` of ROCm 5.2, where the names differ."""

PROPERTIES_WITHOUT_TWIN = frozenset(
    [
        "asyncEngineCount",
        "deviceOverlap",
        "unifiedAddressing",
        "l2CacheSizeX",
        "sharedMemPerBlockOptin",
        "streamPrioritiesSupported",
        "globalL1CacheSupported",
        "localL1CacheSupported",
        "hostNativeAtomicSupported",
        "singleToDoublePrecisionPerfRatio",
        "computePreemptionSupported",
        "maxBlocksPerMultiProcessor",
        "accessPolicyMaxWindowSize",
        "persistingL2CacheMaxSize",
        "reservedSharedMemPerBlock",
        "surfaceAlignment",
        "maxTexture1DLayered",
        "maxTexture2DLayered",
        "uuid",
        "luid",
    ]
)
"""Members of `cudaDeviceProp` that `hipDeviceProp_t` of ROCm 5.2 lacks."""

DEVICE_FUNCTIONS_WITHOUT_TWIN = MappingProxyType(
    {
        "__pipeline_memcpy_async": "asynchronous copies to shared memory need hardware that CDNA lacks",
        "__pipeline_commit": "asynchronous copies to shared memory need hardware that CDNA lacks",
        "__pipeline_wait_prior": "asynchronous copies to shared memory need hardware that CDNA lacks",
        "__cvta_generic_to_shared": "shared-memory addresses for PTX have no meaning on AMD hardware",
        "__cvta_generic_to_global": "addresses for PTX have no meaning on AMD hardware",
        "__isGlobal": "HIP 5.2 cannot ask for the address space of a pointer",
        "__isShared": "HIP 5.2 cannot ask for the address space of a pointer",
        "cudaLaunchKernelEx": "launch attributes (clusters, programmatic dependent launch) have no HIP twin",
        "cudaLaunchKernelExC": "launch attributes (clusters, programmatic dependent launch) have no HIP twin",
        "cudaGridDependencySynchronize": "programmatic dependent launch has no HIP twin",
        "cudaTriggerProgrammaticLaunchCompletion": "programmatic dependent launch has no HIP twin",
        "__cluster_dims__": "thread block clusters have no HIP twin",
        "__grid_constant__": "grid constants have no HIP twin",
    }
)
"""Names that HIP has nothing for -> why."""
