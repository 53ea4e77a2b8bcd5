"""A search in the background: its course is told, and it goes on with the next session."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from lsprotocol import types
from pygls.exceptions import JsonRpcException

from tests.hardware import HAS_AVX512, timed_with_avx512
from tests.server.conftest import Editor, until
from tests.server.test_hostile import QUIET, Wire
from tests.server.test_translation import SAXPY

pytestmark = pytest.mark.asyncio
SIZES = {"n": "4096", "a": "2.5", "grid": "16", "block": "256"}


@timed_with_avx512
async def test_a_search_tells_its_trials_rests_and_has_a_verified_program(
    editor: Editor, tmp_path: Path
) -> None:
    await editor.start(settings=QUIET, client={"jobs": True})
    uri = editor.open("saxpy.cu", SAXPY)
    started = await editor.request("xpiler/tune", uri=uri, to="vnni", arguments=SIZES, trials=2)
    told = editor.notified.setdefault("xpiler/tuning", [])
    await until(lambda: bool(told) and bool(told[-1].trials), 200)
    assert (await editor.request("xpiler/pauseJob", id=started.id)).done
    await until(lambda: told[-1].state in ("paused", "done"), 200)
    if told[-1].state == "paused":
        assert (await editor.request("xpiler/resumeJob", id=started.id)).done
    await until(lambda: told[-1].state == "done", 200)
    course = await editor.request("xpiler/course", id=started.id)
    assert course.trials[0].best and course.trials[0].seconds > 0 and course.hasResult
    assert course.device.startswith("cpu:")
    result = await editor.request("xpiler/result", id=started.id)
    assert result.status == "verified" and "immintrin.h" in result.text


async def test_a_search_outlives_its_server(editor: Editor, tmp_path: Path) -> None:
    first = Wire()
    root = tmp_path.as_uri()
    path = tmp_path / "saxpy.cu"
    path.write_text(SAXPY)
    options = {"settings": QUIET}
    params = {"processId": None, "rootUri": root, "capabilities": {}, "initializationOptions": options}
    first.say(id=1, method="initialize", params=params)
    first.receive(1)
    first.say(method="initialized", params={})
    asked = {"uri": path.as_uri(), "to": "vnni", "arguments": SIZES, "trials": 1}
    first.say(id=2, method="xpiler/tune", params=asked)
    id = first.receive(2)["result"]["id"]
    first.say(id=3, method="xpiler/pauseJob", params={"id": id})
    assert first.receive(3)["result"]["done"]
    os.kill(first.process.pid, 9)
    first.process.wait()
    await editor.start(settings=QUIET, client={"jobs": True})
    (job,) = (await editor.request("xpiler/jobs")).jobs
    assert (job.id, job.kind) == (id, "tune")
    await editor.request("xpiler/resumeJob", id=id)
    await until(lambda: any(told.trials for told in editor.notified.get("xpiler/tuning", [])), 200)
    await editor.request("xpiler/cancelJob", id=id)  # unless it has ended
    assert (await editor.request("xpiler/result", id=id)).status == "verified"


async def test_what_cannot_be_tuned_is_said(editor: Editor) -> None:
    await editor.start(settings={**QUIET, "trusted": False})
    uri = editor.open("saxpy.cu", SAXPY)
    with pytest.raises(JsonRpcException, match="isn't trusted"):
        await editor.request("xpiler/tune", uri=uri, to="vnni")
    editor.client.workspace_did_change_configuration(
        types.DidChangeConfigurationParams({"xpiler": {"trusted": True}})
    )
    with pytest.raises(JsonRpcException, match="-1 minutes"):
        await editor.request("xpiler/tune", uri=uri, to="vnni", minutes=-1)
    found = (await editor.request("xpiler/devices")).devices
    assert any("vnni" in device.runs for device in found) == HAS_AVX512
