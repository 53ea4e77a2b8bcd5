"""A target text held against its source, entry by entry: compiled, run on the same inputs, read back, proved.

`translate.py` has this done to a text that a route wrote, and to one that a user names. What a text says
itself adds to the inputs: the numbers in it, and the scalars at which its decisions turn.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from threading import Lock

from xpiler.errors import Refusal
from xpiler.frontend import parse
from xpiler.frontend.unit import Unit
from xpiler.gate.alike_data import alike_cases
from xpiler.gate.called_again import called_again
from xpiler.gate.contract import Case, Contract
from xpiler.gate.conversions import (
    beyond,
    conversion_cases,
    converts,
    holds,
    rounding,
    spells_conversion,
    tie_cases,
)
from xpiler.gate.elsewhere import told
from xpiler.gate.entries import Entry
from xpiler.gate.evidence import Rung
from xpiler.gate.execute import Build, build
from xpiler.gate.host_memory import host_memory
from xpiler.gate.infer import Inference
from xpiler.gate.landmarks import landmark_cases
from xpiler.gate.missing_arrays import cases_without
from xpiler.gate.proved import Side, lifted, proved
from xpiler.gate.special_values import asks, special_values
from xpiler.gate.thread_races import thread_races
from xpiler.gate.thread_twins import thread_twins
from xpiler.gate.threshold_cases import threshold_cases
from xpiler.gate.verify import (
    ENOUGH,
    compare_programs,
    compare_target,
    compare_unordered,
    run_further,
    without_cases,
)
from xpiler.platforms.registry import PLATFORMS
from xpiler.routes.job import EntryJob, never_launched

MADE_UP = "that is of data made up for the kernel, which the program may never hand it"
_OTHERS_TURNS = 5.0  # seconds of processor time for decisions of a text that the engine did not write


def verify_entries(
    source: Unit,
    entries: list[EntryJob],
    text: str,
    file: str,
    platform: str,
    pool: ThreadPoolExecutor,
    calls: Mapping[str, str],
    spell: Callable[[str], str],
    *,
    own: bool = False,
    doubted: bool = False,
) -> None:
    """Fills in the rungs of the entries. `own`: the engine wrote the text, so it is expected to be right:
    what is proved is looked for while it is compiled and run. Its loops are shared out where that is shown
    right, so the races of others' OpenMP loops are not looked for in it. `doubted`: it is likely wrong, so
    that it is run at the sizes that are known before others are looked for."""
    running = [i.inference.contract for i in entries if i.runs is not None and i.inference and not i.refused]
    beside = tuple(called_as(contract, calls, spell) for contract in running)
    if len(beside) > 1 and not build(text, file, platform, beside[0], beside=beside).together:
        beside = ()

    @functools.cache
    def parsed_again() -> Unit:
        names = frozenset(calls.get(contract.entry, contract.entry) for contract in running)
        return parse(lifted(text), file, platform=platform, entries=names)

    once = Lock()

    def read_back() -> Unit:
        with once:
            return parsed_again()

    def converting() -> bool:
        """Whether the target makes integers of floats: by what its text says, or means where it is read."""
        if spells_conversion(text):
            return True
        with suppress(Refusal):
            return any(map(converts, read_back().program.kernels))
        return False

    def rounds_otherwise() -> bool:
        """Whether the target makes whole numbers by other functions than the source, where it can be read."""
        with suppress(Refusal):
            return rounding(read_back().program.kernels) != rounding(source.program.kernels)
        return False

    has_devices = all(PLATFORMS[p].model != "serial" for p in (source.platform, platform))
    helpers = ThreadPoolExecutor(4)  # for each of two entries one that builds and one that proves

    def prove(item: EntryJob, contract: Contract, building: Future[Build]) -> Rung:
        assert item.build is not None

        def target() -> Side:
            unit, built = read_back(), building.result()
            if not built.ok:
                raise Refusal("procedure", f"the target does not compile: {built.error}")
            return Side(unit, built, calls)

        if PLATFORMS[platform].model == "serial":
            with suppress(Refusal):
                read_back()  # for thread twins, too: no time that proofs are given goes there
        return proved(item.entry, contract, Side(source, item.build, {}), target)

    def verify(item: EntryJob) -> None:
        if item.refused or item.inference is None or item.build is None:
            return
        contract = item.inference.contract
        if item.inference.findings:
            item.rungs = [_source_bug(item.entry, item.inference)]
            return
        called = called_as(contract, calls, spell)
        building = helpers.submit(build, text, file, platform, called, beside=beside)
        proving: Future[Rung] | None = None
        if own and is_compared(item):
            at_landmarks(item, text, source.text)
            contract = at_turns(item, text, file, platform, called.kernel_spelling or called.entry)
            proving = helpers.submit(prove, item, contract, building)
        target = building.result()
        if not target.ok:
            item.rungs = [
                Rung("executed", False, target.tool, f"{item.entry.name}: {target.error}", target.seconds)
            ]
        elif item.entry.kind == "main":
            item.rungs = compare_programs(item.build, target, item.ran)
        elif item.runs is None:
            item.rungs = [
                Rung("executed", False, target.tool, f"{item.entry.name}: no sizes to run with", 0.0)
            ]
        elif item.runs.fault:
            wrong = "the source itself is wrong"
            if not item.inference.checked:
                wrong = "its kernels were not interpreted, so sizes are guesses (state them: --arg, --shape)"
            detail = f"{item.entry.name}: {wrong}: {item.runs.fault}"
            runs = item.runs
            item.rungs = [Rung("sanitized", False, item.build.tool, detail, runs.seconds, runs.findings)]
        elif item.runs.order and item.atomic is None:
            detail = f"{item.entry.name}: the source itself is wrong: race: {item.runs.order}"
            item.rungs = [Rung("sanitized", False, item.build.tool, detail, item.runs.seconds)]
        elif item.runs.order:
            doubt = "" if item.inference.checked else ", or by a race: its kernels were not interpreted"
            why = f"{item.runs.order}, by the order of the atomics at {item.atomic}{doubt}"
            item.rungs = compare_unordered(contract, item.build, item.runs, target, why)
        elif doubted and (failed := _failed(contract, item, target)):
            item.rungs = failed
        else:
            if proving is None:
                at_landmarks(item, text, source.text)
                name = called.kernel_spelling or called.entry
                contract = at_turns(item, text, file, platform, name, _OTHERS_TURNS, tails=True)
            if not own and converting():
                contract = run_cases(item, conversion_cases(contract, item.build))
            own_kernels = [k for k in source.program.kernels if k.name in item.entry.kernels]
            contract = run_cases(item, cases_without(contract, own_kernels))
            contract = run_cases(item, alike_cases(contract, own_kernels))
            if rounding(source.program.kernels) and rounds_otherwise():
                contract = run_cases(item, tie_cases(contract, item.inference.at))
            contract = _compared(item, contract, target)
            if has_devices and item.entry.kind == "host" and all(rung.ok for rung in item.rungs):
                item.rungs += host_memory(contract, item.build, target)
            if all(rung.ok for rung in item.rungs):
                item.rungs += called_again(contract, item.build, item.runs, target)
            if PLATFORMS[platform].model == "serial" and all(rung.ok for rung in item.rungs):
                if not own and "omp" in text:
                    with suppress(Refusal):
                        item.rungs += thread_races(calls.get(contract.entry, contract.entry), read_back())
                item.rungs += thread_twins(
                    contract,
                    item.build,
                    item.runs,
                    text,
                    read_back,
                    lambda t: build(t, file, platform, called_as(contract, calls, spell), beside=beside),
                )
            if all(rung.ok for rung in item.rungs):
                asked = any(map(asks, own_kernels))
                item.rungs += special_values(contract, item.build, target, asked=asked)
                shown = proving.result() if proving is not None else prove(item, contract, building)
                item.rungs.append(shown)
            if missing := never_launched(source, item, entries):
                item.rungs.append(_not_launched(item.entry, missing))
            if item.idle:
                item.rungs.append(_idle(item.entry, item.idle))
        others = told(item.build.others, target.others)
        item.rungs = [
            replace(rung, detail=rung.detail + others) if rung.rung == "executed" else rung
            for rung in item.rungs
        ]

    list(pool.map(verify, entries))
    helpers.shutdown(wait=False)


def _failed(contract: Contract, item: EntryJob, target: Build) -> list[Rung]:
    """The rungs of a target that fails at the sizes of the contract; none of one that does not."""
    assert item.build is not None and item.runs is not None
    rungs = compare_target(contract, item.build, item.runs, target)
    return [] if all(rung.ok for rung in rungs) else rungs


def is_compared(item: EntryJob) -> bool:
    """Whether the source ran, and the same in every order, so that a target can be held against it."""
    return item.entry.kind != "main" and item.runs is not None and not (item.runs.fault or item.runs.order)


def at_turns(
    item: EntryJob,
    text: str,
    file: str,
    platform: str,
    name: str,
    enough: float = ENOUGH,
    *,
    tails: bool = False,
) -> Contract:
    """The contract with runs at the scalars at which decisions of a text turn, where the entry is `name`, and
    at the rests of its loops (`tails`)."""
    assert item.inference is not None
    called = name.split("<")[0].split("::")[-1]
    cases = threshold_cases(item.inference, text, file, platform, called, tails=tails)
    return run_cases(item, cases, enough)


def _compared(item: EntryJob, contract: Contract, target: Build) -> Contract:
    """The contract that the rungs are about. Where the target differs, it is without what platforms answer
    differently: subnormal numbers where one side is an MLU, whose reciprocal of them is infinite, and cases
    in which the source makes integers of numbers that these do not hold, shifts by more than their bits, or
    looks beyond an array of constant length."""
    assert item.build is not None and item.runs is not None and item.inference is not None
    item.rungs = compare_target(contract, item.build, item.runs, target)
    tiny = [case for case in contract.cases if case.fill == "boundary"]
    is_task = any(PLATFORMS[build.platform].model == "tasks" for build in (item.build, target))
    if not all(rung.ok for rung in item.rungs) and is_task and tiny:
        contract, runs = without_cases(contract, item.runs, tiny)
        edges = [replace(case, fill="edges") for case in tiny]
        contract, item.runs = run_further(contract, item.build, runs, edges)
        contract = _compared_again(item, contract, target, "; not with subnormal numbers")
    if not all(rung.ok for rung in item.rungs):
        lost = beyond(contract, item.build, contract.cases)
        if lost and len(lost) < len(contract.cases):
            contract, item.runs = without_cases(contract, item.runs, lost)
            more = f" and {len(lost) - 1} more" if len(lost) > 1 else ""
            why = "there the source converts or shifts what no integer holds, or indexes past a table"
            told = f"; not at {lost[0].describe()}{more}: {why}"
            contract = _compared_again(item, contract, target, told)
    return contract


def _compared_again(item: EntryJob, contract: Contract, target: Build, told: str) -> Contract:
    """The contract, other than before as `told`, with which the rungs are renewed."""
    assert item.build is not None and item.runs is not None and item.inference is not None
    item.inference = replace(item.inference, contract=contract)
    first, *others = compare_target(contract, item.build, item.runs, target)
    item.rungs = [replace(first, detail=first.detail + told), *others]
    return contract


def at_landmarks(item: EntryJob, text: str, known: str = "") -> Contract:
    """The contract with runs on data that hold the numbers of a text, those of a `known` one excepted."""
    assert item.build is not None and item.runs is not None and item.inference is not None
    contract, runs = item.inference.contract, item.runs
    for case in landmark_cases(contract, text, known):
        if case in contract.cases:
            break
        if not holds(contract, item.build, case):
            continue
        before = len(contract.cases)
        contract, runs = run_further(contract, item.build, runs, [case])
        if len(contract.cases) > before:
            break
    item.inference, item.runs = replace(item.inference, contract=contract), runs
    return contract


def run_cases(item: EntryJob, cases: Iterable[Case], enough: float = ENOUGH) -> Contract:
    """The contract with those cases that the source takes, in so many seconds."""
    assert item.build is not None and item.runs is not None and item.inference is not None
    known = item.inference.contract
    contract, item.runs = run_further(known, item.build, item.runs, tuple(cases), enough)
    item.inference = replace(item.inference, contract=contract)
    return contract


def called_as(contract: Contract, calls: Mapping[str, str], spell: Callable[[str], str]) -> Contract:
    """The contract of an entry as it is named in the target."""
    named = calls if contract.kind == "kernel" else {}  # a wrapper may have the name of a kernel
    spelling = named.get(contract.entry, contract.kernel_spelling)
    return replace(contract, kernel_spelling=spelling, signature=spell(contract.signature))


def _source_bug(entry: Entry, inference: Inference) -> Rung:
    finding = inference.findings[0]
    place = f"{finding.range}: " if finding.range else ""
    what = f"not compared by itself: {MADE_UP}" if inference.made_up else "the source itself is wrong"
    detail = f"{entry.name}: {what}: {place}{finding.message} [{finding.code}]"
    return Rung("sanitized", False, "IR interpreter", detail, 0.0)


def _not_launched(entry: Entry, kernels: Sequence[str]) -> Rung:
    detail = f"{entry.name}: none of the runs launched {' or '.join(kernels)}, which is therefore not checked"
    return Rung("executed", False, "host code", detail + _state(entry, "it is launched"), 0.0)


def _idle(entry: Entry, arrays: Sequence[str]) -> Rung:
    names = " and ".join(f"`{name}`" for name in arrays)
    detail = f"{entry.name}: whatever {names} holds, all results are the same, so that nothing is shown of it"
    return Rung("executed", False, "data", detail + _state(entry, "it matters"), 0.0)


def _state(entry: Entry, when: str) -> str:
    scalars = [f"--arg {p.name}=..." for p in entry.params if not p.is_pointer and p.dtype.is_integer]
    return f"; state arguments with which {when} ({' '.join(scalars)})" if scalars else ""
