"""All changes of a text that are worth trying, with their costs; the most plausible ones first in line."""

from __future__ import annotations

from xpiler.frontend.syntax import SyntaxUnit
from xpiler.repair.changes import Form, Site
from xpiler.repair.statements import clones_of, statement_sites
from xpiler.repair.values import value_site
from xpiler.repair.vocabulary import Vocabulary
from xpiler.repair.walk import Walker

_STATEMENTS = ("statement", "assignment", "declaration", "before", "end")


def sites_of(unit: SyntaxUnit, vocabulary: Vocabulary) -> list[Site]:
    """The sites of a text, in its order, outer ones before those inside; nested or apart, never crossing."""
    walker = Walker(unit)
    places = walker.run()
    clones = clones_of(walker, places)
    found: list[Site] = []
    for place in places:
        if place.role in _STATEMENTS:
            found += statement_sites(walker, vocabulary, place, clones)
        else:
            site = value_site(walker, vocabulary, place)
            if site is not None:
                found.append(site)
    return _nested(found)


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
