"""What the launches of host code tell about other ones."""

from __future__ import annotations

from xpiler.symbolic.hosts import as_launched
from xpiler.symbolic.trial import Trial

ONE = (1, 1, 1)


def launched(*sizes: tuple[int, int, int], is_launched: bool = True) -> list[Trial]:
    names = ("rows", "columns", "stride")
    return [Trial(ONE, ONE, dict(zip(names, s, strict=True)), is_launched=is_launched) for s in sizes]


def test_numbers_that_host_code_hands_over_as_one_stay_one() -> None:
    launches = launched((64, 64, 64), (100, 37, 37), (37, 100, 100))
    (tried,) = launched((4, 5, 2), is_launched=False)
    assert as_launched(launches, tried).scalars == {"rows": 4, "columns": 5, "stride": 5}


def test_equal_numbers_of_trials_that_nobody_launches_tell_nothing() -> None:
    trials = launched((64, 64, 64), (100, 37, 37), (37, 100, 100), is_launched=False)
    (tried,) = launched((4, 5, 2), is_launched=False)
    assert as_launched(trials, tried) == tried
