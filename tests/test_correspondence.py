"""Which statement of a translation stands for which of the source, found in the two texts alone."""

from __future__ import annotations

from xpiler.correspondence import correspondence

CUDA = """__global__ void scale(const float *x, float *y, int n) {
  __shared__ float s[64];
  int i = blockIdx.x * 64 + threadIdx.x;
  s[threadIdx.x] = i < n ? x[i] : 0.0f;
  __syncthreads();
  float best = fmaxf(s[threadIdx.x], 1.0f);
  for (int k = 0; k < 4; ++k) best += x[k];
  if (i < n) y[i] = best * 3.0f;
}
"""
PLAIN = """#include <immintrin.h>
extern "C" void scale(const float *x, float *y, int n) {
  for (int i = 0; i < n; i += 16) {
    __m512 v = _mm512_loadu_ps(x + i);
    __m512 best = _mm512_max_ps(v, _mm512_set1_ps(1.0f));
    for (int k = 0; k < 4; ++k) best = _mm512_add_ps(best, _mm512_set1_ps(x[k]));
    _mm512_storeu_ps(y + i, _mm512_mul_ps(best, _mm512_set1_ps(3.0f)));
  }
}
"""


def pairs(source: str, source_file: str, target: str, target_file: str) -> dict[str, str]:
    found = correspondence(source, source_file, target, target_file)
    return {target[slice(*match.target)]: source[slice(*match.source)] for match in found}


def test_statements_are_matched_by_what_they_compute_from() -> None:
    found = pairs(CUDA, "k.cu", PLAIN, "k.cpp")
    store = "_mm512_storeu_ps(y + i, _mm512_mul_ps(best, _mm512_set1_ps(3.0f)))"
    assert found[store] == "y[i] = best * 3.0f"
    assert found["v = _mm512_loadu_ps(x + i)"].startswith("s[threadIdx.x] = i < n ?")
    assert found["best = _mm512_max_ps(v, _mm512_set1_ps(1.0f))"].startswith("best = fmaxf(")
    assert found["for (int k = 0; k < 4; ++k)"[:27]].startswith("for (int k")


def test_texts_of_one_model_are_compared_line_by_line() -> None:
    hip = '#include "hip/hip_runtime.h"\n' + CUDA.replace("threadIdx.x;", "hipThreadIdx_x;")
    found = pairs(CUDA, "k.cu", hip, "k.hip")
    assert found["int i = blockIdx.x * 64 + hipThreadIdx_x;"] == "int i = blockIdx.x * 64 + threadIdx.x;"
    assert '#include "hip/hip_runtime.h"' not in found


def test_a_text_that_cannot_be_read_has_no_counterparts() -> None:
    assert correspondence(CUDA, "k.cu", "void f( {", "k.cpp") == ()
