"""Functions that a macro defines, written out where they launch kernels.

    #define LAUNCHER(T) void scale_##T(T* y, int n) { scale<T><<<1, 256>>>(y, n); }
    LAUNCHER(float)     -->     void scale_float(float* y, int n) { scale<float><<<1, 256>>>(y, n); }

A platform whose launches are written otherwise needs each by itself: in the macro nobody knows which instance
of a template is meant.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import replace

from xpiler.errors import Refusal
from xpiler.frontend.comments import blank_comments
from xpiler.frontend.macros import TOKEN
from xpiler.frontend.own_headers import OneText
from xpiler.frontend.sourcemap import SourceFile

_DEFINE = re.compile(r"^[ \t]*#[ \t]*define[ \t]+(\w+)\(([^()]*)\)((?:[^\n\\]|\\\n|\\.)*)$", re.MULTILINE)
_DIRECTIVE = re.compile(r"^[ \t]*#(?:[^\n\\]|\\\r?\n|\\.)*", re.MULTILINE)
_MOST_ROUNDS = 4  # macros that use macros


def with_launchers(one: OneText) -> OneText:
    """The text with calls at file scope of macros that launch kernels in the form that they stand for."""
    for _ in range(_MOST_ROUNDS):
        changed = _expanded(one)
        if changed is None:
            break
        one = changed
    return one


def _expanded(one: OneText) -> OneText | None:
    """The calls of one macro in its place, with where each line comes from; None if there are none."""
    try:
        bare, _ = blank_comments(SourceFile.of(one.file, one.text))
    except Refusal:
        return None  # no program: whoever reads it says so
    code = _DIRECTIVE.sub(lambda directive: re.sub(r"[^\n]", " ", directive[0]), bare)
    macros = list(_DEFINE.finditer(one.text))
    launching = _launching(macros)
    for macro in macros:
        params = [name.strip() for name in macro[2].split(",") if name.strip()]
        is_code = bare[macro.start() : macro.end()].strip()
        calls = [c for c in _calls(code, macro[1]) if len(c[2]) == len(params)]
        if macro[1] in launching and "..." not in params and is_code and calls:
            return _with_calls(one, macro, params, calls)
    return None


def _launching(macros: Sequence[re.Match[str]]) -> set[str]:
    """The macros that launch kernels, by themselves or by others."""
    found: set[str] = set()
    while True:
        more = {m[1] for m in macros if "<<<" in m[3] or found & set(re.findall(r"\w+", m[3]))}
        if more == found:
            return found
        found = more


def _with_calls(
    one: OneText, macro: re.Match[str], params: Sequence[str], calls: Sequence[tuple[int, int, list[str]]]
) -> OneText:
    lines = one.text.split("\n")
    known = list(one.pieces) or [(1, one.file, 1)]
    origin = [_origin(known, number) for number in range(1, len(lines) + 1)]
    for first, last, given in reversed(calls):
        body = _substituted(macro[3], dict(zip(params, given, strict=True)))
        made = textwrap.dedent("\n".join(line.rstrip() for line in body.split("\n") if line.strip()))
        lines[first : last + 1] = made.split("\n")
        origin[first : last + 1] = [origin[first]] * (made.count("\n") + 1)
    if len(re.findall(rf"\b{macro[1]}\b", "\n".join(lines))) == 1:
        first = one.text.count("\n", 0, macro.start())
        length = macro[0].count("\n") + 1
        lines[first : first + length] = [""] * length
    pieces = [
        (number, file, line)
        for number, (file, line) in enumerate(origin, 1)
        if number == 1 or (file, line) != (origin[number - 2][0], origin[number - 2][1] + 1)
    ]
    return replace(one, text="\n".join(lines), pieces=tuple(pieces))


def _origin(pieces: list[tuple[int, str, int]], number: int) -> tuple[str, int]:
    begin, file, line = max(piece for piece in pieces if piece[0] <= number)
    return file, line + number - begin


def _calls(code: str, name: str) -> Iterator[tuple[int, int, list[str]]]:
    """Calls that fill whole lines at file scope: the first line, the last, and the arguments."""
    for match in re.finditer(rf"^[ \t]*{name}[ \t]*\(", code, re.MULTILINE):
        if not _is_at_file_scope(code[: match.start()]):
            continue
        depth, at, given = 1, match.end(), [""]
        while at < len(code) and depth:
            depth += (code[at] in "([{") - (code[at] in ")]}")
            if code[at] == "," and depth == 1:
                given.append("")
            elif depth:
                given[-1] += code[at]
            at += 1
        rest = code[at:].partition("\n")[0]
        if depth == 0 and not rest.strip(" \t;"):
            first = code.count("\n", 0, match.start())
            yield first, code.count("\n", 0, at), [text.strip() for text in given]


def _is_at_file_scope(before: str) -> bool:
    """Whether all braces are those of namespaces and `extern "C"`."""
    outer: list[bool] = []
    for brace in re.finditer(r"[{}]", before):
        if brace[0] == "{":
            head = re.split(r"[;{}]", before[: brace.start()])[-1]
            outer.append(re.search(r"\bnamespace\b[^()]*$|\bextern\s*\"C\"\s*$", head) is not None)
        elif outer:
            outer.pop()
    return all(outer)


def _substituted(body: str, given: dict[str, str]) -> str:
    """A macro's body, line by line as it is written, with its arguments."""
    made: list[str] = []
    text = re.sub(r"[ \t]*\\\n", "\n", body)
    text = re.sub(r"\s*##\s*", "##", text)
    after_hash = False
    for token in TOKEN.finditer(text):
        word = token[0]
        if word == "##":
            continue
        if word == "#":
            after_hash = True
            continue
        if word in given:
            word = given[word]
            if after_hash:
                word = '"' + word.replace("\\", "\\\\").replace('"', '\\"') + '"'
        elif after_hash:
            word = f"#{word}"
        after_hash = False
        made.append(word)
    return "".join(made)
