// Shared-memory atomics, dynamic shared memory in a template, a kernel pointer, min and max of mixed types, std headers.
#include <algorithm>
#include <cstdint>
#include <cuda_runtime.h>

template <typename T>
struct SharedMemory {
    __device__ operator T*() {
        extern __shared__ unsigned char bytes[];
        return reinterpret_cast<T*>(bytes);
    }
};

template <typename Counter, int kThreads>
__global__ __launch_bounds__(kThreads) void histogram(const uint8_t* data, Counter* bins, unsigned n, int bin_count) {
    Counter* local = SharedMemory<Counter>();
    for (unsigned i = threadIdx.x; i < bin_count; i += kThreads) local[i] = 0;
    __syncthreads();
    const unsigned begin = blockIdx.x * 1024u, end = min(begin + 1024, n);
    for (unsigned i = begin + threadIdx.x; i < end; i += blockDim.x) atomicAdd(&local[data[i] * bin_count / 256], Counter(1));
    __syncthreads();
    const int last = max(0, min(bin_count, kThreads * 8));
    for (int i = threadIdx.x; i < last; i += blockDim.x)
        if (local[i]) atomicAdd(bins + i, local[i]);
}

extern "C" void run(const uint8_t* data, unsigned* bins, unsigned n, int bin_count) {
    auto kernel = histogram<unsigned, 96>;
    const int blocks = std::max(1u, (n + 1023) / 1024);
    kernel<<<blocks, 96, bin_count * sizeof(unsigned)>>>(data, bins, n, bin_count);
}
