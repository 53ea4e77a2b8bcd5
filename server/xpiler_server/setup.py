"""The one place where methods and commands are registered; each handler hands over to its feature."""

from __future__ import annotations

import asyncio
from typing import Any

from lsprotocol import types

from xpiler_server import protocol
from xpiler_server.features import (
    actions,
    checking,
    commands,
    contracts,
    counterpart,
    diagnostics,
    hints,
    hovers,
    jobs,
    lenses,
    models,
    repairs,
    session,
    suggestions,
    symbols,
    translation,
    tuning,
)
from xpiler_server.server import XpilerServer


def make_server() -> XpilerServer:
    """A server with everything registered."""
    server = XpilerServer()
    server.on_document += [diagnostics.publish, session.show_status]
    server.on_publish += [repairs.diagnostics]
    server.on_job += [jobs.publish, tuning.publish, session.show_status_of_job, repairs.job_changed]
    _register_session(server)
    _register_documents(server)
    _register_reading(server)
    _register_jobs(server)
    _register_pairs(server)
    _register_commands(server)
    _register_models(server)
    _register_tuning(server)
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
        ls.forget_requests()

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

    @server.feature(types.WORKSPACE_DID_CHANGE_WATCHED_FILES)
    def files(ls: XpilerServer, params: types.DidChangeWatchedFilesParams) -> None:
        session.files_changed(ls)


def _register_reading(server: XpilerServer) -> None:
    @server.feature(types.TEXT_DOCUMENT_HOVER)
    def hover(ls: XpilerServer, params: types.HoverParams) -> types.Hover | None:
        return hovers.hover(ls, params.text_document.uri, params.position)

    @server.feature(types.TEXT_DOCUMENT_CODE_LENS)
    def code_lens(ls: XpilerServer, params: types.CodeLensParams) -> list[types.CodeLens]:
        return lenses.lenses(ls, params.text_document.uri)

    @server.feature(types.TEXT_DOCUMENT_INLAY_HINT)
    def inlay_hint(ls: XpilerServer, params: types.InlayHintParams) -> list[types.InlayHint]:
        return hints.hints(ls, params.text_document.uri, params.range)

    @server.feature(types.TEXT_DOCUMENT_DOCUMENT_SYMBOL)
    def symbol(ls: XpilerServer, params: types.DocumentSymbolParams) -> list[types.DocumentSymbol]:
        return symbols.symbols(ls, params.text_document.uri)

    options = types.CodeActionOptions(code_action_kinds=actions.KINDS)

    @server.feature(types.TEXT_DOCUMENT_CODE_ACTION, options)
    def code_action(ls: XpilerServer, params: types.CodeActionParams) -> list[types.CodeAction]:
        return actions.actions(ls, params)

    # pygls names this one to clients only where it has options.
    @server.feature(types.TEXT_DOCUMENT_INLINE_COMPLETION, types.InlineCompletionOptions())
    def inline(ls: XpilerServer, params: types.InlineCompletionParams) -> list[types.InlineCompletionItem]:
        return suggestions.suggestions(ls, params.text_document.uri, params.position)


def _register_pairs(server: XpilerServer) -> None:
    @server.feature(protocol.PAIR)
    def pair(ls: XpilerServer, params: protocol.PairParams) -> dict[str, Any]:
        return repairs.pair(ls, params.source, params.target)

    @server.feature(protocol.COUNTERPART)
    async def find(ls: XpilerServer, params: protocol.CounterpartParams) -> dict[str, Any] | None:
        found = await counterpart.counterpart(ls, params.uri, params.position)
        return protocol.document(found) if found is not None else None

    @server.feature(types.TEXT_DOCUMENT_IMPLEMENTATION)
    async def jump(ls: XpilerServer, params: types.ImplementationParams) -> types.Location | None:
        return await counterpart.counterpart(ls, params.text_document.uri, params.position)

    @server.feature(protocol.REPAIR)
    async def repair(ls: XpilerServer, params: protocol.RepairParams) -> dict[str, Any]:
        job = translation.start(ls, repairs.repair_job(ls, params))
        await jobs.follow(ls, job, params.work_done_token)
        return repairs.answer(ls, job)

    @server.feature(protocol.SET_ARGUMENTS)
    def set_arguments(ls: XpilerServer, params: protocol.SetArgumentsParams) -> dict[str, Any]:
        return contracts.set_arguments(ls, params.uri, params.arguments)


def _register_models(server: XpilerServer) -> None:
    @server.feature(protocol.MODELS)
    async def listed(ls: XpilerServer, params: protocol.ModelParams) -> dict[str, Any]:
        return await models.listed(ls, params)

    @server.feature(protocol.TRY_MODEL)
    async def tried(ls: XpilerServer, params: protocol.ModelParams) -> dict[str, Any]:
        return await models.tried(ls, params)


def _register_tuning(server: XpilerServer) -> None:
    @server.feature(protocol.TUNE)
    async def tune(ls: XpilerServer, params: protocol.TuneParams) -> dict[str, str]:
        return {"id": tuning.start(ls, params).id}

    @server.feature(protocol.DEVICES)
    async def devices(ls: XpilerServer, params: object) -> dict[str, Any]:
        return await tuning.devices(ls)

    @server.feature(protocol.COURSE)
    def course(ls: XpilerServer, params: protocol.JobParams) -> dict[str, Any]:
        return tuning.course(ls, params.id)

    @server.feature(protocol.PAUSE_JOB)
    async def pause(ls: XpilerServer, params: protocol.JobParams) -> dict[str, bool]:
        return jobs.hold(ls, params.id, True)

    @server.feature(protocol.RESUME_JOB)
    async def resume(ls: XpilerServer, params: protocol.JobParams) -> dict[str, bool]:
        return jobs.hold(ls, params.id, False)


def _register_commands(server: XpilerServer) -> None:
    @server.command("xpiler.server.translate")
    def translate(ls: XpilerServer, about: commands.About) -> dict[str, str]:
        return commands.translate(ls, about)

    @server.command("xpiler.server.verify")
    def verify(ls: XpilerServer, about: commands.About) -> dict[str, str]:
        return commands.verify(ls, about)

    @server.command("xpiler.server.repair")
    def repair(ls: XpilerServer, about: commands.About) -> dict[str, str]:
        return commands.repair(ls, about)

    @server.command("xpiler.server.tune")
    async def tune(ls: XpilerServer, about: commands.About) -> dict[str, str]:
        return commands.tune(ls, about)

    @server.command("xpiler.server.pauseJob")
    async def pause_job(ls: XpilerServer, about: commands.About) -> dict[str, bool]:
        return jobs.hold(ls, about.id, True)

    @server.command("xpiler.server.resumeJob")
    async def resume_job(ls: XpilerServer, about: commands.About) -> dict[str, bool]:
        return jobs.hold(ls, about.id, False)

    @server.command("xpiler.server.models")
    async def models_(ls: XpilerServer) -> dict[str, Any]:
        return await commands.list_models(ls)

    @server.command("xpiler.server.tryModel")
    async def try_model(ls: XpilerServer) -> dict[str, Any]:
        return await commands.try_model(ls)

    @server.command("xpiler.server.check")
    async def check(ls: XpilerServer, about: commands.About) -> dict[str, Any]:
        return await commands.check(ls, about)

    @server.command("xpiler.server.cancelJob")
    async def cancel_job(ls: XpilerServer, about: commands.About) -> dict[str, bool]:
        return await commands.cancel(ls, about)

    @server.command("xpiler.server.restartWorkers")
    async def restart(ls: XpilerServer) -> None:
        await commands.restart(ls)


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
