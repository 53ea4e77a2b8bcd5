// Constant memory, streams, pinned memory, device properties, occupancy, function attributes; own cuda* names stay.
#include <stdio.h>
#include <hip/hip_runtime.h>
#include <hip/hip_runtime.h>

__constant__ float coefficients[16];
__device__ int counter;

static void cudaCheck(hipError_t error, const char* file, int line) {
    if (error != hipSuccess) printf("[CUDA ERROR] at file %s:%d: %s\n", file, line, hipGetErrorString(error));
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
    cudaCheck(hipMemcpyToSymbol(HIP_SYMBOL(coefficients), host, sizeof(host)));
    int zero = 0;
    cudaCheck(hipMemcpyToSymbol(HIP_SYMBOL(counter), &zero, sizeof(int), 0, hipMemcpyHostToDevice));
    hipDeviceProp_t prop;
    cudaCheck(hipGetDeviceProperties(&prop, 0));
    printf("%s with %d units, %zu bytes shared\n", prop.name, prop.multiProcessorCount, prop.sharedMemPerBlock);
    int units = 0;
    cudaCheck(hipDeviceGetAttribute(&units, hipDeviceAttributeMultiprocessorCount, 0));
    float *pinned, *x, *y;
    cudaCheck(hipHostMalloc((void**)&pinned, n * sizeof(float)));
    cudaCheck(hipMallocManaged(&x, n * sizeof(float)));
    cudaCheck(hipMalloc(&y, n * sizeof(float)));
    for (int i = 0; i < n; ++i) x[i] = i / (float)n;
    hipStream_t stream;
    cudaCheck(hipStreamCreateWithFlags(&stream, hipStreamNonBlocking));
    int min_grid = 0, block = 0;
    cudaCheck(hipOccupancyMaxPotentialBlockSize(&min_grid, &block, polynomial, 0, 0));
    cudaCheck(hipFuncSetAttribute(reinterpret_cast<const void*>(polynomial), hipFuncAttributeMaxDynamicSharedMemorySize, 1024));
    cudaCheck(hipFuncSetCacheConfig(reinterpret_cast<const void*>(polynomial), hipFuncCachePreferL1));
    polynomial<<<(n + 255) / 256, 256, 0, stream>>>(x, y, n);
    cudaCheck(hipMemcpyAsync(pinned, y, n * sizeof(float), hipMemcpyDeviceToHost, stream));
    cudaCheck(hipStreamSynchronize(stream));
    int seen = 0;
    cudaCheck(hipMemcpyFromSymbol(&seen, HIP_SYMBOL(counter), sizeof(int)));
    void* args[] = {&x, &y, (void*)&n};
    cudaCheck(hipLaunchKernel((void*)polynomial, dim3(16), dim3(256), args, 0, stream));
    cudaCheck(hipDeviceSynchronize());
    cudaCheck(hipHostFree(pinned));
    cudaCheck(hipFree(x));
    cudaCheck(hipFree(y));
    cudaCheck(hipStreamDestroy(stream));
    printf(seen == n ? "PASSED\n" : "FAILED\n");
    hipDeviceReset();
    return 0;
}
