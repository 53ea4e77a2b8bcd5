// AVX-512 (F, BW, DQ, VL, CD, VNNI, BF16) and the narrower intrinsics that programs use beside it, in portable C++.
//
// Put this folder first in the include path on a CPU without them. Each intrinsic is a loop over its lanes.
#pragma once

#include "lanes.h"
#include "memory.h"
#include "floats.h"
#include "integers.h"
#include "shuffles.h"
#include "scalars.h"
