"""Runs code that nobody trusts: no network, no writes outside its scratch folder, bounded, wholly ended
afterwards.

Best to worst, by what the machine allows (probed once): bubblewrap (read-only root, own process and network
namespaces), `unshare` (own process and network namespaces), a process group alone. Limits on time, memory,
files and processes hold in all three. A crash, a hang, a fork bomb or endless output is a `Completed`, never
an exception.
"""

from __future__ import annotations

import contextlib
import functools
import os
import secrets
import selectors
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from xpiler import cancellation

_SHELL = "/bin/sh"
_KEPT_ENVIRONMENT = ("PATH", "LD_LIBRARY_PATH", "LANG", "LC_ALL", "TZ")
_GRACE = 0.2  # seconds to drain pipes once everything was killed


@dataclass(frozen=True)
class Limits:
    """`cpu` and `wall` in seconds; `memory` and `file` (largest file) in MB; `output` in bytes kept a
    stream. `wall` is for a machine with nothing else to do, see `patience`.
    """

    cpu: float = 20
    wall: float = 30
    memory: int = 4096
    processes: int = 64
    file: int = 1024
    output: int = 1 << 20


@dataclass(frozen=True)
class Completed:
    """How a run ended. `returncode` is None when a signal ended it; `reason` says which limit was hit, if
    one was.
    """

    returncode: int | None
    signal: int | None
    stdout: str
    stderr: str
    timed_out: bool
    seconds: float
    truncated: bool = False
    reason: str = ""

    @property
    def ok(self) -> bool:
        return self.returncode == 0

    def describe(self) -> str:
        """`exit code 3`, `killed by SIGSEGV`, `stopped after 5 s (endless loop?)`..."""
        if self.reason:
            return self.reason
        if self.signal is not None:
            return f"killed by {signal_name(self.signal)}"
        return f"exit code {self.returncode}"


def signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def run(
    argv: Sequence[str],
    *,
    cwd: Path,
    limits: Limits | None = None,
    stdin: bytes | None = None,
    env: Mapping[str, str] | None = None,
    writable: Sequence[Path] = (),
) -> Completed:
    """Runs `argv` with `cwd` as its only writable folder, but for `writable`; `env` is added to a scrubbed
    environment. Raises OutOfTime where the time of the work at hand is over before the program ends.
    """
    cancellation.check()
    limits = limits or Limits()
    cwd = cwd.resolve()
    cookie = secrets.token_hex(16)
    environment = {name: os.environ[name] for name in _KEPT_ENVIRONMENT if name in os.environ}
    environment |= {"HOME": str(cwd), "TMPDIR": str(cwd), "XPILER_SANDBOX": cookie} | dict(env or {})
    command = [*_isolation(cwd, writable), *_with_limits(argv, limits)]
    start = time.monotonic()
    with tempfile.TemporaryFile() as given:
        given.write(stdin or b"")
        given.seek(0)
        try:
            process = subprocess.Popen(
                command,
                cwd=cwd,
                env=environment,
                stdin=given,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        except OSError as error:
            return Completed(127, None, "", f"cannot start {argv[0]}: {error}", False, 0.0)
    watch = _Watch(process, limits, start, cookie)
    try:
        watch.until_done()
    finally:
        _end(process, cookie, stopped=bool(watch.reason))
    watch.drain()
    if watch.out_of_time:
        raise cancellation.OutOfTime
    return watch.completed(time.monotonic() - start)


# ------------------------------------------------------------------------------------------------ isolation


@functools.cache
def isolation() -> str:
    """What separates the code under test from the machine: `bubblewrap`, `unshare` or `process group`."""
    with tempfile.TemporaryDirectory() as folder:
        for name, command in (("bubblewrap", _bubblewrap(Path(folder))), ("unshare", _unshare())):
            if command and shutil.which(command[0]):
                probe = subprocess.run(
                    [*command, "true"], stdin=subprocess.DEVNULL, capture_output=True, check=False
                )
                if probe.returncode == 0:
                    return name
    return "process group"


def _isolation(cwd: Path, writable: Sequence[Path]) -> list[str]:
    match isolation():
        case "bubblewrap":
            return _bubblewrap(cwd, writable)
        case "unshare":
            return _unshare()
        case _:
            return []


def _bubblewrap(cwd: Path, writable: Sequence[Path] = ()) -> list[str]:
    folder = str(cwd)
    root = ["--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc"]
    places = [word for path in writable for word in ("--bind", str(path), str(path))]
    own = ["--bind", folder, folder, "--chdir", folder]
    return ["bwrap", "--unshare-all", "--die-with-parent", *root, *places, *own, "--cap-drop", "ALL"]


def _unshare() -> list[str]:
    namespaces = ["--net", "--pid", "--fork", "--kill-child", "--mount-proc"]
    return ["unshare", *([] if os.geteuid() == 0 else ["--map-root-user"]), *namespaces]


def _with_limits(argv: Sequence[str], limits: Limits) -> list[str]:
    """Limits are set by a shell that then becomes the program: `preexec_fn` is unsafe in a process with
    threads.
    """
    cpu = max(1, round(limits.cpu))
    # `-u` counts all processes of the user on older kernels: those that are there already are allowed for.
    processes = limits.processes + _processes_of_user()
    script = (
        f"ulimit -c 0; ulimit -t {cpu}; ulimit -v {limits.memory * 1024}; ulimit -f {limits.file * 2048}; "
        f"ulimit -n 256; ulimit -u {processes} 2>/dev/null || ulimit -p {processes} 2>/dev/null; "
        'exec "$@"'
    )
    return [_SHELL, "-c", script, "sandbox", *argv]


def _processes_of_user() -> int:
    """Roughly how many threads the machine runs now: the second number of `running/total`."""
    try:
        return int(Path("/proc/loadavg").read_text().split()[3].split("/")[1])
    except (OSError, ValueError, IndexError):
        return 1024


# ------------------------------------------------------------------------------------------------ watching


def patience() -> float:
    """How often the time that a program may take is granted: as many programs as want a processor share it.
    A program that only waits for its turn is in no endless loop; one that is in one uses up its processor
    time.
    """
    return min(4.0, max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1)))


class _Watch:
    """Collects output up to a bound and stops the program at its limits."""

    def __init__(self, process: subprocess.Popen[bytes], limits: Limits, start: float, cookie: str) -> None:
        self.process, self.limits, self.start, self.cookie = process, limits, start, cookie
        assert process.stdout and process.stderr
        self.kept: dict[int, bytearray] = {}
        self.streams = {process.stdout.fileno(): process.stdout, process.stderr.fileno(): process.stderr}
        self.dropped = 0
        self.reason = ""
        self.timed_out = self.out_of_time = False
        self.threads_before = _processes_of_user()
        self.selector = selectors.DefaultSelector()
        for descriptor in self.streams:
            os.set_blocking(descriptor, False)
            self.kept[descriptor] = bytearray()
            self.selector.register(descriptor, selectors.EVENT_READ, "output")
        self.ended = os.pidfd_open(process.pid)
        self.selector.register(self.ended, selectors.EVENT_READ, "ended")

    def until_done(self) -> None:
        wall = self.limits.wall
        while not self.reason:
            left = self.start + wall - time.monotonic()
            if cancellation.left() <= 0:
                self.out_of_time = True
                self.reason = "stopped: there was no more time"
                return
            if left <= 0 and wall < self.limits.wall * patience():
                wall += self.limits.wall
                continue
            if left <= 0:
                self.timed_out = True
                self.reason = f"stopped after {wall:g} s (endless loop or deadlock?)"
                return
            for key, _ in self.selector.select(min(left, 0.05)):
                if key.data == "ended":
                    return
                self._read(key.fd)
            if self.dropped > 64 * self.limits.output:
                self.reason = "stopped: endless output"
            elif self._bomb():
                self.reason = f"stopped: more than {self.limits.processes} processes"

    def _read(self, descriptor: int) -> bool:
        """One chunk of output; False at its end."""
        try:
            chunk = os.read(descriptor, 1 << 16)
        except BlockingIOError:
            return False
        if not chunk:
            with contextlib.suppress(KeyError):
                self.selector.unregister(descriptor)
            return False
        kept = self.kept[descriptor]
        room = max(0, self.limits.output - len(kept))
        kept += chunk[:room]
        self.dropped += max(0, len(chunk) - room)
        return True

    def _bomb(self) -> bool:
        """A limit on processes does not bind root, so they are counted; exactly only when the machine's
        total jumps.
        """
        if _processes_of_user() - self.threads_before <= self.limits.processes:
            return False
        return len(_members(self.process.pid, self.cookie)) > self.limits.processes

    def drain(self) -> None:
        """What was written before the end; everything that could still write is dead."""
        for descriptor in self.streams:
            deadline = time.monotonic() + _GRACE
            while self._read(descriptor) and time.monotonic() < deadline:
                pass
        self.selector.close()
        os.close(self.ended)
        for stream in self.streams.values():
            stream.close()

    def completed(self, seconds: float) -> Completed:
        out, err = (bytes(kept).decode("utf-8", "replace") for kept in self.kept.values())
        code = self.process.returncode
        ended_by = -code if code < 0 else code - 128 if 128 < code < 160 else None
        cpu_used_up = (
            ended_by in (signal.SIGXCPU, signal.SIGKILL) and seconds >= self.limits.cpu and not self.reason
        )
        if cpu_used_up:
            self.timed_out = True
            self.reason = f"stopped after {self.limits.cpu:g} s of processor time (endless loop?)"
        returncode = code if ended_by is None else None
        return Completed(
            returncode, ended_by, out, err, self.timed_out, seconds, self.dropped > 0, self.reason
        )


# ------------------------------------------------------------------------------------------------ ending


def _end(process: subprocess.Popen[bytes], cookie: str, *, stopped: bool) -> None:
    """Kills everything that the run started, also what left its session, and waits until it is gone."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    if isolation() != "process group" and not stopped:
        return  # the kernel ends all others with the namespace's first process, which is dead or dying
    for _ in range(200):
        members = _members(process.pid, cookie)
        if not members:
            return
        for member in members:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(member, signal.SIGKILL)
        time.sleep(0.005)


def _members(session: int, cookie: str) -> list[int]:
    """Live processes of the run: of its session, or with its cookie in their environment."""
    wanted = f"XPILER_SANDBOX={cookie}".encode()
    found = []
    for entry in os.scandir("/proc"):
        if not entry.name.isdigit():
            continue
        try:
            fields = Path(entry.path, "stat").read_text().rpartition(")")[2].split()
            if fields[0] != "Z" and (
                int(fields[3]) == session or wanted in Path(entry.path, "environ").read_bytes()
            ):
                found.append(int(entry.name))
        except (OSError, IndexError, ValueError):
            continue
    return found
