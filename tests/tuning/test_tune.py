"""A whole search: a small program, measured for real; only what the gate verifies may win."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.hardware import timed_with_avx512
from xpiler.cli import main
from xpiler.errors import Refusal
from xpiler.gate.timing import Program, Timing
from xpiler.translate import Trusted, largest_case
from xpiler.tuning.command import part_of
from xpiler.tuning.peaks import Level, Peaks
from xpiler.tuning.plot import curve
from xpiler.tuning.record import Record
from xpiler.tuning.tune import WINS, Budget, Step, _about, device_here, measurer_here, tune

GEMM = (Path(__file__).parents[2] / "snippets" / "cuda" / "gemm_tiled.cu").read_text(encoding="utf-8")

# More than the clock of these tests lets a program reach at the sizes that the gate's cases have.
PEAKS = Peaks(2, {"f32": (1e12, 2e12)}, (Level("L1", 1 << 15, 3e12, 6e12), Level("DRAM", 0, 1e11, 1e11)))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Times that depend on the text alone: short programs are fast. Gives the texts in the order of
    asking."""
    asked: list[str] = []

    def run_time(program: Program, samples: int) -> Timing:
        asked.append(program.text)
        return Timing((len(program.text) * 1e-9,) * samples)

    monkeypatch.setattr("xpiler.tuning.measure.run_time", run_time)
    monkeypatch.setattr("xpiler.tuning.measure.measured_peaks", lambda: PEAKS)
    return asked


@timed_with_avx512
def test_the_fastest_verified_program_wins(tmp_path: Path, clock: list[str]) -> None:
    with Record(tmp_path / "record") as record:
        done = tune(GEMM, "gemm.cu", "vnni", budget=Budget(trials=6), record=record)
    assert done.result.status == "verified"
    assert done.best is not None and done.default is not None
    assert done.best.seconds * WINS <= min(t.seconds for t in done.trials if t.seconds)
    assert done.gain > 1
    assert done.result.text is not None and len(done.result.text) * WINS <= min(map(len, clock))


@timed_with_avx512
def test_a_search_that_goes_on_measures_nothing_again(tmp_path: Path, clock: list[str]) -> None:
    with Record(tmp_path / "record") as record:
        first = tune(GEMM, "gemm.cu", "vnni", budget=Budget(trials=3), record=record)
        before = set(clock)
        clock.clear()
        again = tune(GEMM, "gemm.cu", "vnni", budget=Budget(trials=2), record=record)
    assert [t.point for t in again.trials[: len(first.trials)]] == [t.point for t in first.trials]
    new = {text for text in clock if text not in before}
    assert len(new) == 2


@timed_with_avx512
def test_a_program_that_the_gate_does_not_verify_cannot_win(
    tmp_path: Path, clock: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    right = Trusted.verify
    texts: list[str] = []

    def verify(self: Trusted, target: str, file: str, *rest: object) -> object:
        texts.append(target)
        broken = target.replace("_mm512_fmadd_ps", "_mm512_fnmadd_ps") if len(texts) > 1 else target
        return right(self, broken, file)

    def others_are_faster(program: Program, samples: int) -> Timing:
        clock.append(program.text)
        return Timing((1e-6 if program.text == clock[0] else 5e-7,) * samples)

    monkeypatch.setattr(Trusted, "verify", verify)
    monkeypatch.setattr("xpiler.tuning.measure.run_time", others_are_faster)
    with Record(tmp_path / "record") as record:
        done = tune(GEMM, "gemm.cu", "vnni", budget=Budget(trials=4), record=record)
    assert done.best is not None and done.default is not None
    assert done.best.point == done.default.point
    rejected = [t for t in done.trials if t.why == "the gate does not verify it"]
    assert rejected and not any(t.verified for t in rejected)
    assert {t.program for t in done.trials if t.verified} == {done.default.program}


@pytest.mark.parametrize("to", ["bang", "hip"])
def test_without_a_device_the_model_estimates_and_the_gate_verifies(tmp_path: Path, to: str) -> None:
    steps: list[Step] = []
    source = """__global__ void twice(const float* x, float* y, int n) {
    int i = blockIdx.x * 256 + threadIdx.x;
    if (i < n) y[i] = 2.0f * x[i];
}
extern "C" void run(const float* x, float* y, int n) { twice<<<(n + 255) / 256, 256>>>(x, y, n); }
"""
    if to == "hip":  # which CUDA is only edited for; C++ gets kernels that have choices
        source = """extern "C" void twice(const float* x, float* y, int n) {
    for (int i = 0; i < n; ++i) y[i] = 2.0f * x[i];
}
"""
    file = "twice.cu" if to == "bang" else "twice.cpp"
    with Record(tmp_path / "record") as record:
        done = tune(source, file, to, budget=Budget(trials=3), record=record, on_step=steps.append)
        assert not list(record.lines())  # what is estimated is no measurement
    assert done.result.status == "verified"
    assert done.estimated and all(step.estimated for step in steps)
    assert done.device.fingerprint.startswith("estimated: ")
    assert done.best is not None and done.best.seconds and done.line.limit is None
    assert "estimated" in curve(done)
    assert len({trial.program for trial in done.trials}) > 1


def test_a_device_that_is_named_has_to_be_there(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="no device for BANG C called mlu370"):
        measurer_here("bang", "mlu370")


@timed_with_avx512
def test_a_search_ends_at_the_part_of_the_limit_that_was_asked_for(tmp_path: Path, clock: list[str]) -> None:
    with Record(tmp_path / "record") as record:
        first = tune(GEMM, "gemm.cu", "vnni", budget=Budget(trials=1), record=record)
        reached = first.line.part(first.best.seconds if first.best else None)
        assert reached is not None
        # A busy machine runs fewer sizes, so that the largest one, and its limit, may be another one.
        enough = tune(GEMM, "gemm.cu", "vnni", budget=Budget(until=reached * 0.1), record=record)
        assert len(enough.trials) == 1 and enough.ended.endswith("% of the limit")
        more = tune(GEMM, "gemm.cu", "vnni", budget=Budget(trials=2, until=0.999), record=record)
    assert len(more.trials) > 1


@timed_with_avx512
def test_limits_that_a_program_beats_are_measured_again(
    tmp_path: Path, clock: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def busy_at_first() -> Peaks:
        asked.append(1)
        slow = Peaks(2, {"f32": (1e5, 1e5)}, tuple(replace(one, one=1e3, all=1e3) for one in PEAKS.memory))
        return slow if len(asked) == 1 else PEAKS

    monkeypatch.setattr("xpiler.tuning.measure.measured_peaks", busy_at_first)
    with Record(tmp_path / "record") as record:
        done = tune(GEMM, "gemm.cu", "vnni", budget=Budget(trials=2), record=record)
    assert len(asked) == 2
    assert (done.line.part(done.best.seconds if done.best else None) or 9.0) < 1


def test_parts_of_a_limit_are_written_two_ways() -> None:
    assert part_of("0.8") == part_of("80 %") == 0.8
    with pytest.raises(Refusal, match="no part of a limit"):
        part_of("1.5")


@timed_with_avx512
def test_a_device_is_chosen_by_name() -> None:
    assert device_here("vnni", "cpu") == device_here("vnni")
    with pytest.raises(Refusal, match="called h100 here"):
        device_here("vnni", "h100")


@timed_with_avx512
def test_the_command_prints_a_document_and_writes_the_best(
    tmp_path: Path, clock: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    source, out, plot = tmp_path / "gemm.cu", tmp_path / "gemm.cpp", tmp_path / "curve.svg"
    source.write_text(GEMM, encoding="utf-8")
    flags = [
        "--trials",
        "3",
        "--record",
        str(tmp_path / "record"),
        "--plot",
        str(plot),
        "-o",
        str(out),
        "--json",
    ]
    assert main(["tune", str(source), "--to", "vnni", *flags]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["status"] == "verified"
    assert document["limit_of"] == "DRAM" and document["timed"] == "kernels"
    assert document["part_of_limit"] == pytest.approx(document["limit_us"] / document["best_us"], rel=0.01)
    assert [one["part_of_limit"] for one in document["course"] if one["us"]]
    assert "limit: " in plot.read_text(encoding="utf-8")
    assert document["output"] == str(out)
    assert out.read_text(encoding="utf-8").count("_mm512_") > 3
    assert plot.read_text(encoding="utf-8").startswith("<svg")


def test_nonsense_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = tmp_path / "gemm.cu"
    source.write_text(GEMM, encoding="utf-8")
    assert main(["tune", str(source), "--to", "vnni", "--budget", "soon"]) == 2
    assert "--budget 30s, 5m or 1h" in capsys.readouterr().err


def test_a_record_that_cannot_be_opened_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, record = tmp_path / "gemm.cu", tmp_path / "record"
    source.write_text(GEMM, encoding="utf-8")
    record.write_text("this is no database " * 100, encoding="utf-8")
    assert main(["tune", str(source), "--to", "vnni", "--record", str(record)]) == 2
    assert "cannot be used as a record" in capsys.readouterr().err


def test_sizes_that_time_allowed_besides_are_no_other_question() -> None:
    trusted = Trusted.of(GEMM, "gemm.cu")
    item = next(item for item in trusted.entries if largest_case(item) is not None)
    assert item.inference is not None
    device = measurer_here("bang").device
    known = _about(trusted, GEMM, "gemm.cu", "bang", device)
    contract = item.inference.contract
    fewer = tuple(c for c in contract.cases if c in (contract.cases[0], largest_case(item)))
    assert len(fewer) < len(contract.cases)
    item.inference = replace(item.inference, contract=replace(contract, cases=fewer))
    assert _about(trusted, GEMM, "gemm.cu", "bang", device) == known
    item.inference = replace(item.inference, contract=replace(contract, cases=contract.cases[1:2]))
    assert _about(trusted, GEMM, "gemm.cu", "bang", device) != known
