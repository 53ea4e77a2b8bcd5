"""Texts that do not compile, and what is done about each error that the compiler names."""

import os
import subprocess
from pathlib import Path

import pytest

from xpiler.repair.compile_errors import Compile, CompilerError, Mended, errors_in, without_errors

SOURCE = """
void rows(const float* A, float* C, int m, int n) {
#pragma omp parallel for collapse(2)
  for (int i = 0; i < m; ++i) {
    for (int j = 0; j < n; ++j) {
      float twice = 2 * A[i * n + j];
      C[i * n + j] = twice;
    }
  }
}
"""


@pytest.fixture
def compile_text(tmp_path: Path) -> Compile:
    def compile_(text: str) -> list[CompilerError]:
        file = tmp_path / "rows.cpp"
        file.write_text(text)
        command = ["g++", "-fsyntax-only", "-fopenmp", file.name]
        done = subprocess.run(
            command,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            env=os.environ | {"LC_ALL": "C"},
        )
        return errors_in(done.stderr, file.name)

    return compile_


def mended(text: str, compile_text: Compile) -> tuple[str, list[Mended]]:
    assert compile_text(SOURCE) == []
    assert compile_text(text), "the text should not compile"
    text, done, left = without_errors(text, "rows.cpp", "vnni", SOURCE, compile_text, lambda: False)
    assert left == []
    return text, done


@pytest.mark.parametrize(
    ("right", "wrong", "message"),
    [
        ("A[i * n + j]", "A[i * n_ + j]", "`n_` should be `n`"),
        ("twice;", "twice", "`;` is missing"),
        ("      float twice = 2", "      twice = 2", "`twice` is declared nowhere"),
    ],
)
def test_a_single_slip(right: str, wrong: str, message: str, compile_text: Compile) -> None:
    text, done = mended(SOURCE.replace(right, wrong), compile_text)
    assert text == SOURCE
    assert [m.message.split(":")[0] for m in done] == [message]


def test_a_collapse_on_the_inner_loop_goes_to_the_loop_around(compile_text: Compile) -> None:
    pragma = "#pragma omp parallel for collapse(2)\n"
    inner = "    for (int j"
    text, done = mended(SOURCE.replace(pragma, "").replace(inner, pragma + inner), compile_text)
    assert text == SOURCE
    assert done[0].range.line == 3


def test_a_collapse_of_too_many_loops_says_fewer(compile_text: Compile) -> None:
    text, _ = mended(SOURCE.replace("collapse(2)", "collapse(3)"), compile_text)
    assert text == SOURCE


def test_a_shared_array_that_has_no_room_loses_a_factor() -> None:
    right = "__global__ void k(float* x) { __shared__ float t[512]; t[threadIdx.x] = x[threadIdx.x]; }\n"
    wrong = right.replace("512", "64 * (512)")
    log = "error: local memory (131072) exceeds limit (65536) in function '_Z1kPf'\n"

    def compile_(text: str) -> list[CompilerError]:
        return errors_in(log if "64 *" in text else "", "k.hip")

    text, done, left = without_errors(wrong, "k.hip", "hip", right, compile_, lambda: False)
    assert (text, left) == (right, [])
    assert done[0].message.startswith("the array should have `512` elements: local memory")
