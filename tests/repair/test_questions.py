"""Which case is asked first: the quickest of those that tell much."""

from __future__ import annotations

import pytest

from xpiler.gate.contract import make_case
from xpiler.repair.questions import _degenerate

LARGEST = {"batch": 4, "points": 4, "dim": 18, "one": 1}


@pytest.mark.parametrize(
    ("sizes", "count"),
    [
        (
            {"batch": 4, "points": 3, "dim": 18, "one": 1},
            0,
        ),  # `one` is never more
        ({"batch": 1, "points": 4, "dim": 18, "one": 1}, 1),
        ({"batch": 4, "points": 1, "dim": 1, "one": 1}, 2),
    ],
)
def test_sizes_of_one_are_counted(sizes: dict[str, int], count: int) -> None:
    assert _degenerate(make_case(sizes, {}), LARGEST) == count
