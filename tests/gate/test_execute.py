"""Programs between guard zones: what they compute comes back, what they do wrong is named."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.gate.programs import TILED_GEMM, gemm_contract, run_loop, vector_contract
from xpiler.errors import Refusal
from xpiler.gate import avx512, execute
from xpiler.gate.arrays import decode, encode, is_poison
from xpiler.gate.compare import schedule_race
from xpiler.gate.contract import Argument, Contract, Launch, Role, make_case
from xpiler.gate.execute import BOTH_ENDS, Variant, build
from xpiler.gate.inputs import inputs_of
from xpiler.gate.sandbox import Limits
from xpiler.ir.types import ALL_DTYPES, BF16, BOOL, F16, F32, F64, I8, I32, DType
from xpiler.translate import translate_text

# ------------------------------------------------------------------------------------------------ plain C++


def test_a_function_is_called_with_the_drawn_inputs() -> None:
    result = run_loop("for (int i = 0; i < n; ++i) y[i] = 2 * x[i];")
    contract = vector_contract()
    x = inputs_of(contract, contract.cases[0])["x"]
    assert result.ok and np.array_equal(result.buffers["y"], 2 * x)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("for (int i = 0; i <= n; ++i) y[i] = 1;", "out-of-bounds write of y[1000] (y has 1000 elements)"),
        ("float s = 0; for (int i = 0; i <= n; ++i) s += x[i]; y[0] = s;", "out-of-bounds read of x[1000]"),
        ("y[n + 100000] = 1;", "out-of-bounds write of y[101000]"),
        ("((float*)x)[7] = 1;", "write to x[7], an input that must not be written"),
        ("volatile float* p = nullptr; *p = 1;", "null pointer"),
        ("volatile int zero = 0; y[0] = n / zero;", "SIGFPE"),
        ("__builtin_trap();", "SIGILL"),
        ("abort();", "SIGABRT"),
        ("exit(3);", "the program ended itself with exit code 3"),
        ('fputs("out of memory\\n", stderr); exit(1);', "ended itself with exit code 1: out of memory"),
    ],
)
def test_a_fault_is_named_with_argument_and_element(body: str, message: str) -> None:
    result = run_loop(body, prelude="#include <cstdio>\n#include <cstdlib>")
    assert not result.ok and message in result.describe()


def test_the_layout_at_the_start_catches_what_lies_before() -> None:
    body = "volatile float before = x[-1]; y[0] = before;"
    assert "out-of-bounds read of x[-1]" in run_loop(body, layout="start").describe()


def test_a_write_into_the_slack_before_a_buffer_breaks_the_canary() -> None:
    body = "for (int i = -1; i < n; ++i) y[i] = 1;"
    assert "out-of-bounds write of y[-1]" in run_loop(body, layout="end").describe()


def test_infinite_recursion_is_a_stack_overflow() -> None:
    prelude = "int deep(volatile int* p) { volatile int a[100]; a[0] = *p; return deep(a) + a[0]; }"
    result = run_loop("int n1 = n; y[0] = deep(&n1);", prelude=prelude)
    assert "stack overflow" in result.describe()


def test_a_hang_is_stopped_and_reported() -> None:
    result = run_loop("for (volatile int i = 0;; ) i = i + 1;", wall=0.5)
    assert "endless loop" in result.describe()


def test_one_bad_case_does_not_spoil_the_others() -> None:
    contract = vector_contract()
    text = """#include <cstdlib>
extern "C" void f(const float* x, float* y, int n) { if (n == 7) exit(1); y[0] = n; }"""
    sizes = [make_case({"n": n}, {"x": n, "y": n}) for n in (5, 7, 9)]
    good, bad, other = build(text, "f.cpp", "vnni", contract).run(sizes)
    assert good.ok and other.ok and not bad.ok and other.buffers["y"][0] == 9


def test_until_a_fault_no_case_runs_after_it() -> None:
    contract = vector_contract()
    text = """#include <cstdlib>
extern "C" void f(const float* x, float* y, int n) { if (n == 7) exit(1); y[0] = n; }"""
    sizes = [make_case({"n": n}, {"x": n, "y": n}) for n in (5, 7, 9)]
    good, bad, other = build(text, "f.cpp", "vnni", contract).run(sizes, until_fault=True)
    assert good.ok and "exit code 1" in bad.describe() and "not run" in other.describe()


def test_cases_that_are_not_needed_are_left_out_once_the_others_took_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(execute, "SLOW", 0.1)
    text = """#include <ctime>
extern "C" void f(const float* x, float* y, int n) {
        while (n == 7 && clock() < 0.2 * CLOCKS_PER_SEC) {}
        y[0] = n; }"""
    sizes = [make_case({"n": n}, {"x": n, "y": n}) for n in (5, 6, 7, 8, 9)]
    program = build(text, "f.cpp", "vnni", vector_contract())
    first = [run.left_out for run in program.run(sizes, needed=1)]
    assert first == [False, False, False, True, True]
    assert not any(run.left_out for run in program.run(sizes, needed=len(sizes)))


def test_what_was_not_written_is_still_poison() -> None:
    result = run_loop("for (int i = 0; i < n; i += 2) y[i] = 1;")
    assert is_poison(result.buffers["y"], F32)[1::2].all()
    assert not is_poison(result.buffers["y"], F32)[::2].any()


def test_an_integer_of_the_pattern_is_told_from_what_was_not_written() -> None:
    byte = Argument("y", I8, True, Role.OUT)
    contract = Contract("f", "host", (byte, Argument("n", I32, False, Role.IN)))
    text = """extern "C" void f(signed char* y, int n) {
        for (int i = 0; i < n; i += 2) y[i] = i % 4 ? -91 : 90; }"""
    case = make_case({"n": 8}, {"y": 8})
    for run in build(text, "f.cpp", "vnni", contract).run([case], variants=BOTH_ENDS):
        assert run.left_alone(byte).tolist() == [False, True] * 4
        assert run.buffers["y"].tolist() == [90, -91, -91, -91] * 2


def test_a_text_that_does_not_compile_gives_the_users_line() -> None:
    built = build("\n\nint f( {", "dir/f.cpp", "vnni", vector_contract())
    assert not built.ok and built.error.startswith("dir/f.cpp:3:")


def test_a_contract_of_another_arity_is_refused_by_the_compiler() -> None:
    built = build('extern "C" void f(float* x) {}', "f.cpp", "vnni", vector_contract())
    assert "another number of arguments" in built.error


def test_an_argument_of_another_width_is_reported_not_called() -> None:
    text = 'extern "C" void f(const float* x, float* y, long n) { y[0] = n; }'
    (result,) = build(text, "f.cpp", "vnni", vector_contract()).run(vector_contract().cases)
    assert "argument 3 of 3 has 8 bytes in the program" in result.describe()


_C_NAMES = dict(
    zip(
        "bool i8 i16 i32 i64 u8 u16 u32 u64 f16 bf16 f32 f64".split(),
        [
            *("bool", "signed char", "short", "int", "long long"),
            *("unsigned char", "unsigned short", "unsigned", "unsigned long long"),
            *("_Float16", "unsigned short", "float", "double"),
        ],
        strict=True,
    )
)


def test_every_dtype_goes_in_and_out_by_pointer_and_by_value() -> None:
    for dtype in ALL_DTYPES:
        c = _C_NAMES[dtype.name]
        body = "for (int i = 0; i < 9; ++i) y[i] = x[i]; y[9] = v;"
        text = f'extern "C" void f(const {c}* x, {c}* y, {c} v) {{ {body} }}'
        contract = Contract("f", "host", (*vector_contract(10, dtype).arguments[:2], _scalar("v", dtype)))
        case = make_case({"v": 1}, {"x": 10, "y": 10})
        (result,) = build(text, "f.cpp", "vnni", contract).run([case])
        x = inputs_of(contract, case)["x"]
        assert result.ok, (dtype, result.describe())
        assert np.array_equal(result.buffers["y"][:9].view(np.uint8), x[:9].view(np.uint8)), dtype
        assert decode(result.buffers["y"], dtype)[9] == 1, dtype


def _scalar(name: str, dtype: DType) -> Argument:
    return Argument(name, dtype, False, Role.SCALAR)


def test_a_header_beside_the_file_is_found_and_named(tmp_path: Path) -> None:
    (tmp_path / "double.h").write_text("#pragma once\ninline float twice(float v) { return 2 * v; }\n")
    text = (
        '#include "double.h"\n#include "double.h"\n'
        'extern "C" void f(const float* x, float* y, int n) {\n y[0] = twice(n); }'
    )
    (result,) = build(text, str(tmp_path / "f.cpp"), "vnni", vector_contract()).run(vector_contract().cases)
    assert result.buffers["y"][0] == 2000
    wrong = build(text.replace("twice(n)", "thrice(n)"), str(tmp_path / "f.cpp"), "vnni", vector_contract())
    assert f"{tmp_path}/f.cpp:4:" in wrong.error


ROUNDED = """#include <immintrin.h>
extern "C" void f(const float* x, float* y, int n) {
  for (int i = 0; i + 16 <= n; i += 16)
    _mm256_storeu_si256((__m256i*)(y + i), (__m256i)_mm512_cvtneps_pbh(_mm512_loadu_ps(x + i)));
}"""


@pytest.mark.parametrize(
    "text, missing",
    [
        ("_mm512_fmadd_ps(a, b, c)", ()),
        ("_mm512_dpbusd_epi32(a, b, c)", ("avx512_vnni",)),
        (ROUNDED, ("avx512_bf16",)),
    ],
)
def test_a_text_needs_the_parts_of_avx512_that_it_uses(
    text: str, missing: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    base = frozenset({"avx512f", "avx512bw", "avx512dq", "avx512vl", "avx512cd", "avx2", "fma", "f16c"})
    monkeypatch.setattr(avx512, "cpu_features", lambda: base)
    assert avx512.missing_parts(text) == missing
    flags = avx512.flags_here(text)
    assert flags is None if missing else flags is not None and "-mavx512vnni" not in flags


@pytest.mark.parametrize("own", [True, False], ids=["own", "none"])
def test_avx512_runs_also_on_a_cpu_without_it(own: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not own:
        monkeypatch.setattr(avx512, "cpu_features", frozenset)
    text = """#include <immintrin.h>
extern "C" void f(const float* x, float* y, int n) {
  for (int i = 0; i < n; i += 16) {
    __mmask16 k = n - i >= 16 ? 0xffff : (1u << (n - i)) - 1;
    __m512 v = _mm512_maskz_loadu_ps(k, x + i);
    _mm512_mask_storeu_ps(y + i, k, _mm512_fmadd_ps(v, v, _mm512_set1_ps(1)));
  }
}"""
    contract = vector_contract(fill="integers")
    built = build(text, "f.cpp", "vnni", contract)
    assert built.ok, built.error
    assert built.tool == ("g++" if "avx512f" in avx512.cpu_features() else "emulator (g++)")
    (result,) = built.run(contract.cases)
    x = inputs_of(contract, contract.cases[0])["x"]
    assert result.ok and np.array_equal(result.buffers["y"], x * x + 1)


# ------------------------------------------------------------------------------------------------ CUDA text


def test_a_host_wrapper_and_its_kernel_compute_the_same() -> None:
    contract = gemm_contract()
    case = replace(contract.cases[0], launch=Launch((3, 3, 1), (16, 16, 1)))
    kernel = replace(contract, entry="gemm", kind="kernel", kernel_spelling="gemm<16>")
    inputs = inputs_of(contract, case)
    expected = inputs["A"].reshape(40, 50) @ inputs["B"].reshape(50, 35)
    for one in (contract, kernel):
        built = build(TILED_GEMM, "gemm.cu", "cuda", one)
        assert built.ok, built.error
        runs = built.run([case], variants=BOTH_ENDS)
        for run in runs:
            assert run.ok, run.describe()
            assert np.allclose(run.buffers["C"].reshape(40, 35), expected, atol=1e-4)
        assert schedule_race(one, runs[0], runs[1]) is None


def test_a_bang_kernel_that_a_macro_defines_is_launched() -> None:
    text = """#include <bang.h>
#define KERNEL(op) \\
  __mlu_global__ void twice_##op(const float *x, float *y, int n) { \\
    __nram__ float tile[1000]; \\
    __memcpy(tile, x, n * sizeof(float), GDRAM2NRAM); \\
    __bang_##op(tile, tile, tile, n); \\
    __memcpy(y, tile, n * sizeof(float), NRAM2GDRAM); \\
  }
KERNEL(add)
"""
    contract = replace(vector_contract(), entry="twice_add", kind="kernel")
    built = build(text, "macros.mlu", "bang", contract)
    assert built.ok, built.error
    case = replace(contract.cases[0], launch=Launch((1, 1, 1), (1, 1, 1)))
    (done,) = built.run([case])
    assert done.ok, done.describe()
    assert np.array_equal(done.buffers["y"], 2 * inputs_of(contract, case)["x"])


def test_a_missing_barrier_shows_as_a_race() -> None:
    contract = gemm_contract()
    racy = TILED_GEMM.replace("    __syncthreads();\n    for", "    for")
    forward, reverse = build(racy, "gemm.cu", "cuda", contract).run(contract.cases, variants=BOTH_ENDS)
    race = schedule_race(contract, forward, reverse)
    assert race and "depend on the thread order" in race


def test_a_sum_by_float_atomics_is_no_race() -> None:
    text = """__global__ void k(const float* x, float* y, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) atomicAdd(y, x[i]);
}"""
    contract = replace(vector_contract(4096), entry="k", kind="kernel", reduction_length=4096)
    contract = replace(
        contract,
        arguments=(
            contract.arguments[0],
            replace(contract.arguments[1], role=Role.INOUT),
            contract.arguments[2],
        ),
    )
    cases = [
        replace(
            contract.cases[0],
            extents=(("x", 4096), ("y", 1)),
            launch=Launch((16, 1, 1), (256, 1, 1)),
            seed=seed,
        )
        for seed in range(5)
    ]
    atomic = build(text, "k.cu", "cuda", contract)
    for case in cases:
        forward, reverse = atomic.run([case], variants=BOTH_ENDS)
        assert not np.array_equal(forward.buffers["y"], reverse.buffers["y"])
        assert schedule_race(contract, forward, reverse, atomic) is None


def test_an_overrun_in_a_kernel_names_block_and_thread() -> None:
    contract = gemm_contract()
    wrong = TILED_GEMM.replace("if (r < m &&", "if (r <= m &&")
    (result,) = build(wrong, "gemm.cu", "cuda", contract).run(contract.cases)
    assert "out-of-bounds write of C[1400]" in result.describe() and "thread (" in result.describe()


def test_vector_pointers_count_scalars() -> None:
    text = "__global__ void k(const float4* x, float4* y) { y[threadIdx.x] = x[threadIdx.x]; }"
    arguments = (Argument("x", F32, True, Role.IN, 4), Argument("y", F32, True, Role.OUT, 4))
    contract = Contract("k", "kernel", arguments)
    case = make_case({}, {"x": 128, "y": 128}, Launch((1, 1, 1), (32, 1, 1)))
    (result,) = build(text, "k.cu", "cuda", contract).run([case])
    assert np.array_equal(result.buffers["y"], inputs_of(contract, case)["x"])


def test_a_half_goes_by_value() -> None:
    text = "#include <cuda_fp16.h>\n__global__ void k(half* y, half v, bool b) { y[0] = b ? v : half(0.0f); }"
    contract = Contract(
        "k", "kernel", (Argument("y", F16, True, Role.OUT), _scalar("v", F16), _scalar("b", BOOL))
    )
    case = make_case({"v": 1.5, "b": True}, {"y": 1}, Launch((1, 1, 1), (1, 1, 1)))
    (result,) = build(text, "k.cu", "cuda", contract).run([case])
    assert result.ok and result.buffers["y"][0] == 1.5


def test_a_whole_program_gives_its_output_and_exit_code() -> None:
    text = """#include <cstdio>
__global__ void k(int* y) { y[threadIdx.x] = threadIdx.x * 2; }
int main() {
  int *d, h[4]; cudaMalloc(&d, sizeof h); k<<<1, 4>>>(d);
  cudaMemcpy(h, d, sizeof h, cudaMemcpyDeviceToHost); printf("%d %d\\n", h[1], h[3]); return 5;
}"""
    contract = Contract("main", "main")
    for schedule in ("forward", "reverse"):
        result = build(text, "main.cu", "cuda", contract).run_program(schedule=schedule)
        assert (result.stdout, result.exit_code, result.crash) == ("2 6\n", 5, None)


def test_a_whole_program_that_overruns_is_a_fault() -> None:
    text = """__global__ void k(int* y) { y[4] = 1; }
int main() { int* d; cudaMalloc(&d, 16); k<<<1, 1>>>(d); cudaDeviceSynchronize(); }"""
    result = build(text, "main.cu", "cuda", Contract("main", "main")).run_program()
    assert not result.ok and "out-of-bounds write" in result.describe()


# ------------------------------------------------------------------------------------------------ storage


def test_bfloat16_rounds_to_nearest_even() -> None:
    values = [1.0, 1.00390625, 1.01171875, 3.3895314e38, float("nan"), float("inf"), -2.5]
    bits = encode(values, BF16)
    assert [hex(b) for b in bits] == ["0x3f80", "0x3f80", "0x3f82", "0x7f7f", "0x7fc0", "0x7f80", "0xc020"]
    assert decode(bits, BF16)[6] == -2.5


def test_poison_is_not_a_number() -> None:
    from xpiler.gate.arrays import poison, storage

    for dtype in (F16, BF16, F32, F64):
        assert np.isnan(decode(np.frombuffer(poison(dtype), storage(dtype)), dtype)).all()
    assert int.from_bytes(poison(I32), "little") == 0xA5A5A5A5


def test_a_time_limit_applies_to_the_whole_run() -> None:
    contract = vector_contract()
    body = "while (n == 1000) *(volatile float*)y = 1; y[0] = 1;"
    text = f'extern "C" void f(const float* x, float* y, int n) {{ {body} }}'
    built = build(text, "f.cpp", "vnni", contract)
    first = make_case({"n": 8}, {"x": 8, "y": 8})
    results = built.run([first, contract.cases[0], first], limits=Limits(wall=0.5), variants=(Variant(),))
    assert results[0].ok and not results[1].ok and not results[2].ok


def test_sums_of_a_kernel_are_contracted_only_where_that_is_asked_for() -> None:
    """x*x - rounded(x*x) is nothing unless it is fused: then it is what rounding took away."""
    text = (
        "__global__ void k(const float *x, float *y, int n) {"
        " int i = threadIdx.x; if (i < n) y[i] = x[i] * x[i] - x[n + i]; }\n"
    )
    x = np.linspace(1, 2, 33, dtype=np.float32)[1:] + np.float32(2**-20)
    arguments = (
        Argument("x", F32, True, Role.IN),
        Argument("y", F32, True, Role.OUT),
        Argument("n", I32, False, Role.SCALAR),
    )
    case = make_case({"n": 32}, {"x": 64, "y": 32}, Launch((1, 1, 1), (32, 1, 1)))
    contract = Contract("k", "kernel", arguments, (case,), kernel_spelling="k")
    given = [{"x": np.concatenate([x, x * x])}]
    apart, fused = (
        build(text, "k.cu", "cuda", contract, recontracted=f).run([case], inputs=given)[0]
        for f in (False, True)
    )
    assert (apart.buffers["y"] == 0).all()
    exact = x.astype(np.float64) ** 2 - (x * x).astype(np.float64)
    assert np.array_equal(fused.buffers["y"], exact.astype(np.float32))


def test_the_error_that_is_told_names_the_type_that_nobody_knows() -> None:
    text = (
        "__global__ void look(cudaTextureObject_t t, float *y) { y[0] = tex2D<float>(t, 0, 0); }\n"
        "void run(cudaTextureObject_t t, float *y) { look<<<1, 1>>>(t, y); }\n"
    )
    with pytest.raises(
        Refusal, match=r"look.cu:1:\d+: error: .*cudaTextureObject_t.*; mend it, or move"
    ) as told:
        translate_text(text, "look.cu", "hip")
    assert "declared void" not in str(told.value)
