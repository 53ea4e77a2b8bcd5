"""What programs use of the toolkit samples' `helper_cuda.h` and `helper_functions.h`, written for HIP."""

from __future__ import annotations

from xpiler.backend.hip_helper import Helper

SAMPLE_HEADERS = frozenset(
    "helper_cuda.h helper_functions.h helper_string.h helper_timer.h helper_image.h exception.h".split()
)
"""Headers of the toolkit samples; they include CUDA's own and so cannot stay."""

SAMPLE_HELPERS: dict[str, Helper] = {
    "checkCudaErrors": Helper(
        """#include <cstdio>
#include <cstdlib>
// Ends the program with a message when a runtime call fails.
template <typename T> static inline void check_call(T result, const char* call, const char* file, int line) {
    if ((int)result == 0) return;
    fprintf(stderr, "%s:%d: %s failed with code %d\\n", file, line, call, (int)result);
    exit(EXIT_FAILURE);
}
#define checkCudaErrors(call) check_call((call), #call, __FILE__, __LINE__)"""
    ),
    "getLastCudaError": Helper(
        """#define getLastCudaError(message) check_call(hipGetLastError(), message, __FILE__, __LINE__)""",
        ("checkCudaErrors",),
    ),
    "checkCmdLineFlag": Helper(
        """#include <cstring>
// The text after `-name` or `--name` (and `=`) among the arguments, or null.
static inline const char* command_line_value(int argc, const char** argv, const char* name) {
    for (int i = 1; i < argc; ++i) {
        const char* text = argv[i];
        while (*text == '-') ++text;
        const size_t length = strlen(name);
        if (text == argv[i] || strncmp(text, name, length) != 0) continue;
        if (text[length] == '=') return text + length + 1;
        if (text[length] == 0) return text + length;
    }
    return nullptr;
}
static inline bool checkCmdLineFlag(int argc, const char** argv, const char* name) {
    return command_line_value(argc, argv, name) != nullptr;
}"""
    ),
    "getCmdLineArgumentInt": Helper(
        """#include <cstdlib>
static inline int getCmdLineArgumentInt(int argc, const char** argv, const char* name) {
    const char* text = command_line_value(argc, argv, name);
    return text ? atoi(text) : 0;
}""",
        ("checkCmdLineFlag",),
    ),
    "getCmdLineArgumentFloat": Helper(
        """#include <cstdlib>
static inline float getCmdLineArgumentFloat(int argc, const char** argv, const char* name) {
    const char* text = command_line_value(argc, argv, name);
    return text ? (float)atof(text) : 0.0f;
}""",
        ("checkCmdLineFlag",),
    ),
    "getCmdLineArgumentString": Helper(
        """static inline bool getCmdLineArgumentString(int argc, const char** argv, const char* name,
                                            char** value) {
    const char* text = command_line_value(argc, argv, name);
    *value = const_cast<char*>(text);
    return text != nullptr;
}""",
        ("checkCmdLineFlag",),
    ),
    "findCudaDevice": Helper(
        """// Uses the device that `-device=N` names, or device 0.
static inline int findCudaDevice(int argc, const char** argv) {
    const int device = getCmdLineArgumentInt(argc, argv, "device");
    checkCudaErrors(hipSetDevice(device));
    return device;
}""",
        ("checkCudaErrors", "getCmdLineArgumentInt"),
    ),
    "gpuGetMaxGflopsDeviceId": Helper("static inline int gpuGetMaxGflopsDeviceId() { return 0; }"),
    "gpuDeviceInit": Helper(
        """static inline int gpuDeviceInit(int device) {
    checkCudaErrors(hipSetDevice(device < 0 ? 0 : device));
    return device < 0 ? 0 : device;
}""",
        ("checkCudaErrors",),
    ),
    "sdkCreateTimer": Helper(
        """#include <chrono>
// The samples' stop watch: milliseconds, summed over start and stop.
struct StopWatchInterface {
    std::chrono::steady_clock::time_point started = std::chrono::steady_clock::now();
    float total = 0.0f;
    int runs = 0;
    bool running = false;
};
static inline float stop_watch_running(const StopWatchInterface* watch) {
    const auto passed = std::chrono::steady_clock::now() - watch->started;
    return watch->running ? std::chrono::duration<float, std::milli>(passed).count() : 0.0f;
}
static inline bool sdkCreateTimer(StopWatchInterface** watch) {
    *watch = new StopWatchInterface;
    return true;
}
static inline bool sdkDeleteTimer(StopWatchInterface** watch) {
    delete *watch;
    *watch = nullptr;
    return true;
}
static inline bool sdkStartTimer(StopWatchInterface** watch) {
    (*watch)->started = std::chrono::steady_clock::now();
    return (*watch)->running = true;
}
static inline bool sdkStopTimer(StopWatchInterface** watch) {
    (*watch)->total += stop_watch_running(*watch);
    (*watch)->running = false;
    return ++(*watch)->runs > 0;
}
static inline bool sdkResetTimer(StopWatchInterface** watch) {
    (*watch)->total = 0.0f;
    (*watch)->runs = 0;
    (*watch)->started = std::chrono::steady_clock::now();
    return true;
}
static inline float sdkGetTimerValue(StopWatchInterface** watch) {
    return (*watch)->total + stop_watch_running(*watch);
}
static inline float sdkGetAverageTimerValue(StopWatchInterface** watch) {
    return (*watch)->runs > 0 ? (*watch)->total / (*watch)->runs : 0.0f;
}"""
    ),
    "sdkCompareL2fe": Helper(
        """#include <cmath>
// Is the relative L2 distance of the data from the reference below epsilon?
static inline bool sdkCompareL2fe(const float* reference, const float* data, unsigned n, float epsilon) {
    float error = 0.0f, size = 0.0f;
    for (unsigned i = 0; i < n; ++i) {
        error += (reference[i] - data[i]) * (reference[i] - data[i]);
        size += reference[i] * reference[i];
    }
    return size >= 1e-7f && std::sqrt(error) / std::sqrt(size) < epsilon;
}"""
    ),
    "MAX": Helper("#ifndef MAX\n#define MAX(a, b) ((a) > (b) ? (a) : (b))\n#endif"),
    "MIN": Helper("#ifndef MIN\n#define MIN(a, b) ((a) < (b) ? (a) : (b))\n#endif"),
}
_TIMER = (
    "StopWatchInterface sdkDeleteTimer sdkStartTimer sdkStopTimer sdkResetTimer sdkGetTimerValue "
    "sdkGetAverageTimerValue"
)
SAMPLE_NAMES = {name: name for name in SAMPLE_HELPERS} | dict.fromkeys(_TIMER.split(), "sdkCreateTimer")
"""Name in a program -> the helper that defines it."""
