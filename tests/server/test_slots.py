"""Who works first where few may work at once."""

from __future__ import annotations

import asyncio

import pytest
from xpiler_server.slots import Rank, Slots

pytestmark = pytest.mark.asyncio


class Desk:
    """Work that ends when it is told to, and what happened to it."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.slots = Slots(lambda: self.limit)
        self.told: list[str] = []
        self.done: dict[str, asyncio.Event] = {}

    def start(self, name: str, rank: Rank) -> asyncio.Task[str]:
        self.done[name] = asyncio.Event()

        async def work() -> str:
            self.told.append(f"{name} begins")
            try:
                await self.done[name].wait()
            except asyncio.CancelledError:
                self.told.append(f"{name} gives up")
                raise
            return name

        return asyncio.create_task(self.slots.run(rank, work))

    async def rest(self) -> list[str]:
        """What has happened since the last look."""
        for _ in range(20):
            await asyncio.sleep(0)
        told, self.told = self.told, []
        return told


async def test_no_more_run_than_there_are_slots_in_the_order_in_which_they_came() -> None:
    desk = Desk(2)
    tasks = [desk.start(name, Rank.ASKED) for name in "abc"]
    assert await desk.rest() == ["a begins", "b begins"]
    desk.done["b"].set()
    assert await desk.rest() == ["c begins"]
    desk.done["a"].set()
    desk.done["c"].set()
    assert await asyncio.gather(*tasks) == ["a", "b", "c"]


async def test_what_is_asked_for_takes_the_slot_of_what_nobody_waits_for() -> None:
    desk = Desk(1)
    check = desk.start("check", Rank.BACKGROUND)
    assert await desk.rest() == ["check begins"]
    asked = desk.start("asked", Rank.ASKED)
    assert await desk.rest() == ["check gives up", "asked begins"]
    desk.done["asked"].set()
    assert await desk.rest() == ["check begins"]
    desk.done["check"].set()
    assert [await asked, await check] == ["asked", "check"]


async def test_equals_do_not_take_from_each_other_and_one_who_waits_takes_one_slot() -> None:
    desk = Desk(2)
    for name in ("one", "two"):
        desk.start(name, Rank.BACKGROUND)
    desk.start("three", Rank.BACKGROUND)
    assert await desk.rest() == ["one begins", "two begins"]
    desk.start("asked", Rank.ASKED)
    told = await desk.rest()
    assert told[-1] == "asked begins" and len([line for line in told if line.endswith("gives up")]) == 1


async def test_one_who_no_longer_waits_leaves_no_slot_taken() -> None:
    desk = Desk(1)
    first, second = desk.start("first", Rank.ASKED), desk.start("second", Rank.ASKED)
    await desk.rest()
    second.cancel()
    first.cancel()
    await desk.rest()
    desk.start("third", Rank.SEARCH)
    assert await desk.rest() == ["third begins"]


async def test_a_greater_limit_counts_at_once() -> None:
    desk = Desk(1)
    for name in "ab":
        desk.start(name, Rank.ASKED)
    assert await desk.rest() == ["a begins"]
    desk.limit = 2
    desk.slots.look()
    assert await desk.rest() == ["b begins"]
