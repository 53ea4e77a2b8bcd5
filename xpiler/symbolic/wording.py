"""What a finding says first: who does what to which element, with the index as the user wrote it.

thread 104 of block 7 writes out[i] with i = 1000, but out has 1000 elements
thread 0 reads s[threadIdx.x - 1] with threadIdx.x - 1 = -1, before the beginning of s
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from xpiler.ir.interpret import Finding
from xpiler.ir.nodes import Assign, Atomic, Const, Function, Load, Ref
from xpiler.ir.printer import show
from xpiler.ir.rewrite import walk
from xpiler.symbolic.shape import AXES
from xpiler.symbolic.trial import Trial

Place = Load | Ref
_LONGEST = 48  # characters of an index that is spelled out
_CAST = re.compile(r"\((?:[iuf]\d+|bool)\)")
_TYPES = {"i8": "char", "u8": "unsigned char", "i16": "short", "u16": "unsigned short", "i32": "int",
          "u32": "unsigned", "i64": "long long", "u64": "unsigned long long"}  # fmt: skip
_SUFFIX = re.compile(r"\b(\d+)u\b")
_BLANKS = re.compile(r"\s+")
_RENAMED = re.compile(r"_\d+$")  # the second `i` of a kernel is `i_1`
_UNSET = " is read before anything was written to it"


def who(kernel: Function, trial: Trial, values: Mapping[str, int]) -> str:
    """`thread (1, 0) of block 2`, `task 5`; the function's name where there is but one thread."""
    if kernel.is_serial or (kernel.tasks and "taskId" not in values):
        return kernel.name
    if kernel.tasks:
        return f"task {values['taskId']}"
    parts = []
    for word, name, extents in (("thread", "threadIdx", trial.block), ("block", "blockIdx", trial.grid)):
        axes = [a for a, e in zip(AXES, extents, strict=True) if e > 1] or ["x"]
        shown = [str(values.get(f"{name}.{axis}", 0)) for axis in axes]
        text = shown[0] if len(shown) == 1 else f"({', '.join(shown)})"
        if word == "thread" or max(extents) > 1:
            parts.append(f"{word} {text}")
    return " of ".join(parts)


def does(kernel: Function, places: Sequence[Place]) -> str:
    """What the accesses do: `reads`, `writes`, `updates`, or `accesses` if they do different things."""
    found = {_does(kernel, place) for place in places}
    return found.pop() if len(found) == 1 else "accesses"


def _does(kernel: Function, place: Place) -> str:
    if isinstance(place, Ref):
        return "accesses"
    for node in walk(kernel.body):
        match node:
            case Assign(target=target, reduce=reduce) if target is place:
                return "writes" if reduce is None else "updates"
            case Atomic(place=target) if target is place:
                return "updates"
    return "reads"


def spelled(place: Place, index: int, lines: Sequence[str]) -> str:
    """`out[i] with i = 1000`, where the index stands like that in the text; else `out[1000]`."""
    parts = place.index if isinstance(place, Load) else ()
    if len(parts) == 1 and not isinstance(parts[0], Const):
        text = _SUFFIX.sub(r"\1", _CAST.sub("", show(parts[0])))
        if len(text) <= _LONGEST and _is_written(text, place, lines):
            return f"{place.array}[{text}] with {text} = {index}"
    return f"{place.array}[{index}]"


def _is_written(text: str, place: Place, lines: Sequence[str]) -> bool:
    if place.range is None:
        return False
    written = "".join(lines[place.range.line - 1 : place.range.end_line])
    return f"[{_BLANKS.sub('', text)}]" in _BLANKS.sub("", written)


def outside(array: str, index: int, extent: int | None) -> str:
    """What is wrong with an index that is out of bounds."""
    if index < 0:
        return f", before the beginning of {array}"
    return f", but {array} has {extent} elements" if extent is not None else f", beyond the end of {array}"


def worded(finding: Finding, subject: str, verb: str, element: str) -> str:
    """A finding of the interpreter about one access of `element` by `subject`."""
    match finding.code:
        case "out-of-bounds":
            values = finding.values
            wrong = outside(finding.array, values.get("index", 0), values.get("extent"))
            return f"{subject} {verb} {element}{wrong}"
        case "uninitialised-read" if finding.message.endswith(_UNSET):
            return f"{subject} reads {element} before anything was written to it"
        case "division-by-zero":
            return f"{subject} divides an integer by zero"
    return finding.message


def in_c(expr: str) -> str:
    """An expression without the conversions that the text leaves to the language."""
    return _CAST.sub("", expr)


def type_in_c(name: str) -> str:
    return _TYPES.get(name, name)


def by_users_names(values: Mapping[str, int], lines: Sequence[str]) -> dict[str, int]:
    """Values of variables by the names that the text gives them: the innermost `i` is `i`."""
    words = set(re.findall(r"\w+", "\n".join(lines)))
    named: dict[str, int] = {}
    for name, value in values.items():
        prefix = "other." if name.startswith("other.") else ""
        own = name.removeprefix(prefix)
        if own.isidentifier() and own not in words:
            own = _RENAMED.sub("", own)
        named[f"{prefix}{own}"] = value
    return named
