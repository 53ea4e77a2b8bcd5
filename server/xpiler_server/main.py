"""`xpiler-lsp`: the language server over standard input and output.

Today it tells, while one types, which kernels of a file cannot be translated and why. Documents are
synchronised whole: the line rules of the protocol and of Python differ, and a copy that silently drifts apart
would be worse than the bytes.
"""

from __future__ import annotations

import logging
import os
import sys

from lsprotocol import types
from pygls.lsp.server import LanguageServer

from xpiler import __version__
from xpiler_server.diagnostics import diagnostics_of

server = LanguageServer("xpiler", __version__, text_document_sync_kind=types.TextDocumentSyncKind.Full)


@server.feature(types.TEXT_DOCUMENT_DID_OPEN)
def did_open(ls: LanguageServer, params: types.DidOpenTextDocumentParams) -> None:
    _publish(ls, params.text_document.uri)


@server.feature(types.TEXT_DOCUMENT_DID_CHANGE)
def did_change(ls: LanguageServer, params: types.DidChangeTextDocumentParams) -> None:
    _publish(ls, params.text_document.uri)


@server.feature(types.TEXT_DOCUMENT_DID_CLOSE)
def did_close(ls: LanguageServer, params: types.DidCloseTextDocumentParams) -> None:
    uri = params.text_document.uri
    ls.text_document_publish_diagnostics(types.PublishDiagnosticsParams(uri=uri, diagnostics=[]))


def _publish(ls: LanguageServer, uri: str) -> None:
    document = ls.workspace.get_text_document(uri)
    found = diagnostics_of(document.source, document.path or uri)
    ls.text_document_publish_diagnostics(
        types.PublishDiagnosticsParams(uri=uri, version=document.version, diagnostics=found)
    )


def main() -> None:
    """Serve until the client ends the session. Whatever else prints goes to standard error."""
    logging.getLogger("pygls").setLevel(logging.ERROR)
    protocol = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    sys.stdout = sys.stderr
    server.start_io(stdout=protocol)


if __name__ == "__main__":
    main()
