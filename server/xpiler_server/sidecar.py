"""The text of a `KERNEL.xpiler.toml` with values set; what people wrote in it stays.

[args]                          [args]
m = 8  # rows   m=64     -->    m = 64  # rows
                n=37            n = 37
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from xpiler.errors import Refusal
from xpiler.gate.overrides import from_toml

_LAUNCH = ("grid", "block", "shared")
_TOKEN = re.compile(r"""#[^\n]*|"(?:\\.|[^"\\\n])*"|'[^'\n]*'|[^\S\n]+|\n|.""")


def with_values(text: str, values: Mapping[str, str], path: str) -> str:
    """The text with values by the names of the protocol's `missing`. Raises Refusal for what is no value."""
    for name, value in values.items():
        kind, colon, own = name.partition(":")
        if name == "arch":
            text = _set(text, "", name, _quoted(value))
        elif name in _LAUNCH:
            is_list = name != "shared"
            text = _set(text, "launch", name, _extents(value) if is_list else _extent(value))
        elif colon and kind == "shape":
            text = _set(text, "shapes", own, _extents(value))
        else:
            text = _set(text, "args", own if colon and kind == "arg" else name, _scalars(name, value))
    from_toml(text, path)
    return text


def _set(text: str, section: str, key: str, value: str) -> str:
    lines = text.splitlines()
    start, end = _section(lines, section)
    pattern = re.compile(rf"\s*[\"']?{re.escape(key)}[\"']?\s*=")
    for number in range(start, end):
        if (found := pattern.match(lines[number])) is not None:
            rest = "\n".join([lines[number][found.end() :], *lines[number + 1 :]])
            lines[number:] = f"{key} = {value}{rest[_value_end(rest) :]}".split("\n")
            return "\n".join(lines) + "\n"
    if section and start == len(lines) and not (lines and lines[-1].strip() == f"[{section}]"):
        lines += [*([""] if lines else []), f"[{section}]", f"{key} = {value}"]
    else:
        while end > start and not lines[end - 1].strip():
            end -= 1
        lines.insert(end, f"{key} = {value}")
    return "\n".join(lines) + "\n"


def _value_end(text: str) -> int:
    """Where the value at the start of a text ends: before its comment, or at the end of its line. A list
    may take several lines, with comments of its own; what is quoted is no comment."""
    depth = end = 0
    for token in _TOKEN.finditer(text):
        if token[0] == "\n" or token[0].startswith("#"):
            if depth == 0:
                break
        elif not token[0].isspace():
            depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(token[0], 0)
            end = token.end()
    return end


def _section(lines: list[str], section: str) -> tuple[int, int]:
    """The lines of a section, those before the first for ""; the text's end for one that is not there."""
    heads = [n for n, line in enumerate(lines) if re.match(r"\s*\[", line)]
    if not section:
        return 0, heads[0] if heads else len(lines)
    own = next((n for n in heads if re.match(rf"\s*\[\s*{section}\s*\]", lines[n])), None)
    if own is None:
        return len(lines), len(lines)
    return own + 1, next((n for n in heads if n > own), len(lines))


def _scalars(name: str, text: str) -> str:
    values = [_scalar(name, part.strip()) for part in text.split(",")]
    return values[0] if len(values) == 1 else f"[{', '.join(values)}]"


def _scalar(name: str, text: str) -> str:
    if text.lower() in ("true", "false"):
        return text.lower()
    for convert in (lambda t: int(t, 0), float):
        try:
            return repr(convert(text))
        except ValueError:
            continue
    raise Refusal("contract-arg", f"{name}: {text!r} is no number, true or false")


def _extents(text: str) -> str:
    return f"[{', '.join(_extent(part) for part in text.split(','))}]"


def _extent(text: str) -> str:
    try:
        return str(int(text.strip(), 0))
    except ValueError:
        return _quoted(text.strip())


def _quoted(text: str) -> str:
    if re.search(r"[\"\\\x00-\x1f\x7f]", text):
        raise Refusal("contract-extent", f"{text!r} is no name or expression")
    return f'"{text}"'
