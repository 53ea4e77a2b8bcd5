// Code that only one side of a conditional makes whole.
#define USE_LDG
#define VERSION 3

#if VERSION < 2
#error "too old"
#elif VERSION == 2 || (defined(USE_OLD) && !defined(USE_LDG))
__global__ void old_kernel(float *a) {
#else
__global__ void new_kernel(float *a,
#ifdef USE_LDG
                           const float *__restrict__ b,
#endif
                           int n) {
#endif
#ifdef USE_LDG
#define LOAD(p) __ldg(p)
#else
#define LOAD(p) (*(p))
#endif
  int i = threadIdx.x;
  if (i < n
#if VERSION >= 3
      && i < 1024
#endif
  ) {
    a[i] = LOAD(b + i);
#if __CUDA_ARCH__ >= 700 && !(VERSION & 4)
    __syncwarp();
#elif __CUDA_ARCH__ >= 300
    __threadfence_block();
#else
  #error no
#endif
  }
}
#if 0
this isn't code, it's "prose
#endif

#ifndef __CUDA_ARCH__
void host_only() {}
#endif
#undef LOAD
#if defined LOAD || __has_include(<nothing>)
#error LOAD is gone
#endif
