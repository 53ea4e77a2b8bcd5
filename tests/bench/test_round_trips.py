"""There and back: the frontends read what the backends write. The bench makes all trips, see `--back`."""

from __future__ import annotations

import pytest

from xpiler.bench.case import measure_back
from xpiler.bench.operators import load_operators, snippet

OPERATORS = load_operators()
TRIPS = [
    ("cuda", "hip", "softmax"),
    ("cuda", "bang", "add"),
    ("cuda", "vnni", "gemv"),
    ("hip", "cuda", "gemv"),
    ("hip", "bang", "gemv"),
    ("hip", "vnni", "maxpool"),
    ("bang", "cuda", "gemv"),
    ("bang", "hip", "relu"),
    ("bang", "vnni", "add"),
    ("vnni", "cuda", "gelu"),
    ("vnni", "hip", "gemv"),
    ("vnni", "bang", "sign"),
]


@pytest.mark.parametrize(("source", "target", "name"), TRIPS)
def test_a_translation_comes_back(source: str, target: str, name: str) -> None:
    operator = OPERATORS[name]
    outcome = measure_back(operator, snippet(name, source), source, target, operator.shapes[:1])
    assert (outcome.computed, outcome.status, outcome.failures) == (1, "verified", ())
