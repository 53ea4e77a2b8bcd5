"""In which order changes are tried: faults of all kinds in turn, and first where changes have an effect.

A text has hundreds of indices and one launch; that a fault lies in the one is as likely as in the other. So
the changes of each kind are tried in turn, the plausible ones of a kind first. What was tried tells more:
where changes bring the results nearer to what is right, more are tried; where they do nothing, none.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from xpiler.gate.trials import Score
from xpiler.repair.harness import Harness

One = tuple[int, int]  # site and choice
IDLE = 2  # changes of a site without effect, after which it waits
TURNS = 8.0  # by which a change comes later that is dearer by 1
_LATER = 400.0
_SOONER = 150.0


class Order:
    """The changes of a harness that are left to be tried. `near`: sites at lines that a violation names."""

    def __init__(self, tools: Harness, changes: Sequence[One], near: frozenset[int]) -> None:
        self.left = dict.fromkeys(changes, 0.0)
        self.effects: dict[int, float] = defaultdict(float)
        self.idle: Counter[int] = Counter()
        turns: dict[str, float] = defaultdict(float)
        for one in sorted(changes, key=lambda one: (tools.cost(*one), one)):
            kind = tools.sites[one[0]].alternatives[one[1] - 1].kind
            self.left[one] = turns[kind] + TURNS * tools.cost(*one)
            turns[kind] += 0.2 if one[0] in near else 1
            if one[0] in near:
                self.left[one] *= 0.2

    def next(self, count: int) -> list[One]:
        """The next ones, which are left no longer."""
        chosen = sorted(self.left, key=lambda one: (self._place(one), one))[:count]
        for one in chosen:
            del self.left[one]
        return chosen

    def _place(self, one: One) -> float:
        site = one[0]
        later = _LATER if self.idle[site] >= IDLE and not self.effects[site] else 0.0
        return self.left[one] + later - _SOONER * self.effects[site]

    def learn(self, scores: Mapping[One, Score], base: Score) -> None:
        """What trials of single changes showed."""
        for (site, _), score in scores.items():
            if score == base:
                self.idle[site] += 1
            else:
                self.effects[site] = max(self.effects[site], gain(score, base))


def gain(score: Score, base: Score) -> float:
    """Which part of the error a change takes away, from 0 to 1. That nothing is reported any more is half of
    it, unless the results are farther from what is right then, as where nothing is done any more."""
    if not (score.finished and base.finished and base.wrong) or score.status > base.status:
        return 0.5 if rank(score) < rank(base) else 0.0
    nearer = max(0.0, 1 - score.distance / max(base.distance, 1e-12))
    if score.status == base.status:
        return nearer
    return max(nearer, 0.5) if score.distance <= base.distance else 0.1


def rank(score: Score) -> tuple[int, float]:
    """Less is better: ended well, ended with something reported, did not end; then by distance."""
    if score.status == 0:
        return 0, score.distance
    if score.finished:
        return 1, score.distance
    return {1: 2, 2: 3}.get(score.status, 4), 0.0
