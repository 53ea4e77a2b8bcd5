"""`python -m tests.server.measure`: how quickly the server answers while a translation runs, how soon an edit
is checked again and a job cancelled, and the memory of it all.

A kernel is edited, without a pause before checks, and the time from an edit to the verdict is taken. Then its
translations are cancelled under way, and the time to the answer is taken, when their processes are gone. Then
a 500-line file is open, a translation of it runs, and hovers, lenses and code actions are asked for one after
another, with an edit now and then.
"""

from __future__ import annotations

import json
import os
import select
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xpiler_server.engine.process_tree import descendants

KERNEL = """
// y = a * x + y over n elements, part {0}.
__global__ void saxpy_{0}(int n, float a, const float *x, float *y) {{
  __shared__ float tile[256];
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  tile[threadIdx.x] = i < n ? x[i] : 0.0f;
  __syncthreads();
  float total = 0.0f;
  for (int k = 0; k < 16; ++k) {{
    total += tile[(threadIdx.x + k) % 256];
  }}
  if (i < n) {{
    y[i] = a * total + y[i];
  }}
}}

void launch_{0}(int n, float a, const float *x, float *y) {{
  saxpy_{0}<<<(n + 255) / 256, 256>>>(n, a, x, y);
}}
"""
TEXT = "".join(KERNEL.format(number) for number in range(26))
SECONDS = 12.0
EDITS = CANCELS = 10


@dataclass(frozen=True)
class Measured:
    """Seconds: to the first diagnostics after opening; of requests by kind; from edits to the verdict on the
    edited text; from cancelling to the end of a job. Megabytes of the processes."""

    start: float
    first: float
    requests: dict[str, list[float]]
    edits: list[float]
    cancels: list[float]
    server: float
    workers: float

    def p95(self, kind: str) -> float:
        return statistics.quantiles(self.requests[kind], n=20)[-1]

    def report(self) -> str:
        lines = [
            f"{len(TEXT.splitlines())} lines; load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores",
            f"start of the server {self.start:.2f} s; first diagnostics {self.first:.2f} s after opening",
        ]
        for kind, times in self.requests.items():
            middle = statistics.median(times)
            lines.append(f"{kind}: median {1000 * middle:.1f} ms, p95 {1000 * self.p95(kind):.1f} ms")
        for kind, times in (("edit to verdict", self.edits), ("cancel to end", self.cancels)):
            lines.append(
                f"{kind}: median {1000 * statistics.median(times):.1f} ms, most {1000 * max(times):.1f} ms"
            )
        lines.append(f"memory: server {self.server:.0f} MB, its processes {self.workers:.0f} MB")
        return "\n".join(lines)


class _Session:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        environment = {**os.environ, "XPILER_CACHE": str(folder / "cache")}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "xpiler_server.main"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            bufsize=0,
        )
        self.buffer = b""
        self.number = 0

    def say(self, method: str, params: Any, id: int | None = None) -> None:
        assert self.process.stdin
        message = {"jsonrpc": "2.0", "method": method, "params": params, **({"id": id} if id else {})}
        body = json.dumps(message).encode()
        self.process.stdin.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)

    def next(self) -> dict[str, Any]:
        assert self.process.stdout
        while True:
            head, separator, rest = self.buffer.partition(b"\r\n\r\n")
            length = int(head.split(b":")[1].split(b"\r\n")[0]) if separator else 0
            if separator and len(rest) >= length:
                self.buffer = rest[length:]
                return dict(json.loads(rest[:length]))
            select.select([self.process.stdout], [], [])
            self.buffer += os.read(self.process.stdout.fileno(), 1 << 20)

    def ask(self, method: str, params: Any) -> Any:
        self.number += 1
        self.say(method, params, self.number)
        while (message := self.next()).get("id") != self.number or "method" in message:
            pass
        return message.get("result")

    def until(self, method: str, wanted: Callable[[dict[str, Any]], bool] = lambda params: True) -> None:
        while (message := self.next()).get("method") != method or not wanted(message["params"]):
            pass

    def start(self, **options: Any) -> None:
        root = self.folder.as_uri()
        params = {"processId": None, "rootUri": root, "capabilities": {}, "initializationOptions": options}
        self.ask("initialize", params)
        self.say("initialized", {})

    def open(self, name: str, text: str) -> str:
        path = self.folder / name
        path.write_text(text)
        item = {"uri": path.as_uri(), "languageId": "cuda-cpp", "version": 1, "text": text}
        self.say("textDocument/didOpen", {"textDocument": item})
        return path.as_uri()

    def insert(self, uri: str, version: int, text: str) -> None:
        """Inserts at the top."""
        start = {"line": 0, "character": 0}
        change = {"range": {"start": start, "end": start}, "text": text}
        document = {"uri": uri, "version": version}
        self.say("textDocument/didChange", {"textDocument": document, "contentChanges": [change]})

    def stop(self) -> None:
        self.ask("shutdown", None)
        self.say("exit", None)
        self.process.wait(30)


def measure() -> Measured:
    with tempfile.TemporaryDirectory() as name:
        edits, cancels = _edits_and_cancels(Path(name))
        return _answers(Path(name), edits, cancels)


def _edits_and_cancels(folder: Path) -> tuple[list[float], list[float]]:
    session = _Session(folder)
    session.start(client={"status": True, "jobs": True}, settings={"check": {"debounceMs": 0}})
    uri = session.open("saxpy.cu", KERNEL.format(0))
    edits, cancels = [], []

    def is_judged(version: int) -> Callable[[dict[str, Any]], bool]:
        def judged(params: dict[str, Any]) -> bool:
            checks = [kernel["checked"] for kernel in params["kernels"]]
            is_clean = bool(checks) and all(c["state"] == "clean" and not c["stale"] for c in checks)
            return params["version"] == version and is_clean

        return judged

    session.until("xpiler/status", is_judged(1))
    for version in range(2, EDITS + 2):
        began = time.monotonic()
        session.insert(uri, version, "/* another text */ ")
        session.until("xpiler/status", is_judged(version))
        edits.append(time.monotonic() - began)
    for number in range(1000, 1000 + CANCELS):
        session.say("xpiler/translate", {"uri": uri, "to": "vnni"}, number)
        session.until("xpiler/jobs", lambda params: params["jobs"][-1]["message"] == "running the source")
        began = time.monotonic()
        session.say("$/cancelRequest", {"id": number})
        while session.next().get("id") != number:
            pass
        cancels.append(time.monotonic() - began)
    session.stop()
    return edits, cancels


def _answers(folder: Path, edits: list[float], cancels: list[float]) -> Measured:
    began = time.monotonic()
    session = _Session(folder)
    session.start()
    start = time.monotonic() - began
    began = time.monotonic()
    uri = session.open("parts.cu", TEXT)
    session.until("textDocument/publishDiagnostics")
    first = time.monotonic() - began
    session.say("xpiler/translate", {"uri": uri, "to": "vnni"}, 1_000_000)
    identifier = {"uri": uri}
    place = {"line": 8, "character": 4}
    span = {"start": place, "end": place}
    questions = {
        "hover": ("textDocument/hover", {"textDocument": identifier, "position": place}),
        "lens": ("textDocument/codeLens", {"textDocument": identifier}),
        "action": (
            "textDocument/codeAction",
            {"textDocument": identifier, "range": span, "context": {"diagnostics": []}},
        ),
    }
    times: dict[str, list[float]] = {kind: [] for kind in questions}
    peak = (0.0, 0.0)
    turn = 0
    while time.monotonic() - began < SECONDS:
        turn += 1
        if turn % 10 == 5:
            session.insert(uri, 2 + turn, " ")
        for kind, (method, params) in questions.items():
            asked = time.monotonic()
            assert session.ask(method, params)
            times[kind].append(time.monotonic() - asked)
        pids = descendants(session.process.pid)
        peak = max(peak[0], _memory(session.process.pid)), max(peak[1], sum(map(_memory, pids)))
        time.sleep(0.02)
    session.stop()
    return Measured(start, first, times, edits, cancels, *peak)


def _memory(pid: int) -> float:
    """Megabytes that a process alone holds; pages that it shares count in part."""
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:")) / 1024


if __name__ == "__main__":
    print(measure().report())
