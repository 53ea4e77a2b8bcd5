"""A language model in the editor's jobs, spoken to over a real socket; the key is the environment's alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from lsprotocol import types

from tests.server.conftest import Editor, until
from tests.server.test_translation import SAXPY
from xpiler.bench.stand_in import Answer, Messages, StandIn

KEY = "sk-very-secret"
HIP = "#include <hip/hip_runtime.h>\n// as sketched\n" + SAXPY
pytestmark = pytest.mark.asyncio


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XPILER_API_KEY", KEY)


def settings(server: StandIn, **more: object) -> dict[str, object]:
    return {"model": {"name": "stand-in", "baseUrl": server.base_url, **more}, "check": {"enable": False}}


async def test_what_becomes_of_a_sketch_is_told_by_the_job_and_kept_with_the_result(
    editor: Editor, own_cache: Path
) -> None:
    def answer(messages: Messages) -> Answer:
        has_failed = any(message["role"] == "assistant" for message in messages)
        return Answer(f"```cpp\n{HIP}```" if has_failed else "I would rather not.")

    with StandIn(answer) as server:
        await editor.start(settings=settings(server), client={"jobs": True})
        uri = editor.open("saxpy.cu", SAXPY)
        result = await editor.request("xpiler/translate", uri=uri, to="hip")
    assert (result.status, result.text.strip()) == ("verified", HIP.strip())
    expected = ["sketched", "failed", "sketched", "accepted", "chosen"]
    assert [event.what for event in result.events] == expected
    assert any(rung.tool == "model" for rung in result.evidence)
    (job,) = (await editor.request("xpiler/jobs")).jobs
    assert [event.what for event in job.events] == expected
    assert server.keys == [f"Bearer {KEY}"] * 2
    kept = [path for path in own_cache.rglob("*") if path.is_file()]
    assert kept and not any(KEY.encode() in path.read_bytes() for path in kept)
    assert KEY not in str(editor.client.log_messages)


async def test_the_models_of_an_endpoint_are_listed_and_one_is_tried(editor: Editor) -> None:
    with StandIn(lambda messages: Answer("ready"), models=("b", "a")) as server:
        await editor.start(settings=settings(server))
        told = await editor.request("xpiler/models")
        assert (told.baseUrl, told.models, told.error) == (server.base_url, ["a", "b"], "")
        tried = await editor.request("xpiler/tryModel", name="a")
        assert tried.ok and f"a at {server.base_url} answered" in tried.message
        none = await editor.request("xpiler/tryModel", baseUrl="http://127.0.0.1:9/v1")
        assert not none.ok and "cannot be reached" in none.message
        wrong = await editor.request("xpiler/models", baseUrl="nowhere")
        assert "is no http(s) address" in wrong.error
        params = types.ExecuteCommandParams("xpiler.server.tryModel")
        assert (await editor.client.workspace_execute_command_async(params))["ok"]
        await until(lambda: any("answered" in message.message for message in editor.client.messages))


async def test_no_model_is_asked_where_none_is_wanted(editor: Editor) -> None:
    with StandIn(lambda messages: Answer("ready")) as server:
        await editor.start(settings={**settings(server, enable=False), "trusted": True})
        uri = editor.open("saxpy.cu", SAXPY)
        assert (await editor.request("xpiler/translate", uri=uri, to="hip")).events == []
        editor.client.set_configuration(
            {"xpiler": {"model": {"enable": True}}}
        )  # the workspace's own settings
        editor.client.workspace_did_change_configuration(
            types.DidChangeConfigurationParams({"xpiler": {"trusted": False}})
        )
        assert (await editor.request("xpiler/translate", uri=uri, to="hip")).events == []
    assert server.asked == []
