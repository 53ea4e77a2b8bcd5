"""The tasks of a worker, each from plain JSON to plain JSON; `WORK` is the list of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import PurePath
from typing import Any

from xpiler.errors import Refusal
from xpiler.gate.overrides import load_beside
from xpiler.platforms.registry import PLATFORMS, platform_of
from xpiler_server.engine.asking import Ask, Cancelled
from xpiler_server.engine.outline import Places, outline
from xpiler_server.engine.results import overrides_of, refused, result_of

CHECK_SECONDS = 10.0


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
    from xpiler_server.engine.models import model_of, sketched

    given = ask.given
    text, file, to = given["text"], given["file"], given["to"]
    try:
        stated = overrides_of(given["arguments"], given.get("entry"))
        if (model := model_of(given)) is not None and given["run"]:
            result = sketched(ask, model, stated)
        else:
            result = translate_text(text, file, to, stated, ask.progress, run=given["run"])
    except Refusal as refusal:
        return refused(refusal.diagnostic, Places(text, file))
    return result_of(result, Places(text, file), links=_links(text, file, result.text, to))


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
        return refused(refusal.diagnostic, places, there)
    links = _links(source["text"], source["file"], target["text"], given["to"])
    return result_of(result, places, there, links)


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


def _tune(ask: Ask) -> dict[str, Any]:
    from xpiler_server.engine.tuning import tuned

    return tuned(ask)


def _devices(ask: Ask) -> dict[str, Any]:
    from xpiler_server.engine.tuning import devices_here

    return devices_here(ask)


def _models(ask: Ask) -> dict[str, Any]:
    from xpiler_server.engine.models import listed

    return listed(ask)


def _try_model(ask: Ask) -> dict[str, Any]:
    from xpiler_server.engine.models import tried

    return tried(ask)


def _doctor(ask: Ask) -> dict[str, Any]:
    from xpiler.gate.toolchain import doctor, render_doctor

    return {"text": render_doctor(doctor())}


WORK: dict[str, Callable[[Ask], dict[str, Any]]] = {
    "outline": _outline,
    "check": _check,
    "translate": _translate,
    "verify": _verify,
    "repair": _repair,
    "correspond": _correspond,
    "tune": _tune,
    "devices": _devices,
    "models": _models,
    "try model": _try_model,
    "doctor": _doctor,
}
