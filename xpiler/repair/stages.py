"""Which changes come into the next program: first some at every place, then all where it matters.

    at once       the most plausible changes of each kind, and those at places that a violation names
    at first      further ones of each kind, and one at every place
    focused       all changes at places where one brought the results nearer to what is right; of places where
                  one made any difference the plausible ones; where nothing did anything, the likeliest alone
    the rest      what is left, the most plausible first, places where nothing did anything last

A program with all changes takes many times as long to compile as the trials of the telling ones do.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from xpiler.gate.trials import NOT_RUN, Score
from xpiler.repair.changes import Site
from xpiler.repair.order import IDLE, TURNS, One, gain

_ONCE, _FIRST, _FOCUSED, _REST = 120, 450, 1500, 5000  # changes of a program
_PLAUSIBLE = 2.0  # costs up to this are tried at places that make a difference
_LIKELY = 1.5  # and up to this at those that were not tried
_SURE = 1.2  # and up to this where changes do nothing, as of two faults one may hide the other
_FEW = 2.2  # what a place's own first change may cost
_TELLING = 0.02  # share of the error whose going away tells of a place


@dataclass
class Learned:
    """What trials of single changes showed of each place: the largest share of the error that one took away
    (`gains`), the number of those that did nothing (`idle`), of all (`tried`). Where the text breaks off
    before it ends (not `ends`), that a change does nothing says nothing of its place."""

    gains: dict[int, float] = field(default_factory=lambda: defaultdict(float))
    idle: Counter[int] = field(default_factory=Counter)
    tried: Counter[int] = field(default_factory=Counter)
    ends: bool = True

    @classmethod
    def of(cls, known: Mapping[tuple[One, ...], Score], base: Score) -> Learned:
        learned = cls(ends=base.finished)
        for selection, score in known.items():
            if len(selection) == 1 and score != NOT_RUN:
                site = selection[0][0]
                learned.tried[site] += 1
                learned.idle[site] += score == base
                learned.gains[site] = max(learned.gains[site], gain(score, base))
        return learned

    def matters(self, site: int) -> bool:
        return self.tried[site] > self.idle[site]

    def is_idle(self, site: int) -> bool:
        return self.ends and self.idle[site] >= IDLE and not self.matters(site)


def at_once(sites: Sequence[Site], near: frozenset[int]) -> list[One]:
    """The cheapest changes of each kind in turn, after those at places that a violation names."""
    named = [one for cost, one in sorted(_all(sites)) if one[0] in near and cost <= _PLAUSIBLE]
    return list(dict.fromkeys([*named[: _ONCE // 2], *_in_turn(sites)[:_ONCE]]))


def first(sites: Sequence[Site]) -> list[One]:
    """The cheapest changes of each kind in turn, and the cheapest of each place."""
    own: dict[int, One] = {}
    for cost, one in sorted(_all(sites)):
        if cost <= _FEW:
            own.setdefault(one[0], one)
    return list(dict.fromkeys([*_in_turn(sites)[:_FIRST], *own.values()]))


def _in_turn(sites: Sequence[Site]) -> list[One]:
    """All changes, those of each kind in turn, and what is far-fetched later by so many turns."""
    turns: Counter[str] = Counter()
    in_turn: list[tuple[float, One]] = []
    for cost, one in sorted(_all(sites)):
        kind = sites[one[0]].alternatives[one[1] - 1].kind
        in_turn.append((turns[kind] + TURNS * cost, one))
        turns[kind] += 1
    return [one for _, one in sorted(in_turn)]


def focused(sites: Sequence[Site], learned: Learned, near: frozenset[int]) -> list[One]:
    """All changes where one helped, plausible ones where one made a difference, likely ones elsewhere, and
    the likeliest ones where changes do nothing."""
    ranked: list[tuple[int, float, One]] = []
    for cost, one in _all(sites):
        site = one[0]
        if learned.gains[site] > _TELLING or (site in near and not learned.is_idle(site)):
            ranked.append((0, cost - learned.gains[site], one))
        elif learned.matters(site) and cost <= _PLAUSIBLE:
            ranked.append((1, cost, one))
        elif not learned.is_idle(site) and cost <= _LIKELY:
            ranked.append((2, cost, one))
        elif cost <= _SURE:
            ranked.append((3, cost, one))
    return [one for _, _, one in sorted(ranked)[:_FOCUSED]]


def rest(sites: Sequence[Site], learned: Learned, tried: Collection[One]) -> list[One]:
    """What was not tried, the most plausible first, and all that helped or is likely; last the places where
    nothing did anything, as of two faults one may hide the other."""
    ranked = sorted((learned.is_idle(one[0]), cost, one) for cost, one in _all(sites))
    return [
        one
        for _, cost, one in ranked
        if one not in tried or learned.gains[one[0]] > _TELLING or cost <= _LIKELY
    ][:_REST]


def _all(sites: Sequence[Site]) -> Iterator[tuple[float, One]]:
    for number, site in enumerate(sites):
        for choice, alternative in enumerate(site.alternatives, 1):
            yield alternative.cost, (number, choice)
