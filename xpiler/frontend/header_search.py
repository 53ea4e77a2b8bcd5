"""Where a program's own header lies: beside the file that includes it, in a folder that its build names, or
below a folder above that file.

    project/kernels/abs/abs.mlu:   #include "kernels/unary/unary.h"   -->   project/kernels/unary/unary.h
    project/src/norm.cu:           #include "norm.cuh"                -->   project/include/norm.cuh

Where nobody tells the paths of a build, names with a folder in them are looked for in every folder above,
others only in folders for headers, so that no stray file is taken for one; and no further than the folder of
a repository.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from xpiler.frontend.build_flags import DATABASE, flags_of
from xpiler.frontend.libraries import is_library

_HIGHEST = 8  # folders above
_ROOT = (".git", ".hg", DATABASE)
_FOR_HEADERS = ("include", "inc")


def find_header(includer: Path, name: str) -> Path:
    """The header that `#include "name"` of a file means; if there is none, where it would lie beside it."""
    beside = includer.parent / name
    if beside.is_file() or name.startswith("/"):
        return beside
    return find_angled(includer, name) or next(
        (folder / name for folder in _above(includer) if _is_below(folder, name)), beside
    )


def find_angled(includer: Path, name: str) -> Path | None:
    """The header of the program's own that `#include <name>` of a file means; others are the system's."""
    if is_library(name):
        return None
    for folder in flags_of(includer).folders:
        if (folder / name).is_file():
            return folder / name
    own = includer.resolve().parent
    for above in (own, *_above(includer)):
        for kind in _FOR_HEADERS:
            if not name.startswith(".") and (above / kind / name).is_file():
                return above / kind / name
    return None


def _is_below(folder: Path, name: str) -> bool:
    return "/" in name and not name.startswith(".") and (folder / name).is_file()


def _above(includer: Path) -> Iterator[Path]:
    """The folders above a file's own, up to that of its repository."""
    folder = includer.resolve().parent
    for _ in range(_HIGHEST):
        if any((folder / mark).exists() for mark in _ROOT) or folder.parent == folder:
            return
        folder = folder.parent
        yield folder
