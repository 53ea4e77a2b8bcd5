"""The benchmark's bookkeeping: outcomes are counted, kept, taken up again, ended when they take too long."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from xpiler.bench import accuracy
from xpiler.bench.accuracy import Question, answer, answers, questions, tally, to_json
from xpiler.bench.case import Failure, Outcome, measure, measure_back
from xpiler.bench.operators import load_operators, snippet
from xpiler.cli import main

SIGN = load_operators()["sign"]


def test_an_outcome_is_kept_and_not_asked_for_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    state, question = tmp_path / "state.jsonl", Question("sign", "cuda", "hip", 2)
    ((_, first),) = answers([question], state, 1)
    assert (first.status, first.compiled, first.computed, first.native) == ("verified", 2, 2, True)
    assert first.unproved == ""
    with state.open("a") as file:
        file.write('{"key": "cut o')  # as an interruption leaves it

    def never(question: Question, limit: float) -> Outcome:
        raise AssertionError("asked again")

    monkeypatch.setattr(accuracy, "answer", never)
    assert list(answers([question], state, 1)) == [(question, first)]


def test_another_engine_asks_again(monkeypatch: pytest.MonkeyPatch) -> None:
    question = Question("sign", "cuda", "hip", 2)
    before = question.key()
    monkeypatch.setattr(accuracy, "engine_version", lambda: "another")
    assert question.key() != before


def test_a_translation_that_takes_too_long_is_ended_and_counted() -> None:
    outcome = answer(Question("sign", "cuda", "hip", 3), limit=0.05)
    assert (outcome.shapes, outcome.computed) == (3, 0)
    assert outcome.failures[0].message.startswith("stopped after")


def test_what_is_not_supported_is_a_failure() -> None:
    assert answer(Question("sign", "hip", "hip", 8)).failures[0].message == "hip to hip is not supported"
    outcome = measure(SIGN, snippet("sign", "cuda"), "cuda", "cuda", SIGN.shapes)
    assert (outcome.status, outcome.shapes, outcome.compiled) == ("refused", 8, 0)
    assert outcome.failures[0].rung == "translated" and "not supported" in outcome.failures[0].message


def test_a_wrong_translation_is_named_with_its_shape(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from xpiler.bench import case

    def wrong(text: str, file: str, to: str, *rest: object) -> object:
        result = translate(text, file, to)
        # Wrong beyond 3000 elements only.
        return replace(result, text=result.text.replace("if (i < n)", "if (i < n && i < 3000)"))

    translate = case.translate_text
    monkeypatch.setattr(case, "translate_text", wrong)
    outcome = measure(SIGN, snippet("sign", "cuda"), "cuda", "hip", SIGN.shapes)
    assert outcome.compiled == 8 and outcome.computed == 1
    assert {failure.rung for failure in outcome.failures} == {"executed"}
    assert "n=12544" in outcome.failures[0].shape and "y[" in outcome.failures[0].message


def test_counts() -> None:
    fine = Outcome("add", "cuda", "hip", 8, "verified", 8, 8, True, 2.0)
    half = Outcome(
        "relu", "cuda", "hip", 8, "unverified", 8, 6, False, 4.0, (Failure("n=1", "executed", "bad"),)
    )
    part = tally([fine, half])
    assert (part.cases, part.compiled, part.computed, part.verified, part.native) == (16, 16, 14, 8, 8)
    assert part.proved == 0 and tally([replace(fine, unproved=""), half]).proved == 8
    document = to_json([fine, half])
    assert document["directions"]["cuda->hip"]["seconds_p50"] == 3.0
    assert document["failures"] == [
        {"direction": "cuda->hip", "case": "relu: n=1", "rung": "executed", "message": "bad"}
    ]
    assert document["not_native"] == [{"direction": "cuda->hip", "operator": "relu"}]
    assert document["not_proved"] == [
        {"direction": "cuda->hip", "operator": name, "why": "nothing was compared"}
        for name in ("add", "relu")
    ]


def test_all_directions_but_those_to_themselves() -> None:
    asked = questions(["add", "gemm"], ["cuda", "vnni"], ["cuda", "hip"], 99)
    assert [(q.operator, q.source, q.target, q.shapes) for q in asked] == [
        (operator, source, target, 8)
        for source, target in (("cuda", "hip"), ("vnni", "cuda"), ("vnni", "hip"))
        for operator in ("add", "gemm")
    ]


def test_there_and_back_is_held_against_the_snippet(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each step agrees with the text before it, the whole does not: the way there is broken on purpose."""
    from xpiler.bench import case

    asked: list[str] = []

    def broken(text: str, file: str, to: str, *rest: object) -> object:
        asked.append(f"{Path(file).name} to {to}")
        result = translate(text, file, to)
        return replace(result, text=result.text.replace("x[i]", "(x[i] + 1)")) if to == "hip" else result

    translate = case.translate_text
    snip = snippet("sign", "cuda")
    outcome = measure_back(SIGN, snip, "cuda", "hip", SIGN.shapes[:1])
    assert (outcome.direction, outcome.status) == ("cuda->hip->cuda", "verified")
    assert (outcome.compiled, outcome.computed, outcome.failures) == (1, 1, ())
    monkeypatch.setattr(case, "translate_text", broken)
    outcome = measure_back(SIGN, snip, "cuda", "hip", SIGN.shapes[:1])
    assert asked == ["sign.cu to hip", "sign.hip to cuda"]
    assert outcome.computed == 0 and "y[" in outcome.failures[0].message


def test_a_way_back_that_is_refused_says_where() -> None:
    outcome = measure_back(SIGN, snippet("sign", "cuda"), "cuda", "cuda", SIGN.shapes)
    assert (outcome.shapes, outcome.compiled) == (8, 0)
    assert outcome.failures[0].message.startswith("to cuda: ")


def test_round_trips_are_counted_apart() -> None:
    there = Outcome("add", "cuda", "bang", 8, "verified", 8, 8, True, 2.0)
    document = to_json([there, replace(there, back=True, computed=7)])
    assert document["directions"]["cuda->bang"]["computed"] == 8
    assert document["round_trips"]["cuda->bang->cuda"]["computed"] == 7
    assert Question("add", "cuda", "bang", 8).key() != Question("add", "cuda", "bang", 8, back=True).key()


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "accuracy.json"
    words = ["bench", "accuracy", "--ops", "sign", "--from", "cuda", "--to", "hip", "--shapes", "1"]
    assert main([*words, "--json", str(out), "--by-operator"]) == 0
    counts = json.loads(out.read_text())["directions"]["cuda->hip"]
    assert (counts["cases"], counts["computed"]) == (1, 1)
    assert "1 cases: compiled 100, computed 100, verified 100" in capsys.readouterr().out
    assert main([*words, "--json", str(out), "--back"]) == 0
    assert json.loads(out.read_text())["round_trips"]["cuda->hip->cuda"]["computed"] == 1
    assert "there and back" in capsys.readouterr().out
    assert main(["bench", "accuracy", "--ops", "signum"]) == 2
    assert "no operator is named 'signum'" in capsys.readouterr().err
