"""Searches of a space: all of a small one, else a Monte Carlo tree over the decisions in their order.

A decision is the value of one knob; knobs stand in the order in which the passes read them, so that a path
from the root is a sequence of passes with their choices. Points that make the same program share what was
measured. After Kocsis and Szepesvari's UCT, with the best reward of a subtree in place of the mean, because
one program is delivered, not a distribution.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from xpiler.tuning.space import Point, Space, point

SIMULATIONS = 512
EXHAUSTIVE = 128  # points that are all tried
_EXPLORATION = 0.5
_FOLLOWS = 0.8  # how often a decision that is new is made as in the best point

Reward = Callable[[Point], float | None]
"""How good a point is, between 0 and 1, known or measured now; None where it makes no valid program."""


def proposals(space: Space, reward: Reward, seed: int = 0, simulations: int = SIMULATIONS) -> Iterator[Point]:
    """The points to try, in order, each once. `reward` is asked for each as it is proposed."""
    if space.size <= EXHAUSTIVE:
        for one in space.points():
            reward(one)
            yield one
        return
    yield from _Tree(space, reward, random.Random(seed)).run(simulations)


@dataclass
class _Node:
    """The decisions so far. `best`: of the points below; `done`: all points below were tried."""

    values: tuple[int, ...]
    children: dict[int, _Node] = field(default_factory=dict)
    visits: int = 0
    best: float = 0.0
    done: bool = False


class _Tree:
    def __init__(self, space: Space, reward: Reward, rng: random.Random) -> None:
        self.space, self.reward, self.rng = space, reward, rng
        self.root = _Node(())
        self.best = dict(space.default)
        self.most = 0.0

    def run(self, simulations: int) -> Iterator[Point]:
        yield self._try(self._path_to(self.space.default))
        for _ in range(simulations):
            if self.root.done:
                return
            path = self._select()
            yield self._try(path)

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

    def _try(self, path: list[_Node]) -> Point:
        names = [knob.name for knob in self.space.knobs]
        one = point(dict(zip(names, path[-1].values, strict=True)))
        worth = self.reward(one) or 0.0
        if worth > self.most:
            self.best, self.most = dict(one), worth
        path[-1].done = True
        for depth in range(len(path) - 1, -1, -1):
            node = path[depth]
            node.visits += 1
            node.best = max(node.best, worth)
            if depth < len(self.space.knobs):
                values = self.space.knobs[depth].values
                node.done = len(node.children) == len(values) and all(c.done for c in node.children.values())
        return one
