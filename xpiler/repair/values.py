"""What could stand in an expression's place: other names, numbers near it, terms and factors that are
missing, what stands elsewhere, and what can be made of its own parts (`structure.py`).

    for (int i = 0; i < n - 1; ++i)    -->    i < n, i <= n - 1, i < n - 1 + 1, i < m - 1, ...
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from tree_sitter import Node

from xpiler.platforms.registry import PLATFORMS
from xpiler.repair.casts import casts
from xpiler.repair.changes import Form, Site
from xpiler.repair.concepts import Concepts, array_of
from xpiler.repair.conditions import ALWAYS
from xpiler.repair.directions import told_direction
from xpiler.repair.indices import recombined
from xpiler.repair.lanes import of_one_operand
from xpiler.repair.masks import other_masks
from xpiler.repair.offer import SOONER, Offer, bare
from xpiler.repair.own_calls import own_indices
from xpiler.repair.phrases import CONDITION, INTEGER, LANES, LAUNCH, PRODUCT, READ, REAL, SUM, Phrases
from xpiler.repair.rescaling import lane_factors, scales
from xpiler.repair.scope import ARRAY, FLOAT, INT, MASK, POINTER, VECTOR, Name
from xpiler.repair.sizes import other_sizes
from xpiler.repair.structure import ARITHMETIC, number_in, outside, structure
from xpiler.repair.unread import unread
from xpiler.repair.vocabulary import FAMILIES, Vocabulary
from xpiler.repair.walk import BUILTIN_INTEGERS, Place, Walker
from xpiler.repair.wellformed import can_stand_for

_MOST_NAMES = 14


def _is_extent(node: Node) -> bool:
    """Whether it is the grid or the block of a launch."""
    launch = node.parent
    return launch is not None and launch.type == "kernel_call_syntax" and node in launch.named_children[:2]


def value_site(
    walker: Walker, vocabulary: Vocabulary, phrases: Phrases, concepts: Concepts, place: Place
) -> Site | None:
    """The site of an expression, None if nothing else could stand there."""
    node = place.node
    written = walker.text[place.start : place.end]
    form = Form.CALL if place.role == "whole" else Form.VALUE
    if place.role in ("update", "assignment") or (place.role == "whole" and node.type != "call_expression"):
        return None
    site = Site(place.start, place.end, form, place.function.name, controls=_controlled(walker, place))
    kind = walker.kind(node, place.scope)
    if kind == INT and place.root and _is_extent(node) and PLATFORMS[walker.unit.platform].model == "simt":
        site.dtype = "dim3"
    offer = Offer(site, place, written, kind, concepts, concepts.expected(walker, place))
    if node.type == "sizeof_expression":
        offer.kind = "size"
        for text, cost in other_sizes(walker, place, written):
            offer(text, cost)
        return site if site.alternatives else None
    if any(written in family for family in FAMILIES):
        _words(written, told_direction(walker, place), offer)
    elif place.role == "base":
        _arrays(place, written, offer)
    else:
        offer.kind = "own index"
        for text in own_indices(walker, place):
            offer(text, 1.4)
        offer.kind = ""
        opaque = walker.unit.map.is_from_macro(node.start_byte)
        if not opaque:
            structure(walker, vocabulary, place, kind, offer)
        if kind == VECTOR and "\n" not in written:
            offer.kind = "function"
            for text in of_one_operand(walker, vocabulary, place, written):
                offer(text, 1.9)
        if place.role == "condition" and written in ALWAYS:
            pass  # what it may have been was offered as a condition
        elif kind == INT:
            _integers(walker, vocabulary, place, written, offer)
        elif kind == FLOAT:
            _floats(walker, vocabulary, place, written, offer)
        elif kind in (POINTER, ARRAY, VECTOR, MASK) and node.type == "identifier":
            _arrays(place, written, offer)
            if kind == VECTOR:
                _joined(walker, place, written, offer)
        elif kind == POINTER and node.type == "binary_expression" and place.root:
            _offsets(vocabulary, place, written, offer)
        elif kind == "" and node.type in ("identifier", "qualified_identifier"):
            _words(written, "", offer)
        _phrases(walker, phrases, place, kind, written, offer)
        offer.kind = "cast"
        for text, cost in (
            casts(walker, vocabulary, place, kind) if not opaque and "\n" not in written else ()
        ):
            if kind == INT:
                site.dtype = site.dtype or f"decltype(true ? ({written}) : ({text}))"
            offer(text, cost)
        offer.kind = "unread"
        for text, cost in unread(walker, place, kind):
            offer(text, cost)
    return site if site.alternatives else None


def _controlled(walker: Walker, place: Place) -> tuple[int, int] | None:
    """The span of the statements that run if a condition holds of which the place is a part."""
    if place.whole not in ("condition", "loop condition"):
        return None
    node: Node | None = place.node
    while node is not None and not node.type.endswith("statement"):
        node = node.parent
    body = (
        node.child_by_field_name("body") or node.child_by_field_name("consequence")
        if node is not None
        else None
    )
    return walker.unit.map.span(body.start_byte, body.end_byte)[1:] if body is not None else None


def _phrases(walker: Walker, phrases: Phrases, place: Place, kind: str, written: str, offer: Offer) -> None:
    """What stands elsewhere in source or target."""

    def fitting(kind: str) -> Iterator[tuple[int, str]]:
        return enumerate(phrases.fitting(kind, place.scope, place.function.name, written))

    offer.kind = "phrase"
    if place.role == "condition" and place.root:
        constant = written in ALWAYS
        for number, text in fitting(CONDITION):
            offer(text, (1.5 if constant else 2.3) + 0.03 * number)
            if not constant:
                offer(f"{_side(written)} && {_side(text)}", 2.1 + 0.03 * number)
    if place.role == "launch":
        own = place.scope.names.get(written)
        for name in place.scope.names.values():
            if "im3" in name.type and (kind == INT or own is None or own.type == name.type):
                offer(name.name, 1.3)
        launched = fitting(LAUNCH) if kind == INT and _is_extent(place.node) else iter(())
        for number, text in launched:
            offer(text, 1.5 + 0.03 * number)
        for number, text in fitting(INTEGER) if kind == INT else ():
            offer(text, 1.8 + 0.03 * number)
    elif kind == INT and (place.root or place.role == "bound") and place.role != "condition":
        hard_coded = place.role == "bound" and place.node.type == "number_literal"
        for number, text in fitting(INTEGER):
            longer = re.search(rf"(?:^|[+(,]){re.escape(bare(written))}(?:$|[+),])", bare(text))
            offer(text, (1.5 if hard_coded or longer or offer.sooner else 2.2) + 0.03 * number)
        sizes = [n.name for n in place.scope.of_kind(INT) if n.is_parameter] if hard_coded else []
        for size in sizes[:6]:
            for number, word in enumerate(walker.divisors):
                offer(f"{size} / {word}", 1.7 + 0.03 * number)
    if kind == INT and place.root and place.role not in ("condition", "launch"):
        for number, text in fitting(PRODUCT):
            offer(f"{text} + {written}", 1.8 + 0.03 * number)
    if kind == INT and place.node.type == "identifier" and place.role == "operand":
        for number, text in fitting(SUM):  # of a row in a plane the number of the plane is missing
            if re.search(rf"\+ {re.escape(written)}$", text):
                offer(text, 1.5 + 0.03 * number)
    if (
        kind in (POINTER, ARRAY)
        and place.node.type == "identifier"
        and place.role in ("argument", "value", "operand")
    ):
        for number, text in fitting(PRODUCT):
            offer(f"{written} + {text}", 2.2 + 0.03 * number)
    if kind == MASK or re.match(r"\(__mmask\d+\)|0x[fF]+$", written) or (kind == "" and "mask" in written):
        for number, text in fitting(LANES):
            offer(text, 1.5 + 0.03 * number)
        for name in place.scope.of_kind(MASK):
            offer(name.name, 1.4)
    if (place.root and kind == FLOAT) or written in ("0", "1"):
        constant = _CONSTANT.fullmatch(written) is not None
        for number, text in fitting(REAL):
            offer(text, (1.6 if constant else 2.4) + 0.03 * number)
        if place.role == "value" and constant and place.root:
            offer.kind = "form"
            reads = [*_unused_elements(walker, place), *(text for _, text in fitting(READ))]
            for number, text in enumerate(reads[:_MOST_READ]):
                for form in _FORMS:
                    offer(form.format(text), 1.7 + 0.03 * number)
        if place.role == "value" and not constant:
            offer.kind = "read factor"
            inner = (
                f"({written})"
                if place.node.type in ("binary_expression", "conditional_expression")
                else written
            )
            for number, text in fitting(READ):
                if text not in written:
                    offer(f"{inner} * {text}", 2.0 + 0.03 * number)


def _unused_elements(walker: Walker, place: Place) -> Iterator[str]:
    """`x[i]` where `y[i]` is set, of arrays that the function has and does nothing with."""
    parent = place.node.parent
    left = parent.child_by_field_name("left") if parent is not None else None
    index = re.match(r"\w+(\[.*\])$", walker.written(left), re.S) if left is not None else None
    if index is None:
        return
    text = walker.text[slice(*place.function.definition.span)]
    for name in place.scope.of_kind(POINTER):
        said = re.findall(rf"(?<!\.)\b{re.escape(name.name)}\b", text)
        if name.element == FLOAT and len(said) == 1:
            yield f"{name.name}{index[1]}"


# What is computed of one element, where a constant stands for it.
_FORMS = (
    "{0}",
    "-{0}",
    "fabsf({0})",
    "fmaxf({0}, 0.0f)",
    "{0} * {0}",
    "({0} > 0.0f ? 1.0f : 0.0f)",
    "({0} > 0.0f ? 1.0f : {0} < 0.0f ? -1.0f : 0.0f)",
)
_MOST_READ = 4
_COMPOSITE = ("binary_expression", "conditional_expression")
_CONSTANT = re.compile(r"-?[\d.]+f?")


def _side(text: str) -> str:
    return f"({text})" if re.search(r"\|\||\?", outside(text)) else text


# ------------------------------------------------------------------------------------------ names and numbers


def _names(place: Place, kind: str, written: str) -> list[Name]:
    """Variables that could have been meant, those like the one that is there first."""
    here = place.scope.names.get(written)
    found = [n for n in place.scope.of_kind(kind) if n.name != written and n.has_value]

    def unlike(name: Name) -> tuple[bool, bool, int]:
        if here is None:
            return (not name.is_parameter, False, 0)
        same_case = here.name.isupper() == name.name.isupper()
        return (here.is_parameter != name.is_parameter, not same_case, abs(len(here.name) - len(name.name)))

    return sorted(reversed(found), key=unlike)  # noqa: C414 (of equals the innermost first)[:_MOST_NAMES]


def _integers(walker: Walker, vocabulary: Vocabulary, place: Place, written: str, offer: Offer) -> None:
    node = place.node
    literal = number_in(written) if node.type == "number_literal" else None
    at_edge = place.root or place.role == "bound"
    offer.kind = "near"
    if literal is not None and _is_mask(written):
        offer.kind = "mask"
        for text, cost in other_masks(written, vocabulary.integers):
            offer(text, cost)
    elif literal is not None:
        for value in dict.fromkeys(
            (literal + 1, literal - 1, 0, 1, 2 * literal, literal // 2, 4 * literal, -literal)
        ):
            if value != literal and (value >= 0 or literal > 0) and not _idle(walker, node, value):
                likely = abs(value - literal) == 1 or value in (0, 1)
                first = value == 0 and place.role == "start"
                halved = place.role == "step" and 2 * value == literal
                launched = place.role == "launch" or _is_launched(walker, place)
                serial = launched and value <= 1  # right, and no longer parallel
                wider = (
                    place.whole == "launch" or launched
                ) and value > 2 * literal  # right, and more threads do the same
                power = literal >= 4 and literal & (literal - 1) == 0 and value in (2 * literal, literal // 2)
                shifts = abs(value - literal) == 1 and _is_shift(walker, node)
                offer(
                    str(value),
                    1.0
                    if first
                    else 1.2
                    if halved
                    else 2.3
                    if serial
                    else 1.9
                    if wider
                    else 1.3
                    if shifts
                    else 1.35
                    if power
                    else 1.4
                    if likely
                    else 1.7,
                )
    if literal is not None:
        offer.kind = "number"
        for word in vocabulary.integers:
            far = _is_mask(word) != _is_mask(written)
            if word in ("0", "1") and (place.role == "launch" or _is_launched(walker, place)):
                continue  # was offered: right whatever is wrong, and no longer parallel
            offer(word, 1.8 if far else 1.3 if place.role == "step" and literal == 1 else 1.5)
    elif at_edge and node.type not in ("sizeof_expression",):
        near = 1.0 if place.role in ("bound", "start") else 1.3 if place.role in ("index", "value") else 1.7
        inner = (
            f"({written})" if node.type in ("conditional_expression",) or _compares(walker, node) else written
        )
        offer(f"{inner} - 1", near)
        offer(f"{inner} + 1", near)
    elif literal is None and node.type == "identifier" and place.whole in ("index", "value", "argument"):
        offer(f"{written} - 1", 1.9)
        offer(f"{written} + 1", 1.9)
    simple = node.type in ("identifier", "type_identifier", "number_literal", "field_expression")
    if place.role in ("value", "argument") and place.root:
        offer.kind = "tail"
        for text in _tails(walker, place, written):
            offer(text, 1.3)
        offer.kind = "at most"
        sizes = [n.name for n in place.scope.of_kind(INT) if n.is_parameter and n.name not in written]
        for size in sizes if node.type == "binary_expression" and place.role == "value" else ():
            offer(f"{written} < {size} ? {written} : {size}", 1.8)
    offer.kind = "builtin"
    if BUILTIN_INTEGERS.fullmatch(written.replace(" ", "")):
        name, _, axis = written.partition(".")
        beside = _axes_beside(walker, node)
        for other in (*vocabulary.axes, *vocabulary.tasks):
            same_name, other_axis = other.partition(".")[0] == name, other.rpartition(".")[2]
            pair = {name, other.partition(".")[0]} in _EXCHANGED
            near = same_name or (pair and other_axis == axis) or (other in vocabulary.tasks and not axis)
            odd = axis and axis not in beside and other_axis in beside
            offer(other, (1.15 if near else 1.5) - (SOONER if odd else 0.0))
    if place.root and (place.role == "step" or (place.role == "value" and "Dim" in written)):
        for number, count in enumerate(_counts(vocabulary)):
            offer(count, 1.4 + 0.05 * number)
    offer.kind = "name"
    if simple:
        hard_coded = literal is not None and (place.role == "bound" or (place.role == "step" and place.root))
        builtin = BUILTIN_INTEGERS.fullmatch(written.replace(" ", "")) is not None
        launched = literal is not None and place.role == "launch" and place.root
        base = (
            1.3
            if hard_coded
            else 1.5
            if launched
            else 2.0
            if literal is not None
            else 1.6
            if builtin
            else 1.2
        )
        is_word = written.isidentifier() and written not in place.scope.names and not builtin
        others = [] if is_word else _names(place, INT, written)  # another word of the instruction's
        if hard_coded and place.loops:
            text = walker.unit.text_of(place.loops[-1])
            ends = offer.concepts.bounds if place.role == "bound" else frozenset[str]()
            others.sort(
                key=lambda n: (n.name not in ends, re.search(rf"\b{re.escape(n.name)}\b", text) is None)
            )
        for number, other_name in enumerate(others):
            offer(other_name.name, base + 0.04 * number)
        if literal is None:
            for word in ("0", "1", *vocabulary.integers[:6]):
                offer(word, 2.5)
        for other in (*vocabulary.axes[:8], *vocabulary.tasks):
            offer(other, 2.3)
    elif place.root:
        for number, other_name in enumerate(_names(place, INT, "")[:8]):
            offer(other_name.name, 2.0 + 0.04 * number)
        offer("0", 2.4)
    _terms(walker, vocabulary, place, written, offer)
    if place.role == "index" and place.root:
        offer.kind = "digits"
        lengths = [n.name for n in place.scope.of_kind(INT) if n.is_parameter]
        theirs = offer.concepts.indexed.get(array_of(walker, place), frozenset[str]())
        for text, cost in recombined(written, lengths, theirs):
            offer(text, cost)


def _counts(vocabulary: Vocabulary) -> Iterator[str]:
    """How many threads or tasks there are: steps of loops that they share."""
    yield from (task for task in vocabulary.tasks if "Dim" in task)
    for axis in (a[-1] for a in vocabulary.axes if a.startswith("threadIdx.")):
        yield from (f"gridDim.{axis} * blockDim.{axis}", f"blockDim.{axis}", f"gridDim.{axis}")


def _sizes(place: Place, written: str) -> list[str]:
    """Integers that a factor or a term may be, some of the function's own and some that it was given."""
    found = _names(place, INT, written)
    own = [n.name for n in found if not n.is_parameter][:5]
    given = [n.name for n in found if n.is_parameter][:7]
    return [n.name for n in found if n.name in (*own, *given)]


def _extents(walker: Walker, place: Place) -> list[str]:
    """Constants in the extents of arrays, by their names: parts of them are as many elements apart."""
    arrays = (extent for name in place.scope.of_kind(ARRAY) for extent in name.extents)
    words = dict.fromkeys(word for extent in arrays for word in re.findall(r"[A-Za-z_]\w*|\d{2,}", extent))
    names = {body.strip("() "): name for name, body in walker.unit.macros.items()}
    named = dict.fromkeys(names.get(word, word) for word in words)
    return [word for word in named if word[0].isdigit() or place.scope.kind(word) == INT][:4]


def _tails(walker: Walker, place: Place, written: str) -> Iterator[str]:
    """What is left of a loop, where less than its step is left."""
    for loop in place.loops:
        start = walker.unit.map.span(loop.start_byte, loop.end_byte)[1]
        head = walker.text[start : start + 300]
        match = re.match(r"for\s*\([^;]*;\s*(\w+)\s*<\s*([^;]+);\s*\1\s*\+=\s*([^){]+)\)", head)
        if match and bare(match[3]) == bare(written):
            rest = f"{match[2].strip()} - {match[1]}"
            yield f"{rest} < {written} ? {rest} : {written}"


_EXCHANGED = ({"threadIdx", "blockIdx"}, {"blockDim", "gridDim"})


def _axes_beside(walker: Walker, node: Node) -> set[str]:
    """The axes of the other thread numbers in a statement."""
    whole: Node = node
    while whole.parent is not None and whole.type not in ("declaration", "expression_statement"):
        if whole.type.endswith("statement"):
            break
        whole = whole.parent
    text = walker.unit.text_of(whole)[:400]
    here = walker.unit.text_of(node).replace(" ", "")
    found = [m for m in re.findall(r"(?:thread|block)(?:Idx|Dim)\.[xyz]", text) if m != here]
    return {builtin[-1] for builtin in found}


def _is_launched(walker: Walker, place: Place) -> bool:
    """Whether a variable begins with it that is the grid or the block of a launch, or a part of them."""
    parent = place.node.parent
    if parent is None or parent.type != "init_declarator":
        return False
    name = re.escape(walker.written(parent.child_by_field_name("declarator")))
    return re.search(rf"(?:<<<|\bdim3\b)[^;]*\b{name}\b", walker.text) is not None


def _idle(walker: Walker, node: Node, value: int) -> bool:
    """Whether the number would do nothing there: without it the text says the same."""
    parent = node.parent
    operator = walker.operator(parent) if parent is not None and parent.type == "binary_expression" else ""
    return (value == 0 and operator in ("+", "-")) or (value == 1 and operator in ("*", "/"))


def _is_shift(walker: Walker, node: Node) -> bool:
    """Whether it is the number of places by which something is shifted, as by a power of two."""
    parent = node.parent
    shifts = parent is not None and parent.type == "binary_expression"
    return shifts and parent is not None and walker.operator(parent) in ("<<", ">>")


def _compares(walker: Walker, node: Node) -> bool:
    return node.type == "binary_expression" and walker.operator(node) not in (*ARITHMETIC, "%")


def _terms(walker: Walker, vocabulary: Vocabulary, place: Place, written: str, offer: Offer) -> None:
    """A factor or term that is missing."""
    if place.node.type in ("binary_expression", "conditional_expression") and not place.root:
        return
    offer.kind = "term"
    sizes = _sizes(place, written)
    indices = [
        *(a for a in vocabulary.axes if "Idx" in a),
        *(t for t in vocabulary.tasks if t.endswith("Id")),
    ]
    weak = place.node.type == "conditional_expression" or _compares(walker, place.node)
    additive = f"({written})" if weak else written
    composite = place.node.type in ("binary_expression", "conditional_expression")
    is_product = place.node.type == "binary_expression" and walker.operator(place.node) == "*"
    factor = f"({written})" if composite and not is_product else written
    own = [n.name for n in _names(place, INT, written) if not n.is_parameter and not n.constant][:6]
    offer.kind = "factor"
    parent = place.node.parent
    product = parent is not None and parent.type == "binary_expression" and walker.operator(parent) == "*"
    inside = 0.3 if product else 0.0
    extents = [word for word in _extents(walker, place) if word not in sizes]
    for word in (*sizes, *vocabulary.integers[:4], *extents) if written not in ("0", "1") else ():
        near = 1.7 if word in extents else 1.8 if word.isidentifier() else 2.4
        offer(f"{factor} * {word}", near + inside)
    counts = _counts(vocabulary) if written.isidentifier() and place.function.on_device else ()
    for word in counts:
        offer(f"{factor} * {word}", 1.9 + inside)
    offer.kind = "addend"
    launched = place.role == "launch" or _is_launched(walker, place)  # more threads do the same
    for word in (*own, *indices, *sizes) if place.root else ():
        far = launched or (word in sizes and word not in own)
        offer(f"{additive} + {word}", 2.3 if far else 1.7)
    for quotient in re.finditer(r"\b(\w+)\s*/\s*(\w+)\b(?!\()", written):
        rest = f"{quotient[1]} % {quotient[2]}"  # the other digit of a number that is taken apart
        for word in ("", *sizes) if place.root and rest not in written else ():
            offer(f"{additive} + {rest}{f' * {word}' if word else ''}", 1.75)
    for rest_ in re.finditer(r"\b(\w+)\s*%\s*(\w+)\b(?!\()", written):
        first = f"{rest_[1]} / {rest_[2]}"
        for word in ("", *sizes) if place.root and first not in written else ():
            offer(f"{first}{f' * {word}' if word else ''} + {additive}", 1.75)
    offer.kind = "term"
    for word in sizes:
        if place.root or place.role == "bound":
            offer(f"{additive} - {word}", 2.5)
        offer(f"{factor} / {word}", 2.7)
    if place.role in ("argument", "value"):
        offer.kind = "size"
        cost = 1.1 if _counts_elements(walker, place) else 1.7 if place.role == "argument" else 2.2
        for type_ in ("float", "int"):
            offer(f"{factor} * sizeof({type_})", cost)


def _counts_elements(walker: Walker, place: Place) -> bool:
    """Whether a copy or an allocation is given a size that names no bytes."""
    list_ = place.node.parent
    call = list_.parent if list_ is not None and list_.type == "argument_list" else None
    callee = walker.written(call.child_by_field_name("function")) if call is not None else ""
    written = walker.written(place.node)
    return bool(
        re.search(r"[Mm]em(?:cpy|set)|[Mm]alloc", callee)
        and not re.search(r"sizeof|byte|size(?!_t)", written)
    )


def _is_mask(number: str) -> bool:
    return number[:2].lower() == "0x"


def _floats(walker: Walker, vocabulary: Vocabulary, place: Place, written: str, offer: Offer) -> None:
    node = place.node
    offer.kind = "number"
    if node.type == "number_literal" or _CONSTANT.fullmatch(written):
        suffix = "f" if written.endswith(("f", "F")) else ""
        for word in (*vocabulary.floats, f"0.0{suffix}", f"1.0{suffix}", *vocabulary.extremes):
            offer(word, 1.4)
        for word in (f"0.5{suffix}", f"2.0{suffix}", f"-{written}".removeprefix("--")):
            offer(word, 1.9)
        whole = re.fullmatch(r"(\d+)\.0*f?", written)
        if whole is not None and (value := int(whole[1])) > 2 and value & (value - 1) == 0:
            for other in (2 * value, value // 2):
                offer(f"{other}.0{suffix}", 1.8)
        for power in ("1e-5f", "1e-6f", "-FLT_MAX", "FLT_MAX", "-INFINITY", "INFINITY"):
            offer(power, 2.2)
    offer.kind = "name"
    if node.type == "identifier":
        for number, name in enumerate(_names(place, FLOAT, written)):
            offer(name.name, 1.4 + 0.05 * number)
        for word in ("0.0f", vocabulary.extremes[0]):
            offer(word, 2.4)
    offer.kind = "term"
    if place.root or node.type in (
        "identifier",
        "subscript_expression",
        "call_expression",
        "field_expression",
    ):
        inner = written if node.type != "binary_expression" else f"({written})"
        offer(inner.removeprefix("-") if inner.startswith("-") else f"-{inner}", 2.2)
        offer.kind = "scaled as others"
        for scale in dict.fromkeys((*scales(walker, place), *lane_factors(walker, place))):
            offer(f"{inner} * {scale}", 1.0)
        offer.kind = "float factor"
        if node.type == "identifier":
            offer(f"{inner} * {inner}", 1.9)
        for name in _names(place, FLOAT, written)[:6]:
            offer(f"{inner} / {name.name}", 2.0)
            offer(f"{inner} * {name.name}", 2.0)
        for name in _names(place, INT, "")[:6] if place.root or "div" in offer.concepts.missing else ():
            offer(f"{inner} / {name.name}", 2.1)
        for word in vocabulary.floats[:6]:
            offer(f"{inner} * {word}", 2.2)
        offer.kind = "float term"
        for name in _names(place, FLOAT, written)[:6]:
            offer(f"{inner} - {name.name}", 2.0)
            offer(f"{inner} + {name.name}", 2.1)
        for word in vocabulary.floats[:6] if place.root else ():
            offer(f"{inner} + {word}", 2.1)
        offer.kind = "function"
        for function in ("expf", "sqrtf", "rsqrtf", "fabsf", "tanhf", "logf"):
            is_here = function in vocabulary.library or re.search(rf"\b{function}\b", walker.text)
            if function in vocabulary.called and is_here and place.root:
                offer(f"{function}({written})", 2.1)


def _arrays(place: Place, written: str, offer: Offer) -> None:
    """Other arrays, vectors or masks of the same type."""
    here = place.scope.names.get(written)
    offer.kind = "array"
    if here is None:
        return
    kinds = (POINTER, ARRAY) if here.kind in (POINTER, ARRAY) else (here.kind,)
    others = [n for n in place.scope.of_kind(*kinds) if n.name != written and n.element == here.element]
    others = [n for n in others if can_stand_for(here, n, place)]
    if any(n.is_const and n.kind == POINTER for n in others) and not here.is_const and here.kind != VECTOR:
        element = f"std::remove_reference_t<decltype({written}[0])>"
        offer.site.dtype = f"const {element} *"  # what is read there may be either
    same_first = sorted(others, key=lambda n: _type(n) != _type(here))
    for number, name in enumerate(same_first[:_MOST_NAMES]):
        offer(name.name, 1.3 + 0.05 * number + (0.6 if _type(name) != _type(here) else 0))
    if here.kind in (POINTER, ARRAY) and place.role in ("argument", "value", "operand"):
        offer.kind = "offset"
        for name in [n for n in _names(place, INT, "") if not n.is_parameter and not n.constant][:6]:
            offer(f"{written} + {name.name}", 1.7)


def _offsets(vocabulary: Vocabulary, place: Place, written: str, offer: Offer) -> None:
    """An address with a further offset."""
    offer.kind = "offset"
    for number, word in enumerate(dict.fromkeys((*vocabulary.integers[:8], *_sizes(place, written)))):
        if word != "0":
            offer(f"{written} + {word}", 1.6 + 0.03 * number)


_SUMS = {"__m512": "ps", "__m512d": "pd", "__m512i": "epi32", "__m256": "ps", "__m256i": "epi32"}


def _joined(walker: Walker, place: Place, written: str, offer: Offer) -> None:
    """A vector together with another one that is only accumulated in, and used nowhere."""
    here = place.scope.names.get(written)
    ending = _SUMS.get(_type(here)) if here is not None else None
    if here is None or ending is None:
        return
    offer.kind = "part of a sum"
    text = walker.text[slice(*place.function.definition.span)]
    for name in place.scope.of_kind(VECTOR):
        own = rf"\b{re.escape(name.name)}\s*=[^;]*;"
        idle = re.search(rf"\b{re.escape(name.name)}\b", re.sub(own, "", text)) is None
        if name.name != written and name.type == here.type and idle:
            width = "_mm256" if "256" in here.type else "_mm512"
            offer(f"{width}_add_{ending}({written}, {name.name})", 1.3)


def _type(name: Name) -> str:
    return re.sub(r"\b(?:const|static|__shared__|__restrict__)\b|\s", "", name.type)


def _words(written: str, told: str, offer: Offer) -> None:
    """Another word of its kind, first of all the one that the place asks for (`told`)."""
    offer.kind = "word"
    for family in FAMILIES:
        if written in family:
            for number, word in enumerate(w for w in family if w != written):
                offer(word, 0.6 if word == told else 1.1 + 0.05 * number)
