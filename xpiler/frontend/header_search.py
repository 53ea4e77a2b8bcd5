"""Where a program's own header lies: beside the file that includes it, or below a folder above that one.

    project/kernels/abs/abs.mlu:   #include "kernels/unary/unary.h"   -->   project/kernels/unary/unary.h

A build would say `-I project`; nobody tells the path to us. Only names with a folder in them are looked for
further up, so that no stray file is taken for a header, and no further than the folder of a repository.
"""

from __future__ import annotations

from pathlib import Path

_HIGHEST = 8  # folders above
_ROOT = (".git", ".hg", "compile_commands.json")


def find_header(includer: Path, name: str) -> Path:
    """The header that `#include "name"` of a file means; if there is none, where it would lie beside it."""
    beside = includer.parent / name
    if beside.is_file() or "/" not in name or name.startswith(("/", ".")):
        return beside
    folder = includer.parent.resolve()
    for _ in range(_HIGHEST):
        if any((folder / mark).exists() for mark in _ROOT) or folder.parent == folder:
            break
        folder = folder.parent
        for found in (folder / name, folder / "include" / name):
            if found.is_file():
                return found
    return beside
