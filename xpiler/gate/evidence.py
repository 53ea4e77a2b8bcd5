"""The record of what was checked, with which tool, and what came out of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from xpiler.errors import Diagnostic

LADDER = ("parsed", "compiled", "executed", "sanitized", "special", "proved", "measured")
READ_BACK = "text read back"  # the tool of the rung that proves the delivered text itself
REQUIRED = frozenset({"parsed", "compiled", "executed"})  # without these nothing is called verified


@dataclass(frozen=True)
class Rung:
    """One check. `rung` is a step of `LADDER`, `detail` the outcome in words, `seconds` the wall time it
    took. `findings` are what it found wrong, with places in the text. `undecided`: nothing was found wrong,
    and what the rung is about was not shown either.
    """

    rung: str
    ok: bool
    tool: str
    detail: str
    seconds: float
    findings: tuple[Diagnostic, ...] = field(default=(), compare=False)
    undecided: bool = False

    def to_json(self) -> dict[str, Any]:
        return {
            "rung": self.rung,
            "ok": self.ok,
            "tool": self.tool,
            "detail": self.detail,
            "seconds": round(self.seconds, 4),
        } | ({"undecided": True} if self.undecided else {})


@dataclass(frozen=True)
class Evidence:
    """All checks of one result, in the order in which they were made."""

    rungs: tuple[Rung, ...] = ()

    @property
    def verified(self) -> bool:
        """Every check passed, and it was at least parsed, compiled and executed."""
        return all(rung.ok for rung in self.rungs) and {rung.rung for rung in self.rungs} >= REQUIRED

    @property
    def status(self) -> str:
        return "verified" if self.verified else "unverified"

    @property
    def failed(self) -> Rung | None:
        """The first check that failed."""
        return next((rung for rung in self.rungs if not rung.ok), None)

    def why_unverified(self) -> str:
        """The failed check, or the checks that were never made, in words; empty if verified."""
        if self.failed:
            return f"{self.failed.rung}: {self.failed.detail}"
        made = {rung.rung for rung in self.rungs}
        missing = [rung for rung in LADDER if rung in REQUIRED and rung not in made]
        return f"never {' nor '.join(missing)}" if missing else ""

    def to_json(self) -> dict[str, Any]:
        return {"status": self.status, "evidence": [rung.to_json() for rung in self.rungs]}

    def render(self, *, colour: bool = False) -> str:
        """One line a check, aligned, for a terminal; `colour` adds ANSI green and red."""
        if not self.rungs:
            return "  nothing was checked"
        width = max(len(rung.rung) for rung in self.rungs)
        tools = max(len(rung.tool) for rung in self.rungs)
        return "\n".join(_line(rung, width, tools, colour) for rung in self.rungs)


def _line(rung: Rung, width: int, tools: int, colour: bool) -> str:
    mark = ("open" if rung.undecided else "ok  ") if rung.ok else "FAIL"
    if colour:
        mark = f"\x1b[{(33 if rung.undecided else 32) if rung.ok else 31}m{mark}\x1b[0m"
    indent = "\n" + " " * (width + tools + 20)
    detail = rung.detail.replace("\n", indent)
    return f"  {mark}  {rung.rung:<{width}}  {rung.tool:<{tools}}  {rung.seconds:6.2f} s  {detail}"
