"""HIP to CUDA by edits in place: what is edited, what stays, what is refused."""

from __future__ import annotations

import pytest

from xpiler.backend.cuda import host_as_cuda, to_cuda, waves_matter
from xpiler.backend.cuda_drop import without_device_types
from xpiler.backend.hip import to_hip
from xpiler.errors import Refusal


def translated(text: str, *, native: bool = True) -> str:
    return to_cuda(text, "kernel.hip", native=native).text


def test_runtime_calls_types_and_headers_get_their_cuda_names() -> None:
    text = "#include <hip/hip_runtime.h>\nvoid f() {\n    hipError_t e = hipMalloc(&p, 4); // p\n}\n"
    assert translated(text) == (
        "#include <cuda_runtime.h>\nvoid f() {\n    cudaError_t e = cudaMalloc(&p, 4); // p\n}\n"
    )


@pytest.mark.parametrize(
    ("hip", "cuda"),
    [
        ("hipMemcpyHostToDevice", "cudaMemcpyHostToDevice"),
        ("hipErrorOutOfMemory", "cudaErrorMemoryAllocation"),
        ("hipDeviceAttributeMultiprocessorCount", "cudaDevAttrMultiProcessorCount"),
        ("hipblasSgemm", "cublasSgemm"),
        ("HIPBLAS_OP_T", "CUBLAS_OP_T"),
        ("__HIP_DEVICE_COMPILE__", "__CUDA_ARCH__"),
        ("hipHostFree(p)", "cudaFreeHost(p)"),
        ("hipHostMalloc(&p, n)", "cudaMallocHost(&p, n)"),
        ("hipHostMalloc(&p, n, hipHostMallocDefault)", "cudaHostAlloc(&p, n, cudaHostAllocDefault)"),
        ("hipMemcpyToSymbol(HIP_SYMBOL(table), t, 4)", "cudaMemcpyToSymbol(table, t, 4)"),
        ("hipBlockIdx_x * hipBlockDim_x", "blockIdx.x * blockDim.x"),
        ("HIP_DYNAMIC_SHARED(float, s)", "extern __shared__ float s[];"),
        ("unsafeAtomicAdd(&s, v)", "atomicAdd(&s, v)"),
        ("__builtin_amdgcn_sdot4(a, b, c, false)", "__dp4a(a, b, c)"),
    ],
)
def test_names_with_a_twin(hip: str, cuda: str) -> None:
    assert translated(f"x({hip});") == f"x({cuda});"


@pytest.mark.parametrize(
    ("hip", "cuda"),
    [
        ("hipLaunchKernelGGL(k, dim3(4), dim3(64), 0, 0, a, b)", "k<<<dim3(4), dim3(64)>>>(a, b)"),
        ("hipLaunchKernelGGL(k, g, b, 64 * 4, 0, a)", "k<<<g, b, 64 * 4>>>(a)"),
        ("hipLaunchKernelGGL((k<float, 4>), g, b, 0, stream, a)", "k<float, 4><<<g, b, 0, stream>>>(a)"),
        ("hipLaunchKernelGGL(HIP_KERNEL_NAME(k<T, 4>), g, b, 0, 0)", "k<T, 4><<<g, b>>>()"),
    ],
)
def test_launches(hip: str, cuda: str) -> None:
    assert translated(f"{hip};") == f"{cuda};"


def test_shuffles_on_warps_get_a_mask() -> None:
    text = "__device__ float f(float v) { return __shfl_down(v, warpSize / 2); }"
    assert "__shfl_down_sync(0xffffffffu, v, warpSize / 2)" in translated(text)


def test_shuffles_on_waves_of_two_warps() -> None:
    text = "__device__ float f(float v) { return __shfl_down(v, warpSize / 2); }"
    assert "return wave_shfl_down(v, wave_size / 2); }" in translated(text, native=False)


def test_groups_of_at_most_32_lanes_need_no_waves() -> None:
    assert not waves_matter("__device__ int f(int v) { return __shfl_xor(v, 4, 16); }", "k.hip")
    assert waves_matter("__device__ int f(int v) { return __shfl_xor(v, 4); }", "k.hip")


def test_vector_types_become_a_class() -> None:
    text = "typedef _Float16 half4 __attribute__((ext_vector_type(4)));\n"
    assert translated(text).endswith("typedef lanes<__half, 4> half4;\n")
    text = "using f16x = __attribute__((__vector_size__(16 * sizeof(float)))) float;\n"
    assert translated(text).endswith("using f16x = lanes<float, 16>;\n")


def test_matrix_instructions_name_their_shape() -> None:
    text = "__device__ void f() { d = __builtin_amdgcn_mfma_f32_32x32x8f16(a, b, d, 0, 0, 0); }"
    assert "d = wave_mfma<32, 8, 1, __half>(a, b, d);" in translated(text)


def test_kernels_stay_where_only_the_host_is_wanted() -> None:
    kernel = "__global__ void k(int* a) { a[0] = __shfl(1, 0); }\n"
    assert host_as_cuda(f"{kernel}void f() {{ hipFree(p); }}\n", "k.hip") == (
        f"{kernel}void f() {{ cudaFree(p); }}\n"
    )


@pytest.mark.parametrize(
    "text",
    [
        "#include <miopen/miopen.h>\n",
        "void f() { hipModuleLoad(&m, file); }\n",
        "__device__ int f(int a) { return __builtin_amdgcn_s_getreg(a); }\n",
    ],
)
def test_what_has_no_twin_is_refused_with_its_place(text: str) -> None:
    with pytest.raises(Refusal) as refused:
        translated(text)
    assert refused.value.diagnostic.code == "cuda-no-twin"
    assert refused.value.diagnostic.range is not None


def test_operators_of_vectors_are_defined_where_they_are_used() -> None:
    text = "__global__ void k(const float4* x, float4* y, float a) { y[0] = x[0] * a; }"
    assert "float4 operator*(float4 a, float b)" in translated(text)
    assert "operator" not in translated(text.replace("x[0] * a", "x[0]"))


def test_fragments_made_from_cuda_are_cudas_again() -> None:
    cuda = (
        "#include <cuda_runtime.h>\n#include <mma.h>\nusing namespace nvcuda;\n"
        "__global__ void k(const half* a) {\n"
        "  wmma::fragment<wmma::matrix_a, 16, 16, 16, half, wmma::row_major> f;\n"
        "  wmma::load_matrix_sync(f, a, 16);\n}\n"
    )
    back = translated(to_hip(cuda, "k.cu").text)
    assert "wmma::fragment<wmma::matrix_a, 16, 16, 16, half, wmma::row_major> f;" in back
    assert "#include <mma.h>" in back
    assert "amd" not in back


def test_types_of_kernels_leave_with_them() -> None:
    text = (
        "typedef float f4 __attribute__((ext_vector_type(4)));\n"
        "template <int M> struct product;\n"
        "template <> struct product<16> {\n"
        "  static __device__ void run(f4& c) { __builtin_amdgcn_mfma_f32_16x16x4f32(1, 1, c, 0, 0, 0); }\n"
        "};\nstruct options { int n; };\n"
    )
    assert without_device_types(text, "k.hip").split() == "struct options { int n; };".split()


@pytest.mark.parametrize(
    ("hip", "asked"),
    [
        ("k<<<g, b, bytes>>>(x);", "cudaFuncAttributeMaxDynamicSharedMemorySize, bytes);"),
        ("if (n) k<float, 2><<<g, b, n * 8>>>(x);", "(void)cudaFuncSetAttribute(k<float, 2>, "),
        ("k<<<g, b, 2 * 256 * sizeof(float)>>>(x);", ""),
        ("hipLaunchKernelGGL(k, g, b, bytes, 0, x);", "cudaFuncSetAttribute(k, "),
        ("k<<<g, b>>>(x);", ""),
    ],
)  # fmt: skip
def test_shared_memory_beyond_48_kb_is_asked_for(hip: str, asked: str) -> None:
    made = translated(f"void f() {{\n  {hip}\n}}\n")
    assert asked in made
    assert ("cudaFuncSetAttribute" in made) == bool(asked)
