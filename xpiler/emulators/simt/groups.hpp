// cooperative_groups: blocks, tiles, coalesced groups and grids, as thin names over the warp operations.
#pragma once

#include <type_traits>

#include "warp.hpp"

namespace xpemu {
inline int nth_lane(Lanes members, unsigned n) {
    for (; n; --n) members &= members - 1;
    return members ? __builtin_ctzll(members) : -1;
}
}  // namespace xpemu

namespace cooperative_groups {

// One concrete class behind all groups, so that programs may pass any of them as a thread_group by value.
class thread_group {
  public:
    void sync(XPEMU_SITE(site)) const {
        if (kind_ == Kind::block) xpemu::block_barrier("thread_block.sync", site, xpemu::Vote::none, false);
        else if (kind_ == Kind::grid) xpemu::grid_barrier(site);
        else xpemu::meet("group.sync", site, members_, nullptr, nullptr);
    }
    unsigned long long size() const {
        if (kind_ == Kind::lanes) return static_cast<unsigned long long>(__builtin_popcountll(members_));
        return kind_ == Kind::block ? block_threads() : block_threads() * blocks();
    }
    unsigned long long num_threads() const { return size(); }
    unsigned long long thread_rank() const {
        const auto rank = static_cast<unsigned long long>(xpemu::thread_rank());
        if (kind_ == Kind::lanes)
            return static_cast<unsigned long long>(__builtin_popcountll(members_ & ((xpemu::Lanes{1} << xpemu::lane_of_current()) - 1)));
        return kind_ == Kind::block ? rank : block_number() * block_threads() + rank;
    }
    bool is_valid() const { return true; }

  protected:
    enum class Kind { block, grid, lanes };
    explicit thread_group(Kind kind, xpemu::Lanes members = 0) : kind_(kind), members_(members) {}
    static unsigned long long block_threads() { return static_cast<unsigned long long>(blockDim.x) * blockDim.y * blockDim.z; }
    static unsigned long long blocks() { return static_cast<unsigned long long>(gridDim.x) * gridDim.y * gridDim.z; }
    static unsigned long long block_number() {
        return (static_cast<unsigned long long>(blockIdx.z) * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x;
    }
    Kind kind_;
    xpemu::Lanes members_;
};

class thread_block : public thread_group {
  public:
    thread_block() : thread_group(Kind::block) {}
    dim3 group_index() const { return dim3(blockIdx); }
    dim3 thread_index() const { return dim3(threadIdx); }
    dim3 group_dim() const { return blockDim; }
    dim3 dim_threads() const { return blockDim; }
};
inline thread_block this_thread_block() { return {}; }

class grid_group : public thread_group {
  public:
    grid_group() : thread_group(Kind::grid) {}
    unsigned long long block_rank() const { return block_number(); }
    unsigned long long num_blocks() const { return blocks(); }
    dim3 group_dim() const { return gridDim; }
    dim3 dim_blocks() const { return gridDim; }
    dim3 block_index() const { return dim3(blockIdx); }
};
inline grid_group this_grid() { return {}; }

// Lanes of one warp: a tile of N neighbours, or whoever was converged.
class lane_group : public thread_group {
  public:
    lane_group(xpemu::Lanes members, unsigned meta_rank, unsigned meta_size)
        : thread_group(Kind::lanes, members), meta_rank_(meta_rank), meta_size_(meta_size) {}
    unsigned meta_group_rank() const { return meta_rank_; }
    unsigned meta_group_size() const { return meta_size_; }
    xpemu::Lanes members() const { return members_; }

    template <class T>
    T shfl(T value, int rank, XPEMU_SITE(site)) const {
        return from(value, rank, site);
    }
    template <class T>
    T shfl_up(T value, unsigned delta, XPEMU_SITE(site)) const {
        const auto rank = static_cast<int>(thread_rank()), source = rank - static_cast<int>(delta);
        return from(value, source < 0 ? rank : source, site);
    }
    template <class T>
    T shfl_down(T value, unsigned delta, XPEMU_SITE(site)) const {
        const auto rank = static_cast<int>(thread_rank()), source = rank + static_cast<int>(delta);
        return from(value, source >= static_cast<int>(size()) ? rank : source, site);
    }
    template <class T>
    T shfl_xor(T value, int mask, XPEMU_SITE(site)) const {
        const auto rank = static_cast<int>(thread_rank()), source = rank ^ mask;
        return from(value, source >= static_cast<int>(size()) ? rank : source, site);
    }
    int any(int p, XPEMU_SITE(site)) const { return xpemu::ballot("group.any", members_, p, site).ballot != 0; }
    int all(int p, XPEMU_SITE(site)) const {
        auto vote = xpemu::ballot("group.all", members_, p, site);
        return vote.ballot == vote.members;
    }
    // Bit r is the vote of the thread of rank r.
    xpemu::WarpMask ballot(int p, XPEMU_SITE(site)) const { return compress(xpemu::ballot("group.ballot", members_, p, site).ballot); }
    template <class T>
    xpemu::WarpMask match_any(T value, XPEMU_SITE(site)) const {
        return compress(xpemu::combine<xpemu::Lanes>("group.match_any", members_, value, xpemu::MatchAny{}, site));
    }
    template <class T>
    xpemu::WarpMask match_all(T value, int& predicate, XPEMU_SITE(site)) const {
        auto same = xpemu::combine<xpemu::Lanes>("group.match_all", members_, value, xpemu::MatchAny{}, site);
        predicate = same == members_;
        return predicate ? compress(same) : 0;
    }

  protected:
    unsigned meta_rank_, meta_size_;

    template <class T>
    T from(T value, int rank, int site) const {
        const int source = xpemu::nth_lane(members_, static_cast<unsigned>(rank) % static_cast<unsigned>(size()));
        xpemu::ShuffleSlot<T> slot{value, value, source, "group.shfl", site};
        xpemu::meet("group.shfl", site, members_, &slot, xpemu::finish_shuffle<T>);
        return slot.result;
    }
    xpemu::WarpMask compress(xpemu::Lanes lanes) const {
        xpemu::Lanes out = 0;
        int rank = 0;
        for (xpemu::Lanes rest = members_; rest; rest &= rest - 1, ++rank)
            if (lanes >> __builtin_ctzll(rest) & 1) out |= xpemu::Lanes{1} << rank;
        return static_cast<xpemu::WarpMask>(out);
    }
};

template <unsigned N, class Parent = void>
class thread_block_tile : public lane_group {
  public:
    thread_block_tile()
        : lane_group(lanes(), static_cast<unsigned>(xpemu::thread_rank()) / N, static_cast<unsigned>((thread_block().size() + N - 1) / N)) {}
    explicit thread_block_tile(const lane_group& parent)
        : lane_group(lanes_of(parent), static_cast<unsigned>(parent.thread_rank()) / N, static_cast<unsigned>((parent.size() + N - 1) / N)) {}
    template <class Other>
    thread_block_tile(const thread_block_tile<N, Other>& same) : lane_group(same) {}
    static constexpr unsigned long long num_threads() { return N; }
    static constexpr unsigned long long size() { return N; }

  private:
    static_assert(N >= 1 && N <= XPEMU_WARP && (N & (N - 1)) == 0, "a tile has a power of two of threads, at most a warp");
    static xpemu::Lanes lanes() {
        const int base = xpemu::lane_of_current() / static_cast<int>(N) * static_cast<int>(N);
        return (~xpemu::Lanes{0} >> (64 - N)) << base;
    }
    static xpemu::Lanes lanes_of(const lane_group& parent) {
        xpemu::Lanes out = 0;
        const auto first = static_cast<unsigned>(parent.thread_rank()) / N * N;
        for (unsigned r = first; r < first + N && r < parent.size(); ++r) out |= xpemu::Lanes{1} << xpemu::nth_lane(parent.members(), r);
        return out;
    }
};

class coalesced_group : public lane_group {
  public:
    explicit coalesced_group(xpemu::Lanes members, unsigned rank = 0, unsigned size = 1) : lane_group(members, rank, size) {}
};
inline coalesced_group coalesced_threads(XPEMU_SITE(site)) {
    return coalesced_group(xpemu::ballot("coalesced_threads", 0, true, site).members);
}

template <unsigned N>
inline thread_block_tile<N, thread_block> tiled_partition(const thread_block&) {
    return thread_block_tile<N, thread_block>();
}
template <unsigned N, unsigned M, class P>
inline thread_block_tile<N, thread_block_tile<M, P>> tiled_partition(const thread_block_tile<M, P>& parent) {
    return thread_block_tile<N, thread_block_tile<M, P>>(parent);
}
inline coalesced_group tiled_partition(const thread_block&, unsigned n) {
    const int lane = xpemu::lane_of_current(), base = lane / static_cast<int>(n) * static_cast<int>(n);
    return coalesced_group((~xpemu::Lanes{0} >> (64 - n)) << base & xpemu::existing_lanes(), static_cast<unsigned>(xpemu::thread_rank()) / n,
                           static_cast<unsigned>(blockDim.x * blockDim.y * blockDim.z / n));
}
inline coalesced_group binary_partition(const lane_group& group, bool predicate, XPEMU_SITE(site)) {
    const auto vote = xpemu::ballot("binary_partition", group.members(), predicate, site);
    return coalesced_group(predicate ? vote.ballot : vote.members & ~vote.ballot, predicate, 2);
}
template <class T>
inline coalesced_group labeled_partition(const lane_group& group, T label, XPEMU_SITE(site)) {
    return coalesced_group(xpemu::combine<xpemu::Lanes>("labeled_partition", group.members(), label, xpemu::MatchAny{}, site));
}

template <class G>
inline void sync(const G& group, XPEMU_SITE(site)) {
    group.sync(site);
}

template <class T = void>
struct plus {
    template <class A>
    A operator()(A a, A b) const {
        return a + b;
    }
};
template <class T = void>
struct less {
    template <class A>
    A operator()(A a, A b) const {
        return b < a ? b : a;
    }
};
template <class T = void>
struct greater {
    template <class A>
    A operator()(A a, A b) const {
        return a < b ? b : a;
    }
};
template <class T = void>
struct bit_and {
    template <class A>
    A operator()(A a, A b) const {
        return a & b;
    }
};
template <class T = void>
struct bit_or {
    template <class A>
    A operator()(A a, A b) const {
        return a | b;
    }
};
template <class T = void>
struct bit_xor {
    template <class A>
    A operator()(A a, A b) const {
        return a ^ b;
    }
};

namespace details {
// The members' values in rank order, so that the caller may fold them with any functor, stateful ones too.
template <class T>
struct Collect {
    struct Values {
        T at[64];
        int count, rank;
    };
    Values operator()(const T* values, xpemu::Lanes members, int lane) const {
        Values all;
        all.count = 0;
        for (xpemu::Lanes rest = members; rest; rest &= rest - 1) {
            const int source = __builtin_ctzll(rest);
            if (source == lane) all.rank = all.count;
            all.at[all.count++] = values[source];
        }
        return all;
    }
};
template <class T>
typename Collect<T>::Values collect(const lane_group& group, T value, int site) {
    return xpemu::combine<typename Collect<T>::Values>("group.reduce", group.members(), value, Collect<T>{}, site);
}
}  // namespace details

template <class T, class F>
inline T reduce(const lane_group& group, T value, F f, XPEMU_SITE(site)) {
    auto all = details::collect(group, value, site);
    T result = all.at[0];
    for (int i = 1; i < all.count; ++i) result = f(result, all.at[i]);
    return result;
}
template <class T, class F>
inline T inclusive_scan(const lane_group& group, T value, F f, XPEMU_SITE(site)) {
    auto all = details::collect(group, value, site);
    T result = all.at[0];
    for (int i = 1; i <= all.rank; ++i) result = f(result, all.at[i]);
    return result;
}
template <class T, class F>
inline T exclusive_scan(const lane_group& group, T value, F f, XPEMU_SITE(site)) {
    auto all = details::collect(group, value, site);
    if (!all.rank) return T{};
    T result = all.at[0];
    for (int i = 1; i < all.rank; ++i) result = f(result, all.at[i]);
    return result;
}
template <class T>
inline T inclusive_scan(const lane_group& group, T value, XPEMU_SITE(site)) {
    return inclusive_scan(group, value, plus<T>{}, site);
}
template <class T>
inline T exclusive_scan(const lane_group& group, T value, XPEMU_SITE(site)) {
    return exclusive_scan(group, value, plus<T>{}, site);
}
template <class G, class T>
inline void memcpy_async(const G& group, T* to, const T* from, std::size_t bytes) {
    for (std::size_t i = group.thread_rank() * sizeof(T); i < bytes; i += group.size() * sizeof(T)) to[i / sizeof(T)] = from[i / sizeof(T)];
}
template <class G>
inline void wait(const G& group, XPEMU_SITE(site)) {
    group.sync(site);
}
}  // namespace cooperative_groups
