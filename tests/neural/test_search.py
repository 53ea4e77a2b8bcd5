"""Search in the manuals, on questions as kernel engineers ask them, with the entry that answers each."""

from pathlib import Path

import pytest

from xpiler.neural.manual import Entry
from xpiler.neural.search import lookup, tokens

QUERIES = [
    tuple(part.strip() for part in line.split("|"))
    for line in (Path(__file__).parent / "queries.txt").read_text(encoding="utf-8").splitlines()
    if line and not line.startswith("# ")
]


def answers(entry: Entry, expected: str) -> bool:
    return expected in entry.names or entry.title.replace("`", "").startswith(expected.replace("`", ""))


def test_the_right_entry_is_among_the_first_three() -> None:
    assert len(QUERIES) >= 100
    missed = [
        f"{query} ({platform}): {[hit.entry.title for hit in lookup(query, platform, 3)]}"
        for query, platform, expected in QUERIES
        if not any(answers(hit.entry, expected) for hit in lookup(query, platform, 3))
    ]
    assert len(missed) <= 0.05 * len(QUERIES), "\n".join(missed)


@pytest.mark.parametrize(
    "name", ["__bang_matmul", "__shfl_down_sync", "_mm512_fmadd_ps", "hipLaunchKernelGGL"]
)
def test_a_name_finds_its_own_entry_first(name: str) -> None:
    first, *_ = lookup(name)
    assert name in first.entry.names


def test_identifiers_count_whole_and_in_parts() -> None:
    assert tokens("__bang_reduce_sum(dst)") == ["bang_reduce_sum", "bang", "reduc", "sum", "dst"]
    assert tokens("cudaMalloc adds rows") == ["cudamalloc", "cuda", "malloc", "add", "row"]


def test_words_that_no_manual_has_find_nothing() -> None:
    assert lookup("zyzzyva") == []
