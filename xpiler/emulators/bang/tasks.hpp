// Shared between the runtime's own translation units: the running core, operand checks, streams.
#pragma once

#include <initializer_list>
#include <string>

#include "internal.hpp"
#include "runtime.hpp"

namespace xpemu {

// ---------------------------------------------------------------------------------------------- the device
struct Architecture {
    int number;
    std::size_t nram, wram, sram;  // bytes
    int clusters, cores;
    bool exact() const { return number < 300; }  // generation 2: addresses and sizes must be aligned
};
extern const Architecture architecture;

enum class Mode { loose, normal, strict };  // $XPILER_BANG_MODE
Mode mode();

// -------------------------------------------------------------------------------------------------- checks
struct Operand {
    const char* role;
    const void* at;
    std::size_t bytes;
    Space space;
    bool written;
    long stride = 0;  // where it lies in pieces: from one to the next
    std::size_t pieces = 1, piece = 0;
};
inline Walk walk_of(const Operand& o) { return Walk{const_cast<void*>(o.at), o.piece ? o.piece : o.bytes, {o.stride, 0}, {o.pieces, 1}}; }
enum class Overlap { forbidden, same, any };  // of what is written with what is read
struct Rule {
    Overlap overlap = Overlap::same;
    unsigned address2 = 64, size2 = 128;  // generation 2: addresses and byte sizes are multiples
    unsigned size3 = 1;                   // later generations
};

// Checks the operands of an intrinsic of an MLU core. False on the memory core, which passes over it.
bool enter(const Call&, std::initializer_list<Operand>, const Rule& = {});
// Reports a broken rule by the call's name and line, with words and ends the program.
[[noreturn]] void violation(const char* event, const Call&, const char* format, ...) __attribute__((format(printf, 3, 4)));
// The same where only strict mode ends the program: otherwise noted if $XPILER_BANG_NOTES asks for notes.
void irregular(const char* event, const Call&, const char* format, ...) __attribute__((format(printf, 3, 4)));
// The same where only loose mode goes on.
void improper(const char* event, const Call&, const char* format, ...) __attribute__((format(printf, 3, 4)));
void note(const Call&, const char* format, ...) __attribute__((format(printf, 2, 3)));
// In words: "nram_buffer + 128 (NRAM)".
std::string describe(const void*);
const char* name_of(Space);
Space space_of(const void*);
void check_operand(const Call&, const Operand&);
void computes_on(const Call&, const Operand&);  // one more operand of a compute instruction that was entered
void check_extent(const Call&, const Operand&, unsigned long segments = 1);  // within its variable or allocation
void check_operand_range(const Call&, const Operand& whole, const Walk&);
bool overlap(const Walk&, const Walk&);  // does any segment of one meet one of the other?

// ------------------------------------------------------------------------------------ streams and the cores
unsigned char* in_cluster(const Call&, void* sram, int cluster);  // the same address in another cluster's SRAM
void check_pending(const Call&, const Operand&);  // against copies of this core that are under way
void note_shared(const Call&, const Operand&);    // SRAM accesses of different cores need a barrier between
void drain(unsigned streams);
void begin_in(unsigned stream);  // does what an instruction of this stream waits for before it begins
void note_computing(const Call&, const Operand&);  // of a compute instruction, which nobody has waited for yet
void value_returned();  // to the scalar code, by a compute instruction: whoever has it has waited
// A core's own load or store: against copies under way; in NRAM or WRAM it waits for what is computed.
void note_own_scalar(const void*, std::size_t bytes, bool written, const void* code);
// Performs a copy or a fill (width > 0) now, or puts it off until its stream is waited for.
void issue(const Call&, unsigned stream, const Walk& dst, const Walk& src, const void* value, std::size_t width, bool asynchronous);
void wrote_weights(const Walk& dst);
bool lane_addressed(const void* wram);  // written lane by lane with a stride of WRAM / 64
bool in_task();
const void* stack_top();

// ----------------------------------------------------------------------------------------- races between cores
// A core of a job at a moment between two barriers.
struct Position {
    unsigned job;
    int core;
    unsigned clock, task;
    int cluster;
    bool memory_core;
    bool operator==(const Position& o) const { return job == o.job && core == o.core && clock == o.clock; }
};
Position running_position();
int running_cluster();
bool is_before(const Position&);  // what the running core is ordered after: its own past, and what barriers say
bool same_core(const Position&);
std::string name_of_core(const Position&);

void start_watching(bool several_cores);  // forgets all accesses
void forget_shared();  // a job begins with SRAM of its own
void stop_watching();
void settle_stores();  // before another core's memory takes the place of this one's
bool is_watched(const void*);
// A copy, fill or atomic is about to touch memory; `values` are what it writes, null for an atomic's.
void note_access(const Call&, const void* at, std::size_t bytes, const void* values, bool written, bool atomic);

}  // namespace xpemu
