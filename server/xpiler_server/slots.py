"""How much heavy work runs at once: so many slots, and who is asked to give one up.

What somebody waits for comes first. Work that nobody waits for stops, and goes on or begins again later, when
work of a better rank has no slot.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import IntEnum
from typing import TypeVar

Outcome = TypeVar("Outcome")


class Rank(IntEnum):
    """Whose work goes first: what somebody asked for, what is looked at in the background, a search."""

    ASKED = 0
    BACKGROUND = 1
    SEARCH = 2


@dataclass(eq=False)
class Slot:
    """Work that runs. `give_up` is called once, when work of a better rank waits."""

    rank: Rank
    give_up: Callable[[], None]
    asked: bool = False


@dataclass(order=True)
class _Waiter:
    rank: Rank
    number: int
    give_up: Callable[[], None] = field(compare=False)
    turn: asyncio.Future[Slot] = field(compare=False)


class Slots:
    """`limit` says how many there are; after it has changed, `look` is to be called."""

    def __init__(self, limit: Callable[[], int]) -> None:
        self._limit = limit
        self._held: list[Slot] = []
        self._waiting: list[_Waiter] = []
        self._numbers = itertools.count()

    async def take(self, rank: Rank, give_up: Callable[[], None] = lambda: None) -> Slot:
        """A slot, after those of better ranks and those who came earlier; to be handed back with `give`."""
        turn: asyncio.Future[Slot] = asyncio.get_running_loop().create_future()
        waiter = _Waiter(rank, next(self._numbers), give_up, turn)
        self._waiting.append(waiter)
        self.look()
        try:
            return await turn
        except asyncio.CancelledError:
            if waiter in self._waiting:
                self._waiting.remove(waiter)
            elif turn.done() and not turn.cancelled():
                self.give(turn.result())  # it was handed over while the wait was being cancelled
            raise

    def give(self, slot: Slot) -> None:
        """Hands a slot back."""
        self._held.remove(slot)
        self.look()

    async def run(self, rank: Rank, work: Callable[[], Awaitable[Outcome]]) -> Outcome:
        """The outcome of `work`. While work of a better rank wants its slot it is cancelled, and then begins
        again."""
        while True:
            wanted = asyncio.Event()
            slot = await self.take(rank, wanted.set)
            task = asyncio.ensure_future(work())
            asked = asyncio.create_task(wanted.wait())
            try:
                await asyncio.wait({task, asked}, return_when=asyncio.FIRST_COMPLETED)
                if task.done():
                    return await task
            finally:
                asked.cancel()
                if not task.done():
                    task.cancel()
                    await asyncio.wait({task})
                self.give(slot)

    def look(self) -> None:
        """Hands out what is free, and asks for what is not."""
        while self._waiting and len(self._held) < max(1, self._limit()):
            first = min(self._waiting)
            self._waiting.remove(first)
            if not first.turn.done():
                slot = Slot(first.rank, first.give_up)
                self._held.append(slot)
                first.turn.set_result(slot)
        asked = sum(slot.asked for slot in self._held)
        for waiter in sorted(self._waiting)[asked:]:
            last = max((s for s in self._held if not s.asked), key=lambda s: s.rank, default=None)
            if last is None or last.rank <= waiter.rank:
                return
            last.asked = True
            last.give_up()
