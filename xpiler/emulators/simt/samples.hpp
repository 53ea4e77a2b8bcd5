// What helper_cuda.h, helper_functions.h and helper_timer.h of the CUDA samples offer: error checks, timers, arguments.
#pragma once

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#ifndef EXIT_WAIVED
#define EXIT_WAIVED 2
#endif
#ifndef MAX
#define MAX(a, b) ((a) > (b) ? (a) : (b))
#endif
#ifndef MIN
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#endif

inline const char* _cudaGetErrorEnum(cudaError_t error) { return cudaGetErrorName(error); }
template <class T>
inline void check(T result, const char* call, const char* file, int line) {
    if (!result) return;
    std::fprintf(stderr, "CUDA error at %s:%d code=%d(%s) \"%s\"\n", file, line, static_cast<int>(result),
                 cudaGetErrorName(static_cast<cudaError_t>(result)), call);
    std::exit(EXIT_FAILURE);
}
#define checkCudaErrors(call) check((call), #call, __FILE__, __LINE__)
inline void xpemu_last_error(const char* message, const char* file, int line, bool stop) {
    const cudaError_t error = cudaGetLastError();
    if (error == cudaSuccess) return;
    std::fprintf(stderr, "%s(%d): CUDA error: %s: (%d) %s\n", file, line, message, static_cast<int>(error), cudaGetErrorString(error));
    if (stop) std::exit(EXIT_FAILURE);
}
#define getLastCudaError(message) xpemu_last_error(message, __FILE__, __LINE__, true)
#define printLastCudaError(message) xpemu_last_error(message, __FILE__, __LINE__, false)

inline int findCudaDevice(int, const char**) { return 0; }
inline int gpuDeviceInit(int) { return 0; }
inline int gpuGetMaxGflopsDeviceId() { return 0; }
inline bool checkCudaCapabilities(int, int) { return true; }
inline int _ConvertSMVer2Cores(int, int) { return 64; }
inline const char* _ConvertSMVer2ArchName(int, int) { return "Ampere"; }
inline int ftoi(float v) { return v >= 0 ? static_cast<int>(v + 0.5f) : static_cast<int>(v - 0.5f); }

struct StopWatchInterface {
    double from = 0;   // milliseconds
    double total = 0;  // milliseconds
    int sessions = 0;
    bool running = false;
    double since() const { return xpemu::host_milliseconds() - from; }
};
inline bool sdkCreateTimer(StopWatchInterface** timer) { return *timer = new StopWatchInterface; }
inline bool sdkDeleteTimer(StopWatchInterface** timer) {
    delete *timer;
    *timer = nullptr;
    return true;
}
inline bool sdkStartTimer(StopWatchInterface** timer) {
    (*timer)->from = xpemu::host_milliseconds();
    return (*timer)->running = true;
}
inline bool sdkStopTimer(StopWatchInterface** timer) {
    (*timer)->total += (*timer)->since();
    ++(*timer)->sessions;
    (*timer)->running = false;
    return true;
}
inline bool sdkResetTimer(StopWatchInterface** timer) {
    (*timer)->total = 0;
    (*timer)->sessions = 0;
    (*timer)->from = xpemu::host_milliseconds();
    return true;
}
inline float sdkGetTimerValue(StopWatchInterface** timer) {
    return static_cast<float>((*timer)->total + ((*timer)->running ? (*timer)->since() : 0));
}
inline float sdkGetAverageTimerValue(StopWatchInterface** timer) {
    return (*timer)->sessions ? static_cast<float>((*timer)->total / (*timer)->sessions) : 0.0f;
}

// "-name" or "--name", alone or with "=value".
inline const char* xpemu_argument(int count, const char** values, const char* name) {
    const std::size_t length = std::strlen(name);
    for (int i = 1; i < count; ++i) {
        const char* text = values[i];
        while (*text == '-') ++text;
        if (text != values[i] && !std::strncmp(text, name, length) && (!text[length] || text[length] == '=')) return text + length;
    }
    return nullptr;
}
inline bool checkCmdLineFlag(int count, const char** values, const char* name) { return xpemu_argument(count, values, name); }
inline int getCmdLineArgumentInt(int count, const char** values, const char* name) {
    const char* text = xpemu_argument(count, values, name);
    return text && *text ? std::atoi(text + 1) : 0;
}
inline float getCmdLineArgumentFloat(int count, const char** values, const char* name) {
    const char* text = xpemu_argument(count, values, name);
    return text && *text ? static_cast<float>(std::atof(text + 1)) : 0.0f;
}
inline bool getCmdLineArgumentString(int count, const char** values, const char* name, char** result) {
    const char* text = xpemu_argument(count, values, name);
    *result = text && *text ? const_cast<char*>(text + 1) : nullptr;
    return *result;
}
template <class T>
inline bool getCmdLineArgumentValue(int count, const char** values, const char* name, T* result) {
    const char* text = xpemu_argument(count, values, name);
    if (text && *text) *result = static_cast<T>(std::atof(text + 1));
    return text;
}
inline char* sdkFindFilePath(const char*, const char*) { return nullptr; }

template <class T, class S>
inline bool compareData(const T* reference, const T* data, unsigned count, S epsilon, float threshold) {
    unsigned wrong = 0;
    for (unsigned i = 0; i < count; ++i)
        wrong += !(std::fabs(static_cast<double>(reference[i]) - static_cast<double>(data[i])) <= static_cast<double>(epsilon));
    return static_cast<float>(wrong) <= threshold * static_cast<float>(count);
}
inline bool sdkCompareL2fe(const float* reference, const float* data, unsigned count, float epsilon) {
    double error = 0, size = 0;
    for (unsigned i = 0; i < count; ++i) {
        const double d = static_cast<double>(reference[i]) - data[i];
        error += d * d;
        size += static_cast<double>(reference[i]) * reference[i];
    }
    return size > 0 && std::sqrt(error) / std::sqrt(size) < epsilon;
}
