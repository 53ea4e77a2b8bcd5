"""What a number of lanes may have been meant by, where it is written as the bits of a mask.

const __mmask16 twelve = 0x07ff;      -->      0x0fff, 0x03ff, 0xffff, 0xf800, ...
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

_MASK = re.compile(r"0[xX](?P<digits>[0-9a-fA-F]+)(?P<suffix>[uUlL]*)")
_MOST_LANES = 64


def other_masks(written: str, counts: Iterable[str]) -> Iterator[tuple[str, float]]:
    """Other masks, written like this one, with their costs: of one lane more or less, of as many lanes as one
    of the `counts`, of all lanes, of the other ones, of each half."""
    match = _MASK.fullmatch(written)
    if match is None:
        return
    width = max(8, 4 * len(match["digits"]))
    every, value = (1 << width) - 1, int(match["digits"], 16)
    lanes = [int(count) for count in counts if count.isdigit() and 0 < int(count) <= _MOST_LANES]
    near = (value << 1 | value & 1, value >> 1, value << 1, every ^ value)
    halves = (every >> width // 2, every ^ every >> width // 2)
    seen = {value, 0}
    for cost, masks in (
        (1.2, [(1 << count) - 1 for count in lanes if count <= width]),
        (1.3, [every, *near]),
        (1.6, [*halves, every // 3, every // 3 * 2]),
    ):
        for mask in (mask & every for mask in masks):
            if mask not in seen:
                seen.add(mask)
                digits = f"{mask:0{len(match['digits'])}x}"
                yield f"0x{digits.upper() if match['digits'].isupper() else digits}{match['suffix']}", cost
