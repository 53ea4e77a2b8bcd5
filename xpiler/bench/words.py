"""What the commands of the benchmark share: lists that a person gives, shares that are printed."""

from __future__ import annotations

from collections.abc import Sequence

from xpiler.errors import Refusal


def chosen(given: str | None, known: Sequence[str], what: str) -> list[str]:
    if given is None:
        return list(known)
    names = [name.strip() for name in given.split(",") if name.strip()]
    for name in names:
        if name not in known:
            raise Refusal("bench-name", f"no {what} is named {name!r}", remedy=f"known: {', '.join(known)}")
    return names


def percent(count: int, of: int) -> str:
    """`100`, `98.2`; a dash where there is nothing to count."""
    return f"{100 * count / of:.1f}".removesuffix(".0") if of else "-"
