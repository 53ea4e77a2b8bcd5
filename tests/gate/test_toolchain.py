"""The platforms' compilers accept right texts and name the first error of wrong ones."""

from __future__ import annotations

import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from xpiler.gate import nvrtc, sandbox, toolchain
from xpiler.gate.device_text import chunks, device_side, instantiations
from xpiler.gate.sandbox import Completed
from xpiler.gate.toolchain import compile_check, doctor, render_doctor

CUDA = """#include <cuda_runtime.h>
#include <cstdio>
#include <vector>
#define HD __host__ __device__
#define CHECK(x) do { if ((x) != cudaSuccess) exit(1); } while (0)
struct Config { std::vector<int> sizes; };  // only for the host
struct Pair { int x, y; };
std::vector<float> global_data(100);
HD inline int twice(int v) { return 2 * v; }
static int ceil_div(int a, int b) { return (a + b - 1) / b; }
template <typename T, int N>
__global__ void scale(const T* a, T* b, Pair p) {
  __shared__ T s[N];
  s[threadIdx.x] = a[threadIdx.x];
  __syncthreads();
  b[threadIdx.x] = expf(s[N - 1 - threadIdx.x]) + twice(p.x) PLACE;
}
extern "C" void launch(const float* a, float* b, int n) {
  scale<float, 32><<<ceil_div(n, 32), 32>>>(a, b, Pair{n, 1});
  CHECK(cudaGetLastError());
}
int main() { Config c; printf("%d", (int)c.sizes.size()); }
"""


def test_host_functions_are_blanked_in_place() -> None:
    parts = chunks(CUDA)
    device = device_side(CUDA, parts)
    assert len(device) == len(CUDA) and device.count("\n") == CUDA.count("\n")
    assert "launch" not in device and "int main" not in device and "ceil_div" not in device
    assert "__global__ void scale" in device and "HD inline int twice" in device and "#define CHECK" in device
    assert instantiations(CUDA) == ["scale<float, 32>"]


def test_constants_of_host_code_are_put_into_instantiations() -> None:
    text = "void f() { constexpr int kWarps = 4; k<float, kWarps><<<1, 2>>>(); }"
    assert instantiations(text) == ["k<float, 4>"]
    assert instantiations(text + "void g() { const int kWarps = 8; }") == ["k<float, kWarps>"]


def test_any_text_has_chunks() -> None:
    for text in ("", "}}}", "{{{", "((", '"', "/*", "int", "#", "template<"):
        assert isinstance(chunks(text), list)


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("", None),
        ("+ undefined_name(1)", ':16: identifier "undefined_name" is undefined'),
        ("+ ceil_div(1, 2)", "ceil_div is a host function and cannot be called on the device"),
        ("+ p.z", ':16: class "Pair" has no member "z"'),
    ],
)
def test_the_runtime_compiler_judges_the_device_code(place: str, words: str | None) -> None:
    compiler = nvrtc.find()
    assert compiler, "pip install xpiler[cuda]"
    checked = nvrtc.check(CUDA.replace("PLACE", place), "dir/scale.cu", compiler)
    if words is None:
        assert checked.ok and checked.unseen == "host code not seen"
    else:
        assert checked.ok is False and words in checked.detail


def test_what_the_runtime_compiler_cannot_read_is_not_called_an_error() -> None:
    compiler = nvrtc.find()
    assert compiler
    text = "#include <cutlass/cutlass.h>\n__global__ void k() {}\n"
    checked = nvrtc.check(text, "k.cu", compiler)
    assert checked.ok is None and "cutlass/cutlass.h" in checked.detail


def test_without_nvcc_cuda_is_checked_by_the_runtime_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(toolchain, "nvcc_path", lambda: None)
    (rung,) = compile_check(CUDA.replace("PLACE", ""), "scale.cu", "cuda")
    assert rung.ok and rung.tool.startswith("NVRTC") and "host code not seen" in rung.detail


def test_with_no_compiler_for_cuda_the_emulator_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(toolchain, "nvcc_path", lambda: None)
    monkeypatch.setattr(nvrtc, "find", lambda: None)
    (rung,) = compile_check("__global__ void k(int* a) { a[0] = 1; }", "k.cu", "cuda")
    assert rung.ok and rung.tool.startswith("emulator") and "emulator's headers only" in rung.detail
    (rung,) = compile_check("__global__ void k(int* a) { a[0] = oops; }", "k.cu", "cuda")
    assert not rung.ok and "k.cu:1:" in rung.detail


def test_cpp_is_checked_by_every_host_compiler() -> None:
    text = "#include <immintrin.h>\nvoid f(float* a) { _mm512_storeu_ps(a, _mm512_set1_ps(1)); }\n"
    good = compile_check(text, "f.cpp", "vnni")
    assert {"g++", "clang++"} <= {rung.tool for rung in good} and all(rung.ok for rung in good)
    bad = compile_check(text.replace("set1", "set9"), "dir/f.cpp", "vnni")
    assert all(not rung.ok and rung.detail.startswith("dir/f.cpp:2:") for rung in bad)


def test_a_compiler_that_was_killed_is_asked_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XPILER_CACHE", str(tmp_path))  # no answer of an earlier run may be there
    text = "int killed_once() { return 0; }\n"
    right = sandbox.run

    def killed(*arguments: Any, **others: Any) -> Completed:
        return replace(right(*arguments, **others), returncode=None, signal=signal.SIGTERM)

    monkeypatch.setattr(sandbox, "run", killed)
    assert not all(rung.ok for rung in compile_check(text, "killed_once.cpp", "vnni"))
    monkeypatch.setattr(sandbox, "run", right)
    assert all(rung.ok for rung in compile_check(text, "killed_once.cpp", "vnni"))


def test_hip_is_checked_for_gfx90a() -> None:
    text = "#include <hip/hip_runtime.h>\n__global__ void k(float* a) { a[threadIdx.x] = 1; }\n"
    (good,) = compile_check(text, "k.hip", "hip")
    (bad,) = compile_check(text.replace("= 1", "= one"), "k.hip", "hip")
    assert good.ok and good.tool == "hipcc"
    assert not bad.ok and bad.detail.startswith("k.hip:2:") and "one" in bad.detail


def test_doctor_lists_every_tool_found_or_not() -> None:
    tools = {tool.name: tool for tool in doctor()}
    assert {"g++", "clang++", "zig c++", "nvcc", "NVRTC", "hipcc", "cncc", "sandbox"} <= set(tools)
    assert tools["g++"].found and tools["g++"].version
    assert len(render_doctor(list(tools.values())).splitlines()) == len(tools)
