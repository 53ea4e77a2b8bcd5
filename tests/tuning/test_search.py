"""Searches on spaces whose best point is known; nothing is measured."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.tuning.stand_in import NO_LINE, STAND_IN, StandIn
from xpiler.gate.timing import Program
from xpiler.passes.knobs import KNOBS, Knob, chosen
from xpiler.tuning.record import Question, Record
from xpiler.tuning.search import EXHAUSTIVE, Begin, Known, Reward, proposals
from xpiler.tuning.space import Point, Space, point, space_of
from xpiler.tuning.tune import Budget, _Search

A = Knob("test.a", tuple(range(8)), 0, "eighths")
B = Knob("test.b", tuple(range(8)), 0, "eighths")
C = Knob("test.c", tuple(range(8)), 0, "eighths")
D = Knob("test.d", (0, 1), 0, "whether at all")
E = Knob("test.e", tuple(range(8)), 0, "eighths")


def peak(one: Point) -> float:
    """Best at a=5, b=2, c=7."""
    values = dict(one)
    return 1.0 - (abs(values["test.a"] - 5) + abs(values["test.b"] - 2) + abs(values["test.c"] - 7)) / 21


def at_once(reward: Callable[[Point], float | None]) -> Begin:
    return lambda one: lambda: reward(one)


def wide() -> Space:
    return Space((A, B, C), lambda: "")


def test_a_small_space_is_tried_whole_from_the_default_on() -> None:
    space = Space((A, D), lambda: "")
    tried = list(proposals(space, at_once(lambda one: 0.0)))
    assert space.size <= EXHAUSTIVE
    assert tried[0] == space.default
    assert len(tried) == len(set(tried)) == 16


def test_the_likely_fast_points_of_a_small_space_come_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the model estimates them, behind the default; points of one text are estimated once."""
    asked: list[str] = []

    def estimated(program: Program) -> float:
        asked.append(program.text)
        return float(program.text)

    monkeypatch.setattr("xpiler.tuning.tune.estimated", estimated)
    tried: list[Point] = []
    space = space_of(lambda: f"{9 - min(A.value, 4)}{D.value * 0}")
    trusted: Any = SimpleNamespace(
        program=lambda text, file: Program(text, file, ()),
        verify=lambda text, file: SimpleNamespace(status="verified", text=text, evidence=()),
    )
    about = Question("source", "sizes", STAND_IN.fingerprint, "vnni")
    with Record(tmp_path / "record") as record:
        search = _Search(trusted, space, StandIn(), about, record, Budget(), "k.cu", "vnni", NO_LINE)
        search.on_step = lambda step: tried.append(step.trial.point)
        search.run(0)
    values = [dict(one)["test.a"] for one in tried]
    assert values == [0, 4, 3, 2, 1]
    assert len(asked) == 4


def test_a_large_space_is_searched_where_rewards_are_high() -> None:
    space = wide()
    assert space.size > EXHAUSTIVE
    needed = []
    for seed in range(8):
        tried = list(proposals(space, at_once(peak), seed=seed, simulations=200))
        assert len(tried) == len(set(tried)) == 201
        needed.append(next((n for n, one in enumerate(tried) if peak(one) == 1.0), 201))
    assert sum(needed) / len(needed) < 0.6 * space.size / 2  # drawn at random, half of the space is needed


def test_the_same_seed_searches_the_same_way() -> None:
    first, again = (list(proposals(wide(), at_once(peak), seed=3, simulations=40)) for _ in range(2))
    assert first == again
    assert first != list(proposals(wide(), at_once(peak), seed=4, simulations=40))


def test_several_points_are_under_way_and_the_search_is_the_same_again() -> None:
    under_way, most = 0, 0

    def begin(one: Point) -> Callable[[], float]:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)

        def wait() -> float:
            nonlocal under_way
            under_way -= 1
            return peak(one)

        return wait

    first, again = (list(proposals(wide(), begin, 3, 40, lambda: 6)) for _ in range(2))
    assert most == 6
    assert first == again
    assert len(set(first)) == 41


def test_no_point_is_begun_when_none_may_be_under_way() -> None:
    begun: list[Point] = []

    def begin(one: Point) -> Callable[[], float]:
        begun.append(one)
        return lambda: peak(one)

    tried = list(proposals(wide(), begin, window=lambda: 4 if len(begun) < 10 else 0))
    assert tried == begun
    assert len(tried) == 10


def test_points_without_a_program_do_not_end_a_search() -> None:
    tried = list(proposals(wide(), at_once(lambda one: None), simulations=600))
    assert len(tried) == 512  # all of them, and no more


def test_only_knobs_that_are_read_make_the_space() -> None:
    space = space_of(lambda: f"{A.value}{D.value}")
    assert [knob.name for knob in space.knobs] == ["test.a", "test.d"]


def test_a_knob_that_is_read_under_another_ones_value_is_found() -> None:
    space = space_of(lambda: f"{B.value}" if D.value else "plain")
    assert {knob.name for knob in space.knobs} == {"test.b", "test.d"}


def test_knobs_that_change_nothing_do_not_make_the_space() -> None:
    """Where only two together change a text, both are of the space."""
    space = space_of(lambda: f"{A.value}{0 * B.value}{C.value if A.value > 3 else 0}")
    assert [knob.name for knob in space.knobs] == ["test.a", "test.c"]
    together = space_of(lambda: f"{bool(B.value and D.value)}{0 * C.value}")
    assert {knob.name for knob in together.knobs} == {"test.b", "test.d"}


def test_points_of_a_program_that_was_tried_are_no_trials(tmp_path: Path) -> None:
    """They are neither measured nor counted, and the search goes on to programs that differ."""
    space = space_of(lambda: f"{A.value // 2} {B.value // 2} {C.value // 4}")
    assert space.size == 512 > EXHAUSTIVE
    trusted: Any = SimpleNamespace(
        program=lambda text, file: Program(text, file, ()),
        verify=lambda text, file: SimpleNamespace(status="verified", text=text, evidence=()),
    )
    about = Question("source", "sizes", STAND_IN.fingerprint, "vnni")
    with Record(tmp_path / "record") as record:
        search = _Search(trusted, space, StandIn(), about, record, Budget(), "k.cu", "vnni", NO_LINE)
        tuned = search.run(0)
    programs = [trial.program for trial in tuned.trials]
    assert len(programs) == len(set(programs)) == 32


def test_a_search_among_points_of_one_program_ends() -> None:
    begun: list[Point] = []

    def begin(one: Point) -> Reward | Known:
        begun.append(one)
        return Known(lambda: 0.5) if len(begun) > 10 else lambda: 0.5

    tried = list(proposals(Space((A, B, C, E), lambda: ""), begin, simulations=2000))
    assert tried == begun
    assert 10 < len(tried) < 300 < 4096


def test_equal_texts_are_one_program() -> None:
    space = space_of(lambda: f"{min(A.value, 3)}")
    made = [space.make(point({"test.a": value})) for value in (2, 3, 7)]
    programs = [one.program for one in made if one is not None]
    assert programs[0] != programs[1] == programs[2]


def test_knobs_have_their_defaults_outside_of_a_search() -> None:
    with chosen({"test.a": 4}):
        assert A.value == 4
    assert A.value == 0


def test_a_value_that_there_is_not_is_refused() -> None:
    with pytest.raises(ValueError, match=r"test.a = 99"), chosen({"test.a": 99}):
        pass


def test_every_knob_says_what_it_counts() -> None:
    assert all(knob.meaning and knob.default in knob.values for knob in KNOBS.values())
