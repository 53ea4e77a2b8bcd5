"""A translation beside its source: compared in the background, repaired, and the contract that both go by."""

from __future__ import annotations

from pathlib import Path

import pytest
from lsprotocol import types
from pygls.exceptions import JsonRpcException

from tests.server.conftest import Editor, until
from tests.server.test_reading import apply

SOURCE = """__global__ void saxpy(int n, float a, const float *x, float *y) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) y[i] = a * x[i] + y[i];
}
"""
RIGHT = '#include "hip/hip_runtime.h"\n' + SOURCE
WRONG = RIGHT.replace("+ y[i]", "- y[i]")
PATIENT = {"check": {"enable": False}, "repair": {"seconds": 300}}  # also on a busy machine
pytestmark = pytest.mark.asyncio


async def repairs(editor: Editor, uri: str, found: list[types.Diagnostic]) -> dict[str, types.CodeAction]:
    context = types.CodeActionContext(found, only=["quickfix"])
    params = types.CodeActionParams(types.TextDocumentIdentifier(uri), found[0].range, context)
    return {a.title: a for a in await editor.client.text_document_code_action_async(params) or []}


async def suggested(editor: Editor, uri: str, position: types.Position) -> list[types.InlineCompletionItem]:
    context = types.InlineCompletionContext(types.InlineCompletionTriggerKind.Invoked)
    params = types.InlineCompletionParams(context, types.TextDocumentIdentifier(uri), position)
    found = await editor.client.text_document_inline_completion_async(params)
    assert isinstance(found, list)
    return found


async def test_a_wrong_translation_is_marked_and_repaired(editor: Editor) -> None:
    await editor.start("emacs", settings=PATIENT)
    source = editor.open("saxpy.cu", SOURCE)
    target = editor.open("saxpy.hip", WRONG, "hip")
    await editor.request("xpiler/pair", source=source, target=target)
    found = await editor.diagnostics(target, lambda found: any(d.code == "XP-DIFFERS" for d in found))
    assert found[0].related_information and found[0].related_information[0].location.uri == source
    await until(lambda: editor.client.diagnostics[target][0].range.start.line == 3)  # where the fault is
    found = list(editor.client.diagnostics[target])
    assert found[0].related_information[0].location.range.start.line == 2
    offered: dict[str, types.CodeAction] = {}
    for _ in range(50):
        offered = await repairs(editor, target, found)
        if offered:
            break
        await editor.diagnostics(target)
    action = offered["Apply repair (verified)"]
    assert action.is_preferred and action.edit
    wrong = WRONG.split("\n")[3]
    (suggestion,) = await suggested(editor, target, types.Position(3, wrong.index("- y[i]")))
    assert suggestion.insert_text == "+" and suggestion.range.start.character == wrong.index("- y[i]")
    (change,) = action.edit.document_changes or []
    assert isinstance(change, types.TextDocumentEdit)
    editor.replace(target, apply(WRONG, list(change.edits)))
    await editor.diagnostics(target, lambda found: not found)


async def test_a_pair_is_compared_again_after_an_edit(editor: Editor) -> None:
    await editor.start(
        settings={"check": {"enable": False}, "repair": {"automatic": False}}, client={"status": True}
    )
    source = editor.open("saxpy.cu", SOURCE)
    target = editor.open("saxpy.hip", RIGHT, "hip")

    def state() -> tuple[str, bool]:
        told = [
            n.kernels[0] for n in editor.notified.get("xpiler/status", []) if n.uri == source and n.kernels
        ]
        return next((t.state, t.stale) for t in told[-1].targets if t.to == "hip") if told else ("", False)

    await editor.request("xpiler/pair", source=source, target=target)
    await until(lambda: state() == ("tested", False))
    editor.replace(target, WRONG)
    await editor.diagnostics(target)
    await until(lambda: state() == ("failed", False))


async def test_a_repair_on_request(editor: Editor) -> None:
    await editor.start(settings=PATIENT)
    source = editor.open("saxpy.cu", SOURCE)
    target = editor.open("saxpy.hip", WRONG, "hip")
    told = await editor.request("xpiler/repair", source={"uri": source}, target={"uri": target})
    assert told.status == "repaired", told.message
    assert "+ y[i]" in told.text
    assert told.localized.range.start.line == 3
    assert told.edits


async def test_stated_values_are_kept_beside_the_kernel(editor: Editor, tmp_path: Path) -> None:
    await editor.start(settings={"check": {"enable": False}})
    uri = editor.open("saxpy.cu", SOURCE)
    (tmp_path / "saxpy.xpiler.toml").write_text("# mine\n[args]\nn = 8  # small\n")
    values = {"n": "1000", "a": "2.5", "grid": "4", "block": "256", "shape:x": "n,2"}
    told = await editor.request("xpiler/setArguments", uri=uri, arguments=values)
    assert told.sidecar == (tmp_path / "saxpy.xpiler.toml").as_uri()
    text = (tmp_path / "saxpy.xpiler.toml").read_text()
    assert text == (
        "# mine\n[args]\nn = 1000  # small\na = 2.5\n\n"
        '[launch]\ngrid = [4]\nblock = [256]\n\n[shapes]\nx = ["n", 2]\n'
    )
    with pytest.raises(JsonRpcException, match="no number"):
        await editor.request("xpiler/setArguments", uri=uri, arguments={"n": "many"})
    assert (tmp_path / "saxpy.xpiler.toml").read_text() == text


async def test_a_command_makes_a_new_file_that_is_paired(editor: Editor, tmp_path: Path) -> None:
    await editor.start(settings={"check": {"enable": False}})
    uri = editor.open("saxpy.cu", SOURCE)
    (tmp_path / "saxpy.hip").write_text("// mine\n")
    params = types.ExecuteCommandParams("xpiler.server.translate", [{"uri": uri, "to": "hip"}])
    told = await editor.client.workspace_execute_command_async(params)
    assert told["id"]
    await until(lambda: bool(editor.applied))
    create, change = editor.applied[0].edit.document_changes or []
    assert isinstance(create, types.CreateFile) and create.uri == (tmp_path / "saxpy-2.hip").as_uri()
    assert isinstance(change, types.TextDocumentEdit) and "hip_runtime" in change.edits[0].new_text
    await until(lambda: any("verified" in m.message for m in editor.client.messages))


async def test_what_only_the_user_knows_is_asked_for(editor: Editor) -> None:
    await editor.start(settings={"check": {"enable": False}})
    text = "__global__ void f(float *x) { x[blockIdx.x * blockDim.x + threadIdx.x] *= 2; }\n"
    uri = editor.open("f.cu", text)
    told = await editor.request("xpiler/translate", uri=uri, to="vnni")
    assert told.status == "refused"
    assert told.missing[0].flag == "--grid" and told.missing[0].kind == "grid"
    answered = await editor.request(
        "xpiler/translate", uri=uri, to="vnni", arguments={"grid": "4", "block": "64"}
    )
    assert answered.status == "verified"


async def test_a_statement_leads_to_the_one_that_stands_for_it(editor: Editor) -> None:
    await editor.start(settings={"check": {"enable": False}, "trusted": False})
    source = editor.open("saxpy.cu", SOURCE)
    target = editor.open("saxpy.hip", RIGHT, "hip")
    await editor.request("xpiler/pair", source=source, target=target)
    there = await editor.request("xpiler/counterpart", uri=source, position={"line": 2, "character": 14})
    assert (there.uri, there.range.start.line) == (target, 3)
    back = await editor.request("xpiler/counterpart", uri=target, position={"line": 3, "character": 14})
    assert (back.uri, back.range.start.line) == (source, 2)
    assert (
        await editor.request("xpiler/counterpart", uri=target, position={"line": 0, "character": 1}) is None
    )
