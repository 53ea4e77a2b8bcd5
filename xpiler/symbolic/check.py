"""`check_unit`: every kernel of a text, judged; see `docs/checks/`.

A kernel is run, all threads at once, at launches and sizes that its host code or its guards allow, and every
access is kept. What is found that way is a bug with the values that show it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from xpiler.errors import Refusal
from xpiler.frontend import Unit, parse
from xpiler.ir.interpret import Cancelled as Cancelled
from xpiler.ir.nodes import Decl, Expr, For, Function, Load, Ref, Space, While
from xpiler.ir.rewrite import walk
from xpiler.symbolic.dependence import ATOMIC, Dependence
from xpiler.symbolic.extents import beyond_guards
from xpiler.symbolic.findings import (
    BUGS,
    CLEAN,
    ERROR,
    REFUSED,
    UNDECIDED,
    Found,
    Report,
    Verdict,
)
from xpiler.symbolic.fixes import fix_of
from xpiler.symbolic.hosts import Hosts, as_launched
from xpiler.symbolic.idle_cores import Cores
from xpiler.symbolic.judge import Judge
from xpiler.symbolic.leftovers import without_harmless
from xpiler.symbolic.meant import is_for_sizes, of_free_sizes, of_some_sizes
from xpiler.symbolic.openmp import asks_for_its_thread, not_followed, one_by_one, regions, shared_scalars
from xpiler.symbolic.reached import Reached
from xpiler.symbolic.rests import Rests
from xpiler.symbolic.rows import beyond_either, beyond_row_of_block, beyond_rows
from xpiler.symbolic.scalars import GUARD, assignments, multiples, roles
from xpiler.symbolic.shape import Dims, LaunchShape, definitions, launch_shape
from xpiler.symbolic.shares import lost_rests
from xpiler.symbolic.statics import static_findings, unguarded
from xpiler.symbolic.tails import beyond_tails
from xpiler.symbolic.trial import EDGE, MIXED, RAMP, SAME, WILD, Frame, Observed, Trial, observe

_DYNAMIC = 48 << 10  # bytes of dynamic shared memory, where nobody says


@dataclass(frozen=True)
class Options:
    """`grid` to `extents`: given by the user; `seconds`: of the thread's processor time for the whole text,
    so that a busy machine finds the same; `templates`: instantiations that nobody asked for; `fixes`: whether
    to look for changes that remove findings; `prove`: whether to show what holds for all sizes; `cancelled`:
    asked between steps."""

    grid: Dims | None = None
    block: Dims | None = None
    shared_bytes: int | None = None
    scalars: tuple[tuple[str, int | float], ...] = ()
    extents: tuple[tuple[str, int], ...] = ()
    seconds: float = 10.0
    templates: tuple[str, ...] = ()
    fixes: bool = False
    prove: bool = False
    cancelled: Callable[[], bool] = lambda: False


_SLICE, _LONGEST = 0.5, 1.0  # seconds that a trial has at least and at most
_ENOUGH, _FURTHER = 2, 0.25  # trials that came to their end, and seconds for each one after them
_HOLES = (ArithmeticError, AssertionError, AttributeError, IndexError, KeyError, TypeError, ValueError)


def check_unit(unit: Unit, options: Options = Options()) -> Report:
    started = time.thread_time()
    verdicts: list[Verdict] = []
    findings: list[Found] = []
    hosts = Hosts.of(unit)
    for number, kernel in enumerate(unit.program.kernels):
        left = options.seconds - (time.thread_time() - started)
        deadline = time.thread_time() + max(0.2, left / (len(unit.program.kernels) - number))
        verdict, found = check_kernel(unit, kernel, options, deadline, hosts)
        if options.fixes:
            found = _fixed(unit, kernel, options, deadline, found)
        verdicts.append(verdict)
        findings += found
    for name, refusal in unit.refusals.items():
        verdicts.append(Verdict(name, REFUSED, undecided=(refusal.message,)))
    return Report(
        unit.file,
        tuple(verdicts),
        tuple(findings),
        tuple(unit.refusals.values()),
        time.thread_time() - started,
    )


def check_kernel(
    unit: Unit, kernel: Function, options: Options, deadline: float, hosts: Hosts
) -> tuple[Verdict, list[Found]]:
    started = time.thread_time()
    dependence = Dependence.of(kernel)
    defined = definitions(kernel)
    ordered = one_by_one(unit.text, unit.file, unit.platform) if kernel.is_serial else ()
    lines = unit.text.splitlines()
    trials, scope = _trials(unit, kernel, options, dependence, hosts)
    beyond = [
        *beyond_guards(kernel, defined),
        *beyond_tails(kernel, defined, trials[0].block),
        *beyond_rows(kernel, defined),
        *beyond_either(kernel, defined),
        *beyond_row_of_block(kernel, defined),
    ]
    judge = Judge.of(kernel, dependence, beyond, defined, ordered, lines)
    frame = Frame.of(kernel, defined, dependence)

    def judged_of(seen: Observed) -> list[Found]:
        return without_harmless(judge.judge(seen), kernel, seen, frame, deadline)

    found: dict[tuple[object, ...], Found] = {}
    undecided: list[str] = []
    stopped: list[str] = []
    events: list[int] = []  # of each trial
    judged: list[tuple[Trial, list[Found]]] = []
    reached, given = Reached.of(kernel, defined, trials[0]), dict(options.scalars)
    rests, cores = Rests.of(kernel, reached.roles, given), Cores.of(kernel)
    _merge(found, static_findings(kernel, unit.platform, options.shared_bytes or 0))
    if kernel.is_serial:
        shared = shared_scalars(unit.text, unit.file, unit.platform)
        _merge(found, [f for f in shared if f.kernel in (kernel.name, kernel.template, kernel.spelling)])
        undecided += not_followed(unit.text, unit.file, unit.platform, kernel.name)
    less = (lambda: _short(kernel, trials, given)), (lambda: _smaller(kernel, trials, given))
    for number, trial in _less_each_time(trials, stopped, events, *less):
        if options.cancelled():
            raise Cancelled
        try:
            left = deadline - time.thread_time()
            most = _LONGEST if len(events) - len(stopped) < _ENOUGH else _FURTHER
            slice_ = min(max(left / max(1, len(trials) - number), min(left, _SLICE)), most)
            seen = observe(kernel, trial, frame, time.thread_time() + slice_, options.cancelled)
            found_here = judged_of(seen)
        except Refusal as refusal:
            if refusal.diagnostic.code == "array-extent":
                stopped.append(f"{refusal.diagnostic.message} ({_sizes(trial)})")
                judged.append((trial, []))
                continue  # the values are not those that the kernel is meant for
            undecided.append(refusal.diagnostic.message)
            break
        except _HOLES as error:
            undecided.append(f"the checker has a hole here: {type(error).__name__}: {error}")
            break
        reached.look_at(seen)
        rests.look_at(seen)
        cores.look_at(seen)
        events.append(len(seen.log.events))
        if seen.stopped:
            stopped.append(f"{seen.stopped} ({_sizes(trial)})")
        if any(f.code == "assertion" for f in seen.findings):
            continue  # the values are not those that the kernel is meant for
        judged.append((trial, found_here))
        scope = _with_blocks(scope, seen)
        if time.thread_time() > deadline:
            if number + 1 < len(trials):
                stopped.append(f"the time allowed sufficed for {number + 1} of {len(trials)} trials")
            break
    if not undecided and reached.missing() and time.thread_time() < deadline:
        larger = reached.larger(trials[0], frozenset(given))
        if larger is not None:
            seen = observe(
                kernel, larger, frame, min(deadline, time.thread_time() + _FURTHER), options.cancelled
            )
            reached.look_at(seen)
            judged.append((larger, judged_of(seen)))
    if not undecided and _picks_of_known(kernel, dependence, trials[0]):
        found_here = _clamped_wrongly(
            trials if frame.sizes else trials[:1],
            (WILD, EDGE) if frame.compared or frame.sizes else (WILD,),
            lambda wild: judged_of(
                observe(kernel, wild, frame, min(deadline, time.thread_time() + _FURTHER), options.cancelled)
            ),
        )
        judged.append((replace(trials[0], data=EDGE), found_here))
    if not undecided and time.thread_time() < deadline:
        asked = reached.missing() or rests.shared or any(s.chunk for s in beyond)
        judge = replace(judge, suggested=(*beyond, *rests.beyond())) if asked else judge
        is_meant = bool(rests.shared) or any(s.any_size for s in beyond)
        for rest in rests.trials(trials) if asked else ():
            until = min(deadline, time.thread_time() + _FURTHER)
            seen = observe(kernel, rest, frame, until, options.cancelled)
            is_meant = _is_meant(seen, reached) or is_meant
            judged.append((rest, [f for f in judged_of(seen) if is_meant or f.is_open]))
            scope = [text for text in scope if not is_meant or text not in rests.assumed()]
    if not undecided and time.thread_time() < deadline:

        def run(trial: Trial) -> Observed | None:
            until = min(deadline, time.thread_time() + _LONGEST)
            try:
                return observe(kernel, trial, frame, until, options.cancelled)
            except (Refusal, *_HOLES):
                return None  # not at sizes that nobody launches

        judged.append((trials[0], lost_rests(kernel, dependence, trials, run)))
        for trial in cores.larger(trials, given):
            busier = run(trial) if time.thread_time() < deadline else None
            if busier is not None:
                cores.look_at(busier)
                judged.append((trial, cores.among(judged_of(busier))))
    if len(stopped) < len(judged):
        scope += [f"not to the end: {text}" for text in stopped]
    else:
        undecided += stopped
    if missing := reached.missing():
        scope.append(f"reached in no run: {missing}")
        if stopped and not undecided:
            undecided.append(f"{missing}: reached in no run, as {stopped[0]}")
    if options.prove and not undecided and not any(f.severity == ERROR for _, more in judged for f in more):
        proved, suggested = _proved(kernel, defined, trials[0], options, deadline)
        scope += proved
        for trial in (as_launched(trials, t) for t in suggested):
            seen = observe(kernel, trial, frame, deadline, options.cancelled)
            judged.append((trial, [] if seen.stopped else judged_of(seen)))
    judged = of_free_sizes(kernel, defined, options.grid, options.block, given, judged)
    judged = of_some_sizes(kernel, defined, reached, judged)
    if not is_for_sizes(kernel, defined, judged):
        judged = [
            (t, [f for f in more if f.code != "XP-BOUNDS" or f.array not in t.extents]) for t, more in judged
        ]
        scope.append("no size that was tried is the one that the kernel is written for")
    if kernel.is_serial and asks_for_its_thread(unit.text, unit.file, unit.platform, kernel.name):
        races = [f for _, more in judged for f in more if f.code == "XP-RACE"]
        undecided += [f"{race.message}: unless threads have elements of their own" for race in races]
        judged = [(t, [f for f in more if f.code != "XP-RACE"]) for t, more in judged]
    if own := _own_of_threads(unit, kernel) if kernel.is_serial else set():
        judged = [(t, [f for f in more if f.code != "XP-RACE" or f.array not in own]) for t, more in judged]
    for _, more in judged:
        _merge(found, more)
    if not any(t.extents for t in trials) and (idle := unguarded(kernel, defined, trials)) is not None:
        _merge(found, [idle])
    findings = sorted(_recoded(found.values()), key=lambda f: (f.range or _FIRST, f.code, f.array))
    undecided += [f"{f.message}: if {f.holds_if}" for f in findings if f.code in _OPEN or f.is_open]
    status = CLEAN
    if any(f.severity == ERROR for f in findings):
        status = BUGS
    elif undecided:
        status = UNDECIDED
    name = kernel.spelling or kernel.name
    return (
        Verdict(name, status, tuple(scope), tuple(dict.fromkeys(undecided)), time.thread_time() - started),
        findings,
    )


def _own_of_threads(unit: Unit, kernel: Function) -> set[str]:
    """Arrays that each thread of OpenMP has for itself beyond the turns of a loop that it gets."""
    blocks = regions(unit.text, unit.file, unit.platform)
    arrays = (n for n in walk(kernel.body) if isinstance(n, Decl) and n.shape and n.range is not None)
    return {n.name for n in arrays if any(n.range is not None and b.contains(n.range) for b in blocks)}


def _picks_of_known(kernel: Function, dependence: Dependence, trial: Trial) -> bool:
    """Whether elements of memory pick those of an array whose size is known, and bound no loop."""
    known = {n.name for n in walk(kernel.body) if isinstance(n, Decl) and n.shape} | trial.extents.keys()
    turns = (n for n in walk(kernel.body) if isinstance(n, (For, While)))
    ends = (e for n in turns for e in ((n.start, n.stop, n.step) if isinstance(n, For) else (n.condition,)))
    places = (n for n in walk(kernel.body) if isinstance(n, (Load, Ref)) and n.array in known)
    return any(dependence.fetched(p) for p in places) and not any(dependence.of_expr(e) for e in ends)


def _clamped_wrongly(
    trials: Sequence[Trial], fills: Sequence[str], judged_of: Callable[[Trial], list[Found]]
) -> list[Found]:
    """Indices by data that are kept below a number that is not that of the array. What any number gets to is
    kept by nothing. Sizes that only happen to be unlike show in one trial; what is wrong does in others, too,
    though not in all, as where an array has one element."""
    found: dict[tuple[object, ...], list[Found]] = {}
    for trial in trials[:_TRIED]:
        outside = [(data, f) for data in fills for f in judged_of(replace(trial, data=data))]
        free = {(f.array, f.range) for data, f in outside if data == WILD and not _is_clamped(f)}
        clamped = {(f.array, f.range): f for _, f in reversed(outside) if _is_clamped(f)}
        for key in clamped.keys() - free:
            found.setdefault(key, []).append(clamped[key])
    least = min(2, len(trials))
    return [alike[0] for alike in found.values() if len(alike) >= least]


def _is_clamped(found: Found) -> bool:
    """Whether an index that is out of bounds is a small one, though the data are larger than any index, or
    about the numbers that the kernel compares them with: it keeps the index below some number, which is not
    that of the array."""
    index = found.counterexample.get("index", -1)
    return found.code == "XP-BOUNDS" and 0 <= index < _SMALL


_SMALL = 1 << 24  # of indices
_TRIED = 4  # trials in which such indices are looked for


def _is_meant(seen: Observed, reached: Reached) -> bool:
    """Whether the kernel has code for the rests that a run had."""
    missing = reached.missing()
    reached.look_at(seen)
    return reached.missing() != missing and not any(f.code == "assertion" for f in seen.findings)


def _fixed(
    unit: Unit, kernel: Function, options: Options, deadline: float, found: list[Found]
) -> list[Found]:
    """The findings, with a fix where one that was tried removes them. Where runs show them without the help
    of a proof, runs tell whether they are gone."""
    if all(f.severity != ERROR for f in found):
        return found
    by_runs = replace(options, prove=False)
    shown = check_kernel(unit, kernel, by_runs, deadline, Hosts.of(unit))[1] if options.prove else found
    again_with = by_runs if any(f.severity == ERROR for f in shown) else options

    @cache
    def recheck(text: str) -> list[Found] | None:
        if time.thread_time() > deadline or options.cancelled():
            return None
        try:
            edited = parse(text, unit.file, platform=unit.platform, tells_streams=True)
        except Refusal:
            return None
        again = next((k for k in edited.program.kernels if k.name == kernel.name), None)
        if again is None:
            return None
        return check_kernel(edited, again, again_with, deadline, Hosts.of(edited))[1]

    fixed: list[Found] = []
    tried = 0
    for finding in found:
        is_ours = finding.range is not None and finding.range.file == unit.file  # not in a header
        if finding.severity == ERROR and is_ours and tried < _MOST_FIXES:
            tried += 1
            fix = fix_of(finding, found, kernel, unit.text, recheck)
            finding = replace(finding, fixes=(fix,)) if fix is not None else finding
        fixed.append(finding)
    return fixed


_MOST_FIXES = 4  # findings of a kernel that fixes are looked for
_FIRST: Any = ("", 0, 0, 0, 0)
_OPEN = ("XP-SCATTER", "XP-UNGUARDED")  # what nobody can tell from the text


def _trials(
    unit: Unit, kernel: Function, options: Options, dependence: Dependence, hosts: Hosts
) -> tuple[list[Trial], list[str]]:
    given = dict(options.scalars)
    depends = dependence.data() - {ATOMIC}
    if options.grid is None and options.block is None:
        launched = hosts.trials(unit, kernel, given)
        if launched:
            sampled = [f"the contents of {', '.join(sorted(depends))} were sampled"] if depends else []
            kinds = [RAMP, SAME] if depends else []
            more = [replace(launched[0], data=kind) for kind in kinds]
            return [*launched, *more], [_host_scope(launched), *sampled]
    defined = definitions(kernel)
    shape = launch_shape(kernel, defined, options.grid, options.block)
    known = roles(kernel, defined, shape)
    chosen = assignments(kernel, known, shape, given)
    scope = [f"assumed: {text}" for text in (*shape.assumed, *multiples(known, chosen, given))]
    if kernel.spelling in options.templates:
        scope.append("assumed: the template's arguments")
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
                dict(options.extents),
                data=data,
                strained=assignment.strained,
            )
        )
    if depends:
        trials.append(replace(trials[0], data=RAMP))
        signed = any(p.dtype.is_float for p in kernel.params if p.name in depends)
        if signed or any(dependence.fetched(n) for n in walk(kernel.body) if isinstance(n, (Load, Ref))):
            trials.append(replace(trials[0], data=SAME))
        scope.append(f"the contents of {', '.join(sorted(depends))} were sampled")
    return trials, scope


def _less_each_time(
    trials: list[Trial],
    stopped: list[str],
    events: list[int],
    short: Callable[[], list[Trial]],
    smaller: Callable[[], list[Trial]],
) -> Iterator[tuple[int, Trial]]:
    """The trials with their numbers; once one takes too long, those whose loops take one turn instead (of
    launches of host code only if hardly any came to its end), and after a long one those whose sizes are
    those of a block."""
    for number in range(len(trials)):
        trial = trials[number]
        yield number, trial
        if stopped and not trial.is_launched:
            yield from enumerate(short(), number + 1)
            return
        if number == 0 and events and events[0] > _LONG and not trial.is_launched:
            trials = [trial, *smaller()]
    if stopped and not trials[0].host and len(events) - len(stopped) < _ENOUGH:
        yield from enumerate(short(), len(trials))


_LONG = 8000  # events of a trial, about a tenth of a second


def _short(kernel: Function, trials: Sequence[Trial], given: Mapping[str, int | float]) -> list[Trial]:
    """Trials like the first one with loops that take one turn."""
    trial = trials[0]
    shape = LaunchShape(trial.grid, trial.block)
    known = roles(kernel, definitions(kernel), shape)
    chosen = assignments(kernel, known, shape, given, trips=1)
    short = (replace(trial, scalars=a.values, strained=a.strained) for a in chosen)
    return [as_launched(trials, t) for t in short]


def _smaller(kernel: Function, trials: Sequence[Trial], given: Mapping[str, int | float]) -> list[Trial]:
    """The trials after the first one, with sizes that a single block would have."""
    first = trials[0]
    shape = LaunchShape((1, 1, 1), first.block)
    known = roles(kernel, definitions(kernel), shape)
    chosen = assignments(kernel, known, shape, given)
    smaller = []
    for number, trial in enumerate(trials[1:], 1):
        a = chosen[number if number < len(chosen) and trial.scalars != first.scalars else 0]
        smaller.append(replace(trial, scalars=a.values, strained=a.strained))
    return [as_launched(trials, t) for t in smaller]


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


def _proved(
    kernel: Function, defined: dict[str, Expr], trial: Trial, options: Options, deadline: float
) -> tuple[list[str], list[Trial]]:
    """What holds for all sizes, in words, and launches that may show that something does not."""
    from xpiler.symbolic.inside import proved_inside
    from xpiler.symbolic.proofs import Question  # z3 takes long to load
    from xpiler.symbolic.shared_races import proved_shared

    shape = launch_shape(kernel, defined, options.grid, options.block)
    known = roles(kernel, defined, shape)
    bounds = frozenset(name for name, role in known.items() if GUARD in role.kinds or role.shared_out)
    until = min(deadline, time.thread_time() + _PROOF_SECONDS)
    question = Question(kernel, defined, trial, bounds, until, options.cancelled)
    outcome = question.answer()
    # Sizes that reach from one plane into the next are none that a stride of planes is passed with.
    planes = any(role.plane and GUARD not in role.kinds for role in known.values())
    suggested = [] if planes else outcome.suggested
    return outcome.proved + proved_shared(question) + proved_inside(question), suggested


_PROOF_SECONDS = 1.0


def _recoded(found: Iterable[Found]) -> list[Found]:
    """Where threads of different warps race too, one barrier of the block is what is missing."""
    kept = list(found)
    if not any(f.code == "XP-RACE" for f in kept):
        return kept
    text = "; threads of a warp do not run in lockstep, and there is no __syncwarp() between"
    return [
        replace(f, code="XP-RACE", message=f.message.replace(text, ", with no barrier between"))
        if f.code == "XP-SYNCWARP"
        else f
        for f in kept
    ]


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
