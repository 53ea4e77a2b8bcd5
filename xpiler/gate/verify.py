"""Runs source and target on the same inputs and says, as rungs of the ladder, whether they agree."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from math import prod

from xpiler.described import sizes_in_words
from xpiler.errors import Diagnostic
from xpiler.gate.compare import Comparison, agree_all, compare, compare_sets, schedule_race
from xpiler.gate.compare_output import compare_output
from xpiler.gate.contract import Argument, Case, Contract, Role, Scalar
from xpiler.gate.evidence import Rung
from xpiler.gate.execute import BOTH_ENDS, Build, RunResult
from xpiler.gate.inputs import inputs_of
from xpiler.gate.sandbox import Limits
from xpiler.gate.trace import TRACE, read_trace
from xpiler.gate.violations import violations
from xpiler.ir.nodes import RETURN

BRIEF = Limits(cpu=1, wall=5)  # for a further case: one that runs longer is none
ENOUGH = 0.7  # seconds for all further cases
_WALL = 7  # seconds by the clock for each of processor time
_AT_ONCE = 12  # cases that the ordinary limit is meant for
_PATIENCE = 2  # further cases that may take longer than that alone, before no other is tried
_MANY = 1 << 16  # elements of a case that is compared after those of fewer, as it takes long to doubt it
_LONG_CASES = 2  # the longest that take no longer than this many seconds together:
_LONG_ENOUGH = 1.2  # the loop of a pipeline through scratchpads runs only where every core has several tiles
_NOISE = 0.02  # of the time that a run takes at least
_SHOWN = 3  # sizes that the record names
_MIN_INFORMATIVE = 0.02  # below this share of finite written outputs, agreement means little


@dataclass(frozen=True)
class SourceRuns:
    """The source's results, forward and in reverse thread order, and what is wrong with them ("" if
    nothing). `order`: how the results depend on the order of threads, "" if they do not. `needed`: so many of
    the cases, the first ones, are not further ones."""

    forward: tuple[RunResult, ...]
    reverse: tuple[RunResult, ...]
    fault: str
    seconds: float
    findings: tuple[Diagnostic, ...] = ()
    order: str = ""
    needed: int = 0


def run_source(contract: Contract, build: Build) -> SourceRuns:
    """Every case in both thread orders, with each end of every buffer against a guard page once, and what is
    launched told."""
    start = time.monotonic()
    results = build.run(contract.cases, variants=BOTH_ENDS, env=TRACE)
    forward, reverse = tuple(results[0::2]), tuple(results[1::2])
    fault = order = ""
    for one, other in zip(forward, reverse, strict=True):
        fault = fault or _fault(one) or _fault(other)
        if not fault:
            order = order or schedule_race(contract, one, other, build) or ""
    faulty = next((r for r in results if not r.ok), None)
    findings = violations(build, faulty) if faulty is not None else ()
    seconds = time.monotonic() - start
    return SourceRuns(forward, reverse, fault, seconds, findings, order, len(contract.cases))


def run_further(
    contract: Contract, build: Build, runs: SourceRuns, further: Sequence[Case], enough: float = ENOUGH
) -> tuple[Contract, SourceRuns]:
    """The contract with those of the `further` cases that the source takes without fault, the same in both
    orders of threads, leaving nothing unwritten that it writes elsewhere, with results that are numbers; and
    its results with theirs. `enough`: seconds of processor time that all of them may take, in both orders. Of
    those that seem to take longer, a few do not, by what the others took: `_LONG_CASES`."""
    start = time.monotonic()
    whole = [a for a in contract.outputs if a.role is Role.OUT and not _leaves_poison(a, runs.forward)]
    cases, forward, reverse = list(contract.cases), list(runs.forward), list(runs.reverse)

    def take(asked: Sequence[Case], enough: float) -> None:
        limits = replace(
            BRIEF, cpu=max(BRIEF.cpu, round(enough)), wall=max(BRIEF.wall, round(_WALL * enough))
        )
        spent = 0.0
        too_long = 0
        for case, one, other in _each_run(build, asked, limits):
            cost = one.processor + other.processor
            if cost > enough or one.took_too_long or other.took_too_long:
                too_long += 1  # thousands of blocks of one element each: long rows of a few may take no time
                if too_long > _PATIENCE:
                    break
                continue
            spent += cost
            if spent > enough:
                break  # those that follow are more work still
            clean = one.ok and other.ok and not any(_leaves_poison(argument, [one]) for argument in whole)
            if clean and _says_enough(contract, one) and schedule_race(contract, one, other, build) is None:
                cases.append(case)
                forward.append(one)
                reverse.append(other)

    meant = [_expected(case, runs) <= enough for case in further]
    take([case for case, is_meant in zip(further, meant, strict=True) if is_meant], enough)
    costs = [(one.case, one.processor + other.processor) for one, other in zip(forward, reverse, strict=True)]
    left = [case for case, is_meant in zip(further, meant, strict=True) if not is_meant]
    if left and costs:
        expected = sorted(((_by_growth(case, costs), at) for at, case in enumerate(left)), reverse=True)
        quick = [left[at] for seconds, at in expected if seconds <= _LONG_ENOUGH]
        take(quick[:_LONG_CASES], _LONG_ENOUGH)
    seconds = runs.seconds + time.monotonic() - start
    found = replace(runs, forward=tuple(forward), reverse=tuple(reverse), seconds=seconds)
    return replace(contract, cases=tuple(cases)), found


def without_cases(
    contract: Contract, runs: SourceRuns, dropped: Sequence[Case]
) -> tuple[Contract, SourceRuns]:
    """The contract and its results as if it had not had those cases."""
    kept = [number for number, case in enumerate(contract.cases) if case not in dropped]
    forward, reverse = (tuple(each[n] for n in kept) for each in (runs.forward, runs.reverse))
    needed = sum(number < runs.needed for number in kept)
    cases = tuple(contract.cases[n] for n in kept)
    return replace(contract, cases=cases), replace(runs, forward=forward, reverse=reverse, needed=needed)


def _by_growth(case: Case, costs: Sequence[tuple[Case, float]]) -> float:
    """Seconds that a case may take: what no run is without, and what the nearest one took beyond that, times
    as much larger as its sizes are. Blocks that share out an array are as many for a long one."""
    least = min(seconds for _, seconds in costs)
    times, seconds = min((_times(case, known), seconds) for known, seconds in costs)
    return least + max(seconds - least, _NOISE * least) * times


def _expected(case: Case, runs: SourceRuns) -> float:
    """Seconds that a case may take in both orders: as long as one that was run, as many times as each size is
    larger; by the one that says least. A block takes long, whatever the number of its elements."""
    return min((2 * run.processor * _times(case, run.case) for run in runs.forward), default=0.0)


def _times(case: Case, known: Case) -> float:
    sizes = zip(map(_size, case.scalars), map(_size, known.scalars), strict=True)
    return prod(max(1.0, size / before) for size, before in sizes)


def _size(scalar: tuple[str, Scalar]) -> int:
    return scalar[1] if isinstance(scalar[1], int) and scalar[1] > 0 else 1


def _each_run(
    build: Build, cases: Sequence[Case], limits: Limits
) -> Iterator[tuple[Case, RunResult, RunResult]]:
    """Both runs of each case: of all in one process, and of those that did not get their turn there, as one
    before them took too long, each in its own."""
    run = partial(build.run, variants=BOTH_ENDS, limits=limits, env=TRACE)
    together = run(cases) if len(cases) > 1 else []
    for number, case in enumerate(cases):
        both = together[2 * number : 2 * number + 2]
        if not both or any(result.took_too_long or not result.was_run for result in both):
            both = run([case])
        yield case, both[0], both[1]


def _says_enough(contract: Contract, result: RunResult) -> bool:
    return compare(contract, result, result).informative >= _MIN_INFORMATIVE


def _leaves_poison(argument: Argument, results: Sequence[RunResult]) -> bool:
    return any(result.left_alone(argument).any() for result in results)


def _changes_nothing(contract: Contract, result: RunResult) -> bool:
    """Whether all that a call may write is as it was, so that nothing it does was seen: what it returns
    besides may be the same for all data."""
    arrays = [a for a in contract.outputs if a.name != RETURN] or contract.outputs
    if any(argument.role is not Role.INOUT for argument in arrays):
        return False
    before = inputs_of(contract, result.case)
    return all(
        result.buffers[a.name].tobytes() == before[a.name].tobytes()
        for a in arrays
        if a.name in before and a.name in result.buffers
    )


def run_on_sound_data(contract: Contract, build: Build) -> tuple[Contract, SourceRuns, str]:
    """The source's results; where only cases of data made up fault, and others have the program's own memory,
    the contract without the former, and what they show: the program may never hand the kernel such data."""
    runs = run_source(contract, build)
    own = tuple(case for case in contract.cases if case.all_given)
    if not runs.fault or not own or len(own) == len(contract.cases):
        return contract, runs, ""
    sound = replace(contract, cases=own)
    again = run_source(sound, build)
    return (contract, runs, "") if again.fault else (sound, again, runs.fault)


def _fault(result: RunResult) -> str:
    return "" if result.ok else f"{result.describe()} ({result.case.describe()})"


def compare_target(contract: Contract, source: Build, runs: SourceRuns, target: Build) -> list[Rung]:
    """The rungs `executed` and `sanitized` for one entry."""
    start = time.monotonic()
    results = without_hopeless(_in_two_processes(contract.cases, target, runs.needed), 2 * runs.needed)
    tool = f"{target.tool} against {source.tool}"
    faulty = next((r for r in results if not r.ok), None)
    seconds = time.monotonic() - start
    if faulty is not None:
        return [
            Rung(
                "executed",
                False,
                tool,
                f"{contract.entry}: {faulty.describe()} ({faulty.case.describe()})",
                seconds,
                violations(target, faulty),
            )
        ]
    worst: Comparison | None = None
    telling = 0
    both = [(expected, results[2 * i + j]) for i, expected in enumerate(runs.forward) for j in (0, 1)]
    pairs = [(expected, result) for expected, result in both if not result.left_out]
    pairs.sort(key=lambda pair: sum(size for _, size in pair[0].case.extents) > _MANY)
    ran = [
        case
        for i, case in enumerate(contract.cases)
        if not any(r.left_out for r in results[2 * i : 2 * i + 2])
    ]
    for (expected, _), outcome in zip(pairs, agree_all(contract, source, pairs), strict=True):
        if not outcome.ok:
            detail = f"{contract.entry} ({expected.case.describe()}): {outcome.summary}"
            return [Rung("executed", False, tool, detail, time.monotonic() - start)]
        telling += outcome.informative >= _MIN_INFORMATIVE
        if worst is None or outcome.ratio > worst.ratio:
            worst = outcome
    seconds = time.monotonic() - start
    assert worst is not None
    if not contract.outputs:
        return [
            Rung(
                "executed",
                False,
                tool,
                f"{contract.entry}: no output was found that could be compared",
                seconds,
            )
        ]
    if telling * 2 < len(pairs):
        detail = f"{contract.entry}: hardly any output is a finite number, so equality says little"
        return [Rung("executed", False, tool, detail, seconds)]
    if all(_changes_nothing(contract, expected) for expected, _ in pairs):
        arrays = " and ".join(f"`{a.name}`" for a in contract.outputs)
        detail = f"{contract.entry}: no run changes {arrays}, so equality says nothing"
        return [Rung("executed", False, tool, detail, seconds)]
    guarded = f"{contract.entry}: no access outside any buffer, both ends guarded, both thread orders"
    return [
        Rung("executed", True, tool, f"{contract.entry}: {_cases(contract, ran)}; {worst.summary}", seconds),
        Rung("sanitized", True, "guard pages", guarded, 0.0),
    ]


def _time_for(cases: Sequence[Case]) -> Limits:
    """By the clock more the more cases there are; processor time is limited for each by itself."""
    return Limits(wall=Limits().wall * (1 + len(cases) // _AT_ONCE))


def _in_two_processes(cases: Sequence[Case], target: Build, needed: int) -> list[RunResult]:
    """Both variants of every case, every other case in a process of its own; none after a fault in either,
    so that the first that is no result is one. Those after the `needed` ones may be left out."""
    shares = [cases[i::2] for i in range(2 if len(cases) > 1 else 1)]
    at_least = [len(range(i, needed, len(shares))) for i in range(len(shares))]
    with ThreadPoolExecutor(len(shares)) as pool:
        run = partial(target.run, variants=BOTH_ENDS, limits=_time_for(cases), until_fault=True)
        ran = pool.map(lambda share, least: run(share, needed=least), shares, at_least)
    results = [iter(share) for share in ran]
    return [next(results[i % len(shares)]) for i in range(len(cases)) for _ in BOTH_ENDS]


def without_hopeless(results: Sequence[RunResult], needed: int) -> list[RunResult]:
    """The results of a target with a run that took too long as left out, and those that did not get their
    turn behind it: if it is none of the `needed` first ones, and as much longer than those that ended well as
    its sizes are larger. The source may take an instant where an emulated grid of blocks takes minutes."""
    at = next((n for n, r in enumerate(results) if not r.ok), None)
    if at is None or at < needed or not results[at].took_too_long:
        return list(results)
    done = [(r.case, r.processor) for r in results if r.ok and not r.left_out]
    if not done or _by_growth(results[at].case, done) < Limits().cpu:
        return list(results)  # by what the others took it should have ended: it may never do
    return [replace(r, left_out=True, crash=None) if _waited(r) else r for r in results]


def _waited(result: RunResult) -> bool:
    return result.took_too_long or not result.was_run


def compare_unordered(
    contract: Contract, source: Build, runs: SourceRuns, target: Build, why: str
) -> list[Rung]:
    """The rung `executed` where atomics decide what lies where: that can only be compared as sets of values,
    which shows a fault, and never that there is none."""
    start = time.monotonic()
    limits = _time_for(contract.cases)
    results = target.run(contract.cases, variants=BOTH_ENDS, limits=limits, until_fault=True)
    tool = f"{target.tool} against {source.tool}"
    found = "sorted, the values agree, which does not show that each lies where it may"
    pairs = [(i, results[2 * i + j]) for i in range(len(runs.forward)) for j in (0, 1)]
    for i, result in pairs:
        if not result.ok:
            found = f"the target fails: {_fault(result)}"
            findings = violations(target, result)
            return [Rung("executed", False, tool, f"{contract.entry}: {found}", 0.0, findings)]
        outcome = compare_sets(contract, runs.forward[i], runs.reverse[i], result)
        if not outcome.ok:
            found = f"nor do the values agree when sorted: {outcome.summary}"
            break
    detail = f"{contract.entry}: {why}: this cannot be compared element by element; {found}"
    return [Rung("executed", False, tool, detail, time.monotonic() - start)]


def _cases(contract: Contract, ran: Sequence[Case]) -> str:
    """`12 runs at M=37, N=53, K=29 and M=53, N=29, K=37 and 8 other sizes from 1 to 2051`."""
    sizes = list(dict.fromkeys(_sizes(case.scalars) for case in ran))
    first = f"after {', '.join(setup.callee for setup in contract.before)}, " if contract.before else ""
    shown = " and ".join(sizes[:_SHOWN])
    if len(sizes) > _SHOWN:
        scalars = [value for case in ran for _, value in case.scalars]
        others = [value for value in scalars if isinstance(value, int) and not isinstance(value, bool)]
        shown += f" and {len(sizes) - _SHOWN} other sizes from {min(others)} to {max(others)}"
    return f"{first}{len(ran)} runs at {shown}"


def _sizes(scalars: Sequence[tuple[str, object]]) -> str:
    return sizes_in_words((name, value) for name, value in scalars if isinstance(value, int))


def compare_programs(source: Build, target: Build, ran: RunResult | None = None) -> list[Rung]:
    """Whole programs with a `main`: the same output and exit code, numbers within rounding. `ran`: what the
    source did, if that is known."""
    start = time.monotonic()
    expected = ran or source.run_program()
    tool = f"{target.tool} against {source.tool}"
    if expected.crash:
        detail = f"main of the source: {expected.crash}{_after_launch(expected)}"
        seconds = time.monotonic() - start
        return [Rung("executed", False, source.tool, detail, seconds, violations(source, expected))]
    again, actual = source.run_program(), target.run_program()
    if actual.crash:
        seconds = time.monotonic() - start
        return [Rung("executed", False, tool, f"main: {actual.crash}", seconds, violations(target, actual))]
    ok, detail = compare_output(expected, again, actual)
    return [Rung("executed", ok, tool, f"main: {detail}", time.monotonic() - start)]


def _after_launch(stopped: RunResult) -> str:
    """How far a traced run came that was stopped."""
    trace = read_trace(stopped)
    return f", after the launch in line {trace.launches[-1].line}" if trace.hung and trace.launches else ""
