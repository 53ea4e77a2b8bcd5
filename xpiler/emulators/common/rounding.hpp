// The nearest whole number, the even one of two, whatever way the processor rounds (`roundeven` of C23, which
// not every compiler has).
#pragma once

#include <cmath>

namespace xpemu {

template <class T>
inline T round_even(T x) {
    const bool halfway = std::fabs(x - std::trunc(x)) == T(0.5);
    return halfway ? 2 * std::round(x / 2) : std::round(x);
}

}  // namespace xpemu
