"""A worker: tasks as lines of JSON on standard input, progress and results as lines on standard output.

    {"id": 1, "work": "translate", "with": {...}}       {"id": 1, "progress": "running the source"}
    {"pause": 1}, {"resume": 1}                 -->     {"id": 1, "event": {...}}
    {"cancel": 1}                                       {"id": 1, "result": {...}}

Whatever else prints goes to standard error. When standard input ends, so do the worker and all that it
started: nobody is left who wants the answer.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import sys
import threading
import traceback
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from xpiler_server.engine.asking import Ask, Cancelled
from xpiler_server.engine.process_tree import kill_tree
from xpiler_server.engine.work import WORK

_NICE = 5  # the editor and the server come first


def main() -> None:
    protocol = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    tasks: queue.Queue[dict[str, Any]] = queue.Queue()
    wishes = _Wishes()
    threading.Thread(target=_listen, args=(sys.stdin.buffer, tasks, wishes), daemon=True).start()
    with contextlib.suppress(OSError, AttributeError):  # not every system has it
        os.nice(_NICE if len(sys.argv) < 2 else int(sys.argv[1]))
    while True:
        task = tasks.get()
        if task["id"] not in wishes.cancelled:
            _tell(protocol, _done(task, protocol, wishes))


@dataclass
class _Wishes:
    """What the server wants of tasks, by their numbers."""

    cancelled: set[int] = field(default_factory=set)
    paused: set[int] = field(default_factory=set)


def _listen(stream: BinaryIO, tasks: queue.Queue[dict[str, Any]], wishes: _Wishes) -> None:
    for line in stream:
        message = json.loads(line)
        if "cancel" in message:
            wishes.cancelled.add(message["cancel"])
        elif "pause" in message:
            wishes.paused.add(message["pause"])
        elif "resume" in message:
            wishes.paused.discard(message["resume"])
        else:
            tasks.put(message)
    kill_tree(os.getpid(), with_root=False)
    os._exit(0)


def _done(task: dict[str, Any], protocol: BinaryIO, wishes: _Wishes) -> dict[str, Any]:
    number = task["id"]
    ask = Ask(
        task["with"],
        progress=lambda step: _tell(protocol, {"id": number, "progress": step}),
        cancelled=lambda: number in wishes.cancelled,
        paused=lambda: number in wishes.paused,
        tell=lambda event: _tell(protocol, {"id": number, "event": event}),
    )
    try:
        result = WORK[task["work"]](ask)
        return {"id": number, "result": result}
    except Cancelled:
        return {"id": number, "error": "cancelled", "trace": ""}
    except Exception as error:  # a hole in the engine: said, and the worker lives on
        return {"id": number, "error": f"{type(error).__name__}: {error}", "trace": traceback.format_exc()}


def _tell(protocol: BinaryIO, message: dict[str, Any]) -> None:
    try:
        protocol.write(json.dumps(message).encode() + b"\n")
        protocol.flush()
    except BrokenPipeError:
        kill_tree(os.getpid(), with_root=False)
        os._exit(0)


if __name__ == "__main__":
    main()
