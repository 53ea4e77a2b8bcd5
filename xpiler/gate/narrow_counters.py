"""Sizes that whole numbers of few bits in a text do not reach.

for (short c = 0; c < cols; ++c)                 -->  runs with cols = 36867, where a short never gets to
y[base + column]   of   uint8_t column           -->  runs with sizes of 291
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from xpiler.frontend.syntax import SyntaxUnit
from xpiler.gate.thresholds import Scalars, Turn

_DECLARED = re.compile(
    r"\b(?:(?P<unsigned>unsigned\s+|u)?(?P<type>short|char|int8_t|int16_t)|signed\s+char)(?:\s+int)?\s+"
    r"(?P<name>[A-Za-z_]\w*)\s*(?![\w\s]*[\[(*])"
)


def narrow_counters(unit: SyntaxUnit, base: Scalars) -> Iterator[Turn]:
    """Each size of the entry beyond the numbers that counters, indices and parameters of functions hold."""
    functions = (*unit.kernels, *unit.device_functions, *unit.host_functions)
    limits = {limit for function in functions for limit in _limits(unit.text_of(function.node))}
    for limit in sorted(limits):
        for name, value in base.items():
            if isinstance(value, int) and not isinstance(value, bool) and value > 0:
                yield Turn(((name, limit + limit // 8 + 3),))


def _limits(text: str) -> Iterator[int]:
    for declared in _DECLARED.finditer(text):
        name = declared["name"]
        counts = rf"\[[^][;=]*\b{name}\b|\b{name}\s*(?:[<>]|\+\+|\+=)|(?:[<>]=?|\+\+)\s*{name}\b"
        if re.search(counts, text[declared.end() :]):
            bits = 8 if re.search("char|8", declared[0]) else 16
            yield 1 << (bits if declared["unsigned"] else bits - 1)
