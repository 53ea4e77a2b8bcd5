"""A worker: tasks as lines of JSON on standard input, progress and results as lines on standard output.

    {"id": 1, "work": "translate", "with": {...}}       {"id": 1, "progress": "running the source"}
    {"cancel": 1}                               -->     {"id": 1, "result": {...}}

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
from typing import Any, BinaryIO

from xpiler_server.engine.process_tree import kill_tree
from xpiler_server.engine.work import WORK, Ask, Cancelled

_NICE = 5  # the editor and the server come first


def main() -> None:
    protocol = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    tasks: queue.Queue[dict[str, Any]] = queue.Queue()
    cancelled: set[int] = set()
    threading.Thread(target=_listen, args=(sys.stdin.buffer, tasks, cancelled), daemon=True).start()
    with contextlib.suppress(OSError):
        os.nice(_NICE if len(sys.argv) < 2 else int(sys.argv[1]))
    while True:
        task = tasks.get()
        if task["id"] not in cancelled:
            _tell(protocol, _done(task, protocol, cancelled))


def _listen(stream: BinaryIO, tasks: queue.Queue[dict[str, Any]], cancelled: set[int]) -> None:
    for line in stream:
        message = json.loads(line)
        if "cancel" in message:
            cancelled.add(message["cancel"])
        else:
            tasks.put(message)
    kill_tree(os.getpid(), with_root=False)
    os._exit(0)


def _done(task: dict[str, Any], protocol: BinaryIO, cancelled: set[int]) -> dict[str, Any]:
    number = task["id"]

    def progress(step: str) -> None:
        _tell(protocol, {"id": number, "progress": step})

    try:
        result = WORK[task["work"]](Ask(task["with"], progress, lambda: number in cancelled))
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
