"""What makes a translation's parallel loops right: index algebra, or CUDA's rule and runs without a race."""

from __future__ import annotations

import time
from collections.abc import Iterable

from xpiler.gate.evidence import Rung
from xpiler.ir.flags import flags
from xpiler.ir.nodes import Function
from xpiler.passes.premises import premises, serial_where_not_shown
from xpiler.routes.job import EntryJob


def settled(kernel: str, canonical: Function, entries: Iterable[EntryJob]) -> tuple[Function, Rung]:
    """The function with the parallel loops that it may have, and the record of why."""
    start = time.monotonic()
    found = premises(canonical)
    believed = dict.fromkeys(f"`{premise.loop}`" for premise in found if not premise.shown)
    shown = dict.fromkeys(f"`{premise.loop}`" for premise in found if premise.shown)
    parts = [f"loops {', '.join(s for s in shown if s not in believed)} shown independent"]
    parts = parts if any(s not in believed for s in shown) else []
    if believed and not flags(canonical) and _races_were_looked_for(kernel, entries):
        parts.append(f"{', '.join(believed)} by CUDA's rule, and no race in the runs of the source")
    elif believed:
        why = "threads read flags that others set" if flags(canonical) else "not checked for races"
        parts.append(f"{', '.join(believed)} serial: not shown independent, and {why}")
        canonical = serial_where_not_shown(canonical, found)
    detail = f"{kernel}: {'; '.join(parts) or 'no parallel loops'}"
    return canonical, Rung("proved", True, "index algebra", detail, time.monotonic() - start)


def _races_were_looked_for(kernel: str, entries: Iterable[EntryJob]) -> bool:
    """Whether the kernel was run in the interpreter, which checks every access for races."""
    return any(
        item.inference is not None and item.inference.checked and not item.inference.findings
        for item in entries
        if kernel in item.entry.kernels
    )
