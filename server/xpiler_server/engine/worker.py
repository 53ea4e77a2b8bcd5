"""A worker process seen from the server: started on demand, asked, cancelled, killed, never left behind."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import signal
import sys
from collections import deque
from collections.abc import Callable
from typing import Any

from xpiler_server.engine.process_tree import kill_tree

Progress = Callable[[str], None]
Told = Callable[[dict[str, Any]], None]
_LIMIT = 1 << 28  # bytes of a line: a text and what is known of it
_GRACE = 2.0  # seconds that a worker has to notice that an answer is no longer wanted


class Crashed(Exception):
    """The worker ended without an answer; the message says how."""


class Broken(Exception):
    """The engine met an error of its own; `trace` is for the log."""

    def __init__(self, message: str, trace: str) -> None:
        super().__init__(message)
        self.trace = trace


class Worker:
    """One process at a time, one task at a time. After a crash the next task starts another process.

    `patient`: a task that is cancelled is asked to stop before the process is killed.
    """

    def __init__(self, nice: int = 5, *, patient: bool = False) -> None:
        self._nice, self._patient = nice, patient
        self._process: asyncio.subprocess.Process | None = None
        self._stderr: deque[str] = deque(maxlen=20)
        self._drain: asyncio.Task[None] | None = None
        self._numbers = itertools.count(1)
        self._task: int | None = None  # the number of the task that is under way
        self._paused = False  # whether it is to rest
        self._lock = asyncio.Lock()

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process and self._process.returncode is None else None

    async def start(self) -> asyncio.subprocess.Process:
        """The process, started if there is none."""
        if self._process is None or self._process.returncode is not None:
            self._stderr.clear()
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "xpiler_server.engine",
                str(self._nice),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                start_new_session=True,
                limit=_LIMIT,
                env=_environment(),
            )
            self._drain = asyncio.create_task(self._read_errors(self._process))
        return self._process

    async def ask(
        self,
        work: str,
        given: dict[str, Any],
        progress: Progress = lambda step: None,
        told: Told = lambda event: None,
    ) -> Any:
        """The result of a task. Raises Crashed, Broken, or CancelledError when the caller is cancelled."""
        async with self._lock:
            starting = asyncio.create_task(self.start())
            try:
                process = await asyncio.shield(starting)
            except asyncio.CancelledError:
                await starting  # a process that is half started cannot be ended
                if not self._patient:
                    await self.kill()
                raise
            number = next(self._numbers)
            answer = asyncio.create_task(self._answer(process, number, progress, told))
            try:
                await self._send(process, {"id": number, "work": work, "with": given})
                self._task = number
                if self._paused:
                    await self.pause(True)
                return await asyncio.shield(answer)
            except asyncio.CancelledError:
                if self._patient:
                    await self._stopped(process, number, answer)
                else:
                    await self.kill()
                raise
            finally:
                self._task, self._paused = None, False
                if not answer.done():
                    answer.cancel()
                with contextlib.suppress(asyncio.CancelledError, Exception):
                    await answer

    async def pause(self, paused: bool) -> None:
        """Asks the task that is asked to rest, or to go on; it tells itself when it does."""
        self._paused = paused
        if self._process is not None and self._task is not None:
            with contextlib.suppress(Crashed):  # whoever waits for the task is told
                await self._send(self._process, {"pause" if paused else "resume": self._task})

    async def kill(self) -> None:
        """Ends the process and everything that it started."""
        process = self._process
        if process is None:
            return
        self._process = None
        if process.returncode is None:
            kill_tree(process.pid)
        await process.wait()
        if self._drain is not None:
            self._drain.cancel()

    async def _stopped(
        self, process: asyncio.subprocess.Process, number: int, answer: asyncio.Task[Any]
    ) -> None:
        with contextlib.suppress(Crashed):
            await self._send(process, {"cancel": number})
        done, _ = await asyncio.wait({answer}, timeout=_GRACE)
        if not done:
            await self.kill()

    async def _send(self, process: asyncio.subprocess.Process, message: dict[str, Any]) -> None:
        assert process.stdin is not None
        try:
            process.stdin.write(json.dumps(message).encode() + b"\n")
            await process.stdin.drain()
        except (BrokenPipeError, ConnectionResetError):
            raise await self._crash(process) from None

    async def _answer(
        self, process: asyncio.subprocess.Process, number: int, progress: Progress, told: Told
    ) -> Any:
        assert process.stdout is not None
        while True:
            line = await process.stdout.readline()
            if not line:
                raise await self._crash(process)
            message = json.loads(line)
            if message["id"] != number:
                continue  # of a task that was cancelled
            if "progress" in message:
                progress(message["progress"])
            elif "event" in message:
                told(message["event"])
            elif "error" in message:
                raise Broken(message["error"], message["trace"])
            else:
                return message["result"]

    async def _crash(self, process: asyncio.subprocess.Process) -> Crashed:
        code = await process.wait()
        if self._drain is not None:
            await asyncio.wait({self._drain}, timeout=1)
        last = self._stderr[-1].strip() if self._stderr else ""
        how = f"killed by {_signal_name(-code)}" if code < 0 else f"ended with exit code {code}"
        return Crashed(
            f"the engine's process was {how}" if code < 0 else f"the engine's process {how}: {last}"
        )

    async def _read_errors(self, process: asyncio.subprocess.Process) -> None:
        assert process.stderr is not None
        while line := await process.stderr.readline():
            self._stderr.append(line.decode("utf-8", "replace"))


def _environment() -> dict[str, str]:
    """Workers find what the server has imported; they compute on one thread each."""
    path = os.pathsep.join(entry for entry in sys.path if entry)
    return {**os.environ, "PYTHONPATH": path, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
