"""Parameters with which a caller chooses: the type of untyped memory, an operation, a layout.

    enum class DType { F32, F16 = 5 };
    void add(..., int n, DType t) { switch (t) { case DType::F32: add_kernel<float><<<...>>>(...   t in {0, 5}
    #define NPY_INT 5
    int sum(..., int n, int type) { if (type == NPY_INT) sum_kernel<int><<<...>>>(...              type in {5}

They are no sizes: each of their values is worth runs of its own, at sizes that are chosen besides.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice, product

from xpiler.frontend.unit import HostFunction
from xpiler.ir.nodes import Param
from xpiler.ir.types import BOOL

_NOT_CODE = re.compile(r"//[^\n]*|/\*.*?\*/|\"(?:\\.|[^\"\\\n])*\"", re.S)
_ENUM = re.compile(r"\benum\b(?:\s+(?:class|struct))?\s*(\w*)\s*(?::\s*[\w\s:]+)?\{([^{}]*)\}\s*(\w*)")
_NAMED = re.compile(
    r"^[ \t]*#[ \t]*define[ \t]+(\w+)[ \t]+\(?(-?\w+)\)?[ \t]*$"
    r"|\bconst(?:expr)?\s+int\s+(\w+)\s*=\s*(-?\w+)\s*;",
    re.M,
)
_CAST = r"(?:static_cast\s*<[\w\s:]+>\s*\(|\(\s*[A-Za-z_][\w:]*\s*\)|\()?\s*"
_LABEL = r"(-?\w+(?:::\w+)*)"
_MOST_VALUES = 12
_MOST_TOGETHER = 24


def selectors(
    params: Iterable[Param], text: str, functions: Sequence[HostFunction]
) -> dict[str, tuple[int, ...]]:
    """The parameters that choose, and their values. `functions`: those that a call of the entry runs. A
    number that is compared and used otherwise besides is a size."""
    kinds, known = _constants(_NOT_CODE.sub(" ", text))
    bodies = _NOT_CODE.sub(" ", " ".join(function.body for function in functions))
    found: dict[str, tuple[int, ...]] = {}
    for param in params:
        if param.is_pointer or not param.dtype.is_integer or param.dtype == BOOL:
            continue
        kind = re.sub(r"\b(?:enum|class|const)\b|&", " ", param.spelling).split("::")[-1].strip()
        values = kinds.get(kind) or tuple(_compared(param.name, bodies, known))
        if 1 < len(values) <= _MOST_VALUES:
            found[param.name] = values
    return found


def together(choices: Mapping[str, Sequence[int]]) -> list[dict[str, int]]:
    """All values with all others, as far as they are not too many."""
    made = (dict(zip(choices, values, strict=True)) for values in product(*choices.values()))
    return list(islice(made, _MOST_TOGETHER)) if choices else []


def _compared(name: str, text: str, known: Mapping[str, int]) -> Iterator[int]:
    """The constants that a number is compared with, if nothing else is done with it but to hand it on."""
    word = re.escape(name)
    equal = rf"\b{word}\s*[=!]=\s*{_CAST}{_LABEL}|{_LABEL}\s*[=!]=\s*{_CAST}{word}\b"
    switch = rf"\bswitch\s*\(\s*{_CAST}{word}\b[\s)]*\{{"
    rest = re.sub(rf"{equal}|{switch}|[(,]\s*{word}\s*(?=[,)])", " ", text)
    if re.search(rf"(?<![\w.>]){word}\b", rest):
        return
    labels = [one or other for one, other in re.findall(equal, text)]
    for match in re.finditer(switch, text):
        labels += _labels(text[match.end() :])
    numbers = [_number(label, known) for label in labels]
    yield from dict.fromkeys(number for number in numbers if number is not None)


def _labels(text: str) -> Iterator[str]:
    """Those of the `case`s of the block that the text is in."""
    depth = 1
    for part in re.finditer(rf"[{{}}]|\bcase\s+{_CAST}{_LABEL}", text):
        depth += {"{": 1, "}": -1}.get(part[0], 0)
        if depth == 0:
            return
        if part[1] and depth == 1:
            yield part[1]


def _constants(text: str) -> tuple[dict[str, tuple[int, ...]], dict[str, int]]:
    """The values of each enumeration, by its name, and those of all names of integers."""
    known: dict[str, int] = {}
    for match in _NAMED.finditer(text):
        value = _number(match[2] or match[4], known)
        if value is not None:
            known[match[1] or match[3]] = value
    kinds: dict[str, tuple[int, ...]] = {}
    for match in _ENUM.finditer(text):
        values: list[int] = []
        following: int | None = 0
        for part in filter(str.strip, match[2].split(",")):
            name, _, stated = (piece.strip() for piece in part.partition("="))
            following = _number(stated, known) if stated else following
            if following is None:
                break
            known[name] = following
            values.append(following)
            following += 1
        else:
            kinds |= dict.fromkeys({match[1], match[3]} - {""}, tuple(dict.fromkeys(values)))
    return kinds, known


def _number(text: str, known: Mapping[str, int]) -> int | None:
    last = text.split("::")[-1].strip()
    if re.fullmatch(r"-?(?:0[xX][0-9a-fA-F]+|\d+)[uUlL]*", last):
        return int(last.rstrip("uUlL"), 0) if not re.fullmatch(r"-?0\d+", last) else int(last, 8)
    shifted = re.fullmatch(r"\(?\s*(\d+)[uUlL]*\s*<<\s*(\d+)\s*\)?", last)
    return int(shifted[1]) << int(shifted[2]) if shifted else known.get(last)
