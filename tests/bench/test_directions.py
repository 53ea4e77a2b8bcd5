"""Every operator in every direction, at one shape: what `xpiler bench accuracy` counts, as a test."""

from __future__ import annotations

import pytest

from xpiler.bench.case import measure
from xpiler.bench.operators import load_operators, snippet
from xpiler.routes import ROUTES

OPERATORS = load_operators()
CASES = [(source, target, name) for source, target in ROUTES for name in OPERATORS]


@pytest.mark.parametrize(("source", "target", "name"), CASES)
def test_an_operator_is_translated_and_computes_the_same(source: str, target: str, name: str) -> None:
    operator = OPERATORS[name]
    outcome = measure(operator, snippet(name, source), source, target, operator.shapes[:1])
    assert outcome.computed == 1 and not outcome.failures, outcome.failures
