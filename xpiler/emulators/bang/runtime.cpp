// The scheduler: jobs one after another, the cores of a job as fibers that switch at barriers; the scratchpads.
#include "runtime.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "computing.hpp"
#include "fiber.hpp"
#include "tasks.hpp"

unsigned taskId, taskIdX, taskIdY, taskIdZ, taskDim = 1, taskDimX = 1, taskDimY = 1, taskDimZ = 1;
unsigned clusterId, clusterDim, coreId, coreDim = 4;

namespace xpemu {

namespace {

constexpr std::size_t KB = 1024;
constexpr Architecture architectures[] = {
    {270, 512 * KB, 1024 * KB, 2048 * KB, 4, 4},
    {290, 512 * KB, 512 * KB, 2048 * KB, 16, 4},
    {372, 768 * KB, 1024 * KB, 4096 * KB, 4, 4},
    {592, 512 * KB, 512 * KB, 2048 * KB, 12, 4},
};
constexpr Architecture chosen() {
    for (const Architecture& a : architectures)
        if (a.number == XPEMU_ARCH) return a;
    return architectures[2];
}

constexpr unsigned memory_core_id = 0x80;

enum class State : unsigned char { ready, waiting, awaiting, exited };

struct Pending {
    Call call;
    unsigned stream;
    Walk dst, src;                     // src.count 0: a fill with `value`
    unsigned char value[8];
    std::size_t width;
    std::vector<unsigned char> read{};  // the source, where it had to be read before the copy was waited for
    unsigned waited = 0;                // the streams whose later work waits for this copy
};

struct Core {
    Fiber* fiber = nullptr;
    State state = State::ready;
    unsigned task = 0, x = 0, y = 0, z = 0;
    int cluster = 0, id = 0;
    bool is_memory_core = false;
    Barrier barrier{};
    Call call{};
    long awaited = 0;                                  // key of a split barrier
    std::vector<Pending> pending;
    Computing computing;
    std::vector<unsigned> clock;                       // of every core of the job, as far as this one is ordered
    std::vector<std::pair<unsigned char*, unsigned char*>> lanes;  // WRAM written lane by lane
};

// One scratchpad variable: `region` holds the contents of the core (or cluster) `mapped`, `saved` the others'.
struct Scratch {
    Variable* variable;
    Region* region;
    std::vector<std::vector<unsigned char>> saved;
    int mapped;
    bool counted;  // in this launch's capacity
};

struct Access {  // to SRAM
    const unsigned char *low, *high;
    int core;
    unsigned clock;
    bool written;
    Call call;
};

LaunchInfo launch_info{};
Body body;
void* closure;
bool active = false, memory_core_used = false;
std::vector<Core> cores;
int current = -1;
unsigned job_number = 0;
Fiber scheduler{};
Fiber* running;
Fiber* free_fibers;
const void* top_of_stack;
std::vector<std::vector<Access>> shared_accesses;  // a cluster
struct Split {
    long arrived = 0;
};
std::vector<std::pair<long, Split>> splits;

std::vector<Scratch*>& scratchpads() {
    static auto* all = new std::vector<Scratch*>;
    return *all;
}

// A pattern that is NaN as half, bfloat16 and float, and no plausible integer.
void spoil(void* at, std::size_t bytes) {
    auto* to = static_cast<unsigned char*>(at);
    std::size_t i = 0;
    if (bytes && (reinterpret_cast<std::uintptr_t>(to) & 1)) to[i++] = 0x7f;
    const std::uint64_t word = 0x7fff7fff7fff7fffull;
    for (; i + 8 <= bytes; i += 8) std::memcpy(to + i, &word, 8);
    for (; i < bytes; ++i) to[i] = (reinterpret_cast<std::uintptr_t>(to + i) & 1) ? 0x7f : 0xff;
}

int owner(const Scratch& s) {
    if (current < 0) return 0;
    return s.variable->space == Space::sram ? cores[current].cluster : current;
}

void map_scratch(Scratch& s) {
    const int mine = owner(s);
    if (s.mapped == mine) return;
    const std::size_t size = s.variable->size;
    if (s.saved.size() <= static_cast<std::size_t>(std::max(mine, s.mapped))) s.saved.resize(static_cast<std::size_t>(std::max(mine, s.mapped)) + 1);
    if (s.mapped >= 0) {
        auto& old = s.saved[static_cast<std::size_t>(s.mapped)];
        old.resize(size);
        std::memcpy(old.data(), s.region->base, size);
    }
    auto& next = s.saved[static_cast<std::size_t>(mine)];
    if (next.size() == size) std::memcpy(s.region->base, next.data(), size);
    else if (s.variable->initial) std::memcpy(s.region->base, s.variable->initial, size);
    else spoil(s.region->base, size);
    s.mapped = mine;
}

void forget_contents() {
    for (Scratch* s : scratchpads()) {
        s->saved.clear();
        s->mapped = -1;
    }
}

void check_scratch_redzones() {
    for (Scratch* s : scratchpads()) {
        s->region->redzoned = true;
        check_region(*s->region);
        s->region->redzoned = false;
    }
}

std::size_t capacity(Space space) {
    switch (space) {
        case Space::nram: return architecture.nram;
        case Space::wram: return architecture.wram;
        case Space::sram: return architecture.sram;
        default: return ~std::size_t{0};
    }
}

void count_capacity(Scratch& added) {
    added.counted = true;
    const Space space = added.variable->space;
    std::size_t sum = 0;
    std::string list;
    for (Scratch* s : scratchpads()) {
        if (s->variable->space != space || !s->counted) continue;
        sum += (s->variable->size + 63) / 64 * 64;
        char piece[160];
        std::snprintf(piece, sizeof piece, "%s%s (line %d) %zu", list.empty() ? "" : ", ", s->variable->name, s->variable->line, s->variable->size);
        if (list.size() < 1000) list += piece;
    }
    if (sum > capacity(space))
        improper("bang-capacity", Call{added.variable->name, added.variable->line},
                 "the %s of mtp_%d holds %zu bytes, the program's variables there need %zu: %s", name_of(space), architecture.number,
                 capacity(space), sum, list.c_str());
}

// -------------------------------------------------------------------------------------------------- cores
void finish();

void select(int index) {
    current = index;
    Core& c = cores[static_cast<std::size_t>(index)];
    taskId = c.task;
    taskIdX = c.x;
    taskIdY = c.y;
    taskIdZ = c.z;
    clusterId = static_cast<unsigned>(c.cluster);
    coreId = static_cast<unsigned>(c.id);
    for (Scratch* s : scratchpads()) map_scratch(*s);
}

void yield_to_scheduler() {
    settle_stores();
    Fiber* mine = running;
    switch_fiber(*mine, scheduler);
}

bool takes_part(const Core& c, Barrier kind, int cluster) {
    switch (kind) {
        case Barrier::cluster: return c.cluster == cluster;
        case Barrier::cluster_ipu: return c.cluster == cluster && !c.is_memory_core;
        case Barrier::all: return true;
        case Barrier::all_ipu: return !c.is_memory_core;
        case Barrier::all_mpu: return c.is_memory_core;
    }
    return false;
}

// A memory core that has left the kernel is taken as arrived, except in strict mode.
bool excused(const Core& c) { return c.state == State::exited && c.is_memory_core && mode() != Mode::strict; }

// `gone`: memory cores that have left, whose work is done.
void synchronize_clocks(const std::vector<int>& members, const std::vector<int>& gone) {
    std::vector<unsigned> joint(cores.size(), 0);
    for (int m : gone) joint[static_cast<std::size_t>(m)] = cores[static_cast<std::size_t>(m)].clock[static_cast<std::size_t>(m)];
    for (int m : members)
        for (std::size_t i = 0; i < cores.size(); ++i) joint[i] = std::max(joint[i], cores[static_cast<std::size_t>(m)].clock[i]);
    for (int m : members) {
        cores[static_cast<std::size_t>(m)].clock = joint;
        ++cores[static_cast<std::size_t>(m)].clock[static_cast<std::size_t>(m)];
    }
}

void complete(Barrier kind, int cluster) {
    std::vector<int> members, gone;
    for (std::size_t i = 0; i < cores.size(); ++i) {
        const Core& c = cores[i];
        if (!takes_part(c, kind, cluster)) continue;
        if (excused(c)) {
            gone.push_back(static_cast<int>(i));
            continue;
        }
        const bool here = c.state == State::waiting && c.barrier == kind && (c.cluster == cluster || (kind != Barrier::cluster && kind != Barrier::cluster_ipu));
        if (!here) return;
        members.push_back(static_cast<int>(i));
    }
    for (int m : members) cores[static_cast<std::size_t>(m)].state = State::ready;
    synchronize_clocks(members, gone);
    if (kind == Barrier::cluster) shared_accesses[static_cast<std::size_t>(cluster)].clear();
    if (kind == Barrier::all)
        for (auto& list : shared_accesses) list.clear();
}

void core_main() {
    for (;;) {
        char here;
        top_of_stack = &here;
        Fiber* mine = running;
        body(closure);
        finish();
        settle_stores();
        Core& c = cores[static_cast<std::size_t>(current)];
        c.state = State::exited;
        if (c.is_memory_core)
            for (Barrier kind : {Barrier::cluster, Barrier::all, Barrier::all_mpu}) {
                bool waited = std::any_of(cores.begin(), cores.end(), [&](const Core& o) {
                    return o.state == State::waiting && o.barrier == kind && (kind != Barrier::cluster || o.cluster == c.cluster);
                });
                if (waited) complete(kind, c.cluster);
            }
        mine->next_free = free_fibers;
        free_fibers = mine;
        switch_fiber(*mine, scheduler);
    }
}

std::string core_name(const Core& c) {
    char text[80];
    if (c.is_memory_core) std::snprintf(text, sizeof text, "the memory core of cluster %d", c.cluster);
    else std::snprintf(text, sizeof text, "task %u", c.task);
    return text;
}

[[noreturn]] void report_stuck() {
    std::string words = "no core of the job can go on: ", waiting = "[";
    for (const Core& c : cores) {
        char piece[256];
        if (c.state == State::exited) std::snprintf(piece, sizeof piece, "%s has returned; ", core_name(c).c_str());
        else std::snprintf(piece, sizeof piece, "%s waits at %s in line %d; ", core_name(c).c_str(), c.call.name, c.call.line);
        if (words.size() < 2500) words += piece;
        if (c.state == State::exited) continue;
        std::snprintf(piece, sizeof piece, "%s{\"line\": %d, \"what\": \"%s\", \"core\": \"%s\"}", waiting.size() > 1 ? ", " : "", c.call.line,
                      c.call.name, core_name(c).c_str());
        if (waiting.size() < 4000) waiting += piece;
    }
    current = -1;
    words.resize(words.size() - 2);
    Event("deadlock").text("message", words.c_str()).raw("waiting", (waiting + "]").c_str()).die();
}

void run_job() {
    const int size = static_cast<int>(cores.size());
    for (;;) {
        int next = -1;
        bool left = false;
        static int last = -1;
        for (int i = 0; i < size; ++i) {  // round robin, so that no core starves the others
            int at = reversed() ? ((last - 1 - i) % size + 2 * size) % size : (last + 1 + i) % size;
            if (cores[static_cast<std::size_t>(at)].state == State::ready && next < 0) next = at;
            left |= cores[static_cast<std::size_t>(at)].state != State::exited;
        }
        if (!left) {
            last = -1;
            return;
        }
        if (next < 0) report_stuck();
        last = next;
        select(next);
        Core& c = cores[static_cast<std::size_t>(next)];
        if (!c.fiber) {
            if (free_fibers) {
                c.fiber = free_fibers;
                free_fibers = free_fibers->next_free;
            } else {
                c.fiber = new_fiber(core_main);
                if (!c.fiber) fatal("trap", "the emulator could not map a stack for another core");
            }
        }
        running = c.fiber;
        switch_fiber(scheduler, *running);
    }
}

void add_core(unsigned x, unsigned y, unsigned z, int cluster, int id, bool is_memory_core) {
    Core c;
    c.x = x;
    c.y = y;
    c.z = z;
    c.task = (z * taskDimY + y) * taskDimX + x;
    c.cluster = cluster;
    c.id = id;
    c.is_memory_core = is_memory_core;
    cores.push_back(std::move(c));
}

void run_jobs() {
    const unsigned width = static_cast<unsigned>(launch_info.job);
    const unsigned jobs = taskDimX / width * taskDimY * taskDimZ;
    start_watching(jobs > 1 || width > 1);
    for (unsigned j = 0; j < jobs; ++j) {
        const unsigned at = reversed() ? jobs - 1 - j : j;
        const unsigned x = at % (taskDimX / width) * width, y = at / (taskDimX / width) % taskDimY, z = at / (taskDimX / width) / taskDimY;
        cores.clear();
        if (width == 1) {
            add_core(x, y, z, 0, static_cast<int>(((z * taskDimY + y) * taskDimX + x) % coreDim), false);
        } else {
            for (unsigned i = 0; i < width; ++i) {
                add_core(x + i, y, z, static_cast<int>(i / coreDim), static_cast<int>(i % coreDim), false);
                if (memory_core_used && i % coreDim == coreDim - 1)
                    add_core(x + i / coreDim * coreDim, y, z, static_cast<int>(i / coreDim), memory_core_id, true);
            }
        }
        for (std::size_t i = 0; i < cores.size(); ++i) {
            cores[i].clock.assign(cores.size(), 0);
            cores[i].clock[i] = 1;
        }
        job_number = j;
        forget_shared();
        shared_accesses.assign(std::max<std::size_t>(1, width / coreDim), {});
        splits.clear();
        forget_contents();
        run_job();
        check_scratch_redzones();
    }
    current = -1;
    stop_watching();
}

void trace_launch(const Argument* args, int count) {
    char json[160];
    std::snprintf(json, sizeof json, "[%u, %u, %u]", launch_info.tasks.x, launch_info.tasks.y, launch_info.tasks.z);
    Event event("launch");
    event.raw("grid", json).number("job", launch_info.job).raw("arguments", arguments_json(args, count).c_str());
    record_memory(event, launch_info.kernel, launch_info.line, args, count);
    event.write();
}

bool refuse(const char* message) {
    last_error = 1;
    Event("bad_launch").text("message", message).number("error", 1).write();
    return false;
}

bool valid_launch() {
    const cnrtDim3_t& d = launch_info.tasks;
    if (!d.x || !d.y || !d.z) return refuse("a task dimension is zero");
    if (d.x >= 65536 || d.y >= 65536 || d.z >= 65536) return refuse("a task dimension is 65536 or more");
    if (launch_info.job < 1 || (launch_info.job != 1 && (launch_info.job % 4 || launch_info.job > 64)))
        return refuse("the task type is neither Block nor a Union");
    if (d.x % static_cast<unsigned>(launch_info.job)) {
        static char words[160];
        std::snprintf(words, sizeof words, "a Union%d job occupies %d cores, and taskDimX = %u is no multiple of that", launch_info.job / 4,
                      launch_info.job, d.x);
        return refuse(words);
    }
    return true;
}

void perform(const Pending& p) {
    unsigned long si = 0, sj = 0;
    for (unsigned long j = 0; j < p.dst.count[1]; ++j)
        for (unsigned long i = 0; i < p.dst.count[0]; ++i) {
            char* to = static_cast<char*>(p.dst.base) + static_cast<long>(i) * p.dst.stride[0] + static_cast<long>(j) * p.dst.stride[1];
            if (p.width) {
                if (is_watched(to)) {
                    std::vector<unsigned char> values(p.dst.size);
                    for (std::size_t k = 0; k < values.size(); ++k) values[k] = p.value[k % p.width];
                    note_access(p.call, to, p.dst.size, values.data(), true, false);
                }
                for (std::size_t k = 0; k + p.width <= p.dst.size; k += p.width) std::memcpy(to + k, p.value, p.width);
                continue;
            }
            if (!p.read.empty()) {
                note_access(p.call, to, p.dst.size, &p.read[(j * p.dst.count[0] + i) * p.dst.size], true, false);
                std::memcpy(to, &p.read[(j * p.dst.count[0] + i) * p.dst.size], p.dst.size);
                continue;
            }
            const char* from = static_cast<char*>(p.src.base) + static_cast<long>(si) * p.src.stride[0] + static_cast<long>(sj) * p.src.stride[1];
            note_access(p.call, from, p.dst.size, nullptr, false, false);
            note_access(p.call, to, p.dst.size, from, true, false);
            std::memmove(to, from, p.dst.size);
            if (++si == p.src.count[0]) {
                si = 0;
                ++sj;
            }
        }
}

void read_source(Pending& p) {
    for (unsigned long j = 0; j < p.src.count[1]; ++j)
        for (unsigned long i = 0; i < p.src.count[0]; ++i) {
            const auto* from = static_cast<unsigned char*>(p.src.base) + static_cast<long>(i) * p.src.stride[0] + static_cast<long>(j) * p.src.stride[1];
            note_access(p.call, from, p.src.size, nullptr, false, false);
            p.read.insert(p.read.end(), from, from + p.src.size);
        }
    p.src.size = 0;  // touches nothing any more
}

void spoil_walk(const Walk& w) {
    for (unsigned long j = 0; j < w.count[1]; ++j)
        for (unsigned long i = 0; i < w.count[0]; ++i)
            spoil(static_cast<char*>(w.base) + static_cast<long>(i) * w.stride[0] + static_cast<long>(j) * w.stride[1], w.size);
}

// All streams of the running core are waited for.
void finish() {
    drain(all_streams);
    if (current >= 0) cores[static_cast<std::size_t>(current)].computing.clear();
}

const char* stream_sync(unsigned stream) {
    return stream == stream_io ? "__sync_io" : stream == stream_move ? "__sync_move" : "__sync_compute";
}

}  // namespace

const Architecture architecture = chosen();

bool overlap(const Walk& a, const Walk& b) {
    if (!a.size || !b.size) return false;
    for (unsigned long aj = 0; aj < a.count[1]; ++aj)
        for (unsigned long ai = 0; ai < a.count[0]; ++ai) {
            const long low = static_cast<char*>(a.base) - static_cast<char*>(b.base) + static_cast<long>(ai) * a.stride[0] + static_cast<long>(aj) * a.stride[1];
            const long high = low + static_cast<long>(a.size);
            for (unsigned long bj = 0; bj < b.count[1]; ++bj) {
                const long offset = static_cast<long>(bj) * b.stride[1], size = static_cast<long>(b.size);
                if (b.count[0] == 1 || b.stride[0] == 0) {
                    if (low < offset + size && offset < high) return true;
                    continue;
                }
                // The first segment that ends behind `low`, walking towards it.
                const long stride = b.stride[0] > 0 ? b.stride[0] : -b.stride[0], last = static_cast<long>(b.count[0]) - 1;
                const long base = b.stride[0] > 0 ? offset : offset + last * b.stride[0];
                long first = low - base - size + 1;
                first = first <= 0 ? 0 : (first + stride - 1) / stride;
                if (first <= last && base + first * stride < high) return true;
            }
        }
    return false;
}

Position running_position() {
    const Core& c = cores[static_cast<std::size_t>(current)];
    return {job_number, current, c.clock[static_cast<std::size_t>(current)], c.task, c.cluster, c.is_memory_core};
}
int running_cluster() { return cores[static_cast<std::size_t>(current)].cluster; }
bool is_before(const Position& p) {
    return p.job == job_number && (p.core == current || cores[static_cast<std::size_t>(current)].clock[static_cast<std::size_t>(p.core)] >= p.clock);
}
bool same_core(const Position& p) { return p.job == job_number && p.core == current; }
std::string name_of_core(const Position& p) {
    return p.memory_core ? "the memory core of cluster " + std::to_string(p.cluster) : "task " + std::to_string(p.task);
}

bool in_task() { return current >= 0; }
bool on_memory_core() { return current >= 0 && cores[static_cast<std::size_t>(current)].is_memory_core; }
const void* stack_top() { return top_of_stack; }

UsesMemoryCore::UsesMemoryCore() { memory_core_used = true; }

void describe_place(Event& event) {
    if (!active) return;
    event.text("kernel", launch_info.kernel);
    event.number("launch_line", launch_info.line);
    if (current < 0) return;
    const Core& c = cores[static_cast<std::size_t>(current)];
    char at[64];
    std::snprintf(at, sizeof at, "[%u, %u, %u]", c.x, c.y, c.z);
    event.raw("task", at);
    if (launch_info.job == 1) return;
    std::snprintf(at, sizeof at, c.is_memory_core ? "cluster %d memory core" : "cluster %d core %d", c.cluster, c.id);
    event.text("core", at);
}

// Memory that a kernel on a queue was given, until the host waits for the queue.
struct Lent {
    const void* queue;
    const Region* region;
    const char* kernel;
    int line;
};
static std::vector<Lent>& lent() {
    static auto* all = new std::vector<Lent>;
    return *all;
}

static void lend(const LaunchInfo& info, const Argument* args, int count) {
    if (!info.queue) return;
    for (int i = 0; i < count; ++i) {
        if (std::strcmp(args[i].kind, "pointer")) continue;
        const Region* region = find_region(*static_cast<const void* const*>(args[i].value), true);
        if (region) lent().push_back({info.queue, region, info.kernel, info.line});
    }
}

void queue_waited(const void* queue) {
    auto& all = lent();
    all.erase(std::remove_if(all.begin(), all.end(), [&](const Lent& l) { return !queue || l.queue == queue; }), all.end());
}

void check_host_copy(const Call& call, const void* device) {
    const Region* region = find_region(device, true);
    for (const Lent& l : lent())
        if (region && l.region == region)
            violation("bang-sync", call, "the memory %s belongs to %s, launched in line %d, which may still run: a cnrtQueueSync() of its queue is missing",
                      describe(device).c_str(), l.kernel, l.line);
}

void run_grid(const LaunchInfo& info, Body run, void* data, const Argument* args, int count) {
    if (active) fatal("bad_launch", "%s is launched from inside a kernel", info.kernel);
    launch_info = info;
    active = true;
    last_error = 0;
    setenv("XPILER_STACK_KB", "2048", 0);  // local arrays of a core are larger than those of a thread
    if (valid_launch()) {
        if (tracing()) trace_launch(args, count);
        if (!trace_only()) {
            taskDimX = info.tasks.x;
            taskDimY = info.tasks.y;
            taskDimZ = info.tasks.z;
            taskDim = taskDimX * taskDimY * taskDimZ;
            clusterDim = info.job == 1 ? 0 : static_cast<unsigned>(info.job) / coreDim;
            body = run;
            closure = data;
            for (Scratch* s : scratchpads()) s->counted = false;
            for (Scratch* s : scratchpads())
                if (s->variable->at_file_scope) count_capacity(*s);
            run_jobs();
            check_redzones();
            lend(info, args, count);
        }
    }
    active = false;
}

void* declare(Variable& v, std::size_t bytes) {
    auto* s = static_cast<Scratch*>(v.window);
    if (!s || bytes > s->region->size) {
        const char* kind = v.space == Space::nram ? "nram" : v.space == Space::wram ? "wram" : v.space == Space::sram ? "sram" : "ldram";
        Region* region = map_region(bytes, 64, v.name, kind);
        if (!region) fatal("trap", "the emulator could not map %zu bytes for %s", bytes, v.name);
        region->redzoned = false;
        if (!s) {
            s = new Scratch{&v, region, {}, -1, false};
            scratchpads().push_back(s);
            v.window = s;
        } else {  // an array whose extent is known at run time only has grown
            s->region = region;
            s->saved.clear();
            s->counted = false;
        }
        v.size = bytes;
        s->mapped = -1;
    }
    if (active) {
        if (v.space == Space::sram && launch_info.job == 1)
            improper("bang-space", Call{v.name, v.line}, "a Block task has no shared SRAM for %s; launch a Union", v.name);
        if (!s->counted) count_capacity(*s);
        map_scratch(*s);
    }
    return s->region->base;
}

unsigned char* in_cluster(const Call& call, void* sram, int cluster) {
    if (cluster < 0 || cluster == cores[static_cast<std::size_t>(current)].cluster) return static_cast<unsigned char*>(sram);
    if (cluster >= static_cast<int>(shared_accesses.size()))
        violation("bang-direction", call, "there is no cluster %d in this job, which has %zu", cluster, shared_accesses.size());
    for (Scratch* s : scratchpads()) {
        auto* at = static_cast<unsigned char*>(sram);
        if (s->variable->space != Space::sram || at < s->region->base || at >= s->region->base + s->region->size) continue;
        if (s->saved.size() <= static_cast<std::size_t>(cluster)) s->saved.resize(static_cast<std::size_t>(cluster) + 1);
        auto& other = s->saved[static_cast<std::size_t>(cluster)];
        if (other.size() != s->variable->size) {
            other.resize(s->variable->size);
            spoil(other.data(), other.size());
        }
        return other.data() + (at - s->region->base);
    }
    return static_cast<unsigned char*>(sram);
}

// ------------------------------------------------------------------------------------------------ barriers

void barrier(const Call& call, Barrier kind) {
    if (current < 0) fatal("trap", "%s in host code", call.name);
    finish();
    settle_stores();
    if (launch_info.job == 1) return;
    Core& c = cores[static_cast<std::size_t>(current)];
    if (!takes_part(c, kind, c.cluster)) return;
    c.state = State::waiting;
    c.barrier = kind;
    c.call = call;
    complete(kind, c.cluster);
    if (c.state == State::waiting) yield_to_scheduler();
    else {  // the others were released, too: let them go first in turn
        yield_to_scheduler();
    }
}

static long key_of(bool whole_job, int id) { return whole_job ? -1 - id : (static_cast<long>(cores[static_cast<std::size_t>(current)].cluster) << 16) + id; }

static Split& split(long key) {
    for (auto& [k, s] : splits)
        if (k == key) return s;
    splits.emplace_back(key, Split{});
    return splits.back().second;
}

void arrive(const Call&, bool whole_job, int id, int) {
    finish();
    settle_stores();
    ++split(key_of(whole_job, id)).arrived;
}

void await(const Call& call, bool whole_job, int id, int count) {
    finish();
    const long key = key_of(whole_job, id);
    for (;;) {
        Split& s = split(key);
        if (s.arrived >= count) break;
        Core& c = cores[static_cast<std::size_t>(current)];
        c.call = call;
        // Nobody else can run: then nobody will arrive any more.
        const bool alone = std::none_of(cores.begin(), cores.end(), [&](const Core& o) { return &o != &c && o.state == State::ready; });
        if (alone) report_stuck();
        yield_to_scheduler();
    }
    std::vector<int> everybody;
    for (std::size_t i = 0; i < cores.size(); ++i) everybody.push_back(static_cast<int>(i));
    cores[static_cast<std::size_t>(current)].clock = [&] {
        std::vector<unsigned> joint(cores.size(), 0);
        for (const Core& c : cores)
            for (std::size_t i = 0; i < cores.size(); ++i) joint[i] = std::max(joint[i], c.clock[i]);
        return joint;
    }();
    ++cores[static_cast<std::size_t>(current)].clock[static_cast<std::size_t>(current)];
}

// ------------------------------------------------------------------------------------------------- streams

void drain(unsigned streams) {
    if (current < 0) return;
    auto& pending = cores[static_cast<std::size_t>(current)].pending;
    if (pending.empty()) return;
    std::size_t kept = 0;
    for (std::size_t i = 0; i < pending.size(); ++i) {
        if (pending[i].stream & streams) perform(pending[i]);
        else pending[kept++] = pending[i];
    }
    pending.resize(kept);
}

void begin_in(unsigned stream) {
    drain(stream & stream_compute);
    if (current < 0) return;
    auto& pending = cores[static_cast<std::size_t>(current)].pending;
    for (std::size_t i = 0; i < pending.size();) {
        if (!(pending[i].waited & stream)) {
            ++i;
            continue;
        }
        const Pending next = pending[i];
        pending.erase(pending.begin() + static_cast<long>(i));
        perform(next);
    }
}

void synchronize(const Call&, unsigned producers, unsigned consumers) {
    if (current < 0) return;
    Core& c = cores[static_cast<std::size_t>(current)];
    if (consumers == all_streams) {
        drain(producers);
        if (producers & stream_compute) c.computing.clear();
        return;
    }
    for (Pending& p : c.pending)
        if (p.stream & producers) p.waited |= consumers;
    if (producers & stream_compute) c.computing.wait(consumers);
}

void note_computing(const Call& call, const Operand& operand) {
    if (current < 0 || (operand.space != Space::nram && operand.space != Space::wram)) return;
    cores[static_cast<std::size_t>(current)].computing.add(walk_of(operand), operand.written, call);
}

void value_returned() { cores[static_cast<std::size_t>(current)].computing.clear(); }

void note_own_scalar(const void* at, std::size_t bytes, bool written, const void* code) {
    if (current < 0) return;
    Core& c = cores[static_cast<std::size_t>(current)];
    if (c.pending.empty() && c.computing.empty()) return;
    const Walk here{const_cast<void*>(at), bytes, {0, 0}, {1, 1}};
    for (const Pending& p : c.pending) {
        const bool into = overlap(p.dst, here);
        if (!into && !(written && !p.width && overlap(p.src, here))) continue;
        violation("bang-sync", Call{"scalar code", line_of_code(code)}, "%s is %s while the asynchronous %s of line %d %s is not waited for: a %s() is missing between them",
                  describe(at).c_str(), written ? "written" : "read", p.call.name, p.call.line, into ? "into it" : "out of it", stream_sync(p.stream));
    }
    for (const Scratch* s : scratchpads())
        if (at >= s->region->base && at < s->region->base + s->region->size && s->variable->space != Space::sram) return c.computing.clear();
}

void check_pending(const Call& call, const Operand& operand) {
    if (current < 0) return;
    const Walk mine = walk_of(operand);
    for (const Pending& p : cores[static_cast<std::size_t>(current)].pending) {
        if (overlap(p.dst, mine))
            violation("bang-sync", call, "%s %s is %s while the asynchronous %s of line %d into it is not waited for: a %s() is missing between them",
                      operand.role, describe(operand.at).c_str(), operand.written ? "written" : "read", p.call.name, p.call.line, stream_sync(p.stream));
        if (operand.written && !p.width && overlap(p.src, mine))
            violation("bang-sync", call, "%s %s is written while the asynchronous %s of line %d out of it is not waited for: a %s() is missing between them",
                      operand.role, describe(operand.at).c_str(), p.call.name, p.call.line, stream_sync(p.stream));
    }
}

void note_shared(const Call& call, const Operand& operand) {
    if (current < 0 || operand.space != Space::sram || launch_info.job == 1) return;
    const Core& c = cores[static_cast<std::size_t>(current)];
    auto& list = shared_accesses[static_cast<std::size_t>(c.cluster)];
    const auto* low = static_cast<const unsigned char*>(operand.at);
    const auto* high = low + operand.bytes;
    const unsigned now = c.clock[static_cast<std::size_t>(current)];
    for (const Access& a : list) {
        if (a.core == current || !(a.written || operand.written) || a.low >= high || low >= a.high) continue;
        if (c.clock[static_cast<std::size_t>(a.core)] >= a.clock) continue;
        violation("bang-sync", call, "%s %s is %s here and %s by %s in line %d (%s) with no barrier between them", operand.role,
                  describe(operand.at).c_str(), operand.written ? "written" : "read", a.written ? "written" : "read",
                  core_name(cores[static_cast<std::size_t>(a.core)]).c_str(), a.call.line, a.call.name);
    }
    for (const Access& a : list)
        if (a.core == current && a.clock == now && a.low == low && a.high == high && a.written == operand.written) return;
    if (list.size() > 4096) list.erase(list.begin(), list.begin() + 2048);
    list.push_back(Access{low, high, current, now, operand.written, call});
}

bool lane_addressed(const void* wram) {
    if (current < 0) return false;
    auto* at = static_cast<const unsigned char*>(wram);
    for (auto& [low, high] : cores[static_cast<std::size_t>(current)].lanes)
        if (at >= low && at < high) return true;
    return false;
}

namespace {

// A copy of the compute stream is one of its instructions.
void note_moved(Core& core, const Pending& p) {
    core.computing.add(p.dst, true, p.call);
    if (!p.width) core.computing.add(p.src, false, p.call);
}

// An asynchronous copy begins while what was computed before it, and not waited for, may still be under way.
void check_computing(const Core& core, const Pending& p) {
    const auto report = [&](const Ranges::Range& r, const Walk& side, const char* this_does, const char* that_did) {
        violation("bang-sync", p.call, "%s is %s while %s of line %d, which %s it, may still be computing: a __sync_compute() is missing between them",
                  describe(side.base).c_str(), this_does, r.call.name, r.call.line, that_did);
    };
    if (!p.width)
        if (const auto* r = core.computing.written.met(p.src, p.stream)) report(*r, p.src, "read", "writes");
    if (const auto* r = core.computing.written.met(p.dst, p.stream)) report(*r, p.dst, "written", "writes");
    if (const auto* r = core.computing.read.met(p.dst, p.stream)) report(*r, p.dst, "written", "reads");
}

}  // namespace

void issue(const Call& call, unsigned stream, const Walk& dst, const Walk& src, const void* value, std::size_t width, bool asynchronous) {
    begin_in(stream);
    Pending next{call, stream, dst, src, {}, width};
    if (width) std::memcpy(next.value, value, width);
    Core* core = current < 0 ? nullptr : &cores[static_cast<std::size_t>(current)];
    if (!asynchronous || !core) {
        drain(stream);  // a stream works in order
        if (core)
            for (const Pending& p : core->pending) {
                const bool reads = !width && overlap(p.dst, src), writes = overlap(p.dst, dst), spoils = !p.width && overlap(p.src, dst);
                if (reads || writes || spoils)
                    violation("bang-sync", call, "%s is %s while the asynchronous %s of line %d is not waited for: a %s() is missing between them",
                              describe(reads ? src.base : dst.base).c_str(), reads ? "read" : "written", p.call.name, p.call.line, stream_sync(p.stream));
            }
        if (core && stream == stream_compute) note_moved(*core, next);
        // A copy waits for what is computed before it, and is complete when the next instruction begins.
        if (core && (stream != stream_compute || !std::strcmp(call.name, "__memcpy"))) core->computing.clear();
        return perform(next);
    }
    if (stream == stream_compute) note_moved(*core, next);
    else check_computing(*core, next);
    for (std::size_t i = 0; i < core->pending.size(); ++i) {
        Pending& p = core->pending[i];
        const bool spoils = !p.width && overlap(p.src, dst);
        if (p.stream != stream) {
            if (spoils || overlap(p.dst, dst) || (!width && overlap(p.dst, src)))
                violation("bang-sync", call, "%s is used while the asynchronous %s of line %d is not waited for: a %s() is missing between them",
                          describe(!width && overlap(p.dst, src) ? src.base : dst.base).c_str(), p.call.name, p.call.line, stream_sync(p.stream));
            continue;
        }
        if (!spoils) continue;
        // A stream works in order: the earlier copy has read its source before this one writes there. What it reads
        // may in turn be what a still earlier one writes; then those are finished, too.
        const bool fed = std::any_of(core->pending.begin(), core->pending.begin() + static_cast<long>(i),
                                     [&](const Pending& q) { return q.stream == stream && overlap(q.dst, p.src); });
        if (fed) {
            drain(stream);
            break;
        }
        read_source(p);
    }
    // The destination shows garbage until the copy is waited for. What earlier copies of this stream will read or
    // write there comes first, in order.
    bool chained = false;
    for (const Pending& p : core->pending) chained |= overlap(p.dst, dst) || (!width && overlap(dst, src));
    if (!chained) spoil_walk(dst);
    core->pending.push_back(next);
}

void wrote_weights(const Walk& dst) {
    if (current < 0) return;
    auto& lanes = cores[static_cast<std::size_t>(current)].lanes;
    auto* low = static_cast<unsigned char*>(dst.base);
    const bool by_lane = dst.count[0] == 64 && dst.count[1] == 1 && dst.stride[0] == static_cast<long>(architecture.wram / 64);
    if (by_lane) {
        lanes.emplace_back(low, low + dst.size);
        return;
    }
    auto* high = low + dst.size + static_cast<long>(dst.count[0] - 1) * dst.stride[0];
    lanes.erase(std::remove_if(lanes.begin(), lanes.end(), [&](auto& l) { return l.first < high && low < l.second; }), lanes.end());
}

}  // namespace xpemu
