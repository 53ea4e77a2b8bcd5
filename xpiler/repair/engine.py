"""`repair`: a trusted source, a wrong target, and the smallest change that makes the target right.

verify -> where and how the results differ -> search -> the repaired text through the whole gate
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace

from xpiler.cancellation import OutOfTime, left, until
from xpiler.errors import Refusal
from xpiler.frontend import parse
from xpiler.frontend.syntax import analyse
from xpiler.gate.contract import Contract
from xpiler.gate.evidence import Evidence
from xpiler.gate.execute import build
from xpiler.gate.overrides import Overrides
from xpiler.gate.thread_races import thread_races
from xpiler.gate.toolchain import compile_check
from xpiler.gate.verify import compare_target
from xpiler.ir.source import SourceRange
from xpiler.platforms.registry import PLATFORMS, platform_of
from xpiler.repair.changes import Change, apply, edits_between, unified
from xpiler.repair.comparison import by_comparison, is_small
from xpiler.repair.compile_errors import CompilerError, Mended, errors_in, without_errors
from xpiler.repair.differences import is_same_code
from xpiler.repair.menu import sites_of
from xpiler.repair.places import lines_named, near_lines, range_of, statement_of
from xpiler.repair.questions import Questions
from xpiler.repair.result import COMPARISON, NOT_REPAIRED, NOTHING_WRONG, REPAIRED, Localized, Repair
from xpiler.repair.search import LAST_LOOK, OVER, Search
from xpiler.repair.statics import statics_of
from xpiler.repair.vocabulary import vocabulary
from xpiler.routes.job import EntryJob
from xpiler.translate import Result, Trusted

Progress = Callable[[str], None]
_SECONDS = 30.0
_SEARCH = 1 / 3  # of the time is for the search, however long it takes to see that something is wrong
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
    """The target, repaired if it is wrong, in so many seconds from when the source was run: a third of them
    for the search at least, and `LAST_LOOK` besides for what was found by then. `compares`: also by what the
    engine itself would have written. Raises Refusal where the source cannot be run."""
    start = time.monotonic()
    trusted = Trusted.of(source, source_file, overrides, progress)
    deadline = time.monotonic() + seconds
    pool = ThreadPoolExecutor(1)  # written while the target is being compiled
    try:
        with until(time.monotonic() + max(seconds, _SECONDS)):
            own = pool.submit(trusted.translation, platform_of(target_file, target)) if compares else None
            verdict = trusted.verify(target, target_file, progress, until_wrong=True)
            if Evidence(verdict.evidence).failed is None:  # entries that are refused are nothing to mend
                return Repair(NOTHING_WRONG, evidence=verdict.evidence, seconds=time.monotonic() - start)
            written = own.result(left()) if own is not None else None
    except (OutOfTime, TimeoutError):
        late = "comparing the two took all the time allowed"
        return Repair(NOT_REPAIRED, reason=late, seconds=time.monotonic() - start)
    finally:
        pool.shutdown(wait=False)
    deadline = max(deadline, time.monotonic() + _SEARCH * seconds)
    found = _mended(trusted, source, target, target_file, verdict, deadline, progress, written)
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
    found = _mended(trusted, source, target, target_file, verdict, start + seconds, progress, own)
    return replace(found, seconds=time.monotonic() - start)


def _mended(
    trusted: Trusted,
    source: str,
    target: str,
    target_file: str,
    verdict: Result,
    deadline: float,
    progress: Progress,
    own: str | None,
) -> Repair:
    """The same until a time of `time.monotonic`."""
    with until(deadline):
        return _Engine(trusted, source, target, target_file, deadline, progress, own).run(verdict)


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
            change = self._compared(self.own)
            if change is not None:
                rewritten = replace(self._repaired(change, symptom), by=COMPARISON)
                if is_small(self.target, change):
                    return rewritten
                self.accepted = None
                found = self._searched(verdict, symptom)
                return found if found.status == REPAIRED else rewritten
        return self._searched(verdict, symptom)

    def _compared(self, own: str) -> Change | None:
        with suppress(OutOfTime):
            return by_comparison(self.target, own, self._runs_right, self._accept)
        return None

    def _searched(self, verdict: Result, symptom: str) -> Repair:
        """The repair that is found without the engine's own translation, by the deadline."""
        try:
            return self._found(verdict, symptom)
        except OutOfTime:
            localized = tuple(Localized(m.range, m.message) for m in self.mended)
            return self._not_repaired(verdict, symptom, localized, f"no change was found that passes: {OVER}")

    def _found(self, verdict: Result, symptom: str) -> Repair:
        """What is tried is run on data among which the target's own numbers are, too."""
        if not self.is_against:
            self.trusted, self.is_against = self.trusted.against(self.target, self.file), True
        if not self._build_errors(self.target):
            try:
                found = self._behaviour(verdict, symptom)
            except _RefusedByCompiler:
                found = None
            if found is not None and (
                found.status == REPAIRED or self._late() or not self._compiler_errors(self.target)
            ):
                return found
        self.progress("mending what does not compile")
        self.text, self.mended, errors = without_errors(
            self.target, self.file, self.platform, self.source, self._errors, self._late
        )
        self.is_compiled = True
        if errors:
            return self._not_compiled(verdict, errors)
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
            search = change = None
            try:
                search = self._search(item, self.text, lines_named(self.file, verdict))
                change = search.run() if search is not None else None
            except OutOfTime:
                if search is None:
                    reasons.append(f"{item.entry.name}: no change was found that passes ({OVER})")
                    break
                search.reason = OVER
            if search is None:
                reasons.append(f"{item.entry.name}: it does not compile")
                continue
            if change is not None and self.accepted is not None:
                return self._repaired(change, symptom)
            localized += self._suspects(search, symptom)
            reasons.append(
                f"{item.entry.name}: no change was found that passes ({search.tried} were tried"
                + (f"; {search.reason})" if search.reason else ")")
            )
        if not reasons:
            raise Refusal("nothing-to-repair", symptom or "no entry of the source could be run")
        return self._not_repaired(verdict, symptom, tuple(localized), "; ".join(reasons))

    def _not_repaired(
        self, verdict: Result, symptom: str, localized: tuple[Localized, ...], reason: str
    ) -> Repair:
        return Repair(
            NOT_REPAIRED,
            localized=localized,
            evidence=verdict.evidence,
            symptom=symptom,
            reason=reason,
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

    def _not_compiled(self, verdict: Result, errors: list[CompilerError]) -> Repair:
        places = [
            Localized(SourceRange(self.file, e.line, e.column, e.line, e.column + 1), e.text)
            for e in errors[:_SUSPECTS]
            if e.line
        ]
        localized = (*(Localized(m.range, m.message) for m in self.mended), *places)
        reason = f"it does not compile, and no change was found that helps: {errors[0].text}"
        return self._not_repaired(verdict, _symptom(verdict), localized, reason)

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
        if not built.ok or not all(r.ok for r in compare_target(contract, item.build, item.runs, built)):
            return False
        if PLATFORMS[self.platform].model != "serial" or "omp" not in text:
            return True
        with suppress(Refusal):  # runs seldom show what threads race for
            return not thread_races(contract.entry, parse(text, self.file, platform=self.platform))
        return True

    def _accept(self, text: str) -> bool:
        self.progress("checking a repair")
        own = self.own is not None and is_same_code(text, self.own)
        with until(self.deadline + LAST_LOOK):
            return self._keeps(self.trusted.verify(text, self.file, own=own))

    def _accept_change(self, text: str) -> bool:
        """The same of a text that is right when it is run, as far as is known; raises where only the
        compilers refuse it, which may be so for what is wrong elsewhere in it."""
        self.progress("checking a repair")
        with until(self.deadline + LAST_LOOK):
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
