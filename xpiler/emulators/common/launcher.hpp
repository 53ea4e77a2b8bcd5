// A launch as the prepared text writes it. Needs the platform's LaunchInfo and run_grid.
#pragma once

#include <type_traits>
#include <typeindex>
#include <unordered_map>
#include <utility>

#include "process.hpp"

namespace xpemu {

// Lambdas by their types.
inline std::unordered_map<std::type_index, unsigned>& lambda_places() {
    static std::unordered_map<std::type_index, unsigned> all;
    return all;
}
template <unsigned place, class L>
L lambda_at(L lambda) {
    lambda_places()[typeid(L)] = place;
    return lambda;
}

template <class T>
Argument describe(const T& value) {
    const char* kind = "struct";
    if constexpr (std::is_pointer_v<T> || std::is_null_pointer_v<T>) kind = "pointer";
    else if constexpr (std::is_floating_point_v<T>) kind = "float";
    else if constexpr (std::is_enum_v<T> || (std::is_integral_v<T> && std::is_signed_v<T>)) kind = "int";
    else if constexpr (std::is_integral_v<T>) kind = "uint";
    unsigned pointee = 0;
    if constexpr (std::is_pointer_v<T>) {
        using Target = std::remove_pointer_t<T>;
        if constexpr (!std::is_void_v<Target> && !std::is_function_v<Target>) pointee = sizeof(Target);
    }
    unsigned lambda = 0;
    if constexpr (std::is_class_v<T>) {
        const auto known = lambda_places().find(typeid(T));
        if (known != lambda_places().end()) lambda = known->second;
    }
    return Argument{kind, static_cast<unsigned>(sizeof(T)), &value, pointee, lambda};
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

}  // namespace xpemu
