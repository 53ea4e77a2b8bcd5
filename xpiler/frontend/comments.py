"""Comments out, offsets kept: the first look at a text, before directives and macros."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass

from xpiler.errors import Refusal
from xpiler.frontend.sourcemap import SourceFile


@dataclass(frozen=True)
class Comment:
    """A comment with its delimiters; [start, end) are offsets in the original text of the main file."""

    text: str
    start: int
    end: int


_WORTH_A_LOOK = re.compile(
    r"""
      (?P<line>//(?:\\\r?\n|[^\n])*)
    | (?P<block>/\*.*?\*/)
    | (?P<raw>\b(?:u8|[uUL])?R"(?P<delimiter>[^()\\\s"]{0,16})\(.*?\)(?P=delimiter)")
    | (?P<string>"(?:\\.|[^"\\\n])*"|(?<![0-9a-fA-F])'(?:\\.|[^'\\\n])*')
    | (?P<open>/\*)
    | (?P<odd>\\\r?\n|[\r\f\v\ufeff\u00a0\u2028\u2029\x85])
    """,
    re.VERBOSE | re.DOTALL,
)
_NOT_NEWLINE = re.compile(r"[^\n]")
_TEXT_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f]")


def blank_comments(source: SourceFile) -> tuple[str, list[Comment]]:
    """A text of the same length without comments, line continuations and odd blanks, and the comments.

    A continued line ends in a blank instead of a backslash (in directives it stays, they need it). The
    inside of raw strings is blanked too: it may look like code. Raises Refusal for binary text and
    unterminated comments.
    """
    text = source.text
    control = _TEXT_CONTROL.search(text)
    if control is not None:
        place = source.range(control.start(), control.start() + 1)
        raise Refusal(
            "not-text",
            f"this is not a text file: it has the control character 0x{ord(control[0]):02x}",
            place,
            "give a source file in UTF-8",
        )
    comments: list[Comment] = []

    def blank(match: re.Match[str]) -> str:
        kind = match.lastgroup if match.lastgroup != "delimiter" else "raw"
        found = match[0]
        match kind:
            case "line" | "block":
                comments.append(Comment(found, match.start(), match.end()))
                return _NOT_NEWLINE.sub(" ", found)
            case "raw":
                head = found.index("(") + 1
                tail = len(match["delimiter"]) + 2
                return found[:head] + " " * (len(found) - head - tail) + found[-tail:]
            case "open":
                place = source.range(match.start(), match.end())
                raise Refusal("unterminated-comment", "this comment never ends", place, "close it with */")
            case "odd":
                return found if found[0] == "\\" else " "
            case _:
                return found

    return _WORTH_A_LOOK.sub(blank, text), comments


def with_lines(text: str, comments: Iterable[Comment]) -> tuple[tuple[int, str], ...]:
    """Each comment with the line of code (from 1) that it speaks of: its own, the next if it stands alone."""
    lines = [line.strip()[:2] for line in text.splitlines()]
    ends = [match.start() for match in re.finditer("\n", text)]
    code = [*range(1, len(lines) + 2)]  # the first line from each one on that is none of comments
    for n in range(len(lines) - 1, -1, -1):
        if lines[n] in ("", "//", "/*"):
            code[n] = code[n + 1]
    found: list[tuple[int, str]] = []
    for comment in comments:
        at = bisect_left(ends, comment.start) + 1
        if at <= len(lines) and lines[at - 1] in ("//", "/*"):
            at += comment.text.count("\n") + 1
            at = code[at - 1] if at <= len(lines) else at
        found.append((at, comment.text))
    return tuple(found)
