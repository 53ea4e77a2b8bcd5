"""What could be done to whole statements, and what could be missing between them.

tile[t] = a[i];                      tile[t] = a[i];
sum += tile[63 - t];       -->       __syncthreads();
                                     sum += tile[63 - t];
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from tree_sitter import Node

from xpiler.repair.changes import Alternative, Form, Site
from xpiler.repair.concepts import computes
from xpiler.repair.masked_rest import masked_rest
from xpiler.repair.missing import Habits, likenesses, missing_statements, unfilled
from xpiler.repair.moves import inserted
from xpiler.repair.own_calls import own_calls
from xpiler.repair.remainders import Told, remainders
from xpiler.repair.resets import element_resets, fills, resets, values
from xpiler.repair.returned import some_have_returned
from xpiler.repair.scope import ARRAY, FLOAT, INT, MASK, POINTER, VECTOR, declared
from xpiler.repair.series import missing_steps
from xpiler.repair.structure import transposed
from xpiler.repair.unread_tiles import unread_tiles
from xpiler.repair.vocabulary import Vocabulary, siblings
from xpiler.repair.waiting import needs_barrier, waits
from xpiler.repair.walk import Place, Walker
from xpiler.symbolic.findings import Edit

_ASSIGNMENTS = ("=", "+=", "-=", "*=")
_SETS = re.compile(
    r"\w+(?:\[[^\]=]*\])*\s*=\s*-?(?:[\w.]+|_mm512_setzero_\w+\(\)|_mm512_set1_\w+\([^()]*\))\s*;"
)
_EXCHANGES = re.compile(r"__shared__|__syncthreads|__mlu_shared__|__sync_\w+|__syncwarp|extern\s+__shared__")
BARRIERS = {
    "cuda": ("__syncthreads();", "__syncwarp();"),
    "hip": ("__syncthreads();",),
    "bang": ("__sync_all();", "__sync_cluster();", "__sync_all_ipu();"),
    "vnni": (),
}


def statement_sites(
    walker: Walker,
    vocabulary: Vocabulary,
    missing: frozenset[str],
    place: Place,
    clones: list[Clone],
    habits: Habits,
    told: Sequence[Told] = (),
) -> Iterator[Site]:
    """The sites of a place that is a statement, a declaration or between two of them. `missing`: what the
    text should compute with, and does not; `told`: statements of the source."""
    match place.role:
        case "statement":
            yield from _statement(walker, vocabulary, place)
        case "assignment":
            yield from _assignment(walker, place)
        case "declaration":
            yield from _initialisers(walker, vocabulary, place)
        case "before" | "end":
            yield from _insertions(walker, vocabulary, missing, place, clones, habits, told)


# ------------------------------------------------------------------------------------------ what is there


def _statement(walker: Walker, vocabulary: Vocabulary, place: Place) -> Iterator[Site]:
    written = walker.text[place.start : place.end]
    site = Site(place.start, place.end, Form.STATEMENT, place.function.name)
    first = " ".join(written.split())[:50]
    if place.node.type in ("expression_statement", "if_statement") and len(written) < 400:
        again = bool(place.loops) and _SETS.fullmatch(written) is not None
        cost, kind = (1.1, "set again") if again else (2.1, "extra")
        site.alternatives.append(Alternative(";", cost, f"`{first}` should not be there", kind=kind))
    if place.node.type == "if_statement" and place.node.child_by_field_name("alternative") is None:
        body = walker.written(place.node.child_by_field_name("consequence"))
        barrier = re.match(r"\{?\s*__sync\w*\(", body) is not None
        if body and not re.match(r"\{?\s*(?:return|continue|break)\b", body) and len(body) < 600:
            site.alternatives.append(
                Alternative(
                    body,
                    1.3 if barrier else 2.3,
                    "the condition should not be there",
                    kind="conditional barrier" if barrier else "no condition",
                )
            )
    if written == ";" and place.loops:
        site.alternatives[:] = _bodies(vocabulary, place)
    if site.alternatives:
        yield site
    if (
        place.node.type in ("expression_statement", "for_statement", "if_statement")
        and place.function.on_device
    ):
        yield from _guarded(walker, place)


def _bodies(vocabulary: Vocabulary, place: Place) -> list[Alternative]:
    """What a loop may have done that does nothing: an array of the function's own gets a value."""
    counters = [n.name for n in place.scope.of_kind(INT) if not n.is_parameter][-1:]
    found: list[Alternative] = []
    for name in place.scope.of_kind(ARRAY) if counters else ():
        if name.is_parameter or name.element not in (INT, FLOAT, VECTOR) or len(name.extents) != 1:
            continue
        for value, cost in values(name.element, name.type, vocabulary):
            text = f"{name.name}[{counters[0]}] = {value};"
            found.append(Alternative(text, cost - 0.4, f"`{text}` is missing", kind="empty loop"))
    return found


def _guarded(walker: Walker, place: Place) -> Iterator[Site]:
    """A guard before a statement that stores; also before whole loops."""
    written = walker.text[place.start : place.end]
    if place.node.type == "expression_statement" and not re.search(r"\]\s*[-+*]?=(?!=)|\(", written):
        return
    site = Site(place.start, place.end, Form.GUARD, place.function.name)
    names = list(place.scope.of_kind(INT))
    sizes = [n.name for n in names if n.is_parameter or n.constant][:7]
    indices = [n.name for n in names if not n.is_parameter and not n.constant][-7:]
    mentioned = set(re.findall(r"\b[A-Za-z_]\w*\b", written))
    for index in reversed(indices):
        for size in sizes:
            cost = 2.0 if index in mentioned else 2.6
            condition = f"{index} < {size}"
            edit = Edit(place.start, place.start, f"if ({condition}) ")
            site.alternatives.append(
                Alternative(condition, cost, f"this should happen only if `{condition}`", (edit,), "guard")
            )
    for word in (w for w in vocabulary_of_first(walker, place) if w not in mentioned):
        edit = Edit(place.start, place.start, f"if ({word} == 0) ")
        site.alternatives.append(
            Alternative(f"{word} == 0", 2.4, f"this should happen only if `{word} == 0`", (edit,), "guard")
        )
    if site.alternatives:
        yield site


def vocabulary_of_first(walker: Walker, place: Place) -> list[str]:
    """Names of thread numbers: what one thread alone may do depends on them."""
    names = [n.name for n in place.scope.of_kind(INT)]
    found = [n for n in names if re.search(r"lane|tid|thread|warp|wid", n, re.I)]
    if walker.unit.platform in ("cuda", "hip"):
        found.append("threadIdx.x")
    if walker.unit.platform == "bang":
        found += ["coreId", "taskId"]
    return found


def _assignment(walker: Walker, place: Place) -> Iterator[Site]:
    """`=` for `+=`, a sum that an atomic makes, and the like; for whole statements only."""
    parent = place.node.parent
    if parent is None or parent.type != "expression_statement":
        return
    operator = walker.unit.text_of(place.node.child_by_field_name("operator"))
    left, right = (walker.written(place.node.child_by_field_name(side)) for side in ("left", "right"))
    if not left or not right:
        return
    site = Site(place.start, place.end, Form.CALL, place.function.name)
    if operator in _ASSIGNMENTS:
        for other in _ASSIGNMENTS:
            if other != operator:
                cost = 1.3 if {operator, other} == {"=", "+="} else 1.9
                site.alternatives.append(
                    Alternative(
                        f"{left} {other} {right}", cost, f"`{operator}` should be `{other}`", kind="sum"
                    )
                )
    for text in transposed(left):
        title = f"`{left}` should be `{text}`"
        site.alternatives.append(Alternative(f"{text} {operator} {right}", 1.4, title, kind="axes"))
    if (
        operator == "+="
        and "[" in left
        and walker.unit.platform in ("cuda", "hip")
        and place.function.on_device
    ):
        site.alternatives.append(
            Alternative(f"atomicAdd(&{left}, {right})", 1.5, "the sum should be atomic", kind="atomic")
        )
    if operator == "=" and walker.kind(place.node.child_by_field_name("left"), place.scope) == FLOAT:
        for function in ("fmaxf", "fminf"):
            if re.search(rf"\b{function}\b", walker.text):
                text = f"{left} = {function}({left}, {right})"
                site.alternatives.append(
                    Alternative(text, 1.9, f"`{function}` of the old value should be taken", kind="sum")
                )
    if site.alternatives:
        yield site


# ------------------------------------------------------------------------------------------ what is missing


def _initialisers(walker: Walker, vocabulary: Vocabulary, place: Place) -> Iterator[Site]:
    """A value for what is declared without one."""
    node = place.node
    span = walker.span(node)
    if span is None:
        return
    for name, declarator in declared(walker.unit, node):
        at = walker.span(declarator)
        if name.has_value or at is None or name.shared:
            continue
        site = Site(span[1], span[1], Form.INSERT, place.function.name)
        for value, cost in values(name.kind, name.type, vocabulary):
            edit = Edit(at[1], at[1], f" = {value}")
            title = f"`{name.name}` should begin with `{value}`"
            site.alternatives.append(Alternative(f"{name.name} = {value};", cost, title, (edit,), "initial"))
        if name.kind == ARRAY and name.extents and name.element in (INT, FLOAT):
            edit = Edit(at[1], at[1], " = {}")
            text = f"for (auto &xpiler_each : {name.name}) xpiler_each = 0;"
            site.alternatives.append(
                Alternative(text, 1.6, f"`{name.name}` should begin with zeros", (edit,), "initial")
            )
        if site.alternatives:
            yield site


def _insertions(
    walker: Walker,
    vocabulary: Vocabulary,
    missing: frozenset[str],
    place: Place,
    clones: list[Clone],
    habits: Habits,
    told: Sequence[Told],
) -> Iterator[Site]:
    body = walker.text[slice(*place.function.definition.span)]
    site = Site(place.start, place.start, Form.INSERT, place.function.name)
    seen: set[str] = set()
    neighbours = _callee(place.node), _callee(place.node.prev_named_sibling)
    late = 0.02 * place.start / len(walker.text)  # of equal places the last one: just before it is needed

    def offer(text: str, cost: float, kind: str) -> None:
        if text not in seen:
            seen.add(text)
            cost -= late + (0.05 if text.split("(")[0] in neighbours else 0)
            edit = inserted(walker.text, place, text)
            site.alternatives.append(Alternative(text, cost, f"`{text}` is missing", (edit,), kind))

    if place.function.on_device and _EXCHANGES.search(body):
        gone = 0.7 if some_have_returned(walker, place) else 0.0
        gone -= needs_barrier(walker, place)
        for number, barrier in enumerate(BARRIERS.get(walker.unit.platform, ())):
            named = barrier.split("(")[0] in walker.text
            deeper = 0.05 * min(2, len(place.loops))
            offer(
                barrier, 1.1 + gone + deeper + 0.3 * number + (0 if named or number == 0 else 0.4), "barrier"
            )
    for wait, cost in waits(walker, place, body) if place.function.on_device else ():
        offer(wait, cost, "device wait")
    if place.function.on_device:
        for text, cost in resets(walker, vocabulary, place):
            offer(text, cost, "reset")
        for text, cost in element_resets(walker, vocabulary, place):
            offer(text, cost, "reset")
        for text, cost in fills(walker, vocabulary, place):
            offer(text, cost, "fill")
        for text, cost in unfilled(walker, habits, place):
            offer(text, cost, "reset")
        for text, cost in likenesses(walker, habits, place):
            offer(text, cost, "likeness")
        for text, cost in missing_statements(walker, vocabulary, habits, place):
            offer(text, cost, "missing")
        for text, cost in own_calls(walker, body, place):
            offer(text, cost, "missing")
        for text, cost in unread_tiles(walker, habits, missing, place):
            offer(text, cost, "instruction")
        for text, cost in remainders(walker, told, place):
            offer(text, cost, "remainder")
        for text, cost in missing_steps(walker, place):
            offer(text, cost, "step")
        for text, cost in masked_rest(walker, place):
            offer(text, cost, "remainder")
        if place.function.is_kernel and not place.loops and place.role == "before":
            for text, cost in _early_returns(place):
                offer(text, cost, "return")
    if not place.function.on_device:
        for text, cost in _waits(walker, place):
            offer(text, cost, "wait")
        for text, cost in _copies(walker, place):
            offer(text, cost, "host copy")
    for clone in clones:
        if clone.function == place.function.name:
            for text, cost in clone.forms(walker, place):
                again = 0.08 * len(place.loops) if not _varies(walker, place, text) else 0.0
                offer(text, cost + again, "device call" if place.function.on_device else "host call")
            for text, cost in clone.others(vocabulary, missing, place):
                offer(text, cost, "instruction")
            for text, cost in clone.numbered(vocabulary, missing, place):
                offer(text, cost, "number")
    if site.alternatives:
        yield site


def _varies(walker: Walker, place: Place, text: str) -> bool:
    """Whether a statement says the counter of a loop around the place: else it belongs before the loop."""
    heads = [walker.written(loop.child_by_field_name("initializer")) for loop in place.loops]
    counters = {word for head in heads for word in re.findall(r"([A-Za-z_]\w*)\s*=", head)}
    return not counters.isdisjoint(re.findall(r"[A-Za-z_]\w*", text))


_ALLOCATION = re.compile(r"\b(cuda|hip|cnrt)Malloc\w*\(\s*(?:\(\s*void\s*\*\*\s*\)\s*)?&(\w+)\s*,")
_DIRECTIONS = {
    "cuda": ("cudaMemcpyHostToDevice", "cudaMemcpyDeviceToHost"),
    "hip": ("hipMemcpyHostToDevice", "hipMemcpyDeviceToHost"),
    "cnrt": ("cnrtMemcpyHostToDev", "cnrtMemcpyDevToHost"),
}


def _copies(walker: Walker, place: Place) -> Iterator[tuple[str, float]]:
    """What was allocated on the device, filled from the host or with zeros, or fetched from there."""
    start, end = place.function.definition.span
    body = walker.text[start:end]
    checked = re.search(r"\b(\w+)\(\s*(?:cuda|hip|cnrt)Memcpy\w*\(", body)

    def cost_of(filled: str) -> float:
        return 2.1 if re.search(rf"Memcpy\w*\(\s*{filled}\s*,", body) else 1.5

    for match in _ALLOCATION.finditer(walker.text, start, min(end, place.start)):
        prefix, device = match[1], match[2]
        size = _up_to_bracket(walker.text, match.end())
        here = place.scope.names.get(device)
        if here is None or not size:
            continue
        like = [n for n in place.scope.of_kind(POINTER) if n.is_parameter and n.element == here.element]
        named = [n for n in like if n.name in device or device in n.name]
        for host in (named or like)[:4]:
            there, back = _DIRECTIONS[prefix]
            cast = "(void *)" if prefix == "cnrt" else ""
            fetched = f"{prefix}Memcpy({host.name}, {device}, {size}, {back})"
            calls = [(f"{prefix}Memcpy({device}, {cast}{host.name}, {size}, {there})", cost_of(device))]
            if not re.search(rf"Mem(?:cpy|set)\w*\(\s*{device}\s*,", body):
                calls.append((f"{prefix}Memset({device}, 0, {size})", 1.6))
            if not host.is_const:
                calls.append((fetched, cost_of(host.name)))
            for call, cost in calls:
                yield (f"{checked[1]}({call});" if checked else f"{call};"), cost


def _up_to_bracket(text: str, start: int) -> str:
    depth = 0
    for at in range(start, min(len(text), start + 300)):
        depth += (text[at] in "([{") - (text[at] in ")]}")
        if depth < 0:
            return " ".join(text[start:at].split())
    return ""


def _waits(walker: Walker, place: Place) -> Iterator[tuple[str, float]]:
    """Host code that waits for what was launched before."""
    before = (
        walker.written(place.node.prev_named_sibling)
        if place.role == "before"
        else walker.text[: place.start]
    )
    if place.role == "before" and "<<<" not in before:
        return
    if walker.unit.platform == "bang":
        for launch in walker.unit.launches:
            queue = walker.written(launch.config[2]) if len(launch.config) > 2 else ""
            if queue and launch.host_function is place.function.definition:
                checked = re.search(r"\b(\w+)\(\s*cnrt\w+\(", walker.text)
                call = f"cnrtQueueSync({queue})"
                yield f"{call};", 1.3
                if checked:
                    yield f"{checked[1]}({call});", 1.25
    elif walker.unit.platform in ("cuda", "hip"):
        yield f"{walker.unit.platform}DeviceSynchronize();", 1.5


def _callee(node: Node | None) -> str:
    """The function that a statement calls."""
    call = node.named_children[0] if node is not None and node.named_children else None
    function = call.child_by_field_name("function") if call is not None else None
    return (function.text or b"").decode() if function is not None else ""


def _early_returns(place: Place) -> Iterator[tuple[str, float]]:
    names = list(place.scope.of_kind(INT))
    sizes = [n.name for n in names if n.is_parameter][:6]
    for index in [n.name for n in names if not n.is_parameter and not n.constant][-2:]:
        for size in sizes:
            yield f"if ({index} >= {size}) return;", 2.1


# ------------------------------------------------------------------------------------ statements like others


class Clone:
    """A call that stands somewhere in a function, with its words: one like it may be missing elsewhere.

    `cudaMemcpy(d_a, a, bytes, cudaMemcpyHostToDevice);` --> the same of `d_b` and `b`
    """

    def __init__(self, function: str, text: str, words: tuple[str, ...]) -> None:
        self.function, self.text, self.words = function, text, words

    def forms(self, walker: Walker, place: Place) -> Iterator[tuple[str, float]]:
        """The call itself, and with one or two of its variables exchanged for others of their type."""
        known = place.scope.names
        if any(word not in known for word in self.words):
            return
        yield self.text, 2.0
        pointers = [w for w in self.words if known[w].kind in (POINTER, ARRAY)]
        if not 1 <= len(pointers) <= 2:
            return
        others = [n for n in known.values() if n.kind in (POINTER, ARRAY)]

        def like(word: str) -> list[str]:
            here = known[word]
            return [n.name for n in others if n.element == here.element and n.name not in pointers][:8]

        for first in like(pointers[0]):
            one = _renamed(self.text, {pointers[0]: first})
            yield one, 2.6
            if len(pointers) == 2:
                for second in like(pointers[1]):
                    idle = self._is_idle(walker, place, first, second)
                    if second != first and (idle or _alike(first, second)):
                        both = {pointers[0]: first, pointers[1]: second}
                        yield _renamed(self.text, both), 1.5 if idle else 2.1

    def _is_idle(self, walker: Walker, place: Place, array: str, parameter: str) -> bool:
        """Whether the function fills an array with nothing, and does nothing with a parameter."""
        body = walker.unit.text_of(place.function.definition.body)
        known = place.scope.names
        is_own = known[array].kind == ARRAY and not known[array].is_parameter
        filled = rf"\(\s*{array}\s*[,+]|\b{array}(?:\[[^\]]*\])+\s*=[^=]"
        said = re.search(rf"\b{parameter}\b", body)
        return is_own and known[parameter].is_parameter and not said and not re.search(filled, body)

    def others(
        self, vocabulary: Vocabulary, missing: frozenset[str], place: Place
    ) -> Iterator[tuple[str, float]]:
        """The same with another instruction, for what nothing computes yet, and one of its operands another
        one of its kind."""
        known, callee = place.scope.names, self.text.split("(")[0]
        if not missing or any(word not in known for word in self.words):
            return
        arrays = [n for n in known.values() if n.kind in (POINTER, ARRAY)]
        for other in siblings(callee, vocabulary):
            if not computes(other) & missing:
                continue
            text = other + self.text[len(callee) :]
            yield text, 1.6
            for word in (w for w in self.words if known[w].kind in (POINTER, ARRAY)):
                for name in [n.name for n in arrays if n.type == known[word].type and n.name != word][:8]:
                    yield _renamed(text, {word: name}), 1.7

    def numbered(
        self, vocabulary: Vocabulary, missing: frozenset[str], place: Place
    ) -> Iterator[tuple[str, float]]:
        """The same with a number that the source has and the text has not, also of a related instruction."""
        numbers = [f for f in vocabulary.floats if f"number {float(f.rstrip('fF')):g}" in missing]
        literal = re.search(r"(?<![\w.])\d+\.\d*(?:[eE][-+]?\d+)?[fF]?(?![\w.])", self.text)
        if not numbers or literal is None or any(word not in place.scope.names for word in self.words):
            return
        callee = self.text.split("(")[0]
        for number in numbers[:3]:
            text = self.text[: literal.start()] + number + self.text[literal.end() :]
            for other in (callee, *siblings(callee, vocabulary)[:4]):
                yield other + text[len(callee) :], 1.4


def _alike(one: str, other: str) -> bool:
    """`gamma` and `d_gamma`, or `nramGamma`."""
    one, other = (word.lower().replace("_", "") for word in (one, other))
    return one in other or other in one


def _renamed(text: str, names: dict[str, str]) -> str:
    return re.sub(r"\b[A-Za-z_]\w*\b", lambda m: names.get(m[0], m[0]), text)


def clones_of(walker: Walker, places: list[Place]) -> list[Clone]:
    """The calls of copies, fills and barriers that functions make as statements."""
    found: dict[tuple[str, str], Clone] = {}
    for place in places:
        if place.role != "statement" or place.node.type != "expression_statement":
            continue
        text = " ".join(walker.text[place.start : place.end].split())
        call = place.node.named_children[0] if place.node.named_children else None
        if call is None or call.type != "call_expression" or len(text) > 240:
            continue
        if not re.search(r"[Mm]em(?:cpy|set)|__bang_write|__bang_\w+|_sync|Synchronize|QueueSync", text):
            continue
        words = tuple(
            dict.fromkeys(w for w in re.findall(r"\b[A-Za-z_]\w*\b", text) if w in place.scope.names)
        )
        found.setdefault((place.function.name, text), Clone(place.function.name, text, words))
    return list(found.values())


__all__ = ["BARRIERS", "MASK", "Clone", "clones_of", "statement_sites"]
