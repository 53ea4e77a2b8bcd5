"""Macros that launch kernels, written out where they are called.

    #define LAUNCHER(T) void scale_##T(T* y, int n) { scale<T><<<1, 256>>>(y, n); }
    LAUNCHER(float)     -->     void scale_float(float* y, int n) { scale<float><<<1, 256>>>(y, n); }

A platform whose launches are written otherwise needs each by itself: in the macro nobody knows which instance
of a template is meant.
"""

from __future__ import annotations

import re
import textwrap
from collections import Counter
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
    """The text with calls of macros that launch kernels in the form that they stand for."""
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
    often = Counter(re.findall(r"^[ \t]*#[ \t]*(?:define|undef)[ \t]+(\w+)", bare, re.MULTILINE))
    launching = {name for name in _launching(macros) if often[name] == 1}  # else it means now this, now that
    for macro in macros:
        params = [name.strip() for name in macro[2].split(",") if name.strip()]
        is_code = bare[macro.start() : macro.end()].strip()
        takes = range(len(params) - 1, 1 << 16) if "..." in params else (len(params),)
        calls = [c for c in _calls(code, macro[1]) if len(c[2]) in takes]
        if macro[1] in launching and is_code and calls:
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
    text = one.text
    known = list(one.pieces) or [(1, one.file, 1)]
    source = [_origin(known, number) for number in range(1, text.count("\n") + 2)]
    made, origin, at, line = "", [source[0]], 0, 0
    for start, end, given in (*calls, (len(text), len(text), None)):
        made += text[at:start]
        lines = text.count("\n", at, start)
        origin += source[line + 1 : line + 1 + lines]
        line += lines
        if given is not None:
            indent = re.match(r"[ \t]*", text[text.rfind("\n", 0, start) + 1 : start])
            body = _body(_substituted(macro[3], _bound(params, given)), indent[0] if indent else "")
            made += body
            origin += [source[line]] * body.count("\n")
            line += text.count("\n", start, end)
        at = end
    if len(re.findall(rf"\b{macro[1]}\b", made)) == 1:
        made = made[: macro.start()] + "\n" * macro[0].count("\n") + made[macro.end() :]
    pieces = [
        (number, file, begin)
        for number, (file, begin) in enumerate(origin, 1)
        if number == 1 or (file, begin) != (origin[number - 2][0], origin[number - 2][1] + 1)
    ]
    return replace(one, text=made, pieces=tuple(pieces))


def _bound(params: Sequence[str], given: Sequence[str]) -> dict[str, str]:
    """The arguments by the names of the parameters; those of `...` are one."""
    if params and params[-1] == "...":
        named = len(params) - 1
        return {**dict(zip(params, given[:named], strict=False)), "__VA_ARGS__": ", ".join(given[named:])}
    return dict(zip(params, given, strict=True))


def _body(text: str, indent: str) -> str:
    """What a call stands for, in the place of the call."""
    lines = textwrap.dedent("\n".join(line.rstrip() for line in text.split("\n") if line.strip())).split("\n")
    return f"\n{indent}".join(lines).strip()


def _origin(pieces: list[tuple[int, str, int]], number: int) -> tuple[str, int]:
    begin, file, line = max(piece for piece in pieces if piece[0] <= number)
    return file, line + number - begin


def _calls(code: str, name: str) -> Iterator[tuple[int, int, list[str]]]:
    """Calls that are no argument of another: where they begin and end, and their arguments."""
    for match in re.finditer(rf"(?<![\w.>]){name}[ \t]*\(", code):
        statement = re.split(r"[;{}]", code[: match.start()])[-1]
        if statement.count("(") != statement.count(")"):
            continue
        depth, at, given = 1, match.end(), [""]
        while at < len(code) and depth:
            depth += (code[at] in "([{") - (code[at] in ")]}")
            if code[at] == "," and depth == 1:
                given.append("")
            elif depth:
                given[-1] += code[at]
            at += 1
        if depth == 0:
            yield match.start(), at, [text.strip() for text in given]


def _substituted(body: str, given: dict[str, str]) -> str:
    """A macro's body, line by line as it is written, with its arguments."""
    made: list[str] = []
    text = re.sub(r"[ \t]*\\\n", "\n", body)
    text = re.sub(r"\s*##\s*", "##", text)
    if given.get("__VA_ARGS__") == "":
        text = re.sub(r",\s*##__VA_ARGS__", "", text)
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
