"""A text without what needs headers that are not here: those of libraries, and those of its own program.

    #include "common.h"                                                 not here
    __global__ void scale(float *x, int n) { ... }                      stays
    void run(float *x, int n) { scale<<<ceil_div(n, 256), 256>>>(...); CHECK(...); }     taken out

The compiler says what names nobody defines. Where conditions (`#if`) ask for what such a header may define,
or more is unknown than definitions, nothing is taken out.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from itertools import accumulate
from pathlib import Path

from xpiler.errors import Refusal
from xpiler.frontend.comments import blank_comments
from xpiler.frontend.header_search import find_angled, find_header
from xpiler.frontend.libraries import Reduced, cut, is_library, without_libraries
from xpiler.frontend.predefined import predefined
from xpiler.frontend.sourcemap import SourceFile
from xpiler.platforms.registry import PLATFORMS

ABSENT = re.compile(
    r"fatal error: (?:(?P<plain>[^\s:]+): No such file or directory|'(?P<quoted>[^']+)' file not found)"
)
_INCLUDE = re.compile(r"^[ \t]*#[ \t]*include[ \t]*[<\"](?P<name>[^>\"\n]+)[>\"][^\n]*", re.MULTILINE)
_CONDITION = re.compile(r"^[ \t]*#[ \t]*(if|ifdef|elif)\b(?P<said>(?:[^\n\\]|\\\n)*)", re.MULTILINE)
_DEFINE = re.compile(r"^[ \t]*#[ \t]*define[ \t]+(\w+)", re.MULTILINE)
_LINE = re.compile(r"^[ \t]*#[ \t]*line[ \t][^\n]*", re.MULTILINE)
_ERROR = re.compile(r"^(?P<file>[^\n]+?):(?P<line>\d+):(?P<column>\d+): error: ", re.MULTILINE)
_ROUNDS = 8  # compilations: a missing header ends one, and errors hide others
_WHY = "needs a header that is not here"
_SYSTEM = (Path("/usr/include"), Path("/usr/local/include"))


def reduced_text(text: str, file: str, platform: str) -> Reduced | None:
    """None where everything stays."""
    known = without_libraries(text, file) if PLATFORMS[platform].emulated else None
    rest = known.text if known is not None else text
    absent = tuple(name for name in _INCLUDE.findall(rest) if _seems_absent(name, file, platform))
    found = _asked(rest, file, platform, absent) if absent else None
    if found is None or known is None:
        return found or known
    return Reduced(
        found.text,
        (*known.headers, *found.headers),
        known.names | found.names,
        (*known.spans, *found.spans),
        f"{known.why} or {found.why}",
    )


@functools.lru_cache(maxsize=64)
def _asked(text: str, file: str, platform: str, _absent: tuple[str, ...]) -> Reduced | None:
    """What the compiler says, for as long as the same headers are missing."""
    from xpiler.gate.execute import complaints

    return without_absent(text, file, platform, lambda one: complaints(one, file, platform))


def _seems_absent(name: str, file: str, platform: str) -> bool:
    """Whether nobody knows a header of that name; the compiler is asked then."""
    if is_library(name) or "." not in name or name.endswith("intrin.h"):
        return False
    if PLATFORMS[platform].emulated:
        from xpiler.emulators import host

        if name in host.headers(platform):
            return False
    is_own = find_header(Path(file), name).is_file() or find_angled(Path(file), name) is not None
    return not (is_own or any((place / name).is_file() for place in _SYSTEM))


def without_absent(
    text: str, file: str, platform: str, complaints_of: Callable[[str], str]
) -> Reduced | None:
    """`complaints_of`: what a compiler says of a text, "" if nothing."""
    try:
        bare, _ = blank_comments(SourceFile.of(file, text))
    except Refusal:
        return None
    lines = text.split("\n")
    starts = list(accumulate((len(line) + 1 for line in lines), initial=0))
    absent: list[re.Match[str]] = []
    wrong: set[int] = set()
    for _ in range(_ROUNDS):
        reduced = cut(text, bare, absent, functools.partial(_holds_one, frozenset(wrong)), _WHY)
        if reduced is None:
            return None
        log = complaints_of(_LINE.sub(lambda match: " " * len(match[0]), reduced.text))
        if not log:
            return reduced if absent and not _decides(bare, platform) else None
        missing = ABSENT.search(log)
        if missing is not None:
            name = missing["plain"] or missing["quoted"]
            more = [match for match in _INCLUDE.finditer(bare) if match["name"] == name]
            if not more or more[0] in absent:
                return None
            absent += more
            continue
        places = {  # a launch is longer where it is compiled
            starts[line] + min(int(error["column"]), len(lines[line])) - 1
            for error in _ERROR.finditer(log)
            if error["file"] == file and (line := int(error["line"]) - 1) < len(lines)
        }
        if not absent or not places - wrong:
            return None
        wrong |= places
    return None


def _holds_one(places: frozenset[int], start: int, end: int) -> bool:
    return any(start <= at < end for at in places)


def _decides(bare: str, platform: str) -> bool:
    """Whether a condition asks for a macro that the text does not define, so that a header may."""
    defined = {*_DEFINE.findall(bare), *predefined(platform), "defined"}
    said = " ".join(match["said"] for match in _CONDITION.finditer(bare))
    asked = set(re.findall(r"[A-Za-z_]\w*", said)) - defined
    return any(not word.startswith("__") for word in asked)
