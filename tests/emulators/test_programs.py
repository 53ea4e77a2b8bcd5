"""Whole programs with their own main, in the idioms of samples and training code: they check themselves."""

import resource
from pathlib import Path

import pytest

from tests.emulators.running import run_program

IDIOMS = r"""
#include <cuda_runtime.h>
#include <helper_cuda.h>
#include <device_launch_parameters.h>
#include <cstdio>
#include <vector>
#include <functional>
#define CHECK(call) \
    do { \
        cudaError_t status_ = (call); \
        if (status_ != cudaSuccess) { fprintf(stderr, "%s\n", cudaGetErrorString(status_)); exit(1); } \
    } while (0)
#define CEIL_DIV(M, N) (((M) + (N)-1) / (N))
#define LAUNCH(KERNEL, n, ...) KERNEL<<<CEIL_DIV(n, 128), 128>>>(__VA_ARGS__); \
    CHECK(cudaGetLastError())
#define SHARED_TILE(T, name, n) __shared__ T name[n]
#define TILE 8

extern __shared__ float file_scope_buffer[];
__constant__ float coefficients[4];
__device__ int hits;
__managed__ int managed = 5;
template <typename T> struct Square { __host__ __device__ T operator()(T x) const { return x * x; } };
struct Range { int begin, end; float scale; };

__global__ void __launch_bounds__(128, 2) fill(float *__restrict__ out, const int n, Range r) {
    for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x)
        if (i >= r.begin && i < r.end) out[i] = r.scale * i;
}
template <typename T, typename F, int BLOCK = 128>
__global__ void transform(T* data, int n, F f) {
    int i = blockIdx.x * BLOCK + threadIdx.x;
    if (i < n) data[i] = f(data[i]);
}
template <bool ADD> __device__ __forceinline__ float apply(float a, float b) {
    if constexpr (ADD) return a + b; else return a * b;
}
template <bool ADD, int N> __global__ void polynomial(float* x) {
    float v = 0.f;
#pragma unroll
    for (int i = 0; i < N; ++i) v = apply<ADD>(v, coefficients[i]);
    x[threadIdx.x] += v;
}
__global__ void block_sums(const float* in, float* out, int n) {
    float* warp_sums = file_scope_buffer;
    unsigned tid = threadIdx.x;
    float v = 0;
    for (unsigned i = tid; i < n; i += blockDim.x) v += in[i];
    for (int offset = 16; offset > 0; offset /= 2) v += __shfl_xor_sync(0xFFFFFFFF, v, offset);
    if ((tid & 31) == 0) warp_sums[tid >> 5] = v;
    __syncthreads();
    if (tid) return;
    float t = 0;
    for (int w = 0; w < blockDim.x / 32; ++w) t += file_scope_buffer[w];
    *out = t;
}
__global__ void transpose(float *out, const float *in, int w, int h) {
    SHARED_TILE(float, padded, TILE * (TILE + 1));
    int x = blockIdx.x * TILE + threadIdx.x, y = blockIdx.y * TILE + threadIdx.y;
    if (x < w && y < h) padded[threadIdx.y * (TILE + 1) + threadIdx.x] = in[y * w + x];
    __syncthreads();
    x = blockIdx.y * TILE + threadIdx.x;
    y = blockIdx.x * TILE + threadIdx.y;
    if (x < h && y < w) out[y * h + x] = padded[threadIdx.x * (TILE + 1) + threadIdx.y];
}
__device__ double addDouble(double* address, double value) {
    unsigned long long int *bits = (unsigned long long int *)address, old = *bits, assumed;
    do {
        assumed = old;
        old = atomicCAS(bits, assumed, __double_as_longlong(value + __longlong_as_double(assumed)));
    } while (assumed != old);
    return __longlong_as_double(old);
}
__global__ void count(const float* x, int n, double* total, unsigned* histogram) {
    __shared__ unsigned bins[4];
    __shared__ int locked, guarded;
    if (threadIdx.x < 4) bins[threadIdx.x] = 0;
    if (threadIdx.x == 0) locked = guarded = 0;
    __syncthreads();
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (__syncthreads_or(i >= n)) { if (threadIdx.x == 0) atomicAdd(&hits, 1); }
    if (i < n) { addDouble(total, x[i]); atomicAdd(&bins[i & 3], 1u); }
    if (threadIdx.x % 32 == 0) {
        while (atomicCAS(&locked, 0, 1) != 0);
        guarded += 1;
        atomicExch(&locked, 0);
    }
    __syncthreads();
    if (threadIdx.x < 4) atomicAdd(histogram + threadIdx.x, bins[threadIdx.x]);
    if (threadIdx.x == 0 && guarded != blockDim.x / 32) printf("lock %d\n", guarded);
}
class Runner {
  public:
    explicit Runner(int n) : n_(n) { CHECK(cudaMalloc(&data_, n * sizeof(float))); }
    ~Runner() { cudaFree(data_); }
    template <typename F> void run(F f) {
        transform<float, F><<<(n_ + 127) / 128, 128, 0, stream_>>>(data_, n_, f);
    }
    float* data_;
  private:
    int n_;
    cudaStream_t stream_ = 0;
};
static int failures = 0;
#define EXPECT(condition) if (!(condition)) { ++failures; printf("line %d: %s\n", __LINE__, #condition); }

int main(int argc, char **argv) {
    findCudaDevice(argc, (const char **)argv);
    cudaDeviceProp prop; checkCudaErrors(cudaGetDeviceProperties(&prop, 0));
    EXPECT(prop.warpSize == 32);
    const int n = 1000;
    Runner runner(n);
    std::vector<float> host(n);
    Range range = {10, 900, 0.5f};
    LAUNCH(fill, n, runner.data_, n, range);
    runner.run(Square<float>());
    runner.run([=] __device__ (float x) { return x + range.scale; });
    CHECK(cudaMemcpy(host.data(), runner.data_, n * sizeof(float), cudaMemcpyDeviceToHost));
    EXPECT(host[100] == 50.f * 50.f + 0.5f);

    float c[4] = {1, 2, 3, 4};
    checkCudaErrors(cudaMemcpyToSymbol(coefficients, c, sizeof(c)));
    polynomial<true, 4> <<< 1,
                            dim3(32)
                         >>> (runner.data_);
    void (*pointer)(float*) = polynomial<false, 2>;
    pointer<<<1, 32>>>(runner.data_ + 32);
    float first; cudaMemcpy(&first, runner.data_ + 10, 4, cudaMemcpyDeviceToHost);
    EXPECT(first == 5.f * 5.f + 0.5f + 10);

    float* ones; cudaMallocManaged(&ones, n * sizeof(float));
    for (int i = 0; i < n; ++i) ones[i] = 1;
    float* sum; cudaMallocManaged((void**)&sum, 4);
    cudaEvent_t start, stop; cudaEventCreate(&start); cudaEventCreate(&stop);
    cudaEventRecord(start);
    block_sums<<<1, 256, (256 / 32) * sizeof(float)>>>(ones, sum, n);
    cudaEventRecord(stop); cudaEventSynchronize(stop);
    float ms; cudaEventElapsedTime(&ms, start, stop);
    EXPECT(*sum == n && ms > 0);

    const int w = 20, h = 13;
    float *a, *b; size_t bytes = w * h * sizeof(float);
    cudaMalloc(&a, bytes); cudaMalloc(&b, bytes);
    std::vector<float> m(w * h), t(w * h);
    for (int i = 0; i < w * h; ++i) m[i] = i;
    cudaStream_t stream; cudaStreamCreate(&stream);
    cudaMemcpyAsync(a, m.data(), bytes, cudaMemcpyHostToDevice, stream);
    dim3 block(TILE, TILE, 1), grid(CEIL_DIV(w, TILE), CEIL_DIV(h, TILE));
    transpose<<<grid, block, 0, stream>>>(b, a, w, h);
    cudaMemcpyAsync(t.data(), b, bytes, cudaMemcpyDeviceToHost, stream);
    cudaStreamSynchronize(stream);
    for (int y = 0; y < h; ++y) for (int x = 0; x < w; ++x) EXPECT(t[x * h + y] == m[y * w + x]);

    double* total; unsigned* histogram;
    cudaMalloc(&total, 8); cudaMemset(total, 0, 8); cudaMalloc(&histogram, 16); cudaMemset(histogram, 0, 16);
    count<<<CEIL_DIV(n, 256), 256>>>(ones, n, total, histogram);
    double d; unsigned bins[4]; int late;
    cudaMemcpy(&d, total, 8, cudaMemcpyDeviceToHost);
    cudaMemcpy(bins, histogram, 16, cudaMemcpyDeviceToHost);
    cudaMemcpyFromSymbol(&late, hits, sizeof(int));
    EXPECT(d == n && bins[0] == 250 && bins[3] == 250 && late == 1 && managed == 5);

    int blocks, size; cudaOccupancyMaxPotentialBlockSize(&blocks, &size, fill, 0, 0);
    EXPECT(size > 0 && blocks > 0);
    void* arguments[] = {(void*)&runner.data_, (void*)&n, &range};
    checkCudaErrors(cudaLaunchKernel((const void*)fill, dim3(4), dim3(64), arguments, 0, 0));
    const void* untyped = n > 0 ? reinterpret_cast<const void*>(&fill) : nullptr;
    checkCudaErrors(cudaLaunchKernel(untyped, dim3(4), dim3(64), arguments, 0, 0));
    untyped = &n;
    EXPECT(cudaLaunchKernel(untyped, 4, 64, arguments, 0, 0) == cudaErrorInvalidDeviceFunction);
    cudaGetLastError();
    getLastCudaError("fill failed");
    checkCudaErrors(cudaDeviceSynchronize());
    printf("%d failures\n", failures);
    return failures;
}
"""


@pytest.mark.parametrize("compiler", ["g++", "clang++"])
@pytest.mark.parametrize("schedule", ["forward", "reverse"])
def test_idioms_of_real_programs(tmp_path: Path, compiler: str, schedule: str) -> None:
    outcome = run_program(IDIOMS, tmp_path, compiler=compiler, XPILER_SCHEDULE=schedule)
    assert outcome.output == "0 failures\n", outcome
    assert outcome.status == 0 and not outcome.events


COOPERATIVE = r"""
#include <cuda_runtime.h>
#include <cooperative_groups.h>
#include <cstdio>
namespace cg = cooperative_groups;
__global__ void scan_sums(const int* in, int* partial, int* out, int n) {
    cg::grid_group grid = cg::this_grid();
    extern __shared__ int dynamic[];
    __shared__ int fixed[64];
    int i = grid.thread_rank(), t = threadIdx.x;
    fixed[t] = dynamic[t] = i < n ? in[i] : 0;
    __syncthreads();
    for (int s = blockDim.x / 2; s > 0; s >>= 1) { if (t < s) fixed[t] += fixed[t + s]; __syncthreads(); }
    if (t == 0) partial[blockIdx.x] = fixed[0];
    grid.sync();
    int before = 0;
    for (unsigned b = 0; b < blockIdx.x; ++b) before += partial[b];
    for (int k = 0; k <= t; ++k) before += dynamic[k];  // shared memory survives the grid barrier
    if (i < n) out[i] = before;
}
int main() {
    const int n = 300; int in[n], out[n], *d, *p, *o;
    for (int i = 0; i < n; ++i) in[i] = i % 7;
    cudaMalloc(&d, sizeof in); cudaMalloc(&p, 20); cudaMalloc(&o, sizeof out);
    cudaMemcpy(d, in, sizeof in, cudaMemcpyHostToDevice);
    int count = n; void* args[] = {&d, &p, &o, &count};
    cudaLaunchCooperativeKernel((void*)scan_sums, dim3(5), dim3(64), args, 64 * sizeof(int), 0);
    cudaMemcpy(out, o, sizeof out, cudaMemcpyDeviceToHost);
    int sum = 0, wrong = 0;
    for (int i = 0; i < n; ++i) { sum += in[i]; wrong += out[i] != sum; }
    printf("%d wrong\n", wrong);
}
"""


def test_cooperative_grids_keep_every_block_alive(tmp_path: Path) -> None:
    assert run_program(COOPERATIVE, tmp_path).output == "0 wrong\n"


GEMM = r"""
#include <cuda_runtime.h>
#include <cstdio>
__global__ void gemm(const float* a, const float* b, float* c, int n) {
    __shared__ float as[16][16], bs[16][16];
    int row = blockIdx.y * 16 + threadIdx.y, column = blockIdx.x * 16 + threadIdx.x;
    float sum = 0;
    for (int t = 0; t < n; t += 16) {
        as[threadIdx.y][threadIdx.x] = a[row * n + t + threadIdx.x];
        bs[threadIdx.y][threadIdx.x] = b[(t + threadIdx.y) * n + column];
        __syncthreads();
        for (int k = 0; k < 16; ++k) sum += as[threadIdx.y][k] * bs[k][threadIdx.x];
        __syncthreads();
    }
    c[row * n + column] = sum;
}
int main() {
    const int n = 512; float *a, *b, *c;
    cudaMallocManaged(&a, n * n * 4); cudaMallocManaged(&b, n * n * 4); cudaMallocManaged(&c, n * n * 4);
    for (int i = 0; i < n * n; ++i) a[i] = i % 3, b[i] = i % 5;
    gemm<<<dim3(32, 32), dim3(16, 16)>>>(a, b, c, n);
    float want = 0;
    for (int k = 0; k < n; ++k) want += a[7 * n + k] * b[k * n + 9];
    puts(c[7 * n + 9] == want ? "right" : "wrong");
}
"""


def test_a_large_gemm_with_barriers_is_fast(tmp_path: Path) -> None:
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    assert run_program(GEMM, tmp_path).output == "right\n"
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before < 7  # compiling included
