"""A fleet of very many devices, to see what its scheduler costs.

    python -m tests.tuning.simulate_fleet [--devices 1000] [--trials 100000] [--connected 50]

Three steps, because a thousand devices do not fit one machine:

1. *Connected*: scheduler, tuner and some workers for real, over TLS; only what is measured takes no time.
   Told is the scheduler's processor time a trial.
2. *Crowded*: the scheduler with all devices and all trials, in this process and without connections: it is
   handed the messages of workers and of a tuner. Told are processor time a trial, with what hands it the
   messages, and memory; and the former with as few devices as in the first step.
3. *Waiting*: what of their time devices wait for a scheduler that takes as long as both say together: a
   queue with one server, played through trial by trial, for trials that take a device 2, 5 and 10 s.
"""

from __future__ import annotations

import argparse
import asyncio
import heapq
import os
import random
import tempfile
import time
from collections import deque
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import psutil
from dask._expr import LLGExpr
from dask._task_spec import Task
from distributed.comm.core import CommClosedError
from distributed.protocol import pickle
from distributed.protocol.serialize import Serialize, Serialized, serialize

from tests.tuning.fleet_worker import ended, free_port, kill, start_scheduler, start_workers
from tests.tuning.stand_in import STAND_IN
from xpiler.gate.timing import Program, Timing
from xpiler.tuning.fleet.certificates import Bundle, issue
from xpiler.tuning.fleet.client import A_DEVICE, Elsewhere, fleet_now
from xpiler.tuning.fleet.messages import PROTOCOL, asked
from xpiler.tuning.fleet.scheduler import FleetScheduler
from xpiler.tuning.fleet.work import measure
from xpiler.tuning.measure import Job

_TEXT = "x" * 20_000  # characters of a program: as many as a large kernel has


# ---------------------------------------------------------------------------------------------- connected


def connected(folder: Path, devices: int, trials: int) -> float:
    """Processor seconds of a real scheduler a trial."""
    port = free_port()
    address, bundle = f"tls://127.0.0.1:{port}", Bundle.read(folder / "client.pem")
    scheduler = start_scheduler(folder, port)
    time.sleep(5)
    workers = start_workers(address, folder / "worker.pem", devices)
    with ended(scheduler, workers):
        while len(fleet_now(address, bundle).workers) < devices:
            time.sleep(2)
        process = psutil.Process(scheduler.pid)
        with Elsewhere(address, bundle, "vnni") as fleet:
            _through(fleet, 4 * devices)  # the first connections are dear
            before = sum(process.cpu_times()[:2])
            _through(fleet, trials)
            spent = sum(process.cpu_times()[:2]) - before
    kill(workers)
    return spent / trials


def _through(fleet: Elsewhere, trials: int) -> None:
    under_way: deque[Callable[[], Timing]] = deque()
    for number in range(trials):
        if len(under_way) == fleet.window:
            under_way.popleft()()
        under_way.append(fleet.begin(_job(number)))
    while under_way:
        under_way.popleft()()


def _job(number: int) -> Job:
    return Job(Program(f"{_TEXT}{number}", "kernel.cpp", ()))


# ---------------------------------------------------------------------------------------------- crowded


class Line:
    """A connection to the scheduler with nobody at the other end: `said` is what the scheduler hears, `heard`
    is called with what it says."""

    name = ""
    local_address = peer_address = "tls://127.0.0.1:1"
    _peer_addr = _local_addr = peer_address

    def __init__(self, role: str, heard: Callable[[dict[str, Any]], None]) -> None:
        self.extra_info = {"peercert": {"subject": ((("organizationalUnitName", role),),)}}
        self.said: asyncio.Queue[list[dict[str, Any]]] = asyncio.Queue()
        self._heard = heard
        self._closed = False

    async def read(self, **_: Any) -> list[dict[str, Any]]:
        messages = await self.said.get()
        if not messages:
            raise CommClosedError
        return messages

    async def write(self, messages: Any, **_: Any) -> int:
        for message in messages if isinstance(messages, (list, tuple)) else [messages]:
            self._heard(message)
        return 0

    def closed(self) -> bool:
        return self._closed

    def abort(self) -> None:
        self._closed = True

    async def close(self) -> None:
        self._closed = True


def crowded(folder: Path, devices: int, trials: int) -> tuple[float, list[int]]:
    """Processor seconds of the scheduler a trial, and this process's memory in MB at eleven moments."""
    return asyncio.run(_Crowd(devices, trials).run(Bundle.read(folder / "scheduler.pem")))


class _Crowd:
    def __init__(self, devices: int, trials: int) -> None:
        self.devices, self.trials = devices, trials
        self.begun = self.done = 0
        self.over = asyncio.Event()
        self.memory: list[int] = []
        self.heard: list[asyncio.Future[None]] = []
        self.tuner = Line("client", self._to_tuner)

    async def run(self, bundle: Bundle) -> tuple[float, list[int]]:
        async with FleetScheduler(bundle, "127.0.0.1", 0) as self.scheduler:
            self.scheduler.worker_ttl = None
            lines = [self._add(number) for number in range(self.devices)]
            self._hear(self.scheduler.add_client(self.tuner, "tuner", {}))  # type: ignore[arg-type]
            while len(self.scheduler.workers) < self.devices or "tuner" not in self.scheduler.clients:
                await asyncio.sleep(0.1)
            before = time.process_time()
            for _ in range(A_DEVICE * self.devices):
                self._begin()
            over = asyncio.ensure_future(self.over.wait())
            await asyncio.wait([over, *self.heard], return_when=asyncio.FIRST_COMPLETED)
            assert over.done(), "the scheduler hung up"
            spent = time.process_time() - before
            for line in (*lines, self.tuner):
                line.said.put_nowait([])
            await asyncio.sleep(1)
        return spent / self.trials, self.memory

    def _add(self, number: int) -> Line:
        address = f"tls://10.{number >> 16}.{number >> 8 & 255}.{number & 255}:1"
        device = {"kind": STAND_IN.kind, "name": STAND_IN.name, "runs": STAND_IN.runs}
        line = Line("worker", lambda message: self._to_worker(line, message))
        about: dict[str, Any] = {
            "address": address,
            "status": "running",
            "server_id": f"worker-{number}",
            "nthreads": 1,
            "name": address,
            "resolve_address": False,
            "now": time.time(),
            "resources": {STAND_IN.fingerprint: 1},
            "memory_limit": 0,
            "metrics": {
                "bandwidth": {"total": 1e8, "workers": {}, "types": {}},
                "digests_total_since_heartbeat": {},
                "memory": 0,
                "spilled_bytes": {"memory": 0, "disk": 0},
            },
            "services": {},
            "local_directory": "",
            "versions": {},
            "nanny": "",
            "extra": {"xpiler": {"version": "0.1.0", "protocol": PROTOCOL, "host": "h", "device": device}},
            "stimulus_id": f"worker-{number}",
        }
        self._hear(self.scheduler.add_worker(line, **about))  # type: ignore[arg-type]
        return line

    def _hear(self, line: Coroutine[Any, Any, None]) -> None:
        self.heard.append(asyncio.ensure_future(line))

    def _begin(self) -> None:
        if self.begun == self.trials:
            return
        key = f"measure-{self.begun}"
        self.begun += 1
        task = Task(key, measure, asked(_job(self.begun)))
        graph = LLGExpr({key: task})
        self.tuner.said.put_nowait(
            [
                {
                    "op": "update-graph",
                    "expr_ser": Serialized(*serialize(Serialize(graph), on_error="raise")),
                    "keys": {key},
                    "internal_priority": {key: 0},
                    "submitting_task": None,
                    "fifo_timeout": 0.1,
                    "actors": False,
                    "code": (),
                    "annotations": {"resources": {STAND_IN.fingerprint: 1}},
                    "span_metadata": {"collections": []},
                }
            ]
        )

    def _to_worker(self, line: Line, message: dict[str, Any]) -> None:
        if message.get("op") != "compute-task":
            return
        line.said.put_nowait(
            [
                {
                    "op": "task-finished",
                    "status": "OK",
                    "key": message["key"],
                    "run_id": message["run_id"],
                    "nbytes": 100,
                    "type": pickle.dumps(bytes),
                    "typename": "bytes",
                    "metadata": {},
                    "thread": 1,
                    "startstops": ({"action": "compute", "start": 0.0, "stop": 1.0},),
                    "stimulus_id": f"finished-{message['key']}",
                }
            ]
        )

    def _to_tuner(self, message: dict[str, Any]) -> None:
        if message.get("op") != "key-in-memory":
            return
        key = message["key"]
        self.tuner.said.put_nowait([{"op": "client-releases-keys", "keys": [key]}])
        self._begin()
        if self.done % max(1, self.trials // 10) == 0:
            self.memory.append(psutil.Process().memory_info().rss >> 20)
            print(f"  {self.done} trials", flush=True)
        self.done += 1
        if self.done == self.trials:
            self.over.set()


# ---------------------------------------------------------------------------------------------- waiting


def waiting_share(devices: int, trials: int, seconds: float, cost: float) -> float:
    """The share of their time that devices wait, if a trial takes `seconds` on average (exponentially spread)
    and keeps the scheduler busy for `cost` seconds. A device has its next trial at hand while it measures."""
    draw = random.Random(0)
    free = 0.0  # when the scheduler is
    waited = busy = 0.0
    at_hand = [deque([0.0] * A_DEVICE) for _ in range(devices)]  # since when a device has its next trials
    ends: list[tuple[float, int]] = []

    def begin(now: float, device: int) -> None:
        nonlocal waited, busy
        start = max(now, at_hand[device].popleft())
        took = draw.expovariate(1 / seconds)
        waited, busy = waited + start - now, busy + took
        heapq.heappush(ends, (start + took, device))

    for device in range(devices):
        begin(0.0, device)
    for _ in range(trials):
        now, device = heapq.heappop(ends)
        free = max(free, now) + cost  # the scheduler hears of the end, and hands out another
        at_hand[device].append(free)
        begin(now, device)
    return waited / (waited + busy)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--devices", type=int, default=1000)
    parser.add_argument("--trials", type=int, default=100_000)
    parser.add_argument("--connected", type=int, default=50, help="devices of the first step")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for role in ("scheduler", "worker", "client"):
            issue(role, role, folder / f"{role}.pem", folder)
        real = connected(folder, arguments.connected, 40 * arguments.connected)
        print(f"connected: {arguments.connected} devices, {real * 1e3:.2f} ms a trial", flush=True)
        few, _ = crowded(folder, arguments.connected, 5000)
        print(f"crowded: {arguments.connected} devices, {few * 1e3:.2f} ms a trial", flush=True)
        many, memory = crowded(folder, arguments.devices, arguments.trials)
    print(
        f"crowded: {arguments.devices} devices, {arguments.trials} trials, {many * 1e3:.2f} ms a trial; "
        f"memory in MB as they go: {memory}"
    )
    cost = real + max(0.0, many - few)
    for seconds in (2.0, 5.0, 10.0):
        waiting = waiting_share(arguments.devices, arguments.trials, seconds, cost)
        print(
            f"waiting: {100 * waiting:.2f} % of their time, at {cost * 1e3:.2f} ms and {seconds:g} s a trial"
        )


if __name__ == "__main__":
    os.environ.setdefault("XPILER_CACHE", tempfile.gettempdir())
    main()
