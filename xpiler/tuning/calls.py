"""A call of an entry as the launches and copies that it makes, for the source and for what it became.

What host code does is seen by calling it without running its kernels (`gate/trace.py`); kernels and plain
functions are called as the contract says. Nothing is timed here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

from xpiler.errors import Refusal
from xpiler.frontend import parse
from xpiler.frontend.unit import Unit
from xpiler.gate.contract import Contract
from xpiler.gate.execute import Build, build
from xpiler.gate.procedure import Procedure, of_function, of_trace
from xpiler.gate.proved import lifted
from xpiler.gate.tasks import interpreted
from xpiler.gate.timing import Program
from xpiler.gate.trace import trace_host
from xpiler.platforms.registry import PLATFORMS, platform_of
from xpiler.translate import Trusted, largest_case


def source_calls(trusted: Trusted) -> Iterator[Procedure]:
    """Of each entry that is timed, at its largest size. Raises Refusal for what has no IR."""
    for item in trusted.entries:
        case = largest_case(item)
        if case is None or item.inference is None or item.build is None:
            continue
        built = item.build
        yield _procedure(trusted.unit, replace(item.inference.contract, cases=(case,)), partial(_same, built))


def program_calls(program: Program) -> Iterator[Procedure]:
    """Of each call of a program, as its text is read back. Raises Refusal for what has no IR."""
    platform = platform_of(program.file, program.text)
    unit = parse(lifted(program.text), program.file, platform=platform)
    for call in program.calls:
        yield _procedure(unit, call, partial(build, program.text, program.file, platform, call, quick=True))


def _same(built: Build) -> Build:
    return built


def _procedure(unit: Unit, call: Contract, built: Callable[[], Build]) -> Procedure:
    """One call, of the contract's only case. `built`: the program, where host code has to be run."""
    (case,) = call.cases
    own = [
        k for k in unit.program.kernels if {call.kernel_spelling, call.entry} & {k.name, k.template} - {""}
    ]
    if PLATFORMS[unit.platform].model == "serial":
        if len(own) != 1:
            reason = next(iter(unit.refusals.values()), None)
            why = f": {reason.message}" if reason else ""
            raise Refusal("procedure", f"the function {call.entry} has no IR{why}")
        return of_function(own[0], case)
    if call.kind == "kernel" and len(own) == 1 and case.launch is not None:
        shape = interpreted(own[0], case.launch)
        if shape is not None:
            return of_function(own[0], case, shape)
    program = built()
    if not program.ok:
        raise Refusal("procedure", f"the program does not build: {program.error}")
    return of_trace(unit, trace_host(program, [case])[0], case)
