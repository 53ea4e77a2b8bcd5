"""Meta-prompts: the files of `prompts/`, filled with a program, the manual's entries and worked examples."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from xpiler.neural.manual import Entry
from xpiler.neural.reply import language_of
from xpiler.platforms.registry import PLATFORMS

FOLDER = Path(__file__).parent / "prompts"
PASSES = (
    "loop_recovery", "loop_bind", "loop_split", "loop_fuse", "loop_reorder", "loop_expansion",
    "loop_contraction", "cache", "pipeline", "tensorize", "detensorize",
)  # fmt: skip
"""The eleven passes; each has a file of its name."""


@dataclass(frozen=True)
class Example:
    """A worked program that a prompt shows."""

    title: str
    text: str


@dataclass(frozen=True)
class Question:
    """What a model is asked: a pass (or `direct`, the whole translation at once) of a program.

    `platform` is the program's, `target` that of the answer; `entries` are names that have to stay.
    """

    kind: str
    program: str
    platform: str
    target: str
    entries: tuple[str, ...]
    manual: tuple[Entry, ...] = ()
    examples: tuple[Example, ...] = ()
    annotations: tuple[str, ...] = ()

    def messages(self) -> list[Mapping[str, str]]:
        """The conversation that asks it."""
        return [
            {"role": "system", "content": _render("system")},
            {"role": "user", "content": self.text()},
        ]

    def text(self) -> str:
        return _render(
            self.kind,
            program=self.program,
            fence=_fence(self.program),
            target=PLATFORMS[self.target],
            language=language_of(self.target),
            source_language=language_of(self.platform),
            entries=self.entries,
            manual=self.manual,
            examples=self.examples,
            annotations=self.annotations,
        )


def feedback(reason: str, places: Iterable[str] = ()) -> Mapping[str, str]:
    """What a model is told of a sketch that does not hold."""
    return {"role": "user", "content": _render("feedback", reason=reason, places=tuple(places))}


def _fence(program: str) -> str:
    """A fence that nothing in the program can close."""
    return "`" * max(3, 1 + max((len(run) for run in re.findall(r"`+", program)), default=0))


def _render(name: str, **values: object) -> str:
    return _environment().get_template(f"{name}.md").render(**values).strip() + "\n"


@cache
def _environment() -> Environment:
    # Prompts are plain text for a model: nothing is escaped.
    return Environment(
        loader=FileSystemLoader(FOLDER),
        undefined=StrictUndefined,
        autoescape=False,
        trim_blocks=True,
        lstrip_blocks=True,
    )
