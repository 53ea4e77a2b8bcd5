"""Names that generated code brings along, such as `blocks` or `warp_sum`, beside the same names in the user's
file.

    static int blocks(int n) {...}               the user's
    static unsigned blocks(int64_t count) {...}  -->  static unsigned blocks_(int64_t count) {...}

A route writes its text as if the user's names were others of the same length, so that every place in the
text stays where it is; then what is called `blocks` in the result is generated.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from functools import cache
from itertools import product
from typing import Any

from xpiler.backend import (
    bang_host,
    bang_memory,
    host_values,
    largest_index,
    simt,
    simt_helpers,
    simt_host,
    vnni,
)
from xpiler.errors import Diagnostic, Refusal
from xpiler.frontend.unit import Unit
from xpiler.ir.source import SourceRange
from xpiler.ir.types import DType
from xpiler.routes.hub import Produce
from xpiler.routes.job import EntryJob, Produced

_WORD = re.compile(r"[A-Za-z_]\w*")
_DEFINED = re.compile(
    r"^(?:(?:static|inline|template)\b[^\n(={]*?\b(\w+)(?=\(|;| =)|"
    r"(?:struct|union|enum) (\w+)|#define (\w+))",
    re.M,
)
_OF_FILES = re.compile(r"#[ \t]*define[ \t]+(\w+)|\b(?:struct|class|enum|union|using|namespace)\s+(\w+)")
_LETTERS = "qzjxkvwy"


@cache
def _generated() -> Mapping[str, str]:
    """The helpers of all backends: by each name that one defines, its text."""
    texts = [
        *vnni.ALL_HELPERS.values(),
        *simt_helpers.HELPERS.values(),
        *bang_memory.HELPERS.values(),
        simt.BLOCKS,
        simt_host.CHECK,
        bang_host.ALL_CORES,
        bang_host.DEFAULT_QUEUE,
        bang_host.ON_DEVICE,
        bang_host.COUNT_DEVICES,
        bang_host.DEVICE_PROPERTIES,
        bang_host.COPY_CONSTANTS,
        bang_host.NRAM,
        host_values.IS_KERNEL,
        largest_index.LARGEST_INDEX,
    ]
    return {
        name: text for text in texts for found in _DEFINED.finditer(text) for name in found.groups() if name
    }


def beside_own_names(produce: Produce) -> Produce:
    """A route that keeps the names of the file and those of its helpers apart."""

    def apart(unit: Unit, entries: list[EntryJob]) -> Produced:
        stand_ins = _stand_ins(unit)
        if not stand_ins:
            return produce(unit, entries)
        back = {stand_in: name for name, stand_in in stand_ins.items()}

        def away(text: str) -> str:
            return _WORD.sub(lambda word: stand_ins.get(word[0], word[0]), text)

        def restored(text: str) -> str:
            for stand_in, name in back.items():
                text = text.replace(stand_in, name)
            return text

        copies = [
            replace(item, entry=_changed(item.entry, away), inference=_changed(item.inference, away))
            for item in entries
        ]
        try:
            made = produce(_changed(unit, away), copies)
        except Refusal as refusal:
            told = _restored(refusal.diagnostic, restored)
            raise Refusal.of(told) from refusal
        for item, copy in zip(entries, copies, strict=True):
            if copy.refused is not item.refused and copy.refused is not None:
                item.refused = _restored(copy.refused, restored)
        words = {*_WORD.findall(made.text), *_WORD.findall(unit.text)}
        kept = {name: _fresh(name, words) for name, stand_in in stand_ins.items() if stand_in in made.text}
        text = _WORD.sub(lambda word: kept.get(word[0], word[0]), made.text)
        return replace(
            made,
            text=restored(text),
            notes=tuple(map(restored, made.notes)),
            calls={restored(name): restored(call) for name, call in made.calls.items()},
            rungs=tuple(replace(rung, detail=restored(rung.detail)) for rung in made.rungs),
        )

    return apart


def _restored(diagnostic: Diagnostic, restored: Callable[[str], str]) -> Diagnostic:
    return replace(diagnostic, message=restored(diagnostic.message), remedy=restored(diagnostic.remedy))


def _stand_ins(unit: Unit) -> dict[str, str]:
    """Other names for those that the file defines and helpers have."""
    own = {name for found in _OF_FILES.finditer(unit.text) for name in found.groups() if name}
    own |= {text.name for text in (*unit.kernels, *unit.device_functions)}
    own |= {host.name for host in unit.host_functions} | {variable.name for variable in unit.variables}
    for kernel in unit.program.kernels:
        own |= {kernel.name, *(decl.name for decl in kernel.globals)}
    taken = {*_WORD.findall(unit.text)}
    found: dict[str, str] = {}
    for name, helper in _generated().items():
        if name in own and helper not in unit.text:
            found[name] = next(n for n in _alike(name) if n not in taken and n not in unit.text)
            taken.add(found[name])
    return found


def _alike(name: str) -> Iterator[str]:
    """Other names of the same length."""
    for ending in product(_LETTERS, repeat=min(len(name) - 1, 3)):
        yield name[: len(name) - len(ending)] + "".join(ending)


def fresh_in(text: str, name: str) -> str:
    """The name, longer where the text has it already, or a number behind it."""
    while re.search(rf"\b{name}(?:_\d+)?\b", text):
        name += "_"
    return name


def _fresh(name: str, words: set[str]) -> str:
    while name in words:
        name += "_"
    return name


def _changed(value: Any, change: Callable[[str], str]) -> Any:
    """The same with other names in all of its words; places and types stay."""
    match value:
        case str():
            return change(value)
        case SourceRange() | DType() | Enum() | type():
            return value
        case tuple():
            return tuple(_changed(each, change) for each in value)
        case list():
            return [_changed(each, change) for each in value]
        case frozenset():
            return frozenset(_changed(each, change) for each in value)
        case dict():
            return {_changed(key, change): _changed(each, change) for key, each in value.items()}
    if not is_dataclass(value) or isinstance(value, type):
        return value
    new: dict[str, Any] = {
        f.name: _changed(old, change)
        for f in fields(value)
        if f.init and f.name not in ("file", "platform") and (old := getattr(value, f.name)) is not None
    }
    return replace(value, **new)
