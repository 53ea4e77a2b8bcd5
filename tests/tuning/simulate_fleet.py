"""A fleet of very many devices, to see what its scheduler costs.

    python -m tests.tuning.simulate_fleet [--devices 1000] [--trials 100000] [--seconds 5]

The scheduler is the real one in a process of its own, and so are the tuner, the connections with TLS, and the
workers, of which several hundred share a process. Only what they measure takes no time. Printed are the
scheduler's processor time a trial and its memory; then, from the former, how long devices would wait for the
scheduler if a trial took them SECONDS on average: a queue with one server, played through trial by trial.
"""

from __future__ import annotations

import argparse
import asyncio
import heapq
import os
import random
import resource
import tempfile
import time
from collections import deque
from pathlib import Path

import psutil

from tests.tuning.fleet_worker import _started, ended, free_port, start_scheduler
from tests.tuning.stand_in import STAND_IN
from xpiler.gate.timing import Program, Timing
from xpiler.tuning.fleet import work
from xpiler.tuning.fleet.certificates import Bundle, issue
from xpiler.tuning.fleet.client import A_DEVICE, Elsewhere, fleet_now
from xpiler.tuning.fleet.scheduler import configure
from xpiler.tuning.fleet.worker import FleetWorker
from xpiler.tuning.measure import Job

_A_PROCESS = 500  # workers
_TEXT = "x" * 20_000  # characters of a program: as many as a large kernel has


def many_workers(address: str, bundle: Path, number: int) -> None:
    """So many workers in this process; a trial takes them no time."""
    _many_files()
    configure()
    work.serve(lambda job: Timing((1e-6,) * 3))

    async def serve() -> None:
        own = Bundle.read(bundle)
        with tempfile.TemporaryDirectory() as folder:
            workers = [FleetWorker(address, own, STAND_IN, folder) for _ in range(number)]
            for some in range(0, number, 20):
                await asyncio.gather(*workers[some : some + 20])
            await asyncio.gather(*(worker.finished() for worker in workers))

    asyncio.run(serve())


def _many_files() -> None:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


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
    parser.add_argument("--seconds", type=float, default=5.0, help="that a trial takes a device, on average")
    arguments = parser.parse_args()
    _many_files()
    with tempfile.TemporaryDirectory() as name:
        folder, port = Path(name), free_port()
        for role in ("scheduler", "worker", "client"):
            issue(role, role, folder / f"{role}.pem", folder)
        address, client = f"tls://127.0.0.1:{port}", Bundle.read(folder / "client.pem")
        scheduler = start_scheduler(folder, port)
        time.sleep(5)
        shares = [_A_PROCESS] * (arguments.devices // _A_PROCESS)
        shares += [arguments.devices % _A_PROCESS] if arguments.devices % _A_PROCESS else []
        workers = [_started(many_workers, address, folder / "worker.pem", share) for share in shares]
        with ended(scheduler, *workers):
            start = time.monotonic()
            while (there := len(fleet_now(address, client).workers)) < arguments.devices:
                print(f"{there} devices after {time.monotonic() - start:.0f} s", flush=True)
                time.sleep(5)
            seen = psutil.Process(scheduler.pid)
            with Elsewhere(address, client, "vnni") as fleet:
                cost, memory = _measured(fleet, seen, arguments.trials)
    waiting = waiting_share(arguments.devices, arguments.trials, arguments.seconds, cost)
    print(
        f"{arguments.devices} devices, {arguments.trials} trials: the scheduler takes "
        f"{cost * 1e3:.2f} ms of processor time a trial; its memory in MB as the trials go: {memory}; "
        f"with trials of {arguments.seconds:g} s devices wait {100 * waiting:.1f} % of their time for it"
    )


def _measured(fleet: Elsewhere, scheduler: psutil.Process, trials: int) -> tuple[float, list[int]]:
    """Processor seconds of the scheduler a trial, and its memory at ten moments."""
    under_way: deque[object] = deque()
    memory = []
    start = time.monotonic()
    before = sum(scheduler.cpu_times()[:2])
    for number in range(trials):
        if len(under_way) == fleet.window:
            under_way.popleft()()  # type: ignore[operator]
        under_way.append(fleet.begin(Job(Program(f"{_TEXT}{number}", "kernel.cpp", ()))))
        if number % max(1, trials // 10) == 0:
            memory.append(scheduler.memory_info().rss >> 20)
            spent = sum(scheduler.cpu_times()[:2]) - before
            print(f"{number} trials, {time.monotonic() - start:.0f} s, scheduler {spent:.1f} s", flush=True)
    while under_way:
        under_way.popleft()()  # type: ignore[operator]
    memory.append(scheduler.memory_info().rss >> 20)
    return (sum(scheduler.cpu_times()[:2]) - before) / trials, memory


if __name__ == "__main__":
    os.environ.setdefault("XPILER_CACHE", tempfile.gettempdir())
    main()
