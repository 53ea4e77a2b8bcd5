// What a core's compute instructions touched since it last waited for them.
//
// They run while the scalar code goes on, in order among themselves. A copy that waits for itself waits for them, too,
// as the core's own loads and stores in NRAM do; an asynchronous one does not: what they may still be writing it must
// not touch, and what they may still be reading it must not write.
#pragma once

#include <map>

#include "runtime.hpp"

namespace xpemu {

// Ranges of bytes that do not overlap, each with the last call that touched it.
class Ranges {
  public:
    struct Range {
        const unsigned char* high;
        Call call;
        unsigned waited;  // the streams whose later work waits for this
    };
    void add(const unsigned char* low, const unsigned char* high, const Call&);
    const Range* met(const Walk&, unsigned stream) const;  // by work of a stream that does not wait
    void wait(unsigned streams);
    void clear() { ranges_.clear(); }
    bool empty() const { return ranges_.empty(); }

  private:
    std::map<const unsigned char*, Range> ranges_;  // by their lowest byte
    void cut(const unsigned char* at);              // no range goes on over `at`
};

struct Computing {
    Ranges written, read;
    void add(const Walk&, bool writes, const Call&);
    void wait(unsigned streams);  // later work of these streams waits for what was begun
    void clear() { written.clear(), read.clear(); }
    bool empty() const { return written.empty() && read.empty(); }
};

}  // namespace xpemu
