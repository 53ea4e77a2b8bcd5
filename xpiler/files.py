"""Reading the user's files and writing results, whole or not at all."""

from __future__ import annotations

import os
import sysconfig
import tempfile
from pathlib import Path

from xpiler.errors import Refusal
from xpiler.ir.source import SourceRange


def read_source(path: Path) -> str:
    """The text of a source file, line endings kept.

    Raises Refusal for what is not there, not readable, or not text.
    """
    try:
        data = path.read_bytes()
    except IsADirectoryError as error:
        raise Refusal("not-a-file", f"{path} is a folder", remedy="name a file") from error
    except OSError as error:
        raise Refusal("unreadable", f"cannot read {path}: {error.strerror}") from error
    if b"\0" in data:
        raise Refusal(
            "not-text", "this is a binary file, not a program text", SourceRange(str(path), 1, 1, 1, 1)
        )
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("latin-1")  # comments in old files; every byte survives the way back


def write_atomically(path: Path, text: str) -> None:
    """Write `text` to `path` through a temporary file beside it: a reader sees the old text or the new,
    never half."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as error:
        raise Refusal("unwritable", f"cannot write {path}: {error.strerror}") from error
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            file.write(text)
        mode = path.stat().st_mode & 0o777 if path.exists() else 0o666 & ~_umask()
        Path(temporary).chmod(mode)
        Path(temporary).replace(path)
    except OSError as error:
        Path(temporary).unlink(missing_ok=True)
        raise Refusal("unwritable", f"cannot write {path}: {error.strerror}") from error


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def data_folder(name: str) -> Path:
    """A folder of data, `manuals` or `snippets`: in the checkout, else where a package has its data.

    Raises Refusal if there is none.
    """
    beside = Path(__file__).parents[1] / name
    installed = Path(sysconfig.get_path("data")) / "share" / "xpiler" / name
    for folder in (beside, installed):
        if folder.is_dir():
            return folder
    raise Refusal("data-folder", f"there are no {name} in {beside} or {installed}")
