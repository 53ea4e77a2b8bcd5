// Copies between the memory spaces, fills, gathers and atomics.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <vector>

#include "tasks.hpp"
#include "values.hpp"

namespace xpemu {

namespace {

struct Direction {
    const char* name;
    Space from, to;
};
constexpr Direction directions[] = {
    {"GDRAM2NRAM", Space::gdram, Space::nram},   {"NRAM2GDRAM", Space::nram, Space::gdram},   {"LDRAM2NRAM", Space::ldram, Space::nram},
    {"NRAM2LDRAM", Space::nram, Space::ldram},   {"GDRAM2WRAM", Space::gdram, Space::wram},   {"WRAM2GDRAM", Space::wram, Space::gdram},
    {"LDRAM2WRAM", Space::ldram, Space::wram},   {"WRAM2LDRAM", Space::wram, Space::ldram},   {"NRAM2NRAM", Space::nram, Space::nram},
    {"NRAM2WRAM", Space::nram, Space::wram},     {"WRAM2NRAM", Space::wram, Space::nram},     {"GDRAM2SRAM", Space::gdram, Space::sram},
    {"SRAM2GDRAM", Space::sram, Space::gdram},   {"LDRAM2SRAM", Space::ldram, Space::sram},   {"SRAM2LDRAM", Space::sram, Space::ldram},
    {"SRAM2NRAM", Space::sram, Space::nram},     {"NRAM2SRAM", Space::nram, Space::sram},     {"SRAM2WRAM", Space::sram, Space::wram},
    {"WRAM2SRAM", Space::wram, Space::sram},     {"GDRAM2GDRAM", Space::gdram, Space::gdram}, {"GDRAM2LDRAM", Space::gdram, Space::ldram},
    {"LDRAM2GDRAM", Space::ldram, Space::gdram}, {"LDRAM2LDRAM", Space::ldram, Space::ldram}, {"SRAM2SRAM", Space::sram, Space::sram},
};

bool in_dram(Space s) { return s == Space::gdram || s == Space::ldram; }

bool for_memory_core(const Direction& d) {
    return (d.from == Space::sram && (in_dram(d.to) || d.to == Space::sram)) || (d.to == Space::sram && in_dram(d.from));
}

unsigned stream_of(const Direction& d, bool strided) {
    if (in_dram(d.from) || in_dram(d.to)) return stream_io;
    return d.from == Space::nram && d.to == Space::nram && !strided ? stream_compute : stream_move;
}

unsigned long segments(const Walk& w) { return w.count[0] * w.count[1]; }

// The bytes from the lowest to the highest that a walk touches.
Operand extent(const char* role, const Walk& w, Space space, bool written) {
    long low = 0, high = 0;
    for (int axis = 0; axis < 2; ++axis) {
        const long last = static_cast<long>(w.count[axis] - 1) * w.stride[axis];
        (last < 0 ? low : high) += last;
    }
    return Operand{role, static_cast<char*>(w.base) + low, static_cast<std::size_t>(high - low) + w.size, space, written};
}

void check_side(const Call& call, const Direction& d, const char* role, const Walk& w, Space wanted, bool written) {
    const Space found = space_of(w.base);
    if (!w.base) violation("bang-space", call, "%s is a null pointer", role);
    const Operand whole = extent(role, w, wanted, written);
    const bool local = found == Space::nram && !is_in(w.base, Space::gdram) && wanted == Space::ldram;
    if (found != wanted && !local) {
        if (found == Space::host) violation("bang-space", call, "%s points to host memory, and %s needs it in %s", role, d.name, name_of(wanted));
        improper("bang-direction", call, "the direction is %s, but %s %s is not in %s", d.name, role, describe(w.base).c_str(), name_of(wanted));
    }
    check_operand_range(call, whole, w);
}

void check_weights(const Call& call, const Walk& dst, const Walk& src, const Direction& d) {
    const bool to = d.to == Space::wram;
    const Walk& w = to ? dst : src;
    if (reinterpret_cast<std::uintptr_t>(w.base) % 8) improper("bang-alignment", call, "the WRAM address %s is no multiple of 8", describe(w.base).c_str());
    const unsigned unit = architecture.exact() ? 64 : 16;
    if (segments(w) == 1 && w.size % unit) improper("bang-size", call, "%zu bytes to or from WRAM are no multiple of %u", w.size, unit);
    if (segments(w) > 1 && dst.stride[0] % 8) improper("bang-alignment", call, "dst_stride %ld of a copy to or from WRAM is no multiple of 8", dst.stride[0]);
}

}  // namespace

void check_operand_range(const Call& call, const Operand& whole, const Walk& w) {
    // The range as a whole must lie in one variable; what it meets of copies under way is decided segment by segment.
    check_extent(call, whole, segments(w));
    if (whole.space == Space::sram) note_shared(call, whole);
}

void transfer(const Call& call, Walk dst, Walk src, mluMemcpyDirection_t direction, bool asynchronous, int cluster) {
    if (!in_task()) fatal("trap", "%s in host code", call.name);
    if (static_cast<unsigned>(direction) >= sizeof directions / sizeof *directions) violation("bang-direction", call, "there is no direction %d", direction);
    const Direction& d = directions[direction];
    const bool strided = segments(dst) > 1;
    if (d.from == Space::sram || d.to == Space::sram)
        if (clusterDim == 0) improper("bang-direction", call, "%s in a Block task, which has no SRAM; launch a Union", d.name);
    if (clusterDim && for_memory_core(d) != on_memory_core()) return;
    if (dst.size == 0) return;
    if (dst.size > 0x7fffffffu) violation("bang-size", call, "the size is %lld", static_cast<long long>(static_cast<int>(dst.size)));
    if (segments(dst) != segments(src))
        violation("bang-size", call, "dst has %lu segments (each segnum + 1), src has %lu", segments(dst), segments(src));
    for (int axis = 0; axis < 2; ++axis) {
        if (dst.count[axis] > 65536) violation("bang-size", call, "segnum %lu is more than 65535", dst.count[axis] - 1);
        const long stride = std::abs(dst.stride[axis]);
        if (dst.count[axis] > 1 && stride < static_cast<long>(dst.size))
            improper("bang-overlap", call, "dst_stride %ld is smaller than the size %zu of a segment: the segments overlap in dst", dst.stride[axis], dst.size);
    }
    check_side(call, d, "dst", dst, d.to, true);
    check_side(call, d, "src", src, d.from, false);
    if (d.to == Space::wram || d.from == Space::wram) check_weights(call, dst, src, d);
    if (direction == NRAM2NRAM && architecture.exact()) {
        if (dst.size % 128) improper("bang-size", call, "%zu bytes from NRAM to NRAM are no multiple of 128, as mtp_%d needs it", dst.size, architecture.number);
        if (reinterpret_cast<std::uintptr_t>(dst.base) % 64 || reinterpret_cast<std::uintptr_t>(src.base) % 64)
            improper("bang-alignment", call, "a copy from NRAM to NRAM needs addresses that are multiples of 64 on mtp_%d", architecture.number);
    }
    if (d.from == d.to && d.to != Space::sram && overlap(dst, src))
        improper("bang-overlap", call, "dst %s overlaps src %s; __bang_move may", describe(dst.base).c_str(), describe(src.base).c_str());
    if (direction == SRAM2SRAM) {
        if (cluster >= 0 && architecture.number >= 500) irregular("bang-direction", call, "mtp_%d cannot copy between clusters", architecture.number);
        dst.base = in_cluster(call, dst.base, cluster);
    }
    if (d.to == Space::wram) wrote_weights(dst);
    issue(call, stream_of(d, strided), dst, src, nullptr, 0, asynchronous);
}

void move_on_chip(const Call& call, Walk dst, Walk src) {
    if (!in_task()) fatal("trap", "%s in host code", call.name);
    if (on_memory_core() || !dst.size) return;
    const bool strided = segments(dst) > 1;
    if (segments(dst) != segments(src)) violation("bang-size", call, "dst has %lu segments (each segnum + 1), src has %lu", segments(dst), segments(src));
    check_side(call, directions[NRAM2NRAM], "dst", dst, Space::nram, true);
    check_side(call, directions[NRAM2NRAM], "src", src, Space::nram, false);
    if (architecture.exact() || (strided && architecture.number == 372)) {
        if (dst.size % 128) improper("bang-size", call, "the size %zu is no multiple of 128, as mtp_%d needs it", dst.size, architecture.number);
        if (architecture.exact() && (reinterpret_cast<std::uintptr_t>(dst.base) % 64 || reinterpret_cast<std::uintptr_t>(src.base) % 64))
            improper("bang-alignment", call, "the addresses must be multiples of 64 on mtp_%d", architecture.number);
    }
    if (strided && architecture.number < 500 && overlap(dst, src)) improper("bang-overlap", call, "dst overlaps src in a strided move");
    issue(call, stream_compute, dst, src, nullptr, 0, false);
}

void fill(const Call& call, Walk dst, const void* value, std::size_t width, Space space, bool asynchronous) {
    if (!in_task()) fatal("trap", "%s in host code", call.name);
    if (clusterDim ? (space == Space::sram) != on_memory_core() : space == Space::sram) return;
    if (!dst.size) return;
    const Space found = space_of(dst.base);
    const bool local = found == Space::nram && space == Space::ldram;
    if (found == Space::host) violation("bang-space", call, "dst points to host memory; it must lie in %s", name_of(space));
    if (found != space && !local) improper("bang-space", call, "dst %s must lie in %s", describe(dst.base).c_str(), name_of(space));
    check_operand_range(call, extent("dst", dst, space, true), dst);
    if (architecture.exact() && space == Space::nram) {
        const unsigned unit = std::strcmp(call.name, "__bang_write_zero") ? 64 : 128;
        if (dst.size % unit) improper("bang-size", call, "%zu bytes are no multiple of %u, as mtp_%d needs it", dst.size, unit, architecture.number);
        if (reinterpret_cast<std::uintptr_t>(dst.base) % 64) improper("bang-alignment", call, "dst %s is not aligned to 64 bytes", describe(dst.base).c_str());
    }
    const bool computes = !std::strncmp(call.name, "__bang_write", 12);
    issue(call, in_dram(space) ? stream_io : computes ? stream_compute : stream_move, dst, Walk{nullptr, 0, {0, 0}, {0, 0}}, value, width, asynchronous);
}

void gather(const Call& call, bool scatters, void* dst, const void* src, const void* offset, std::size_t offset_width, const void* mask, std::size_t size,
            mluMemcpyDirection_t direction, long stride, std::size_t num, bool asynchronous) {
    if (!in_task()) fatal("trap", "%s in host code", call.name);
    const Direction& d = directions[direction];
    if (for_memory_core(d)) violation("bang-direction", call, "%s is not possible", d.name);
    if (on_memory_core()) return;
    if (architecture.number < 592) irregular("bang-arch", call, "it needs mtp_592, this is mtp_%d", architecture.number);
    if (num > 1 && stride < static_cast<long>(size)) improper("bang-overlap", call, "the stride %ld is smaller than a segment of %zu bytes", stride, size);
    check_operand(call, Operand{"offset", offset, num * offset_width, Space::nram, false});
    if (mask) check_operand(call, Operand{"mask", mask, (num + 7) / 8, Space::nram, false});
    for (std::size_t i = 0; i < num; ++i) {
        if (mask && !(static_cast<const unsigned char*>(mask)[i / 8] >> (i % 8) & 1)) continue;
        std::uint64_t at = 0;
        std::memcpy(&at, static_cast<const char*>(offset) + i * offset_width, offset_width);
        Walk to{static_cast<char*>(dst) + (scatters ? static_cast<long>(at) : static_cast<long>(i) * stride), size, {0, 0}, {1, 1}};
        Walk from{const_cast<char*>(static_cast<const char*>(src)) + (scatters ? static_cast<long>(i) * stride : static_cast<long>(at)), size, {0, 0}, {1, 1}};
        check_side(call, d, "dst", to, d.to, true);
        check_side(call, d, "src", from, d.from, false);
        issue(call, stream_of(d, true), to, from, nullptr, 0, asynchronous);
    }
}

// ------------------------------------------------------------------------------------------------- atomics

namespace {

template <class V>
V updated(Atomic op, V old, V value, V compare) {
    auto nan = [](V x) { return x != x; };
    switch (op) {
        case Atomic::add: return static_cast<V>(old + value);
        case Atomic::max: return old < value ? value : old;
        case Atomic::min: return value < old ? value : old;
        case Atomic::nan_max: return nan(old) ? old : nan(value) ? value : old < value ? value : old;
        case Atomic::nan_min: return nan(old) ? old : nan(value) ? value : value < old ? value : old;
        case Atomic::number_max: return nan(old) || old < value ? value : old;
        case Atomic::number_min: return nan(old) || value < old ? value : old;
        case Atomic::exch: return value;
        case Atomic::inc: return old >= value ? V(0) : static_cast<V>(old + 1);
        case Atomic::dec: return old == V(0) || old > value ? value : static_cast<V>(old - 1);
        case Atomic::cas: return old == compare ? value : old;
        default: break;
    }
    if constexpr (std::is_integral_v<V>) {
        if (op == Atomic::band) return old & value;
        if (op == Atomic::bor) return old | value;
        return old ^ value;
    }
    return old;
}

}  // namespace

void atomic(const Call& call, Atomic op, Type type, void* dst, void* at, const void* value, bool scalar, const void* compare, std::size_t n) {
    if (!in_task()) fatal("trap", "%s in host code", call.name);
    if (on_memory_core()) return;
    const std::size_t width = size_of(type), bytes = n * width;
    begin_in(stream_compute);
    const Space space = space_of(at);
    if (space == Space::sram) check_operand(call, Operand{"the updated memory", at, bytes, Space::sram, true});
    else check_operand(call, Operand{"the updated memory", at, bytes, Space::gdram, true});
    if (dst) check_operand(call, Operand{"dst", dst, bytes, Space::nram, true});
    if (!scalar) check_operand(call, Operand{"src", value, bytes, Space::nram, false});
    note_access(call, at, bytes, nullptr, true, true);
    for (std::size_t i = 0; i < n; ++i) {
        auto* cell = static_cast<char*>(at) + i * width;
        const auto* from = static_cast<const char*>(value) + (scalar ? 0 : i * width);
        if (dst) std::memmove(static_cast<char*>(dst) + i * width, cell, width);
        if (is_float(type)) {
            const double old = load_float(type, cell), with = load_float(type, from), cmp = compare ? load_float(type, compare) : 0;
            store_float(type, cell, type == Type::f32 && op == Atomic::add ? static_cast<float>(old) + static_cast<float>(with) : updated<double>(op, old, with, cmp));
        } else {
            store_int(type, cell, updated<std::int64_t>(op, load_int(type, cell), load_int(type, from), compare ? load_int(type, compare) : 0));
        }
    }
}

}  // namespace xpemu

namespace xpemu {
void violation_of_stride(const Call& call, long dst_stride) {
    violation("bang-size", call, "dst_stride is %ld; of a 2-D copy it is unsigned: only src_stride walks backwards", dst_stride);
}

void violation_of_count(const Call& call, long segnum) { violation("bang-size", call, "segnum is %ld; it is the number of segments less one", segnum); }
}  // namespace xpemu
