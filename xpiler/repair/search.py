"""The search for changes that make a wrong target right: the smallest and most plausible ones first.

Each change is a choice of one program (`harness.py`), so that trying it costs a run. One change that makes
everything right is looked for first; then further ones, from those on that bring the results nearer to what
is right; then the same with rarer changes. What the harness calls right is checked as it is delivered.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from xpiler.gate.contract import Contract
from xpiler.gate.trials import NOT_RUN, Question, Score, Selection, run_trials
from xpiler.repair.changes import Site, apply, overlap
from xpiler.repair.harness import Harness, harness
from xpiler.repair.order import One, Order, gain, rank
from xpiler.repair.questions import Questions
from xpiler.repair.statics import EARLY, Static
from xpiler.symbolic.findings import Edit

_TIERS = (
    (600, 1.75),
    (1500, 2.05),
    (3000, 2.55),
    (5000, 9.0),
)  # alternatives at most, and how dear they may be
_STATICS = 12  # changes that need a compilation each, at a time
_CHUNK = 120
_BEAM = 4  # states that are gone on from, of each number of changes
_DEPTH = 3
_CANDIDATES = 5  # that are checked as they are delivered, a step


@dataclass(frozen=True)
class Change:
    """Edits of the text, each with what it is about."""

    edits: tuple[Edit, ...]
    titles: tuple[str, ...]
    cost: float


@dataclass(frozen=True)
class State:
    """Changes that are made, and how far from right that is; `partial`: right in one case, not in others."""

    selection: Selection
    score: Score
    partial: bool
    cost: float

    @property
    def rank(self) -> tuple[object, ...]:
        return not self.partial, *rank(self.score), self.cost


@dataclass
class Search:
    """`accept` says whether a text passes the gate, `quick` whether it is
    worth asking. `effects`: of sites, which part of the error their best
    change takes away. `near`: numbers of sites
    that a violation names. `reason`: why nothing was found."""

    text: str
    file: str
    platform: str
    contract: Contract
    questions: Questions
    sites: Sequence[Site]
    accept: Callable[[str], bool]
    deadline: float
    statics: Sequence[Static] = ()
    quick: Callable[[str], bool] = lambda text: True
    near: frozenset[int] = frozenset()
    hidden: bool = False  # a program with choices, whose loops run one after the other, does not show it
    tried: int = 0
    reason: str = ""
    effects: dict[int, float] = field(default_factory=dict)
    rejected: set[str] = field(default_factory=set)
    known: dict[Selection, Score] = field(default_factory=dict)

    def run(self) -> Change | None:
        early = [s for s in self.statics if s.cost <= EARLY]
        found = self._static(early[:_STATICS])
        if found is not None:
            return found
        for number, (budget, dearest) in enumerate(_TIERS):
            if number == 1:
                found = self._static([s for s in self.statics if s not in early][:_STATICS])
                if found is not None:
                    return found
            tools = harness(self.text, self.file, self.platform, self.contract, self.sites, budget, dearest)
            if not tools.build.ok:
                self.reason = (
                    f"the text with choices does not compile: {tools.build.error}" if not number else ""
                )
                return None
            found = self._tier(tools)
            if found is not None or self.reason:
                return found
            if self.hidden:
                found = self._static([s for s in self.statics if s not in early])
                self.reason = "the fault does not show when loops run one after the other"
                return found
        return None

    def _static(self, statics: Sequence[Static]) -> Change | None:
        """Changes that each have to be compiled."""
        for static in statics:
            text = apply(self.text, [static.edit])
            if self._late():
                return None
            self.tried += 1
            if self.quick(text) and self.accept(text):
                return Change((static.edit,), (static.title,), static.cost)
        return None

    def _late(self) -> bool:
        if time.monotonic() > self.deadline:
            self.reason = self.reason or "the time allowed was used up"
        return bool(self.reason)

    def _tier(self, tools: Harness) -> Change | None:
        states = [State((), NOT_RUN, False, 0.0)]
        for _ in range(_DEPTH):
            children: list[State] = []
            for state in states[:_BEAM]:
                found = self._expand(tools, state, children)
                if found is not None or self._late():
                    return found
            states = _varied(children)
        return None

    # ------------------------------------------------------------------------------------------ one step

    def _expand(self, tools: Harness, state: State, children: list[State]) -> Change | None:
        """One more change, each of them: a right text, or else what is nearer to one."""
        asked = self.questions.failing(tools.build, state.selection)
        if asked is None:
            if not state.selection:
                self.hidden = True
                return None
            return self._accepted(tools, [state.selection], None, [])
        question, base = asked if state.selection else self.questions.smaller(tools.build, *asked)
        if not state.selection:
            self.base = base
        order = Order(tools, self._left(tools, state), self.near)
        if state.selection:
            order.learn({s[0]: score for s, score in self.known.items()}, self.base)
        scored: dict[Selection, Score] = {}
        while ones := order.next(_CHUNK):
            part = [tuple(sorted((*state.selection, one))) for one in ones]
            self.tried += len(part)
            scores = run_trials(tools.build, question, part, max(2.0, self.deadline - time.monotonic()))
            scored |= dict(zip(part, scores, strict=True))
            if not state.selection:
                order.learn(dict(zip(ones, scores, strict=True)), base)
                self._note_effects(dict(zip(ones, scores, strict=True)), base)
            right = [s for s, score in zip(part, scores, strict=True) if score.right]
            partial: list[Selection] = []
            found = self._accepted(tools, right, question, partial)
            children += [State(s, scored[s], True, self._cost(tools, s)) for s in partial]
            if found is not None or self._late():
                return found
        if not state.selection:
            self.known |= scored
        children += [
            State(s, score, False, self._cost(tools, s))
            for s, score in scored.items()
            if not score.right and _is_nearer(score, base)
        ]
        return None

    def _left(self, tools: Harness, state: State) -> list[One]:
        """The changes that may be added."""
        taken = {site for site, _ in state.selection}
        singles = [one for one in tools.singles() if one[0] not in taken]
        if not state.selection:
            return [one for one in singles if (one,) not in self.known]
        return [one for one in singles if self.known.get((one,), NOT_RUN).status != 3]

    def _cost(self, tools: Harness, selection: Selection) -> float:
        return sum(tools.cost(*one) for one in selection if one[0] in tools.sites)

    def _accepted(
        self, tools: Harness, right: Sequence[Selection], asked: Question | None, partial: list[Selection]
    ) -> Change | None:
        """The most plausible of the selections that are right in every case and pass the gate; those that are
        right in some cases are added to `partial`."""
        ranked = sorted(right, key=lambda s: (self._cost(tools, s), s))
        for question in self.questions.all:
            if ranked and question is not asked:
                scores = run_trials(tools.build, question, ranked, 30)
                partial += [s for s, score in zip(ranked, scores, strict=True) if not score.right]
                ranked = [s for s, score in zip(ranked, scores, strict=True) if score.right]
        checked = 0
        for selection in ranked:
            change = self._change(tools, selection)
            text = apply(self.text, change.edits)
            if text in self.rejected or overlap(change.edits):
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
        return Change(tuple(edits), tuple(titles), self._cost(tools, selection))

    # ------------------------------------------------------------------------------------------ suspects

    def _note_effects(self, scores: Mapping[One, Score], base: Score) -> None:
        for (site, _), score in scores.items():
            self.effects[site] = max(self.effects.get(site, 0.0), gain(score, base))

    def suspects(self) -> Iterator[tuple[Site, float]]:
        """Places where a change helps, those first where it helps most."""
        for number, helped in sorted(self.effects.items(), key=lambda pair: -pair[1]):
            yield self.sites[number], helped


def _varied(children: Sequence[State]) -> list[State]:
    """The nearest to being right first, of those that change the same places only the best two."""
    unique = {child.selection: child for child in sorted(children, key=lambda s: s.rank, reverse=True)}
    kept: list[State] = []
    seen: Counter[tuple[int, ...]] = Counter()
    for state in sorted(unique.values(), key=lambda s: s.rank):
        places = tuple(site for site, _ in state.selection)
        seen[places] += 1
        if seen[places] <= 2:
            kept.append(state)
    return kept


def _is_nearer(score: Score, base: Score) -> bool:
    return score.status < 2 and (rank(score) < rank(base) or (score.finished and score.wrong < base.wrong))
