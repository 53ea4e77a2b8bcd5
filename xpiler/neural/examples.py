"""What a prompt shows beside the pass: entries of the manual, worked programs, what the gate found wrong."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from rank_bm25 import BM25Okapi

from xpiler.errors import Refusal
from xpiler.files import data_folder
from xpiler.frontend import parse
from xpiler.neural.annotate import entries_for, notes_of
from xpiler.neural.manual import Entry
from xpiler.neural.prompt import Example
from xpiler.neural.search import tokens
from xpiler.passes.canonical import canonicalise
from xpiler.platforms.registry import PLATFORMS, platform_of
from xpiler.translate import Result

_NOTES = 12


def about(text: str, file: str, target: str) -> tuple[tuple[Entry, ...], tuple[str, ...]]:
    """The manual's entries that a program's computations call for, and the annotations of its loops.

    Nothing where the program has no serial form: the prompt then shows the general entries' place empty.
    """
    entries: dict[str, Entry] = {}
    notes: list[str] = []
    try:
        unit = parse(text, file, platform=platform_of(file, text))
    except Refusal:
        return (), ()
    for kernel in unit.program.kernels:
        try:
            serial = canonicalise(kernel, kernel.block_size, kernel.grid_size).function
        except Refusal:
            continue
        entries.update({entry.title: entry for entry in entries_for(serial, target)})
        notes += notes_of(serial, target)
    return tuple(entries.values()), tuple(dict.fromkeys(notes))[:_NOTES]


def examples_for(platform: str, program: str, count: int, names: tuple[str, ...]) -> tuple[Example, ...]:
    """Programs of a platform that are most like this one, without any that has an entry of its names: an
    example that is the answer teaches nothing."""
    if count == 0:
        return ()
    titles, texts, ranking = _library(platform)
    scores = ranking.get_scores(tokens(program))
    order = sorted(range(len(texts)), key=lambda i: -scores[i])
    fitting = (i for i in order if not any(f"{name}(" in texts[i] for name in names))
    return tuple(Example(titles[i], texts[i]) for i, _ in zip(fitting, range(count), strict=False))


def findings_of(result: Result) -> Iterator[str]:
    """Where a program is wrong, one line each: what a model is told."""
    for rung in result.evidence:
        for finding in rung.findings:
            place = f"line {finding.range.line}: " if finding.range else ""
            yield f"{place}{finding.message}"


@cache
def _library(platform: str) -> tuple[list[str], list[str], BM25Okapi]:
    folder = data_folder("snippets") / platform
    files = sorted(folder.glob(f"*{PLATFORMS[platform].extension}"))
    texts = [file.read_text(encoding="utf-8") for file in files]
    return [file.stem for file in files], texts, BM25Okapi([tokens(text) for text in texts])
