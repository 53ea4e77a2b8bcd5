"""`repair`: a trusted source, a wrong target, and the smallest change that makes the target right.

verify -> where and how the results differ -> search -> the repaired text through the whole gate
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from xpiler.errors import Refusal
from xpiler.frontend.syntax import analyse
from xpiler.gate.execute import build
from xpiler.gate.overrides import Overrides
from xpiler.platforms.registry import platform_of
from xpiler.repair.changes import apply, unified
from xpiler.repair.menu import sites_of
from xpiler.repair.places import range_of, statement_of
from xpiler.repair.result import NOT_REPAIRED, NOTHING_WRONG, REPAIRED, Localized, Repair
from xpiler.repair.search import Change, Search
from xpiler.repair.vocabulary import vocabulary
from xpiler.routes.job import EntryJob
from xpiler.translate import Result, Trusted

Progress = Callable[[str], None]
_SECONDS = 30.0
_SUSPECTS = 3


def repair(
    source: str,
    source_file: str,
    target: str,
    target_file: str,
    overrides: Overrides | None = None,
    *,
    seconds: float = _SECONDS,
    progress: Progress = lambda step: None,
) -> Repair:
    """The target, repaired if it is wrong. Raises Refusal where the source cannot be run."""
    start = time.monotonic()
    trusted = Trusted.of(source, source_file, overrides, progress)
    verdict = trusted.verify(target, target_file, progress)
    if verdict.status == "verified":
        return Repair(NOTHING_WRONG, evidence=verdict.evidence, seconds=time.monotonic() - start)
    return mend(trusted, source, target, target_file, verdict, seconds=seconds, progress=progress)


def mend(
    trusted: Trusted,
    source: str,
    target: str,
    target_file: str,
    verdict: Result,
    *,
    seconds: float = _SECONDS,
    progress: Progress = lambda step: None,
) -> Repair:
    """The same for a source that was run, and a target that is wrong by `verdict`."""
    start = time.monotonic()
    engine = _Engine(trusted, source, target, target_file, start + seconds, progress)
    return replace(engine.run(verdict), seconds=time.monotonic() - start)


class _Engine:
    def __init__(
        self, trusted: Trusted, source: str, target: str, file: str, deadline: float, progress: Progress
    ) -> None:
        self.trusted, self.source, self.target, self.file = trusted, source, target, file
        self.deadline, self.progress = deadline, progress
        self.platform = platform_of(file, target)
        self.accepted: Result | None = None

    def run(self, verdict: Result) -> Repair:
        symptom = _symptom(verdict)
        localized: list[Localized] = []
        reasons: list[str] = []
        for item in self.trusted.entries:
            if item.refused is not None or item.runs is None or item.build is None or item.runs.fault:
                continue
            search = self._search(item)
            if search is None:
                reasons.append(f"{item.entry.name}: it does not compile")
                continue
            change = search.run()
            if change is not None and self.accepted is not None:
                return self._repaired(change, symptom)
            localized += self._suspects(search, symptom)
            reasons.append(
                f"{item.entry.name}: no change was found that passes ({search.tried} were tried"
                + (f"; {search.reason})" if search.reason else ")")
            )
        if not reasons:
            raise Refusal("nothing-to-repair", symptom or "no entry of the source could be run")
        return Repair(
            NOT_REPAIRED,
            localized=tuple(localized),
            evidence=verdict.evidence,
            symptom=symptom,
            reason="; ".join(reasons),
            diagnostics=verdict.diagnostics,
        )

    def _search(self, item: EntryJob) -> Search | None:
        assert item.build is not None and item.runs is not None
        contract = self.trusted.contract_of(item, self.target, self.file)
        built = build(self.target, self.file, self.platform, contract)
        if not built.ok:
            return None
        self.progress("looking for the fault")
        unit = analyse(self.target, self.file, platform=self.platform)
        words = vocabulary(self.source, self.target, self.platform)
        ran = built.run(contract.cases[:1])
        seconds = ran[0].seconds or item.runs.forward[0].seconds
        return Search(
            self.target,
            self.file,
            self.platform,
            contract,
            item.build,
            item.runs,
            sites_of(unit, words),
            self._accept,
            self.deadline,
            seconds,
        )

    def _accept(self, text: str) -> bool:
        self.progress("checking a repair")
        result = self.trusted.verify(text, self.file)
        if result.status == "verified":
            self.accepted = result
        return result.status == "verified"

    def _repaired(self, change: Change, symptom: str) -> Repair:
        assert self.accepted is not None
        text = apply(self.target, change.edits)
        unit = analyse(self.target, self.file, platform=self.platform)
        places = dict.fromkeys(statement_of(unit, edit) for edit in change.edits)
        told = "; ".join(change.titles)
        localized = tuple(Localized(place, f"{told}: {symptom}") for place in places)
        return Repair(
            REPAIRED,
            text,
            change.edits,
            localized,
            unified(self.target, text, self.file),
            self.accepted.evidence,
            symptom,
        )

    def _suspects(self, search: Search, symptom: str) -> list[Localized]:
        found: dict[str, Localized] = {}
        for site, gain in search.suspects():
            if len(found) == _SUSPECTS or gain <= 0:
                break
            place = range_of(self.file, self.target, site.start, max(site.end, site.start + 1))
            share = f"{round(100 * gain)} % of the error goes away"
            message = f"suspect: with a change here {share}: {symptom}"
            found.setdefault(str(place), Localized(place, message))
        return list(found.values())


def _symptom(verdict: Result) -> str:
    """What is wrong with the results, in words."""
    failed = next((rung for rung in verdict.evidence if not rung.ok), None)
    return failed.detail if failed else ""
