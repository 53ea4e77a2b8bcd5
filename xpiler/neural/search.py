"""Search in the manuals: BM25 over words as code has them.

`__bang_reduce_sum` is found by its whole name, and by `reduce` and `sum`; `_mm512_add_ps` by `add` and `ps`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from rank_bm25 import BM25Okapi
from snowballstemmer import stemmer

from xpiler.neural.manual import Entry, entries_by_name, load_manual
from xpiler.platforms.registry import PLATFORMS

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z_0-9]*|\d+")
_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_STOP = frozenset(
    "a an the of to in on for and or is are do does how what which i it its by with from as at be can my "
    "that this when where not no one two each every there into between over under than".split()
)
_ENGLISH = stemmer("english")
_SAME = {
    "min": "minimum", "max": "maximum", "avg": "average", "mul": "multiply", "div": "divide",
    "sub": "subtract", "division": "divide", "multiplication": "multiply", "product": "multiply",
    "subtraction": "subtract", "addition": "add", "plus": "add", "fp": "float", "bf": "bfloat",
    "recip": "reciprocal", "idx": "index", "conv": "convolution", "mem": "memory", "sync": "synchronize",
    "ptr": "pointer", "cmp": "compare", "comparison": "compare", "conversion": "convert",
    "cvt": "convert", "pool": "pooling", "neg": "negate",
}  # fmt: skip

TITLE_WEIGHT = 4
"""How often a word of a heading or a name counts, compared with one in the text."""


@dataclass(frozen=True)
class Hit:
    """An entry and how well it fits: higher is better."""

    entry: Entry
    score: float


class Index:
    """The entries of some manuals, ready to be searched."""

    def __init__(self, entries: tuple[Entry, ...]) -> None:
        self._entries = entries
        self._ranking = BM25Okapi([_document(entry) for entry in entries], k1=1.4, b=0.6)

    def search(self, query: str, count: int = 5) -> list[Hit]:
        """The entries that fit best; fewer than `count` where nothing else shares a word with the query."""
        asked = tokens(query)
        scores = self._ranking.get_scores(asked)
        order = sorted(range(len(self._entries)), key=lambda i: -scores[i])
        return [Hit(self._entries[i], float(scores[i])) for i in order[:count] if scores[i] > 0]


@cache
def index_of(platforms: tuple[str, ...]) -> Index:
    return Index(tuple(entry for platform in platforms for entry in load_manual(platform)))


def lookup(query: str, platform: str | None = None, count: int = 5) -> list[Hit]:
    """What the manuals say of a name or of words; an entry that explains exactly this name comes first."""
    platforms = (platform,) if platform else tuple(PLATFORMS)
    exact = [found for p in platforms if (found := entries_by_name(p).get(query.strip()))]
    hits = [Hit(entry, float("inf")) for entry in exact]
    hits += [hit for hit in index_of(platforms).search(query, count + len(exact)) if hit.entry not in exact]
    return hits[:count]


def tokens(text: str) -> list[str]:
    """The words of a text: identifiers whole and in parts, each by its stem and one spelling."""
    found: list[str] = []
    for word in _IDENTIFIER.findall(text):
        parts = [part.lower() for part in _PART.findall(word)]
        whole = word.lower().strip("_")
        if len(parts) > 1:
            found.append(whole)
        found += [_ENGLISH.stemWord(_SAME.get(part, part)) for part in parts if part not in _STOP]
    return found


def _document(entry: Entry) -> list[str]:
    names = " ".join(entry.names)
    facts = " ".join(value for name, value in entry.facts.items() if name not in ("source", "also"))
    head = dict.fromkeys(tokens(f"{entry.title} {names} {entry.facts.get('also', '')}"))
    return (
        [*head] * TITLE_WEIGHT + tokens(entry.text) * 2 + tokens(f"{facts} {' '.join(entry.means.values())}")
    )
