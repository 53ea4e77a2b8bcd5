"""A session from its beginning: what the client can do, its settings, documents that come and go."""

from __future__ import annotations

import asyncio
import os
import platform
import sys
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from lsprotocol import types

from xpiler import __version__
from xpiler_server import settings
from xpiler_server.documents import Document
from xpiler_server.features import diagnostics, hovers, repairs, status, tuning
from xpiler_server.job import Job
from xpiler_server.server import XpilerServer

_EXTRAS = ("status", "jobs", "commands")
_WATCHED = ("**/*.xpiler.toml", "**/*.{h,hpp,cuh,mluh}", "**/compile_commands.json")


def initialize(ls: XpilerServer, params: types.InitializeParams) -> None:
    """Takes over the client's options; the session begins with `initialized`."""
    ls.use_own_documents(params)
    options = params.initialization_options
    given = options if isinstance(options, Mapping) else {}
    client = given.get("client")
    if isinstance(client, Mapping):
        ls.opted_in = frozenset(name for name in _EXTRAS if client.get(name) is True)
    ls.settings, ls.problems = settings.read(given.get("settings"))
    ls.unfinished = ls.remember()
    ls.run(ls.analyses.start())


async def initialized(ls: XpilerServer) -> None:
    for problem in ls.problems:
        ls.warn(problem)
    tuning.go_on(ls, ls.unfinished)
    ls.run(asyncio.to_thread(hovers.warm_up))
    workspace = ls.client_capabilities.workspace
    files = workspace.did_change_watched_files if workspace else None
    if files and files.dynamic_registration:
        ls.run(_watch(ls))
    if workspace and workspace.configuration:
        ls.run(configure(ls, None))


async def _watch(ls: XpilerServer) -> None:
    """Asks to be told of contracts, headers and flags of builds that change on disk."""
    watchers = [types.FileSystemWatcher(glob) for glob in _WATCHED]
    options = types.DidChangeWatchedFilesRegistrationOptions(watchers)
    method = types.WORKSPACE_DID_CHANGE_WATCHED_FILES
    await ls.client_register_capability_async(
        types.RegistrationParams([types.Registration("xpiler-files", method, options)])
    )


async def configure(ls: XpilerServer, pushed: object) -> None:
    """New settings, effective at once: as sent, then as asked for where the client lets itself be asked.

    Trust and the model are only taken from what the client sends by itself.
    """
    workspace = ls.client_capabilities.workspace
    before = ls.settings
    given = pushed.get(settings.SECTION) if isinstance(pushed, Mapping) else None
    ls.settings, problems = settings.read(given, before)
    if workspace and workspace.configuration:
        item = types.ConfigurationItem(section=settings.SECTION)
        asked = (await ls.workspace_configuration_async(types.ConfigurationParams([item])))[0]
        own = {name: getattr(ls.settings, name) for name in settings.OF_THE_CLIENT}
        ls.settings, more = settings.read(asked, ls.settings)
        ls.settings = replace(ls.settings, **own)
        problems += more
    for problem in problems:
        ls.warn(problem)
    if ls.settings != before:
        ls.slots.look()
        _look_again(ls)


def opened(ls: XpilerServer, uri: str) -> None:
    document = ls.documents.find(uri)
    if document is not None:
        ls.analyses.schedule(document, edited=False)
        repairs.changed(ls, document, edited=False)


def changed(ls: XpilerServer, uri: str) -> None:
    document = ls.documents.find(uri)
    if document is not None:
        ls.analyses.schedule(document, edited=True)
        repairs.changed(ls, document, edited=True)
        show_status(ls, document)


def saved(ls: XpilerServer, uri: str) -> None:
    document = ls.documents.find(uri)
    if document is not None and ls.settings.check_enable and not ls.settings.check_on_type:
        ls.analyses.schedule(document, edited=False)


def closed(ls: XpilerServer, uri: str) -> None:
    ls.analyses.forget(uri)
    diagnostics.clear(ls, uri)


def files_changed(ls: XpilerServer) -> None:
    """A contract or a header changed: everything that depends on files is looked at again."""
    _look_again(ls)


def _look_again(ls: XpilerServer) -> None:
    for document in ls.documents.open():
        ls.analyses.schedule(document, edited=False)
        repairs.changed(ls, document, edited=False)


def show_status(ls: XpilerServer, document: Document) -> None:
    ls.soon(f"status {document.uri}", lambda: status.publish(ls, document.uri))


def show_status_of_job(ls: XpilerServer, job: Job) -> None:
    ls.soon(f"status {job.uri}", lambda: status.publish(ls, job.uri))


async def collected(ls: XpilerServer) -> dict[str, Any]:
    """What a report about a problem should hold, without anybody's texts."""
    from xpiler_server.features.tools import compilers

    lines = [
        f"xpiler {__version__}, {platform.platform()}",
        f"Python {platform.python_version()} at {sys.executable}",
        f"processors: {os.cpu_count()}, jobs at a time: {ls.settings.jobs}, trusted: {ls.settings.trusted}",
        f"settings: {ls.settings}",
        f"client extras: {', '.join(sorted(ls.opted_in)) or 'none'}; columns in {ls.encoding}",
        f"processes: {ls.analyses.pids()}",
        *(f"job {job.kind} {job.state}: {job.message}" for job in ls.jobs.shown()),
        *await compilers(),
    ]
    return {"text": "\n".join(lines) + "\n"}
