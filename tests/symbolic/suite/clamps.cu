// Indices out of memory: what the kernel itself keeps below a number.

// expect: clean
__global__ void clamped(const int *idx, float *o, int n) {
  __shared__ float lut[256];
  for (int t = threadIdx.x; t < 256; t += blockDim.x) lut[t] = t * .1f;
  __syncthreads();
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) o[i] = lut[min(max(idx[i], 0), 255)];
}

// expect: XP-BOUNDS
__global__ void clamped_to_the_size(const int *idx, float *o, int n) {
  __shared__ float lut[256];
  for (int t = threadIdx.x; t < 256; t += blockDim.x) lut[t] = t * .1f;
  __syncthreads();
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) o[i] = lut[min(max(idx[i], 0), 256)];
}

// expect: clean
__global__ void not_clamped(const int *idx, float *o, int n) {
  __shared__ float lut[256];
  for (int t = threadIdx.x; t < 256; t += blockDim.x) lut[t] = t * .1f;
  __syncthreads();
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) o[i] = lut[idx[i]];
}

// expect: XP-BOUNDS
__global__ void clamped_by_branches(const int *idx, float *o, int n) {
  float bins[10];
  for (int b = 0; b < 10; b++) bins[b] = 0;
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  int b = idx[i];
  if (b < 0) b = 0;
  if (b > 10) b = 10;
  bins[b] += 1.f;
  for (int k = 0; k < 10; k++) o[i * 10 + k] = bins[k];
}
