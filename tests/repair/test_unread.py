"""A value that misses something misses what the function has and nothing reads."""

from __future__ import annotations

import pytest

from tests.repair.changed import changed

SCALED = """__global__ void f(const float *x, const float *filter, float *y, int n, int taps) {
  int c = blockIdx.x;
  float best = 0.0f;
  for (int k = 0; k < taps; ++k) best += x[c + k] * filter[c * taps + k];
  y[c] = best;
}
"""


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("x[c + k] * filter[c * taps + k]", "x[c + k]"),
        ("y[c] = best", "y[c] = 0"),
    ],
)
def test_what_nothing_reads_is_offered(right: str, wrong: str) -> None:
    assert SCALED in changed(SCALED.replace(right, wrong), "f.cu")


def test_a_function_that_nothing_calls_is_offered_of_an_element_that_nothing_reads() -> None:
    text = """__device__ float bent(float v) { return v * v; }
__global__ void f(const float *x, float *y) {
  int i = threadIdx.x;
  y[i] = bent(x[i]);
}
"""
    assert text in changed(text.replace("bent(x[i]);", "0;"), "f.cu")


def test_a_vector_is_multiplied_with_a_load_of_what_nothing_reads() -> None:
    text = """#include <immintrin.h>
extern "C" void f(const float *x, const float *w, float *y, int n) {
  __m512 s = _mm512_set1_ps(0.5f);
  for (int i = 0; i + 16 <= n; i += 16)
    _mm512_storeu_ps(y + i, _mm512_mul_ps(_mm512_mul_ps(_mm512_loadu_ps(x + i), s), _mm512_loadu_ps(w + i)));
}
"""
    wrong = text.replace(
        "_mm512_mul_ps(_mm512_mul_ps(_mm512_loadu_ps(x + i), s), _mm512_loadu_ps(w + i))",
        "_mm512_mul_ps(_mm512_loadu_ps(x + i), s)",
    )
    assert text in changed(wrong, "f.cpp")


def test_a_loop_that_does_nothing_may_have_cleared_vectors() -> None:
    text = """#include <immintrin.h>
extern "C" void f(const float *x, float *y, int n) {
  __m512 s[4];
  for (int j = 0; j < 4; ++j) s[j] = _mm512_setzero_ps();
  for (int i = 0; i < n; ++i)
    for (int j = 0; j < 4; ++j) s[j] = _mm512_add_ps(s[j], _mm512_loadu_ps(x + (i * 4 + j) * 16));
  for (int j = 0; j < 4; ++j) _mm512_storeu_ps(y + j * 16, s[j]);
}
"""
    assert text in changed(text.replace("s[j] = _mm512_setzero_ps();", ";"), "f.cpp")
