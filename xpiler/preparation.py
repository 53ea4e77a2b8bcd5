"""The source of a translation before anything is written: how each entry is called, and what it gives.

An entry's contract is inferred by asking the program, which is compiled and run on the contract's cases;
others are added that only its runs show. `translate.py` has this done, `verification.py` holds targets
against it.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Lock

from xpiler.errors import Diagnostic, Refusal
from xpiler.frontend.unit import Unit
from xpiler.gate.contract import Contract
from xpiler.gate.conversions import conversion_cases, converts, not_beyond, spells_conversion, wide_cases
from xpiler.gate.entries import deciding_atomic
from xpiler.gate.execute import Build, RunResult, build
from xpiler.gate.idle_arrays import idle_arrays, never_named
from xpiler.gate.infer import Inference, infer_contract, provisional_contract
from xpiler.gate.infer_arguments import variable_of, variables_of
from xpiler.gate.overrides import Overrides
from xpiler.gate.trace import TRACE, Trace, read_trace
from xpiler.gate.uncompiled import uncompiled
from xpiler.gate.unlaunched import unlaunched
from xpiler.gate.verify import run_on_sound_data
from xpiler.platforms.registry import PLATFORMS
from xpiler.routes.job import EntryJob
from xpiler.verification import at_landmarks, at_turns, run_cases

NOT_RUN = "nothing was compiled or run, as asked"


def prepare_entries(
    entries: Iterable[EntryJob],
    unit: Unit,
    text: str,
    file: str,
    platform: str,
    overrides: Overrides,
    pool: ThreadPoolExecutor,
    *,
    needs_ir: bool,
) -> None:
    """Contracts of all entries, and the source's results for them. Without `needs_ir` a host function may run
    kernels whose meaning is not known: they are run all the same, only not interpreted."""

    # One program for all entries: compiled once. Where that fails each entry is compiled alone.
    active = [item.entry for item in entries if item.refused is None and item.entry.kind != "main"]
    beside = tuple(provisional_contract(unit, entry) for entry in active)
    if len(beside) > 1 and not build(text, file, platform, beside[0], beside=beside).together:
        beside = ()

    def builder(contract: Contract) -> Build:
        return build(text, file, platform, replace(contract, arch=overrides.arch or ""), beside=beside)

    @functools.cache
    def run_program() -> RunResult | None:
        if not any(function.name == "main" for function in unit.host_functions):
            return None
        plain = Contract("main", "main")
        variables = variables_of(unit.program.kernels, ())
        built = builder(replace(plain, globals=tuple(map(variable_of, variables))))
        if not built.ok:  # variables that cannot be seen from the end of the file
            built = builder(plain)
        return built.run_program(env=TRACE, recorded=True) if built.ok else None

    once = Lock()  # entries are prepared at the same time

    def ran() -> RunResult | None:
        with once:
            return run_program()

    @functools.cache
    def traced() -> Trace | None:
        result = run_program()
        trace = read_trace(result) if result else None
        return None if trace is None or trace.fault else trace

    def program() -> Trace | None:
        with once:
            return traced()

    def prepare(item: EntryJob) -> None:
        entry = item.entry
        if item.refused is not None:
            return
        if entry.missing and (needs_ir or entry.kind == "kernel"):
            name = entry.missing[0]
            item.refused = unit.refusals.get(name) or _unknown_kernel(unit, name)
            return
        try:
            if entry.kind == "main":
                item.inference = Inference(Contract("main", "main"), None, (), False)
                item.ran = ran()
            else:
                item.inference = infer_contract(unit, entry, overrides, builder, program)
            stated = replace(item.inference.contract, arch=overrides.arch or "")
            item.inference = replace(item.inference, contract=stated)
        except Refusal as refusal:
            item.refused = refusal.diagnostic
            return
        contract = item.inference.contract
        item.build = builder(contract)
        if not item.build.ok:
            item.refused = uncompiled(item.build, entry.range)
        elif entry.kind != "main" and contract.cases:
            contract, item.runs, item.doubt = run_on_sound_data(contract, item.build)
            item.inference = replace(item.inference, contract=contract)
            if not (item.runs.fault or item.runs.order):
                at_landmarks(item, text)
                further = item.inference.further
                run_cases(item, [case for case in further if not_beyond(contract, item.build, case)])
                at_turns(item, text, file, platform, entry.spelling or entry.name)
                known = [kernel for kernel in unit.program.kernels if kernel.name in entry.kernels]
                if any(map(converts, known)) or (entry.missing and spells_conversion(text)):
                    run_cases(item, conversion_cases(item.inference.contract, item.build))
                run_cases(item, wide_cases(item.inference.contract, item.build))
                if entry.kind == "host" and PLATFORMS[platform].model != "serial":
                    item.inference = replace(
                        item.inference, unlaunched=unlaunched(unit, entry, item.build, item.runs)
                    )
                if not overrides.args:
                    unused = never_named(unit, entry)
                    item.idle = idle_arrays(item.inference.contract, item.build, known, unused)
            item.atomic = deciding_atomic(unit, entry) if item.runs.order else None

    list(pool.map(prepare, entries))


def prepare_unrun(entries: Iterable[EntryJob], unit: Unit, overrides: Overrides) -> None:
    """What can be known of a kernel's launch and arrays without running the file's own code."""

    def unbuilt(contract: Contract) -> Build:
        return Build(contract, unit.platform, None, "none", NOT_RUN)

    for item in entries:
        if item.refused is None and item.entry.missing:
            item.refused = unit.refusals.get(item.entry.missing[0])
        has_own_launch = item.entry.kind == "host" and PLATFORMS[unit.platform].model != "serial"
        if item.refused is not None or has_own_launch or item.entry.kind == "main":
            continue
        try:
            item.inference = infer_contract(unit, item.entry, overrides, unbuilt, lambda: None)
        except Refusal as refusal:
            item.refused = refusal.diagnostic


def _unknown_kernel(unit: Unit, name: str) -> Diagnostic:
    """Of a launch that starts nothing that the file, or a header of it, defines."""
    place = next((site.range for site in unit.launches if site.spelling == name), None)
    message = f"which kernel `{name}` is cannot be told: neither this file nor a header of it defines it"
    return Diagnostic("kernel-unknown", message, place, remedy="include the file that defines it")
