"""Which functions of a file can be called from outside, and which kernels each of them runs.

The `extern "C"` host wrappers if there are any, else the other host functions that launch; a kernel that
no such
function launches is an entry of its own; a `main` is run as a whole program besides.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from xpiler.errors import Refusal
from xpiler.frontend.unit import HostFunction, LaunchSite, Unit
from xpiler.gate.contract import EntryKind
from xpiler.ir.nodes import Function, Param
from xpiler.ir.source import SourceRange
from xpiler.ir.types import DType


@dataclass(frozen=True)
class Entry:
    """`kernels` are the names of the IR functions that a call runs; `missing` those that were refused,
    with why."""

    name: str
    kind: EntryKind
    params: tuple[Param, ...]
    kernels: tuple[str, ...]
    missing: tuple[str, ...]
    range: SourceRange | None
    spelling: str = ""


def entries_of(unit: Unit, only: str | None = None) -> tuple[Entry, ...]:
    """All entries of a file, or the one named `only`. Raises `Refusal` if there is none."""
    reached = {function.name: _reached(unit, function) for function in unit.host_functions}
    launching = [
        f for f in unit.host_functions if reached[f.name] and f.name != "main" and not _is_template(unit, f)
    ]
    wrappers = [f for f in launching if f.is_extern_c] or [f for f in launching if _callable(f)]
    inner = {name for f in wrappers for name in _called(unit, f)}
    hosts = [f for f in wrappers if f.is_extern_c or f.name not in inner]
    found = [_host_entry(unit, f, reached[f.name]) for f in hosts]
    covered = {name for entry in found for name in (*entry.kernels, *entry.missing)}
    for kernel in unit.program.kernels:
        if kernel.name not in covered:
            found.append(_kernel_entry(kernel))
    for name, diagnostic in unit.refusals.items():
        if name not in covered:
            found.append(Entry(name, "kernel", (), (), (name,), diagnostic.range))
    main = next((f for f in unit.host_functions if f.name == "main"), None)
    if main is not None:
        found.append(Entry("main", "main", (), (), (), main.range))
    if only is not None:
        named = [entry for entry in found if only in (entry.name, entry.spelling)]
        named = named or [_host_entry(unit, f, reached[f.name]) for f in launching if f.name == only]
        named = named or [
            _kernel_entry(k) for k in unit.program.kernels if only in (k.name, k.spelling, k.template)
        ]
        if not named:
            names = ", ".join(entry.name for entry in found) or "none"
            raise Refusal(
                "contract-entry", f"{unit.file} has no entry named {only!r}", remedy=f"entries: {names}"
            )
        return tuple(named)
    if not found:
        raise Refusal(
            "no-kernel",
            "there is no __global__ kernel in this file",
            SourceRange(unit.file, 1, 1, 1, 1),
            "name a file that defines a kernel",
        )
    return tuple(found)


def _host_entry(unit: Unit, function: HostFunction, launches: tuple[LaunchSite, ...]) -> Entry:
    kernels = tuple(dict.fromkeys(site.kernel for site in launches if site.kernel))
    missing = tuple(dict.fromkeys(_refused_name(unit, site) for site in launches if not site.kernel))
    params = tuple(_typed(unit, function, param) for param in function.params)
    spelling = function.namespace + function.name if function.namespace else ""
    return Entry(function.name, "host", params, kernels, missing, function.range, spelling)


def _typed(unit: Unit, function: HostFunction, param: Param) -> Param:
    """A `void *` holds what the kernels that it is passed to take it for."""
    if not param.is_pointer or not re.search(r"\bvoid\b", param.spelling):
        return param
    kernels = {kernel.name: kernel for kernel in unit.program.kernels}
    taken: set[tuple[DType, int]] = set()
    for site in unit.launches:
        kernel = kernels.get(site.kernel)
        if kernel is None or site.host_function != function.name:
            continue
        if len(kernel.params) != len(site.arguments):
            continue
        for inner, argument in zip(kernel.params, site.arguments, strict=True):
            if inner.is_pointer and re.fullmatch(
                rf"(?:\(.*\)|\w+<.*>\()?\s*{param.name}\s*\)?", argument, re.S
            ):
                taken.add((inner.dtype, inner.lanes))
    if len(taken) != 1:
        return param
    dtype, lanes = taken.pop()
    return replace(param, dtype=dtype, lanes=lanes)


def _kernel_entry(kernel: Function) -> Entry:
    spelling = kernel.namespace + kernel.spelling
    return Entry(kernel.name, "kernel", kernel.params, (kernel.name,), (), kernel.range, spelling)


def _refused_name(unit: Unit, site: LaunchSite) -> str:
    base = re.split(r"[<:]", site.spelling)[0] if "::" not in site.spelling else site.spelling.split("::")[-1]
    base = base.split("<")[0]
    return next((name for name in unit.refusals if name in (site.spelling, base)), site.spelling)


def _is_template(unit: Unit, function: HostFunction) -> bool:
    return unit.text[slice(*function.span)].lstrip().startswith("template")


def _callable(function: HostFunction) -> bool:
    """Whether test data can be made for its parameters: pointers to numbers, and numbers."""
    return bool(function.params) and all(
        "**" not in p.spelling.replace(" ", "") and (p.is_pointer or p.lanes == 1) for p in function.params
    )


def _called(unit: Unit, function: HostFunction) -> set[str]:
    """Names of the file's host functions that `function` calls, directly or through others."""
    names = {f.name: f for f in unit.host_functions}
    found: set[str] = set()
    work = [function]
    while work:
        current = work.pop()
        text = unit.text[slice(*current.span)]
        for word in set(re.findall(r"\b(\w+)\s*(?:<[^;{}()]*>)?\s*\(", text)):
            if word in names and word not in found and word != current.name:
                found.add(word)
                work.append(names[word])
    return found


def _reached(unit: Unit, function: HostFunction) -> tuple[LaunchSite, ...]:
    functions = {function.name, *_called(unit, function)}
    return tuple(site for site in unit.launches if site.host_function in functions)
