"""What an editor asks while one reads: diagnostics, fixes, lenses, hovers, hints, symbols."""

from __future__ import annotations

import pytest
from lsprotocol import types

from tests.server.conftest import Editor, until

RACE = """#define N 64
__global__ void turn(const float *in, float *out) {
  __shared__ float s[N];
  int t = threadIdx.x;
  s[t] = in[t];
  out[t] = s[N - 1 - t];
}
void launch(const float *in, float *out) { turn<<<1, N>>>(in, out); }
"""
LOOPS = """__global__ void sum(const float *x, float *y, int n) {
  float total = 0;
  for (int k = 0; k < 32; k += 2) total += x[k];
  for (int i = 0; i < n; i++) total += x[i];
  __syncthreads();
  y[threadIdx.x] = total;
}
void launch(const float *x, float *y, int n) { sum<<<1, 128>>>(x, y, n); }
"""
pytestmark = pytest.mark.asyncio


def apply(text: str, edits: list[types.TextEdit]) -> str:
    lines = text.split("\n")
    starts = [sum(len(line) + 1 for line in lines[:n]) for n in range(len(lines) + 1)]
    at = lambda p: starts[p.line] + p.character  # noqa: E731
    for edit in sorted(edits, key=lambda e: (e.range.start.line, e.range.start.character), reverse=True):
        text = text[: at(edit.range.start)] + edit.new_text + text[at(edit.range.end) :]
    return text


async def actions(
    editor: Editor, uri: str, found: list[types.Diagnostic], only: list[str] | None = None
) -> list[types.CodeAction]:
    place = found[0].range if found else types.Range(types.Position(2, 4), types.Position(2, 4))
    context = types.CodeActionContext(found, only=only)
    params = types.CodeActionParams(types.TextDocumentIdentifier(uri), place, context)
    return list(await editor.client.text_document_code_action_async(params) or [])


async def lenses(editor: Editor, uri: str) -> list[str]:
    params = types.CodeLensParams(types.TextDocumentIdentifier(uri))
    found = await editor.client.text_document_code_lens_async(params) or []
    return [lens.command.title for lens in found if lens.command]


async def hover(editor: Editor, uri: str, line: int, character: int) -> str:
    params = types.HoverParams(types.TextDocumentIdentifier(uri), types.Position(line, character))
    found = await editor.client.text_document_hover_async(params)
    return found.contents.value if found and isinstance(found.contents, types.MarkupContent) else ""


@pytest.mark.parametrize("name", ["visual-studio-code", "neovim", "emacs"])
async def test_a_race_is_shown_with_its_values_and_its_fix_removes_it(editor: Editor, name: str) -> None:
    await editor.start(name)
    uri = editor.open("turn.cu", "// 😋\n" + RACE)
    (found,) = await editor.diagnostics(uri)
    assert found.code == "XP-RACE"
    assert found.code_description and found.code_description.href.endswith("docs/checks/XP-RACE.md")
    first = found.message.split("\n")[0]
    assert "threadIdx.x = 63; the other: threadIdx.x = 0" in first
    assert found.related_information and found.related_information[0].location.range.start.line == 5
    offered = await actions(editor, uri, [found], ["quickfix"])
    assert [(a.title, a.is_preferred) for a in offered] == [("Insert `__syncthreads();` before line 7", True)]
    edit = offered[0].edit
    assert edit is not None
    if name != "neovim":
        (change,) = edit.document_changes or []
        assert isinstance(change, types.TextDocumentEdit) and change.text_document.version == 1
        edits = list(change.edits)
    else:
        edits = list((edit.changes or {})[uri])
    fixed = apply("// 😋\n" + RACE, edits)
    editor.replace(uri, fixed)
    await editor.diagnostics(uri, lambda found: not found)


async def test_a_fix_is_suggested_on_the_line_that_it_changes(editor: Editor) -> None:
    told = await editor.start()
    assert told.capabilities.inline_completion_provider is not None
    uri = editor.open("turn.cu", RACE)
    await editor.diagnostics(uri)
    context = types.InlineCompletionContext(types.InlineCompletionTriggerKind.Invoked)

    async def suggested(line: int, character: int) -> list[types.InlineCompletionItem]:
        place = types.TextDocumentIdentifier(uri), types.Position(line, character)
        found = await editor.client.text_document_inline_completion_async(
            types.InlineCompletionParams(context, *place)
        )
        assert isinstance(found, list)
        return found

    (item,) = await suggested(5, 0)
    assert item.range == types.Range(types.Position(5, 0), types.Position(5, 2))
    assert item.insert_text == "  __syncthreads();\n  "
    assert await suggested(4, 0) == []
    editor.replace(uri, apply(RACE, [types.TextEdit(item.range, item.insert_text)]))
    await editor.diagnostics(uri, lambda found: not found)
    assert await suggested(5, 0) == []


async def test_fix_all_comes_only_when_asked_for(editor: Editor) -> None:
    await editor.start()
    uri = editor.open("turn.cu", RACE)
    found = await editor.diagnostics(uri)
    assert "Fix all that Xpiler found" not in [a.title for a in await actions(editor, uri, found)]
    (everything,) = await actions(editor, uri, found, ["source.fixAll"])
    assert everything.edit is not None


async def test_an_old_finding_moves_with_the_text_and_a_stale_fix_is_not_offered(editor: Editor) -> None:
    await editor.start(settings={"check": {"debounceMs": 60000}})
    uri = editor.open("turn.cu", RACE)
    (before,) = await editor.diagnostics(uri)
    top = types.Range(types.Position(0, 0), types.Position(0, 0))
    editor.change(uri, types.TextDocumentContentChangePartial(top, "\n\n"))
    (moved,) = await editor.diagnostics(uri, lambda f: f[0].range.start.line == before.range.start.line + 2)
    assert (await actions(editor, uri, [moved], ["quickfix"]))[0].edit is not None
    line = moved.range.start.line
    place = types.Range(types.Position(line, 0), types.Position(line, 30))
    editor.change(uri, types.TextDocumentContentChangePartial(place, "  out[t] = s[t];"))
    await editor.diagnostics(uri, lambda found: not found)


async def test_a_refused_kernel_is_underlined_at_once_in_the_encoding_of_the_editor(editor: Editor) -> None:
    await editor.start()
    text = '// 😋\n__global__ void k(float *x) { /* 😋 */ asm("bar.sync 0;"); x[0] = 1; }\n'
    uri = editor.open("k.cu", text)
    (found,) = await editor.diagnostics(uri)
    line = text.split("\n")[1].encode("utf-16-le")
    assert line[2 * found.range.start.character :].decode("utf-16-le").startswith("asm")
    assert "inline assembly" in found.message


async def test_only_the_text_as_it_is_counts(editor: Editor) -> None:
    await editor.start()
    uri = editor.open("turn.cu", RACE)
    editor.replace(uri, "__global__ void k(float *x) { x[threadIdx.x] = 1; }\n")
    await until(lambda: not editor.client.diagnostics.get(uri, [1]))
    assert await lenses(editor, uri)


async def test_lenses_say_what_was_done_and_never_more(editor: Editor) -> None:
    await editor.start(client={"commands": True, "status": True}, settings={"check": {"enable": False}})
    uri = editor.open("sum.cu", LOOPS)
    await until(lambda: bool(editor.notified.get("xpiler/status")))
    assert await lenses(editor, uri) == ["Translate ▸", "Verify ▸", "Check"]
    result = await editor.request("xpiler/translate", uri=uri, to="hip")
    assert result.status == "verified"
    assert "HIP: tested" in await lenses(editor, uri)

    def states() -> list[tuple[str, bool]]:
        """Of HIP, each once in a row."""
        kernels = [n.kernels[0] for n in editor.notified["xpiler/status"] if n.kernels]
        hip = [next((t.state, t.stale) for t in kernel.targets if t.to == "hip") for kernel in kernels]
        return [state for n, state in enumerate(hip) if n == 0 or hip[n - 1] != state]

    await until(lambda: states()[-1][0] == "tested")
    assert states() == [("none", False), ("pending", False), ("tested", False)]
    top = types.Range(types.Position(0, 0), types.Position(0, 0))
    editor.change(uri, types.TextDocumentContentChangePartial(top, " "))
    assert "HIP: tested (stale)" in await lenses(editor, uri)
    editor.change(
        uri, types.TextDocumentContentChangePartial(types.Range(top.start, types.Position(0, 1)), "")
    )
    assert "HIP: tested" in await lenses(editor, uri)


async def test_hovers_tell_of_instructions_kernels_and_loops(editor: Editor) -> None:
    await editor.start(settings={"check": {"enable": False}})
    uri = editor.open("sum.cu", LOOPS)
    await editor.diagnostics(uri, lambda found: True)
    barrier = await hover(editor, uri, 4, 5)
    assert "barrier of the block" in barrier and "__sync_cluster" in barrier
    kernel = await hover(editor, uri, 0, 17)
    assert "sum(const float* x, float* y, int n)" in kernel and "`launch`" in kernel and "128" in kernel
    assert await hover(editor, uri, 2, 3) == "`k` in `0 .. 32`, step 2: 16 turns"
    assert await hover(editor, uri, 3, 11) == "`i` in `0 .. n`"


async def test_an_instruction_is_told_with_the_operands_that_it_has(editor: Editor) -> None:
    await editor.start(settings={"check": {"enable": False}})
    text = "#include <bang.h>\n__mlu_entry__ void k(float *y, float *x) {\n  __nram__ float a[64];\n"
    text += "  __memcpy(a, x, 256, GDRAM2NRAM);\n  __bang_mul_scalar(a, a, 3.0f, 64);\n"
    uri = editor.open("k.mlu", text + "  __memcpy(y, a, 256, NRAM2GDRAM);\n}\n", "bang")
    await editor.diagnostics(uri, lambda found: True)
    told = await hover(editor, uri, 4, 6)
    assert "for" in told and "a[" in told and "3" in told


async def test_hints_and_symbols(editor: Editor) -> None:
    await editor.start(settings={"check": {"enable": False}})
    uri = editor.open("sum.cu", LOOPS)
    await editor.diagnostics(uri, lambda found: True)
    identifier = types.TextDocumentIdentifier(uri)
    whole = types.Range(types.Position(0, 0), types.Position(99, 0))
    params = types.InlayHintParams(identifier, whole)
    hints = await editor.client.text_document_inlay_hint_async(params) or []
    assert [(h.position.line, h.label) for h in hints] == [(2, "16×"), (7, "128 threads a block")]
    found = await editor.client.text_document_document_symbol_async(types.DocumentSymbolParams(identifier))
    assert [s.name for s in found or []] == ["sum", "launch"]
    kernel = (found or [])[0]
    assert isinstance(kernel, types.DocumentSymbol)
    assert [s.name for s in kernel.children or []] == ["for k", "for i"]


async def test_closing_clears_and_other_files_are_left_alone(editor: Editor) -> None:
    await editor.start()
    uri = editor.open("turn.cu", RACE)
    await editor.diagnostics(uri)
    editor.client.text_document_did_close(types.DidCloseTextDocumentParams(types.TextDocumentIdentifier(uri)))
    await until(lambda: not editor.client.diagnostics[uri])
    plain = editor.open("main.cpp", "int main() { return undeclared; }\n", "cpp")
    assert await lenses(editor, plain) == []
    assert plain not in editor.client.diagnostics
