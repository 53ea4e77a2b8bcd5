"""Above each kernel: what can be done with it, and the state of what was done.

    Translate ▸ | Verify ▸ | Check: clean | HIP: tested | BANG: failed (stale)

Clients that bring commands of their own get those; for all others a lens runs one of the server's.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePath
from typing import Any
from urllib.parse import unquote

from lsprotocol import types

from xpiler.platforms.registry import PLATFORMS
from xpiler_server.documents import Document
from xpiler_server.features import status
from xpiler_server.proofs import NONE, State
from xpiler_server.server import XpilerServer

SHORT = {"cuda": "CUDA", "hip": "HIP", "bang": "BANG C", "vnni": "AVX-512"}


def lenses(ls: XpilerServer, uri: str) -> list[types.CodeLens]:
    document = ls.documents.find(uri)
    if document is None or document.platform is None:
        return []
    shown = []
    for kernel in status.kernels_of(ls, document):
        place = document.text.range(kernel["nameSpan"])
        shown += [types.CodeLens(place, command) for command in _commands(ls, document, kernel)]
    return shown


def _commands(ls: XpilerServer, document: Document, kernel: dict[str, Any]) -> Iterator[types.Command]:
    uri = document.uri
    own = "commands" in ls.opted_in
    states = list(status.states(ls, document, kernel))
    if own:
        yield types.Command("Translate ▸", "xpiler.translateTo", arguments=[uri])
        yield types.Command("Verify ▸", "xpiler.verify", arguments=[uri])
    checked = status.checked(ls, document, kernel)
    said = checked.state if checked.state != "none" else ""
    title = f"Check: {said}" if said else "Check"
    yield types.Command(
        title + (" (stale)" if checked.stale else ""),
        "xpiler.check" if own else "xpiler.server.check",
        arguments=[uri] if own else [{"uri": uri}],
    )
    for to, state in states:
        if state.state != NONE or state.message:
            arguments = [uri, to]
            command = "xpiler.showEvidence" if own else ""
            yield types.Command(shown_state(to, state), command, arguments=arguments if own else None)
        elif not own:
            yield types.Command(
                f"Translate to {SHORT[to]}", "xpiler.server.translate", arguments=[{"uri": uri, "to": to}]
            )
    source = ls.proofs.source_of(uri)
    if source is not None:
        yield types.Command(f"from {PurePath(unquote(source[0])).name}: {_of_source(ls, *source)}", "")


def shown_state(to: str, state: State) -> str:
    """`HIP: tested (stale)`; what was only translated says so."""
    title = PLATFORMS[to].title if to not in SHORT else SHORT[to]
    words = state.state if state.state != NONE else state.message
    return f"{title}: {words}{' (stale)' if state.stale else ''}"


def _of_source(ls: XpilerServer, source: str, to: str) -> str:
    """How a translation compares with its source, in a word."""
    record = ls.proofs.record(source, to)
    if ls.proofs.is_pending(source, to):
        return "being verified"
    if record is None:
        return "not verified"
    text, file = ls.text_and_file(source)
    now = record.result["status"] if not record.unrun else "not run"
    return now + ("" if text is not None and ls.proofs.holds(record, text, file) else " (stale)")
