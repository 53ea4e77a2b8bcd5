"""The words of `xpiler bench`, those of `bench accuracy`, and its tables."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from xpiler.bench import ablation_command, check_command, repair_command
from xpiler.bench.accuracy import Tally, answers, group, questions, tally, to_json
from xpiler.bench.case import Outcome
from xpiler.bench.operators import load_operators
from xpiler.bench.speed import command as speed_command
from xpiler.bench.words import chosen, percent
from xpiler.errors import Refusal
from xpiler.files import write_atomically
from xpiler.gate import cache
from xpiler.platforms.registry import PLATFORMS

_SHOWN_FAILURES = 40


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds `bench` to the command line."""
    bench = commands.add_parser("bench", help="measure the engine on its benchmark")
    kinds = bench.add_subparsers(required=True, metavar="KIND")
    accuracy = kinds.add_parser(
        "accuracy",
        help="how many translations of the 21 operators hold",
        description="Translate the operators of `snippets/` in every direction, run each result on all its "
        "shapes and compare it with its source. An interrupted run goes on where it stopped. "
        "Exit 0: every shape was computed; 1: some were not.",
    )
    accuracy.add_argument("--ops", help="operators, separated by commas (default: all)")
    accuracy.add_argument("--from", dest="sources", help="source platforms (default: all)")
    accuracy.add_argument("--to", dest="targets", help="target platforms (default: all)")
    accuracy.add_argument(
        "--shapes", type=int, default=8, metavar="N", help="shapes an operator (default: 8)"
    )
    accuracy.add_argument("--jobs", type=int, default=1, metavar="N", help="translations at a time")
    accuracy.add_argument("--json", type=Path, metavar="OUT", help="write the counts and failures to a file")
    accuracy.add_argument(
        "--back",
        action="store_true",
        help="translate there and back, and compare what comes back with the snippet",
    )
    accuracy.add_argument("--by-operator", action="store_true", help="print a table of operators as well")
    accuracy.set_defaults(run=_accuracy)
    repair_command.add_parser(kinds)
    ablation_command.add_parser(kinds)
    check_command.add_parser(kinds)
    speed_command.add_parser(kinds)


def _accuracy(arguments: argparse.Namespace, console: Console) -> int:
    operators = chosen(arguments.ops, list(load_operators()), "operator")
    sources = chosen(arguments.sources, list(PLATFORMS), "platform")
    targets = chosen(arguments.targets, list(PLATFORMS), "platform")
    if arguments.shapes < 1 or arguments.jobs < 1:
        raise Refusal("bench-number", "--shapes and --jobs must be at least 1")
    asked = questions(operators, sources, targets, arguments.shapes, arguments.back)
    if not asked:
        raise Refusal("bench-direction", "there is no direction from a platform to itself")
    state = arguments.json.with_suffix(".state.jsonl") if arguments.json else cache.folder() / "bench.jsonl"

    found: dict[object, Outcome] = {}
    with console.status(f"0 of {len(asked)}") as status:
        for question, outcome in answers(asked, state, arguments.jobs):
            found[question] = outcome
            mark = f"{outcome.computed}/{outcome.shapes}"
            line = f"{outcome.direction} {outcome.operator} {mark} ({outcome.seconds:.1f} s)"
            if console.is_terminal:
                status.update(f"{len(found)} of {len(asked)}: {line}")
            else:
                console.print(f"[{len(found)}/{len(asked)}] {line}", markup=False, soft_wrap=True)
    outcomes = [found[question] for question in asked]
    _print(outcomes, arguments.by_operator)
    if arguments.json:
        write_atomically(arguments.json, json.dumps(to_json(outcomes), indent=2) + "\n")
    return 0 if all(o.computed == o.shapes for o in outcomes) else 1


# ------------------------------------------------------------------------------------------------ printing


def _print(outcomes: Sequence[Outcome], by_operator: bool) -> None:
    out = Console(highlight=False)
    kind = "round trips" if any(o.back for o in outcomes) else "cases"
    out.print(f"{'there and back: ' * (kind != 'cases')}compiled % / computed % / native % / proved %")
    out.print(directions_table(outcomes))
    if by_operator:
        out.print("computed shapes of each operator; * where the main loop is not the platform's own")
        out.print(operators_table(outcomes))
    document = to_json(outcomes)
    failures = document["failures"]
    for failure in failures[:_SHOWN_FAILURES]:
        line = f"{failure['direction']} {failure['case']}: {failure['rung']}: {failure['message']}"
        out.print(line, markup=False, soft_wrap=True)
    if len(failures) > _SHOWN_FAILURES:
        out.print(f"and {len(failures) - _SHOWN_FAILURES} more failures")
    if not_proved := document["not_proved"]:
        out.print("read back and not proved equal for all data:")
        for one in not_proved:
            line = f"{one['direction']} {one['operator']}: {one['why']}"
            out.print(line, markup=False, soft_wrap=True)
    total = tally(outcomes)
    out.print(
        f"{total.cases} {kind}: compiled {percent(total.compiled, total.cases)}, "
        f"computed {percent(total.computed, total.cases)}, verified {percent(total.verified, total.cases)}; "
        f"native {percent(total.native, total.compiled)} of the compiled; "
        f"proved {percent(total.proved, total.cases)}"
    )


def directions_table(outcomes: Sequence[Outcome]) -> Table:
    """Rows are sources, columns targets; a cell is compiled / computed / native / proved in percent."""
    table = Table()
    table.add_column("from \\ to" if not any(o.back for o in outcomes) else "from \\ by way of")
    groups = {name: tally(part) for name, part in group(outcomes, _ends).items()}
    targets = [name for name in PLATFORMS if any(o.target == name for o in outcomes)]
    for target in targets:
        table.add_column(target, justify="right")
    for source in (name for name in PLATFORMS if any(o.source == name for o in outcomes)):
        table.add_row(source, *(_cell(groups.get(f"{source}->{target}")) for target in targets))
    return table


def operators_table(outcomes: Sequence[Outcome]) -> Table:
    """Rows are operators, columns directions; a cell counts computed shapes, `*`: not natively."""
    table = Table()
    table.add_column("operator")
    directions = list(group(outcomes, lambda o: o.direction))
    for direction in directions:
        table.add_column(direction, justify="right")
    for name, part in group(outcomes, lambda o: o.operator).items():
        cells = {o.direction: f"{o.computed}/{o.shapes}{'' if o.native else '*'}" for o in part}
        table.add_row(name, *(cells.get(direction, "") for direction in directions))
    return table


def _ends(outcome: Outcome) -> str:
    return f"{outcome.source}->{outcome.target}"


def _cell(part: Tally | None) -> str:
    if part is None:
        return ""
    shares = (
        (part.compiled, part.cases),
        (part.computed, part.cases),
        (part.native, part.compiled),
        (part.proved, part.cases),
    )
    return " / ".join(percent(count, of) for count, of in shares)
