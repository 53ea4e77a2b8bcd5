// Patterns of verification suites: one idea a kernel, launch given or free.

// expect: clean
__global__ void p01(float* a) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  a[i] = a[i] * a[i];
}

// expect: XP-RACE
__global__ void p02(float* a) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  a[i] = a[i + 1];
}

// expect: clean
__global__ void p03(float* a) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  a[2 * i] = a[2 * i + 1];
}

// expect: XP-RACE
__global__ void p04(float* a) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  a[2 * i] = a[3 * i + 1];
}

// expect: XP-RACE
__global__ void p05(float* a) {
  a[threadIdx.x] = blockIdx.x;
}

// expect: clean
__global__ void p06(float* a) {
  a[threadIdx.x * gridDim.x + blockIdx.x] = blockIdx.x;
}

// expect: XP-RACE
__global__ void p07(float* a) {
  a[threadIdx.x + blockIdx.x] = threadIdx.x;
}

// expect: clean | --block 64 --grid 1
__global__ void p08(int* a) {
  __shared__ int s[64];
  int t = threadIdx.x;
  s[t] = t;
  __syncthreads();
  int v = s[(t + 1) % 64];
  __syncthreads();
  s[t] = v;
  __syncthreads();
  a[t] = s[(t + 2) % 64];
}

// expect: XP-RACE | --block 64 --grid 1
__global__ void p09(int* a) {
  __shared__ int s[64];
  int t = threadIdx.x;
  s[t] = t;
  __syncthreads();
  s[t] = s[(t + 1) % 64];
  __syncthreads();
  a[t] = s[t];
}

// expect: clean | --block 64 --grid 1
__global__ void p10(int* a) {
  __shared__ int s[64];
  int t = threadIdx.x;
  s[t] = t;
  __syncthreads();
  if (t % 2 == 0) s[t] = s[t + 1];
  __syncthreads();
  a[t] = s[t];
}

// expect: XP-RACE | --block 64 --grid 1
__global__ void p11(int* a) {
  __shared__ int s[65];
  int t = threadIdx.x;
  s[t] = t;
  if (t == 0) s[64] = 0;
  __syncthreads();
  if (t % 3 != 0) s[t] = s[t + 1];
  __syncthreads();
  a[t] = s[t];
}

// expect: clean | --block 64 --grid 1
__global__ void p12(int* a) {
  __shared__ int s[64];
  int t = threadIdx.x;
  if (t < 32) s[t] = t;
  else s[t] = -t;
  __syncthreads();
  a[t] = s[t ^ 32];
}

// expect: XP-RACE | --block 64 --grid 1
__global__ void p13(int* a) {
  __shared__ int s[64];
  int t = threadIdx.x;
  if (t < 33) s[t] = t;
  if (t > 31) s[t - 1] = -t;
  __syncthreads();
  a[t] = t < 63 ? s[t] : 0;
}

// expect: clean | --block 64 --grid 1
__global__ void p14(int* a, int k) {
  __shared__ int s;
  if (threadIdx.x == 0) s = k;
  __syncthreads();
  a[threadIdx.x] = s;
}

// expect: XP-RACE | --block 64 --grid 1
__global__ void p15(int* a, int k) {
  __shared__ int s;
  if (threadIdx.x == 5) s = k;
  a[threadIdx.x] = s;
  if (threadIdx.x == 0) s = 0;
}

// expect: clean | --block 64 --grid 1
__global__ void p16(int* a) {
  __shared__ int s[64];
  int t = threadIdx.x;
  s[t] = 0;
  for (int i = 0; i < 6; i++) {
    __syncthreads();
    int v = s[(t + (1 << i)) & 63];
    __syncthreads();
    s[t] += v + 1;
  }
  a[t] = s[t];
}

// expect: XP-RACE | --block 64 --grid 1
__global__ void p17(int* a) {
  __shared__ int s[64];
  int t = threadIdx.x;
  s[t] = 0;
  for (int i = 0; i < 6; i++) {
    __syncthreads();
    s[t] += s[(t + (1 << i)) & 63] + 1;
  }
  a[t] = s[t];
}

// expect: clean
__global__ void p18(int* a, int n) {
  for (int i = threadIdx.x; i < n; i += blockDim.x)
    for (int j = blockIdx.x; j < n; j += gridDim.x) a[i * n + j] = i + j;
}

// expect: XP-RACE
__global__ void p19(int* a, int n) {
  for (int i = threadIdx.x; i < n; i += blockDim.x)
    for (int j = blockIdx.x; j < n; j += gridDim.x) a[i + j] = i - j;
}

// expect: clean
__global__ void p20(int* a, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  for (int j = 0; j < n; j++) a[j * gridDim.x * blockDim.x + i] = j;
}

// expect: XP-RACE
__global__ void p21(int* a, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  for (int j = 0; j < n; j++) a[j * blockDim.x + i] = j;
}

// expect: clean | --block 8,8,2 --grid 2,2,2
__global__ void p22(int* a) {
  int x = blockIdx.x * blockDim.x + threadIdx.x, y = blockIdx.y * blockDim.y + threadIdx.y;
  int z = blockIdx.z * blockDim.z + threadIdx.z;
  a[(z * gridDim.y * blockDim.y + y) * gridDim.x * blockDim.x + x] = x + y + z;
}

// expect: XP-RACE | --block 8,8,2 --grid 2,2,2
__global__ void p23(int* a) {
  int x = blockIdx.x * blockDim.x + threadIdx.x, y = blockIdx.y * blockDim.y + threadIdx.y;
  int z = blockIdx.z * blockDim.z + threadIdx.z;
  a[(z * blockDim.y + y) * gridDim.x * blockDim.x + x] = x + y + z;
}

// expect: XP-DIVERGENCE | --block 64 --grid 1
__global__ void p24(int* a) {
  int t = threadIdx.x;
  for (int i = 0; i < 4; i++) {
    if (a[t] > i) {
      __syncthreads();
      a[t]++;
    }
  }
}

// expect: XP-DIVERGENCE | --block 64 --grid 1
__global__ void p25(int* a) {
  int t = threadIdx.x, x = t;
  while (x > 0) {
    __syncthreads();
    x /= 2;
  }
  a[t] = x;
}

// expect: clean | --block 64 --grid 1
__global__ void p26(int* a) {
  int t = threadIdx.x, x = 64;
  while (x > 0) {
    __syncthreads();
    x /= 2;
  }
  a[t] = x;
}

// expect: XP-DIVERGENCE | --block 8,8 --grid 1
__global__ void p27(int* a) {
  if (threadIdx.x > threadIdx.y) __syncthreads();
  a[threadIdx.y * 8 + threadIdx.x] = 1;
}

// expect: clean | --block 8,8 --grid 2,2
__global__ void p28(int* a) {
  if (blockIdx.x > blockIdx.y) __syncthreads();
  a[((blockIdx.y * 2 + blockIdx.x) * 8 + threadIdx.y) * 8 + threadIdx.x] = 1;
}

// expect: XP-BOUNDS | --block 64 --grid 1
__global__ void p29(int* a) {
  __shared__ int s[64];
  s[threadIdx.x] = a[threadIdx.x];
  __syncthreads();
  a[threadIdx.x] = s[63 - 2 * threadIdx.x];
}

// expect: XP-BOUNDS | --block 64 --grid 1
__global__ void p30(int* a) {
  __shared__ int s[8][8];
  int t = threadIdx.x;
  s[t % 8][t / 8] = a[t];
  __syncthreads();
  if (t == 63) a[t] = s[t / 8 + 1][0];
}

// expect: XP-BOUNDS | --block 64 --grid 1
__global__ void p31(int* a) {
  __shared__ int s[64];
  unsigned t = threadIdx.x;
  s[t] = a[t];
  __syncthreads();
  a[t] = s[(t << 1) - (t >> 6)];
}

// expect: clean | --block 64 --grid 1
__global__ void p32(int* a) {
  __shared__ int s[64];
  unsigned t = threadIdx.x;
  s[t] = a[t];
  __syncthreads();
  a[t] = s[((t << 1) | (t >> 5)) & 63u];
}

// expect: XP-RACE | --block 64 --grid 1
__global__ void p33(int* a) {
  __shared__ int s[64];
  unsigned t = threadIdx.x;
  s[t] = a[t];
  __syncthreads();
  s[(t << 1) & 63u] = t;
  __syncthreads();
  a[t] = s[t];
}

// expect: XP-UNINIT | --block 64 --grid 1
__global__ void p34(int* a) {
  __shared__ int s[128];
  s[threadIdx.x * 2] = a[threadIdx.x];
  __syncthreads();
  a[threadIdx.x] = s[threadIdx.x];
}

// expect: XP-SAME-VALUE | --block 64 --grid 1
__global__ void p35(int* a) {
  __shared__ int flag;
  flag = 0;
  __syncthreads();
  if (a[threadIdx.x] == 3) flag = 1;
  __syncthreads();
  a[threadIdx.x] = flag;
}

// expect: XP-RACE | --block 64 --grid 1
__global__ void p36(int* a) {
  __shared__ int flag;
  flag = 0;
  if (a[threadIdx.x] == 3) flag = 1;
  __syncthreads();
  a[threadIdx.x] = flag;
}

// expect: clean
__global__ void p37(int* out, const int* in, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) {
    int* p = out + i;
    *p++ = in[i];
  }
}

// expect: XP-RACE
__global__ void p38(int* out, const int* in, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i + 1 < n) {
    int* p = out + i;
    *p++ = in[i];
    *p = -in[i];
  }
}

// expect: clean | --block 32 --grid 2
__global__ void p39(int* a, int b) {
  for (int i = 0; i < b; i++)
    if (threadIdx.x == i % blockDim.x) a[blockIdx.x * b + i] = i;
}

// expect: XP-RACE | --block 32 --grid 2
__global__ void p40(int* a, int b) {
  for (int i = 0; i < b; i++)
    if (threadIdx.x % 16 == i % 16) a[blockIdx.x * b + i] = threadIdx.x;
}
