"""Sources with odd properties go all the way."""

from __future__ import annotations

import re

import pytest

from xpiler.errors import Refusal
from xpiler.translate import translate_text

KERNEL = (
    "__global__ void k(float* o, const float* a, int n) {\n"
    "\tint i = blockIdx.x * blockDim.x + threadIdx.x;\n\tif (i < n) o[i] = a[i] * 2.0f;\n}\n"
)
LAUNCH = "k<<<(n + 255) / 256, 256>>>(o, a, n);"
HOST = f"void run(float* o, const float* a, int n) {{ {LAUNCH} }}\n"

SOURCES = {
    "lines that end in CR LF": (KERNEL + HOST).replace("\n", "\r\n"),
    "a comment that is not UTF-8": "// caf\udce9\n" + KERNEL + HOST,
    "launchers that a macro defines": "template <class T> "
    + KERNEL.replace("float", "T")
    + f"#define LAUNCHER(T) void run_##T(T* o, const T* a, int n) {{ {LAUNCH.replace('k<<<', 'k<T><<<')} }}\n"
    + "LAUNCHER(float)\nLAUNCHER(double)\n",
    "an extern C kernel": 'extern "C" ' + KERNEL,
    "a kernel in namespaces": "namespace a { namespace b {\n"
    + KERNEL
    + "} }\n"
    + HOST.replace("k<<<", "a::b::k<<<"),
    "a default argument": KERNEL + HOST.replace("int n)", "int n, float unused = 1.0f)"),
    "a static host function": KERNEL + "static " + HOST,
    "a wrapper of the kernel's name": "namespace a {\n"
    + KERNEL
    + "}\n"
    + HOST.replace("k<<<", "a::k<<<").replace("void run", "void k"),
    "a kernel named like a helper of ours": KERNEL.replace("void k", "void check"),
    "constants of the device": KERNEL.replace("2.0f", "f[i % 2] * g").replace(
        "__global__",
        "__device__ __constant__ float f[2] = {2, 3};\n__constant__ __device__ float g = 4;\n__global__",
        1,
    )
    + HOST,
    "a mode that is an enum class": "enum class Mode { half = 3, twice };\n"
    + KERNEL.replace("int n)", "int n, Mode mode)").replace("2.0f", "(mode == Mode::twice ? 2.0f : 0.5f)")
    + HOST.replace("int n)", "int n, int mode)").replace("a, n);", "a, n, static_cast<Mode>(mode));"),
    "structs that a condition chooses": "struct P { float s; int c; "
    "__device__ P(float s = 1, int c = 0) : s(s), c(c) { while (this->c > 2) this->c -= 2; } };\n"
    + KERNEL.replace("o[i] = a[i] * 2.0f;", "{ P p = i > 3 ? P(a[i], i) : P(); o[i] = p.s * p.c; }")
    + HOST,
    "a flag in memory": KERNEL.replace("int n)", "int n, const int* skip)").replace(
        ") {\n", ") {\n if (*skip) return;\n", 1
    )
    + HOST.replace("int n)", "int n, const int* skip)").replace("a, n);", "a, n, skip);"),
    "a kernel that nobody launches": KERNEL
    + KERNEL.replace("void k", "void other").replace("2.0f", "3.0f")
    + HOST,
}


@pytest.mark.parametrize("name", SOURCES)
def test_odd_sources_are_verified(name: str) -> None:
    result = translate_text(SOURCES[name], "odd.cu", "vnni")
    assert result.status == "verified", [rung.detail for rung in result.evidence if not rung.ok]


PROGRAM = (
    "#include <cstdio>\n"
    + "namespace a {\n"
    + KERNEL
    + "}\n"
    + "void work(int n) {\n"
    + "    float *o, *a, h[100];\n"
    + "    for (int i = 0; i < n; i++) h[i] = i * 0.5f;\n"
    + "    cudaMalloc(&o, n * 4); cudaMalloc(&a, n * 4);\n"
    + "    cudaMemcpy(a, h, n * 4, cudaMemcpyHostToDevice);\n"
    + "    ::a::k<<<1, 128>>>(o, a, n);\n"
    + "    cudaMemcpy(h, o, n * 4, cudaMemcpyDeviceToHost);\n"
    + '    printf("%f\\n", h[n - 1]);\n'
    + "}\n"
    + "int main() { work(100); }\n"
)


@pytest.mark.parametrize("target", ["hip", "vnni", "bang"])
def test_a_function_that_shows_nothing_is_run_by_main(target: str) -> None:
    """It asks for no memory of a caller, so there is nothing to compare of it alone; its kernel in a
    namespace is called by its full name."""
    result = translate_text(PROGRAM, "program.cu", target)
    assert result.status == "verified", [rung.detail for rung in result.evidence if not rung.ok]
    executed = [rung.detail.split(":")[0] for rung in result.evidence if rung.rung == "executed"]
    assert executed == ["k", "main"]


GRAPH = (
    "#include <cstdio>\n"
    + KERNEL
    + "int main() {\n"
    + "    float *o, *a, h[100];\n"
    + "    for (int i = 0; i < 100; i++) h[i] = i * 0.5f;\n"
    + "    cudaMalloc(&o, 400); cudaMalloc(&a, 400);\n"
    + "    cudaMemcpy(a, h, 400, cudaMemcpyHostToDevice);\n"
    + "    cudaStream_t s; cudaGraph_t g; cudaGraphExec_t e;\n"
    + "    cudaStreamCreate(&s);\n"
    + "    cudaStreamBeginCapture(s, cudaStreamCaptureModeGlobal);\n"
    + "    k<<<1, 128, 0, s>>>(o, a, 100);\n"
    + "    cudaMemcpyAsync(a, o, 400, cudaMemcpyDeviceToDevice, s);\n"
    + "    cudaStreamEndCapture(s, &g);\n"
    + "    cudaGraphInstantiate(&e, g, 0);\n"
    + "    for (int i = 0; i < 3; i++) cudaGraphLaunch(e, s);\n"
    + "    cudaStreamSynchronize(s);\n"
    + "    cudaMemcpy(h, a, 400, cudaMemcpyDeviceToHost);\n"
    + '    printf("%f\\n", h[99]);\n'
    + "}\n"
)


def test_a_captured_graph_is_launched_as_often_on_hip_and_on_a_processor() -> None:
    for target, expected in (
        ("hip", "hipGraphInstantiateWithFlags(&e, g, 0);"),
        ("vnni", "enqueue_work([](auto... given) { k(given...); }, 1, 128, o, a, 100);"),
    ):
        result = translate_text(GRAPH, "graph.cu", target)
        assert result.status == "verified", [rung.detail for rung in result.evidence if not rung.ok]
        assert expected in result.text


def test_an_instance_for_bfloat16_is_picked_by_the_name_that_it_has_on_an_mlu() -> None:
    text = (
        "#include <cuda_bf16.h>\ntemplate <typename T> __global__ void twice(T* x, int n) {\n"
        "    int i = blockIdx.x * blockDim.x + threadIdx.x;\n"
        "    if (i < n) x[i] = (T)((float)x[i] * 2.0f);\n}\n"
        "template <typename T> void launch(T* x, int n) { twice<T><<<(n + 63) / 64, 64>>>(x, n); }\n"
        "void of_float(float* x, int n) { launch<float>(x, n); }\n"
        "void of_bfloat16(__nv_bfloat16* x, int n) { launch<__nv_bfloat16>(x, n); }\n"
    )
    result = translate_text(text, "odd.cu", "bang")
    assert result.status == "verified", [rung.detail for rung in result.evidence if not rung.ok]


def test_a_file_without_kernels_is_refused() -> None:
    with pytest.raises(Refusal, match="no __global__ kernel"):
        translate_text("__device__ float f(float x) { return x; }\n", "odd.cu", "vnni")


def test_an_empty_file_is_called_empty() -> None:
    with pytest.raises(Refusal, match="this file is empty; name a file that defines a kernel"):
        translate_text("\n", "odd.cu", "vnni")


def test_a_compaction_is_not_wrong_but_cannot_be_compared() -> None:
    """Which element comes first is up to the order of threads; a race is another thing."""
    kernel = (
        "__global__ void keep(const int* x, int* y, int* count, int n) {\n"
        "    int i = blockIdx.x * blockDim.x + threadIdx.x;\n"
        "    if (i < n && x[i] > 0) { int at = atomicAdd(count, 1); y[at] = x[i]; }\n"
        "}\n"
    )
    result = translate_text(kernel, "odd.cu", "vnni")
    assert result.status == "unverified"
    (executed,) = [rung for rung in result.evidence if not rung.ok]
    assert executed.rung == "executed"
    assert "by the order of the atomics at odd.cu:3:39" in executed.detail
    assert "sorted, the values agree" in executed.detail
    assert "wrong" not in executed.detail


@pytest.mark.parametrize(
    ("fault", "message", "remedy"),
    [
        ("*(volatile int*)nullptr = n;", "null pointer", "mend the host code"),
        ("if (n != 77777) abort();", "abort", "if it asks for certain sizes"),
    ],
)
def test_host_code_that_stops_is_told_as_that(fault: str, message: str, remedy: str) -> None:
    host = f"void run(float* o, const float* a, int n) {{ {fault} {LAUNCH} }}\n"
    with pytest.raises(Refusal) as refused:
        translate_text("#include <cstdlib>\n#include <unistd.h>\n" + KERNEL + host, "odd.cu", "hip")
    told = refused.value.diagnostic
    assert told.code == "host-fault" and "before its first launch" in told.message
    assert message in told.message and told.remedy.startswith(remedy)


def test_questions_about_devices_and_errors_have_a_form_on_an_mlu() -> None:
    asked = (
        "int device_count = 0; cudaError_t status = cudaGetDeviceCount(&device_count);\n"
        'if (device_count == 0) { printf("%s\\n", cudaGetErrorName(status)); return; }\n'
    )
    host = f"void run(float* o, const float* a, int n) {{ {asked} {LAUNCH} }}\n"
    result = translate_text("#include <cstdio>\n" + KERNEL + host, "odd.cu", "bang")
    assert result.status == "verified", [rung.detail for rung in result.evidence if not rung.ok]
    assert "count_devices(&device_count)" in (result.text or "")


VIEWS = """
template <typename T, int N> struct Array {
    T data[N];
    __host__ __device__ T operator[](int i) const { return data[i]; }
    __host__ __device__ T& operator[](int i) { return data[i]; }
};
template <typename T> struct View { T* ptr; Array<int, 2> sizes; Array<int, 2> strides; };
__global__ void copy(View<const float> a, View<float> b) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < b.sizes[0] * b.sizes[1]) {
        int r = i / b.sizes[1], c = i % b.sizes[1];
        b.ptr[r * b.strides[0] + c * b.strides[1]] = a.ptr[r * a.strides[0] + c * a.strides[1]];
    }
}
void run(const float* x, float* y, int rows, int cols) {
    View<const float> a{x, {rows, cols}, {cols, 1}};
    View<float> b;
    b.ptr = y; b.sizes[0] = rows; b.sizes[1] = cols; b.strides[0] = 1; b.strides[1] = rows;
    copy<<<(rows * cols + 127) / 128, 128>>>(a, b);
}
"""


@pytest.mark.parametrize("target", ["vnni", "bang"])
def test_arrays_in_structs_by_value_are_numbers(target: str) -> None:
    result = translate_text(VIEWS, "views.cu", target)
    assert result.status == "verified", [rung.detail for rung in result.evidence if not rung.ok]
    assert "int b_sizes_data_1" in result.text
    assert "const float *a_ptr" in result.text


def test_an_overrun_through_a_struct_by_value_is_found() -> None:
    kernel = (
        "struct Task { const float* x; float* y; int n; };\n"
        "__global__ void k(Task t) {\n"
        "    int i = blockIdx.x * blockDim.x + threadIdx.x;\n"
        "    if (i < t.n) t.y[i] = t.x[i + 1];\n"
        "}\n"
        "void run(const float* x, float* y, int n) {\n"
        "    float* d; cudaMalloc(&d, n * sizeof(float));\n"
        "    cudaMemcpy(d, x, n * sizeof(float), cudaMemcpyHostToDevice);\n"
        "    Task t; t.x = d; t.y = y; t.n = n;\n"
        "    k<<<(n + 127) / 128, 128>>>(t);\n"
        "}\n"
    )
    result = translate_text(kernel, "odd.cu", "vnni")
    assert result.status == "unverified"
    assert any(d.code == "out-of-bounds" and d.range and d.range.line == 4 for d in result.diagnostics)


def test_runs_reach_all_branches_of_host_code() -> None:
    source = (
        "template <int K> __global__ void k(float* o, const float* a, int n) {\n"
        "    int i = blockIdx.x * blockDim.x + threadIdx.x;\n"
        "    if (i < n) o[i] = a[i] * K;\n"
        "}\n"
        "void run(float* o, const float* a, int n, int mode, bool twice) {\n"
        "    int blocks = (n + 63) / 64;\n"
        "    if (mode == 77) k<3><<<blocks, 64>>>(o, a, n);\n"
        "    else if (n % 16 == 0 && !twice) k<1><<<blocks, 64>>>(o, a, n);\n"
        "    else k<2><<<blocks, 64>>>(o, a, n);\n"
        "}\n"
    )
    result = translate_text(source, "odd.cu", "vnni")
    assert result.status == "verified", [rung.detail for rung in result.evidence if not rung.ok]
    assert not any("none of the runs launched" in rung.detail for rung in result.evidence)


def test_a_kernel_that_no_run_launched_is_not_verified() -> None:
    source = (
        "template <int K> __global__ void k(float* o, const float* a, int n) {\n"
        "    int i = blockIdx.x * blockDim.x + threadIdx.x;\n"
        "    if (i < n) o[i] = a[i] * K;\n"
        "}\n"
        "void run(float* o, const float* a, int n) {\n"
        "    if (n > 1000 * 1000 * 1000) k<1><<<n / 64, 64>>>(o, a, n);\n"
        "    else k<2><<<(n + 63) / 64, 64>>>(o, a, n);\n"
        "}\n"
    )
    result = translate_text(source, "odd.cu", "vnni")
    assert result.status == "unverified"
    (failed,) = [rung for rung in result.evidence if not rung.ok]
    assert "none of the runs launched k<1>" in failed.detail


def test_a_kernel_launched_through_a_variable_is_interpreted_and_translated() -> None:
    source = (
        "template <int K> __global__ void k(float* o, const float* a, int n) {\n"
        "    extern __shared__ float s[];\n"
        "    int i = blockIdx.x * blockDim.x + threadIdx.x;\n"
        "    s[threadIdx.x] = i < n ? a[i] : 0.0f;\n"
        "    if (i < n) o[i] = s[threadIdx.x] * K;\n"
        "}\n"
        "void run(float* o, const float* a, int n) {\n"
        "    auto kernel = &k<3>;\n"
        "    if (cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, 256)) return;\n"
        "    kernel<<<(n + 63) / 64, 64, 256>>>(o, a, n);\n"
        "}\n"
    )
    result = translate_text(source, "odd.cu", "bang")
    assert result.status == "verified", [rung.detail for rung in result.evidence if not rung.ok]


def test_host_code_on_an_mlu_asks_for_the_device_and_sets_memory_in_a_queue() -> None:
    source = (
        "#include <stdio.h>\n#define gpuFree cudaFree\n"
        "__global__ void add(float* y, int n) {\n"
        "    int i = blockIdx.x * blockDim.x + threadIdx.x;\n"
        "    for (; i < n; i += gridDim.x * blockDim.x) y[i] += 1;\n"
        "}\n"
        "int main() {\n"
        "    cudaDeviceProp prop;\n"
        "    cudaGetDeviceProperties(&prop, 0);\n"
        "    float *y, *h;\n"
        "    cudaMalloc(&y, 4000);\n"
        "    cudaHostAlloc(&h, 4000, cudaHostAllocDefault);\n"
        "    cudaMemsetAsync(y, 0, 4000, 0);\n"
        "    add<<<prop.multiProcessorCount, 64>>>(y, 1000);\n"
        "    cudaMemcpy(h, y, 4000, cudaMemcpyDeviceToHost);\n"
        '    printf("%g\\n", h[0] + h[999]);\n'
        "    cudaFreeHost(h); gpuFree(y);\n"
        "}\n"
    )
    result = translate_text(source, "odd.cu", "bang")
    assert result.status == "verified", [rung.detail for rung in result.evidence if not rung.ok]
    assert "cnrtMemsetAsync(y, 0, 4000, default_queue())" in result.text


@pytest.mark.parametrize("target", ["hip", "vnni"])
def test_a_kernel_alone_is_handed_structs_by_value(target: str) -> None:
    kernel = (
        "struct Affine { float a, b; __device__ float operator()(float x) const { return a * x + b; } };\n"
        "template <class F> __global__ void k(const float* x, float* y, int n, F f) {\n"
        "    int i = blockIdx.x * blockDim.x + threadIdx.x;\n"
        "    if (i < n) y[i] = f(x[i]);\n"
        "}\n"
        "template __global__ void k<Affine>(const float*, float*, int, Affine);\n"
    )
    result = translate_text(kernel, "odd.cu", target)
    assert result.status == "verified", [rung.detail for rung in result.evidence if not rung.ok]


def test_a_kernel_whose_data_decide_where_it_writes_runs_on_those_of_the_program() -> None:
    """Nodes of one level have one cost; costs at random have not, and that would be a race."""
    source = (
        "__constant__ int step_cost;\n"
        "__global__ void step(const int* to, int* cost, const bool* active, int n) {\n"
        "    int i = blockIdx.x * blockDim.x + threadIdx.x;\n"
        "    if (i < n && active[i]) cost[to[i]] = cost[i] + step_cost;\n"
        "}\n"
        "int main() {\n"
        "    int *to, *cost; bool* active; int one = 1;\n"
        "    cudaMemcpyToSymbol(step_cost, &one, sizeof one);\n"
        "    cudaMallocManaged(&to, 400); cudaMallocManaged(&cost, 400); cudaMallocManaged(&active, 100);\n"
        "    for (int i = 0; i < 100; i++) { to[i] = 99; cost[i] = 0; active[i] = i < 50; }\n"
        "    step<<<4, 32>>>(to, cost, active, 100);\n"
        "    cudaDeviceSynchronize();\n"
        "    return cost[99] != 1;\n"
        "}\n"
    )
    result = translate_text(source, "odd.cu", "vnni")
    assert result.status == "verified", [rung.detail for rung in result.evidence if not rung.ok]


def test_a_fault_that_only_made_up_data_show_is_a_remark() -> None:
    """The program's values are bins; values at random are not."""
    source = (
        "__global__ void count(const float* x, int* bins, int n) {\n"
        "    int i = blockIdx.x * blockDim.x + threadIdx.x;\n"
        "    if (i < n) atomicAdd(&bins[(int)x[i]], 1);\n"
        "}\n"
        "int main() {\n"
        "    float* x; int* bins;\n"
        "    cudaMallocManaged(&x, 400); cudaMallocManaged(&bins, 40);\n"
        "    for (int i = 0; i < 100; i++) { x[i] = i / 10; bins[i / 10] = 0; }\n"
        "    count<<<4, 32>>>(x, bins, 100);\n"
        "    cudaDeviceSynchronize();\n"
        "    return bins[9] != 10;\n"
        "}\n"
    )
    result = translate_text(source, "odd.cu", "hip")
    assert result.status == "verified", [rung.detail for rung in result.evidence if not rung.ok]
    (remark,) = [d for d in result.diagnostics if d.code == "made-up-data"]
    assert remark.severity == "note" and "made up" in remark.message


def test_pitched_memory_of_any_type_is_allocated_by_hip() -> None:
    source = KERNEL + (
        "void run(float* o, const float* a, int n) {\n"
        "    float* rows; size_t pitch;\n"
        "    cudaMallocPitch(&rows, &pitch, n * sizeof(float), 2);\n"
        f"    {LAUNCH}\n"
        "}\n"
    )
    result = translate_text(source, "odd.cu", "hip", run=False)
    assert "hipMallocPitch(reinterpret_cast<void**>(&rows), &pitch, n * sizeof(float), 2);" in result.text


def test_host_code_that_launches_for_ever_is_told_as_that() -> None:
    host = f"void run(float* o, const float* a, int n) {{ while (n > 0) {{ {LAUNCH} }} }}\n"
    with pytest.raises(Refusal, match="an endless loop: more than 8192 launches and copies") as refused:
        translate_text(KERNEL + host, "odd.cu", "hip")
    assert refused.value.diagnostic.code == "host-fault"


CHOSEN = (
    "__global__ void twice(float* o, const float* a, int n) {\n"
    "    int i = blockIdx.x * blockDim.x + threadIdx.x;\n"
    "    if (i < n) o[i] = 2 * a[i];\n"
    "}\n"
    "template <int N> __global__ void times(float* o, const float* a, int n) {\n"
    "    int i = blockIdx.x * blockDim.x + threadIdx.x;\n"
    "    if (i < n) o[i] = N * a[i];\n"
    "}\n"
    "void run(float* o, const float* a, int n, bool c) {\n"
    "    void (*k)(float*, const float*, int) = &twice;\n"
    "    if (c) k = times<3>;\n"
    "    k<<<(n + 63) / 64, 64>>>(o, a, n);\n"
    "}\n"
)


@pytest.mark.parametrize("target", ["hip", "vnni", "bang"])
def test_a_launch_starts_the_kernel_that_a_value_says(target: str) -> None:
    result = translate_text(CHOSEN, "odd.cu", target)
    assert result.status == "verified", [rung.detail for rung in result.evidence if not rung.ok]
    if target == "vnni":
        assert "if (c) k = times_address<3>;" in result.text
        assert "(is_kernel(k, twice_address) ? twice((n + 63) / 64, 64, o, a, n) : times_3(" in result.text


def test_a_launch_of_a_kernel_that_no_text_names_is_refused_as_that() -> None:
    source = CHOSEN + "void other(float* o, void (*f)(float*)) { f<<<1, 32>>>(o); }\n"
    with pytest.raises(Refusal, match="which kernel `f` starts is decided when the program runs") as refused:
        translate_text(source, "odd.cu", "vnni")
    assert "launch each kernel by its own name" in refused.value.diagnostic.remedy


@pytest.mark.parametrize("target", ["hip", "vnni"])
def test_a_lambda_hands_a_kernel_what_it_captures(target: str) -> None:
    source = (
        "template <typename F> __global__ void each(int n, F f) {\n"
        "    int i = blockIdx.x * blockDim.x + threadIdx.x;\n"
        "    if (i < n) f(i);\n"
        "}\n"
        "template <typename F> void parallel_for(int n, F f) { each<<<(n + 63) / 64, 64>>>(n, f); }\n"
        "void run(float* o, const float* a, int n, float bias) {\n"
        "    auto square = [] __device__(float v) { return v * v; };\n"
        "    parallel_for(n, [=] __device__(int i) { o[i] = square(a[i]) + bias; });\n"
        "    each<<<(n + 31) / 32, 32>>>(n, [o] __device__(int i) { o[i] *= 2; });\n"
        "}\n"
    )
    result = translate_text(source, "odd.cu", target)
    assert result.status == "verified", [rung.detail for rung in result.evidence if not rung.ok]


def test_a_lambda_that_captures_by_reference_is_refused() -> None:
    source = (
        "template <typename F> __global__ void each(int n, F f) { f(threadIdx.x); }\n"
        "void run(float* o, int n) { each<<<1, 64>>>(n, [&] __device__(int i) { o[i] = n; }); }\n"
    )
    with pytest.raises(Refusal, match="is handed a lambda that captures") as refused:
        translate_text(source, "odd.cu", "vnni", run=False)
    assert "[=]" in refused.value.diagnostic.remedy


def test_a_file_may_define_a_complex_number_of_the_librarys_name() -> None:
    source = (
        "struct cuComplex { float r, i; __device__ float norm() const { return r * r + i * i; } };\n"
        "__global__ void k(float* y, const float* x, int n) {\n"
        "    int i = blockIdx.x * blockDim.x + threadIdx.x;\n"
        "    if (i < n) { cuComplex c{x[i], 1.0f}; y[i] = c.norm(); }\n"
        "}\n"
    )
    assert "_mm512_mul_ps(c_r, c_r)" in translate_text(source, "odd.cu", "vnni", run=False).text


@pytest.mark.parametrize("target", ["hip", "vnni", "bang"])
def test_managed_and_pitched_memory_is_that_of_every_platform(target: str) -> None:
    source = (
        "#include <stdio.h>\n"
        "__global__ void add(float* y, const float* x, size_t pitch, int w, int h) {\n"
        "    int i = blockIdx.x * blockDim.x + threadIdx.x;\n"
        "    if (i < w * h) y[i] = x[i / w * (pitch / sizeof(float)) + i % w] + 1;\n"
        "}\n"
        "int main() {\n"
        "    float *y, *x, *h; size_t pitch; cudaEvent_t done;\n"
        "    cudaMallocManaged(&y, 60 * sizeof(float));\n"
        "    cudaMallocHost((void**)&h, 60 * sizeof(float));\n"
        "    cudaMallocPitch((void**)&x, &pitch, 10 * sizeof(float), 6);\n"
        "    cudaEventCreateWithFlags(&done, 0);\n"
        "    for (int i = 0; i < 60; i++) h[i] = i % 7;\n"
        "    cudaMemcpy2D(x, pitch, h, 40, 40, 6, cudaMemcpyHostToDevice);\n"
        "    add<<<1, 64>>>(y, x, pitch, 10, 6);\n"
        "    cudaEventRecord(done, 0);\n"
        "    cudaStreamWaitEvent(0, done, 0);\n"
        "    cudaDeviceSynchronize();\n"
        '    printf("%g %g\\n", y[0], y[59]);\n'
        "    cudaFree(y); cudaFree(x); cudaFreeHost(h);\n"
        "}\n"
    )
    result = translate_text(source, "odd.cu", target)
    assert result.status == "verified", [rung.detail for rung in result.evidence if not rung.ok]


def test_a_kernel_whose_blocks_wait_for_one_another_is_launched_as_that() -> None:
    source = (
        "#include <cooperative_groups.h>\n"
        "namespace cg = cooperative_groups;\n"
        "__global__ void turn(float* x, float* y, int n) {\n"
        "    int i = blockIdx.x * blockDim.x + threadIdx.x;\n"
        "    if (i < n) y[i] = 2 * x[i];\n"
        "    cg::this_grid().sync();\n"
        "    if (i < n) x[i] = y[n - 1 - i];\n"
        "}\n"
        "int main() {\n"
        "    float *x, *y; int n = 100;\n"
        "    cudaMallocManaged(&x, 400); cudaMallocManaged(&y, 400);\n"
        "    for (int i = 0; i < n; i++) x[i] = i;\n"
        "    void* args[] = {&x, &y, &n};\n"
        "    cudaLaunchCooperativeKernel((void*)turn, dim3(2), dim3(64), args);\n"
        "    cudaDeviceSynchronize();\n"
        "    return x[0] != 198;\n"
        "}\n"
    )
    result = translate_text(source, "odd.cu", "hip")
    assert result.status == "verified", [rung.detail for rung in result.evidence if not rung.ok]


def test_entries_that_share_a_host_template_each_launch_their_own_instance() -> None:
    source = (
        "template <typename T> __global__ void k(T* y, const T* x, int n) {\n"
        "    int i = blockIdx.x * blockDim.x + threadIdx.x;\n"
        "    if (i < n) y[i] = x[i] + x[i];\n"
        "}\n"
        "template <class T> void launch(T* y, const T* x, int n) { k<T><<<(n + 63) / 64, 64>>>(y, x, n); }\n"
        'extern "C" void of_floats(float* y, const float* x, int n) { launch<float>(y, x, n); }\n'
        'extern "C" void of_doubles(double* y, const double* x, int n) { launch<double>(y, x, n); }\n'
    )
    result = translate_text(source, "odd.cu", "vnni")
    assert result.status == "verified", [rung.detail for rung in result.evidence if not rung.ok]


def test_an_offset_that_an_inner_loop_counts_on_starts_outside_of_it() -> None:
    source = (
        "__global__ void k(int n, const float* x, float* y, int m, int w) {\n"
        "    int stride = blockDim.x * gridDim.x;\n"
        "    for (int at = blockIdx.x * blockDim.x + threadIdx.x; at < n; at += stride) {\n"
        "        float* p = y + at / w * m * m * w + at % w;\n"
        "        for (int i = 0; i < m; ++i)\n"
        "            for (int j = 0; j < m; ++j) { *p = x[at] + i * j; p += w; }\n"
        "    }\n"
        "}\n"
        "void run(int n, const float* x, float* y) { k<<<(n + 63) / 64, 64>>>(n, x, y, 3, 8); }\n"
    )
    result = translate_text(source, "odd.cu", "vnni")
    assert result.status == "verified", [rung.detail for rung in result.evidence if not rung.ok]


def test_a_programs_constants_of_several_dimensions_and_choices_are_the_kernels() -> None:
    source = (
        "#include <string>\n"
        "enum class Row { First, Second };\n"
        "__constant__ float table[2][4];\n"
        "template <Row R> __global__ void k(float* y) { y[threadIdx.x] = table[(int)R][threadIdx.x]; }\n"
        "void fill(const std::string& name, const float* values) {\n"
        "    if (!name.empty()) cudaMemcpyToSymbol(table, values, sizeof table);\n"
        "}\n"
        "void run(const std::string& name, float* y) { if (!name.empty()) k<Row::Second><<<1, 4>>>(y); }\n"
        "int main() {\n"
        "    float *y, h[8] = {0, 1, 2, 3, 4, 5, 6, 7};\n"
        "    cudaMallocManaged(&y, 16);\n"
        '    fill("x", h); run("x", y);\n'
        "    cudaDeviceSynchronize();\n"
        "    return y[3] != 7;\n"
        "}\n"
    )
    result = translate_text(source, "odd.cu", "vnni")
    assert result.status == "verified", [rung.detail for rung in result.evidence if not rung.ok]


def test_host_code_may_name_its_launch_like_the_built_in_one() -> None:
    source = KERNEL + (
        "void run(float* o, const float* a, int n) {\n"
        "    dim3 gridDim, blockDim;\n"
        "    blockDim.x = 64; gridDim.x = (n + blockDim.x - 1) / blockDim.x;\n"
        "    k<<<gridDim, blockDim>>>(o, a, n);\n"
        "}\n"
    )
    assert "dim3 gridDim, blockDim;" in translate_text(source, "odd.cu", "hip", run=False).text


@pytest.mark.parametrize("parameter", ["float** of", "float* of[2]", "float* const* of"])
def test_a_wrapper_that_takes_arrays_of_arrays_is_no_entry(parameter: str) -> None:
    """No test data can be made for it, so nothing is said of it, and least of all that it is wrong."""
    source = KERNEL + f'extern "C" void run({parameter}, int n) {{ {LAUNCH} }}\n'.replace(
        "(o, a, n)", "(of[0], of[1], n)"
    )
    result = translate_text(source, "odd.cu", "hip")
    assert [(e.name, e.status) for e in result.entries] == [("k", "verified")]


def test_a_step_of_lanes_that_wraps_is_a_number_of_its_type() -> None:
    text = """
__global__ void draw(unsigned *y, unsigned long long seed, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  unsigned long long s = (seed + blockIdx.x * blockDim.x + threadIdx.x * 256ull) * 6364136223846793005ull;
  for (int k = 0; k < 3; k++) s = s * 6364136223846793005ull + 1442695040888963407ull;
  y[i] = (unsigned)(s >> 40);
}
void run(unsigned *y, unsigned long long seed, int n) { draw<<<(n + 255) / 256, 256>>>(y, seed, n); }
"""
    result = translate_text(text, "draw.cu", "vnni")
    assert result.status == "verified", result.entries
    assert result.text is not None
    assert not re.search(r"\b\d{20,}", result.text)


def test_a_grid_whose_type_is_deduced_is_handed_to_a_kernel_by_its_axes() -> None:
    source = (
        "__global__ void k(float* y, int n) {\n"
        "    int i = (blockIdx.y * gridDim.x + blockIdx.x) * blockDim.x + threadIdx.x;\n"
        "    if (i < n) y[i] *= gridDim.x;\n"
        "}\n"
        "void run(float* y, int n) {\n"
        "    auto blockDim = dim3(64);\n"
        "    auto gridDim = dim3(2, (n + 127) / 128);\n"
        "    k<<<gridDim, blockDim>>>(y, n);\n"
        "}\n"
    )
    result = translate_text(source, "odd.cu", "bang")
    assert result.status == "verified", [rung.detail for rung in result.evidence if not rung.ok]
