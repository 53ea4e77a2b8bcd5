// Calls an entry under test, once a case, each in a forked child, with every buffer between guard zones.
//
// usage: program MANIFEST. The manifest is text, one directive a line (see execute.py, which writes it):
//   case ID ARGUMENTS / entry NAME / schedule NAME / layout start|end / rounding nearest|up|down / trapped number|exact / again 1 / launch GX GY GZ BX BY BZ SHARED
//   (trapped: a float operation whose result is no number, or too large for any, ends the call; exact: one that rounds; again: called twice, the second result counts)
//   buffer SLOT NAME BYTES ALIGNMENT in|out|inout FILE|- POISON   (POISON: hex bytes of one element)
//   scalar SLOT HEX
//   expect SLOT TYPE SIZE FILE     (what is right: for each element value and allowed error as doubles, then a byte each)
//   trials FILE RESULTS MILLISECONDS
//   run
//   until-fault      (at the beginning: no case is run after the first that ends badly)
// A buffer whose slot lies behind the arguments is a variable of the program: filled before the call, read after it.
// A case that ends well leaves `done-ID` (seconds, those of processor time, samples) and `out-ID-SLOT` for each buffer that is
// not `in`. A case with trials is run once for each line of FILE (numbers of sites and choices, see `trials.py`), with
// the program's `xpiler_on` set to them, and leaves no buffers but RESULTS, a line each; an access outside a buffer is
// reported and does not end it, so that it shows how wrong the rest is. What goes wrong is a JSON line
// in `events-ID.jsonl`, the file that XPILER_EVENTS names for the emulators too.

#include <algorithm>
#include <cerrno>
#include <cfenv>
#include <chrono>
#include <cmath>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string>
#include <vector>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

struct XpilerLaunch {
    unsigned grid[3], block[3];
    std::size_t shared;
};

struct XpilerGlobal {
    const char* name;  // null in the last one
    void* address;
    std::size_t bytes;
};
struct XpilerEntry {
    const char* name;  // null in the last one
    int arguments;
    const std::size_t* sizes;
    void (*call)(void* const* slots, const XpilerLaunch* launch);
    const XpilerGlobal* globals;  // null if there are none
};
// From the generated call shim.
extern "C" const XpilerEntry xpiler_entries[];
// From the emulators, which name kernel, block and thread in their events; absent on platforms without one.
extern "C" __attribute__((weak)) void xpiler_register(const char* name, void* base, std::size_t bytes, void* low, void* high);
extern "C" __attribute__((weak)) void xpiler_check();
extern "C" __attribute__((weak)) int xpiler_last_error();
// Of a program without the variables of another file: ends it if this is a place in one.
extern "C" __attribute__((weak)) void xpiler_absent_at(const void* place);
// Of a program with a clock around its kernels: what they have taken so far.
extern "C" __attribute__((weak)) double xpiler_kernel_seconds;
// Of a program with several forms of its statements: which of them run.
extern "C" __attribute__((weak)) unsigned short xpiler_on[];

// Where rounding is directed, functions go two units further: no device's are exact. (Linked with `--wrap`, if at all.)
static int direction = 0;
template <class T>
static T nudged(T y) {
    if (!direction || y == 0 || !std::isfinite(y)) return y;
    const T end = direction > 0 ? INFINITY : -INFINITY;
    return std::nextafter(std::nextafter(y, end), end);
}
#if defined(__linux__)
#define NUDGED(T, NAME)                                        \
    extern "C" __attribute__((weak)) T __real_##NAME(T);       \
    extern "C" T __wrap_##NAME(T x) { return nudged(__real_##NAME(x)); }
#define NUDGED_BOTH(NAME) NUDGED(double, NAME) NUDGED(float, NAME##f)
NUDGED_BOTH(exp) NUDGED_BOTH(exp2) NUDGED_BOTH(expm1) NUDGED_BOTH(log) NUDGED_BOTH(log2) NUDGED_BOTH(log10)
NUDGED_BOTH(log1p) NUDGED_BOTH(sin) NUDGED_BOTH(cos) NUDGED_BOTH(tanh) NUDGED_BOTH(erf) NUDGED_BOTH(erfc)
// The nearest integer is what a program asks for, and no rounding error.
#define NEAREST(TO, NAME, T)                             \
    extern "C" __attribute__((weak)) TO __real_##NAME(T); \
    extern "C" TO __wrap_##NAME(T x) {                   \
        if (direction) std::fesetround(FE_TONEAREST);    \
        const TO y = __real_##NAME(x);                   \
        if (direction) std::fesetround(direction > 0 ? FE_UPWARD : FE_DOWNWARD); \
        return y;                                        \
    }
NEAREST(double, rint, double) NEAREST(float, rintf, float) NEAREST(double, nearbyint, double)
NEAREST(float, nearbyintf, float) NEAREST(long, lrint, double) NEAREST(long, lrintf, float)
NEAREST(long long, llrint, double) NEAREST(long long, llrintf, float)
#endif

namespace {

constexpr std::size_t guard_bytes = std::size_t{16} << 20;
constexpr unsigned char canary = 0xFF;  // NaN as any float, -1 as an integer: a stray read shows in the result
constexpr int reported = 86;            // exit code: the event is in the file

struct Buffer {
    std::string name, file, role;
    std::size_t slot = 0, bytes = 0, alignment = 1;
    std::vector<unsigned char> poison;
    unsigned char *pages = nullptr, *data = nullptr;
    std::size_t page_bytes = 0;
};

struct Scalar {
    std::size_t slot = 0;
    std::vector<unsigned char> bytes;
};

// The right values of a buffer: `kind` 0: within `bound` of `value`; 1: anything; 2: NaN; 3: never written.
struct Expected {
    std::size_t slot = 0;
    std::string type;
    std::vector<double> value, bound;
    std::vector<unsigned char> kind;
};

struct Case {
    std::string id, schedule = "forward", layout = "end", rounding = "nearest";
    const XpilerEntry* entry = xpiler_entries;
    std::size_t arguments = 0;
    XpilerLaunch launch{{1, 1, 1}, {1, 1, 1}, 0};
    std::vector<Buffer> buffers;
    std::vector<Scalar> scalars;
    std::vector<Expected> expected;
    std::string trials, results;
    unsigned milliseconds = 0;
    std::string trapped;
    int again = 0;
};

// How far a trial is from what is right. Shared by parent and child.
struct Score {
    unsigned finished, faults;
    unsigned long wrong;
    double distance;
};
Score* score = nullptr;

Case* current = nullptr;
char events_path[256];

[[noreturn]] void fail(const char* what) {
    std::fprintf(stderr, "xpiler runner: %s: %s\n", what, std::strerror(errno));
    _exit(87);
}

std::vector<unsigned char> from_hex(const char* text) {
    std::vector<unsigned char> bytes;
    for (; text[0] && text[1]; text += 2) {
        char pair[3] = {text[0], text[1], 0};
        bytes.push_back(static_cast<unsigned char>(std::strtoul(pair, nullptr, 16)));
    }
    return bytes;
}

void place(Buffer& buffer, bool at_end) {
    const std::size_t page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    buffer.page_bytes = (buffer.bytes + page - 1) / page * page;
    if (buffer.page_bytes == 0) buffer.page_bytes = page;
    void* zone = mmap(nullptr, buffer.page_bytes + 2 * guard_bytes, PROT_NONE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (zone == MAP_FAILED) fail("mmap");
    buffer.pages = static_cast<unsigned char*>(zone) + guard_bytes;
    if (mprotect(buffer.pages, buffer.page_bytes, PROT_READ | PROT_WRITE) != 0) fail("mprotect");
    std::memset(buffer.pages, canary, buffer.page_bytes);
    std::size_t offset = at_end ? buffer.page_bytes - buffer.bytes : 0;
    buffer.data = buffer.pages + offset / buffer.alignment * buffer.alignment;
}

void fill(Buffer& buffer) {
    if (buffer.file == "-") {
        for (std::size_t i = 0; i < buffer.bytes; ++i) buffer.data[i] = buffer.poison[i % buffer.poison.size()];
        return;
    }
    std::FILE* file = std::fopen(buffer.file.c_str(), "rb");
    if (!file || std::fread(buffer.data, 1, buffer.bytes, file) != buffer.bytes) fail(buffer.file.c_str());
    std::fclose(file);
}

// Only async-signal-safe calls below: the program under test may be in any state.
void report(const char* line) {
    if (score) ++score->faults;
    int file = open(events_path, O_WRONLY | O_CREAT | O_APPEND, 0600);
    if (file >= 0) {
        ssize_t written = write(file, line, std::strlen(line));
        (void)written;
        close(file);
    }
}

void out_of_bounds(char* line, std::size_t room, const Buffer& buffer, const unsigned char* at, const char* access) {
    std::snprintf(line, room,
                  "{\"event\": \"oob\", \"access\": \"%s\", \"array\": \"%s\", \"kind\": \"argument\", \"size\": %zu, "
                  "\"offset\": %lld, \"message\": \"\"}\n",
                  access, buffer.name.c_str(), buffer.bytes, static_cast<long long>(at - buffer.data));
}

// The page of a guard can be used from now on: a trial shows how wrong the whole of a run is.
void open_guard(const unsigned char* address) {
    constexpr std::size_t page = 4096;
    auto* start = const_cast<unsigned char*>(address - reinterpret_cast<std::uintptr_t>(address) % page);
    if (mprotect(start, page, PROT_READ | PROT_WRITE) != 0) _exit(reported);
    std::memset(start, canary, page);
}

void on_fault(int number, siginfo_t* info, void* context) {
    if (number == SIGSEGV && xpiler_absent_at) xpiler_absent_at(info->si_addr);
    const unsigned char* address = static_cast<const unsigned char*>(info->si_addr);
    const char* access = "access";
    unsigned long stack = 0;
#if defined(__x86_64__)
    const auto& registers = static_cast<ucontext_t*>(context)->uc_mcontext.gregs;
    if (number == SIGSEGV) access = (registers[REG_ERR] & 2) ? "write" : "read";
    stack = static_cast<unsigned long>(registers[REG_RSP]);
#else
    (void)context;
#endif
    char line[1024];
    if (number == SIGSEGV) {
        for (const Buffer& buffer : current->buffers) {
            if (address < buffer.pages - guard_bytes || address >= buffer.pages + buffer.page_bytes + guard_bytes)
                continue;
            out_of_bounds(line, sizeof line, buffer, address, access);
            report(line);
            if (!score) _exit(reported);
            open_guard(address);
            return;
        }
    }
    unsigned long at = reinterpret_cast<unsigned long>(address);
    bool overflow = number == SIGSEGV && at + (1 << 16) > stack && at < stack + (1 << 16);
    bool null = number == SIGSEGV && at < 4096;
    const char* name = number == SIGSEGV ? "SIGSEGV" : number == SIGBUS ? "SIGBUS" : number == SIGFPE ? "SIGFPE"
                     : number == SIGILL ? "SIGILL" : "SIGABRT";
    std::snprintf(line, sizeof line, "{\"event\": \"crash\", \"signal\": \"%s\", \"access\": \"%s\", \"message\": \"%s\"}\n",
                  name, access, overflow ? "stack overflow" : null ? "null pointer" : "");
    report(line);
    _exit(reported);
}

void catch_faults() {
    static unsigned char alternate[1 << 16];
    stack_t stack{};
    stack.ss_sp = alternate;
    stack.ss_size = sizeof alternate;
    sigaltstack(&stack, nullptr);
    struct sigaction action {};
    action.sa_sigaction = on_fault;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK | (score ? 0 : static_cast<int>(SA_RESETHAND));
    for (int number : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT}) sigaction(number, &action, nullptr);
}

// The first byte around a buffer that somebody has written, or null.
const unsigned char* broken_canary(const Buffer& buffer) {
    for (const unsigned char* byte = buffer.pages; byte < buffer.pages + buffer.page_bytes; ++byte) {
        if (byte == buffer.data) byte += buffer.bytes;
        if (byte == buffer.pages + buffer.page_bytes) break;
        if (*byte != canary) return byte;
    }
    return nullptr;
}

// Fills the program's variables from their buffers, or reads them back.
void exchange_globals(Case& test, bool fill) {
    for (Buffer& buffer : test.buffers) {
        if (buffer.slot < test.arguments) continue;
        const XpilerGlobal* found = test.entry->globals;
        while (found && found->name && buffer.name != found->name) ++found;
        if (!found || !found->name || found->bytes != buffer.bytes) {
            char line[512];
            std::snprintf(line, sizeof line,
                          "{\"event\": \"contract\", \"message\": \"variable %s has %zu bytes in the program, %zu in the contract\"}\n",
                          buffer.name.c_str(), found && found->name ? found->bytes : 0, buffer.bytes);
            report(line);
            _exit(reported);
        }
        if (fill) std::memcpy(found->address, buffer.data, buffer.bytes);
        else if (buffer.role != "in") std::memcpy(buffer.data, found->address, buffer.bytes);
    }
}

double decoded(const unsigned char* at, const std::string& type) {
    const auto as = [at](auto value) {
        std::memcpy(&value, at, sizeof value);
        return static_cast<double>(value);
    };
    if (type == "f32") return as(0.0f);
    if (type == "f64") return as(0.0);
    if (type == "bf16") {
        std::uint16_t bits;
        std::memcpy(&bits, at, 2);
        std::uint32_t wide = static_cast<std::uint32_t>(bits) << 16;
        float value;
        std::memcpy(&value, &wide, 4);
        return value;
    }
    if (type == "f16") {
        std::uint16_t bits;
        std::memcpy(&bits, at, 2);
        const int exponent = bits >> 10 & 31, fraction = bits & 1023;
        double value = exponent == 31 ? (fraction ? NAN : INFINITY)
                     : exponent ? std::ldexp(1024 + fraction, exponent - 25) : std::ldexp(fraction, -24);
        return bits & 0x8000 ? -value : value;
    }
    if (type == "i8") return as(std::int8_t{});
    if (type == "i16") return as(std::int16_t{});
    if (type == "i32") return as(std::int32_t{});
    if (type == "i64") return as(std::int64_t{});
    if (type == "u16") return as(std::uint16_t{});
    if (type == "u32") return as(std::uint32_t{});
    if (type == "u64") return as(std::uint64_t{});
    return as(std::uint8_t{});
}

bool is_right(const Expected& right, std::size_t i, double got, bool unwritten) {
    switch (right.kind[i]) {
        case 1: return true;
        case 2: return std::isnan(got) && !unwritten;
        case 3: return unwritten;
        // An integer may be the pattern of what is not written: the run that begins with another one tells.
        default: return got == right.value[i] || (!unwritten && std::fabs(got - right.value[i]) <= right.bound[i]);
    }
}

// Counts the wrong elements. In the distance one counts less where its neighbours go up and down as they should: then a
// factor is wrong, or an offset. One that is no number, or was not written, counts more.
void judge(const Case& test) {
    constexpr std::size_t block = 64;
    for (const Expected& right : test.expected) {
        for (const Buffer& buffer : test.buffers) {
            if (buffer.slot != right.slot) continue;
            const std::size_t width = buffer.poison.size();
            for (std::size_t first = 0; first < right.value.size(); first += block) {
                double n = 0, x = 0, y = 0, xx = 0, yy = 0, xy = 0, off = 0;
                bool finite = true;
                for (std::size_t i = first; i < right.value.size() && i < first + block; ++i) {
                    const unsigned char* at = buffer.data + i * width;
                    const double got = decoded(at, right.type), want = right.value[i];
                    const bool unwritten = std::memcmp(at, buffer.poison.data(), width) == 0;
                    if (!is_right(right, i, got, unwritten)) {
                        ++score->wrong;
                        off += unwritten || !std::isfinite(got) ? 1.3 : 1;
                        finite = finite && !unwritten && std::isfinite(got);
                    }
                    if (right.kind[i] || unwritten || !std::isfinite(got) || !std::isfinite(want)) continue;
                    n += 1, x += got, y += want, xx += got * got, yy += want * want, xy += got * want;
                }
                const double vx = n * xx - x * x, vy = n * yy - y * y, v = n * xy - x * y;
                const double alike = finite && n > 3 && vx > 1e-12 * n * xx && vy > 0 ? v * v / (vx * vy) : 0;
                score->distance += off * (1 - 0.8 * (alike < 1 ? alike : 1));
            }
        }
    }
}

// With XPILER_SAMPLES=N,S: the call N times more, each sample as many calls as take S seconds; seconds of one call, or of its
// kernels alone where the program has a clock around them.
std::vector<double> repeated(const Case& test, std::vector<void*>& slots) {
    std::vector<double> samples;
    const char* asked = std::getenv("XPILER_SAMPLES");
    int count = 0;
    double least = 0;
    if (!asked || std::sscanf(asked, "%d,%lf", &count, &least) != 2) return samples;
    const auto timed = [&](long calls) {
        const double before = &xpiler_kernel_seconds ? xpiler_kernel_seconds : 0;
        const auto start = std::chrono::steady_clock::now();
        for (long i = 0; i < calls; ++i) test.entry->call(slots.data(), &test.launch);
        if (&xpiler_kernel_seconds) return xpiler_kernel_seconds - before;
        return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    };
    long calls = 1;
    while (calls < 1L << 30 && timed(calls) < least) calls *= 2;
    for (int i = 0; i < count; ++i) samples.push_back(timed(calls) / calls);
    return samples;
}

void run_case(Case& test) {
    current = &test;
    std::snprintf(events_path, sizeof events_path, "events-%s.jsonl", test.id.c_str());
    setenv("XPILER_EVENTS", events_path, 1);
    setenv("XPILER_SCHEDULE", test.schedule.c_str(), 1);
    if (score) setenv("XPILER_GOES_ON", "1", 1);

    std::vector<void*> slots(test.arguments, nullptr);
    std::vector<void*> pointers(test.arguments, nullptr);  // null where the call gets no array
    for (std::size_t slot = 0; slot < test.arguments; ++slot) slots[slot] = &pointers[slot];
    for (Buffer& buffer : test.buffers) {
        place(buffer, test.layout == "end");
        fill(buffer);
        if (buffer.slot >= test.arguments) continue;
        if (xpiler_register)
            xpiler_register(buffer.name.c_str(), buffer.data, buffer.bytes, buffer.pages - guard_bytes,
                            buffer.pages + buffer.page_bytes + guard_bytes);
        if (buffer.role == "in") mprotect(buffer.pages, buffer.page_bytes, PROT_READ);
        pointers[buffer.slot] = buffer.data;
    }
    for (Scalar& scalar : test.scalars) slots[scalar.slot] = scalar.bytes.data();
    for (std::size_t slot = 0; slot < test.arguments; ++slot) {
        std::size_t given = sizeof(void*);
        for (const Scalar& scalar : test.scalars)
            if (scalar.slot == slot) given = scalar.bytes.size();
        if (static_cast<int>(test.arguments) != test.entry->arguments || given != test.entry->sizes[slot]) {
            char line[256];
            std::snprintf(line, sizeof line,
                          "{\"event\": \"contract\", \"message\": \"argument %zu of %zu has %zu bytes in the program (of "
                          "%d arguments), %zu in the contract\"}\n",
                          slot + 1, test.arguments, test.entry->sizes[slot], test.entry->arguments, given);
            report(line);
            _exit(reported);
        }
    }

    exchange_globals(test, true);
    if (!xpiler_register) catch_faults();
    auto start = std::chrono::steady_clock::now();
    std::clock_t used = std::clock();
    direction = test.rounding == "up" ? 1 : test.rounding == "down" ? -1 : 0;
    if (direction) std::fesetround(direction > 0 ? FE_UPWARD : FE_DOWNWARD);
#ifdef __GLIBC__  // threads and fibers that begin later begin with it
    if (test.trapped == "number") feenableexcept(FE_INVALID | FE_OVERFLOW);
    if (test.trapped == "exact") feenableexcept(FE_INEXACT);
#else
    if (test.trapped == "exact") std::abort();  // nobody knows
#endif
    test.entry->call(slots.data(), &test.launch);
    if (test.again) {
        for (Buffer& buffer : test.buffers)
            if (buffer.role != "in") fill(buffer);
        exchange_globals(test, true);
        test.entry->call(slots.data(), &test.launch);
    }
#ifdef __GLIBC__
    fedisableexcept(FE_ALL_EXCEPT);
#endif
    std::fesetround(FE_TONEAREST);
    double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    double processor = static_cast<double>(std::clock() - used) / CLOCKS_PER_SEC;
    std::vector<double> samples = repeated(test, slots);

    exchange_globals(test, false);
    if (xpiler_check) xpiler_check();
    if (xpiler_last_error && xpiler_last_error() != 0) {
        char line[128];
        std::snprintf(line, sizeof line, "{\"event\": \"api-error\", \"message\": \"error code %d left by a launch or API call\"}\n",
                      xpiler_last_error());
        report(line);
    }
    for (const Buffer& buffer : test.buffers) {
        if (buffer.role == "in") continue;
        if (const unsigned char* broken = broken_canary(buffer)) {
            char line[1024];
            out_of_bounds(line, sizeof line, buffer, broken, "write");
            report(line);
        }
        if (score) continue;
        char path[64];
        std::snprintf(path, sizeof path, "out-%s-%zu", test.id.c_str(), buffer.slot);
        std::FILE* file = std::fopen(path, "wb");
        if (!file || std::fwrite(buffer.data, 1, buffer.bytes, file) != buffer.bytes) fail(path);
        std::fclose(file);
    }
    if (score) {
        judge(test);
        score->finished = 1;
        _exit(0);
    }
    char path[64];
    std::snprintf(path, sizeof path, "done-%s", test.id.c_str());
    std::FILE* file = std::fopen(path, "w");
    if (!file) fail(path);
    std::fprintf(file, "%.9f\n%.9f\n", seconds, processor);
    for (double sample : samples) std::fprintf(file, "%.9f\n", sample);
    std::fclose(file);
    std::fflush(nullptr);
    _exit(0);
}

// Seconds of processor time that all cases so far took.
double spent_in_children() {
    rusage used {};
    getrusage(RUSAGE_CHILDREN, &used);
    const auto seconds = [](const timeval& t) { return static_cast<double>(t.tv_sec) + 1e-6 * static_cast<double>(t.tv_usec); };
    return seconds(used.ru_utime) + seconds(used.ru_stime);
}

// Whether it came to its end, with nothing reported.
bool run_in_child(Case& test) {
    std::fflush(nullptr);
    pid_t child = fork();
    if (child < 0) fail("fork");
    if (child == 0) run_case(test);
    int status = 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    char path[64];
    std::snprintf(path, sizeof path, "status-%s", test.id.c_str());
    std::FILE* file = std::fopen(path, "w");
    if (!file) fail(path);
    if (WIFSIGNALED(status)) std::fprintf(file, "signal %d\n", WTERMSIG(status));
    else std::fprintf(file, "exit %d\n", WEXITSTATUS(status));
    std::fclose(file);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

// One line a trial: 0 ended well, 1 something was reported, 2 it was killed, 3 it took too long; wrong elements; distance.
void run_trials(Case& test) {
    std::FILE* trials = std::fopen(test.trials.c_str(), "r");
    std::FILE* results = std::fopen(test.results.c_str(), "w");
    if (!trials || !results) fail("trials");
    std::vector<std::vector<unsigned>> lines;
    unsigned count, number;
    while (std::fscanf(trials, "%u", &count) == 1) {
        std::vector<unsigned> line;
        while (line.size() < count && std::fscanf(trials, "%u", &number) == 1) line.push_back(number);
        lines.push_back(line);
    }
    std::fclose(trials);
    for (const std::vector<unsigned>& line : lines)
        if (!line.empty() && !xpiler_on) fail("a program without choices");
    score = static_cast<Score*>(mmap(nullptr, sizeof(Score), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
    if (score == MAP_FAILED) fail("mmap");
    const std::string events = "events-" + test.id + ".jsonl";
    const int quiet = open("/dev/null", O_WRONLY);
    dup2(quiet, 1);
    dup2(quiet, 2);
    // Once some have ended, or the program as it is, others that take many times as long are in an endless loop.
    constexpr int enough = 3;
    constexpr double least = 100, times = 30;
    int ended = 0;
    double longest = 0;
    for (const std::vector<unsigned>& line : lines) {
        unlink(events.c_str());
        *score = Score{};
        const unsigned most = ended < enough ? test.milliseconds : static_cast<unsigned>(std::max(least, times * longest));
        const unsigned milliseconds = std::min(test.milliseconds, most);
        pid_t child = fork();
        if (child < 0) fail("fork");
        if (child == 0) {
            for (std::size_t i = 0; i + 1 < line.size(); i += 2) xpiler_on[line[i]] = static_cast<unsigned short>(line[i + 1]);
            const itimerval limit{{0, 0}, {milliseconds / 1000, milliseconds % 1000 * 1000}};
            setitimer(ITIMER_PROF, &limit, nullptr);
            const itimerval waits{{0, 0}, {2 + milliseconds / 50, 0}};  // for one that only waits
            setitimer(ITIMER_REAL, &waits, nullptr);
            run_case(test);
        }
        int status = 0;
        rusage used {};
        while (wait4(child, &status, 0, &used) < 0 && errno == EINTR) {
        }
        if (score->finished) {
            const auto spent = [](const timeval& t) { return 1e3 * t.tv_sec + 1e-3 * t.tv_usec; };
            ended += line.empty() ? enough : 1;
            longest = std::max(longest, spent(used.ru_utime) + spent(used.ru_stime));
        }
        struct stat said {};
        const bool reports = score->faults || (stat(events.c_str(), &said) == 0 && said.st_size > 0);
        const int how = WIFSIGNALED(status) ? (WTERMSIG(status) == SIGPROF || WTERMSIG(status) == SIGALRM ? 3 : 2)
                      : !score->finished || reports || WEXITSTATUS(status) ? 1 : 0;
        std::fprintf(results, "%d %d %lu %.6g\n", how, score->finished ? 1 : 0, score->wrong, score->distance);
        std::fflush(results);
    }
    std::fclose(results);
    score = nullptr;
}

}  // namespace

int main(int argc, char** argv) {
    std::FILE* manifest = argc == 2 ? std::fopen(argv[1], "r") : nullptr;
    if (!manifest) fail("manifest");
    char word[16], text[4096], name[256], role[16], file[256], hex[64];
    Case test;
    std::vector<Case> tests;
    bool until_fault = false;
    std::size_t needed = static_cast<std::size_t>(-1), ran = 0;  // cases; those after them run while time is left
    double enough = 0;
    while (std::fscanf(manifest, "%15s", word) == 1) {
        std::string directive = word;
        int read = 0;
        if (directive == "case") {
            test = Case{};
            read = std::fscanf(manifest, "%255s %zu", name, &test.arguments) == 2;
            test.id = name;
        } else if (directive == "entry") {
            read = std::fscanf(manifest, "%255s", name) == 1;
            while (test.entry->name && std::strcmp(test.entry->name, name)) ++test.entry;
            if (!test.entry->name) fail("no such entry");
        } else if (directive == "schedule") {
            read = std::fscanf(manifest, "%255s", name) == 1;
            test.schedule = name;
        } else if (directive == "layout") {
            read = std::fscanf(manifest, "%255s", name) == 1;
            test.layout = name;
        } else if (directive == "rounding") {
            read = std::fscanf(manifest, "%255s", name) == 1;
            test.rounding = name;
        } else if (directive == "trapped") {
            read = std::fscanf(manifest, "%255s", name) == 1;
            test.trapped = name;
        } else if (directive == "again") {
            read = std::fscanf(manifest, "%d", &test.again) == 1;
        } else if (directive == "launch") {
            XpilerLaunch& launch = test.launch;
            read = std::fscanf(manifest, "%u %u %u %u %u %u %zu", &launch.grid[0], &launch.grid[1], &launch.grid[2],
                               &launch.block[0], &launch.block[1], &launch.block[2], &launch.shared) == 7;
        } else if (directive == "buffer") {
            Buffer buffer;
            read = std::fscanf(manifest, "%zu %255s %zu %zu %15s %255s %63s", &buffer.slot, name, &buffer.bytes,
                               &buffer.alignment, role, file, hex) == 7;
            buffer.name = name;
            buffer.role = role;
            buffer.file = file;
            buffer.poison = from_hex(hex);
            test.buffers.push_back(buffer);
        } else if (directive == "scalar") {
            Scalar scalar;
            read = std::fscanf(manifest, "%zu %4095s", &scalar.slot, text) == 2;
            scalar.bytes = from_hex(text);
            test.scalars.push_back(scalar);
        } else if (directive == "expect") {
            Expected right;
            std::size_t size = 0;
            read = std::fscanf(manifest, "%zu %15s %zu %255s", &right.slot, role, &size, file) == 4;
            right.type = role;
            right.value.resize(size);
            right.bound.resize(size);
            right.kind.resize(size);
            std::FILE* data = std::fopen(file, "rb");
            if (!data || std::fread(right.value.data(), 8, size, data) != size ||
                std::fread(right.bound.data(), 8, size, data) != size || std::fread(right.kind.data(), 1, size, data) != size)
                fail(file);
            std::fclose(data);
            test.expected.push_back(std::move(right));
        } else if (directive == "trials") {
            read = std::fscanf(manifest, "%255s %255s %u", name, file, &test.milliseconds) == 3;
            test.trials = name;
            test.results = file;
        } else if (directive == "until-fault") {
            until_fault = read = true;
        } else if (directive == "needed") {
            read = std::fscanf(manifest, "%zu %lf", &needed, &enough) == 2;
        } else if (directive == "run") {
            read = 1;
            tests.push_back(test);
        }
        if (!read) fail("bad manifest");
    }
    // Closed first: a child that calls exit() would move the position in a file that it shares with its parent.
    std::fclose(manifest);
    for (Case& one : tests) {
        if (!one.trials.empty()) {
            run_trials(one);
            continue;
        }
        if (ran++ >= needed && spent_in_children() > enough) {
            if (std::FILE* file = std::fopen("left-out", "w")) std::fclose(file);
            break;
        }
        std::fprintf(stderr, "\x1e%s\n", one.id.c_str());  // whose messages follow
        if (!run_in_child(one) && until_fault) break;
    }
    return 0;
}
