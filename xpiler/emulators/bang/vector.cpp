// Vector instructions: elementwise, comparisons, selections, reductions, conversions.
#include <algorithm>
#include <cfenv>
#include <cmath>
#include <cstring>
#include <vector>

#include "tasks.hpp"
#include "values.hpp"

namespace xpemu {

namespace {

constexpr std::size_t chunk = 256;  // elements worked on at a time


// ------------------------------------------------------------------------------------------ one operation
template <class F>
void each(float* out, const float* a, const float* b, std::size_t n, F f) {
    for (std::size_t i = 0; i < n; ++i) out[i] = f(a[i], b[i]);
}
template <class F>
void each(std::int64_t* out, const std::int64_t* a, const std::int64_t* b, std::size_t n, F f) {
    for (std::size_t i = 0; i < n; ++i) out[i] = static_cast<std::int64_t>(f(a[i], b[i]));
}

float gelu(float x) { return 0.5f * x * (1.0f + std::erf(x * 0.70710678f)); }
float softplus(float x) { return x > 20.0f ? x : std::log1p(std::exp(x)); }

void apply(const Call& call, Op op, float* out, const float* a, const float* b, std::size_t n) {
    switch (op) {
        case Op::add: return each(out, a, b, n, [](float x, float y) { return x + y; });
        case Op::sub: return each(out, a, b, n, [](float x, float y) { return x - y; });
        case Op::mul: return each(out, a, b, n, [](float x, float y) { return x * y; });
        case Op::div: return each(out, a, b, n, [](float x, float y) { return x / y; });
        case Op::rem: return each(out, a, b, n, [](float x, float y) { return std::fmod(x, y); });
        case Op::hypot: return each(out, a, b, n, [](float x, float y) { return std::hypot(x, y); });
        case Op::max: return each(out, a, b, n, [](float x, float y) { return x < y ? y : x; });
        case Op::min: return each(out, a, b, n, [](float x, float y) { return y < x ? y : x; });
        case Op::maximum: return each(out, a, b, n, [](float x, float y) { return std::fmax(x, y); });
        case Op::minimum: return each(out, a, b, n, [](float x, float y) { return std::fmin(x, y); });
        case Op::nan_maximum: return each(out, a, b, n, [](float x, float y) { return x != x ? x : y != y ? y : x < y ? y : x; });
        case Op::nan_minimum: return each(out, a, b, n, [](float x, float y) { return x != x ? x : y != y ? y : y < x ? y : x; });
        case Op::eq: return each(out, a, b, n, [](float x, float y) { return x == y ? 1.0f : 0.0f; });
        case Op::ne: return each(out, a, b, n, [](float x, float y) { return x != y ? 1.0f : 0.0f; });
        case Op::lt: return each(out, a, b, n, [](float x, float y) { return x < y ? 1.0f : 0.0f; });
        case Op::le: return each(out, a, b, n, [](float x, float y) { return x <= y ? 1.0f : 0.0f; });
        case Op::gt: return each(out, a, b, n, [](float x, float y) { return x > y ? 1.0f : 0.0f; });
        case Op::ge: return each(out, a, b, n, [](float x, float y) { return x >= y ? 1.0f : 0.0f; });
        case Op::logic_and: return each(out, a, b, n, [](float x, float y) { return x != 0 && y != 0 ? 1.0f : 0.0f; });
        case Op::logic_or: return each(out, a, b, n, [](float x, float y) { return x != 0 || y != 0 ? 1.0f : 0.0f; });
        case Op::logic_xor: return each(out, a, b, n, [](float x, float y) { return (x != 0) != (y != 0) ? 1.0f : 0.0f; });
        case Op::logic_not: return each(out, a, a, n, [](float x, float) { return x == 0 ? 1.0f : 0.0f; });
        case Op::abs: return each(out, a, a, n, [](float x, float) { return std::fabs(x); });
        case Op::neg: return each(out, a, a, n, [](float x, float) { return -x; });
        case Op::square: return each(out, a, a, n, [](float x, float) { return x * x; });
        case Op::recip: return each(out, a, a, n, [](float x, float) { return 1.0f / x; });
        case Op::sqrt: return each(out, a, a, n, [](float x, float) { return std::sqrt(x); });
        case Op::rsqrt: return each(out, a, a, n, [](float x, float) { return 1.0f / std::sqrt(x); });
        case Op::sin: return each(out, a, a, n, [](float x, float) { return std::sin(x); });
        case Op::cos: return each(out, a, a, n, [](float x, float) { return std::cos(x); });
        case Op::tan: return each(out, a, a, n, [](float x, float) { return std::tan(x); });
        case Op::pow2: return each(out, a, a, n, [](float x, float) { return std::exp2(x); });
        case Op::log2: return each(out, a, a, n, [](float x, float) { return std::log2(x); });
        case Op::ln: return each(out, a, a, n, [](float x, float) { return std::log(x); });
        case Op::exp: return each(out, a, a, n, [](float x, float) { return std::exp(x); });
        case Op::sigmoid: return each(out, a, a, n, [](float x, float) { return 1.0f / (1.0f + std::exp(-x)); });
        case Op::tanh: return each(out, a, a, n, [](float x, float) { return std::tanh(x); });
        case Op::gelu: return each(out, a, a, n, [](float x, float) { return gelu(x); });
        case Op::relu: return each(out, a, a, n, [](float x, float) { return x > 0 ? x : 0.0f; });
        case Op::sign: return each(out, a, a, n, [](float x, float) { return x >= 0 ? 1.0f : -1.0f; });
        case Op::floor: return each(out, a, a, n, [](float x, float) { return std::floor(x); });
        case Op::ceil: return each(out, a, a, n, [](float x, float) { return std::ceil(x); });
        case Op::trunc: return each(out, a, a, n, [](float x, float) { return std::trunc(x); });
        case Op::round: return each(out, a, a, n, [](float x, float) { return std::round(x); });
        case Op::nearbyint: return each(out, a, a, n, [](float x, float) { return xpemu::round_even(x); });
        case Op::softplus: return each(out, a, a, n, [](float x, float) { return softplus(x); });
        case Op::copy: return each(out, a, a, n, [](float x, float) { return x; });
        default: violation("bang-type", call, "the operation is for integers");
    }
}

void apply(const Call& call, Op op, std::int64_t* out, const std::int64_t* a, const std::int64_t* b, std::size_t n, Type type) {
    using I = std::int64_t;
    using U = std::uint64_t;
    const unsigned bits = static_cast<unsigned>(size_of(type)) * 8;
    const U mask = bits == 64 ? ~U{0} : (U{1} << bits) - 1;
    const I least = static_cast<I>(lowest(type)), most = static_cast<I>(highest(type));  // of operands below 64 bits
    switch (op) {
        case Op::add: return each(out, a, b, n, [](I x, I y) { return U(x) + U(y); });
        case Op::sub: return each(out, a, b, n, [](I x, I y) { return U(x) - U(y); });
        case Op::mul: return each(out, a, b, n, [](I x, I y) { return U(x) * U(y); });
        case Op::adds: return each(out, a, b, n, [=](I x, I y) { return std::clamp(x + y, least, most); });
        case Op::subs: return each(out, a, b, n, [=](I x, I y) { return std::clamp(x - y, least, most); });
        case Op::mulh: return each(out, a, b, n, [=](I x, I y) { return static_cast<I>(U(x) * U(y)) >> bits; });
        case Op::div:
        case Op::rem:
            for (std::size_t i = 0; i < n; ++i)
                if (b[i] == 0) violation("trap", call, "integer division by zero in element %zu", i);
            if (op == Op::div) return each(out, a, b, n, [](I x, I y) { return x / y; });
            return each(out, a, b, n, [](I x, I y) { return x % y; });
        case Op::max: case Op::maximum: case Op::nan_maximum: return each(out, a, b, n, [](I x, I y) { return std::max(x, y); });
        case Op::min: case Op::minimum: case Op::nan_minimum: return each(out, a, b, n, [](I x, I y) { return std::min(x, y); });
        case Op::eq: return each(out, a, b, n, [](I x, I y) { return x == y; });
        case Op::ne: return each(out, a, b, n, [](I x, I y) { return x != y; });
        case Op::lt: return each(out, a, b, n, [](I x, I y) { return x < y; });
        case Op::le: return each(out, a, b, n, [](I x, I y) { return x <= y; });
        case Op::gt: return each(out, a, b, n, [](I x, I y) { return x > y; });
        case Op::ge: return each(out, a, b, n, [](I x, I y) { return x >= y; });
        case Op::logic_and: return each(out, a, b, n, [](I x, I y) { return x && y; });
        case Op::logic_or: return each(out, a, b, n, [](I x, I y) { return x || y; });
        case Op::logic_xor: return each(out, a, b, n, [](I x, I y) { return !x != !y; });
        case Op::band: return each(out, a, b, n, [](I x, I y) { return x & y; });
        case Op::bor: return each(out, a, b, n, [](I x, I y) { return x | y; });
        case Op::bxor: return each(out, a, b, n, [](I x, I y) { return x ^ y; });
        case Op::sll: return each(out, a, b, n, [=](I x, I y) { return U(y) >= bits ? U{0} : U(x) << y; });
        case Op::srl: return each(out, a, b, n, [=](I x, I y) { return U(y) >= bits ? U{0} : (U(x) & mask) >> y; });
        case Op::sra: return each(out, a, b, n, [=](I x, I y) { return x >> std::min<I>(y, bits - 1); });
        case Op::logic_not: return each(out, a, a, n, [](I x, I) { return !x; });
        case Op::bnot: return each(out, a, a, n, [](I x, I) { return ~x; });
        case Op::abs: return each(out, a, a, n, [](I x, I) { return x < 0 ? -x : x; });
        case Op::neg: return each(out, a, a, n, [](I x, I) { return -x; });
        case Op::square: return each(out, a, a, n, [](I x, I) { return U(x) * U(x); });
        case Op::relu: return each(out, a, a, n, [](I x, I) { return x > 0 ? x : 0; });
        case Op::sign: return each(out, a, a, n, [](I x, I) { return x >= 0 ? 1 : -1; });
        case Op::copy: return each(out, a, a, n, [](I x, I) { return x; });
        default: violation("bang-type", call, "the operation is for floating types");
    }
}

bool keeps_apart(Op op) { return op == Op::floor || op == Op::round || op == Op::nearbyint; }

// Fills `out` with n elements of the second operand from element i on.
template <class V, class Load>
void second_operand(V* out, const void* b, Second kind, std::size_t i, std::size_t n, std::size_t period, std::size_t width, Load load) {
    if (kind == Second::none || kind == Second::scalar) return;  // a scalar has been spread before
    if (kind == Second::vector) return load(bytes_of(b) + i * width, n, out);
    for (std::size_t done = 0; done < n;) {
        const std::size_t at = (i + done) % period, run = std::min(n - done, period - at);
        load(bytes_of(b) + at * width, run, out + done);
        done += run;
    }
}

template <class V, class Load, class Store, class Work>
void in_chunks(void* dst, const void* a, const void* b, Second kind, std::size_t n, std::size_t period, std::size_t width, Load load, Store store,
               Work work) {
    V x[chunk], y[chunk], z[chunk];
    if (kind == Second::scalar) {
        load(b, 1, y);
        std::fill(y + 1, y + chunk, y[0]);
    }
    for (std::size_t i = 0; i < n; i += chunk) {
        const std::size_t run = std::min(chunk, n - i);
        load(bytes_of(a) + i * width, run, x);
        second_operand(y, b, kind, i, run, period, width, load);
        work(z, x, y, run);
        store(bytes_of(dst) + i * width, run, z);
    }
}

}  // namespace

void elementwise(const Call& call, Op op, Type type, void* dst, const void* a, const void* b, Second second, std::size_t n, std::size_t period) {
    const std::size_t width = size_of(type), bytes = n * width;
    if (second == Second::cyclic) {
        if (!period || n % period) violation("bang-size", call, "%zu elements are no multiple of the %zu of the cycle", n, period);
    }
    Rule rule;
    if (keeps_apart(op)) rule.overlap = Overlap::forbidden;
    const Operand to{"dst", dst, bytes, Space::nram, true}, first{"src0", a, bytes, Space::nram, false};
    const bool in_memory = second == Second::vector || second == Second::cyclic;
    const Operand other{"src1", b, second == Second::cyclic ? period * width : bytes, Space::nram, false};
    if (!(in_memory ? enter(call, {to, first, other}, rule) : enter(call, {to, first}, rule))) return;
    if (n == 0) return note(call, "no elements");
    if (is_float(type)) {
        auto load = [=](const void* from, std::size_t m, float* out) { load_floats(type, from, m, out); };
        auto store = [=](void* at, std::size_t m, const float* from) { store_floats(type, at, m, from); };
        in_chunks<float>(dst, a, b, second, n, period, width, load, store,
                         [&](float* z, const float* x, const float* y, std::size_t m) { apply(call, op, z, x, y, m); });
    } else {
        auto load = [=](const void* from, std::size_t m, std::int64_t* out) { load_ints(type, from, m, out); };
        auto store = [=](void* at, std::size_t m, const std::int64_t* from) { store_ints(type, at, m, from); };
        in_chunks<std::int64_t>(dst, a, b, second, n, period, width, load, store,
                                [&](std::int64_t* z, const std::int64_t* x, const std::int64_t* y, std::size_t m) { apply(call, op, z, x, y, m, type); });
    }
}

void bit_index(const Call& call, Op op, Type type, void* dst, const void* a, const void* b, std::size_t n) {
    const std::size_t width = size_of(type), unit = architecture.exact() ? 512 : 8;
    if (n % unit) improper("bang-size", call, "%zu elements are no multiple of %zu", n, unit);
    if (!enter(call, {{"dst", dst, (n + 7) / 8, Space::nram, true}, {"src0", a, n * width, Space::nram, false}, {"src1", b, n * width, Space::nram, false}},
               Rule{Overlap::same, 64, 1, 1}))
        return;
    std::vector<unsigned char> out((n + 7) / 8);
    for (std::size_t i = 0; i < n; i += chunk) {
        const std::size_t run = std::min(chunk, n - i);
        float x[chunk], y[chunk], z[chunk];
        load_floats(type, bytes_of(a) + i * width, run, x);
        load_floats(type, bytes_of(b) + i * width, run, y);
        apply(call, op, z, x, y, run);
        for (std::size_t k = 0; k < run; ++k)
            if (z[k] != 0) out[(i + k) / 8] |= static_cast<unsigned char>(1 << ((i + k) % 8));
    }
    std::memcpy(dst, out.data(), out.size());
}

void widening_square(const Call& call, Type to, Type from, void* dst, const void* src, std::size_t n) {
    if (!enter(call, {{"dst", dst, n * size_of(to), Space::nram, true}, {"src", src, n * size_of(from), Space::nram, false}}, Rule{Overlap::forbidden})) return;
    for (std::size_t i = 0; i < n; ++i) {
        const std::int64_t v = load_int(from, bytes_of(src) + i * size_of(from));
        store_int(to, bytes_of(dst) + i * size_of(to), v * v);
    }
}

void fuse(const Call& call, mluFusionOpCode code, Type type, void* dst, const void* a, const void* b, bool b_scalar, const void* c, bool c_scalar,
          std::size_t n, std::size_t period) {
    const std::size_t width = size_of(type), bytes = n * width;
    if (!period) period = n;
    if (!(b_scalar && c_scalar) && (!period || n % period)) violation("bang-size", call, "%zu elements are no multiple of seg_num %zu", n, period);
    const Operand to{"dst", dst, bytes, Space::nram, true}, first{"src0", a, bytes, Space::nram, false};
    const Operand second{"src1", b, period * width, Space::nram, false}, third{"src2", c, period * width, Space::nram, false};
    const bool here = b_scalar ? (c_scalar ? enter(call, {to, first}) : enter(call, {to, first, third}))
                               : (c_scalar ? enter(call, {to, first, second}) : enter(call, {to, first, second, third}));
    if (!here) return;
    auto load = [=](const void* from, std::size_t m, float* out) { load_floats(type, from, m, out); };
    float x[chunk], y[chunk], z[chunk], out[chunk];
    if (b_scalar) {
        load(b, 1, y);
        std::fill(y + 1, y + chunk, y[0]);
    }
    if (c_scalar) {
        load(c, 1, z);
        std::fill(z + 1, z + chunk, z[0]);
    }
    for (std::size_t i = 0; i < n; i += chunk) {
        const std::size_t run = std::min(chunk, n - i);
        load(bytes_of(a) + i * width, run, x);
        second_operand(y, b, b_scalar ? Second::scalar : Second::cyclic, i, run, period, width, load);
        second_operand(z, c, c_scalar ? Second::scalar : Second::cyclic, i, run, period, width, load);
        for (std::size_t k = 0; k < run; ++k) {
            const float p = x[k], q = y[k], r = z[k];
            switch (code) {
                case FUSION_FMA: out[k] = p * q + r; break;
                case FUSION_FMS: out[k] = p * q - r; break;
                case FUSION_FAM: out[k] = (p + q) * r; break;
                case FUSION_FSM: out[k] = (p - q) * r; break;
                case FUSION_FAA: out[k] = p + q + r; break;
                case FUSION_FAS: out[k] = p + q - r; break;
                case FUSION_FSS: out[k] = p - q - r; break;
                case FUSION_FSA: out[k] = p - q + r; break;
            }
        }
        store_floats(type, bytes_of(dst) + i * width, run, out);
    }
}

// ---------------------------------------------------------------------------------------------- reductions

void reduce_sum(const Call& call, Type type, void* dst, const void* src, std::size_t n) {
    const std::size_t width = size_of(type), bytes = n * width, group = 128 / width;
    if (!enter(call, {{"dst", dst, bytes, Space::nram, true}, {"src", src, bytes, Space::nram, false}}, Rule{Overlap::same, 64, 128, 128})) return;
    for (std::size_t g = 0; g < n; g += group) {
        float x[128], sum = 0;
        const std::size_t run = std::min(group, n - g);
        load_floats(type, bytes_of(src) + g * width, run, x);
        for (std::size_t i = 0; i < run; ++i) sum += x[i];
        if (architecture.exact()) std::memset(bytes_of(dst) + g * width, 0, run * width);
        store_floats(type, bytes_of(dst) + g * width, 1, &sum);
    }
}

double total(const Call& call, Type type, const void* src, std::size_t n) {
    if (!enter(call, {{"src", src, n * size_of(type), Space::nram, false}})) return 0;
    if (architecture.number < 520) irregular("bang-arch", call, "it needs an architecture from 520 on, this is mtp_%d", architecture.number);
    value_returned();
    double sum = 0;
    for (std::size_t i = 0; i < n; ++i) {
        const void* at = bytes_of(src) + i * size_of(type);
        sum += is_float(type) ? load_float(type, at) : static_cast<double>(load_int(type, at));
    }
    return sum;
}

void extreme(const Call& call, Type type, bool largest, void* dst, const void* src, std::size_t n) {
    const std::size_t width = size_of(type);
    // The value and, right behind it, a 4-byte index: old code gives the instruction room for both.
    if (!enter(call, {{"dst", dst, width + 4, Space::nram, true}, {"src", src, n * width, Space::nram, false}}, Rule{Overlap::any, 64, 1, 1})) return;
    double best = NAN;
    std::uint32_t at = 0;
    for (std::size_t i = 0; i < n; ++i) {
        const void* element = bytes_of(src) + i * width;
        const double v = is_float(type) ? load_float(type, element) : static_cast<double>(load_int(type, element));
        if (v != v) continue;
        if (best != best || (largest ? v > best : v < best)) {
            best = v;
            at = static_cast<std::uint32_t>(i);
        }
    }
    if (is_float(type)) store_float(type, dst, best);
    else store_int(type, dst, static_cast<std::int64_t>(best));
    std::memcpy(bytes_of(dst) + width, &at, 4);
}

static bool nonzero(Type type, const void* at) { return is_float(type) ? load_float(type, at) != 0 : load_int(type, at) != 0; }

unsigned count_nonzero(const Call& call, Type type, const void* src, std::size_t n) {
    if (!enter(call, {{"src", src, n * size_of(type), Space::nram, false}})) return 0;
    value_returned();
    unsigned hits = 0;
    for (std::size_t i = 0; i < n; ++i) hits += nonzero(type, bytes_of(src) + i * size_of(type));
    return hits;
}

unsigned find_nonzero(const Call& call, Type type, bool first, const void* src, std::size_t n) {
    unsigned found = 0xFFFFFFFFu;
    if (!enter(call, {{"src", src, n * size_of(type), Space::nram, false}})) return found;
    value_returned();
    for (std::size_t i = 0; i < n; ++i)
        if (nonzero(type, bytes_of(src) + i * size_of(type))) {
            found = static_cast<unsigned>(i);
            if (first) break;
        }
    return found;
}

unsigned population(const Call& call, const void* src, std::size_t bytes) {
    if (!enter(call, {{"src", src, bytes, Space::nram, false}})) return 0;
    value_returned();
    unsigned ones = 0;
    for (std::size_t i = 0; i < bytes; ++i) ones += static_cast<unsigned>(__builtin_popcount(bytes_of(src)[i]));
    return ones;
}

void sequence(const Call& call, Type type, void* dst, std::size_t n) {
    if (!enter(call, {{"dst", dst, n * size_of(type), Space::nram, true}})) return;
    for (std::size_t i = 0; i < n; ++i) {
        void* at = bytes_of(dst) + i * size_of(type);
        if (is_float(type)) store_float(type, at, static_cast<double>(i));
        else store_int(type, at, static_cast<std::int64_t>(i));
    }
}

// ---------------------------------------------------------------------------------------------- selections

void mask_move(const Call& call, void* dst, const void* src, const void* mask, std::size_t bytes) {
    const std::size_t unit = architecture.exact() ? 1024 : 8;
    if (bytes % unit) improper("bang-size", call, "%zu bytes are no multiple of %zu", bytes, unit);
    if (!enter(call, {{"dst", dst, bytes, Space::nram, true}, {"src", src, bytes, Space::nram, false}, {"mask", mask, (bytes + 7) / 8, Space::nram, false}},
               Rule{Overlap::same, 64, 1, 1}))
        return;
    for (std::size_t i = 0; i < bytes; ++i)
        if (bytes_of(mask)[i / 8] >> (i % 8) & 1) bytes_of(dst)[i] = bytes_of(src)[i];
}

unsigned compress(const Call& call, Type type, void* dst, const void* src, const void* index, bool bits, std::size_t n, std::size_t head) {
    const std::size_t width = size_of(type);
    if (bits && n % (architecture.exact() ? 512 : 8)) improper("bang-size", call, "%zu elements are no multiple of %d", n, architecture.exact() ? 512 : 8);
    if (!enter(call, {{"src", src, n * width, Space::nram, false}, {"index", index, bits ? (n + 7) / 8 : n * width, Space::nram, false}}, Rule{Overlap::any, 64, 1, 1}))
        return 0;
    value_returned();
    std::vector<unsigned char> packed;
    for (std::size_t i = 0; i < n; ++i) {
        const bool hit = bits ? bytes_of(index)[i / 8] >> (i % 8) & 1 : nonzero(type, bytes_of(index) + i * width);
        if (hit) packed.insert(packed.end(), bytes_of(src) + i * width, bytes_of(src) + (i + 1) * width);
    }
    const auto hits = static_cast<unsigned>(packed.size() / width);
    if (head && architecture.exact()) packed.resize((packed.size() + 127) / 128 * 128);
    check_operand(call, Operand{"dst", dst, head + packed.size(), Space::nram, true});
    if (head) {  // __bang_select: the count, zeros up to byte 128, the data
        std::memset(dst, 0, head);
        std::memcpy(dst, &hits, 4);
    }
    if (!packed.empty()) std::memcpy(bytes_of(dst) + head, packed.data(), packed.size());
    return hits;
}

void compare_filter(const Call& call, CompareMode compare, Type type, void* dst, const void* a, const void* b, bool scalar, std::size_t n) {
    const std::size_t width = size_of(type);
    const Operand first{"src0", a, n * width, Space::nram, false};
    if (!(scalar ? enter(call, {first}) : enter(call, {first, {"src1", b, n * width, Space::nram, false}}))) return;
    constexpr Op ops[] = {Op::eq, Op::ne, Op::lt, Op::le, Op::gt, Op::ge};
    std::vector<unsigned char> packed;
    for (std::size_t i = 0; i < n; ++i) {
        float x, y, z;
        load_floats(type, bytes_of(a) + i * width, 1, &x);
        load_floats(type, bytes_of(b) + (scalar ? 0 : i * width), 1, &y);
        apply(call, ops[compare], &z, &x, &y, 1);
        if (z != 0) packed.insert(packed.end(), bytes_of(a) + i * width, bytes_of(a) + (i + 1) * width);
    }
    const auto hits = static_cast<std::uint32_t>(packed.size() / width);
    computes_on(call, Operand{"dst", dst, 4 + packed.size(), Space::nram, true});
    std::memcpy(dst, &hits, 4);
    if (hits) std::memcpy(bytes_of(dst) + 4, packed.data(), packed.size());
}

void look_up(const Call& call, Type index, void* dst, const void* at, const void* table, std::size_t n, std::size_t table_length, std::size_t width) {
    if (table_length * width % 64) irregular("bang-size", call, "the table's %zu entries are no multiple of 64", table_length);
    if (!enter(call,
               {{"dst", dst, n * width, Space::nram, true}, {"index", at, n * size_of(index), Space::nram, false}, {"table", table, table_length * width, Space::nram, false}},
               Rule{Overlap::same, 64, 1, 1}))
        return;
    for (std::size_t i = 0; i < n; ++i) {
        const std::int64_t entry = load_int(index, bytes_of(at) + i * size_of(index));
        if (entry >= 0 && static_cast<std::size_t>(entry) < table_length) std::memcpy(bytes_of(dst) + i * width, bytes_of(table) + static_cast<std::size_t>(entry) * width, width);
    }
}

void histogram(const Call& call, Type type, void* dst, const void* src, std::size_t n, std::size_t bins) {
    if (!enter(call, {{"dst", dst, bins * 4, Space::nram, true}, {"src", src, n * size_of(type), Space::nram, false}}, Rule{Overlap::forbidden, 64, 1, 1})) return;
    std::memset(dst, 0, bins * 4);
    for (std::size_t i = 0; i < n; ++i) {
        const std::int64_t bin = load_int(type, bytes_of(src) + i * size_of(type));
        if (bin >= 0 && static_cast<std::size_t>(bin) < bins) ++static_cast<std::uint32_t*>(dst)[bin];
    }
}

// --------------------------------------------------------------------------------------------- conversions

double round_to(double v, Rounding mode) {
    switch (mode) {
        case Rounding::tz: return std::trunc(v);
        case Rounding::oz: return v < 0 ? std::floor(v) : std::ceil(v);
        case Rounding::up: return std::ceil(v);
        case Rounding::dn: return std::floor(v);
        case Rounding::rd: return std::round(v);
        case Rounding::rm: return std::floor(v + 0.5);
        default: return xpemu::round_even(v);
    }
}

// `v` in a format of `digits` mantissa bits above 2^lowest, rounded as the mode says.
double round_float(Type type, double v, Rounding mode) {
    if (v != v || std::isinf(v) || v == 0) return v;
    const int digits = type == Type::f16 ? 11 : 8, smallest = type == Type::f16 ? -24 : -133;
    int exponent;
    std::frexp(v, &exponent);
    const int unit = std::max(exponent - digits, smallest);
    const double rounded = std::ldexp(round_to(std::ldexp(v, -unit), mode), unit);
    const double most = type == Type::f16 ? 65504.0 : 3.3895313892515355e38;
    const bool toward = mode == Rounding::tz || (mode == Rounding::dn && v > 0) || (mode == Rounding::up && v < 0);
    if (std::fabs(rounded) > most) return toward || architecture.exact() ? std::copysign(most, v) : std::copysign(INFINITY, v);
    return rounded;
}

void convert(const Call& call, Type to, Type from, Rounding mode, int scale, void* dst, const void* src, std::size_t n, long dst_stride, long src_stride,
             unsigned long segments) {
    const std::size_t to_width = size_of(to), from_width = size_of(from);
    const long last = static_cast<long>(segments) - 1;
    const auto span = [&](std::size_t width, long stride) { return n * width + static_cast<std::size_t>(last * std::abs(stride)); };
    const bool grows = to_width > from_width;
    Rule rule{Overlap::any, 64, 1, 1};
    const Operand out{"dst", dst, span(to_width, dst_stride), Space::nram, true}, in{"src", src, span(from_width, src_stride), Space::nram, false};
    if (!enter(call, {out, in}, rule)) return;
    if (architecture.exact() && n % 64) improper("bang-size", call, "%zu elements are no multiple of 64, as mtp_%d needs it", n, architecture.number);
    const auto *x = bytes_of(dst), *y = bytes_of(src);
    if (grows && x < y + in.bytes && y < x + out.bytes) irregular("bang-overlap", call, "dst %s overlaps src, which is narrower", describe(dst).c_str());
    std::vector<unsigned char> source;
    for (unsigned long s = 0; s < segments; ++s) {
        const auto* at = y + static_cast<long>(s) * src_stride;
        source.insert(source.end(), at, at + n * from_width);
    }
    for (unsigned long s = 0; s < segments; ++s) {
        auto* at = bytes_of(dst) + static_cast<long>(s) * dst_stride;
        const auto* element = source.data() + s * n * from_width;
        if (from == Type::f32 && is_float(to) && (mode == Rounding::rn || to == Type::f32) && scale == 0) {
            store_floats(to, at, n, reinterpret_cast<const float*>(element));
            continue;
        }
        if (to == Type::f32 && is_float(from) && scale == 0) {
            load_floats(from, element, n, reinterpret_cast<float*>(at));
            continue;
        }
        for (std::size_t i = 0; i < n; ++i, element += from_width, at += to_width) {
            double v = is_float(from) ? load_float(from, element) : static_cast<double>(load_int(from, element));
            if (scale) v = std::ldexp(v, scale);
            if (to == Type::f16 || to == Type::bf16) store_float(to, at, round_float(to, v, mode));
            else if (is_float(to)) store_float(to, at, v);
            else {
                const double whole = round_to(v, mode);
                if (!(whole >= lowest(to) && whole <= highest(to))) std::feraiseexcept(FE_INVALID);  // see `language.hpp`
                store_int(to, at, v != v ? 0 : static_cast<std::int64_t>(std::clamp(whole, lowest(to), highest(to))));
            }
        }
    }
}

}  // namespace xpemu
