"""Contract values that only the user knows, kept in `KERNEL.xpiler.toml` beside the kernel."""

from __future__ import annotations

from typing import Any

from pygls.uris import from_fs_path, to_fs_path

from xpiler.errors import Refusal
from xpiler.files import write_atomically
from xpiler.gate.overrides import path_beside
from xpiler_server import protocol
from xpiler_server.proofs import read_file
from xpiler_server.server import XpilerServer
from xpiler_server.sidecar import with_values


def set_arguments(ls: XpilerServer, uri: str, arguments: dict[str, str]) -> dict[str, Any]:
    """Writes the values, and looks again at what depends on them. Raises Failed."""
    file = to_fs_path(uri)
    if file is None:
        raise protocol.Failed("save the file first: its contract is kept in a file beside it")
    path = path_beside(file)
    try:
        write_atomically(path, with_values(read_file(str(path)) or "", arguments, str(path)))
    except Refusal as refusal:
        raise protocol.Failed(str(refusal.diagnostic)) from None
    for document in ls.documents.open():
        ls.analyses.schedule(document, edited=False)
    return {"sidecar": from_fs_path(str(path))}
