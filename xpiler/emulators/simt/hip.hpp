// HIP on the host, wave 64 as on CDNA: the one header that is precompiled for it.
#pragma once
#define XPEMU_WARP 64

#include "common.hpp"
#include "mfma.hpp"
#include "hip_only.hpp"
#include "rocwmma.hpp"

#define __HIPCC__ 1
#define __HIP__ 1
#define __HIP_PLATFORM_AMD__ 1
#define __HIP_PLATFORM_HCC__ 1
#define __HIP_DEVICE_COMPILE__ 1
#define __AMDGCN__ 1
#define __AMDGCN_WAVEFRONT_SIZE 64
#define __AMDGCN_WAVEFRONT_SIZE__ 64
#define __gfx90a__ 1
#define HIP_VERSION_MAJOR 5
#define HIP_VERSION_MINOR 2
#define HIP_VERSION 50221153
#define HIP_ENABLE_WARP_SYNC_BUILTINS 1
#define _Float16 __half
#define __fp16 __half
#define XPEMU_SPELLED(...) XPEMU_SPELLED_EXPANDED(__VA_ARGS__)  // macros around the name expanded
#define XPEMU_SPELLED_EXPANDED(...) #__VA_ARGS__
#define hipLaunchKernelGGL(kernel, grid, block, bytes, stream, ...) \
    ::xpemu::launcher(XPEMU_SPELLED(kernel), __LINE__, [&](auto&... xpemu_a) { (kernel)(xpemu_a...); }, ::xpemu::Config(grid, block, bytes, stream))(__VA_ARGS__)
#define hipStreamDefault 0
#define HIP_KERNEL_NAME(...) __VA_ARGS__
#define HIP_SYMBOL(symbol) symbol
#define HIP_DYNAMIC_SHARED(type, name) type* name = ::xpemu::DynamicShared();
