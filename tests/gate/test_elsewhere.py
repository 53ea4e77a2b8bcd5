"""Programs that call functions which other files define."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from xpiler.cli import main
from xpiler.gate import program_files
from xpiler.gate.contract import Contract
from xpiler.gate.elsewhere import bare_name
from xpiler.gate.execute import Build, build
from xpiler.gate.trace import TRACE, read_trace
from xpiler.platforms.registry import PLATFORMS
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
    said = "`computeGold` is called, which another file defines; translate that file with this one"
    assert ran.crash == said
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


SCALED = SOURCE.replace("namespace report", "extern float scale;\nnamespace report").replace(
    "computeGold(expected, x, 100)", "for (int i = 0; i < 100; ++i) expected[i] = scale * x[i]"
)


def test_a_variable_that_nobody_defines_ends_the_program_by_name(tmp_path: Path) -> None:
    ran = program(tmp_path, SCALED).run_program(env=TRACE)
    assert ran.crash == "`scale` is used, which another file defines; translate that file with this one"
    result = translate_text(SCALED, str(tmp_path / "twice.cu"), "vnni")
    assert [(e.name, e.status) for e in result.entries] == [("twice", "verified"), ("main", "unverified")]
    assert "`scale` is used" in result.evidence[-1].detail or any(
        "`scale`" in r.detail for r in result.evidence
    )


def test_a_variable_of_a_file_beside_it_is_linked(tmp_path: Path) -> None:
    (tmp_path / "scale.cpp").write_text("float scale = 2;\n" + GOLD)
    assert program(tmp_path, SCALED).run_program().stdout == "PASS\n"


def test_the_kernel_is_verified_and_the_program_is_not(tmp_path: Path) -> None:
    result = translate_text(SOURCE, str(tmp_path / "twice.cu"), "hip")
    assert [(e.name, e.status) for e in result.entries] == [("twice", "verified"), ("main", "unverified")]
    assert result.status == "unverified"
    (tmp_path / "twice_gold.cpp").write_text(GOLD)
    assert translate_text(SOURCE, str(tmp_path / "twice.cu"), "hip").status == "verified"


HALVES = """void twice_all(float *y, const float *x, int n);
__global__ void halve(float *y, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) y[i] *= 0.5f;
}
void same(float *y, const float *x, int n) {
    twice_all(y, x, n);
    halve<<<(n + 127) / 128, 128>>>(y, n);
}
"""
TWICE_ALL = """__global__ void twice(float *y, const float *x, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) y[i] = 2 * x[i];
}
void twice_all(float *y, const float *x, int n) { twice<<<(n + 127) / 128, 128>>>(y, x, n); }
"""


@pytest.fixture
def halves(tmp_path: Path) -> Iterator[Path]:
    program_files.state([])
    (tmp_path / "halves.cu").write_text(HALVES)
    (tmp_path / "twice.cu").write_text(TWICE_ALL)
    yield tmp_path / "halves.cu"
    program_files.state([])


@pytest.mark.parametrize("to", ["hip", "vnni"])
def test_device_code_beside_it_is_linked_on_both_sides(halves: Path, to: str) -> None:
    result = translate_text(HALVES, str(halves), to)
    assert [(e.name, e.status) for e in result.entries] == [("same", "verified")]
    other = f"twice{PLATFORMS[to].extension}"
    assert any(f"linked with twice.cu (translated: {other})" in r.detail for r in result.evidence)
    assert any(
        "twice.cu is translated to be linked, and not written" in d.message for d in result.diagnostics
    )


def test_what_is_linked_is_the_translation_that_there_is(halves: Path) -> None:
    wrong = TWICE_ALL.replace("2 * x", "3 * x").replace("#include <cuda", "#include <hip")
    (halves.parent / "twice.hip").write_text("#include <hip/hip_runtime.h>\n" + wrong)
    result = translate_text(HALVES, str(halves), "hip")
    assert [(e.name, e.status) for e in result.entries] == [("same", "unverified")]


def test_a_folder_is_one_program(halves: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "device"
    folder.mkdir()
    halves.rename(folder / "halves.cu")  # no file is beside the one that it calls
    code = main(["translate", str(tmp_path), "--to", "hip", "-o", str(tmp_path / "out")])
    assert code == 0 and "linked with twice.cu (translated: twice.hip)" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "bare"),
    [
        ("computeGold", "computeGold"),
        ("ops::norm(float*, std::vector<int>)", "norm"),
        ("void ops::scan<Pair<int>>(int)", "scan"),
    ],
)
def test_names_as_linkers_say_them(name: str, bare: str) -> None:
    assert bare_name(name) == bare


def test_two_files_with_the_same_function_are_not_guessed_between(halves: Path) -> None:
    (halves.parent / "another.cu").write_text(TWICE_ALL)
    built = build(HALVES, str(halves), "cuda", Contract("", "main"))
    assert built.others == ()
    program_files.state([halves, halves.parent / "twice.cu"])  # those that the command names
    others, unclear = program_files.definers(str(halves), "cuda", ["twice_all"])
    assert [Path(o.path).name for o in others] == ["twice.cu"] and not unclear
