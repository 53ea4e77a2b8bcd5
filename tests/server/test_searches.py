"""A search rests while it is held or its slot is wanted, and goes on where it was."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from xpiler_server import searches
from xpiler_server.engine.asking import Ask
from xpiler_server.engine.tuning import _Pace
from xpiler_server.engine.worker import Crashed
from xpiler_server.job import Job
from xpiler_server.jobs import JobFailed, Jobs
from xpiler_server.slots import Rank, Slots
from xpiler_server.store import Store

RESULT = {"status": "verified", "text": "fast"}


class FakeWorker:
    """A worker that does what a test says; it rests at once when it is asked to."""

    last: FakeWorker

    def __init__(self) -> None:
        FakeWorker.last = self
        self.asked: list[dict[str, Any]] = []
        self.calls: list[str] = []
        self.outcome: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    async def ask(self, work: str, given: dict[str, Any], progress: Any, told: Any) -> Any:
        self.asked.append(given)
        self.progress, self.told = progress, told
        return await self.outcome

    async def pause(self, paused: bool) -> None:
        self.calls.append("pause" if paused else "resume")
        self.told({"resting": paused})

    async def kill(self) -> None:
        self.calls.append("kill")

    def trial(self, number: int, spent: float, **more: Any) -> None:
        trial = {"number": number, "knobs": {"u": number}, "seconds": 1.0, "why": ""}
        self.told(
            {
                "trial": {**trial, "known": False, "best": False},
                "spent": spent,
                "size": 9,
                "limit": None,
                "device": "cpu",
                "estimated": False,
            }
            | more
        )


class Bench:
    """A table of jobs with one slot, and the states that its search went through."""

    def __init__(self, folder: Path) -> None:
        self.states: list[str] = []
        self.slots = Slots(lambda: 1)
        self.jobs = Jobs(self.slots, self.seen)
        self.store = Store(str(folder))
        self.left = self.jobs.remember(self.store)

    def seen(self, job: Job) -> None:
        if self.states[-1:] != [job.state]:
            self.states.append(job.state)

    def start(self, job: Job | None = None) -> Job:
        given = {"text": "", "file": "k.cu", "to": "vnni", "arguments": {}, "seconds": 100.0, "trials": 0}
        return self.jobs.start(
            job or Job("tune", "Tune k.cu", "file:///k.cu", "vnni", given, {}, Rank.SEARCH)
        )


async def settled(condition: Callable[[], bool] = lambda: False) -> None:
    for _ in range(50):
        if condition():
            return
        await asyncio.sleep(0)


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.setattr(searches, "Worker", FakeWorker)
    return Bench(tmp_path)


@pytest.mark.asyncio
async def test_it_rests_when_it_is_held_and_goes_on_in_the_same_process(bench: Bench) -> None:
    job = bench.start()
    await settled()
    worker = FakeWorker.last
    worker.trial(1, 2.0, result=RESULT)
    assert bench.jobs.hold(job, True)
    await settled()
    assert (job.state, worker.calls, job.result, job.spent) == ("paused", ["pause"], RESULT, 2.0)
    assert bench.jobs.hold(job, False) and not bench.jobs.hold(job, False)
    await settled()
    worker.outcome.set_result(RESULT)
    assert job.task is not None and await job.task == RESULT
    assert bench.states == ["queued", "running", "paused", "queued", "running", "done"]
    assert worker.calls == ["pause", "resume", "kill"]


@pytest.mark.asyncio
async def test_it_makes_room_for_what_somebody_waits_for(bench: Bench) -> None:
    job = bench.start()
    await settled()
    slot = await bench.slots.take(Rank.ASKED)
    await settled()
    assert (job.state, FakeWorker.last.calls) == ("queued", ["pause"])
    bench.slots.give(slot)
    await settled()
    assert (job.state, FakeWorker.last.calls) == ("running", ["pause", "resume"])
    await bench.jobs.cancel(job)
    assert (job.state, FakeWorker.last.calls[-1]) == ("cancelled", "kill")
    assert (await bench.slots.take(Rank.SEARCH)).rank is Rank.SEARCH


@pytest.mark.asyncio
async def test_the_next_server_goes_on_with_the_time_that_is_left(bench: Bench, tmp_path: Path) -> None:
    job = bench.start()
    await settled()
    for number in (1, 2):
        FakeWorker.last.trial(number, 20.0 * number)
    await bench.jobs.stop(ending=True)
    assert FakeWorker.last.calls == ["kill"]
    next_one = Bench(tmp_path)
    (left,) = next_one.left
    assert (left.id, left.spent, len(left.told)) == (job.id, 40.0, 2)
    next_one.start(left)
    await settled()
    assert FakeWorker.last.asked[0]["seconds"] == 60.0
    FakeWorker.last.trial(1, 1.0)
    FakeWorker.last.trial(3, 5.0)
    assert [trial["number"] for trial in left.told] == [1, 2, 3]
    assert left.spent == 45.0
    await next_one.jobs.stop()
    assert left.state == "cancelled"


@pytest.mark.asyncio
async def test_a_process_that_dies_is_told_with_what_was_found_so_far(bench: Bench) -> None:
    job = bench.start()
    await settled()
    FakeWorker.last.trial(1, 1.0, result=RESULT)
    FakeWorker.last.outcome.set_exception(Crashed("the engine's process was killed by SIGKILL"))
    assert job.task is not None
    with pytest.raises(JobFailed, match="SIGKILL"):
        await job.task
    assert (job.state, job.result) == ("failed", RESULT)


def test_time_at_rest_is_not_counted() -> None:
    told: list[dict[str, Any]] = []
    looks = iter([True, True, True, False])
    ask = Ask({}, paused=lambda: next(looks, False), tell=told.append)
    pace = _Pace(ask, 0.1)
    assert not pace.is_over()
    assert [event["resting"] for event in told] == [True, False]
    assert pace.spent < 0.05
