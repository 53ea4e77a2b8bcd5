"""Whole BANG C programs as operators are written: kernels, cnrt hosts, their own check on the CPU."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.emulators.running import compile_program, run_built, run_program
from tests.pace import paces
from xpiler.emulators import host

FOLDER = Path(__file__).parent / "programs_bang"
PROGRAMS = sorted(path.stem for path in FOLDER.glob("*.mlu"))


def text_of(name: str) -> str:
    return (FOLDER / f"{name}.mlu").read_text()


@pytest.mark.parametrize("name", PROGRAMS)
def test_its_own_check_passes_in_both_orders_of_the_cores(name: str, tmp_path: Path) -> None:
    program = compile_program(text_of(name), tmp_path, "bang")
    for schedule in ("forward", "reverse"):
        outcome = run_built(program, tmp_path, XPILER_SCHEDULE=schedule)
        assert outcome.status == 0, outcome.events
        assert "PASSED" in outcome.output


@pytest.mark.parametrize(
    ("name", "barrier", "which"),
    [
        ("pipeline3", '__asm__ volatile("sync;\\n\\t");', 2),
        ("pipeline5", "__sync_cluster();", 0),
        ("gemm_union1", "__sync_cluster();", 0),
        ("gemm_union1", "__sync_cluster();", 1),
        ("layernorm", "__sync_io();", 0),
    ],
)
def test_a_barrier_left_out_of_a_program_is_reported(
    name: str, barrier: str, which: int, tmp_path: Path
) -> None:
    pieces = text_of(name).split(barrier)
    text = barrier.join(pieces[: which + 1]) + ";" + barrier.join(pieces[which + 1 :])
    outcome = run_program(text, tmp_path, "bang")
    assert outcome.status == 86
    assert outcome.event("bang-sync")["line"] > 0


@pytest.mark.parametrize("name", ["gemm_union1", "language"])
def test_clang_runs_the_same_text(name: str, tmp_path: Path) -> None:
    assert "PASSED" in run_program(text_of(name), tmp_path, "bang", "clang++").output


def test_a_launch_and_its_copies_are_traced(tmp_path: Path) -> None:
    outcome = run_program(text_of("vector_add"), tmp_path, "bang", XPILER_TRACE="1")
    kinds = [event["event"] for event in outcome.events]
    assert kinds == ["malloc"] * 3 + ["memcpy"] * 2 + ["launch", "memcpy"]
    launch = outcome.event("launch")
    assert (launch["kernel"], launch["grid"], launch["job"]) == ("add", [8, 1, 1], 4)
    assert [a["kind"] for a in launch["arguments"]] == ["pointer", "pointer", "pointer", "int"]
    assert outcome.event("memcpy")["direction"] == "h2d"


def test_lines_stay_where_they_are() -> None:
    for name in PROGRAMS:
        before, after = text_of(name).splitlines(), host.prepare(text_of(name), "k.mlu", "bang").splitlines()
        kept = [i for i, line in enumerate(before) if line.startswith(("int main", "#include"))]
        assert [after[i] for i in kept] == [before[i] for i in kept]


SQUARE = """
#define N 512
#define T 128
__nram__ float a[N * T], c[N * T], part[N * T];
__wram__ float b[N * T];
__mlu_entry__ void gemm(float* out, float* x, float* weights) {  // weights: tiles of T x T, ready for WRAM
  for (int j = 0; j < N; j += T) {
    __bang_write_zero(c, N * T);
    for (int k = 0; k < N; k += T) {
      __memcpy(a, x + k, T * 4, GDRAM2NRAM, T * 4, N * 4, N - 1);
      __memcpy(b, weights + (j / T * (N / T) + k / T) * T * T, T * T * 4, GDRAM2WRAM);
      __bang_matmul(part, a, b, N, T, T);
      __bang_add(c, c, part, N * T);
    }
    __memcpy(out + j, c, T * 4, NRAM2GDRAM, N * 4, T * 4, N - 1);
  }
}
int main() {
  float *x, *w, *y;
  for (float** p : {&x, &w, &y}) cnrtMalloc(p, N * N * 4);
  std::vector<float> ones(N * N, 0.5f);
  cnrtMemcpy(x, ones.data(), N * N * 4, cnrtMemcpyHostToDev);
  cnrtMemcpy(w, ones.data(), N * N * 4, cnrtMemcpyHostToDev);
  cnrtDim3_t dim = {1, 1, 1};
  gemm<<<dim, cnrtFuncTypeBlock, nullptr>>>(y, x, w);
  cnrtMemcpy(ones.data(), y, N * N * 4, cnrtMemcpyDevToHost);
  printf("%g\\n", ones[N * N - 1]);
}
"""


def test_a_product_of_512_cubed_takes_seconds_at_most(tmp_path: Path) -> None:
    program = compile_program(SQUARE, tmp_path, "bang")
    outcomes = []
    assert paces(lambda: outcomes.append(run_built(program, tmp_path))) < 600
    assert outcomes[0].output == "128\n"
