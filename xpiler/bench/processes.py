"""Questions that are answered in processes of their own, ended when they take too long, and remembered.

Answers are appended to a state file, by a key of everything that they depend on, so that an interrupted run
goes on where it stopped and a second one only repeats what has changed.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any, TypeVar

from xpiler.gate import cache

Question = TypeVar("Question")
Answer = dict[str, Any]

_running: set[subprocess.Popen[str]] = set()

# What a translation does not depend on.
_ABOVE_TRANSLATION = ("bench", "neural", "repair", "symbolic", "check_command.py", "cli.py")


@functools.cache
def engine_version() -> str:
    """A name for the engine's own text: every file of the package."""
    return _version(())


@functools.cache
def translator_version() -> str:
    """The same of those files that a translation depends on."""
    return _version(_ABOVE_TRANSLATION)


def _version(without: tuple[str, ...]) -> str:
    package = Path(__file__).parents[1]
    files = sorted(p for p in package.rglob("*") if p.suffix in (".py", ".hpp", ".h", ".cpp"))
    files = [p for p in files if p.relative_to(package).parts[0] not in without]
    return cache.key(*(part for p in files for part in (str(p.relative_to(package)), p.read_bytes())))


def in_process(module: str, question: Mapping[str, Any], limit: float) -> tuple[Answer | None, str]:
    """What the module says, run as a program that takes the question on standard input and answers on
    standard output; None and the reason where it says nothing."""
    process = subprocess.Popen(
        [sys.executable, "-m", module],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    _running.add(process)
    try:
        said, errors = process.communicate(json.dumps(question), timeout=limit)
    except subprocess.TimeoutExpired:
        return None, f"stopped after {limit:.0f} s"
    finally:
        _end(process)
        _running.discard(process)
    if process.returncode != 0:
        last = (errors.strip().splitlines() or [f"exit code {process.returncode}"])[-1]
        return None, f"the engine failed: {last}"
    found: Answer = json.loads(said)
    return found, ""


def answers(
    keys: Mapping[Question, str], answer: Callable[[Question], Answer], state: Path, jobs: int
) -> Iterator[tuple[Question, Answer]]:
    """Answers in the order in which they come: first those that the state file has, then new ones. Where the
    caller is interrupted or asks for no more, the processes that were at work are ended."""
    known = _read_state(state)
    for question, key in keys.items():
        if key in known:
            yield question, known[key]
    open_ones = [question for question, key in keys.items() if key not in known]
    state.parent.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(jobs) as pool, state.open("a", encoding="utf-8") as record:
        running = {pool.submit(answer, question): question for question in open_ones}
        try:
            for done in as_completed(running):
                question, outcome = running[done], done.result()
                record.write(json.dumps({"key": keys[question], "outcome": outcome}) + "\n")
                record.flush()
                yield question, outcome
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
            for process in tuple(_running):
                _kill(process)


def _end(process: subprocess.Popen[str]) -> None:
    """Ends the process and what it started, and waits for it."""
    if process.poll() is None:
        _kill(process)
        process.communicate()


def _kill(process: subprocess.Popen[str]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _read_state(state: Path) -> dict[str, Answer]:
    """What an earlier run found; a line cut off by an interruption is skipped."""
    known: dict[str, Answer] = {}
    if not state.is_file():
        return known
    for line in state.read_text(encoding="utf-8").splitlines():
        try:
            entry = json.loads(line)
        except json.JSONDecodeError:
            continue
        known[entry["key"]] = entry["outcome"]
    return known
