"""`check_unit`: every kernel of a text, judged; see `docs/checks/`.

A kernel is run, all threads at once, at launches and sizes that its host code or its guards allow, and every
access is kept. What is found that way is a bug with the values that show it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from xpiler.errors import Refusal
from xpiler.frontend import Unit
from xpiler.ir.nodes import Decl, Function, Space
from xpiler.ir.rewrite import walk
from xpiler.symbolic.dependence import ATOMIC, Dependence
from xpiler.symbolic.findings import BUGS, CLEAN, ERROR, REFUSED, UNDECIDED, Found, Report, Verdict
from xpiler.symbolic.hosts import Hosts
from xpiler.symbolic.judge import Judge
from xpiler.symbolic.scalars import assignments, roles
from xpiler.symbolic.shape import Dims, definitions, launch_shape
from xpiler.symbolic.trial import MIXED, RAMP, Frame, Observed, Trial, observe

_DYNAMIC = 48 << 10  # bytes of dynamic shared memory, where nobody says


@dataclass(frozen=True)
class Options:
    """`grid`, `block`, `scalars`: given by the user; `seconds`: for the whole text; `cancelled`: asked
    between steps."""

    grid: Dims | None = None
    block: Dims | None = None
    shared_bytes: int | None = None
    scalars: tuple[tuple[str, int | float], ...] = ()
    seconds: float = 10.0
    cancelled: Callable[[], bool] = lambda: False


class Cancelled(Exception):
    """The user no longer wants the answer."""


def check_unit(unit: Unit, options: Options = Options()) -> Report:
    started = time.monotonic()
    verdicts: list[Verdict] = []
    findings: list[Found] = []
    hosts = Hosts.of(unit)
    for number, kernel in enumerate(unit.program.kernels):
        left = options.seconds - (time.monotonic() - started)
        deadline = time.monotonic() + max(0.2, left / (len(unit.program.kernels) - number))
        verdict, found = check_kernel(unit, kernel, options, deadline, hosts)
        verdicts.append(verdict)
        findings += found
    for name in unit.refusals:
        verdicts.append(Verdict(name, REFUSED))
    return Report(
        unit.file, tuple(verdicts), tuple(findings), tuple(unit.refusals.values()), time.monotonic() - started
    )


def check_kernel(
    unit: Unit, kernel: Function, options: Options, deadline: float, hosts: Hosts
) -> tuple[Verdict, list[Found]]:
    started = time.monotonic()
    warp_size = 64 if unit.platform == "hip" else 32
    dependence = Dependence.of(kernel)
    frame, judge = Frame.of(kernel), Judge.of(kernel, dependence, warp_size)
    trials, scope = _trials(unit, kernel, options, dependence, hosts)
    found: dict[tuple[object, ...], Found] = {}
    undecided: list[str] = []
    for trial in trials:
        if options.cancelled():
            raise Cancelled
        try:
            seen = observe(kernel, trial, frame, warp_size, deadline)
        except Refusal as refusal:
            undecided.append(refusal.diagnostic.message)
            break
        if seen.stopped:
            undecided.append(f"{seen.stopped} ({_sizes(trial)})")
        if any(f.code == "assertion" for f in seen.findings):
            continue  # the values are not those that the kernel is meant for
        _merge(found, judge.judge(seen))
        scope = _with_blocks(scope, seen)
        if time.monotonic() > deadline:
            undecided.append(f"the time allowed did not suffice for all {len(trials)} trials")
            break
    findings = sorted(found.values(), key=lambda f: (f.range or _FIRST, f.code, f.array))
    undecided += [f"{f.message}: if {f.holds_if}" for f in findings if f.code == "XP-SCATTER"]
    status = CLEAN
    if any(f.severity == ERROR for f in findings):
        status = BUGS
    elif undecided:
        status = UNDECIDED
    name = kernel.spelling or kernel.name
    return (
        Verdict(name, status, tuple(scope), tuple(dict.fromkeys(undecided)), time.monotonic() - started),
        findings,
    )


_FIRST = ("", 0, 0, 0, 0)


def _trials(
    unit: Unit, kernel: Function, options: Options, dependence: Dependence, hosts: Hosts
) -> tuple[list[Trial], list[str]]:
    given = dict(options.scalars)
    depends = dependence.data() - {ATOMIC}
    if options.grid is None and options.block is None:
        launched = hosts.trials(unit, kernel, given)
        if launched:
            sampled = [f"the contents of {', '.join(sorted(depends))} were sampled"] if depends else []
            more = [replace(launched[0], data=RAMP)] if depends else []
            return [*launched, *more], [_host_scope(launched), *sampled]
    defined = definitions(kernel)
    shape = launch_shape(kernel, defined, options.grid, options.block)
    chosen = assignments(kernel, roles(kernel, defined, shape), shape, given)
    scope = [f"assumed: {text}" for text in shape.assumed]
    shared = options.shared_bytes if options.shared_bytes is not None else _dynamic(kernel)
    trials = []
    for number, assignment in enumerate(chosen):
        data = RAMP if depends and number % 2 else MIXED
        trials.append(
            Trial(
                shape.grid,
                shape.block,
                assignment.values,
                shared,
                data=data,
                strained=assignment.strained,
            )
        )
    if depends:
        trials.append(replace(trials[0], data=RAMP))
        scope.append(f"the contents of {', '.join(sorted(depends))} were sampled")
    return trials, scope


def _host_scope(trials: list[Trial]) -> str:
    tried = dict.fromkeys(
        ", ".join(f"{k} = {v}" for k, v in (*t.host.items(), *t.scalars.items())) for t in trials
    )
    return f"launched as the host code does, for {'; '.join(filter(None, tried)) or 'its constants'}"


def _dynamic(kernel: Function) -> int:
    for node in walk(kernel.body):
        if isinstance(node, Decl) and node.space is Space.SHARED:
            extents = [n for e in node.shape for n in walk(e)]
            if any(getattr(n, "name", "") == "dynamicShared.bytes" for n in extents):
                return _DYNAMIC
    return 0


def _with_blocks(scope: list[str], seen: Observed) -> list[str]:
    ran, total = seen.blocks
    text = f"{ran} of {total} blocks were compared"
    return scope if ran == total or text in scope else [*scope, text]


def _sizes(trial: Trial) -> str:
    return ", ".join(f"{k} = {v}" for k, v in trial.scalars.items()) or "no parameters"


def _merge(found: dict[tuple[object, ...], Found], more: list[Found]) -> None:
    """One finding for each code, array and place; the surer one wins, then the first."""
    for finding in more:
        race = finding.code in ("XP-RACE", "XP-SYNCWARP", "XP-SAME-VALUE", "XP-SCATTER")
        code = "race" if race else finding.code
        key = (code, finding.array, finding.range)
        known = found.get(key)
        if known is None or _is_surer(finding, known):
            found[key] = finding


def _is_surer(finding: Found, known: Found) -> bool:
    if known.severity != finding.severity:
        return finding.severity == ERROR
    return known.code == "XP-SYNCWARP" and finding.code == "XP-RACE"
