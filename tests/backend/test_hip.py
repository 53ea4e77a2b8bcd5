"""CUDA to HIP by edits in place: what is edited, what stays, what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from xpiler.backend.hip import to_hip
from xpiler.backend.hip_edits import apply
from xpiler.errors import Refusal

FILES = sorted((Path(__file__).parent / "cuda").glob("*.cu"))


def translated(text: str) -> str:
    return to_hip(text, "kernel.cu").text


def line_with(text: str, part: str) -> str:
    """The one line of the translation that holds `part`."""
    (line,) = [line for line in translated(text).splitlines() if part in line]
    return line.strip()


def test_runtime_calls_types_and_headers_get_their_hip_names() -> None:
    text = "#include <cuda_runtime.h>\nvoid f() {\n    cudaError_t e = cudaMalloc(&p, 4);\n}\n"
    assert translated(text) == (
        "#include <hip/hip_runtime.h>\nvoid f() {\n    hipError_t e = hipMalloc(&p, 4);\n}\n"
    )


@pytest.mark.parametrize(
    ("cuda", "hip"),
    [
        ("cudaMallocHost", "hipHostMalloc"),
        ("cudaErrorMemoryAllocation", "hipErrorOutOfMemory"),
        ("cudaDeviceProp", "hipDeviceProp_t"),
        ("cudaDevAttrMultiProcessorCount", "hipDeviceAttributeMultiprocessorCount"),
        ("cudaThreadSynchronize", "hipDeviceSynchronize"),
        ("cublasSgemm", "hipblasSgemm"),
        ("CUBLAS_OP_N", "HIPBLAS_OP_N"),
        ("curand_uniform", "hiprand_uniform"),
        ("curandStatePhilox4_32_10_t", "hiprandStatePhilox4_32_10_t"),
        ("cufftExecC2C", "hipfftExecC2C"),
    ],
)
def test_names_that_the_rule_does_not_give_and_library_names(cuda: str, hip: str) -> None:
    assert f"void f() {{ g({hip}); }}" in translated(f"void f() {{ g({cuda}); }}")


def test_comments_strings_and_line_ends_stay_as_they_are() -> None:
    text = '#include <cuda_runtime.h>\r\n// cudaMalloc\r\nconst char* s = "cudaFree"; /* __shfl_sync */\r\n'
    assert translated(text) == text.replace("cuda_runtime.h", "hip/hip_runtime.h")


def test_names_that_the_file_defines_itself_stay() -> None:
    text = "void cudaCheck(cudaError_t e);\n#define CUDA_CALL(x) cudaCheck(x)\nint cudaMemory = 0;\n"
    assert translated(text).endswith(
        "void cudaCheck(hipError_t e);\n#define CUDA_CALL(x) cudaCheck(x)\nint cudaMemory = 0;\n"
    )


def test_device_variables_and_kernels_are_wrapped() -> None:
    text = "void f() {\n    cudaMemcpyToSymbol(table, h, 4);\n    cudaFuncSetAttribute(k<2, 3>, a, 1);\n}\n"
    assert line_with(text, "Symbol") == "hipMemcpyToSymbol(HIP_SYMBOL(table), h, 4);"
    assert (
        line_with(text, "Attribute") == "hipFuncSetAttribute(reinterpret_cast<const void*>(k<2, 3>), a, 1);"
    )


@pytest.mark.parametrize(
    ("cuda", "hip"),
    [
        ("__shfl_down_sync(0xffffffff, v, 4)", "__shfl_down(v, 4, 32)"),
        ("__shfl_xor_sync(mask, v, o, 16)", "__shfl_xor(v, o, 16)"),
        ("__shfl_up(v, 1)", "__shfl_up(v, 1, 32)"),
        ("__shfl_sync(~0u, v, 0)", "__shfl(v, 0, 32)"),
        ("__shfl_sync(~0u, v, lane + 1)", "__shfl(v, (lane + 1) & 31, 32)"),
        ("__shfl_sync(~0u, v, s, 8)", "__shfl(v, (s) & 7, 8)"),
        ("__shfl_sync(~0u, f(a, b), g<1, 2>(c))", "__shfl(f(a, b), (g<1, 2>(c)) & 31, 32)"),
        ("__shfl_sync(~0u, __shfl_down_sync(~0u, v, 1), 0)", "__shfl(__shfl_down(v, 1, 32), 0, 32)"),
        ("__ballot_sync(m, p)", "warp32_ballot(m, p)"),
        ("__any(p)", "warp32_any(0xffffffffu, p)"),
        ("__ldcs(p + 1)", "(*(p + 1))"),
        ("__stcs(p, v)", "(*(p) = (v))"),
        ("atomicAdd_block(p, 1)", "atomicAdd(p, 1)"),
        ("f(threadIdx)", "f(make_uint3(threadIdx.x, threadIdx.y, threadIdx.z))"),
        ('printf("%u", blockIdx.x)', 'printf("%u", (unsigned)blockIdx.x)'),
        ("threadIdx.x % warpSize", "threadIdx.x % warp32_size"),
    ],
)
def test_device_operations(cuda: str, hip: str) -> None:
    assert line_with(f"__global__ void k() {{\n    x = {cuda};\n}}\n", "x = ") == f"x = {hip};"


def test_the_second_launch_bound_counts_waves_per_simd_unit() -> None:
    text = (
        "__global__ void __launch_bounds__(256, 4) k() {}\n__global__ void __launch_bounds__(T, B) l() {}\n"
    )
    assert "__launch_bounds__(256, 4) k" in translated(text)
    assert "__launch_bounds__(T, ((B) * (((T) + 63) / 64) + 3) / 4) l" in translated(text)
    assert "__launch_bounds__(96, 3)" in translated("__global__ void __launch_bounds__(96, 5) k() {}\n")


def test_members_of_half2_are_read_as_halves_and_others_are_left_alone() -> None:
    text = "__device__ float f(half2 v, float2 w) {\n    return __half2float(v.x) * w.y + threadIdx.x;\n}\n"
    assert line_with(text, "return __half2float") == "return __half2float(half2_x(v)) * w.y + threadIdx.x;"


def test_plain_values_are_shuffled_directly_and_halves_word_by_word() -> None:
    text = "void f(half h, int v) {\n a = __shfl_xor_sync(m, v, 1);\n b = __shfl_xor_sync(m, h, 1);\n}"
    assert line_with(text, "a = ") == "a = __shfl_xor(v, 1, 32);"
    assert line_with(text, "b = ") == "b = warp32_shfl_xor(h, 1, 32);"


def test_code_that_the_architecture_leaves_out_is_neither_edited_nor_refused() -> None:
    text = '#if __CUDA_ARCH__ >= 800\nasm("cp.async");\n#else\ncudaFree(p);\n#endif\n'
    result = to_hip(text, "kernel.cu")
    assert result.text.endswith('#if 700 >= 800\nasm("cp.async");\n#else\nhipFree(p);\n#endif\n')
    assert "7.0" in result.notes[0]


def test_tensor_core_tiles_change_namespace_only() -> None:
    text = "#include <mma.h>\nusing namespace nvcuda;\nvoid f() {\n    wmma::mma_sync(c, a, b, c);\n}\n"
    assert translated(text).endswith("using namespace amd;\nvoid f() {\n    mfma::mma_sync(c, a, b, c);\n}\n")


def test_an_alias_of_the_tensor_core_namespace_stays_an_alias() -> None:
    text = (
        "#include <mma.h>\nnamespace wmma = nvcuda::wmma;\nvoid f() {\n    wmma::mma_sync(c, a, b, c);\n}\n"
    )
    assert translated(text).endswith(
        "namespace wmma = amd::mfma;\nvoid f() {\n    wmma::mma_sync(c, a, b, c);\n}\n"
    )


@pytest.mark.parametrize(
    ("text", "code", "place"),
    [
        ('__global__ void k() {\n  asm volatile("bar.sync 1, 64;");\n}', "unsupported-ptx", "k.cu:2:3"),
        ('void f() {\n  asm("mma.sync.aligned.m16n8k16" : : );\n}', "unsupported-ptx", "k.cu:2:3"),
        ("void f() {\n  cudaLaunchKernelEx(&c, k);\n}", "hip-no-twin", "k.cu:2:3"),
        ("#include <cudnn.h>\n", "hip-no-twin", "k.cu:1:10"),
        ("#include <cuda_pipeline.h>\n", "hip-no-twin", "k.cu:1:10"),
        ("void f() { cuMemAlloc(&p, 4); }", "hip-driver-api", "k.cu:1:12"),
        ("texture<float, 2> t;", "hip-texture-reference", "k.cu:1:1"),
        ("__global__ void k() {\n  child<<<1, 1>>>();\n}", "hip-device-launch", "k.cu:2:8"),
        (
            "#define N 200\n__global__ void k() {\n  __shared__ float a[N][N];\n}",
            "hip-shared-memory",
            "k.cu:3:3",
        ),
        ("void f() { k<<<1, 32, 96 * 1024>>>(); }", "hip-shared-memory", "k.cu:1:22"),
        ("__device__ float f(float a) { return __fmul_rz(a, a); }", "hip-no-twin", "k.cu:1:38"),
        ("void f(nvcuda::wmma::fragment<A, 8, 8, 4, double, R> x);", "hip-wmma", "k.cu:1:22"),
        ("nvcuda::wmma::experimental::bmmaBitOp x;", "hip-wmma", "k.cu:1:15"),
    ],
)
def test_what_hip_has_nothing_for_is_refused_with_its_place(text: str, code: str, place: str) -> None:
    with pytest.raises(Refusal) as refusal:
        to_hip(text, "k.cu")
    assert refusal.value.diagnostic.code == code
    assert str(refusal.value.diagnostic.range) == place


@pytest.mark.parametrize(
    "text", ["", "\n", "int x;", "}}} ((( <<<", '"unterminated', "/* open", "#include", "#define"]
)
def test_broken_text_is_translated_or_refused_never_a_crash(text: str) -> None:
    assert translated(text).replace("#include <hip/hip_runtime.h>\n", "") == text


@pytest.mark.parametrize("file", FILES, ids=lambda f: f.stem)
def test_the_edits_make_the_text_and_touch_nothing_else(file: Path) -> None:
    text = file.read_bytes().decode()
    result = to_hip(text, str(file))
    assert apply(text, result.edits) == result.text
    assert all(e.reason for e in result.edits)
    for comment in ("//", "/*"):
        for start in (i for i in range(len(text)) if text.startswith(comment, i)):
            assert text[start : start + 12] in result.text
    if "\r\n" in text:
        assert "\n" not in result.text.replace("\r\n", "")


def test_a_thread_that_waits_in_a_loop_around_an_atomic_is_pointed_out() -> None:
    spinning = "__device__ void lock(int* m) { while (atomicCAS(m, 0, 1) != 0); }"
    retrying = "__device__ void add(int* m) { do { old = atomicCAS(m, a, a + 1); } while (a != old); }"
    assert any("lockstep" in note for note in to_hip(spinning, "k.cu").notes)
    assert to_hip(retrying, "k.cu").notes == ()


def test_properties_of_the_device_are_told_from_members_of_the_same_name() -> None:
    text = "void f() {\n cudaDeviceProp prop;\n Mine m;\n x = prop.sharedMemPerMultiprocessor + m.uuid;\n}\n"
    assert line_with(text, "x = ") == "x = prop.maxSharedMemoryPerMultiProcessor + m.uuid;"
    with pytest.raises(Refusal, match="asyncEngineCount"):
        translated("void f() { cudaDeviceProp p; g(p.asyncEngineCount); }")


def test_operators_that_are_members_of_hips_vectors_are_left_out() -> None:
    text = (
        "struct s {};\n"
        "inline __host__ __device__ void operator+=(float4 &a, const float4 b) { a.x += b.x; a.y += b.y; }\n"
        "__device__ int2& operator*=(int2& a, int2 b) { return a = make_int2(a.x * b.x, a.y * b.y); }\n"
        "inline __device__ void operator-=(float4 &a, float b) { a.x -= b; a.y -= b; }\n"
        "inline __device__ void operator+=(float2 &a, float2 b) { a.x += 2 * b.x; a.y += b.y; }\n"
    )
    left = translated(text)
    assert "operator+=(float4" not in left
    assert "operator*=(int2" not in left
    assert "operator-=(float4 &a, float b) { a.x -= b; a.y -= b; }" in left
    assert "operator+=(float2 &a, float2 b) { a.x += 2 * b.x; a.y += b.y; }" in left
