// BANG C on the host: the one header that is precompiled for it.
#pragma once

#include <sys/time.h>

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
#include <type_traits>
#include <utility>
#include <vector>

#include <math.h>

#include "runtime.hpp"
#include "language.hpp"
#include "copies.hpp"
#include "vectors.hpp"
#include "conversions.hpp"
#include "tensors.hpp"
#include "cnrt.hpp"
