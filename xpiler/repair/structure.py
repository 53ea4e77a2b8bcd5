"""What could stand in an expression's place, made of its own parts: other operators, operands exchanged or
left out, another function of the arguments, their order.

    a / b + c    -->    a * b + c, b / a + c, (a + b - 1) / b + c, a + c, c, ...
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator

from xpiler.repair.conditions import COMPARISONS, conditions
from xpiler.repair.distribution import distributed
from xpiler.repair.lanes import of_lanes
from xpiler.repair.masks import other_masks
from xpiler.repair.offer import Offer
from xpiler.repair.scope import INT, POINTER
from xpiler.repair.vocabulary import FAMILIES, Vocabulary, siblings
from xpiler.repair.walk import Place, Walker
from xpiler.repair.wellformed import can_exchange, takes_the_same

_LIKELY = {"<": "<=", "<=": "<", ">": ">=", ">=": ">", "==": "!=", "!=": "=="}
ARITHMETIC = ("+", "-", "*", "/")


def structure(walker: Walker, vocabulary: Vocabulary, place: Place, kind: str, offer: Offer) -> None:
    """Offers the other expressions that have the parts of this one."""
    offer.kind = place.node.type.removesuffix("_expression")
    match place.node.type:
        case "binary_expression":
            _binary(walker, place, kind, offer)
        case "conditional_expression":
            parts = [place.node.child_by_field_name(n) for n in ("condition", "consequence", "alternative")]
            test, then, other = (walker.written(p) for p in parts)
            if test and then and other:
                offer(then, 1.7)
                offer(other, 1.7)
                offer(f"{test} ? {other} : {then}", 1.5)
        case "call_expression":
            for text, cost, what in calls(walker, vocabulary, place):
                offer.kind = what
                offer(text, cost)
        case "subscript_expression":
            offer.kind = "axes"
            for text in transposed(walker.text[place.start : place.end]):
                offer(text, 1.3)
        case "unary_expression":
            inner = walker.written(place.node.child_by_field_name("argument"))
            if inner:
                offer(inner, 1.6)
        case "field_expression" if kind != INT:
            base, _, member = walker.text[place.start : place.end].rpartition(".")
            if base and member in ("x", "y", "z", "w"):
                known = place.scope.names.get(base)
                lanes = re.search(r"[a-z](\d)\b", known.type) if known is not None else None
                for other in "xyzw"[: int(lanes[1]) if lanes else 4]:
                    offer(f"{base}.{other}", 1.4)
    if kind == INT and place.root and place.node.type == "binary_expression":
        offer.kind = "numbers of threads"
        for text, cost in _numbers_exchanged(walker.text[place.start : place.end]):
            offer(text, cost)
    if kind == INT and place.role in ("index", "value") and place.root:
        offer.kind = "axes"
        for sizes in (False, True):
            for text in _exchanged(place, walker.text[place.start : place.end], sizes=sizes):
                offer(text, 1.3 if place.role == "index" and not sizes else 1.4)
    if place.role == "condition":
        if place.root:
            offer.kind = "axes"
            for text in _exchanged(place, walker.text[place.start : place.end], sizes=True):
                offer(text, 1.4)
        conditions(walker, vocabulary, place, offer)


def number_in(text: str) -> int | None:
    """The integer that a literal is, None of anything else."""
    digits = text.rstrip("uUlL")
    try:
        return int(digits, 0)
    except ValueError:
        return None


def transposed(text: str) -> Iterator[str]:
    """An element with its last two indices exchanged."""
    match = re.fullmatch(r"(.*?)\[([^\[\]]*)\]\s*\[([^\[\]]*)\]", text, re.S)
    if match and match[2] != match[3]:
        yield f"{match[1]}[{match[3]}][{match[2]}]"


def _exchanged(place: Place, written: str, *, sizes: bool = False) -> Iterator[str]:
    """An index with two of its variables exchanged, or of its sizes."""
    words = dict.fromkeys(re.findall(r"[A-Za-z_]\w*", written))
    known = [place.scope.names[w] for w in words if w in place.scope.names]
    names = [n.name for n in known if n.kind == INT and n.is_parameter == sizes and not n.constant][:4]
    for one, other in itertools.combinations(names, 2):
        change = {one: other, other: one}
        parts = re.split(r"([A-Za-z_]\w*)", written)
        yield "".join(change.get(part, part) for part in parts)


_NUMBER = re.compile(r"((?:threadIdx|blockIdx)\.[xyz]|\b(?:task|cluster|core)Id[XYZ]?\b)")


def _numbers_exchanged(written: str) -> Iterator[tuple[str, float]]:
    """With two of the numbers exchanged that tell which thread or task it is: of a block and in it, or of
    two axes."""
    parts = _NUMBER.split(written)
    for one, other in itertools.combinations(dict.fromkeys(parts[1::2]), 2):
        near = one.partition(".")[0] == other.partition(".")[0] or one[-2:] == other[-2:]
        change = {one: other, other: one}
        yield "".join(change.get(part, part) for part in parts), 1.1 if near else 1.6


def _binary(walker: Walker, place: Place, kind: str, offer: Offer) -> None:
    node = place.node
    operator = walker.operator(node)
    left, right = (walker.written(node.child_by_field_name(side)) for side in ("left", "right"))
    if not left or not right:
        return
    if operator in COMPARISONS:
        offer.kind = "comparison"
        for other in COMPARISONS:
            if other != operator:
                offer(f"{left} {other} {right}", _likelihood(operator, other))
        offer(f"{right} {operator} {left}", 1.8)
        return
    if operator in ("&&", "||"):
        offer(f"{left} {'||' if operator == '&&' else '&&'} {right}", 1.4)
        offer(left, 1.6)
        offer(right, 1.6)
        return
    if operator in ("&", "|", "^", "<<", ">>"):
        for other in {"<<": (">>",), ">>": ("<<",)}.get(operator, tuple(o for o in "&|^" if o != operator)):
            offer(f"{left} {other} {right}", 1.4)
    signs = ("+", "-") if kind == POINTER else (*ARITHMETIC, *("%",) * (kind == INT))
    alternatives = [o for o in signs if o != operator]
    if operator in (*ARITHMETIC, "%"):
        for other in alternatives:
            near = {operator, other} in ({"+", "-"}, {"*", "/"}, {"/", "%"}, {"+", "*"})
            offer(
                f"{_operand(left, other)} {other} {_operand(right, other, right=True)}",
                1.3 if near else 1.9,
            )
    if operator in ("-", "/", "%", "<<", ">>") and kind != POINTER:
        offer(f"{_operand(right, operator)} {operator} {_operand(left, operator, right=True)}", 1.5)
    if place.root and kind != POINTER:
        offer.kind = "brackets"
        for text in distributed(walker, node):
            offer(text, 1.5)
    if operator == "/" and kind == INT:
        offer.kind = "rounding"
        offer(f"({left} + {right} - 1) / {right}", 1.2)
        match = re.fullmatch(r"\(\s*(.+?)\s*\+\s*(.+?)\s*-\s*1\s*\)", left, re.S)
        if match:
            offer(f"{_operand(match[1], '/')} / {right}", 1.8)
        else:
            offer(f"{left} / {right} + 1", 2.0)
    plain = operator in ("+", "-") and number_in(right) is not None  # nobody writes it without need
    offer.kind = "part"
    offer(left, 0.9 if plain else 1.4 if operator in ("+", "-") else 1.8)
    if kind != POINTER:
        offer(right, 1.4 if operator == "+" else 1.8)


def _likelihood(operator: str, other: str) -> float:
    if _LIKELY[operator] != other:
        return 1.5 if operator[0] != other[0] and operator[1:] == other[1:] else 1.8  # `<` for `>`
    return 1.5 if operator in ("==", "!=") else 1.0


_WEAK = re.compile(r"[-+]|<<|>>|[&|^<>=?]")


def _operand(text: str, operator: str, *, right: bool = False) -> str:
    """With parentheses where the operator binds more than those inside."""
    outer = outside(text)
    if operator in ("*", "/", "%") and (_WEAK.search(outer[1:]) or (right and re.search(r"[*/%]", outer))):
        return f"({text})"
    if operator == "-" and right and re.search(r"[-+]", outer[1:]):
        return f"({text})"
    return text


def outside(text: str) -> str:
    """The text without what stands in brackets."""
    depth, kept = 0, []
    for character in text:
        depth += character in "([{"
        if depth == 0:
            kept.append(character)
        depth -= character in ")]}"
    return "".join(kept) or " "


# ------------------------------------------------------------------------------------------ calls


def _is_there(walker: Walker, vocabulary: Vocabulary, function: str) -> bool:
    """Whether a function that no header of the platform's has is one of the text, or of the C library."""
    return function in vocabulary.library or re.search(rf"\b{re.escape(function)}\b", walker.text) is not None


def _immediates(written: str, vocabulary: Vocabulary) -> list[str]:
    for family in FAMILIES:
        if written in family:
            return [word for word in family if word != written]
    number = number_in(written)
    if number is None:
        return []
    near = [number // 2, 2 * number, number + 1, number - 1, 0, 1]
    return [str(n) for n in dict.fromkeys(near) if n >= 0 and n != number] + list(vocabulary.integers[:6])


def calls(walker: Walker, vocabulary: Vocabulary, place: Place) -> Iterator[tuple[str, float, str]]:
    """Other functions with the same arguments, and the arguments in another order or one of them less."""
    node = place.node
    callee, arguments = node.child_by_field_name("function"), node.child_by_field_name("arguments")
    if callee is None or arguments is None:
        return
    launch = next((walker.written(c) for c in node.named_children if c.type == "kernel_call_syntax"), "")
    name = walker.written(callee) + launch
    given = [walker.written(c) for c in arguments.named_children if c.type != "comment"]
    if not name or not all(given):
        return
    plain = name.split("::")[-1]
    if re.fullmatch(r"\w+", plain) and callee.type in ("identifier", "qualified_identifier"):
        prefix = name[: len(name) - len(plain)]
        others = [other for other in siblings(plain, vocabulary) if takes_the_same(plain, other, len(given))]
        others = [
            other for other in others if other in vocabulary.known or _is_there(walker, vocabulary, other)
        ]
        for number, other in enumerate(others):
            yield f"{prefix}{other}({', '.join(given)})", 1.4 + 0.08 * number, "callee"
    count = len(given)
    arguments_ = [c for c in arguments.named_children if c.type != "comment"]
    for i in range(min(count, 16)):
        for j in range(i + 1, min(count, 16)):
            if (
                given[i] != given[j]
                and (j == i + 1 or j < 8)
                and can_exchange(walker, callee, arguments_, i, j, place.scope)
            ):
                swapped = list(given)
                swapped[i], swapped[j] = swapped[j], swapped[i]
                yield f"{name}({', '.join(swapped)})", 1.5 if j == i + 1 else 1.8, "exchange"
    for position, constant in enumerate(arguments_):
        if walker.is_immediate(callee, constant, place.scope):
            masks = other_masks(given[position], vocabulary.integers)
            plain_ones = ((word, 1.3) for word in _immediates(given[position], vocabulary))
            for word, cost in (*masks, *plain_ones):
                changed = [*given[:position], word, *given[position + 1 :]]
                yield f"{name}({', '.join(changed)})", cost, "immediate"
    yield from of_lanes(walker, vocabulary, place, plain, given)
    if 1 <= count <= 2 and re.fullmatch(r"(?!cuda|hip|cnrt)[a-z_]\w*", plain):
        own = walker.kind(node, place.scope)
        for argument, said in zip(arguments_, given, strict=True):
            if not own or walker.kind(argument, place.scope) in ("", own):
                yield said, 2.3, "no call"
