"""`xpiler check` as it is called."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from xpiler.cli import main
from xpiler.symbolic.findings import CODES

RIGHT = """__global__ void twice(float* a, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) a[i] *= 2;
}
"""
RACE = """__global__ void turn(float* a) {
  __shared__ float s[64];
  s[threadIdx.x] = a[threadIdx.x];
  a[threadIdx.x] = s[63 - threadIdx.x];
}
"""
SCATTER = """__global__ void scatter(const int* to, float* a, int n) {
  int i = threadIdx.x;
  if (i < n) a[to[i]] = i;
}
"""


def check(folder: Path, text: str, *flags: str, name: str = "k.cu") -> int:
    file = folder / name
    file.write_text(text)
    return main(["check", str(file), *flags])


@pytest.mark.parametrize(
    ("text", "code"), [(RIGHT, 0), (RACE, 1), (SCATTER, 3), ("__global__ void f( {", 2)], ids=str
)
def test_exit_codes(tmp_path: Path, text: str, code: int) -> None:
    assert check(tmp_path, text) == code


def test_text_shows_lines_places_and_values(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    check(tmp_path, RACE, "--block", "64", "--grid", "1")
    shown = capsys.readouterr().out
    assert f"{tmp_path}/k.cu:4:3: error: thread 63 reads s[0] while thread 0 writes it" in shown
    assert "    4 |   a[threadIdx.x] = s[63 - threadIdx.x];\n      |   ^~~~" in shown
    assert f"{tmp_path}/k.cu:3:3: note: written here by thread 0" in shown
    assert "with blockIdx.x = 0, threadIdx.x = 63; the other: threadIdx.x = 0; blockDim.x = 64" in shown


def test_json_has_kernels_and_findings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    check(tmp_path, RIGHT + RACE, "--json")
    document = json.loads(capsys.readouterr().out)
    assert [(k["name"], k["status"]) for k in document["kernels"]] == [("twice", "clean"), ("turn", "bugs")]
    finding = document["findings"][0]
    assert (finding["code"], finding["severity"]) == ("XP-RACE", "error")
    assert (Path(finding["file"]).name, finding["line"], finding["column"]) == ("k.cu", 8, 3)
    assert finding["counterexample"]["threadIdx.x"] == 63
    assert finding["counterexample"]["other.threadIdx.x"] == 0


def test_sarif_has_results_with_regions(tmp_path: Path) -> None:
    check(tmp_path, RACE, "--sarif", str(tmp_path / "out.sarif"))
    run = json.loads((tmp_path / "out.sarif").read_text())["runs"][0]
    result = run["results"][0]
    assert result["ruleId"] == "XP-RACE" == run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"]
    assert result["locations"][0]["physicalLocation"]["region"]["startLine"] == 4
    assert result["relatedLocations"][0]["physicalLocation"]["region"]["startLine"] == 3


def test_given_sizes_are_used(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flags = ["--block", "64", "--grid", "2", "--arg", "n=100", "--shape", "a=99"]
    assert check(tmp_path, RIGHT, *flags) == 1
    assert "thread 35 of block 1 updates a[i] with i = 99, but a has 99 elements" in capsys.readouterr().out
    assert check(tmp_path, RIGHT, *flags[:-1], "a=100") == 0


@pytest.mark.parametrize("flag", ["--grid", "--block"])
def test_a_launch_of_nothing_is_refused(
    flag: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert check(tmp_path, "__global__ void k(float *x) { x[threadIdx.x] = 1.0f; }", flag, "32,0") == 2
    assert f"{flag}: a launch has 1 along each axis at least, not 0" in capsys.readouterr().err


def test_indices_beyond_32_bits(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = """__global__ void zero(float* a, int rows, int cols) {
  int r = blockIdx.y * blockDim.y + threadIdx.y, c = blockIdx.x * blockDim.x + threadIdx.x;
  if (r < rows && c < cols) a[r * cols + c] = 0;
}
"""
    flags = ["--grid", "6250,6250", "--block", "16,16", "--arg", "rows=100000", "--arg", "cols=100000"]
    assert check(tmp_path, text, *flags, "--json") == 1
    (finding,) = json.loads(capsys.readouterr().out)["findings"]
    values = finding["counterexample"]
    row = values["blockIdx.y"] * 16 + values["threadIdx.y"]
    column = values["blockIdx.x"] * 16 + values["threadIdx.x"]
    assert finding["code"] == "XP-OVERFLOW" and values["index"] == row * 100000 + column > 2**31
    assert check(tmp_path, text.replace("[r * cols", "[(size_t)r * cols"), *flags) == 0


def test_templates_that_are_never_launched(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = RACE.replace("__global__", "template <typename T, int N>\n__global__").replace("float", "T")
    assert check(tmp_path, text.replace("64", "N").replace("63", "N - 1")) == 1
    shown = capsys.readouterr().out
    assert "turn<float, 32>: bugs" in shown and "assumed: the template's arguments" in shown
    assert "k.cu:5:3: error: thread 31 reads s[0] while thread 0 writes it, with no barrier" in shown


def test_findings_do_not_depend_on_the_process(tmp_path: Path) -> None:
    text = (Path(__file__).parent / "suite" / "graphs.cu").read_text()
    file = tmp_path / "graphs.cu"
    file.write_text(text[: text.index("__global__ void warp_per_vertex(")].rsplit("//", 1)[0])
    command = [sys.executable, "-m", "xpiler", "check", "--json", str(file)]
    said = set()
    for seed in ("0", "1", "4711"):
        done = subprocess.run(
            command, capture_output=True, text=True, env={**os.environ, "PYTHONHASHSEED": seed}, timeout=300
        )
        assert done.returncode == 1, done.stderr
        report = json.loads(done.stdout)
        said.add(json.dumps([report["findings"], [(k["name"], k["status"]) for k in report["kernels"]]]))
    assert len(said) == 1


def test_every_code_has_its_page() -> None:
    pages = Path(__file__).parents[2] / "docs" / "checks"
    assert {page.stem for page in pages.glob("XP-*.md")} == set(CODES)


def test_a_file_without_kernels_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check(tmp_path, "int main() { return 0; }\n") == 2
    assert "k.cu:1:1: error: there is no kernel in this file" in capsys.readouterr().out


HEADER = """#pragma once
template <int BLOCK> __global__ void __launch_bounds__(BLOCK / 2) turned(float* a) {
  __shared__ float s[BLOCK / 2];
  s[threadIdx.x] = a[threadIdx.x];
  a[threadIdx.x] = s[BLOCK / 2 - 1 - threadIdx.x];
}
"""


def test_findings_in_headers_are_shown_with_their_lines(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "turned.cuh").write_text(HEADER)
    launched = '#include "turned.cuh"\nvoid run(float* a) { turned<64><<<1, 32>>>(a); }\n'
    assert check(tmp_path, launched) == 1
    out = capsys.readouterr().out
    assert (
        "turned.cuh:5:3: error:" in out
        and "    5 |   a[threadIdx.x] = s[BLOCK / 2 - 1 - threadIdx.x];" in out
    )


def test_templates_of_headers_are_for_those_who_launch_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "turned.cuh").write_text(HEADER)
    assert check(tmp_path, f'#include "turned.cuh"\n{RIGHT}') == 0
    assert "turned" not in capsys.readouterr().out
    assert check(tmp_path, HEADER, name="turned.cuh") == 1
    assert "blockDim = 16" in capsys.readouterr().out  # as the launch bounds of the chosen arguments say
