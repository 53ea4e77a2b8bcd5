"""A tuner's side of a fleet: a `Measurer` whose device is elsewhere."""

from __future__ import annotations

import asyncio
import math
import statistics
import time
import uuid
from collections import deque
from collections.abc import Callable
from concurrent.futures import CancelledError
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Self

from distributed import Client, Future
from distributed import wait as first_of

from xpiler.errors import Refusal
from xpiler.gate.timing import Timing
from xpiler.platforms.registry import PLATFORMS
from xpiler.tuning.device import Device
from xpiler.tuning.fleet.certificates import Bundle
from xpiler.tuning.fleet.connection import Fleet, fleet_at, greet
from xpiler.tuning.fleet.messages import Told, answer_in, asked
from xpiler.tuning.fleet.scheduler import configure
from xpiler.tuning.fleet.work import measure
from xpiler.tuning.measure import Job, Unmeasured
from xpiler.tuning.peaks import Peaks

A_DEVICE = 2  # jobs under way a device: one that it measures, one that it has next
_TRIES = 3  # of a job on workers that cannot measure
_COMES_BACK = 120.0  # seconds that a scheduler may be away
_STRAGGLES = 4.0  # times the median of all jobs, after which another device is asked as well
_AT_LEAST = 20.0  # seconds before anything is said to straggle
_LOOKS = 0.5  # seconds between looks at the clock


class Elsewhere:
    """Measures on the devices of one kind that a fleet has; open while the `with` block lasts.

    Raises Refusal if the scheduler cannot be used, or has no such device. `name`: a device's kind, or a part
    of its name.
    """

    estimates = False

    def __init__(self, address: str, bundle: Bundle, target: str, name: str | None = None) -> None:
        configure()
        self._address, self._bundle = address, bundle
        self._durations: deque[float] = deque(maxlen=256)
        self._answered = False
        self._under_way: list[_Asking] = []
        greet(address, bundle)
        fleet = asyncio.run(fleet_at(address, bundle))
        self.device = chosen_device(fleet, target, name)
        devices = sum(seen.device == self.device for seen in fleet.workers)
        self.window = A_DEVICE * devices

    def __enter__(self) -> Self:
        self._client = self._connected()
        return self

    def __exit__(self, *_: object) -> None:
        self._leave()

    def begin(self, job: Job, until: float = math.inf) -> Callable[[], Timing]:
        """Has a job measured. The function that is returned waits for it until the monotonic time `until`,
        then raises TimeoutError; it raises Unmeasured for what no worker could measure."""
        asking = _Asking(asked(job), until)
        self._under_way.append(asking)
        self._submit(asking)

        def wait() -> Timing:
            return self._awaited(asking).timing

        return wait

    def peaks(self) -> Peaks:
        """The limits of the first device that is free."""
        asking = _Asking(asked(None), math.inf)
        self._under_way.append(asking)
        self._submit(asking)
        try:
            return Peaks.of_json(self._awaited(asking).peaks or {})
        except (Unmeasured, KeyError, TypeError, ValueError) as error:
            raise Refusal("peaks", f"{self.device.fingerprint} does not tell its limits: {error}") from error

    def _awaited(self, asking: _Asking) -> Told:
        try:
            return self._answer(asking)
        finally:
            self._under_way.remove(asking)

    def _answer(self, asking: _Asking) -> Told:
        failures: list[str] = []
        while True:
            data = self._data(asking)
            if isinstance(data, str):
                failures.append(data)
            else:
                answer = answer_in(data)
                if answer.mismatch:
                    remedy = "install the same version everywhere; see docs/fleet.md, Upgrade"
                    raise Refusal("fleet-version", answer.mismatch, remedy=remedy)
                if not answer.failed:
                    self._durations.append(time.monotonic() - asking.start)
                    self._answered = True
                    return answer
                failures.append(answer.failed)
            if len(failures) == _TRIES:
                raise Unmeasured(failures[-1])
            asking.futures.clear()
            asking.answer = None
            self._submit(asking)

    def _data(self, asking: _Asking) -> bytes | str:
        """The first answer to a job, or why there is none: it was lost with one worker after the other."""
        while True:
            self._check_time(asking)
            try:
                found = self._found(asking)
                if found is not None:
                    return found
                self._help(asking)
                with suppress(TimeoutError), self._client.as_current():
                    first_of(asking.futures, timeout=_LOOKS, return_when="FIRST_COMPLETED")
            except (OSError, CancelledError):
                self._again()

    def _found(self, asking: _Asking) -> bytes | str | None:
        """What is there of a job by now. Raises CancelledError if the scheduler went away with it."""
        if self._client.status not in ("running", "connecting"):
            raise CancelledError
        for future in asking.futures:
            if future.cancelled():
                raise CancelledError
            if future.status == "error":
                return str(future.exception())
        if asking.answer is None and any(future.done() for future in asking.futures):
            self._fetch()
        return asking.answer

    def _fetch(self) -> None:
        """Fetches all answers that there are, at once: they come from as many machines."""
        there = {
            asking: future
            for asking in self._under_way
            for future in asking.futures
            if asking.answer is None and future.status == "finished"
        }
        answers = self._client.gather(list(there.values()))
        for asking, answer in zip(there, answers, strict=True):
            asking.answer = answer
            asking.futures.clear()

    def _check_time(self, asking: _Asking) -> None:
        if time.monotonic() < asking.until:
            return
        if self._answered:
            raise TimeoutError
        fleet = self._ask()
        own = [seen for seen in fleet.workers if seen.device == self.device]
        if not own:
            raise _no_device(fleet, self.device.fingerprint)
        tasks = sum(seen.tasks for seen in own)
        raise Refusal(
            "fleet-full",
            f"none of the {len(own)} devices ({self.device.fingerprint}) became free in time; "
            f"{fleet.tuners} tuners have {tasks} tasks there",
            remedy="a longer --budget, or more workers",
        )

    # ------------------------------------------------------------------------------------------ submitting

    def _connected(self) -> Client:
        return Client(
            self._address, security=self._bundle.security(), set_as_default=False, timeout=20, name="xpiler"
        )

    def _leave(self) -> None:
        """Closes the client; a scheduler that is lost or busy is not waited for."""
        with suppress(OSError):
            self._client.close(timeout=2)

    def _submit(self, asking: _Asking, workers: list[str] | None = None) -> None:
        asking.futures.append(
            self._client.submit(
                measure,
                asking.data,
                key=f"measure-{uuid.uuid4().hex}",
                resources={self.device.fingerprint: 1},
                workers=workers,
                pure=False,
            )
        )

    def _again(self) -> None:
        """Hands in anew what a scheduler had that was lost, once it is there again."""
        gone = time.monotonic()
        while self._client.status != "running":
            self._leave()
            try:
                greet(self._address, self._bundle)
                self._client = self._connected()
            except (Refusal, OSError) as error:
                if time.monotonic() - gone > _COMES_BACK:
                    why = f"the scheduler at {self._address} is lost: {error}"
                    remedy = "what was measured is kept: start it again, then tune with --resume"
                    raise Refusal("fleet-lost", why, remedy=remedy) from error
                time.sleep(_LOOKS)
        for asking in self._under_way:
            if asking.answer is None and all(
                future.cancelled() or future.client is not self._client for future in asking.futures
            ):
                asking.futures.clear()
                self._submit(asking)

    def _help(self, asking: _Asking) -> None:
        """Asks a second device where the first takes far longer than usual."""
        if len(asking.futures) > 1 or time.monotonic() - asking.start < self._patience():
            return
        asking.start = time.monotonic()  # if there is none now, it is time to look again later
        fleet = self._ask(str(asking.futures[0].key))
        idle = [
            seen.address
            for seen in fleet.workers
            if seen.device == self.device and not seen.tasks and seen.address != fleet.holder
        ]
        if idle:
            self._submit(asking, idle)

    def _patience(self) -> float:
        usual = statistics.median(self._durations) if self._durations else math.inf
        return max(_AT_LEAST, _STRAGGLES * usual)

    def _ask(self, key: str = "") -> Fleet:
        fleet: Fleet = self._client.sync(fleet_at, self._address, self._bundle, key=key)
        return fleet


@dataclass(eq=False)
class _Asking:
    """A job that is under way, perhaps on two devices."""

    data: bytes
    until: float
    start: float = field(default_factory=time.monotonic)
    futures: list[Future[bytes]] = field(default_factory=list)
    answer: bytes | None = None


def fleet_now(address: str, bundle: Bundle) -> Fleet:
    """What there is in a fleet. Raises Refusal if its scheduler cannot be used."""
    configure()
    greet(address, bundle)
    return asyncio.run(fleet_at(address, bundle))


def chosen_device(fleet: Fleet, target: str, name: str | None) -> Device:
    """The kind of device that a search is about: one, because times of different ones do not compare."""
    able = {seen.device.fingerprint: seen.device for seen in fleet.workers if target in seen.device.runs}
    wanted = [d for d in able.values() if not name or d.is_called(name)]
    if not wanted:
        raise _no_device(fleet, f"{name} for {PLATFORMS[target].title}" if name else PLATFORMS[target].title)
    if len(wanted) > 1:
        raise Refusal(
            "device-ambiguous",
            f"several kinds of devices run {PLATFORMS[target].title}: {'; '.join(sorted(able))}",
            remedy="--device NAME chooses one by a part of its name",
        )
    return wanted[0]


def _no_device(fleet: Fleet, wanted: str) -> Refusal:
    there = "; ".join(sorted({seen.device.fingerprint for seen in fleet.workers})) or "no device at all"
    return Refusal(
        "no-device",
        f"the fleet has no device for {wanted}; it has {there}",
        remedy="start one there: xpiler worker --scheduler tls://... --device KIND",
    )
