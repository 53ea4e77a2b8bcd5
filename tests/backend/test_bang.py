"""CUDA files as BANG C: the text of kernels and of host code."""

from __future__ import annotations

import pytest

from xpiler.backend.bang import BangFunction, generate
from xpiler.backend.bang_host import known_dimensions, to_bang
from xpiler.errors import Refusal
from xpiler.frontend import parse
from xpiler.passes.canonical import canonicalise
from xpiler.translate import translate_text

SCALE = """// Scales.
#include <cuda_runtime.h>

__global__ void scale(const float *x, float *y, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) y[i] = 2.0f * x[i];
}
"""


def translated(source: str) -> str:
    unit = parse(source, "scale.cu")
    functions: dict[str, BangFunction] = {}
    for kernel in unit.program.kernels:
        canonical = canonicalise(kernel, kernel.block_size).function
        functions[kernel.name] = generate(canonical, launch=known_dimensions(unit, kernel.name))
    return to_bang(unit, functions)


def test_a_launch_starts_a_task_on_every_core_and_waits() -> None:
    text = translated(
        SCALE
        + """
extern "C" void run(const float *x, float *y, int n) {
    // the default stream
    scale<<<(n + 255) / 256, 256>>>(x, y, n);
}
"""
    )
    assert "// Scales." in text and "// the default stream" in text
    assert (
        "    scale<<<all_cores(), cnrtFuncTypeUnion1, default_queue()>>>(x, y, n, (n + 255) / 256);\n"
        "    cnrtQueueSync(default_queue());\n"
    ) in text
    assert "__mlu_entry__ void scale(const float *x, float *y, int n, int blocks_x) {" in text
    assert "cuda" not in text


HALVE = SCALE.replace("scale", "halve").replace("2.0f", "0.5f").replace("#include <cuda_runtime.h>", "")


def test_a_launch_by_a_table_of_arguments_stays_an_expression() -> None:
    text = translated(
        SCALE
        + """
int run(const float *x, float *y, int n, cudaStream_t s) {
    const void *f = (const void *)scale;
    void *args[] = {&x, &y, &n};
    cudaError_t e = cudaLaunchKernel(f, dim3((n + 63) / 64), dim3(64), args, 0, s);
    return e;
}
"""
    )
    arguments = "*(const float **)((args)[0]), *(float **)((args)[1]), *(int *)((args)[2])"
    call = f"scale<<<all_cores(), cnrtFuncTypeUnion1, s>>>({arguments}, dim3((n + 63) / 64).x)"
    assert f"cnrtRet_t e = ({call}, cnrtSuccess);" in text


def test_a_table_launch_by_a_value_asks_which_kernel_it_is() -> None:
    text = translated(
        SCALE
        + HALVE
        + """
void run(const float *x, float *y, int n, bool less) {
    const void *f = less ? (const void *)halve : (const void *)scale;
    void *args[] = {&x, &y, &n};
    cudaLaunchKernel(f, dim3((n + 63) / 64), dim3(64), args, 0, nullptr);
}
"""
    )
    assert "((is_kernel(f, scale_address) ? scale<<<" in text and " : halve<<<all_cores()" in text
    assert ", cnrtQueueSync(default_queue()));" in text


def test_a_launch_on_a_stream_goes_to_that_queue() -> None:
    text = translated(
        SCALE
        + """
void run(const float *x, float *y, int n, cudaStream_t s) {
    if (n > 0) scale<<<dim3(n / 256 + 1), dim3(256), 0, s>>>(x, y, n);
}
"""
    )
    assert "void run(const float *x, float *y, int n, cnrtQueue_t s)" in text
    assert "cnrtFuncTypeUnion1, s>>>(x, y, n, dim3(n / 256 + 1).x)" in text
    assert "cnrtQueueSync" not in text


def test_a_launch_that_is_the_body_of_an_if_stays_its_body() -> None:
    text = translated(SCALE + "void run(float *x, int n) { if (n > 0) scale<<<n, 256>>>(x, x, n); }\n")
    assert "if (n > 0) { scale<<<" in text and "cnrtQueueSync(default_queue()); }" in text


def test_memory_calls_become_those_of_cnrt() -> None:
    text = translated(
        SCALE
        + """
cudaError_t run(const float *x, float *y, int n) {
    float *d;
    cudaError_t status = cudaMalloc(&d, n * sizeof(float));
    cudaMemcpy(d, x, n * sizeof(float), cudaMemcpyHostToDevice);
    scale<<<n / 256 + 1, 256>>>(d, d, n);
    cudaMemcpy(y, d, n * sizeof(float), cudaMemcpyDeviceToHost);
    cudaFree(d);
    return status == cudaSuccess ? cudaGetLastError() : status;
}
"""
    )
    assert "cnrtRet_t status = cnrtMalloc((void **)&d, n * sizeof(float));" in text
    assert "cnrtMemcpy(d, (void *)x, n * sizeof(float), cnrtMemcpyHostToDev);" in text
    assert "cnrtMemcpy(y, (void *)d, n * sizeof(float), cnrtMemcpyDevToHost);" in text
    assert "return status == cnrtSuccess ? cnrtGetLastError() : status;" in text


def test_memory_in_the_order_of_a_stream_is_freed_behind_what_uses_it() -> None:
    text = translated(
        SCALE
        + """
void run(float *x, int n, cudaStream_t s) {
    float *d;
    cudaMallocAsync(&d, n * sizeof(float), s);
    scale<<<n / 256 + 1, 256, 0, s>>>(x, d, n);
    cudaFreeAsync(d, s);
    cudaFreeAsync(nullptr, 0);
}
"""
    )
    assert "cnrtMalloc((void **)&d, n * sizeof(float));" in text
    assert "(cnrtQueueSync(s), cnrtFree(d));" in text
    assert "(cnrtQueueSync(default_queue()), cnrtFree(nullptr));" in text


@pytest.mark.parametrize(
    "call", ["cublasCreate(&handle)", "cudaGetSymbolAddress(&p, t)", "cudaGraphLaunch(g, 0)"]
)
def test_host_code_without_a_form_is_refused_by_name_and_place(call: str) -> None:
    with pytest.raises(Refusal) as refusal:
        translated(SCALE + f"void run(float *x, int n) {{ scale<<<n, 256>>>(x, x, n); {call}; }}\n")
    assert call.split("(")[0] in str(refusal.value)
    assert "scale.cu:8" in str(refusal.value)


def test_doubles_are_refused() -> None:
    with pytest.raises(Refusal, match="single precision"):
        translated(SCALE.replace("float", "double"))


@pytest.mark.parametrize(
    ("declaration", "grid", "known"),
    [
        ("", "n", {"gridDim.y", "gridDim.z"}),
        ("dim3 g(n, 2);", "g", {"gridDim.z"}),
        ("dim3 g(n, 2, 3);", "g", set()),
        ("dim3 g = dim3(n);", "g", {"gridDim.y", "gridDim.z"}),
        ("dim3 g(n); g.y = 4;", "g", set()),
        ("const int blocks = n / 4;", "blocks", {"gridDim.y", "gridDim.z"}),
    ],
)
def test_extents_of_the_grid_that_are_one_are_found(declaration: str, grid: str, known: set[str]) -> None:
    source = SCALE + f"void run(float *x, int n) {{ {declaration} scale<<<{grid}, 256>>>(x, x, n); }}\n"
    assert set(known_dimensions(parse(source, "scale.cu"), "scale")) == known


def test_a_launch_in_a_template_picks_the_instance_it_means() -> None:
    text = translated(
        """
template <int KIND> __global__ void act(const float *x, float *y, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) y[i] = KIND == 0 ? x[i] + 1.0f : x[i] * 3.0f;
}
template <int KIND> void launch(const float *x, float *y, int n) { act<KIND><<<n / 64 + 1, 64>>>(x, y, n); }
void run(const float *x, float *y, int n, bool more) {
    if (more) launch<0>(x, y, n); else launch<1>(x, y, n);
}
"""
    )
    assert "{ act<KIND>(n / 64 + 1, 64, 0, default_queue(), x, y, n); cnrtQueueSync(" in text
    assert (
        "    else if constexpr (KIND == 1) "
        "act_1<<<all_cores(), cnrtFuncTypeUnion1, queue>>>(x, y, n, gridDim.x);\n"
    ) in text


def test_constant_memory_is_copied_to_the_device_for_a_launch() -> None:
    text = translated(
        """
__constant__ float weights[2][3];
__global__ void scale(const float *x, float *y, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) y[i] = weights[1][2] * x[i];
}
void run(const float *x, const float *w, float *y, int n) {
    cudaMemcpyToSymbol(weights, w, sizeof(weights));
    scale<<<(n + 255) / 256, 256>>>(x, y, n);
}
"""
    )
    assert "static float weights[2][3];" in text
    assert "    copy_constants(&weights, w, sizeof(weights));\n" in text
    assert "(x, y, n, (n + 255) / 256, (const float *)on_device(&weights, sizeof(weights)));" in text
    assert "float *y, int n, int blocks_x, const float *weights) {" in " ".join(text.split())
    assert "weights[5]" in text


def test_a_variable_of_the_program_that_a_kernel_writes_is_refused() -> None:
    source = "__device__ int counter;\n__global__ void count(int *x) { counter = x[0]; }\n"
    with pytest.raises(Refusal, match="writes the variable `counter`"):
        translated(source + "void run(int *x) { count<<<1, 1>>>(x); }\n")


def test_short_vectors_of_host_code_are_defined() -> None:
    text = translated(
        """#include <cuda_fp16.h>
"""
        + SCALE
        + """
static __host__ __device__ float2 twice(float2 a) { return make_float2(a.x + a.x, a.y + a.y); }
template <typename T> struct Pair;
template <> struct Pair<__half> { using type = __half2; };
void run(const float *x, float *y, int n) { scale<<<(n + 255) / 256, 256>>>(x, y, n); }
"""
    )
    assert "struct float2 {\n    float x, y;\n};" in text
    assert "static inline float2 make_float2(float x, float y) { return {x, y}; }" in text
    assert "struct half2 {\n    half x, y;\n};" in text and "__half2" not in text


def test_the_number_of_blocks_is_no_dim3_because_another_launch_has_one() -> None:
    text = """
    __global__ void rows(const float *x, float *y, int n) {
        for (int i = threadIdx.x; i < n; i += 256) y[blockIdx.x * n + i] = 2 * x[blockIdx.x * n + i];
    }
    __global__ void columns(const float *x, float *y, int m, int n) {
        int c = blockIdx.x * 32 + threadIdx.x;
        if (c < n && threadIdx.y == 0) y[c] = x[c] * m;
    }
    void both(const float *x, float *y, float *z, int R, int C) {
        rows<<<R, 256>>>(x, y, C);
        columns<<<(C + 31) / 32, dim3(32, 8)>>>(x, z, R, C);
    }
    """
    result = translate_text(text, "both.cu", "bang", run=False)
    assert result.text is not None
    assert "(x, y, C, R)" in result.text and "R.x" not in result.text


def test_types_in_the_arguments_of_a_launch_are_those_of_bang() -> None:
    text = """
__global__ void twice(const __half *x, __half *y, int n) {
    int i = blockIdx.x * 128 + threadIdx.x;
    if (i < n) y[i] = __hadd(x[i], x[i]);
}
void run(const void *x, void *y, int n) {
    twice<<<(n + 127) / 128, 128>>>(static_cast<const __half *>(x), static_cast<__half *>(y), n);
}
"""
    written = translate_text(text, "twice.cu", "bang").text
    assert written is not None
    assert "static_cast<const half *>(x)" in written and "__half" not in written
