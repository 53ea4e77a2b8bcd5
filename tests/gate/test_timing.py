"""Programs are timed as they are: what cannot be timed says why, and what somebody killed is run again."""

from collections.abc import Callable
from types import SimpleNamespace

import pytest

from tests.hardware import timed_with_avx512
from xpiler.gate import avx512, timing
from xpiler.gate.contract import Case, Contract
from xpiler.gate.timing import Program, Timing, run_time

PROGRAM = Program("int f() { return 1; }", "f.cpp", (Contract("f", "host", (), (Case(),)),))
KILLED = SimpleNamespace(crash="killed by SIGKILL", samples=(), describe=lambda: "killed by SIGKILL")
FINE = SimpleNamespace(crash=None, samples=(1e-3, 2e-3), describe=lambda: "")

Runs = Callable[..., None]


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> Runs:
    """Says how the runs of a program end, one after the other."""

    def ending(*results: SimpleNamespace) -> None:
        left = list(results)
        built = SimpleNamespace(ok=True, run=lambda cases, env: [left.pop(0)])
        monkeypatch.setattr(timing, "build", lambda *given, **more: built)

    return ending


@timed_with_avx512
def test_a_program_that_somebody_killed_is_run_again(runs: Runs) -> None:
    runs(KILLED, KILLED, FINE)
    assert run_time(PROGRAM, 2) == Timing((1e-3, 2e-3))


@timed_with_avx512
def test_a_program_that_is_always_killed_says_so(runs: Runs) -> None:
    runs(KILLED, KILLED, KILLED)
    assert run_time(PROGRAM, 2) == Timing(why="it does not run: killed by SIGKILL")


@timed_with_avx512
def test_a_program_that_does_not_build_says_so() -> None:
    broken = Program("int f() { return }", "f.cpp", PROGRAM.calls)
    assert "it does not build" in run_time(broken).why


def test_an_emulator_tells_no_times() -> None:
    assert "emulator" in run_time(Program("__global__ void f() {}", "f.cu", PROGRAM.calls)).why


def test_an_instruction_that_is_emulated_tells_no_times(monkeypatch: pytest.MonkeyPatch) -> None:
    have = frozenset({"avx512f", "avx512bw", "avx512dq", "avx512vl", "avx512cd", "avx2", "fma", "f16c"})
    monkeypatch.setattr(avx512, "cpu_features", lambda: have)
    text = "__m512i f(__m512i s, __m512i a, __m512i b) { return _mm512_dpbusd_epi32(s, a, b); }"
    assert "no avx512_vnni" in run_time(Program(text, "f.cpp", PROGRAM.calls)).why
