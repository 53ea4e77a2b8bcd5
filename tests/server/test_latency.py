"""Answers come at once while a translation runs, and memory stays within bounds.

`python -m tests.server.measure` prints the numbers. The bounds here are wide enough for a busy machine.
"""

from __future__ import annotations

from tests.server.measure import measure


def test_the_server_answers_while_a_translation_runs() -> None:
    measured = measure()
    print(measured.report())
    for kind in measured.requests:
        assert measured.p95(kind) < 0.5, measured.report()
    assert measured.server + measured.workers < 1200, measured.report()
    assert measured.server < 300, measured.report()
