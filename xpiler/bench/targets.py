"""Right translations of the operators, made once and kept by the content of the snippet."""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import combinations
from math import gcd, log2
from pathlib import Path

from xpiler.bench.operators import Operator, Shape, snippet, snippets_folder
from xpiler.bench.processes import translator_version
from xpiler.files import read_source
from xpiler.gate import cache
from xpiler.gate.overrides import Overrides
from xpiler.platforms.registry import PLATFORMS
from xpiler.translate import translate_text, verify_text

_TILE = 16  # of which sizes may happen to be multiples
_STATED = (2, 4, 8)  # shapes that a translation, its verification and its repair are told, if so many suffice


@dataclass(frozen=True)
class Right:
    """A verified translation, and how many of the operator's shapes were stated to verify it: two, unless
    only others launch all of its kernels."""

    text: str
    shapes: int

    def stated(self, operator: Operator) -> Overrides:
        return stated(operator, self.shapes)


def stated(operator: Operator, shapes: int = _STATED[0]) -> Overrides:
    """What is stated about an operator: the sizes of its most telling shapes, all of whose extents differ."""
    return operator.overrides(telling(operator)[:shapes])


def telling(operator: Operator) -> tuple[Shape, ...]:
    """The shapes, first the two that together tell most sizes from one another, and have the largest of each
    and few that happen to be multiples, as far as two can: what comes after a whole tile or an unrolled loop
    happens at large sizes only, what is left over at others than multiples."""
    names = [name for name, _ in operator.shapes[0].sizes]
    largest = {name: max(shape.size(name) for shape in operator.shapes) for name in names}

    def reached(pair: tuple[Shape, ...]) -> tuple[int, float]:
        told = sum(any(s.size(a) != s.size(b) for s in pair) for a, b in combinations(names, 2))
        large = sum(max(s.size(n) for s in pair) / max(1, most) for n, most in largest.items())
        even = sum(log2(gcd(_TILE, *(shape.size(name) for shape in pair))) for name in names)
        return told, large - even / log2(_TILE)

    first = max(combinations(operator.shapes, 2), key=reached, default=operator.shapes)
    return (*first, *(shape for shape in operator.shapes if shape not in first))


def target_file(operator: Operator, source: str, target: str) -> str:
    return str(snippet(operator.name, source).with_suffix(PLATFORMS[target].extension))


def right_target(operator: Operator, source: str, target: str) -> str | None:
    """The text of the verified translation; None where there is none."""
    found = verified(operator, source, target)
    return found.text if found is not None else None


def written_by_hand(operator: Operator, source: str, target: str) -> Right | None:
    """The target platform's own snippet of the operator, where that is verified against the source's."""
    path, other = snippet(operator.name, source), snippet(operator.name, target)
    text, right = read_source(path), read_source(other)

    def make(kept: Path) -> bool:
        result = verify_text(text, str(path), right, str(other), stated(operator))
        kept.write_text(result.status, encoding="utf-8")
        return True

    table = (snippets_folder() / "operators.toml").read_bytes()
    name = cache.key("by hand", operator.name, source, target, text, right, table, translator_version())
    kept = cache.fetch("translations", name, make)
    is_right = kept is not None and kept.read_text(encoding="utf-8") == "verified"
    return Right(right, _STATED[0]) if is_right else None


def verified(operator: Operator, source: str, target: str) -> Right | None:
    """The verified translation of the operator's snippet, with what was stated; None where there is none."""
    path = snippet(operator.name, source)
    text = read_source(path)
    table = (snippets_folder() / "operators.toml").read_bytes()

    def make(kept: Path) -> bool:
        for shapes in _STATED:
            result = translate_text(text, str(path), target, stated(operator, shapes))
            if result.status == "verified" and result.text is not None:
                kept.write_text(json.dumps({"text": result.text, "shapes": shapes}), encoding="utf-8")
                return True
        return False

    name = cache.key(operator.name, source, target, text, table, translator_version())
    kept = cache.fetch("translations", name, make)
    return Right(**json.loads(kept.read_text(encoding="utf-8"))) if kept is not None else None
