"""Loops that take several iterations at a time, each with names of its own, take one at a time."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from xpiler.frontend import parse
from xpiler.ir.interpret import run
from xpiler.ir.nodes import Function
from xpiler.ir.printer import show
from xpiler.passes.canonical import canonicalise
from xpiler.passes.normal_statements import normal


def parsed(text: str) -> Function:
    (function,) = parse(text, "k.cpp", platform="vnni").program.kernels
    return replace(function, params=tuple(replace(p, is_restrict=p.is_pointer) for p in function.params))


def canonical(text: str) -> str:
    """The loops of the only function, on arrays that are not one another; indices without their casts."""
    shown = show(canonicalise(parsed(text)).function)
    return re.sub(r"\(i64\)", "", "\n".join(line.strip() for line in shown.splitlines()[1:-1]))


VECTORS = """
#include <immintrin.h>
extern "C" void gemm(const float *A, const float *B, float *C, int M, int N, int K) {
  for (int m = 0; m < M / 2 * 2; m += 2) {
    for (int n = 0; n < N / 32 * 32; n += 32) {
      __m512 c00 = _mm512_setzero_ps(), c01 = c00, c10 = c00, c11 = c00;
      for (int k = 0; k < K; ++k) {
        const __m512 b0 = _mm512_loadu_ps(B + (long)k * N + n);
        const __m512 b1 = _mm512_loadu_ps(B + (long)k * N + n + 16);
        const __m512 a0 = _mm512_set1_ps(A[(long)m * K + k]);
        c00 = _mm512_fmadd_ps(a0, b0, c00);
        c01 = _mm512_fmadd_ps(a0, b1, c01);
        const __m512 a1 = _mm512_set1_ps(A[(long)(m + 1) * K + k]);
        c10 = _mm512_fmadd_ps(a1, b0, c10);
        c11 = _mm512_fmadd_ps(a1, b1, c11);
      }
      _mm512_storeu_ps(C + (long)m * N + n, c00);
      _mm512_storeu_ps(C + (long)m * N + n + 16, c01);
      _mm512_storeu_ps(C + (long)(m + 1) * N + n, c10);
      _mm512_storeu_ps(C + (long)(m + 1) * N + n + 16, c11);
    }
    for (int n = N / 32 * 32; n < N; ++n) {
      float s0 = 0, s1 = 0;
      for (int k = 0; k < K; ++k) {
        s0 += A[(long)m * K + k] * B[(long)k * N + n];
        s1 += A[(long)(m + 1) * K + k] * B[(long)k * N + n];
      }
      C[(long)m * N + n] = s0;
      C[(long)(m + 1) * N + n] = s1;
    }
  }
}
"""

GUARDED = """
extern "C" void gemm(const float *A, const float *B, float *C, int M, int N, int K) {
  for (int m = 0; m < M; m += 3) {
    const int m1 = m + 1 < M - 1 ? m + 1 : M - 1;
    const int m2 = m + 2 < M - 1 ? m + 2 : M - 1;
    for (int n = 0; n < N; ++n) {
      float c0 = 0, c1 = 0, c2 = 0;
      for (int k = 0; k < K; ++k) {
        const float b = B[k * N + n];
        c0 += A[m * K + k] * b;
        c1 += A[m1 * K + k] * b;
        c2 += A[m2 * K + k] * b;
      }
      C[m * N + n] = c0;
      if (m + 1 < M) C[m1 * N + n] = c1;
      if (m + 2 < M) C[(m + 2) * N + n] = c2;
    }
  }
}
"""


STRIPS = """
#include <immintrin.h>
extern "C" void gemm(const float *A, const float *B, float *C, int M, int N, int K) {
  const int columns = N < (int)(unsigned)((N + 127) / 128) * 128 ? N : (int)(unsigned)((N + 127) / 128) * 128;
  for (int first = 0; first < columns; first += 64) {
    const int end = first + (64 < columns - first ? 64 : columns - first);
    for (int m = 0; m < M; m += 2) {
      const int last = m + 1 < M - 1 ? m + 1 : M - 1;
      for (int n = first; n < first + (end - first) / 32 * 32; n += 32) {
        __m512 c00 = _mm512_setzero_ps(), c01 = c00, c10 = c00, c11 = c00;
        for (int k = 0; k < K; ++k) {
          const __m512 b0 = _mm512_loadu_ps(B + k * N + n), b1 = _mm512_loadu_ps(B + k * N + n + 16);
          c00 = _mm512_fmadd_ps(_mm512_set1_ps(A[m * K + k]), b0, c00);
          c01 = _mm512_fmadd_ps(_mm512_set1_ps(A[m * K + k]), b1, c01);
          c10 = _mm512_fmadd_ps(_mm512_set1_ps(A[last * K + k]), b0, c10);
          c11 = _mm512_fmadd_ps(_mm512_set1_ps(A[last * K + k]), b1, c11);
        }
        _mm512_storeu_ps(C + m * N + n, c00);
        _mm512_storeu_ps(C + m * N + n + 16, c01);
        if (m + 1 < M) _mm512_storeu_ps(C + last * N + n, c10);
        if (m + 1 < M) _mm512_storeu_ps(C + last * N + n + 16, c11);
      }
      for (int n = first + (end - first) / 32 * 32; n < end; n += 16) {
        const __mmask16 lanes = end - n < 16 ? (__mmask16)((1u << (end - n)) - 1u) : 0xffff;
        __m512 c0 = _mm512_setzero_ps(), c1 = c0;
        for (int k = 0; k < K; ++k) {
          const __m512 b = _mm512_maskz_loadu_ps(lanes, B + k * N + n);
          c0 = _mm512_fmadd_ps(_mm512_set1_ps(A[m * K + k]), b, c0);
          c1 = _mm512_fmadd_ps(_mm512_set1_ps(A[last * K + k]), b, c1);
        }
        _mm512_mask_storeu_ps(C + m * N + n, lanes, c0);
        if (m + 1 < M) _mm512_mask_storeu_ps(C + last * N + n, lanes, c1);
      }
    }
  }
}
"""


def test_rows_of_strips_that_have_a_rest_come_apart() -> None:
    loops = canonical(STRIPS)
    assert "for i32 m in 0 .. M {" in loops
    assert "for i32 first in 0 .. N step 64 {" in loops  # what blocks of 128 cover of N is N
    assert "step 2" not in loops and "step 32" not in loops


def test_the_rest_of_a_loop_may_have_fewer_copies_than_its_step() -> None:
    text = """
    extern "C" void f(const float *a, float *c, int n, int m) {
      for (int i = n / 4 * 4; i < n; i += 4)
        for (int j = 0; j < m; ++j) {
          const float s = j;
          c[i * m + j] = a[i * m + j] + s;
          if (i + 1 < n) c[(i + 1) * m + j] = a[(i + 1) * m + j] + s;
          if (i + 2 < n) c[(i + 2) * m + j] = a[(i + 2) * m + j] + s;
        }
    }"""
    assert "for i32 i in n / 4 * 4 .. n {" in canonical(text)
    assert "step 4" in canonical(text.replace("i = n / 4 * 4", "i = 0"))  # one of four is left out


def test_named_accumulators_of_a_tile_are_one_sum() -> None:
    assert canonical(VECTORS) == (
        "parallel for i32 m in 0 .. M / 2 * 2 {\n"
        "parallel for i32 n in 0 .. N {\n"
        "f32 c00 = 0.0f;\n"
        "for i32 k in 0 .. K {\n"
        "c00 = fma(A[m * K + k], B[N * k + n], c00);\n"
        "}\n"
        "C[N * m + n] = c00;\n"
        "}\n"
        "}"
    )


def test_the_last_copies_may_be_guarded_by_the_end_of_the_loop() -> None:
    assert canonical(GUARDED).startswith(
        "parallel for i32 m in 0 .. M {\n"
        "parallel for i32 n in 0 .. N {\n"
        "f32 c0 = 0.0f;\n"
        "for i32 k in 0 .. K {\n"
        "f32 b = B[k * N + n];\n"
        "c0 += A[m * K + k] * b;\n"
        "}\n"
    )


@pytest.mark.parametrize("text", [VECTORS, GUARDED, STRIPS])
@pytest.mark.parametrize("sizes", [(5, 37, 3), (4, 64, 2), (1, 1, 1), (2, 33, 0), (7, 16, 5), (3, 129, 2)])
def test_what_is_computed_stays(text: str, sizes: tuple[int, int, int]) -> None:
    rows, columns, depth = sizes
    random = np.random.default_rng(5)
    left = random.integers(-8, 8, (rows, depth)).astype(np.float32)
    right = random.integers(-8, 8, (depth, columns)).astype(np.float32)
    result = np.full((rows, columns), 7, np.float32)
    arguments = {"A": left, "B": right, "C": result, "M": rows, "N": columns, "K": depth}
    assert not run(canonicalise(parsed(text)).function, arguments).errors
    whole = rows // 2 * 2 if text is VECTORS else rows
    assert (result[:whole] == left[:whole] @ right).all()
    assert (result[whole:] == 7).all()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("c2 += A[m2 * K + k] * b", "c2 += A[m2 * K + k] * -b"),  # does something else
        ("A[m2 * K + k] * b", "A[m1 * K + k] * b"),  # of another row
        ("if (m + 2 < M)", "if (m + 2 < M - 1)"),  # not the end of the loop
        ("if (m + 2 < M)", "if (m + 2 <= M - 1 && n > 0)"),  # under one more condition
        ("m + 1 < M - 1 ? m + 1 : M - 1", "m + 1 < M - 2 ? m + 1 : M - 2"),  # one of the last rows twice
        ("C[(m + 2) * N + n] = c2", "C[(m + 2) * N + n] = c2 + C[m * N + n]"),  # reads what another one wrote
        ("C[m * N + n] = c0", "C[m * (N - 1) + n] = c0"),  # rows that overlap
    ],
)
def test_copies_that_are_not_alike_stay(old: str, new: str) -> None:
    assert old in GUARDED
    assert "step 3" in canonical(GUARDED.replace(old, new))


def test_rows_that_may_overlap_keep_their_order() -> None:
    text = """
    extern "C" void f(const float *a, float *c, int n, int m, int w) {
      for (int i = 0; i < n / 2 * 2; i += 2)
        for (int j = 0; j < m; ++j) {
          c[i * w + j] = a[i * m + j];
          c[(i + 1) * w + j] = a[(i + 1) * m + j];
        }
    }"""
    assert "step 2" in canonical(text)
    assert "step 2" not in canonical(text.replace("* w", "* m"))


def test_statements_are_compared_by_what_they_do() -> None:
    one = parsed(
        'extern "C" void f(const float *a, float *c, int n) {\n'
        "  for (int i = 0; i < n; ++i) { float v = a[i]; float w = a[i + 1 + n]; c[i] = w * v; }\n}"
    )
    other = parsed(
        'extern "C" void f(const float *a, float *c, int n) {\n'
        "  for (int k = 0; n > k; ++k) { float x = a[n + k + 1]; float y = a[k]; c[k] = x * y; }\n}"
    )
    assert normal(one.body) == normal(other.body)
    twice = parsed(
        'extern "C" void f(const float *a, float *c, int n) {\n'
        "  for (int k = 0; n > k; ++k) { float x = a[n + k + 1]; float y = a[k]; c[k] = y * y; }\n}"
    )
    assert normal(one.body) != normal(twice.body)


def test_a_definition_does_not_pass_what_changes_it() -> None:
    before, after = (
        parsed(f'extern "C" void f(float *a, float *c) {{ {first} {second} c[1] = v; }}')
        for first, second in (("float v = a[0];", "a[0] = 2;"), ("a[0] = 2;", "float v = a[0];"))
    )
    assert normal(before.body) != normal(after.body)
