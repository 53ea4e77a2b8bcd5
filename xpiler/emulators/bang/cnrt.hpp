// The host interface: CNRT of both generations, what hosts use of CNDrv, and launches.
#pragma once

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "launcher.hpp"
#include "runtime.hpp"

// ------------------------------------------------------------------------------------------------- status
enum cnrtRet_t {
    cnrtSuccess = 0, CNRT_RET_SUCCESS = 0, cnrtErrorArgsInvalid = 100, cnrtErrorNoDevice = 101, cnrtErrorNoMem = 102, cnrtErrorSys = 103, cnrtErrorUnknown = 999,
    CNRT_RET_ERR_INVALID = 100, CNRT_RET_ERR_NOMEM = 102, CNRT_RET_ERR_UNKNOWN = 999,
};
typedef cnrtRet_t cnrtRet;
inline const char* cnrtGetErrorStr(cnrtRet_t e) { return e == cnrtSuccess ? "cnrtSuccess" : "cnrtError"; }
inline const char* cnrtGetErrorName(cnrtRet_t e) { return cnrtGetErrorStr(e); }
inline cnrtRet_t cnrtGetLastError() {
    const int e = xpemu::last_error;
    xpemu::last_error = 0;
    return e ? cnrtErrorArgsInvalid : cnrtSuccess;
}
inline cnrtRet_t cnrtPeekAtLastError() { return xpemu::last_error ? cnrtErrorArgsInvalid : cnrtSuccess; }
#define CNRT_CHECK(...)                                                                                                   \
    do {                                                                                                                  \
        const cnrtRet_t xpemu_status = (__VA_ARGS__);                                                                     \
        if (xpemu_status != cnrtSuccess) {                                                                                \
            std::fprintf(stderr, "%s:%d: %s returned %d\n", __FILE__, __LINE__, #__VA_ARGS__, static_cast<int>(xpemu_status)); \
            std::exit(1);                                                                                                 \
        }                                                                                                                 \
    } while (0)
#ifndef CNRT_UNUSED
#define CNRT_UNUSED(x) static_cast<void>(x)
#endif

// ------------------------------------------------------------------------------------------------- launches
enum cnrtFunctionType_t {
    cnrtFuncTypeBlock = 1, cnrtFuncTypeUnion1 = 4, cnrtFuncTypeUnion2 = 8, cnrtFuncTypeUnion4 = 16, cnrtFuncTypeUnion8 = 32, cnrtFuncTypeUnion16 = 64,
    cnrtFuncTypeMutableBlock = 65535,
    CNRT_FUNC_TYPE_BLOCK = 1, CNRT_FUNC_TYPE_UNION1 = 4, CNRT_FUNC_TYPE_UNION2 = 8, CNRT_FUNC_TYPE_UNION4 = 16, CNRT_FUNC_TYPE_UNION8 = 32,
    CNRT_FUNC_TYPE_UNION16 = 64,
};
typedef cnrtFunctionType_t cnrtJobType_t;
typedef cnrtFunctionType_t cnrtFunctionType;
#define cnrtJobTypeBlock cnrtFuncTypeBlock
#define cnrtJobTypeUnion1 cnrtFuncTypeUnion1
#define cnrtJobTypeUnion2 cnrtFuncTypeUnion2
#define cnrtJobTypeUnion4 cnrtFuncTypeUnion4
#define cnrtJobTypeUnion8 cnrtFuncTypeUnion8
#define cnrtJobTypeUnion16 cnrtFuncTypeUnion16
typedef cnrtDim3_t Dim3_t;
struct cnrtQueueStruct {};
typedef cnrtQueueStruct* cnrtQueue_t;
typedef cnrtQueue_t CNqueue;

namespace xpemu {
struct Config {
    cnrtDim3_t tasks;
    int job;
    const void* queue;
    Config(cnrtDim3_t d, cnrtFunctionType_t type, const void* q = nullptr) : tasks(d), job(type), queue(q) {}
    Config(unsigned d, cnrtFunctionType_t type, const void* q = nullptr) : tasks{d, 1, 1}, job(type), queue(q) {}
};
template <class Call>
Launcher<Call> launcher(const char* kernel, int line, Call call, const Config& c) {
    return Launcher<Call>{LaunchInfo{kernel, line, c.tasks, c.job == cnrtFuncTypeMutableBlock ? 1 : c.job, c.queue}, call};
}
template <class... P, std::size_t... I>
cnrtRet_t invoke(void (*kernel)(P...), const LaunchInfo& info, void** args, std::index_sequence<I...>) {
    auto call = [kernel](auto&... a) { kernel(a...); };
    start<decltype(call), std::decay_t<P>...>(info, call, *static_cast<std::decay_t<P>*>(args[I])...);
    return last_error ? cnrtErrorArgsInvalid : cnrtSuccess;
}
struct Parameters {
    std::vector<std::string> values;
};
}  // namespace xpemu
#define XPEMU_TEXT_(...) #__VA_ARGS__
#define XPEMU_TEXT(...) XPEMU_TEXT_(__VA_ARGS__)

typedef xpemu::Parameters* cnrtKernelParamsBuffer_t;
#define XPEMU_API inline cnrtRet_t
XPEMU_API cnrtGetKernelParamsBuffer(cnrtKernelParamsBuffer_t* p) {
    *p = new xpemu::Parameters;
    return cnrtSuccess;
}
XPEMU_API cnrtKernelParamsBufferAddParam(cnrtKernelParamsBuffer_t p, const void* value, std::size_t bytes) {
    p->values.emplace_back(static_cast<const char*>(value), bytes);
    return cnrtSuccess;
}
XPEMU_API cnrtDestroyKernelParamsBuffer(cnrtKernelParamsBuffer_t p) {
    delete p;
    return cnrtSuccess;
}
template <class... P>
XPEMU_API cnrtInvokeKernel_V2(void (*kernel)(P...), cnrtDim3_t dim, cnrtKernelParamsBuffer_t p, cnrtFunctionType_t type, cnrtQueue_t queue,
                              int line = __builtin_LINE()) {
    std::vector<void*> args;
    for (auto& v : p->values) {
        v.resize(v.size() + 16);
        args.push_back(v.data());
    }
    if (args.size() != sizeof...(P)) return cnrtErrorArgsInvalid;
    return xpemu::invoke(kernel, xpemu::LaunchInfo{xpemu::function_name(reinterpret_cast<const void*>(kernel), "(by pointer)"), line, dim, type, queue}, args.data(), std::index_sequence_for<P...>{});
}
template <class... P>
XPEMU_API cnrtInvokeKernel_V3(void (*kernel)(P...), const void*, cnrtDim3_t dim, cnrtKernelParamsBuffer_t p, cnrtFunctionType_t type, cnrtQueue_t queue,
                              const void* = nullptr, int line = __builtin_LINE()) {
    return cnrtInvokeKernel_V2(kernel, dim, p, type, queue, line);
}
template <class... P>
XPEMU_API cnrtInvokeKernel(void (*kernel)(P...), cnrtDim3_t dim, cnrtFunctionType_t type, void** args, std::size_t, cnrtQueue_t queue,
                           int line = __builtin_LINE()) {
    return xpemu::invoke(kernel, xpemu::LaunchInfo{xpemu::function_name(reinterpret_cast<const void*>(kernel), "(by pointer)"), line, dim, type, queue}, args, std::index_sequence_for<P...>{});
}

typedef void* cnrtKernelInitParam_t;
XPEMU_API cnrtCreateKernelInitParam(cnrtKernelInitParam_t* p) { return *p = nullptr, cnrtSuccess; }
template <class F>
XPEMU_API cnrtInitKernelMemory(F, cnrtKernelInitParam_t) {
    return cnrtSuccess;
}
XPEMU_API cnrtDestroyKernelInitParamAndMemory(cnrtKernelInitParam_t) { return cnrtSuccess; }

// --------------------------------------------------------------------------------------------------- devices
typedef int cnrtDev_t;
typedef int CNdev;
typedef void* CNcontext;
enum cnrtDeviceAttr_t {
    cnrtAttrClusterCount = 1, cnrtAttrMcorePerCluster, cnrtAttrMCoreCountPerCluster, cnrtAttrMaxDimX, cnrtAttrMaxDimY, cnrtAttrMaxDimZ, cnrtAttrNramSizePerMcore,
    cnrtAttrWramSizePerMcore, cnrtAttrSharedRamSizePerCluster, cnrtAttrMaxClusterCountPerUnionTask, cnrtAttrISAVersion, cnrtAttrIsaVersion,
    cnrtAttrTotalMemSize, cnrtAttrComputeCapabilityMajor, cnrtAttrComputeCapabilityMinor,
};
enum CNdevice_attribute {
    CN_DEVICE_ATTRIBUTE_MAX_CLUSTER_COUNT = 1, CN_DEVICE_ATTRIBUTE_MAX_CORE_COUNT_PER_CLUSTER, CN_DEVICE_ATTRIBUTE_MAX_CLUSTER_COUNT_PER_UNION_TASK = 10,
    CN_DEVICE_ATTRIBUTE_NRAM_SIZE_PER_CORE = 7, CN_DEVICE_ATTRIBUTE_MAX_NRAM_SIZE_PER_CORE = 7, CN_DEVICE_ATTRIBUTE_MAX_WEIGHT_RAM_SIZE_PER_CORE = 8,
    CN_DEVICE_ATTRIBUTE_MAX_SHARED_RAM_SIZE_PER_CLUSTER = 9,
};
enum CNresult { CN_SUCCESS = 0, CN_ERROR_INVALID_VALUE = 1 };
enum KernelClass { CN_KERNEL_CLASS_BLOCK = 1, CN_KERNEL_CLASS_UNION = 4, CN_KERNEL_CLASS_UNION2 = 8, CN_KERNEL_CLASS_UNION4 = 16, CN_KERNEL_CLASS_UNION8 = 32, CN_KERNEL_CLASS_UNION16 = 64 };
namespace xpemu {
// In reverse order a program gets the smallest device there is: fewer tasks take more tiles each.
inline int device_clusters() {
    static const char* schedule = std::getenv("XPILER_SCHEDULE");
    static const bool smallest = schedule && !std::strcmp(schedule, "reverse");
    return smallest ? 1 : XPEMU_ARCH == 290 ? 16 : XPEMU_ARCH == 592 ? 12 : 4;
}
inline int attribute(int which) {
    switch (which) {
        case cnrtAttrClusterCount: return device_clusters();
        case cnrtAttrMcorePerCluster: case cnrtAttrMCoreCountPerCluster: return 4;
        case cnrtAttrNramSizePerMcore: return __MLU_NRAM_SIZE__ * 1024;
        case cnrtAttrWramSizePerMcore: return __MLU_WRAM_SIZE__ * 1024;
        case cnrtAttrSharedRamSizePerCluster: return __MLU_SRAM_SIZE__ * 1024;
        case cnrtAttrMaxClusterCountPerUnionTask: return device_clusters();
        case cnrtAttrISAVersion: case cnrtAttrIsaVersion: return XPEMU_ARCH;
        default: return 65535;
    }
}
}  // namespace xpemu
XPEMU_API cnrtDeviceGetAttribute(int* value, cnrtDeviceAttr_t which, int) {
    *value = xpemu::attribute(which);
    return cnrtSuccess;
}
inline CNresult cnDeviceGetAttribute(int* value, CNdevice_attribute which, CNdev) {
    *value = xpemu::attribute(which);
    return CN_SUCCESS;
}
inline CNresult cnInit(unsigned) { return CN_SUCCESS; }
inline CNresult cnDeviceGet(CNdev* d, int) { return *d = 0, CN_SUCCESS; }
inline CNresult cnCtxGetDevice(CNdev* d) { return *d = 0, CN_SUCCESS; }
struct cnrtDeviceProp_t {
    char name[128] = "Xpiler host emulator";
    int multiProcessorCount = 4 * xpemu::device_clusters(), clusterCount = xpemu::device_clusters(), McorePerCluster = 4, McoreCountPerCluster = 4;
    std::size_t totalMem = 16384;
    int major = XPEMU_ARCH / 100, minor = XPEMU_ARCH % 100;
};
XPEMU_API cnrtGetDeviceProperties(cnrtDeviceProp_t* p, int) {
    *p = cnrtDeviceProp_t{};
    return cnrtSuccess;
}
XPEMU_API cnrtInit(unsigned) { return cnrtSuccess; }
inline void cnrtDestroy() {}
XPEMU_API cnrtGetDeviceCount(unsigned* n) { return *n = 1, cnrtSuccess; }
XPEMU_API cnrtGetDeviceHandle(cnrtDev_t* d, int) { return *d = 0, cnrtSuccess; }
XPEMU_API cnrtSetCurrentDevice(cnrtDev_t) { return cnrtSuccess; }
XPEMU_API cnrtSetDevice(int d) { return d ? cnrtErrorNoDevice : cnrtSuccess; }
XPEMU_API cnrtGetDevice(int* d) { return *d = 0, cnrtSuccess; }
XPEMU_API cnrtSyncDevice() { return xpemu::queue_waited(nullptr), cnrtSuccess; }
XPEMU_API cnrtDeviceReset() { return cnrtSuccess; }

// ---------------------------------------------------------------------------------------------------- queues
XPEMU_API cnrtQueueCreate(cnrtQueue_t* q) { return *q = new cnrtQueueStruct, cnrtSuccess; }
XPEMU_API cnrtCreateQueue(cnrtQueue_t* q) { return cnrtQueueCreate(q); }
XPEMU_API cnrtQueueSync(cnrtQueue_t q) { return xpemu::queue_waited(q), cnrtPeekAtLastError(); }
XPEMU_API cnrtSyncQueue(cnrtQueue_t q) { return xpemu::queue_waited(q), cnrtPeekAtLastError(); }
XPEMU_API cnrtQueueQuery(cnrtQueue_t q) { return xpemu::queue_waited(q), cnrtSuccess; }
XPEMU_API cnrtQueueDestroy(cnrtQueue_t q) { return xpemu::queue_waited(q), delete q, cnrtSuccess; }
XPEMU_API cnrtDestroyQueue(cnrtQueue_t q) { return xpemu::queue_waited(q), delete q, cnrtSuccess; }

// ---------------------------------------------------------------------------------------------------- memory
enum cnrtMemTransDir_t {
    CNRT_MEM_TRANS_DIR_HOST2DEV = 0, CNRT_MEM_TRANS_DIR_DEV2DEV = 1, CNRT_MEM_TRANS_DIR_DEV2HOST = 2, CNRT_MEM_TRANS_DIR_HOST2HOST = 3,
    CNRT_MEM_TRANS_DIR_NODIR = 4,
    cnrtMemcpyHostToDev = 0, cnrtMemcpyDevToDev = 1, cnrtMemcpyDevToHost = 2, cnrtMemcpyHostToHost = 3, cnrtMemcpyNoDirection = 4, cnrtMemcpyPeerToPeer = 5,
};
typedef cnrtMemTransDir_t cnrtMemcpyKind;
template <class T>
XPEMU_API cnrtMalloc(T** at, std::size_t bytes) {
    *at = static_cast<T*>(xpemu::device_allocate(bytes, "device"));
    return *at ? cnrtSuccess : cnrtErrorNoMem;
}
XPEMU_API cnrtFree(void* p) { return !p || xpemu::device_release(p) ? cnrtSuccess : cnrtErrorArgsInvalid; }
template <class T>
XPEMU_API cnrtHostMalloc(T** at, std::size_t bytes) {
    *at = static_cast<T*>(xpemu::device_allocate(bytes, "host"));
    return *at ? cnrtSuccess : cnrtErrorNoMem;
}
template <class T>
XPEMU_API cnrtMallocHost(T** at, std::size_t bytes, unsigned = 0) {
    return cnrtHostMalloc(at, bytes);
}
XPEMU_API cnrtFreeHost(void* p) { return cnrtFree(p); }
XPEMU_API cnrtMemset(void* p, int value, std::size_t bytes) {
    xpemu::trace_copy("set", p, nullptr, bytes, value & 255);
    if (bytes) std::memset(p, value, bytes);
    return cnrtSuccess;
}
XPEMU_API cnrtMemsetAsync(void* p, int value, std::size_t bytes, cnrtQueue_t) { return cnrtMemset(p, value, bytes); }
namespace xpemu {
XPEMU_API host_copy(void* to, const void* from, std::size_t bytes, cnrtMemTransDir_t dir) {
    static const char* const names[] = {"h2d", "d2d", "d2h", "h2h", "default", "d2d"};
    const bool to_device = dir == 0 || dir == 1 || dir == 5, from_device = dir == 1 || dir == 2 || dir == 5;
    if (bytes && ((to_device && !xpemu::is_device_pointer(to)) || (from_device && !xpemu::is_device_pointer(from)))) return cnrtErrorArgsInvalid;
    xpemu::trace_copy(names[dir], to, from, bytes);
    if (bytes) std::memmove(to, from, bytes);
    return cnrtSuccess;
}
}  // namespace xpemu
// Waits for no queue.
XPEMU_API cnrtMemcpy(void* to, const void* from, std::size_t bytes, cnrtMemTransDir_t dir, int line = __builtin_LINE()) {
    for (const void* p : {static_cast<const void*>(to), from}) xpemu::check_host_copy({"cnrtMemcpy", line}, p);
    return xpemu::host_copy(to, from, bytes, dir);
}
XPEMU_API cnrtMemcpyAsync(void* to, const void* from, std::size_t bytes, cnrtQueue_t, cnrtMemTransDir_t dir) { return xpemu::host_copy(to, from, bytes, dir); }
XPEMU_API cnrtMemcpyAsync_V2(void* to, const void* from, std::size_t bytes, cnrtQueue_t, cnrtMemTransDir_t dir) { return xpemu::host_copy(to, from, bytes, dir); }
XPEMU_API cnrtMemcpyAsync_V3(void* to, const void* from, std::size_t bytes, cnrtQueue_t, cnrtMemTransDir_t dir) { return xpemu::host_copy(to, from, bytes, dir); }

// --------------------------------------------------------------------------------------------------- timing
struct cnrtNotifierStruct {
    std::chrono::steady_clock::time_point at;
};
typedef cnrtNotifierStruct* cnrtNotifier_t;
XPEMU_API cnrtNotifierCreate(cnrtNotifier_t* n) { return *n = new cnrtNotifierStruct{}, cnrtSuccess; }
XPEMU_API cnrtCreateNotifier(cnrtNotifier_t* n) { return cnrtNotifierCreate(n); }
XPEMU_API cnrtNotifierDestroy(cnrtNotifier_t n) { return delete n, cnrtSuccess; }
XPEMU_API cnrtDestroyNotifier(cnrtNotifier_t* n) { return delete *n, cnrtSuccess; }
XPEMU_API cnrtPlaceNotifier(cnrtNotifier_t n, cnrtQueue_t) { return n->at = std::chrono::steady_clock::now(), cnrtSuccess; }
XPEMU_API cnrtWaitNotifier(cnrtNotifier_t) { return xpemu::queue_waited(nullptr), cnrtSuccess; }
XPEMU_API cnrtQueueWaitNotifier(cnrtNotifier_t, cnrtQueue_t, unsigned) { return cnrtSuccess; }
XPEMU_API cnrtNotifierDuration(cnrtNotifier_t from, cnrtNotifier_t to, float* us) {
    *us = std::chrono::duration<float, std::micro>(to->at - from->at).count() + 1e-3f;  // never zero: hosts divide by it
    return cnrtSuccess;
}
XPEMU_API cnrtNotifierElapsedTime(cnrtNotifier_t from, cnrtNotifier_t to, float* ms) {
    *ms = std::chrono::duration<float, std::milli>(to->at - from->at).count() + 1e-6f;
    return cnrtSuccess;
}

// ------------------------------------------------------------------------------------------ types of the host
XPEMU_API cnrtConvertFloatToHalf(half* to, float from) { return *to = half(from), cnrtSuccess; }
XPEMU_API cnrtConvertFloatToHalf(std::uint16_t* to, float from) { return *to = half(from).x, cnrtSuccess; }
XPEMU_API cnrtConvertHalfToFloat(float* to, half from) { return *to = from, cnrtSuccess; }
XPEMU_API cnrtConvertHalfToFloat(float* to, std::uint16_t from) { return *to = half::from_bits(from), cnrtSuccess; }
