"""Templates of which some instances have no form on the target: the others are translated."""

from __future__ import annotations

from xpiler.backend.host_cpp import none_of
from xpiler.frontend import parse
from xpiler.translate import translate_text

FILE = """
template <typename T> __global__ void axpy(int n, T a, const T* x, T* y) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) y[i] = a * x[i] + y[i];
}
template <typename T> void run(int n, T a, const T* x, T* y) {
  axpy<T><<<(n + 255) / 256, 256>>>(n, a, x, y);
}
void saxpy(int n, float a, const float* x, float* y) { run<float>(n, a, x, y); }
void daxpy(int n, double a, const double* x, double* y) { run<double>(n, a, x, y); }
"""
MAIN = """
#include <cstdio>
int main() {
  float* x;
  cudaMalloc(&x, 64 * sizeof(float));
  cudaMemset(x, 0, 64 * sizeof(float));
  saxpy(64, 2.f, x, x);
  double* y;
  cudaMalloc(&y, 64 * sizeof(double));
  daxpy(64, 2., y, y);
  printf("done\\n");
}
"""


def test_what_needs_the_instance_is_named_and_the_others_are_verified() -> None:
    result = translate_text(FILE + MAIN, "axpy.cu", "bang")
    assert {e.name: e.status for e in result.entries} == {
        "saxpy": "verified",
        "daxpy": "refused",
        "main": "refused",
    }
    told = [d.message for d in result.diagnostics if d.severity == "error"]
    assert [f"`{name}` needs `axpy<double>`" in m for m, name in zip(told, ("daxpy", "main"), strict=True)]
    assert "__builtin_trap()" in (result.text or "")


def test_a_launch_of_such_an_instance_alone_stops_the_program() -> None:
    direct = FILE.split("template <typename T> void run")[0] + (
        "void s(int n, float* x) { axpy<float><<<1, 32>>>(n, 1.f, x, x); }\n"
        "void d(int n, double* x) { axpy<double><<<1, 32>>>(n, 1., x, x); }\n"
    )
    unit = parse(direct, "k.cu")
    had = {"axpy_float": object()}
    stopped = {site.spelling: none_of(unit, [site], had) for site in unit.launches}
    assert stopped["axpy<float>"] is None
    assert stopped["axpy<double>"] == "__builtin_trap() /* axpy<double> is not translated */"


def test_a_main_that_stops_where_a_kernel_was_left_out_is_refused_for_it() -> None:
    text = """
__global__ void lane(unsigned* x) { unsigned r; asm("mov.u32 %0, %%smid;" : "=r"(r)); x[0] = r; }
__global__ void twice(float* x, int n) { int i = threadIdx.x; if (i < n) x[i] *= 2; }
int main() {
  float* x;
  cudaMalloc(&x, 64 * sizeof(float));
  cudaMemset(x, 0, 64 * sizeof(float));
  twice<<<1, 64>>>(x, 64);
  lane<<<1, 1>>>((unsigned*)x);
}
"""
    result = translate_text(text, "lane.cu", "vnni")
    told = {e.name: e.detail for e in result.entries if e.status == "refused"}
    assert "`main` needs `lane`, which is not translated" in told["main"]
    assert {e.name: e.status for e in result.entries}["twice"] == "verified"
