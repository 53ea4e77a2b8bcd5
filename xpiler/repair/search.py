"""The search for changes that make a wrong target right: the smallest and most plausible ones first.

Each change is a choice of one program (`harness.py`), so that trying it costs a run. Changes are tried alone
before any two: first some at every place, then all where that showed to matter (`stages.py`). Where one
brings the results much nearer to what is right, it is gone on from; else the most plausible ones are tried in
pairs, as of two faults neither need show while the other hides it. What the harness calls right is checked as
it is delivered.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from xpiler.cancellation import OutOfTime, until
from xpiler.gate.contract import Contract
from xpiler.gate.execute import build
from xpiler.gate.trials import NOT_RUN, Question, Score, Selection, run_in_all, run_trials
from xpiler.repair.changes import Change, Site, apply, edits_between, joined, overlap
from xpiler.repair.harness import Harness, harness
from xpiler.repair.order import One, Order, gain, rank
from xpiler.repair.questions import Questions
from xpiler.repair.stages import Learned, at_once, first, focused, rest
from xpiler.repair.statics import EARLY, Static
from xpiler.symbolic.findings import Edit

OVER = "the time allowed was used up"
LAST_LOOK = 15.0  # seconds beyond that in which what was found by then may show to be right
_PAIRS = (0, 0, 48, 120)  # how many changes of each stage are tried in pairs
_FAR_FETCHED = 2.0  # costs of a change from which on it is so
_TOO_LONG = 3  # status of a trial
_FOCUS = 2  # the stage from which on it is known which places matter
_STATICS = 12  # changes that need a compilation each, at a time
_CHUNK = 120
_BEAM = 4  # states that are gone on from, of each number of changes
_COMPLETED = 2  # states that are right in one case and are gone on from at once
_FURTHER = 720  # changes that are tried on top of a state
_DEPTH = 3
_AT_ONCE = 8  # of those that are right in two cases, tried in others
_LONG = 1000  # milliseconds that a run may take which is left to the gate
_CANDIDATES = 5  # that are checked as they are delivered, a step
_LITTLE, _MUCH, _HALF = (
    0.03,
    0.15,
    0.5,
)  # shares of the error whose going away says that a change may be right
_PROBES = 12  # changes by which it shows whether parts of a text still count
_IDLE = 0.4  # share of them that does nothing any more, where a change turns a part of the text off
_NEVER = ("0", "false")  # conditions
_SLIP = 1.0  # costs up to which a change of a condition is a small slip
_AGAIN = 2  # texts that are nearer to right in which the search begins anew


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
    """`accept` says whether a text passes the gate, `quick` whether it is worth asking. `asked`: the case
    that sorts changes out, with how wrong the text is there; None while none is known that shows the fault.
    `effects`: of sites, which part of the error their best change takes away. `near`: numbers of sites that a
    violation names. `again`: the search in a text that is nearer to right, if it is to go on there; such a
    one has two stages. `expanded`: what was tried on top of each state. `reason`: why
    nothing was found. `held`: changes that are right, but turn off a part of the text; `off`: those after
    which a loop never turns, the last resort; `far`: those that are
    right and far-fetched, and wait until every place had its turn (while it is `early`)."""

    text: str
    file: str
    platform: str
    contract: Contract
    questions: Questions
    sites: Sequence[Site]
    accept: Callable[[str], bool]
    deadline: float
    asked: tuple[Question, Score] | None
    statics: Sequence[Static] = ()
    quick: Callable[[str], bool] = lambda text: True
    near: frozenset[int] = frozenset()
    again: Callable[[str], Search | None] | None = None
    tried: int = 0
    reason: str = ""
    effects: dict[int, float] = field(default_factory=dict)
    rejected: set[str] = field(default_factory=set)
    known: dict[Selection, Score] = field(default_factory=dict)
    partial: set[Selection] = field(default_factory=set)
    expanded: dict[Selection, set[One]] = field(default_factory=dict)
    held: list[Change] = field(default_factory=list)
    off: list[Change] = field(default_factory=list)
    far: list[Change] = field(default_factory=list)
    early: bool = False

    def run(self) -> Change | None:
        found = self.smaller()
        return found if found is not None else self._held_back(self.off)

    def smaller(self) -> Change | None:
        """What is found without turning a loop off."""
        found = self._staged()
        return found if found is not None else self._held_back((*self.far, *self.held))

    def _staged(self) -> Change | None:
        early = [s for s in self.statics if s.cost <= EARLY]
        late = [s for s in self.statics if s.cost > EARLY]
        found = self._static(early[:_STATICS])
        if self.asked is None:
            # Programs with choices run the loops of OpenMP one after the other.
            found = found or self._static(late) or self._two_statics(early[:_STATICS])
            self.reason = self.reason or "the fault does not show when loops run one after the other"
            return found
        for stage, pairs in enumerate(_PAIRS):
            if found is not None or self._late():
                return found
            choices = self._choices(stage)
            if not choices:
                continue
            choices = list(dict.fromkeys((*choices, *self._conditions(choices))))
            tools = harness(self.text, self.file, self.platform, self.contract, self.sites, choices)
            if not tools.build.ok:
                if not stage:
                    self.reason = f"the text with choices does not compile: {tools.build.error}"
                    return None
                continue
            self.early = stage + 1 < _FOCUS
            found = self._singles(tools)
            if stage < _FOCUS:
                found = found or self._completed(tools)
            if not self.early:
                found = found or self._held_back(self.far)
            if stage == _FOCUS:
                found = found or self._held_back(self.held)
            if stage >= _FOCUS:  # before that the right change of a place that matters need not be there
                found = found or self._several(tools)
            if stage == _FOCUS:
                found = found or self._static(late[:_STATICS]) or self._anew(tools)
            if pairs:
                found = found or self._pairs(tools, pairs)
            if stage == _FOCUS and self.again is None:
                return found
        return found

    def _choices(self, stage: int) -> list[One]:
        """The changes that the program of a stage has; those that help already are in all of them."""
        assert self.asked is not None
        if stage == 0:
            return at_once(self.sites, self.near)
        if stage == 1:
            new = [one for one in first(self.sites) if (one,) not in self.known]
            return [*new, *(s[0] for s in self.known if len(s) == 1 and s in self.partial)]
        learned = Learned.of(self.known, self.asked[1])
        # What took too long while the machine had much else to do is tried once more.
        self.known = {s: score for s, score in self.known.items() if score.status != _TOO_LONG}
        if stage == _FOCUS:
            return focused(self.sites, learned, self.near)
        return rest(self.sites, learned, {s[0] for s in self.known if len(s) == 1})

    def _conditions(self, choices: Sequence[One]) -> list[One]:
        """Of the conditions that these are in, that they never hold: it tells whether their statements are
        needed at all."""
        spans = {self.sites[site].controls for site, _ in choices} - {None}
        return [
            (number, choice)
            for number, site in enumerate(self.sites)
            if site.controls in spans
            for choice, alternative in enumerate(site.alternatives, 1)
            if alternative.text in _NEVER
        ]

    def _static(self, statics: Sequence[Static]) -> Change | None:
        """Changes that each have to be compiled."""
        for static in statics:
            if self._late():
                return None
            text = apply(self.text, [static.edit])
            self.tried += 1
            if self._may_be_right(text) and self.accept(text):
                return Change((static.edit,), (static.title,), static.cost)
        return None

    def _two_statics(self, statics: Sequence[Static]) -> Change | None:
        """Two of them at once, as where each of two sums races."""
        for pair in itertools.combinations(statics, 2):
            edits = tuple(static.edit for static in pair)
            if self._late():
                return None
            self.tried += 1
            text = "" if overlap(edits) else apply(self.text, edits)
            if text and self.quick(text) and self.accept(text):
                return Change(edits, tuple(s.title for s in pair), sum(s.cost for s in pair))
        return None

    def _may_be_right(self, text: str) -> bool:
        if self.asked is None:
            return self.quick(text)
        built = build(text, self.file, self.platform, self.contract, quick=True)
        return built.ok and self.questions.failing(built, (), self.asked[0]) is None

    def _late(self) -> bool:
        if time.monotonic() > self.deadline:
            self.reason = self.reason or OVER
        return bool(self.reason)

    def _run(
        self, tools: Harness, question: Question, part: Sequence[Selection], seconds: float
    ) -> list[Score]:
        switched = [tools.switched(selection) for selection in part]
        ends = self.asked is not None and self.asked[1].finished and len(part) > 1
        return run_trials(tools.build, question, switched, seconds, [()] if ends else ())

    # -------------------------------------------------------------------------------- single ones

    def _singles(self, tools: Harness) -> Change | None:
        """Every change alone."""
        assert self.asked is not None
        question, base = self.asked
        order = Order(tools, [one for one in tools.singles() if (one,) not in self.known], self.near)
        order.learn({s[0]: score for s, score in self.known.items() if len(s) == 1}, base)
        while ones := order.next(_CHUNK):
            scores = dict(zip(ones, self._scores(tools, question, [(one,) for one in ones]), strict=True))
            self.known |= {(one,): score for one, score in scores.items() if score != NOT_RUN}
            order.learn(scores, base)
            for (site, _), score in scores.items():
                self.effects[site] = max(self.effects.get(site, 0.0), gain(score, base))
            found = self._accepted(tools, [(one,) for one, s in scores.items() if s.right], question)
            if found is not None or self._late():
                return found
        return None

    def _scores(self, tools: Harness, question: Question, part: Sequence[Selection]) -> list[Score]:
        self.tried += len(part)
        return self._run(tools, question, part, max(2.0, self.deadline - time.monotonic()))

    # ---------------------------------------------------------------------------------- several at once

    def _several(self, tools: Harness) -> Change | None:
        """Further changes on top of those that already help much."""
        assert self.asked is not None
        inside = set(tools.singles())
        states = [
            State(s, score, s in self.partial, self._cost(tools, s))
            for s, score in self.known.items()
            if set(s) <= inside
            and (
                s in self.partial
                or _is_nearer(score, self.asked[1], _LITTLE)
                or _has_more_right(score, self.asked[1])
            )
        ]
        for _ in range(_DEPTH - 1):
            children: list[State] = []
            for state in _varied(states)[:_BEAM]:
                found = self._expand(tools, state, children)
                if found is not None or self._late():
                    return found
            states = children
        return None

    def _completed(self, tools: Harness) -> Change | None:
        """One more change on top of those that are right in one case and not in others, as where a race shows
        in another order of threads only."""
        assert self.asked is not None
        there = set(tools.singles())
        states = [
            State(s, self.known.get(s, self.asked[1]), True, self._cost(tools, s))
            for s in self.partial
            if set(s) <= there
        ]
        made: dict[str, State] = {}  # `n` for `k` in an index, and the whole index with it, are one text
        for state in sorted(states, key=lambda s: s.rank):
            made.setdefault(apply(self.text, self._change(tools, state.selection).edits), state)
        for state in list(made.values())[:_COMPLETED]:
            found = self._expand(tools, state, [])
            if found is not None or self._late():
                return found
        return None

    def _expand(self, tools: Harness, state: State, children: list[State]) -> Change | None:
        """One more change on top of a state, of those that no program before had: a right text, or else what
        is much nearer to one."""
        assert self.asked is not None
        tried = self.expanded.setdefault(state.selection, set())
        taken = {site for site, _ in state.selection}
        free = [one for one in tools.singles() if one[0] not in taken and one not in tried]
        if not free:
            return None
        asked = self.questions.failing(tools.build, tools.switched(state.selection), self.asked[0])
        if asked is None:
            return self._accepted(tools, [state.selection], None)
        question, base = asked
        order = Order(tools, [one for one in free if self.known.get((one,), NOT_RUN).status != 3], self.near)
        order.learn({s[0]: score for s, score in self.known.items() if len(s) == 1}, self.asked[1])
        for _ in range(_FURTHER // _CHUNK):
            ones = order.next(_CHUNK)
            part = [tuple(sorted((*state.selection, one))) for one in ones]
            if not part:
                break
            given = self._scores(tools, question, part)
            tried.update(ones)
            order.learn(dict(zip(ones, given, strict=True)), base)
            scores = dict(zip(part, given, strict=True))
            found = self._accepted(tools, [s for s, score in scores.items() if score.right], question)
            children += [
                State(s, score, s in self.partial, self._cost(tools, s))
                for s, score in scores.items()
                if s in self.partial or (not score.right and _is_nearer(score, base, _MUCH))
            ]
            if found is not None or self._late():
                return found
        return None

    def _anew(self, tools: Harness) -> Change | None:
        """The search in a text where a change has taken away half of the error: what matters there was hidden
        by what this one mends."""
        assert self.asked is not None
        base = self.asked[1]
        states = [
            State(s, score, s in self.partial, self._cost(tools, s))
            for s, score in self.known.items()
            if len(s) == 1 and s[0][0] in tools.sites and gain(score, base) >= _HALF
        ]
        nearest = sorted(states, key=lambda s: s.rank)
        if not base.finished:  # many changes let it end: the one that is likeliest to be right, too
            likeliest = sorted(states, key=lambda s: (s.selection[0][0] not in self.near, s.cost))
            nearest = list(dict.fromkeys([*likeliest[:1], *nearest]))
        for state in nearest[:_AGAIN]:
            change = self._change(tools, state.selection)
            begins = None if self._late() else self.again
            inner = begins(apply(self.text, change.edits)) if begins is not None else None
            if inner is None:
                continue
            found = inner.smaller()
            self.tried += inner.tried
            if found is not None:
                return self._both(change, found)
            self.off += [self._both(change, one) for one in inner.off[:1]]
        return None

    def _both(self, first: Change, second: Change) -> Change:
        """Two changes of which the second is one of the text that the first makes."""
        edits = joined(first.edits, second.edits)
        if edits is None:
            text = apply(apply(self.text, first.edits), second.edits)
            edits = edits_between(self.text, text)
        else:
            alone = edits[len(first.edits) :]
            with suppress(OutOfTime):
                if self.quick(apply(self.text, alone)) and self.accept(apply(self.text, alone)):
                    return Change(alone, second.titles, second.cost)
        return Change(edits, (*first.titles, *second.titles), first.cost + second.cost)

    def _pairs(self, tools: Harness, count: int) -> Change | None:
        """The most plausible of the changes that do anything, two at a time."""
        assert self.asked is not None
        question, base = self.asked
        singles = [one for one in tools.singles() if self.known.get((one,), NOT_RUN).status < 3]
        if base.finished:  # else what does nothing yet may do so once the entry ends
            singles = [one for one in singles if self.known[(one,)] != base]
        order = Order(tools, singles, self.near)
        order.learn({s[0]: score for s, score in self.known.items() if len(s) == 1}, base)
        pairs: list[Selection] = [
            tuple(sorted(pair))
            for pair in itertools.combinations(order.next(count), 2)
            if pair[0][0] != pair[1][0]
        ]
        pairs = [pair for pair in pairs if pair not in self.known]
        nearer: list[State] = []
        for start in range(0, len(pairs), 4 * _CHUNK):
            part = pairs[start : start + 4 * _CHUNK]
            scores = dict(zip(part, self._scores(tools, question, part), strict=True))
            self.known |= {s: score for s, score in scores.items() if score != NOT_RUN}
            found = self._accepted(tools, [s for s, score in scores.items() if score.right], question)
            if found is not None or self._late():
                return found
            nearer += [
                State(s, score, s in self.partial, self._cost(tools, s))
                for s, score in scores.items()
                if s in self.partial or _is_nearer(score, base, _MUCH)
            ]
        for state in _varied(nearer)[:_BEAM]:
            found = self._expand(tools, state, [])
            if found is not None or self._late():
                return found
        return None

    def _cost(self, tools: Harness, selection: Selection) -> float:
        return sum(tools.cost(*one) for one in selection if one[0] in tools.sites)

    def _accepted(self, tools: Harness, right: Sequence[Selection], asked: Question | None) -> Change | None:
        """The most plausible of the selections that are right in every case and pass the gate; those that are
        right in some cases are added to `partial`."""
        with until(self.deadline + LAST_LOOK):
            return self._first_whole(tools, right, asked)

    def _first_whole(
        self, tools: Harness, right: Sequence[Selection], asked: Question | None
    ) -> Change | None:
        ranked = sorted(right, key=lambda s: (self._cost(tools, s), s))
        others = [question for question in self.questions.all if question is not asked]
        ranked = self._right_in(tools, others[:1], ranked)  # it sorts most of them out
        quick = [question for question in others[1:] if question.milliseconds < _LONG] or others[1:]
        for start in range(0, len(ranked), _AT_ONCE):
            part = self._right_in(tools, quick, ranked[start : start + _AT_ONCE])
            part = self._still_whole(tools, self._preferred(tools, part))
            if self.early:
                far = [s for s in part if self._cost(tools, s) >= _FAR_FETCHED * len(s)]
                self.far += [self._change(tools, s) for s in far]
                part = [s for s in part if s not in far]
            found = self._first_accepted(tools, part)
            if found is not None or self._late():
                return found
        return None

    def _right_in(
        self, tools: Harness, questions: Sequence[Question], ranked: Sequence[Selection]
    ) -> list[Selection]:
        """Those that are right in all of the cases, too."""
        if not ranked or not questions:
            return list(ranked)
        switched = [tools.switched(selection) for selection in ranked]
        left = max(2.0, self.deadline - time.monotonic())
        right = self.questions.right_in(tools.build, questions, switched, left)
        self.partial |= {s for s, ok in zip(ranked, right, strict=True) if not ok}
        return [s for s, ok in zip(ranked, right, strict=True) if ok]

    def _still_whole(self, tools: Harness, ranked: list[Selection]) -> list[Selection]:
        """Without those that make the text right by turning a part of it off, so that another part does the
        work (`x + 16 <= n - n` before a loop over what is left); they are held back until what else there is
        in the place was tried."""
        assert self.asked is not None
        question, base = self.asked
        ranked = self._still_needed(tools, ranked)
        if not base.finished or base.status:
            return ranked
        probes: dict[int, One] = {}
        there = set(tools.singles())
        for selection, score in self.known.items():
            tells = score.status == 0 and score.wrong and score.distance != base.distance
            if len(selection) == 1 and tells and selection[0] in there:
                probes.setdefault(selection[0][0], selection[0])
        chosen = list(probes.values())[:: max(1, len(probes) // _PROBES)][:_PROBES]
        kept: list[Selection] = []
        for selection in ranked[:_CANDIDATES]:
            places = {site for site, _ in selection}
            if self._turns_off(tools, selection, [p for p in probes.values() if p[0] not in places]):
                self.held.append(self._change(tools, selection))
                continue
            others = [tuple(sorted((*selection, one))) for one in chosen if one[0] not in places]
            scores = self._run(tools, question, others, 30) if others else []
            if sum(score.right for score in scores) < max(2, _IDLE * len(scores)):
                kept.append(selection)
            else:
                self.held.append(self._change(tools, selection))
        return [*kept, *ranked[_CANDIDATES:]]

    def _still_needed(self, tools: Harness, ranked: list[Selection]) -> list[Selection]:
        """Without those that change how often a loop turns that might as well never turn, since what comes
        behind it does the rest: whatever such a loop does wrong, any stricter condition makes right. Those
        that are no small slip are held back, and where the loop never turns, to the very end."""
        assert self.asked is not None
        kept: list[Selection] = []
        for selection in ranked:
            never = self._never(tools, selection)
            scores = self._run(tools, self.asked[0], never, 30) if never else []
            if not any(score.right for score in scores):
                kept.append(selection)
            elif selection in never or self._never_turns(tools, selection):
                self.off.append(self._change(tools, selection))
            elif self._cost(tools, selection) < _SLIP * len(selection):
                kept.append(selection)
            else:
                self.held.append(self._change(tools, selection))
        return kept

    def _never_turns(self, tools: Harness, selection: Selection) -> bool:
        """Whether with the selection no change of the statements that it has a condition of matters."""
        assert self.asked is not None
        for start, end in {tools.sites[site].controls or (0, 0) for site, _ in selection}:
            inside = {n for n, site in tools.sites.items() if start <= site.start < end}
            ones = [(n, tools.choices[n][0]) for n in sorted(inside - {n for n, _ in selection})]
            chosen = ones[:: max(1, len(ones) // _PROBES)][:_PROBES]
            others = [tuple(sorted((*selection, one))) for one in chosen]
            scores = self._run(tools, self.asked[0], others, 30) if others else []
            if scores and all(score.right for score in scores):
                return True
        return False

    def _never(self, tools: Harness, selection: Selection) -> list[Selection]:
        """The selection with `0` for each of the conditions in which it changes something."""
        found: list[Selection] = []
        for span in {tools.sites[site].controls for site, _ in selection} - {None}:
            own = {n for n, site in tools.sites.items() if site.controls == span}
            zero = [
                (n, choice)
                for n in own
                for choice in tools.choices[n]
                if tools.sites[n].alternatives[choice - 1].text in _NEVER
            ]
            whole = max(
                zero, key=lambda one: tools.sites[one[0]].end - tools.sites[one[0]].start, default=None
            )
            if whole is not None:
                found.append(tuple(sorted((*(one for one in selection if one[0] not in own), whole))))
        return found

    def _turns_off(self, tools: Harness, selection: Selection, probes: Sequence[One]) -> bool:
        """Whether nothing matters any more of the statements that one of the changes is a condition of."""
        assert self.asked is not None
        for site, _ in selection:
            start, end = tools.sites[site].controls or (0, 0)
            inside = [one for one in probes if start <= tools.sites[one[0]].start < end]
            inside = (inside or self._telling(tools, start, end))[:_PROBES]
            others = [tuple(sorted((*selection, one))) for one in inside]
            scores = self._run(tools, self.asked[0], others, 30) if others else []
            if scores and all(score.right for score in scores):
                return True
        return False

    def _telling(self, tools: Harness, start: int, end: int) -> list[One]:
        """Changes of a stretch of the text, of each place one, that make the results wrong in another way, or
        let the run end."""
        assert self.asked is not None
        question, base = self.asked
        ones = {one[0]: one for one in tools.singles() if start <= tools.sites[one[0]].start < end}
        chosen = list(ones.values())[:_PROBES]
        scores = self._run(tools, question, [(one,) for one in chosen], 30) if chosen else []
        return [
            one for one, s in zip(chosen, scores, strict=True) if s not in (base, NOT_RUN) and not s.right
        ]

    def _held_back(self, changes: Sequence[Change]) -> Change | None:
        """The first of those that were held back and passes the gate; there was time when it was found."""
        for change in sorted(changes, key=lambda c: c.cost)[:_CANDIDATES]:
            text = apply(self.text, change.edits)
            if text not in self.rejected and not overlap(change.edits):
                self.rejected.add(text)
                if self.accept(text):
                    return change
        return None

    def _first_accepted(self, tools: Harness, ranked: Sequence[Selection]) -> Change | None:
        checked = 0
        for selection in ranked:
            change = self._change(tools, selection)
            text = apply(self.text, change.edits)
            if text in self.rejected or overlap(change.edits):
                continue
            if checked == _CANDIDATES or (checked and self._late()):
                return None
            checked += 1
            if self.accept(text):
                return self._least(tools, selection, change)
            self.rejected.add(text)
        return None

    def _preferred(self, tools: Harness, ranked: list[Selection]) -> list[Selection]:
        """Those that are right at sizes beside those of the contract, too, where there are several: a size
        that happens to equal another one is told from it there."""
        beside = self.questions.neighbours if len(ranked) > 1 else []
        everything = ranked
        switched = [tools.switched(selection) for selection in ranked]
        for scores in run_in_all(tools.build, beside, switched, 30.0 * max(1, len(beside))):
            kept = {s for s, score in zip(everything, scores, strict=True) if score.right}
            ranked = [s for s in ranked if s in kept] or ranked
        return ranked

    def _least(self, tools: Harness, selection: Selection, change: Change) -> Change:
        """The change without the parts that it can do without; what was wrong in a trial is not asked."""
        for one in selection if len(selection) > 1 else ():
            fewer = tuple(other for other in selection if other != one)
            if not self.known.get(fewer, NOT_RUN).right and fewer in self.known:
                continue
            shorter = self._change(tools, fewer)
            with suppress(OutOfTime):
                if self.accept(apply(self.text, shorter.edits)):
                    return self._least(tools, fewer, shorter)
        return change

    def _change(self, tools: Harness, selection: Selection) -> Change:
        edits: list[Edit] = []
        titles: list[str] = []
        for number, choice in selection:
            site = tools.sites[number]
            edits += site.edits(choice)
            titles.append(site.alternatives[choice - 1].title)
        return Change(tuple(edits), tuple(titles), self._cost(tools, selection))

    # ------------------------------------------------------------------------------------ suspects

    def suspects(self) -> Iterator[tuple[Site, float]]:
        """Places where a change helps, those first where it helps most."""
        for number, helped in sorted(self.effects.items(), key=lambda pair: -pair[1]):
            yield self.sites[number], helped


def _varied(children: Sequence[State]) -> list[State]:
    """Those nearest to being right and the most plausible ones in turn, of those that change the same places
    the best of either."""
    kept: dict[Selection, State] = {}
    orders = (sorted(children, key=lambda s: s.rank), sorted(children, key=lambda s: (s.cost, s.rank)))
    seen: tuple[set[tuple[int, ...]], ...] = (set(), set())
    for pair in zip(*orders, strict=True):
        for state, places in zip(pair, seen, strict=True):
            here = tuple(site for site, _ in state.selection)
            if here not in places:
                places.add(here)
                kept.setdefault(state.selection, state)
    return list(kept.values())


def _has_more_right(score: Score, base: Score) -> bool:
    """Whether some elements are right that were not, however few: of two faults one may hide most."""
    return score.finished and base.finished and score.status <= base.status and score.wrong < base.wrong


def _is_nearer(score: Score, base: Score, share: float) -> bool:
    """Whether the results are nearer to what is right: the entry ends, or that part of the error is gone."""
    if score.status >= 2 or score == NOT_RUN:
        return False
    if base.status >= 2 or not base.finished:
        return score.finished
    if base.status and not score.status:
        return score.distance <= base.distance
    return score.status <= base.status and score.distance < (1 - share) * base.distance
