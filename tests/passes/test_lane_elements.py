"""Elements that lie where each lane says, on an MLU: looked up in tables, or brought one by one."""

from __future__ import annotations

import numpy as np

from tests.passes.mlu import assert_same, canonical, instructions, laid_out, normal
from xpiler.ir.build import const
from xpiler.ir.nodes import If
from xpiler.ir.rewrite import walk
from xpiler.passes.bang_schedule import schedule
from xpiler.platforms.bang import DEFAULT

SCALED = """__global__ void scaled(const float *x, const int *at, const float *w, float *y, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) y[i] = x[at[i]] * w[i] + 1.0f;
}"""


def test_gathered_elements_are_brought_one_by_one_and_the_rest_is_vectors() -> None:
    function = canonical(SCALED, x=4)
    scheduled = schedule(function, DEFAULT)
    assert "`x` is read one element at a time, where `at` says" in scheduled.notes
    assert [n for n in instructions(scheduled.function) if n.startswith("__bang")] == [
        "__bang_mul",
        "__bang_add_scalar",
    ]
    at = np.random.default_rng(3).integers(0, 50, 190).astype(np.int32)
    zeros = np.zeros(190, np.float32)
    assert_same(function, x=normal(50), at=at, w=normal(190), y=zeros, n=190)


def test_scattered_elements_leave_one_by_one() -> None:
    function = canonical(
        """__global__ void placed(const float *x, const int *at, float *y, int n) {
            int i = blockIdx.x * blockDim.x + threadIdx.x;
            if (i < n) y[at[i]] = x[i] * 2.0f;
        }"""
    )
    assert "__bang_mul_scalar" in instructions(laid_out(function))
    at = np.random.default_rng(3).permutation(60).astype(np.int32)
    assert_same(function, x=normal(60), at=at, y=np.zeros(60, np.float32), n=60)


def test_bins_are_counted_by_what_vectors_say() -> None:
    function = canonical(
        """__global__ void bins(const float *x, int *h, int n) {
            __shared__ int own[32];
            if (threadIdx.x < 32) own[threadIdx.x] = 0;
            __syncthreads();
            int i = blockIdx.x * blockDim.x + threadIdx.x;
            if (i < n) {
                int b = (int)(x[i] * 31.0f);
                atomicAdd(&own[b], 1);
            }
            __syncthreads();
            if (threadIdx.x < 32) h[blockIdx.x * 32 + threadIdx.x] = own[threadIdx.x];
        }""",
        x=3,
    )
    assert "__bang_float2int32_tz" in instructions(laid_out(function))
    values = np.random.default_rng(3).random(190).astype(np.float32)
    assert_same(function, x=values, h=np.zeros(96, np.int32), n=190)


BUTTERFLY = """__global__ void butterfly(const float *x, float *y, int h) {
    __shared__ float s[64];
    int t = threadIdx.x;
    s[t] = x[blockIdx.x * 64 + t];
    __syncthreads();
    y[blockIdx.x * 64 + t] = s[t] + s[t ^ h];
}"""


def test_elements_of_a_scratchpad_are_looked_up() -> None:
    function = canonical(BUTTERFLY, x=3)
    assert "__bang_lut" in instructions(laid_out(function))
    for h in (1, 16):
        assert_same(function, x=normal(192), y=np.zeros(192, np.float32), h=h)


SORT = """__global__ void sort(float *x) {
    __shared__ float s[64];
    int t = threadIdx.x;
    s[t] = x[blockIdx.x * 64 + t];
    __syncthreads();
    for (int k = 2; k <= 64; k <<= 1)
        for (int j = k >> 1; j > 0; j >>= 1) {
            int p = t ^ j;
            if (p > t) {
                bool up = (t & k) == 0;
                float a = s[t], b = s[p];
                if ((a > b) == up) { s[t] = b; s[p] = a; }
            }
            __syncthreads();
        }
    x[blockIdx.x * 64 + t] = s[t];
}"""


def test_pairs_change_places_where_a_condition_of_conditions_says() -> None:
    function = canonical(SORT, x=2)
    layout = laid_out(function)
    assert "__bang_lut" in instructions(layout)
    assert any(isinstance(n, If) for n in walk(layout.body)), "only some of the elements are written"
    assert_same(function, x=normal(128))


def test_conditions_have_names_and_change() -> None:
    function = canonical(
        """__global__ void kept(const float *x, const float *y, float *z, unsigned char *mask, int n) {
            int i = blockIdx.x * blockDim.x + threadIdx.x;
            if (i < n) {
                bool keep = x[i] > 0.5f;
                if (y[i] < 0.0f) keep = !keep;
                mask[i] = keep;
                z[i] = keep ? y[i] : 0.0f;
            }
        }"""
    )
    assert "__bang_gt_scalar" in instructions(laid_out(function))
    mask, zeros = np.zeros(60, np.uint8), np.zeros(60, np.float32)
    assert_same(function, x=normal(60), y=normal(60)[::-1].copy(), z=zeros, mask=mask, n=60)


def test_what_is_one_number_for_all_lanes_of_a_branch_is_no_vector() -> None:
    function = canonical(
        """__global__ void scaled(const float *x, const float *scale, float *y, int n) {
            int i = threadIdx.x, r = blockIdx.x;
            if (i < n) {
                float s = scale[r];
                y[r * 64 + i] = x[r * n + i] * s;
            } else {
                y[r * 64 + i] = 0.0f;
            }
        }""",
        x=3,
    )
    layout = laid_out(function)
    assert "__bang_mul_scalar" in instructions(layout)
    assert_same(function, x=normal(3 * 50), scale=normal(3), y=np.ones(3 * 64, np.float32), n=50)


def test_windows_that_the_edges_cut_off_have_as_many_turns_for_all_lanes() -> None:
    function = canonical(
        """__global__ void pool(const float *x, float *y, int *mask, int w, int ow, int k, int s, int p) {
            int i = blockIdx.x * blockDim.x + threadIdx.x;
            if (i >= ow) return;
            int at = -1, first = max(i * s - p, 0), last = min(i * s - p + k, w);
            float best = -1000.0f;
            for (int j = first; j < last; ++j)
                if (x[j] > best) { at = j; best = x[at]; }
            y[i] = best;
            mask[i] = at;
        }"""
    )
    assert "__bang_lt" in instructions(laid_out(function)), "the number of turns is no lane's own"
    y, mask = np.zeros(15, np.float32), np.zeros(15, np.int32)
    assert_same(function, x=normal(30), y=y, mask=mask, w=30, ow=15, k=3, s=2, p=1)


def test_what_memory_says_for_all_lanes_alike_is_the_end_of_a_range() -> None:
    function = canonical(
        """__global__ void pad(const float *x, const int *start, float *y, int most) {
            int b = blockIdx.x, i = threadIdx.x;
            int s = start[b], len = start[b + 1] - s;
            if (i < most) y[b * most + i] = i < len ? x[s + i] : -1.0f;
        }""",
        x=3,
    )
    assert "__memcpy" in instructions(laid_out(function)), "rows are copied"
    start = np.array([0, 5, 5, 40], np.int32)
    assert_same(function, x=normal(40), start=start, y=np.zeros(3 * 40, np.float32), most=40)


def test_blocks_with_a_scratchpad_are_no_lanes() -> None:
    function = canonical(
        """__global__ void turned(const float *x, float *y) {
            __shared__ float s[64];
            int t = threadIdx.x;
            for (int k = t; k < 64; k += 32) s[k] = x[(blockIdx.x * 64 + k) * 2];
            __syncthreads();
            for (int len = 2; len <= 64; len <<= 1) {
                int half = len / 2, g = t / half, j = t % half, a = g * len + j, b = a + half;
                float angle = 0.5f * j / len, u = s[a], v = s[b] * cosf(angle) * sinf(angle + 1.0f);
                s[a] = u + v;
                s[b] = u - v;
                __syncthreads();
            }
            for (int k = t; k < 64; k += 32) y[blockIdx.x * 64 + k] = s[k];
        }""",
        (32, 1, 1),
        x=2,
    )
    assert "__bang_cos" in instructions(laid_out(function))
    assert_same(function, x=normal(256), y=np.zeros(128, np.float32))


def test_a_table_has_room_for_whole_groups_of_its_own() -> None:
    function = canonical(
        """__global__ void most(const float *x, float *y, int h) {
            __shared__ float s[32];
            __shared__ float other[32];
            int t = threadIdx.x;
            s[t] = x[blockIdx.x * 32 + t];
            __syncthreads();
            for (int o = h; o > 0; o >>= 1) {
                other[t] = s[t ^ o];
                __syncthreads();
                s[t] = fmaxf(s[t], other[t]);
                __syncthreads();
            }
            y[blockIdx.x * 32 + t] = s[t] + other[t];
        }""",
        (32, 1, 1),
        x=3,
    )
    scheduled = schedule(function, DEFAULT)
    assert "__bang_lut" in instructions(scheduled.function)
    assert scheduled.promoted.offsets == {"s": const(0), "other": const(256)}
    assert_same(function, x=normal(96), y=np.zeros(96, np.float32), h=16)


TAKEN = """__global__ void taken(const float *x, const int *at, const float *w, float *y, int n, int m) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) {
        int id = at[i];
        float v = 0.0f;
        if (id >= 0 && id < m) {
            float s = x[id];
            v = s * w[i] + (s > 0.5f ? x[m - 1 - id] : 1.0f);
        }
        y[i] = v;
    }
}"""


def test_elements_that_some_lanes_ask_for_are_brought_for_those_only() -> None:
    function = canonical(TAKEN, x=4)
    laid = laid_out(function)
    asked = [n for n in walk(laid.body) if isinstance(n, If) and "mask_nram" in str(n.condition)]
    assert len(asked) == 2  # x[m - 1 - id] where both conditions hold
    assert instructions(laid).count("__bang_ge_scalar") == 1  # of a condition that is asked several times
    at = np.random.default_rng(3).integers(-60, 80, 190).astype(np.int32)
    zeros = np.zeros(190, np.float32)
    assert_same(function, x=normal(50), at=at, w=normal(190), y=zeros, n=190, m=50)


def test_a_loop_for_some_lanes_is_a_loop_of_masked_steps() -> None:
    function = canonical(
        """__global__ void moved(const float *x, const int *at, float *y, int n, int c) {
            int i = blockIdx.x * blockDim.x + threadIdx.x;
            if (i >= n) return;
            int id = at[i];
            if (id > 0 && id < n || id == -7)
                for (int k = 0; k < c; ++k) y[k * n + i] = x[k * n + (id < 0 ? 0 : id)] * 2.0f;
        }""",
        x=4,
    )
    assert "__bang_mul_scalar" in instructions(laid_out(function))
    at = np.random.default_rng(3).integers(-8, 80, 60).astype(np.int32)
    assert_same(function, x=normal(180), at=at, y=np.zeros(180, np.float32), n=60, c=3)


def test_a_condition_behind_another_reads_only_where_that_lets_it() -> None:
    function = canonical(
        """__global__ void found(const int *key, const int *at, float *y, int n, int m) {
            int i = blockIdx.x * blockDim.x + threadIdx.x;
            if (i >= n) return;
            int id = at[i];
            y[i] = (id >= 0 && id < m && key[id] > 3) || (id < 0 && key[-id] == 2) ? 1.0f : 2.0f;
        }""",
        x=4,
    )
    assert "__bang_bor" in instructions(laid_out(function))
    at = np.random.default_rng(3).integers(-49, 80, 190).astype(np.int32)
    key = np.random.default_rng(4).integers(0, 6, 50).astype(np.int32)
    assert_same(function, key=key, at=at, y=np.zeros(190, np.float32), n=190, m=50)
