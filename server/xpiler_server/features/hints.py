"""Inlay hints: how often a loop turns where the text does not say, and how many threads a launch has."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

from lsprotocol import types

from xpiler_server.documents import Document
from xpiler_server.server import XpilerServer


def hints(ls: XpilerServer, uri: str, place: types.Range) -> list[types.InlayHint]:
    document = ls.documents.find(uri)
    if document is None or document.platform is None:
        return []
    start, end = document.text.span(place)
    return [
        types.InlayHint(document.text.position(at), label, padding_left=True, tooltip=tooltip)
        for at, label, tooltip in _labels(ls, document)
        if start <= at <= end
    ]


def _labels(ls: XpilerServer, document: Document) -> Iterator[tuple[int, str, str]]:
    known = ls.analyses.of(document)
    if known.outline is None:
        return
    for loop in known.outline["loops"]:
        header = document.carried(loop["header"], known.outline_revision)
        if header is not None and loop["count"] is not None:
            step = f", step {loop['step']}" if loop["step"] != "1" else ""
            tooltip = f"{loop['variable']} in {loop['start']} .. {loop['stop']}{step}"
            yield header[1], f"{loop['count']}×", tooltip
    for launch in known.outline["launches"]:
        span = document.carried(launch["span"], known.outline_revision)
        if span is not None and launch["threads"] and prod(launch["threads"]) > 1:
            yield span[1], f"{prod(launch['threads'])} threads a block", f"grid: {launch['grid']}"
