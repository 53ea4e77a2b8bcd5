// Times the kernels of a translated program in turn with oneDNN's primitives, on as many threads and the same data.
//
// usage: harness LIBRARY CASE. The case is text, one directive a line (`harness.py` writes it):
//   operator NAME / size NAME VALUE / array NAME BYTES FILE|- / order NAME... (as the entry takes its arguments)
//   samples COUNT SECONDS / threads COUNT
// LIBRARY exports `xpiler_call(pointers, sizes)`, which runs the entry's kernels `xpiler_repeats` times each and adds
// the seconds that they took, by the clock `xpiler_clock`, to `xpiler_seconds`: processor time of one thread, wall time
// of several. While several run, threads that wait do so busily, so that a process that had its processors has used
// them all: `had`, beside each sample, is the share of them that it got.
// Prints a JSON object: seconds of one run for each sample of ours and of every way oneDNN has for it, by its
// implementation's name, and the largest difference of the results.

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fstream>
#include <functional>
#include <iostream>
#include <map>
#include <sstream>
#include <string>
#include <unordered_map>
#include <vector>

#include <dlfcn.h>
#include <malloc.h>
#include <omp.h>

#include <dnnl.hpp>
#if DNNL_VERSION_MAJOR != 2
#error "this benchmark is written for oneDNN 2 (Debian's libdnnl-dev)"
#endif

using namespace dnnl;
using Tag = memory::format_tag;
using Dims = memory::dims;
using Args = std::unordered_map<int, memory>;

namespace {

double seconds_of(clockid_t clock) {
    timespec now;
    clock_gettime(clock, &now);
    return now.tv_sec + 1e-9 * now.tv_nsec;
}

engine cpu(engine::kind::cpu, 0);
stream queue(cpu);

// ---------------------------------------------------------------------------------------------- the case

struct Case {
    std::string name;
    std::map<std::string, long> sizes;
    std::map<std::string, float*> arrays;
    std::map<std::string, std::size_t> bytes;
    std::vector<std::string> order;
    int samples = 15, threads = 1;
    double least = 1e-3;

    long operator[](const char* size) const {
        const auto found = sizes.find(size);
        if (found == sizes.end()) throw std::runtime_error(std::string("no size ") + size);
        return found->second;
    }
    float* at(const char* array) const { return arrays.at(array); }
};

float* pages(std::size_t bytes) {
    void* p = nullptr;
    if (posix_memalign(&p, 4096, bytes + 4096)) throw std::bad_alloc();
    std::memset(p, 0, bytes + 4096);
    return static_cast<float*>(p);
}

Case read_case(const char* path) {
    Case c;
    std::ifstream file(path);
    for (std::string line; std::getline(file, line);) {
        std::istringstream words(line);
        std::string what, name, from;
        words >> what;
        if (what == "operator") words >> c.name;
        if (what == "size") words >> name, words >> c.sizes[name];
        if (what == "threads") words >> c.threads;
        if (what == "samples") words >> c.samples >> c.least;
        if (what == "order")
            while (words >> name) c.order.push_back(name);
        if (what == "array") {
            std::size_t bytes;
            words >> name >> bytes >> from;
            c.bytes[name] = bytes;
            c.arrays[name] = pages(bytes);
            if (from != "-") std::ifstream(from, std::ios::binary).read((char*)c.arrays[name], bytes);
        }
    }
    return c;
}

// ---------------------------------------------------------------------------------------------- oneDNN's ways

// One way to compute the case: primitives one after the other. `same`: the result is the operator's.
struct Way {
    std::string name;
    std::vector<std::pair<primitive, Args>> steps;
    void run() {
        for (auto& step : steps) step.first.execute(queue, step.second);
        queue.wait();
    }
    template <class Description> void add(const Description& d, Args args) {
        std::string implementation = d.impl_info_str();
        name += (name.empty() ? "" : " + ") + implementation;
        steps.emplace_back(primitive(d.get()), std::move(args));
    }
};

struct Vendor {
    std::vector<Way> ways;
    std::string result;  // the array that it fills, if its result is the operator's
    float* filled = nullptr;
};

memory::desc desc(const Dims& dims, Tag tag) { return {dims, memory::data_type::f32, tag}; }
memory over(const memory::desc& d, float* data) { return {d, cpu, data}; }

memory fresh(const memory::desc& d) { return {d, cpu, pages(d.get_size())}; }

// The memory in the layout that a primitive wants: moved there in the call where it is another one.
memory arranged(Way& way, const memory& given, const memory::desc& wanted) {
    if (given.get_desc() == wanted) return given;
    memory moved = fresh(wanted);
    reorder::primitive_desc d(given, moved);
    way.add(d, {{DNNL_ARG_FROM, given}, {DNNL_ARG_TO, moved}});
    return moved;
}

// Makes a way if the library has one; silently none where it says that it is not implemented.
template <class Make> void attempt(Vendor& vendor, Make make) {
    try {
        Way way;
        make(way);
        vendor.ways.push_back(std::move(way));
    } catch (const dnnl::error& e) {
        if (e.status != dnnl_unimplemented) throw;
    }
}

void product(Way& way, const memory& a, const memory& b, const memory& c, bool packed, float scale = 1.0f) {
    const auto any = [&](const memory& m) {
        return memory::desc(m.get_desc().dims(), memory::data_type::f32, Tag::any);
    };
    primitive_attr attributes;
    if (scale != 1.0f) attributes.set_output_scales(0, {scale});
    matmul::primitive_desc d({a.get_desc(), packed ? any(b) : b.get_desc(), c.get_desc()}, attributes, cpu);
    const memory weights = arranged(way, b, d.weights_desc());
    way.add(d, {{DNNL_ARG_SRC, a}, {DNNL_ARG_WEIGHTS, weights}, {DNNL_ARG_DST, c}});
}

Vendor gemm(const Case& c) {
    Vendor vendor{{}, "C"};
    const long m = c["M"], n = c["N"], k = c["K"];
    vendor.filled = pages(sizeof(float) * m * n);
    for (const bool packed : {false, true})
        attempt(vendor, [&](Way& way) {
            product(way, over(desc({m, k}, Tag::ab), c.at("A")), over(desc({k, n}, Tag::ab), c.at("B")),
                    over(desc({m, n}, Tag::ab), vendor.filled), packed);
        });
    return vendor;
}

Vendor batched_gemm(const Case& c) {
    Vendor vendor{{}, "C"};
    const long b = c["batch"], m = c["M"], n = c["N"], k = c["K"];
    vendor.filled = pages(sizeof(float) * b * m * n);
    for (const bool packed : {false, true})
        attempt(vendor, [&](Way& way) {
            product(way, over(desc({b, m, k}, Tag::abc), c.at("A")), over(desc({b, k, n}, Tag::abc), c.at("B")),
                    over(desc({b, m, n}, Tag::abc), vendor.filled), packed);
        });
    return vendor;
}

Vendor gemv(const Case& c) {
    Vendor vendor{{}, "y"};
    const long rows = c["rows"], cols = c["cols"];
    vendor.filled = pages(sizeof(float) * rows);
    attempt(vendor, [&](Way& way) {
        product(way, over(desc({rows, cols}, Tag::ab), c.at("A")), over(desc({cols, 1}, Tag::ab), c.at("x")),
                over(desc({rows, 1}, Tag::ab), vendor.filled), false);
    });
    attempt(vendor, [&](Way& way) {
        product(way, over(desc({1, cols}, Tag::ab), c.at("x")), over(desc({cols, rows}, Tag::ba), c.at("A")),
                over(desc({1, rows}, Tag::ab), vendor.filled), false);
    });
    attempt(vendor, [&](Way& way) {
        const auto x = desc({1, cols}, Tag::ab), a = desc({rows, cols}, Tag::ab), y = desc({1, rows}, Tag::ab);
        inner_product_forward::primitive_desc d({prop_kind::forward_inference, x, a, y}, cpu);
        way.add(d, {{DNNL_ARG_SRC, over(x, c.at("x"))}, {DNNL_ARG_WEIGHTS, over(a, c.at("A"))},
                    {DNNL_ARG_DST, over(y, vendor.filled)}});
    });
    return vendor;
}

// In the layout of the arrays, with weights in the best one, and with everything in the best one.
Vendor convolution(const Case& c, const Dims& src, const Dims& weights, const Dims& dst, Tag data, Tag kernel, long pad) {
    Vendor vendor{{}, "output"};
    vendor.filled = pages(c.bytes.at("output"));
    const auto x = over(desc(src, data), c.at("input")), w = over(desc(weights, kernel), c.at("weight"));
    const auto y = over(desc(dst, data), vendor.filled);
    const std::size_t spatial = src.size() - 2;
    const Dims strides(spatial, c["stride"]), padding(spatial, pad);
    for (const int free : {0, 1, 2})
        for (const algorithm way_of : {algorithm::convolution_direct, algorithm::convolution_winograd})
            attempt(vendor, [&](Way& way) {
                const auto open = [&](const memory& m, bool any) {
                    return any ? memory::desc(m.get_desc().dims(), memory::data_type::f32, Tag::any) : m.get_desc();
                };
                convolution_forward::primitive_desc d({prop_kind::forward_inference, way_of, open(x, free > 1),
                                                       open(w, free > 0), open(y, free > 1), strides, padding, padding}, cpu);
                const memory in = arranged(way, x, d.src_desc()), by = arranged(way, w, d.weights_desc());
                const memory out = d.dst_desc() == y.get_desc() ? y : fresh(d.dst_desc());
                way.add(d, {{DNNL_ARG_SRC, in}, {DNNL_ARG_WEIGHTS, by}, {DNNL_ARG_DST, out}});
                if (!(d.dst_desc() == y.get_desc())) {
                    reorder::primitive_desc back(out, y);
                    way.add(back, {{DNNL_ARG_FROM, out}, {DNNL_ARG_TO, y}});
                }
            });
    return vendor;
}

Vendor conv1d(const Case& c) {
    const long n = c["batch"], i = c["in_channels"], o = c["out_channels"], l = c["length"], k = c["kernel"];
    return convolution(c, {n, i, l}, {o, i, k}, {n, o, (l - k) / c["stride"] + 1}, Tag::ncw, Tag::oiw, 0);
}

Vendor conv2d(const Case& c, Tag data, Tag weights) {
    const long n = c["batch"], i = c["in_channels"], o = c["out_channels"], k = c["kernel"];
    const auto out = [&](long extent) { return (extent + 2 * c["pad"] - k) / c["stride"] + 1; };
    return convolution(c, {n, i, c["height"], c["width"]}, {o, i, k, k}, {n, o, out(c["height"]), out(c["width"])},
                       data, weights, c["pad"]);
}

Vendor depthwise(const Case& c) {
    const long n = c["batch"], ch = c["channels"], k = c["kernel"];
    const auto out = [&](long extent) { return (extent + 2 * c["pad"] - k) / c["stride"] + 1; };
    return convolution(c, {n, ch, c["height"], c["width"]}, {ch, 1, 1, k, k}, {n, ch, out(c["height"]), out(c["width"])},
                       Tag::nhwc, Tag::decab, c["pad"]);  // weights as [kh][kw][channels]
}

Vendor eltwise(const Case& c, algorithm what, bool same = true, float alpha = 0.0f, float beta = 0.0f) {
    Vendor vendor{{}, same ? "y" : ""};
    vendor.filled = pages(sizeof(float) * c["n"]);
    attempt(vendor, [&](Way& way) {
        const auto d = desc({c["n"]}, Tag::a);
        eltwise_forward::primitive_desc pd({prop_kind::forward_inference, what, d, alpha, beta}, cpu);
        way.add(pd, {{DNNL_ARG_SRC, over(d, c.at("x"))}, {DNNL_ARG_DST, over(d, vendor.filled)}});
    });
    return vendor;
}

Vendor addition(const Case& c) {
    Vendor vendor{{}, "out"};
    vendor.filled = pages(sizeof(float) * c["n"]);
    attempt(vendor, [&](Way& way) {
        const auto d = desc({c["n"]}, Tag::a);
        binary::primitive_desc pd({algorithm::binary_add, d, d, d}, cpu);
        way.add(pd, {{DNNL_ARG_SRC_0, over(d, c.at("a"))}, {DNNL_ARG_SRC_1, over(d, c.at("b"))},
                     {DNNL_ARG_DST, over(d, vendor.filled)}});
    });
    return vendor;
}

void softmax_of(Way& way, const memory& x, const memory& y) {
    const int axis = static_cast<int>(x.get_desc().dims().size()) - 1;
    softmax_forward::primitive_desc d({prop_kind::forward_inference, x.get_desc(), axis}, cpu);
    way.add(d, {{DNNL_ARG_SRC, x}, {DNNL_ARG_DST, y}});
}

Vendor softmax(const Case& c) {
    Vendor vendor{{}, "y"};
    vendor.filled = pages(c.bytes.at("y"));
    const auto d = desc({c["rows"], c["cols"]}, Tag::ab);
    attempt(vendor, [&](Way& way) { softmax_of(way, over(d, c.at("x")), over(d, vendor.filled)); });
    return vendor;
}

// `shift`: with beta. Without, the mean is subtracted all the same: there is no primitive that leaves it.
Vendor normalisation(const Case& c, const char* scale, const char* shift) {
    Vendor vendor{{}, shift ? "y" : ""};
    vendor.filled = pages(c.bytes.at("y"));
    const auto d = desc({c["rows"], c["width"]}, Tag::ab), per = desc({c["width"]}, Tag::a);
    attempt(vendor, [&](Way& way) {
        const auto flags = shift ? normalization_flags::use_scale | normalization_flags::use_shift : normalization_flags::use_scale;
        layer_normalization_forward::primitive_desc pd({prop_kind::forward_inference, d, 1e-5f, flags}, cpu);
        Args args{{DNNL_ARG_SRC, over(d, c.at("x"))}, {DNNL_ARG_DST, over(d, vendor.filled)},
                  {DNNL_ARG_SCALE, over(per, c.at(scale))}};
        if (shift) args.emplace(DNNL_ARG_SHIFT, over(per, c.at(shift)));
        way.add(pd, args);
    });
    return vendor;
}

Vendor pooling(const Case& c, algorithm what, bool same) {
    Vendor vendor{{}, same ? "out" : ""};
    vendor.filled = pages(c.bytes.at("out"));
    const long k = c["kernel"], s = c["stride"];
    const auto out = [&](long extent) { return (extent - k) / s + 1; };
    const auto x = desc({c["batch"], c["channels"], c["height"], c["width"]}, Tag::nhwc);
    const auto y = desc({c["batch"], c["channels"], out(c["height"]), out(c["width"])}, Tag::nhwc);
    attempt(vendor, [&](Way& way) {
        pooling_forward::primitive_desc d({prop_kind::forward_inference, what, x, y, {s, s}, {k, k}, {0, 0}, {0, 0}}, cpu);
        way.add(d, {{DNNL_ARG_SRC, over(x, c.at("in"))}, {DNNL_ARG_DST, over(y, vendor.filled)}});
    });
    return vendor;
}

Vendor attention(const Case& c) {
    Vendor vendor{{}, "O"};
    const long h = c["heads"], n = c["seq"], d = c["dim"];
    vendor.filled = pages(c.bytes.at("O"));
    const auto scores = fresh(desc({h, n, n}, Tag::abc));
    attempt(vendor, [&](Way& way) {
        product(way, over(desc({h, n, d}, Tag::abc), c.at("Q")), over(desc({h, d, n}, Tag::acb), c.at("K")), scores, false,
                1.0f / std::sqrt(static_cast<float>(d)));
        softmax_of(way, scores, scores);
        product(way, scores, over(desc({h, n, d}, Tag::abc), c.at("V")), over(desc({h, n, d}, Tag::abc), vendor.filled), false);
    });
    return vendor;
}

Vendor counterpart(const Case& c) {
    const auto& n = c.name;
    if (n == "gemm") return gemm(c);
    if (n == "gemv") return gemv(c);
    if (n == "batched_gemm") return batched_gemm(c);
    if (n == "conv1d") return conv1d(c);
    if (n == "conv2d_nhwc") return conv2d(c, Tag::nhwc, Tag::ohwi);
    if (n == "conv2d_nchw") return conv2d(c, Tag::nchw, Tag::oihw);
    if (n == "depthwise_conv") return depthwise(c);
    if (n == "relu") return eltwise(c, algorithm::eltwise_relu);
    if (n == "gelu") return eltwise(c, algorithm::eltwise_gelu_tanh);
    if (n == "sigmoid") return eltwise(c, algorithm::eltwise_logistic);
    if (n == "sign") return eltwise(c, algorithm::eltwise_clip, false, -1.0f, 1.0f);
    if (n == "add") return addition(c);
    if (n == "softmax") return softmax(c);
    if (n == "layernorm") return normalisation(c, "gamma", "beta");
    if (n == "rmsnorm") return normalisation(c, "weight", nullptr);
    if (n == "maxpool") return pooling(c, algorithm::pooling_max, true);
    if (n == "minpool") return pooling(c, algorithm::pooling_max, false);
    if (n == "avgpool") return pooling(c, algorithm::pooling_avg_exclude_padding, true);
    if (n == "sumpool") return pooling(c, algorithm::pooling_avg_exclude_padding, false);
    if (n == "self_attention") return attention(c);
    return {};
}

// ---------------------------------------------------------------------------------------------- measuring

struct Contestant {
    std::string name;
    std::function<double(int)> run;  // so many times: seconds
    int repeats = 1;
    std::vector<double> samples{}, had{};
};

void sample(Contestant& one, int threads) {
    const double wall = seconds_of(CLOCK_MONOTONIC), used = seconds_of(CLOCK_PROCESS_CPUTIME_ID);
    one.samples.push_back(one.run(one.repeats) / one.repeats);
    const double got = seconds_of(CLOCK_PROCESS_CPUTIME_ID) - used;
    one.had.push_back(got / (threads * (seconds_of(CLOCK_MONOTONIC) - wall)));
}

void calibrate(Contestant& one, double least) {
    one.run(1);
    for (;;) {
        const double seconds = one.run(one.repeats);
        if (seconds >= least || one.repeats >= 1 << 22) return;
        const double wanted = seconds > 0 ? 1.2 * least / seconds : 8;
        one.repeats = std::max(one.repeats + 1, static_cast<int>(one.repeats * std::min(8.0, wanted)));
    }
}

double difference(const Case& c, const Vendor& vendor) {
    const float* ours = c.at(vendor.result.c_str());
    double most = 0;
    for (std::size_t i = 0; i < c.bytes.at(vendor.result) / sizeof(float); ++i) {
        const double scale = std::max(1.0, std::fabs(static_cast<double>(vendor.filled[i])));
        const double off = std::fabs(static_cast<double>(ours[i]) - vendor.filled[i]) / scale;
        if (!(off <= most)) most = off;
    }
    return most;
}

void print(const Contestant& one) {
    const auto list = [](const char* name, const std::vector<double>& values) {
        std::printf(", \"%s\": [", name);
        for (std::size_t i = 0; i < values.size(); ++i) std::printf("%s%.6e", i ? ", " : "", values[i]);
        std::printf("]");
    };
    std::printf("{\"name\": \"%s\"", one.name.c_str());
    list("samples", one.samples);
    list("had", one.had);
    std::printf("}");
}

int measure(const char* library, const char* path) {
    // Memory that is freed is handed out again, not given back: no page faults in what is timed.
    mallopt(M_MMAP_THRESHOLD, 1 << 30);
    mallopt(M_TRIM_THRESHOLD, 1 << 30);
    Case c = read_case(path);
    void* handle = dlopen(library, RTLD_NOW);
    if (!handle) throw std::runtime_error(dlerror());
    const auto call = reinterpret_cast<void (*)(void**, const long*)>(dlsym(handle, "xpiler_call"));
    auto* repeats = static_cast<int*>(dlsym(handle, "xpiler_repeats"));
    auto* seconds = static_cast<double*>(dlsym(handle, "xpiler_seconds"));
    auto* clock = static_cast<int*>(dlsym(handle, "xpiler_clock"));
    if (!call || !repeats || !seconds || !clock) throw std::runtime_error(dlerror());
    *clock = c.threads > 1 ? CLOCK_MONOTONIC : CLOCK_THREAD_CPUTIME_ID;
    if (c.threads > 1) {
#pragma omp parallel
        if (omp_get_num_threads() != c.threads) std::abort();
    }
    std::vector<void*> pointers;
    std::vector<long> sizes;
    for (const auto& name : c.order) c.arrays.count(name) ? pointers.push_back(c.arrays[name]) : sizes.push_back(c.sizes.at(name));

    Vendor vendor = counterpart(c);
    std::vector<Contestant> all{{"", [&](int times) {
        *repeats = times;
        *seconds = 0;
        call(pointers.data(), sizes.data());
        return *seconds;
    }}};
    for (auto& way : vendor.ways)
        all.push_back({way.name, [&way, clock](int times) {
            const double start = seconds_of(*clock);
            for (int i = 0; i < times; ++i) way.run();
            return seconds_of(*clock) - start;
        }});
    std::vector<double> differences;
    all[0].run(1);
    for (std::size_t i = 1; i < all.size(); ++i) {
        all[i].run(1);
        differences.push_back(vendor.result.empty() ? -1 : difference(c, vendor));
    }
    // A way that is far slower than the best is measured no further.
    std::vector<Contestant> racing{all[0]};
    double fastest = 1e9;
    std::vector<double> first(all.size());
    for (std::size_t i = 1; i < all.size(); ++i) {
        all[i].run(1);
        first[i] = std::min(all[i].run(3) / 3, all[i].run(3) / 3);
        fastest = std::min(fastest, first[i]);
    }
    for (std::size_t i = 1; i < all.size(); ++i)
        if (first[i] <= 1.5 * fastest) racing.push_back(all[i]);
    for (auto& one : racing) calibrate(one, c.least);
    for (int round = 0; round < c.samples; ++round)
        for (std::size_t i = 0; i < racing.size(); ++i) sample(racing[(i + round) % racing.size()], c.threads);
    double most = vendor.result.empty() || differences.empty() ? -1 : 0;
    for (const double d : differences) most = d <= most ? most : d;
    std::printf("{\"ours\": ");
    print(racing[0]);
    std::printf(", \"vendor\": [");
    for (std::size_t i = 1; i < racing.size(); ++i) {
        std::printf("%s", i > 1 ? ", " : "");
        print(racing[i]);
    }
    std::printf("], \"difference\": %g}\n", std::isnan(most) ? 1e30 : most);
    return 0;
}

}  // namespace

int main(int count, char** words) {
    try {
        return measure(words[1], words[2]);
    } catch (const std::exception& e) {
        std::cerr << e.what() << "\n";
        return 1;
    }
    (void)count;
}
