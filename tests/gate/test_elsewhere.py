"""Programs that call functions which other files define."""

from __future__ import annotations

from pathlib import Path

from xpiler.gate.contract import Contract
from xpiler.gate.execute import Build, build
from xpiler.gate.trace import TRACE, read_trace
from xpiler.translate import translate_text

SOURCE = """#include <cstdio>
extern "C" void computeGold(float *expected, const float *x, int n);
namespace report { bool same(const float *a, const float *b, int n); }
__global__ void twice(float *y, const float *x, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) y[i] = 2 * x[i];
}
int main() {
    float x[100], y[100], expected[100], *a, *b;
    for (int i = 0; i < 100; ++i) x[i] = i;
    cudaMalloc(&a, sizeof x);
    cudaMalloc(&b, sizeof y);
    cudaMemcpy(a, x, sizeof x, cudaMemcpyHostToDevice);
    twice<<<1, 128>>>(b, a, 100);
    cudaMemcpy(y, b, sizeof y, cudaMemcpyDeviceToHost);
    computeGold(expected, x, 100);
    puts(report::same(expected, y, 100) ? "PASS" : "FAIL");
}
"""
GOLD = """extern "C" void computeGold(float *expected, const float *x, int n) {
    for (int i = 0; i < n; ++i) expected[i] = x[i] + x[i];
}
namespace report { bool same(const float *a, const float *b, int n) {
    for (int i = 0; i < n; ++i) if (a[i] != b[i]) return false;
    return true;
} }
"""


def program(folder: Path, source: str = SOURCE) -> Build:
    return build(source, str(folder / "twice.cu"), "cuda", Contract("main", "main"))


def test_what_nobody_defines_ends_the_program_by_name(tmp_path: Path) -> None:
    ran = program(tmp_path).run_program(env=TRACE)
    assert ran.crash == "`computeGold` is called, which another file defines"
    assert [launch.kernel for launch in read_trace(ran).launches] == ["twice"]  # what came before counts
    assert read_trace(ran).fault == ""


def test_plain_files_beside_it_are_linked_with_it(tmp_path: Path) -> None:
    (tmp_path / "twice_gold.cpp").write_text(GOLD)
    (tmp_path / "another.cpp").write_text(GOLD + "int main() { return 0; }\n")  # a program of its own
    ran = program(tmp_path).run_program()
    assert ran.crash is None and ran.stdout == "PASS\n"


def test_a_file_that_is_changed_is_linked_anew(tmp_path: Path) -> None:
    (tmp_path / "twice_gold.cpp").write_text(GOLD)
    assert program(tmp_path).run_program().stdout == "PASS\n"
    (tmp_path / "twice_gold.cpp").write_text(GOLD.replace("x[i] + x[i]", "x[i]"))
    assert program(tmp_path).run_program().stdout == "FAIL\n"


def test_variables_of_another_file_are_not_made_up(tmp_path: Path) -> None:
    source = SOURCE.replace("namespace report", "extern float scale;\nnamespace report").replace(
        "2 * x", "scale * x"
    )
    built = program(tmp_path, source)
    assert not built.ok and "scale" in built.error


def test_the_kernel_is_verified_and_the_program_is_not(tmp_path: Path) -> None:
    result = translate_text(SOURCE, str(tmp_path / "twice.cu"), "hip")
    assert [(e.name, e.status) for e in result.entries] == [("twice", "verified"), ("main", "unverified")]
    assert result.status == "unverified"
    (tmp_path / "twice_gold.cpp").write_text(GOLD)
    assert translate_text(SOURCE, str(tmp_path / "twice.cu"), "hip").status == "verified"
