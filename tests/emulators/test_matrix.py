"""Matrix units: every WMMA shape and every MFMA builtin computes A*B + C in its documented layout."""

import random
import struct
from pathlib import Path

import pytest

from tests.emulators.running import run_program

WMMA = """
#include <cuda_runtime.h>
#include <mma.h>
#include <cstdio>
#include <cstdlib>
using namespace nvcuda;
template <class T> T value() { return T(rand() % 9 - 4); }
template <> unsigned char value() { return rand() % 9; }
template <int M, int N, int K, class F, class T, class LA, class LB, class D>
__global__ void k(const T* a, const T* b, const D* c, D* d) {
    wmma::fragment<wmma::matrix_a, M, N, K, F, LA> fa;
    wmma::fragment<wmma::matrix_b, M, N, K, F, LB> fb;
    wmma::fragment<wmma::accumulator, M, N, K, D> fc, fd;
    wmma::load_matrix_sync(fa, a, 32);  // a leading dimension is a multiple of 16 bytes
    wmma::load_matrix_sync(fb, b, 32);
    wmma::load_matrix_sync(fc, c, 32, wmma::mem_col_major);
    for (int i = 0; i < fc.num_elements; ++i) fc.x[i] = fc.x[i] + D(1);
    wmma::mma_sync(fd, fa, fb, fc);
    wmma::store_matrix_sync(d, fd, 32, wmma::mem_row_major);
}
template <int M, int N, int K, class F, class T, class LA, class LB, class D> void test(const char* name) {
    T a[1024], b[1024]; D c[1024], d[1024];
    for (auto& x : a) x = value<T>();
    for (auto& x : b) x = value<T>();
    for (auto& x : c) x = D(rand() % 9);
    char *memory; cudaMalloc(&memory, 65536);
    T *da = (T*)memory, *db = (T*)(memory + 16384); D *dc = (D*)(memory + 32768), *dd = (D*)(memory + 49152);
    cudaMemcpy(da, a, sizeof a, cudaMemcpyHostToDevice); cudaMemcpy(db, b, sizeof b, cudaMemcpyHostToDevice);
    cudaMemcpy(dc, c, sizeof c, cudaMemcpyHostToDevice);
    k<M, N, K, F, T, LA, LB, D><<<1, 32>>>(da, db, dc, dd);
    cudaMemcpy(d, dd, sizeof d, cudaMemcpyDeviceToHost);
    bool ra = std::is_same_v<LA, wmma::row_major>, rb = std::is_same_v<LB, wmma::row_major>;
    int bad = 0;
    for (int i = 0; i < M; ++i) for (int j = 0; j < N; ++j) {
        double sum = (double)c[j * 32 + i] + 1;
        for (int x = 0; x < K; ++x)
            sum += (double)a[ra ? i * 32 + x : x * 32 + i] * (double)b[rb ? x * 32 + j : j * 32 + x];
        bad += (double)d[i * 32 + j] != sum;
    }
    printf("%s %dx%dx%d %d\\n", name, M, N, K, bad);
    cudaFree(memory);
}
using R = wmma::row_major; using C = wmma::col_major;
template <int M, int N, int K, class F, class T, class D> void layouts(const char* name) {
    test<M, N, K, F, T, R, R, D>(name); test<M, N, K, F, T, C, C, D>(name);
    test<M, N, K, F, T, R, C, D>(name);
}
template <class F, class T, class D> void shapes(const char* name) {
    layouts<16, 16, 16, F, T, D>(name); layouts<32, 8, 16, F, T, D>(name); layouts<8, 32, 16, F, T, D>(name);
}
int main() {
    shapes<half, half, float>("half-float"); shapes<half, half, half>("half-half");
    shapes<__nv_bfloat16, __nv_bfloat16, float>("bfloat16");
    shapes<signed char, signed char, int>("s8"); shapes<unsigned char, unsigned char, int>("u8");
    layouts<16, 16, 8, wmma::precision::tf32, float, float>("tf32");
    layouts<8, 8, 4, double, double, double>("double");
}
"""


def test_every_wmma_shape_multiplies(tmp_path: Path) -> None:
    outcome = run_program(WMMA, tmp_path)
    lines = outcome.output.splitlines()
    assert len(lines) == 51 and outcome.status == 0, outcome
    assert [line for line in lines if not line.endswith(" 0")] == []


LANE_MAP = """
#include <cuda_runtime.h>
#include <mma.h>
#include <cstdio>
using namespace nvcuda;
__global__ void k(const float* tile, const half* h, int* out) {
    wmma::fragment<wmma::accumulator, 16, 16, 16, float> acc;
    wmma::fragment<wmma::matrix_a, 16, 16, 16, half, wmma::row_major> a;
    wmma::load_matrix_sync(acc, tile, 16, wmma::mem_row_major);
    wmma::load_matrix_sync(a, h, 16);
    for (int x = 0; x < 8; ++x) out[threadIdx.x * 24 + x] = (int)acc.x[x];
    for (int x = 0; x < 16; ++x) out[threadIdx.x * 24 + 8 + x] = (int)(float)a.x[x];
}
int main() {
    float tile[256]; half h[256]; int out[768];
    for (int i = 0; i < 256; ++i) tile[i] = i, h[i] = i;
    float* t; half* d; int* o;
    cudaMalloc(&t, sizeof tile); cudaMalloc(&d, sizeof h); cudaMalloc(&o, sizeof out);
    cudaMemcpy(t, tile, sizeof tile, cudaMemcpyHostToDevice);
    cudaMemcpy(d, h, sizeof h, cudaMemcpyHostToDevice);
    k<<<1, 32>>>(t, d, o);
    cudaMemcpy(out, o, sizeof out, cudaMemcpyDeviceToHost);
    for (int x : out) printf("%d ", x);
}
"""


def test_half_fragments_have_the_measured_lane_map_of_sm_80(tmp_path: Path) -> None:
    numbers = [int(word) for word in run_program(LANE_MAP, tmp_path).output.split()]
    for row in range(16):
        for column in range(16):
            lane = 4 * (row % 8) + column % 8 // 2
            x = column % 2 + 2 * (row // 8) + 4 * (column // 8)
            mine = numbers[24 * lane : 24 * lane + 24]
            assert mine[x] == mine[8 + x] == mine[16 + x] == 16 * row + column


# name, M = N, K, blocks, element code of A and B, result: the table of the fact sheet.
BUILTINS = [
    ("f32_32x32x1f32", 32, 1, 2, "f", "f"),
    ("f32_16x16x1f32", 16, 1, 4, "f", "f"),
    ("f32_4x4x1f32", 4, 1, 16, "f", "f"),
    ("f32_32x32x2f32", 32, 2, 1, "f", "f"),
    ("f32_16x16x4f32", 16, 4, 1, "f", "f"),
    ("f32_32x32x4f16", 32, 4, 2, "e", "f"),
    ("f32_16x16x4f16", 16, 4, 4, "e", "f"),
    ("f32_4x4x4f16", 4, 4, 16, "e", "f"),
    ("f32_32x32x8f16", 32, 8, 1, "e", "f"),
    ("f32_16x16x16f16", 16, 16, 1, "e", "f"),
    ("i32_32x32x4i8", 32, 4, 2, "b", "i"),
    ("i32_16x16x4i8", 16, 4, 4, "b", "i"),
    ("i32_4x4x4i8", 4, 4, 16, "b", "i"),
    ("i32_32x32x8i8", 32, 8, 1, "b", "i"),
    ("i32_16x16x16i8", 16, 16, 1, "b", "i"),
    ("i32_32x32x16_i8", 32, 16, 1, "b", "i"),
    ("i32_16x16x32_i8", 16, 32, 1, "b", "i"),
    ("f32_32x32x2bf16", 32, 2, 2, "B", "f"),
    ("f32_16x16x2bf16", 16, 2, 4, "B", "f"),
    ("f32_4x4x2bf16", 4, 2, 16, "B", "f"),
    ("f32_32x32x4bf16", 32, 4, 1, "B", "f"),
    ("f32_16x16x8bf16", 16, 8, 1, "B", "f"),
    ("f32_32x32x4bf16_1k", 32, 4, 2, "B", "f"),
    ("f32_16x16x4bf16_1k", 16, 4, 4, "B", "f"),
    ("f32_4x4x4bf16_1k", 4, 4, 16, "B", "f"),
    ("f32_32x32x8bf16_1k", 32, 8, 1, "B", "f"),
    ("f32_16x16x16bf16_1k", 16, 16, 1, "B", "f"),
    ("f64_16x16x4f64", 16, 4, 1, "d", "d"),
    ("f64_4x4x4f64", 4, 4, 4, "d", "d"),
    ("f32_16x16x8_xf32", 16, 8, 1, "f", "f"),
    ("f32_32x32x4_xf32", 32, 4, 1, "f", "f"),
    ("f32_16x16x32_fp8_fp8", 16, 32, 1, "8", "f"),
    ("f32_32x32x16_fp8_fp8", 32, 16, 1, "8", "f"),
]
SIZES = {"f": 4, "e": 2, "b": 1, "i": 4, "B": 2, "d": 8, "8": 1}

MFMA = """
#include <hip/hip_runtime.h>
#include <cstdio>
template <int BYTES> struct alignas(BYTES > 16 ? 16 : BYTES) Bytes { unsigned char at[BYTES]; };
KERNELS
int main() {
    char *memory, *host = new char[65536];
    hipMalloc(&memory, 65536);
    CALLS
}
"""


def mfma_program(cases: list[tuple]) -> str:
    kernels, calls = [], []
    for name, m, k, blocks, code, result in cases:
        operand = m * k * blocks // 64 * SIZES[code]
        accumulator = m * m * blocks // 64 * SIZES[result]
        kernels.append(
            f"__global__ void k_{name}(const Bytes<{operand}>* a, const Bytes<{operand}>* b,\n"
            f"                         Bytes<{accumulator}>* c) {{\n"
            f"    int l = threadIdx.x; c[l] = __builtin_amdgcn_mfma_{name}(a[l], b[l], c[l], 0, 0, 0);\n}}"
        )
        size = 64 * (2 * operand + accumulator)
        calls.append(
            f"fread(host, 1, {size}, stdin);\n"
            f"    hipMemcpy(memory, host, {size}, hipMemcpyHostToDevice);\n"
            f"    k_{name}<<<1, 64>>>((Bytes<{operand}>*)memory, "
            f"(Bytes<{operand}>*)(memory + {64 * operand}), "
            f"(Bytes<{accumulator}>*)(memory + {128 * operand}));\n"
            f"    hipMemcpy(host, memory, {size}, hipMemcpyDeviceToHost); "
            f"fwrite(host + {128 * operand}, 1, {64 * accumulator}, stdout);"
        )
    return MFMA.replace("KERNELS", "\n".join(kernels)).replace("CALLS", "\n    ".join(calls))


def encode(code: str, value: int) -> bytes:
    if code == "B":
        return struct.pack("<f", value)[2:]
    if code == "8":  # e4m3 with bias 8: small powers of two and their sums
        table = {0: 0, 1: 0x40, 2: 0x48, 3: 0x4C, 4: 0x50, -1: 0xC0, -2: 0xC8, -3: 0xCC, -4: 0xD0}
        return bytes([table[value]])
    return struct.pack("<" + code, value)


def input_place(m: int, k: int, blocks: int, code: str, lane: int, e: int) -> tuple[int, int, int]:
    """(row of A or column of B, k, block) of element e of a lane."""
    if code == "d":
        return (lane % 16, lane // 16, 0) if m == 16 else (lane % 4, lane // 16, lane // 4 % 4)
    per_lane = m * k * blocks // 64
    return (lane % m, per_lane * (lane // m) + e, 0) if blocks == 1 else (lane % m, e, lane // m)


def output_place(m: int, code: str, lane: int, r: int) -> tuple[int, int, int]:
    if code == "d":
        return (4 * r + lane // 16, lane % 16, 0) if m == 16 else (lane // 16, lane % 4, lane // 4 % 4)
    if m == 32:
        return 8 * (r // 4 % 4) + 4 * (lane // 32) + r % 4, lane % 32, r // 16
    return (4 * (lane // 16) + r % 4, lane % 16, r // 4) if m == 16 else (r, lane % 4, lane // 4)


@pytest.mark.parametrize("compiler", ["g++"])
def test_every_mfma_builtin_multiplies_in_its_register_layout(tmp_path: Path, compiler: str) -> None:
    random.seed(2)
    data, expected = b"", []
    for _, m, k, blocks, code, result in BUILTINS:

        def matrix(blocks: int = blocks, m: int = m, n: int = k) -> list[list[list[int]]]:
            return [[[random.randint(-4, 4) for _ in range(n)] for _ in range(m)] for _ in range(blocks)]

        a, b, c = matrix(), matrix(), matrix(n=m)  # b[block][j][k]
        for operand in (a, b):
            for lane in range(64):
                for e in range(m * k * blocks // 64):
                    i, x, block = input_place(m, k, blocks, code, lane, e)
                    data += encode(code, operand[block][i][x])
        row = []
        for lane in range(64):
            for r in range(m * m * blocks // 64):
                i, j, block = output_place(m, code, lane, r)
                data += struct.pack("<" + result, c[block][i][j])
                row.append(c[block][i][j] + sum(p * q for p, q in zip(a[block][i], b[block][j], strict=True)))
        expected.append(struct.pack(f"<{len(row)}{result}", *row))
    program = run_binary(mfma_program(BUILTINS), tmp_path, compiler, data)
    at = 0
    for (name, *_), want in zip(BUILTINS, expected, strict=True):
        assert program[at : at + len(want)] == want, name
        at += len(want)


def run_binary(text: str, folder: Path, compiler: str, data: bytes) -> bytes:
    import subprocess

    from tests.emulators.running import compile_program

    program = compile_program(text, folder, "hip", compiler)
    return subprocess.run([program], input=data, capture_output=True, timeout=60, check=True).stdout
