"""A change that makes a text right by turning a part of it off waits for one that mends that part."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, cast

import pytest

from xpiler.gate.contract import Contract
from xpiler.gate.trials import Question, Score, Selection
from xpiler.repair.changes import Alternative, Form, Site
from xpiler.repair.harness import Harness
from xpiler.repair.questions import Questions
from xpiler.repair.search import Search

TEXT = "for (; x + 4 <= n; x += 4) four(a, b); for (; x < n; ++x) one(a, c);"
WRONG, RIGHT, NEARER = Score(0, True, 40, 40.0), Score(0, True, 0, 0.0), Score(0, True, 30, 35.0)
OFF, MENDED = ((0, 1),), ((1, 1),)


def site(words: str, *others: str) -> Site:
    start = TEXT.index(words)
    alternatives = [Alternative(other, 1.0, f"`{words}` should be `{other}`") for other in others]
    return Site(start, start + len(words), Form.VALUE, "f", alternatives)


def test_what_turns_a_loop_off_is_held_back(monkeypatch: pytest.MonkeyPatch) -> None:
    sites = [
        site("<= n", "<= 0"),
        site("b)", "c)"),
        *(site(w, "0") for w in ("four", "(a, b", "+= 4", "x + 4")),
    ]
    tools = Harness(cast(Any, None), dict(enumerate(sites)), dict.fromkeys(range(len(sites)), (1,)))
    search = Search(
        TEXT,
        "f.cpp",
        "vnni",
        cast(Contract, None),
        cast(Questions, None),
        sites,
        lambda text: "<= 0" in text,
        float("inf"),
        (cast(Question, None), WRONG),
        known={((n, 1),): NEARER for n in range(2, len(sites))},
    )

    def run(
        _: Search, tools: Harness, question: Question, part: Sequence[Selection], seconds: float
    ) -> list[Score]:
        return [RIGHT if (0, 1) in selection else NEARER for selection in part]

    monkeypatch.setattr(Search, "_run", run)
    assert search._still_whole(tools, [OFF, MENDED]) == [MENDED]
    change = search._held_back(search.held)
    assert change is not None and [edit.text for edit in change.edits] == ["<= 0"]


def test_what_is_far_fetched_waits_until_every_place_had_its_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    words = TEXT.index("+= 4")
    sites = [
        Site(words, words + 4, Form.VALUE, "f", [Alternative("+= 2", 2.2, ""), Alternative("+= 8", 1.2, "")])
    ]
    tools = Harness(cast(Any, None), dict(enumerate(sites)), {0: (1, 2)})
    search = Search(
        TEXT,
        "f.cpp",
        "vnni",
        cast(Contract, None),
        cast(Questions, SimpleNamespace(all=[], right_in=lambda _, none, some: [True] * len(some))),
        sites,
        lambda text: True,
        float("inf"),
        (cast(Question, None), WRONG),
        early=True,
    )
    for name in ("_preferred", "_still_whole"):
        monkeypatch.setattr(Search, name, lambda _, tools, ranked: ranked)
    assert search._accepted(tools, [((0, 1),)], None) is None
    found = search._accepted(tools, [((0, 1),), ((0, 2),)], None)
    assert found is not None and [edit.text for edit in found.edits] == ["+= 8"]
    last = search._held_back(search.far)
    assert last is not None and [edit.text for edit in last.edits] == ["+= 2"]


def test_a_condition_whose_statements_no_longer_matter_turns_them_off(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sites = [site("<= n", "<= 0"), site("four", "five"), site("one", "two")]
    sites[0].controls = (TEXT.index("four"), TEXT.index(" for (; x < n"))
    tools = Harness(cast(Any, None), dict(enumerate(sites)), dict.fromkeys(range(len(sites)), (1,)))
    none = cast(Any, None)
    asked = (cast(Question, None), WRONG)
    search = Search(TEXT, "f.cpp", "vnni", none, none, sites, lambda text: True, float("inf"), asked)

    def run(
        _: Search, tools: Harness, question: Question, part: Sequence[Selection], seconds: float
    ) -> list[Score]:
        return [RIGHT if (2, 1) not in selection else NEARER for selection in part]

    monkeypatch.setattr(Search, "_run", run)
    assert search._turns_off(tools, OFF, [(1, 1), (2, 1)])
    assert not search._turns_off(tools, OFF, [(2, 1)])
    assert not search._turns_off(tools, ((1, 1),), [(2, 1)])


def test_what_is_right_in_one_case_is_gone_on_from_before_other_places_are_tried(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sites = [site("<= n", "< n"), site("b)", "c)"), site("+= 4", "+= 2")]
    tools = Harness(cast(Any, None), dict(enumerate(sites)), dict.fromkeys(range(len(sites)), (1,)))
    question = cast(Question, object())
    asked = SimpleNamespace(
        all=[question],
        failing=lambda *_: (question, NEARER),
        right_in=lambda _, none, some: [True] * len(some),
    )
    search = Search(
        TEXT,
        "f.cpp",
        "vnni",
        cast(Contract, None),
        cast(Questions, asked),
        sites,
        lambda text: "c)" in text and "+= 2" in text,
        float("inf"),
        (cast(Question, None), WRONG),
        known={((0, 1),): NEARER, ((1, 1),): RIGHT, ((2, 1),): WRONG},
        partial={((1, 1),)},
        early=True,
    )

    def run(
        _: Search, tools: Harness, question: Question, part: Sequence[Selection], seconds: float
    ) -> list[Score]:
        return [RIGHT if {(1, 1), (2, 1)} <= set(selection) else NEARER for selection in part]

    monkeypatch.setattr(Search, "_run", run)
    for name in ("_preferred", "_still_whole"):
        monkeypatch.setattr(Search, name, lambda _, tools, ranked: ranked)
    change = search._completed(tools)
    assert change is not None and {edit.text for edit in change.edits} == {"c)", "+= 2"}
    assert (1, 1) in search._choices(1)


def test_a_loop_that_never_turns_is_the_last_resort(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where what comes behind a loop does its work, too, every stricter condition makes the text right: what
    leaves the loop off waits for everything else, and what is no slip until every place had its turn."""
    sites = [site("x + 4 <= n", "0"), site("<= n", "<= 0", "<= 2 * x", "< n"), site("four", "five")]
    for condition in sites[:2]:
        condition.controls = (TEXT.index("four"), TEXT.index(" for (; x < n"))
    sites[1].alternatives[2] = Alternative("< n", 0.4, "a slip")
    tools = Harness(cast(Any, None), dict(enumerate(sites)), {0: (1,), 1: (1, 2, 3), 2: (1,)})
    none = cast(Any, None)
    asked = (cast(Question, None), Score(3, False, 0, float("inf")))
    search = Search(TEXT, "f.cpp", "vnni", none, none, sites, lambda text: True, float("inf"), asked)
    turns = {(1, 2), (1, 3)}

    def run(
        _: Search, tools: Harness, question: Question, part: Sequence[Selection], seconds: float
    ) -> list[Score]:
        return [NEARER if turns & set(s) and (2, 1) in s else RIGHT for s in part]

    monkeypatch.setattr(Search, "_run", run)
    right: list[Selection] = [((0, 1),), ((1, 1),), ((1, 2),), ((1, 3),)]
    assert search._still_whole(tools, right) == [((1, 3),)]
    assert [change.edits[0].text for change in search.off] == ["0", "<= 0"]
    assert [change.edits[0].text for change in search.held] == ["<= 2 * x"]
    assert search._conditions([(1, 1)]) == [(0, 1)]
