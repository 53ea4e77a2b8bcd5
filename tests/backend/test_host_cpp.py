"""CUDA programs with their host code as C++: the interface and the comments stay, launches become calls."""
# ruff: noqa: E501 - one kernel statement a line reads best

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest

from tests.backend.cpp import build, flags_for
from xpiler.backend.host_cpp import to_cpp
from xpiler.backend.plain_host import plain_host
from xpiler.backend.vnni import generate
from xpiler.errors import Refusal
from xpiler.frontend import parse
from xpiler.passes.canonical import canonicalise


def translated(text: str) -> str:
    unit = parse(text, "test.cu")
    return to_cpp(
        unit, {k.name: generate(canonicalise(k, k.block_size).function) for k in unit.program.kernels}
    )


WRAPPER = """\
// Scales a vector.
#include <cuda_runtime.h>
#include <cstdio>
#define BLOCK 128  // threads
__constant__ float factor[1];

template <typename T>
__global__ void scale(T *x, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) x[i] = x[i] * (T)factor[0];
}

/* the entry */
extern "C" void run(const float *in, float *out, int n) {
    float *d;
    cudaMalloc(&d, n * sizeof(float));
    cudaMemcpy(d, in, n * sizeof(float), cudaMemcpyHostToDevice);
    float two = 2.0f;
    cudaMemcpyToSymbol(factor, &two, sizeof two);
    dim3 grid((n + BLOCK - 1) / BLOCK);
    scale<float><<<grid, BLOCK>>>(d, n);  // launch
    if (cudaGetLastError() != cudaSuccess) printf("failed\\n");
    cudaDeviceSynchronize();
    cudaMemcpy(out, d, n * sizeof(float), cudaMemcpyDeviceToHost);
    cudaFree(d);
}
"""


def test_a_host_wrapper_keeps_its_interface_and_comments(tmp_path: Path) -> None:
    text = translated(WRAPPER)
    for kept in (
        "// Scales a vector.",
        "#define BLOCK 128  // threads",
        "/* the entry */",
        "// launch",
        'extern "C" void run(',
    ):
        assert kept in text
    for gone in ("<<<", "__global__", "cuda_runtime", "__constant__", "cudaStream"):
        assert gone not in text
    library = build(text, tmp_path, "wrapper")
    x, y = np.arange(300, dtype=np.float32), np.zeros(300, np.float32)
    library.call("run", x, y, np.int32(299))
    np.testing.assert_array_equal(y[:299], 2 * x[:299])


PROGRAM = """\
#include <stdio.h>
#include <cuda_runtime.h>
#define CHECK(call) do { cudaError_t e = (call); if (e != cudaSuccess) { printf("%s\\n", cudaGetErrorString(e)); return 1; } } while (0)
__global__ void count(const int *x, int *total, int n);
__device__ int is_even(int v) { return v % 2 == 0; }
__global__ void count(const int *x, int *total, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n && is_even(x[i])) atomicAdd(total, 1);
}
int main() {
    int n = 1000, host = 0, *x, *total;
    CHECK(cudaMallocManaged(&x, n * sizeof(int)));
    CHECK(cudaMalloc((void **)&total, sizeof(int)));
    for (int i = 0; i < n; i++) x[i] = i;
    cudaEvent_t start, stop;
    cudaEventCreate(&start); cudaEventCreate(&stop);
    cudaEventRecord(start);
    CHECK(cudaMemset(total, 0, sizeof(int)));
    count<<<(n + 63) / 64, 64, 0, 0>>>(x, total, n);
    CHECK(cudaGetLastError());
    cudaEventRecord(stop); cudaEventSynchronize(stop);
    float ms; cudaEventElapsedTime(&ms, start, stop);
    CHECK(cudaMemcpy(&host, total, sizeof(int), cudaMemcpyDeviceToHost));
    printf("%d %s\\n", host, host == 500 ? "PASSED" : "FAILED");
    return 0;
}
"""


def output_of(text: str, folder: Path, compiler: str) -> str:
    source = folder / "program.cpp"
    source.write_text(text)
    flags = [f for f in flags_for(text) if f not in ("-shared", "-fPIC")]
    subprocess.run([compiler, *flags, str(source), "-o", str(folder / "program")], check=True)
    return subprocess.run([str(folder / "program")], capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("compiler", ["g++", "clang++"])
def test_a_program_with_main_builds_and_runs(compiler: str, tmp_path: Path) -> None:
    assert output_of(translated(PROGRAM), tmp_path, compiler) == "500 PASSED\n"


def test_a_launch_in_a_namespace_keeps_its_qualifier() -> None:
    text = translated(
        "namespace ops { __global__ void one(float *x) { x[threadIdx.x] = 1; } }\nvoid f(float *x) { "
        "ops::one<<<1, 32>>>(x); }\n"
    )
    assert "ops::one(1, 32, x)" in text


def test_a_library_without_host_form_is_refused() -> None:
    text = "#include <cublas_v2.h>\n__global__ void k(float *x) { x[0] = 1; }\nvoid f(float *x) { cublasDestroy(0); k<<<1, 1>>>(x); }\n"
    with pytest.raises(Refusal, match=r"test.cu:3:20: error: 'cublasDestroy' has no form on the host"):
        translated(text)


def test_an_optional_array_is_compared_with_nullptr() -> None:
    text = translated(
        "__global__ void k(float *a, float *mean) { a[threadIdx.x] = 1; if (mean != nullptr) mean[threadIdx.x] = 2; }\n"
        "void run(float *a, float *m) { k<<<1, 32>>>(a, m); }\n"
    )
    assert "(mean == nullptr)" in text


FUNCTORS = """\
struct Relu { __device__ float operator()(float x) const { return x > 0.f ? x : 0.f; } };
struct Scale { float by; __device__ float operator()(float x) const { return x * by; } };
template <typename Op> __global__ void map(const float *in, float *out, int n, Op op) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) out[i] = op(in[i]);
}
template <typename Op> void run(const float *in, float *out, int n, Op op) {
    map<<<(n + 63) / 64, 64>>>(in, out, n, op);
}
void relu(const float *in, float *out, int n) { run(in, out, n, Relu()); }
void scale(const float *in, float *out, int n, float s) { run(in, out, n, Scale{s}); }
"""


def test_a_launch_of_several_instances_picks_by_the_template_arguments() -> None:
    text = translated(FUNCTORS)
    assert "if constexpr (std::is_same_v<Op, Relu>) map_Relu(gridDim, blockDim, in, out, n);" in text
    assert "std::is_same_v<Op, Scale>) map_Scale(gridDim, blockDim, in, out, n, op.by);" in text
    assert "else __builtin_trap();" in text
    assert "map((n + 63) / 64, 64, in, out, n, op);" in text


def test_a_template_template_argument_is_told_by_what_it_makes_of_a_type() -> None:
    text = translated(
        "template <class T> struct Add { __device__ T operator()(T a, T b) const { return a + b; } };\n"
        "template <class T> struct Mul { __device__ T operator()(T a, T b) const { return a * b; } };\n"
        "template <class T, template <class> class Op> __global__ void pair(T *a, int n) {\n"
        "    int i = threadIdx.x; if (i < n) a[i] = Op<T>()(a[i], a[i]);\n"
        "}\n"
        "template <template <class> class Op> void run(float *a, int n) { pair<float, Op><<<1, 32>>>(a, n); }\n"
        "void add(float *a, int n) { run<Add>(a, n); }\n"
        "void mul(float *a, int n) { run<Mul>(a, n); }\n"
    )
    assert (
        "if constexpr (std::is_same_v<T, float> && std::is_same_v<Op<int>, Add<int>>) pair_float_Add(" in text
    )


def test_a_struct_is_passed_in_its_members() -> None:
    text = translated(
        "struct Range { int low, high; }; struct Args { float rate; Range r; };\n"
        "__global__ void k(float *a, Args args) { if (threadIdx.x < args.r.high) a[threadIdx.x] = args.rate; }\n"
        "void run(float *a, int n) { Args s{0.5f, {0, n}}; k<<<1, 32>>>(a, s); }\n"
    )
    assert "a, s.rate, s.r.low, s.r.high);" in text


def test_the_samples_helpers_come_along(tmp_path: Path) -> None:
    text = translated(
        "#include <helper_cuda.h>\n#include <helper_functions.h>\n"
        "__global__ void k(float *x) { x[threadIdx.x] = threadIdx.x; }\n"
        "int main(int argc, char **argv) {\n"
        "    int device = findCudaDevice(argc, (const char **)argv);\n"
        "    float *x;\n"
        "    checkCudaErrors(cudaMalloc(&x, 32 * sizeof(float)));\n"
        "    k<<<1, 32>>>(x);\n"
        "    return device + x[0];\n"
        "}\n"
    )
    assert "helper_" not in text and "hip" not in text
    (tmp_path / "program.cpp").write_text(text)
    command = ["g++", "-std=c++17", "-march=sapphirerapids", "-fsyntax-only", "program.cpp"]
    assert subprocess.run(command, cwd=tmp_path).returncode == 0


def test_a_launch_through_the_runtime_takes_its_arguments_from_the_table() -> None:
    text = translated(
        "__global__ void k(float *x, int n) { if (threadIdx.x < n) x[threadIdx.x] = n; }\n"
        "void run(float *x, int n) {\n"
        "    void *args[] = {&x, &n};\n"
        "    cudaError_t e = cudaLaunchKernel((void *)k, dim3(1), dim3(32), args, 0, 0);\n"
        "}\n"
    )
    assert "(k(dim3(1), dim3(32), *(float **)((args)[0]), *(int *)((args)[1])), cudaSuccess)" in text


def test_host_code_is_made_plain_before_it_is_another_platforms() -> None:
    text = (
        "#ifdef USE_HIP\n#define gpuFree hipFree\n#else\n#define gpuFree cudaFree\n#endif\n"
        "void run(float* x, bool twice) {\n"
        "    auto kernel = &scale<2, true>;\n"
        "    CHECK(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, 65536));\n"
        "    cudaFuncSetCacheConfig(scale<2, true>, cudaFuncCachePreferL1);\n"
        "    kernel<<<1, 32, 65536>>>(x);\n"
        "    void (*other)(float*) = scale<3, false>;\n"
        "    other<<<1, 32>>>(x);\n"
        "    auto either = twice ? scale<2, true> : scale<3, false>;\n"
        "    either<<<1, 32>>>(x);\n"
        "    gpuFree(x);\n"
        "}\n"
    )
    assert plain_host(text, "plain.cu", {"scale"}) == (
        "#ifdef USE_HIP\n#define gpuFree hipFree\n#else\n\n#endif\n"
        "void run(float* x, bool twice) {\n"
        "    \n"
        "    CHECK(cudaSuccess);\n"
        "    \n"
        "    scale<2, true><<<1, 32, 65536>>>(x);\n"
        "    \n"
        "    scale<3, false><<<1, 32>>>(x);\n"
        "    auto either = twice ? scale<2, true> : scale<3, false>;\n"
        "    either<<<1, 32>>>(x);\n"
        "    cudaFree(x);\n"
        "}\n"
    )


HALVES = """
#include <cuda_fp16.h>
#include <stdio.h>
__global__ void twice(__half* x) { x[threadIdx.x] = x[threadIdx.x] + x[threadIdx.x]; }
int main() {
  __half host[4] = {(__half)0.1f, __half(2.5), 3, __float2half(1.0f)}, *device;
  cudaMalloc((void**)&device, sizeof host);
  cudaMemcpy(device, host, sizeof host, cudaMemcpyHostToDevice);
  twice<<<1, 4>>>(device);
  cudaMemcpy(host, device, sizeof host, cudaMemcpyDeviceToHost);
  float sum = 0;
  for (__half each : host) sum += (float)each;
  printf("%.7g %.7g\\n", sum, (float)host[0]);
}
"""


def test_host_code_computes_with_halves(tmp_path: Path) -> None:
    text = translated(HALVES)
    assert "half(double x);" in text
    assert output_of(text, tmp_path, "g++") == "13.19995 0.1999512\n"
    assert "half(double x);" not in translated(HALVES.split("int main")[0])
