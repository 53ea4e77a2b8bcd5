"""What a platform cannot hold of a text because it needs a vendor's library: GPUs have twins of those, others
have none."""

from __future__ import annotations

from dataclasses import replace

from xpiler.errors import Diagnostic
from xpiler.frontend.libraries import without_libraries
from xpiler.frontend.own_headers import OneText
from xpiler.frontend.sourcemap import SourceFile
from xpiler.gate.entries import Entry
from xpiler.platforms.registry import PLATFORMS, platform_of
from xpiler.routes.job import EntryJob


def held(one: OneText, to: str) -> tuple[OneText, list[EntryJob]]:
    """The text that goes on to `to`, and the entries that are refused because it has lost them."""
    source = platform_of(one.file, one.text)
    both = {PLATFORMS[source].model, PLATFORMS[to].model}
    reduced = without_libraries(one.text, one.file) if "simt" in both and len(both) > 1 else None
    if reduced is None:
        return one, []
    headers = ", ".join(reduced.headers)
    places = SourceFile.of(one.file, one.text)
    lost = []
    for name, at in reduced.functions:
        place = places.range(at, at + 1)
        what = f"`{name}` needs a vendor's library ({headers}), and there is none of them on {to}"
        told = Diagnostic("library", what, place, remedy="move it out of this file")
        lost.append(EntryJob(Entry(name, "host", (), (), (), place), refused=told))
    return replace(one, text=reduced.text), lost
