"""A target is held against its source case by case."""

from __future__ import annotations

from dataclasses import replace

from tests.gate.programs import build_loop, vector_contract
from xpiler.gate.verify import compare_target, run_source


def test_where_small_cases_show_that_a_target_is_wrong_large_ones_are_not_asked() -> None:
    """It takes long to doubt a large one: the source's own results are measured there first."""
    cases = [vector_contract(n).cases[0] for n in (300_000, 1000)]
    contract = replace(vector_contract(), cases=tuple(cases))
    source = build_loop("for (int i = 0; i < n; ++i) y[i] = x[i] * x[i];", contract)
    target = build_loop("for (int i = 0; i < n; ++i) y[i] = x[i] * 2.0f;", contract)
    (rung,) = compare_target(contract, source, run_source(contract, source), target)
    assert not rung.ok
    assert "n=1000" in rung.detail
