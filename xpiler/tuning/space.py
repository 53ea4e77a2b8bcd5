"""What can be tuned of one translation: the knobs that its passes read, and the programs that their values
make.

Knobs that a pass reads only under some values of others belong to the space, too. Points that make the same
text are the same program.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from xpiler.errors import Refusal
from xpiler.gate import cache
from xpiler.passes.knobs import KNOBS, Knob, chosen

Point = tuple[tuple[str, int], ...]
"""Values of knobs, by name, sorted."""
Produce = Callable[[], str]
"""Writes the target's text, with the knobs as they are set."""


@dataclass(frozen=True)
class Made:
    """The text of a point, and its name: equal for equal texts."""

    point: Point
    text: str

    @property
    def program(self) -> str:
        return cache.key(self.text)


@dataclass(frozen=True)
class Space:
    """The knobs of a translation, in the order in which its passes read them."""

    knobs: tuple[Knob, ...]
    produce: Produce

    @property
    def size(self) -> int:
        return math.prod(len(knob.values) for knob in self.knobs)

    @property
    def default(self) -> Point:
        return point({knob.name: knob.default for knob in self.knobs})

    def points(self) -> Iterator[Point]:
        """All of them, the default first, then those that differ least from it."""
        names = [knob.name for knob in self.knobs]
        choices = itertools.product(*(knob.values for knob in self.knobs))
        made = [point(dict(zip(names, values, strict=True))) for values in choices]
        yield from sorted(made, key=self.distance)

    def distance(self, one: Point) -> float:
        """How far a point is from the default: each knob by the steps between values."""
        values = dict(one)
        return sum(
            abs(knob.values.index(values[knob.name]) - knob.values.index(knob.default)) / len(knob.values)
            for knob in self.knobs
        )

    def make(self, one: Point) -> Made | None:
        """The text of a point; None where the translation has no such form."""
        try:
            with chosen(dict(one)):
                return Made(one, self.produce())
        except Refusal:
            return None


def point(values: Mapping[str, int]) -> Point:
    return tuple(sorted(values.items()))


def space_of(produce: Produce) -> Space:
    """The space of a translation: found by translating with each value of each knob that is read."""
    known: dict[str, None] = {}
    with chosen({}) as setting:
        produce()
    known.update(setting.read)
    for name in list(known):
        for value in KNOBS[name].values:
            try:
                with chosen({name: value}) as setting:
                    produce()
            except Refusal:
                continue
            known.update(setting.read)
    return Space(tuple(KNOBS[name] for name in known), produce)
