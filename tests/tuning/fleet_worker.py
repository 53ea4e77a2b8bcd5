"""Processes for tests: schedulers and workers as `xpiler scheduler` and `xpiler worker` run them, and tuners,
all with the stand-in for time."""

import asyncio
import multiprocessing
import os
import signal
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing.process import BaseProcess
from pathlib import Path

from tests.tuning.stand_in import STAND_IN, StandIn, cost, searched
from xpiler.errors import Refusal
from xpiler.gate.timing import Timing
from xpiler.tuning.fleet import work
from xpiler.tuning.fleet.certificates import Bundle
from xpiler.tuning.fleet.scheduler import configure, run_scheduler
from xpiler.tuning.fleet.worker import FleetWorker, run_worker
from xpiler.tuning.measure import Job

SLOW = 2.0  # seconds that a text takes that begins with this word

# The modules are read once, in a process that the others are forked from.
_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload([__name__])


def start_scheduler(certificates: Path, port: int) -> BaseProcess:
    return _started(_scheduler, certificates / "scheduler.pem", port)


def start_worker(address: str, bundle: Path, seconds: float) -> BaseProcess:
    """A worker that takes `seconds` for each job."""
    return _started(_worker, address, bundle, seconds)


def start_workers(address: str, bundle: Path, number: int) -> BaseProcess:
    """So many workers in one process; a job takes them no time."""
    return _started(_workers, address, bundle, number)


def start_tuner(record: Path, asked: Path) -> BaseProcess:
    """A search that takes its time; what it measured stands in the file `asked`."""
    return _started(_tuner, record, asked)


def _started(target: object, *arguments: object) -> BaseProcess:
    process = _CONTEXT.Process(target=target, args=arguments, daemon=True)  # type: ignore[arg-type]
    process.start()
    return process


def _scheduler(bundle: Path, port: int) -> None:
    asyncio.run(run_scheduler(Bundle.read(bundle), "127.0.0.1", port))


def _workers(address: str, bundle: Path, number: int) -> None:
    configure()
    work.serve(lambda job: Timing((cost(job.program),) * 3))

    async def serve() -> None:
        own = Bundle.read(bundle)
        with tempfile.TemporaryDirectory() as folder:
            workers = [FleetWorker(address, own, STAND_IN, folder) for _ in range(number)]
            for worker in workers:
                await worker
            await asyncio.gather(*(worker.finished() for worker in workers))

    asyncio.run(serve())


def _tuner(record: Path, asked: Path) -> None:
    searched(StandIn(asked, 0.05), record, 40)


def _worker(address: str, bundle: Path, seconds: float) -> None:
    def measure(job: Job) -> Timing:
        time.sleep(SLOW if job.program.text.startswith("slow") else seconds)
        if job.program.text.startswith("full disk"):
            raise OSError("no space left on device")
        return Timing((cost(job.program),) * 3)

    while True:  # as a service manager would start it again
        with suppress(Refusal):
            asyncio.run(run_worker(address, Bundle.read(bundle), STAND_IN, measure=measure))
        time.sleep(0.2)


def kill(process: BaseProcess) -> None:
    if process.pid is not None and process.is_alive():
        os.kill(process.pid, signal.SIGKILL)
    process.join()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def ended(*processes: BaseProcess) -> Iterator[None]:
    """None of the processes outlives the block."""
    try:
        yield
    finally:
        for process in processes:
            kill(process)
