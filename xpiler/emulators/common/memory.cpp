// Guarded memory, its registry, and the signal handler that turns a fault into an event.
#include <signal.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "internal.hpp"

// The variables of the program that kernels read and other code fills: appended to its text, see the gate's `shim.py`.
struct ProgramVariable {
    const char* name;  // null in the last one
    void* address;
    std::size_t bytes;
};
extern "C" __attribute__((weak)) const ProgramVariable xpiler_variables[];
// Of a program without the variables of another file: ends it if this is a place in one, see the gate's `elsewhere.py`.
extern "C" __attribute__((weak)) void xpiler_absent_at(const void* place);

namespace xpemu {

int last_error = 0;

namespace {

constexpr std::size_t page = 4096;
constexpr std::size_t guard = 256 * page;        // 1 MiB on both sides: catches wrong rows, not only off-by-one
constexpr std::size_t record_limit = 48u << 20;  // bytes of memory that the launches of one run are recorded with
constexpr std::size_t poison_limit = 1u << 28;   // larger allocations stay zero pages: touching them costs seconds

std::map<unsigned char*, Region*>& regions() {
    static auto* all = new std::map<unsigned char*, Region*>;  // outlives static destructors of the program
    return *all;
}

unsigned char* lower_redzone(const Region& r) { return std::max(r.low + guard, r.base - 256); }

// What lies around a buffer. A value that was read beyond one shows when it is written beyond another: arithmetic makes
// a quiet NaN of a signalling one, and each allocation has its own. In reverse order it is a large number instead, so
// that results which depend on what was read there differ between the two.
std::uint32_t redzone_word(const Region& r) {
    const bool own = !std::strcmp(r.kind, "device") || !std::strcmp(r.kind, "managed") || !std::strcmp(r.kind, "host");
    const std::uint32_t first = reversed() ? 0x7e900001u : 0x7fa00001u;
    return own ? first + (static_cast<std::uint32_t>(r.id) * 0x9e35u & 0xfffffu) : poison_word;
}

}  // namespace

void poison(unsigned char* at, std::size_t bytes, std::uint32_t word) {
    unsigned char pattern[4];
    std::memcpy(pattern, &word, 4);
    std::size_t i = 0;
    for (; i < bytes && (reinterpret_cast<std::uintptr_t>(at + i) & 3); ++i)
        at[i] = pattern[reinterpret_cast<std::uintptr_t>(at + i) & 3];
    for (; i + 4 <= bytes; i += 4) std::memcpy(at + i, pattern, 4);
    for (; i < bytes; ++i) at[i] = pattern[reinterpret_cast<std::uintptr_t>(at + i) & 3];
}

bool is_poison(const unsigned char* at, std::size_t bytes, std::uint32_t word) {
    unsigned char pattern[4];
    std::memcpy(pattern, &word, 4);
    for (std::size_t i = 0; i < bytes; ++i)
        if (at[i] != pattern[reinterpret_cast<std::uintptr_t>(at + i) & 3]) return false;
    return true;
}

Region* map_region(std::size_t bytes, std::size_t align, const char* name, const char* kind) {
    static long ids = 0;
    std::size_t room = (std::max<std::size_t>(bytes, 1) + align - 1) / align * align;
    std::size_t inner = (room + page - 1) / page * page;
    if (bytes % page == 0 && bytes) inner += page;  // room for the redzone before the buffer
    void* map = mmap(nullptr, inner + 2 * guard, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (map == MAP_FAILED) return nullptr;
    auto* low = static_cast<unsigned char*>(map);
    if (mprotect(low + guard, inner, PROT_READ | PROT_WRITE)) {
        munmap(map, inner + 2 * guard);
        return nullptr;
    }
    auto* base = low + guard + inner - room;
    auto* region = new Region{base, bytes, low, low + inner + 2 * guard, strdup(name), kind, ids++, false, true};
    if (bytes <= poison_limit) poison(base, bytes);
    poison(base + bytes, room - bytes, redzone_word(*region));
    poison(lower_redzone(*region), static_cast<std::size_t>(base - lower_redzone(*region)), redzone_word(*region));
    regions()[low] = region;
    install_handlers();
    return region;
}

Region* find_region(const void* address, bool with_guards) {
    auto* at = static_cast<const unsigned char*>(address);
    auto next = regions().upper_bound(const_cast<unsigned char*>(at));
    if (next == regions().begin()) return nullptr;
    Region* region = std::prev(next)->second;
    if (with_guards) return at < region->high ? region : nullptr;
    // One past the end counts as inside: programs form such pointers.
    return at >= region->base && at <= region->base + region->size ? region : nullptr;
}

void check_region(Region& r) {
    if (r.freed || !r.redzoned) return;
    unsigned char* before = lower_redzone(r);
    unsigned char* after = r.base + r.size;
    std::size_t behind = static_cast<std::size_t>(r.high - guard - after);
    const unsigned char* hit = nullptr;
    const std::uint32_t word = redzone_word(r);
    if (!is_poison(before, static_cast<std::size_t>(r.base - before), word)) hit = before;
    if (!is_poison(after, behind, word)) hit = after;
    if (!hit) return;
    while (is_poison(hit, 1, word)) ++hit;
    Event("redzone")
        .text("array", r.name)
        .text("kind", r.kind)
        .number("allocation", r.id)
        .number("size", static_cast<long long>(r.size))
        .number("offset", hit - r.base)
        .text("access", "write")
        .text("message", "write outside the array, found after the fact")
        .fault();
}

void check_redzones() {
    for (auto& [low, region] : regions())
        if (std::strcmp(region->kind, "shared")) check_region(*region);
}

void* device_allocate(std::size_t bytes, const char* kind) {
    Region* region = map_region(bytes, 16, "", kind);
    if (!region) return nullptr;
    if (tracing())
        Event("malloc").text("kind", kind).number("allocation", region->id).number("bytes", static_cast<long long>(bytes)).write();
    return region->base;
}

bool device_release(void* pointer) {
    Region* region = find_region(pointer, false);
    if (!region || region->freed || region->base != pointer) return false;
    check_region(*region);
    region->freed = true;  // stays mapped without access: a later use is named as use after free
    madvise(region->low, static_cast<std::size_t>(region->high - region->low), MADV_DONTNEED);
    mprotect(region->low, static_cast<std::size_t>(region->high - region->low), PROT_NONE);
    return true;
}

bool is_allocated_on_device(const void* pointer) {
    Region* region = find_region(pointer, false);
    return region && !region->freed && !std::strcmp(region->kind, "device");
}

bool is_device_pointer(const void* pointer) {
    Region* region = find_region(pointer, false);
    return region && !region->freed;
}

// Numbers of the host's that are logged with a copy: a counter, a flag, a table.
constexpr std::size_t most_data = 4096;

static void add_side(Event& event, const char* side, const void* pointer) {
    Region* region = find_region(pointer, false);
    char json[256];
    if (region)
        std::snprintf(json, sizeof json, "{\"allocation\": %ld, \"name\": \"%s\", \"offset\": %ld, \"size\": %zu}", region->id,
                      region->name, static_cast<long>(static_cast<const unsigned char*>(pointer) - region->base), region->size);
    else
        std::snprintf(json, sizeof json, "{\"address\": %llu}", static_cast<unsigned long long>(reinterpret_cast<std::uintptr_t>(pointer)));
    event.raw(side, json);
}

static void add_source(Event& event, const void* from, std::size_t bytes) {
    if (bytes <= most_data && !find_region(from, false)) {
        std::string hex(2 * bytes, '0');
        constexpr char digits[] = "0123456789abcdef";
        for (std::size_t i = 0; i < bytes; ++i) {
            const unsigned char byte = static_cast<const unsigned char*>(from)[i];
            hex[2 * i] = digits[byte >> 4];
            hex[2 * i + 1] = digits[byte & 15];
        }
        event.text("data", hex.c_str());
    }
    add_side(event, "from", from);
}

void trace_copy(const char* direction, const void* to, const void* from, std::size_t bytes, int value) {
    if (!tracing()) return;
    Event event("memcpy");
    event.text("direction", direction).number("bytes", static_cast<long long>(bytes));
    if (value >= 0) event.number("value", value);
    if (to) add_side(event, "to", to);
    if (from) add_source(event, from, bytes);
    event.write();
}

void trace_copy_to_variable(const char* name, std::size_t size, std::size_t offset, const void* from, std::size_t bytes) {
    Event event("memcpy");
    event.text("direction", "variable").number("bytes", static_cast<long long>(bytes));
    char json[512];
    std::snprintf(json, sizeof json, "{\"variable\": \"%.400s\", \"offset\": %zu, \"size\": %zu}", name, offset, size);
    event.raw("to", json);
    add_source(event, from, bytes);
    event.write();
}

// A pointer as fields of a JSON object, by the allocation that it lies in; "" if it lies in none.
static std::string place_json(const unsigned char* pointer) {
    Region* region = pointer ? find_region(pointer, false) : nullptr;
    if (!region) return "";
    char json[512];
    std::snprintf(json, sizeof json, "\"allocation\": %ld, \"name\": \"%s\", \"offset\": %ld, \"size\": %zu", region->id, region->name,
                  static_cast<long>(pointer - region->base), region->size);
    return json;
}

// A struct by value: its bytes, and which of its words are pointers to known memory.
static std::string struct_json(const Argument& a) {
    auto* bytes = static_cast<const unsigned char*>(a.value);
    std::string data, pointers;
    char text[64];
    for (unsigned i = 0; i < a.size; ++i) {
        std::snprintf(text, sizeof text, "%02x", bytes[i]);
        data += text;
    }
    for (unsigned at = 0; at + sizeof(void*) <= a.size; at += sizeof(void*)) {
        const unsigned char* pointer;
        std::memcpy(&pointer, bytes + at, sizeof pointer);
        std::string place = place_json(pointer);
        if (place.empty()) continue;
        std::snprintf(text, sizeof text, "%s{\"at\": %u, ", pointers.empty() ? "" : ", ", at);
        pointers += text + place + "}";
    }
    std::snprintf(text, sizeof text, "{\"kind\": \"struct\", \"size\": %u, \"lambda\": %u, ", a.size, a.lambda);
    return text + ("\"data\": \"" + data + "\", \"pointers\": [" + pointers + "]}");
}

std::string arguments_json(const Argument* args, int count) {
    char json[1024];
    std::string all = "[";
    for (int i = 0; i < count; ++i) {
        const Argument& a = args[i];
        long long integer = 0;
        std::memcpy(&integer, a.value, std::min<std::size_t>(a.size, 8));
        if (!std::strcmp(a.kind, "int") && a.size < 8) integer = integer << (64 - 8 * a.size) >> (64 - 8 * a.size);
        if (!std::strcmp(a.kind, "pointer")) {
            void* pointer;
            std::memcpy(&pointer, a.value, sizeof pointer);
            std::string place = place_json(static_cast<const unsigned char*>(pointer));
            if (!place.empty())
                std::snprintf(json, sizeof json, "{\"kind\": \"pointer\", \"pointee\": %u, %s}", a.pointee, place.c_str());
            else
                std::snprintf(json, sizeof json, "{\"kind\": \"pointer\", \"address\": %llu}", static_cast<unsigned long long>(integer));
        } else if (!std::strcmp(a.kind, "float")) {
            double value = 0;
            if (a.size == 4) {
                float single;
                std::memcpy(&single, a.value, 4);
                value = single;
            } else {
                std::memcpy(&value, a.value, 8);
            }
            char number[40];
            std::snprintf(number, sizeof number, value - value == 0 ? "%.17g" : "\"%g\"", value);
            std::snprintf(json, sizeof json, "{\"kind\": \"float\", \"size\": %u, \"value\": %s}", a.size, number);
        } else if (!std::strcmp(a.kind, "struct")) {
            all += (i ? ", " : "") + struct_json(a);
            continue;
        } else if (!std::strcmp(a.kind, "uint") && a.size == 8) {
            std::snprintf(json, sizeof json, "{\"kind\": \"uint\", \"size\": 8, \"value\": %llu}", static_cast<unsigned long long>(integer));
        } else {
            std::snprintf(json, sizeof json, "{\"kind\": \"%s\", \"size\": %u, \"value\": %lld}", a.kind, a.size, integer);
        }
        if (i) all += ", ";
        all += json;
    }
    return all + "]";
}

// ---------------------------------------------------------------------------------------------- records

// Every allocation that an argument points to, or that a pointer of a struct by value does; each once.
static std::vector<Region*> reached_regions(const Argument* args, int count) {
    std::vector<Region*> reached;
    for (int i = 0; i < count; ++i) {
        const bool pointer = !std::strcmp(args[i].kind, "pointer");
        if (!pointer && std::strcmp(args[i].kind, "struct")) continue;
        for (unsigned at = 0; at + sizeof(void*) <= args[i].size; at += sizeof(void*)) {
            const void* address;
            std::memcpy(&address, static_cast<const unsigned char*>(args[i].value) + at, sizeof address);
            Region* region = address ? find_region(address, false) : nullptr;
            if (region && !region->freed && std::find(reached.begin(), reached.end(), region) == reached.end())
                reached.push_back(region);
        }
    }
    return reached;
}

void record_memory(Event& event, const char* kernel, int line, const Argument* args, int count) {
    static const char* const folder = std::getenv("XPILER_RECORD");
    static std::map<std::pair<std::string, int>, unsigned> launched;
    static std::size_t left = record_limit;
    static int files = 0;
    if (!folder || !*folder) return;
    const unsigned number = ++launched[{kernel, line}];
    if (number & (number - 1)) return;
    const std::vector<Region*> reached = reached_regions(args, count);
    std::size_t bytes = 0;
    for (Region* region : reached) bytes += region->size;
    for (const ProgramVariable* v = xpiler_variables; v && v->name; ++v) bytes += v->bytes;
    if (bytes > std::min(left, record_limit / 4)) return;
    std::string index;
    std::vector<std::pair<const void*, std::size_t>> parts;
    std::size_t offset = 0;
    const auto add = [&](const std::string& key, const void* at, std::size_t size) {
        index += (index.empty() ? "\"" : ", \"") + key + "\": [" + std::to_string(offset) + ", " + std::to_string(size) + "]";
        parts.emplace_back(at, size);
        offset += size;
    };
    for (Region* region : reached) add(*region->name ? region->name : "#" + std::to_string(region->id), region->base, region->size);
    for (const ProgramVariable* v = xpiler_variables; v && v->name; ++v) add(v->name, v->address, v->bytes);
    const std::string name = "record-" + std::to_string(files);
    std::FILE* file = std::fopen((std::string(folder) + "/" + name).c_str(), "wb");
    if (!file) return;
    ++files;
    left -= bytes;
    bool whole = std::fprintf(file, "{%s}\n", index.c_str()) > 0;
    for (const auto& [at, size] : parts) whole &= std::fwrite(at, 1, size, file) == size;
    whole &= !std::fclose(file);
    if (whole) event.text("record", name.c_str());
}

// ---------------------------------------------------------------------------------------------- faults

// The page of a guard can be used from now on: it holds what lies around a buffer.
static void open_guard(unsigned char* at, const Region& region) {
    unsigned char* start = at - reinterpret_cast<std::uintptr_t>(at) % page;
    if (mprotect(start, page, PROT_READ | PROT_WRITE)) _exit(exit_code);
    poison(start, page, redzone_word(region));
}

static void on_fault(int signal, siginfo_t* info, void* context) {
    const char* access = "access";
#if defined(__x86_64__)
    access = static_cast<ucontext_t*>(context)->uc_mcontext.gregs[REG_ERR] & 2 ? "write" : "read";
#else
    (void)context;
#endif
    if (signal == SIGFPE) Event("trap").text("message", "integer division by zero or overflow").die();
    if (signal == SIGABRT) Event("trap").text("message", "abort or failed assertion").die();
    if (signal == SIGILL || signal == SIGTRAP) Event("trap").text("message", "trap").die();
    auto* at = static_cast<unsigned char*>(info->si_addr);
    if (xpiler_absent_at) xpiler_absent_at(at);
    Event event("oob");
    event.text("access", access);
#if defined(__x86_64__)
    const auto instruction = static_cast<std::uintptr_t>(static_cast<ucontext_t*>(context)->uc_mcontext.gregs[REG_RIP]);
    if (const int line = line_of_code(reinterpret_cast<const void*>(instruction))) event.number("line", line);
#endif
    Region* region = find_region(at, true);
    if (region) {
        const char* message = region->freed ? "use after free" : at < region->base ? "before the start of the array" : "past the end of the array";
        event.text("array", region->name)
            .text("kind", region->kind)
            .number("allocation", region->id)
            .number("size", static_cast<long long>(region->size))
            .number("offset", at - region->base)
            .text("message", message);
        if (region->freed || !goes_on()) event.die();
        event.fault();
        open_guard(at, *region);
        return;
    }
    if (info->si_code == SI_KERNEL || (signal == SIGBUS && info->si_code == BUS_ADRALN))
        event.text("array", "").text("kind", "misaligned").text("message", "misaligned vector access, or a wild address").die();
    bool null = reinterpret_cast<std::uintptr_t>(at) < 65536;
    event.text("array", "")
        .text("kind", null ? "null" : "unknown")
        .number("address", static_cast<long long>(reinterpret_cast<std::uintptr_t>(at)))
        .text("message", null ? "null pointer" : "address outside every known allocation (or stack overflow)")
        .die();
}

void install_handlers() {
    static bool done = false;
    if (done) return;
    done = true;
    static unsigned char stack[65536];
    stack_t alternative{};
    alternative.ss_sp = stack;
    alternative.ss_size = sizeof stack;
    sigaltstack(&alternative, nullptr);
    struct sigaction action {};
    action.sa_sigaction = on_fault;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    for (int signal : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT}) sigaction(signal, &action, nullptr);
}

__attribute__((constructor)) static void start() { install_handlers(); }

}  // namespace xpemu

// ------------------------------------------------------------------------------- for the runner of the gate

#define XPEMU_HOOK extern "C" __attribute__((visibility("default"), used))

// A guarded, poisoned buffer of `bytes` bytes under the name of an argument.
XPEMU_HOOK void* xpiler_buffer(const char* name, std::size_t bytes) {
    xpemu::Region* region = xpemu::map_region(bytes, 16, name, "argument");
    return region ? region->base : nullptr;
}

// Names memory that the runner guards itself: [low, high) is the whole mapping with its inaccessible pages.
XPEMU_HOOK void xpiler_register(const char* name, void* base, std::size_t bytes, void* low, void* high) {
    static long ids = 1000000;
    auto* region = new xpemu::Region{static_cast<unsigned char*>(base), bytes, static_cast<unsigned char*>(low),
                                     static_cast<unsigned char*>(high), strdup(name), "argument", ids++, false, false};
    if (!region->low) region->low = region->base;
    if (!region->high) region->high = region->base + bytes;
    xpemu::regions()[region->low] = region;
}

// Checks the redzones of every live allocation; ends the process with an event at the first violation.
XPEMU_HOOK void xpiler_check() { xpemu::check_redzones(); }

// The error that the last API call or launch left (cudaError_t / hipError_t), 0 for none.
XPEMU_HOOK int xpiler_last_error() { return xpemu::last_error; }
