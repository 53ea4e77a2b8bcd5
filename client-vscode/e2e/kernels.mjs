// The kernels that the steps work on.
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";

export const ROOT = resolve(import.meta.dirname, "..", "..");
const snippet = (name) => readFileSync(join(ROOT, "snippets", "cuda", name), "utf8");

export const gemm = snippet("gemm_tiled.cu");
export const attention = snippet("self_attention.cu");
export const add = snippet("add.cu");

/** Without a barrier between the write of a tile and the read of a neighbour's part of it. */
export const blur = `#include <cuda_runtime.h>

__global__ void blur(const float *x, float *y, int n) {
  __shared__ float s[256];
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  s[threadIdx.x] = i < n ? x[i] : 0.0f;
  float left = threadIdx.x > 0 ? s[threadIdx.x - 1] : 0.0f;
  if (i < n) y[i] = 0.5f * (left + s[threadIdx.x]);
}

extern "C" void launch_blur(const float *x, float *y, int n) {
  float *d_x, *d_y;
  cudaMalloc(&d_x, n * sizeof(float));
  cudaMalloc(&d_y, n * sizeof(float));
  cudaMemcpy(d_x, x, n * sizeof(float), cudaMemcpyHostToDevice);
  blur<<<(n + 255) / 256, 256>>>(d_x, d_y, n);
  cudaMemcpy(y, d_y, n * sizeof(float), cudaMemcpyDeviceToHost);
  cudaFree(d_x);
  cudaFree(d_y);
}
`;

/** Two that are translated together, one of them with code that no other platform has. */
export const saxpy = `__global__ void saxpy(int n, float a, const float *x, float *y) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) y[i] = a * x[i] + y[i];
}
`;
export const scale = `__global__ void scale(int n, float a, float *x) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) x[i] = a * x[i];
}
`;

/** Nothing in it says with how many threads it is launched. */
export const twice = `__global__ void twice(float *x) {
  x[blockIdx.x * blockDim.x + threadIdx.x] *= 2.0f;
}
`;

export const FILES = {
  "add.cu": add,
  "attention.cu": attention,
  "blur.cu": blur,
  "gemm.cu": gemm,
  "saxpy.cu": saxpy,
  "scale.cu": scale,
  "twice.cu": twice,
};
