"""Floats at the ends of integer types, for texts that convert floats to integers, and large integers.

    q[i] = (int)fminf(fmaxf(x[i], -128.f), 127.f);  -->  data with 2^7, 2^8, 2^15 ... 2^66 and beside them
    q[i] = (int)x[i];                               -->  the same up to 2^31

A target that converts before it clamps, or through a narrower type, agrees with its source on ordinary data.
But what a conversion makes of a number that its type does not hold is undefined in C++, and each platform has
its own answer (the nearest integer on GPUs, the least one on x86), also where a manual states it. So the
source is first run in a build that ends at such a conversion, and where any other operation has no number for
a result: the largest magnitudes at which it does not are those that its meaning covers. So it is with
integers and their products and sums, which a target may compute in a narrower type.

    q[i] = (int)rintf(x[i] * s);  -->  data k + 1/2 with s = 1, where the target rounds by other functions

At the edge of two integers rounding decides, and a right target may round otherwise on the way there. So
ordinary data tell `rintf` from `roundf` nowhere. Halves times powers of two need no rounding on the way, in
any order.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from xpiler.gate.contract import Case, Contract, FillKind, Role, Scalar, Values
from xpiler.gate.execute import Build, Variant, build
from xpiler.ir.nodes import Call, Cast, Function
from xpiler.ir.rewrite import walk

_ENDS = (66, 63, 32, 31, 16, 15, 8, 7)  # powers of two that integer types end at; the first is beyond all
_LEAST = 1 - 2.0**-8  # of an end: what is drawn beside it stays below
_TIES = (0.5, 1.5, 2.5, 3.5, 0.49999997, 8388609.0)  # where ways to round differ
_WIDE = (63, 48, 31, 28, 24, 20, 17)  # powers of two up to which integers are tried; 2^16 others reach
_SEED = 9101
_ROUNDING = ("rint", "round", "floor", "ceil", "trunc")
_POWERS = ((1.0, 1.0, 1.0, 1.0), (0.5, -64.0, 64.0, 2.0))  # for factors and ends of a range, by position
_HALVES = (-131, 131)  # between which halves lie: beyond the narrowest integers
_SPELLED = re.compile(
    r"\(\s*(?:unsigned|signed|int|long|short|char|u?int\d+_t|size_t)(?:\s+\w+)*\s*\)\s*[\w(-]"
    r"|\b(?:static_cast\s*<\s*|)(?:unsigned|int|long|short|char|u?int\d+_t)\s*>?\s*\("
    r"|\bll?r(?:int|ound)f?\s*\(|(?:float|half|double|bfloat16)2u?(?:int|ll|short|char)|_cvtt?p[sdh]_ep"
)
_INSTRUCTION = re.compile(r"2u?(?:int|ll|short|char)|_cvtt?p[sdh]_ep|\bll?r(?:int|ound)f?\b")


def converts(kernel: Function) -> bool:
    """Whether some float becomes an integer in a kernel."""
    return any(
        isinstance(node, Cast) and node.dtype.is_integer and node.operand.dtype.is_float
        for node in walk(kernel.body)
    )


def spells_conversion(text: str) -> bool:
    """Whether a text of any language seems to convert something to integers that is no integer already."""
    return any(not _is_of_integer(text, found) for found in _SPELLED.finditer(text))


_BUILTIN = re.compile(r"(?:threadIdx|blockIdx|blockDim|gridDim)\.[xyz]\b")
_OPERAND = re.compile(r"([A-Za-z_]\w*)\s*(?![\w\s([.]|->)")
_INTEGERS = re.compile(r"unsigned|signed|int|long|short|char|bool|u?int\d+_t|size_t|ptrdiff_t")
_NO_TYPES = ("return", "else", "case", "goto", "in")


def _is_of_integer(text: str, found: re.Match[str]) -> bool:
    """Whether what is converted, `(long)row * n`, is a variable that all declarations of its name make an
    integer."""
    start = found.end() - (not found[0].endswith("(") or found[0].startswith("("))
    if _BUILTIN.match(text, start):
        return True
    operand = _OPERAND.match(text, start)
    if operand is None:
        return False
    name = operand[1]
    types = re.findall(rf"(\w+)\s+{name}\s*[=;,){{:]", text)
    types = [word for word in types if word not in _NO_TYPES]
    beside = re.search(rf"\b(?!(?:{_INTEGERS.pattern})\b)\w+\s+\w+[^;(){{}}]*,\s*[*&]*{name}\s*[=;,]", text)
    return bool(types) and beside is None and all(_INTEGERS.fullmatch(word) for word in types)


def conversion_cases(contract: Contract, source: Build) -> Iterator[Case]:
    """The first case with such data, up to the largest magnitudes that the source takes; none where no floats
    are read, or the source takes none of it."""
    drawn = next((case for case in contract.cases if not case.all_given), None)
    reads = [a for a in contract.pointers if a.dtype.is_float and a.role in (Role.IN, Role.INOUT)]
    if drawn is None or not reads or any(case.fill in ("magnitudes", "sizes") for case in contract.cases):
        return
    checked = build(source.text, source.file, source.platform, contract, converting=True)
    if not checked.ok:
        return
    fills: tuple[FillKind, ...] = ("magnitudes", "sizes")
    for first in range(len(_ENDS)):
        for fill in fills:
            case = replace(drawn, fill=fill, landmarks=_below(first), seed=_SEED)
            if all(result.ok for result in checked.run([case], variants=(Variant(trapped="number"),))):
                yield case
                return


def holds(contract: Contract, source: Build, case: Case) -> bool:
    """Whether the source's conversions hold all that a case makes of its data, as far as that can be told."""
    return not (spells_conversion(source.text) and beyond(contract, source, [case]))


def beyond(contract: Contract, source: Build, cases: Sequence[Case]) -> list[Case]:
    """Those of the cases in which the source makes integers of numbers that these do not hold, shifts by more
    than their bits, or looks beyond an array of constant length."""
    checked = build(source.text, source.file, source.platform, contract, converting=True)
    if not checked.ok:
        return []
    trapped = _INSTRUCTION.search(source.text) is not None  # else casts alone, which the build itself checks
    results = checked.run(cases, variants=(Variant(trapped="number" if trapped else ""),))
    return [case for case, result in zip(cases, results, strict=True) if result.was_run and not result.ok]


def not_beyond(contract: Contract, source: Build, case: Case) -> bool:
    """Whether the case has no factor of zero at which the source, dividing by it, makes integers of what
    these do not hold (`(int)(x[i] / scale)`)."""
    zeros = [name for name, value in case.scalars if isinstance(value, float) and value == 0.0]
    return not zeros or holds(contract, source, case)


def wide_cases(contract: Contract, source: Build) -> Iterator[Case]:
    """The first case with integers as large as the source computes with without overflow; none where no
    integers are read but indices."""
    drawn = next((case for case in contract.cases if not case.all_given), None)
    if drawn is None or any(case.fill == "wide" for case in contract.cases):
        return
    meant = dict(drawn.values)
    reads = [a for a in contract.pointers if a.dtype.is_integer and a.role in (Role.IN, Role.INOUT)]
    if not any(a.dtype.bits >= 32 and a.name not in meant for a in reads):
        return
    checked = build(source.text, source.file, source.platform, contract, converting=True)
    for power in _WIDE if checked.ok else ():
        case = replace(drawn, fill="wide", landmarks=(2.0**power,), seed=_SEED)
        if all(result.ok for result in checked.run([case], variants=(Variant(),))):
            yield case
            return


def rounding(kernels: Iterable[Function]) -> frozenset[str]:
    """By which functions numbers become whole."""
    nodes = [node for kernel in kernels for node in walk(kernel.body)]
    called = {n.function for n in nodes if isinstance(n, Call) and n.function in _ROUNDING}
    return frozenset(called | ({"cast"} if any(map(converts, kernels)) else set()))


def tie_cases(contract: Contract, at: Callable[[Mapping[str, Scalar]], Case | None]) -> Iterator[Case]:
    """Cases with halves in the longest array of floats, all other floats powers of two. `at`: the case with
    other scalars."""
    drawn = next((case for case in contract.cases if not case.all_given), None)
    if drawn is None:
        return
    known = dict(drawn.values)
    reads = [a.name for a in contract.pointers if a.dtype.is_float and a.role in (Role.IN, Role.INOUT)]
    free = [name for name in reads if name not in known]
    if not free:
        return
    longest = max(free, key=drawn.extent)
    numbers = [name for name, value in drawn.scalars if isinstance(value, float)]
    for powers in _POWERS if numbers else _POWERS[:1]:
        case = at({n: powers[i % len(powers)] for i, n in enumerate(numbers)}) if numbers else drawn
        if case is not None:
            values = (*case.values, (longest, Values("halves", *_HALVES)))
            yield replace(case, fill="powers", values=values, seed=_SEED)


def _below(first: int) -> tuple[float, ...]:
    """Numbers of which the largest lie below an end, and on and beside all ends before it."""
    ends = [2.0**power for power in _ENDS[first + 1 :]]
    return (*_TIES, *ends, *(end / 2 for end in ends), 2.0 ** _ENDS[first] * _LEAST)
