"""All texts that one change of a text makes."""

from __future__ import annotations

from xpiler.frontend.syntax import analyse
from xpiler.platforms.registry import platform_of
from xpiler.repair.changes import apply
from xpiler.repair.menu import sites_of
from xpiler.repair.vocabulary import vocabulary


def changed(text: str, file: str, source: str | None = None) -> dict[str, str]:
    """The texts, each with the kind of the change that makes it. `source`: C++, else the text itself."""
    platform = platform_of(file, text)
    unit = analyse(text, file, platform=platform)
    other = unit if source is None else analyse(source, "source.cpp", platform="vnni")
    sites = sites_of(unit, other, vocabulary(source or text, text, platform), "f")
    made: dict[str, str] = {}
    for site in sites:
        for number, alternative in enumerate(site.alternatives, 1):
            made.setdefault(apply(text, site.edits(number)), alternative.kind)
    return made
