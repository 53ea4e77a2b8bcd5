"""Functions that a text calls and that another file of its program defines.

    extern "C" void computeGold(float *expected, ...);     in scale.cu; its body is in scale_gold.cpp

Plain C and C++ beside the file is linked with it. What no such file has is given a body that says so and ends
the program, so that all that does not call it runs.
"""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from xpiler.gate import cache
from xpiler.gate.compilers import Compiler
from xpiler.gate.shim import inline_includes
from xpiler.platforms.registry import PLATFORMS

_UNDEFINED = re.compile(r"undefined (?:reference to|symbol:?) [`'\"]?(?P<name>[^`'\"\n]+)")
_LINKER = re.compile(r"undefined (?:reference|symbol)|ld returned|linker command failed")
_PLAIN = {".c": "c", ".cc": "c++", ".cpp": "c++", ".cxx": "c++"}
_LARGEST = 1 << 20  # bytes of a file that is looked into
_WORDS = re.compile("|".join(platform.words for platform in PLATFORMS.values() if platform.words))


@dataclass(frozen=True)
class Unlinked:
    """A compiled text that does not link alone: its object file, and the functions that it lacks, as the
    linker names them and as people do."""

    object: Path
    symbols: tuple[str, ...]
    names: tuple[str, ...]


def lacks_functions_only(errors: str, text: str) -> bool:
    """Whether all that a linker complains of is functions without a body. A variable is none: what it holds
    is not known."""
    names = _names(errors)
    compiled = all(_LINKER.search(line) for line in errors.splitlines() if "error" in line)
    return bool(names) and compiled and all(_is_function(name, text) for name in names)


def _names(errors: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(match["name"].strip() for match in _UNDEFINED.finditer(errors)))


def _is_function(name: str, text: str) -> bool:
    return name.endswith(")") or re.search(rf"\b{re.escape(name)}\s*\(", text) is not None


def compiled_alone(
    compiler: Compiler, name: str, source: str, flags: Sequence[str], parts: Sequence[str]
) -> Unlinked | None:
    """The object file of a text, which `parts` are linked with, and what it lacks."""

    def make(path: Path) -> bool:
        path.mkdir()
        with tempfile.TemporaryDirectory(prefix="xpiler-build-") as folder:
            scratch = Path(folder)
            (scratch / "unit.cpp").write_text(source, encoding="utf-8", errors="surrogateescape")
            if not compiler.compile([*flags, "-c", "unit.cpp", "-o", "unit.o"], scratch).ok:
                return False
            lacks = []
            for demangled in ("-Wl,--no-demangle", "-Wl,--demangle"):
                link = [*_linking(flags), "unit.o", *parts, demangled, "-o", "program"]
                lacks.append(_names(compiler.compile(link, scratch).stderr))
            (path / "lacks.json").write_text(json.dumps(lacks))
            shutil.copy2(scratch / "unit.o", path / "unit.o")
        return True

    return _read(cache.fetch("unlinked", name, make))


def known_unlinked(name: str) -> Unlinked | None:
    """What `compiled_alone` found before."""
    return _read(cache.fetch("unlinked", name, lambda path: False))


def _read(made: Path | None) -> Unlinked | None:
    if made is None:
        return None
    symbols, names = json.loads((made / "lacks.json").read_text())
    return Unlinked(made / "unit.o", tuple(symbols), tuple(names))


def linked(
    compiler: Compiler, unlinked: Unlinked, file: str, name: str, flags: Sequence[str], parts: Sequence[str]
) -> Path | None:
    """The program: with the files beside `file` that define what it lacks, and bodies for the rest."""
    definers = _definers(file, unlinked.names)
    sources = [
        (path.suffix, inline_includes(path.read_text(encoding="utf-8"), str(path))) for path in definers
    ]

    def make(path: Path) -> bool:
        with tempfile.TemporaryDirectory(prefix="xpiler-build-") as folder:
            scratch = Path(folder)
            shutil.copy2(unlinked.object, scratch / "unit.o")
            objects = _objects(compiler, sources, scratch)
            link = [*_linking(flags), "unit.o", *parts, "-Wl,--no-demangle", "-o", "program"]
            missing: tuple[str, ...] = unlinked.symbols
            if objects:
                done = compiler.compile([*link, *objects], scratch)
                missing = _names(done.stderr)
                if not done.ok and not (missing and set(missing) <= set(unlinked.symbols)):
                    objects, missing = [], unlinked.symbols  # they define what the text has, or lack more
            if missing:
                spoken = dict(zip(unlinked.symbols, unlinked.names, strict=True))
                bodies = "".join(_body(number, s, spoken[s]) for number, s in enumerate(missing))
                (scratch / "absent.cpp").write_text(_ENDING + bodies)
                if not compiler.compile([*link, *objects, "absent.cpp"], scratch).ok:
                    return False
            shutil.copy2(scratch / "program", path)
            return True

    if len(unlinked.symbols) != len(unlinked.names):
        return None  # overloads that people cannot tell apart
    return cache.fetch(
        "programs", cache.key(name, *(part for source in sources for part in source), _ENDING), make
    )


def _linking(flags: Sequence[str]) -> list[str]:
    """Without what only compiling takes: a header that comes first."""
    kept, words = [], iter(flags)
    for word in words:
        if word in ("-include", "-I", "-x"):
            next(words, None)
        else:
            kept.append(word)
    return kept


def _objects(compiler: Compiler, sources: Sequence[tuple[str, str]], scratch: Path) -> list[str]:
    objects = []
    for number, (suffix, text) in enumerate(sources):
        name = f"other-{number}"
        (scratch / f"{name}{suffix}").write_text(text, encoding="utf-8")
        kind = ["-x", _PLAIN[suffix], *(["-std=c++17"] if _PLAIN[suffix] == "c++" else [])]
        flags = [*kind, "-O1", "-ffp-contract=off", "-fopenmp", "-c", f"{name}{suffix}", "-o", f"{name}.o"]
        if compiler.compile(flags, scratch).ok:
            objects.append(f"{name}.o")
    return objects


def _definers(file: str, names: Sequence[str]) -> list[Path]:
    """Files of plain C and C++ beside a file that may define functions of these names."""
    bare = {re.sub(r"\(.*", "", name, flags=re.DOTALL).split("::")[-1] for name in names}
    body = re.compile(rf"\b(?:{'|'.join(map(re.escape, sorted(bare)))})\s*\([^;{{}}]*\)[\w\s]*\{{")
    found = []
    folder = Path(file).resolve().parent
    for path in sorted(folder.iterdir()) if folder.is_dir() else []:
        if path.suffix not in _PLAIN or path.stem == Path(file).stem or not path.is_file():
            continue
        if path.stat().st_size > _LARGEST:
            continue
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            continue
        if body.search(text) and not _WORDS.search(text) and not re.search(r"\bmain\s*\(", text):
            found.append(path)
    return found


_ENDING = r"""
#include <cstdio>
#include <cstdlib>
#include <unistd.h>
static void xpiler_absent(const char* name) {
    const char* path = std::getenv("XPILER_EVENTS");
    std::FILE* file = path ? std::fopen(path, "a") : stderr;
    if (file) std::fprintf(file, "{\"event\": \"absent\", \"function\": \"%s\"}\n", name);
    if (file && file != stderr) std::fclose(file);
    std::fflush(nullptr);
    _exit(86);
}
"""


def _body(number: int, symbol: str, name: str) -> str:
    said = json.dumps(re.sub(r"\(.*", "", name, flags=re.DOTALL))
    return (
        f'extern "C" void xpiler_absent_{number}() __asm__("{symbol}");\n'
        f'extern "C" void xpiler_absent_{number}() {{ xpiler_absent({said}); }}\n'
    )
