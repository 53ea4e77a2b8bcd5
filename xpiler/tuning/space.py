"""What can be tuned of one translation: the knobs that its passes read, and the programs that their values
make.

Knobs that a pass reads only under some values of others belong to the space, too; those that are read but
change no text, alone or together with others, do not. Points that make the same text are the same program.
"""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from xpiler.errors import Refusal
from xpiler.gate import cache
from xpiler.passes.knobs import KNOBS, Knob, chosen

Point = tuple[tuple[str, int], ...]
"""Values of knobs, by name, sorted."""
Produce = Callable[[], str]
"""Writes the target's text, with the knobs as they are set."""

_DRAWN = 16  # points, for what knobs change together


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
        plain = produce()
    known.update(setting.read)
    turning: set[str] = set()
    for name in list(known):
        for value in KNOBS[name].values:
            try:
                with chosen({name: value}) as setting:
                    text = produce()
            except Refusal:
                turning.add(name)
                continue
            known.update(setting.read)
            if text != plain:
                turning.add(name)
    space = Space(tuple(KNOBS[name] for name in known), produce)
    turning |= _turning_together(space, [name for name in known if name not in turning])
    return replace(space, knobs=tuple(knob for knob in space.knobs if knob.name in turning))


def _turning_together(space: Space, still: list[str]) -> set[str]:
    """Of the knobs that change nothing alone, those that change a text where others are turned as well: seen
    at points that are drawn, every other of which turns no knobs but these."""
    rng = random.Random(0)
    turning: set[str] = set()
    default = dict(space.default)
    for number in range(_DRAWN if still else 0):
        at = default | {
            knob.name: rng.choice(knob.values) for knob in space.knobs if number % 2 or knob.name in still
        }
        text = _text(space, at)
        if text == _text(space, at | {name: default[name] for name in still}):
            continue
        for name in still:  # one after the other, until the text is that without any
            at[name] = default[name]
            if (less := _text(space, at)) != text:
                turning.add(name)
            text = less
        still = [name for name in still if name not in turning]
    return turning


def _text(space: Space, at: Mapping[str, int]) -> str | None:
    made = space.make(point(at))
    return None if made is None else made.text
