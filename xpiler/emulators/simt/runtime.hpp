// What the SIMT headers need from the runtime (runtime.cpp, memory.cpp, events.cpp), which is compiled once.
//
// One host thread runs everything. The threads of a block are fibers that switch only at barriers and warp
// operations. `threadIdx` and its siblings are plain globals that the scheduler sets at every switch.
#pragma once

#include <cstddef>
#include <cstdint>

#include "process.hpp"
#include "vector_types.hpp"

// The place of a call as a default argument: it tells two barriers in one line apart. line << 11 | column.
#if defined(__clang__)
#define XPEMU_SITE(name) int name = __builtin_LINE() << 11 | (__builtin_COLUMN() < 2047 ? __builtin_COLUMN() : 2047)
#else
namespace std {
struct source_location {  // what the compiler's builtin fills in; the library has it only from C++20
    struct __impl {
        const char* _M_file_name;
        const char* _M_function_name;
        unsigned _M_line, _M_column;
    };
};
}  // namespace std
namespace xpemu {
constexpr int site_of(const std::source_location::__impl* at) {
    return static_cast<int>(at->_M_line << 11 | (at->_M_column < 2047 ? at->_M_column : 2047));
}
}  // namespace xpemu
#define XPEMU_SITE(name) \
    int name = ::xpemu::site_of(static_cast<const std::source_location::__impl*>(__builtin_source_location()))
#endif

extern XPEMU_LOCAL uint3 threadIdx, blockIdx;
extern XPEMU_LOCAL dim3 blockDim, gridDim;

namespace xpemu {

using Lanes = std::uint64_t;  // one bit a lane
constexpr int line_of(int site) { return site >> 11; }

struct LaunchInfo {
    const char* kernel;  // as spelled
    int line;
    dim3 grid, block;
    std::size_t shared;  // dynamic bytes
    const void* stream;
    bool cooperative;
    const char* inside = nullptr;  // the type of the closure, which names the template that launches: mangled, or `... [with Call = type]`
};

using Finish = void (*)(void* const* slots, Lanes members, void* context);

// Runs body(closure) once for each thread of the grid; an invalid configuration sets the last error instead.
XPEMU_LOCAL void run_grid(const LaunchInfo&, Body, void* closure, const Argument* args, int count);
XPEMU_LOCAL bool in_kernel();

enum class Vote { none, count, all, any };
// Block barrier; returns the vote over the predicates of all non-exited threads.
XPEMU_LOCAL int block_barrier(const char* what, int site, Vote, bool predicate);
XPEMU_LOCAL void grid_barrier(int site);
// Barrier `id` of the block, passed when warps of `count` threads wait at it.
XPEMU_LOCAL void named_barrier(const char* what, int site, unsigned id, unsigned count);
// Meets the other lanes of the warp. With a mask: waits for all non-exited lanes of it that call with the same
// `what` and mask. Mask 0: meets the lanes that reach this site together. The last one calls
// finish(slots, members, context) for all; slots[l] is what lane l passed.
XPEMU_LOCAL void meet(const char* what, int site, Lanes mask, void* slot, Finish finish, void* context = nullptr);
// Lets other threads run: called where programs spin (failed compare-and-swap, __nanosleep).
XPEMU_LOCAL void spin();
XPEMU_LOCAL int lane_of_current();
XPEMU_LOCAL int warp_of_current();
XPEMU_LOCAL int warp_width();   // 32 or 64, fixed by the platform header
XPEMU_LOCAL int thread_rank();  // linear index in the block
XPEMU_LOCAL Lanes existing_lanes();

// Shared memory. A site is one declaration (in one template instantiation); its storage is guarded, poisoned
// when a block first passes the declaration and checked when the block ends.
struct SharedSite {
    const char* name;
    int line;
    std::size_t size, align;
    unsigned char* data;
    unsigned long serial;  // block that poisoned it last
};
XPEMU_LOCAL void enter_shared(SharedSite&);
extern XPEMU_LOCAL unsigned long block_serial;
XPEMU_LOCAL void* dynamic_shared_memory();

// A lane read the register of a lane that does not take part; the value it gets is poison_value's.
XPEMU_LOCAL void inactive_lane(const char* what, int site, int lane, int source);
XPEMU_LOCAL void poison_value(void* at, std::size_t bytes);

extern XPEMU_LOCAL std::size_t shared_optin;  // raised by cudaFuncSetAttribute

// D = A*B + acc over row-major doubles; the inner loops of all matrix units.
XPEMU_LOCAL void multiply_tiles(int m, int n, int k, const double* a, const double* b, double* acc);

}  // namespace xpemu
