// What a processor can do at most, as JSON on standard output: operations a second by the type that they are done in, and
// bytes a second that come from each level of memory, for one thread and for as many as the argument says.
//
// The best of many short rounds counts: whatever else the machine does only makes a round slower.
#include <immintrin.h>
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>
#include <unistd.h>
#include <vector>

namespace {

constexpr double round_seconds = 0.004;
constexpr int rounds = 12;
const char* separator = "";

double now() {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// Units a second of `work(turns)`, which does `units` a turn; `work` is called by each thread with its number.
template <class Work>
double best_rate(int threads, double units, const Work& work) {
    long turns = 1;
    while (true) {
        const double start = now();
        work(0, turns);
        if (now() - start > round_seconds || turns > 1L << 40) break;
        turns *= 2;
    }
    double best = 0;
    for (int round = 0; round < rounds; ++round) {
        std::atomic<int> ready{0};
        std::vector<double> starts(threads), ends(threads);
        const auto run = [&](int number) {
            ++ready;
            while (ready < threads) std::this_thread::yield();
            starts[number] = now();
            work(number, turns);
            ends[number] = now();
        };
        std::vector<std::thread> others;
        for (int number = 1; number < threads; ++number) others.emplace_back(run, number);
        run(0);
        for (std::thread& other : others) other.join();
        const double seconds = *std::max_element(ends.begin(), ends.end()) - *std::min_element(starts.begin(), starts.end());
        best = std::max(best, threads * units * turns / seconds);
    }
    return best;
}

// Twelve accumulators, so that no operation waits for the one before it.
#define EACH(DO) DO(0) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7) DO(8) DO(9) DO(10) DO(11)
#define START(n) auto c##n = zero;
#define STEP(n) c##n = step(c##n);
#define KEEP(n) asm volatile("" : "+v"(c##n));

template <class Vector, class Step>
void chains(Vector zero, long turns, const Step& step) {
    EACH(START)
    for (long i = 0; i < turns; ++i) {
        EACH(STEP)
        EACH(KEEP)
    }
}

typedef float floats __attribute__((vector_size(64)));
typedef double doubles __attribute__((vector_size(64)));
typedef int ints __attribute__((vector_size(64)));

void peak(const char* name, int threads, double units, void (*work)(long)) {
    const double one = best_rate(1, 12 * units, [&](int, long turns) { work(turns); });
    const double all = threads > 1 ? best_rate(threads, 12 * units, [&](int, long turns) { work(turns); }) : one;
    std::printf("%s\"%s\": [%.6g, %.6g]", separator, name, one, std::max(one, all));
    separator = ", ";
}

void f32(long turns) {
    const floats a = floats{} + 0.5f, b = floats{} + 1.0f;
    chains(b, turns, [&](floats c) { return c * a + b; });
}

void f64(long turns) {
    const doubles a = doubles{} + 0.5, b = doubles{} + 1.0;
    chains(b, turns, [&](doubles c) { return c * a + b; });
}

void i32(long turns) {
    const ints a = ints{} + 3;
    chains(a, turns, [&](ints c) { return c + a; });
}

#ifdef __AVX512VNNI__
void i8(long turns) {
    const ints a = ints{} + 0x01020304;
    chains(a, turns, [&](ints c) { return (ints)_mm512_dpbusd_epi32((__m512i)c, (__m512i)a, (__m512i)a); });
}
#endif

#ifdef __AVX512BF16__
void bf16(long turns) {
    const __m512bh a = (__m512bh)_mm512_setzero_si512();
    chains(_mm512_setzero_ps(), turns, [&](__m512 c) { return _mm512_dpbf16_ps(c, a, a); });
}
#endif

struct Buffers {
    std::vector<char*> of;  // a pair for each thread, one after the other
    std::size_t half;
};

// Reads and writes alike: what a level gives at best is the greater of reading alone and of copying.
double memory(int threads, const Buffers& buffers) {
    const std::size_t half = buffers.half;
    const auto read = [&](int number, long turns) {
        const char* from = buffers.of[number];
        ints c0{}, c1{}, c2{}, c3{};
        for (long i = 0; i < turns; ++i) {
            for (std::size_t at = 0; at < 2 * half; at += 256) {
                c0 |= *(const ints*)(from + at);
                c1 |= *(const ints*)(from + at + 64);
                c2 |= *(const ints*)(from + at + 128);
                c3 |= *(const ints*)(from + at + 192);
            }
            asm volatile("" : "+v"(c0), "+v"(c1), "+v"(c2), "+v"(c3) : : "memory");
        }
    };
    const auto copy = [&](int number, long turns) {
        char* from = buffers.of[number];
        for (long i = 0; i < turns; ++i) {
            std::memcpy(from + half, from, half);
            asm volatile("" : : "r"(from) : "memory");
        }
    };
    return std::max(best_rate(threads, 2.0 * half, read), best_rate(threads, 2.0 * half, copy));
}

void level(const char* name, std::size_t bytes, std::size_t used, int threads) {
    Buffers buffers;
    buffers.half = std::max<std::size_t>(used / 2 / 4096, 1) * 4096;
    for (int number = 0; number < threads; ++number) {
        char* own = static_cast<char*>(std::aligned_alloc(4096, 2 * buffers.half));
        std::memset(own, number + 1, 2 * buffers.half);
        buffers.of.push_back(own);
    }
    const double one = memory(1, buffers), all = threads > 1 ? memory(threads, buffers) : one;
    std::printf("%s\"%s\": [%zu, %.6g, %.6g]", separator, name, bytes, one, std::max(one, all));
    separator = ", ";
    for (char* own : buffers.of) std::free(own);
}

std::size_t size_of(int name, std::size_t otherwise) {
    const long size = sysconf(name);
    return size > 0 ? static_cast<std::size_t>(size) : otherwise;
}

}  // namespace

int main(int, char** arguments) {
    const int threads = std::max(1, std::atoi(arguments[1]));
    std::printf("{\"threads\": %d, \"operations\": {", threads);
    peak("f32", threads, 32, f32);
    peak("f64", threads, 16, f64);
    peak("i32", threads, 16, i32);
#ifdef __AVX512VNNI__
    peak("i8", threads, 128, i8);
#endif
#ifdef __AVX512BF16__
    peak("bf16", threads, 64, bf16);
#endif
    const std::size_t l1 = size_of(_SC_LEVEL1_DCACHE_SIZE, 32 << 10), l2 = size_of(_SC_LEVEL2_CACHE_SIZE, 512 << 10);
    const std::size_t l3 = std::max(size_of(_SC_LEVEL3_CACHE_SIZE, 8 << 20), 2 * l2);
    std::printf("}, \"memory\": {");
    separator = "";
    level("L1", l1, l1 * 3 / 4, threads);
    level("L2", l2, l2 / 2, threads);
    level("L3", l3, std::min(l3 / 2 / threads, l2 * 4), threads);
    level("DRAM", 0, std::min<std::size_t>(l3 * 4, 256u << 20) / threads, threads);
    std::printf("}}\n");
}
