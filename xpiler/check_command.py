"""`xpiler check FILE`: the words of the command line for `symbolic/check.py`."""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from math import prod
from pathlib import Path
from typing import Any

from rich.console import Console

from xpiler.build_options import add_build_options
from xpiler.errors import Refusal
from xpiler.files import read_source, write_atomically
from xpiler.gate.overrides import Overrides, from_flags
from xpiler.ir.source import SourceRange
from xpiler.platforms.registry import platform_of
from xpiler.symbolic.check import Options, check_unit
from xpiler.symbolic.findings import Report
from xpiler.symbolic.render import document, exit_code, render
from xpiler.symbolic.sarif import sarif
from xpiler.symbolic.shape import Dims
from xpiler.symbolic.templates import parse_with_templates


def add_check(commands: Any) -> None:
    """Adds the command to the parser's."""
    check = commands.add_parser(
        "check",
        help="look for races, accesses out of bounds and other faults",
        description="Check the kernels of a file without compiling or running it. "
        "Exit 0: clean; 1: bugs found; 2: refused; 3: undecided.",
    )
    check.add_argument("file", type=Path, metavar="FILE")
    check.add_argument("--grid", metavar="X,Y,Z", help="launch dimensions in blocks")
    check.add_argument("--block", metavar="X,Y,Z", help="threads of a block")
    check.add_argument("--shared", metavar="BYTES", help="bytes of dynamic shared memory")
    check.add_argument(
        "--arg", action="append", default=[], metavar="NAME=VALUE", help="a scalar argument's value"
    )
    check.add_argument(
        "--shape", action="append", default=[], metavar="NAME=A,B", help="an array argument's extents"
    )
    check.add_argument("--seconds", type=float, default=10.0, help="time allowed (default 10)")
    check.add_argument("--json", action="store_true", help="print the findings as JSON")
    check.add_argument("--sarif", type=Path, metavar="OUT", help="write the findings as SARIF 2.1.0")
    add_build_options(check)
    check.set_defaults(run=run_check)


def run_check(arguments: argparse.Namespace, console: Console) -> int:
    file = str(arguments.file)
    text = read_source(arguments.file)
    options = _options(arguments)
    try:
        unit, chosen = parse_with_templates(text, file, platform_of(file, text))
        report = check_unit(unit, replace(options, templates=chosen))
        if not report.kernels and not report.refusals:
            place = SourceRange(file, 1, 1, 1, 1)
            raise Refusal("no-kernel", "there is no kernel in this file", place, "name a file that has one")
    except Refusal as refusal:
        report = Report(file, (), (), (refusal.diagnostic,))
    if arguments.sarif is not None:
        write_atomically(arguments.sarif, json.dumps(sarif(report, text), indent=2) + "\n")
    if arguments.json:
        print(json.dumps(document(report)))
    else:
        printed = render(report, text)
        if printed:
            print(printed)
    return exit_code(report)


def _options(arguments: argparse.Namespace) -> Options:
    stated = from_flags(
        arg=arguments.arg,
        grid=arguments.grid,
        block=arguments.block,
        shared=arguments.shared,
        shape=arguments.shape,
    )
    return options_of(stated, arguments.seconds)


def options_of(stated: Overrides, seconds: float) -> Options:
    """What the checker is told of launches and sizes. Raises Refusal for what it cannot take."""
    shared = stated.shared_bytes
    if shared is not None and not isinstance(shared, int):
        raise Refusal("contract-extent", f"--shared {shared} is not a number")
    return Options(
        grid=_dims("--grid", stated.grid),
        block=_dims("--block", stated.block),
        shared_bytes=shared,
        scalars=_scalars(stated),
        extents=tuple((name, prod(_numbers(f"--shape {name}", shape))) for name, shape in stated.shapes),
        seconds=seconds,
        fixes=True,
        prove=True,
    )


def _dims(flag: str, given: tuple[int | str, ...] | None) -> Dims | None:
    if given is None:
        return None
    x, y, z = (*_numbers(flag, given), 1, 1)[:3]
    if min(x, y, z) < 1:
        raise Refusal(
            "contract-extent", f"{flag}: a launch has 1 along each axis at least, not {min(x, y, z)}"
        )
    return x, y, z


def _numbers(flag: str, given: tuple[int | str, ...]) -> list[int]:
    for extent in given:
        if not isinstance(extent, int):
            raise Refusal("contract-extent", f"{flag}: {extent} is not a number")
    return [extent for extent in given if isinstance(extent, int)]


def _scalars(stated: Overrides) -> tuple[tuple[str, int | float], ...]:
    for name, values in stated.args:
        if len(values) != 1 or isinstance(values[0], str):
            raise Refusal("contract-arg", f"--arg {name}: a single number is needed here")
    return tuple((name, values[0]) for name, values in stated.args)
