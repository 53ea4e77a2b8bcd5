"""What no compiler takes is not offered, and what some compiler takes is."""

from __future__ import annotations

import re

import pytest

from tests.repair.changed import changed

CUDA = """__device__ float dot(const float *a, float *b) { return a[0] * b[0]; }
__global__ void k(const float *x, float *y, float *z, int n) {
  y[0] = z[0];
  z[1] = dot(x, y);
}
extern "C" void f(const float *x, float *y, int n) {
  float *d_x, *d_y;
  size_t bytes = n * sizeof(float);
  cudaMalloc(&d_x, bytes);
  cudaMemcpy(d_x, x, bytes, cudaMemcpyHostToDevice);
  k<<<n, 64>>>(d_x, d_y, d_y, n);
}
"""
AVX = """#include <immintrin.h>
extern "C" void f(const float *x, float *y) {
  __m512 v = _mm512_loadu_ps(x);
  _mm512_storeu_ps(y, _mm512_max_ps(v, v));
}
"""
BANG = """#include <bang.h>
__nram__ float a[64], b[64];
__mlu_entry__ void f(float *y, int n) {
  __memcpy(a, y, n * sizeof(float), GDRAM2NRAM);
  __bang_fusion(FUSION_FMA, a, a, b, b, n, n);
  __bang_active_relu(a, a, n);
}
"""


@pytest.mark.parametrize(
    ("text", "file", "here", "there"),
    [
        (CUDA, "f.cu", "cudaMalloc(&d_x, bytes)", "cudaMalloc(bytes, &d_x)"),
        (CUDA, "f.cu", "cudaMemcpy(d_x, x, bytes,", "cudaMemcpy(x, d_x, bytes,"),
        (CUDA, "f.cu", "bytes, cudaMemcpyHostToDevice", "cudaMemcpyHostToDevice, bytes"),
        (CUDA, "f.cu", "y[0] = z", "x[0] = z"),
        (CUDA, "f.cu", "dot(x, y)", "dot(y, x)"),
        (AVX, "f.cpp", "_mm512_loadu_ps(x)", "_mm512_loadu_pd(x)"),
        (AVX, "f.cpp", "_mm512_storeu_ps(y,", "_mm512_loadu_ps(y,"),
        (
            BANG,
            "f.mlu",
            "__bang_fusion(FUSION_FMA, a, a, b, b, n, n)",
            "__bang_mul(FUSION_FMA, a, a, b, b, n, n)",
        ),
        (BANG, "f.mlu", "n * sizeof(float), GDRAM2NRAM", "GDRAM2NRAM, n * sizeof(float)"),
    ],
)
def test_what_cannot_be_compiled(text: str, file: str, here: str, there: str) -> None:
    assert here in text
    assert text.replace(here, there) not in changed(text, file)


@pytest.mark.parametrize(
    ("text", "file", "here", "there"),
    [
        (CUDA, "f.cu", "y[0] = z", "y[0] = x"),
        (CUDA, "f.cu", "(d_x, d_y, d_y, n)", "(d_y, d_x, d_y, n)"),
        (CUDA, "f.cu", "<<<n, 64>>>", "<<<n, 128>>>"),
        (AVX, "f.cpp", "_mm512_max_ps", "_mm512_min_ps"),
        (BANG, "f.mlu", "__memcpy(a, y, n", "__memcpy(y, a, n"),
    ],
)
def test_what_can_be(text: str, file: str, here: str, there: str) -> None:
    assert here in text
    assert text.replace(here, there) in changed(text, file)


HIP = """#include <hip/hip_runtime.h>
__global__ void k(const float2 *x, float *y, int n) { y[0] = x[0].x; }
extern "C" void f(const float2 *x, float *y, int n, int rows) {
  dim3 grid(n, rows);
  hipLaunchKernelGGL(k, grid, dim3(64), 0, 0, x, y, n);
}
"""


def test_arguments_of_a_launch_stay_what_they_are_and_a_constructed_grid_may_change() -> None:
    texts = changed(HIP, "f.hip")
    assert HIP.replace("(k, grid, dim3(64),", "(grid, k, dim3(64),") not in texts
    assert HIP.replace("(k, grid, dim3(64),", "(k, dim3(64), grid,") in texts
    assert HIP.replace("grid(n, rows)", "grid(rows, rows)") in texts
    moved = HIP.replace("  dim3 grid(n, rows);\n", "").replace(
        "x, y, n);\n}", "x, y, n);\n  dim3 grid(n, rows);\n}"
    )
    assert moved not in texts


def test_constants_of_a_header_that_is_not_included_and_functions_of_the_source_alone() -> None:
    text = """#include <immintrin.h>
extern "C" void f(const float *x, float *y, int n) {
  float best = 0.0f;
  for (int i = 0; i < n; ++i) best = best > x[i] ? best : x[i];
  y[0] = best;
}
"""
    source = text.replace("extern", "float top(float v) { return v; }\nextern").replace(
        "y[0] = best", "y[0] = top(best)"
    )
    texts = "\n".join(changed(text, "f.cpp", source))
    assert "INFINITY" not in texts
    assert "top(" not in texts
    assert "INFINITY" in "\n".join(changed("#include <math.h>\n" + text, "f.cpp", source))


def test_a_pointer_to_another_type_is_none_and_a_function_needs_its_header() -> None:
    text = """#include <immintrin.h>
extern "C" void f(const unsigned char *x, const signed char *w, const signed char *v, float *y, int n) {
  float sum = 0.0f;
  for (int i = 0; i < n; ++i) sum += x[i] * w[i] * v[i];
  y[0] = sum;
}
"""
    source = text.replace("y[0] = sum", "y[0] = tanhf(sum)").replace("i < n", "i < min(n, 4)")
    texts = changed(text, "f.cpp", source)
    assert text.replace("x[i]", "w[i]") not in texts
    assert text.replace("w[i]", "v[i]") in texts
    assert not [made for made in texts if "tanhf" in made or re.search(r"(?<!::)min\(", made)]
    included = "#include <math.h>\n" + text
    assert included.replace("y[0] = sum", "y[0] = tanhf(sum)") in changed(included, "f.cpp", source)
