"""The words of `xpiler explain`."""

from __future__ import annotations

import argparse
import json

from rich.console import Console

from xpiler.errors import Refusal
from xpiler.neural.manual import FACTS, Entry
from xpiler.neural.search import Hit, lookup
from xpiler.platforms.registry import PLATFORMS


def add_explain(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds `explain` to the command line."""
    explain = commands.add_parser(
        "explain",
        help="look an instruction or a concept up in the manuals",
        description="Search the programming manuals of the platforms: a name is looked up, words are sought. "
        "Exit 0: something was found; 1: nothing.",
    )
    explain.add_argument("query", nargs="+", metavar="QUERY", help="a name, or words")
    explain.add_argument("--platform", choices=list(PLATFORMS), help="one platform's manual only")
    explain.add_argument("--count", type=int, default=3, metavar="N", help="entries to show (default 3)")
    explain.add_argument("--json", action="store_true", help="print the entries as JSON")
    explain.set_defaults(run=run_explain)


def run_explain(arguments: argparse.Namespace, console: Console) -> int:
    if arguments.count < 1:
        raise Refusal("explain-count", "--count must be at least 1")
    query = " ".join(arguments.query)
    hits = lookup(query, arguments.platform, arguments.count)
    if hits and hits[0].score == float("inf"):
        hits = [hit for hit in hits if hit.score == float("inf")]
    if arguments.json:
        print(json.dumps({"query": query, "entries": [_document(hit) for hit in hits]}))
    elif not hits:
        print(f"nothing is said of {query!r} in the manuals")
    else:
        print("\n\n".join(render(hit.entry) for hit in hits))
    return 0 if hits else 1


def render(entry: Entry) -> str:
    """An entry as text for a terminal: heading, prose, facts, example."""
    lines = [f"{PLATFORMS[entry.platform].title}: {entry.title.replace('`', '')}", f"  {entry.text}", ""]
    for fact in (fact for fact in FACTS if fact != "also"):
        if fact == "means" and entry.means:
            lines += [f"  means: {name + ': ' if name else ''}{c}" for name, c in entry.means.items()]
        elif fact in entry.facts:
            lines.append(f"  {fact}: {entry.facts[fact].replace('`', '')}")
    if entry.example:
        lines += ["", *(f"      {line}" for line in entry.example.split("\n"))]
    return "\n".join(lines)


def _document(hit: Hit) -> dict[str, object]:
    entry = hit.entry
    return {
        "platform": entry.platform,
        "title": entry.title.replace("`", ""),
        "names": list(entry.names),
        "text": entry.text,
        "facts": entry.facts,
        "means": entry.means,
        "example": entry.example,
        "place": entry.place,
    }
