"""Results of the engine as plain JSON with offsets, and what is stated of a contract in its words."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from xpiler.errors import Diagnostic
from xpiler.gate.overrides import Overrides, from_flags
from xpiler_server.engine.outline import Places, elsewhere

if TYPE_CHECKING:
    from xpiler.translate import Result  # takes long to load, and who only parses needs none of it


def result_of(
    result: Result,
    places: Places,
    target: Places | None = None,
    links: Sequence[dict[str, Any]] = (),
) -> dict[str, Any]:
    """A translation or a verification; `places` are of its source, `target` those of the text compared."""
    return {
        "text": result.text,
        "status": result.status,
        "evidence": [rung.to_json() for rung in result.evidence],
        "entries": [entry.to_json() for entry in result.entries],
        "diagnostics": [_diagnostic(found, places, target) for found in result.diagnostics],
        "missing": list(missing_of(result.diagnostics)),
        "links": list(links),
        "events": [event.to_json() for event in result.events],
        "seconds": round(result.seconds, 3),
    }


def refused(found: Diagnostic, places: Places, target: Places | None = None) -> dict[str, Any]:
    """The same for what was refused as a whole."""
    return {
        "text": None,
        "status": "refused",
        "evidence": [],
        "entries": [],
        "diagnostics": [_diagnostic(found, places, target)],
        "missing": list(missing_of([found])),
        "links": [],
        "events": [],
        "seconds": 0.0,
    }


def _diagnostic(found: Diagnostic, places: Places, target: Places | None) -> dict[str, Any]:
    return {
        **elsewhere(found.range),
        "code": found.code,
        "severity": found.severity,
        "message": found.message + (f"; {found.remedy}" if found.remedy else ""),
        "span": places.span(found.range),
        "targetSpan": target.span(found.range) if target is not None else None,
    }


# ------------------------------------------------------------------------------------------------ contracts

_DIMENSIONS = ("grid", "block", "shared")
_KINDS = {"arg": "argument", "shape": "shape", "grid": "grid", "block": "block", "shared": "argument"}


def overrides_of(arguments: Mapping[str, str], entry: str | None = None) -> Overrides:
    """Values by the names that `missing_of` gives them: a scalar's own, `grid`, `block`, `shared`, `arch`, or
    `shape:NAME`; `arg:NAME` is a scalar of any name. Raises Refusal for what is no value."""
    args, shapes, others = [], [], dict[str, str]()
    for name, value in arguments.items():
        kind, colon, own = name.partition(":")
        if colon and kind == "shape":
            shapes.append(f"{own}={value}")
        elif colon and kind == "arg":
            args.append(f"{own}={value}")
        elif name in (*_DIMENSIONS, "arch"):
            others[name] = value
        else:
            args.append(f"{name}={value}")
    return from_flags(entry=entry, arg=args, shape=shapes, **others)


def missing_of(diagnostics: Iterable[Diagnostic]) -> Iterable[dict[str, str]]:
    """What only the user can tell: the flags that refusals of the contract ask for, by the names above."""
    told: set[str] = set()
    for found in diagnostics:
        if not found.code.startswith("contract-"):
            continue
        for flag, name in re.findall(r"--(arg|shape|grid|block|shared)\b(?: (\w+)=)?", found.remedy):
            key = {"arg": name, "shape": f"shape:{name}"}.get(flag, flag)
            if key and key not in told and (name or flag in _DIMENSIONS):
                told.add(key)
                shown = f"--{flag} {name}" if name else f"--{flag}"
                yield {"name": key, "kind": _KINDS[flag], "message": found.message, "flag": shown}
