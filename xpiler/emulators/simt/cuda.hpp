// CUDA C++ on the host: the one header that is precompiled.
#pragma once
#define XPEMU_WARP 32

#include <algorithm>
#include <array>
#include <cassert>
#include <cfloat>
#include <chrono>
#include <climits>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <functional>
#include <iomanip>
#include <iostream>
#include <limits>
#include <memory>
#include <numeric>
#include <random>
#include <sstream>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "vector_types.hpp"
#include "runtime.hpp"
#include "launch.hpp"
#include "math.hpp"
#include "warp.hpp"
#include "atomics.hpp"
#include "api.hpp"

constexpr int warpSize = 32;

#define __CUDACC__ 1
#define __NVCC__ 1
#define __CUDACC_VER_MAJOR__ 12
#define __CUDACC_VER_MINOR__ 4
#define __CUDA_ARCH__ 800
#define CUDART_VERSION 12040
#define CUDA_VERSION 12040

#define __global__
#define __device__
#define __host__
#define __constant__
#define __managed__
#define __grid_constant__
#define __shared__ static
#define __forceinline__ __attribute__((always_inline))
#define __launch_bounds__(...)
#define __maxnreg__(...)
#define __cluster_dims__(...)
#define __align__(n) alignas(n)
#define __builtin_align__(n) alignas(n)
