"""Length-preserving masking: blank what the grammar cannot take and the meaning does not need."""

from __future__ import annotations

import re


def prepare(text: str) -> str:
    """Text of the same length, in ASCII, that the grammar can parse; offsets do not move."""
    return re.sub(r"[^\x00-\x7f]", "_", text)
