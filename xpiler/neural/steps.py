"""Which passes lead from one platform to another, each with the language of the program that it leaves.

Every program on the way is one that can be compiled and run: as the source is, as serial C++, or in the
target's language. So every step can be checked against the source by itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePath

from xpiler.platforms.registry import PLATFORMS

SERIAL = "vnni"
"""The platform whose language has plain serial programs."""


@dataclass(frozen=True)
class Step:
    """A pass by the name of its meta-prompt, and the platform of the program after it."""

    kind: str
    platform: str

    def file(self, source: str) -> str:
        """What the program after this step is called, beside the file `source`."""
        return str(PurePath(source).with_suffix(PLATFORMS[self.platform].extension))


def steps_between(source: str, target: str) -> tuple[Step, ...]:
    """The passes of a direction, in order."""
    came, goes = PLATFORMS[source].model, PLATFORMS[target].model
    if came == goes:
        return (Step("loop_bind", target),)
    found = []
    if came == "tasks":
        found.append(Step("detensorize", SERIAL))
    elif came != "serial":
        found.append(Step("loop_recovery", SERIAL))
    elif goes != "serial":
        found.append(Step("detensorize", SERIAL))
    if goes == "serial":
        found.append(Step("tensorize", target))
    elif goes == "simt":
        found += [Step("loop_bind", target), Step("cache", target)]
    else:
        found += [Step("loop_bind", target), Step("cache", target), Step("tensorize", target)]
    return tuple(found)
