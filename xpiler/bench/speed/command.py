"""The words of `xpiler bench speed`, and its table."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from xpiler.bench.operators import load_operators
from xpiler.bench.speed.cases import Measured, Settings, by_operator, geometric_mean, measure, scaling
from xpiler.bench.speed.chart import chart
from xpiler.bench.speed.harness import harness, vendor_version
from xpiler.bench.words import chosen
from xpiler.errors import Refusal
from xpiler.files import write_atomically
from xpiler.platforms.registry import PLATFORMS
from xpiler.tuning.command import seconds_of
from xpiler.tuning.device import device_for


def add_parser(kinds: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds `bench speed`."""
    speed = kinds.add_parser(
        "speed",
        help="translated kernels against oneDNN",
        description="Translate the operators of `snippets/` to C++ with AVX-512, verify them, and measure "
        "their kernels in turn with oneDNN's primitives: as many threads, the same data, packing inside "
        "the call. "
        "Exit 0: everything that was measured is verified; 1: something is not.",
    )
    speed.add_argument("--ops", help="operators, separated by commas (default: all)")
    speed.add_argument(
        "--from",
        dest="source",
        default="cuda",
        choices=[name for name in PLATFORMS if name != "vnni"],
        help="the platform of the snippets that are translated (cuda)",
    )
    speed.add_argument("--shapes", type=int, default=8, metavar="N", help="shapes an operator (8)")
    speed.add_argument("--large", action="store_true", help="the networks' own sizes, not those scaled down")
    speed.add_argument("--tune", metavar="B", help="search the knobs at each shape for so long: 30s, 2m")
    speed.add_argument("--samples", type=int, default=15, metavar="N", help="samples a case (15)")
    speed.add_argument("--cpu", type=int, metavar="N", help="the processor to measure on")
    speed.add_argument(
        "--threads",
        type=int,
        default=1,
        metavar="N",
        help="threads of both sides, pinned; with several their speed over one thread is told, too (1)",
    )
    speed.add_argument("--json", type=Path, metavar="OUT", help="write the cases to a file")
    speed.add_argument("--chart", type=Path, metavar="OUT.svg", help="draw the ratios")
    speed.set_defaults(run=_speed)


def _speed(arguments: argparse.Namespace, console: Console) -> int:
    operators = load_operators()
    names = chosen(arguments.ops, list(operators), "operator")
    if arguments.shapes < 1 or arguments.samples < 3:
        raise Refusal("bench-number", "--shapes must be at least 1 and --samples at least 3")
    processors = os.sched_getaffinity(0)
    if arguments.cpu is not None and arguments.cpu not in processors:
        raise Refusal("bench-cpu", f"there is no processor {arguments.cpu} here: {sorted(processors)}")
    if not 1 <= arguments.threads <= len(processors):
        raise Refusal("bench-number", f"--threads must be from 1 to {len(processors)}, the processors here")
    first = arguments.cpu if arguments.cpu is not None else max(processors)
    others = sorted(processors - {first})[len(processors) - arguments.threads :]
    settings = Settings(
        source=arguments.source,
        tuning=seconds_of(arguments.tune) if arguments.tune else 0.0,
        samples=arguments.samples,
        processors=(*others, first),
    )
    device = device_for("vnni")
    if device is None:
        raise Refusal("no-device", "this processor has no AVX-512, so there is nothing to measure")
    harness()
    cases: list[Measured] = []
    failures: list[str] = []
    for name in names:
        operator = operators[name]
        shapes = operator.large if arguments.large else operator.shapes
        try:
            measure(operator, shapes[: arguments.shapes], settings, lambda case: _tell(case, cases, console))
        except Refusal as refusal:
            failures.append(f"{name}: {refusal.diagnostic}")
            console.print(failures[-1], markup=False, soft_wrap=True)
    document = to_json(cases, device.fingerprint, settings, failures)
    _print(cases, document)
    if arguments.json:
        write_atomically(arguments.json, json.dumps(document, indent=2) + "\n")
    if arguments.chart:
        write_atomically(arguments.chart, chart(cases))
    return 0 if cases and not failures and all(case.verified for case in cases) else 1


def _tell(case: Measured, cases: list[Measured], console: Console) -> None:
    cases.append(case)
    if case.vendor is None or case.ratio is None:
        line = f"{case.operator} {case.shape}: {case.ours * 1e6:.2f} us, no counterpart"
    else:
        line = (
            f"{case.operator} {case.shape}: {case.ours * 1e6:.2f} us, oneDNN {case.vendor * 1e6:.2f} us, "
            f"ratio {case.ratio:.2f}"
        )
    if case.scaling is not None:
        ours, vendor = case.scaling
        line += f"; over one thread {ours:.2f}x" + (f", oneDNN {vendor:.2f}x" if vendor else "")
        line += "; others used the processors, too" if case.shared else ""
    console.print(line, markup=False, highlight=False, soft_wrap=True)


def to_json(
    cases: Sequence[Measured], device: str, settings: Settings, failures: Sequence[str] = ()
) -> dict[str, Any]:
    """What `--json` writes. Means are over operators: of the geometric mean of each one's shapes."""
    means = by_operator(cases)
    ratios = [case for case in cases if case.ratio is not None and not case.shared]
    worst = min(ratios, key=lambda case: case.ratio or 0.0, default=None)
    best = max(ratios, key=lambda case: case.ratio or 0.0, default=None)
    return {
        "platform": "vnni",
        "device": device,
        "vendor": f"oneDNN {vendor_version()}",
        "from": settings.source,
        "tuned": settings.tuning > 0,
        "threads": len(settings.processors),
        "caches": "warm: the same buffers in every sample",
        "cases": [case.to_json() for case in cases],
        "operators": {name: round(value, 3) for name, value in means.items()},
        "geomean": round(geometric_mean(means.values()), 3) if means else None,
        "worst": worst and worst.to_json(),
        "best": best and best.to_json(),
        "failures": list(failures),
    }


def _print(cases: Sequence[Measured], document: dict[str, Any]) -> None:
    out = Console(highlight=False)
    many = "one thread" if document["threads"] == 1 else f"{document['threads']} threads"
    said = f"{document['device']}, {document['vendor']}, {many}, packing inside the call"
    out.print(said, markup=False)
    table = Table()
    table.add_column("operator")
    scaled = {name: scaling(cases, name) for name in document["operators"]} if document["threads"] > 1 else {}
    for title in ("ratio", "worst", "best", "shapes", *(("over one thread", "oneDNN's") if scaled else ())):
        table.add_column(title, justify="right")
    table.add_column("oneDNN's part")
    for name, mean in document["operators"].items():
        own = [case for case in cases if case.operator == name and case.ratio and not case.shared]
        ratios = [case.ratio or 0.0 for case in own]
        part = own[0].way if own[0].exact else f"{own[0].way} (nearest: it computes something else)"
        more = [f"{one:.2f}" for one in scaled.get(name, ())]
        table.add_row(
            name, f"{mean:.2f}", f"{min(ratios):.2f}", f"{max(ratios):.2f}", str(len(own)), *more, part
        )
    out.print(table)
    alone = list(dict.fromkeys(case.operator for case in cases if case.vendor is None))
    if alone:
        out.print(f"no counterpart in oneDNN: {', '.join(alone)}")
    for which in ("worst", "best"):
        if document[which]:
            case = document[which]
            out.print(f"{which}: {case['op']} {case['shape']}: {case['ratio']}", markup=False)
    if document["geomean"] is not None:
        out.print(f"geometric mean over {len(document['operators'])} operators: {document['geomean']}")
    for doubtful in (case for case in cases if not case.verified):
        out.print(f"NOT VERIFIED: {doubtful.operator} {doubtful.shape}", markup=False)
