// The scheduler: blocks one after another, the threads of a block as fibers.
//
// A fiber runs thread after thread until one of them waits; only then a second fiber is made. So a kernel without
// barriers is a plain loop. A waiting thread hands over directly to the next one that can run. When none can, the
// block is finished, parked at a grid barrier, or dead-locked.
#include "runtime.hpp"

#include <cxxabi.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "capture.hpp"
#include "endless.hpp"
#include "fiber.hpp"
#include "internal.hpp"

uint3 threadIdx{}, blockIdx{};
dim3 blockDim, gridDim;

namespace xpemu {

unsigned long block_serial = 0;
constexpr std::size_t default_shared = XPEMU_WARP == 64 ? 65536 : 49152;
std::size_t shared_optin = default_shared;

namespace {

enum class State : unsigned char { unstarted, runnable, barrier, named, warp, grid, exited };

struct Thread {
    Fiber* fiber;
    uint3 index;
    State state;
    bool predicate;
    int site, vote;
    const char* what;
    Lanes mask;
};

// Lanes that wait for one another at a warp operation.
struct Group {
    const char* what;
    int site;      // of the first that arrived; the identity of groups without a mask
    Lanes mask;    // 0: whoever reaches the line together
    Lanes members;
    Finish finish;
    void* context;
};

struct Warp {
    Lanes exists = 0, exited = 0;
    int running = 0;  // lanes that neither wait nor exited
    void* slots[64];
    std::vector<Group> groups;
};

struct Block {
    uint3 index{};
    std::vector<Thread> threads;
    std::vector<Warp> warps;
    std::vector<int> ready;  // ring of thread ranks
    std::size_t head = 0, queued = 0;
    int unstarted = 0, live = 0, at_barrier = 0, at_grid = 0;
    int barrier_site = 0;
    bool barrier_mixed = false;
    std::vector<int> at_named[16];  // ranks that wait at the barriers with a number of their own
    unsigned long serial = 0;
    std::vector<std::pair<SharedSite*, std::vector<unsigned char>>> saved;  // shared memory while another block runs
    std::vector<unsigned char> saved_dynamic;
};

LaunchInfo launch_info{};
Body body;
void* closure;
bool active = false, thread_active = false;
Block* block;       // the running one
int current;        // rank of the running thread
Fiber* running;     // its fiber
Fiber scheduler{};  // run_block's own context
Fiber* free_fibers;
std::vector<SharedSite*> sites;  // declarations passed in this block
unsigned long last_serial = 0;
Region* dynamic_region;
constexpr std::size_t dynamic_capacity = 256 * 1024;

inline int warp_of(int rank) { return rank / XPEMU_WARP; }
inline int lane_of(int rank) { return rank % XPEMU_WARP; }
inline Lanes bit(int lane) { return Lanes{1} << lane; }

inline void make_ready(int rank) {
    Block& b = *block;
    b.threads[rank].state = State::runnable;
    std::size_t at = b.head + b.queued++;
    b.ready[at < b.ready.size() ? at : at - b.ready.size()] = rank;
}

void thread_main();

Fiber* take_fiber() {
    if (Fiber* fiber = free_fibers) {
        free_fibers = fiber->next_free;
        return fiber;
    }
    Fiber* fiber = new_fiber(thread_main);
    if (!fiber) fatal("trap", "the emulator could not map a stack for another thread");
    return fiber;
}

std::string list_threads(State state, int site, const char* what, int& count) {
    std::string text = "[";
    count = 0;
    for (const Thread& t : block->threads) {
        if (t.state != state || (what && (t.site != site || std::strcmp(t.what, what)))) continue;
        char piece[64];
        if (++count <= 8) {
            std::snprintf(piece, sizeof piece, "%s[%u, %u, %u]", count > 1 ? ", " : "", t.index.x, t.index.y, t.index.z);
            text += piece;
        }
    }
    return text + "]";
}

// Who waits where and who has exited: the substance of every deadlock and divergence report.
[[noreturn]] void report_stuck(const char* name, const char* message) {
    std::string waiting = "[", words;
    std::vector<std::pair<int, const char*>> seen;
    for (const Thread& t : block->threads) {
        if (t.state == State::unstarted || t.state == State::runnable || t.state == State::exited) continue;
        bool known = std::any_of(seen.begin(), seen.end(), [&](auto& s) { return s.first == t.site && !std::strcmp(s.second, t.what); });
        if (known) continue;
        seen.emplace_back(t.site, t.what);
        int count;
        std::string threads = list_threads(t.state, t.site, t.what, count);
        char piece[512];
        std::snprintf(piece, sizeof piece, "%s{\"line\": %d, \"what\": \"%s\", \"count\": %d, \"threads\": %s}",
                      waiting.size() > 1 ? ", " : "", line_of(t.site), t.what, count, threads.c_str());
        if (waiting.size() < 6000) waiting += piece;
        std::snprintf(piece, sizeof piece, "; %d thread%s wait at %s in line %d, first %s", count, count == 1 ? "" : "s", t.what,
                      line_of(t.site), threads.substr(1, threads.find(']')).c_str());
        if (words.size() < 2000) words += piece;
    }
    int exited;
    std::string gone = list_threads(State::exited, 0, nullptr, exited);
    char tail[64] = "";
    if (exited) std::snprintf(tail, sizeof tail, "; %d exited", exited);
    thread_active = false;  // the report is about the block
    char at[64];
    std::snprintf(at, sizeof at, "[%u, %u, %u]", blockIdx.x, blockIdx.y, blockIdx.z);
    Event(name)
        .raw("block", at)
        .text("message", (message + words + tail).c_str())
        .raw("waiting", (waiting + "]").c_str())
        .number("exited_count", exited)
        .raw("exited", gone.c_str())
        .die();
}

void finish_group(Warp& warp, std::size_t index, int base) {
    Group group = warp.groups[index];
    warp.groups.erase(warp.groups.begin() + static_cast<std::ptrdiff_t>(index));
    if (group.finish) group.finish(warp.slots, group.members, group.context);
    warp.running += __builtin_popcountll(group.members);
    if (reversed()) {
        for (int lane = 63; lane >= 0; --lane)
            if (group.members & bit(lane) && base + lane != current) make_ready(base + lane);
    } else {
        for (Lanes rest = group.members; rest; rest &= rest - 1) {
            int rank = base + __builtin_ctzll(rest);
            if (rank != current) make_ready(rank);
        }
    }
    if (group.members & bit(current - base) && current >= base && current < base + XPEMU_WARP)
        block->threads[current].state = State::runnable;
}

// A lane of the warp stopped running. Completes groups that no longer wait for anybody.
void settle(Warp& warp, int base) {
    for (std::size_t i = 0; i < warp.groups.size(); ++i) {
        Group& g = warp.groups[i];
        Lanes need = g.mask & warp.exists & ~warp.exited;
        if (g.mask && (g.members & need) == need) return finish_group(warp, i, base);
    }
    if (warp.running) return;
    // No lane can run: the lanes that reached the earliest site together are the active ones (min-PC order, by
    // which structured control flow reconverges).
    std::size_t best = warp.groups.size();
    for (std::size_t i = 0; i < warp.groups.size(); ++i)
        if (!warp.groups[i].mask && (best == warp.groups.size() || warp.groups[i].site < warp.groups[best].site)) best = i;
    if (best < warp.groups.size()) finish_group(warp, best, base);
}

void complete_barrier() {
    Block& b = *block;
    if (b.barrier_mixed) report_stuck("divergence", "threads of one block wait at different barriers");
    int count = 0;
    for (Thread& t : b.threads)
        if (t.state == State::barrier) count += t.predicate;
    int waiting = b.at_barrier;
    b.at_barrier = 0;
    const int size = static_cast<int>(b.threads.size());
    const bool backward = reversed();
    for (int i = 0; i < size; ++i) {
        int rank = backward ? size - 1 - i : i;
        Thread& t = b.threads[rank];
        if (t.state != State::barrier) continue;
        t.vote = t.vote == 1 ? count : t.vote == 2 ? count == waiting : count > 0;
        ++b.warps[warp_of(rank)].running;
        if (rank == current) t.state = State::runnable;
        else make_ready(rank);
    }
}

inline void select(int rank, Fiber* fiber) {
    turns = turns + 1;
    current = rank;
    running = fiber;
    threadIdx = block->threads[rank].index;
}

// Leaves `from` for whatever can run: an unstarted thread, a ready one, or the scheduler.
void hand_over(Fiber* from) {
    Block& b = *block;
    if (b.unstarted) {
        running = take_fiber();
        switch_fiber(*from, *running);
        return;
    }
    if (b.queued) {
        int rank = b.ready[b.head];
        if (++b.head == b.ready.size()) b.head = 0;
        --b.queued;
        Thread& next = b.threads[rank];
        select(rank, next.fiber);
        if (next.fiber != from) switch_fiber(*from, *next.fiber);
        return;
    }
    if (b.live && b.at_grid != b.live) report_stuck("deadlock", "no thread of the block can go on");
    switch_fiber(*from, scheduler);
}

void wait_here() {
    Fiber* mine = running;
    block->threads[current].fiber = mine;
    hand_over(mine);
}

void thread_exits() {
    Block& b = *block;
    Thread& t = b.threads[current];
    t.state = State::exited;
    --b.live;
    Warp& warp = b.warps[warp_of(current)];
    --warp.running;
    warp.exited |= bit(lane_of(current));
    if (!warp.groups.empty()) settle(warp, current - lane_of(current));
    if (b.at_barrier && b.at_barrier == b.live) complete_barrier();
}

void thread_main() {
    for (;;) {
        Fiber* mine = running;
        while (block->unstarted) {
            int size = static_cast<int>(block->threads.size());
            int rank = reversed() ? block->unstarted - 1 : size - block->unstarted;
            --block->unstarted;
            select(rank, mine);
            block->threads[rank].state = State::runnable;
            body(closure);
            thread_exits();
        }
        mine->next_free = free_fibers;
        free_fibers = mine;
        hand_over(mine);
    }
}

void prepare_block(Block& b) {
    const int size = static_cast<int>(blockDim.x * blockDim.y * blockDim.z);
    b.threads.resize(static_cast<std::size_t>(size));
    b.ready.resize(static_cast<std::size_t>(size));
    b.warps.resize(static_cast<std::size_t>((size + XPEMU_WARP - 1) / XPEMU_WARP));
    uint3 at{0, 0, 0};
    for (Thread& t : b.threads) {
        t.state = State::unstarted;
        t.index = at;
        if (++at.x == blockDim.x) {
            at.x = 0;
            if (++at.y == blockDim.y) {
                at.y = 0;
                ++at.z;
            }
        }
    }
    for (std::size_t w = 0; w < b.warps.size(); ++w) {
        int lanes = std::min(XPEMU_WARP, size - static_cast<int>(w) * XPEMU_WARP);
        b.warps[w].exists = lanes == 64 ? ~Lanes{0} : bit(lanes) - 1;
        b.warps[w].exited = 0;
        b.warps[w].running = lanes;
        b.warps[w].groups.clear();
    }
    b.head = b.queued = 0;
    b.unstarted = b.live = size;
    b.at_barrier = b.at_grid = 0;
    for (auto& waiting : b.at_named) waiting.clear();
    b.serial = block_serial = ++last_serial;
    sites.clear();
    if (launch_info.shared) poison(static_cast<unsigned char*>(dynamic_region->base), launch_info.shared);
}

// Runs the block until it is finished or parked at a grid barrier.
void resume_block(Block& b) {
    block = &b;
    blockIdx = b.index;
    thread_active = true;
    if (b.unstarted) {
        running = take_fiber();
        switch_fiber(scheduler, *running);
    } else {
        int rank = b.ready[b.head];
        if (++b.head == b.ready.size()) b.head = 0;
        --b.queued;
        select(rank, b.threads[rank].fiber);
        switch_fiber(scheduler, *running);
    }
    thread_active = false;
}

void end_block() {
    std::size_t fixed = 0;
    for (SharedSite* site : sites) {
        fixed += site->size;
        check_region(*find_region(site->data, true));
    }
    if (launch_info.shared) check_region(*dynamic_region);
    if (fixed > default_shared || fixed + launch_info.shared > shared_optin)
        fatal("bad_launch", "the block uses %zu bytes of static and %zu bytes of dynamic shared memory; it may have %zu", fixed,
              launch_info.shared, shared_optin);
}

uint3 block_at(std::size_t linear) {
    return uint3{static_cast<unsigned>(linear % gridDim.x), static_cast<unsigned>(linear / gridDim.x % gridDim.y),
                 static_cast<unsigned>(linear / gridDim.x / gridDim.y)};
}

void run_blocks_in_turn(std::size_t count) {
    static Block b;
    for (std::size_t i = 0; i < count; ++i) {
        b.index = block_at(reversed() ? count - 1 - i : i);
        blockIdx = b.index;
        prepare_block(b);
        resume_block(b);
        end_block();
    }
}

// Cooperative grids: every block lives until the grid is done; the one shared memory is swapped between them.
void run_blocks_together(std::size_t count) {
    std::vector<Block> blocks(count);
    bool first = true;
    for (std::size_t left = count; left;) {
        for (std::size_t i = 0; i < count; ++i) {
            Block& b = blocks[reversed() ? count - 1 - i : i];
            if (!first && !b.live) continue;
            if (first) {
                b.index = block_at(reversed() ? count - 1 - i : i);
                blockIdx = b.index;
                prepare_block(b);
            } else {
                block_serial = b.serial;
                sites.clear();
                for (auto& [site, bytes] : b.saved) {
                    std::memcpy(site->data, bytes.data(), site->size);
                    site->serial = b.serial;
                    sites.push_back(site);
                }
                if (!b.saved_dynamic.empty()) std::memcpy(dynamic_region->base, b.saved_dynamic.data(), b.saved_dynamic.size());
                block = &b;
                b.at_grid = 0;
                for (std::size_t t = 0; t < b.threads.size(); ++t)
                    if (b.threads[t].state == State::grid) {
                        ++b.warps[static_cast<std::size_t>(warp_of(static_cast<int>(t)))].running;
                        make_ready(static_cast<int>(t));
                    }
            }
            resume_block(b);
            end_block();
            b.saved.clear();
            if (!b.live) {
                --left;
                continue;
            }
            for (SharedSite* site : sites) b.saved.emplace_back(site, std::vector<unsigned char>(site->data, site->data + site->size));
            b.saved_dynamic.assign(dynamic_region ? dynamic_region->base : nullptr,
                                   dynamic_region ? dynamic_region->base + launch_info.shared : nullptr);
        }
        first = false;
        std::size_t parked = left;
        if (parked && parked != count) {
            for (Block& b : blocks)
                if (b.live) {
                    block = &b;
                    blockIdx = b.index;
                    report_stuck("deadlock", "the grid barrier is not reached by blocks that have finished");
                }
        }
    }
}

void trace_launch(const Argument* args, int count) {
    Event event("launch");
    char json[1024];
    std::snprintf(json, sizeof json, "[%u, %u, %u]", launch_info.grid.x, launch_info.grid.y, launch_info.grid.z);
    event.raw("grid", json);
    std::snprintf(json, sizeof json, "[%u, %u, %u]", launch_info.block.x, launch_info.block.y, launch_info.block.z);
    event.raw("block_size", json).number("shared", static_cast<long long>(launch_info.shared));
    event.number("cooperative", launch_info.cooperative);
    event.raw("arguments", arguments_json(args, count).c_str());
    if (launch_info.inside) {
        const char* spelled = std::strstr(launch_info.inside, "Call = ");
        char* demangled = spelled ? nullptr : abi::__cxa_demangle(launch_info.inside, nullptr, nullptr, nullptr);
        const char* inside = spelled ? spelled + 7 : demangled;
        if (inside && std::strlen(inside) < 1024) event.text("inside", inside);
        std::free(demangled);
    }
    record_memory(event, launch_info.kernel, launch_info.line, args, count);
    event.write();
}

bool refuse_launch(int error, const char* message) {
    last_error = error;
    Event("bad_launch").text("message", message).number("error", error).write();
    return false;
}

bool valid_launch() {
    const dim3 &g = launch_info.grid, &b = launch_info.block;
    constexpr int invalid_value = 1, invalid_configuration = 9;
    if (!b.x || !b.y || !b.z) return refuse_launch(invalid_configuration, "a block dimension is zero");
    if (!g.x || !g.y || !g.z) return refuse_launch(invalid_configuration, "a grid dimension is zero");
    if (b.x > 1024 || b.y > 1024 || b.z > (XPEMU_WARP == 64 ? 1024u : 64u) || static_cast<unsigned long long>(b.x) * b.y * b.z > 1024)
        return refuse_launch(invalid_configuration, "the block has more than 1024 threads (or more than 64 in z)");
    if (g.x > 0x7fffffffu || g.y > 65535 || g.z > 65535)
        return refuse_launch(invalid_configuration, "the grid is larger than 2147483647 x 65535 x 65535");
    if (launch_info.shared > shared_optin)
        return refuse_launch(invalid_value, "more dynamic shared memory than the kernel may use");
    return true;
}

}  // namespace

bool in_kernel() { return active; }
int lane_of_current() { return lane_of(current); }
int warp_of_current() { return warp_of(current); }
int warp_width() { return XPEMU_WARP; }
int thread_rank() { return current; }
Lanes existing_lanes() { return block->warps[static_cast<std::size_t>(warp_of(current))].exists; }

void describe_place(Event& event) {
    if (!active) return;
    event.text("kernel", launch_info.kernel);
    event.number("launch_line", launch_info.line);
    if (!thread_active) return;
    char at[64];
    std::snprintf(at, sizeof at, "[%u, %u, %u]", blockIdx.x, blockIdx.y, blockIdx.z);
    event.raw("block", at);
    std::snprintf(at, sizeof at, "[%u, %u, %u]", threadIdx.x, threadIdx.y, threadIdx.z);
    event.raw("thread", at);
}

void run_grid(const LaunchInfo& info, Body run, void* data, const Argument* args, int count) {
    if (active) fatal("bad_launch", "%s is launched from inside a kernel; dynamic parallelism is not emulated", info.kernel);
    if (graph_of(info.stream)) fatal("bad_launch", "%s is captured in a graph from another file; that is not emulated", info.kernel);
    launch_info = info;
    active = true;
    if (valid_launch()) {
        if (tracing()) trace_launch(args, count);
        if (!trace_only()) {
            gridDim = info.grid;
            blockDim = info.block;
            body = run;
            closure = data;
            if (info.shared) {
                dynamic_shared_memory();
                // The launch's bytes end at the guard page, so an overrun faults at once.
                dynamic_region->base = dynamic_region->high - (256 * 4096) - (info.shared + 15) / 16 * 16;
                dynamic_region->size = info.shared;
                poison(dynamic_region->base - 256, 256);
                poison(dynamic_region->base + info.shared, (16 - info.shared % 16) % 16);
            }
            std::size_t blocks = static_cast<std::size_t>(info.grid.x) * info.grid.y * info.grid.z;
            const Watched watched;
            if (info.cooperative) run_blocks_together(blocks);
            else run_blocks_in_turn(blocks);
            threadIdx = blockIdx = uint3{0, 0, 0};
            check_redzones();
        }
    }
    active = false;
}

int block_barrier(const char* what, int site, Vote vote, bool predicate) {
    if (!thread_active) fatal("trap", "%s in host code", what);
    Block& b = *block;
    Thread& t = b.threads[current];
    t.state = State::barrier;
    t.what = what;
    t.site = site;
    t.predicate = predicate;
    t.vote = static_cast<int>(vote);
    if (b.at_barrier++ == 0) {
        b.barrier_site = site;
        b.barrier_mixed = false;
    } else if (b.barrier_site != site) {
        b.barrier_mixed = true;
    }
    Warp& warp = b.warps[warp_of(current)];
    --warp.running;
    if (b.at_barrier == b.live) {
        complete_barrier();
    } else {
        if (!warp.running && !warp.groups.empty()) settle(warp, current - lane_of(current));
        wait_here();
    }
    return block->threads[current].vote;
}

// A warp of which every living lane waits counts as a whole one, as the hardware counts.
bool named_is_full(const Block& b, const std::vector<int>& waiting, unsigned count) {
    std::vector<Lanes> here(b.warps.size(), 0);
    for (int rank : waiting) here[static_cast<std::size_t>(warp_of(rank))] |= bit(lane_of(rank));
    unsigned arrived = 0;
    for (std::size_t w = 0; w < here.size(); ++w) {
        if (!here[w]) continue;
        if (here[w] != (b.warps[w].exists & ~b.warps[w].exited)) return false;
        arrived += XPEMU_WARP;
    }
    return arrived >= count;
}

void named_barrier(const char* what, int site, unsigned id, unsigned count) {
    if (!thread_active) fatal("trap", "%s in host code", what);
    if (id > 15 || count % XPEMU_WARP) fatal("divergence", "%s in line %d: barrier %u for %u threads", what, line_of(site), id, count);
    Block& b = *block;
    Thread& t = b.threads[current];
    t.state = State::named;
    t.what = what;
    t.site = site;
    Warp& warp = b.warps[warp_of(current)];
    --warp.running;
    auto& waiting = b.at_named[id];
    waiting.push_back(current);
    if (named_is_full(b, waiting, count)) {
        for (int rank : waiting) {
            ++b.warps[warp_of(rank)].running;
            if (rank == current) t.state = State::runnable;
            else make_ready(rank);
        }
        waiting.clear();
        return;
    }
    if (!warp.running && !warp.groups.empty()) settle(warp, current - lane_of(current));
    wait_here();
}

void grid_barrier(int site) {
    if (!launch_info.cooperative) fatal("divergence", "grid synchronisation in line %d of a kernel that was not launched cooperatively", line_of(site));
    Block& b = *block;
    Thread& t = b.threads[current];
    t.state = State::grid;
    t.what = "grid.sync";
    t.site = site;
    ++b.at_grid;
    Warp& warp = b.warps[warp_of(current)];
    --warp.running;
    if (!warp.running && !warp.groups.empty()) settle(warp, current - lane_of(current));
    wait_here();
}

void meet(const char* what, int site, Lanes mask, void* slot, Finish finish, void* context) {
    if (!thread_active) fatal("trap", "%s in host code", what);
    const int lane = lane_of(current), base = current - lane;
    Thread& t = block->threads[current];
    Warp& warp = block->warps[warp_of(current)];
    mask &= ~Lanes{0} >> (64 - XPEMU_WARP);
    if (mask && !(mask & bit(lane)))
        fatal("inactive_lane", "%s in line %d: lane %d calls with mask 0x%llx, which does not name it", what, line_of(site), lane,
              static_cast<unsigned long long>(mask));
    t.state = State::warp;
    t.what = what;
    t.site = site;
    t.mask = mask;
    warp.slots[lane] = slot;
    --warp.running;
    Group* group = nullptr;
    for (Group& g : warp.groups)
        if (g.mask == mask && g.finish == finish && g.context == context && !std::strcmp(g.what, what) && (mask || g.site == site))
            group = &g;
    if (!group) {
        warp.groups.push_back(Group{what, site, mask, 0, finish, context});
        group = &warp.groups.back();
    }
    group->members |= bit(lane);
    settle(warp, base);
    if (t.state == State::warp) wait_here();
}

void inactive_lane(const char* what, int site, int lane, int source) {
    warn("inactive_lane", "%s in line %d: lane %d reads lane %d, which does not take part", what, line_of(site), lane, source);
}

// HIP reads 0 from a lane that is switched off; CUDA leaves it undefined.
void poison_value(void* at, std::size_t bytes) {
    auto* to = static_cast<unsigned char*>(at);
    for (std::size_t i = 0; i < bytes; ++i) to[i] = XPEMU_WARP == 64 ? 0 : static_cast<unsigned char>(poison_word >> (8 * (i % 4)));
}

void spin() {
    if (!thread_active) return;
    Thread& t = block->threads[current];
    t.what = "spin";
    make_ready(current);
    t.fiber = running;
    hand_over(running);
}

void enter_shared(SharedSite& site) {
    if (!site.data) {
        Region* region = map_region(site.size, std::max<std::size_t>(site.align, 16), site.name, "shared");
        if (!region) fatal("trap", "the emulator could not map %zu bytes of shared memory", site.size);
        site.data = region->base;
    } else {
        poison(site.data, site.size);
    }
    site.serial = block_serial;
    sites.push_back(&site);
}

void* dynamic_shared_memory() {
    if (!dynamic_region) dynamic_region = map_region(dynamic_capacity - 512, 16, "dynamic shared memory", "shared");
    return launch_info.shared || !active ? dynamic_region->base : dynamic_region->high - 256 * 4096;
}

void multiply_tiles(int m, int n, int k, const double* a, const double* b, double* acc) {
    for (int i = 0; i < m; ++i)
        for (int x = 0; x < k; ++x) {
            const double left = a[i * k + x];
            for (int j = 0; j < n; ++j) acc[i * n + j] += left * b[x * n + j];
        }
}

}  // namespace xpemu
