"""Many forms of one program, each run on its own."""

from __future__ import annotations

from dataclasses import replace

from tests.gate.programs import vector_contract
from xpiler.gate.compare import measure_spreads
from xpiler.gate.execute import build
from xpiler.gate.trials import Question, rights_of, run_in_all, run_trials

TEXT = """extern "C" { unsigned short xpiler_on[2]; }
extern "C" void f(const float* x, float* y, int n) {
  for (int i = 0; i < n; i += xpiler_on[0] == 1 ? 0 : 1) y[i] = xpiler_on[1] ? 0 : x[i];
}
"""


def test_an_endless_one_does_not_use_up_the_time() -> None:
    contract = vector_contract()
    built = build(TEXT, "f.cpp", "vnni", contract)
    assert built.ok, built.error
    (run,) = built.run(contract.cases)[:1]
    spread = measure_spreads(contract, built, [run])[0]
    an_hour = 3_600_000
    question = Question(run.case, run.variant, rights_of(contract, run, spread), an_hour)
    endless, wrong = ((0, 1),), ((1, 1),)
    scores = run_trials(built, question, [endless, wrong, endless], 10, [()])
    assert [score.status for score in scores] == [3, 0, 3]
    assert not any(score.right for score in scores)


def test_several_cases_in_one_process_tell_the_same_as_each_alone() -> None:
    contract = vector_contract()
    contract = replace(contract, cases=(*contract.cases, *vector_contract(7).cases))
    built = build(TEXT, "f.cpp", "vnni", contract)
    runs = built.run(contract.cases)
    spreads = measure_spreads(contract, built, runs)
    questions = [
        Question(run.case, run.variant, rights_of(contract, run, spread), 2000)
        for run, spread in zip(runs, spreads, strict=True)
    ]
    assert len(questions) > 1
    selections = [(), ((1, 1),)]
    scores = run_in_all(built, questions, selections, 30)
    assert [[score.right for score in own] for own in scores] == [[True, False]] * len(questions)
    assert scores == [run_trials(built, question, selections, 30) for question in questions]


OUTSIDE = """extern "C" { unsigned short xpiler_on[2]; }
extern "C" void f(const float* x, float* y, int n) {
  const int first = xpiler_on[0] ? 0 : -1, end = n + (xpiler_on[1] ? 0 : 3000);
  for (int i = first; i < end; ++i) y[i] = i < 0 ? 7 : x[i < n ? i : 0];
  if (!xpiler_on[0]) y[n / 2] += 1;
}
"""


def test_a_trial_goes_on_after_an_access_outside_an_array() -> None:
    contract = vector_contract()
    built = build(OUTSIDE, "f.cpp", "vnni", contract)
    right = build(TEXT, "f.cpp", "vnni", contract).run(contract.cases)[0]
    question = Question(right.case, right.variant, rights_of(contract, right, None), 2000)
    scores = run_trials(built, question, [(), ((0, 1),), ((1, 1),), ((0, 1), (1, 1))], 10)
    assert [(s.status, s.finished, s.wrong) for s in scores] == [
        (1, True, 1),
        (1, True, 0),
        (1, True, 1),
        (0, True, 0),
    ]
    assert [score.right for score in scores] == [False, False, False, True]
