"""All changes of a text that are worth trying, with their costs; the most plausible ones first in line."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

from xpiler.frontend.syntax import SyntaxUnit
from xpiler.platforms.registry import PLATFORMS
from xpiler.repair.analogues import add_analogues
from xpiler.repair.changes import Alternative, Form, Site
from xpiler.repair.concepts import Concepts
from xpiler.repair.like_calls import add_from_like_calls
from xpiler.repair.missing import habits_of
from xpiler.repair.moves import moves
from xpiler.repair.pairs import exchange_pairs
from xpiler.repair.phrases import Phrases
from xpiler.repair.remainders import told_by
from xpiler.repair.scope import ARRAY, FLOAT, INT, VECTOR, Name
from xpiler.repair.statements import clones_of, statement_sites
from xpiler.repair.values import value_site
from xpiler.repair.vocabulary import Vocabulary
from xpiler.repair.walk import Place, Walker
from xpiler.repair.wellformed import undeclared

_STATEMENTS = ("statement", "assignment", "declaration", "before", "end")


def sites_of(unit: SyntaxUnit, source: SyntaxUnit, vocabulary: Vocabulary, entry: str) -> list[Site]:
    """The sites of what `entry` reaches, in the text's order, outer ones before those inside; nested or
    apart, never crossing."""
    walker, other = Walker(unit), Walker(source)
    reached = _reached(unit, entry)
    places = [place for place in walker.run() if place.function.name in reached]
    functions = frozenset(re.findall(r"[A-Za-z_][\w:]*", unit.text)) | vocabulary.known | vocabulary.library
    phrases = Phrases(PLATFORMS[unit.platform].model, functions)
    phrases.add(walker, places)
    theirs = other.run()
    phrases.add(other, theirs)
    concepts = Concepts.of(other, theirs, walker, places)
    clones = clones_of(walker, places)
    told = told_by(other, theirs) if unit.platform == "vnni" else []
    habits = habits_of(walker, places)
    known = {name for place in places for name in place.scope.names} | undeclared(unit.text, unit.platform)
    found: list[Site] = []
    removable: dict[int, tuple[Site, int]] = {}
    for place in places:
        if place.role in _STATEMENTS:
            own = habits[place.function.name]
            here = list(statement_sites(walker, vocabulary, concepts.missing, place, clones, own, told))
        else:
            value = value_site(walker, vocabulary, phrases, concepts, place)
            here = [] if value is None else [value]
        for site in here:
            _in_scope(walker.text, known, place, site)
            if site.form is Form.STATEMENT and site.alternatives and site.alternatives[0].text == ";":
                removable[site.start] = site, 1
        found += (site for site in here if site.alternatives)
    values = {(site.start, site.end): site for site in found if site.form is Form.VALUE}
    add_analogues(walker, places, found)
    add_from_like_calls(walker, places, found)
    exchange_pairs(walker, places, values)
    for site in moves(walker, places, removable):
        found.append(site)
    _prefer_unused(walker, places, found)
    return _whole(_nested(found))


_FREE = re.compile(r"(?<![\w.>])[A-Za-z_]\w*\b(?!\s*\()")  # names of variables
_DECLARED = re.compile(r"\b(?!else\b)\w+\s+([A-Za-z_]\w*)\s*=(?!=)")

_OF_A_THREAD = re.compile(r"\b(?:(?:thread|block)(?:Idx|Dim)|gridDim)\.|\b(?:task|cluster|core)(?:Id|Dim)\b")


def _free(text: str) -> set[str]:
    """The names of a text that it does not declare itself."""
    return set(_FREE.findall(text)).difference(_DECLARED.findall(text))


def _in_scope(text: str, known: set[str], place: Place, site: Site) -> None:
    """Leaves out of a site what uses variables of other functions or blocks, and of host code threads'."""
    own = text[min(place.start, site.start) : site.end]  # behind a declaration its names are known
    others = known - set(place.scope.names) - set(re.findall(r"[A-Za-z_]\w*", own))
    if others:
        site.alternatives[:] = [a for a in site.alternatives if others.isdisjoint(_free(a.text))]
    if not place.function.on_device:
        site.alternatives[:] = [a for a in site.alternatives if not _OF_A_THREAD.search(a.text)]


def _whole(sites: list[Site]) -> list[Site]:
    """Without changes of which a part is at a site that is not among these."""
    there = set(map(id, sites))

    def is_whole(alternative: Alternative) -> bool:
        return all(id(site) in there for site, _ in alternative.also)

    for site in sites:
        site.alternatives[:] = [one for one in site.alternatives if is_whole(one)]
    return [site for site in sites if site.alternatives]


_SOONER = 0.4
_THREAD = ("threadIdx.x", "blockIdx.x", "taskId")


def _prefer_unused(walker: Walker, places: Sequence[Place], sites: Iterable[Site]) -> None:
    """Makes changes cheaper that use a name which nothing uses, or fill an array which nothing fills: where
    that belongs, it is missing."""
    unused: dict[str, set[str]] = {}
    empty: dict[str, set[str]] = {}
    for place in places:
        function = place.function
        text = walker.text[slice(*function.definition.span)]
        if function.name not in unused:
            unused[function.name] = {n for n in _THREAD if function.is_kernel and n not in text}
            empty[function.name] = set()
        if place.role != "end":
            continue
        for name in place.scope.names.values():
            word = re.escape(name.name)
            filled = len(re.findall(rf"\(\s*{word}\s*[,+]|\b{word}(?:\[[^\]]*\])+\s*=[^=]", text))
            said = len(re.findall(rf"\b{word}\b", text))
            is_own = name.kind == ARRAY and not name.is_parameter
            if said == 1 or (is_own and said == 1 + filled) or _feeds_itself_alone(name, text):
                unused[function.name].add(name.name)
            if is_own and not filled:
                empty[function.name].add(name.name)
    for site in sites:
        names, arrays = unused.get(site.function, set()), empty.get(site.function, set())
        for number, alternative in enumerate(site.alternatives if names or arrays else ()):
            words = set(re.findall(r"[A-Za-z_][\w.]*", alternative.text))
            first = re.match(r"\w+\(\s*(\w+)", alternative.text) if site.form is Form.INSERT else None
            if words & names or (first is not None and first[1] in arrays):
                site.alternatives[number] = replace(alternative, cost=alternative.cost - _SOONER)


def _feeds_itself_alone(name: Name, text: str) -> bool:
    """Whether a variable is said only where it gets a value: a sum that nothing is done with."""
    if name.is_parameter or name.kind not in (INT, FLOAT, VECTOR):
        return False
    word = rf"\b{re.escape(name.name)}\b"
    rest = re.sub(rf"(?:[\w:]+\s+)?{word}\s*[-+*/]?=(?!=)[^;]*;", ";", text)
    return not re.search(word, re.sub(rf"[\w:]+\s+{word}\s*;", ";", rest))


def _reached(unit: SyntaxUnit, entry: str) -> set[str]:
    """The functions that the entry calls or launches, directly or through others; all, if it is not found."""
    bodies: dict[str, str] = {}
    for function in (*unit.kernels, *unit.device_functions, *unit.host_functions):
        if function.body is not None:
            bodies[function.name] = bodies.get(function.name, "") + unit.text_of(function.body)
    if entry not in bodies:
        return set(bodies)
    found = [entry]
    for name in found:
        called = set(re.findall(r"\b[A-Za-z_]\w*\b", bodies[name]))
        found += [other for other in bodies if other in called and other not in found]
    return set(found)


def _nested(sites: list[Site]) -> list[Site]:
    """Without those that overlap another one in part; of two at one place the first stays the outer one."""
    order = {Form.INSERT: 0, Form.GUARD: 1, Form.STATEMENT: 2, Form.CALL: 3, Form.VALUE: 4}
    ordered = sorted(sites, key=lambda s: (s.start, -s.end if s.start < s.end else -(1 << 60), order[s.form]))
    kept: list[Site] = []
    open_ends: list[int] = []
    for site in ordered:
        while open_ends and open_ends[-1] <= site.start:
            open_ends.pop()
        if open_ends and site.end > open_ends[-1]:
            continue
        if site.end > site.start:
            open_ends.append(site.end)
        kept.append(site)
    return kept
