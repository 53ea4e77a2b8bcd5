"""Arrays that a source can do without: targets have to do without them in the same way."""

from xpiler.translate import verify_text

SOURCE = """
#include <cuda_runtime.h>
__global__ void add_bias_kernel(const float *x, const float *bias, float *y, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) y[i] = x[i] + (bias ? bias[i] : 0.0f);
}
extern "C" void add_bias(const float *x, const float *bias, float *y, int n) {
  float *dx, *db = nullptr, *dy;
  cudaMalloc(&dx, n * 4);
  cudaMalloc(&dy, n * 4);
  cudaMemcpy(dx, x, n * 4, cudaMemcpyHostToDevice);
  if (bias) {
    cudaMalloc(&db, n * 4);
    cudaMemcpy(db, bias, n * 4, cudaMemcpyHostToDevice);
  }
  add_bias_kernel<<<(n + 255) / 256, 256>>>(dx, db, dy, n);
  cudaMemcpy(y, dy, n * 4, cudaMemcpyDeviceToHost);
  cudaFree(dx);
  cudaFree(db);
  cudaFree(dy);
}
"""


def test_a_target_that_puts_something_else_for_a_missing_array_is_wrong() -> None:
    wrong = SOURCE.replace("bias[i] : 0.0f", "bias[i] : 1.0f")
    (entry,) = verify_text(SOURCE, "bias.cu", wrong, "wrong.cu").entries
    assert entry.status == "unverified"
    assert "no bias): y[0]" in entry.detail


def test_a_target_that_does_without_it_alike_is_right() -> None:
    alike = SOURCE.replace("(bias ? bias[i] : 0.0f)", "(bias == nullptr ? 0.0f : bias[i])")
    (entry,) = verify_text(SOURCE, "bias.cu", alike, "alike.cu").entries
    assert entry.status == "verified"
