"""The tasks of a worker, each from plain JSON to plain JSON; `WORK` is the list of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePath
from typing import Any

from xpiler.errors import Diagnostic, Refusal
from xpiler.gate.overrides import Overrides, from_flags, load_beside
from xpiler.platforms.registry import PLATFORMS, platform_of
from xpiler_server.engine.outline import Places, elsewhere, outline

CHECK_SECONDS = 10.0


class Cancelled(Exception):
    """Nobody waits for the answer any more."""


@dataclass(frozen=True)
class Ask:
    """A task's input, and the way back: what is told between steps and whether to go on."""

    given: dict[str, Any]
    progress: Callable[[str], None] = lambda step: None
    cancelled: Callable[[], bool] = lambda: False


def _outline(ask: Ask) -> dict[str, Any]:
    text, file = ask.given["text"], ask.given["file"]
    return outline(text, file, platform_of(file, text))


# ------------------------------------------------------------------------------------------------ check


def _check(ask: Ask) -> dict[str, Any]:
    """Findings and verdicts of `xpiler check`, at the launches and sizes that the sidecar states."""
    from xpiler.check_command import options_of
    from xpiler.symbolic.check import Cancelled as Stopped
    from xpiler.symbolic.check import check_unit
    from xpiler.symbolic.render import document
    from xpiler.symbolic.templates import parse_with_templates

    text, file = ask.given["text"], ask.given["file"]
    places = Places(text, file)
    try:
        options = options_of(load_beside(file), ask.given.get("seconds", CHECK_SECONDS))
        unit, chosen = parse_with_templates(text, file, platform_of(file, text))
        report = check_unit(unit, replace(options, templates=chosen, cancelled=ask.cancelled))
    except Refusal as refusal:
        return {"kernels": [], "findings": [], "refusal": places.diagnostic(refusal.diagnostic)}
    except Stopped:
        raise Cancelled from None
    findings = document(report)["findings"]
    for shown, found in zip(findings, report.findings, strict=True):
        shown["span"] = places.span(found.range)
        for place, related in zip(shown["related"], found.related, strict=True):
            place["span"] = places.span(related.range)
    return {
        "kernels": [
            {"name": v.name, "status": v.status, "scope": list(v.scope), "undecided": list(v.undecided)}
            for v in report.kernels
        ],
        "findings": findings,
        "refusal": None,
    }


# ------------------------------------------------------------------------------------------------ translate


def _translate(ask: Ask) -> dict[str, Any]:
    from xpiler.translate import translate_text

    given = ask.given
    text, file, to = given["text"], given["file"], given["to"]
    try:
        stated = overrides_of(given["arguments"], given.get("entry"))
        result = translate_text(text, file, to, stated, ask.progress, run=given["run"])
    except Refusal as refusal:
        return _refused(refusal.diagnostic, Places(text, file))
    return _result(result, Places(text, file), links=_links(text, file, result.text, to))


def _verify(ask: Ask) -> dict[str, Any]:
    from xpiler.translate import verify_text

    given = ask.given
    source, target = given["source"], given["target"]
    places = Places(source["text"], source["file"])
    there = Places(target["text"], target["file"])
    try:
        stated = overrides_of(given["arguments"], given.get("entry"))
        result = verify_text(
            source["text"], source["file"], target["text"], target["file"], stated, ask.progress
        )
    except Refusal as refusal:
        return _refused(refusal.diagnostic, places, there)
    links = _links(source["text"], source["file"], target["text"], given["to"])
    return _result(result, places, there, links)


def _repair(ask: Ask) -> dict[str, Any]:
    """The target repaired, with the statements that were wrong."""
    from xpiler.repair import repair

    given = ask.given
    source, target = given["source"], given["target"]
    places = Places(target["text"], target["file"])
    told: dict[str, Any] = {"text": None, "edits": [], "localized": [], "evidence": [], "symptom": ""}
    try:
        stated = overrides_of(given["arguments"], given.get("entry"))
        found = repair(
            source["text"],
            source["file"],
            target["text"],
            target["file"],
            stated,
            seconds=given["seconds"],
            progress=ask.progress,
        )
    except Refusal as refusal:
        return {**told, "status": "not repaired", "reason": str(refusal.diagnostic)}
    return {
        "status": found.status,
        "text": found.text,
        "edits": [{"start": edit.start, "end": edit.end, "text": edit.text} for edit in found.edits],
        "localized": [
            {"span": places.span(place.range), "message": place.message} for place in found.localized
        ],
        "evidence": [rung.to_json() for rung in found.evidence],
        "reason": found.reason,
        "symptom": found.symptom,
    }


def _links(source: str, source_file: str, target: str | None, to: str) -> list[dict[str, Any]]:
    """Which places of the texts stand for each other; a text that cannot be read has none."""
    from xpiler.correspondence import correspondence

    if target is None:
        return []
    target_file = str(PurePath(source_file).with_suffix(PLATFORMS[to].extension))
    found = correspondence(source, source_file, target, target_file)
    return [{"source": match.source, "target": match.target} for match in found]


def _correspond(ask: Ask) -> dict[str, Any]:
    source, target, to = ask.given["source"], ask.given["target"], ask.given["to"]
    return {"links": _links(source["text"], source["file"], target["text"], to)}


def _result(
    result: Any,
    places: Places,
    target: Places | None = None,
    links: Sequence[dict[str, Any]] = (),
) -> dict[str, Any]:
    return {
        "text": result.text,
        "status": result.status,
        "evidence": [rung.to_json() for rung in result.evidence],
        "entries": [entry.to_json() for entry in result.entries],
        "diagnostics": [_diagnostic(found, places, target) for found in result.diagnostics],
        "missing": list(missing_of(result.diagnostics)),
        "links": list(links),
        "seconds": round(result.seconds, 3),
    }


def _refused(found: Diagnostic, places: Places, target: Places | None = None) -> dict[str, Any]:
    return {
        "text": None,
        "status": "refused",
        "evidence": [],
        "entries": [],
        "diagnostics": [_diagnostic(found, places, target)],
        "missing": list(missing_of([found])),
        "links": [],
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


def _doctor(ask: Ask) -> dict[str, Any]:
    from xpiler.gate.toolchain import doctor, render_doctor

    return {"text": render_doctor(doctor())}


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


WORK: dict[str, Callable[[Ask], dict[str, Any]]] = {
    "outline": _outline,
    "check": _check,
    "translate": _translate,
    "verify": _verify,
    "repair": _repair,
    "correspond": _correspond,
    "doctor": _doctor,
}
