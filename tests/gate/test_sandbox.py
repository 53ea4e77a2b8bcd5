"""Whatever a program does, the sandbox returns a value and leaves nothing running."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from xpiler import cancellation
from xpiler.gate import sandbox
from xpiler.gate.sandbox import Limits, run

PYTHON = sys.executable


def alive(marker: str) -> list[str]:
    """Command lines of processes that mention `marker` and do not end within a moment."""
    for _ in range(50):
        if not (found := mentioning(marker)):
            break
        time.sleep(0.02)
    return found


def mentioning(marker: str) -> list[str]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                command = (entry / "cmdline").read_bytes().decode(errors="replace")
            except OSError:
                continue
            if marker in command:
                found.append(command)
    return found


@pytest.fixture(params=["best", "process group"])
def isolation(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The machine's best isolation, and what is left where there is neither bubblewrap nor unshare."""
    if request.param == "process group":
        monkeypatch.setattr(sandbox, "isolation", lambda: "process group")
    return str(request.param)


def test_a_program_that_ends_well_gives_its_output(tmp_path: Path, isolation: str) -> None:
    done = run(["sh", "-c", "cat; echo to-stderr >&2; exit 3"], cwd=tmp_path, stdin=b"to-stdout")
    assert (done.returncode, done.stdout, done.stderr) == (3, "to-stdout", "to-stderr\n")


def test_a_crash_names_its_signal(tmp_path: Path, isolation: str) -> None:
    done = run(["sh", "-c", "kill -SEGV $$"], cwd=tmp_path)
    assert done.describe() == "killed by SIGSEGV" and not done.ok


def test_a_busy_machine_gives_more_time_and_an_idle_one_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sleep = ["sleep", "0.6"]
    monkeypatch.setattr(sandbox.os, "cpu_count", lambda: 2)
    monkeypatch.setattr(sandbox.os, "getloadavg", lambda: (6.0, 0.0, 0.0))
    assert run(sleep, cwd=tmp_path, limits=Limits(wall=0.3)).ok
    monkeypatch.setattr(sandbox.os, "getloadavg", lambda: (1.0, 0.0, 0.0))
    assert run(sleep, cwd=tmp_path, limits=Limits(wall=0.3)).describe().startswith("stopped after 0.3 s")


def test_an_endless_loop_is_stopped_at_the_wall_clock(tmp_path: Path, isolation: str) -> None:
    done = run(["sh", "-c", "while :; do :; done # loop-a7"], cwd=tmp_path, limits=Limits(wall=0.3))
    assert done.timed_out and "endless loop" in done.describe()
    assert alive("loop-a7") == []


def test_an_endless_loop_is_stopped_by_processor_time(tmp_path: Path) -> None:
    done = run(["sh", "-c", "while :; do :; done"], cwd=tmp_path, limits=Limits(cpu=1, wall=20))
    assert done.timed_out and "processor time" in done.describe()


def test_a_fork_bomb_is_stopped(tmp_path: Path, isolation: str) -> None:
    bomb = "import os, time\nmarker = 'bomb-a7'\nwhile True:\n    os.fork()"
    done = run([PYTHON, "-c", bomb], cwd=tmp_path, limits=Limits(wall=3, processes=20))
    assert not done.ok
    assert alive("bomb-a7") == []


def test_a_process_that_leaves_its_session_is_killed_too(tmp_path: Path, isolation: str) -> None:
    escape = "import os, time\nif os.fork() == 0:\n    os.setsid()\n    time.sleep(60)  # escaped-a7"
    run([PYTHON, "-c", escape], cwd=tmp_path)
    assert alive("escaped-a7") == []


def test_endless_output_is_bounded(tmp_path: Path, isolation: str) -> None:
    done = run(["yes"], cwd=tmp_path, limits=Limits(wall=10, output=1000))
    assert done.reason == "stopped: endless output" and len(done.stdout) == 1000


def test_memory_is_bounded(tmp_path: Path, isolation: str) -> None:
    done = run([PYTHON, "-c", "bytearray(1 << 31)"], cwd=tmp_path, limits=Limits(memory=512))
    assert "MemoryError" in done.stderr


def test_files_are_bounded(tmp_path: Path, isolation: str) -> None:
    run(["sh", "-c", "yes > big"], cwd=tmp_path, limits=Limits(wall=5, file=1))
    assert (tmp_path / "big").stat().st_size <= 1 << 20


def test_only_the_scratch_folder_is_writable(tmp_path: Path) -> None:
    if sandbox.isolation() != "bubblewrap":
        pytest.skip("only bubblewrap protects files")
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    inside.mkdir()
    done = run(["sh", "-c", f"echo x > ok; echo x > {outside}"], cwd=inside)
    assert (inside / "ok").exists() and not outside.exists() and "Read-only" in done.stderr


def test_there_is_no_network(tmp_path: Path) -> None:
    if sandbox.isolation() == "process group":
        pytest.skip("a process group has the machine's network")
    done = run(["cat", "/proc/net/dev"], cwd=tmp_path)
    assert [line.split(":")[0].strip() for line in done.stdout.splitlines()[2:]] == ["lo"]


def test_the_environment_is_scrubbed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_TOKEN", "abc")
    assert "SECRET_TOKEN" not in run(["env"], cwd=tmp_path).stdout


def test_a_missing_program_is_a_result(tmp_path: Path, isolation: str) -> None:
    assert not run(["no-such-program-a7"], cwd=tmp_path).ok


def test_a_program_ends_with_the_time_of_the_work_at_hand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sandbox, "patience", lambda: 4.0)  # however busy the machine is
    start = time.monotonic()
    with cancellation.until(start + 0.5):
        with pytest.raises(cancellation.OutOfTime):
            run(["sleep", "10"], cwd=tmp_path)
        with pytest.raises(cancellation.OutOfTime):
            run(["true"], cwd=tmp_path)
    assert time.monotonic() - start < 5
    assert run(["true"], cwd=tmp_path).ok


def test_the_sandbox_costs_little(tmp_path: Path) -> None:
    boxed = min(_seconds(lambda: run(["true"], cwd=tmp_path)) for _ in range(10))
    bare = min(_seconds(lambda: subprocess.run(["true"], check=True)) for _ in range(10))
    assert boxed < 60 * bare  # which is about a millisecond


def _seconds(action: Callable[[], object]) -> float:
    start = time.monotonic()
    action()
    return time.monotonic() - start
