"""Register tiles of C with AVX-512 come out as the loops that they are."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from xpiler.frontend import parse
from xpiler.ir.printer import show
from xpiler.passes.canonical import canonicalise


def canonical(text: str) -> str:
    """The loops of the only function, on arrays that are not one another; indices without their casts."""
    (function,) = parse(text, "k.cpp", platform="vnni").program.kernels
    params = tuple(replace(p, is_restrict=p.is_pointer) for p in function.params)
    shown = show(canonicalise(replace(function, params=params)).function)
    return re.sub(r"\(i64\)", "", "\n".join(line.strip() for line in shown.splitlines()[1:-1]))


ROWS = """
#include <immintrin.h>
extern "C" void gemm(const float *A, const float *B, float *C, int M, int N, int K) {
  for (int m = 0; m < M; m += 4) {
    const int rows = M - m < 4 ? M - m : 4;
    for (int n = 0; n < N; n += 32) {
      const __mmask16 low = N - n >= 16 ? 0xffff : (1 << (N - n)) - 1;
      const __mmask16 high = N - n >= 32 ? 0xffff : N - n <= 16 ? 0 : (1 << (N - n - 16)) - 1;
      __m512 acc[4][2];
      for (int i = 0; i < 4; ++i) acc[i][0] = acc[i][1] = _mm512_setzero_ps();
      for (int k = 0; k < K; ++k) {
        const __m512 b0 = _mm512_maskz_loadu_ps(low, B + (long)k * N + n);
        const __m512 b1 = _mm512_maskz_loadu_ps(high, B + (long)k * N + n + 16);
        for (int i = 0; i < rows; ++i) {
          const __m512 a = _mm512_set1_ps(A[(long)(m + i) * K + k]);
          acc[i][0] = _mm512_fmadd_ps(a, b0, acc[i][0]);
          acc[i][1] = _mm512_fmadd_ps(a, b1, acc[i][1]);
        }
      }
      for (int i = 0; i < rows; ++i) {
        _mm512_mask_storeu_ps(C + (long)(m + i) * N + n, low, acc[i][0]);
        _mm512_mask_storeu_ps(C + (long)(m + i) * N + n + 16, high, acc[i][1]);
      }
    }
  }
}
"""


def test_a_tile_of_rows_and_vectors_is_a_product() -> None:
    assert canonical(ROWS) == (
        "parallel for i32 m in 0 .. M {\n"
        "parallel for i32 n in 0 .. N {\n"
        "f32 acc = 0.0f;\n"
        "for i32 k in 0 .. K {\n"
        "acc = fma(A[m * K + k], B[N * k + n], acc);\n"
        "}\n"
        "C[N * m + n] = acc;\n"
        "}\n"
        "}"
    )


NAMED = """
#include <immintrin.h>
extern "C" void gemv(const float *A, const float *x, float *y, int rows, int cols) {
  for (int g = 0; g < rows; ++g) {
    const float *a = A + (long)2 * g * cols;
    __m512 s0 = _mm512_setzero_ps(), s1 = s0;
    for (int c = 0; c < cols; c += 16) {
      const __mmask16 mask = cols - c >= 16 ? 0xffff : (1 << (cols - c)) - 1;
      const __m512 v = _mm512_maskz_loadu_ps(mask, x + c);
      s0 = _mm512_fmadd_ps(_mm512_maskz_loadu_ps(mask, a + c), v, s0);
      s1 = _mm512_fmadd_ps(_mm512_maskz_loadu_ps(mask, a + cols + c), v, s1);
    }
    y[2 * g] = _mm512_reduce_add_ps(s0);
    y[2 * g + 1] = _mm512_reduce_add_ps(FACTOR);
  }
}
"""


def test_registers_with_names_of_their_own_are_rows() -> None:
    assert canonical(NAMED.replace("FACTOR", "s1")) == (
        "parallel for i32 index in 0 .. rows * 2 {\n"
        "f32 s0_sum = 0.0f;\n"
        "for i32 lane in 0 .. cols {\n"
        "s0_sum += A[cols * index + lane] * x[lane];\n"
        "}\n"
        "y[index] = s0_sum;\n"
        "}"
    )


def test_registers_that_differ_by_more_than_a_step_stay_what_they_are() -> None:
    assert "index in 0 .. rows * 2" not in canonical(NAMED.replace("FACTOR", "_mm512_abs_ps(s1)"))


@pytest.mark.parametrize("last", ["acc[j] + acc[1 - j]", "acc[0]"])
def test_registers_that_meet_stay_together(last: str) -> None:
    text = f"""
    extern "C" void meet(const float *a, float *c, int n) {{
      float acc[2];
      for (int j = 0; j < 2; ++j) acc[j] = 0;
      for (int i = 0; i < n; ++i)
        for (int j = 0; j < 2; ++j) acc[j] += a[2 * i + j];
      for (int j = 0; j < 2; ++j) c[j] = {last};
    }}"""
    assert "f32 acc[2];" in canonical(text)


def test_masked_sums_of_lanes_are_one_sum() -> None:
    text = """
    #include <immintrin.h>
    extern "C" void sums(const float *x, float *y, int rows, int columns) {
      for (int r = 0; r < rows; ++r) {
        __m512 sum = _mm512_set1_ps(-0.0f);
        for (int c = 0; c < columns; c += 16) {
          const __mmask16 k = columns - c >= 16 ? 0xffff : (1 << (columns - c)) - 1;
          sum = _mm512_mask_add_ps(sum, k, sum, _mm512_loadu_ps(x + r * columns + c));
        }
        y[r] = _mm512_reduce_add_ps(sum);
      }
    }"""
    assert canonical(text) == (
        "parallel for i32 r in 0 .. rows {\n"
        "f32 sum_sum = 0.0f;\n"
        "for i32 lane in 0 .. columns {\n"
        "sum_sum += x[columns * r + lane];\n"
        "}\n"
        "y[r] = sum_sum;\n"
        "}"
    )


STRIPS = """
#include <immintrin.h>
extern "C" void add(const float *a, const float *b, float *y, int n) {
  int i = 0;
  for (; i + 32 <= n; i += 32) {
    const __m512 low = _mm512_add_ps(_mm512_loadu_ps(a + i), _mm512_loadu_ps(b + i));
    const __m512 high = _mm512_add_ps(_mm512_loadu_ps(a + i + SECOND), _mm512_loadu_ps(b + i + 16));
    _mm512_storeu_ps(y + i, low);
    _mm512_storeu_ps(y + i + 16, high);
  }
  for (; i < n; ++i) y[i] = a[i] + b[i];
}
"""


def test_vectors_that_a_loop_takes_two_at_a_time_are_elements() -> None:
    assert canonical(STRIPS.replace("SECOND", "16")) == (
        "parallel for i32 i_1 in 0 .. n {\nf32 low = a[i_1] + b[i_1];\ny[i_1] = low;\n}"
    )


def test_vectors_that_differ_otherwise_stay() -> None:
    assert "step 32" in canonical(STRIPS.replace("SECOND", "8"))


def test_a_sum_over_lanes_with_a_rest_of_its_own_is_one_sum() -> None:
    text = """
    #include <immintrin.h>
    extern "C" void sums(const float *x, float *y, int rows, int columns) {
      for (int r = 0; r < rows; ++r) {
        __m512 sum = _mm512_setzero_ps();
        int c = 0;
        for (; c + 16 <= columns; c += 16) sum = _mm512_add_ps(sum, _mm512_loadu_ps(x + r * columns + c));
        if (c < columns) {
          const __mmask16 k = (1 << (columns - c)) - 1;
          sum = _mm512_add_ps(sum, _mm512_maskz_loadu_ps(k, x + r * columns + c));
        }
        y[r] = _mm512_reduce_add_ps(sum);
      }
    }"""
    shown = canonical(text)
    assert "for i32 c_1 in 0 .. columns {\nsum_1 += x[columns * r + c_1];" in shown, shown


def test_an_array_that_is_also_taken_for_one_long_row_stays_as_it_is() -> None:
    text = """
#include <immintrin.h>
void add(const float *x, float *y, int n) {
  for (int i = 0; i < n; ++i) {
    float tile[2][4];
    for (int j = 0; j < 8; ++j) _mm512_mask_storeu_ps(&tile[0][0] + j, 1, _mm512_set1_ps(x[8 * i + j]));
    for (int j = 0; j < 4; ++j) y[4 * i + j] = tile[0][j] + tile[1][j];
  }
}
"""
    (kernel,) = parse(text, "add.cpp", platform="vnni").program.kernels
    found = canonicalise(kernel)
    assert "f32 tile[2][4];" in show(found.function)
    assert not any("internal error" in step.reason for step in found.log)


PACKED = """
#include <immintrin.h>
#include <stdlib.h>
#include <algorithm>
static void pack(const float *B, int ldb, float *P, int kc, int nr) {
  for (int k = 0; k < kc; ++k) {
    if (nr == 16) {
      _mm512_store_ps(P + k * 16, _mm512_loadu_ps(B + (long)k * ldb));
    } else {
      for (int j = 0; j < nr; ++j) P[k * 16 + j] = B[(long)k * ldb + j];
      for (int j = nr; j < 16; ++j) P[k * 16 + j] = PADDING;
    }
  }
}
template <int ROWS>
static void tile(const float *A, int lda, const float *P, float *C, int ldc, int kc, __mmask16 mask) {
  __m512 acc[ROWS];
  for (int i = 0; i < ROWS; ++i) acc[i] = _mm512_maskz_loadu_ps(mask, C + (long)i * ldc);
  for (int k = 0; k < kc; ++k) {
    const __m512 b = _mm512_load_ps(P + k * 16);
    for (int i = 0; i < ROWS; ++i) acc[i] = _mm512_fmadd_ps(_mm512_set1_ps(A[(long)i * lda + k]), b, acc[i]);
  }
  for (int i = 0; i < ROWS; ++i) _mm512_mask_storeu_ps(C + (long)i * ldc, mask, acc[i]);
}
extern "C" void gemm(const float *A, const float *B, float *C, int M, int N, int K) {
  float *P = (float *)aligned_alloc(64, sizeof(float) * 256 * 16);
  for (int n = 0; n < N; n += 16) {
    const int nr = std::min(16, N - n);
    const __mmask16 mask = (__mmask16)((1u << nr) - 1);
    const int kc = std::min(256, K);
    pack(B + n, N, P, kc, nr);
    int m = 0;
    for (; m + 6 <= M; m += 6) tile<6>(A + (long)m * K, K, P, C + (long)m * N + n, N, kc, mask);
    for (; m < M; ++m) tile<1>(A + (long)m * K, K, P, C + (long)m * N + n, N, kc, mask);
  }
  free(P);
}
"""


def test_a_panel_that_is_packed_in_parts_is_what_it_was_packed_from() -> None:
    assert canonical(PACKED.replace("PADDING", "0.0f")) == (
        "parallel for i32 n in 0 .. N {\n"
        "parallel for i32 index in 0 .. M {\n"
        "f32 acc = C[N * index + n];\n"
        "for i32 k_1 in 0 .. min(256, K) {\n"
        "acc = fma(A[index * K + k_1], B[n + N * k_1], acc);\n"
        "}\n"
        "C[N * index + n] = acc;\n"
        "}\n"
        "}"
    )


def test_a_panel_whose_cases_differ_stays() -> None:
    other = PACKED.replace("PADDING", "0.0f").replace(
        "_mm512_loadu_ps(B + (long)k * ldb)", "_mm512_set1_ps(1)"
    )
    assert "f32 P[4096];" in canonical(other)
