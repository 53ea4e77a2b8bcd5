"""Scalars that all threads of an OpenMP loop share and every iteration writes.

    float sum = 0;
    #pragma omp parallel for                 sum is one variable for all threads: XP-RACE,
    for (...) sum += x[i];          -->      unless a clause says private, reduction, ...

    #pragma omp parallel                     every thread adds to the same elements: XP-RACE,
    for (...) y[k] += mine[k];      -->      unless an atomic or a critical section is around it

The loop that the frontend makes of it is a serial one, which is what is meant; so the text is asked.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from tree_sitter import Node

from xpiler.frontend.syntax import SyntaxUnit, analyse
from xpiler.frontend.syntax_model import FunctionDef
from xpiler.ir.source import SourceRange
from xpiler.symbolic.findings import ERROR, WARNING, Found

_LOOP = re.compile(r"omp\b.*\b(for|loop|taskloop)\b")
_OWN = re.compile(r"\b(?:private|firstprivate|lastprivate|linear|reduction)\s*\(([^()]*)\)")
_ORDERED = re.compile(r"omp\s+(?:atomic|critical|single|master|masked|ordered)\b")
_COLLAPSE = re.compile(r"\bcollapse\s*\(\s*(\d+)")


def shared_scalars(text: str, file: str, platform: str) -> list[Found]:
    """Each variable once a loop, at the first write of another value than a constant."""
    if "omp" not in text:
        return []
    unit = analyse(text, file, platform=platform)
    functions = [f for f in (*unit.kernels, *unit.host_functions) if f.body is not None]
    return [
        found
        for function in functions
        for found in (*_of_function(unit, function), *_of_whole_regions(unit, function))
    ]


def not_followed(text: str, file: str, platform: str, function: str) -> list[str]:
    """What OpenMP's threads do in a function, beside sharing out loops: it is read as done by one thread."""
    if "omp" not in text:
        return []
    unit = analyse(text, file, platform=platform)
    found: list[str] = []
    for definition in (*unit.kernels, *unit.host_functions):
        if definition.body is None or definition.name != function:
            continue
        for node in _all(definition.body, *_STATEMENTS):
            words = unit.pragma_before(node)
            region = _REGION.match(words)
            if _OTHER.match(words) or (region and any(_by_all(unit, child) for child in node.named_children)):
                line = unit.range_of(node).line - 1
                found.append(f"the threads of `#pragma {words}` in line {line} do not only share out loops")
    return found


def asks_for_its_thread(text: str, file: str, platform: str, function: str) -> bool:
    """Whether a function asks which thread it runs on: it is read as the first one, and so elements that
    threads have for themselves look as if all shared them."""
    if _THREAD not in text:
        return False
    unit = analyse(text, file, platform=platform)
    bodies = [f.body for f in (*unit.kernels, *unit.host_functions) if f.name == function]
    return any(body is not None and _THREAD in unit.text_of(body) for body in bodies)


_THREAD = "omp_get_thread_num"
_OTHER = re.compile(r"omp\b.*\b(?:sections|task)\b")
_HARMLESS = ("declaration", "comment", "preproc_call")
_TOLD = re.compile(r"omp\s+(?:for|single|master|masked|barrier|critical|atomic)\b")


def _by_all(unit: SyntaxUnit, node: Node) -> bool:
    """Whether each thread of a region carries the statement out."""
    return node.type not in _HARMLESS and not _TOLD.match(unit.pragma_before(node))


def regions(text: str, file: str, platform: str) -> list[SourceRange]:
    """Blocks that each thread of OpenMP carries out: what they declare is each thread's own, also where
    a loop within is shared out."""
    if "omp" not in text:
        return []
    unit = analyse(text, file, platform=platform)
    return [
        unit.range_of(node)
        for function in (*unit.kernels, *unit.host_functions)
        for node in (_all(function.body, "compound_statement") if function.body is not None else ())
        if _REGION.match(unit.pragma_before(node))
    ]


_REGION = re.compile(r"omp\s+parallel\b(?!.*\b(?:for|loop|sections)\b)")


def one_by_one(text: str, file: str, platform: str) -> list[tuple[SourceRange, str]]:
    """The statements that threads of OpenMP enter one after the other: each with the name of what orders
    them. Atomic updates of one element are ordered by `atomic`, regions of a name by that name."""
    if "omp" not in text:
        return []
    unit = analyse(text, file, platform=platform)
    found: list[tuple[SourceRange, str]] = []
    for function in (*unit.kernels, *unit.host_functions):
        for node in _all(function.body, *_STATEMENTS) if function.body is not None else ():
            ordered = _ONE_BY_ONE.match(unit.pragma_before(node))
            if ordered:
                found.append((unit.range_of(node), ordered[2] or ordered[1]))
    return found


_ONE_BY_ONE = re.compile(r"omp\s+(atomic|critical)\b\s*(?:\((\w+)\))?")
_STATEMENTS = ("expression_statement", "compound_statement", "if_statement", "for_statement")


def _of_function(unit: SyntaxUnit, function: FunctionDef) -> Iterator[Found]:
    assert function.body is not None
    for loop in _all(function.body, "for_statement"):
        words = unit.pragma_before(loop)
        body = loop.child_by_field_name("body")
        if not _LOOP.match(words) or body is None:
            continue
        own = _named(words) | _counters(unit, loop, words)
        own |= {unit.text_of(name) for name in _declared(loop)} | _of_region(unit, loop)
        writes: dict[str, list[Node]] = {}
        for node in _all(body, "assignment_expression", "update_expression"):
            target = node.child_by_field_name("left") or node.child_by_field_name("argument")
            name = unit.text_of(target)
            if target is None or target.type != "identifier" or name in own:
                continue
            if not _is_ordered(unit, node, loop):
                writes.setdefault(name, []).append(node)
        for name, nodes in writes.items():
            changing = next((node for node in nodes if not _is_constant(node)), None)
            yield _found(unit, function, changing or nodes[0], name)


def _of_whole_regions(unit: SyntaxUnit, function: FunctionDef) -> Iterator[Found]:
    """Updates of one element by every thread of a region: what is not shared out they all carry out, for the
    same values of counters."""
    assert function.body is not None
    for region in _all(function.body, *_STATEMENTS):
        words = unit.pragma_before(region)
        if not _REGION.match(words) or _THREAD in unit.text_of(region):
            continue
        own = _named(words) | {unit.text_of(name) for name in _declared(region)}
        for node in _all(region, "assignment_expression", "update_expression"):
            target = node.child_by_field_name("left") or node.child_by_field_name("argument")
            operator = unit.text_of(node.child_by_field_name("operator"))
            if (
                target is None
                or operator == "="
                or any(_SHARED_OUT.match(w) for w in _told(unit, node, region))
            ):
                continue
            names = [unit.text_of(name) for name in _all(target, "identifier", "call_expression")]
            alike = _alike_counters(unit, node, region, own)
            if names and names[0] not in own and all(n not in own or n in alike for n in names[1:]):
                yield Found(
                    "XP-RACE",
                    ERROR,
                    f"each thread of the region updates `{unit.text_of(target)}`, which all of them share, "
                    "with nothing that orders them; `#pragma omp atomic` does",
                    unit.range_of(node),
                    function.name,
                    {"thread": 0, "other.thread": 1},
                    names[0],
                )


_SHARED_OUT = re.compile(
    r"omp\b.*\b(?:for|loop|single|master|masked|critical|atomic|ordered|sections?|task)\b"
)


def _told(unit: SyntaxUnit, node: Node, region: Node) -> Iterator[str]:
    """The pragmas of a statement and of those around it, within a region."""
    current: Node | None = node
    while current is not None and current.id != region.id:
        yield unit.pragma_before(current)
        current = current.parent


def _alike_counters(unit: SyntaxUnit, node: Node, region: Node, own: set[str]) -> set[str]:
    """Counters of the loops around it that go through the same values in each thread."""
    found: set[str] = set()
    current = node.parent
    while current is not None:
        parts = [current.child_by_field_name(p) for p in ("initializer", "condition", "update")]
        if current.type == "for_statement" and parts[0] is not None:
            counters = {unit.text_of(name) for name in _declared(current) if _is_within(name, parts[0])}
            said = {unit.text_of(n) for part in parts if part is not None for n in _all(part, "identifier")}
            calls = any(part is not None and any(_all(part, "call_expression")) for part in parts)
            if not calls and not (said - counters) & own:
                found |= counters
        if current.id == region.id:
            break
        current = current.parent
    return found


def _is_within(node: Node, outer: Node) -> bool:
    return outer.start_byte <= node.start_byte < outer.end_byte


def _found(unit: SyntaxUnit, function: FunctionDef, node: Node, name: str) -> Found:
    same = _is_constant(node)
    operator = unit.text_of(node.child_by_field_name("operator"))
    sum_of = operator[:-1] if len(operator) == 2 and operator[0] in "+*|&^" else ""
    sum_of = sum_of or ("+" if node.type == "update_expression" else "")
    advice = f"reduction({sum_of} : {name})" if sum_of else f"private({name})"
    message = f"iterations that run at the same time write `{name}`, which all threads share"
    return Found(
        "XP-SAME-VALUE" if same else "XP-RACE",
        WARNING if same else ERROR,
        message if same else f"{message}; {advice} says that it is not meant so",
        unit.range_of(node),
        function.name,
        {"iteration": 0, "other.iteration": 1},
        name,
    )


def _is_constant(node: Node) -> bool:
    value = node.child_by_field_name("right")
    plain = node.type == "assignment_expression" and node.child_count == 3 and node.children[1].type == "="
    return plain and value is not None and value.type in ("number_literal", "true", "false")


def _named(words: str) -> set[str]:
    """The variables of clauses that give each thread its own."""
    lists = (found.split(":")[-1] for found in _OWN.findall(words))
    return {name.strip() for names in lists for name in names.split(",")}


def _counters(unit: SyntaxUnit, loop: Node, words: str) -> set[str]:
    """Counters of the loops that are shared out: each thread has its own."""
    found = _COLLAPSE.search(words)
    names: set[str] = set()
    current: Node | None = loop
    for _ in range(int(found[1]) if found else 1):
        if current is None:
            break
        initial = current.child_by_field_name("initializer")
        for node in _all(initial, "assignment_expression") if initial is not None else ():
            names.add(unit.text_of(node.child_by_field_name("left")))
        body = current.child_by_field_name("body")
        current = next(_all(body, "for_statement"), None) if body is not None else None
    return names


def _of_region(unit: SyntaxUnit, loop: Node) -> set[str]:
    """What is declared, or named private, in a parallel region around the loop."""
    names: set[str] = set()
    current = loop.parent
    while current is not None:
        words = unit.pragma_before(current)
        if re.match(r"omp\s+parallel\b", words):
            names |= _named(words) | {unit.text_of(name) for name in _declared(current)}
        current = current.parent
    return names


def _is_ordered(unit: SyntaxUnit, node: Node, loop: Node) -> bool:
    """Whether an atomic, or a region that threads enter one after the other, is around the write."""
    current: Node | None = node
    while current is not None and current.id != loop.id:
        if _ORDERED.match(unit.pragma_before(current)):
            return True
        current = current.parent
    return False


def _declared(node: Node) -> Iterator[Node]:
    for declaration in _all(node, "declaration"):
        for declarator in declaration.children_by_field_name("declarator"):
            name: Node | None = declarator
            while name is not None and name.type != "identifier":
                name = name.child_by_field_name("declarator")
            if name is not None:
                yield name


def _all(node: Node, *types: str) -> Iterator[Node]:
    if node.type in types:
        yield node
    for child in node.children:
        yield from _all(child, *types)
