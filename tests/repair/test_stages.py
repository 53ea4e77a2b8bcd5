"""Which changes come into the next program, by what trials showed."""

from xpiler.gate.trials import Score
from xpiler.repair.changes import Alternative, Form, Site
from xpiler.repair.stages import Learned, at_once, first, focused, rest

BASE = Score(0, True, 100, 100.0)
NEARER, OTHERWISE = Score(0, True, 50, 50.0), Score(0, True, 120, 130.0)


def site(*costs: float) -> Site:
    return Site(0, 1, Form.VALUE, "f", [Alternative(str(cost), cost, "", kind="number") for cost in costs])


SITES = [site(1.0, 1.4, 2.9), site(1.0, 1.4, 2.9), site(1.0, 1.4, 2.9), site(2.8)]
KNOWN = {
    ((0, 1),): NEARER,
    ((1, 1),): OTHERWISE,
    ((2, 1),): BASE,
    ((2, 2),): BASE,
}


def test_at_once_come_the_most_plausible_of_each_kind_and_first_those_at_places_that_a_violation_names() -> (
    None
):
    many = [site(*[1.0 + n / 1000 for n in range(500)]), site(1.9, 2.8)]
    found = at_once(many, frozenset({1}))
    assert found[:3] == [(1, 1), (0, 1), (0, 2)]
    assert len(found) < 200


def test_at_first_every_place_has_a_change_that_is_not_far_fetched() -> None:
    assert {number for number, _ in first(SITES)} == {0, 1, 2, 3}
    many = [site(*[1.0] * 500), site(2.1), site(2.8)]
    assert {number for number, _ in first(many)} == {0, 1}


def test_then_all_where_one_helped_and_the_likeliest_alone_where_they_do_nothing() -> None:
    learned = Learned.of(KNOWN, BASE)
    assert focused(SITES, learned, frozenset()) == [(0, 1), (0, 2), (0, 3), (1, 1), (1, 2), (2, 1)]


def test_where_the_text_breaks_off_nothing_is_said_of_places_that_did_nothing() -> None:
    broken = Score(2, False, 0, 0.0)
    learned = Learned.of({((0, 1),): NEARER, ((2, 1),): broken, ((2, 2),): broken}, broken)
    assert focused(SITES, learned, frozenset())[:3] == [(0, 1), (0, 2), (0, 3)]
    assert (2, 2) in focused(SITES, learned, frozenset())


def test_at_last_what_is_left_with_what_helped_and_what_another_fault_may_have_hidden() -> None:
    tried = {selection[0] for selection in KNOWN}
    left = [(0, 1), (1, 1), (0, 2), (1, 2), (3, 1), (0, 3), (1, 3)]
    assert rest(SITES, Learned.of(KNOWN, BASE), tried) == [*left, (2, 1), (2, 2), (2, 3)]
