// The host API of both platforms: one text, compiled as cuda* or hip*. Everything is synchronous; streams and events are tokens.
#pragma once

#include <cstdlib>
#include <cstring>

#include "launch.hpp"

#if XPEMU_WARP == 64
#define XPEMU_P(name) hip##name
#else
#define XPEMU_P(name) cuda##name
#endif

enum XPEMU_P(Error_t) {
    XPEMU_P(Success) = 0,
    XPEMU_P(ErrorInvalidValue) = 1,
#if XPEMU_WARP == 64
    hipErrorOutOfMemory = 2,
    hipErrorMemoryAllocation = 2,
    hipErrorNotInitialized = 3,
    hipErrorInitializationError = 3,
    hipErrorUnknown = 999,
    hipErrorInvalidHandle = 400,
    hipErrorInvalidResourceHandle = 400,
    hipErrorNoDevice = 100,
    hipErrorNotReady = 600,
    hipErrorIllegalAddress = 700,
    hipErrorLaunchFailure = 719,
    hipErrorNotSupported = 801,
    hipErrorInvalidSymbol = 13,
#else
    cudaErrorMemoryAllocation = 2,
    cudaErrorInitializationError = 3,
    cudaErrorCudartUnloading = 4,
    cudaErrorNoDevice = 100,
    cudaErrorInvalidSymbol = 13,
    cudaErrorInvalidResourceHandle = 400,
    cudaErrorNotReady = 600,
    cudaErrorIllegalAddress = 700,
    cudaErrorLaunchOutOfResources = 701,
    cudaErrorLaunchTimeout = 702,
    cudaErrorAssert = 710,
    cudaErrorLaunchFailure = 719,
    cudaErrorCooperativeLaunchTooLarge = 720,
    cudaErrorNotSupported = 801,
    cudaErrorUnknown = 999,
#endif
    XPEMU_P(ErrorInvalidConfiguration) = 9,
    XPEMU_P(ErrorInvalidDevicePointer) = 17,
    XPEMU_P(ErrorInvalidMemcpyDirection) = 21,
    XPEMU_P(ErrorInvalidDevice) = 101,
    XPEMU_P(ErrorInvalidDeviceFunction) = 98,
    XPEMU_P(ErrorPeerAccessAlreadyEnabled) = 704,
};
#if XPEMU_WARP == 32
typedef cudaError_t cudaError;
#endif

enum XPEMU_P(MemcpyKind) {
    XPEMU_P(MemcpyHostToHost) = 0,
    XPEMU_P(MemcpyHostToDevice) = 1,
    XPEMU_P(MemcpyDeviceToHost) = 2,
    XPEMU_P(MemcpyDeviceToDevice) = 3,
    XPEMU_P(MemcpyDefault) = 4
};

namespace xpemu {
struct Stream {};
struct TimeMark {
    double at;               // milliseconds
    Graph* graph = nullptr;  // that it was recorded in
};
using Status = XPEMU_P(Error_t);
inline Status fail(int error) {
    last_error = error;
    return static_cast<Status>(error);
}
constexpr Status success = XPEMU_P(Success);
inline const char* direction(int kind) {
    static const char* const names[] = {"host-to-host", "host-to-device", "device-to-host", "device-to-device", "default"};
    return kind >= 0 && kind < 5 ? names[kind] : "?";
}
inline Status copy(void* to, const void* from, std::size_t bytes, int kind) {
    if (kind < 0 || kind > 4) return fail(XPEMU_P(ErrorInvalidMemcpyDirection));
    if (!bytes) return success;
    if (!to || !from) return fail(XPEMU_P(ErrorInvalidValue));
    trace_copy(direction(kind), to, from, bytes);
    // Undefined, says the manual: some drivers look at the pointers instead, others do not.
    if ((kind <= 1 && is_allocated_on_device(from)) || ((kind == 0 || kind == 2) && is_allocated_on_device(to)))
        warn("copy-direction", "a copy is called by another direction than that of its pointers");
    std::memmove(to, from, bytes);
    return success;
}
template <class T>
inline Status allocate(T** at, std::size_t bytes, const char* kind) {
    if (!at) return fail(XPEMU_P(ErrorInvalidValue));
    *at = nullptr;
    if (!bytes) return success;
    *at = static_cast<T*>(device_allocate(bytes, kind));
    return *at ? success : fail(2);
}
inline Status release(void* pointer) {
    if (!pointer || device_release(pointer)) return success;
    warn("bad_free", "a pointer is freed that no allocation returned, or twice");
    return fail(XPEMU_P(ErrorInvalidValue));
}
}  // namespace xpemu

typedef xpemu::Stream* XPEMU_P(Stream_t);
typedef xpemu::TimeMark* XPEMU_P(Event_t);
#define XPEMU_STATUS inline XPEMU_P(Error_t)

// ---------------------------------------------------------------------------------------------- errors
XPEMU_STATUS XPEMU_P(GetLastError)() {
    int error = xpemu::last_error;
    xpemu::last_error = 0;
    return static_cast<XPEMU_P(Error_t)>(error);
}
XPEMU_STATUS XPEMU_P(PeekAtLastError)() { return static_cast<XPEMU_P(Error_t)>(xpemu::last_error); }
inline const char* XPEMU_P(GetErrorName)(XPEMU_P(Error_t) error) {
    switch (static_cast<int>(error)) {
#if XPEMU_WARP == 64
#define XPEMU_NAMED(name) "hip" #name
#else
#define XPEMU_NAMED(name) "cuda" #name
#endif
        case 0: return XPEMU_NAMED(Success);
        case 1: return XPEMU_NAMED(ErrorInvalidValue);
        case 2: return XPEMU_WARP == 64 ? "hipErrorOutOfMemory" : "cudaErrorMemoryAllocation";
        case 9: return XPEMU_NAMED(ErrorInvalidConfiguration);
        case 17: return XPEMU_NAMED(ErrorInvalidDevicePointer);
        case 21: return XPEMU_NAMED(ErrorInvalidMemcpyDirection);
        case 101: return XPEMU_NAMED(ErrorInvalidDevice);
        default: return XPEMU_NAMED(ErrorUnknown);
    }
}
inline const char* XPEMU_P(GetErrorString)(XPEMU_P(Error_t) error) {
    switch (static_cast<int>(error)) {
        case 0: return "no error";
        case 1: return "invalid argument";
        case 2: return "out of memory";
        case 9: return "invalid configuration argument";
        case 21: return "invalid copy direction for memcpy";
        case 101: return "invalid device ordinal";
        default: return "unknown error";
    }
}

// ---------------------------------------------------------------------------------------------- memory
template <class T>
XPEMU_STATUS XPEMU_P(Malloc)(T** at, std::size_t bytes) {
    return xpemu::allocate(at, bytes, "device");
}
template <class T>
XPEMU_STATUS XPEMU_P(MallocAsync)(T** at, std::size_t bytes, XPEMU_P(Stream_t)) {
    return xpemu::allocate(at, bytes, "device");
}
template <class T>
XPEMU_STATUS XPEMU_P(MallocManaged)(T** at, std::size_t bytes, unsigned = 1) {
    return xpemu::allocate(at, bytes, "managed");
}
template <class T>
XPEMU_STATUS XPEMU_P(HostAlloc)(T** at, std::size_t bytes, unsigned = 0) {
    return xpemu::allocate(at, bytes, "host");
}
template <class T>
XPEMU_STATUS XPEMU_P(MallocHost)(T** at, std::size_t bytes, unsigned = 0) {
    return xpemu::allocate(at, bytes, "host");
}
template <class T>
XPEMU_STATUS XPEMU_P(MallocPitch)(T** at, std::size_t* pitch, std::size_t width, std::size_t height) {
    *pitch = (width + 511) / 512 * 512;
    return xpemu::allocate(at, *pitch * height, "device");
}
template <class T>
XPEMU_STATUS XPEMU_P(HostGetDevicePointer)(T** device, void* host, unsigned) {
    xpemu::trace_copy("mapped", host, nullptr, 0);
    *device = static_cast<T*>(host);
    return xpemu::success;
}
XPEMU_STATUS XPEMU_P(Free)(void* pointer) { return xpemu::release(pointer); }
XPEMU_STATUS XPEMU_P(FreeAsync)(void* pointer, XPEMU_P(Stream_t)) { return xpemu::release(pointer); }
XPEMU_STATUS XPEMU_P(FreeHost)(void* pointer) { return xpemu::release(pointer); }
#if XPEMU_WARP == 64
template <class T>
inline hipError_t hipHostMalloc(T** at, std::size_t bytes, unsigned = 0) {
    return xpemu::allocate(at, bytes, "host");
}
inline hipError_t hipHostFree(void* pointer) { return xpemu::release(pointer); }
#endif
XPEMU_STATUS XPEMU_P(HostRegister)(void* host, std::size_t, unsigned) {
    xpemu::trace_copy("mapped", host, nullptr, 0);
    return xpemu::success;
}
XPEMU_STATUS XPEMU_P(HostUnregister)(void*) { return xpemu::success; }
XPEMU_STATUS XPEMU_P(Memcpy)(void* to, const void* from, std::size_t bytes, XPEMU_P(MemcpyKind) kind) {
    return xpemu::copy(to, from, bytes, kind);
}
XPEMU_STATUS XPEMU_P(MemcpyAsync)(void* to, const void* from, std::size_t bytes, XPEMU_P(MemcpyKind) kind, XPEMU_P(Stream_t) stream = nullptr) {
    if (xpemu::keep(stream, [=] { xpemu::copy(to, from, bytes, kind); })) return xpemu::success;
    return xpemu::copy(to, from, bytes, kind);
}
XPEMU_STATUS XPEMU_P(Memcpy2D)(void* to, std::size_t to_pitch, const void* from, std::size_t from_pitch, std::size_t width,
                               std::size_t height, XPEMU_P(MemcpyKind) kind) {
    for (std::size_t row = 0; row < height; ++row)
        if (auto error = xpemu::copy(static_cast<char*>(to) + row * to_pitch, static_cast<const char*>(from) + row * from_pitch, width, kind))
            return error;
    return xpemu::success;
}
XPEMU_STATUS XPEMU_P(Memcpy2DAsync)(void* to, std::size_t to_pitch, const void* from, std::size_t from_pitch, std::size_t width,
                                    std::size_t height, XPEMU_P(MemcpyKind) kind, XPEMU_P(Stream_t) stream = nullptr) {
    if (xpemu::keep(stream, [=] { XPEMU_P(Memcpy2D)(to, to_pitch, from, from_pitch, width, height, kind); })) return xpemu::success;
    return XPEMU_P(Memcpy2D)(to, to_pitch, from, from_pitch, width, height, kind);
}
XPEMU_STATUS XPEMU_P(Memset)(void* at, int value, std::size_t bytes) {
    xpemu::trace_copy("set", at, nullptr, bytes, value & 255);
    if (bytes) std::memset(at, value, bytes);
    return xpemu::success;
}
XPEMU_STATUS XPEMU_P(MemsetAsync)(void* at, int value, std::size_t bytes, XPEMU_P(Stream_t) stream = nullptr) {
    if (xpemu::keep(stream, [=] { XPEMU_P(Memset)(at, value, bytes); })) return xpemu::success;
    return XPEMU_P(Memset)(at, value, bytes);
}
XPEMU_STATUS XPEMU_P(Memset2D)(void* at, std::size_t pitch, int value, std::size_t width, std::size_t height) {
    for (std::size_t row = 0; row < height; ++row) std::memset(static_cast<char*>(at) + row * pitch, value, width);
    return xpemu::success;
}
XPEMU_STATUS XPEMU_P(Memset2DAsync)(void* at, std::size_t pitch, int value, std::size_t width, std::size_t height,
                                    XPEMU_P(Stream_t) stream = nullptr) {
    if (xpemu::keep(stream, [=] { XPEMU_P(Memset2D)(at, pitch, value, width, height); })) return xpemu::success;
    return XPEMU_P(Memset2D)(at, pitch, value, width, height);
}
template <class T>
XPEMU_STATUS XPEMU_P(MemcpyToSymbol)(const T& symbol, const void* from, std::size_t bytes, std::size_t offset = 0,
                                     XPEMU_P(MemcpyKind) = XPEMU_P(MemcpyHostToDevice)) {
    if (offset + bytes > sizeof(T)) return xpemu::fail(XPEMU_P(ErrorInvalidValue));
    xpemu::trace_variable(&symbol, sizeof(T), offset, from, bytes);
    return xpemu::copy(reinterpret_cast<char*>(const_cast<std::remove_const_t<T>*>(&symbol)) + offset, from, bytes, 1);
}
template <class T>
XPEMU_STATUS XPEMU_P(MemcpyToSymbolAsync)(const T& symbol, const void* from, std::size_t bytes, std::size_t offset,
                                          XPEMU_P(MemcpyKind) kind, XPEMU_P(Stream_t) = nullptr) {
    return XPEMU_P(MemcpyToSymbol)(symbol, from, bytes, offset, kind);
}
template <class T>
XPEMU_STATUS XPEMU_P(MemcpyFromSymbol)(void* to, const T& symbol, std::size_t bytes, std::size_t offset = 0,
                                       XPEMU_P(MemcpyKind) = XPEMU_P(MemcpyDeviceToHost)) {
    if (offset + bytes > sizeof(T)) return xpemu::fail(XPEMU_P(ErrorInvalidValue));
    return xpemu::copy(to, reinterpret_cast<const char*>(&symbol) + offset, bytes, 2);
}
template <class T>
XPEMU_STATUS XPEMU_P(MemcpyFromSymbolAsync)(void* to, const T& symbol, std::size_t bytes, std::size_t offset,
                                            XPEMU_P(MemcpyKind) kind, XPEMU_P(Stream_t) = nullptr) {
    return XPEMU_P(MemcpyFromSymbol)(to, symbol, bytes, offset, kind);
}
template <class T, class U>
XPEMU_STATUS XPEMU_P(GetSymbolAddress)(T** at, const U& symbol) {
    *at = reinterpret_cast<T*>(const_cast<std::remove_const_t<U>*>(&symbol));
    return xpemu::success;
}
template <class U>
XPEMU_STATUS XPEMU_P(GetSymbolSize)(std::size_t* bytes, const U&) {
    *bytes = sizeof(U);
    return xpemu::success;
}
XPEMU_STATUS XPEMU_P(MemGetInfo)(std::size_t* free, std::size_t* total) {
    *free = std::size_t{14} << 30;
    *total = std::size_t{16} << 30;
    return xpemu::success;
}
XPEMU_STATUS XPEMU_P(MemPrefetchAsync)(const void*, std::size_t, int, XPEMU_P(Stream_t) = nullptr) { return xpemu::success; }

enum XPEMU_P(MemoryType) { XPEMU_P(MemoryTypeUnregistered), XPEMU_P(MemoryTypeHost), XPEMU_P(MemoryTypeDevice), XPEMU_P(MemoryTypeManaged) };
struct XPEMU_P(PointerAttributes) {
    XPEMU_P(MemoryType) type;
    int device;
    void *devicePointer, *hostPointer;
};
XPEMU_STATUS XPEMU_P(PointerGetAttributes)(XPEMU_P(PointerAttributes) * attributes, const void* pointer) {
    const bool known = xpemu::is_device_pointer(pointer);
    auto* plain = const_cast<void*>(pointer);
    *attributes = {known ? XPEMU_P(MemoryTypeDevice) : XPEMU_P(MemoryTypeUnregistered), 0, known ? plain : nullptr, plain};
    return xpemu::success;
}
enum XPEMU_P(MemoryAdvise) { XPEMU_P(MemAdviseSetReadMostly) = 1, XPEMU_P(MemAdviseUnsetReadMostly) = 2, XPEMU_P(MemAdviseSetPreferredLocation) = 3, XPEMU_P(MemAdviseSetAccessedBy) = 5 };
XPEMU_STATUS XPEMU_P(MemAdvise)(const void*, std::size_t, XPEMU_P(MemoryAdvise), int) { return xpemu::success; }
enum { XPEMU_P(CpuDeviceId) = -1, XPEMU_P(InvalidDeviceId) = -2 };

// ------------------------------------------------------------------------------------ streams and events
enum : unsigned {
    XPEMU_P(StreamDefault) = 0,
    XPEMU_P(StreamNonBlocking) = 1,
    XPEMU_P(EventDefault) = 0,
    XPEMU_P(EventBlockingSync) = 1,
    XPEMU_P(EventDisableTiming) = 2,
    XPEMU_P(HostAllocDefault) = 0,
    XPEMU_P(HostAllocPortable) = 1,
    XPEMU_P(HostAllocMapped) = 2,
    XPEMU_P(HostAllocWriteCombined) = 4,
    XPEMU_P(HostRegisterDefault) = 0,
    XPEMU_P(HostRegisterPortable) = 1,
    XPEMU_P(HostRegisterMapped) = 2,
    XPEMU_P(MemAttachGlobal) = 1,
    XPEMU_P(DeviceScheduleAuto) = 0,
    XPEMU_P(DeviceScheduleSpin) = 1,
    XPEMU_P(DeviceScheduleYield) = 2,
    XPEMU_P(DeviceScheduleBlockingSync) = 4,
    XPEMU_P(DeviceMapHost) = 8,
#if XPEMU_WARP == 64
    hipHostMallocDefault = 0,
    hipHostMallocPortable = 1,
    hipHostMallocMapped = 2,
#endif
};
#define XPEMU_IGNORED(name, ...) \
    XPEMU_STATUS XPEMU_P(name)(__VA_ARGS__) { return xpemu::success; }
XPEMU_STATUS XPEMU_P(StreamCreate)(XPEMU_P(Stream_t) * stream) {
    *stream = new xpemu::Stream;
    return xpemu::success;
}
XPEMU_STATUS XPEMU_P(StreamCreateWithFlags)(XPEMU_P(Stream_t) * stream, unsigned) { return XPEMU_P(StreamCreate)(stream); }
XPEMU_STATUS XPEMU_P(StreamCreateWithPriority)(XPEMU_P(Stream_t) * stream, unsigned, int) { return XPEMU_P(StreamCreate)(stream); }
XPEMU_STATUS XPEMU_P(StreamDestroy)(XPEMU_P(Stream_t) stream) {
    delete stream;
    return xpemu::success;
}
XPEMU_IGNORED(StreamSynchronize, XPEMU_P(Stream_t))
XPEMU_IGNORED(StreamQuery, XPEMU_P(Stream_t))
XPEMU_STATUS XPEMU_P(LaunchHostFunc)(XPEMU_P(Stream_t) stream, void (*function)(void*), void* data) {
    if (!xpemu::keep(stream, [=] { function(data); })) function(data);
    return xpemu::success;
}
XPEMU_STATUS XPEMU_P(DeviceGetStreamPriorityRange)(int* least, int* greatest) {
    *least = 0;
    *greatest = -5;
    return xpemu::success;
}
XPEMU_STATUS XPEMU_P(StreamWaitEvent)(XPEMU_P(Stream_t) stream, XPEMU_P(Event_t) event, unsigned = 0) {
    xpemu::begin_capture(stream, event->graph);
    return xpemu::success;
}
XPEMU_STATUS XPEMU_P(EventCreate)(XPEMU_P(Event_t) * event) {
    *event = new xpemu::TimeMark{xpemu::host_milliseconds()};
    return xpemu::success;
}
XPEMU_STATUS XPEMU_P(EventCreateWithFlags)(XPEMU_P(Event_t) * event, unsigned) { return XPEMU_P(EventCreate)(event); }
XPEMU_STATUS XPEMU_P(EventDestroy)(XPEMU_P(Event_t) event) {
    delete event;
    return xpemu::success;
}
XPEMU_STATUS XPEMU_P(EventRecord)(XPEMU_P(Event_t) event, XPEMU_P(Stream_t) stream = nullptr) {
    event->graph = xpemu::graph_of(stream);
    event->at = xpemu::host_milliseconds();
    return xpemu::success;
}
XPEMU_IGNORED(EventSynchronize, XPEMU_P(Event_t))
XPEMU_IGNORED(EventQuery, XPEMU_P(Event_t))
XPEMU_STATUS XPEMU_P(EventElapsedTime)(float* milliseconds, XPEMU_P(Event_t) from, XPEMU_P(Event_t) to) {
    // Never zero: programs divide by it.
    const double elapsed = to->at - from->at;
    *milliseconds = elapsed > 1e-6 ? static_cast<float>(elapsed) : 1e-6f;
    return xpemu::success;
}

// ----------------------------------------------------------------------------------------------- device
enum XPEMU_P(DeviceAttribute_t) {
    XPEMU_P(DevAttrMaxThreadsPerBlock) = 1,
    XPEMU_P(DevAttrMaxSharedMemoryPerBlock) = 8,
    XPEMU_P(DevAttrWarpSize) = 10,
    XPEMU_P(DevAttrClockRate) = 13,
    XPEMU_P(DevAttrMultiProcessorCount) = 16,
    XPEMU_P(DevAttrMemoryClockRate) = 36,
    XPEMU_P(DevAttrGlobalMemoryBusWidth) = 37,
    XPEMU_P(DevAttrL2CacheSize) = 38,
    XPEMU_P(DevAttrMaxThreadsPerMultiProcessor) = 39,
    XPEMU_P(DevAttrComputeCapabilityMajor) = 75,
    XPEMU_P(DevAttrComputeCapabilityMinor) = 76,
    XPEMU_P(DevAttrManagedMemory) = 83,
    XPEMU_P(DevAttrCooperativeLaunch) = 95,
    XPEMU_P(DevAttrMaxSharedMemoryPerBlockOptin) = 97,
#if XPEMU_WARP == 64
    hipDeviceAttributeMaxThreadsPerBlock = 1,
    hipDeviceAttributeMaxSharedMemoryPerBlock = 8,
    hipDeviceAttributeWarpSize = 10,
    hipDeviceAttributeClockRate = 13,
    hipDeviceAttributeMultiprocessorCount = 16,
    hipDeviceAttributeMaxThreadsPerMultiProcessor = 39,
    hipDeviceAttributeComputeCapabilityMajor = 75,
    hipDeviceAttributeComputeCapabilityMinor = 76,
    hipDeviceAttributeCooperativeLaunch = 95,
#endif
};
struct XPEMU_P(DeviceProp) {
    char name[256] = "Xpiler host emulator";
    std::size_t totalGlobalMem = std::size_t{16} << 30, sharedMemPerBlock = XPEMU_WARP == 64 ? 65536 : 49152;
    std::size_t sharedMemPerBlockOptin = XPEMU_WARP == 64 ? 65536 : 166912, sharedMemPerMultiprocessor = XPEMU_WARP == 64 ? 65536 : 167936;
    std::size_t totalConstMem = 65536, memPitch = 2147483647, textureAlignment = 512;
    int regsPerBlock = 65536, regsPerMultiprocessor = 65536, warpSize = XPEMU_WARP, maxThreadsPerBlock = 1024;
    int maxThreadsDim[3] = {1024, 1024, XPEMU_WARP == 64 ? 1024 : 64}, maxGridSize[3] = {2147483647, 65535, 65535};
    int clockRate = 1410000, major = XPEMU_WARP == 64 ? 9 : 8, minor = 0, multiProcessorCount = 108, memoryClockRate = 1215000;
    int memoryBusWidth = 5120, l2CacheSize = 40 << 20, maxThreadsPerMultiProcessor = 2048, maxBlocksPerMultiProcessor = 32;
    int cooperativeLaunch = 1, concurrentKernels = 1, managedMemory = 1, unifiedAddressing = 1, canMapHostMemory = 1;
    int integrated = 0, asyncEngineCount = 2, ECCEnabled = 0, computeMode = 0, deviceOverlap = 1, concurrentManagedAccess = 1;
    int kernelExecTimeoutEnabled = 0, pciBusID = 0, pciDeviceID = 0, pciDomainID = 0, pageableMemoryAccess = 1;
    char gcnArchName[256] = "gfx90a";
};
#if XPEMU_WARP == 64
typedef hipDeviceProp hipDeviceProp_t;
#else
typedef cudaDeviceAttribute_t cudaDeviceAttr;
#endif
XPEMU_STATUS XPEMU_P(GetDeviceCount)(int* count) {
    *count = 1;
    return xpemu::success;
}
XPEMU_STATUS XPEMU_P(GetDevice)(int* device) {
    *device = 0;
    return xpemu::success;
}
XPEMU_STATUS XPEMU_P(SetDevice)(int device) { return device ? xpemu::fail(XPEMU_P(ErrorInvalidDevice)) : xpemu::success; }
XPEMU_STATUS XPEMU_P(GetDeviceProperties)(XPEMU_P(DeviceProp) * properties, int device) {
    if (device) return xpemu::fail(XPEMU_P(ErrorInvalidDevice));
    *properties = XPEMU_P(DeviceProp){};
    return xpemu::success;
}
XPEMU_STATUS XPEMU_P(DeviceGetAttribute)(int* value, XPEMU_P(DeviceAttribute_t) attribute, int) {
    const XPEMU_P(DeviceProp) p;
    switch (static_cast<int>(attribute)) {
        case 1: *value = 1024; break;
        case 8: *value = static_cast<int>(p.sharedMemPerBlock); break;
        case 10: *value = XPEMU_WARP; break;
        case 13: *value = p.clockRate; break;
        case 16: *value = p.multiProcessorCount; break;
        case 36: *value = p.memoryClockRate; break;
        case 37: *value = p.memoryBusWidth; break;
        case 38: *value = p.l2CacheSize; break;
        case 39: *value = p.maxThreadsPerMultiProcessor; break;
        case 75: *value = p.major; break;
        case 76: *value = p.minor; break;
        case 97: *value = static_cast<int>(p.sharedMemPerBlockOptin); break;
        default: *value = 1;
    }
    return xpemu::success;
}
XPEMU_IGNORED(DeviceSynchronize)
XPEMU_IGNORED(DeviceReset)
XPEMU_IGNORED(SetDeviceFlags, unsigned)
XPEMU_IGNORED(ProfilerStart)
XPEMU_IGNORED(ProfilerStop)
XPEMU_IGNORED(DeviceEnablePeerAccess, int, unsigned)
XPEMU_STATUS XPEMU_P(DeviceCanAccessPeer)(int* can, int, int) {
    *can = 0;
    return xpemu::success;
}
XPEMU_STATUS XPEMU_P(DriverGetVersion)(int* version) {
    *version = 12040;
    return xpemu::success;
}
XPEMU_STATUS XPEMU_P(RuntimeGetVersion)(int* version) {
    *version = 12040;
    return xpemu::success;
}
enum XPEMU_P(FuncCache) { XPEMU_P(FuncCachePreferNone), XPEMU_P(FuncCachePreferShared), XPEMU_P(FuncCachePreferL1), XPEMU_P(FuncCachePreferEqual) };
enum XPEMU_P(SharedMemConfig) { XPEMU_P(SharedMemBankSizeDefault), XPEMU_P(SharedMemBankSizeFourByte), XPEMU_P(SharedMemBankSizeEightByte) };
enum XPEMU_P(Limit) { XPEMU_P(LimitStackSize), XPEMU_P(LimitPrintfFifoSize), XPEMU_P(LimitMallocHeapSize) };
XPEMU_IGNORED(DeviceSetCacheConfig, XPEMU_P(FuncCache))
XPEMU_IGNORED(DeviceSetSharedMemConfig, XPEMU_P(SharedMemConfig))
XPEMU_IGNORED(DeviceSetLimit, XPEMU_P(Limit), std::size_t)
#if XPEMU_WARP == 32
inline cudaError_t cudaThreadSynchronize() { return xpemu::success; }
#endif

// -------------------------------------------------------------------------------- functions and launches
enum XPEMU_P(FuncAttribute) { XPEMU_P(FuncAttributeMaxDynamicSharedMemorySize) = 8, XPEMU_P(FuncAttributePreferredSharedMemoryCarveout) = 9 };
enum { XPEMU_P(SharedmemCarveoutDefault) = -1, XPEMU_P(SharedmemCarveoutMaxShared) = 100, XPEMU_P(SharedmemCarveoutMaxL1) = 0 };
template <class F>
XPEMU_STATUS XPEMU_P(FuncSetAttribute)(F*, XPEMU_P(FuncAttribute) attribute, int value) {
    if (attribute != XPEMU_P(FuncAttributeMaxDynamicSharedMemorySize)) return xpemu::success;
    const std::size_t limit = XPEMU_P(DeviceProp){}.sharedMemPerBlockOptin;
    if (value < 0 || static_cast<std::size_t>(value) > limit) return xpemu::fail(XPEMU_P(ErrorInvalidValue));
    if (static_cast<std::size_t>(value) > xpemu::shared_optin) xpemu::shared_optin = static_cast<std::size_t>(value);
    return xpemu::success;
}
template <class F>
XPEMU_STATUS XPEMU_P(FuncSetCacheConfig)(F*, XPEMU_P(FuncCache)) {
    return xpemu::success;
}
struct XPEMU_P(FuncAttributes) {
    std::size_t sharedSizeBytes = 0, constSizeBytes = 0, localSizeBytes = 0;
    int maxThreadsPerBlock = 1024, numRegs = 32, ptxVersion = 80, binaryVersion = 80, maxDynamicSharedSizeBytes = 49152;
};
template <class F>
XPEMU_STATUS XPEMU_P(FuncGetAttributes)(XPEMU_P(FuncAttributes) * attributes, F*) {
    *attributes = XPEMU_P(FuncAttributes){};
    return xpemu::success;
}
template <class F>
XPEMU_STATUS XPEMU_P(OccupancyMaxActiveBlocksPerMultiprocessor)(int* blocks, F*, int block_size, std::size_t) {
    *blocks = block_size > 0 && block_size <= 1024 ? (block_size < 64 ? 32 : 2048 / block_size) : 0;
    return xpemu::success;
}
template <class F>
XPEMU_STATUS XPEMU_P(OccupancyMaxPotentialBlockSize)(int* grid, int* block, F*, std::size_t = 0, int limit = 0) {
    *block = limit > 0 && limit < 1024 ? limit : 1024;
    *grid = 2 * 108;
    return xpemu::success;
}

namespace xpemu {
// The void* array of cudaLaunchKernel, read by the kernel's parameter types.
template <class... P, std::size_t... I>
Status launch_pointers(void (*kernel)(P...), const LaunchInfo& info, void** args, std::index_sequence<I...>) {
    auto call = [kernel](auto&... a) { kernel(a...); };
    captured(Launcher<decltype(call)>{info, call})(*static_cast<std::decay_t<P>*>(args[I])...);
    return static_cast<Status>(last_error);
}
}  // namespace xpemu
template <class... P>
XPEMU_STATUS XPEMU_P(LaunchKernel)(void (*kernel)(P...), dim3 grid, dim3 block, void** args, std::size_t shared = 0,
                                   XPEMU_P(Stream_t) stream = nullptr, int line = __builtin_LINE()) {
    return xpemu::launch_pointers(kernel, xpemu::LaunchInfo{xpemu::function_name(reinterpret_cast<const void*>(kernel), "(by pointer)"), line, grid, block, shared, stream, false}, args,
                                  std::index_sequence_for<P...>{});
}
template <class... P>
XPEMU_STATUS XPEMU_P(LaunchCooperativeKernel)(void (*kernel)(P...), dim3 grid, dim3 block, void** args, std::size_t shared = 0,
                                              XPEMU_P(Stream_t) stream = nullptr, int line = __builtin_LINE()) {
    return xpemu::launch_pointers(kernel, xpemu::LaunchInfo{xpemu::function_name(reinterpret_cast<const void*>(kernel), "(by pointer)"), line, grid, block, shared, stream, true}, args,
                                  std::index_sequence_for<P...>{});
}

// Kernels whose address was taken without its type: `const void* f = (const void*)kernel;`.
namespace xpemu {
struct UntypedKernel {
    const void* address;
    Status (*start)(const void*, const LaunchInfo&, void**);
    const UntypedKernel* next;
};
inline const UntypedKernel* untyped_kernels = nullptr;
template <class... P>
void* untyped(void (*kernel)(P...)) {
    const auto start = [](const void* address, const LaunchInfo& info, void** args) {
        return launch_pointers(reinterpret_cast<void (*)(P...)>(const_cast<void*>(address)), info, args,
                               std::index_sequence_for<P...>{});
    };
    void* address = reinterpret_cast<void*>(kernel);
    const UntypedKernel* known = untyped_kernels;
    while (known && known->address != address) known = known->next;
    if (!known) untyped_kernels = new UntypedKernel{address, start, untyped_kernels};
    return address;
}
inline Status launch_untyped(const void* kernel, const LaunchInfo& info, void** args) {
    for (const UntypedKernel* known = untyped_kernels; known; known = known->next)
        if (known->address == kernel) return known->start(kernel, info, args);
    return fail(XPEMU_P(ErrorInvalidDeviceFunction));
}
}  // namespace xpemu
XPEMU_STATUS XPEMU_P(LaunchKernel)(const void* kernel, dim3 grid, dim3 block, void** args, std::size_t shared = 0,
                                          XPEMU_P(Stream_t) stream = nullptr, int line = __builtin_LINE()) {
    return xpemu::launch_untyped(kernel, xpemu::LaunchInfo{xpemu::function_name(kernel, "(by pointer)"), line, grid, block, shared, stream, false}, args);
}
XPEMU_STATUS XPEMU_P(LaunchCooperativeKernel)(const void* kernel, dim3 grid, dim3 block, void** args, std::size_t shared = 0,
                                                     XPEMU_P(Stream_t) stream = nullptr, int line = __builtin_LINE()) {
    return xpemu::launch_untyped(kernel, xpemu::LaunchInfo{xpemu::function_name(kernel, "(by pointer)"), line, grid, block, shared, stream, true}, args);
}
