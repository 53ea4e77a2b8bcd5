"""The checker on request; what it finds is published as diagnostics."""

from __future__ import annotations

from typing import Any

from xpiler_server import protocol
from xpiler_server.analysis import LARGEST
from xpiler_server.engine.worker import Broken, Crashed
from xpiler_server.server import XpilerServer

_ORDER = ("bugs", "undecided", "refused", "clean")  # the worst first


async def check(ls: XpilerServer, uri: str) -> dict[str, Any]:
    """Checks a document as it is now; its verdict is that of its worst kernel."""
    document = ls.documents.find(uri)
    if document is None:
        raise protocol.Failed(f"{uri} is not open")
    if len(document.source) > LARGEST:
        raise protocol.Failed(f"the text has over {LARGEST:,} characters")
    try:
        checked = await ls.analyses.check_now(document)
    except (Broken, Crashed) as error:
        raise protocol.Failed(str(error)) from None
    statuses = {kernel["status"] for kernel in checked["kernels"]}
    worst = next((status for status in _ORDER if status in statuses), "refused")
    return protocol.document(  # type: ignore[no-any-return]
        protocol.CheckResult(status=worst, findings=len(checked["findings"]))
    )
