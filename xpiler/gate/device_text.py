"""The device side of a CUDA text, for NVIDIA's runtime compiler, which sees no host code.

Host functions are blanked in place, so every line and column stays where it is. Other declarations stay as
long as the compiler accepts them: a struct with a `std::string` goes when it is complained about (`without`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_MASKED = re.compile(
    r"//(?:[^\\\n]|\\.|\\\n)*|/\*.*?\*/|R\"(\w*)\(.*?\)\1\"|\"(?:[^\"\\\n]|\\.)*\"|(?<![\w'])'(?:[^'\\\n]|\\.)*'"
    r"|^[ \t]*#(?:[^\\\n]|\\.|\\\n)*",
    re.DOTALL | re.MULTILINE,
)
_DIRECTIVE = re.compile(r"^[ \t]*#(?:[^\\\n]|\\.|\\\n)*", re.MULTILINE | re.DOTALL)
_DEVICE_WORDS = ("__global__", "__device__", "__constant__", "__shared__")
_MACRO = re.compile(r"^[ \t]*#[ \t]*define[ \t]+(\w+)(.*(?:\\\n.*)*)", re.MULTILINE)
_CONSTANT = re.compile(r"\bconst(?:expr)?\s+[\w:]+\s+(\w+)\s*=\s*(\w+)\s*;")
_LAUNCH = re.compile(r"\b([A-Za-z_][\w:]*\s*<[^;{}()]{0,200}>)\s*<<<")


@dataclass(frozen=True)
class Chunk:
    """One declaration at namespace level: offsets, and whether it is `device`, a `host` function or `other`.

    `names` are all words of its head, `function` the name of a host function.
    """

    start: int
    end: int
    kind: str
    names: frozenset[str]
    function: str = ""


def chunks(text: str) -> list[Chunk]:
    """The declarations at namespace level, in order. Text that is not C++ gives some chunks, never an
    error.
    """
    code = _masked(text)
    marks = [*_DEVICE_WORDS, *_device_macros(text)]
    device = re.compile("|".join(rf"\b{re.escape(word)}\b" for word in marks))
    found: list[Chunk] = []
    start = position = 0
    while position < len(code):
        character = code[position]
        if character == "}":
            start = position + 1
        elif character == ";":
            found.append(_chunk(code, start, position + 1, device, False))
            start = position + 1
        elif character == "(":
            position = _closing(code, position, "(", ")")
        elif character == "{":
            head = code[start:position]
            if re.match(r"\s*(inline\s+)?namespace\b|\s*extern\s*$", head):
                start = position + 1
            else:
                position = _closing(code, position, "{", "}")
                if _is_function(head):
                    found.append(_chunk(code, start, position + 1, device, True))
                    start = position + 1
        position += 1
    return found


def device_side(text: str, parts: list[Chunk]) -> str:
    """The text without its host functions."""
    return without(text, [part for part in parts if part.kind == "host"])


def without(text: str, parts: list[Chunk]) -> str:
    """The text with `parts` replaced by blanks; lines and preprocessor directives stay."""
    kept = [match.span() for match in _DIRECTIVE.finditer(text)]
    out = list(text)
    for part in parts:
        for position in range(part.start, part.end):
            if out[position] not in "\r\n":
                out[position] = " "
    for start, end in kept:
        out[start:end] = text[start:end]
    return "".join(out)


def instantiations(text: str) -> list[str]:
    """What launches instantiate: `gemm<float, 16>`. Templates that nobody instantiates are hardly checked.

    Constants of host functions are put in; the name of one that has several values stays.
    """
    code = _masked(text)
    values: dict[str, set[str]] = {}
    for name, value in _CONSTANT.findall(code):
        values.setdefault(name, set()).add(value)
    single = {name: found.pop() for name, found in values.items() if len(found) == 1}
    spellings = {" ".join(match[1].split()) for match in _LAUNCH.finditer(code)}
    return sorted(re.sub(r"\b[A-Za-z_]\w*\b", lambda m: single.get(m[0], m[0]), each) for each in spellings)


def _masked(text: str) -> str:
    """The text with comments, literals and directives blanked."""
    return _MASKED.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), text)


def _device_macros(text: str) -> list[str]:
    """Macros that stand for an execution space: `#define DEVICE __device__ __forceinline__`."""
    return [name for name, body in _MACRO.findall(text) if any(word in body for word in _DEVICE_WORDS)]


def _closing(code: str, opening: int, left: str, right: str) -> int:
    depth = 0
    for position in range(opening, len(code)):
        if code[position] == left:
            depth += 1
        elif code[position] == right:
            depth -= 1
            if depth == 0:
                return position
    return len(code) - 1


def _is_function(head: str) -> bool:
    if re.match(r"\s*(template\s*<.*>\s*)?(typedef\s+)?(struct|class|union|enum)\b[^()]*$", head, re.DOTALL):
        return False
    outside = re.sub(r"\([^()]*(?:\([^()]*\)[^()]*)*\)", "()", head)
    return "()" in outside and not re.search(r"(?<!operator)=(?!=)", re.sub(r"<[^<>]*>", "", outside))


def _chunk(code: str, start: int, end: int, device: re.Pattern[str], is_function: bool) -> Chunk:
    body = code[start:end]
    start += len(body) - len(body.lstrip())
    head = body.partition("{")[0]
    names = frozenset(re.findall(r"\b[A-Za-z_]\w*", head))
    if device.search(body):
        return Chunk(start, end, "device", names)
    if is_function and not re.search(r"\bconstexpr\b", head):
        called = re.findall(r"\b([A-Za-z_]\w*)\s*\(", head)
        return Chunk(start, end, "host", names, called[0] if called else "")
    return Chunk(start, end, "other", names)
