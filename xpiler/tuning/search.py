"""Searches of a space: all of a small one, else a Monte Carlo tree over the decisions in their order.

A decision is the value of one knob; knobs stand in the order in which the passes read them, so that a path
from the root is a sequence of passes with their choices. Points that make the same program share what was
measured, and only the first of them counts as tried. After Kocsis and Szepesvari's UCT, with the best reward
of a subtree in place of the mean, because one program is delivered, not a distribution.

Several points may be under way at once, for several devices. Their rewards are learned in the order in which
they were begun, so that a search is the same again, in whatever order they are known.
"""

from __future__ import annotations

import math
import random
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from xpiler.tuning.space import Point, Space, point

SIMULATIONS = 512
EXHAUSTIVE = 128  # points that are all tried
_EXPLORATION = 0.5
_FOLLOWS = 0.8  # how often a decision that is new is made as in the best point
_IN_VAIN = 256  # points in a row without a new program, after which there is hardly another one
_AHEAD = 4  # points that may be chosen for each that is under way

Reward = Callable[[], float | None]
"""Waits for how good a point is, between 0 and 1; None where it makes no valid program."""


@dataclass(frozen=True)
class Known:
    """What a point is worth that makes no program of its own: it is that of an earlier point, or there is
    none."""

    reward: Reward


Begin = Callable[[Point], Reward | Known]
"""Has a point measured."""


def proposals(
    space: Space,
    begin: Begin,
    seed: int = 0,
    simulations: int = SIMULATIONS,
    window: Callable[[], int] = lambda: 1,
    order: Callable[[list[Point]], list[Point]] | None = None,
) -> Iterator[Point]:
    """The points to try, each once, in the order in which they were begun, once their rewards are known.
    `simulations`: how many programs of a large space come after the default; `window`: how many may be under
    way now; `order`: in which those of a small space come after the default."""
    if space.size <= EXHAUSTIVE:
        default, *others = space.points()
        if order is not None and others and window():
            others = order(others)
        yield from _settled(iter((default, *others)), begin, window, lambda one, worth: None, space.size)
    else:
        tree = _Tree(space, random.Random(seed))
        yield from _settled(tree.points(), begin, window, tree.learn, simulations + 1)


def _settled(
    points: Iterator[Point],
    begin: Begin,
    window: Callable[[], int],
    learn: Callable[[Point, float], None],
    most: int,
) -> Iterator[Point]:
    """`most`: programs that are measured."""
    chosen: deque[tuple[Point, Reward | Known]] = deque()
    programs = under_way = in_vain = 0
    while True:
        while under_way < window() and len(chosen) < _AHEAD * window() and programs < most:
            one = next(points, None) if in_vain < _IN_VAIN else None
            if one is None:
                break
            begun = begin(one)
            chosen.append((one, begun))
            if isinstance(begun, Known):
                in_vain += 1
            else:
                programs, under_way, in_vain = programs + 1, under_way + 1, 0
        if not chosen:
            return
        one, begun = chosen.popleft()
        if isinstance(begun, Known):
            learn(one, begun.reward() or 0.0)
        else:
            learn(one, begun() or 0.0)
            under_way -= 1
        yield one


@dataclass
class _Node:
    """The decisions so far. `best`: of the points below; `done`: all points below were tried."""

    values: tuple[int, ...]
    children: dict[int, _Node] = field(default_factory=dict)
    visits: int = 0
    best: float = 0.0
    done: bool = False


class _Tree:
    def __init__(self, space: Space, rng: random.Random) -> None:
        self.space, self.rng = space, rng
        self.root = _Node(())
        self.best = dict(space.default)
        self.most = 0.0

    def points(self) -> Iterator[Point]:
        """The default, then one point a simulation; each is chosen when it is asked for."""
        yield self._visited(self._path_to(self.space.default))
        while not self.root.done:
            yield self._visited(self._select())

    def _path_to(self, one: Point) -> list[_Node]:
        values = dict(one)
        path = [self.root]
        for knob in self.space.knobs:
            value = values[knob.name]
            child = path[-1].children.setdefault(value, _Node((*path[-1].values, value)))
            path.append(child)
        return path

    def _select(self) -> list[_Node]:
        """A path to a point that was not tried: down the tree by its bounds, then mostly as the best point
        has it."""
        path = [self.root]
        for knob in self.space.knobs:
            node = path[-1]
            unknown = [v for v in knob.values if v not in node.children]
            if unknown:
                liked = self.best[knob.name]
                follows = liked in unknown and self.rng.random() < _FOLLOWS
                value = liked if follows else self.rng.choice(unknown)
                node.children[value] = _Node((*node.values, value))
            else:
                value = self._promising(node)
            path.append(node.children[value])
        return path

    def _promising(self, node: _Node) -> int:
        def bound(value: int) -> float:
            child = node.children[value]
            return child.best + _EXPLORATION * math.sqrt(math.log(node.visits + 1) / (child.visits + 1))

        return max((v for v in node.children if not node.children[v].done), key=lambda v: (bound(v), -v))

    def _visited(self, path: list[_Node]) -> Point:
        """The point at the end of a path, which is not chosen again. Until its reward is known the visit
        alone counts, and leads others elsewhere."""
        path[-1].done = True
        for depth in range(len(path) - 1, -1, -1):
            node = path[depth]
            node.visits += 1
            if depth < len(self.space.knobs):
                values = self.space.knobs[depth].values
                node.done = len(node.children) == len(values) and all(c.done for c in node.children.values())
        names = [knob.name for knob in self.space.knobs]
        return point(dict(zip(names, path[-1].values, strict=True)))

    def learn(self, one: Point, worth: float) -> None:
        """The reward of a point that was chosen."""
        if worth > self.most:
            self.best, self.most = dict(one), worth
        for node in self._path_to(one):
            node.best = max(node.best, worth)
