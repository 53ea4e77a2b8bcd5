"""Sketches as a model would write them: right translations with faults at a given rate.

The stand-in for a model reads a prompt as any model does: the pass from its title, the platform, the program.
What it answers is the engine's own translation of the operator's snippet, with faults of the classes of
`faults/`: so sketches are wrong as often, and in the ways, that the caller wants. Told what is wrong, it
repeats the same wrong sketch with probability `SURVIVES`.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass

from xpiler.bench.faults.model import CLASSES
from xpiler.bench.operators import Operator, snippet
from xpiler.bench.repair_case import faulty_text
from xpiler.bench.stand_in import Answer, Messages
from xpiler.bench.targets import right_target, target_file
from xpiler.files import read_source
from xpiler.platforms.registry import PLATFORMS

SURVIVES = 0.8
"""How likely a fault is to be there again after a round of feedback: an assumption, stated with the
results."""

_TITLE = re.compile(r"^# (.+)$", re.M)
_DRAWS = 12  # classes tried until one has a place in the text


@dataclass
class Sketcher:
    """Answers the prompts of one translation. `rate`: the share of sketches with a fault."""

    operator: Operator
    source: str
    target: str
    rate: float
    seed: int

    def __call__(self, messages: Messages) -> Answer:
        prompt = messages[1]["content"]
        platform = self._platform(prompt)
        text = self._right(platform)
        if text is None:
            return Answer("There is no such program.")
        title = _TITLE.search(prompt)
        kind = title[1] if title else ""
        rounds = sum(m["role"] == "assistant" for m in messages)
        sketch = self._faulty(text, platform, kind) if self._is_wrong(kind, rounds) else text
        return Answer(f"Here is the program.\n\n```{platform}\n{sketch}\n```\n")

    def _platform(self, prompt: str) -> str:
        for name, platform in PLATFORMS.items():
            if f"One fenced block of {platform.title} " in prompt:
                return name
        raise ValueError("the prompt names no platform")

    def _right(self, platform: str) -> str | None:
        if platform == self.source:
            return read_source(snippet(self.operator.name, self.source))
        return right_target(self.operator, self.source, platform)

    def _random(self, *what: object) -> random.Random:
        return random.Random(repr((self.seed, self.operator.name, self.source, self.target, *what)))

    def _is_wrong(self, kind: str, rounds: int) -> bool:
        if self._random(kind).random() >= self.rate:
            return False
        return all(self._random(kind, k).random() < SURVIVES for k in range(1, rounds + 1))

    def _faulty(self, text: str, platform: str, kind: str) -> str:
        path = snippet(self.operator.name, self.source)
        file = target_file(self.operator, self.source, platform)
        draws = self._random(kind, "fault")
        for _ in range(_DRAWS):
            code = draws.choice(sorted(CLASSES))
            made = faulty_text(
                self.operator,
                read_source(path),
                str(path),
                self.source,
                text,
                file,
                platform,
                [code],
                draws.randrange(1 << 30),
            )
            if made is not None:
                return made.text
        return text


def rate_of_a_sketch(wrong: float, steps: int) -> float:
    """The share of wrong sketches at which the share `wrong` of translations of so many steps has one."""
    return 1.0 - float((1 - wrong) ** (1 / steps))
