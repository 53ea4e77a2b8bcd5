"""Between which barriers of a block an access lies, and which accesses two threads may make at the same time.

    s[t] = 0;                    segment 0                  0 continues in 1, and in 3 if there are no turns
    for (...) {
      s[t] = a[i];               segment 1, the head
      __syncthreads();
      x += s[t + 1];             segment 2, the tail        2 continues in 1 of the next turn, and in 3
    }
    b[t] = s[t];                 segment 3

A segment is a stretch of the text without a barrier. Two accesses may come together if they lie in one
segment, or if one segment continues in the other without a barrier. All threads go through barriers together
(another check sees to that), so within a segment they are in the same turn of the loops that have barriers.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from xpiler.ir.nodes import (
    Barrier,
    Block,
    Break,
    Collective,
    Continue,
    For,
    Function,
    If,
    Load,
    Stmt,
    While,
)
from xpiler.ir.rewrite import walk


class Irregular(Exception):
    """A barrier in a branch, or in a loop that is left early: not told apart here."""


@dataclass
class Phases:
    """`segments`: of statements, by identity; `continues`: pairs of segments; `turns`: by segment the
    counters of the loops with barriers around it."""

    segments: dict[int, int] = field(default_factory=dict)
    continues: set[tuple[int, int]] = field(default_factory=set)
    turns: dict[int, frozenset[str]] = field(default_factory=dict)

    @staticmethod
    def of(kernel: Function) -> Phases:
        """Raises `Irregular`."""
        phases = Phases()
        phases._walk(kernel.body, phases._fresh(frozenset()), frozenset())
        phases._close()
        return phases

    def together(self, first: int, second: int) -> bool:
        return first == second or (first, second) in self.continues or (second, first) in self.continues

    def _fresh(self, turns: frozenset[str]) -> int:
        number = len(self.turns)
        self.turns[number] = turns
        return number

    def _walk(self, stmt: Stmt, segment: int, turns: frozenset[str]) -> int:
        """Marks the statement as reached in `segment`; returns the one in which it ends."""
        self._mark(stmt, segment)
        match stmt:
            case Block(body=body):
                for child in body:
                    segment = self._walk(child, segment, turns)
                return segment
            case Barrier(scope="block" | "grid") | Collective(scope="block"):
                return self._fresh(turns)
            case For() | While() if _has_barrier(stmt):
                return self._loop(stmt, segment, turns)
            case If() if _has_barrier(stmt):
                raise Irregular
        for node in walk(stmt):
            if isinstance(node, Stmt):
                self._mark(node, segment)
        return segment

    def _mark(self, stmt: Stmt, segment: int) -> None:
        """A statement that stands at several places of the kernel is in one segment, or in none."""
        if isinstance(stmt, (Block, Barrier)):
            return  # these access nothing themselves, and some stand everywhere
        if self.segments.setdefault(id(stmt), segment) != segment:
            raise Irregular

    def _loop(self, loop: For | While, before: int, turns: frozenset[str]) -> int:
        left = any(isinstance(node, (Break, Continue)) for node in walk(loop.body))
        if left or (isinstance(loop, While) and any(isinstance(n, Load) for n in walk(loop.condition))):
            raise Irregular
        inner = turns | ({loop.var} if isinstance(loop, For) else set())
        head = self._fresh(inner)
        tail = self._walk(loop.body, head, inner)
        if isinstance(loop, While):
            tail = self._walk(loop.advance, tail, inner)
        after = self._fresh(turns)
        self.continues |= {(before, head), (tail, head), (tail, after), (before, after)}
        return after

    def _close(self) -> None:
        """What continues in what continues in a third continues in that."""
        following: dict[int, set[int]] = {}
        for one, other in self.continues:
            following.setdefault(one, set()).add(other)
        for start in list(following):
            open_ones, reached = list(following[start]), set(following[start])
            while open_ones:
                for segment in following.get(open_ones.pop(), set()) - reached:
                    reached.add(segment)
                    open_ones.append(segment)
            self.continues |= {(start, segment) for segment in reached}


def _has_barrier(stmt: Stmt) -> bool:
    return any(_is_barrier(node) for node in walk(stmt))


def _is_barrier(node: object) -> bool:
    match node:
        case Barrier(scope="block" | "grid") | Collective(scope="block"):
            return True
    return False
