"""The one place where methods and commands are registered; each handler hands over to its feature."""

from __future__ import annotations

import asyncio
from typing import Any

from lsprotocol import types

from xpiler_server import protocol
from xpiler_server.features import checking, diagnostics, jobs, session, translation
from xpiler_server.server import XpilerServer


def make_server() -> XpilerServer:
    """A server with everything registered."""
    server = XpilerServer()
    server.on_document += [diagnostics.publish, session.show_status]
    server.on_job += [jobs.publish, session.show_status_of_job]
    _register_session(server)
    _register_documents(server)
    _register_jobs(server)
    return server


def _register_session(server: XpilerServer) -> None:
    @server.feature(types.INITIALIZE)
    def initialize(ls: XpilerServer, params: types.InitializeParams) -> None:
        session.initialize(ls, params)

    @server.feature(types.INITIALIZED)
    async def initialized(ls: XpilerServer, params: types.InitializedParams) -> None:
        await session.initialized(ls)

    @server.feature(types.SHUTDOWN)
    async def shutdown(ls: XpilerServer, params: None) -> None:
        await ls.stop()

    @server.feature(types.WORKSPACE_DID_CHANGE_CONFIGURATION)
    async def configure(ls: XpilerServer, params: types.DidChangeConfigurationParams) -> None:
        await session.configure(ls, params.settings)

    @server.feature(protocol.COLLECT_DIAGNOSTICS)
    async def collect(ls: XpilerServer, params: object) -> dict[str, Any]:
        return await session.collected(ls)


def _register_documents(server: XpilerServer) -> None:
    @server.feature(types.TEXT_DOCUMENT_DID_OPEN)
    def opened(ls: XpilerServer, params: types.DidOpenTextDocumentParams) -> None:
        session.opened(ls, params.text_document.uri)

    @server.feature(types.TEXT_DOCUMENT_DID_CHANGE)
    def changed(ls: XpilerServer, params: types.DidChangeTextDocumentParams) -> None:
        session.changed(ls, params.text_document.uri)

    @server.feature(types.TEXT_DOCUMENT_DID_CLOSE)
    def closed(ls: XpilerServer, params: types.DidCloseTextDocumentParams) -> None:
        session.closed(ls, params.text_document.uri)

    @server.feature(types.TEXT_DOCUMENT_DID_SAVE)
    def saved(ls: XpilerServer, params: types.DidSaveTextDocumentParams) -> None:
        session.saved(ls, params.text_document.uri)


def _register_jobs(server: XpilerServer) -> None:
    @server.feature(protocol.TRANSLATE)
    async def translate(ls: XpilerServer, params: protocol.TranslateParams) -> dict[str, Any]:
        job = translation.start(ls, translation.translation_job(ls, params))
        await jobs.follow(ls, job, params.work_done_token)
        return translation.answer(ls, job)

    @server.feature(protocol.VERIFY)
    async def verify(ls: XpilerServer, params: protocol.VerifyParams) -> dict[str, Any]:
        job = translation.start(ls, translation.verification_job(ls, params))
        await jobs.follow(ls, job, params.work_done_token)
        return translation.answer(ls, job)

    @server.feature(protocol.CHECK)
    async def check(ls: XpilerServer, params: protocol.CheckParams) -> dict[str, Any]:
        return await checking.check(ls, params.uri)

    @server.feature(protocol.EVIDENCE)
    def evidence(ls: XpilerServer, params: protocol.EvidenceParams) -> dict[str, Any] | None:
        return translation.evidence(ls, params.uri, params.to)

    @server.feature(protocol.JOBS)
    def listed(ls: XpilerServer, params: object) -> dict[str, Any]:
        return jobs.listed(ls)

    @server.feature(protocol.CANCEL_JOB)
    async def cancel(ls: XpilerServer, params: protocol.JobParams) -> dict[str, bool]:
        return await jobs.cancel(ls, params.id)

    @server.feature(protocol.RETRY_JOB)
    async def retry(ls: XpilerServer, params: protocol.JobParams) -> dict[str, str]:
        await asyncio.sleep(0)
        return jobs.retry(ls, params.id)

    @server.feature(protocol.RESULT)
    def result(ls: XpilerServer, params: protocol.JobParams) -> dict[str, Any]:
        return jobs.result(ls, params.id)
