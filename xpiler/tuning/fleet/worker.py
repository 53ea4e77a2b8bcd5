"""A worker of a fleet: one device, used by nobody else, that measures what the scheduler hands it.

It goes on when the scheduler is gone, and comes back to it when it is there again.
"""

from __future__ import annotations

import asyncio
import errno
import os
import random
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

from distributed import Worker

import xpiler
from xpiler.errors import Refusal
from xpiler.gate.sandbox import isolation
from xpiler.tuning.device import Device
from xpiler.tuning.fleet import work
from xpiler.tuning.fleet.certificates import Bundle
from xpiler.tuning.fleet.connection import fleet_at, greet
from xpiler.tuning.fleet.messages import PROTOCOL
from xpiler.tuning.fleet.scheduler import configure
from xpiler.tuning.measure import in_turn

_LONGEST_PAUSE = 10.0  # seconds between attempts to come back

# What the scheduler asks a worker for, and tuners fetch results by.
_ASKED = ("identity", "echo", "connection_stream", "get_data", "gather", "free_keys", "terminate", "ping")


class FleetWorker(Worker):
    def __init__(self, address: str, bundle: Bundle, device: Device, folder: str, port: int = 0) -> None:
        about = {
            "version": xpiler.__version__,
            "protocol": PROTOCOL,
            "host": socket.gethostname(),
            "device": asdict(device),
        }
        super().__init__(
            address,
            security=bundle.security(),
            port=port,
            nthreads=1,
            resources={device.fingerprint: 1},
            memory_limit=0,
            local_directory=folder,
            dashboard=False,
            extensions={},
            startup_information={"xpiler": lambda worker: about},
        )
        self.handlers = {name: self.handlers[name] for name in _ASKED if name in self.handlers}

    def start_http_server(self, *arguments: Any, **more: Any) -> None:
        """None: it would be open to everybody."""


async def run_worker(
    address: str, bundle: Bundle, device: Device, port: int = 0, measure: work.Measure = in_turn
) -> None:
    """Serves until it is cancelled. Raises Refusal if the scheduler is not there at first, or refuses it.
    `port`: where the scheduler reaches the worker; 0 means any."""
    configure()
    work.serve(measure)
    greet(address, bundle)
    pause = 0.0
    with tempfile.TemporaryDirectory(prefix="xpiler-worker-") as folder:
        os.chdir(folder)  # a text's own headers are in place: none is to be found here
        while True:
            try:
                await fleet_at(address, bundle, "worker")
                async with FleetWorker(address, bundle, device, folder, port) as worker:
                    kept = f"programs are kept apart by {isolation()}"
                    print(f"{device.fingerprint} serves {address}; {kept}", flush=True)
                    pause = 0.0
                    await worker.finished()
                print(f"lost {address}; coming back when it is there", flush=True)
            except (OSError, RuntimeError) as failed:
                # Dask's word for a worker that did not start is RuntimeError.
                cause = failed.__cause__ or failed
                if isinstance(cause, ValueError):  # how Dask tells that the scheduler does not want it
                    raise Refusal(
                        "fleet-refused", f"{address} does not take this worker: {cause}"
                    ) from failed
                if not isinstance(cause, OSError):
                    raise
                if cause.errno == errno.EADDRINUSE:
                    raise Refusal("fleet-port", f"port {port} is in use here", remedy="--port N") from failed
                pause = min(_LONGEST_PAUSE, 2 * pause or 0.5)
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))


@contextmanager
def exclusive(device: Device, number: int) -> Iterator[None]:
    """The device is this process's while the block lasts. Raises Refusal if it is another's. The name in the
    kernel's table of sockets is gone with the process, however it ends."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as held:
        try:
            held.bind(f"\0xpiler-device-{device.kind}-{number}")
        except OSError as error:
            raise Refusal(
                "device-busy",
                f"{device.fingerprint} is in use by another worker of this machine",
                remedy="a device has one worker: stop the other, or name another device",
            ) from error
        yield
