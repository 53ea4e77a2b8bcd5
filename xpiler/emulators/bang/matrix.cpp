// Matrix products and convolutions with weights in WRAM.
//
// WRAM is striped over 64 lanes; output channel co belongs to lane co % 64. Weights that were copied as one run lie
// lane after lane: row lane * groups + co / 64. Weights that were copied lane by lane lie WRAM / 64 bytes apart.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "tasks.hpp"
#include "values.hpp"

namespace xpemu {

namespace {


std::size_t bytes_for(Type t, std::size_t elements) { return t == Type::i4x2 ? (elements + 1) / 2 : elements * size_of(t); }

template <class V>
void load(Type t, const unsigned char* from, std::size_t n, V* to) {
    if (t == Type::i4x2) {
        for (std::size_t i = 0; i < n; ++i) {
            const int both = static_cast<signed char>(from[i / 2]);
            to[i] = static_cast<V>(i % 2 ? both >> 4 : static_cast<signed char>(both << 4) >> 4);
        }
    } else if (is_float(t)) {
        if constexpr (std::is_same_v<V, float>) load_floats(t, from, n, to);
        else
            for (std::size_t i = 0; i < n; ++i) to[i] = static_cast<V>(load_float(t, from + i * size_of(t)));
    } else {
        for (std::size_t i = 0; i < n; ++i) to[i] = static_cast<V>(load_int(t, from + i * size_of(t)));
    }
}

void store_scaled(Type t, void* at, double v, int scale) {
    if (scale) v = std::ldexp(v, scale);
    if (is_float(t)) store_float(t, at, v);
    else store_int(t, at, static_cast<std::int64_t>(std::clamp(xpemu::round_even(v), lowest(t), highest(t))));
}

// The weights as [k][n], whatever their order in WRAM.
template <class V>
std::vector<V> panel(Tensor weights, long rows, long inner, bool in_rows) {
    const auto n = static_cast<std::size_t>(rows), k = static_cast<std::size_t>(inner);
    std::vector<V> out(n * k), row(std::max(n, k));
    const auto* base = bytes_of(weights.at);
    if (in_rows) {
        for (std::size_t i = 0; i < k; ++i) load(weights.type, base + bytes_for(weights.type, i * n), n, &out[i * n]);
        return out;
    }
    const std::size_t groups = (n + 63) / 64, stride = bytes_for(weights.type, k);
    const bool by_lane = lane_addressed(weights.at);
    for (std::size_t i = 0; i < n; ++i) {
        const std::size_t lane = i % 64, group = i / 64;
        const std::size_t at = by_lane ? lane * (architecture.wram / 64) + group * stride : (lane * groups + group) * stride;
        load(weights.type, base + at, k, row.data());
        for (std::size_t j = 0; j < k; ++j) out[j * n + i] = row[j];
    }
    return out;
}

// Where the weights lie in WRAM.
Operand weights_in_wram(const char* role, Tensor w, long rows, long inner, bool in_rows) {
    const std::size_t stride = bytes_for(w.type, static_cast<std::size_t>(inner)), n = static_cast<std::size_t>(rows);
    const auto lying = [&](std::size_t bytes) { return Operand{role, w.at, bytes, Space::wram, false}; };
    if (in_rows) return lying(bytes_for(w.type, n * static_cast<std::size_t>(inner)));
    const std::size_t groups = (n + 63) / 64;
    if (!lane_addressed(w.at)) return lying((n < 64 ? n : 64 * groups) * stride);
    const std::size_t lane = architecture.wram / 64, lanes = std::min<std::size_t>(n, 64);
    Operand in_lanes = lying((lanes - 1) * lane + groups * stride);
    in_lanes.stride = static_cast<long>(lane);
    in_lanes.pieces = lanes;
    in_lanes.piece = groups * stride;
    return in_lanes;
}

void check_types(const Call& call, Type to, Type src, Type weights) {
    const bool floats = is_float(src) && is_float(weights);
    if (is_float(src) != is_float(weights)) violation("bang-type", call, "floating and integer operands cannot be mixed");
    if (floats && architecture.number < 372) irregular("bang-arch", call, "mtp_%d multiplies integers only", architecture.number);
    if (floats && to != Type::f32) irregular("bang-type", call, "a product of floating operands has a float destination");
}

void check_inner(const Call& call, Tensor w, long rows, long inner) {
    if (reinterpret_cast<std::uintptr_t>(w.at) % 32) improper("bang-alignment", call, "the weights %s are not aligned to 32 bytes", describe(w.at).c_str());
    if (!architecture.exact()) return;
    if (rows % 64) improper("bang-size", call, "%ld output channels are no multiple of 64, as mtp_%d needs it", rows, architecture.number);
    if (bytes_for(w.type, static_cast<std::size_t>(inner)) % 64)
        improper("bang-size", call, "an inner dimension of %ld is no multiple of 64 bytes, as mtp_%d needs it", inner, architecture.number);
}

template <class V>
void add_scaled_row(V* __restrict out, const V* __restrict row, V by, std::size_t n) {
    for (std::size_t i = 0; i < n; ++i) out[i] += by * row[i];
}

template <class V>
void multiply(Tensor dst, Tensor src, const std::vector<V>& weights, const void* add, bool per_column, std::size_t m, std::size_t k, std::size_t n, int scale) {
    std::vector<V> left(k), sums(n);
    std::vector<unsigned char> result(m * n * size_of(dst.type));  // dst may be the addend
    for (std::size_t i = 0; i < m; ++i) {
        load(src.type, bytes_of(src.at) + bytes_for(src.type, i * k), k, left.data());
        std::fill(sums.begin(), sums.end(), V(0));
        for (std::size_t j = 0; j < k; ++j) add_scaled_row(sums.data(), &weights[j * n], left[j], n);
        for (std::size_t j = 0; j < n; ++j) {
            double v = scale ? std::ldexp(static_cast<double>(sums[j]), scale) : static_cast<double>(sums[j]);
            if (add) {
                const void* other = bytes_of(add) + (per_column ? j : i * n + j) * size_of(dst.type);
                v += is_float(dst.type) ? load_float(dst.type, other) : static_cast<double>(load_int(dst.type, other));
            }
            store_scaled(dst.type, &result[(i * n + j) * size_of(dst.type)], v, 0);
        }
    }
    std::memcpy(dst.at, result.data(), result.size());
}

}  // namespace

void matmul(const Call& call, Tensor dst, Tensor src, Tensor weights, const void* add, bool per_column, long m, long k, long n, int scale) {
    if (m <= 0 || k <= 0 || n <= 0) violation("bang-size", call, "the sizes %ld x %ld x %ld must be positive", m, k, n);
    const bool in_rows = weights_as_rows();
    const auto rows = static_cast<std::size_t>(m), inner = static_cast<std::size_t>(k), columns = static_cast<std::size_t>(n);
    const std::size_t out = rows * columns * size_of(dst.type);
    if (!enter(call,
               {{"dst", dst.at, out, Space::nram, true}, {"src", src.at, bytes_for(src.type, rows * inner), Space::nram, false},
                weights_in_wram("the weights", weights, n, k, in_rows)},
               Rule{Overlap::forbidden, 64, 1, 1}))
        return;
    if (add) computes_on(call, Operand{per_column ? "bias" : "src2", add, per_column ? columns * size_of(dst.type) : out, Space::nram, false});
    check_types(call, dst.type, src.type, weights.type);
    check_inner(call, weights, n, k);
    if (is_float(src.type)) multiply(dst, src, panel<float>(weights, n, k, in_rows), add, per_column, rows, inner, columns, scale);
    else multiply(dst, src, panel<double>(weights, n, k, in_rows), add, per_column, rows, inner, columns, scale);
}

namespace {

template <class V>
void slide(Tensor dst, Tensor src, const std::vector<V>& weights, const void* bias, const void* partial, const Convolution& c, long ho, long wo, int scale) {
    const auto ci = static_cast<std::size_t>(c.channel_in), co = static_cast<std::size_t>(c.channel_out);
    std::vector<V> image(static_cast<std::size_t>(c.height * c.width) * ci), sums(co);
    load(src.type, bytes_of(src.at), image.size(), image.data());
    std::vector<unsigned char> result(static_cast<std::size_t>(ho * wo) * co * size_of(dst.type));
    for (long y = 0; y < ho; ++y)
        for (long x = 0; x < wo; ++x) {
            std::fill(sums.begin(), sums.end(), V(0));
            for (long i = 0; i < c.kernel_h; ++i)
                for (long j = 0; j < c.kernel_w; ++j) {
                    const V* pixel = &image[static_cast<std::size_t>((y * c.stride_h + i * c.in_dh) * c.width + x * c.stride_w + j * c.in_dw) * ci];
                    const V* row = &weights[static_cast<std::size_t>(i * c.kernel_w + j) * ci * co];
                    for (std::size_t k = 0; k < ci; ++k) add_scaled_row(sums.data(), row + k * co, pixel[k], co);
                }
            for (std::size_t k = 0; k < co; ++k) {
                const std::size_t at = (static_cast<std::size_t>(y * wo + x) * co + k) * size_of(dst.type);
                double v = scale ? std::ldexp(static_cast<double>(sums[k]), scale) : static_cast<double>(sums[k]);
                const auto value = [&](const void* p) { return is_float(dst.type) ? load_float(dst.type, p) : static_cast<double>(load_int(dst.type, p)); };
                if (bias) v += value(bytes_of(bias) + k * size_of(dst.type));
                if (partial) v += value(bytes_of(partial) + at);
                store_scaled(dst.type, &result[at], v, 0);
            }
        }
    std::memcpy(dst.at, result.data(), result.size());
}

}  // namespace

void convolve(const Call& call, Tensor dst, Tensor src, Tensor kernel, const void* bias, const void* partial, const Convolution& c, int scale) {
    if (c.channel_in <= 0 || c.height <= 0 || c.width <= 0 || c.kernel_h <= 0 || c.kernel_w <= 0 || c.stride_w <= 0 || c.stride_h <= 0 || c.channel_out <= 0)
        violation("bang-size", call, "every size and stride must be positive");
    if (c.stride_w > 1023 || c.stride_h > 1023) improper("bang-size", call, "a stride is larger than 1023");
    if (c.out_dw != 1 || c.out_dh != 1) violation("bang-unsupported", call, "an output dilation other than 1 is not emulated");
    const long tall = c.height - ((c.kernel_h - 1) * c.in_dh + 1), wide = c.width - ((c.kernel_w - 1) * c.in_dw + 1);
    if (tall < 0 || wide < 0) violation("bang-size", call, "the kernel of %ld x %ld does not fit into %ld x %ld (pad the input first)", c.kernel_h, c.kernel_w, c.height, c.width);
    const long ho = tall / c.stride_h + 1, wo = wide / c.stride_w + 1, inner = c.kernel_h * c.kernel_w * c.channel_in;
    const std::size_t out = static_cast<std::size_t>(ho * wo * c.channel_out) * size_of(dst.type);
    if (!enter(call,
               {{"dst", dst.at, out, Space::nram, true}, {"src", src.at, bytes_for(src.type, static_cast<std::size_t>(c.height * c.width * c.channel_in)), Space::nram, false},
                weights_in_wram("the kernel", kernel, c.channel_out, inner, false)},
               Rule{Overlap::forbidden, 64, 1, 1}))
        return;
    if (bias) computes_on(call, Operand{"bias", bias, static_cast<std::size_t>(c.channel_out) * size_of(dst.type), Space::nram, false});
    if (partial) computes_on(call, Operand{"partial", partial, out, Space::nram, false});
    check_types(call, dst.type, src.type, kernel.type);
    check_inner(call, kernel, c.channel_out, c.channel_in);
    if (is_float(src.type)) slide(dst, src, panel<float>(kernel, c.channel_out, inner, false), bias, partial, c, ho, wo, scale);
    else slide(dst, src, panel<double>(kernel, c.channel_out, inner, false), bias, partial, c, ho, wo, scale);
}

}  // namespace xpemu
