"""What happened on the way to a result, as it is told while it happens and kept with the result."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Event:
    """One thing. `step`: the pass; `what`: sketched, cached, failed, repaired, accepted, skipped, net,
    chosen."""

    step: str
    what: str
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.step.replace('_', ' ')}: {self.what}" + (f": {self.detail}" if self.detail else "")

    def to_json(self) -> dict[str, str]:
        return {"step": self.step, "what": self.what, "detail": self.detail}
