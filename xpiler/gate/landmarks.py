"""The numbers that a text compares data with: where its branches part, ordinary data rarely lies.

    y = fminf(fmaxf(x, 0.f), 60.f)        -->  60, -60, a little more, a little less
    if (label[i] == -100) continue;       -->  100, -100, and one beside; among indices -100

A translation that lost a clip at 60 agrees with its source on all numbers of N(0, 1). So both are also run
on data among which the numbers of either text occur, and those that the entry is called with, a `threshold`
(`landmark_cases`). They are read from the text, whatever
its language: what a macro stands for is found too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from xpiler.gate.contract import Case, Contract, Values
from xpiler.ir.build import int_limits

_NOT_CODE = re.compile(
    r"//[^\n]*|/\*.*?\*/|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])+'|#\s*include[^\n]*", re.S
)
_NUMBER = re.compile(
    r"(?<![\w.])(?:(0[xX][0-9a-fA-F]+)|((?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?))(?:[fFlLuU]*|_\w+)(?![\w.])"
)
_NEGATIVE = re.compile(r"(?:[(,=<>?:]|return|#\s*define\s+\w+)\s*-\s*(\d+)(?![\w.])")
_EQUAL = re.compile(r"[=!]=\s*(\w+)")
_NAMED = re.compile(r"(?:\b(\w+)\s*=|#\s*define\s+(\w+))\s*\(?\s*(\d+)\b")
_SIGN_ASKED = re.compile(r"<\s*0(?![\w.])|>=\s*0(?![\w.])")
_OUTSIDE = (
    -1,
    1 << 8,
    (1 << 8) + 1,
    1 << 16,
    (1 << 16) + 1,
    (1 << 31) - 1,
    -(1 << 31),
    1 << 32,
    (1 << 32) + 1,
)
_LARGEST = 1e6  # what is further out is a stand-in for infinity, or a size
_SEED = 9001
_MOST = 48


def landmarks(text: str) -> frozenset[float]:
    """The magnitudes that are written in a text, but for 0 and 1 (which `boundary` has).

    `x < 6.f ? x : 0x10`  -->  6, 16
    """
    found = {
        float(int(number[1], 16)) if number[1] else float(number[2])
        for number in _NUMBER.finditer(_NOT_CODE.sub(" ", text))
    }
    return frozenset(number for number in found - {0.0, 1.0} if number <= _LARGEST)


def index_landmarks(text: str) -> frozenset[int]:
    """What a text holds an index against that marks it as none.

    `if (k[i] == SKIP || k[i] < 0)`, with `#define SKIP 255`  -->  255, -1
    """
    code = _NOT_CODE.sub(" ", text)
    named = {(match[1] or match[2]): int(match[3]) for match in _NAMED.finditer(code)}
    negative = {-int(match[1]) for match in _NEGATIVE.finditer(code)}
    equal = {
        int(match[1]) if match[1].isdigit() else named.get(match[1], 0) for match in _EQUAL.finditer(code)
    }
    return frozenset(negative | equal | ({-1} if _SIGN_ASKED.search(code) else set())) - {0}


def landmark_cases(contract: Contract, text: str, known: str = "") -> Iterator[Case]:
    """The first case whose data are drawn, with its own scalars and those numbers of a text among them that
    do not stand in a `known` one: among the indices with any that are out of all ranges, among the indices
    alone, then among other data only.

    Only the source can say whether it takes them (`verify.run_further`): an index may not be asked whether
    it is one.
    """
    drawn = next((case for case in contract.cases if not case.all_given), None)
    numbers = sorted(landmarks(text) - landmarks(known))
    marks = tuple(sorted(index_landmarks(text) - index_landmarks(known)))
    if drawn is None:
        return
    step = max(1, -(-len(numbers) // _MOST))
    bounds = {abs(value) for _, value in drawn.scalars if isinstance(value, float)} if not known else set()
    numbers = sorted({*numbers[::step], *bounds - {0.0, 1.0}})
    case = replace(drawn, fill="landmarks", landmarks=tuple(numbers), seed=_SEED)
    offered = [marks] if known else [(*marks, *_OUTSIDE), marks]
    for some in offered:
        marked = tuple((name, _with_marks(name, values, some, contract)) for name, values in case.values)
        if marked != case.values:
            yield replace(case, values=marked)
    if numbers:
        yield case


def _with_marks(name: str, values: Values, marks: tuple[int, ...], contract: Contract) -> Values:
    if values.kind != "index":
        return values
    dtype = contract.argument(name).dtype
    low, high = int_limits(dtype) if dtype.is_integer else (0, 0)
    beyond = tuple(m for m in marks if low <= m <= high and not values.low <= m < values.high)
    return replace(values, beyond=beyond)
