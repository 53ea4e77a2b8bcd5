"""Products of matrices on packed panels are the products that they were packed for."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from xpiler.frontend import parse
from xpiler.ir.nodes import Function
from xpiler.ir.printer import show
from xpiler.passes.canonical import canonicalise


def parsed(text: str) -> Function:
    (function,) = parse(text, "k.cpp", platform="vnni").program.kernels
    return replace(function, params=tuple(replace(p, is_restrict=p.is_pointer) for p in function.params))


def canonical(text: str) -> str:
    """The loops of the only function, on arrays that are not one another; indices without their casts."""
    shown = show(canonicalise(parsed(text)).function)
    return re.sub(r"\(i64\)|(?<=\d)l\b", "", "\n".join(line.strip() for line in shown.splitlines()[1:-1]))


# Words of four steps of k for each of 16 columns, the last of which may be filled up with zeros.
VNNI = """
#include <immintrin.h>
#include <vector>
extern "C" void gemm(const unsigned char *A, const signed char *B, int *C, int M, int K, int N) {
  const int K4 = (K + 3) / 4;
  std::vector<signed char> panels(K4 * 4 * N);
  for (int n = 0; n < N / 16; ++n)
    for (int k = 0; k < K4; ++k)
      for (int j = 0; j < 16; ++j)
        for (int q = 0; q < 4; ++q)
          panels[((n * K4 + k) * 16 + j) * 4 + q] = k * 4 + q < K ? B[(k * 4 + q) * N + n * 16 + j] : 0;
  for (int m = 0; m < M; ++m)
    for (int n = 0; n < N / 16; ++n) {
      __m512i sums = _mm512_setzero_si512();
      const signed char *panel = panels.data() + n * K4 * 64;
      for (int k = 0; k < K / 4; ++k) {
        __m512i a = _mm512_set1_epi32(*(const int *)(A + m * K + k * 4));
        sums = _mm512_dpbusd_epi32(sums, a, _mm512_loadu_si512(panel + k * 64));
      }
      _mm512_storeu_si512(C + m * N + n * 16, sums);
    }
}
"""


def test_words_of_packed_bytes_are_read_where_they_were_packed_from() -> None:
    assert (
        canonical(VNNI)
        == """parallel for i32 m in 0 .. M {
parallel for i32 index in 0 .. N / 16 * 16 {
i32 sums = 0;
for i32 lane_2_part in 0 .. K / 4 * 4 {
sums += (i32)A[K * m + lane_2_part] * (i32)B[lane_2_part * N + index];
}
C[N * m + index] = sums;
}
}"""
    )


# Blocks of blocks, with panels of the rows and columns of each; edges are filled up with zeros.
BLOCKED = """
#include <immintrin.h>
#define MIN(a, b) ((a) < (b) ? (a) : (b))
static void pack_a(int mc, int kc, const float *A, int lda, float *out) {
  for (int i = 0; i < mc; i += 4) {
    int ib = MIN(4, mc - i);
    float *dst = out + i * kc;
    for (int p = 0; p < kc; p++) {
      for (int ii = 0; ii < ib; ii++) dst[p * 4 + ii] = A[(i + ii) * lda + p];
      for (int ii = ib; ii < 4; ii++) dst[p * 4 + ii] = 0.0f;
    }
  }
}
static void pack_b(int kc, int nc, const float *B, int ldb, float *out) {
  for (int j = 0; j < nc; j += 16) {
    int jb = MIN(16, nc - j);
    float *dst = out + j * kc;
    for (int p = 0; p < kc; p++) {
      for (int jj = 0; jj < jb; jj++) dst[p * 16 + jj] = B[p * ldb + j + jj];
      for (int jj = jb; jj < 16; jj++) dst[p * 16 + jj] = 0.0f;
    }
  }
}
static void kernel(int kc, const float *a, const float *b, float *c, int ldc, int mr, int nr, float alpha) {
  __m512 acc[4];
  for (int i = 0; i < 4; i++) acc[i] = _mm512_setzero_ps();
  for (int p = 0; p < kc; p++) {
    __m512 bv = _mm512_loadu_ps(b);
    for (int i = 0; i < 4; i++) acc[i] = _mm512_fmadd_ps(_mm512_set1_ps(a[i]), bv, acc[i]);
    a += 4;
    b += 16;
  }
  __mmask16 m = (__mmask16)((1u << nr) - 1);
  for (int i = 0; i < mr; i++) {
    __m512 cv = _mm512_maskz_loadu_ps(m, c + i * ldc);
    _mm512_mask_storeu_ps(c + i * ldc, m, _mm512_fmadd_ps(acc[i], _mm512_set1_ps(alpha), cv));
  }
}
extern "C" void gemm(int M, int N, int K, float alpha, const float *A, const float *B, float *C) {
  float *pa = (float *)_mm_malloc(32 * 64 * sizeof(float), 64);
  float *pb = (float *)_mm_malloc(64 * 128 * sizeof(float), 64);
  for (int jc = 0; jc < N; jc += 128) {
    int nc = MIN(128, N - jc);
    for (int pc = 0; pc < K; pc += 64) {
      int kc = MIN(64, K - pc);
      pack_b(kc, nc, B + pc * N + jc, N, pb);
      for (int ic = 0; ic < M; ic += 32) {
        int mc = MIN(32, M - ic);
        pack_a(mc, kc, A + ic * K + pc, K, pa);
        for (int jr = 0; jr < nc; jr += 16)
          for (int ir = 0; ir < mc; ir += 4)
            kernel(kc, pa + ir * kc, pb + jr * kc, C + (ic + ir) * N + jc + jr, N, MIN(4, mc - ir),
                   MIN(16, nc - jr), alpha);
      }
    }
  }
  _mm_free(pa);
  _mm_free(pb);
}
"""


def test_blocks_of_packed_rows_and_columns_are_one_product() -> None:
    assert (
        canonical(BLOCKED)
        == """parallel for i32 jc in 0 .. N {
parallel for i32 ic in 0 .. M {
f32 acc = 0.0f;
for i32 pc in 0 .. K {
acc = fma(A[K * ic + pc], B[N * pc + jc], acc);
}
f32 cv = C[N * ic + jc];
C[N * ic + jc] = fma(acc, alpha, cv);
}
}"""
    )


# Two registers a row, each with its own mask, staged in a row of which some columns are stored.
TWO_REGISTERS = """
#include <immintrin.h>
#include <algorithm>
#include <cstdlib>
#include <cstdint>
extern "C" void gemm(int M, int N, int K, const float *A, const float *B, float *C) {
  float *panels = (float *)aligned_alloc(64, sizeof(float) * ((N + 31) / 32) * 32 * K);
  float *out = panels;
  for (int64_t j = 0; j < N; j += 32) {
    const int64_t nb = std::min<int64_t>(32, N - j);
    const __mmask16 m0 = nb >= 16 ? 0xffff : (__mmask16)((1u << nb) - 1);
    const __mmask16 m1 = nb >= 32 ? 0xffff : (nb > 16 ? (__mmask16)((1u << (nb - 16)) - 1) : 0);
    for (int64_t p = 0; p < K; ++p, out += 32) {
      _mm512_storeu_ps(out, _mm512_maskz_loadu_ps(m0, B + p * N + j));
      _mm512_storeu_ps(out + 16, _mm512_maskz_loadu_ps(m1, B + p * N + j + 16));
    }
  }
  for (int64_t i = 0; i < M; i += 2)
    for (int64_t j = 0; j < N; j += 32) {
      const int64_t mb = std::min<int64_t>(2, M - i), nb = std::min<int64_t>(32, N - j);
      __m512 acc[2][2];
      for (int r = 0; r < 2; ++r) acc[r][0] = acc[r][1] = _mm512_setzero_ps();
      for (int64_t p = 0; p < K; ++p) {
        const float *b = panels + j * K + p * 32;
        __m512 b0 = _mm512_loadu_ps(b), b1 = _mm512_loadu_ps(b + 16);
        for (int r = 0; r < 2; ++r) {
          __m512 a = _mm512_set1_ps(r < mb ? A[(i + r) * K + p] : 0.f);
          acc[r][0] = _mm512_fmadd_ps(a, b0, acc[r][0]);
          acc[r][1] = _mm512_fmadd_ps(a, b1, acc[r][1]);
        }
      }
      alignas(64) float row[32];
      for (int64_t r = 0; r < mb; ++r) {
        _mm512_store_ps(row, acc[r][0]);
        _mm512_store_ps(row + 16, acc[r][1]);
        for (int64_t c = 0; c < nb; ++c) C[(i + r) * N + j + c] += row[c];
      }
    }
  free(panels);
}
"""


def test_registers_side_by_side_are_columns_and_the_row_is_not_staged() -> None:
    assert (
        canonical(TWO_REGISTERS)
        == """parallel for i64 i in 0 .. M {
parallel for i64 j_1 in 0 .. N {
f32 acc = 0.0f;
for i64 p_1 in 0 .. K {
acc = fma(A[i * K + p_1], B[N * p_1 + j_1], acc);
}
C[N * i + j_1] += acc;
}
}"""
    )


# Rows of `width` are filled as far as `used`; what is read is `read` of them.
ROWS = """
#include <vector>
extern "C" void rows(const float *x, float *y, int n, int m) {
  std::vector<float> t(n * 8);
  for (int i = 0; i < n; ++i)
    for (int j = 0; j < %d; ++j) t[i * %s + j] = x[i * 8 + j];
  for (int i = 0; i < n; ++i)
    for (int j = 0; j < %d; ++j) y[i * 8 + j] = t[i * 8 + j];
}
"""


@pytest.mark.parametrize(
    ("used", "width", "read", "forwarded"),
    [(8, "8", 8, True), (8, "8", 5, True), (5, "8", 8, False), (5, "8", 5, False), (8, "m", 8, False)],
)
def test_only_what_the_last_write_left_is_read_elsewhere(
    used: int, width: str, read: int, forwarded: bool
) -> None:
    """Zeros that were there before stay where the fill does not reach, or might overlap itself."""
    assert ("f32 t[" not in canonical(ROWS % (used, width, read))) is forwarded


SMALLER = """
extern "C" void scaled(const float *x, float *y, int n, int m, float a) {
  for (int b = 0; b < n; b += 64) {
    for (int i = 0; i < m; ++i) {
      float s = 0;
      for (int k = 0; k < (64 < n - b ? 64 : n - b); ++k) s += x[i * n + b + k];
      y[%s] %s;
    }
  }
}
"""


@pytest.mark.parametrize(
    ("place", "value", "one_sum"),
    [
        ("i", "+= s * a", True),
        ("i", "+= a * s", True),
        ("i", "= y[i] + s", True),
        ("i", "+= s * s", False),
        ("i", "+= s + a", False),
        ("i", "= s", False),
        ("b / 64 * m + i", "+= s", False),
        ("0", "+= s", False),
    ],
)
def test_panels_are_one_sum_where_a_multiple_of_it_is_added_to_one_element(
    place: str, value: str, one_sum: bool
) -> None:
    text = canonical(SMALLER % (place, value))
    assert ("for i32 b in 0 .. n {" in text) is one_sum
