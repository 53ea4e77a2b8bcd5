"""The least or greatest of symbols: known by the set that it is taken of.

    max(max(a, b), a)  and  max(b, a)      -->  one symbol, that of {a, b}

Nobody knows which of two symbols is the larger. But extrema do not depend on the order of what they are
taken of, nor on how often it occurs; equal sets give equal symbols, others all but surely different ones. So
what agrees does so however the data are ordered.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from xpiler.ir.interpret_native import Value

_WORD = 2**64 - 1


class Extrema:
    """`max` or `min`. `nothing`: symbols that do not count, `all`: those beside which nothing counts.
    `number`: of a symbol that is known to be one. `symbol`: made of 64 random bits."""

    def __init__(
        self,
        op: str,
        symbol: Callable[[int], int],
        nothing: frozenset[int] = frozenset(),
        all: frozenset[int] = frozenset(),
        number: Callable[[int], int | None] | None = None,
    ) -> None:
        self.pick = max if op == "max" else min
        self.seed = sum(op.encode())
        self.symbol, self.nothing, self.all, self.number = symbol, nothing, all, number
        self.sets: dict[int, tuple[frozenset[int], int]] = {}  # members, sum of their bits
        self.pairs: dict[tuple[int, int], int] = {}

    def __call__(self, x: Value, y: Value) -> Value:
        first, second = np.broadcast_arrays(x, y)
        pairs = zip(first.reshape(-1).tolist(), second.reshape(-1).tolist(), strict=True)
        found: Any = np.array([self._of(pair) for pair in pairs], np.int64)
        return found.reshape(first.shape)[()]

    def _of(self, pair: tuple[int, int]) -> int:
        found = self.pairs.get(pair)
        if found is None:
            found = self.pairs[pair] = self._joined(*pair)
        return found

    def _joined(self, x: int, y: int) -> int:
        for one, other in ((x, y), (y, x)):
            if one in self.nothing or other in self.all or one == other:
                return other
        (mine, total), (yours, _) = self._set(x), self._set(y)
        members = self._with_one_number(mine | yours)
        for whole, symbol in ((mine, x), (yours, y)):
            if members == whole:
                return symbol
        if len(members) == 1:
            return next(iter(members))
        total += sum(map(self._bits, members - mine)) - sum(map(self._bits, mine - members))
        result = self.symbol(_mixed(total))
        self.sets[result] = members, total
        return result

    def _set(self, symbol: int) -> tuple[frozenset[int], int]:
        found = self.sets.get(symbol)
        return found if found is not None else (frozenset((symbol,)), self._bits(symbol))

    def _bits(self, member: int) -> int:
        return _mixed(member ^ self.seed)

    def _with_one_number(self, members: frozenset[int]) -> frozenset[int]:
        if self.number is None:
            return members
        numbers = {n: m for m in members if (n := self.number(m)) is not None}
        if len(numbers) < 2:
            return members
        return members - (set(numbers.values()) - {numbers[self.pick(numbers)]})


def _mixed(bits: int) -> int:
    bits = ((bits & _WORD) * 0x9E3779B97F4A7C15) & _WORD
    bits = ((bits ^ bits >> 29) * 0xBF58476D1CE4E5B9) & _WORD
    return bits ^ bits >> 32
