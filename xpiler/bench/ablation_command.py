"""The words of `xpiler bench ablation`, and its table."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from xpiler.bench.ablation import answers, questions, to_json
from xpiler.bench.ablation_case import STRATEGIES, AblationOutcome
from xpiler.bench.operators import load_operators
from xpiler.bench.sketches import SURVIVES
from xpiler.bench.words import chosen, percent
from xpiler.errors import Refusal
from xpiler.files import write_atomically
from xpiler.gate import cache
from xpiler.neural.settings import model_from
from xpiler.platforms.registry import PLATFORMS


def add_parser(kinds: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds `bench ablation` to the command line."""
    ablation = kinds.add_parser(
        "ablation",
        help="what passes, feedback, solver and engine add to a model's sketches",
        description="Translate the operators of `snippets/` with a model's sketches, helped by more and more "
        "of the method. Without --model the sketches are simulated: right translations with faults, as often "
        "wrong as published. An interrupted run goes on where it stopped. Exit 0.",
    )
    ablation.add_argument("--ops", help="operators, separated by commas (default: all)")
    ablation.add_argument("--from", dest="sources", help="source platforms (default: all)")
    ablation.add_argument("--to", dest="targets", help="target platforms (default: all)")
    ablation.add_argument("--strategies", help=f"rows: {', '.join(STRATEGIES)} (default: all)")
    ablation.add_argument("--seed", type=int, default=0, metavar="S", help="which faults are drawn (0)")
    ablation.add_argument("--model", metavar="NAME", help="a real model in place of the simulated one")
    ablation.add_argument("--base-url", metavar="URL", help="its endpoint")
    ablation.add_argument("--jobs", type=int, default=1, metavar="N", help="translations at a time")
    ablation.add_argument("--json", type=Path, metavar="OUT", help="write the counts and failures to a file")
    ablation.set_defaults(run=_ablation)


def _ablation(arguments: argparse.Namespace, console: Console) -> int:
    operators = chosen(arguments.ops, list(load_operators()), "operator")
    sources = chosen(arguments.sources, list(PLATFORMS), "platform")
    targets = chosen(arguments.targets, list(PLATFORMS), "platform")
    strategies = chosen(arguments.strategies, list(STRATEGIES), "strategy")
    if arguments.jobs < 1:
        raise Refusal("bench-number", "--jobs must be at least 1")
    model = model_from(arguments.model, arguments.base_url) if arguments.model else None
    endpoint = (model.name, model.base_url) if model else ("", "")
    asked = questions(operators, sources, targets, strategies, arguments.seed, endpoint)
    if not asked:
        raise Refusal("bench-direction", "there is no direction from a platform to itself")
    state = (
        arguments.json.with_suffix(".state.jsonl") if arguments.json else cache.folder() / "ablation.jsonl"
    )
    found: dict[object, AblationOutcome] = {}
    with console.status(f"0 of {len(asked)}") as status:
        for question, outcome in answers(asked, state, arguments.jobs):
            found[question] = outcome
            line = f"{outcome.strategy}: {outcome.operator} {outcome.direction}: {_word(outcome)}"
            if console.is_terminal:
                status.update(f"{len(found)} of {len(asked)}: {line}")
            else:
                console.print(f"[{len(found)}/{len(asked)}] {line}", markup=False, soft_wrap=True)
    outcomes = [found[question] for question in asked]
    out = Console(highlight=False)
    out.print(table(outcomes))
    if model is None:
        out.print(
            f"Sketches are simulated; a fault survives a round of feedback with probability {SURVIVES}."
        )
    if arguments.json:
        write_atomically(arguments.json, json.dumps(to_json(outcomes, model is None), indent=2) + "\n")
    return 0


def _word(outcome: AblationOutcome) -> str:
    return "computed" if outcome.computed else "compiled" if outcome.compiled else f"failed: {outcome.why}"


def table(outcomes: Sequence[AblationOutcome]) -> Table:
    """Compiled and computed % a direction, a row a strategy."""
    directions = list(dict.fromkeys(o.direction for o in outcomes))
    made = Table("compiled / computed %", *directions)
    for name in STRATEGIES:
        rows = [o for o in outcomes if o.strategy == name]
        if not rows:
            continue
        cells = []
        for direction in directions:
            own = [o for o in rows if o.direction == direction]
            built, right = sum(o.compiled for o in own), sum(o.computed for o in own)
            cells.append(f"{percent(built, len(own))} / {percent(right, len(own))}")
        made.add_row(name, *cells)
    return made
