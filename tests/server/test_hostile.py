"""Input and events that no friendly editor sends: the server answers, lives, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from lsprotocol import types
from pygls.exceptions import JsonRpcException
from xpiler_server.engine.process_tree import descendants

from tests.server.conftest import SERVER, Editor, until

SAXPY = """__global__ void saxpy(int n, float a, const float *x, float *y) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) y[i] = a * x[i] + y[i];
}
"""
QUIET = {"check": {"enable": False}}


class Wire:
    """The bytes of a session, without a client in between."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(SERVER, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def send(self, body: bytes, header: bytes | None = None) -> None:
        assert self.process.stdin
        self.process.stdin.write((header or b"Content-Length: %d\r\n\r\n" % len(body)) + body)
        self.process.stdin.flush()

    def say(self, **message: Any) -> None:
        self.send(json.dumps({"jsonrpc": "2.0", **message}).encode())

    def receive(self, id: int) -> dict[str, Any]:
        """The answer to a request; what else comes is passed over."""
        assert self.process.stdout
        while True:
            length = 0
            while (line := self.process.stdout.readline().strip()) != b"":
                if line.lower().startswith(b"content-length:"):
                    length = int(line.split(b":")[1])
            message = json.loads(self.process.stdout.read(length))
            if message.get("id") == id and "method" not in message:
                return dict(message)

    def start(self, **capabilities: Any) -> None:
        self.say(
            id=1,
            method="initialize",
            params={"processId": None, "rootUri": None, "capabilities": capabilities},
        )
        assert self.receive(1)["result"]["serverInfo"]["name"] == "xpiler"
        self.say(method="initialized", params={})

    def stop(self) -> int:
        self.say(id=99, method="shutdown")
        self.receive(99)
        self.say(method="exit")
        return self.process.wait(30)


def test_messages_that_make_no_sense_do_not_end_the_session() -> None:
    wire = Wire()
    wire.start()
    wire.send(b"{this is not json")
    wire.send(b"[]")
    wire.send(b"", b"Content-Length: many\r\n\r\n")
    wire.say(method="textDocument/didChange", params={"textDocument": {"uri": "file:///never-opened.cu"}})
    wire.say(
        method="textDocument/didChange",
        params={"textDocument": {"uri": "file:///no.cu", "version": 2}, "contentChanges": [{"text": "x"}]},
    )
    wire.say(id=2, method="xpiler/translate", params={"uri": "k.cu", "arguments": 7})
    assert wire.receive(2)["error"]["code"] == -32602
    wire.say(id=3, method="xpiler/translate")
    assert wire.receive(3)["error"]["code"] == -32602
    wire.say(id=4, method="xpiler/nonsense", params={})
    assert wire.receive(4)["error"]["code"] == -32601
    wire.say(id=5, method="xpiler/jobs", params={})
    assert wire.receive(5)["result"] == {"jobs": []}
    wire.say(
        id=6, method="workspace/executeCommand", params={"command": "xpiler.server.check", "arguments": [1]}
    )
    assert wire.receive(6)["error"]["code"] == -32602
    assert wire.stop() == 0


def test_nothing_that_prints_gets_between_the_messages(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import atexit, os, sys\nprint('from python')\natexit.register(lambda: os.write(1, b'at exit'))\n"
    )
    path = f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
    code = "import xpiler_server.main as m, os; os.sys.stdout.flush(); own = m._own_stdout(); " + (
        "print('lost'); os.system('echo lost'); own.write(b'kept'); own.flush()"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, env={**os.environ, "PYTHONPATH": path}
    )
    assert ran.stdout.replace(b"from python\n", b"") == b"kept"
    assert ran.stderr.count(b"lost") == 2


def test_a_server_whose_editor_is_gone_leaves_nothing() -> None:
    wire = Wire()
    wire.start()
    item = {"uri": "file:///k.cu", "languageId": "cuda-cpp", "version": 1, "text": SAXPY}
    wire.say(method="textDocument/didOpen", params={"textDocument": item})
    wire.say(id=2, method="xpiler/translate", params={"uri": "file:///k.cu", "to": "vnni"})
    _wait(lambda: len(descendants(wire.process.pid)) >= 2)
    started = descendants(wire.process.pid)
    wire.process.kill()
    wire.process.wait()
    _wait(lambda: not any(_runs(pid) for pid in started))


def test_shutdown_ends_running_jobs_at_once() -> None:
    wire = Wire()
    wire.start()
    item = {"uri": "file:///k.cu", "languageId": "cuda-cpp", "version": 1, "text": SAXPY}
    wire.say(method="textDocument/didOpen", params={"textDocument": item})
    for number, to in enumerate(("vnni", "hip", "bang")):
        wire.say(id=10 + number, method="xpiler/translate", params={"uri": "file:///k.cu", "to": to})
    _wait(lambda: len(descendants(wire.process.pid)) >= 2)
    started = descendants(wire.process.pid)
    before = time.monotonic()
    assert wire.stop() == 0
    assert time.monotonic() - before < 10
    assert not any(_runs(pid) for pid in started)


def _wait(condition: Any, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.asyncio
async def test_a_thousand_rapid_edits_end_in_the_diagnostics_of_the_last_text(editor: Editor) -> None:
    await editor.start(settings=QUIET)
    uri = editor.open("saxpy.cu", SAXPY)
    bad = '__global__ void k(float *x) { asm("bar.sync 0;"); x[0] = 1; }\n'
    for number in range(1000):
        place = types.Range(types.Position(0, 0), types.Position(0, 1 if number % 2 else 0))
        editor.change(uri, types.TextDocumentContentChangePartial(place, "" if number % 2 else " "))
    end = types.Range(types.Position(99, 0), types.Position(99, 0))
    editor.change(uri, types.TextDocumentContentChangePartial(end, bad))
    (found,) = await editor.diagnostics(uri)
    assert found.range.start.line == 4 and "inline assembly" in found.message


@pytest.mark.asyncio
async def test_a_storm_of_cancelled_requests_leaves_the_server_calm(editor: Editor) -> None:
    await editor.start(settings=QUIET)
    uri = editor.open("saxpy.cu", SAXPY)
    await editor.diagnostics(uri, lambda found: True)
    server = editor.client._server
    assert server is not None
    before = set(descendants(server.pid))
    asked = []
    for number in range(60):
        sent = editor.client.protocol.send_request(
            "xpiler/translate", {"uri": uri, "to": "hip"}, msg_id=f"S{number}"
        )
        asked.append(asyncio.wrap_future(sent))
        editor.client.cancel_request(types.CancelParams(id=f"S{number}"))
        editor.client.cancel_request(types.CancelParams(id=f"nobody {number}"))
    for outcome in await asyncio.gather(*asked, return_exceptions=True):
        assert isinstance(outcome, JsonRpcException)
    jobs = (await editor.request("xpiler/jobs")).jobs
    assert {job.state for job in jobs} <= {"cancelled"}
    await until(lambda: not set(descendants(server.pid)) - before)


@pytest.mark.asyncio
async def test_a_huge_file_is_said_to_be_one(editor: Editor) -> None:
    await editor.start()
    uri = editor.open("huge.cu", "// filler 😋\n" * 250_000)
    (found,) = await editor.diagnostics(uri)
    assert found.code == "too-large"
    last = types.Range(types.Position(249_999, 0), types.Position(249_999, 2))
    editor.change(uri, types.TextDocumentContentChangePartial(last, ""))
    params = types.HoverParams(types.TextDocumentIdentifier(uri), types.Position(249_999, 3))
    assert await editor.client.text_document_hover_async(params) is None


@pytest.mark.asyncio
async def test_wrong_settings_are_told_once_and_right_ones_work_at_once(editor: Editor) -> None:
    await editor.start(settings={"jobs": {"maxParallel": -1}, "check": {"enable": "yes"}})
    await until(lambda: len(editor.client.messages) == 2)
    told = " ".join(message.message for message in editor.client.messages)
    assert "xpiler.jobs.maxParallel: -1 is not from 0 to 256" in told
    assert "xpiler.check.enable: 'yes' is neither true nor false" in told
    uri = editor.open("saxpy.cu", SAXPY)
    editor.client.set_configuration({"xpiler": {"trusted": True}})  # out of the workspace's own settings
    editor.client.workspace_did_change_configuration(
        types.DidChangeConfigurationParams({"xpiler": {"trusted": False}})
    )
    while "trusted: False" not in (await editor.request("xpiler/collectDiagnostics")).text:
        await asyncio.sleep(0.1)
    result = await editor.request("xpiler/translate", uri=uri, to="hip")
    assert result.evidence[-1].detail == "not run: the workspace isn't trusted"


@pytest.mark.asyncio
async def test_a_killed_parser_is_replaced_and_the_user_is_told(editor: Editor) -> None:
    await editor.start(settings=QUIET)
    uri = editor.open("saxpy.cu", SAXPY)
    await editor.diagnostics(uri, lambda found: True)
    server = editor.client._server
    assert server is not None
    for pid in descendants(server.pid):
        os.kill(pid, 9)
    editor.replace(uri, '__global__ void k(float *x) { asm("bar.sync 0;"); x[0] = 1; }\n')
    await editor.diagnostics(uri)


@pytest.mark.asyncio
async def test_the_next_session_finds_what_was_done(editor: Editor, tmp_path: Path) -> None:
    await editor.start(settings=QUIET)
    uri = editor.open("saxpy.cu", SAXPY)
    result = await editor.request("xpiler/translate", uri=uri, to="hip")
    wire = Wire()
    wire.say(
        id=1,
        method="initialize",
        params={"processId": None, "rootUri": tmp_path.as_uri(), "capabilities": {}},
    )
    wire.receive(1)
    wire.say(id=2, method="xpiler/result", params={"id": result.jobId})
    found = wire.receive(2)["result"]
    assert (found["status"], found["sourceText"], found["current"]) == ("verified", SAXPY, True)
    (tmp_path / "saxpy.xpiler.toml").write_text("[arg]\nn = 512\n")
    wire.say(id=4, method="xpiler/result", params={"id": result.jobId})
    assert wire.receive(4)["result"]["current"] is False
    wire.say(id=3, method="xpiler/evidence", params={"uri": uri, "to": "hip"})
    assert wire.receive(3)["result"]["text"] == result.text
    assert wire.stop() == 0
