"""Device functions that a text calls and that another file of its program defines, as `-rdc` links them.

    __device__ float soft_clip(float v, float limit);        in amp.cu; its body is in device_math.cu
        -->  static __device__ float soft_clip(float v, float limit) { return v / (1.f + fabsf(v) / limit); }

Kernels that come out are written anew from what they compute, so their functions have to be read with them.
The body stands on the line of the declaration: places in the text stay right.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from xpiler.errors import Refusal
from xpiler.frontend import parse
from xpiler.frontend.comments import blank_comments
from xpiler.frontend.own_headers import OneText
from xpiler.frontend.sourcemap import SourceFile
from xpiler.frontend.unit import KernelText, Unit
from xpiler.gate import program_files

_DECLARATION = re.compile(
    r"(?:\bextern\s+)?(?:\b(?:static|inline|__forceinline__|__host__)\s+)*\b__device__\b[^;{}()=#]*?"
    r"\b(?P<name>\w+)\s*\([^;{}]*\)\s*(?:noexcept\s*)?;"
)
_PRAGMA = re.compile(r"^[ \t]*#[ \t]*pragma[ \t]+unroll[^\n]*$", re.MULTILINE)


def with_device_functions(one: OneText, platform: str) -> OneText:
    """The text with the bodies of device functions that files beside it, or named with it, define."""
    bare = _bare(one.text, one.file)
    declared = {m["name"]: m for m in _DECLARATION.finditer(bare)}
    own = program_files.OtherFile(one.file, bare, platform)
    missing = declared.keys() - own.defines(declared)
    used = [name for name in missing if len(re.findall(rf"\b{name}\b", bare)) > 1]
    if not used:
        return one
    others, _ = program_files.definers(one.file, platform, used)
    bodies: dict[str, str] = {}
    read: list[str] = []
    for other in others:
        try:
            unit = parse(other.text, other.path, platform=platform)
        except Refusal:
            continue
        for name in used:
            written = _written(unit, name)
            if written and name not in bodies:
                bodies[name] = written
                read.append(other.path)
    text = one.text
    for name, match in sorted(declared.items(), key=lambda item: -item[1].start()):
        if name in bodies:
            lines = "\n" * text.count("\n", match.start(), match.end())
            text = text[: match.start()] + bodies[name] + lines + text[match.end() :]
    return replace(one, text=text, headers=tuple(dict.fromkeys([*one.headers, *read])))


def _bare(text: str, file: str) -> str:
    try:
        return blank_comments(SourceFile.of(file, text))[0]
    except Refusal:
        return text  # no program: whoever reads it says so


def _written(unit: Unit, name: str) -> str:
    """A device function of a file with those of the same file that it calls, on one line; "" if it cannot be
    written so."""
    parts = []
    for function in _reached(unit, name):
        body = _bare(unit.text[slice(*function.span)], unit.file)
        body = " ".join(_PRAGMA.sub("", body).split("\n"))
        if "#" in body:
            return ""
        body = re.sub(r"^\s*(?:extern|static)\b\s*", "", body)
        parts.append("static " + re.sub(r"[ \t]+", " ", body).strip())
    return " ".join(reversed(parts))


def _reached(unit: Unit, name: str) -> Iterator[KernelText]:
    functions = [f for f in unit.device_functions if Path(f.range.file) == Path(unit.file)]
    pending, seen = [name], {name}
    while pending:
        wanted = pending.pop()
        for function in functions:
            if function.name == wanted:
                yield function
                words = set(re.findall(r"\w+", unit.text[slice(*function.span)])) - seen
                called = [f.name for f in functions if f.name in words]
                pending += called
                seen |= {*called}
