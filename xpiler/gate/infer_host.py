"""The sizes of a host wrapper: it is called in the emulator with candidate sizes (kernels not run), its trace
tells which memory its launches get, and those launches are run in the IR interpreter."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from itertools import islice
from math import prod

import numpy as np

from xpiler.errors import Refusal
from xpiler.frontend.unit import HostFunction
from xpiler.gate.arrays import Array
from xpiler.gate.bound import bind
from xpiler.gate.contract import Case, Role, Values, make_case
from xpiler.gate.host_arrays import host_arrays
from xpiler.gate.host_fault import stopped_in_host_code
from xpiler.gate.infer_arguments import argument_of, provisional_contract
from xpiler.gate.infer_coverage import other_arguments
from xpiler.gate.infer_fixed import fixed_candidates
from xpiler.gate.infer_search import (
    MAX_THREADS,
    MOST_THREADS,
    PROBE_ELEMENTS,
    SECONDS,
    UNWRITTEN,
    Question,
    Search,
    Trial,
    badness,
    in_modes,
    numpy_of,
)
from xpiler.gate.infer_sizes import candidates
from xpiler.gate.infer_telling import Started, divides_negative
from xpiler.gate.inputs import draw
from xpiler.gate.launched import LaunchedKernels
from xpiler.gate.observe import Buffer, Fill, Observation, Pointer, Step
from xpiler.gate.selectors import selectors, together
from xpiler.gate.setups import Setups
from xpiler.gate.tasks import interpreted
from xpiler.gate.trace import Memory, Trace, TracedLaunch, trace_host
from xpiler.gate.uncompiled import uncompiled
from xpiler.gate.used_types import used_types
from xpiler.ir.index_arrays import index_arrays
from xpiler.ir.nodes import RETURN, Param
from xpiler.ir.rewrite import uses
from xpiler.ir.types import DType

_BATCH = 8
_BRANCHES = 32  # arguments traced in one go where a launch is looked for
_HANGS = 6  # sizes at which nothing came back
_CHOSEN_AT = 3  # sizes at which each value of a parameter that chooses is tried
_STEPS = 16  # extents tried in one go
_PROBES = (PROBE_ELEMENTS, PROBE_ELEMENTS << 6, PROBE_ELEMENTS << 9)
_ROOMY = (PROBE_ELEMENTS << 2, PROBE_ELEMENTS << 6)  # where less faults: larger arrays take longer
_MAX_LAUNCHES = 64
_BLOCK_SIZE = 256


_UNION1 = 4  # `cnrtFuncTypeUnion1`
_TASK_TYPE = re.compile(r"\bcnrt(?:FunctionType|JobType)_t\s+(?:const\s+)?(\w+)")


class HostSearch(Search):
    """Calls the wrapper and interprets the kernels that it launches."""

    def __init__(self, question: Question) -> None:
        super().__init__(question)
        unit, entry, builder = question.unit, question.entry, question.builder
        provisional = provisional_contract(unit, entry)
        own = [f for f in unit.host_functions if f.name == entry.function]
        stated = dict(question.overrides.values)
        self.given = {n: stated.get(n, v) for n, v in host_arrays(entry.params, own).items()}
        arguments = (replace(a, role=Role.IN) if a.name in self.given else a for a in provisional.arguments)
        # Kernels are not run, so variables need no contents.
        traced = replace(provisional, arguments=tuple(arguments), globals=())
        built = builder(provisional)
        self.build = replace(built, contract=traced) if built.ok else builder(traced)
        if not self.build.ok:
            fault = uncompiled(self.build, entry.range)
            raise Refusal.of(fault)
        self.launched = LaunchedKernels(unit, self.kernels, self.build.others)
        self.uses: dict[str, str] = {}  # how the entry's arrays are used, learnt from the traces
        self.preferred: list[dict[str, int]] = []  # sizes that the kernels' fixed extents tell
        self.unlaunched: list[str] = []  # kernels of the entry that no chosen sizes launch
        self.traces: dict[tuple[tuple[str, int], ...], Trace] = {}

    def run(self) -> list[Trial]:
        self.preferred = fixed_candidates(self.unit, self.entry, self.kernels)
        self._notice_task_types()
        self._notice_block_sizes()
        others = self._choose()
        self.deadline = time.thread_time() + SECONDS
        found = self._on_all_branches(self._with_choices(self.two_sizes(self.preferred), others))
        if not self.checked:  # arrays of kernels that were not interpreted look untouched
            return found
        return [t if t.findings or t.fault else self._with_host_reach(t) for t in found]

    def _choose(self) -> list[dict[str, int]]:
        """Fixes the parameters with which a caller chooses at the first values that launch something, and
        tells what else they may be."""
        free = [p for p in self.entry.params if p.name in self.sizes and p.name not in self.fixed]
        choices = together(selectors(free, self.unit.text, self.functions))
        at = [s for c in choices for s in islice(candidates(self.sizes, {**self.fixed, **c}), _CHOSEN_AT)]
        launching = [bool(trace.launches) for trace in self._traced(at)] if at else []
        which = next((i for i, launches in enumerate(launching) if launches), None)
        if which is None:
            return []
        chosen = choices.pop(which // _CHOSEN_AT)
        self.fixed |= chosen
        self.choosing = frozenset(chosen)
        return choices

    def _with_choices(self, found: list[Trial], others: Sequence[Mapping[str, int]]) -> list[Trial]:
        """With trials at the other values of parameters that choose, at the same sizes where those run."""
        usable = [t for t in found if not t.findings and not t.fault]
        self.deadline = time.thread_time() + SECONDS
        more: list[Trial] = []
        for choice in others if usable else ():
            for number, known in enumerate(usable[:_CHOSEN_AT]):
                trial = min(self.attempt({**known.sizes, **choice}), key=badness)
                if badness(trial)[:2] == (False, False):
                    more.append(trial)
                elif number == 0 and trial.fault and not self._launches(trial.sizes):
                    break
            if time.thread_time() > self.deadline:
                break
        return [*found, *more]

    def _launches(self, sizes: Mapping[str, int]) -> bool:
        return bool(self._traced([sizes])[0].launches)

    def _on_all_branches(self, found: list[Trial]) -> list[Trial]:
        """With trials at which host code launches what it does not at the sizes found so far."""
        usable = [t for t in found if not t.findings and not t.fault]
        if not usable:
            return found
        self.unlaunched = [*self.kernels, *self.entry.missing]
        self._launched_by([dict(t.sizes) for t in usable])
        if not self.unlaunched:
            return found
        free = [name for name in self.sizes if name not in self.fixed]
        flags = [name for name, value in self.numbers.items() if isinstance(value, bool)]
        others = other_arguments(usable[0].sizes, free, flags, self.functions)
        self.deadline = time.thread_time() + SECONDS
        more: list[Trial] = []
        while self.unlaunched and (batch := list(islice(others, _BRANCHES))):
            if time.thread_time() > self.deadline:
                break
            for sizes, trace in zip(batch, self._traced(batch), strict=True):
                left = self.launched.waiting(self.unlaunched, trace.launches)
                if trace.fault or left == self.unlaunched:
                    continue
                trial = min(self.attempt(sizes), key=badness)
                if badness(trial)[:2] == (False, False):
                    more.append(trial)
                    self._launched_by([sizes])
        return [*found, *more]

    def _launched_by(self, chosen: Sequence[Mapping[str, int]]) -> None:
        for trace in self._traced(chosen):
            self.unlaunched = self.launched.waiting(self.unlaunched, trace.launches)

    def _with_host_reach(self, trial: Trial) -> Trial:
        """The trial with the extents of arrays that only host code touches: `managed[i] = x[i]`."""
        shaped = dict(self.overrides.shapes)
        extents = dict(trial.case.extents)
        for param in self.entry.params:
            if param.name == RETURN or param.name in shaped:
                continue
            if param.is_pointer and param.name not in trial.roles:
                extents[param.name] = self._host_reach(param, trial.sizes)
        return replace(trial, case=replace(trial.case, extents=tuple(extents.items())))

    def _host_reach(self, param: Param, sizes: Mapping[str, int]) -> int:
        """The least number of elements with which the call does not leave the array.

        Guard pages show that only to within `slack`; an extent that is a product of sizes is taken exactly.
        """
        slack = max(1, 16 // (param.dtype.bytes * param.lanes))
        numbers = [n for n in sizes.values() if n > 0]
        products = {
            *numbers,
            *(a * b for a in numbers for b in numbers),
            *(2 * n for n in numbers),
            prod(numbers),
        }
        guesses = sorted(n for n in products if slack < n <= PROBE_ELEMENTS)[:_STEPS]
        enough = self._are_enough(param, sizes, [1, *guesses, *(n - slack for n in guesses)])
        if enough[0]:
            return param.lanes
        for i, guess in enumerate(guesses):
            if enough[1 + i] and not enough[1 + len(guesses) + i]:
                return guess * param.lanes
        low, high = 1, PROBE_ELEMENTS
        while high - low > slack:
            steps = sorted({low + (high - low) * i // _STEPS for i in range(1, _STEPS)} - {low, high})
            found = self._are_enough(param, sizes, steps)
            first = found.index(True) if any(found) else len(steps)
            low, high = [low, *steps][first], [*steps, high][first]
        return (high + slack - 1) // slack * slack * param.lanes

    def _are_enough(self, param: Param, sizes: Mapping[str, int], extents: Sequence[int]) -> list[bool]:
        cases = [self._probe(sizes, PROBE_ELEMENTS, {param.name: n * param.lanes}) for n in extents]
        return [not trace.fault for trace in trace_host(self.build, cases)]

    def _probe(self, sizes: Mapping[str, int], elements: int, extents: Mapping[str, int]) -> Case:
        """A call whose arrays have so many elements, but for those in `extents`."""
        pointers = [p for p in self.entry.params if p.is_pointer]
        counts = {p.name: extents.get(p.name, elements * p.lanes) for p in pointers}
        return make_case({**self.numbers, **sizes}, counts, values=self.given)

    def typed(self, case: Case) -> Case:
        """The case with the types that its launches use arrays as, where the signature says none."""
        if not self._untyped:
            return case
        (trace,) = self._traced([{name: int(n) for name, n in case.scalars if not isinstance(n, float)}])
        return case if trace.fault else replace(case, types=tuple(self._types(trace).items()))

    @cached_property
    def _untyped(self) -> bool:
        return any(p.is_pointer and "void" in p.spelling for p in self.entry.params)

    def _types(self, trace: Trace) -> dict[str, DType]:
        return used_types(trace, self.launched, self.entry.params) if self._untyped else {}

    def index_uses(self) -> dict[str, str]:
        return self.uses

    def _notice_task_types(self) -> None:
        """A parameter that is BANG C's type of a task is one cluster, which can do all that a core can."""
        for function in self.functions:
            if function.name == self.entry.function:
                text = self.unit.text[slice(*function.span)].split("{")[0]
                for name in {*_TASK_TYPE.findall(text)} & {*self.sizes} - {*self.fixed}:
                    self.fixed[name] = _UNION1
                    self.notes.append(f"{name} is the type of a task: cnrtFuncTypeUnion1")

    def _notice_block_sizes(self) -> None:
        """A parameter that is the block's size gets ordinary block sizes."""
        samples = list(islice(candidates(self.sizes, self.fixed), 6))
        suspects = {name for name in self.sizes if name not in self.fixed}
        ran = 0
        for sizes, trace in zip(samples, self._traced(samples), strict=True):
            blocks = {extent for launch in trace.launches for extent in launch.launch.block}
            if trace.launches:
                ran += 1
                suspects = {name for name in suspects if sizes[name] in blocks}
        for name in sorted(suspects) if ran >= 3 else ():
            self.fixed[name] = _BLOCK_SIZE
            self.notes.append(f"{name} is a block size: {_BLOCK_SIZE}")

    def _traced(self, sizes: Sequence[Mapping[str, int]]) -> list[Trace]:
        missing = [s for s in sizes if tuple(sorted(s.items())) not in self.traces]
        if missing:
            for elements in _PROBES:  # large ones, if the text or user says so
                traces = self._probed(missing, elements)
                if not any(t.fault and self._is_known(s) for s, t in zip(missing, traces, strict=True)):
                    break
            for one, trace in zip(missing, traces, strict=True):
                self.traces[tuple(sorted(one.items()))] = trace
            self._give_up_on_hangs()
        return [self.traces[tuple(sorted(s.items()))] for s in sizes]

    def _give_up_on_hangs(self) -> None:
        """Each further batch of sizes would wait as long again."""
        hung = [t for t in self.traces.values() if t.hung]
        if len(hung) >= _HANGS and len(hung) == len(self.traces):
            where = "before its first launch" if not hung[0].launches else "after a launch"
            raise stopped_in_host_code(self.entry, where, hung[0].fault)

    def _probed(self, sizes: Sequence[Mapping[str, int]], elements: int) -> list[Trace]:
        """What the call does when each of its arrays has so many elements."""
        return trace_host(self.build, [self._probe(s, elements, {}) for s in sizes])

    def started_at(self, candidates: Sequence[Mapping[str, int]]) -> Iterator[list[Started] | None]:
        for trace in self._traced(candidates):
            yield None if trace.fault or not trace.launches else [*map(self._started, trace.launches)]

    def _started(self, launch: TracedLaunch) -> Started:
        kernel = self.launched.kernel(launch)
        bound = (kernel and bind(kernel, launch.arguments)) or ()
        scalars = {p.name: v for p, v in zip(kernel.params if kernel else (), bound, strict=False)}
        return Started(launch.kernel, kernel, scalars, launch.launch.grid, launch.launch.block)

    def is_meant(self, sizes: Mapping[str, int]) -> bool:
        return not divides_negative(self.functions, sizes)

    @cached_property
    def functions(self) -> tuple[HostFunction, ...]:
        """Those that decide what is launched."""
        return Setups(self.unit).reached_by_name(self.entry.function)

    def collect(self, stream: Iterator[Mapping[str, int]], limit: int) -> list[Trial]:
        return super().collect(self._ahead(stream), limit)

    def _ahead(self, stream: Iterator[Mapping[str, int]]) -> Iterator[Mapping[str, int]]:
        """The same candidates, traced a batch at a time."""
        while batch := list(islice(stream, _BATCH)):
            self._traced(batch)
            yield from batch

    def attempt(self, sizes: Mapping[str, int]) -> Iterator[Trial]:
        (trace,) = self._traced([sizes])
        blank = make_case({**self.numbers, **sizes}, {})
        if trace.fault:
            after = f"after the launch in line {trace.launches[-1].line}" if trace.launches else ""
            where = after or "before its first launch"
            yield Trial(sizes, blank, {}, (), 0, trace.fault, host_fault=where)
            return
        if not trace.launches:
            yield Trial(sizes, blank, {}, (), 0, trace.cut or "the call launches no kernel")
            return
        self._learn_uses(trace)
        yield from in_modes(self.uses, lambda mode: self._observed(sizes, trace, mode))

    def _observed(self, sizes: Mapping[str, int], trace: Trace, mode: int) -> Trial:
        scalars = {**self.numbers, **sizes}
        copied, roles = _copied(trace)
        filled_from = _filled_from(trace)
        types = self._types(trace)
        by_entry = {p.name: replace(p, dtype=types.get(p.name, p.dtype)) for p in self.entry.params}
        values = {**self.values(mode), **self.given}
        buffers: dict[str, Buffer] = {}
        launched: list[tuple[int, Step]] = []
        for number, launch in enumerate(trace.launches):
            kernel = self.launched.kernel(launch)
            shape = launch.launch if kernel is None else interpreted(kernel, launch.launch)
            if shape is None:
                why = f"{launch.kernel} is launched with tasks that do not fill their clusters"
                return Trial(sizes, make_case(scalars, {}), {}, (), 0, why)
            known = self._is_known(sizes) or self._is_everywhere(number, launch)
            most = MOST_THREADS if known else MAX_THREADS
            if shape.threads > most or len(trace.launches) > _MAX_LAUNCHES:
                if self._is_told(sizes, copied):
                    self.checked = False
                    continue
                return Trial(
                    sizes, make_case(scalars, {}), {}, (), 0, "the launches are too large to be checked"
                )
            if kernel is None:
                self.checked = False
                continue
            arguments: list[Pointer | int | float | None] = []
            for argument in bind(kernel, launch.arguments) or ():
                if isinstance(argument, Memory):
                    origin = argument.name or filled_from.get(argument.key, "")
                    size = None if argument.name else argument.size
                    contents = None
                    if origin in values and origin in by_entry:
                        contents = self._contents(by_entry[origin], values[origin], size)
                    buffers.setdefault(argument.key, Buffer(argument.key, size, contents))
                    arguments.append(Pointer(argument.key, argument.offset))
                else:
                    arguments.append(argument)
            launched.append((number, Step(kernel, shape, tuple(arguments), self._is_known(sizes))))
        steps = _with_fills(trace, launched, buffers)
        reach = self._settled(steps, buffers, values, sizes, filled_from)
        extents, shapes = self.extents(reach, sizes)
        room = {name: e for name, e in self._room_for(copied).items() if name not in shapes}
        for name, elements in room.items():  # host code may look at a part; what it sets is all there is
            seen = extents.get(name, 0) if Role.IN in roles.get(name, ()) else 0
            extents[name] = max(elements, seen)
        given: dict[str, Role] = {
            name: Role.INOUT if len(r) > 1 else next(iter(r)) for name, r in roles.items()
        }
        for param in self.entry.params:
            used = reach.reach.get(param.name)
            if param.is_pointer and used is not None:  # copied on the device besides: both hold
                same = given.get(param.name, used.role) is used.role
                given[param.name] = used.role if same else Role.INOUT
        case = make_case(
            scalars,
            extents,
            shapes=shapes,
            values={k: v for k, v in values.items() if k in extents or k in self.given},
        )
        if reach.unfinished and self._is_told(
            sizes, copied
        ):  # too long to interpret, but there is nothing to ask
            self.checked = False
            return Trial(sizes, case, given, (), 0)
        flaws, why = self._flaws(trace, reach), reach.unfinished
        return Trial(
            sizes,
            case,
            given,
            reach.findings,
            flaws,
            why,
            unfinished=bool(why),
            slow=reach.slow,
            endless=reach.endless,
        )

    def _is_everywhere(self, number: int, launch: TracedLaunch) -> bool:
        """Whether all sizes that were tried launch as many threads there: no others launch fewer."""
        traces = [trace for trace in self.traces.values() if number < len(trace.launches)]
        return len(traces) > 1 and all(trace.launches[number].launch == launch.launch for trace in traces)

    def _is_known(self, sizes: Mapping[str, int]) -> bool:
        """Whether the sizes are no guess: the user stated them, or the kernels' extents tell them."""
        if set(self.sizes) <= set(self.fixed):
            return True
        return any(dict(sizes) == p for p in self.preferred)

    def told(self, several: Sequence[Mapping[str, int]]) -> list[Case | None]:
        if self.uses or self.given:  # what the data lead to decides how long arrays are
            return [None] * len(several)
        traces = self._traced(several)
        for elements in _ROOMY:
            short = [i for i, trace in enumerate(traces) if trace.fault and not trace.hung]
            roomy = self._probed([several[i] for i in short], elements) if short else []
            for i, trace in zip(short, roomy, strict=True):
                traces[i] = self.traces[tuple(sorted(several[i].items()))] = trace
        return [self._told(sizes, trace) for sizes, trace in zip(several, traces, strict=True)]

    def _told(self, sizes: Mapping[str, int], trace: Trace) -> Case | None:
        copied, _ = _copied(trace)
        known = self._arrays() <= set(copied)
        if trace.fault or not trace.launches or not known or min(copied.values(), default=1) <= 0:
            return None
        return make_case({**self.numbers, **sizes}, self._room_for(copied), values=self.values(0))

    def _room_for(self, copied: Mapping[str, int]) -> dict[str, int]:
        """Elements of the arrays of which so many bytes are copied."""
        found = {param.name: 1 for param in self.entry.params if param.name == RETURN}
        for param in self.entry.params:
            if param.name in copied:
                unit = param.dtype.bytes * param.lanes
                found[param.name] = -(-copied[param.name] // unit) * param.lanes
        return found

    def _is_told(self, sizes: Mapping[str, int], copied: Mapping[str, int]) -> bool:
        """Whether nothing has to be found out: the sizes are known, and the call copies all its arrays."""
        return self._is_known(sizes) and self._arrays() <= set(copied)

    def _arrays(self) -> set[str]:
        """Those that the call is handed."""
        return {p.name for p in self.entry.params if p.is_pointer and p.name != RETURN}

    def _learn_uses(self, trace: Trace) -> None:
        """Which arrays of the entry hold indices, by where its launches pass them."""
        filled_from = _filled_from(trace)
        for launch in trace.launches:
            kernel = self.launched.kernel(launch)
            uses = index_arrays(kernel) if kernel else {}
            bound = bind(kernel, launch.arguments) if kernel else None
            for param, argument in zip(kernel.params if kernel else (), bound or (), strict=True):
                if param.name in uses and isinstance(argument, Memory):
                    origin = argument.name or filled_from.get(argument.key, "")
                    if origin:
                        self.uses.setdefault(origin, uses[param.name])

    def _contents(self, param: Param, values: Values, size: int | None) -> Array:
        if values.kind == "permutation":  # sorted: as many as are used are then no larger than their number
            return np.arange(PROBE_ELEMENTS).astype(numpy_of(param.dtype))
        count = (size or PROBE_ELEMENTS * param.dtype.bytes) // param.dtype.bytes
        case = make_case({}, {param.name: count}, values={param.name: values})
        return draw(argument_of(param, Role.IN), case)

    def _unwritten(self, trace: Trace, reach: Observation) -> set[str]:
        """Memory that kernels would write to, but did not at these sizes: all threads were at a border."""
        found: set[str] = set()
        for launch in trace.launches:
            kernel = self.launched.kernel(launch)
            bound = bind(kernel, launch.arguments) if kernel else None
            for param, argument in zip(kernel.params if kernel else (), bound or (), strict=True):
                if kernel and isinstance(argument, Memory) and param.name in uses(kernel.body).arrays_written:
                    found.add(argument.key)
        return {key for key in found if key in reach.reach and not reach.reach[key].written}

    def _flaws(self, trace: Trace, reach: Observation) -> int:
        """Copied-out memory that was not written whole, device memory far from being used up, results made
        of what a scratchpad held before."""
        flaws = int(reach.stale)
        for copy in trace.copies:
            if copy.to and copy.to.name and copy.source:
                used = reach.reach.get(copy.source.key)
                whole = reach.partial or (used is not None and used.written_bytes >= copy.size)
                flaws += used is not None and used.written and not whole
        flaws += UNWRITTEN * len(self._unwritten(trace, reach))
        sizes = {m.key: m.size for la in trace.launches for m in la.memories()}
        for key, used in reach.reach.items():
            size = sizes.get(key, 0)
            if key.startswith("#") and used.high < size:
                flaws += 1
            if used.high == 0:
                flaws += 1
        return flaws


def _copied(trace: Trace) -> tuple[dict[str, int], dict[str, set[Role]]]:
    """How many bytes of the entry's arrays a call copies, from their begin, and in which directions."""
    copied: dict[str, int] = {}
    roles: dict[str, set[Role]] = {}
    for copy in trace.copies:
        for side, role in ((copy.source, Role.IN), (copy.to, Role.OUT)):
            if side is not None and side.name:
                copied[side.name] = max(copied.get(side.name, 0), side.offset + copy.size)
                roles.setdefault(side.name, set()).add(role)
    return copied, roles


def _with_fills(
    trace: Trace, launched: Sequence[tuple[int, Step]], buffers: Mapping[str, Buffer]
) -> list[Step | Fill]:
    """The launches, and before each what host code sets between them: counters and flags begin somewhere."""
    fills = [
        (c.after, Fill(Pointer(c.to.key, c.to.offset), c.data, c.size))
        for c in trace.copies
        if c.data and c.to and (c.to.variable or c.to.key in buffers)
    ]
    steps: list[Step | Fill] = []
    for number, step in launched:
        steps += [fill for after, fill in fills if after <= number]
        fills = [(after, fill) for after, fill in fills if after > number]
        steps.append(step)
    return steps


def _filled_from(trace: Trace) -> dict[str, str]:
    """The entry's array that each allocation is a copy of."""
    copies = [c for c in trace.copies if c.source and c.source.name and c.to and not c.to.name]
    return {c.to.key: c.source.name for c in copies if c.to and c.source}
