"""The scheduler of a fleet: Dask's, with nothing open that a fleet does not need.

It speaks TLS only, has no web pages, reads no foreign pickles, and takes workers and tuners only with the
certificate of their role and of its own version.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Mapping
from itertools import islice
from typing import Any

import dask
from distributed import Scheduler
from distributed.comm.core import Comm
from distributed.scheduler import TaskState, WorkerState
from distributed.stealing import WorkStealing

import xpiler
from xpiler.errors import Refusal
from xpiler.tuning.fleet import pickles, transport
from xpiler.tuning.fleet.certificates import Bundle, role_of
from xpiler.tuning.fleet.messages import PROTOCOL, mismatch_with, own_version

LOST_TOGETHER = 10  # workers that may be lost with one and the same task, before it is given up
SILENCE = 30.0  # seconds after which a worker that says nothing is taken for lost
_LOOKED_AT = 16  # devices for a task

# What tuners and workers ask for, of all that Dask's scheduler could do for them.
_ASKED = (
    *("identity", "echo", "connection_stream", "register-client", "register-worker", "heartbeat_worker"),
    *("unregister", "gather", "who_has"),
)

_log = logging.getLogger("xpiler.fleet")


class FleetScheduler(Scheduler):
    """`host` and `port` say where it listens; port 0 means any."""

    def __init__(self, bundle: Bundle, host: str, port: int) -> None:
        configure()
        super().__init__(
            host=host,
            port=port,
            protocol="tls",
            security=bundle.security(),
            dashboard=False,
            extensions={"stealing": WorkStealing},
            allowed_failures=LOST_TOGETHER,
            worker_ttl=SILENCE,
        )
        self._listed: dict[str, list[str]] = {}
        self.handlers = {
            name: self.handlers[name] for name in self.handlers if name in _ASKED or "steal" in name
        }
        self.handlers["xpiler-fleet"] = self.fleet

    def start_http_server(self, *arguments: Any, **more: Any) -> None:
        """None: it would be open to everybody."""

    async def add_worker(self, comm: Comm, **about: Any) -> None:
        known = about.get("extra", {}).get("xpiler", {})
        wrong = _wrong_role(comm, "worker")
        differs = mismatch_with(known.get("version"), known.get("protocol"))
        if not wrong and differs:
            wrong = f"the worker has {differs}, the scheduler {own_version()}"
        if wrong:
            _log.warning("refused a worker at %s: %s", comm.peer_address, wrong)
            await comm.write({"status": "error", "message": wrong, "time": 0.0})
            return
        _log.info("a device more: %s at %s", known["device"]["name"], about["address"])
        await super().add_worker(comm, **about)

    async def add_client(self, comm: Comm, client: str, versions: dict[str, Any]) -> None:
        if wrong := _wrong_role(comm, "client"):
            _log.warning("refused a tuner at %s: %s", comm.peer_address, wrong)
            comm.abort()
            return
        await super().add_client(comm, client, versions)

    def decide_worker_non_rootish(self, ts: TaskState) -> WorkerState | None:
        """The least busy of some devices that can do a task, among them one that has nothing to do, if there
        is one. Dask looks at all devices, for every task: at a thousand of them that takes milliseconds. (Of
        a few, drawn at random, the best is nearly as good as that of all: Mitzenmacher's two choices.)"""
        kinds = list(ts.resource_restrictions or ())
        if ts.worker_restrictions or ts.host_restrictions or len(kinds) != 1:
            return super().decide_worker_non_rootish(ts)
        kind = kinds[0]
        able = self.resources.get(kind, {})
        some = [address for address in islice(self.idle, _LOOKED_AT) if address in able]
        if len(some) < _LOOKED_AT:
            some += random.choices(self._of_kind(kind, able), k=_LOOKED_AT) if able else []
        workers = [self.workers[address] for address in some if address in self.workers]
        running = [worker for worker in workers if worker in self.running]
        if not running:
            return super().decide_worker_non_rootish(ts)
        return min(running, key=lambda worker: len(worker.processing))

    def _of_kind(self, kind: str, able: Mapping[str, float]) -> list[str]:
        """The devices of a kind, as a list to draw from, made anew when their number changes."""
        known = self._listed.get(kind, [])
        if len(known) != len(able):
            self._listed[kind] = known = list(able)
        return known

    def fleet(self, comm: Comm, key: str = "") -> dict[str, Any]:
        """The version, who asks, every worker with its device and how many tasks it has, and which one has
        the task `key`."""
        workers = [
            {"address": address, "tasks": len(worker.processing), **worker.extra["xpiler"]}
            for address, worker in self.workers.items()
        ]
        task = self.tasks.get(key)
        holder = task.processing_on.address if task is not None and task.processing_on else ""
        return {
            "version": xpiler.__version__,
            "protocol": PROTOCOL,
            "role": role_of(comm.extra_info.get("peercert")),
            "tuners": len(self.clients) - 1,  # Dask counts one for the scheduler itself
            "workers": workers,
            "holder": holder,
        }


def _wrong_role(comm: Comm, role: str) -> str:
    found = role_of(comm.extra_info.get("peercert"))
    return "" if found == role else f"its certificate is a {found or 'nobody'}'s, not a {role}'s"


def configure() -> None:
    """Settings of Dask that a fleet depends on, whatever the user's own are."""
    pickles.restrict()
    transport.mend()
    dask.config.set(
        {
            "distributed.scheduler.preload": [],
            "distributed.worker.preload": [],
            "distributed.comm.compression": None,
            "distributed.comm.timeouts.connect": "10s",
            "distributed.comm.timeouts.tcp": "30s",
            "distributed.admin.low-level-log-length": 1000,
            "distributed.diagnostics.computations.max-history": 1,
            "distributed.worker.memory.terminate": False,
            "distributed.worker.profile.enabled": False,
            "distributed.worker.use-file-locking": False,
        }
    )
    for name in list(logging.root.manager.loggerDict):
        if name.partition(".")[0] in ("distributed", "tornado"):
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)  # what concerns people is said here


async def run_scheduler(bundle: Bundle, host: str, port: int) -> None:
    """Serves until it is cancelled. Raises Refusal where the port is taken."""
    try:
        async with FleetScheduler(bundle, host, port) as scheduler:
            print(f"scheduler at {scheduler.address}", flush=True)
            await scheduler.finished()
    except (OSError, RuntimeError) as failed:
        error = failed.__cause__ or failed  # Dask's word for what did not start is RuntimeError
        if not isinstance(error, OSError):
            raise
        why = f"cannot listen on {host}:{port}: {error.strerror or error}"
        raise Refusal("fleet-port", why, remedy="--host, --port") from failed
    except asyncio.CancelledError:
        pass
