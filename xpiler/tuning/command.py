"""The words of `xpiler tune` and `xpiler devices`."""

from __future__ import annotations

import argparse
import json
import re
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict
from pathlib import Path

from rich.console import Console

from xpiler.errors import Refusal
from xpiler.files import read_source, write_atomically
from xpiler.gate.evidence import Evidence
from xpiler.gate.overrides import Overrides
from xpiler.platforms.registry import PLATFORMS
from xpiler.tuning.device import Device, devices
from xpiler.tuning.fleet import required
from xpiler.tuning.fleet.command import add_fleet_options, bundle_for, list_fleet
from xpiler.tuning.measure import Here, Measurer
from xpiler.tuning.peaks import Peaks
from xpiler.tuning.plot import curve
from xpiler.tuning.record import Record, default_file
from xpiler.tuning.tune import Budget, Step, Tuned, measurer_here, spread, tune


def add_tune_options(parser: argparse.ArgumentParser) -> None:
    """What `xpiler tune` takes beside the contract."""
    parser.add_argument("file", type=Path, metavar="FILE")
    parser.add_argument("--to", required=True, choices=tuple(PLATFORMS), help="the target platform")
    parser.add_argument(
        "-o", "--output", type=Path, metavar="OUT", help="where the best program goes (--apply)"
    )
    parser.add_argument("--apply", action="store_true", help="write the best program beside the source")
    parser.add_argument("--budget", metavar="B", default="5m", help="time for the search: 30s, 5m, 1h (5m)")
    parser.add_argument("--trials", type=int, default=0, metavar="N", help="programs to measure at most")
    parser.add_argument(
        "--until", metavar="PART", help="stop at this part of the device's limit: 0.8, or 80%%"
    )
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="of the tree search (0)")
    parser.add_argument(
        "--resume",
        action="store_true",
        help="go on with a search that was stopped: its trials count as this one's (--trials)",
    )
    parser.add_argument("--device", metavar="NAME", help="the device, by its kind or a part of its name")
    add_fleet_options(parser)
    parser.add_argument("--record", type=Path, metavar="DB", help="the database of trials (the user's cache)")
    parser.add_argument("--plot", type=Path, metavar="OUT.svg", help="draw the best time over the trials")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")


def run_tune(arguments: argparse.Namespace, overrides: Overrides, console: Console) -> int:
    """Exit 0: the best program is verified; 1: it is not."""
    until = part_of(arguments.until) if arguments.until else 0.0
    budget = Budget(seconds_of(arguments.budget), arguments.trials, arguments.resume, until)
    if arguments.trials < 0:
        raise Refusal("tune-trials", "--trials must not be negative")
    text = read_source(arguments.file)
    live = console.is_terminal and not arguments.json
    with (
        Record(arguments.record) as record,
        _measurer(arguments) as measurer,
        console.status("") as status,
    ):

        def told(step: Step) -> None:
            if live:
                console.print(_line(step), markup=False, highlight=False, soft_wrap=True)

        tuned = tune(
            text,
            str(arguments.file),
            arguments.to,
            overrides,
            budget=budget,
            record=record,
            seed=arguments.seed,
            measurer=measurer,
            progress=lambda step: status.update(step) if live else None,
            on_step=told,
        )
    if arguments.plot:
        write_atomically(arguments.plot, curve(tuned))
    output = _apply(tuned, arguments) if arguments.apply or arguments.output else None
    if arguments.json:
        print(json.dumps(_document(tuned, output)))
    else:
        _print(tuned, output)
    return 0 if tuned.result.status == "verified" else 1


def _measurer(arguments: argparse.Namespace) -> AbstractContextManager[Measurer]:
    """This machine, or a fleet."""
    if arguments.scheduler is None:
        return nullcontext(measurer_here(arguments.to, arguments.device))
    required()
    from xpiler.tuning.fleet.client import Elsewhere

    bundle = bundle_for("client", arguments.certificate)
    return Elsewhere(arguments.scheduler, bundle, arguments.to, arguments.device)


def _apply(tuned: Tuned, arguments: argparse.Namespace) -> Path | None:
    output: Path = arguments.output or arguments.file.with_suffix(PLATFORMS[arguments.to].extension)
    if output.exists() and output.samefile(arguments.file):
        raise Refusal("output", f"{output} is the source itself", remedy="name another file with -o OUT")
    if tuned.result.status != "verified" or tuned.result.text is None:
        return None
    write_atomically(output, tuned.result.text)
    return output


def _line(step: Step) -> str:
    values = ", ".join(f"{name}={value}" for name, value in step.trial.point)
    time = f"{step.trial.seconds * 1e6:10.1f} us" if step.trial.seconds else f"{step.trial.why:>13}"
    part = step.line.part(step.trial.seconds)
    time += " estimated" if step.estimated and step.trial.seconds else ""
    time += f" {_percent(part):>5}" if part is not None else ""
    mark = " known" if step.known else " best" if step.best is step.trial else ""
    return f"  [{step.number}/{step.size}] {time}  {values}{mark}"


def _print(tuned: Tuned, output: Path | None) -> None:
    out = Console(highlight=False)
    out.print(f"{tuned.device.fingerprint}", markup=False)
    if tuned.best and tuned.best.seconds:
        values = ", ".join(f"{name}={value}" for name, value in tuned.best.point) or "no knobs"
        part = tuned.line.part(tuned.best.seconds)
        of_limit = f", {_percent(part)} of the limit" if part is not None else ""
        noise = "estimated" if tuned.estimated else f"spread {100 * spread(tuned.best):.0f} %"
        out.print(
            f"best: {tuned.best.seconds * 1e6:.1f} us ({noise}){of_limit}, "
            f"{tuned.gain:.2f} times as fast as the default; {values}",
            markup=False,
            soft_wrap=True,
        )
    if tuned.estimated:
        out.print("nothing was measured: there is no such device here, and all times are a model's estimates")
    else:
        out.print(tuned.line.describe(), markup=False, soft_wrap=True)
    what = "the whole call, with what host code does besides" if tuned.whole_calls else "the kernels alone"
    out.print(f"{'estimated' if tuned.estimated else 'timed'}: {what}", markup=False)
    out.print(
        f"{len(tuned.trials)} programs of {tuned.space.size} points in {tuned.seconds:.0f} s: {tuned.ended}",
        markup=False,
    )
    out.print(Evidence(tuned.result.evidence).render(), markup=False, soft_wrap=True)
    if output:
        out.print(f"written to {output}", markup=False)


def _document(tuned: Tuned, output: Path | None) -> dict[str, object]:
    return {
        "status": tuned.result.status,
        "output": str(output) if output else None,
        "device": tuned.device.fingerprint,
        "default_us": _microseconds(tuned.default.seconds if tuned.default else None),
        "best_us": _microseconds(tuned.best.seconds if tuned.best else None),
        "estimated": tuned.estimated,
        "gain": round(tuned.gain, 3),
        "timed": "call" if tuned.whole_calls else "kernels",
        "limit_us": _microseconds(tuned.line.limit.seconds if tuned.line.limit else None),
        "limit_of": tuned.line.limit.bound if tuned.line.limit else tuned.line.why,
        "part_of_limit": _rounded(tuned.line.part(tuned.best.seconds if tuned.best else None)),
        "work": tuned.line.work.to_json(),
        "course": [
            {
                "knobs": dict(trial.point),
                "us": _microseconds(trial.seconds),
                "part_of_limit": _rounded(tuned.line.part(trial.seconds)),
                "why": trial.why,
            }
            for trial in tuned.trials
        ],
        "knobs": dict(tuned.best.point) if tuned.best else {},
        "trials": len(tuned.trials),
        "space": tuned.space.size,
        "ended": tuned.ended,
        "seconds": round(tuned.seconds, 2),
        "evidence": [rung.to_json() for rung in tuned.result.evidence],
    }


def _microseconds(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1e6, 3)


def _percent(part: float) -> str:
    return f"{100 * part:.0f} %"


def _rounded(part: float | None) -> float | None:
    return None if part is None else round(part, 4)


def part_of(text: str) -> float:
    """`0.8` or `80%` as a number. Raises Refusal for anything else."""
    found = re.fullmatch(r"(\d*\.?\d+)\s*(%?)", text.strip())
    part = float(found[1]) / (100 if found[2] else 1) if found else 0.0
    if not 0 < part <= 1:
        raise Refusal("tune-until", f"{text} is no part of a limit", remedy="--until 0.8 or 80%")
    return part


def seconds_of(text: str) -> float:
    """`30s`, `5m`, `1h` in seconds. Raises Refusal for anything else."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smh])", text.strip().lower())
    seconds = float(found[1]) * {"s": 1, "m": 60, "h": 3600}[found[2]] if found else 0.0
    if seconds <= 0:
        raise Refusal("tune-budget", f"{text} is no time", remedy="--budget 30s, 5m or 1h")
    return seconds


def add_devices(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds `devices` to the command line."""
    listing = commands.add_parser("devices", help="list what programs can be measured on")
    listing.add_argument("--json", action="store_true", help="print the list as JSON")
    listing.add_argument(
        "--export", type=Path, metavar="OUT", help="write the record of trials as JSON lines"
    )
    add_fleet_options(listing)
    listing.set_defaults(run=run_devices)


def run_devices(arguments: argparse.Namespace, console: Console) -> int:
    with Record(default_file()) as record:
        if arguments.export:
            write_atomically(arguments.export, "".join(f"{line}\n" for line in record.lines()))
        return _list_devices(arguments, console, record)


def _list_devices(arguments: argparse.Namespace, console: Console, record: Record) -> int:
    if arguments.scheduler:
        workers = list_fleet(arguments.scheduler, arguments.certificate)
        if arguments.json:
            print(json.dumps([asdict(seen) for seen in workers]))
            return 0
        found = [seen.device for seen in workers]
        for seen in workers:
            print(f"{_named(seen.device)}; {seen.tasks} tasks, on {seen.host}")
    else:
        found = devices()
        with console.status("measuring what the devices can do"):
            peaks = {device: _peaks_of(device, record) for device in found}
        if arguments.json:
            told = {device: known and known.to_json() for device, known in peaks.items()}
            print(json.dumps([{**asdict(device), "peaks": told[device]} for device in found]))
            return 0
        for device in found:
            print(_named(device))
            known = peaks[device]
            for line in known.describe() if known is not None else ():
                print(f"      {line}")
    missing = [p.title for p in PLATFORMS.values() if not any(p.name in d.runs for d in found)]
    if missing:
        print(f"no device {'there' if arguments.scheduler else 'here'} for {', '.join(missing)}")
    return 0


def _peaks_of(device: Device, record: Record) -> Peaks | None:
    """What a device here can do at most: as recorded, else measured; None of one that runs nothing."""
    if not device.runs:
        return None
    return record.peaks(device.fingerprint) or record.learn(device.fingerprint, Here(device).peaks())


def _named(device: Device) -> str:
    runs = f"runs {', '.join(device.runs)}" if device.runs else "programs are not run on it yet"
    return f"{device.kind:5} {device.name}: {runs}"
