"""Products of bytes go through the matrix instruction, whose sums are floats, and stay exact at any depth."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.backend.emulated import run
from tests.backend.test_bang import translated
from tests.passes.mlu import assert_same, canonical, instructions, laid_out
from xpiler.ir.printer import show
from xpiler.platforms.bang import ARCHITECTURES

PRODUCT = """__global__ void kernel(const signed char *a, const signed char *b, int *c, int n, int depth) {
    int row = blockIdx.x, column = threadIdx.x;
    if (column >= n) return;
    int sum = %s;
    for (int k = 0; k < depth; ++k) sum += (int)a[row * depth + k] * (int)b[%s];
    c[row * n + column] = sum;
}
"""
HOST = """#include <cuda_runtime.h>
void run(const signed char *a, const signed char *b, int *c, int rows, int n, int depth) {
    signed char *da, *db;
    int *dc;
    cudaMalloc(&da, rows * depth);
    cudaMalloc(&db, n * depth);
    cudaMalloc(&dc, rows * n * 4);
    cudaMemcpy(da, a, rows * depth, cudaMemcpyHostToDevice);
    cudaMemcpy(db, b, n * depth, cudaMemcpyHostToDevice);
    kernel<<<rows, 64>>>(da, db, dc, n, depth);
    cudaMemcpy(c, dc, rows * n * 4, cudaMemcpyDeviceToHost);
}
"""
DRIVER = """
    auto a = input<signed char>(3 * 1100, [](int i) { return i % 1100 ? -128 : 1; });
    auto b = input<signed char>(5 * 1100, [](int i) { return i % %s ? -128 : 3; });
    auto c = output<int>(15);
    run(a, b, c, 3, 5, 1100);
    emit(c);
"""


@pytest.mark.parametrize(("place", "period"), [("k * n + column", "5500"), ("column * depth + k", "1100")])
def test_sums_that_no_float_holds_are_exact(place: str, period: str, tmp_path: Path) -> None:
    text = translated(PRODUCT % ("row - 7", place) + HOST)
    assert "__bang_matmul" in text and "(int8_t)0" in text
    found = np.frombuffer(run(text, "product.mlu", "bang", DRIVER.replace("%s", period), tmp_path), np.int32)
    first = np.array([3, -128, -128, -128, -128] if period == "5500" else [3] * 5)
    exact = 1099 * 128 * 128 + first  # odd, and beyond 2^24
    assert found.reshape(3, 5).tolist() == [(exact + row - 7).tolist() for row in range(3)]


def test_a_sum_starts_from_its_own_number() -> None:
    function = canonical(PRODUCT % ("row * 5 - 7", "column * depth + k"), x=2)
    assert "__bang_matmul" in instructions(laid_out(function))
    numbers = np.random.default_rng(3).integers(-128, 128, 40).astype(np.int8)
    assert_same(function, a=numbers[:6], b=numbers[6:15], c=np.zeros(6, np.int32), n=3, depth=3)


def test_without_vectors_of_integers_they_stay_scalar() -> None:
    function = canonical(PRODUCT % ("0", "k * n + column"), x=2)
    assert "__bang_matmul" not in instructions(laid_out(function, ARCHITECTURES["mtp_270"]))


PACKED = """__global__ void kernel(const int *a, const int *b, int *c, int m, int n, int words) {
    __shared__ int as[8][9], bs[8][9];
    int row = blockIdx.y * 8 + threadIdx.y, column = blockIdx.x * 8 + threadIdx.x;
    int other = blockIdx.x * 8 + threadIdx.y, sum = 0;
    for (int w = 0; w < words; w += 8) {
        bool in = w + threadIdx.x < words;
        as[threadIdx.y][threadIdx.x] = row < m && in ? a[row * words + w + threadIdx.x] : 0;
        bs[threadIdx.y][threadIdx.x] = other < n && in ? b[other * words + w + threadIdx.x] : 0;
        __syncthreads();
        for (int k = 0; k < 8; ++k) sum = __dp4a(as[threadIdx.y][k], bs[threadIdx.x][k], sum);
        __syncthreads();
    }
    if (row < m && column < n) c[row * n + column] = sum;
}
"""


def test_packed_bytes_are_bytes_of_a_matrix() -> None:
    function = canonical(PACKED, (8, 8, 1))
    assert "for i32 k in 0 .. words {\n        sum = dp4a(" in show(function)
    shaped = laid_out(function)
    assert "__bang_matmul" in instructions(shaped)
    assert "_nram, (i8*)a" not in show(shaped)  # the array has words; its bytes are counted from its start
    rng = np.random.default_rng(4)
    a, b = (rng.integers(-(2**31), 2**31, count * 10).astype(np.int32) for count in (3, 5))
    assert_same(function, a=a, b=b, c=np.zeros(15, np.int32), m=3, n=5, words=10)


def test_the_copies_of_packed_bytes_count_bytes() -> None:
    text = translated(
        PACKED
        + HOST.replace("const signed char *", "const int *")
        .replace("signed char", "int")
        .replace("rows * depth", "rows * depth * 4")
        .replace("n * depth", "n * depth * 4")
        .replace(
            "<<<rows, 64>>>(da, db, dc, n, depth)",
            "<<<dim3(n, rows), dim3(8, 8)>>>(da, db, dc, rows, n, depth)",
        )
    )
    assert "__memcpy(a_nram, (const int8_t *)a + " in text


DOT = """__global__ void dots(const signed char *x, const signed char *w, int *y, int n) {
    const int *words = (const int *)x, *others = (const int *)(w + blockIdx.x * n);
    __shared__ int partial[64];
    int sum = 0;
    for (int k = threadIdx.x; k < n / 4; k += 64) sum = __dp4a(words[k], others[k], sum);
    partial[threadIdx.x] = sum;
    __syncthreads();
    for (int half = 32; half > 0; half /= 2) {
        if (threadIdx.x < half) partial[threadIdx.x] += partial[threadIdx.x + half];
        __syncthreads();
    }
    if (threadIdx.x == 0) y[blockIdx.x] = partial[0];
}
"""


def test_dots_of_one_row_are_vectors_whose_sums_are_exact() -> None:
    function = canonical(DOT, x=3)
    assert "dp4a" in show(function) and "threads" not in show(function)
    names = instructions(laid_out(function))
    assert "__bang_int82float" in names and "__bang_sumpool" in names
    x = np.full(2052, -128, np.int8)
    w = np.full((3, 2052), -128, np.int8)
    x[-1], w[:, -1] = 1, (1, 3, -5)  # 2051 * 2^14 + 1: no float
    assert_same(function, x=x, w=w.reshape(-1), y=np.zeros(3, np.int32), n=2052)


def test_the_second_generation_keeps_sums_of_bytes_as_scalar_code() -> None:
    assert not instructions(laid_out(canonical(DOT, x=3), ARCHITECTURES["mtp_290"]))
