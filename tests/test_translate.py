"""Real kernels through the whole route: both targets, compiled, run and compared with the source."""

from __future__ import annotations

from pathlib import Path

import pytest

from xpiler.bench.operators import load_operators
from xpiler.files import read_source
from xpiler.translate import translate_text, verify_text

SNIPPETS = Path(__file__).parent.parent / "snippets" / "cuda"
# The operators of the benchmark have their own test, with their shapes.
KERNELS = sorted({path.stem for path in SNIPPETS.glob("*.cu")} - set(load_operators()))


def of(name: str) -> tuple[str, str]:
    path = SNIPPETS / f"{name}.cu"
    return read_source(path), str(path)


@pytest.mark.parametrize("target", ["hip", "vnni", "bang"])
@pytest.mark.parametrize("name", KERNELS)
def test_a_snippet_is_translated_and_verified(name: str, target: str) -> None:
    result = translate_text(*of(name), target)
    failed = [rung for rung in result.evidence if not rung.ok]
    assert result.status == "verified", failed or result.diagnostics
    assert {"parsed", "compiled", "executed", "sanitized"} <= {rung.rung for rung in result.evidence}


def test_a_parametric_kernel_runs_at_two_sizes_with_all_extents_different() -> None:
    result = translate_text(*of("gemm_tiled"), "hip")
    (executed,) = [rung for rung in result.evidence if rung.rung == "executed"]
    assert "M=37, N=53, K=29 and M=53, N=29, K=37" in executed.detail


def test_a_kernel_with_fixed_extents_gets_the_sizes_that_fit_it() -> None:
    result = translate_text(*of("conv2d_nhwc_fixed"), "hip")
    (executed,) = [rung for rung in result.evidence if rung.rung == "executed"]
    assert "batch=2, height=10, in_channels=16, out_channels=24, kernel=3, stride=1" in executed.detail


def test_a_wrong_target_is_not_verified() -> None:
    text, file = of("gemm_tiled")
    result = translate_text(text, file, "hip")
    assert result.text is not None
    wrong = result.text.replace("k < TILE", "k < TILE - 1")
    assert wrong != result.text
    verdict = verify_text(text, file, wrong, file.replace(".cu", ".hip"))
    assert verdict.status == "unverified"
    (executed,) = [rung for rung in verdict.evidence if rung.rung == "executed"]
    assert not executed.ok
    assert "C[" in executed.detail


def test_a_dropped_barrier_in_the_target_is_noticed() -> None:
    text, file = of("layernorm")
    result = translate_text(text, file, "hip")
    assert result.text is not None
    step = "    if (tid < stride) buffer[tid] += buffer[tid + stride];\n"
    wrong = result.text.replace(step + "    __syncthreads();\n", step)
    assert wrong != result.text
    assert verify_text(text, file, wrong, file.replace(".cu", ".hip")).status == "unverified"


@pytest.mark.parametrize("target", ["hip", "vnni", "bang"])
def test_the_host_interface_and_the_comments_survive(target: str) -> None:
    text, file = of("gemm_tiled")
    result = translate_text(text, file, target)
    assert result.text is not None
    assert (
        'extern "C" void gemm(const float *A, const float *B, float *C, int M, int N, int K)' in result.text
    )
    assert "// C = A * B, row-major, with 32x32 tiles staged through shared memory." in result.text


def test_a_fault_of_a_template_is_told_once_with_its_instances() -> None:
    text = (
        "template <typename T> __global__ void turn(T* x) {\n"
        "    __shared__ T t[64];\n"
        "    t[threadIdx.x] = x[threadIdx.x];\n"
        "    x[threadIdx.x] = t[63 - threadIdx.x];\n"
        "}\n"
        "void turn_f(float* x) { turn<<<1, 64>>>(x); }\n"
        "void turn_i(int* x) { turn<<<1, 64>>>(x); }\n"
    )
    (told,) = [d for d in translate_text(text, "turn.cu", "hip").diagnostics if d.code == "race"]
    assert told.message.endswith("; so it is in turn_i")


def test_a_kernel_without_a_form_on_the_target_refuses_its_own_entries_alone() -> None:
    text = (
        "__global__ void halve(double *x) { x[blockIdx.x] *= 0.5; }\n"
        "__global__ void twice(float *x, int n) {\n"
        "    int i = blockIdx.x * 64 + threadIdx.x;\n"
        "    if (i < n) x[i] *= 2;\n"
        "}\n"
        'extern "C" void halved(double *x, int n) { halve<<<n, 1>>>(x); }\n'
        'extern "C" void doubled(float *x, int n) { twice<<<(n + 63) / 64, 64>>>(x, n); }\n'
    )
    result = translate_text(text, "two.cu", "bang")
    assert {entry.name: entry.status for entry in result.entries} == {
        "halved": "refused",
        "doubled": "verified",
    }
    assert result.text is not None and "__builtin_trap()" in result.text


def test_an_instance_that_the_target_spells_as_one_word_is_found_there() -> None:
    source = """
template <class T> __global__ void scale(const T* x, T* y, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) y[i] = x[i] * 3;
}
template __global__ void scale<float>(const float*, float*, int);
"""
    target = translate_text(source, "scale.cu", "bang").text or ""
    assert "scale<" not in target
    assert (
        verify_text(source, "scale.cu", f"// scale: by instances\n{target}", "scale.mlu").status == "verified"
    )
