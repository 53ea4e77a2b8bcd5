"""Files that depend on nothing but their inputs: compiled runners, executables, answers of compilers.

The folder is `XPILER_CACHE` or the user's cache folder. Entries appear by an atomic rename, so that processes
may share it; one that cannot be written costs time, never correctness.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import platformdirs

_OLDEST = 30 * 24 * 3600  # seconds an entry is kept without being used
_SWEEP_EVERY = 24 * 3600


def folder() -> Path:
    """The cache folder, created; a temporary one if the usual place cannot be written."""
    return _folder(os.environ.get("XPILER_CACHE"))


@functools.cache
def _folder(wanted: str | None) -> Path:
    path = Path(wanted) if wanted else platformdirs.user_cache_path("xpiler")
    try:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        if os.access(path, os.W_OK):
            return path
    except OSError:
        pass
    scratch = Path(tempfile.mkdtemp(prefix="xpiler-cache-"))
    atexit.register(shutil.rmtree, scratch, ignore_errors=True)
    return scratch


def key(*parts: str | bytes) -> str:
    """A name for what follows from `parts`."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode("utf-8", "surrogateescape") if isinstance(part, str) else part
        digest.update(len(data).to_bytes(8, "little"))
        digest.update(data)
    return digest.hexdigest()[:32]


def fetch(kind: str, name: str, make: Callable[[Path], bool]) -> Path | None:
    """The entry `name` of `kind`; if it is not there, `make` writes it to the path that it is given.

    `make` returns False when there is nothing to keep: the result is then None.
    """
    shelf = folder() / kind
    shelf.mkdir(parents=True, exist_ok=True)
    entry = shelf / name
    if entry.exists():
        with contextlib.suppress(OSError):  # somebody else's entry is as good
            os.utime(entry)
        return entry
    with tempfile.TemporaryDirectory(dir=shelf, prefix=".making-") as scratch:
        made = Path(scratch) / name
        if not make(made):
            return None
        try:
            made.replace(entry)
        except OSError:
            if not entry.exists():  # else another process was faster, with the same
                raise
    _sweep(shelf)
    return entry


def _sweep(shelf: Path) -> None:
    """Once a day, drops what has not been used for long."""
    stamp, now = shelf / ".swept", time.time()
    if stamp.exists() and now - stamp.stat().st_mtime < _SWEEP_EVERY:
        return
    stamp.touch()
    for entry in shelf.iterdir():
        try:
            if now - entry.stat().st_mtime > _OLDEST and entry != stamp:
                shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
        except OSError:
            continue
