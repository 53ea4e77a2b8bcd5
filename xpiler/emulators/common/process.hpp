// What every emulator offers to the program's text: reports, device memory, the trace of its host calls.
// Implemented in events.cpp and memory.cpp, which are compiled once with the platform's scheduler.
#pragma once

#include <cstddef>
#include <cstdint>

#define XPEMU_LOCAL __attribute__((visibility("hidden")))

namespace xpemu {

// A kernel argument as the trace shows it.
struct Argument {
    const char* kind;  // pointer | int | uint | float | half | bfloat16 | struct
    unsigned size;     // bytes
    const void* value;
    unsigned pointee = 0;  // bytes of what a pointer points to, if that is known
    unsigned lambda = 0;   // where a closure's lambda is written, if that is known
};

using Body = void (*)(void* closure);

// Events (events.cpp). `fatal` writes the event with kernel and place, then ends the process with 86.
[[noreturn]] XPEMU_LOCAL void fatal(const char* event, const char* format, ...) __attribute__((format(printf, 2, 3)));
XPEMU_LOCAL void warn(const char* event, const char* format, ...) __attribute__((format(printf, 2, 3)));

XPEMU_LOCAL double host_milliseconds();  // steady clock

// Device memory (memory.cpp).
XPEMU_LOCAL void* device_allocate(std::size_t bytes, const char* kind);
XPEMU_LOCAL bool device_release(void*);  // false: no such allocation
// `value`: the byte that memory is set to; -1: it is copied from `from`.
XPEMU_LOCAL void trace_copy_to_variable(const char* name, std::size_t size, std::size_t offset, const void* from, std::size_t bytes);
XPEMU_LOCAL void trace_copy(const char* direction, const void* to, const void* from, std::size_t bytes, int value = -1);
XPEMU_LOCAL bool is_device_pointer(const void*);
XPEMU_LOCAL bool is_allocated_on_device(const void*);  // for sure: not an argument, whose side nobody knows
XPEMU_LOCAL void check_redzones();
extern XPEMU_LOCAL int last_error;  // the platform's code of the last failed call

// Names by addresses (symbols.cpp).
// The name of a kernel that is launched through a pointer; `otherwise` if the program's symbols do not tell.
XPEMU_LOCAL const char* function_name(const void* function, const char* otherwise);
// Logs a copy of `bytes` into a variable of the program, which has `size` bytes.
XPEMU_LOCAL void trace_variable(const void* variable, std::size_t size, std::size_t offset, const void* from, std::size_t bytes);

}  // namespace xpemu
