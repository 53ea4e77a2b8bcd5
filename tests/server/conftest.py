"""A real server process for each test, spoken to as an editor does."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_lsp
from lsprotocol import types
from pytest_lsp import ClientServerConfig, LanguageClient, client_capabilities

SERVER = [sys.executable, "-m", "xpiler_server.main"]
_ANSWERED = (
    types.WORKSPACE_CODE_LENS_REFRESH,
    types.WORKSPACE_INLAY_HINT_REFRESH,
    types.CLIENT_REGISTER_CAPABILITY,
)


class Editor:
    """An editor with the client of pytest-lsp inside; what the server sends beyond it is kept."""

    def __init__(self, client: LanguageClient, folder: Path) -> None:
        self.client, self.folder = client, folder
        self.notified: dict[str, list[Any]] = {}
        self.applied: list[types.ApplyWorkspaceEditParams] = []
        self._versions: dict[str, int] = {}

    async def start(self, editor: str = "visual-studio-code", **options: Any) -> types.InitializeResult:
        """Begins the session; `options` are the client's initialization options."""
        for method in _ANSWERED:
            self.client.feature(method)(lambda params: None)
        for method in ("xpiler/status", "xpiler/jobs", "xpiler/tuning"):
            self.client.feature(method)(
                lambda params, name=method: self.notified.setdefault(name, []).append(params)
            )

        @self.client.feature(types.WORKSPACE_APPLY_EDIT)
        def apply(params: types.ApplyWorkspaceEditParams) -> types.ApplyWorkspaceEditResult:
            self.applied.append(params)
            return types.ApplyWorkspaceEditResult(applied=True)

        capabilities = client_capabilities(editor)
        result = await self.client.initialize_session(
            types.InitializeParams(
                capabilities=capabilities,
                initialization_options=options or None,
                workspace_folders=[types.WorkspaceFolder(self.folder.as_uri(), "test")],
                root_uri=self.folder.as_uri(),
            )
        )
        return result

    def open(self, name: str, text: str, language: str = "cuda-cpp") -> str:
        """Opens a document that is also on disk; the name may be a whole URI."""
        uri = name
        if ":" not in name:
            path = self.folder / name
            path.write_text(text, encoding="utf-8", newline="")
            uri = path.as_uri()
        item = types.TextDocumentItem(uri, language, 1, text)
        self._versions[uri] = 1
        self.client.text_document_did_open(types.DidOpenTextDocumentParams(item))
        return uri

    def change(self, uri: str, *changes: types.TextDocumentContentChangeEvent) -> int:
        self._versions[uri] += 1
        identifier = types.VersionedTextDocumentIdentifier(self._versions[uri], uri)
        self.client.text_document_did_change(types.DidChangeTextDocumentParams(identifier, list(changes)))
        return self._versions[uri]

    def replace(self, uri: str, text: str) -> int:
        return self.change(uri, types.TextDocumentContentChangeWholeDocument(text))

    async def diagnostics(
        self, uri: str, wanted: Callable[[list[types.Diagnostic]], bool] = bool, seconds: float = 90
    ) -> list[types.Diagnostic]:
        """The diagnostics of a document once they are as wanted."""
        await until(
            lambda: uri in self.client.diagnostics and wanted(list(self.client.diagnostics[uri])), seconds
        )
        return list(self.client.diagnostics[uri])

    async def request(self, method: str, **params: Any) -> Any:
        """A request of our own; the answer as plain JSON objects with attributes."""
        return await self.client.protocol.send_request_async(method, params)


async def until(condition: Callable[[], bool], seconds: float = 90) -> None:
    """Waits for something that the server brings about by itself."""
    for _ in range(int(seconds / 0.02)):
        if condition():
            return
        await asyncio.sleep(0.02)
    raise AssertionError(f"it did not happen within {seconds:g} s")


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Results of other tests and of the user stay out."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("XPILER_CACHE", str(folder))
    yield folder


@pytest_lsp.fixture(config=ClientServerConfig(server_command=SERVER))
async def client(lsp_client: LanguageClient) -> AsyncIterator[None]:
    yield
    await lsp_client.shutdown_session()


@pytest.fixture
def editor(client: LanguageClient, tmp_path: Path) -> Editor:
    """Not started: a test says which editor it is."""
    return Editor(client, tmp_path)
