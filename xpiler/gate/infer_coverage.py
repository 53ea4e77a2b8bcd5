"""Arguments with which host code takes its other branches: launches that the chosen sizes do not reach.

    if (n % 4 == 0) wide<<<...>>>(...); else narrow<<<...>>>(...);              n=37, n=64
    switch (kind) { case 0: add<<<...>>>(...); case 1: mul<<<...>>>(...); }     kind=0, kind=1
    switch (log2(n)) { case 9: rows<9><<<...>>>(...); case 10: rows<10>... }    n=512, n=1024
    if (d == 64 && m == 128) k<64, 128><<<...>>>(...); else if ...              d=64, m=128

A branch is found by trying: the search for sizes traces the call with each of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice, product

from xpiler.frontend.unit import HostFunction

_SMALL = range(10)  # enumerations, flags, numbers of bits
_ROUND = 64  # what vectors and tiles divide
_FACTORS = (2, 8, 64)  # many rows, long rows
_DOUBLED = tuple(1 << k for k in range(4, 14))  # a template for each power of two
_MOST_STATED = 24
_LARGEST = 1 << 14
_MOST_TOGETHER = 64


def other_arguments(
    chosen: Mapping[str, int], free: Sequence[str], flags: Sequence[str], functions: Sequence[HostFunction]
) -> Iterator[dict[str, int]]:
    """The chosen sizes with some of them changed, most promising first. `free` are the sizes that may be
    changed, `flags` the parameters of type bool; `functions` are those that decide."""
    sizes = dict(chosen)
    settings: list[dict[str, int]] = [{}]
    settings += [{flag: value} for flag in flags for value in (False, True)]
    rounded = {name: -(-sizes[name] // _ROUND) * _ROUND for name in free}
    for setting in settings:
        yield {**sizes, **setting}
        yield {**sizes, **rounded, **setting}
    for together in islice(_asked_together(free, functions), _MOST_TOGETHER):
        for setting in settings:
            yield {**sizes, **together, **setting}
            yield {**sizes, **rounded, **together, **setting}
    stated = _numbers_in(functions)
    for name in free:
        near = (rounded[name], *(sizes[name] * factor for factor in _FACTORS))
        for value in dict.fromkeys((*_SMALL, *near, *stated, *_DOUBLED)):
            if value <= _LARGEST:
                yield {**sizes, name: value}
    for name in free:  # both at once: a kind of operation, and sizes that its vectors divide
        for value in dict.fromkeys((*_SMALL, *stated)):
            yield from ({**sizes, **rounded, name: value, **setting} for setting in settings[1:] or [{}])


def _asked_together(free: Sequence[str], functions: Sequence[HostFunction]) -> Iterator[dict[str, int]]:
    """Values of several sizes at once, each of which the text compares with numbers: first those of one
    condition, then all others."""
    text = " ".join(function.body for function in functions)
    asked: dict[str, list[int]] = {}
    conditions: list[dict[str, int]] = []
    for condition in re.split(r"[;{}]|\|\||\belse\b", text):
        found = {
            name: int(n) for name, n in re.findall(r"\b(\w+)\s*==\s*(\d{1,6})\b", condition) if name in free
        }
        conditions += [found] if len(found) > 1 and found not in conditions else []
        for name, value in found.items():
            asked.setdefault(name, []).append(value)
    for name, cases in _switches(text):
        if name in free:
            asked.setdefault(name, []).extend(cases)
    yield from conditions
    if len(asked) > 1:
        for values in product(*(dict.fromkeys(values) for values in asked.values())):
            if (setting := dict(zip(asked, values, strict=True))) not in conditions:
                yield setting


def _switches(text: str) -> Iterator[tuple[str, list[int]]]:
    """What each `switch` looks at, and the values of its own cases: enumerators count from 0."""
    cast = r"(?:static_cast\s*<[\w\s:]+>\s*\(|\([\w\s:]+\))?"
    for found in re.finditer(rf"\bswitch\s*\(\s*{cast}\s*(\w+)", text):
        labels: list[str] = []
        depth = 0
        for part in re.finditer(r"[{}]|\bcase\s+(-?[\w:]+)\s*:(?!:)", text[found.end() :]):
            depth += {"{": 1, "}": -1}.get(part[0], 0)
            if depth == 0:
                break
            labels += [part[1]] if part[1] and depth == 1 else []
        numbers = [int(label) for label in labels if re.fullmatch(r"\d{1,6}", label)]
        yield found[1], numbers or [*range(len(labels))]


def _numbers_in(functions: Sequence[HostFunction]) -> tuple[int, ...]:
    """Integers that the text of the functions states, and those just beside them: thresholds."""
    text = " ".join(function.body for function in functions)
    found = [
        int(word, 0) for word in re.findall(r"(?<![\w.])(?:0[xX][0-9a-fA-F]+|[1-9]\d{0,5})(?![\w.])", text)
    ]
    beside = [n + step for n in dict.fromkeys(found) for step in (0, 1, -1)]
    return tuple(dict.fromkeys(beside))[:_MOST_STATED]
