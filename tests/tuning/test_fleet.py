"""A fleet over real sockets: a scheduler and workers in processes of their own, on this machine."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.tuning.fleet_worker import STAND_IN, cost, ended, free_port, kill, start_scheduler, start_worker
from xpiler.cli import main
from xpiler.errors import Refusal
from xpiler.gate.timing import Program, Timing
from xpiler.passes.knobs import Knob
from xpiler.tuning.fleet import messages
from xpiler.tuning.fleet.certificates import Bundle, issue
from xpiler.tuning.fleet.client import Elsewhere, fleet_now
from xpiler.tuning.measure import Here, Job
from xpiler.tuning.record import Question, Record
from xpiler.tuning.space import space_of
from xpiler.tuning.tune import Budget, Step, Tuned, _Search

ROWS = Knob("fleet.rows", tuple(range(12)), 0, "twelfths")
COLUMNS = Knob("fleet.columns", tuple(range(12)), 0, "twelfths")


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


def searched(
    measurer: Any, record: Path, trials: int = 0, on_step: Callable[[Step], None] = lambda step: None
) -> Tuned:
    """A search of 144 points, whose programs are never translated nor run."""
    trusted: Any = SimpleNamespace(
        program=lambda text, file: Program(text, file, ()),
        verify=lambda text, file: SimpleNamespace(status="verified", text=text, evidence=()),
    )
    space = space_of(lambda: f"rows {ROWS.value}, columns {COLUMNS.value}")
    about = Question("source", "sizes", STAND_IN.fingerprint, "vnni")
    with Record(record) as opened:
        search = _Search(
            trusted, space, measurer, about, opened, Budget(120, trials, True), "kernel.cu", "vnni"
        )
        search.on_step = on_step
        return search.run(seed=1)


class StandIn(Here):
    """The stand-in for time in this process, with as many points under way as three devices have."""

    window = 6

    def begin(self, job: Job, until: float = 0.0) -> Any:
        return lambda: Timing((cost(job.program),) * 3)


def test_programs_are_measured_on_the_fleet_as_here(address: str, certificates: Path, tmp_path: Path) -> None:
    with Elsewhere(address, Bundle.read(certificates / "client.pem"), "vnni") as fleet:
        there = searched(fleet, tmp_path / "there", 40)
    here = searched(StandIn(STAND_IN), tmp_path / "here", 40)
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


def test_a_role_is_not_anothers(address: str, certificates: Path) -> None:
    posing = Elsewhere(address, Bundle.read(certificates / "worker.pem"), "vnni")
    with pytest.raises(OSError), posing:
        pass


def test_only_the_fleets_own_task_is_taken(address: str, certificates: Path) -> None:
    with Elsewhere(address, Bundle.read(certificates / "client.pem"), "vnni") as fleet:
        evil = fleet._client.submit(Path.home, pure=False)
        assert "Path" not in str(evil.exception(timeout=20)) or evil.status == "error"
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
    assert "protocol 1" in told and "protocol 99" in told and "same version" in told


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


def test_nobody_there_is_refused(certificates: Path) -> None:
    with pytest.raises(Refusal, match="nothing listens"):
        fleet_now(f"tls://127.0.0.1:{free_port()}", Bundle.read(certificates / "client.pem"))


@pytest.mark.parametrize("address", ["tcp://host:1", "host", "tls://host:99999", "tls://"])
def test_no_address_is_refused(certificates: Path, address: str) -> None:
    with pytest.raises(Refusal, match="no scheduler's address"):
        fleet_now(address, Bundle.read(certificates / "client.pem"))


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
    here = searched(StandIn(STAND_IN), tmp_path / "here", 40)
    assert len(schedulers) == 2
    assert there.trials == here.trials
    assert there.best == here.best
