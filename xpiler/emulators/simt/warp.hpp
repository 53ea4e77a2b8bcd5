// Barriers, shuffles, votes, match and reduce. The site of the caller identifies where lanes meet.
#pragma once

#include <cstring>
#include <type_traits>

#include "runtime.hpp"

#define XPEMU_LINE XPEMU_SITE(xpemu_site)

inline void __syncthreads(XPEMU_LINE) { xpemu::block_barrier("__syncthreads", xpemu_site, xpemu::Vote::none, false); }
inline int __syncthreads_count(int p, XPEMU_LINE) {
    return xpemu::block_barrier("__syncthreads_count", xpemu_site, xpemu::Vote::count, p != 0);
}
inline int __syncthreads_and(int p, XPEMU_LINE) {
    return xpemu::block_barrier("__syncthreads_and", xpemu_site, xpemu::Vote::all, p != 0);
}
inline int __syncthreads_or(int p, XPEMU_LINE) {
    return xpemu::block_barrier("__syncthreads_or", xpemu_site, xpemu::Vote::any, p != 0);
}

inline void __barrier_sync_count(unsigned id, unsigned count, XPEMU_LINE) {
    xpemu::named_barrier("__barrier_sync_count", xpemu_site, id, count);
}

namespace xpemu {

#if XPEMU_WARP == 64
using WarpMask = unsigned long long;
#else
using WarpMask = unsigned int;
#endif

enum class Shuffle { index, up, down, exclusive_or };

// Source lane of `lane`, or -1 for "own value". CUDA takes the operand modulo 32; HIP's idx form does not reduce it
// modulo the width.
inline int source_lane(Shuffle form, int lane, int operand, int width) {
    const int base = lane & ~(width - 1), top = base + width - 1;
#if XPEMU_WARP == 32
    const int b = operand & 31;
    switch (form) {
        case Shuffle::index: return base + (b & (width - 1));
        case Shuffle::up: return lane - b < base ? -1 : lane - b;
        case Shuffle::down: return lane + b > top ? -1 : lane + b;
        default: return (lane ^ b) > top ? -1 : lane ^ b;
    }
#else
    switch (form) {
        case Shuffle::index: return (base + operand) & 63;
        case Shuffle::up: return lane - operand < base ? -1 : lane - operand;
        case Shuffle::down: return (lane & (width - 1)) + operand >= width ? -1 : lane + operand;
        default: return (lane ^ operand) > top ? -1 : lane ^ operand;
    }
#endif
}

template <class T>
struct ShuffleSlot {
    T value, result;
    int source;
    const char* what;
    int site;
};

template <class T>
void finish_shuffle(void* const* slots, Lanes members, void*) {
    for (Lanes rest = members; rest; rest &= rest - 1) {
        const int lane = __builtin_ctzll(rest);
        auto& slot = *static_cast<ShuffleSlot<T>*>(slots[lane]);
        if (slot.source < 0) {
            slot.result = slot.value;
        } else if (members >> slot.source & 1) {
            slot.result = static_cast<ShuffleSlot<T>*>(slots[slot.source])->value;
        } else {
            inactive_lane(slot.what, slot.site, lane, slot.source);
            poison_value(&slot.result, sizeof(T));
        }
    }
}

template <class T>
T shuffle(const char* what, Shuffle form, Lanes mask, T value, int operand, int width, int site) {
    static_assert(std::is_trivially_copyable_v<T> && sizeof(T) <= 16);
    if (width < 1 || width > XPEMU_WARP || (width & (width - 1)))
        fatal("inactive_lane", "%s in line %d: width %d is not a power of two up to %d", what, line_of(site), width, XPEMU_WARP);
    ShuffleSlot<T> slot{value, value, source_lane(form, lane_of_current(), operand, width), what, site};
    meet(what, site, mask, &slot, finish_shuffle<T>);
    return slot.result;
}

// Votes: every lane leaves a predicate; everybody gets the ballot.
struct BallotSlot {
    bool predicate;
    Lanes ballot, members;
};
inline void finish_ballot(void* const* slots, Lanes members, void*) {
    Lanes ballot = 0;
    for (Lanes rest = members; rest; rest &= rest - 1) {
        const int lane = __builtin_ctzll(rest);
        if (static_cast<BallotSlot*>(slots[lane])->predicate) ballot |= Lanes{1} << lane;
    }
    for (Lanes rest = members; rest; rest &= rest - 1) {
        auto& slot = *static_cast<BallotSlot*>(slots[__builtin_ctzll(rest)]);
        slot.ballot = ballot;
        slot.members = members;
    }
}
inline BallotSlot ballot(const char* what, Lanes mask, bool predicate, int site) {
    BallotSlot slot{predicate, 0, 0};
    meet(what, site, mask, &slot, finish_ballot);
    return slot;
}

// Any function of all members' values: match and reduce.
template <class T, class R>
struct CombineSlot {
    T value;
    R result;
};
template <class T, class R, class F>
void finish_combine(void* const* slots, Lanes members, void*) {
    T values[64];
    for (Lanes rest = members; rest; rest &= rest - 1) {
        const int lane = __builtin_ctzll(rest);
        values[lane] = static_cast<CombineSlot<T, R>*>(slots[lane])->value;
    }
    for (Lanes rest = members; rest; rest &= rest - 1) {
        const int lane = __builtin_ctzll(rest);
        static_cast<CombineSlot<T, R>*>(slots[lane])->result = F{}(values, members, lane);
    }
}
template <class R, class T, class F>
R combine(const char* what, Lanes mask, T value, F, int site) {
    CombineSlot<T, R> slot{value, R{}};
    meet(what, site, mask, &slot, finish_combine<T, R, F>);
    return slot.result;
}

struct MatchAny {
    template <class T>
    Lanes operator()(const T* values, Lanes members, int lane) const {
        Lanes same = 0;
        for (Lanes rest = members; rest; rest &= rest - 1) {
            const int other = __builtin_ctzll(rest);
            if (!std::memcmp(&values[other], &values[lane], sizeof(T))) same |= Lanes{1} << other;
        }
        return same;
    }
};
// Folds in increasing lane order.
template <class Op>
struct Fold {
    template <class T>
    T operator()(const T* values, Lanes members, int) const {
        T result = values[__builtin_ctzll(members)];
        for (Lanes rest = members & (members - 1); rest; rest &= rest - 1) result = Op{}(result, values[__builtin_ctzll(rest)]);
        return result;
    }
};
struct Add {
    template <class T>
    T operator()(T a, T b) const {
        if constexpr (std::is_integral_v<T>) return static_cast<T>(static_cast<std::make_unsigned_t<T>>(a) + static_cast<std::make_unsigned_t<T>>(b));
        else return a + b;
    }
};
struct Least {
    template <class T>
    T operator()(T a, T b) const {
        return b < a ? b : a;
    }
};
struct Greatest {
    template <class T>
    T operator()(T a, T b) const {
        return a < b ? b : a;
    }
};
struct And {
    template <class T>
    T operator()(T a, T b) const {
        return a & b;
    }
};
struct Or {
    template <class T>
    T operator()(T a, T b) const {
        return a | b;
    }
};
struct Xor {
    template <class T>
    T operator()(T a, T b) const {
        return a ^ b;
    }
};

}  // namespace xpemu

#define XPEMU_SHUFFLE(NAME, FORM, OPERAND)                                                                              \
    template <class T>                                                                                                  \
    inline T NAME##_sync(xpemu::Lanes mask, T value, OPERAND operand, int width = XPEMU_WARP, XPEMU_LINE) {              \
        return xpemu::shuffle<T>(#NAME "_sync", xpemu::Shuffle::FORM, mask, value, static_cast<int>(operand), width,     \
                                 xpemu_site);                                                                           \
    }                                                                                                                   \
    template <class T>                                                                                                  \
    inline T NAME(T value, OPERAND operand, int width = XPEMU_WARP, XPEMU_LINE) {                                        \
        return xpemu::shuffle<T>(#NAME, xpemu::Shuffle::FORM, 0, value, static_cast<int>(operand), width, xpemu_site);   \
    }
XPEMU_SHUFFLE(__shfl, index, int)
XPEMU_SHUFFLE(__shfl_up, up, unsigned int)
XPEMU_SHUFFLE(__shfl_down, down, unsigned int)
XPEMU_SHUFFLE(__shfl_xor, exclusive_or, int)
#undef XPEMU_SHUFFLE

inline void __syncwarp(xpemu::Lanes mask = ~xpemu::Lanes{0} >> (64 - XPEMU_WARP), XPEMU_LINE) {
    xpemu::meet("__syncwarp", xpemu_site, mask, nullptr, nullptr);
}
inline xpemu::WarpMask __ballot_sync(xpemu::Lanes mask, int p, XPEMU_LINE) {
    return static_cast<xpemu::WarpMask>(xpemu::ballot("__ballot_sync", mask, p, xpemu_site).ballot);
}
inline int __any_sync(xpemu::Lanes mask, int p, XPEMU_LINE) { return xpemu::ballot("__any_sync", mask, p, xpemu_site).ballot != 0; }
inline int __all_sync(xpemu::Lanes mask, int p, XPEMU_LINE) {
    auto vote = xpemu::ballot("__all_sync", mask, p, xpemu_site);
    return vote.ballot == vote.members;
}
inline int __uni_sync(xpemu::Lanes mask, int p, XPEMU_LINE) {
    auto vote = xpemu::ballot("__uni_sync", mask, p, xpemu_site);
    return vote.ballot == vote.members || !vote.ballot;
}
inline xpemu::WarpMask __ballot(int p, XPEMU_LINE) { return static_cast<xpemu::WarpMask>(xpemu::ballot("__ballot", 0, p, xpemu_site).ballot); }
inline int __any(int p, XPEMU_LINE) { return xpemu::ballot("__any", 0, p, xpemu_site).ballot != 0; }
inline int __all(int p, XPEMU_LINE) {
    auto vote = xpemu::ballot("__all", 0, p, xpemu_site);
    return vote.ballot == vote.members;
}
inline xpemu::WarpMask __activemask(XPEMU_LINE) {
    return static_cast<xpemu::WarpMask>(xpemu::ballot("__activemask", 0, true, xpemu_site).members);
}
template <class T>
inline xpemu::WarpMask __match_any_sync(xpemu::Lanes mask, T value, XPEMU_LINE) {
    return static_cast<xpemu::WarpMask>(xpemu::combine<xpemu::Lanes>("__match_any_sync", mask, value, xpemu::MatchAny{}, xpemu_site));
}
template <class T>
inline xpemu::WarpMask __match_all_sync(xpemu::Lanes mask, T value, int* predicate, XPEMU_LINE) {
    struct All {
        xpemu::Lanes operator()(const T* values, xpemu::Lanes members, int lane) const {
            return xpemu::MatchAny{}(values, members, lane) == members ? members : 0;
        }
    };
    auto same = xpemu::combine<xpemu::Lanes>("__match_all_sync", mask, value, All{}, xpemu_site);
    *predicate = same != 0;
    return static_cast<xpemu::WarpMask>(same);
}

#define XPEMU_REDUCE(NAME, OP)                                                                        \
    template <class T>                                                                                \
    inline T __reduce_##NAME##_sync(xpemu::Lanes mask, T value, XPEMU_LINE) {                          \
        return xpemu::combine<T>("__reduce_" #NAME "_sync", mask, value, xpemu::Fold<xpemu::OP>{}, xpemu_site); \
    }
XPEMU_REDUCE(add, Add)
XPEMU_REDUCE(min, Least)
XPEMU_REDUCE(max, Greatest)
XPEMU_REDUCE(and, And)
XPEMU_REDUCE(or, Or)
XPEMU_REDUCE(xor, Xor)
#undef XPEMU_REDUCE
