"""A text without a kernel that cannot be translated: what goes with it, and what stays."""

from __future__ import annotations

from xpiler.backend.omit import kernel_at, without_kernel
from xpiler.frontend import parse

TEXT = """\
__device__ unsigned lane() { unsigned r; asm("mov.u32 %0, %%laneid;" : "=r"(r)); return r; }
__device__ float half_of(float x) { return 0.5f * x; }
__global__ void bad(float *o) { o[lane()] = half_of(1); }
__global__ void good(float *o) { o[threadIdx.x] = half_of(2); }
void run(float *o) { bad<<<1, 32>>>(o); good<<<1, 32>>>(o); }
"""


def test_what_only_the_kernel_calls_goes_with_it() -> None:
    text = without_kernel(parse(TEXT, "k.cu"), "bad")
    assert "asm" not in text and "void bad" not in text and "__builtin_trap()" in text
    assert "half_of(float x)" in text and "void good" in text
    assert text.count("\n") == TEXT.count("\n")


def test_a_place_in_a_device_function_is_one_of_the_kernel_that_calls_it() -> None:
    assert kernel_at(parse(TEXT, "k.cu"), "k.cu", 1) == "bad"


def test_of_plain_functions_only_the_named_one_goes() -> None:
    text = """extern "C" float first(const float *x) { return x[0]; }
extern "C" void scale(const float *x, float *y, int n) { for (int i = 0; i < n; ++i) y[i] = 2 * x[i]; }
"""
    left = without_kernel(parse(text, "k.cpp", platform="vnni"), "first").splitlines()
    assert left == ["/* kernel first is not translated */", text.splitlines()[1]]
