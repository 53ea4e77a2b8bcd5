"""`xpiler bench repair`: cases are drawn alike and counted rightly, and what changes nothing is not."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from xpiler.bench.faults.model import CLASSES, Lines, Truth
from xpiler.bench.independent import degenerate, difference, new_findings
from xpiler.bench.operators import load_operators, snippet
from xpiler.bench.repair import RepairQuestion, answer, questions, to_json
from xpiler.bench.repair_case import COUNTED, EQUIVALENT, RepairOutcome
from xpiler.bench.targets import telling
from xpiler.cli import main

SIGN = load_operators()["sign"]
SOURCE = snippet("sign", "cuda").read_text()
PLACE = (SOURCE, "sign.cu", "cuda")


def test_few_cases_cover_operators_directions_and_classes() -> None:
    asked = questions(["add", "sign"], ["cuda"], ["hip", "bang"], list(CLASSES), 24, 5)
    assert asked == questions(["add", "sign"], ["cuda"], ["hip", "bang"], list(CLASSES), 24, 5)
    assert len({(q.operator, q.target) for q in asked[:4]}) == 4
    assert {code for q in asked for code in q.codes} == set(CLASSES)
    assert {len(q.codes) for q in asked} == {1, 2, 3}


def test_what_changes_nothing_is_told_from_what_does() -> None:
    same = SOURCE.replace("if (i < n)", "if (i + 1 <= n)")
    assert same != SOURCE and difference(SIGN, PLACE, SOURCE, (same, "sign.cu", "cuda")) == ""
    # Wrong for a size that no other check looks at.
    wrong = SOURCE.replace("if (i < n)", "if (i < n && n != 1)")
    assert "n=1: " in difference(SIGN, PLACE, SOURCE, (wrong, "sign.cu", "cuda"))
    assert any(shape.size("n") == 1 for shape in degenerate(SIGN))


def test_a_race_that_no_run_shows_is_a_difference() -> None:
    text = """
__global__ void k(float *y) {
  __shared__ float s[64];
  s[threadIdx.x] = threadIdx.x;
  __syncthreads();
  y[threadIdx.x] = s[63 - threadIdx.x];
}
void launch(float *y) { k<<<1, 64>>>(y); }
"""
    assert new_findings(text, text, "k.cu", "cuda") == ""
    assert "k.cu" in new_findings(text, text.replace("__syncthreads();", ";"), "k.cu", "cuda")


def test_counts_are_of_what_changes_behaviour() -> None:
    truth = Truth("L1", "off by one", "kernel", (Lines(3, 3),), "a", "b")
    case = RepairOutcome("sign", "cuda", "hip", 0, ("L1",), COUNTED, (truth,), True, True, False, 2.0)
    missed = replace(case, target="bang", detected=False, localized=False)
    several = replace(case, codes=("L1", "L1"), faults=(truth, truth), repaired=True, by="comparison")
    document = to_json([case, missed, several, replace(case, status=EQUIVALENT)])
    assert document["single"] == {
        "cases": 2, "detected": 1, "localized": 1, "repaired": 0, "compared": 0,
        "seconds_p50": 2.0, "seconds_p95": 2.0,
    }  # fmt: skip
    assert document["multi"]["repaired"] == document["multi"]["compared"] == 1
    assert document["classes"]["L1"]["cases"] == 2
    assert document["platforms"]["bang"]["detected"] == 0 and document["equivalent"] == 1
    assert [failure["target"] for failure in document["failures"]] == ["hip", "bang"]
    assert RepairOutcome.from_json(case.to_json()) == case


def test_a_case_that_takes_too_long_is_missed() -> None:
    outcome = answer(RepairQuestion("sign", "cuda", "hip", ("L1",), 0, seconds=0.0), limit=0.05)
    assert (outcome.status, outcome.detected) == (COUNTED, False) and outcome.why.startswith("stopped after")


def test_the_command_measures_and_takes_up_again(tmp_path: Path) -> None:
    out = tmp_path / "repair.json"
    words = ["bench", "repair", "--ops", "sign", "--from", "cuda", "--to", "hip", "--classes", "C1,G1"]
    main([*words, "--cases", "2", "--seed", "3", "--json", str(out)])
    first = json.loads(out.read_text())
    assert sum(first[part]["detected"] for part in ("single", "multi")) == 2
    state = out.with_suffix(".state.jsonl")
    assert len(state.read_text().splitlines()) == 2
    main([*words, "--cases", "2", "--seed", "3", "--json", str(out)])
    assert json.loads(out.read_text()) == first and len(state.read_text().splitlines()) == 2
    assert main(["bench", "repair", "--classes", "Z9"]) == 2


def test_the_stated_shapes_tell_sizes_apart_and_are_large() -> None:
    chosen = telling(load_operators()["minpool"])[:2]
    assert any(shape.size("kernel") != shape.size("stride") for shape in chosen)
    assert max(shape.size("channels") for shape in chosen) == 144
