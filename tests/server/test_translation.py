"""Translating on request: a job with progress, a result with evidence, a process that can be ended."""

from __future__ import annotations

import asyncio
import contextlib
import os
from pathlib import Path

import pytest
from lsprotocol import types
from pygls.exceptions import JsonRpcException

from tests.server.conftest import Editor, until

SAXPY = """__global__ void saxpy(int n, float a, const float *x, float *y) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) y[i] = a * x[i] + y[i];
}
"""
pytestmark = pytest.mark.asyncio


def children_of(pid: int) -> list[int]:
    from xpiler_server.engine.process_tree import descendants

    return descendants(pid)


async def test_a_translation_comes_with_its_evidence_and_tells_its_progress(editor: Editor) -> None:
    await editor.start()
    uri = editor.open("saxpy.cu", SAXPY)
    editor.client.progress_reports["T"] = []
    result = await editor.request("xpiler/translate", uri=uri, to="hip", workDoneToken="T")
    assert result.status == "verified"
    assert "hip_runtime" in result.text
    assert result.fileName == "saxpy.hip"
    assert [rung.rung for rung in result.evidence][:2] == ["parsed", "compiled"]
    assert all(rung.ok for rung in result.evidence)
    reports = editor.client.progress_reports["T"]
    assert isinstance(reports[0], types.WorkDoneProgressBegin) and reports[0].cancellable
    assert "running the source" in [getattr(report, "message", "") for report in reports]
    assert isinstance(reports[-1], types.WorkDoneProgressEnd)
    percentages = [r.percentage for r in reports if isinstance(r, types.WorkDoneProgressReport)]
    assert percentages == sorted(percentages)


async def test_what_cannot_be_translated_says_where_and_why(editor: Editor) -> None:
    await editor.start()
    uri = editor.open("k.cu", '__global__ void k(float *x) {\n  asm("bar.sync 0;");\n  x[0] = 1;\n}\n')
    result = await editor.request("xpiler/translate", uri=uri, to="hip")
    assert (result.status, result.text) == ("refused", None)
    assert result.diagnostics[0].range.start.line == 1


async def test_a_text_that_is_on_no_disk_is_translated_too(editor: Editor) -> None:
    await editor.start()
    uri = editor.open("untitled:Untitled-1", SAXPY)
    result = await editor.request("xpiler/translate", uri=uri, to="hip")
    assert (result.status, result.fileName) == ("verified", "Untitled-1.hip")


async def test_a_cancelled_request_ends_its_processes(editor: Editor) -> None:
    await editor.start(settings={"check": {"enable": False}})
    uri = editor.open("saxpy.cu", SAXPY)
    server = editor.client._server
    assert server is not None
    await editor.diagnostics(uri, lambda found: True)
    before = set(children_of(server.pid))
    asked = editor.client.protocol.send_request("xpiler/translate", {"uri": uri, "to": "vnni"}, msg_id="X1")
    await until(lambda: bool(set(children_of(server.pid)) - before))
    editor.client.cancel_request(types.CancelParams(id="X1"))
    with pytest.raises(JsonRpcException) as error:
        await asyncio.wrap_future(asked)
    assert error.value.code == types.LSPErrorCodes.RequestCancelled
    await until(lambda: not set(children_of(server.pid)) - before, 5)
    (job,) = (await editor.request("xpiler/jobs")).jobs
    assert job.state == "cancelled"


async def test_a_job_is_cancelled_by_its_id_and_tried_again(editor: Editor) -> None:
    await editor.start(client={"jobs": True})
    uri = editor.open("saxpy.cu", SAXPY)
    asked = editor.client.protocol.send_request("xpiler/translate", {"uri": uri, "to": "hip"}, msg_id="X2")
    await until(lambda: bool(editor.notified.get("xpiler/jobs")))
    job = editor.notified["xpiler/jobs"][-1].jobs[0]
    assert (await editor.request("xpiler/cancelJob", id=job.id)).cancelled
    with pytest.raises(JsonRpcException):
        await asyncio.wrap_future(asked)
    again = await editor.request("xpiler/retryJob", id=job.id)
    await until(lambda: editor.notified["xpiler/jobs"][-1].jobs[-1].state == "done", 90)
    result = await editor.request("xpiler/result", id=again.id)
    assert result.status == "verified"


async def test_a_killed_worker_is_told_and_the_next_job_has_another(editor: Editor) -> None:
    await editor.start(settings={"check": {"enable": False}})
    uri = editor.open("saxpy.cu", SAXPY)
    server = editor.client._server
    assert server is not None
    await editor.diagnostics(uri, lambda found: True)
    before = set(children_of(server.pid))
    asked = editor.client.protocol.send_request("xpiler/translate", {"uri": uri, "to": "vnni"}, msg_id="X3")
    await until(lambda: bool(set(children_of(server.pid)) - before))
    os.kill((set(children_of(server.pid)) - before).pop(), 9)
    with pytest.raises(JsonRpcException, match="SIGKILL"):
        await asyncio.wrap_future(asked)
    result = await editor.request("xpiler/translate", uri=uri, to="hip")
    assert result.status == "verified"


async def test_a_killed_compiler_is_told_and_retry_works(editor: Editor) -> None:
    await editor.start(settings={"check": {"enable": False}}, client={"jobs": True})
    uri = editor.open("saxpy.cu", SAXPY)
    server = editor.client._server
    assert server is not None
    asked = asyncio.create_task(editor.request("xpiler/translate", uri=uri, to="vnni"))
    while not asked.done():
        for pid in children_of(server.pid):
            with contextlib.suppress(OSError):
                if Path(f"/proc/{pid}/comm").read_text() == "cc1plus\n":
                    os.kill(pid, 9)
        await asyncio.sleep(0.005)
    told = await asked
    assert told.status != "verified"
    words = [d.message for d in told.diagnostics] + [r.detail for r in told.evidence if not r.ok]
    assert any("Killed signal" in text for text in words), words
    again = await editor.request("xpiler/retryJob", id=told.jobId)
    await until(lambda: any(job.message == "verified" for job in editor.notified["xpiler/jobs"][-1].jobs))
    assert (await editor.request("xpiler/result", id=again.id)).status == "verified"


async def test_nothing_of_an_untrusted_workspace_is_run(editor: Editor) -> None:
    await editor.start(settings={"trusted": False})
    uri = editor.open("saxpy.cu", SAXPY)
    result = await editor.request("xpiler/translate", uri=uri, to="hip")
    assert (result.status, "hip_runtime" in result.text) == ("unverified", True)
    assert result.evidence[-1].detail == "not run: the workspace isn't trusted"
    with pytest.raises(JsonRpcException, match="isn't trusted"):
        await editor.request("xpiler/verify", source={"uri": uri}, target={"uri": uri})
