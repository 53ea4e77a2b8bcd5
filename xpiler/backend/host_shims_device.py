"""Host functions about the device and its memory that programs call now and then; see `host_shims`."""

from __future__ import annotations

DEVICE_SHIMS: tuple[tuple[str, str], ...] = (
    (
        "cudaMallocPitch",
        """\
template <class T>
static inline cudaError_t cudaMallocPitch(T **pointer, size_t *pitch, size_t width, size_t height) {
    *pitch = (width + 63) / 64 * 64;
    return cudaMalloc(pointer, *pitch * height);
}""",
    ),
    (
        "cudaMemcpy2DAsync",
        """\
template <class Stream = int>
static inline cudaError_t cudaMemcpy2DAsync(void *to, size_t to_pitch, const void *from, size_t from_pitch,
                                            size_t width, size_t height, cudaMemcpyKind kind, Stream = 0) {
    return cudaMemcpy2D(to, to_pitch, from, from_pitch, width, height, kind);
}""",
    ),
    (
        "cudaMemset2D cudaMemset2DAsync",
        """\
static inline cudaError_t cudaMemset2D(void *to, size_t pitch, int value, size_t width, size_t height) {
    for (size_t i = 0; i < height; ++i) memset((char *)to + i * pitch, value, width);
    return cudaSuccess;
}
template <class Stream = int>
static inline cudaError_t cudaMemset2DAsync(void *to, size_t pitch, int value, size_t width, size_t height,
                                            Stream = 0) {
    return cudaMemset2D(to, pitch, value, width, height);
}""",
    ),
    (
        "cudaMemcpyFromSymbolAsync",
        """\
template <class T, class Stream = int>
static inline cudaError_t cudaMemcpyFromSymbolAsync(void *to, const T &symbol, size_t bytes, size_t offset,
                                                    cudaMemcpyKind kind, Stream = 0) {
    return cudaMemcpyFromSymbol(to, symbol, bytes, offset, kind);
}""",
    ),
    (
        "cudaGetSymbolSize",
        """\
template <class T>
static inline cudaError_t cudaGetSymbolSize(size_t *bytes, const T &symbol) {
    *bytes = sizeof symbol;
    return cudaSuccess;
}""",
    ),
    (
        "cudaMemPrefetchAsync cudaMemAdvise cudaMemAdviseSetReadMostly cudaMemAdviseSetPreferredLocation "
        "cudaMemAdviseSetAccessedBy cudaMemAdviseUnsetReadMostly cudaCpuDeviceId",
        """\
enum { cudaCpuDeviceId = -1 };
enum cudaMemoryAdvise { cudaMemAdviseSetReadMostly = 1, cudaMemAdviseUnsetReadMostly,
    cudaMemAdviseSetPreferredLocation, cudaMemAdviseSetAccessedBy = 5 };
template <class Stream = int>
static inline cudaError_t cudaMemPrefetchAsync(const void *, size_t, int, Stream = 0) {
    return cudaSuccess;
}
static inline cudaError_t cudaMemAdvise(const void *, size_t, cudaMemoryAdvise, int) {
    return cudaSuccess;
}""",
    ),
    (
        "cudaHostRegister cudaHostUnregister cudaHostRegisterDefault cudaHostRegisterMapped "
        "cudaHostRegisterPortable",
        """\
enum { cudaHostRegisterDefault = 0, cudaHostRegisterPortable = 1, cudaHostRegisterMapped = 2 };
static inline cudaError_t cudaHostRegister(void *, size_t, unsigned) { return cudaSuccess; }
static inline cudaError_t cudaHostUnregister(void *) { return cudaSuccess; }""",
    ),
    (
        "cudaHostGetDevicePointer",
        """\
template <class T>
static inline cudaError_t cudaHostGetDevicePointer(T **pointer, void *host, unsigned = 0) {
    *pointer = (T *)host;
    return cudaSuccess;
}""",
    ),
    (
        "cudaDeviceGetAttribute cudaDeviceAttr cudaDevAttrMaxThreadsPerBlock "
        "cudaDevAttrMaxSharedMemoryPerBlock "
        "cudaDevAttrWarpSize cudaDevAttrMultiProcessorCount cudaDevAttrMaxThreadsPerMultiProcessor "
        "cudaDevAttrComputeCapabilityMajor cudaDevAttrComputeCapabilityMinor cudaDevAttrCooperativeLaunch "
        "cudaDevAttrMaxSharedMemoryPerBlockOptin cudaDevAttrL2CacheSize cudaDevAttrClockRate",
        """\
enum cudaDeviceAttr {
    cudaDevAttrMaxThreadsPerBlock = 1,
    cudaDevAttrMaxSharedMemoryPerBlock = 8,
    cudaDevAttrWarpSize = 10,
    cudaDevAttrClockRate = 13,
    cudaDevAttrMultiProcessorCount = 16,
    cudaDevAttrL2CacheSize = 38,
    cudaDevAttrMaxThreadsPerMultiProcessor = 39,
    cudaDevAttrComputeCapabilityMajor = 75,
    cudaDevAttrComputeCapabilityMinor = 76,
    cudaDevAttrCooperativeLaunch = 95,
    cudaDevAttrMaxSharedMemoryPerBlockOptin = 97
};
static inline cudaError_t cudaDeviceGetAttribute(int *value, cudaDeviceAttr attribute, int) {
    switch (attribute) {
        case cudaDevAttrMaxThreadsPerBlock: *value = 1024; break;
        case cudaDevAttrMaxSharedMemoryPerBlock:
        case cudaDevAttrMaxSharedMemoryPerBlockOptin: *value = 48 * 1024; break;
        case cudaDevAttrWarpSize: *value = 32; break;
        case cudaDevAttrMaxThreadsPerMultiProcessor: *value = 2048; break;
        case cudaDevAttrComputeCapabilityMajor: *value = 8; break;
        case cudaDevAttrComputeCapabilityMinor: *value = 0; break;
        case cudaDevAttrClockRate: *value = 1000000; break;
        case cudaDevAttrL2CacheSize: *value = 1 << 20; break;
        default: *value = 1;
    }
    return cudaSuccess;
}""",
    ),
    (
        "cudaDeviceSetLimit cudaDeviceGetLimit cudaLimit cudaLimitStackSize cudaLimitPrintfFifoSize "
        "cudaLimitMallocHeapSize",
        """\
enum cudaLimit { cudaLimitStackSize, cudaLimitPrintfFifoSize, cudaLimitMallocHeapSize };
static inline cudaError_t cudaDeviceSetLimit(cudaLimit, size_t) { return cudaSuccess; }
static inline cudaError_t cudaDeviceGetLimit(size_t *value, cudaLimit) {
    *value = (size_t)8 << 20;
    return cudaSuccess;
}""",
    ),
    (
        "cudaSetDeviceFlags cudaDeviceScheduleAuto cudaDeviceScheduleSpin cudaDeviceScheduleYield "
        "cudaDeviceScheduleBlockingSync cudaDeviceMapHost",
        """\
enum { cudaDeviceScheduleAuto = 0, cudaDeviceScheduleSpin = 1, cudaDeviceScheduleYield = 2,
    cudaDeviceScheduleBlockingSync = 4, cudaDeviceMapHost = 8 };
static inline cudaError_t cudaSetDeviceFlags(unsigned) { return cudaSuccess; }""",
    ),
    (
        "cudaRuntimeGetVersion cudaDriverGetVersion",
        """\
static inline cudaError_t cudaRuntimeGetVersion(int *version) {
    *version = 12000;
    return cudaSuccess;
}
static inline cudaError_t cudaDriverGetVersion(int *version) { return cudaRuntimeGetVersion(version); }""",
    ),
    (
        "cudaStreamCreateWithPriority",
        """\
template <class Stream>
static inline cudaError_t cudaStreamCreateWithPriority(Stream *stream, unsigned, int) {
    return cudaStreamCreate(stream);
}""",
    ),
    (
        "cudaDeviceGetStreamPriorityRange",
        """\
static inline cudaError_t cudaDeviceGetStreamPriorityRange(int *least, int *greatest) {
    *least = *greatest = 0;
    return cudaSuccess;
}""",
    ),
)
