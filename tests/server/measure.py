"""`python -m tests.server.measure`: how quickly the server answers while a translation runs, and its memory.

A 500-line file is open, a translation of it runs, and hovers, lenses and code actions are asked for one after
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


@dataclass(frozen=True)
class Measured:
    """Seconds: to the first diagnostics after opening, of requests by kind; megabytes of the processes."""

    start: float
    first: float
    requests: dict[str, list[float]]
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
        lines.append(f"memory: server {self.server:.0f} MB, its processes {self.workers:.0f} MB")
        return "\n".join(lines)


class _Session:
    def __init__(self, folder: Path) -> None:
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

    def until(self, method: str) -> dict[str, Any]:
        while (message := self.next()).get("method") != method:
            pass
        return message


def measure() -> Measured:
    with tempfile.TemporaryDirectory() as name:
        return _measure(Path(name))


def _measure(folder: Path) -> Measured:
    path = folder / "parts.cu"
    path.write_text(TEXT)
    uri = path.as_uri()
    began = time.monotonic()
    session = _Session(folder)
    session.ask("initialize", {"processId": None, "rootUri": folder.as_uri(), "capabilities": {}})
    session.say("initialized", {})
    start = time.monotonic() - began
    began = time.monotonic()
    item = {"uri": uri, "languageId": "cuda-cpp", "version": 1, "text": TEXT}
    session.say("textDocument/didOpen", {"textDocument": item})
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
            edit = {
                "range": {"start": {"line": 0, "character": 0}, "end": {"line": 0, "character": 0}},
                "text": " ",
            }
            session.say(
                "textDocument/didChange",
                {"textDocument": {**identifier, "version": 2 + turn}, "contentChanges": [edit]},
            )
        for kind, (method, params) in questions.items():
            asked = time.monotonic()
            assert session.ask(method, params)
            times[kind].append(time.monotonic() - asked)
        pids = descendants(session.process.pid)
        peak = max(peak[0], _memory(session.process.pid)), max(peak[1], sum(map(_memory, pids)))
        time.sleep(0.02)
    session.ask("shutdown", None)
    session.say("exit", None)
    session.process.wait(30)
    return Measured(start, first, times, *peak)


def _memory(pid: int) -> float:
    """Megabytes that a process alone holds; pages that it shares count in part."""
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:")) / 1024


if __name__ == "__main__":
    print(measure().report())
