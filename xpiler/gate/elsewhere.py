"""Functions and variables that a text uses and that another file of its program defines.

    void launch_norm(const float *x, float *y, int n);     in main.cu; its body is in norm.cu
    extern "C" void computeGold(float *expected, ...);     in scale.cu; its body is in scale_gold.cpp

The files that define them are linked with it: device code as its platform's programs are built, plain C and
C++ as it is (`program_files.py` says which files). What no file has is given a body that says so and ends the
program, or a place in memory that nobody may touch, so that all that does not use it runs.
"""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from xpiler.gate import cache, program_files
from xpiler.gate.compilers import Compiler
from xpiler.gate.program_files import OtherFile
from xpiler.gate.shim import inline_includes
from xpiler.platforms.registry import PLATFORMS

_UNDEFINED = re.compile(r"undefined (?:reference to|symbol:?) [`'\"]?(?P<name>[^`'\"\n]+)")
_LINKER = re.compile(r"undefined (?:reference|symbol)|ld returned|linker command failed")
_NO_NAME = re.compile(r"^(?:vtable|typeinfo|VTT|guard variable|TLS \w+ function) ")
_PLAIN = {".c": "c", ".cc": "c++", ".cpp": "c++", ".cxx": "c++"}
_DEEPEST = 6  # files that lack functions of others in turn


@dataclass(frozen=True)
class Unlinked:
    """A compiled text that does not link alone: its object file, and what it lacks, as the linker names it
    and as people do."""

    object: Path
    symbols: tuple[str, ...]
    names: tuple[str, ...]


@dataclass(frozen=True)
class Linked:
    """A program with the files that it was linked with."""

    program: Path
    others: tuple[OtherFile, ...]


def lacks_bodies_only(errors: str) -> bool:
    """Whether all that a linker complains of is functions and variables that no file here defines."""
    names = _names(errors)
    compiled = all(_LINKER.search(line) for line in errors.splitlines() if "error" in line)
    return bool(names) and compiled and not any(map(_NO_NAME.match, names)) and "main" not in names


def told(source: Sequence[OtherFile], target: Sequence[OtherFile]) -> str:
    """`; linked with norm.cu (translated: norm.hip)`: the files beside those whose programs are compared."""
    names = [Path(other.path).name for other in source]
    made = [name for other in target if (name := Path(other.path).name) not in names]
    translated = f" (translated: {', '.join(made)})" if made else ""
    return f"; linked with {', '.join(names)}{translated}" if names or made else ""


def _names(errors: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(match["name"].strip() for match in _UNDEFINED.finditer(errors)))


def bare_name(name: str) -> str:
    """`ops::norm(float*, int)` is `norm`, `void scan<Pair<int>>(int)` is `scan`."""
    bare = re.sub(r"\(.*", "", name, flags=re.DOTALL)
    while re.search(r"<[^<>]*>", bare):
        bare = re.sub(r"<[^<>]*>", "", bare)
    return (bare.split("::")[-1].split() or [name])[-1]


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
            link = [*_linking(flags), "unit.o", *parts, "-o", "program"]
            lacks = [_names(errors) for errors in _complaints(compiler, link, scratch)]
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


def _complaints(compiler: Compiler, link: Sequence[str], scratch: Path) -> tuple[str, str]:
    """What the linker says, by its own names and by people's."""
    by_symbol = compiler.compile([*link, "-Wl,--no-demangle"], scratch).stderr
    by_name = compiler.compile([*link, "-Wl,--demangle"], scratch).stderr
    return by_symbol, by_name


def linked(
    compiler: Compiler,
    unlinked: Unlinked,
    file: str,
    platform: str,
    name: str,
    source: str,
    flags: Sequence[str],
    parts: Sequence[str],
) -> Linked | None:
    """The program of a `source`: with the files that define what it lacks, and stand-ins for the rest."""
    if len(unlinked.symbols) != len(unlinked.names):
        return None  # overloads that people cannot tell apart
    others, objects, lacking = _gathered(compiler, unlinked, file, platform, flags, parts)
    texts = "".join([source, *(other.text for other in others)])
    stands_in = "".join(
        _stand_in(number, symbol, spoken, called=_is_called(spoken, texts))
        for number, (symbol, spoken) in enumerate(lacking)
    )

    def make(path: Path) -> bool:
        with tempfile.TemporaryDirectory(prefix="xpiler-build-") as folder:
            scratch = Path(folder)
            inputs = [str(unlinked.object), *map(str, objects), *parts]
            if stands_in:
                (scratch / "absent.cpp").write_text(_ENDING + stands_in)
                inputs.append("absent.cpp")
            if not compiler.compile([*_linking(flags), *inputs, "-o", "program"], scratch).ok:
                return False
            shutil.copy2(scratch / "program", path)
            return True

    whole = cache.key(name, *(object.parent.name + object.name for object in objects), _ENDING, stands_in)
    program = cache.fetch("programs", whole, make)
    if program is None:
        return None
    program_files.note_use(file, others)
    return Linked(program, tuple(others))


def _gathered(
    compiler: Compiler,
    unlinked: Unlinked,
    file: str,
    platform: str,
    flags: Sequence[str],
    parts: Sequence[str],
) -> tuple[list[OtherFile], list[Path], list[tuple[str, str]]]:
    """The files to link with, their objects, and what nobody defines, by symbol and by name."""
    lacking = list(zip(unlinked.symbols, unlinked.names, strict=True))
    others: list[OtherFile] = []
    objects: list[Path] = []
    refused: set[str] = set()  # files that do not compile, or define what others do
    for _ in range(_DEEPEST):
        wanted = tuple(dict.fromkeys(bare_name(spoken) for _, spoken in lacking))
        found, _unclear = program_files.definers(file, platform, wanted)
        fresh = [o for o in found if o not in others and o.path not in refused]
        if not fresh:
            break
        for other in fresh:
            made = _object(compiler, other, platform, flags)
            linking = [
                *_linking(flags),
                str(unlinked.object),
                *map(str, objects),
                *([str(made)] if made else []),
            ]
            with tempfile.TemporaryDirectory(prefix="xpiler-build-") as folder:
                said = (
                    _complaints(compiler, [*linking, *parts, "-o", "program"], Path(folder)) if made else None
                )
            if made is None or said is None or not (said[0] == "" or lacks_bodies_only(said[0])):
                refused.add(other.path)
                continue
            symbols, names = map(_names, said)
            if len(symbols) != len(names):
                refused.add(other.path)
                continue
            others.append(other)
            objects.append(made)
            lacking = list(zip(symbols, names, strict=True))
        if not lacking:
            break
    return others, objects, lacking


def _object(compiler: Compiler, other: OtherFile, platform: str, flags: Sequence[str]) -> Path | None:
    """A file that others are linked with, compiled; None if that fails."""
    text = inline_includes(other.text, other.path)
    suffix = Path(other.path).suffix
    if other.platform and PLATFORMS[other.platform].emulated:
        from xpiler.emulators import host

        text, suffix = host.prepare(text, other.path, other.platform), ".cpp"
        options = list(flags)
    elif platform == "vnni" and _PLAIN[suffix] == "c++":
        options = list(flags)
    else:
        kind = _PLAIN[suffix]
        options = ["-x", kind, *(["-std=c++17"] if kind == "c++" else [])]
        options += ["-O1", "-ffp-contract=off", "-fopenmp"]
    text = f'{_RENAMED}#line 1 "{other.path}"\n{text}'

    def make(path: Path) -> bool:
        with tempfile.TemporaryDirectory(prefix="xpiler-build-") as folder:
            scratch = Path(folder)
            (scratch / f"other{suffix}").write_text(text, encoding="utf-8", errors="surrogateescape")
            done = compiler.compile([*options, "-c", f"other{suffix}", "-o", "other.o"], scratch)
            if done.ok:
                shutil.copy2(scratch / "other.o", path)
            return done.ok

    name = cache.key(text, suffix, *options, *compiler.command, compiler.version)
    return cache.fetch("objects", f"{name}.o", make)


def _linking(flags: Sequence[str]) -> list[str]:
    """Without what only compiling takes: a header that comes first."""
    kept, words = [], iter(flags)
    for word in words:
        if word in ("-include", "-include-pch", "-I", "-x"):
            next(words, None)
        else:
            kept.append(word)
    return kept


_RENAMED = "#define main xpiler_main_of_another\n"  # a program of its own, whose functions are wanted
_ENDING = r"""
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <sys/mman.h>
#include <unistd.h>
static void xpiler_absent(const char* kind, const char* name) {
    const char* path = std::getenv("XPILER_EVENTS");
    std::FILE* file = path ? std::fopen(path, "a") : stderr;
    if (file) std::fprintf(file, "{\"event\": \"absent\", \"%s\": \"%s\"}\n", kind, name);
    if (file && file != stderr) std::fclose(file);
    std::fflush(nullptr);
    _exit(86);
}
struct XpilerAbsent { const char* name; char* start; XpilerAbsent* next; };
static XpilerAbsent* xpiler_absent_ones = nullptr;
constexpr unsigned long xpiler_room = 1 << 20;
static int xpiler_keep(XpilerAbsent* variable) {
    variable->next = xpiler_absent_ones;
    xpiler_absent_ones = variable;
    return mprotect(variable->start, xpiler_room, PROT_NONE);
}
// Whoever handles faults asks whether one is an access of such a variable; where nobody does, this does.
extern "C" void xpiler_absent_at(const void* place) {
    const char* at = static_cast<const char*>(place);
    for (XpilerAbsent* v = xpiler_absent_ones; v; v = v->next)
        if (at >= v->start && at < v->start + xpiler_room) xpiler_absent("variable", v->name);
}
static void xpiler_fault(int number, siginfo_t* info, void*) {
    xpiler_absent_at(info->si_addr);
    std::signal(number, SIG_DFL);
}
__attribute__((constructor)) static void xpiler_watch() {
    struct sigaction before, ours {};
    ours.sa_sigaction = xpiler_fault;
    ours.sa_flags = SA_SIGINFO;
    if (sigaction(SIGSEGV, nullptr, &before) || (before.sa_flags & SA_SIGINFO)) return;
    if (before.sa_handler == SIG_DFL) sigaction(SIGSEGV, &ours, nullptr);
}
"""


def _is_called(name: str, text: str) -> bool:
    """Whether what a linker lacks is a function: names of C++ functions have parameters, those of C none."""
    return name.endswith(")") or re.search(rf"\b{re.escape(name)}\s*\(", text) is not None


def _stand_in(number: int, symbol: str, name: str, *, called: bool) -> str:
    """A body that ends the program, or memory out of reach."""
    said = json.dumps(re.sub(r"\(.*", "", name, flags=re.DOTALL))
    if called:
        return (
            f'extern "C" void xpiler_absent_{number}() __asm__("{symbol}");\n'
            f'extern "C" void xpiler_absent_{number}() {{ xpiler_absent("function", {said}); }}\n'
        )
    return (
        f'extern "C" {{ extern char xpiler_absent_{number}[xpiler_room] __asm__("{symbol}"); }}\n'
        f"alignas(4096) char xpiler_absent_{number}[xpiler_room];\n"
        f"static XpilerAbsent xpiler_of_{number}{{{said}, xpiler_absent_{number}, nullptr}};\n"
        f"static const int xpiler_kept_{number} = xpiler_keep(&xpiler_of_{number});\n"
    )
