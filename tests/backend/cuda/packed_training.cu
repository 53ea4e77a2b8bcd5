// Kernels in the style of small GPT trainers: 128-bit packs, reductions through function pointers as template
// arguments, stochastic additions to bfloat16 pairs, streaming loads and stores, a fused classifier.
#include <assert.h>
#include <cuda_bf16.h>
#include <cuda_runtime.h>
#include <stdint.h>
#include <stdio.h>
#include <type_traits>

#define WARP_SIZE 32U
#define CEIL_DIV(M, N) (((M) + (N) - 1) / (N))
#if __CUDA_ARCH__ == 800 || __CUDA_ARCH__ >= 900
#define MAX_1024_THREADS_BLOCKS 2
#else
#define MAX_1024_THREADS_BLOCKS 1
#endif

inline void cudaCheck_(cudaError_t error, const char* file, int line) {
    if (error != cudaSuccess) {
        printf("[CUDA ERROR] at file %s:%d:\n%s\n", file, line, cudaGetErrorString(error));
        exit(EXIT_FAILURE);
    }
}
#define cudaCheck(err) (cudaCheck_(err, __FILE__, __LINE__))

typedef __nv_bfloat16 floatX;

template <class ElementType>
struct alignas(16) Packed128 {
    Packed128() = default;
    __device__ explicit Packed128(int4 bits) {
        static_assert(sizeof(bits) == sizeof(payload), "Size mismatch.");
        memcpy(&payload, &bits, sizeof(bits));
    }
    __device__ static Packed128 constant(ElementType value) {
        Packed128 result;
        for (int k = 0; k < size; ++k) result.payload[k] = value;
        return result;
    }
    __device__ ElementType& operator[](int index) { return payload[index]; }
    __device__ const ElementType& operator[](int index) const { return payload[index]; }
    __device__ int4 get_bits() const {
        int4 bits;
        memcpy(&bits, &payload, sizeof(bits));
        return bits;
    }
    static constexpr const size_t size = sizeof(int4) / sizeof(ElementType);
    ElementType payload[size];
};
typedef Packed128<floatX> x128;

template <class ElementType>
__device__ Packed128<ElementType> load128cs(const ElementType* address) {
    return Packed128<ElementType>{__ldcs(reinterpret_cast<const int4*>(address))};
}
template <class ElementType>
__device__ void store128cs(ElementType* target, Packed128<ElementType> value) {
    __stcs(reinterpret_cast<int4*>(target), value.get_bits());
}

__device__ inline float warpReduceSum(float val) {
    for (int offset = 16; offset > 0; offset /= 2) val += __shfl_xor_sync(0xFFFFFFFF, val, offset);
    return val;
}
__device__ inline float warpReduceMax(float val) {
    for (int offset = 16; offset > 0; offset /= 2) val = fmaxf(val, __shfl_xor_sync(0xFFFFFFFF, val, offset));
    return val;
}

using reduction_func_t = float (*)(float);
template <reduction_func_t warp_reduction>
__device__ inline float blockReduce(float val, bool final_sync = false, float out_of_bounds = 0.0f) {
    __shared__ float shared_val[WARP_SIZE];
    const int lane_id = threadIdx.x % WARP_SIZE;
    const int warp_id = threadIdx.x / WARP_SIZE;
    const int num_warps = blockDim.x / WARP_SIZE;
    float warp_val = warp_reduction(val);
    if (lane_id == 0) shared_val[warp_id] = warp_val;
    __syncthreads();
    warp_val = (lane_id < num_warps) ? shared_val[lane_id] : out_of_bounds;
    float block_val = warp_reduction(warp_val);
    if (final_sync) __syncthreads();
    return block_val;
}

__device__ __host__ constexpr unsigned int SquirrelNoise5(unsigned int positionX, unsigned int seed) {
    unsigned int mangled = positionX * 0xd2a80a3fU + seed;
    mangled ^= (mangled >> 9);
    mangled *= 0xa884f197U;
    return mangled ^ (mangled >> 11);
}

__device__ __forceinline__ void stochastic_rounding(float in, __nv_bfloat16* out, unsigned int seed) {
    unsigned int random = SquirrelNoise5(blockIdx.x * blockDim.x + threadIdx.x, seed);
    unsigned int threshold = random & 0xFFFF;
    unsigned int float_bits = __float_as_uint(in);
    float_bits = ((float_bits & 0xFFFF) > threshold) ? (float_bits | 0xFFFF) : (float_bits & ~0xFFFF);
    *out = __float2bfloat16_rn(__uint_as_float(float_bits));
}
__device__ __forceinline__ void stochastic_rounding(float in, float* out, unsigned int) { *out = in; }

struct SoftmaxParams {
    float Scale;
    float Offset;
};

__device__ SoftmaxParams prepare_softmax_blockwide3(int64_t idx, const floatX* inp, int V, int P) {
    const floatX* x = inp + idx * P;
    float thread_maxval = -INFINITY, thread_sumval = 0.0f;
    for (int i = (V + x128::size - 1) / x128::size + threadIdx.x - blockDim.x; i >= 0; i -= blockDim.x) {
        x128 packed_x = load128cs(x + i * x128::size);
        for (int k = 0; k < x128::size; ++k) {
            if (i * x128::size + k >= V) continue;
            float v = (float)packed_x[k];
            float old_maxval = thread_maxval;
            thread_maxval = fmaxf(thread_maxval, v);
            thread_sumval *= expf((old_maxval - thread_maxval));
            thread_sumval += expf(v - thread_maxval);
        }
    }
    float block_maxval = blockReduce<warpReduceMax>(thread_maxval, false, -INFINITY);
    thread_sumval *= expf(thread_maxval - block_maxval);
    __syncthreads();
    float block_sumval = blockReduce<warpReduceSum>(thread_sumval);
    return SoftmaxParams{1.f / block_sumval, block_maxval};
}

template <bool WriteDLogits = true>
__global__ void __launch_bounds__(1024, MAX_1024_THREADS_BLOCKS)
    fused_classifier_kernel5(floatX* logits, float* losses, const float dloss, const int* targets, int B, int T, int V,
                             int P, std::bool_constant<WriteDLogits>) {
    int64_t idx = gridDim.x - (blockIdx.x + 1);  // reverse order for cache hits on matmul data
    int ix = targets[idx];
    SoftmaxParams sp = prepare_softmax_blockwide3(idx, logits, V, P);
    if (threadIdx.x == 0) {
        float prob = expf((float)logits[idx * P + ix] - sp.Offset) * sp.Scale;
        losses[idx] -= logf(prob);
    }
    __syncthreads();
    for (int i = threadIdx.x; i < P / x128::size; i += blockDim.x) {
        x128 packed = load128cs(logits + idx * P + i * x128::size);
        for (int k = 0; k < x128::size; ++k) {
            int element = i * x128::size + k;
            float prob = expf((float)packed[k] - sp.Offset) * sp.Scale;
            float indicator = (element == ix) ? 1.0f : 0.0f;
            packed[k] = (floatX)(element < V ? (prob - indicator) * dloss : 0.0f);
        }
        if (WriteDLogits) store128cs(logits + idx * P + i * x128::size, packed);
    }
}

__device__ void atomicStochasticAdd(__nv_bfloat16* address, float val0, float val1) {
    float2 val = make_float2(val0, val1);
    atomicAdd(reinterpret_cast<__nv_bfloat162*>(address), __float22bfloat162_rn(val));
}

__global__ void wte_add(floatX* grad, const int* tokens, const floatX* dout, int n, int C) {
    int i = (blockIdx.x * blockDim.x + threadIdx.x) * 2;
    if (i >= n * C) return;
    floatX* target = grad + tokens[i / C] * C + i % C;
    atomicStochasticAdd(target, __bfloat162float(dout[i]), __bfloat162float(dout[i + 1]));
    floatX rounded;
    stochastic_rounding((float)dout[i], &rounded, 7u);
    if (__hgt(rounded, __float2bfloat16(1e30f))) __trap();
}

extern "C" void run(floatX* logits, float* losses, const int* targets, int B, int T, int V, int P, floatX* grad,
                    const floatX* dout, int C) {
    fused_classifier_kernel5<<<B * T, 128>>>(logits, losses, 1.0f / (B * T), targets, B, T, V, P, std::true_type{});
    cudaCheck(cudaGetLastError());
    wte_add<<<CEIL_DIV(B * T * C / 2, 64), 64>>>(grad, targets, dout, B * T, C);
    cudaCheck(cudaGetLastError());
}
