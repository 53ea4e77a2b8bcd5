"""One extent of a grid or a block, as text, of what a launch is given.

dim3(S, H), x   -->  S            n / 256, x         -->  dim3(n / 256).x
{S, H}, z       -->  1            dim3(n / 256), x   -->  dim3(n / 256).x
"""

from __future__ import annotations

import re

from xpiler.frontend.syntax_collect import split_arguments


def axis_of(extents: str, axis: str) -> str:
    """`extents` is of type dim3, or becomes one: a lone value between brackets may be either."""
    text = extents.strip()
    made = re.fullmatch(r"(?:dim3\s*)?\{(.*)\}|dim3\s*\((.*)\)", text, re.DOTALL)
    inner = (made[1] or made[2] or "") if made else text
    if made is None or not _is_closed(inner):
        return f"dim3({text}).{axis}"
    parts = [part.strip() for part in split_arguments(inner)]
    if len(parts) == 1 or not all(parts) or "<" in inner:  # a comma may be one of a template's
        return f"dim3({inner}).{axis}"
    place = "xyz".index(axis)
    return parts[place] if place < len(parts) else "1"


def _is_closed(text: str) -> bool:
    """Whether every bracket that closes has its own before it."""
    depth = 0
    for character in text:
        depth += (character in "([{") - (character in ")]}")
        if depth < 0:
            return False
    return depth == 0
