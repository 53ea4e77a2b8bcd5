// See `computing.hpp`.
#include "computing.hpp"

#include <cstring>
#include <iterator>

namespace xpemu {

namespace {

bool same_call(const Call& a, const Call& b) { return a.line == b.line && !std::strcmp(a.name, b.name); }

// Calls `each(low)` for every segment of a walk.
template <class F>
void segments_of(const Walk& w, F each) {
    for (unsigned long j = 0; j < w.count[1]; ++j)
        for (unsigned long i = 0; i < w.count[0]; ++i)
            each(static_cast<const unsigned char*>(w.base) + static_cast<long>(i) * w.stride[0] + static_cast<long>(j) * w.stride[1]);
}

}  // namespace

void Ranges::cut(const unsigned char* at) {
    auto next = ranges_.lower_bound(at);
    if (next == ranges_.begin()) return;
    auto& [low, range] = *std::prev(next);
    if (range.high <= at) return;
    ranges_.emplace_hint(next, at, range);
    range.high = at;
}

void Ranges::add(const unsigned char* low, const unsigned char* high, const Call& call) {
    if (low >= high) return;
    cut(low);
    cut(high);
    auto next = ranges_.erase(ranges_.lower_bound(low), ranges_.lower_bound(high));
    const auto joins = [&](const Range& r) { return !r.waited && same_call(r.call, call); };
    if (next != ranges_.end() && next->first == high && joins(next->second)) {
        high = next->second.high;
        next = ranges_.erase(next);
    }
    if (next != ranges_.begin()) {
        Range& before = std::prev(next)->second;
        if (before.high == low && joins(before)) {
            before.high = high;
            return;
        }
    }
    ranges_.emplace_hint(next, low, Range{high, call, 0});
}

const Ranges::Range* Ranges::met(const Walk& walk, unsigned stream) const {
    const Range* found = nullptr;
    if (ranges_.empty() || !walk.size) return nullptr;
    segments_of(walk, [&](const unsigned char* low) {
        if (found) return;
        auto at = ranges_.upper_bound(low);
        if (at != ranges_.begin() && std::prev(at)->second.high > low) --at;
        for (; at != ranges_.end() && at->first < low + walk.size && !found; ++at)
            if (!(at->second.waited & stream)) found = &at->second;
    });
    return found;
}

void Ranges::wait(unsigned streams) {
    for (auto& [low, range] : ranges_) range.waited |= streams;
}

void Computing::add(const Walk& walk, bool writes, const Call& call) {
    segments_of(walk, [&](const unsigned char* low) { (writes ? written : read).add(low, low + walk.size, call); });
}

void Computing::wait(unsigned streams) {
    written.wait(streams);
    read.wait(streams);
}

}  // namespace xpemu
