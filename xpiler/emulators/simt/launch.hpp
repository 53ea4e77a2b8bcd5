// What the prepared program text refers to: launches, shared declarations, and their argument descriptions.
#pragma once

#include <tuple>
#include <type_traits>
#include <utility>

#include "runtime.hpp"

namespace xpemu {

template <class T>
Argument describe(const T& value) {
    const char* kind = "struct";
    if constexpr (std::is_pointer_v<T> || std::is_null_pointer_v<T>) kind = "pointer";
    else if constexpr (std::is_floating_point_v<T>) kind = "float";
    else if constexpr (std::is_enum_v<T> || (std::is_integral_v<T> && std::is_signed_v<T>)) kind = "int";
    else if constexpr (std::is_integral_v<T>) kind = "uint";
    return Argument{kind, static_cast<unsigned>(sizeof(T)), &value};
}

template <class Call, class... T>
void start(const LaunchInfo& info, const Call& call, T... args) {
    auto body = [&] { call(args...); };
    Argument described[] = {describe(args)..., Argument{}};
    run_grid(info, [](void* closure) { (*static_cast<decltype(body)*>(closure))(); }, &body, described, sizeof...(T));
}

// kernel<<<grid, block, shared, stream>>>(args) becomes launcher([&](auto&... a) { kernel(a...); }, info)(args).
template <class Call>
struct Launcher {
    LaunchInfo info;
    Call call;
    template <class... T>
    void operator()(T&&... args) const {
        start<Call, std::decay_t<T>...>(info, call, std::forward<T>(args)...);
    }
};

struct Config {  // collects <<<...>>> as written
    dim3 grid, block;
    std::size_t shared;
    const void* stream;
    Config(dim3 g, dim3 b, std::size_t s = 0, const void* st = nullptr) : grid(g), block(b), shared(s), stream(st) {}
};

template <class Call>
Launcher<Call> launcher(const char* kernel, int line, Call call, const Config& c) {
    return Launcher<Call>{LaunchInfo{kernel, line, c.grid, c.block, c.shared, c.stream, false}, call};
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
