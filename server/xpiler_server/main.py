"""`xpiler-lsp`: the language server over standard input and output."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Sequence
from typing import BinaryIO

from xpiler import __version__


def main(argv: Sequence[str] | None = None) -> None:
    """Serve until the client ends the session."""
    parser = argparse.ArgumentParser(prog="xpiler-lsp", description="The language server of Xpiler.")
    parser.add_argument("--version", action="version", version=f"xpiler-lsp {__version__}")
    parser.add_argument("--stdio", action="store_true", help="speak over standard input and output (default)")
    parser.add_argument("--log", default="error", choices=("debug", "info", "warning", "error"))
    arguments = parser.parse_args(argv)
    stdout = _own_stdout()
    logging.basicConfig(stream=sys.stderr, level=arguments.log.upper())
    logging.getLogger("pygls").setLevel(logging.CRITICAL)  # told to the client, see `report_server_error`
    from xpiler_server.setup import make_server

    make_server().start_io(stdout=stdout)


def _own_stdout() -> BinaryIO:
    """Standard output for the protocol alone; whatever else prints, in any library, goes to standard
    error."""
    own = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    sys.stdout = sys.stderr
    return own


if __name__ == "__main__":
    main()
