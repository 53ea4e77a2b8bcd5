"""`xpiler bench check`: how long checks take, and what they say, by kernel."""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from xpiler.bench.operators import load_operators, snippet
from xpiler.bench.words import percent
from xpiler.errors import Refusal
from xpiler.files import read_source, write_atomically
from xpiler.platforms.registry import PLATFORMS, platform_of
from xpiler.symbolic.check import Options, check_unit
from xpiler.symbolic.findings import BUGS, CLEAN, REFUSED, UNDECIDED
from xpiler.symbolic.templates import parse_with_templates

_SHOWN = 20
_LINES = 200  # of a text whose kernels have a second


@dataclass(frozen=True)
class Checked:
    """A text: seconds of processor time for `parsing`, for `trials` (what runs show) and for
    `proofs` (what holds for all sizes), of all its kernels together; their `statuses`."""

    file: str
    platform: str
    lines: int
    parsing: float
    trials: float
    proofs: float
    statuses: tuple[str, ...]


def add_parser(kinds: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds `bench check` to the command line."""
    check = kinds.add_parser(
        "check",
        help="how long checks of kernels take",
        description="Check the kernels of texts, by default those of `snippets/`, and measure the processor "
        "time, which does not depend on what else the machine does. Exit 0, also where bugs are found.",
    )
    check.add_argument("files", nargs="*", type=Path, metavar="FILE", help="texts (default: the snippets)")
    check.add_argument("--json", type=Path, metavar="OUT", help="write the times to a file")
    check.set_defaults(run=_check)


def _check(arguments: argparse.Namespace, console: Console) -> int:
    files = arguments.files or [snippet(name, p) for name in load_operators() for p in PLATFORMS]
    if arguments.files:
        measured(files[0])  # what is loaded once is no part of it
    else:
        measured(next(f for f in files if f.exists()))
    found = [measured(file) for file in files if file.exists() or arguments.files]
    _print(found, Console())
    if arguments.json:
        write_atomically(arguments.json, json.dumps([asdict(c) for c in found], indent=2) + "\n")
    return 0


def measured(file: Path) -> Checked:
    """Raises Refusal for a text that cannot be read."""
    text = read_source(file)
    platform = platform_of(str(file), text)
    start = time.thread_time()
    unit, chosen = parse_with_templates(text, str(file), platform)
    parsed = time.thread_time()
    report = check_unit(unit, Options(templates=chosen))
    tried = time.thread_time()
    check_unit(unit, Options(templates=chosen, prove=True))
    proved = time.thread_time() - tried - (tried - parsed)
    statuses = tuple(verdict.status for verdict in report.kernels)
    if not statuses:
        raise Refusal("bench-name", f"{file} has no kernel")
    lines = text.count("\n")
    times = parsed - start, tried - parsed, max(0.0, proved)
    return Checked(str(file), platform, lines, *times, statuses)


def _print(found: Sequence[Checked], console: Console) -> None:
    table = Table(title="checks, in milliseconds of processor time")
    for column in ("platform", "kernels", "clean", "bugs", "undecided", "refused"):
        table.add_column(column, justify="left" if column == "platform" else "right")
    for column in ("parsing p50", "runs p50", "p95", "proofs p50", "p95"):
        table.add_column(column, justify="right")
    for platform in [*PLATFORMS, "all"]:
        mine = [c for c in found if platform in (c.platform, "all")]
        if not mine:
            continue
        counts = Counter(status for c in mine for status in c.statuses)
        states = [str(counts[s]) for s in (CLEAN, BUGS, UNDECIDED, REFUSED)]
        runs, proofs = ([getattr(c, name) for c in mine] for name in ("trials", "proofs"))
        middle = statistics.median(c.parsing for c in mine)
        times = [middle, statistics.median(runs), _high(runs), statistics.median(proofs), _high(proofs)]
        row = [platform, str(sum(counts.values())), *states, *(f"{1000 * seconds:.0f}" for seconds in times)]
        table.add_row(*row)
    console.print(table)
    short = [c for c in found if c.lines <= _LINES]
    quick = sum(c.trials < 1 for c in short)
    console.print(
        f"{percent(quick, len(short))} % of {len(short)} texts up to {_LINES} lines in under a second"
    )
    slow = sorted((c for c in found if c.trials >= 1), key=lambda c: -c.trials)
    for checked in slow[:_SHOWN]:
        console.print(f"  {checked.trials:.1f} s  {checked.file}", markup=False, soft_wrap=True)


def _high(values: Sequence[float]) -> float:
    """The 95th of a hundred."""
    return sorted(values)[min(len(values) - 1, int(0.95 * len(values)))]
