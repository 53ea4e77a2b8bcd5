"""`bench speed`: what is timed, and what is said of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from xpiler.bench.operators import load_operators
from xpiler.bench.speed import harness
from xpiler.bench.speed.cases import Measured, Settings, by_operator, scaling
from xpiler.bench.speed.chart import chart
from xpiler.bench.speed.command import to_json
from xpiler.bench.speed.kernel_timer import with_clock
from xpiler.cli import main
from xpiler.errors import Refusal
from xpiler.gate import cache

ADD = load_operators()["add"]

DELIVERED = """\
static void add_kernel(dim3 grid, dim3 block, const float *a, const float *b, float *out, int n) {}
extern "C" void add(const float *a, const float *b, float *out, int n) {
  cudaMemcpy(d_a, a, n, cudaMemcpyHostToDevice);
  add_kernel((n + 255) / 256, 256, d_a, d_b, d_out, n);
}
"""

CASES = [
    Measured("add", "n=1", 1e-6, 2e-6, "jit", True, 0.01, True),
    Measured("add", "n=2", 2e-6, 1e-6, "jit", True, 0.02, True),
    Measured("sign", "n=1", 1e-6, 4e-6, "clip", False, 0.01, True),
    Measured("sampling", "n=1", 1e-6, None, "", False, 0.01, True),
]


def test_the_clock_runs_while_a_kernel_does() -> None:
    text = with_clock(DELIVERED, ["add_kernel"], "add", ADD.arguments)
    assert "xpiler_timed([&] { add_kernel((n + 255) / 256, 256, d_a, d_b, d_out, n); });" in text
    assert "xpiler_timed([&] { cudaMemcpy" not in text
    assert "int xpiler_clock = CLOCK_THREAD_CPUTIME_ID;" in text
    assert "add((float*)pointers[0], (float*)pointers[1], (float*)pointers[2], (int)sizes[0]);" in text


def test_an_entry_without_kernels_is_timed_itself() -> None:
    text = with_clock('extern "C" void add(const float *a) {}\n', [], "add", ADD.arguments[:1])
    assert "xpiler_timed([&] { add((float*)pointers[0]); });" in text


def test_means_are_over_operators_and_leave_out_those_without_a_counterpart() -> None:
    assert by_operator(CASES) == pytest.approx({"add": 1.0, "sign": 4.0})
    document = to_json(CASES, "cpu", Settings())
    assert document["geomean"] == 2.0
    assert (document["worst"]["ratio"], document["best"]["ratio"]) == (0.5, 4.0)
    assert document["cases"][3]["ratio"] is None


def test_several_threads_are_told_beside_one() -> None:
    alone = Measured("add", "n=1", 1.8e-6, 3.0e-6, "jit", True, 0.01, True)
    case = replace(CASES[0], alone=alone)
    assert case.scaling == pytest.approx((1.8, 1.5))
    disturbed = replace(case, ours=9e-6, shared=True)
    assert scaling([case, disturbed, CASES[3]], "add") == pytest.approx((1.8, 1.5))
    told = to_json([case, disturbed], "cpu", Settings(processors=(0, 1)))
    assert told["threads"] == 2 and told["geomean"] == told["worst"]["ratio"] == 2.0
    assert [(one["scaling"], one["shared"]) for one in told["cases"]] == [(1.8, False), (0.2, True)]


def test_of_several_threads_only_samples_that_had_the_processors_count() -> None:
    way = {"samples": [3e-6, 2e-6], "had": [0.99, 0.6]}
    assert harness._counted(way, one=False) == (3e-6,)
    assert harness._counted(way, one=True) == (3e-6, 2e-6)


def test_more_threads_than_processors_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "speed", "--ops", "add", "--threads", "4096"]) == 2
    assert "--threads must be from 1 to" in capsys.readouterr().err


def test_the_chart_has_a_row_an_operator() -> None:
    drawn = chart(CASES)
    assert drawn.startswith("<svg") and drawn.count("<rect") == 3
    assert "geometric mean 2.00" in drawn


def test_a_missing_library_is_named_with_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(command: list[str], **_: object) -> object:
        class Done:
            returncode = 1
            stderr = "onednn.cpp:29:10: fatal error: dnnl.hpp: No such file or directory"

        return Done()

    def miss(kind: str, name: str, make: object) -> None:
        make(None)  # type: ignore[operator]

    harness.host_compiler()  # which asks the compilers for their versions
    monkeypatch.setattr(harness.subprocess, "run", nothing)
    monkeypatch.setattr(cache, "fetch", miss)
    with pytest.raises(Refusal) as refused:
        harness.harness()
    assert "dnnl.hpp" in refused.value.diagnostic.message
    assert "libdnnl-dev" in (refused.value.diagnostic.remedy or "")
