// Pools, transposes and other rearrangements of HWC tensors in NRAM. Results are built apart, so that a kernel that
// works in place gets what it would get from separate buffers.
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "tasks.hpp"
#include "values.hpp"

namespace xpemu {

namespace {

using Bytes = std::vector<unsigned char>;

std::size_t area(long a, long b, long c) { return static_cast<std::size_t>(a) * static_cast<std::size_t>(b) * static_cast<std::size_t>(c); }

long reach(long kernel, long dilation) { return (kernel - 1) * dilation + 1; }

struct Outcome {
    long height, width;
};

Outcome output_of(const Call& call, const Window& w, bool clips) {
    if (w.channel <= 0 || w.height <= 0 || w.width <= 0 || w.kernel_h <= 0 || w.kernel_w <= 0 || w.stride_w <= 0 || w.stride_h <= 0)
        violation("bang-size", call, "channel %ld, height %ld, width %ld, kernel %ld x %ld and strides %ld (w), %ld (h) must be positive", w.channel, w.height,
                  w.width, w.kernel_h, w.kernel_w, w.stride_w, w.stride_h);
    if (w.out_dh != 1 || w.out_dw != 1) violation("bang-unsupported", call, "an output dilation other than 1 is not emulated");
    if (w.kernel_h * w.kernel_w > 65536) improper("bang-size", call, "the kernel of %ld x %ld is larger than 65536", w.kernel_h, w.kernel_w);
    const long h = w.height - reach(w.kernel_h, w.in_dh), v = w.width - reach(w.kernel_w, w.in_dw);
    if (h < 0 || (v < 0 && !clips))
        violation("bang-size", call, "the kernel of %ld x %ld does not fit into height %ld, width %ld", w.kernel_h, w.kernel_w, w.height, w.width);
    return Outcome{h / w.stride_h + 1, clips ? (std::max(v, 0L) + w.stride_w - 1) / w.stride_w + 1 : v / w.stride_w + 1};
}

void check_in_place(const Call& call, const void* dst, std::size_t to, const void* src, std::size_t from) {
    const auto *x = bytes_of(dst), *y = bytes_of(src);
    if (x < y + from && y < x + to) irregular("bang-overlap", call, "dst %s overlaps src %s; they should be apart", describe(dst).c_str(), describe(src).c_str());
}

}  // namespace

void pool(const Call& call, Pool kind, Type type, void* dst, const void* src, const Window& w, long index_stride) {
    const bool clips = kind == Pool::max_value_index, indexed = kind == Pool::max_index || clips;
    const Outcome o = output_of(call, w, clips);
    const std::size_t width = size_of(type), index_width = width == 4 ? 4 : 2;
    const std::size_t in = area(w.height, w.width, w.channel) * width, pixels = area(o.height, o.width, w.channel);
    const std::size_t out = kind == Pool::max_index ? pixels * index_width : clips ? static_cast<std::size_t>(index_stride) + pixels * index_width : pixels * width;
    if (!enter(call, {{"dst", dst, out, Space::nram, true}, {"src", src, in, Space::nram, false}}, Rule{Overlap::any, 64, 1, 1})) return;
    if (architecture.exact() && w.channel * static_cast<long>(width) % 128)
        improper("bang-size", call, "%ld channels of %zu bytes are no multiple of 128, as mtp_%d needs it", w.channel, width, architecture.number);
    check_in_place(call, dst, out, src, in);
    std::vector<float> values(in / width);
    if (is_float(type)) load_floats(type, src, values.size(), values.data());
    else
        for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(load_int(type, bytes_of(src) + i * width));
    std::vector<float> result(pixels);
    std::vector<std::uint32_t> index(indexed ? pixels : 0);
    const auto channels = static_cast<std::size_t>(w.channel);
    for (long y = 0; y < o.height; ++y)
        for (long x = 0; x < o.width; ++x) {
            float* to = &result[static_cast<std::size_t>(y * o.width + x) * channels];
            std::uint32_t* at = indexed ? &index[static_cast<std::size_t>(y * o.width + x) * channels] : nullptr;
            bool first = true;
            for (long i = 0; i < w.kernel_h; ++i)
                for (long j = 0; j < w.kernel_w; ++j) {
                    const long column = x * w.stride_w + j * w.in_dw;
                    if (column >= w.width) continue;
                    const float* from = &values[static_cast<std::size_t>((y * w.stride_h + i * w.in_dh) * w.width + column) * channels];
                    if (first) {
                        std::copy(from, from + channels, to);
                        first = false;
                    } else if (kind == Pool::sum || kind == Pool::average) {
                        for (std::size_t c = 0; c < channels; ++c) to[c] += from[c];
                    } else if (kind == Pool::min) {
                        for (std::size_t c = 0; c < channels; ++c) to[c] = from[c] < to[c] ? from[c] : to[c];
                    } else if (indexed) {
                        for (std::size_t c = 0; c < channels; ++c)
                            if (from[c] > to[c]) {
                                to[c] = from[c];
                                at[c] = static_cast<std::uint32_t>(i * w.kernel_w + j);
                            }
                    } else {
                        for (std::size_t c = 0; c < channels; ++c) to[c] = from[c] > to[c] ? from[c] : to[c];
                    }
                }
            if (kind == Pool::average)
                for (std::size_t c = 0; c < channels; ++c) to[c] /= static_cast<float>(w.kernel_h * w.kernel_w);
        }
    auto* to = static_cast<unsigned char*>(dst);
    if (kind != Pool::max_index) {
        if (is_float(type)) store_floats(type, to, pixels, result.data());
        else
            for (std::size_t i = 0; i < pixels; ++i) store_int(type, to + i * width, static_cast<std::int64_t>(result[i]));
    }
    if (indexed)
        for (std::size_t i = 0; i < pixels; ++i) std::memcpy(to + (clips ? index_stride : 0) + static_cast<long>(i * index_width), &index[i], index_width);
}

void pool_back(const Call& call, bool sums, Type type, void* dst, const void* src, const void* mask, const Window& w, bool accumulate) {
    // src is the gradient of the pooled tensor; dst the one of the tensor of height x width.
    const Outcome o = output_of(call, w, false);
    const std::size_t width = size_of(type), in = area(o.height, o.width, w.channel), out = area(w.height, w.width, w.channel);
    const std::size_t index_width = width == 4 ? 4 : 2;
    if (!enter(call, {{"dst", dst, out * width, Space::nram, true}, {"src", src, in * width, Space::nram, false}}, Rule{Overlap::forbidden, 64, 1, 1})) return;
    if (!sums) computes_on(call, Operand{"mask", mask, in * index_width, Space::nram, false});
    std::vector<float> gradient(in), result(out, 0.0f);
    load_floats(type, src, in, gradient.data());
    const auto channels = static_cast<std::size_t>(w.channel);
    for (long y = 0; y < o.height; ++y)
        for (long x = 0; x < o.width; ++x)
            for (std::size_t c = 0; c < channels; ++c) {
                const std::size_t at = static_cast<std::size_t>(y * o.width + x) * channels + c;
                std::uint32_t chosen = 0;
                if (!sums) std::memcpy(&chosen, bytes_of(mask) + at * index_width, index_width);
                for (long i = 0; i < w.kernel_h; ++i)
                    for (long j = 0; j < w.kernel_w; ++j) {
                        if (!sums && static_cast<std::uint32_t>(i * w.kernel_w + j) != chosen) continue;
                        float& cell = result[static_cast<std::size_t>((y * w.stride_h + i) * w.width + x * w.stride_w + j) * channels + c];
                        cell = accumulate ? cell + gradient[at] : gradient[at];
                    }
            }
    store_floats(type, dst, out, result.data());
}

void unpool(const Call& call, Type type, void* dst, const void* src, const Window& w, const void* index) {
    pool_back(call, false, type, dst, src, index, w, false);
}

void turn(const Call& call, Turn kind, std::size_t element, void* dst, const void* src, long height, long width) {
    if (height <= 0 || width <= 0) violation("bang-size", call, "height %ld and width %ld must be positive", height, width);
    const std::size_t bytes = area(height, width, 1) * element;
    if (!enter(call, {{"dst", dst, bytes, Space::nram, true}, {"src", src, bytes, Space::nram, false}}, Rule{Overlap::forbidden, 64, 1, 1})) return;
    if (architecture.exact()) {
        const long unit = kind == Turn::transpose ? 64 : 128;
        if (height * static_cast<long>(element) % unit || width * static_cast<long>(element) % unit)
            improper("bang-size", call, "height %ld and width %ld of %zu bytes are no multiples of %ld bytes, as mtp_%d needs it", height, width, element, unit,
                     architecture.number);
    }
    Bytes copy(bytes_of(src), bytes_of(src) + bytes);
    auto* out = static_cast<unsigned char*>(dst);
    for (long y = 0; y < height; ++y)
        for (long x = 0; x < width; ++x) {
            long to = 0;
            switch (kind) {
                case Turn::transpose: to = x * height + y; break;
                case Turn::mirror: to = y * width + (width - 1 - x); break;
                case Turn::rotate90: to = x * height + (height - 1 - y); break;
                case Turn::rotate180: to = (height - 1 - y) * width + (width - 1 - x); break;
                case Turn::rotate270: to = (width - 1 - x) * height + y; break;
            }
            std::memcpy(out + static_cast<std::size_t>(to) * element, &copy[static_cast<std::size_t>(y * width + x) * element], element);
        }
}

void pad(const Call& call, std::size_t element, void* dst, const void* src, long channel, long height, long width, long top, long bottom, long left, long right,
         const void* value) {
    const long tall = height + top + bottom, wide = width + left + right;
    const std::size_t in = area(channel, height, width) * element, out = area(channel, tall, wide) * element;
    if (!enter(call, {{"dst", dst, out, Space::nram, true}, {"src", src, in, Space::nram, false}}, Rule{Overlap::forbidden, 64, 1, 1})) return;
    auto* to = static_cast<unsigned char*>(dst);
    for (std::size_t i = 0; i < out; i += element) {
        if (value) std::memcpy(to + i, value, element);
        else std::memset(to + i, 0, element);
    }
    const std::size_t row = static_cast<std::size_t>(width * channel) * element;
    for (long y = 0; y < height; ++y)
        std::memcpy(to + static_cast<std::size_t>(((y + top) * wide + left) * channel) * element, bytes_of(src) + static_cast<std::size_t>(y) * row, row);
}

void permute_image(const Call& call, bool to_channels_last, std::size_t element, void* dst, const void* src, long n, long h, long w, long c) {
    const std::size_t bytes = area(n * h, w, c) * element;
    if (!enter(call, {{"dst", dst, bytes, Space::nram, true}, {"src", src, bytes, Space::nram, false}}, Rule{Overlap::forbidden, 64, 1, 1})) return;
    for (long i = 0; i < n; ++i)
        for (long p = 0; p < h * w; ++p)
            for (long k = 0; k < c; ++k) {
                const auto last = static_cast<std::size_t>((i * h * w + p) * c + k), first = static_cast<std::size_t>((i * c + k) * h * w + p);
                std::memcpy(static_cast<char*>(dst) + (to_channels_last ? last : first) * element, bytes_of(src) + (to_channels_last ? first : last) * element, element);
            }
}

void reshape_filter(const Call& call, std::size_t element, void* dst, const void* src, long n, long h, long w, long c) {
    const std::size_t row = area(h, w, c) * element, bytes = row * static_cast<std::size_t>(n);
    if (n % 64) improper("bang-size", call, "the %ld output channels are no multiple of 64", n);
    const std::size_t unit = architecture.exact() ? 128 : 32;
    if (row % unit) improper("bang-size", call, "the %zu bytes of an output channel are no multiple of %zu", row, unit);
    if (!enter(call, {{"dst", dst, bytes, Space::nram, true}, {"src", src, bytes, Space::nram, false}}, Rule{Overlap::forbidden, 64, 1, 1})) return;
    const long groups = (n + 63) / 64;
    for (long lane = 0; lane < 64; ++lane)
        for (long g = 0; g < groups; ++g)
            if (g * 64 + lane < n)
                std::memcpy(static_cast<char*>(dst) + static_cast<std::size_t>(lane * groups + g) * row, bytes_of(src) + static_cast<std::size_t>(g * 64 + lane) * row, row);
}

void expand_multiply(const Call& call, Type type, void* dst, const void* weights, const void* src, const void* add, long rows, long channels) {
    const std::size_t width = size_of(type), bytes = area(rows, channels, 1) * width;
    if (!enter(call,
               {{"dst", dst, bytes, Space::nram, true}, {"src", src, bytes, Space::nram, false}, {"weights", weights, static_cast<std::size_t>(rows) * width, Space::nram, false}}))
        return;
    if (add) computes_on(call, Operand{"add", add, bytes, Space::nram, false});
    for (long r = 0; r < rows; ++r)
        for (long c = 0; c < channels; ++c) {
            const std::size_t at = static_cast<std::size_t>(r * channels + c) * width;
            double v = load_float(type, bytes_of(weights) + static_cast<std::size_t>(r) * width) * load_float(type, bytes_of(src) + at);
            if (add) v += load_float(type, bytes_of(add) + at);
            store_float(type, static_cast<char*>(dst) + at, v);
        }
}

}  // namespace xpemu
