// CUDA C++ on the host: the one header that is precompiled for it.
#pragma once
#define XPEMU_WARP 32

#include "common.hpp"
#include "wmma.hpp"

#define __CUDACC__ 1
#define __NVCC__ 1
#define __CUDACC_VER_MAJOR__ 12
#define __CUDACC_VER_MINOR__ 4
#define __CUDA_ARCH__ 800
#define CUDART_VERSION 12040
#define CUDA_VERSION 12040
#define cudaStreamDefault 0
#define __maxnreg__(...)
#define __cluster_dims__(...)
#define __builtin_align__(n) alignas(n)
