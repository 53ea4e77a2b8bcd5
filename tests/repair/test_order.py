"""How much a change helps, by the scores of the text with it and as it is."""

import pytest

from xpiler.gate.trials import Score
from xpiler.repair.order import gain

REPORTED = Score(1, True, 40, 40.0)  # an access outside an array, and what the run came to all the same
WRONG = Score(0, True, 40, 40.0)


@pytest.mark.parametrize(
    ("score", "base", "share"),
    [
        (Score(0, True, 10, 10.0), WRONG, 0.75),
        (Score(1, True, 10, 10.0), REPORTED, 0.75),  # of two faults the other one is mended
        (Score(0, True, 40, 40.0), REPORTED, 0.5),  # nothing is reported any more
        (Score(0, True, 90, 90.0), REPORTED, 0.1),  # nor is much done any more
        (Score(1, True, 10, 10.0), WRONG, 0.0),
        (Score(0, True, 40, 40.0), Score(2, False, 0, 0.0), 0.5),
    ],
)
def test_a_change_takes_away_a_share_of_the_error(score: Score, base: Score, share: float) -> None:
    assert gain(score, base) == pytest.approx(share)
