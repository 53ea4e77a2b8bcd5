"""The server: one object that owns all state. What is registered with it is in `setup.py`."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine
from typing import Any

from lsprotocol import types
from pygls.lsp.server import LanguageServer
from pygls.uris import to_fs_path

from xpiler import __version__
from xpiler_server import protocol
from xpiler_server.analysis import Analyses
from xpiler_server.comparisons import Comparison
from xpiler_server.documents import Document, Documents
from xpiler_server.job import Job
from xpiler_server.jobs import Jobs
from xpiler_server.proofs import Proofs, read_file
from xpiler_server.settings import Settings
from xpiler_server.slots import Slots
from xpiler_server.store import Store, fingerprint

logger = logging.getLogger(__name__)
_FILES_AGE = 0.3  # seconds for which files on disk are taken to be as they were
_LOOK_AGAIN = 0.05  # seconds in which changes of one kind are told at once


class XpilerServer(LanguageServer):
    """State of a session: settings, open documents, what is known of them, jobs and proofs."""

    def __init__(self) -> None:
        super().__init__(
            "xpiler",
            __version__,
            text_document_sync_kind=types.TextDocumentSyncKind.Incremental,
            protocol_cls=protocol.XpilerProtocol,
        )
        self.settings = Settings()
        self.unfinished: list[Job] = []  # searches of the last session, taken up once this one has begun
        self.problems: list[str] = []  # of the settings, told once the session has begun
        self.opted_in: frozenset[str] = frozenset()  # what this client takes beyond the standard
        self.slots = Slots(lambda: self.settings.jobs)
        self.analyses = Analyses(lambda: self.settings, self.slots, self.document_changed, self.warn)
        self.jobs = Jobs(self.slots, self.job_changed)
        self.proofs = Proofs(self.text_of)
        self.comparisons: dict[str, Comparison] = {}  # by target
        self.taken: set[str] = set()  # jobs whose outcome the comparisons have
        self.links: dict[str, tuple[str, list[dict[str, Any]]]] = {}  # by target: of which texts, and they
        self.on_document: list[Callable[[XpilerServer, Document], None]] = []  # who shows what is known
        self.on_publish: list[Callable[[XpilerServer, Document], list[types.Diagnostic]]] = []
        self.on_job: list[Callable[[XpilerServer, Job], None]] = []
        self._tasks: set[asyncio.Task[Any]] = set()
        self._due: dict[str, asyncio.TimerHandle] = {}
        self._prints: dict[str, tuple[tuple[str, int], float, str]] = {}
        self._files: dict[str, tuple[float, str | None]] = {}
        self._warned: set[str] = set()
        self._ending = False

    # -------------------------------------------------------------------------------------------- documents

    @property
    def documents(self) -> Documents:
        workspace = self.workspace
        assert isinstance(workspace, Documents)
        return workspace

    def use_own_documents(self, params: types.InitializeParams) -> None:
        """Replaces the workspace of pygls, whose lines end where the protocol's do not."""
        made = self.protocol._workspace
        assert made is not None
        own = Documents(
            made.root_uri,
            types.TextDocumentSyncKind.Incremental,
            params.workspace_folders or [],
            made.position_encoding,
        )
        self.protocol._workspace = own

    def text_of(self, uri: str) -> str | None:
        """A document's text as the user sees it: open, else on disk."""
        document = self.documents.find(uri)
        if document is not None:
            return document.source
        path = to_fs_path(uri)
        if not path:
            return None
        known, now = self._files.get(path), time.monotonic()
        if known is None or now - known[0] > _FILES_AGE:
            known = self._files[path] = (now, read_file(path))
        return known[1]

    def text_and_file(self, uri: str) -> tuple[str | None, str]:
        """A document's text, and the path that the engine is told."""
        document = self.documents.find(uri)
        if document is not None:
            return document.source, document.file
        return self.text_of(uri), to_fs_path(uri) or uri

    def print_of(self, document: Document) -> str:
        """The fingerprint of a document as it is; files beside it are looked at a few times a second."""
        key, now = (document.uri, document.revision), time.monotonic()
        known = self._prints.get(document.uri)
        if known is None or known[0] != key or now - known[1] > _FILES_AGE:
            known = self._prints[document.uri] = (key, now, fingerprint(document.source, document.file))
        return known[2]

    @property
    def encoding(self) -> str:
        return self.documents.encoding

    # -------------------------------------------------------------------------------------------- telling

    def document_changed(self, document: Document) -> None:
        """Something new is known of a document: what is shown of it is shown again."""
        if not self._ending and self.documents.find(document.uri) is document:
            for show in self.on_document:
                show(self, document)
            self.soon("refresh", self._refresh)

    def job_changed(self, job: Job) -> None:
        if self._ending:
            return
        for show in self.on_job:
            show(self, job)
        if not job.is_active or not job.percentage:
            self.soon("refresh", self._refresh)

    def soon(self, name: str, do: Callable[[], None]) -> None:
        """Calls `do` shortly, once for all calls by this name meanwhile."""
        if name not in self._due:
            loop = asyncio.get_running_loop()
            self._due[name] = loop.call_later(_LOOK_AGAIN, self._do, name, do)

    def _do(self, name: str, do: Callable[[], None]) -> None:
        self._due.pop(name, None)
        try:
            do()
        except Exception:
            logger.exception("%s", name)

    def _refresh(self) -> None:
        """Lenses and hints are asked for again, by clients that can."""
        workspace = self.client_capabilities.workspace
        if workspace is None:
            return
        if workspace.code_lens and workspace.code_lens.refresh_support:
            self.run(self.workspace_code_lens_refresh_async(None))
        if workspace.inlay_hint and workspace.inlay_hint.refresh_support:
            self.run(self.workspace_inlay_hint_refresh_async(None))

    def run(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """A task of its own whose failure is logged."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("a task failed", exc_info=error)

    def log(self, message: str, type: types.MessageType = types.MessageType.Info) -> None:
        self.window_log_message(types.LogMessageParams(type=type, message=message))

    def tell(self, message: str, type: types.MessageType = types.MessageType.Info) -> None:
        self.window_show_message(types.ShowMessageParams(type=type, message=message))

    def warn(self, message: str) -> None:
        """Tells the user, each message once."""
        self.log(message, types.MessageType.Warning)
        if message not in self._warned:
            self._warned.add(message)
            self.window_show_message(types.ShowMessageParams(type=types.MessageType.Warning, message=message))

    def report_server_error(self, error: Exception, source: Any) -> None:
        """Errors of the server's own go to the log: the user is not asked to read one a keystroke."""
        if not self._ending:
            trace = (getattr(error, "data", None) or {}).get("traceback")
            more = "\n" + "".join(trace) if isinstance(trace, list) else ""
            self.log(f"{type(error).__name__}: {error}{more}", types.MessageType.Error)

    # -------------------------------------------------------------------------------------------- life

    def remember(self) -> list[Job]:
        """Takes over the results that earlier sessions in this workspace left; the searches that are to go
        on."""
        folders = self.workspace.folders
        store = Store(self.workspace.root_uri or next(iter(folders), "") or "no workspace")
        self.proofs.remember(store)
        return self.jobs.remember(store)

    def forget_requests(self) -> None:
        assert isinstance(self.protocol, protocol.XpilerProtocol)
        self.protocol.forget_requests()

    async def stop(self) -> None:
        """Nothing that was started is left, and nothing more is told."""
        self._ending = True
        for handle in self._due.values():
            handle.cancel()
        for task in list(self._tasks):
            task.cancel()
        await self.jobs.stop(ending=True)
        await self.analyses.stop()
