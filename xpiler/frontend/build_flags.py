"""Where a build looks for headers and which macros it defines: `-I` and `-D`, as stated on the command line,
or as a compilation database tells (https://clang.llvm.org/docs/JSONCompilationDatabase.html).

    {"directory": "/p/build", "file": "../norm.cu", "command": "nvcc -I../include -DROWS=4 -c ../norm.cu"}
        --> folders (/p/include,), macros {"ROWS": "4"}

A database is looked for where language servers do: `compile_commands.json` in a folder above the file or in
its `build`.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

DATABASE = "compile_commands.json"
_FOLDER_FLAGS = ("-I", "-iquote", "--include-path")  # not `-isystem`: those headers are not the program's
_MACRO_FLAGS = ("-D", "--define-macro")
_RESPONSE_FLAGS = ("--options-file", "-optf")
_OF_TOOLKITS = ("cuda_runtime.h", "hip/hip_runtime.h", "cnrt.h", "bang.h")
_DEEPEST = 5  # response files within each other
_HIGHEST = 8  # folders above


@dataclass(frozen=True)
class BuildFlags:
    """`folders` for the program's own headers, in their order; `macros`: name (or `name(parameters)`) ->
    body."""

    folders: tuple[Path, ...] = ()
    macros: dict[str, str] = field(default_factory=dict)

    def __add__(self, other: BuildFlags) -> BuildFlags:
        """Those of `self` come first, and their macros win."""
        return BuildFlags((*self.folders, *other.folders), {**other.macros, **self.macros})


_stated = BuildFlags()


def state(flags: BuildFlags) -> None:
    """Holds for the whole process, before what databases say."""
    global _stated
    _stated = flags


def flags_of(file: Path) -> BuildFlags:
    """For a source file what its command says. A header has none: it may lie in any folder that its database
    names."""
    found = next(_databases(file), None)
    return _stated if found is None else _stated + _listed(found, found.stat().st_mtime_ns, file.resolve())


def listed_files(file: Path) -> tuple[Path, ...]:
    """The files that the database of a file names, itself among them; none if its database does not."""
    found = next(_databases(file), None)
    if found is None:
        return ()
    commands = _commands(found, found.stat().st_mtime_ns)
    return tuple(dict.fromkeys((folder / str(item["file"])).resolve() for item, folder in commands))


def defined_above(text: str, macros: dict[str, str]) -> str:
    """Lines that define those of the macros that a text names, unless its own build does."""
    named = {head.partition("(")[0]: f"{head} {body}" for head, body in macros.items()}
    return "".join(
        f"#ifndef {name}\n#define {definition}\n#endif\n"
        for name, definition in named.items()
        if re.search(rf"\b{re.escape(name)}\b", text)
    )


def from_words(words: Sequence[str], folder: Path) -> BuildFlags:
    """The flags among the words of a compiler's command; `folder` is where it runs."""
    folders: list[Path] = []
    macros: dict[str, str] = {}
    pending = list(_with_responses(words, folder, _DEEPEST))
    while pending:
        word = pending.pop(0)
        kind, value = _split(word)
        if not kind:
            continue
        if not value and pending:
            value = pending.pop(0)
        if kind in _FOLDER_FLAGS:
            place = (folder / value).resolve()
            if not any((place / header).is_file() for header in _OF_TOOLKITS):
                folders.append(place)
        else:
            name, equals, body = value.partition("=")
            macros[name] = body if equals else "1"
    return BuildFlags(tuple(folders), macros)


def _split(word: str) -> tuple[str, str]:
    """`-Ia` is (`-I`, `a`); what is no such flag has no name."""
    for flag in (*_FOLDER_FLAGS, *_MACRO_FLAGS):
        if word.startswith(flag):
            rest = word[len(flag) :]
            if flag.startswith("--") and rest and not rest.startswith("="):
                continue
            return flag, rest.removeprefix("=")
    return "", ""


def _with_responses(words: Sequence[str], folder: Path, deepest: int) -> Iterator[str]:
    """The words, with those of response files (`@flags.rsp`) in their place."""
    queue = list(words)
    while queue:
        word = queue.pop(0)
        name = ""
        if word.startswith("@"):
            name = word[1:]
        for flag in _RESPONSE_FLAGS:
            if word == flag and queue:
                name = queue.pop(0)
            elif word.startswith(f"{flag}="):
                name = word[len(flag) + 1 :]
        if not name:
            yield word
            continue
        try:
            inner = shlex.split((folder / name).read_text(encoding="utf-8"))
        except (OSError, ValueError):  # not generated yet: nothing is known of it
            continue
        if deepest:
            yield from _with_responses(inner, folder, deepest - 1)


def _databases(file: Path) -> Iterator[Path]:
    folder = file.resolve().parent
    for above in (folder, *list(folder.parents)[:_HIGHEST]):
        for place in (above / DATABASE, above / "build" / DATABASE):
            if place.is_file():
                yield place


@lru_cache(maxsize=256)
def _listed(database: Path, _time: int, file: Path) -> BuildFlags:
    whole = BuildFlags()
    for command, folder in _commands(database, _time):
        flags = from_words(_words(command), folder)
        if (folder / str(command["file"])).resolve() == file:
            return flags
        whole = whole + BuildFlags(flags.folders)
    return BuildFlags(tuple(dict.fromkeys(whole.folders)))


@lru_cache(maxsize=16)
def _commands(database: Path, _time: int) -> tuple[tuple[dict[str, Any], Path], ...]:
    """Nothing of a database that is broken, or being written."""
    try:
        listed = json.loads(database.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return ()
    return tuple(
        (item, database.parent / str(item.get("directory", ".")))
        for item in (listed if isinstance(listed, list) else [])
        if isinstance(item, dict) and isinstance(item.get("file"), str)
    )


def _words(command: dict[str, Any]) -> list[str]:
    words = command.get("arguments")
    if isinstance(words, list):
        return [str(word) for word in words]
    try:
        return shlex.split(str(command.get("command", "")))
    except ValueError:
        return []
