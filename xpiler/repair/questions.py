"""The runs that tell a right text from a wrong one: the contract's cases, and smaller ones as telling.

A case with small sizes is enough to sort out most changes; whatever passes it is tried on all others. What is
right within the bound that follows from the expected number alone is right; how far the source's own results
move, which takes runs of the source, is measured only for cases in which something is not.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from itertools import pairwise

from xpiler.gate.compare import agree
from xpiler.gate.contract import Case, Contract
from xpiler.gate.execute import BOTH_ENDS, Build, RunResult, Variant
from xpiler.gate.spreads import Spread, measure_spreads
from xpiler.gate.trials import Question, Score, Selection, rights_of, run_in_all, run_trials
from xpiler.gate.verify import SourceRuns

_QUICK = 0.002  # seconds: below that a run costs no more than its process
_FRACTIONS = (6, 2)
_START_SECONDS = 30.0
_ASKED = (1, 5, 13)  # so many of the quickest cases, before others
_MOST_BESIDE = 16
_TIMES = 6  # what a changed text may take of the time of the text as it is, with the start of its process


class Questions:
    """All cases in both variants, quickest first, but those with sizes of 1 last, the more of them the later,
    as one element tells little of what is wrong with it; and smaller ones where a run takes long."""

    def __init__(self, contract: Contract, source: Build, runs: SourceRuns, seconds: float) -> None:
        self.contract, self.source = contract, source
        self.seconds = seconds
        self._runs = {run.case: run for run in runs.forward}
        largest = _largest(self._runs)

        def order(case: Case) -> tuple[int, int, str]:
            return _degenerate(case, largest), _work(case), case.fill

        ordered = sorted(runs.forward, key=lambda run: order(run.case))
        self.all = [self._question(run, None, v) for run in ordered for v in BOTH_ENDS]

    def _question(self, run: RunResult, spread: Spread | None, variant: Variant) -> Question:
        return Question(run.case, variant, rights_of(self.contract, run, spread), self._limit(run.case))

    def measured(self, questions: Sequence[Question]) -> list[Question]:
        """The same with as much allowed as the source's own results move; those that had that stay."""
        runs = [self._runs[q.case] for q in questions]
        spreads = measure_spreads(self.contract, self.source, runs)
        return [
            self._question(run, spread, q.variant)
            for run, spread, q in zip(runs, spreads, questions, strict=True)
        ]

    def right_in(
        self, build: Build, questions: Sequence[Question], selections: Sequence[Selection], seconds: float
    ) -> list[bool]:
        """Of each form whether it is right in all of the cases, as far as the seconds suffice."""
        allowed = min(seconds, _START_SECONDS * max(1, len(questions)))
        found = run_in_all(build, questions, selections, allowed)
        return [
            all(
                score.right or (_is_doubtful(score) and self._wrong(build, selection, question) is None)
                for question, score in zip(questions, scores, strict=True)
            )
            for selection, scores in zip(selections, _by_selection(found, len(selections)), strict=True)
        ]

    def _limit(self, case: Case) -> int:
        """Milliseconds that a run may take: by the time of the first case and how much larger this is."""
        return int(min(5000, max(40, 12_000 * self.seconds) * _growth(self.contract.cases[0], case)))

    def failing(
        self, build: Build, state: Selection, first: Question | None = None
    ) -> tuple[Question, Score] | None:
        """The quickest case that the text fails with these changes, and how; `first` is tried before all."""
        asked = [*(() if first is None else (first,)), *self.all]
        for start, end in pairwise((0, *_ASKED, len(asked) + max(_ASKED))):
            some = asked[start:end]  # most that fail do so in the first, and where they do not, in small ones
            scores = run_in_all(build, some, [state], _START_SECONDS * max(1, len(some)))
            for question, (score,) in zip(some, scores, strict=True):
                if score.right:
                    continue
                if question is first or not _is_doubtful(score):
                    return question, score
                if (wrong := self._wrong(build, state, question)) is not None:
                    return wrong
        return None

    def _wrong(self, build: Build, state: Selection, question: Question) -> tuple[Question, Score] | None:
        """The case and how wrong the text is in it, by all that is allowed there; None if that is enough."""
        (question,) = self.measured([question])
        ((score,),) = run_in_all(build, [question], [state], _START_SECONDS)
        return None if score.right else (question, score)

    def smaller(self, build: Build, question: Question, score: Score) -> tuple[Question, Score]:
        """A case with smaller sizes that the text fails, too; the given one if there is none, or no need."""
        if self.seconds < _QUICK:
            return question, score
        for cases in (list(_reduced(question.case, fraction)) for fraction in _FRACTIONS):
            right = dict(self._right(cases))
            for number in sorted(right, key=lambda n: _work(cases[n])):
                found = self._asked(build, right[number], question.variant)
                if found is not None:
                    return found
        return question, score

    @cached_property
    def neighbours(self) -> list[Question]:
        """Cases in which one size of the first is one more or one less, as far as the source takes them in
        the arrays of that one."""
        case = self.all[0].case
        sizes = [(n, v) for n, v in case.scalars if isinstance(v, int) and not isinstance(v, bool)]
        beside = [(name, value + step) for name, value in sizes for step in (1, -1) if value + step > 0]
        if case.launch is not None:
            return []
        cases = [_with(case, {name: value}) for name, value in beside[:_MOST_BESIDE]]
        runs = [run for _, run in self._right(cases)]
        spreads = measure_spreads(self.contract, self.source, runs)
        return [self._question(*pair, BOTH_ENDS[0]) for pair in zip(runs, spreads, strict=True)]

    def _right(self, cases: list[Case]) -> Iterator[tuple[int, RunResult]]:
        """The cases that the source runs well, in both orders of threads."""
        results = self.source.run(cases, variants=BOTH_ENDS)
        for number in range(len(cases)):
            forward, reverse = results[2 * number : 2 * number + 2]
            if forward.ok and reverse.ok and agree(self.contract, self.source, forward, reverse).ok:
                yield number, forward

    def _asked(self, build: Build, run: RunResult, variant: Variant) -> tuple[Question, Score] | None:
        question = self._question(run, measure_spreads(self.contract, self.source, [run])[0], variant)
        start = time.monotonic()
        score = run_trials(build, question, [()], _START_SECONDS)[0]
        if score.right:
            return None
        took = int(1000 * (time.monotonic() - start)) if score.finished else question.milliseconds
        return replace(question, milliseconds=min(question.milliseconds, max(40, _TIMES * took))), score


def _work(case: Case) -> int:
    work = 1
    for _, value in case.scalars:
        if isinstance(value, int) and not isinstance(value, bool) and value > 1:
            work *= value
    return work


def _by_selection(scores: Sequence[Sequence[Score]], count: int) -> list[list[Score]]:
    """Lists of scores a case as lists of scores a form."""
    return [[of_case[i] for of_case in scores] for i in range(count)]


def _is_doubtful(score: Score) -> bool:
    """Whether it ended well with elements that are wrong unless more is allowed."""
    return score.status == 0 and score.wrong > 0


def _largest(cases: Iterable[Case]) -> dict[str, int]:
    """The largest value of each size."""
    found: dict[str, int] = {}
    for name, value in (pair for case in cases for pair in case.scalars):
        if isinstance(value, int) and not isinstance(value, bool):
            found[name] = max(found.get(name, value), value)
    return found


def _degenerate(case: Case, largest: dict[str, int]) -> int:
    """How many sizes are 1 that are more in other cases."""
    return sum(value == 1 and largest.get(name, 1) > 1 for name, value in case.scalars)


def _growth(first: Case, case: Case) -> float:
    """How many times the work of the first case another one may be: any of its sizes may be a grid's."""
    sizes = dict(first.scalars)
    ratios = [
        value / sizes[name]
        for name, value in case.scalars
        if isinstance(value, int) and isinstance(sizes.get(name), int) and sizes[name] > 0
    ]
    return max(1.0, _work(case) / _work(first), *ratios)


def _reduced(case: Case, fraction: int) -> Iterator[Case]:
    """All sizes smaller, and each of the large ones alone."""
    sizes = {n: v for n, v in case.scalars if isinstance(v, int) and not isinstance(v, bool) and v > 6}
    if not sizes or case.launch is not None:
        return
    smaller = {
        name: max(3, value // fraction) + number % 3 for number, (name, value) in enumerate(sizes.items())
    }
    yield _with(case, smaller)
    for name in sorted(sizes, key=lambda n: -sizes[n])[:4]:
        yield _with(case, {name: smaller[name]})


def _with(case: Case, sizes: dict[str, int]) -> Case:
    return replace(case, scalars=tuple((n, sizes.get(n, v)) for n, v in case.scalars))
