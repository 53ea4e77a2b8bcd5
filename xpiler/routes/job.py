"""What a translation knows while it is under way: its entries, and the target text once there is one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from xpiler.backend.omit import base_name, without_kernel
from xpiler.errors import Diagnostic, Refusal
from xpiler.frontend import parse
from xpiler.frontend.unit import Unit
from xpiler.gate.entries import Entry
from xpiler.gate.evidence import Rung
from xpiler.gate.execute import Build, RunResult
from xpiler.gate.infer import Inference
from xpiler.gate.launched import LaunchedKernels
from xpiler.gate.trace import Trace, read_trace
from xpiler.gate.verify import SourceRuns
from xpiler.ir.source import SourceRange


@dataclass
class EntryJob:
    """One entry on its way: what was inferred, how its source ran, what stands against it."""

    entry: Entry
    inference: Inference | None = None
    build: Build | None = None
    runs: SourceRuns | None = None
    ran: RunResult | None = None  # the source's own `main`
    rungs: list[Rung] = field(default_factory=list)
    refused: Diagnostic | None = None
    idle: tuple[str, ...] = ()  # arrays that make no difference in any run
    doubt: str = ""  # a fault of data made up, which the program's own do not show
    atomic: SourceRange | None = None  # whose order decides what the source computes
    lacks: Diagnostic | None = None  # why the source was run without one of its kernels, if it is a `main`
    offered: bool = False  # nobody says that it is called from outside: it counts if it runs by itself

    @property
    def counts(self) -> bool:
        """Whether it is to be translated and compared."""
        runs = self.refused is None and self.runs is not None and not (self.runs.fault or self.runs.order)
        return not self.offered or (runs and self.inference is not None and not self.inference.findings)


@dataclass(frozen=True)
class Produced:
    """`calls`: what a kernel is called in the target text, where that is not its own name. `rungs`: what was
    shown on the way."""

    text: str
    notes: tuple[str, ...]
    calls: Mapping[str, str] = field(default_factory=dict)
    rungs: tuple[Rung, ...] = ()


def refuse_failed(
    unit: Unit, entries: list[EntryJob], functions: Mapping[str, object], failed: Mapping[str, Diagnostic]
) -> None:
    """Entries that run a kernel which could not be had are refused; so is the file if there is no other, but
    for one that has only host code."""
    spellings = {k.name: k.spelling or k.name for k in unit.program.kernels}
    for item in entries:
        unneeded = _of_others(unit, item, entries)
        for name in item.entry.kernels:
            if name in failed and item.refused is None and spellings[name] not in unneeded:
                is_instance = item.entry.kind == "host" and "<" in spellings[name]
                item.refused = (
                    _without(item.entry, spellings[name], failed[name]) if is_instance else failed[name]
                )
    for item in entries:
        if item.entry.kind == "main" and item.refused is None and item.ran is not None:
            ran = read_trace(item.ran)
            item.refused = (item.lacks if ran.fault else None) or _lacking(unit, item.entry, ran, failed)
    if not functions:
        for reason in [item.refused for item in entries if item.refused] or list(unit.refusals.values()):
            raise Refusal.of(reason)


def never_launched(unit: Unit, item: EntryJob, entries: Sequence[EntryJob]) -> list[str]:
    """The kernels of an entry that none of its runs launched, but for those that are of others."""
    of_others = _of_others(unit, item, entries)
    missing = item.inference.unlaunched if item.inference is not None else ()
    return [spelling for spelling in missing if spelling not in of_others]


def _of_others(unit: Unit, item: EntryJob, entries: Sequence[EntryJob]) -> frozenset[str]:
    """An instance of a template that a host template launches is another entry's where the runs of that
    launch it, and those of this entry do not: `launch<half>` is not called from here."""
    missing = item.inference.unlaunched if item.inference is not None else ()
    launched = {
        spelling
        for other in entries
        if other is not item and other.inference is not None and other.runs is not None
        for spelling in _kernels(unit, other)
        if spelling not in other.inference.unlaunched
    }
    own = {spelling for spelling in _kernels(unit, item) if spelling not in missing}
    shared = {
        a.spelling
        for a in unit.launches
        for b in unit.launches
        if a.span == b.span and not a.value and b.spelling in own
    }
    return frozenset(spelling for spelling in missing if spelling in launched and spelling in shared)


def _lacking(unit: Unit, entry: Entry, ran: Trace, failed: Mapping[str, Diagnostic]) -> Diagnostic | None:
    """Why the program as a whole cannot be had: one of its launches has no form on the target."""
    known = LaunchedKernels(unit, {k.name: k for k in unit.program.kernels})
    refused = {base_name(name): told for name, told in unit.refusals.items()}
    for launch in ran.launches:
        fitting = known.fitting(launch)
        missing = next((k for k in fitting if k.name in failed), None)
        why = failed[missing.name] if missing is not None else None
        if not fitting:
            why = refused.get(base_name(launch.kernel))
        if why is not None:
            name = launch.kernel if missing is None else missing.spelling or missing.name
            return _without(entry, name, why)
    return None


def _without(entry: Entry, kernel: str, why: Diagnostic) -> Diagnostic:
    what = f"`{entry.name}` needs `{kernel}`, which is not translated: {why.message}"
    return replace(why, message=what)


def _kernels(unit: Unit, item: EntryJob) -> list[str]:
    return [k.spelling or k.name for k in unit.program.kernels if k.name in item.entry.kernels]


def without_refused(unit: Unit, entries: list[EntryJob]) -> Unit:
    """The unit without the kernels that have no IR, whose entries are refused; the others go on, and so do
    templates of which other instances have one.

    Raises the refusal if no kernel would be left.
    """
    had = {k.template for k in unit.program.kernels}
    for spelling, diagnostic in unit.refusals.items():
        if base_name(spelling) in had:
            continue
        unit = omit(unit, base_name(spelling), diagnostic, entries)
    return unit


def without_failed(unit: Unit, failed: Mapping[str, Diagnostic], entries: list[EntryJob]) -> Unit:
    """The unit without the kernels that have no form on the target; what launches them stops there. A
    template of which some instances have one stays, and the unit says why the others are missing."""
    unit = replace(unit, refusals={**unit.refusals, **failed})
    launched = {site.kernel for site in unit.launches}
    had = {k.template for k in unit.program.kernels if k.name not in failed}
    names = {k.template or k.name: k.name for k in unit.program.kernels if k.name in failed}
    for name, instance in names.items():
        if instance in launched and name not in had:
            unit = omit(unit, name, failed[instance], entries)
    return unit


def omit(unit: Unit, name: str, diagnostic: Diagnostic, entries: list[EntryJob]) -> Unit:
    if all(kernel.name == name for kernel in unit.kernels):
        raise Refusal.of(diagnostic)
    lowered = {k.name for k in unit.program.kernels if name in (k.name, k.template)}
    for item in entries:
        reached = {base_name(missing) for missing in item.entry.missing} | (
            {name} if lowered & {*item.entry.kernels} else set()
        )
        if item.refused is None and name in reached:
            item.refused = diagnostic
        if item.entry.kind == "main" and item.lacks is None:
            item.lacks = _without(item.entry, name, diagnostic)
    return parse(without_kernel(unit, name), unit.file, platform=unit.platform)
