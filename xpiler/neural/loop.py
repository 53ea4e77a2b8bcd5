"""The loop: a model sketches a pass, the gate decides, the solver repairs, the engine is the net.

    for each pass:  sketch -> parse -> gate -> localize -> repair -> gate
                              `- fails: the counterexample goes back to the model, a bounded number of times
                              `- still fails: the program stays as it was, or the engine's own takes its place

A sketch counts only by what the gate finds, compared with the source program itself, never with the step
before. Whatever the model does, the result is one that the gate has seen, or it is called unverified.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import PurePath

from xpiler.errors import Refusal
from xpiler.events import Event
from xpiler.gate.entries import entries_of
from xpiler.gate.evidence import Evidence, Rung
from xpiler.gate.overrides import Overrides
from xpiler.neural.client import Client, ModelError
from xpiler.neural.examples import about, examples_for, findings_of
from xpiler.neural.prompt import Question, feedback
from xpiler.neural.reply import Unusable, program_in
from xpiler.neural.settings import Model
from xpiler.neural.steps import SERIAL, Step, steps_between
from xpiler.platforms.registry import PLATFORMS, platform_of
from xpiler.repair.engine import mend
from xpiler.repair.result import REPAIRED, Repair
from xpiler.translate import Progress, Result, Trusted, translate_text

Repairer = Callable[[Trusted, str, str, str, Result], Repair]
"""Mends a sketch: the source as it was run and its text, the sketch, its file, and what is wrong with it."""


@dataclass(frozen=True)
class Strategy:
    """How much help a model gets. The defaults are the product's; the ablation takes parts away.

    `by_passes`: pass by pass, else all at once; `shown`: worked examples in a prompt; `rounds`: how often a
    counterexample goes back; `repairs`: the solver mends sketches; `net`: the engine's own where all fails.
    """

    by_passes: bool = True
    shown: int = 2
    rounds: int = 2
    repairs: bool = True
    net: bool = True


@dataclass
class _Program:
    """Where a translation has come to: a text that was verified, and its file's name. `whole`: the model
    wrote it in the last of the passes, so that none is missing."""

    text: str
    file: str
    platform: str
    result: Result | None = None
    whole: bool = False


@dataclass(frozen=True)
class Translation:
    """A result with its events. `sketched`: the text is, in its last pass, the model's."""

    result: Result
    sketched: bool
    tokens: int
    requests: int

    @property
    def events(self) -> tuple[Event, ...]:
        return self.result.events


def translate_with_model(
    text: str,
    file: str,
    to: str,
    model: Model,
    overrides: Overrides | None = None,
    *,
    strategy: Strategy | None = None,
    repairer: Repairer = mend,
    progress: Progress = lambda step: None,
    on_event: Callable[[Event], None] = lambda event: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> Translation:
    """Translates with sketches of a model. Raises Refusal as `translate_text` does, and Cancelled."""
    trusted = Trusted.of(text, file, overrides, progress)
    client = Client(model, cancelled)
    run = _Run(
        trusted,
        text,
        file,
        to,
        client,
        strategy or Strategy(rounds=model.rounds),
        repairer,
        progress,
        on_event,
    )
    try:
        run.go(overrides)
    finally:
        client.close()
    assert run.outcome is not None
    told = (run.told(),) if run.sketched else ()
    result = replace(run.outcome, evidence=(*run.outcome.evidence, *told), events=tuple(run.events))
    return Translation(result, run.sketched, client.spent.tokens, client.spent.requests)


class _Run:
    """One translation under way."""

    def __init__(
        self,
        trusted: Trusted,
        source: str,
        file: str,
        to: str,
        client: Client,
        strategy: Strategy,
        repairer: Repairer,
        progress: Progress,
        on_event: Callable[[Event], None],
    ) -> None:
        self.trusted, self.source, self.file = trusted, source, file
        self.to, self.client, self.strategy = to, client, strategy
        self.repairer, self.progress, self.on_event = repairer, progress, on_event
        self.names = tuple(e.name for e in entries_of(trusted.unit, None) if e.kind != "main")
        self.events: list[Event] = []
        self.outcome: Result | None = None
        self.sketched = False
        self.wrong: Result | None = None  # the last sketch that did not hold

    def tell(self, step: str, what: str, detail: str = "") -> None:
        event = Event(step, what, detail)
        self.events.append(event)
        self.on_event(event)

    def told(self) -> Rung:
        """How the text came about, as a line of the evidence. Nothing is proved by it."""
        accepted = [e.step for e in self.events if e.what == "accepted"]
        mended = sum(e.what == "repaired" for e in self.events)
        detail = f"sketched by {self.client.model.name}: {', '.join(accepted)}" + (
            f"; {mended} repaired" if mended else ""
        )
        return Rung("parsed", True, "model", detail, self.client.spent.seconds)

    def go(self, overrides: Overrides | None) -> None:
        program = _Program(self.source, self.file, self.trusted.platform)
        done = self._by_passes(program) if self.strategy.by_passes else self._at_once(program)
        sketch = done.result if done.platform == self.to and done.result else None
        if not self.strategy.net:
            self.outcome, self.sketched = self._without_net(sketch if done.whole else None), True
            return
        self.progress(f"writing {self.to} by the engine")
        try:
            own: Result | None = translate_text(self.source, self.file, self.to, overrides)
        except Refusal:
            if sketch is None:
                raise
            own = None
        self._choose(sketch if done.whole or own is None else None, own)

    def _without_net(self, sketch: Result | None) -> Result:
        if sketch is not None:
            return sketch
        if self.wrong is not None:
            return self.wrong
        trouble = next((e for e in reversed(self.events) if e.what in ("failed", "skipped")), None)
        why = f": {trouble.step.replace('_', ' ')}: {trouble.detail}" if trouble is not None else ""
        rung = Rung("parsed", False, "model", f"no sketch could be used{why}", 0.0)
        return Result("unverified", evidence=(rung,))

    def _choose(self, sketch: Result | None, own: Result | None) -> None:
        """Of two verified programs the faster one, where that can be measured."""
        if sketch is None or (own is not None and own.status == "verified" and self._slower(sketch, own)):
            assert own is not None
            self.outcome = own
            if sketch is None:
                self.tell("result", "net", "no sketch held to the end: the engine's own translation")
            return
        self.outcome, self.sketched = sketch, True
        self.tell("result", "chosen", "the sketch")

    def _slower(self, sketch: Result, own: Result) -> bool:
        if PLATFORMS[self.to].emulated:  # an emulator's time says nothing of the device's
            return False
        file = str(PurePath(self.file).with_suffix(PLATFORMS[self.to].extension))
        found = [self.trusted.run_time(r.text or "", file) for r in (sketch, own)]
        times = [min(samples, default=math.inf) for samples in found]
        if times[1] < times[0] * 0.95:
            ratio = times[0] / times[1]
            self.tell("result", "chosen", f"the engine's own: {ratio:.1f} times as fast as the sketch")
            return True
        return False

    # ------------------------------------------------------------------------------------------ the passes

    def _by_passes(self, program: _Program) -> _Program:
        for step in steps_between(program.platform, self.to):
            if self.client.exhausted():
                self.tell(step.kind, "skipped", self.client.exhausted())
                continue
            after = self._pass(step, program)
            if after is None and step.platform != program.platform and self.strategy.net:
                after = self._engines(step, program)
            if after is None and (step.platform != program.platform or not self.strategy.net):
                break  # the passes that follow need its language, or nothing stands in for it
            program = replace(after or program, whole=after is not None)
        return program

    def _at_once(self, program: _Program) -> _Program:
        after = self._pass(Step("direct", self.to), program)
        return replace(after, whole=True) if after else program

    def _pass(self, step: Step, program: _Program) -> _Program | None:
        """The program after one pass, verified; None if no sketch held."""
        self.progress(f"{step.kind.replace('_', ' ')}: asking {self.client.model.name}")
        asked = self._question(step, program)
        messages = asked.messages()
        file = step.file(self.file)
        for _ in range(self.strategy.rounds + 1):
            try:
                reply = self.client.ask(messages)
            except ModelError as error:
                self.tell(step.kind, "skipped", str(error))
                return None
            self.tell(step.kind, "cached" if reply.cached else "sketched", f"{reply.received} tokens")
            try:
                sketch = program_in(reply.text, self.names, program.text)
                result, why, places = self._judged(step, sketch, file)
            except Unusable as unusable:
                result, why, places = None, str(unusable), ()
            if result is not None:
                self.tell(step.kind, "accepted")
                return _Program(result.text or "", file, step.platform, result)
            self.tell(step.kind, "failed", why)
            messages = [*messages, {"role": "assistant", "content": reply.text}, feedback(why, places)]
        return None

    def _judged(self, step: Step, sketch: str, file: str) -> tuple[Result | None, str, tuple[str, ...]]:
        """The verified result of a sketch, repaired if need be; else why it does not hold, and where."""
        self.progress(f"{step.kind.replace('_', ' ')}: checking the sketch")
        try:
            if platform_of(file, sketch) != step.platform:
                raise Unusable(f"the program is not {PLATFORMS[step.platform].title}")
            result = self.trusted.verify(sketch, file)
        except Refusal as refusal:
            return None, str(refusal.diagnostic.message), ()
        if result.status == "verified":
            return result, "", ()
        self.wrong = result if step.platform == self.to else self.wrong
        why = Evidence(result.evidence).why_unverified()
        places = tuple(findings_of(result))
        if self.strategy.repairs:
            self.progress(f"{step.kind.replace('_', ' ')}: repairing the sketch")
            try:
                repair = self.repairer(self.trusted, self.source, sketch, file, result)
            except Refusal:  # nothing of the source could be run to compare a repair with
                return None, why, places
            places += tuple(f"line {found.range.line}: {found.message}" for found in repair.localized)
            if repair.status == REPAIRED and repair.text is not None:
                again = self.trusted.verify(repair.text, file)
                if again.status == "verified":
                    self.tell(step.kind, "repaired", "; ".join(places[-len(repair.localized) :]))
                    return again, "", ()
        return None, why, places

    def _engines(self, step: Step, program: _Program) -> _Program | None:
        """What the engine itself makes of a step whose sketches all failed: the net, where it has one."""
        if step.platform != SERIAL or program.platform == SERIAL:
            return None
        file = step.file(self.file)
        try:
            own = translate_text(program.text, program.file, SERIAL)
        except Refusal:
            return None
        if own.status != "verified" or own.text is None:
            return None
        self.tell(step.kind, "net", "the engine's own serial program")
        return _Program(own.text, file, SERIAL, own)

    def _question(self, step: Step, program: _Program) -> Question:
        manual, annotations = (
            about(program.text, program.file, step.platform) if step.kind != "direct" else ((), ())
        )
        return Question(
            step.kind,
            program.text,
            program.platform,
            step.platform,
            self.names,
            manual,
            examples_for(step.platform, program.text, self.strategy.shown, self.names),
            annotations,
        )
