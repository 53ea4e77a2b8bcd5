"""The words of `xpiler scheduler`, `xpiler worker` and `xpiler certificate`, and of fleets in other commands.

Dask is imported only by those who use a fleet: it takes a good part of a second.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
from collections.abc import Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from xpiler.errors import Refusal
from xpiler.tuning.device import devices
from xpiler.tuning.fleet import required

if TYPE_CHECKING:
    from xpiler.tuning.fleet.certificates import Bundle
    from xpiler.tuning.fleet.connection import Seen


def add_fleet_options(parser: argparse.ArgumentParser) -> None:
    """What a tuner takes to use a fleet."""
    parser.add_argument("--scheduler", metavar="tls://HOST:PORT", help="use the devices of a fleet")
    parser.add_argument(
        "--certificate",
        type=Path,
        metavar="FILE",
        help="this machine's bundle for the fleet (the user's own)",
    )


def add_scheduler(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds `scheduler` to the command line."""
    scheduler = commands.add_parser(
        "scheduler",
        help="run the scheduler of a fleet of devices",
        description="Serve tuners and workers until it is stopped. A certificate authority and this user's "
        "bundles are made on first use; `xpiler certificate` makes those of other machines.",
    )
    scheduler.add_argument("--host", default="0.0.0.0", metavar="H", help="where to listen (everywhere)")
    scheduler.add_argument("--port", type=int, default=8786, metavar="N", help="(8786; 0: any)")
    scheduler.set_defaults(run=run_scheduler_command)


def add_worker(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds `worker` to the command line."""
    worker = commands.add_parser(
        "worker",
        help="hand a device of this machine to a fleet",
        description="Measure on one device of this machine what a scheduler hands out, until it is stopped. "
        "What arrives is compiled and run in the sandbox. Exit 2: refused.",
    )
    worker.add_argument(
        "--device", required=True, metavar="KIND[:N]", help="cpu, cuda, hip or mlu, and which"
    )
    worker.add_argument(
        "--port", type=int, default=0, metavar="N", help="where the scheduler reaches it (any)"
    )
    add_fleet_options(worker)
    worker.set_defaults(run=run_worker_command)


def add_certificate(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds `certificate` to the command line."""
    certificate = commands.add_parser(
        "certificate",
        help="make the bundle with which a machine may take part in the fleet",
        description="Run where the scheduler runs. A bundle holds a secret key: hand it over safely.",
    )
    certificate.add_argument("role", choices=("worker", "client"), help="a device's host, or a tuner's")
    certificate.add_argument("name", metavar="NAME", help="what the machine is called, in its certificate")
    certificate.add_argument("-o", "--output", type=Path, required=True, metavar="FILE")
    certificate.set_defaults(run=run_certificate_command)


def run_scheduler_command(arguments: argparse.Namespace, console: Console) -> int:
    required()
    from xpiler.tuning.fleet.certificates import folder, own_bundle
    from xpiler.tuning.fleet.scheduler import run_scheduler

    _check_port(arguments.port)
    bundle = own_bundle("scheduler")
    for role in ("worker", "client"):
        own_bundle(role)
    print(f"certificates in {folder()}", flush=True)
    _until_stopped(run_scheduler(bundle, arguments.host, arguments.port))
    return 0


def run_worker_command(arguments: argparse.Namespace, console: Console) -> int:
    required()
    from xpiler.tuning.fleet.worker import exclusive, run_worker

    _check_port(arguments.port)
    if arguments.scheduler is None:
        raise Refusal("fleet-address", "a worker needs a scheduler", remedy="--scheduler tls://HOST:8786")
    kind, _, number = arguments.device.partition(":")
    of_kind = [device for device in devices() if device.kind == kind]
    chosen = int(number) if number.isdecimal() else 0 if not number else len(of_kind)
    if chosen >= len(of_kind):
        here = ", ".join(f"{d.kind} ({d.name})" for d in devices())
        raise Refusal(
            "no-device", f"this machine has no {arguments.device}; it has {here}", remedy="--device cpu"
        )
    device = of_kind[chosen]
    if not device.runs:
        raise Refusal(
            "no-device", f"{device.fingerprint}: programs are not run on it yet", remedy="--device cpu"
        )
    bundle = bundle_for("worker", arguments.certificate)
    with exclusive(device, chosen):
        _until_stopped(run_worker(arguments.scheduler, bundle, device, arguments.port))
    return 0


def run_certificate_command(arguments: argparse.Namespace, console: Console) -> int:
    required()
    from xpiler.tuning.fleet.certificates import folder, issue

    if not (folder() / "authority.pem").exists():
        raise Refusal(
            "fleet-certificate",
            f"there is no certificate authority in {folder()}",
            remedy="start `xpiler scheduler` here first, or run this where it runs, as its user",
        )
    issue(arguments.role, arguments.name, arguments.output)
    print(f"written to {arguments.output}: it holds a secret key")
    return 0


def bundle_for(role: str, file: Path | None) -> Bundle:
    """The bundle that is named, else the user's own."""
    from xpiler.tuning.fleet.certificates import Bundle, folder

    return Bundle.read(file or folder() / f"{role}.pem")


def list_fleet(address: str, file: Path | None) -> list[Seen]:
    """The workers of a fleet."""
    required()
    from xpiler.tuning.fleet.client import fleet_now

    return list(fleet_now(address, bundle_for("client", file)).workers)


def _check_port(port: int) -> None:
    if not 0 <= port < 65536:
        raise Refusal("fleet-port", f"{port} is no port", remedy="--port 8786")


def _until_stopped(serving: Coroutine[Any, Any, None]) -> None:
    """Runs until an end or a signal; a service manager's SIGTERM ends it as properly as Ctrl-C."""

    async def watched() -> None:
        task = asyncio.ensure_future(serving)
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)
        try:
            await task
        except asyncio.CancelledError:
            print("stopped", flush=True)

    asyncio.run(watched())
