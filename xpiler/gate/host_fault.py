"""Host code that comes to its end before it has done its work: a crash, a hang, more and more processes."""

from __future__ import annotations

from xpiler.errors import Refusal
from xpiler.gate.entries import Entry

# `abort`, `assert`, `exit`, an exception: sizes may be what it minds.
_OWN_WILL = ("trap", "the program ended itself")


def stopped_in_host_code(entry: Entry, where: str, fault: str) -> Refusal:
    """`where`: before its first launch, or after which."""
    remedy = f"mend the host code, or translate a kernel alone with --entry {(*entry.kernels, 'KERNEL')[0]}"
    if fault.startswith(_OWN_WILL):
        remedy = f"if it asks for certain sizes state them, for example --arg n=1024; else {remedy}"
    what = f"{entry.name} stops in host code {where}, at all sizes that were tried: {fault}"
    return Refusal("host-fault", what, entry.range, remedy)
