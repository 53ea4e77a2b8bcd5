"""What a statement is elsewhere, where the same statements stand around it but for the names of variables.

    u = fminf(x[i], 88.0f);              u_1 = fminf(x[j], 88.0f);
    float v = u;                         float v_1 = u_1 * 1.442695f;     -->     float v = u * 1.442695f;
    float n = rintf(v);                  float n_1 = rintf(v_1);

A loop over whole vectors and one over what is left, or the copies of an unrolled body, say the same twice. A
fault is in one of them.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from xpiler.repair.changes import Alternative, Form, Site
from xpiler.repair.scope import ARRAY
from xpiler.repair.walk import Place, Walker

_TOKEN = re.compile(r"[A-Za-z_]\w*|\d[\w.]*(?:[eE][-+]?\d+\w*)?|\S")
_VARIABLE = "$"
_COST, _OF_NUMBERS = 0.8, 1.3  # copies of an unrolled body differ in numbers
_MOST_LIKE = 4  # other places that a statement is compared with
_MOST_TOKENS = 12  # that differ


@dataclass(frozen=True, eq=False)
class Statement:
    """A declaration or expression statement of a function; `spans` are those of its tokens in the text,
    `plain` the tokens without the names of its variables."""

    function: str
    spans: tuple[tuple[int, int], ...]
    tokens: tuple[str, ...]
    plain: tuple[str, ...]


def add_analogues(walker: Walker, places: Sequence[Place], values: Iterable[Site]) -> None:
    """Adds to sites of values what stands in like places."""
    sites = [site for site in values if site.form is Form.VALUE]
    for here, there in _like_heads(_heads(walker, places)):
        _offer(walker.text, here, there, sites)
    for here, there in _alike(_statements(walker, places)):
        _offer(walker.text, here, there, sites)


def _heads(walker: Walker, places: Sequence[Place]) -> list[tuple[Statement, ...]]:
    """The three parts of each loop's head, the loop's own variable as `$`."""
    found = []
    for place in places:
        if place.role != "statement" or place.node.type != "for_statement":
            continue
        parts = [place.node.child_by_field_name(n) for n in ("initializer", "condition", "update")]
        spans = [walker.span(part) if part is not None else None for part in parts]
        name = re.search(r"([A-Za-z_]\w*)\s*=", walker.written(parts[0]))
        if name is None or not all(spans):
            continue
        head = []
        for span in spans:
            tokens = list(_TOKEN.finditer(walker.text, *span)) if span is not None else []
            plain = tuple(_VARIABLE if t[0] == name[1] else t[0] for t in tokens)
            said = tuple(t[0] for t in tokens)
            head.append(Statement(place.function.name, tuple(t.span() for t in tokens), said, plain))
        found.append(tuple(head))
    return found


def _like_heads(heads: Sequence[tuple[Statement, ...]]) -> Iterator[tuple[Statement, Statement]]:
    """Parts of heads that differ where the two other ones are the same, in the words of the first loop.

    for (int m = 16; m > 0; m /= 2)    for (int m = 8; m > 0; m /= 2)    -->    int m = 16
    """
    for here, there in itertools.permutations(heads, 2):
        same = [a.plain == b.plain for a, b in zip(here, there, strict=True)]
        if sum(same) == 2:
            one, other = here[same.index(False)], there[same.index(False)]
            own = dict(zip(other.plain, other.tokens, strict=True)).get(_VARIABLE, "")
            mine = dict(zip(one.plain, one.tokens, strict=True)).get(_VARIABLE, own)
            yield one, replace(other, tokens=tuple(mine if t == own else t for t in other.tokens))


def _statements(walker: Walker, places: Sequence[Place]) -> list[Statement]:
    spans: dict[tuple[int, int], str] = {}
    variables: dict[str, set[str]] = {}
    for place in places:
        own = variables.setdefault(place.function.name, set())
        own |= {n.name for n in place.scope.names.values() if not n.is_parameter and n.kind != ARRAY}
        if place.node.type in ("declaration", "expression_statement"):
            span = walker.span(place.node)
            if span is not None:
                spans.setdefault(span, place.function.name)
    found = []
    for (start, end), function in sorted(spans.items()):
        tokens = list(_TOKEN.finditer(walker.text, start, end))
        plain = tuple(_VARIABLE if t[0] in variables[function] else t[0] for t in tokens)
        found.append(Statement(function, tuple(t.span() for t in tokens), tuple(t[0] for t in tokens), plain))
    return found


def _alike(statements: Sequence[Statement]) -> Iterator[tuple[Statement, Statement]]:
    """Pairs of different statements that stand between the same ones, the other with the names of the one."""
    around: dict[tuple[object, ...], list[int]] = {}
    for i, statement in enumerate(statements):
        before = [s.plain for s in statements[max(0, i - 2) : i] if s.function == statement.function]
        after = [s.plain for s in statements[i + 1 : i + 3] if s.function == statement.function]
        for key in (("between", before[-1:], after[:1]), ("after", before), ("before", after)):
            if sum(map(len, key[1:])) == 2:
                around.setdefault((key[0], *map(tuple, key[1:])), []).append(i)
    seen: set[tuple[int, int]] = set()
    for numbers in around.values():
        for i in numbers:
            for j in [j for j in numbers if j != i][:_MOST_LIKE]:
                if (i, j) not in seen:
                    seen.add((i, j))
                    other = _renamed(statements, i, j)
                    if other.tokens != statements[i].tokens:
                        yield statements[i], other


def _renamed(statements: Sequence[Statement], here: int, there: int) -> Statement:
    """The statement from there with the names that are said here: those of its neighbours count first."""
    names: dict[str, str] = {}
    for step in (-1, 1, -2, 2, 0):
        if not (0 <= here + step < len(statements) and 0 <= there + step < len(statements)):
            continue
        one, other = statements[here + step], statements[there + step]
        for mine, theirs, *plain in zip(one.tokens, other.tokens, one.plain, other.plain, strict=False):
            if plain == [_VARIABLE, _VARIABLE] and (not step or one.plain == other.plain):
                names.setdefault(theirs, mine)
    found = statements[there]
    return replace(found, tokens=tuple(names.get(token, token) for token in found.tokens))


def _offer(text: str, here: Statement, there: Statement, sites: Sequence[Site]) -> None:
    """At the smallest value around all that differs: what stands there."""
    mine, theirs = here.tokens, there.tokens
    first = next((i for i, (a, b) in enumerate(zip(mine, theirs, strict=False)) if a != b), None)
    if first is None:
        first = min(len(mine), len(theirs))
    rest = 0
    while rest < min(len(mine), len(theirs)) - first and mine[-1 - rest] == theirs[-1 - rest]:
        rest += 1
    last = len(mine) - rest
    if max(last - first, len(theirs) - rest - first) > _MOST_TOKENS:
        return
    begins = {span[0]: i for i, span in enumerate(here.spans)}
    ends = {span[1]: i + 1 for i, span in enumerate(here.spans)}
    around = [
        (end - begin, begin, end, site)
        for site in sites
        if (begin := begins.get(site.start, len(mine))) <= first
        and (end := ends.get(site.end, -1)) >= last
        and begin < end
    ]
    if not around:
        return
    _, begin, end, site = min(around, key=lambda a: a[0])
    written = _written(text, there, begin, len(theirs) - (len(mine) - end))
    original = text[site.start : site.end]
    if not written or written == original:
        return
    site.alternatives[:] = [a for a in site.alternatives if a.text != written]
    title = f"`{original}` should be `{written}`"
    numbers = all(token[0].isdigit() for token in (*mine[first:last], *theirs[first : len(theirs) - rest]))
    cost = _OF_NUMBERS if numbers else _COST
    site.alternatives.append(Alternative(written, cost, title, kind="as elsewhere"))


def _written(text: str, there: Statement, begin: int, end: int) -> str:
    """Some of its tokens, with the space between them as it is in the text."""
    pieces: list[str] = []
    for i in range(begin, end):
        if pieces:
            pieces.append(text[there.spans[i - 1][1] : there.spans[i][0]])
        pieces.append(there.tokens[i])
    return "".join(pieces)
