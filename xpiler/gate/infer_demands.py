"""What instructions demand of sizes beyond what any access shows: an emulator tells where the program runs.

    __bang_reshape_filter(lanes, rows, n, 1, 1, k)     k = 9: no multiple of 32, k = 64: right

Sizes that meet the demands are taken where there are some; else it is the program that is wrong.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

from xpiler.gate.execute import Build
from xpiler.gate.infer_arguments import provisional_contract
from xpiler.gate.violations import violations

if TYPE_CHECKING:
    from xpiler.gate.infer_search import Question, Trial

_DEMANDS = frozenset({"bang-size", "bang-alignment"})
_PATIENCE = 24  # sizes at which the demands are not met, after which it is the program that is wrong


class Demands:
    """Runs the source at sizes that are right but for what its instructions may demand."""

    def __init__(self, question: Question) -> None:
        self._question = question
        self._unmet: list[str] = []

    @property
    def hopeless(self) -> bool:
        return len(self._unmet) >= _PATIENCE

    @property
    def notes(self) -> tuple[str, ...]:
        """What was learnt, for the record."""
        return (f"sizes that its instructions take: {self._unmet[0]}",) if self._unmet else ()

    def held(self, trial: Trial) -> Trial:
        """The trial, with a fault where an instruction demands other sizes."""
        if self._question.unit.platform != "bang" or trial.findings or trial.fault or self.hopeless:
            return trial
        build = self._build
        if not build.ok or not trial.case.extents:
            return trial
        (result,) = build.run([trial.case])
        if not result.faults or result.faults[0].name not in _DEMANDS:
            return trial
        shown = next((d.message for d in violations(build, result)), result.describe())
        self._unmet.append(shown)
        return replace(trial, fault=shown, unmet=True)

    @cached_property
    def _build(self) -> Build:
        return self._question.builder(provisional_contract(self._question.unit, self._question.entry))
