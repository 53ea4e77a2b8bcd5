"""What host code of a CUDA file calls, as small C++ functions on host memory; each is emitted only where
used.

Device memory is host memory, launches are calls, so streams and synchronisation have nothing left to do.
"""

from __future__ import annotations

import re

from xpiler.backend.hip_sample_helpers import SAMPLE_HELPERS, SAMPLE_NAMES
from xpiler.backend.host_graphs import GRAPH_SHIMS
from xpiler.backend.host_shims_device import DEVICE_SHIMS
from xpiler.backend.host_values import IS_KERNEL

_NAMES_BY_TEXT: tuple[tuple[str, str], ...] = (
    (
        "dim3",
        """\
struct dim3 {
    unsigned x, y, z;
    dim3(unsigned x = 1, unsigned y = 1, unsigned z = 1) : x(x), y(y), z(z) {}
};""",
    ),
    (
        "cudaError_t cudaError cudaSuccess cudaErrorInvalidValue cudaErrorMemoryAllocation cudaErrorNotReady "
        "cudaErrorUnknown "
        "cudaErrorNoDevice cudaErrorInvalidDevice cudaErrorLaunchFailure",
        """\
enum cudaError {
    cudaSuccess = 0,
    cudaErrorInvalidValue = 1,
    cudaErrorMemoryAllocation = 2,
    cudaErrorNoDevice = 100,
    cudaErrorInvalidDevice = 101,
    cudaErrorNotReady = 600,
    cudaErrorLaunchFailure = 719,
    cudaErrorUnknown = 999
};
typedef enum cudaError cudaError_t;""",
    ),
    (
        "cudaGetErrorString cudaGetErrorName",
        """\
static inline const char *cudaGetErrorString(cudaError_t error) {
    return error == cudaSuccess ? "no error" : error == cudaErrorMemoryAllocation ? "out of memory" :
        "invalid argument";
}
static inline const char *cudaGetErrorName(cudaError_t error) {
    return error == cudaSuccess ? "cudaSuccess" : "cudaError";
}""",
    ),
    (
        "cudaGetLastError cudaPeekAtLastError cudaDeviceSynchronize cudaThreadSynchronize cudaDeviceReset "
        "cudaProfilerStart "
        "cudaProfilerStop",
        """\
static inline cudaError_t cudaGetLastError() { return cudaSuccess; }
static inline cudaError_t cudaPeekAtLastError() { return cudaSuccess; }
static inline cudaError_t cudaDeviceSynchronize() { return cudaSuccess; }
static inline cudaError_t cudaThreadSynchronize() { return cudaSuccess; }
static inline cudaError_t cudaDeviceReset() { return cudaSuccess; }
static inline cudaError_t cudaProfilerStart() { return cudaSuccess; }
static inline cudaError_t cudaProfilerStop() { return cudaSuccess; }""",
    ),
    (
        "cudaMalloc cudaMallocManaged cudaMallocHost cudaHostAlloc cudaMallocAsync cudaHostAllocDefault "
        "cudaHostAllocMapped "
        "cudaHostAllocPortable cudaHostAllocWriteCombined cudaMemAttachGlobal",
        """\
enum { cudaHostAllocDefault = 0, cudaHostAllocPortable = 1, cudaHostAllocMapped = 2,
    cudaHostAllocWriteCombined = 4 };
enum { cudaMemAttachGlobal = 1 };
template <class T>
static inline cudaError_t cudaMalloc(T **pointer, size_t bytes) {
    *pointer = (T *)_mm_malloc(bytes + 64, 64);
    return *pointer ? cudaSuccess : cudaErrorMemoryAllocation;
}
template <class T>
static inline cudaError_t cudaMallocManaged(T **pointer, size_t bytes, unsigned = 0) {
    return cudaMalloc(pointer, bytes);
}
template <class T>
static inline cudaError_t cudaMallocHost(T **pointer, size_t bytes, unsigned = 0) {
    return cudaMalloc(pointer, bytes);
}
template <class T>
static inline cudaError_t cudaHostAlloc(T **pointer, size_t bytes, unsigned = 0) {
    return cudaMalloc(pointer, bytes);
}
template <class T, class Stream>
static inline cudaError_t cudaMallocAsync(T **pointer, size_t bytes, Stream) {
    return cudaMalloc(pointer, bytes);
}""",
    ),
    (
        "cudaFree cudaFreeHost cudaFreeAsync",
        """\
static inline cudaError_t cudaFree(void *pointer) {
    _mm_free(pointer);
    return cudaSuccess;
}
static inline cudaError_t cudaFreeHost(void *pointer) { return cudaFree(pointer); }
template <class Stream>
static inline cudaError_t cudaFreeAsync(void *pointer, Stream) {
    return cudaFree(pointer);
}""",
    ),
    (
        "cudaMemcpyKind cudaMemcpyHostToHost cudaMemcpyHostToDevice cudaMemcpyDeviceToHost "
        "cudaMemcpyDeviceToDevice "
        "cudaMemcpyDefault",
        """\
enum cudaMemcpyKind {
    cudaMemcpyHostToHost,
    cudaMemcpyHostToDevice,
    cudaMemcpyDeviceToHost,
    cudaMemcpyDeviceToDevice,
    cudaMemcpyDefault
};""",
    ),
    (
        "cudaMemcpy cudaMemcpyAsync cudaMemcpy2D",
        """\
static inline cudaError_t cudaMemcpy(void *to, const void *from, size_t bytes, cudaMemcpyKind) {
    memmove(to, from, bytes);
    return cudaSuccess;
}
template <class Stream = int>
static inline cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t bytes, cudaMemcpyKind kind,
    Stream = 0) {
    return cudaMemcpy(to, from, bytes, kind);
}
static inline cudaError_t cudaMemcpy2D(void *to, size_t to_pitch, const void *from, size_t from_pitch,
    size_t width,
                                       size_t height, cudaMemcpyKind) {
    for (size_t i = 0; i < height; ++i) memmove((char *)to + i * to_pitch,
        (const char *)from + i * from_pitch, width);
    return cudaSuccess;
}""",
    ),
    (
        "cudaMemset cudaMemsetAsync",
        """\
static inline cudaError_t cudaMemset(void *to, int value, size_t bytes) {
    memset(to, value, bytes);
    return cudaSuccess;
}
template <class Stream = int>
static inline cudaError_t cudaMemsetAsync(void *to, int value, size_t bytes, Stream = 0) {
    return cudaMemset(to, value, bytes);
}""",
    ),
    (
        "cudaMemcpyToSymbol cudaMemcpyFromSymbol cudaGetSymbolAddress cudaMemcpyToSymbolAsync",
        """\
template <class T>
static inline cudaError_t cudaMemcpyToSymbol(T &symbol, const void *from, size_t bytes, size_t offset = 0,
                                             cudaMemcpyKind = cudaMemcpyHostToDevice) {
    memcpy((char *)&symbol + offset, from, bytes);
    return cudaSuccess;
}
template <class T, class Stream = int>
static inline cudaError_t cudaMemcpyToSymbolAsync(T &symbol, const void *from, size_t bytes,
    size_t offset = 0,
                                                  cudaMemcpyKind kind = cudaMemcpyHostToDevice, Stream = 0) {
    return cudaMemcpyToSymbol(symbol, from, bytes, offset, kind);
}
template <class T>
static inline cudaError_t cudaMemcpyFromSymbol(void *to, const T &symbol, size_t bytes, size_t offset = 0,
                                               cudaMemcpyKind = cudaMemcpyDeviceToHost) {
    memcpy(to, (const char *)&symbol + offset, bytes);
    return cudaSuccess;
}
template <class P, class T>
static inline cudaError_t cudaGetSymbolAddress(P **pointer, T &symbol) {
    *pointer = (P *)&symbol;
    return cudaSuccess;
}""",
    ),
    (
        "cudaStream_t cudaStreamCreate cudaStreamCreateWithFlags cudaStreamDestroy cudaStreamSynchronize "
        "cudaStreamNonBlocking "
        "cudaStreamDefault cudaStreamQuery",
        """\
typedef void *cudaStream_t;
enum { cudaStreamDefault = 0, cudaStreamNonBlocking = 1 };
static inline cudaError_t cudaStreamCreate(cudaStream_t *stream) {
    *stream = 0;
    return cudaSuccess;
}
static inline cudaError_t cudaStreamCreateWithFlags(cudaStream_t *stream, unsigned) {
    return cudaStreamCreate(stream);
}
static inline cudaError_t cudaStreamDestroy(cudaStream_t) { return cudaSuccess; }
static inline cudaError_t cudaStreamSynchronize(cudaStream_t) { return cudaSuccess; }
static inline cudaError_t cudaStreamQuery(cudaStream_t) { return cudaSuccess; }""",
    ),
    (
        "cudaEvent_t cudaEventCreate cudaEventCreateWithFlags cudaEventRecord cudaEventSynchronize "
        "cudaEventElapsedTime "
        "cudaEventDestroy cudaEventQuery cudaStreamWaitEvent cudaEventDefault cudaEventDisableTiming "
        "cudaEventBlockingSync",
        """\
typedef struct timespec *cudaEvent_t;
enum { cudaEventDefault = 0, cudaEventBlockingSync = 1, cudaEventDisableTiming = 2 };
static inline cudaError_t cudaEventCreate(cudaEvent_t *event) {
    *event = (cudaEvent_t)calloc(1, sizeof(struct timespec));
    return *event ? cudaSuccess : cudaErrorMemoryAllocation;
}
static inline cudaError_t cudaEventCreateWithFlags(cudaEvent_t *event, unsigned) {
    return cudaEventCreate(event);
}
static inline cudaError_t cudaEventRecord(cudaEvent_t event, void * = 0) {
    clock_gettime(CLOCK_MONOTONIC, event);
    return cudaSuccess;
}
static inline cudaError_t cudaEventSynchronize(cudaEvent_t) { return cudaSuccess; }
static inline cudaError_t cudaEventQuery(cudaEvent_t) { return cudaSuccess; }
static inline cudaError_t cudaStreamWaitEvent(void *, cudaEvent_t, unsigned = 0) { return cudaSuccess; }
static inline cudaError_t cudaEventElapsedTime(float *milliseconds, cudaEvent_t start, cudaEvent_t stop) {
    *milliseconds = (float)((stop->tv_sec - start->tv_sec) * 1e3 + (stop->tv_nsec - start->tv_nsec) * 1e-6);
    return cudaSuccess;
}
static inline cudaError_t cudaEventDestroy(cudaEvent_t event) {
    free(event);
    return cudaSuccess;
}""",
    ),
    (
        "cudaDeviceProp cudaGetDeviceProperties",
        """\
struct cudaDeviceProp {
    char name[256];
    size_t totalGlobalMem, sharedMemPerBlock, sharedMemPerBlockOptin, sharedMemPerMultiprocessor,
        totalConstMem;
    int regsPerBlock, warpSize, maxThreadsPerBlock, maxThreadsDim[3], maxGridSize[3], clockRate, major, minor;
    int multiProcessorCount, maxThreadsPerMultiProcessor, memoryClockRate, memoryBusWidth, l2CacheSize;
    int concurrentKernels, cooperativeLaunch, managedMemory, unifiedAddressing, integrated, canMapHostMemory;
};
static inline cudaError_t cudaGetDeviceProperties(cudaDeviceProp *p, int) {
    memset(p, 0, sizeof *p);
    snprintf(p->name, sizeof p->name, "host processor");
    p->totalGlobalMem = (size_t)8 << 30;
    p->sharedMemPerBlock = p->sharedMemPerBlockOptin = p->sharedMemPerMultiprocessor = 48 * 1024;
    p->totalConstMem = 64 * 1024;
    p->regsPerBlock = 65536;
    p->warpSize = 32;
    p->maxThreadsPerBlock = p->maxThreadsDim[0] = p->maxThreadsDim[1] = 1024;
    p->maxThreadsDim[2] = 64;
    p->maxGridSize[0] = 2147483647;
    p->maxGridSize[1] = p->maxGridSize[2] = 65535;
    p->major = 8;
    p->multiProcessorCount = 1;
    p->maxThreadsPerMultiProcessor = 2048;
    p->clockRate = p->memoryClockRate = 1000000;
    p->memoryBusWidth = 64;
    p->concurrentKernels = p->cooperativeLaunch = p->managedMemory = p->unifiedAddressing = 1;
    return cudaSuccess;
}""",
    ),
    (
        "cudaSetDevice cudaGetDevice cudaGetDeviceCount",
        """\
static inline cudaError_t cudaSetDevice(int) { return cudaSuccess; }
static inline cudaError_t cudaGetDevice(int *device) {
    *device = 0;
    return cudaSuccess;
}
static inline cudaError_t cudaGetDeviceCount(int *count) {
    *count = 1;
    return cudaSuccess;
}""",
    ),
    (
        "cudaMemGetInfo",
        """\
static inline cudaError_t cudaMemGetInfo(size_t *available, size_t *total) {
    *available = *total = (size_t)8 << 30;
    return cudaSuccess;
}""",
    ),
    (
        "cudaFuncSetAttribute cudaFuncSetCacheConfig cudaDeviceSetCacheConfig "
        "cudaFuncAttributeMaxDynamicSharedMemorySize "
        "cudaFuncAttributePreferredSharedMemoryCarveout cudaFuncCachePreferShared cudaFuncCachePreferL1 "
        "cudaFuncCachePreferNone",
        """\
enum { cudaFuncAttributeMaxDynamicSharedMemorySize = 8, cudaFuncAttributePreferredSharedMemoryCarveout = 9 };
enum cudaFuncCache { cudaFuncCachePreferNone, cudaFuncCachePreferShared, cudaFuncCachePreferL1 };
template <class F>
static inline cudaError_t cudaFuncSetAttribute(F, int, int) {
    return cudaSuccess;
}
template <class F>
static inline cudaError_t cudaFuncSetCacheConfig(F, cudaFuncCache) {
    return cudaSuccess;
}
static inline cudaError_t cudaDeviceSetCacheConfig(cudaFuncCache) { return cudaSuccess; }""",
    ),
    (
        "__float2half __half2float __half __float2half_rn",
        """\
typedef half __half;
static inline half __float2half(float x) { return float_to_half(x); }
static inline half __float2half_rn(float x) { return float_to_half(x); }
static inline float __half2float(half h) { return half_to_float(h); }""",
    ),
    (
        "__float2bfloat16 __bfloat162float __nv_bfloat16 nv_bfloat16 __float2bfloat16_rn",
        """\
typedef bfloat16 __nv_bfloat16;
typedef bfloat16 nv_bfloat16;
static inline bfloat16 __float2bfloat16(float x) { return float_to_bfloat16(x); }
static inline bfloat16 __float2bfloat16_rn(float x) { return float_to_bfloat16(x); }
static inline float __bfloat162float(bfloat16 b) { return bfloat16_to_float(b); }""",
    ),
    (
        "cudaOccupancyMaxPotentialBlockSize cudaOccupancyMaxActiveBlocksPerMultiprocessor",
        """\
template <class F>
static inline cudaError_t cudaOccupancyMaxPotentialBlockSize(int *grid, int *block, F, size_t = 0, int = 0) {
    *grid = 1;
    *block = 256;
    return cudaSuccess;
}
template <class F>
static inline cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessor(int *blocks, F, int, size_t) {
    *blocks = 1;
    return cudaSuccess;
}""",
    ),
    (
        "half2 __half2",
        """\
struct alignas(4) half2 {
    half x, y;
};
typedef half2 __half2;""",
    ),
    (
        "__nv_bfloat162 nv_bfloat162",
        """\
struct alignas(4) __nv_bfloat162 {
    bfloat16 x, y;
};
typedef __nv_bfloat162 nv_bfloat162;""",
    ),
)

_VECTOR_TYPES = {
    "char": "signed char",
    "uchar": "unsigned char",
    "short": "short",
    "ushort": "unsigned short",
    "int": "int",
    "uint": "unsigned",
    "long": "long",
    "ulong": "unsigned long",
    "longlong": "long long",
    "ulonglong": "unsigned long long",
    "float": "float",
    "double": "double",
}


def _vector_type(name: str, element: str, lanes: int) -> tuple[str, str]:
    members = ", ".join("xyzw"[:lanes])
    parameters = ", ".join(f"{element} {m}" for m in "xyzw"[:lanes])
    size = {1: 1, 2: 2, 3: 1, 4: 4}[lanes]
    align = f"alignas({size} * sizeof({element})) " if lanes in (2, 4) and "long" not in element else ""
    full = f"{name}{lanes}"
    text = (
        f"struct {align}{full} {{\n    {element} {members};\n}};\n"
        f"static inline {full} make_{full}({parameters}) {{ return {full}{{{members}}}; }}"
    )
    return f"{full} make_{full}", text


def _sample_helpers() -> list[tuple[str, str]]:
    """What programs use of the toolkit samples' headers; `hip` functions are the `cuda` ones here."""
    inner = {"checkCudaErrors": "check_call", "checkCmdLineFlag": "command_line_value"}
    names: dict[str, list[str]] = {}
    for name, helper in SAMPLE_NAMES.items():
        names.setdefault(helper, [inner.get(helper, helper)]).append(name)
    texts = {name: re.sub(r"\bhip([A-Z])", r"cuda\1", helper.text) for name, helper in SAMPLE_HELPERS.items()}
    return [(" ".join(words), texts[name]) for name, words in names.items()]


def _all() -> tuple[tuple[str, str], ...]:
    vectors = [_vector_type(n, e, k) for n, e in _VECTOR_TYPES.items() for k in (1, 2, 3, 4)]
    return (
        *_NAMES_BY_TEXT,
        ("is_kernel", IS_KERNEL),
        *DEVICE_SHIMS,
        *GRAPH_SHIMS,
        *vectors,
        *_sample_helpers(),
    )


SHIMS: dict[str, str] = {name: text for names, text in _all() for name in names.split()}
"""Text that defines each name; several names may share one."""
