"""Ends a process with everything that it started, also what left its session."""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path

_STOP = getattr(signal, "SIGSTOP", None)
_KILL = getattr(signal, "SIGKILL", signal.SIGTERM)  # Windows knows one way to end a process


def kill_tree(root: int, *, with_root: bool = True) -> None:
    """Stops the processes first, so that none starts another meanwhile, then kills them."""
    found: list[int] = []
    if with_root:
        _signal(root, _STOP)
    while more := [pid for pid in descendants(root) if pid not in found]:
        for pid in more:
            _signal(pid, _STOP)
        found += more
    for pid in (*reversed(found), *([root] if with_root else [])):
        _signal(pid, _KILL)


def descendants(root: int) -> list[int]:
    """Children of `root`, their children, and so on; none where the system has no `/proc`: there no programs
    are run."""
    children: dict[int, list[int]] = {}
    with contextlib.suppress(OSError):
        for entry in os.scandir("/proc"):
            if entry.name.isdigit() and (parent := _parent(entry.path)) is not None:
                children.setdefault(parent, []).append(int(entry.name))
    found: list[int] = []
    open_ = [root]
    while open_:
        inner = children.get(open_.pop(), [])
        found += inner
        open_ += inner
    return found


def _parent(folder: str) -> int | None:
    try:
        fields = Path(folder, "stat").read_text().rpartition(")")[2].split()
    except (OSError, UnicodeDecodeError):
        return None
    return None if fields[0] == "Z" else int(fields[1])


def _signal(pid: int, number: signal.Signals | None) -> None:
    if number is None:
        return
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)
