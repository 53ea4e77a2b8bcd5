"""A call of an entry as the launches and copies that it makes, for the source and for what it became.

What host code does is seen by calling it without running its kernels (`gate/trace.py`); kernels and plain
functions are called as the contract says. Nothing is timed here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from xpiler.errors import Refusal
from xpiler.frontend.unit import Unit
from xpiler.gate.contract import Case, Contract
from xpiler.gate.execute import Build
from xpiler.gate.procedure import Procedure, of_function, of_trace
from xpiler.gate.tasks import interpreted
from xpiler.gate.trace import trace_host
from xpiler.platforms.registry import PLATFORMS
from xpiler.routes.job import EntryJob
from xpiler.translate import Trusted, largest_case


def source_calls(trusted: Trusted) -> Iterator[Procedure]:
    """Of each entry that is timed, at its largest size. Raises Refusal for what has no IR."""
    for item in trusted.entries:
        case = largest_case(item)
        if case is None or item.inference is None or item.build is None:
            continue
        yield procedure(trusted.unit, item, item.inference.contract, case, item.build, {})


def procedure(
    unit: Unit, item: EntryJob, contract: Contract, case: Case, build: Build, calls: Mapping[str, str]
) -> Procedure:
    """One call. `calls`: what a kernel is called in the unit, where that is not its own name. Raises
    Refusal."""
    name = calls.get(contract.entry, contract.entry)
    own = [k for k in unit.program.kernels if name in (k.name, k.template)]
    if PLATFORMS[unit.platform].model == "serial":
        if len(own) != 1:
            reason = next(iter(unit.refusals.values()), None)
            why = f": {reason.message}" if reason else ""
            raise Refusal("procedure", f"the function {name} has no IR{why}")
        return of_function(own[0], case)
    if item.entry.kind == "kernel" and len(own) == 1 and case.launch is not None:
        shape = interpreted(own[0], case.launch)
        if shape is not None:
            return of_function(own[0], case, shape)
    return of_trace(unit, trace_host(build, [case])[0])
