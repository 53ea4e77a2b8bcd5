"""Results on disk, so that a reloaded window finds what was finished: one JSON file each, oldest dropped."""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import platformdirs

from xpiler import __version__
from xpiler.errors import Refusal
from xpiler.files import write_atomically
from xpiler.gate.overrides import path_beside

logger = logging.getLogger(__name__)
_MOST = {"jobs": 60}  # files of a kind, the latest; of others:
_MOST_OTHERS = 300
_INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*"([^"\n]+)"', re.M)
_MOST_INCLUDES = 64


class Store:
    """JSON documents by kind and name in a folder of their own for each workspace."""

    def __init__(self, workspace: str) -> None:
        root = os.environ.get("XPILER_CACHE") or platformdirs.user_cache_dir("xpiler", appauthor=False)
        self.folder = Path(root) / "server" / digest(workspace)[:16]

    def save(self, kind: str, name: str, value: dict[str, Any]) -> None:
        """Keeps a document; a full or read-only disk is logged and costs only the memory of it."""
        path = self._path(kind, name)
        try:
            write_atomically(path, json.dumps(value))
            files = sorted(path.parent.glob("*.json"), key=_modified)
            for old in files[: -_MOST.get(kind, _MOST_OTHERS)]:
                old.unlink(missing_ok=True)
        except (Refusal, OSError) as error:
            logger.warning("a result was not kept: %s", error)

    def load(self, kind: str, name: str) -> dict[str, Any] | None:
        return _read(self._path(kind, name))

    def all(self, kind: str) -> Iterator[dict[str, Any]]:
        """All documents of a kind, oldest first."""
        with contextlib.suppress(OSError):
            for path in sorted((self.folder / kind).glob("*.json"), key=_modified):
                if (found := _read(path)) is not None:
                    yield found

    def _path(self, kind: str, name: str) -> Path:
        return self.folder / kind / f"{digest(name)[:32]}.json"


def digest(*texts: str) -> str:
    """A name for texts by their contents."""
    hashed = hashlib.sha256()
    for text in texts:
        data = text.encode("utf-8", "surrogatepass")
        hashed.update(b"%d:" % len(data))
        hashed.update(data)
    return hashed.hexdigest()


def fingerprint(text: str, file: str) -> str:
    """What results about a text depend on: itself, its own headers, what is stated beside it, the engine."""
    return digest(__version__, text, _read_text(path_beside(file)), *_headers(text, Path(file).parent))


def _headers(text: str, folder: Path) -> Iterator[str]:
    open_ = [(text, folder)]
    seen: set[Path] = set()
    while open_ and len(seen) < _MOST_INCLUDES:
        here, beside = open_.pop()
        for name in _INCLUDE.findall(here):
            path = beside / name
            if path not in seen:
                seen.add(path)
                inner = _read_text(path)
                yield inner
                open_.append((inner, path.parent))


def _read_text(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace") if path.is_file() else ""
    except (OSError, ValueError):
        return ""


def _read(path: Path) -> dict[str, Any] | None:
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def _modified(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
