"""What is known of each kernel, for editors that show it in the margin, in lists and in bars."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from xpiler.platforms.registry import PLATFORMS
from xpiler_server import protocol
from xpiler_server.documents import Document
from xpiler_server.proofs import State
from xpiler_server.server import XpilerServer


def publish(ls: XpilerServer, uri: str) -> None:
    """Sends the status of a document to clients that asked for it."""
    document = ls.documents.find(uri)
    if "status" in ls.opted_in and document is not None and document.platform is not None:
        ls.protocol.notify(protocol.STATUS, protocol.document(status_of(ls, document)))


def status_of(ls: XpilerServer, document: Document) -> protocol.StatusParams:
    kernels = [
        protocol.KernelStatus(
            name=kernel["name"],
            range=document.text.range(kernel["span"]),
            selection_range=document.text.range(kernel["nameSpan"]),
            checked=checked(ls, document, kernel),
            targets=[
                protocol.TargetStatus(to=to, state=state.state, stale=state.stale, message=state.message)
                for to, state in states(ls, document, kernel)
            ],
        )
        for kernel in kernels_of(ls, document)
    ]
    return protocol.StatusParams(uri=document.uri, version=document.version, kernels=kernels)


def kernels_of(ls: XpilerServer, document: Document) -> Iterator[dict[str, Any]]:
    """The kernels of the outline where they are now; the name of one may have been edited away."""
    known = ls.analyses.of(document)
    for kernel in (known.outline or {"kernels": []})["kernels"]:
        name = document.carried(kernel["nameSpan"], known.outline_revision)
        if name is not None:
            span = document.carried(kernel["span"], known.outline_revision)
            yield {**kernel, "nameSpan": name, "span": span or name}


def states(ls: XpilerServer, document: Document, kernel: dict[str, Any]) -> Iterator[tuple[str, State]]:
    """The state on each platform but the document's own."""
    print_ = ls.print_of(document)
    for to in PLATFORMS:
        if to != document.platform:
            yield to, ls.proofs.state(document.uri, to, kernel["entries"], print_)


def checked(ls: XpilerServer, document: Document, kernel: dict[str, Any]) -> protocol.CheckStatus:
    """The checker's verdict on a kernel: the worst of its instantiations."""
    known = ls.analyses.of(document)
    if known.checking:
        return protocol.CheckStatus(state="pending", stale=False, message="being checked")
    stale = known.check_revision != document.revision
    names = {kernel["name"], *kernel["spellings"]}
    verdicts = [
        v
        for v in (known.check or {"kernels": []})["kernels"]
        if v["name"] in names or v["name"].split("<")[0] == kernel["name"]
    ]
    for state in ("bugs", "undecided", "refused", "clean"):
        worst = next((v for v in verdicts if v["status"] == state), None)
        if worst is not None:
            told = [*worst["undecided"], *worst["scope"]]
            if state == "refused":
                told = [kernel["refused"] or "not supported"]
            return protocol.CheckStatus(state=state, stale=stale, message="; ".join(told))
    return protocol.CheckStatus(state="none", stale=False, message="not checked")
