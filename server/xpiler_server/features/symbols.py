"""The symbols of a document: kernels with their loops, and the functions around them."""

from __future__ import annotations

from typing import Any

from lsprotocol import types

from xpiler_server.documents import Document
from xpiler_server.server import XpilerServer


def symbols(ls: XpilerServer, uri: str) -> list[types.DocumentSymbol]:
    document = ls.documents.find(uri)
    known = ls.analyses.of(document) if document is not None else None
    if document is None or known is None or known.outline is None:
        return []
    shown = []
    for kernel in known.outline["kernels"]:
        params = ", ".join(f"{p['type']} {p['name']}" for p in kernel["params"])
        symbol = _symbol(document, kernel, f"kernel({params})", known.outline_revision)
        if symbol is not None:
            symbol.children = _loops(document, kernel, known.outline["loops"], known.outline_revision)
            shown.append(symbol)
    for function in known.outline["functions"]:
        symbol = _symbol(document, function, function["kind"], known.outline_revision)
        if symbol is not None:
            shown.append(symbol)
    return sorted(shown, key=lambda symbol: (symbol.range.start.line, symbol.range.start.character))


def _symbol(
    document: Document, item: dict[str, Any], detail: str, revision: int
) -> types.DocumentSymbol | None:
    name = document.carried(item["nameSpan"], revision)
    if name is None:
        return None
    whole = document.carried(item["span"], revision) or name
    return types.DocumentSymbol(
        item["name"],
        types.SymbolKind.Function,
        document.text.range(whole),
        document.text.range(name),
        detail,
    )


def _loops(
    document: Document, kernel: dict[str, Any], loops: list[dict[str, Any]], revision: int
) -> list[types.DocumentSymbol]:
    start, end = kernel["span"]
    shown = []
    for loop in loops:
        span = document.carried(loop["span"], revision)
        header = document.carried(loop["header"], revision)
        if start <= loop["span"][0] and loop["span"][1] <= end and span and header:
            detail = f"{loop['start']} .. {loop['stop']}"
            place, own = document.text.range(span), document.text.range(header)
            shown.append(
                types.DocumentSymbol(f"for {loop['variable']}", types.SymbolKind.Array, place, own, detail)
            )
    return shown
