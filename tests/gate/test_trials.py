"""Many forms of one program, each run on its own."""

from __future__ import annotations

from tests.gate.programs import vector_contract
from xpiler.gate.compare import measure_spreads
from xpiler.gate.execute import build
from xpiler.gate.trials import Question, rights_of, run_trials

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
