"""Directives and macros: from the text as written to the text that is parsed, with a map back."""

from __future__ import annotations

import re
from dataclasses import dataclass

from xpiler.frontend.sourcemap import Origin, SourceFile, SourceMap
from xpiler.frontend.syntax_model import Pragma


@dataclass(frozen=True)
class Comment:
    text: str
    start: int
    end: int


@dataclass(frozen=True)
class Expanded:
    text: str
    map: SourceMap
    pragmas: tuple[Pragma, ...]
    comments: tuple[Comment, ...]
    macros: dict[str, str]


def preprocess(text: str, file: str, defines: dict[str, str] | None = None) -> Expanded:
    source = SourceFile.of(file, text)
    map_ = SourceMap([source])
    map_.add(0, Origin(0, 0, len(text)))
    comments = []

    def blank(m: re.Match[str]) -> str:
        if m[0][0] != "/":
            return m[0]
        comments.append(Comment(m[0], m.start(), m.end()))
        return re.sub(r"[^\n]", " ", m[0])

    out = re.sub(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])+\'', blank, text, flags=re.S)
    pragmas = []

    def directive(m: re.Match[str]) -> str:
        if m[1].startswith("pragma"):
            pragmas.append(Pragma(m[1][6:].strip(), m.end(), source.range(m.start(), m.end())))
        return re.sub(r"[^\n]", " ", m[0])

    out = re.sub(r"^[ \t]*#[ \t]*((?:\\\n|[^\n])*)", directive, out, flags=re.M)
    return Expanded(out, map_, tuple(pragmas), tuple(comments), {})
