"""The programming manuals of the platforms, read from `manuals/<platform>/*.md`.

    ## `__bang_{add,sub}`: sums            a heading names instructions in backticks, or is a concept's title
    Adds or subtracts two vectors.         what it is about

    - signature: `void __bang_add(...)`    facts, one a line
    - means:                               what an instruction does, as C: for each name, or once for all
      - `__bang_add`: `dst[i] = a[i] + b[i]`

        __bang_add(c, a, b, n);            an example, indented

Names in a heading expand like a shell's: `{,_rn}` is nothing or `_rn`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache

from xpiler.errors import Refusal
from xpiler.files import data_folder

FACTS = (
    "signature", "means", "types", "memory", "lanes", "constraints", "pitfalls", "elsewhere", "source",
    "also",
)  # fmt: skip
"""The facts that an entry may state, in order; `also` are words under which people look for it."""

_NAME = re.compile(r"`([^`]+)`")
_IDENTIFIER = re.compile(r"[A-Za-z_]\w*((\.|::)\w+)*\Z")


@dataclass(frozen=True)
class Entry:
    """One instruction, family of instructions or concept of a platform.

    `names`: the identifiers that it explains; `means`: C for what an instruction does, by its name, or by ""
    for all of the entry; `place`: file and line.
    """

    platform: str
    title: str
    names: tuple[str, ...]
    text: str
    facts: dict[str, str]
    means: dict[str, str]
    example: str
    place: str

    def meaning(self, name: str) -> str:
        """The C of one instruction; empty if the entry does not give it."""
        return self.means.get(name) or self.means.get("", "")


@dataclass
class _Draft:
    title: str
    place: str
    text: list[str] = field(default_factory=list)
    facts: dict[str, str] = field(default_factory=dict)
    means: dict[str, str] = field(default_factory=dict)
    example: list[str] = field(default_factory=list)

    def finished(self, platform: str) -> Entry:
        names = tuple(
            name
            for quoted in _NAME.findall(self.title)
            for name in expanded(quoted)
            if _IDENTIFIER.match(name)
        )
        example = "\n".join(self.example).strip("\n")
        return Entry(
            platform,
            self.title,
            names,
            " ".join(" ".join(self.text).split()),
            self.facts,
            self.means,
            example,
            self.place,
        )


@cache
def load_manual(platform: str) -> tuple[Entry, ...]:
    """All entries of a platform's manual. Raises Refusal if there is none."""
    folder = data_folder("manuals") / platform
    files = sorted(folder.glob("*.md"))
    if not files:
        raise Refusal("manuals", f"there is no manual in {folder}")
    return tuple(
        entry
        for file in files
        for entry in parse_manual(file.read_text(encoding="utf-8"), platform, file.name)
    )


@cache
def entries_by_name(platform: str) -> dict[str, Entry]:
    """The entry of each name that a manual explains; the first one, if there are several."""
    found: dict[str, Entry] = {}
    for entry in load_manual(platform):
        for name in entry.names:
            found.setdefault(name, entry)
    return found


def parse_manual(text: str, platform: str, file: str) -> list[Entry]:
    """The entries of one file. Raises Refusal for a fact that no entry has."""
    entries: list[Entry] = []
    draft: _Draft | None = None
    means = False
    for number, line in enumerate(text.split("\n"), 1):
        if line.startswith("## "):
            if draft:
                entries.append(draft.finished(platform))
            draft, means = _Draft(line[3:].strip(), f"{platform}/{file}:{number}"), False
        elif draft is None or line.startswith("# "):
            continue
        elif line.startswith("    "):
            draft.example.append(line[4:])
        elif means and (item := re.match(r"  - `([^`]+)`: `([^`]+)`$", line)):
            draft.means.update(dict.fromkeys(expanded(item[1]), item[2]))
        elif fact := re.match(r"- (\w+):(.*)$", line):
            name, value = fact[1], fact[2].strip()
            if name not in FACTS:
                raise Refusal(
                    "manual", f"{draft.place}: no such fact: {name}", remedy=f"one of {', '.join(FACTS)}"
                )
            means = name == "means" and not value
            if name == "means":
                draft.means.update({"": value.strip("`")} if value else {})
            else:
                draft.facts[name] = value
        elif line.strip():
            draft.text.append(line)
        elif draft.example:
            draft.example.append("")
    if draft:
        entries.append(draft.finished(platform))
    return entries


def expanded(name: str) -> Iterator[str]:
    """`a{b,c}d` --> `abd`, `acd`"""
    braces = re.search(r"\{([^{}]*)\}", name)
    if not braces:
        yield name
        return
    for choice in braces[1].split(","):
        yield from expanded(name[: braces.start()] + choice + name[braces.end() :])
