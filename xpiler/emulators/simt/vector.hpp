// ext_vector_type(n) as a class, so that g++ has element names and splats, and both compilers the same layout.
#pragma once

#include <cstddef>
#include <type_traits>

namespace xpemu {

constexpr std::size_t vector_alignment(std::size_t bytes) {
    std::size_t power = 1;
    while (power < bytes) power *= 2;
    return power;
}

template <class T, int N>
struct VectorData {
    T at[N];
};
template <class T>
struct VectorData<T, 2> {
    union {
        T at[2];
        struct { T x, y; };
    };
};
template <class T>
struct VectorData<T, 3> {
    union {
        T at[3];
        struct { T x, y, z; };
    };
};
template <class T>
struct VectorData<T, 4> {
    union {
        T at[4];
        struct { T x, y, z, w; };
    };
};

template <class T, int N>
struct alignas(vector_alignment(sizeof(T) * N)) vector : VectorData<T, N> {
    using element = T;
    static constexpr int size = N;
    vector() = default;
    // (v) and a plain scalar splat; {a, b, ...} fills from the front and zeroes the rest, as the compilers do.
    template <class U, class = std::enable_if_t<std::is_convertible_v<U, T> && !std::is_class_v<U>>>
    vector(U v) {
        for (T& e : this->at) e = static_cast<T>(v);
    }
    template <class U, class V, class... W, class = std::enable_if_t<(sizeof...(W) + 2 <= N)>>
    vector(U a, V b, W... rest) {
        const T given[] = {static_cast<T>(a), static_cast<T>(b), static_cast<T>(rest)...};
        for (int i = 0; i < N; ++i) this->at[i] = i < static_cast<int>(sizeof...(W)) + 2 ? given[i] : T(0);
    }
    T& operator[](std::size_t i) { return this->at[i]; }
    const T& operator[](std::size_t i) const { return this->at[i]; }
};

// vector_size(bytes) counts bytes, ext_vector_type(n) elements.
template <class T, std::size_t Bytes>
using vector_of_bytes = vector<T, static_cast<int>(Bytes / sizeof(T))>;

#define XPEMU_VECTOR_OPERATOR(OP)                                                                       \
    template <class T, int N>                                                                           \
    inline vector<T, N> operator OP(const vector<T, N>& a, const vector<T, N>& b) {                     \
        vector<T, N> r;                                                                                 \
        for (int i = 0; i < N; ++i) r.at[i] = static_cast<T>(a.at[i] OP b.at[i]);                       \
        return r;                                                                                       \
    }                                                                                                   \
    template <class T, int N, class U, class = std::enable_if_t<std::is_convertible_v<U, T>>>           \
    inline vector<T, N> operator OP(const vector<T, N>& a, U b) {                                       \
        return a OP vector<T, N>(static_cast<T>(b));                                                    \
    }                                                                                                   \
    template <class T, int N, class U, class = std::enable_if_t<std::is_convertible_v<U, T>>>           \
    inline vector<T, N> operator OP(U a, const vector<T, N>& b) {                                       \
        return vector<T, N>(static_cast<T>(a)) OP b;                                                    \
    }                                                                                                   \
    template <class T, int N, class U>                                                                  \
    inline vector<T, N>& operator OP##=(vector<T, N>& a, const U& b) {                                  \
        return a = a OP b;                                                                              \
    }
XPEMU_VECTOR_OPERATOR(+)
XPEMU_VECTOR_OPERATOR(-)
XPEMU_VECTOR_OPERATOR(*)
XPEMU_VECTOR_OPERATOR(/)
XPEMU_VECTOR_OPERATOR(&)
XPEMU_VECTOR_OPERATOR(|)
XPEMU_VECTOR_OPERATOR(^)
#undef XPEMU_VECTOR_OPERATOR
template <class T, int N>
inline vector<T, N> operator-(const vector<T, N>& a) {
    return vector<T, N>(T(0)) - a;
}

template <class To, class T, int N>
inline To converted(const vector<T, N>& a) {
    static_assert(To::size == N, "as many elements");
    To r;
    for (int i = 0; i < N; ++i) r.at[i] = static_cast<typename To::element>(a.at[i]);
    return r;
}
#define __builtin_convertvector(value, ...) ::xpemu::converted<__VA_ARGS__>(value)

}  // namespace xpemu
