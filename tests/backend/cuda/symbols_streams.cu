// Constant memory, streams, pinned memory, device properties, occupancy, function attributes; own cuda* names stay.
#include <stdio.h>
#include "cuda_runtime.h"
#include "device_launch_parameters.h"

__constant__ float coefficients[16];
__device__ int counter;

static void cudaCheck(cudaError_t error, const char* file, int line) {
    if (error != cudaSuccess) printf("[CUDA ERROR] at file %s:%d: %s\n", file, line, cudaGetErrorString(error));
}
#define cudaCheck(err) (cudaCheck(err, __FILE__, __LINE__))

__global__ void polynomial(const float* x, float* y, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) {
        float r = 0.f;
        for (int k = 15; k >= 0; --k) r = r * x[i] + coefficients[k];
        y[i] = r;
        atomicAdd(&counter, 1);
    }
}

int main() {
    const int n = 1 << 12;
    float host[16];
    for (int k = 0; k < 16; ++k) host[k] = 1.0f / (k + 1);
    cudaCheck(cudaMemcpyToSymbol(coefficients, host, sizeof(host)));
    int zero = 0;
    cudaCheck(cudaMemcpyToSymbol(counter, &zero, sizeof(int), 0, cudaMemcpyHostToDevice));
    cudaDeviceProp prop;
    cudaCheck(cudaGetDeviceProperties(&prop, 0));
    printf("%s with %d units, %zu bytes shared\n", prop.name, prop.multiProcessorCount, prop.sharedMemPerBlock);
    int units = 0;
    cudaCheck(cudaDeviceGetAttribute(&units, cudaDevAttrMultiProcessorCount, 0));
    float *pinned, *x, *y;
    cudaCheck(cudaMallocHost((void**)&pinned, n * sizeof(float)));
    cudaCheck(cudaMallocManaged(&x, n * sizeof(float)));
    cudaCheck(cudaMalloc(&y, n * sizeof(float)));
    for (int i = 0; i < n; ++i) x[i] = i / (float)n;
    cudaStream_t stream;
    cudaCheck(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
    int min_grid = 0, block = 0;
    cudaCheck(cudaOccupancyMaxPotentialBlockSize(&min_grid, &block, polynomial, 0, 0));
    cudaCheck(cudaFuncSetAttribute(polynomial, cudaFuncAttributeMaxDynamicSharedMemorySize, 1024));
    cudaCheck(cudaFuncSetCacheConfig(polynomial, cudaFuncCachePreferL1));
    polynomial<<<(n + 255) / 256, 256, 0, stream>>>(x, y, n);
    cudaCheck(cudaMemcpyAsync(pinned, y, n * sizeof(float), cudaMemcpyDeviceToHost, stream));
    cudaCheck(cudaStreamSynchronize(stream));
    int seen = 0;
    cudaCheck(cudaMemcpyFromSymbol(&seen, counter, sizeof(int)));
    void* args[] = {&x, &y, (void*)&n};
    cudaCheck(cudaLaunchKernel((void*)polynomial, dim3(16), dim3(256), args, 0, stream));
    cudaCheck(cudaDeviceSynchronize());
    cudaCheck(cudaFreeHost(pinned));
    cudaCheck(cudaFree(x));
    cudaCheck(cudaFree(y));
    cudaCheck(cudaStreamDestroy(stream));
    printf(seen == n ? "PASSED\n" : "FAILED\n");
    cudaDeviceReset();
    return 0;
}
