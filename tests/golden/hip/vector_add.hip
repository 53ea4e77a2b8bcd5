// Element-wise addition with a whole host program: error-check macro, events, cudaMalloc, cudaMemcpy.
#include <cstdio>
#include <cstdlib>
#include <vector>
#include <hip/hip_runtime.h>

#define CUDA_CHECK(call)                                                            \
    do {                                                                            \
        hipError_t err_ = (call); /* cudaSuccess means fine */                     \
        if (err_ != hipSuccess) {                                                  \
            fprintf(stderr, "CUDA error %s at %s:%d: cudaMalloc or so failed\n",     \
                    hipGetErrorString(err_), __FILE__, __LINE__);                  \
            exit(EXIT_FAILURE);                                                     \
        }                                                                           \
    } while (0)

__global__ void vector_add(const float* __restrict__ a, const float* __restrict__ b, float* __restrict__ c, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) c[i] = a[i] + b[i];
}

int main(int argc, char** argv) {
    const int n = argc > 1 ? atoi(argv[1]) : 1000;
    std::vector<float> a(n), b(n), c(n);
    for (int i = 0; i < n; ++i) { a[i] = 0.5f * i; b[i] = 1.0f - i; }
    float *d_a = nullptr, *d_b = nullptr, *d_c = nullptr;
    CUDA_CHECK(hipMalloc(&d_a, n * sizeof(float)));
    CUDA_CHECK(hipMalloc((void**)&d_b, n * sizeof(float)));
    CUDA_CHECK(hipMalloc(&d_c, n * sizeof(float)));
    CUDA_CHECK(hipMemcpy(d_a, a.data(), n * sizeof(float), hipMemcpyHostToDevice));
    CUDA_CHECK(hipMemcpy(d_b, b.data(), n * sizeof(float), hipMemcpyHostToDevice));
    hipEvent_t start, stop;
    CUDA_CHECK(hipEventCreate(&start));
    CUDA_CHECK(hipEventCreate(&stop));
    CUDA_CHECK(hipEventRecord(start));
    vector_add<<<(n + 255) / 256, 256>>>(d_a, d_b, d_c, n);
    CUDA_CHECK(hipGetLastError());
    CUDA_CHECK(hipEventRecord(stop));
    CUDA_CHECK(hipEventSynchronize(stop));
    float ms = 0;
    CUDA_CHECK(hipEventElapsedTime(&ms, start, stop));
    CUDA_CHECK(hipMemcpy(c.data(), d_c, n * sizeof(float), hipMemcpyDeviceToHost));
    for (int i = 0; i < n; ++i)
        if (c[i] != a[i] + b[i]) { printf("FAILED at %d\n", i); return 1; }
    printf("PASSED\n");
    CUDA_CHECK(hipFree(d_a)); CUDA_CHECK(hipFree(d_b)); CUDA_CHECK(hipFree(d_c));
    CUDA_CHECK(hipEventDestroy(start)); CUDA_CHECK(hipEventDestroy(stop));
    return 0;
}
