"""Device functions and variables that another file defines, as builds with -rdc link them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from xpiler.frontend.own_headers import OneText
from xpiler.gate import program_files
from xpiler.gate.device_borders import with_device_functions
from xpiler.gate.toolchain import lacks_device_code
from xpiler.translate import translate_text

AMP = """extern __device__ float soft_clip(float v,
                                  float limit);
extern __constant__ float gain[4];
__global__ void amplify(float *y, const float *x, int n, float limit) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) y[i] = soft_clip(x[i] * gain[i & 3], limit);
}
void run(float *y, const float *x, int n) { amplify<<<(n + 127) / 128, 128>>>(y, x, n, 2.0f); }
"""
MATH = """extern __constant__ float gain[4];
__constant__ float gain[4] = {1, 2, 3, 4};
__device__ float size(float v) { return fabsf(v); }  // its own
__device__ float soft_clip(float v, float limit) {
    return v / (1.0f + size(v) / limit);
}
"""


@pytest.fixture
def amp(tmp_path: Path) -> Iterator[Path]:
    program_files.state([])
    (tmp_path / "math.cu").write_text(MATH)
    (tmp_path / "amp.cu").write_text(AMP)
    yield tmp_path / "amp.cu"
    program_files.state([])


def test_the_body_stands_where_the_declaration_stood(amp: Path) -> None:
    one = with_device_functions(OneText(AMP, str(amp)), "cuda")
    first, rest = one.text.split("\n", 1)
    assert first == (
        "static __device__ float size(float v) { return fabsf(v); } "
        "static __device__ float soft_clip(float v, float limit) { return v / (1.0f + size(v) / limit); }"
    )
    assert rest == "\n" + AMP.split("\n", 2)[2]  # all else is on its line
    assert one.headers == (str(amp.parent / "math.cu"),)


@pytest.mark.parametrize("to", ["hip", "vnni"])
def test_kernels_that_call_over_the_border_are_verified(amp: Path, to: str) -> None:
    result = translate_text(AMP, str(amp), to)
    assert [(e.name, e.status) for e in result.entries] == [("run", "verified")]
    assert any("linked with math.cu (translated: math." in rung.detail for rung in result.evidence)


def test_a_file_of_device_functions_alone_is_linked_with_its_header_in_both_files(tmp_path: Path) -> None:
    program_files.state([])
    (tmp_path / "clip.cuh").write_text(
        "#pragma once\n"
        "struct Pair { float a, b; };\n"
        "__host__ __device__ __forceinline__ float sum(Pair p) { return p.a + p.b; }\n"
        "__device__ float soft_clip(float v, float limit);\n"
    )
    body = "{ return v / (1.0f + fabsf(v) / sum({limit, 1.0f})); }\n"
    (tmp_path / "clip.cu").write_text(
        f'#include "clip.cuh"\n__device__ float soft_clip(float v, float limit) {body}'
    )
    source = (
        AMP.split(";", 1)[1].replace(" * gain[i & 3]", "").replace("extern __constant__ float gain[4];", "")
    )
    source = f'#include "clip.cuh"\n{source}'
    result = translate_text(source, str(tmp_path / "amp.cu"), "hip")
    assert [(e.name, e.status) for e in result.entries] == [("run", "verified")]
    assert any("linked with clip.cu (translated: clip.hip)" in rung.detail for rung in result.evidence)
    program_files.state([])


def test_only_what_calls_it_is_refused_where_nobody_defines_it(amp: Path) -> None:
    (amp.parent / "math.cu").unlink()
    other = (
        "__global__ void one(float *y) { y[threadIdx.x] = 1; }\nvoid ones(float *y) { one<<<1, 64>>>(y); }\n"
    )
    result = translate_text(AMP + other, str(amp), "vnni")
    assert [(e.name, e.status) for e in result.entries] == [("run", "refused"), ("ones", "verified")]
    (told,) = [d for d in result.diagnostics if d.severity == "error"]
    assert told.code == "function-elsewhere" and told.range is not None and told.range.line == 6


def test_builds_with_relocatable_device_code_are_known_by_their_text() -> None:
    assert lacks_device_code(AMP) and lacks_device_code("__device__ int f(int);\n")
    assert not lacks_device_code("__device__ int f(int a) { return a; }\n__device__ int g;\n")
