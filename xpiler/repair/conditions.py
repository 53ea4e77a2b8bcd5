"""What could stand in a condition's place.

if (true) y[i] = x[i];    -->    if (i < n), if (i < rows * cols), ...
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from xpiler.repair.offer import Offer
from xpiler.repair.scope import ARRAY, INT, POINTER
from xpiler.repair.vocabulary import Vocabulary
from xpiler.repair.walk import Place, Walker

COMPARISONS = ("<", "<=", ">", ">=", "==", "!=")
ALWAYS = ("true", "1", "(true)")


def conditions(walker: Walker, vocabulary: Vocabulary, place: Place, offer: Offer) -> None:
    """Offers other conditions: the opposite, always, never, and with a guard that may be missing."""
    written = walker.text[place.start : place.end]
    operator = walker.operator(place.node) if place.node.type == "binary_expression" else ""
    offer.kind = "condition"
    if place.root and written in ALWAYS:
        for text in _extrema(walker, place):
            offer(text, 0.9)
        for number, text in enumerate(_tests(walker, vocabulary, place)):
            offer(text, 1.5 + 0.01 * number)
    elif place.root:
        negated = written[1:] if re.fullmatch(r"!\w+(?:\([^()]*\))?", written) else f"!({written})"
        offer(negated, 1.9)
        if not place.loops or place.loops[-1].child_by_field_name("condition") != place.node:
            offer("true", 2.2)
            offer("false", 2.4)
        if operator in (*COMPARISONS, "&&"):
            for index, size in _guards(walker, place):
                offer(f"{index} < {size} && {written}", 1.7 if "+" in index else 2.3)


def _extrema(walker: Walker, place: Place) -> Iterator[str]:
    """The smaller or the larger one of the two that are chosen from: `n - i < T ? n - i : T`."""
    parent = place.node.parent
    while parent is not None and parent.type == "parenthesized_expression":
        parent = parent.parent
    if parent is not None and parent.type == "conditional_expression":
        chosen = [walker.written(parent.child_by_field_name(n)) for n in ("consequence", "alternative")]
        if all(chosen):
            yield " < ".join(chosen)
            yield " > ".join(chosen)


def _tests(walker: Walker, vocabulary: Vocabulary, place: Place) -> Iterator[str]:
    """What a condition that always holds may have been: an index held against a size or a product of two."""
    names = list(place.scope.of_kind(INT))
    indices = [n.name for n in names if not n.is_parameter and not n.constant][:-4:-1]
    sizes = [n.name for n in names if n.name not in indices[:1]][-9:]
    parent = place.node.parent
    chosen = walker.written(parent.child_by_field_name("consequence")) if parent is not None else ""
    if parent is not None and parent.type == "conditional_expression":
        for inner in dict.fromkeys(re.findall(r"\(([\w +*-]+ - [\w +*-]+)\)", chosen)):
            for word in vocabulary.integers[:8]:
                yield f"{inner} < {word}"
    outer = walker.written(parent.parent) if parent is not None and parent.parent is not None else ""
    leaves = re.search(r"\b(?:return|continue|break)\b", chosen or outer[:200]) is not None
    products = [f"{a} * {b}" for i, a in enumerate(sizes) for b in sizes[i + 1 :]]
    for index in indices:
        for size in (size for size in (*sizes, *products) if index not in size.split(" * ")):
            yield f"{index} {'>=' if leaves else '<'} {size}"


def _guards(walker: Walker, place: Place) -> Iterator[tuple[str, str]]:
    """Pairs of an index and a size that it may have to stay below."""
    names = list(place.scope.of_kind(INT))
    sizes = [n.name for n in names if n.is_parameter][:6]
    indices = [n.name for n in names if not n.is_parameter and not n.constant][-6:]
    guarded = walker.written(place.node.parent)
    sums = [
        one
        for one in dict.fromkeys(re.findall(r"\(([\w.]+ \+ [\w.]+)\)", guarded))
        if not {place.scope.kind(word) for word in re.findall(r"[A-Za-z_]\w*", one)} & {POINTER, ARRAY}
    ]
    for index in [*sums, *reversed(indices)]:
        for size in sizes:
            yield index, size
