// Accesses of different cores to the same bytes of SRAM and device memory with nothing between that orders them.
//
// Copies, fills and atomics say what they touch; scalar code does, too, as it is compiled with -fsanitize=thread,
// whose calls end here. For every byte the last write and the last two reads are known, each with the clock of its
// core. What cannot change a result is no race: a byte that is written with the value that it has, and vectors that
// are loaded with a margin of bytes that only their owner reads and writes.
#include <sys/mman.h>

#include <cstring>
#include <vector>

#include "tasks.hpp"

namespace xpemu {

namespace {

constexpr std::size_t largest = 64u << 20;  // bytes of an array: larger ones are not watched

struct Shadow {  // of one byte each: numbers of records, 0 for none
    std::uint32_t *write = nullptr, *read = nullptr, *earlier = nullptr;
};
struct Watched {
    const Region* region;
    bool shared;  // SRAM, whose contents are those of the running core's cluster
    std::vector<Shadow> shadows;
};
struct Record {
    Position who;
    Call call;
    const void* code;  // of a scalar access
    bool atomic, updates;  // the core had read what it wrote
};

std::vector<Record> records(1);
std::vector<Watched*> watched;
Watched ignored{};
struct Pages {
    Watched* of[1 << 18];
};
Pages* directory[1 << 17];
std::vector<Watched**> looked_up;

std::uint32_t* bytes_of_shadow(std::size_t count) {
    void* map = mmap(nullptr, count * 4, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return map == MAP_FAILED ? nullptr : static_cast<std::uint32_t*>(map);
}

Watched* look_up(const unsigned char* at) {
    const auto address = reinterpret_cast<std::uintptr_t>(at);
    Pages*& pages = directory[address >> 30 & ((1 << 17) - 1)];
    if (!pages) {
        void* map = mmap(nullptr, sizeof(Pages), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (map == MAP_FAILED) return &ignored;
        pages = static_cast<Pages*>(map);
    }
    Watched*& entry = pages->of[address >> 12 & ((1 << 18) - 1)];
    if (entry) return entry;
    looked_up.push_back(&entry);
    entry = &ignored;
    Region* region = find_region(at, false);
    if (!region || region->freed || region->size > largest) return entry;
    const Space space = space_of(at);
    if (space != Space::gdram && space != Space::sram) return entry;
    for (Watched* w : watched)
        if (w->region == region) return entry = w;
    watched.push_back(new Watched{region, space == Space::sram, {}});
    return entry = watched.back();
}

Shadow* shadow_of(Watched& w) {
    const std::size_t index = w.shared ? static_cast<std::size_t>(running_cluster()) : 0;
    if (w.shadows.size() <= index) w.shadows.resize(index + 1);
    Shadow& s = w.shadows[index];
    if (!s.write) {
        const std::size_t size = w.region->size;
        s = {bytes_of_shadow(size), bytes_of_shadow(size), bytes_of_shadow(size)};
        if (!s.write || !s.read || !s.earlier) return nullptr;
    }
    return &s;
}

// The record of this access: scalar code in a loop makes the same one again and again.
std::uint32_t record(const Call& call, const void* code, bool atomic, bool updates) {
    static struct {
        const void* key;
        std::uint32_t number;
    } recent[256];
    const Position who = running_position();
    const void* key = code ? code : call.name;
    auto& slot = recent[(reinterpret_cast<std::uintptr_t>(key) >> 2 ^ static_cast<unsigned>(call.line) ^ (updates ? 128u : 0u)) % 256];
    if (slot.key == key && slot.number < records.size()) {
        const Record& r = records[slot.number];
        if (r.who == who && r.call.line == call.line && r.atomic == atomic && r.updates == updates) return slot.number;
    }
    records.push_back({who, call, code, atomic, updates});
    slot = {key, static_cast<std::uint32_t>(records.size() - 1)};
    return slot.number;
}

bool mine(const Record& r) { return same_core(r.who); }

[[noreturn]] void report(const Call& call, const void* code, const unsigned char* at, bool written, const Record& other, bool other_wrote) {
    const Call here{code ? "scalar code" : call.name, code ? line_of_code(code) : call.line};
    const int line = other.code ? line_of_code(other.code) : other.call.line;
    const Position me = running_position();
    const char* barrier = me.job != other.who.job ? "and no barrier can be between them: they are in different jobs"
                          : me.cluster == other.who.cluster ? "with no barrier between them: a __sync_cluster() is missing"
                                                            : "with no barrier between them: a __sync_all() is missing";
    violation("bang-sync", here, "%s is %s here and %s by %s in line %d (%s) %s", describe(at).c_str(), written ? "written" : "read",
              other_wrote ? "written" : "read", name_of_core(other.who).c_str(), line, other.code ? "scalar code" : other.call.name, barrier);
}

void note_read(const Call& call, const void* code, const unsigned char* at, std::size_t bytes, Watched& w) {
    Shadow* s = shadow_of(w);
    if (!s) return;
    const std::size_t first = static_cast<std::size_t>(at - w.region->base);
    const std::uint32_t own = record(call, code, false, false);
    std::uint32_t fine = 0;  // the last writer that was looked at
    for (std::size_t i = first; i < first + bytes; ++i) {
        const std::uint32_t last = s->write[i];
        if (last && last != fine) {
            const Record& r = records[last];
            if (!is_before(r.who) && !(r.updates && !code)) report(call, code, w.region->base + i, false, r, true);
            fine = last;
        }
        if (s->read[i] == own) continue;
        if (s->read[i] && !mine(records[s->read[i]])) s->earlier[i] = s->read[i];
        s->read[i] = own;
    }
}

// `before` and `after`: the bytes as they were and as they will be; null if they are not compared.
void note_write(const Call& call, const void* code, const unsigned char* at, const unsigned char* before, const unsigned char* after, std::size_t bytes, bool atomic,
                Watched& w) {
    Shadow* s = shadow_of(w);
    if (!s) return;
    const std::size_t first = static_cast<std::size_t>(at - w.region->base);
    const Position now = running_position();
    std::uint32_t own[2] = {0, 0};
    for (std::size_t i = first; i < first + bytes; ++i) {
        const std::uint32_t last = s->write[i];
        const bool foreign = last && !is_before(records[last].who);
        const bool changes = !before || before[i - first] != after[i - first];
        if (!changes && !foreign) continue;
        const std::uint32_t readers[2] = {s->read[i], s->earlier[i]};
        const bool updates = (readers[0] && mine(records[readers[0]])) || (readers[1] && mine(records[readers[1]]));
        if (changes) {
            if (foreign && !(atomic && records[last].atomic)) report(call, code, w.region->base + i, true, records[last], true);
            for (const std::uint32_t reader : readers) {
                if (!reader || is_before(records[reader].who) || (updates && !records[reader].code)) continue;
                report(call, code, w.region->base + i, true, records[reader], false);
            }
        }
        if (atomic && last && !records[last].atomic && records[last].who == now) continue;  // the plain store matters more
        std::uint32_t& number = own[updates];
        if (!number) number = record(call, code, atomic, updates);
        s->write[i] = number;
    }
}

// A scalar store that is about to happen: it is judged when it has.
struct Store {
    const void* code = nullptr;
    unsigned char* at;
    std::size_t bytes;
    unsigned char before[16];
    Watched* watched;
} store_under_way;

void settle() {
    if (!store_under_way.code) return;
    const Store s = store_under_way;
    store_under_way.code = nullptr;
    note_write(Call{"scalar code", 0}, s.code, s.at, s.before, s.at, s.bytes, false, *s.watched);
}

void scalar(const void* at, std::size_t bytes, bool written, const void* code) {
    settle();
    auto* low = static_cast<unsigned char*>(const_cast<void*>(at));
    Watched* w = look_up(low);
    if (w == &ignored || low + bytes > w->region->base + w->region->size) return;
    code = static_cast<const char*>(code) - 1;  // within the call
    if (!written) return note_read(Call{"scalar code", 0}, code, low, bytes, *w);
    if (bytes > sizeof store_under_way.before) return note_write(Call{"scalar code", 0}, code, low, nullptr, nullptr, bytes, false, *w);
    store_under_way = {code, low, bytes, {}, w};
    std::memcpy(store_under_way.before, low, bytes);
}

}  // namespace

static bool watching = false;

static void forget(Watched& w) {
    for (Shadow& s : w.shadows)
        for (std::uint32_t* each : {s.write, s.read, s.earlier})
            if (each) munmap(each, w.region->size * 4);
    w.shadows.clear();
}

void forget_shared() {
    for (Watched* w : watched)
        if (w->shared) forget(*w);
}

void start_watching(bool several_cores) {
    for (Watched* w : watched) {
        forget(*w);
        delete w;
    }
    watched.clear();
    for (Watched** entry : looked_up) *entry = nullptr;
    looked_up.clear();
    records.resize(1);
    watching = several_cores;
}

void stop_watching() { watching = false; }

void settle_stores() { settle(); }

bool is_watched(const void* at) { return watching && look_up(static_cast<const unsigned char*>(at)) != &ignored; }

void note_access(const Call& call, const void* at, std::size_t bytes, const void* values, bool written, bool atomic) {
    if (!watching || !bytes) return;
    settle();
    auto* low = static_cast<const unsigned char*>(at);
    Watched* w = look_up(low);
    if (w == &ignored || low + bytes > w->region->base + w->region->size) return;
    if (written) note_write(call, nullptr, low, values ? low : nullptr, static_cast<const unsigned char*>(values), bytes, atomic, *w);
    else note_read(call, nullptr, low, bytes, *w);
}

void note_scalar(const void* at, std::size_t bytes, bool written, const void* code) {
    note_own_scalar(at, bytes, written, static_cast<const char*>(code) - 1);  // within the call
    if (watching) scalar(at, bytes, written, code);
}

}  // namespace xpemu

// ------------------------------------------------------------------------ what the compiler calls for each access

#define XPEMU_HOOK extern "C" __attribute__((visibility("hidden"), used))
#define XPEMU_ACCESS(NAME, BYTES, WRITTEN) \
    XPEMU_HOOK void NAME(void* at) { xpemu::note_scalar(at, BYTES, WRITTEN, __builtin_return_address(0)); }
#define XPEMU_ACCESSES(BYTES)                              \
    XPEMU_ACCESS(__tsan_read##BYTES, BYTES, false)           \
    XPEMU_ACCESS(__tsan_write##BYTES, BYTES, true)           \
    XPEMU_ACCESS(__tsan_unaligned_read##BYTES, BYTES, false) \
    XPEMU_ACCESS(__tsan_unaligned_write##BYTES, BYTES, true) \
    XPEMU_ACCESS(__tsan_volatile_read##BYTES, BYTES, false)  \
    XPEMU_ACCESS(__tsan_volatile_write##BYTES, BYTES, true)
XPEMU_ACCESSES(1)
XPEMU_ACCESSES(2)
XPEMU_ACCESSES(4)
XPEMU_ACCESSES(8)
XPEMU_ACCESSES(16)
#undef XPEMU_ACCESSES
#undef XPEMU_ACCESS
XPEMU_HOOK void __tsan_read_range(void* at, unsigned long bytes) { xpemu::note_scalar(at, bytes, false, __builtin_return_address(0)); }
XPEMU_HOOK void __tsan_write_range(void* at, unsigned long bytes) { xpemu::note_scalar(at, bytes, true, __builtin_return_address(0)); }
XPEMU_HOOK void* __tsan_memcpy(void* to, const void* from, unsigned long bytes) { return std::memcpy(to, from, bytes); }
XPEMU_HOOK void* __tsan_memmove(void* to, const void* from, unsigned long bytes) { return std::memmove(to, from, bytes); }
XPEMU_HOOK void* __tsan_memset(void* to, int value, unsigned long bytes) { return std::memset(to, value, bytes); }
XPEMU_HOOK void __tsan_init() {}
XPEMU_HOOK void __tsan_func_entry(void*) {}
XPEMU_HOOK void __tsan_func_exit() {}
XPEMU_HOOK void __tsan_vptr_update(void**, void*) {}
XPEMU_HOOK void __tsan_vptr_read(void**) {}
XPEMU_HOOK void __tsan_atomic_thread_fence(int) { __atomic_thread_fence(__ATOMIC_SEQ_CST); }
XPEMU_HOOK void __tsan_atomic_signal_fence(int) { __atomic_signal_fence(__ATOMIC_SEQ_CST); }

// Atomic operations are the host code's: the compiler wants them done.
#define XPEMU_FETCH(T, BITS, NAME) \
    XPEMU_HOOK T __tsan_atomic##BITS##_##NAME(volatile T* at, T value, int) { return __atomic_##NAME(at, value, __ATOMIC_SEQ_CST); }
#define XPEMU_ATOMICS(T, BITS)                                                                                                        \
    XPEMU_HOOK T __tsan_atomic##BITS##_load(const volatile T* at, int) { return __atomic_load_n(at, __ATOMIC_SEQ_CST); }                \
    XPEMU_HOOK void __tsan_atomic##BITS##_store(volatile T* at, T value, int) { __atomic_store_n(at, value, __ATOMIC_SEQ_CST); }        \
    XPEMU_HOOK T __tsan_atomic##BITS##_exchange(volatile T* at, T value, int) { return __atomic_exchange_n(at, value, __ATOMIC_SEQ_CST); } \
    XPEMU_HOOK int __tsan_atomic##BITS##_compare_exchange_strong(volatile T* at, T* old, T value, int, int) {                           \
        return __atomic_compare_exchange_n(at, old, value, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);                                  \
    }                                                                                                                                 \
    XPEMU_HOOK int __tsan_atomic##BITS##_compare_exchange_weak(volatile T* at, T* old, T value, int, int) {                             \
        return __atomic_compare_exchange_n(at, old, value, true, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);                                   \
    }                                                                                                                                 \
    XPEMU_HOOK T __tsan_atomic##BITS##_compare_exchange_val(volatile T* at, T old, T value, int, int) {                                 \
        __atomic_compare_exchange_n(at, &old, value, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);                                        \
        return old;                                                                                                                   \
    }                                                                                                                                 \
    XPEMU_FETCH(T, BITS, fetch_add)                                                                                                   \
    XPEMU_FETCH(T, BITS, fetch_sub)                                                                                                   \
    XPEMU_FETCH(T, BITS, fetch_and)                                                                                                   \
    XPEMU_FETCH(T, BITS, fetch_or)                                                                                                    \
    XPEMU_FETCH(T, BITS, fetch_xor)                                                                                                   \
    XPEMU_FETCH(T, BITS, fetch_nand)
XPEMU_ATOMICS(std::uint8_t, 8)
XPEMU_ATOMICS(std::uint16_t, 16)
XPEMU_ATOMICS(std::uint32_t, 32)
XPEMU_ATOMICS(std::uint64_t, 64)
#undef XPEMU_ATOMICS
#undef XPEMU_FETCH
#undef XPEMU_HOOK
