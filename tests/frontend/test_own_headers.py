"""Headers of a program's own in the place of their includes."""

from __future__ import annotations

from pathlib import Path

from xpiler.errors import Diagnostic
from xpiler.frontend.own_headers import with_own_headers
from xpiler.ir.source import SourceRange
from xpiler.translate import translate_text

PLAIN = "#define HALF(x) ((x) / 2)\n"
KERNEL_H = """\
// sizes and helpers
#ifndef KERNEL_H
#define KERNEL_H
#include <bang.h>
#include "plain.h"
__mlu_func__ void twice(float *x, int n) { __bang_mul_scalar(x, x, 2.0f, n); }
#endif
"""
MAIN = """\
#include "parts/kernel.h"
#include "parts/kernel.h"
__mlu_entry__ void k(float *y, int n) {
  __nram__ float tile[64];
  int first = HALF(n);
  __memcpy(tile, y + first, 256, GDRAM2NRAM);
  twice(tile, 64);
  __memcpy(y + first, tile, 256, NRAM2GDRAM);
}
"""


def program(folder: Path) -> str:
    (folder / "parts").mkdir()
    (folder / "parts" / "plain.h").write_text(PLAIN)
    (folder / "parts" / "kernel.h").write_text(KERNEL_H)
    return str(folder / "k.mlu")


def test_a_header_for_the_platforms_compiler_is_put_in_once_and_plain_ones_stay(tmp_path: Path) -> None:
    one = with_own_headers(MAIN, program(tmp_path), "bang")
    assert one.text.split("\n")[:6] == [
        "// sizes and helpers",
        "#include <bang.h>",
        '#include "parts/plain.h"',
        "__mlu_func__ void twice(float *x, int n) { __bang_mul_scalar(x, x, 2.0f, n); }",
        "",
        "__mlu_entry__ void k(float *y, int n) {",
    ]
    assert one.headers == (str(tmp_path / "parts" / "kernel.h"),)


def test_places_in_it_are_those_that_the_user_wrote(tmp_path: Path) -> None:
    file = program(tmp_path)
    one = with_own_headers(MAIN, file, "bang")

    def place(line: int) -> tuple[str, int]:
        found = one.original(Diagnostic("x", "x", SourceRange(file, line, 1, line, 9))).range
        assert found is not None
        return Path(found.file).name, found.line

    lines = one.text.split("\n")
    assert place(1 + lines.index("#include <bang.h>")) == ("kernel.h", 4)
    assert place(1 + lines.index("  int first = HALF(n);")) == ("k.mlu", 5)


def test_a_text_with_plain_headers_alone_is_as_it_was(tmp_path: Path) -> None:
    file = program(tmp_path)
    text = '#include "parts/plain.h"\n#include "parts/missing.h"\n'
    assert with_own_headers(text, file, "bang").text == text


def test_a_program_with_the_sources_runtime_in_a_header_of_its_own_is_translated(tmp_path: Path) -> None:
    (tmp_path / "common.h").write_text(
        "#pragma once\n#include <cuda_runtime.h>\n"
        "__device__ __forceinline__ float twice(float x) { return x * 2.f; }\n"
        "static void *room(int n) { void *d; cudaMalloc(&d, n * sizeof(float)); return d; }\n"
    )
    text = """#include "common.h"
    __global__ void k(float *x, int n) {
        int i = blockIdx.x * blockDim.x + threadIdx.x;
        if (i < n) x[i] = twice(x[i]);
    }
    extern "C" void run(float *x, int n) {
        float *d = (float *)room(n);
        cudaMemcpy(d, x, n * sizeof(float), cudaMemcpyHostToDevice);
        k<<<(n + 63) / 64, 64>>>(d, n);
        cudaMemcpy(x, d, n * sizeof(float), cudaMemcpyDeviceToHost);
    }
    """
    result = translate_text(text, str(tmp_path / "k.cu"), "vnni")
    assert result.status == "verified", result.evidence
    assert [d.code for d in result.diagnostics] == ["own-header"]
