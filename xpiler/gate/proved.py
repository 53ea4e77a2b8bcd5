"""The rung `proved`: the source against the delivered text as it is read back, on every kind of numbers.

Both are taken as the steps that a call makes (`procedure.py`) and compared as `symbolic/equivalence_runs.py`
compares programs. The text is read from scratch, so that what is proved is proved of what the user gets.
Vector functions that the backend writes itself, polynomials for `exp` and its like, are read as the functions
that they stand for; how accurate they are is what execution shows.
"""

from __future__ import annotations

import functools
import math
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from xpiler.backend.vnni_helpers import HELPERS
from xpiler.errors import Refusal
from xpiler.frontend.unit import Unit
from xpiler.gate.contract import Case, Contract, Role
from xpiler.gate.entries import Entry
from xpiler.gate.evidence import READ_BACK, Rung
from xpiler.gate.execute import Build
from xpiler.gate.procedure import EntryRuns, Procedure, alike, of_function, of_trace, threads
from xpiler.gate.tasks import interpreted
from xpiler.gate.trace import trace_host
from xpiler.gate.used_types import case_in, contract_in
from xpiler.ir.nodes import RETURN, Function
from xpiler.passes.parallel import mark_parallel
from xpiler.passes.serial import serial_form
from xpiler.platforms.registry import PLATFORMS
from xpiler.symbolic.equivalence import Proved, judged
from xpiler.symbolic.equivalence_runs import (
    NO_TIME,
    Agreement,
    Level,
    Pair,
    Refuted,
    Undecided,
    smaller,
)
from xpiler.symbolic.settings import Setting

_ALL = 1.0  # seconds of processor time, with reading the text
_LEAST = 0.5  # without
_MORE = 1.5  # as long as nothing is shown
_RACES = 0.7  # for a run that looks at who accesses what
_DIVISORS = (9, 3, 1)  # of sizes: the larger ones where the time suffices
_GROWTH = 4.0  # at most, of what the next larger sizes take
_CASES = 2
_OTHER_DATA = 7919  # more than other cases have as seeds


@dataclass(frozen=True)
class Side:
    """A program with its build: the source, or the target. `calls`: what a kernel is called in it."""

    unit: Unit
    build: Build
    calls: Mapping[str, str]


def proved(entry: Entry, contract: Contract, source: Side, target: Callable[[], Side]) -> Rung:
    """What can be said of one entry for all data."""
    start = time.thread_time()
    ok = True
    try:
        detail, open_ = _verdict(entry, contract, source, target(), start)
    except _Undefined as undefined:
        ok, detail, open_ = False, str(undefined), False
    except Refusal as refusal:
        detail, open_ = f"undecided: {refusal.diagnostic.message}", True
    seconds = time.thread_time() - start
    return Rung("proved", ok, READ_BACK, f"{contract.entry}: {detail}", seconds, undecided=open_)


def _data(contract: Contract) -> str:
    """What is proved of: extrema are sets of numbers and no float is one of none; what becomes of infinities
    and NaN is seen by running alone (see `special_values`)."""
    arguments = (*contract.arguments, *contract.globals)
    return "all finite data" if any(a.dtype.is_float for a in arguments) else "all data"


def _verdict(entry: Entry, contract: Contract, source: Side, target: Side, start: float) -> tuple[str, bool]:
    _look_at_result(contract, source, target)
    found: list[Agreement] = []
    functions: set[Function] = set()
    doubts: list[str] = []
    same: list[Setting] = []
    end = max(start + _ALL, time.thread_time() + _LEAST)
    cases = list({case.scalars: case for case in contract.cases}.values())[:_CASES]
    for number, case in enumerate(cases, 1):
        until = end - (end - time.thread_time()) * (len(cases) - number) / len(cases)
        until += 0.0 if found else _MORE
        best: Agreement | None = None
        cost, size = 0.0, 1.0
        whole = [_procedure(entry, contract, side, case) for side in (source, target)]
        if alike(*whole):
            same.append(Setting(dict(case.scalars)))
            continue
        if number == 1:
            begun = time.thread_time()
            _look_for_undefined(entry, contract, source, target, case)
            looked = time.thread_time() - begun
            end, until = end + looked, until + looked
        for by in _DIVISORS:
            smaller_one = _smaller(case, by)
            begun, before, size = time.thread_time(), size, _size(smaller_one)
            if best is not None and best.level is not Level.SAMPLES:
                until = min(until, end)
            if best is not None and (size == before or begun + cost * min(size / before, _GROWTH) > until):
                break
            try:
                pair = whole
                if by > 1:
                    pair = [_procedure(entry, contract, side, smaller_one) for side in (source, target)]
                    if any(threads(one) > threads(of) for one, of in zip(pair, whole, strict=True)):
                        continue  # nobody means them: `(n - 6) / step + 1` of unsigned numbers wraps
                as_used = contract_in(contract, smaller_one), case_in(contract, smaller_one)
                answer = Pair(*(EntryRuns(p, *as_used, until) for p in pair)).answer()
            except Refusal:
                if by > 1:
                    continue  # nobody says that the programs take such sizes
                raise
            cost = time.thread_time() - begun
            if isinstance(answer, Refuted):
                if by > 1:
                    continue
                if answer.finding is not None and answer.finding.code == "barrier-divergence":
                    raise _Undefined(
                        f"{answer.finding.range}: {answer.fault} at {Setting(dict(case.scalars)).describe()}"
                    )
                return (
                    f"undecided: {answer} when the text is read back, although executing it agrees: "
                    "one of the two programs is not read as it is meant",
                    True,
                )
            if isinstance(answer, Undecided):
                doubts.append(answer.reason)
            elif best is None or answer.doubt != NO_TIME:
                best = answer
                functions.update(f for p in pair for f in p.functions)
        if best is not None:
            found.append(best)
    if same and not found:
        sizes = " and ".join(setting.describe() for setting in same)
        return f"the delivered text for {sizes} and all data: the same programs, launched alike", False
    if not found and doubts:
        return f"undecided: {doubts[-1]}", True
    verdict = judged(found, functions)
    lifted = _lifted_names(target.unit)
    if isinstance(verdict, Proved):
        more = f"; {', '.join(lifted)} taken for what they approximate" if lifted else ""
        return f"the delivered text for {verdict.scope} and {_data(contract)}: {verdict.how}{more}", False
    return str(verdict), True


class _Undefined(Exception):
    """The target does what its platform gives no meaning, however it went where it was executed: threads that
    pass a barrier by have ended there when the others come to it, on a device perhaps not; or one reads what
    another writes with no barrier between, which happened to come in the right order; or what lies behind an
    array of its own is read or written, and nobody noticed."""


def _look_at_result(contract: Contract, *sides: Side) -> None:
    """Raises Refusal for a result that host code hands back: which memory it comes from is not traced."""
    returns = any(argument.name == RETURN for argument in contract.arguments)
    if returns and any(PLATFORMS[side.unit.platform].model != "serial" for side in sides):
        raise Refusal("procedure", "host code returns the result, and how is not read")


def _look_for_undefined(entry: Entry, contract: Contract, source: Side, target: Side, case: Case) -> None:
    """Threads that race are looked for at the sizes of the case, or at smaller ones where that takes long,
    accesses beyond arrays of a function's own at smaller ones if it takes these, and the source does."""
    races = PLATFORMS[target.unit.platform].model == "simt"
    for by in sorted(_DIVISORS, reverse=not races):
        smaller_one = _smaller(case, by)
        until = time.thread_time() + _RACES
        try:
            found = _runs(entry, contract, target, smaller_one, until).undefined(races)
            is_smaller = found is not None and by > 1 and found.code != "race"
            if is_smaller and _runs(entry, contract, source, smaller_one, until + _RACES).errors():
                continue  # an extent is a number in the kernel: nobody means these sizes
        except Refusal:
            continue  # it is not read, or it does not take such sizes
        if found is not None:
            at = Setting(dict(smaller_one.scalars)).describe()
            raise _Undefined(f"{found.range}: {found.message} at {at}")
        if not races or time.thread_time() < until:
            return


def _runs(entry: Entry, contract: Contract, side: Side, case: Case, until: float) -> EntryRuns:
    steps = _procedure(entry, contract, side, case)
    return EntryRuns(steps, contract_in(contract, case), case_in(contract, case), until)


def _smaller(case: Case, by: int) -> Case:
    """Smaller sizes on the same arrays, whose ends are not used then."""
    if by == 1:
        return case
    reduced = smaller(Setting(dict(case.scalars)), by)
    return replace(case, scalars=tuple(reduced.scalars.items()))


@functools.lru_cache(maxsize=64)
def _marked(kernel: Function) -> Function:
    return mark_parallel(serial_form(kernel)).function


def _size(case: Case) -> float:
    return math.prod(abs(v) for _, v in case.scalars if isinstance(v, int) and not isinstance(v, bool) and v)


def _procedure(entry: Entry, contract: Contract, side: Side, case: Case) -> Procedure:
    model = PLATFORMS[side.unit.platform].model
    name = side.calls.get(contract.entry, contract.entry)
    own = [k for k in side.unit.program.kernels if name in (k.name, k.template, k.namespace + k.name)]
    if model == "serial":
        if len(own) != 1:
            reason = next(iter(side.unit.refusals.values()), None)
            why = f": {reason.message}" if reason else ""
            raise Refusal("procedure", f"the function {name} has no IR{why}")
        handles = tuple(
            (a.name, 0)
            for a in contract.arguments
            if a.role is Role.SCALAR and a.name not in dict(case.scalars)
        )
        serial = _marked(own[0])
        known = (*case.scalars, *handles, *_launch_numbers(serial, contract, case))
        return of_function(serial, replace(case, scalars=known))
    if entry.kind == "kernel" and len(own) == 1 and case.launch is not None:
        shape = interpreted(own[0], case.launch)
        if shape is not None:
            return of_function(own[0], case, shape)
    first, other = trace_host(side.build, [case, replace(case, seed=case.seed + _OTHER_DATA)])
    if (first.launches, first.copies) != (other.launches, other.copies):
        raise Refusal("procedure", "what host code hands to the device depends on the data")
    return of_trace(side.unit, first, case, side.build.others)


def _launch_numbers(function: Function, contract: Contract, case: Case) -> list[tuple[str, int]]:
    """What a kernel that became a plain function is handed before its arguments: grid, block, and sometimes
    the bytes of shared memory."""
    places = max((p.argument for p in function.params), default=-1) + 1
    before = places - len(contract.arguments) if contract.kind == "kernel" else 0
    if case.launch is None or before not in (2, 3):
        return []
    extents = (case.launch.grid, case.launch.block)
    return [
        (p.name, extents[p.argument]["xyz".index(p.member)] if p.member else case.launch.shared_bytes)
        for p in function.params
        if p.argument < before
    ]


# ------------------------------------------------------------------------------------------ vector functions

_SCALAR = {
    "exp_ps": "expf(a[i])",
    "exp2_ps": "exp2f(a[i])",
    "log_ps": "logf(a[i])",
    "tanh_ps": "tanhf(a[i])",
    "erf_ps": "erff(a[i])",
    "rsqrt_ps": "1.0f / sqrtf(a[i])",
    "sin_ps": "sinf(a[i])",
    "cos_ps": "cosf(a[i])",
}


def lifted(text: str) -> str:
    """The text with the backend's own vector functions, word by word as it writes them, in terms of C's."""
    for name, value in _SCALAR.items():
        helper = HELPERS.get(name, "")
        if helper and helper in text:
            text = text.replace(
                helper,
                f"static inline __m512 {name}(__m512 x) {{ float a[16]; _mm512_storeu_ps(a, x); "
                f"for (int i = 0; i < 16; ++i) a[i] = {value}; return _mm512_loadu_ps(a); }}",
            )
    return text


def _lifted_names(unit: Unit) -> Sequence[str]:
    return [n for n in _SCALAR if re.search(rf"__m512 {n}\(__m512 x\) {{ float a", unit.text)]
