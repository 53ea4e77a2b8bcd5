"""Changes that do not compile are left out, and no others with them."""

from __future__ import annotations

from pathlib import Path
from typing import cast

from xpiler.gate.contract import Contract
from xpiler.gate.execute import Build
from xpiler.repair.changes import Alternative, Form, Site
from xpiler.repair.harness import _around, _halved, _undeclared

TEXT = "int f(int a) { int n = a; return n; }"


def test_a_name_is_missing_only_if_the_text_does_not_have_it() -> None:
    site = Site(19, 24, Form.VALUE, "f", [Alternative(t, 1.0, t) for t in ("n + 1", "taskId", "taskId + a")])
    log = "f.cpp:3:1: error: ‘n’ was not declared in this scope\nf.cpp:4:1: error: ‘taskId’ was not declared"
    assert _undeclared(log, TEXT, [site], {0: [1, 2, 3]}) == {(0, 2), (0, 3)}


def test_what_a_template_was_asked_for_blames_the_changes_around_it() -> None:
    log = (
        "f.cu:7:50:   required from here\natomics.hpp:38:13: error: assignment of read-only location ‘* at’\n"
    )
    lines = {3: (0, 1), 6: (1, 1), 9: (2, 1), 20: (3, 1)}
    assert _around(log, "f.cu", lines, {0: [1], 1: [1], 2: [1], 3: [1]}) == {(1, 1), (2, 1)}


def built(ok: bool) -> Build:
    return Build(cast(Contract, None), "cuda", Path("program") if ok else None, "g++")


def test_what_no_line_tells_of_is_found_by_halves_and_costs_no_other_change() -> None:
    """An error that no choice is near: only the one that brings it is left out."""
    ones = [(site, choice) for site in range(20) for choice in (1, 2)]
    tried: list[int] = []

    def attempt(chosen: dict[int, list[int]]) -> Build:
        tried.append(sum(map(len, chosen.values())))
        return built(2 not in chosen.get(7, ()))

    found = _halved(ones, lambda one: one[0], attempt)
    assert found is not None
    kept = {(site, choice) for site, choices in found[1].items() for choice in choices}
    assert set(ones) - kept == {(7, 2)}
    assert len(tried) <= 13  # of 40 changes
    assert _halved(ones, lambda one: one[0], lambda chosen: built(False)) is None
