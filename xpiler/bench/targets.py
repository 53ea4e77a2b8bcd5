"""Right translations of the operators, made once and kept by the content of the snippet."""

from __future__ import annotations

from pathlib import Path

from xpiler.bench.operators import Operator, snippet, snippets_folder
from xpiler.bench.processes import translator_version
from xpiler.files import read_source
from xpiler.gate import cache
from xpiler.gate.overrides import Overrides
from xpiler.platforms.registry import PLATFORMS
from xpiler.translate import translate_text

STATED = 2  # shapes that a translation, its verification and its repair are told


def stated(operator: Operator) -> Overrides:
    """What is stated about an operator: the sizes of two shapes, all of whose extents differ."""
    return operator.overrides(operator.shapes[:STATED])


def target_file(operator: Operator, source: str, target: str) -> str:
    return str(snippet(operator.name, source).with_suffix(PLATFORMS[target].extension))


def right_target(operator: Operator, source: str, target: str) -> str | None:
    """The verified translation of the operator's snippet; None where there is none."""
    path = snippet(operator.name, source)
    text = read_source(path)
    table = (snippets_folder() / "operators.toml").read_bytes()

    def make(kept: Path) -> bool:
        result = translate_text(text, str(path), target, stated(operator))
        if result.status != "verified" or result.text is None:
            return False
        kept.write_text(result.text, encoding="utf-8", errors="surrogateescape")
        return True

    name = cache.key(operator.name, source, target, text, table, translator_version())
    kept = cache.fetch("translations", name, make)
    return read_source(kept) if kept is not None else None
