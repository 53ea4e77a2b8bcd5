"""A definition that a translated HIP file carries itself."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Helper:
    """One definition: its text, and the helpers that must come before it."""

    text: str
    requires: tuple[str, ...] = ()
