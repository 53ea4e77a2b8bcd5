"""Simulated sketches, and the counting of `bench ablation`."""

import pytest

from xpiler.bench import ablation_case
from xpiler.bench.ablation import PUBLISHED, TIME_LIMIT, questions, to_json
from xpiler.bench.ablation_case import STRATEGIES, AblationOutcome
from xpiler.bench.operators import load_operators
from xpiler.bench.sketches import Sketcher, rate_of_a_sketch
from xpiler.bench.targets import right_target
from xpiler.neural.loop import Strategy
from xpiler.neural.prompt import Question, feedback
from xpiler.neural.reply import program_in
from xpiler.neural.settings import Model


def sketch(rate: float, seed: int, rounds: int = 0) -> str:
    """What the stand-in answers to the last pass of a sum of vectors from CUDA to C++."""
    messages = [dict(m) for m in Question("tensorize", "", "vnni", "vnni", ("add",)).messages()]
    for _ in range(rounds):
        messages += [{"role": "assistant", "content": ""}, dict(feedback("wrong"))]
    answer = Sketcher(load_operators()["add"], "cuda", "vnni", rate, seed)(messages)
    return program_in(answer.text, ("add",), "")


def right() -> str:
    text = right_target(load_operators()["add"], "cuda", "vnni")
    assert text is not None
    return text


def test_a_model_that_never_errs_writes_the_right_program() -> None:
    assert sketch(0.0, 1).strip() == right().strip()


def test_a_model_that_always_errs_writes_another_the_same_each_time() -> None:
    assert sketch(1.0, 1).strip() != right().strip()
    assert sketch(1.0, 1) == sketch(1.0, 1)


def test_feedback_may_help() -> None:
    after_many = [sketch(1.0, seed, rounds=12).strip() == right().strip() for seed in range(6)]
    assert any(after_many)


def test_the_rate_of_a_sketch_makes_the_rate_of_a_translation() -> None:
    rate = rate_of_a_sketch(PUBLISHED[("cuda", "bang")], 4)
    assert 1 - (1 - rate) ** 4 == pytest.approx(0.458)


def test_every_strategy_and_direction_is_asked_once() -> None:
    asked = questions(["add"], ["cuda", "hip"], ["bang", "hip"], list(STRATEGIES), 0)
    assert len(asked) == len(set(asked)) == 3 * len(STRATEGIES)


def test_the_document_counts_a_strategy_and_direction() -> None:
    outcomes = [
        AblationOutcome("add", "cuda", "bang", "passes", compiled=True, computed=True, requests=4),
        AblationOutcome("relu", "cuda", "bang", "passes", compiled=True, why="executed: y[0]"),
    ]
    document = to_json(outcomes, simulated=True)
    assert document["sketches"] == "simulated"
    assert document["strategies"]["passes"]["cuda->bang"] == {
        "cases": 2, "compiled": 2, "computed": 1, "sketched": 0, "requests": 4,
    }  # fmt: skip
    assert [failure["operator"] for failure in document["failures"]] == ["relu"]


def test_what_the_stand_in_takes_is_no_time_of_a_model(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Model] = []

    def outcome(place: tuple[str, str, str, str], model: Model, strategy: Strategy) -> AblationOutcome:
        asked.append(model)
        return AblationOutcome(*place)

    monkeypatch.setattr(ablation_case, "_outcome", outcome)
    case = {"operator": "relu", "source": "cuda", "target": "bang", "strategy": "passes", "seed": 0}
    ablation_case.measure({**case, "wrong": 0.5})
    assert min(asked[0].timeout, asked[0].budget.seconds) > TIME_LIMIT
