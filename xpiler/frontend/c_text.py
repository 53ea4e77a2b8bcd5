"""A C source as C++ reads it, for the languages of all targets are C++.

    float *restrict y = malloc(n);      -->      float *__restrict__ y = (float *)malloc(n);

Only words that C++ does not know, and the conversion from `void *` that C makes by itself, at the library's
functions of memory; everything else stays, and every line stays where it is.
"""

from __future__ import annotations

import re
from pathlib import PurePath

from xpiler.frontend.comments import blank_comments
from xpiler.frontend.sourcemap import SourceFile

_WORDS = {
    "restrict": "__restrict__",
    "_Alignas": "alignas",
    "_Alignof": "alignof",
    "_Bool": "bool",
    "_Noreturn": "[[noreturn]]",
    "_Static_assert": "static_assert",
    "_Thread_local": "thread_local",
}
_WORD = re.compile(rf"\b(?:{'|'.join(_WORDS)})\b")
_MEMORY = re.compile(r"=\s*(?=(?:malloc|calloc|realloc|aligned_alloc)\s*\()")
_DECLARED = re.compile(
    r"(?:^|[;{}(])\s*(?:(?:static|const|register)\s+)*([A-Za-z_][\w\s]*?\s*\*+)\s*(?:restrict\s+)?\w+\s*\Z"
)
_ASSIGNED = re.compile(r"[;{}]\s*([A-Za-z_][\w.\[\]]*(?:->[\w.\[\]]+)*)\s*\Z")


def is_c(file: str) -> bool:
    return PurePath(file).suffix == ".c"


def as_cpp(text: str, file: str) -> str:
    """The text with those edits."""
    bare, _ = blank_comments(SourceFile.of(file, text))
    edits = [(m.start(), m.end(), _WORDS[m[0]]) for m in _WORD.finditer(bare)]
    for match in _MEMORY.finditer(bare):
        before = bare[max(0, match.start() - 300) : match.start()]
        declared, assigned = _DECLARED.search(before), _ASSIGNED.search(before)
        kind = declared[1] if declared else f"decltype({assigned[1]})" if assigned else ""
        if kind:
            edits.append((match.end(), match.end(), f"({kind})"))
    for start, end, new in sorted(edits, reverse=True):
        text = text[:start] + new + text[end:]
    return text
