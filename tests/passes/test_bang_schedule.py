"""Kernels laid out for an MLU, run by the interpreter: instructions as the loop nests that they mean."""

from __future__ import annotations

import numpy as np
import pytest

from tests.passes.mlu import assert_same, canonical, instructions, laid_out, normal
from xpiler.frontend import parse
from xpiler.ir.affine import simplify
from xpiler.ir.build import const
from xpiler.ir.nodes import Const, Decl, Space
from xpiler.ir.printer import show
from xpiler.ir.rewrite import substitute
from xpiler.passes.bang_schedule import schedule
from xpiler.passes.canonical import canonicalise
from xpiler.passes.joint_products import separate_products
from xpiler.passes.promote_arrays import promote_arrays
from xpiler.passes.reroll import reroll
from xpiler.passes.split_digits import split_digits
from xpiler.platforms.bang import DEFAULT, Architecture

ADD = """__global__ void add(const float *a, const float *b, float *c, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) c[i] = a[i] * 2.0f + b[i];
}"""

ADD_BY_FOUR = """__global__ void add(const float *a, const float *b, float *c, int n) {
    int i = 4 * (blockIdx.x * blockDim.x + threadIdx.x);
    if (i + 3 < n) {
        float4 x = *(const float4 *)(a + i), y = *(const float4 *)(b + i);
        *(float4 *)(c + i) =
            make_float4(x.x * 2.0f + y.x, x.y * 2.0f + y.y, x.z * 2.0f + y.z, x.w * 2.0f + y.w);
    } else {
        for (int j = i; j < n; ++j) c[j] = a[j] * 2.0f + b[j];
    }
}"""


@pytest.mark.parametrize("source", [ADD, ADD_BY_FOUR])
@pytest.mark.parametrize("n", [1, 4, 5, 37, 190])
def test_an_elementwise_kernel_is_shared_out_with_its_remainder(source: str, n: int) -> None:
    function = canonical(source, x=4)
    assert instructions(laid_out(function)) == [
        "__memcpy_async",
        "__memcpy_async",
        "__bang_mul_scalar",
        "__bang_add",
        "__memcpy_async",
        "__sync",
    ]
    assert_same(function, a=normal(n), b=normal(n), c=np.zeros(n, np.float32), n=n)


def test_vector_accesses_become_one_loop_again() -> None:
    function = reroll(canonical(ADD_BY_FOUR, x=4))
    assert "c[j_1] = a[j_1] * 2.0f + b[j_1]" in show(function)


def test_copies_that_differ_stay_as_they_are() -> None:
    function = canonical(ADD_BY_FOUR.replace("x.z * 2.0f", "x.z * 3.0f"), x=4)
    assert reroll(function) == function


SOFTMAX = """__global__ void softmax(const float *x, float *y, int rows, int cols) {
    int row = blockIdx.x * blockDim.x + threadIdx.x;
    if (row >= rows) return;
    float peak = -1e30f, sum = 0.0f;
    for (int c = 0; c < cols; ++c) peak = fmaxf(peak, x[row * cols + c]);
    for (int c = 0; c < cols; ++c) {
        y[row * cols + c] = expf(x[row * cols + c] - peak);
        sum += y[row * cols + c];
    }
    for (int c = 0; c < cols; ++c) y[row * cols + c] /= sum;
}"""


def test_rows_are_reduced_by_instructions() -> None:
    function = canonical(SOFTMAX)
    assert {"__bang_argmax", "__bang_sumpool", "__bang_pow2"} <= set(instructions(laid_out(function)))
    assert_same(function, x=normal(7, 19), y=np.zeros(7 * 19, np.float32), rows=7, cols=19)


GEMM = """__global__ void gemm(const float *A, const float *B, float *C, int M, int N, int K) {
    int col = blockIdx.x * blockDim.x + threadIdx.x, row = blockIdx.y * blockDim.y + threadIdx.y;
    if (row >= M || col >= N) return;
    float acc = 0.0f;
    for (int k = 0; k < K; ++k) acc += A[row * K + k] * B[INDEX];
    C[row * N + col] = STORE;
}"""


@pytest.mark.parametrize("index", ["k * N + col", "col * K + k"])
@pytest.mark.parametrize("store", ["acc", "0.5f * acc + C[row * N + col]"])
def test_a_product_goes_through_the_weights_in_every_layout(index: str, store: str) -> None:
    function = canonical(GEMM.replace("INDEX", index).replace("STORE", store), (16, 16, 1), x=5, y=1)
    assert "__bang_matmul" in instructions(laid_out(function))
    assert_same(function, A=normal(11, 13), B=normal(13, 70), C=normal(11, 70), M=11, N=70, K=13)


@pytest.mark.parametrize("index", ["n - 1 - i", "3 * (n - 1 - i)"])
@pytest.mark.parametrize("is_stored", [True, False])
def test_what_runs_backwards_is_copied_from_its_end(index: str, is_stored: bool) -> None:
    """A copy walks backwards through its source only."""
    to, from_ = (index, "i") if is_stored else ("i", index)
    function = canonical(
        f"""__global__ void back(const float *x, float *y, int n) {{
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) y[{to}] = 2.0f * x[{from_}];
}}""",
        x=5,
    )
    assert "__bang_mul_scalar" in instructions(laid_out(function))
    assert_same(function, x=normal(3 * 131), y=normal(3 * 131), n=131)


GATED = """
__global__ void gated(const float *x, const float *a, const float *b, float *y, int M, int N, int K) {
    int col = blockIdx.x * blockDim.x + threadIdx.x, row = blockIdx.y * blockDim.y + threadIdx.y;
    if (row >= M || col >= N) return;
    float gate = 0.0f, up = 0.0f;
    for (int k = 0; k < END; ++k) {
        float v = k < K ? x[row * K + k] : 0.0f;
        gate += v * (k < K ? a[k * N + col] : 0.0f);
        up += v * (k < K ? b[k * N + col] : 0.0f);
    }
    y[row * N + col] = gate / (1.0f + expf(-gate)) * up;
}"""


@pytest.mark.parametrize("end", ["K", "(K + 15) / 16 * 16"])
def test_two_products_that_share_a_loop_and_an_operand_are_two_instructions(end: str) -> None:
    function = canonical(GATED.replace("END", end), (16, 16, 1), x=5, y=1)
    assert instructions(laid_out(function)).count("__bang_matmul") == 2
    assert_same(
        function, x=normal(11, 13), a=normal(13, 70), b=-normal(13, 70), y=normal(11, 70), M=11, N=70, K=13
    )


def test_two_sums_of_a_row_keep_their_loop() -> None:
    """A sum and one of squares are no products of matrices: each row is read once."""
    text = """__global__ void moments(const float *x, float *y, int rows, int n) {
    int row = blockIdx.x * blockDim.x + threadIdx.x;
    if (row >= rows) return;
    float sum = 0.0f, squares = 0.0f;
    for (int k = 0; k < n; ++k) {
        sum += x[row * n + k];
        squares += x[row * n + k] * x[row * n + k];
    }
    y[row] = squares / n - sum / n * (sum / n);
}"""
    function = canonical(text)
    assert separate_products(function) == function


def test_the_next_tiles_of_a_product_are_copied_while_one_is_multiplied() -> None:
    small = Architecture("small", 372, DEFAULT.reserved + 150 * 1024, 64 * 1024, 0, 1, 4)  # tiles of 64 x 64
    function = canonical(GEMM.replace("INDEX", "k * N + col").replace("STORE", "acc"), (16, 16, 1), x=5, y=1)
    order = [name for name in instructions(laid_out(function, small)) if name != "__bang_write_value"]
    ahead, first = order.index("__sync"), order.index("__memcpy_async")
    assert first < ahead < order.index("__memcpy_async", ahead) < order.index("__bang_matmul")
    for depth in (0, 70):
        arrays = {"A": normal(2, 70), "B": normal(70, 3), "C": normal(2, 3)}
        assert_same(function, small, **arrays, M=2, N=3, K=depth)


def test_an_index_that_is_taken_apart_gives_its_lowest_digit_to_the_lanes() -> None:
    function = canonical(
        """__global__ void scale(const float *x, const float *s, float *y, int n, int channels) {
            int i = blockIdx.x * blockDim.x + threadIdx.x;
            if (i < n) y[i] = x[i / channels * channels + i % channels] * s[i % channels];
        }""",
        x=2,
    )
    assert "i_high" in show(split_digits(function))
    assert "__bang_mul" in instructions(laid_out(function))
    assert_same(function, x=normal(99), s=normal(9), y=np.zeros(99, np.float32), n=95, channels=9)


@pytest.mark.parametrize(
    "choice",
    [
        "x[i] > s[i] ? x[i] : 2.0f * s[i]",
        "x[i] > 0.0f ? s[i] * x[i] : 0.0f",
        "x[i] < 0.5f && s[i] > 0.0f ? s[i] : x[i]",
    ],
)
def test_a_choice_lane_by_lane_is_exact(choice: str) -> None:
    value = choice.replace("x[i]", "a").replace("s[i]", "b")
    function = canonical(
        f"""__global__ void choose(const float *x, const float *s, float *y, int n) {{
            int i = blockIdx.x * blockDim.x + threadIdx.x;
            if (i < n) {{ float a = x[i], b = s[i]; y[i] = {value}; }}
        }}"""
    )
    assert "__bang_band" in instructions(laid_out(function))
    x = normal(40)
    x[3] = np.inf
    assert_same(function, x=x, s=normal(80)[40:].copy(), y=np.zeros(40, np.float32), n=40)


@pytest.mark.parametrize("step", [1, 2])
@pytest.mark.parametrize("other", ["x[i * step]", "3.0f * x[i * step]"])
def test_a_choice_for_all_lanes_alike_is_none_or_a_branch(other: str, step: int) -> None:
    function = canonical(
        f"""__global__ void pick(const float *x, float *y, int n, int step) {{
            int i = blockIdx.x * blockDim.x + threadIdx.x;
            if (i < n) y[i] = 2.0f * (step == 1 ? x[i] : {other});
        }}"""
    )
    assert ("?" in show(function)) == ("3.0f" in other)
    assert "__bang_mul_scalar" in instructions(laid_out(function))
    assert_same(function, x=normal(80), y=np.zeros(40, np.float32), n=40, step=step)


@pytest.mark.parametrize(
    ("value", "conversions"),
    [
        ("(float)((a > 0.0f) - (a < 0.0f))", []),
        ("a * (float)((a > b) + 2)", []),
        ("(float)(!(a > 1.0f) && b < 0.5f)", ["__bang_float2int32_tz"] * 2),
        ("copysignf(b, a) + copysignf(2.0f, b)", []),
    ],
)
def test_tests_are_numbers_and_signs_are_bits(value: str, conversions: list[str]) -> None:
    function = canonical(
        f"""__global__ void tests(const float *x, const float *s, float *y, int n) {{
            int i = blockIdx.x * blockDim.x + threadIdx.x;
            if (i < n) {{ float a = x[i], b = s[i]; y[i] = {value}; }}
        }}"""
    )
    done = instructions(laid_out(function))
    assert [i for i in done if "2" in i] == conversions and len(done) > 4
    x = normal(40)
    x[:6] = [0.0, -0.0, np.nan, -np.inf, 1.0, 0.5]
    assert_same(function, x=x, s=normal(80)[40:].copy(), y=np.zeros(40, np.float32), n=40)


def test_threads_that_stride_through_memory_are_summed_by_rows() -> None:
    function = canonical(
        """__global__ void total(const float *x, float *y, int n) {
            __shared__ float part[64];
            float v = 0.0f;
            for (int i = blockIdx.x * 64 + threadIdx.x; i < n; i += gridDim.x * 64) v += x[i];
            part[threadIdx.x] = v;
            __syncthreads();
            for (int s = 32; s > 0; s /= 2) {
                if (threadIdx.x < s) part[threadIdx.x] += part[threadIdx.x + s];
                __syncthreads();
            }
            if (threadIdx.x == 0) y[blockIdx.x] = part[0];
        }""",
        x=3,
    )
    assert "__bang_sumpool" in instructions(laid_out(function))
    for n in (1, 64, 65, 500):
        assert_same(function, x=normal(n), y=np.zeros(3, np.float32), n=n)


def test_steps_that_wait_for_each_other_are_one_tasks_work() -> None:
    function = canonical(
        """#include <cooperative_groups.h>
        __global__ void steps(float *x, float *y, int n, int count) {
            int i = blockIdx.x * blockDim.x + threadIdx.x;
            for (int s = 0; s < count; ++s) {
                if (i < n) y[i] = x[n - 1 - i] * 0.5f;
                cooperative_groups::this_grid().sync();
                if (i < n) x[i] = y[i] + 1.0f;
                cooperative_groups::this_grid().sync();
            }
        }""",
        x=2,
    )
    assert schedule(function, DEFAULT).single_task


def test_what_no_instruction_fits_stays_scalar_and_is_named() -> None:
    function = canonical(
        """__global__ void rest(const int *x, const int *by, int *y, int n) {
            int i = blockIdx.x * blockDim.x + threadIdx.x;
            if (i < n) y[i] = x[i] % by[i];
        }"""
    )
    scheduled = schedule(function, DEFAULT)
    assert any("scalar code for the loop over" in note and "`%`" in note for note in scheduled.notes)
    x, by = np.arange(20, dtype=np.int32), np.arange(1, 21, dtype=np.int32)
    assert_same(function, x=x, by=by, y=np.zeros(20, np.int32), n=20)


def test_a_block_of_shared_memory_lies_in_the_scratchpad() -> None:
    function = canonical(
        """__global__ void total(const float *x, float *y, int n) {
            __shared__ float part[64];
            part[threadIdx.x] = blockIdx.x * 64 + threadIdx.x < n ? x[blockIdx.x * 64 + threadIdx.x] : 0.0f;
            __syncthreads();
            for (int s = 32; s > 0; s /= 2) {
                if (threadIdx.x < s) part[threadIdx.x] += part[threadIdx.x + s] * 1.5f;
                __syncthreads();
            }
            if (threadIdx.x == 0) y[blockIdx.x] = part[0];
        }""",
        x=3,
    )
    assert schedule(function, DEFAULT).promoted.bytes == 256
    assert_same(function, x=normal(150), y=np.zeros(3, np.float32), n=150)


def test_tiles_and_buffers_fit_the_scratchpad() -> None:
    for source, block in (
        (ADD, (64, 1, 1)),
        (GEMM.replace("INDEX", "col * K + k").replace("STORE", "acc"), (16, 16, 1)),
    ):
        scheduled = schedule(canonical(source, block), DEFAULT)
        lengths = {
            d.name: int(d.init.value)  # type: ignore[union-attr]
            for d in scheduled.function.body.body
            if isinstance(d, Decl) and d.name in ("tile", "side")
        }
        used = 0
        for decl in scheduled.function.body.body:
            if isinstance(decl, Decl) and decl.space is Space.NRAM:
                size = decl.dtype.bytes
                for extent in decl.shape:
                    known = simplify(substitute(extent, {n: const(v) for n, v in lengths.items()}))
                    assert isinstance(known, Const)
                    size *= int(known.value)
                used += size
        assert 0.5 * DEFAULT.usable_nram < used <= DEFAULT.usable_nram


def test_two_halves_of_a_row_are_apart() -> None:
    function = canonical(
        """__global__ void turn(float *q, const float *c, int dim) {
            float *row = q + blockIdx.x * dim;
            for (int i = threadIdx.x; i < dim / 2; i += blockDim.x) {
                float a = row[i], b = row[i + dim / 2];
                row[i] = a * c[i] - b;
                row[i + dim / 2] = b * c[i] + a;
            }
        }""",
        x=3,
    )
    assert "__bang_mul" in instructions(laid_out(function))
    for dim in (2, 7, 150):
        assert_same(function, q=normal(3 * dim), c=normal(dim), dim=dim)


def test_overlapping_parts_of_a_row_stay_serial() -> None:
    function = canonical(
        """__global__ void drag(float *q, int n) {
            if (threadIdx.x != 0) return;
            for (int i = 0; i < n / 2; ++i) q[i + n / 4] = q[i] * 2.0f;
        }"""
    )
    assert not instructions(laid_out(function))
    assert_same(function, q=normal(40), n=40)


@pytest.mark.parametrize("condition", ["x[r * n + c] > best", "best > x[r * n + c]", "best < x[r * n + c]"])
def test_the_place_of_an_extreme_is_found_by_the_instruction(condition: str) -> None:
    function = canonical(
        f"""__global__ void place(const float *x, int *y, int rows, int n) {{
            int r = threadIdx.x;
            if (r >= rows) return;
            float best = x[r * n];
            int at = 0;
            for (int c = 1; c < n; ++c) if ({condition}) {{ best = x[r * n + c]; at = 2 * c; }}
            y[r] = at;
        }}"""
    )
    wanted = "__bang_argmin" if condition.startswith("best >") else "__bang_argmax"
    assert wanted in instructions(laid_out(function))
    x = np.round(normal(3 * 40))  # with equal values
    assert_same(function, x=x, y=np.zeros(3, np.int32), rows=3, n=40)


def test_a_value_that_is_named_before_it_is_compared_is_searched_for_too() -> None:
    function = canonical(
        """__global__ void place(const float *x, int *y, int rows, int n) {
            int r = threadIdx.x;
            if (r >= rows) return;
            float best = x[r * n];
            int at = 0;
            for (int c = 1; c < n; ++c) { float v = x[r * n + c]; if (v > best) { best = v; at = c; } }
            y[r] = at;
        }"""
    )
    assert "__bang_argmax" in instructions(laid_out(function))
    x = np.round(normal(3 * 40))  # with equal values
    assert_same(function, x=x, y=np.zeros(3, np.int32), rows=3, n=40)


@pytest.mark.parametrize("n", [1, 40])
def test_a_place_alone_is_found_by_the_instruction_too(n: int) -> None:
    function = canonical(
        """__global__ void place(const float *x, int *y, int rows, int n) {
            int r = threadIdx.x;
            if (r >= rows) return;
            int at = 0;
            for (int c = 1; c < n; ++c) if (x[r * n + c] > x[r * n + at]) at = c;
            y[r] = at;
        }"""
    )
    assert "__bang_argmax" in instructions(laid_out(function))
    x = np.round(normal(3 * n))  # with equal values
    assert_same(function, x=x, y=np.zeros(3, np.int32), rows=3, n=n)


def test_a_size_that_several_places_compute_has_a_name() -> None:
    function = canonical(
        """__global__ void k(const float *a, float *b, int n, int m) {
            int i = blockIdx.x * 64 + threadIdx.x;
            if (i < n * m) b[(i / m + 1) * m - i % m] = a[i];
        }""",
        x=4,
    )
    text = show(laid_out(function))
    assert text.count("min(n * m, 256)") == 1 and "total = min(n * m, 256)" in text, text
    assert_same(function, a=normal(256), b=np.zeros(256, np.float32), n=7, m=9)


def test_arrays_of_known_sizes_may_take_most_of_the_scratchpad() -> None:
    source = """
    extern "C" void sums(const float *x, float *y) {
        float one[60000], two[60000];
        for (int i = 0; i < 60000; ++i) { one[i] = x[i]; two[i] = x[60000 + i]; }
        for (int i = 0; i < 60000; ++i) y[i] = one[59999 - i] + two[59999 - i];
    }"""
    (function,) = parse(source, "sums.cpp", platform="vnni").program.kernels
    promoted = promote_arrays(canonicalise(function).function, DEFAULT)
    assert len(promoted.offsets) == 2 and promoted.bytes <= DEFAULT.usable_nram * 7 // 8


SCATTER = """__global__ void add_rows(float *w, const float *d, const int *id, int rows, int n, int pad) {
    int t = blockIdx.x;
    int row = id[t];
    if (row == pad) return;
    for (int c = threadIdx.x; c < n; c += blockDim.x) UPDATE;
}"""


def test_rows_that_tasks_may_update_at_the_same_time_are_updated_as_tiles() -> None:
    function = canonical(SCATTER.replace("UPDATE", "atomicAdd(&w[row * n + c], 2.0f * d[t * n + c])"), x=32)
    assert instructions(laid_out(function)) == ["__memcpy", "__bang_mul_scalar", "__bang_atomic_reduce_add"]


@pytest.mark.parametrize(
    "update",
    ["atomicAdd(&w[row * n + 2 * c], d[t * n + c])", "atomicAdd(&w[row * n + c], w[row * n + c])"],
    ids=["apart", "read"],
)
def test_elements_that_are_apart_or_read_are_updated_one_by_one(update: str) -> None:
    function = canonical(SCATTER.replace("UPDATE", update), x=32)
    assert "__bang_atomic_reduce_add" not in instructions(laid_out(function))


DIAGONAL = """__global__ void diagonal(const char *a, const char *b, int *h, int n, int m, int d) {
    int k = blockIdx.x * blockDim.x + threadIdx.x, i = d - k;
    if (i < 0 || i >= n || k >= m) return;
    int up = i ? h[(i - 1) * m + k] : 0;
    h[i * m + k] = max(0, up + (a[i] == b[k] ? 3 : -2));
}"""


def test_the_numbers_of_lanes_are_kept_only_where_they_are_used() -> None:
    function = canonical(
        DIAGONAL.replace("int *h", "long long *h"),
        x=4,
    )
    assert instructions(laid_out(function)) == []  # no vectors of 64-bit integers
    assert "numbers_nram" not in show(laid_out(function))


def test_rows_that_go_back_are_stored_from_their_end_where_they_do() -> None:
    function = canonical(DIAGONAL, x=4)
    assert "if (0 < m - 1)" in show(laid_out(function))  # else neighbours lie in one element
    a, b = (np.random.default_rng(s).integers(0, 3, 40).astype(np.int8) for s in (1, 2))
    for m in (1, 2, 9):
        assert_same(function, a=a, b=b, h=np.arange(20 * m, dtype=np.int32), n=20, m=m, d=11)


def test_a_value_that_the_body_goes_on_to_change_is_no_name_of_a_number() -> None:
    function = canonical(
        """__global__ void ranks(const int *totals, int *o, int n) {
            int before = 0;
            for (int t = 0; t < 8; ++t)
                if (t < threadIdx.x / 32) before += totals[blockIdx.x * 8 + t];
            o[blockIdx.x * 256 + threadIdx.x] = before;
        }""",
        (256, 1, 1),
        x=2,
    )
    assert_same(function, totals=np.arange(16, dtype=np.int32), o=np.zeros(512, np.int32), n=1)
