"""`xpiler repair SRC DST`: the words of the command line for `repair/`."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from rich.console import Console

from xpiler.errors import Refusal
from xpiler.files import read_source, write_atomically
from xpiler.gate.evidence import Evidence
from xpiler.gate.overrides import Overrides
from xpiler.repair import Repair, mend, repair
from xpiler.repair.result import NOTHING_WRONG, REFUSED, REPAIRED
from xpiler.translate import Result, Trusted

EXIT_REPAIRED, EXIT_NOT_REPAIRED, EXIT_REFUSED = 0, 1, 2
_EXIT = {REPAIRED: EXIT_REPAIRED, NOTHING_WRONG: EXIT_REPAIRED}
_STYLES = {REPAIRED: "bold green", NOTHING_WRONG: "bold green"}


def run_repair(arguments: argparse.Namespace, overrides: Overrides, progress: Any, console: Console) -> int:
    """Repairs DST and writes the result to OUT, if there is one."""
    source, target = read_source(arguments.source), read_source(arguments.target)
    try:
        with progress as step:
            found = repair(
                source,
                str(arguments.source),
                target,
                str(arguments.target),
                overrides,
                seconds=arguments.seconds,
                progress=step,
            )
    except Refusal as refusal:
        if arguments.json:
            print(json.dumps(document(Repair(REFUSED, reason=str(refusal.diagnostic)), None)))
            return EXIT_REFUSED
        raise
    output: Path | None = arguments.output
    if output is not None and found.text is not None:
        write_atomically(output, found.text)
    if arguments.json:
        print(json.dumps(document(found, output)))
    else:
        _print(found, arguments, output)
    return _EXIT.get(found.status, EXIT_NOT_REPAIRED)


def located(
    trusted: Trusted, source: str, target: str, arguments: argparse.Namespace, verdict: Result, step: Any
) -> Repair | None:
    """Where a target that is not verified is wrong; None where nothing could be run."""
    try:
        return mend(
            trusted, source, target, str(arguments.target), verdict, seconds=arguments.seconds, progress=step
        )
    except Refusal:
        return None


def print_located(found: Repair, arguments: argparse.Namespace) -> None:
    """The wrong statements, and what would make them right."""
    out = Console(highlight=False)
    for place in found.localized:
        out.print(f"{place.range}: {place.message}", style="red", markup=False, soft_wrap=True)
    if found.reason and not found.localized:
        out.print(f"the statement was not found: {found.reason}", markup=False, soft_wrap=True)
    if found.text is not None:
        out.print(f"`xpiler repair {arguments.source} {arguments.target}` makes it right:", markup=False)
        out.print(found.diff, markup=False, soft_wrap=True, end="")


def document(found: Repair, output: Path | None) -> dict[str, Any]:
    """The result as JSON."""
    return {
        "status": found.status,
        "output": str(output) if output is not None and found.text is not None else None,
        "localized": [place.to_json() for place in found.localized],
        "diff": found.diff,
        "evidence": [rung.to_json() for rung in found.evidence],
        "reason": found.reason,
        "seconds": round(found.seconds, 3),
    }


def _print(found: Repair, arguments: argparse.Namespace, output: Path | None) -> None:
    out = Console(highlight=False)
    for place in found.localized:
        out.print(f"{place.range}: {place.message}", style="red", markup=False, soft_wrap=True)
    where = f" -> {output}" if output is not None and found.text is not None else ""
    title = f"{arguments.target}{where}: {found.status.upper()} ({found.seconds:.1f} s)"
    out.print(title, style=_STYLES.get(found.status, "bold yellow"), markup=False, soft_wrap=True)
    if found.reason:
        out.print(f"  {found.reason}", markup=False, soft_wrap=True)
    out.print(Evidence(found.evidence).render(), markup=False, soft_wrap=True)
    if found.diff:
        out.print(found.diff, markup=False, soft_wrap=True, end="")
