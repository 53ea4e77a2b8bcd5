"""A program's own headers in the place of their includes, where only their platform's compiler takes them.

    #include "kernel.h"     -->     #define DIV_UP(a, b) ...
                                    __mlu_func__ void load(float *tile, ...) { ... }

A translation cannot include them: they bring the platform's headers, functions and macros with them. Others,
of plain C++, stay where they are.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from xpiler.errors import Diagnostic, Refusal
from xpiler.frontend.build_flags import defined_above, flags_of
from xpiler.frontend.comments import blank_comments
from xpiler.frontend.header_search import find_angled, find_header
from xpiler.frontend.sourcemap import SourceFile
from xpiler.ir.source import SourceRange
from xpiler.platforms.registry import PLATFORMS

_INCLUDE = re.compile(r'[ \t]*#[ \t]*include[ \t]*(?:"([^"\n]+)"|<([^>\n]+)>)')
_DIRECTIVE = re.compile(r"[ \t]*#[ \t]*(\w+)[ \t]*(.*)")
_SAMPLES = re.compile(r"(?:helper_\w+|exception)\.h")  # of the toolkit's samples, which the backends know
_DEEPEST = 30


@dataclass(frozen=True)
class OneText:
    """A text with headers in it. `pieces`: the line at which each piece of a file begins, the file, and the
    line there."""

    text: str
    file: str
    headers: tuple[str, ...] = ()
    pieces: tuple[tuple[int, str, int], ...] = ()

    def original(self, diagnostic: Diagnostic) -> Diagnostic:
        """The diagnostic at the place that the user wrote."""
        place = diagnostic.range
        if place is None or place.file != self.file or not self.pieces:
            return diagnostic
        return replace(diagnostic, range=self._place(place))

    def refusal(self, refusal: Refusal) -> Refusal:
        told = self.original(refusal.diagnostic)
        return Refusal.of(told)

    def is_of_main(self, diagnostic: Diagnostic) -> bool:
        """Whether its place is in the file itself, not in a header."""
        place = self.original(diagnostic).range
        return place is None or place.file == self.file

    def _place(self, place: SourceRange) -> SourceRange:
        begin, file, line = max(piece for piece in self.pieces if piece[0] <= place.line)
        down = line - begin
        return replace(place, file=file, line=place.line + down, end_line=place.end_line + down)


def with_own_headers(text: str, file: str, platform: str) -> OneText:
    """The text with those of its headers in it that the platform's compiler is needed for, and with the
    macros that its build defines."""
    path = Path(file).resolve()
    try:
        lines = list(_lines(text, path, file, platform, set(), ()))
    except Refusal:
        return OneText(text, file)  # no program: whoever reads it says so
    headers = tuple(dict.fromkeys(name for _, name, _ in lines if name != file))
    defined = defined_above("\n".join(line for line, _, _ in lines), flags_of(path).macros)
    if not headers and not defined:
        return OneText(text, file)
    lines = [*((line, file, 1) for line in defined.splitlines()), *lines]
    pieces: list[tuple[int, str, int]] = []
    for number, (_, name, line) in enumerate(lines, 1):
        if not pieces or pieces[-1][1] != name or line - pieces[-1][2] != number - pieces[-1][0]:
            pieces.append((number, name, line))
    return OneText("\n".join(line for line, _, _ in lines), file, headers, tuple(pieces))


def _lines(
    text: str, path: Path, shown: str, platform: str, once: set[Path], opened: tuple[Path, ...]
) -> Iterator[tuple[str, str, int]]:
    """The lines of a file with its headers in it, each with its file and its number there."""
    bare, _ = blank_comments(SourceFile.of(shown, text))
    code = bare.split("\n")
    guards = _guard(code) if opened else frozenset()
    if guards:
        once.add(path)
    for number, line in enumerate(text.split("\n")):
        match = _INCLUDE.match(code[number])
        header = _header(path, match) if match else None
        if number in guards or header in once:
            continue
        if match is None or header is None or header in opened or len(opened) > _DEEPEST:
            yield line, shown, number + 1
        elif not _needs(header, platform, {header}):
            main = (*opened, path)[0]
            name = os.path.relpath(header, main.parent)
            include = line if _header(main, match) == header else f'#include "{name}"'
            yield include, shown, number + 1
        else:
            written = match[1] or match[2]
            beside = (path.parent / written).is_file()
            name = str(Path(shown).parent / written) if beside else str(header)
            yield from _lines(_read(header), header, name, platform, once, (*opened, path))


def _header(path: Path, include: re.Match[str]) -> Path | None:
    """A header of the program's own, if it is one."""
    quoted, angled = include.groups()
    found = find_header(path, quoted) if quoted else find_angled(path, angled)
    if found is None or _SAMPLES.fullmatch(quoted or angled) or not _read(found):
        return None
    return found.resolve()


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""


def _needs(header: Path, platform: str, seen: set[Path]) -> bool:
    """Whether a header, or one that it includes, has words of the platform."""
    try:
        bare, _ = blank_comments(SourceFile.of(str(header), _read(header)))
    except Refusal:
        return False
    if re.search(PLATFORMS[platform].words, bare):
        return True
    inner = [_header(header, match) for match in map(_INCLUDE.match, bare.split("\n")) if match]
    for path in inner:
        if path is not None and path not in seen:
            seen.add(path)
            if _needs(path, platform, seen):
                return True
    return False


def _guard(code: list[str]) -> frozenset[int]:
    """The lines by which a header is read once, numbered from 0: it is put in once. None where it may be
    read again."""
    found = [(n, m[1], m[2].strip()) for n, line in enumerate(code) if (m := _DIRECTIVE.match(line))]
    pragmas = frozenset(n for n, word, rest in found if word == "pragma" and rest == "once")
    if pragmas:
        return pragmas
    if len(found) < 3 or [word for _, word, _ in found[:2]] != ["ifndef", "define"]:
        return frozenset()
    (first, _, name), (second, _, defined), *_ = found
    depth, closed = 0, []
    for number, word, _ in found:
        depth += {"if": 1, "ifdef": 1, "ifndef": 1, "endif": -1}.get(word, 0)
        if depth == 0:
            closed.append(number)
    outside = [*code[:first], *code[found[-1][0] + 1 :]]
    if defined.split()[:1] != [name] or closed != [found[-1][0]] or any(line.strip() for line in outside):
        return frozenset()
    return frozenset((first, second, found[-1][0]))
