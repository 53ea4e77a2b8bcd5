"""The words of `xpiler bench repair`, and its tables."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from xpiler.bench.faults.model import CLASSES
from xpiler.bench.operators import load_operators
from xpiler.bench.repair import REPAIR_SECONDS, Tally, answers, group, is_single, questions, tally, to_json
from xpiler.bench.repair_case import COUNTED, EQUIVALENT, UNAVAILABLE, RepairOutcome
from xpiler.bench.words import chosen, percent
from xpiler.errors import Refusal
from xpiler.files import write_atomically
from xpiler.gate import cache
from xpiler.platforms.registry import PLATFORMS

_SHOWN = 40


def add_parser(kinds: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds `bench repair` to the command line."""
    repair = kinds.add_parser(
        "repair",
        help="how many faults in translations are detected, localized and repaired",
        description="Put faults of the kinds that language models make into right translations of the "
        "operators of `snippets/`, one to three at a time, and let the engine find and repair them. An "
        "interrupted run goes on where it stopped. Exit 0: every fault was detected and repaired; 1: some "
        "were not.",
    )
    repair.add_argument("--cases", type=int, default=1000, metavar="N", help="texts with faults (1000)")
    repair.add_argument("--seed", type=int, default=0, metavar="S", help="which faults are drawn (0)")
    repair.add_argument("--ops", help="operators, separated by commas (default: all)")
    repair.add_argument("--from", dest="sources", help="source platforms (default: all)")
    repair.add_argument("--to", dest="targets", help="target platforms (default: all)")
    repair.add_argument("--classes", help=f"classes of faults: {', '.join(CLASSES)} (default: all)")
    repair.add_argument(
        "--seconds", type=float, default=REPAIR_SECONDS, metavar="T", help="that a repair may take (30)"
    )
    repair.add_argument(
        "--search-only",
        action="store_true",
        help="without the engine's own translation, which is here the text that faults are put into: how "
        "well it repairs texts of others",
    )
    repair.add_argument(
        "--hand-written",
        action="store_true",
        help="put the faults into the target platform's own snippet of the operator, a text that the engine "
        "did not write",
    )
    repair.add_argument("--jobs", type=int, default=1, metavar="N", help="cases at a time")
    repair.add_argument("--json", type=Path, metavar="OUT", help="write the counts and failures to a file")
    repair.set_defaults(run=_repair)


def _repair(arguments: argparse.Namespace, console: Console) -> int:
    operators = chosen(arguments.ops, list(load_operators()), "operator")
    sources = chosen(arguments.sources, list(PLATFORMS), "platform")
    targets = chosen(arguments.targets, list(PLATFORMS), "platform")
    classes = chosen(arguments.classes, list(CLASSES), "class")
    if arguments.cases < 1 or arguments.jobs < 1:
        raise Refusal("bench-number", "--cases and --jobs must be at least 1")
    asked = questions(
        operators,
        sources,
        targets,
        classes,
        arguments.cases,
        arguments.seed,
        arguments.seconds,
        not arguments.search_only,
        arguments.hand_written,
    )
    if not asked:
        raise Refusal("bench-direction", "there is no direction from a platform to itself")
    state = arguments.json.with_suffix(".state.jsonl") if arguments.json else _default_state()
    found: dict[object, RepairOutcome] = {}
    with console.status(f"0 of {len(asked)}") as status:
        for question, outcome in answers(asked, state, arguments.jobs):
            found[question] = outcome
            if console.is_terminal:
                status.update(f"{len(found)} of {len(asked)}: {_line(outcome)}")
            else:
                console.print(f"[{len(found)}/{len(asked)}] {_line(outcome)}", markup=False, soft_wrap=True)
    outcomes = [found[question] for question in asked]
    _print(outcomes, by_hand=arguments.hand_written)
    if arguments.json:
        write_atomically(arguments.json, json.dumps(to_json(outcomes), indent=2) + "\n")
    return 0 if all(o.detected and o.repaired for o in outcomes if o.status == COUNTED) else 1


def _default_state() -> Path:
    return cache.folder() / "bench-repair.jsonl"


def _line(outcome: RepairOutcome) -> str:
    kinds = "; ".join(f"{f.code} {f.kind}" for f in outcome.faults) or ", ".join(outcome.codes)
    verdict = outcome.status
    if outcome.status == COUNTED:
        marks = {"detected": outcome.detected, "localized": outcome.localized, "repaired": outcome.repaired}
        verdict = ", ".join(name for name, ok in marks.items() if ok) or "missed"
    return f"{outcome.direction} {outcome.operator} {kinds}: {verdict} ({outcome.seconds:.1f} s)"


# ------------------------------------------------------------------------------------------------ printing


def _print(outcomes: Sequence[RepairOutcome], *, by_hand: bool) -> None:
    out = Console(highlight=False)
    single = [o for o in outcomes if is_single(o)]
    out.print("texts with one fault, by class")
    by_class = group((o for o in single if o.faults), lambda o: o.faults[0].code)
    out.print(_table(((f"{code} {CLASSES[code]}", by_class.get(code, [])) for code in CLASSES), single))
    out.print("all texts, by target platform")
    by_platform = group(outcomes, lambda o: o.target)
    rows = [(name, by_platform[name]) for name in PLATFORMS if name in by_platform]
    rows.append(("two or three faults", [o for o in outcomes if not is_single(o)]))
    out.print(_table(rows, outcomes))
    missed = [o for o in outcomes if o.status == COUNTED and not (o.detected and o.repaired)]
    for outcome in missed[:_SHOWN]:
        out.print(f"{_line(outcome)}: {outcome.why}", markup=False, soft_wrap=True)
    if len(missed) > _SHOWN:
        out.print(f"and {len(missed) - _SHOWN} more")
    compared = tally(outcomes).compared
    if compared:
        own = "" if by_hand else ", which is here the text that the faults were put into"
        out.print(
            f"{compared} of {tally(outcomes).repaired} repairs came of a comparison with the engine's own "
            f"translation{own}; --search-only does without"
        )
    counts = {status: sum(o.status == status for o in outcomes) for status in (EQUIVALENT, UNAVAILABLE)}
    out.print(
        f"{len(outcomes)} texts: {tally(outcomes).cases} counted, {counts[EQUIVALENT]} whose faults change "
        f"nothing, {counts[UNAVAILABLE]} that could not be made"
    )


def _table(rows: Iterable[tuple[str, Sequence[RepairOutcome]]], everything: Sequence[RepairOutcome]) -> Table:
    table = Table()
    for name in ("", "cases", "detected %", "localized %", "repaired %", "p50 s", "p95 s"):
        table.add_column(name, justify="right" if name else "left")
    for name, part in rows:
        counted = tally(part)
        if counted.cases:
            table.add_row(name, *_cells(counted))
    table.add_section()
    table.add_row("all", *_cells(tally(everything)))
    return table


def _cells(part: Tally) -> list[str]:
    shares = [percent(count, part.cases) for count in (part.detected, part.localized, part.repaired)]
    return [str(part.cases), *shares, f"{part.seconds_p50:.1f}", f"{part.seconds_p95:.1f}"]
