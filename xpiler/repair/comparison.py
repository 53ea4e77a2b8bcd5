"""Repairs a target by what the engine itself would have written, where the two are alike on the whole.

    target:  y[row * height + x] = s;      own translation:  y[row * width + x] = s;      --> that one edit

All differences are made at once, so that it does not matter how many faults there are; if the text is right
then, those are taken back that it can do without: what is a matter of style stays the user's. Wider integers
are not taken back, as the sizes that need them may be larger than any that are run.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from xpiler.repair.changes import Change, apply, overlap
from xpiler.repair.differences import Difference, differences

_MOST = 24  # differences of texts that are alike
_STAYS = 0.6  # share of the text that differences may not touch
_SMALL = 6  # statements that a change may touch to be a repair and not a rewriting


def by_comparison(
    text: str, other: str, right: Callable[[str], bool], accept: Callable[[str], bool]
) -> Change | None:
    """The fewest differences that have to be made; None if the texts are not alike, or with all of them it is
    not right. `right` says quickly what `accept` has the last word on, which takes as long as all else: so
    it is asked about the fewest that run right, and about others only where it says no."""
    found, stays = differences(text, other)
    if not found or len(found) > _MOST or stays < _STAYS:
        return None
    change = _of(found)
    if overlap(change.edits):
        return None
    may_stay = [one for one in found if not _widens(text, one)]

    def runs(fewer: Sequence[Difference]) -> bool:
        return bool(fewer) and right(apply(text, _of(fewer).edits))

    if len(found) > 1:
        if not runs(found):
            return None
        fewest = _of(_least(list(found), may_stay, runs))
        if accept(apply(text, fewest.edits)):
            return fewest
        if fewest == change:
            return None
    if not accept(apply(text, change.edits)):
        return None

    def needless(fewer: Sequence[Difference]) -> bool:
        return runs(fewer) and accept(apply(text, _of(fewer).edits))

    return _of(_least(list(found), may_stay, needless))


def is_small(text: str, change: Change) -> bool:
    """Whether a change mends statements, three faults at most, and does not write the text anew: faults in
    the same stretch as matters of style cannot be told from them by what the text can do without."""
    touched = 0
    for edit in change.edits:
        touched += max(
            1, *(len(re.findall(r"[;{]", part)) for part in (text[edit.start : edit.end], edit.text))
        )
    return touched <= _SMALL


_INTEGER = re.compile(r"(?:signed|unsigned|char|short|int|long|u?int(?:8|16|32|64)_t|size_t|\s)+")
_NARROW = re.compile(r"char|short|int8_t|int16_t")


def _widens(text: str, difference: Difference) -> bool:
    """Whether it does nothing but declare a narrow integer as a wider one."""
    return all(
        _NARROW.search(text[edit.start : edit.end]) is not None
        and _INTEGER.fullmatch(text[edit.start : edit.end]) is not None
        and _INTEGER.fullmatch(edit.text) is not None
        and _NARROW.search(edit.text) is None
        for edit in difference.edits
    )


def _least(
    kept: list[Difference], part: list[Difference], enough: Callable[[Sequence[Difference]], bool]
) -> list[Difference]:
    """`kept` without those of `part` that are not needed: halves of it first."""
    fewer = [one for one in kept if one not in part]
    if enough(fewer):
        return fewer
    if len(part) > 1:
        half = len(part) // 2
        kept = _least(kept, part[:half], enough)
        kept = _least(kept, part[half:], enough)
    return kept


def _of(found: Sequence[Difference]) -> Change:
    edits = tuple(edit for difference in found for edit in difference.edits)
    return Change(edits, tuple(difference.title for difference in found), float(len(found)))
