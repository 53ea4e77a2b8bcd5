// What the prepared program text refers to: launches, shared declarations, and their argument descriptions.
#pragma once

#include <tuple>
#include <typeinfo>

#include "runtime.hpp"
#include "capture.hpp"
#include "launcher.hpp"

namespace xpemu {

struct Config {  // collects <<<...>>> as written
    dim3 grid, block;
    std::size_t shared;
    const void* stream;
    Config(dim3 g, dim3 b, std::size_t s = 0, const void* st = nullptr) : grid(g), block(b), shared(s), stream(st) {}
};

template <class Call>
const char* type_name() {
#ifdef __clang__
    return typeid(Call).name();
#else
    return __PRETTY_FUNCTION__;  // its own demangler does not know generic closures
#endif
}

template <class Call>
Launcher<Call> launcher(const char* kernel, int line, Call call, const Config& c) {
    return Launcher<Call>{LaunchInfo{kernel, line, c.grid, c.block, c.shared, c.stream, false, type_name<Call>()}, call};
}

// A launch through a pointer, which is evaluated once.
template <class... P>
auto pointer_launcher(void (*kernel)(P...), const char* text, int line, const Config& c) {
    const char* name = function_name(reinterpret_cast<const void*>(kernel), text);
    return launcher(name, line, [kernel](auto&... a) { kernel(a...); }, c);
}

// A launch of a program that captures graphs: where its stream is captured, the arguments are kept.
template <class Call>
struct CapturedLauncher {
    Launcher<Call> launcher;
    template <class... T>
    void operator()(T&&... args) const {
        auto later = launcher;
        later.info.stream = nullptr;  // it may be gone then
        const auto again = [later, given = std::tuple<std::decay_t<T>...>(args...)] {
            std::apply([&later](const auto&... a) { later(a...); }, given);
        };
        if (!keep(launcher.info.stream, again)) launcher(std::forward<T>(args)...);
    }
};
template <class Call>
CapturedLauncher<Call> captured(const Launcher<Call>& launcher) {
    return {launcher};
}

// `S` is a local struct with the declared variable as its only member.
template <class S>
inline S& shared(SharedSite& site) {
    if (__builtin_expect(site.serial != block_serial, 0)) enter_shared(site);
    return *reinterpret_cast<S*>(site.data);
}

// extern __shared__ T name[]: converts to whatever pointer the declaration asks for.
struct DynamicShared {
    template <class T>
    operator T*() const {
        return static_cast<T*>(dynamic_shared_memory());
    }
};

// The same at namespace scope, where no launch is known yet.
template <class T>
struct DynamicSharedArray {
    template <class U>
    operator U*() const {
        return reinterpret_cast<U*>(dynamic_shared_memory());
    }
    template <class I>
    T& operator[](I i) const {
        return static_cast<T*>(dynamic_shared_memory())[i];
    }
    T& operator*() const { return *static_cast<T*>(dynamic_shared_memory()); }
    template <class I>
    T* operator+(I i) const {
        return static_cast<T*>(dynamic_shared_memory()) + i;
    }
    T (*operator&() const)[] { return static_cast<T(*)[]>(dynamic_shared_memory()); }
};

}  // namespace xpemu

#define XPEMU_TEXT_(...) #__VA_ARGS__
#define XPEMU_TEXT(...) XPEMU_TEXT_(__VA_ARGS__)
