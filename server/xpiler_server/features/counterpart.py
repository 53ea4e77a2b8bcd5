"""From a statement to the one that stands for it: in the translation of a source, or in the source of one.

Pairs that lie beside each other are compared by the engine when the first jump is asked for; until a text
changes the answer is kept.
"""

from __future__ import annotations

from typing import Any

from lsprotocol import types

from xpiler_server.analysis import engine_text
from xpiler_server.engine.worker import Broken, Crashed
from xpiler_server.server import XpilerServer
from xpiler_server.store import digest
from xpiler_server.text import Text


async def counterpart(ls: XpilerServer, uri: str, position: types.Position) -> types.Location | None:
    """The place in the other file of the pair; of a source with several translations, the last one's."""
    paired = ls.proofs.source_of(uri)
    targets = ls.proofs.targets_of(uri)
    if paired is not None:
        source, target, to, here, there = paired[0], uri, paired[1], "target", "source"
    elif targets:
        (target, to), source, here, there = targets[-1], uri, "source", "target"
    else:
        return None
    links = await _links(ls, source, target, to)
    other = source if here == "target" else target
    texts = ls.text_of(uri), ls.text_of(other)
    if texts[0] is None or texts[1] is None:
        return None
    offset = Text(texts[0], ls.encoding).offset(position)
    around = [link for link in links if link[here][0] <= offset <= link[here][1]]
    if not around:
        return None
    best = min(around, key=lambda link: link[here][1] - link[here][0])
    return types.Location(other, Text(texts[1], ls.encoding).range(best[there]))


async def _links(ls: XpilerServer, source: str, target: str, to: str) -> list[dict[str, Any]]:
    text, file = ls.text_and_file(source)
    other, other_file = ls.text_and_file(target)
    if text is None or other is None:
        return []
    key = digest(text, other)
    if ls.links.get(target, ("", []))[0] != key:
        given = {
            "source": {"text": engine_text(text), "file": file},
            "target": {"text": engine_text(other), "file": other_file},
            "to": to,
        }
        try:
            found = await ls.analyses.ask("correspond", given)
        except (Broken, Crashed) as error:
            ls.log(f"{target}: {error}", types.MessageType.Error)
            return []
        ls.links[target] = (key, found["links"])
    return ls.links[target][1]
