"""Changes that the compiler has to see: types, extents of arrays, named constants, layouts.

    short row = blockIdx.x * 4 + threadIdx.y;    -->    int row = ...
    s[v] += 1;                                   -->    atomicAdd(&s[v], 1);

They cannot be choices of one program, or show nothing in its runs, so that each costs a compilation. There
are few of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from xpiler.repair.openmp import openmp_changes
from xpiler.symbolic.findings import Edit

EARLY = 1.3  # what costs no more than that is tried before anything else


@dataclass(frozen=True)
class Static:
    """A change of the text, with its cost and what it is in words."""

    edit: Edit
    cost: float
    title: str


_NARROW = re.compile(
    r"\b(?:(?:un)?signed\s+char|(?:unsigned\s+)?short|char|u?int(?:8|16)_t)\b(?=\s+\w+\s*(?:=|;))"
)
_SIGNS = re.compile(r"\b(u?)int8_t\b")
_LAYOUT = re.compile(r"\b(mem_)?(row|col)_major\b")
_EXTENT = re.compile(r"(?<=[\w\]])\[\s*([^\[\];]{1,60}?)\s*\](?=\s*(?:\[[^\]]*\]\s*)*[;,=])")
_DECLARES = re.compile(r"\b(?:float|double|int|half|char|__m512\w*|u?int\d+_t|bfloat16\w*|T)\s+\w+[^=;(]*$")
_CONSTANT = re.compile(
    r"^[ \t]*(?:#[ \t]*define[ \t]+(\w+)[ \t]+|(?:static\s+)?const(?:expr)?\s+int\s+(\w+)\s*=\s*)(\d+)\b",
    re.M,
)


def statics_of(text: str, source: str, near: frozenset[int]) -> list[Static]:
    """All of them, the most plausible first. `near`: lines that a violation names."""
    found = [*_types(text), *_extents(text), *_layouts(text), *_constants(text, source)]
    found += [*_spaces(text), *_atomics(text)]
    found += [Static(*one) for one in openmp_changes(text)]

    def place(static: Static) -> tuple[float, int]:
        line = text.count("\n", 0, static.edit.start) + 1
        return static.cost - (0.4 if line in near else 0.0), static.edit.start

    return sorted(found, key=place)


_SUM = re.compile(r"(?<=[;{})])(\s*)(\w+(?:\[(?:[^\[\];=]|\[[^\[\];=]*\])+\])+)\s*(\+=|\+\+)([^;]*);")


def _atomics(text: str) -> Iterator[Static]:
    """Sums that several threads may add to: in runs in which one comes after the other no race shows."""
    for match in _SUM.finditer(text) if "__global__" in text else ():
        added = match[4].strip() or "1"
        written = f"atomicAdd(&{match[2]}, {added});"
        yield Static(
            Edit(match.end(1), match.end(), written), 1.7, f"`{match[2]}` should be added to by an atomic"
        )


_SPACES = ("__nram__", "__wram__", "__mlu_shared__")
_LOCAL = re.compile(r"^[ \t]+(?=(?:float|double|int|half)\s+\w+\s*\[)", re.M)


def _spaces(text: str) -> Iterator[Static]:
    """Other memory for an array."""
    for match in re.finditer("|".join(_SPACES), text):
        for other in _SPACES:
            if other != match[0]:
                yield Static(Edit(*match.span(), other), 1.6, f"`{match[0]}` should be `{other}`")
    if "__global__" in text:
        for match in re.finditer(r"__shared__\s+", text):
            yield Static(Edit(*match.span(), ""), 1.9, "the array should not be shared")
        for match in _LOCAL.finditer(text):
            title = "the array should be `__shared__`"
            yield Static(Edit(match.end(), match.end(), "__shared__ "), 1.5, title)


def _types(text: str) -> Iterator[Static]:
    for match in _NARROW.finditer(text):
        yield Static(Edit(*match.span(), "int"), 1.0, f"`{match[0]}` should be `int`")
    for match in _SIGNS.finditer(text):
        other = "int8_t" if match[1] else "uint8_t"
        yield Static(Edit(*match.span(), other), 1.6, f"`{match[0]}` should be `{other}`")


def _extents(text: str) -> Iterator[Static]:
    for match in _EXTENT.finditer(text):
        line = text[text.rfind("\n", 0, match.start()) + 1 : match.start()]
        if not _DECLARES.search(line):
            continue
        start, end = match.span(1)
        written = match[1]
        halved = re.fullmatch(r"\(?(.+?)\)?\s*/\s*2", written)
        grown = re.fullmatch(r"64\s*\*\s*\(?(.+?)\)?", written)
        for part in (halved, grown):
            if part:
                yield Static(Edit(start, end, part[1]), 0.9, f"the array should have `{part[1]}` elements")
        larger = str(2 * int(written)) if written.isdigit() else f"2 * ({written})"
        yield Static(Edit(start, end, larger), 1.7, f"the array should have `{larger}` elements")
        if written.isdigit() and int(written) % 64 == 0 and int(written) > 2048:
            smaller = str(int(written) // 64)
            yield Static(Edit(start, end, smaller), 1.7, f"the array should have `{smaller}` elements")


def smaller_shared_arrays(text: str) -> Iterator[Static]:
    """Fewer elements for arrays in shared memory, which has no room for all."""
    for match in _EXTENT.finditer(text):
        line = text[text.rfind("\n", 0, match.start()) + 1 : match.start()]
        if "__shared__" not in line:
            continue
        factors = [f.strip() for f in match[1].split("*")] if re.fullmatch(r"[^+\-/%]+", match[1]) else []
        for factor in factors if len(factors) > 1 else ():
            rest = " * ".join(f for f in factors if f is not factor)
            bare = rest[1:-1] if re.fullmatch(r"\(\w+\)", rest) else rest
            yield Static(Edit(*match.span(1), bare), 1.0, f"the array should have `{bare}` elements")


def _layouts(text: str) -> Iterator[Static]:
    for match in _LAYOUT.finditer(text):
        other = match[0].replace(match[2], "col" if match[2] == "row" else "row")
        yield Static(Edit(*match.span(), other), 1.6, f"`{match[0]}` should be `{other}`")


def _constants(text: str, source: str) -> Iterator[Static]:
    theirs = {m[1] or m[2]: m[3] for m in _CONSTANT.finditer(source)}
    for match in _CONSTANT.finditer(text):
        name, value = match[1] or match[2], match[3]
        if theirs.get(name, value) != value:
            yield Static(Edit(*match.span(3), theirs[name]), 1.0, f"`{name}` should be `{theirs[name]}`")
        for other in (2 * int(value), int(value) // 2, int(value) + 1, int(value) - 1):
            if other > 0:
                yield Static(Edit(*match.span(3), str(other)), 2.0, f"`{name}` should be `{other}`")
