"""A right translation with one thing wrong in it, and the repair."""

import pytest

from xpiler.repair import repair

SCALE = """__global__ void scale_kernel(const float *x, float *y, float a, int rows, int cols) {
  int c = blockIdx.x * blockDim.x + threadIdx.x;
  int r = blockIdx.y;
  if (c < cols && r < rows) y[r * cols + c] = a * x[r * cols + c];
}
extern "C" void scale(const float *x, float *y, float a, int rows, int cols) {
  float *d_x, *d_y;
  size_t bytes = (size_t)rows * cols * sizeof(float);
  cudaMalloc(&d_x, bytes);
  cudaMalloc(&d_y, bytes);
  cudaMemcpy(d_x, x, bytes, cudaMemcpyHostToDevice);
  scale_kernel<<<dim3((cols + 31) / 32, rows), 32>>>(d_x, d_y, a, rows, cols);
  cudaMemcpy(y, d_y, bytes, cudaMemcpyDeviceToHost);
  cudaFree(d_x);
  cudaFree(d_y);
}
"""

SERIAL = """#include <immintrin.h>
extern "C" void scale(const float *x, float *y, float a, int rows, int cols) {
  for (int r = 0; r < rows; ++r) {
    int c = 0;
    for (; c + 16 <= cols; c += 16)
      _mm512_storeu_ps(y + r * cols + c, _mm512_mul_ps(_mm512_set1_ps(a), _mm512_loadu_ps(x + r * cols + c)));
    for (; c < cols; ++c) y[r * cols + c] = a * x[r * cols + c];
  }
}
"""
SECONDS = 120.0  # a busy machine must not decide


@pytest.mark.parametrize(
    ("right", "wrong", "line"),
    [
        ("r < rows; ++r", "r < rows - 1; ++r", 3),
        ("c < cols; ++c", "c < cols - 1; ++c", 7),
        ("_mm512_storeu_ps(y + r * cols", "_mm512_storeu_ps(y + r * rows", 6),
    ],
)
def test_a_bound_or_stride_of_a_serial_target(right: str, wrong: str, line: int) -> None:
    assert right in SERIAL
    found = repair(SCALE, "scale.cu", SERIAL.replace(right, wrong), "scale.cpp", seconds=SECONDS)
    assert found.status == "repaired", found.reason
    assert found.text == SERIAL
    assert [place.range.line for place in found.localized] == [line]
    assert found.diff.count("\n-") == found.diff.count("\n+ ") == 1


@pytest.mark.parametrize(
    ("right", "wrong", "line"),
    [
        ("c < cols && r", "c <= cols && r", 4),
        ("(cols + 31) / 32", "cols / 32", 12),
        ("cudaMemcpy(d_x, x, bytes, cudaMemcpyHostToDevice);", "", 12),
    ],
)
def test_a_guard_a_launch_or_a_copy_of_a_gpu_target(right: str, wrong: str, line: int) -> None:
    assert right in SCALE
    found = repair(SERIAL, "scale.cpp", SCALE.replace(right, wrong), "scale.cu", seconds=SECONDS)
    assert found.status == "repaired", found.reason
    assert [place.range.line for place in found.localized] == [line]


def test_a_right_target_is_left_alone() -> None:
    found = repair(SCALE, "scale.cu", SERIAL, "scale.cpp")
    assert (found.status, found.text, found.diff) == ("nothing wrong", None, "")
