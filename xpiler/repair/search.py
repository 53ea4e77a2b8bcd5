"""The search for changes that make a wrong target right: the smallest and most plausible ones first.

Each change is a choice of one program (`harness.py`), so that trying it costs a run. One change that makes
everything right is looked for first; then pairs and triples, from those on that bring the results nearer to
what is right; then the same with rarer changes. What the harness calls right is checked as it is delivered.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from xpiler.gate.compare import measure_spreads
from xpiler.gate.contract import Contract
from xpiler.gate.execute import BOTH_ENDS, Build
from xpiler.gate.trials import NOT_RUN, Question, Score, Selection, rights_of, run_trials
from xpiler.gate.verify import SourceRuns
from xpiler.repair.changes import Site, apply, overlap
from xpiler.repair.harness import Harness, harness
from xpiler.symbolic.findings import Edit

_TIERS = ((700, 1.75), (1500, 2.35), (3000, 9.0))  # alternatives at most, and how dear they may be
_CHUNK = 160
_BEAM = 4
_DEPTH = 3
_CANDIDATES = 5  # that are checked as they are delivered, a step


@dataclass(frozen=True)
class Change:
    """Edits of the text, each with what it is about."""

    edits: tuple[Edit, ...]
    titles: tuple[str, ...]
    cost: float


@dataclass
class Search:
    """`accept` says whether a text passes the gate. `suspects`: places in the order in which changing them
    helps."""

    text: str
    file: str
    platform: str
    contract: Contract
    source: Build
    runs: SourceRuns
    sites: Sequence[Site]
    accept: Callable[[str], bool]
    deadline: float
    base_seconds: float
    tried: int = 0
    reason: str = ""
    effects: dict[int, float] = field(default_factory=dict)
    rejected: set[str] = field(default_factory=set)

    def run(self) -> Change | None:
        spreads = measure_spreads(self.contract, self.source, self.runs.forward)
        self.questions = [
            Question(result.case, variant, rights_of(self.contract, result, spread), self._milliseconds())
            for result, spread in zip(self.runs.forward, spreads, strict=True)
            for variant in BOTH_ENDS
        ]
        self.order = sorted(range(len(self.questions)), key=lambda i: (self.runs.forward[i // 2].seconds, i))
        known: dict[tuple[int, int], Score] = {}
        for budget, dearest in _TIERS:
            tools = harness(self.text, self.file, self.platform, self.contract, self.sites, budget, dearest)
            if not tools.build.ok:
                self.reason = f"the text with choices does not compile: {tools.build.error}"
                return None
            if not self._find_question(tools):
                return None
            found = self._tier(tools, known)
            if found is not None or self._late():
                return found
        return None

    def _milliseconds(self) -> int:
        return int(min(1500, max(40, 10_000 * self.base_seconds)))

    def _late(self) -> bool:
        if time.monotonic() > self.deadline:
            self.reason = self.reason or "the time allowed was used up"
            return True
        return False

    def _find_question(self, tools: Harness) -> bool:
        """The quickest case that the text fails."""
        for number in self.order:
            score = run_trials(tools.build, self.questions[number], [()], 30)[0]
            if not score.right:
                self.question, self.base = self.questions[number], score
                return True
        self.reason = "the fault does not show when the loops run one after the other"
        return False

    # ------------------------------------------------------------------------------------------ a tier

    def _tier(self, tools: Harness, known: dict[tuple[int, int], Score]) -> Change | None:
        singles = tools.singles()
        fresh = [one for one in singles if one not in known]
        for start in range(0, len(fresh), _CHUNK):
            part = fresh[start : start + _CHUNK]
            scores = self._scores(tools, [(one,) for one in part])
            known |= dict(zip(part, scores, strict=True))
            found = self._accepted(tools, [(one,) for one, s in zip(part, scores, strict=True) if s.right])
            if found is not None or self._late():
                return found
        self._note_effects(tools, known)
        states = self._better({(one,): known[one] for one in singles if one in known}, self.base)
        for _ in range(1, _DEPTH):
            scored: dict[Selection, Score] = {}
            for state, reached in states[:_BEAM]:
                more = [
                    tuple(sorted((*state, one)))
                    for one in singles
                    if one[0] not in {site for site, _ in state} and known.get(one, NOT_RUN).status != 3
                ]
                more = [m for m in dict.fromkeys(more) if m not in scored]
                for start in range(0, len(more), _CHUNK):
                    part_ = more[start : start + _CHUNK]
                    scores = self._scores(tools, part_)
                    scored |= dict(zip(part_, scores, strict=True))
                    right = [m for m, s in zip(part_, scores, strict=True) if s.right]
                    found = self._accepted(tools, right)
                    if found is not None or self._late():
                        return found
                del reached
            states = self._better(scored, states[0][1]) if states else []
        return None

    def _scores(self, tools: Harness, selections: Sequence[Selection]) -> list[Score]:
        self.tried += len(selections)
        return run_trials(tools.build, self.question, selections, max(2.0, self.deadline - time.monotonic()))

    def _better(self, scored: dict[Selection, Score], base: Score) -> list[tuple[Selection, Score]]:
        """What is nearer to being right than `base`, the nearest first."""
        better = [(s, score) for s, score in scored.items() if _rank(score) < _rank(base)]
        better.sort(key=lambda pair: (_rank(pair[1]), len(pair[0])))
        return better

    def _accepted(self, tools: Harness, right: Sequence[Selection]) -> Change | None:
        """The most plausible of the selections that are right in every case and pass the gate."""
        ranked = sorted(right, key=lambda s: (sum(tools.cost(*one) for one in s), s))
        for number in (n for n in self.order if self.questions[n] is not self.question):
            if ranked:
                scores = run_trials(tools.build, self.questions[number], ranked, 30)
                ranked = [s for s, score in zip(ranked, scores, strict=True) if score.right]
        checked = 0
        for selection in ranked:
            change = self._change(tools, selection)
            if overlap(change.edits):
                continue
            text = apply(self.text, change.edits)
            if text in self.rejected:
                continue
            if checked == _CANDIDATES or self._late():
                return None
            checked += 1
            if self.accept(text):
                return change
            self.rejected.add(text)
        return None

    def _change(self, tools: Harness, selection: Selection) -> Change:
        edits: list[Edit] = []
        titles: list[str] = []
        for number, choice in selection:
            site = tools.sites[number]
            edits += site.edits(choice)
            titles.append(site.alternatives[choice - 1].title)
        return Change(tuple(edits), tuple(titles), sum(tools.cost(*one) for one in selection))

    # ------------------------------------------------------------------------------------------ suspects

    def _note_effects(self, tools: Harness, known: dict[tuple[int, int], Score]) -> None:
        """How much nearer the best change of each site brings the results."""
        for (site, _), score in known.items():
            if score.status == 0 and self.base.finished and self.base.wrong:
                gain = 1 - score.distance / max(self.base.distance, 1e-12)
            else:
                gain = 0.5 if _rank(score) < _rank(self.base) else 0.0
            if gain > self.effects.get(site, 0.0):
                self.effects[site] = gain

    def suspects(self) -> Iterator[tuple[Site, float]]:
        for number, gain in sorted(self.effects.items(), key=lambda pair: -pair[1]):
            yield self.sites[number], gain


def _rank(score: Score) -> tuple[int, float]:
    """Less is better: ended well, ended with something reported, did not end; then by distance."""
    if score.status == 0:
        return 0, score.distance
    if score.finished:
        return 1, score.distance
    return {1: 2, 2: 3}.get(score.status, 4), 0.0
