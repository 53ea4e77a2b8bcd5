"""What CUDA's headers give to host code and C++ does not."""

from __future__ import annotations

import pytest

from xpiler.backend.host_math import called_in
from xpiler.translate import translate_text

SOURCE = """
__global__ void scale(float *y, const float *x, int n, float s) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) y[i] = x[i] * s;
}
extern "C" void run(float *y, const float *x, int n) {
  int b = min(256, max(n, 32));
  scale<<<(n + b - 1) / b, b>>>(y, x, n, rsqrtf((float)n) * exp10f(0.25f));
}
"""


@pytest.mark.parametrize("target", ["vnni", "bang"])
def test_host_code_may_use_the_functions_of_cuda(target: str) -> None:
    assert translate_text(SOURCE, "scale.cu", target).status == "verified"


@pytest.mark.parametrize(
    ("code", "names"),
    [
        ("int b = max(n, 3);", ["max"]),
        ("return min(a, b);", ["min"]),
        ("int b = std::max(n, 3) + fmax(1, 2);", []),
        ("using namespace std; int b = max(n, 3);", []),
        ("static int max(int a, int b) { return a > b ? a : b; } int c = max(1, 2);", []),
        ("#define max(a, b) ((a) > (b) ? (a) : (b))\nint c = max(1, 2);", []),
        ("float s = rsqrtf(d);", ["rsqrtf"]),
    ],
)
def test_what_a_text_calls_and_does_not_have(code: str, names: list[str]) -> None:
    found = [name for name in ("min", "max", "rsqrtf") for text in called_in(code) if f" {name}(" in text]
    assert found == names
