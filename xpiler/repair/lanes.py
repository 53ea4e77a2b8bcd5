"""What an intrinsic does with lanes: for which of them, what the others hold, and what is missing around it.

_mm512_sub_ps(x, mean)             -->    _mm512_maskz_sub_ps(m, x, mean)
_mm512_maskz_loadu_ps(m, p)        -->    _mm512_mask_loadu_ps(_mm512_set1_ps(-INFINITY), m, p)
_mm512_loadu_ps(p)                 -->    _mm512_abs_ps(_mm512_loadu_ps(p)), where the source calls fabsf
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from xpiler.repair.scope import MASK, VECTOR
from xpiler.repair.vocabulary import Vocabulary
from xpiler.repair.walk import Place, Walker

_MOST_FILLS = 4
_OF_ONE = {"fabsf": "abs", "fabs": "abs", "abs": "abs", "sqrtf": "sqrt"}  # functions of one operand

_ALL_LANES = re.compile(r"(_mm\d*)_((?!mask|set|cast|reduce|cmp|test|undefined)\w+)")
_FILL = re.compile(r"_mm\d*_set1_p[sd]\(\s*-?[\w.]+\s*\)")


def of_lanes(
    walker: Walker, vocabulary: Vocabulary, place: Place, name: str, given: list[str]
) -> Iterator[tuple[str, float, str]]:
    """Other forms of a call of an intrinsic, each with its cost and kind."""
    masks = [n.name for n in place.scope.of_kind(MASK)]
    fills = dict.fromkeys(_FILL.findall(walker.text[slice(*place.function.definition.span)]))
    vectors = [n.name for n in place.scope.of_kind(VECTOR)]
    yield from _masked(name, given, masks, vocabulary)
    yield from _kept_lanes(name, given, vectors, list(fills)[:_MOST_FILLS])


def of_one_operand(walker: Walker, vocabulary: Vocabulary, place: Place, written: str) -> Iterator[str]:
    """A vector of floats handed to a function that the source calls."""
    name = place.scope.names.get(written)
    if name is not None:
        width = {"__m512": "_mm512", "__m256": "_mm256"}.get(re.sub(r"\bconst\b|\s", "", name.type), "")
    else:
        call = re.match(r"(_mm\d*)_\w+_ps\(", written)
        width = call[1] if call is not None else ""
    for function, stem in _OF_ONE.items():
        intrinsic = f"{width}_{stem}_ps"
        if function in vocabulary.called and intrinsic in vocabulary.known:
            yield f"{intrinsic}({written})"


def _masked(
    name: str, given: list[str], masks: list[str], vocabulary: Vocabulary
) -> Iterator[tuple[str, float, str]]:
    """For some lanes only: others are zero, or not stored."""
    match = _ALL_LANES.fullmatch(name)
    if match is None:
        return
    moves = re.match(r"(?:load|store)u?_", match[2]) is not None
    for mask in masks:
        if match[2].startswith("store"):
            yield f"{match[1]}_mask_{match[2]}({', '.join((given[0], mask, *given[1:]))})", 1.2, "mask"
        elif moves or f"{match[1]}_maskz_{match[2]}" in vocabulary.known:
            cost = 1.2 if moves else 1.5
            yield f"{match[1]}_maskz_{match[2]}({', '.join((mask, *given))})", cost, "mask"


_SOME_LANES = re.compile(r"(_mm\d*)_(maskz?)_(?!(?:\w+_)?store|cmp|reduce|test)(\w+)")
_THREE = re.compile(r"fn?m(?:add|sub|addsub|subadd)_")  # their first operand is what lanes keep
_MOST_KEPT = 6


def _kept_lanes(
    name: str, given: list[str], vectors: list[str], fills: list[str]
) -> Iterator[tuple[str, float, str]]:
    """What lanes hold that a mask leaves out: zeros, or what they had; or without a mask."""
    match = _SOME_LANES.fullmatch(name)
    if match is None or len(given) < 2:
        return
    width, form, rest = match.groups()
    if form == "mask":
        operands = [given[0], *given[2:]] if _THREE.match(rest) else given[2:]
        yield f"{width}_maskz_{rest}({', '.join((given[1], *operands))})", 1.3, "kept lanes"
        yield f"{width}_{rest}({', '.join(operands)})", 1.5, "mask"
        return
    mask, *operands = given
    if _THREE.match(rest):
        yield f"{width}_mask_{rest}({', '.join((operands[0], mask, *operands[1:]))})", 1.3, "kept lanes"
    else:
        for fill in fills if rest.startswith("load") and rest.endswith(("ps", "pd")) else ():
            yield f"{width}_mask_{rest}({', '.join((fill, mask, *operands))})", 1.4, "kept lanes"
        used = [word for word in operands if word in vectors]
        for number, kept in enumerate(dict.fromkeys((*used, *reversed(vectors)))):
            if number < _MOST_KEPT:
                cost = 1.3 if kept in used else 1.5
                yield f"{width}_mask_{rest}({', '.join((kept, mask, *operands))})", cost, "kept lanes"
    yield f"{width}_{rest}({', '.join(operands)})", 1.5, "mask"
