"""What the largest elements of index arrays are in test data (see `ir/largest_index.py`)."""

from __future__ import annotations

from collections.abc import Mapping

from xpiler.gate.contract import Values
from xpiler.ir.largest_index import largest_of


def largest_elements(values: Mapping[str, Values], extents: Mapping[str, int]) -> dict[str, int]:
    """The largest elements of arrays whose contents are drawn as `values` says, by the names that stand for
    them."""
    found: dict[str, int] = {}
    for name, drawn in values.items():
        match drawn.kind:
            case "index":
                found[largest_of(name).name] = max(int(drawn.high) - 1, int(drawn.low), *drawn.beyond, 0)
            case "offsets":
                found[largest_of(name).name] = int(drawn.high)
            case "permutation" if name in extents:
                found[largest_of(name).name] = int(drawn.low) + extents[name] - 1
    return found
