"""What stands under the pointer: an instruction's meaning, a kernel's contract and evidence, a loop's
range."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lsprotocol import types

from xpiler.errors import Refusal
from xpiler.neural.manual import Entry, entries_by_name
from xpiler.platforms.registry import PLATFORMS
from xpiler_server.documents import Document
from xpiler_server.features import status
from xpiler_server.features.lenses import SHORT
from xpiler_server.proofs import NONE
from xpiler_server.server import XpilerServer


def warm_up() -> None:
    """Loads manuals and tables, so that the first hover need not."""
    for platform in PLATFORMS:
        _entry(platform, "")
        list(_twin(platform, ""))


_FACTS = ("types", "memory", "lanes", "constraints", "pitfalls")


def hover(ls: XpilerServer, uri: str, position: types.Position) -> types.Hover | None:
    document = ls.documents.find(uri)
    if document is None or document.platform is None:
        return None
    offset = document.text.offset(position)
    span = document.text.word(offset)
    word = document.source[span[0] : span[1]]
    if not word:
        return None
    parts = [
        *_kernel(ls, document, word),
        *_manual(document.platform, word),
        *_twin(document.platform, word),
        *_here(ls, document, span),
        *_loop(ls, document, span, word),
    ]
    if not parts:
        return None
    text = "\n\n---\n\n".join(parts)
    return types.Hover(types.MarkupContent(types.MarkupKind.Markdown, text), document.text.range(span))


# ------------------------------------------------------------------------------------------- instructions


def _manual(platform: str, word: str) -> Iterator[str]:
    entry = _entry(platform, word)
    if entry is None:
        return
    lines = [f"```cpp\n{entry.facts.get('signature', word).strip('`')}\n```", entry.text]
    meaning = entry.meaning(word)
    if meaning:
        lines.append(f"means `{meaning}`")
    lines += [f"**{fact}**: {entry.facts[fact]}" for fact in _FACTS if fact in entry.facts]
    if "elsewhere" in entry.facts:
        lines.append(f"**on other platforms**: {entry.facts['elsewhere']}")
    yield "\n\n".join(lines)


def _entry(platform: str, word: str) -> Entry | None:
    """The manual's entry; HIP takes what it shares with CUDA from there."""
    try:
        found = entries_by_name(platform).get(word)
        return found or (entries_by_name("cuda").get(word) if platform == "hip" else None)
    except Refusal:
        return None  # installed without manuals


def _twin(platform: str, word: str) -> Iterator[str]:
    from xpiler.backend.hip_host import twin_of  # the tables of all names take long to load

    twin = twin_of(word) if platform == "cuda" else None
    if twin is not None:
        yield f"in HIP: `{twin}`"


def _here(ls: XpilerServer, document: Document, span: tuple[int, int]) -> Iterator[str]:
    """What the call under the pointer does with its own operands, as the engine reads it."""
    known = ls.analyses.of(document)
    around: list[tuple[int, str]] = []
    for meaning in (known.outline or {"meanings": []})["meanings"]:
        place = document.carried(meaning["span"], known.outline_revision)
        if place is not None and place[0] <= span[0] and span[1] <= place[1]:
            around.append((place[1] - place[0], meaning["text"]))
    if around:
        yield f"Here:\n```\n{min(around)[1]}\n```"


# ------------------------------------------------------------------------------------------- kernels


def _kernel(ls: XpilerServer, document: Document, word: str) -> Iterator[str]:
    kernel = next((k for k in status.kernels_of(ls, document) if k["name"] == word), None)
    if kernel is None:
        return
    yield "\n\n".join([*_signature(kernel), *_evidence(ls, document, kernel)])


def _signature(kernel: dict[str, Any]) -> Iterator[str]:
    params = ", ".join(f"{p['type']} {p['name']}" for p in kernel["params"])
    yield f"```cpp\n{kernel['name']}({params})\n```"
    if kernel["refused"]:
        yield f"cannot be translated: {kernel['refused']}"
    if kernel["entries"]:
        called = ", ".join(f"`{name}`" for name in kernel["entries"])
        yield f"called from outside through {called}"
    if kernel["block"] and not kernel["serial"]:
        yield f"threads a block: {' × '.join(map(str, kernel['block']))}"


def _evidence(ls: XpilerServer, document: Document, kernel: dict[str, Any]) -> Iterator[str]:
    checked = status.checked(ls, document, kernel)
    stale = ", of an earlier text" if checked.stale and checked.state != "none" else ""
    told = f": {checked.message}" if checked.state not in ("none", "pending") and checked.message else ""
    yield f"**check**: {checked.state if checked.state != 'none' else 'not made'}{stale}{told}"
    for to, state in status.states(ls, document, kernel):
        if state.state != NONE or state.message:
            stale = ", of an earlier text" if state.stale else ""
            told = f": {state.message}" if state.message else ""
            yield f"**{SHORT.get(to, PLATFORMS[to].title)}**: {state.state}{stale}{told}"


# ------------------------------------------------------------------------------------------- loops


def _loop(ls: XpilerServer, document: Document, span: tuple[int, int], word: str) -> Iterator[str]:
    known = ls.analyses.of(document)
    inner: tuple[int, dict[str, Any]] | None = None
    for loop in (known.outline or {"loops": []})["loops"]:
        place = document.carried(loop["span"], known.outline_revision)
        if place is None or not place[0] <= span[0] < place[1]:
            continue
        is_header = word == "for" and span[0] == place[0]
        if (is_header or word == loop["variable"]) and (inner is None or place[1] - place[0] < inner[0]):
            inner = (place[1] - place[0], loop)
    if inner is not None:
        loop = inner[1]
        step = f", step {loop['step']}" if loop["step"] != "1" else ""
        turns = f": {loop['count']} turns" if loop["count"] is not None else ""
        yield f"`{loop['variable']}` in `{loop['start']} .. {loop['stop']}`{step}{turns}"
