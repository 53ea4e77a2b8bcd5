// Stackful fibers: own switch on x86-64 (about 5 ns), ucontext elsewhere.
#pragma once

#include <sys/mman.h>

#include <cstdint>
#include <cstdlib>
#if !defined(__x86_64__) || defined(XPEMU_UCONTEXT)
#define XPEMU_USE_UCONTEXT
#include <ucontext.h>
#endif

namespace xpemu {

struct Fiber {
#ifdef XPEMU_USE_UCONTEXT
    ucontext_t context;
#else
    void* stack_pointer;
#endif
    Fiber* next_free;
};

#ifdef XPEMU_USE_UCONTEXT

inline void switch_fiber(Fiber& from, Fiber& to) { swapcontext(&from.context, &to.context); }

#else

// Saves the callee-saved registers on the old stack and restores them from the new one.
asm(R"(
.text
.local xpemu_switch
.type xpemu_switch, @function
xpemu_switch:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq (%rsi), %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret
.size xpemu_switch, .-xpemu_switch
)");
extern "C" void xpemu_switch(void** save, void** load);

inline void switch_fiber(Fiber& from, Fiber& to) { xpemu_switch(&from.stack_pointer, &to.stack_pointer); }

#endif

// A new fiber that will run entry(), which must never return. Stacks are reserved, and committed when touched.
inline Fiber* new_fiber(void (*entry)()) {
    static const std::size_t size = [] {
        const char* text = std::getenv("XPILER_STACK_KB");
        return (text && std::atol(text) > 0 ? static_cast<std::size_t>(std::atol(text)) : 256) * 1024;
    }();
    static long guarded = 0;
    auto* low = static_cast<unsigned char*>(
        mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0));
    if (low == MAP_FAILED) return nullptr;
    if (++guarded < 8192) mprotect(low, 4096, PROT_NONE);  // the number of mappings of a process is limited
    auto* fiber = new Fiber{};
#ifdef XPEMU_USE_UCONTEXT
    getcontext(&fiber->context);
    fiber->context.uc_stack.ss_sp = low;
    fiber->context.uc_stack.ss_size = size;
    makecontext(&fiber->context, entry, 0);
#else
    auto* top = reinterpret_cast<void**>(low + size);
    *--top = nullptr;                         // return address of entry, at 8 modulo 16 as after a call
    *--top = reinterpret_cast<void*>(entry);  // popped by ret
    fiber->stack_pointer = top - 6;           // six registers
#endif
    return fiber;
}

}  // namespace xpemu
