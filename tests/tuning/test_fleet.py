"""A fleet over real sockets: a scheduler and workers in processes of their own, on this machine."""

import asyncio
import math
import os
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from distributed.comm import connect
from tornado.iostream import IOStream
from tornado.tcpclient import TCPClient

from tests.hardware import timed_with_avx512
from tests.tuning.fleet_worker import (
    ended,
    free_port,
    kill,
    start_scheduler,
    start_tuner,
    start_worker,
)
from tests.tuning.stand_in import STAND_IN, StandIn, searched
from xpiler.cli import main
from xpiler.errors import Refusal
from xpiler.gate.contract import Argument, Contract, Role, Setup, Values, make_case
from xpiler.gate.timing import Program
from xpiler.ir.types import F16, F32, I32
from xpiler.tuning.device import Device
from xpiler.tuning.fleet import client, messages, work
from xpiler.tuning.fleet.certificates import Bundle, issue
from xpiler.tuning.fleet.client import Elsewhere, chosen_device, fleet_now
from xpiler.tuning.fleet.connection import Fleet, Seen
from xpiler.tuning.fleet.scheduler import configure, run_scheduler
from xpiler.tuning.fleet.worker import exclusive, run_worker
from xpiler.tuning.measure import Job, Unmeasured
from xpiler.tuning.peaks import Level, Peaks
from xpiler.tuning.tune import Step


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("certificates")
    for role in ("scheduler", "worker", "client"):
        issue(role, role, folder / f"{role}.pem", folder)
    return folder


@pytest.fixture(scope="module")
def address(certificates: Path) -> Iterator[str]:
    """A scheduler with three devices."""
    place = free_port()
    address = f"tls://127.0.0.1:{place}"
    with ended(start_scheduler(certificates, place)):
        until(lambda: fleet_now(address, Bundle.read(certificates / "client.pem")))
        workers = [start_worker(address, certificates / "worker.pem", 0.02) for _ in range(3)]
        with ended(*workers):
            await_devices(address, certificates, 3)
            yield address


def until(done: Any, seconds: float = 60) -> None:
    """Waits until it is true, and raises nothing."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            if done():
                return
        except Refusal:
            if time.monotonic() > deadline:
                raise
        assert time.monotonic() < deadline
        time.sleep(0.1)


def await_devices(address: str, certificates: Path, number: int) -> None:
    bundle = Bundle.read(certificates / "client.pem")
    until(lambda: len(fleet_now(address, bundle).workers) == number)


def test_programs_are_measured_on_the_fleet_as_here(address: str, certificates: Path, tmp_path: Path) -> None:
    with Elsewhere(address, Bundle.read(certificates / "client.pem"), "vnni") as fleet:
        there = searched(fleet, tmp_path / "there", 40)
    here = searched(StandIn(), tmp_path / "here", 40)
    assert there.trials == here.trials
    assert there.device == STAND_IN


def test_the_fleet_is_listed(address: str, certificates: Path, capsys: pytest.CaptureFixture[str]) -> None:
    client = str(certificates / "client.pem")
    assert main(["devices", "--scheduler", address, "--certificate", client]) == 0
    listed = capsys.readouterr().out
    assert listed.count("stand-in for a device: runs vnni") == 3
    assert "no device there for CUDA" in listed


def test_a_client_of_another_authority_is_refused(address: str, tmp_path: Path) -> None:
    issue("client", "stranger", tmp_path / "stranger.pem", tmp_path)
    with pytest.raises(Refusal, match="certificate"):
        Elsewhere(address, Bundle.read(tmp_path / "stranger.pem"), "vnni")


def test_a_device_cannot_tune(address: str, certificates: Path) -> None:
    with pytest.raises(Refusal, match="worker's bundle, not a client's"):
        Elsewhere(address, Bundle.read(certificates / "worker.pem"), "vnni")


def test_a_tuner_cannot_pose_as_a_device(
    address: str, certificates: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(Refusal, match="client's bundle, not a worker's"):
        asyncio.run(run_worker(address, Bundle.read(certificates / "client.pem"), STAND_IN))


def test_only_the_fleets_own_task_is_taken(address: str, certificates: Path) -> None:
    with Elsewhere(address, Bundle.read(certificates / "client.pem"), "vnni") as fleet:
        evil = fleet._client.submit(Path.home, pure=False)
        assert evil.exception(timeout=20) is not None
        with pytest.raises(Exception, match="NoneType"):
            fleet._client.run(Path.home)
        assert fleet.begin(Job(Program("text", "kernel.cpp", ())))().samples


def test_another_version_is_refused(
    address: str, certificates: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(messages, "PROTOCOL", 99)
    arguments = ["devices", "--scheduler", address, "--certificate", str(certificates / "client.pem")]
    assert main(arguments) == 2
    told = capsys.readouterr().err
    assert "protocol 2" in told and "protocol 99" in told and "same version" in told


@pytest.mark.parametrize(
    ("target", "name", "told"),
    [
        ("cuda", None, r"no device for CUDA C\+\+; it has cpu: stand-in"),
        ("vnni", "xeon", "no device for xeon"),
    ],
)
def test_a_missing_device_is_refused(
    address: str, certificates: Path, target: str, name: str | None, told: str
) -> None:
    with pytest.raises(Refusal, match=told):
        Elsewhere(address, Bundle.read(certificates / "client.pem"), target, name)


def test_of_several_kinds_of_devices_one_is_to_be_named() -> None:
    kinds = [Device("cpu", name, ("vnni",)) for name in ("EPYC 9654", "EPYC 9755")]
    fleet = Fleet(tuple(Seen(f"tls://host{n}:1", f"host{n}", kind, 0) for n, kind in enumerate(kinds)), 0)
    with pytest.raises(Refusal, match=r"cpu: EPYC 9654; cpu: EPYC 9755; --device NAME"):
        chosen_device(fleet, "vnni", None)
    assert chosen_device(fleet, "vnni", "9755") == kinds[1]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("certificate client anna -o anna.pem", "no certificate authority"),
        ("worker --device mlu --scheduler tls://host:1", "this machine has no mlu; it has cpu"),
        ("worker --device cpu:7 --scheduler tls://host:1", "this machine has no cpu:7"),
        ("worker --device cpu", "a worker needs a scheduler"),
        pytest.param(
            "worker --device cpu --scheduler tls://host:1",
            "worker.pem cannot be read",
            marks=timed_with_avx512,
        ),
        ("worker --device cpu --scheduler tls://host:1 --port 70000", "70000 is no port"),
        ("scheduler --port -1", "-1 is no port"),
        ("devices --scheduler tls://host:1", "client.pem cannot be read"),
        ("devices --scheduler fleet", "client.pem cannot be read"),
    ],
)
def test_what_cannot_be_is_refused_with_its_reason(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: str,
    told: str,
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert main(words.split()) == 2
    assert told in capsys.readouterr().err.replace("\n", " ")
    assert not list(tmp_path.rglob("*.pem"))


def test_a_port_that_is_taken_is_refused(
    address: str, certificates: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = int(address.rpartition(":")[2])
    monkeypatch.chdir(tmp_path)
    with pytest.raises(Refusal, match=f"port {taken} is in use here"):
        asyncio.run(run_worker(address, Bundle.read(certificates / "worker.pem"), STAND_IN, taken))
    with pytest.raises(Refusal, match=rf"cannot listen on 127.0.0.1:{taken}: .*in use"):
        asyncio.run(run_scheduler(Bundle.read(certificates / "scheduler.pem"), "127.0.0.1", taken))


def test_nobody_there_is_refused(certificates: Path) -> None:
    with pytest.raises(Refusal, match="nothing listens"):
        fleet_now(f"tls://127.0.0.1:{free_port()}", Bundle.read(certificates / "client.pem"))


@pytest.mark.parametrize("address", ["tcp://host:1", "host", "tls://host:99999", "tls://"])
def test_no_address_is_refused(certificates: Path, address: str) -> None:
    with pytest.raises(Refusal, match="no scheduler's address"):
        fleet_now(address, Bundle.read(certificates / "client.pem"))


def job(text: str) -> Job:
    return Job(Program(text, "kernel.cpp", ()))


def test_what_a_worker_cannot_measure_is_no_fault_of_the_program(address: str, certificates: Path) -> None:
    with Elsewhere(address, Bundle.read(certificates / "client.pem"), "vnni") as fleet:
        with pytest.raises(Unmeasured, match="no space left on device"):
            fleet.begin(job("full disk"))()
        assert fleet.begin(job("fine"))().samples


def test_a_full_fleet_is_told(address: str, certificates: Path) -> None:
    bundle = Bundle.read(certificates / "client.pem")
    with Elsewhere(address, bundle, "vnni") as first, Elsewhere(address, bundle, "vnni") as second:
        under_way = [first.begin(job(f"slow {number}")) for number in range(6)]
        until(lambda: sum(seen.tasks for seen in fleet_now(address, bundle).workers) >= 3)
        with pytest.raises(Refusal, match=r"none of the 3 devices .* became free in time; 2 tuners have"):
            second.begin(job("late"), time.monotonic() + 0.3)()
        assert all(wait().samples for wait in under_way)
        with pytest.raises(TimeoutError):  # somebody who was served before only runs out of time
            first.begin(job("slow again"), time.monotonic() + 0.3)()


def test_a_device_that_stands_still_is_helped(certificates: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "_AT_LEAST", 0.5)
    port = free_port()
    address, bundle = f"tls://127.0.0.1:{port}", Bundle.read(certificates / "client.pem")
    scheduler = start_scheduler(certificates, port)
    until(lambda: fleet_now(address, bundle))
    workers = [start_worker(address, certificates / "worker.pem", 0.02) for _ in range(2)]
    with ended(scheduler, *workers):
        await_devices(address, certificates, 2)
        with Elsewhere(address, bundle, "vnni") as fleet:
            assert fleet.begin(job("first"))().samples
            assert workers[0].pid is not None
            os.kill(workers[0].pid, signal.SIGSTOP)
            waits = [fleet.begin(job(f"number {number}")) for number in range(4)]
            start = time.monotonic()
            assert all(wait().samples for wait in waits)
            assert time.monotonic() - start < 25  # Dask gives up a silent worker after 30 s


def test_a_device_is_used_by_one_worker() -> None:
    with (
        exclusive(STAND_IN, 99),
        pytest.raises(Refusal, match="in use by another worker"),
        exclusive(STAND_IN, 99),
    ):
        pass
    with exclusive(STAND_IN, 99):
        pass


@pytest.mark.parametrize("text", ["", "nothing like a key"])
def test_no_bundle_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "bundle.pem"
    with pytest.raises(Refusal, match="cannot be read"):
        Bundle.read(file)
    file.write_text(text)
    with pytest.raises(Refusal, match="no bundle"):
        Bundle.read(file)


def test_a_key_is_its_users_alone(certificates: Path) -> None:
    assert {file.stat().st_mode & 0o777 for file in certificates.glob("*.pem")} == {0o600}


def test_a_job_travels_whole() -> None:
    contract = Contract(
        "scale",
        "host",
        (Argument("x", F32, True, Role.INOUT), Argument("n", I32, False, Role.SCALAR)),
        (
            make_case(
                {"n": 3, "a": 1.5, "flag": True}, {"x": 3}, values={"x": Values("uniform", 0, math.inf)}
            ),
        ),
        accumulator=F16,
        before=(Setup("create", ("n",), "handle", "returned"),),
    )
    program = Program("text", "kernel.cpp", (contract,))
    sent = Job(program, program, 0.25)
    arrived = messages.job_in(messages.asked(sent))
    assert arrived == sent
    assert isinstance(arrived, Job)
    assert arrived.program.calls[0].arguments[0].dtype is F32
    assert [type(value) for _, value in arrived.program.calls[0].cases[0].scalars] == [int, float, bool]


@pytest.mark.parametrize(
    "message",
    [b"", b"[]", b"{}", b'{"version": "0.1.0", "protocol": 1, "job": {"program": 3}}', b"\xff\x00"],
)
def test_what_is_no_job_is_told(message: bytes) -> None:
    told = messages.job_in(message)
    assert isinstance(told, messages.Told)
    assert told.failed or told.mismatch


def test_a_job_of_another_version_is_not_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    message = messages.asked(job("text"))
    monkeypatch.setattr(messages, "PROTOCOL", 99)
    told = messages.job_in(message)
    assert isinstance(told, messages.Told)
    assert "protocol 2, the worker" in told.mismatch and "protocol 99" in told.mismatch


def test_a_killed_tuner_goes_on_without_measuring_anything_again(tmp_path: Path) -> None:
    asked = tmp_path / "asked"
    process = start_tuner(tmp_path / "record", asked)
    until(lambda: asked.exists() and len(asked.read_text().splitlines()) > 12)
    kill(process)
    before = asked.read_text().splitlines()
    resumed = searched(StandIn(asked), tmp_path / "record", 40)
    again = asked.read_text().splitlines()[len(before) :]
    assert len(set(before) & set(again)) <= 1  # the trial in flight
    fresh = searched(StandIn(), tmp_path / "fresh", 40)
    assert resumed.trials == fresh.trials


def test_a_search_survives_its_workers_and_its_scheduler(certificates: Path, tmp_path: Path) -> None:
    """Every few trials one of three workers is killed in the middle of its work, and once the scheduler is:
    the same trials, the same best."""
    port = free_port()
    address, bundle = f"tls://127.0.0.1:{port}", certificates / "worker.pem"
    schedulers = [start_scheduler(certificates, port)]
    until(lambda: fleet_now(address, Bundle.read(certificates / "client.pem")))
    workers = [start_worker(address, bundle, 0.1) for _ in range(3)]
    await_devices(address, certificates, 3)

    def trouble(step: Step) -> None:
        turn = step.number // 6
        if step.number % 6 == 0:
            kill(workers[turn % 3])
            workers[turn % 3] = start_worker(address, bundle, 0.1)
        if step.number == 20:
            kill(schedulers[0])
            schedulers.append(start_scheduler(certificates, port))

    try:
        with Elsewhere(address, Bundle.read(certificates / "client.pem"), "vnni") as fleet:
            there = searched(fleet, tmp_path / "there", 40, trouble)
    finally:
        with ended(*workers, *schedulers):
            pass
    here = searched(StandIn(), tmp_path / "here", 40)
    assert len(schedulers) == 2
    assert there.trials == here.trials
    assert there.best == here.best


def test_who_hangs_up_before_tls_is_a_lost_connection(
    certificates: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A scheduler that is being ended does so; what Tornado raises then is no OSError."""

    async def hung_up(self: object, host: str, port: int, ssl_options: Any = None, **_: Any) -> IOStream:
        stream = IOStream(socket.socket())
        stream.close()
        return await stream.start_tls(False, ssl_options)

    monkeypatch.setattr(TCPClient, "connect", hung_up)
    configure()
    connection = Bundle.read(certificates / "client.pem").security().get_connection_args("client")
    with pytest.raises(OSError, match=r"127\.0\.0\.1:1"):
        asyncio.run(connect("tls://127.0.0.1:1", timeout=0.3, **connection))


def test_a_worker_tells_what_its_device_can_do(monkeypatch: pytest.MonkeyPatch) -> None:
    peaks = Peaks(2, {"f32": (1.0, 2.0)}, (Level("DRAM", 0, 3.0, 4.0),))
    monkeypatch.setattr(work, "measured_peaks", lambda: peaks)
    work.serve()
    answer = messages.answer_in(work.measure(messages.asked(None)))
    assert Peaks.of_json(answer.peaks or {}) == peaks
