"""`repair`: a trusted source, a wrong target, and the smallest change that makes the target right.

verify -> where and how the results differ -> search -> the repaired text through the whole gate
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from xpiler.errors import Refusal
from xpiler.frontend.syntax import analyse
from xpiler.gate.contract import Contract
from xpiler.gate.evidence import Evidence
from xpiler.gate.execute import build
from xpiler.gate.overrides import Overrides
from xpiler.gate.sandbox import patience
from xpiler.gate.toolchain import compile_check
from xpiler.gate.verify import compare_target
from xpiler.ir.source import SourceRange
from xpiler.platforms.registry import platform_of
from xpiler.repair.changes import Change, apply, edits_between, unified
from xpiler.repair.comparison import by_comparison, is_small
from xpiler.repair.compile_errors import CompilerError, Mended, errors_in, without_errors
from xpiler.repair.differences import is_same_code
from xpiler.repair.menu import sites_of
from xpiler.repair.places import lines_named, near_lines, range_of, statement_of
from xpiler.repair.questions import Questions
from xpiler.repair.result import COMPARISON, NOT_REPAIRED, NOTHING_WRONG, REPAIRED, Localized, Repair
from xpiler.repair.search import Search
from xpiler.repair.statics import statics_of
from xpiler.repair.vocabulary import vocabulary
from xpiler.routes.job import EntryJob
from xpiler.translate import Result, Trusted

Progress = Callable[[str], None]
_SECONDS = 30.0
_SUSPECTS = 3
_LEVELS = 2


def repair(
    source: str,
    source_file: str,
    target: str,
    target_file: str,
    overrides: Overrides | None = None,
    *,
    seconds: float = _SECONDS,
    progress: Progress = lambda step: None,
    compares: bool = True,
) -> Repair:
    """The target, repaired if it is wrong. `compares`: also by what the engine itself would have written.
    Raises Refusal where the source cannot be run."""
    start = time.monotonic()
    trusted = Trusted.of(source, source_file, overrides, progress)
    with ThreadPoolExecutor(1) as pool:  # written while the target is being compiled
        own = pool.submit(trusted.translation, platform_of(target_file, target)) if compares else None
        verdict = trusted.verify(target, target_file, progress, until_wrong=True)
        if Evidence(verdict.evidence).failed is None:  # entries that are refused are nothing to mend
            return Repair(NOTHING_WRONG, evidence=verdict.evidence, seconds=time.monotonic() - start)
        written = own.result() if own is not None else None
    found = mend(
        trusted, source, target, target_file, verdict, seconds=seconds, progress=progress, own=written
    )
    return replace(found, seconds=time.monotonic() - start)


def mend(
    trusted: Trusted,
    source: str,
    target: str,
    target_file: str,
    verdict: Result,
    *,
    seconds: float = _SECONDS,
    progress: Progress = lambda step: None,
    own: str | None = None,
) -> Repair:
    """The same for a source that was run, and a target that is wrong by `verdict`. `own`: the engine's own
    translation, if the target is to be held against it."""
    start = time.monotonic()
    deadline = start + patience() * seconds
    engine = _Engine(trusted, source, target, target_file, deadline, progress, own)
    return replace(engine.run(verdict), seconds=time.monotonic() - start)


class _RefusedByCompiler(Exception):
    """A text that is right when it is run is refused by a compiler of its platform."""


class _Engine:
    """`text` is the target with the errors mended that kept it from being compiled (`mended`). `is_compiled`:
    its platform's compilers were asked about it; that takes longer than most searches, so that they are asked
    first about what is right when it is run."""

    def __init__(
        self,
        trusted: Trusted,
        source: str,
        target: str,
        file: str,
        deadline: float,
        progress: Progress,
        own: str | None,
    ) -> None:
        self.trusted, self.is_against = trusted, False
        self.source, self.target, self.file = source, target, file
        self.deadline, self.progress, self.own = deadline, progress, own
        self.platform = platform_of(file, target)
        self.source_unit = analyse(source, trusted.unit.file, platform=trusted.platform)
        self.text = target
        self.mended: list[Mended] = []
        self.is_compiled = False
        self.accepted: Result | None = None

    def run(self, verdict: Result) -> Repair:
        symptom = _symptom(verdict)
        if self.own is not None:
            self.progress("comparing it with a translation")
            change = by_comparison(self.target, self.own, self._runs_right, self._accept)
            if change is not None:
                rewritten = replace(self._repaired(change, symptom), by=COMPARISON)
                if is_small(self.target, change):
                    return rewritten
                self.accepted = None
                found = self._searched(verdict, symptom)
                return found if found.status == REPAIRED else rewritten
        return self._searched(verdict, symptom)

    def _searched(self, verdict: Result, symptom: str) -> Repair:
        """The repair that is found without the engine's own translation. What is tried is run on data among
        which the target's own numbers are, too."""
        if not self.is_against:
            self.trusted, self.is_against = self.trusted.against(self.target, self.file), True
        if not self._build_errors(self.target):
            try:
                found = self._behaviour(verdict, symptom)
            except _RefusedByCompiler:
                found = None
            if found is not None and (found.status == REPAIRED or not self._compiler_errors(self.target)):
                return found
        self.progress("mending what does not compile")
        self.text, self.mended, left = without_errors(
            self.target, self.file, self.platform, self.source, self._errors, self._late
        )
        self.is_compiled = True
        if left:
            return self._not_compiled(verdict, left)
        if self._accept(self.text):
            return self._repaired(Change((), (), 0.0), symptom)
        verdict = self.trusted.verify(self.text, self.file)
        return self._behaviour(verdict, _symptom(verdict))

    def _late(self) -> bool:
        return time.monotonic() > self.deadline

    def _behaviour(self, verdict: Result, symptom: str) -> Repair:
        localized = [Localized(m.range, m.message) for m in self.mended]
        reasons: list[str] = []
        for item in self.trusted.entries:
            if item.refused is not None or item.runs is None or item.build is None or item.runs.fault:
                continue
            search = self._search(item, self.text, lines_named(self.file, verdict))
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

    # ------------------------------------------------------------------------------------------ compiling

    def _errors(self, text: str) -> list[CompilerError]:
        """What keeps the text from being run, or what its platform's own compilers say of it."""
        return self._build_errors(text) or self._compiler_errors(text)

    def _build_errors(self, text: str) -> list[CompilerError]:
        for item in self.trusted.entries:
            if item.refused is None and item.inference is not None and item.entry.kind != "main":
                built = build(text, self.file, self.platform, self.trusted.contract_of(item, text, self.file))
                if not built.ok:
                    return errors_in(built.log or built.error, self.file) or [
                        CompilerError(0, 1, built.error)
                    ]
                break
        return []

    def _compiler_errors(self, text: str) -> list[CompilerError]:
        for rung in compile_check(text, self.file, self.platform):
            if not rung.ok:
                found = re.match(rf"{re.escape(self.file)}:(\d+):(?:(\d+):)? (.*)", rung.detail)
                if found is None:
                    return [CompilerError(0, 1, rung.detail)]
                return [CompilerError(int(found[1]), int(found[2] or 1), found[3])]
        return []

    def _not_compiled(self, verdict: Result, left: list[CompilerError]) -> Repair:
        places = [
            Localized(SourceRange(self.file, e.line, e.column, e.line, e.column + 1), e.text)
            for e in left[:_SUSPECTS]
            if e.line
        ]
        return Repair(
            NOT_REPAIRED,
            localized=(*(Localized(m.range, m.message) for m in self.mended), *places),
            evidence=verdict.evidence,
            symptom=_symptom(verdict),
            reason=f"it does not compile, and no change was found that helps: {left[0].text}",
            diagnostics=verdict.diagnostics,
        )

    # ------------------------------------------------------------------------------------------ searching

    def _search(
        self, item: EntryJob, text: str, lines: frozenset[int], levels: int = _LEVELS
    ) -> Search | None:
        """The search in a text that compiles. `lines`: those that a violation names; `levels`: how often it
        may begin anew in a text that is nearer to right."""
        assert item.build is not None and item.runs is not None
        contract = self.trusted.contract_of(item, text, self.file)
        built = build(text, self.file, self.platform, contract)
        if not built.ok:
            return None
        self.progress("looking for the fault")
        unit = analyse(text, self.file, platform=self.platform)
        words = vocabulary(self.source, text, self.platform)
        sites = sites_of(unit, self.source_unit, words, item.entry.name)
        ran = built.run(contract.cases[:1])
        questions = Questions(contract, item.build, item.runs, ran[0].seconds or item.runs.forward[0].seconds)
        asked = questions.failing(built, ())
        if asked is None and text != self.text:
            return None
        return Search(
            text,
            self.file,
            self.platform,
            contract,
            questions,
            sites,
            self._accept_change,
            self.deadline,
            asked and questions.smaller(built, *asked),
            statics_of(text, self.source, lines),
            lambda text: self._agrees(item, contract, text),
            near_lines(text, sites, lines),
            (lambda nearer: self._search(item, nearer, frozenset(), levels - 1)) if levels else None,
        )

    def _runs_right(self, text: str) -> bool:
        """Whether all entries compute what they should, before the whole gate is asked."""
        return all(
            self._agrees(item, self.trusted.contract_of(item, text, self.file), text)
            for item in self.trusted.entries
            if item.refused is None and item.runs is not None and not item.runs.fault
        )

    def _agrees(self, item: EntryJob, contract: Contract, text: str) -> bool:
        """Whether an entry of the text computes what it should, compiled and run as it is."""
        assert item.build is not None and item.runs is not None
        built = build(text, self.file, self.platform, contract)
        return built.ok and all(rung.ok for rung in compare_target(contract, item.build, item.runs, built))

    def _accept(self, text: str) -> bool:
        self.progress("checking a repair")
        own = self.own is not None and is_same_code(text, self.own)
        return self._keeps(self.trusted.verify(text, self.file, own=own))

    def _accept_change(self, text: str) -> bool:
        """The same of a text that is right when it is run, as far as is known; raises where only the
        compilers refuse it, which may be so for what is wrong elsewhere in it."""
        self.progress("checking a repair")
        result = self.trusted.verify(text, self.file)
        failed = {rung.rung for rung in result.evidence if not rung.ok}
        if failed == {"compiled"} and not self.is_compiled:
            raise _RefusedByCompiler
        return self._keeps(result)

    def _keeps(self, result: Result) -> bool:
        """Whether all that can be run is right: entries that are refused are refused with any text."""
        right = Evidence(result.evidence).verified
        if right:
            self.accepted = result
        return right

    def _repaired(self, change: Change, symptom: str) -> Repair:
        assert self.accepted is not None
        text = apply(self.text, change.edits)
        unit = analyse(self.text, self.file, platform=self.platform)
        told = "; ".join(change.titles)
        places = dict.fromkeys(statement_of(unit, edit) for edit in change.edits)
        localized = [Localized(m.range, m.message) for m in self.mended]
        localized += [Localized(place, f"{told}: {symptom}") for place in places]
        return Repair(
            REPAIRED,
            text,
            edits_between(self.target, text),
            tuple(localized),
            unified(self.target, text, self.file),
            self.accepted.evidence,
            symptom,
        )

    def _suspects(self, search: Search, symptom: str) -> list[Localized]:
        found: dict[str, Localized] = {}
        for site, gain in search.suspects():
            if len(found) == _SUSPECTS or gain <= 0:
                break
            place = range_of(self.file, self.text, site.start, max(site.end, site.start + 1))
            share = f"{round(100 * gain)} % of the error goes away"
            message = f"suspect: with a change here {share}: {symptom}"
            found.setdefault(str(place), Localized(place, message))
        return list(found.values())


def _symptom(verdict: Result) -> str:
    """What is wrong with the results, in words."""
    failed = next((rung for rung in verdict.evidence if not rung.ok), None)
    return failed.detail if failed else ""
