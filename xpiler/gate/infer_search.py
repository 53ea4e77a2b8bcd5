"""The search for sizes with which an entry runs: what the searches of all kinds of entries share.

A candidate is digested if nothing is out of bounds, raced or undefined, and outputs are written whole. The
first flawless one is taken, else the best; if none is digested the most ordinary one's findings are told.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice, product
from math import gcd, prod

import numpy as np

from xpiler.errors import Diagnostic
from xpiler.frontend.unit import Unit
from xpiler.gate import overrides as stated
from xpiler.gate.alongside import read_alongside
from xpiler.gate.contract import Case, Contract, Role, Scalar, Values, make_case
from xpiler.gate.data_reach import data_reach
from xpiler.gate.entries import Entry
from xpiler.gate.equal_data import where_equal
from xpiler.gate.execute import Build
from xpiler.gate.infer_arguments import argument_of, is_handle
from xpiler.gate.infer_demands import Demands
from xpiler.gate.infer_launch import LaunchFormula
from xpiler.gate.infer_settings import settings_of
from xpiler.gate.infer_sizes import FINER, candidates, granule_of, structured
from xpiler.gate.infer_telling import Reading, Started, others_alike, read, telling_sizes
from xpiler.gate.inputs import draw
from xpiler.gate.observe import Buffer, Fill, Observation, Pointer, Step, observe
from xpiler.gate.overrides import Overrides
from xpiler.gate.trace import Trace
from xpiler.ir.build import int_limits
from xpiler.ir.data_guards import written_by_data
from xpiler.ir.flags import flags
from xpiler.ir.index_arrays import CONTENTS, index_arrays
from xpiler.ir.interpret_state import Finding
from xpiler.ir.nodes import Binary, Call, Const, For, Function, Param, Select, Var
from xpiler.ir.rewrite import arrays_read, walk
from xpiler.ir.types import DType, Kind
from xpiler.symbolic.settings import Setting

_TILE = 32  # what rows and columns of a tile may have to divide: beyond the last one it meets the next
_GOOD_ENOUGH = 6  # candidates after which an imperfect but clean one is taken
UNWRITTEN = 8  # flaws that an array counts to which nothing was written, though kernels write to it
_LESS = 4  # times less to do, by the product of the sizes, than where a run was given up
_PATIENCE = 48  # candidates after which one is taken that has such arrays
_ENDLESS = 3  # trials that did not come out of the same loop
_ALIKE = 10  # trials with the same finding that make it a bug
SECONDS = 12.0  # of processor time for the whole search: a busy machine must not change what is found
PROBE_ELEMENTS = 1 << 16
_SEEDS = (1, 2, 11, 12)  # of the cases, see `_cases`
_MORE_SEEDS = tuple(range(21, 29))
UNIQUE = 3  # the mode of `values` in which indices are all different
_LENGTHS = (40, 8, 8)  # beyond those of loops whose bounds data tell, by mode: several pages, or few elements
MAX_THREADS = 1 << 17  # larger launches are not interpreted, where smaller ones can be found
MOST_THREADS = 1 << 28  # of any launch
_DATA = (
    (1e3, 2e3),
    (-2e3, -1e3),
    (-3.0, 3.0),
    (0.0, 1.0),
)  # between which data lie that are to be decided on
_NO_VALUES = Values("uniform")
_TELLING_TRIES = 3  # of the most telling sizes
_TELLING_SECONDS = 2.0
_GRANULE = 256
_LANES = 64  # of which instructions may demand multiples
_TASKS = 4  # that BANG C kernels are mostly tried with
_SMALLEST_TILE, _LARGEST_TILE = 16, 1 << 16
_UNCONSTRAINED = 5  # a size that the extents of the kernels say nothing about (a number of steps)

Builder = Callable[[Contract], Build]


@dataclass(frozen=True)
class Question:
    """What a search is about. `builder` compiles the source for a provisional contract; `program` runs the
    file's `main` and tells what it launched (None if there is none, or it fails)."""

    unit: Unit
    entry: Entry
    overrides: Overrides
    builder: Builder
    program: Callable[[], Trace | None]


@dataclass(frozen=True)
class Trial:
    """One candidate that was tried: what it leads to and how good it is (0: flawless). `stated`: the user
    asked for these sizes."""

    sizes: Mapping[str, int]
    case: Case
    roles: Mapping[str, Role]
    findings: tuple[Finding, ...]
    flaws: int
    fault: str = ""
    stated: bool = False
    unfinished: bool = False  # the fault is that it took too long
    slow: bool = False  # and that there was too much to do in all launches together
    endless: Finding | None = None  # the loop that it was in then
    host_fault: str = ""  # where host code came to its end, if that is the fault
    unmet: bool = False  # the fault is that an instruction demands other sizes


class Search:
    """What the searches share: candidates are tried, ranked by what is wrong with them, the best one taken.

    A kind of entry has a search of its own, which says what it means to try a candidate (`attempt`) and which
    arrays hold indices (`index_uses`).
    """

    def __init__(self, question: Question) -> None:
        unit, entry, overrides = question.unit, question.entry, question.overrides
        self.unit, self.entry, self.overrides = unit, entry, overrides
        self.kernels = {k.name: k for k in unit.program.kernels if k.name in entry.kernels}
        self.notes: list[str] = []
        self.demands = Demands(question)
        self.formula: LaunchFormula | None = None
        self.assumed: Diagnostic | None = None
        self.checked = True
        self.deadline = time.thread_time() + SECONDS
        self.ran: dict[frozenset[tuple[str, int]], dict[str, list[Setting]]] = {}  # by sizes, of each kernel
        self.anywhere = False  # whether guards bound all that data pick, so that these may be anything
        self.given_up: list[Trial] = []  # unfinished ones: others are to have less to do
        scalars = [p for p in entry.params if not p.is_pointer and not is_handle(p)]
        self.dropped: list[Trial] = []  # clean ones, of sizes that nobody means
        self.sizes = [p.name for p in scalars if p.dtype.is_integer and p.dtype.name != "bool"]
        self.fixed: dict[str, int] = {}
        self.choosing: frozenset[str] = frozenset()  # parameters that are no sizes, but choose
        self.numbers: dict[str, Scalar] = {}
        for param in scalars:
            chosen = overrides.scalar_choices(param.name)
            if chosen and param.name in self.sizes:
                self.fixed[param.name] = int(chosen[0])
            elif param.name not in self.sizes:
                self.numbers[param.name] = chosen[0] if chosen else _plain_number(param, len(self.numbers))

    @property
    def units(self) -> dict[str, int]:
        """What sizes are divided by, as `IC / 16` blocks of channels."""
        found: dict[str, int] = {}
        for kernel in self.kernels.values():
            for node in walk(kernel.body):
                match node:
                    case Binary(op="/", left=Var(name=name), right=Const(value=by)) if name in self.sizes:
                        if 1 < by <= _GRANULE:
                            found[name] = max(int(by), found.get(name, 1))
        return found

    def values(self, mode: int) -> dict[str, Values]:
        """Contents of index arrays by entry parameter; mode 0 leaves them to chance, `UNIQUE` makes each
        index occur once (threads that scatter by an index array must not meet)."""
        uses = self.index_uses()
        bits = {name: Values(kind) for name, use in uses.items() for kind in CONTENTS if use == kind}
        given = bits | dict(self.overrides.values)
        if mode == 0:
            return given
        high = 8 if mode == 1 else 2
        uses = {name: use for name, use in uses.items() if name not in bits}
        index = Values("permutation", 0) if mode == UNIQUE else Values("index", 0, high)
        special = {
            "offsets": Values("offsets", 0, 24),
            "lengths": Values("index", 0, _LENGTHS[mode - 1]),
            "counter": Values("constant", 0),
        }
        made = {name: special.get(use, index) for name, use in uses.items()}
        return {**made, **given}

    def index_uses(self) -> dict[str, str]:
        raise NotImplementedError

    def attempt(self, sizes: Mapping[str, int]) -> Iterator[Trial]:
        raise NotImplementedError

    def typed(self, case: Case) -> Case:
        """The case with the types of arrays that the signature does not say."""
        return case

    def told(self, several: Sequence[Mapping[str, int]]) -> list[Case | None]:
        """The calls at sizes that were not tried, where they say themselves how long all arrays are: what is
        wrong with one then shows when it is run. None where it does not."""
        return [None] * len(several)

    def case_at(
        self, sizes: Mapping[str, int], extents: Mapping[str, int], values: Mapping[str, Values]
    ) -> Case | None:
        """The call at sizes that were not tried; None where there is none."""
        return make_case({**self.numbers, **sizes}, extents, values=values)

    def collect(self, stream: Iterator[Mapping[str, int]], limit: int) -> list[Trial]:
        """Tries candidates until one is flawless; the best one first."""
        tried: list[Trial] = []
        for sizes in stream:
            if any(_is_no_less(sizes, trial) for trial in self.given_up):
                continue
            for attempted in self.attempt(sizes):
                trial = self.demands.held(attempted)
                tried.append(trial)
                if trial.unfinished:
                    self.given_up.append(trial)
                if not trial.findings and not trial.fault and (not trial.flaws or not self.index_uses()):
                    break
            best = min(tried, key=badness) if tried else None
            if best is not None and badness(best) == (False, False, 0):
                break
            clean = [t for t in tried if not t.findings and not t.fault]
            free = [name for name in self.sizes if name not in self.fixed]
            if not clean and (_is_a_bug(tried, free) or endless_loop(tried) or self.demands.hopeless):
                break
            enough = _GOOD_ENOUGH + len(self.sizes)
            if clean and min(t.flaws for t in clean) >= UNWRITTEN:
                enough = _PATIENCE
            if len(tried) >= limit or (clean and len(tried) >= enough) or time.thread_time() > self.deadline:
                break
        # Of candidates equally bad the first is the most ordinary one: its findings are the ones to show.
        return sorted(tried, key=badness)

    def two_sizes(self, preferred: Sequence[Mapping[str, int]] = ()) -> list[Trial]:
        """The first sizes that work, and others that do so too where the entry takes more than one."""

        def stream(seed: int) -> Iterator[Mapping[str, int]]:
            rest = dict.fromkeys(self.sizes, _UNCONSTRAINED)
            yield from ({**rest, **p, **self.fixed} for p in preferred if seed == 0)
            yield from candidates(self.sizes, self.fixed, seed, self.units)

        first = self.collect(stream(0), 220)
        if not first or first[0].findings or first[0].fault:
            unmet = [replace(trial, fault="") for trial in first if trial.unmet]
            return unmet[:1] or first  # what is wrong at all sizes shows where the program is run
        self.notes += self.demands.notes
        free = [name for name in self.sizes if name not in self.fixed]
        granule = granule_of(first[0].sizes, free) if free else None
        if granule == 64:
            finer = self.collect(iter([{**self.fixed, **structured(free, g, 0)} for g in FINER]), len(FINER))
            first = [t for t in finer[:1] if badness(t) <= badness(first[0])] or first
        chosen = [first[0]]
        if preferred and dict(first[0].sizes) in [
            {**dict.fromkeys(self.sizes, _UNCONSTRAINED), **p} for p in preferred
        ]:
            # The kernel's extents are fixed; an argument that none of them fixes has other values.
            more = self.collect(_scaled(first[0].sizes, free), 2 * len(free))
            return chosen + [t for t in more[:1] if badness(t) == (False, False, 0)]
        if len(self.fixed) < len(self.sizes):
            granule = granule_of(first[0].sizes, free)
            similar = [] if granule is None else [{**self.fixed, **structured(free, granule, 1)}]
            others = self.collect((s for s in (*similar, *islice(stream(1), 24)) if s != first[0].sizes), 24)
            chosen += [t for t in others[:1] if not t.findings and not t.fault and t.flaws <= first[0].flaws]
        chosen = self.with_telling(chosen, free)
        chosen += self.collect(self.beyond_tiles(chosen[0].sizes), 1)[:1] if free else []
        chosen = [t for t in chosen if not t.findings and not t.fault]
        more = self.overrides_cases()
        return [*chosen, *more]

    def started_at(self, candidates: Sequence[Mapping[str, int]]) -> Iterator[list[Started] | None]:
        """What runs at each of the sizes, None where nothing does."""
        raise NotImplementedError

    def is_meant(self, sizes: Mapping[str, int]) -> bool:
        """Whether host code says nothing against these sizes."""
        return True

    def readings(
        self, candidates: Sequence[Mapping[str, int]], free: Sequence[str]
    ) -> Iterator[Reading | None]:
        for sizes, started in zip(candidates, self.started_at(candidates), strict=True):
            reading = None if started is None else read(sizes, free, started)
            if reading is not None:
                reading.meant = reading.meant and self.is_meant(sizes)
            yield reading

    def with_telling(self, chosen: list[Trial], free: Sequence[str]) -> list[Trial]:
        """The trials, before them those of more telling sizes, where some extent is one in all that were
        chosen; then without sizes that nobody means."""
        known = [r for r in self.readings([t.sizes for t in chosen], free) if r is not None]
        if len(free) < 2 or not known or any(r.meant and not r.hidden for r in known):
            return chosen
        shown = max((r.meant, r.shown) for r in known)
        common = {name: gcd(_GRANULE, *(trial.sizes[name] for trial in chosen)) for name in free}
        self.deadline = time.thread_time() + _TELLING_SECONDS
        found: list[Trial] = []

        def take(sizes: Mapping[str, int]) -> bool:
            (reading,) = self.readings([sizes], free)
            if reading is None or (reading.meant, reading.shown) <= shown:
                return False
            trial = min(self.attempt(sizes), key=badness)
            if _does_as_much(trial, chosen[0]):
                found.append(trial)
            return True

        for units in (common, dict.fromkeys(free, 1)):  # a common multiple may be by chance
            measured = telling_sizes(chosen[0].sizes, units, lambda c: list(self.readings(c, free)))
            for sizes in islice(measured, _TELLING_TRIES):
                if not take(sizes) or found or time.thread_time() > self.deadline:
                    break
            if found or set(units.values()) == {1}:
                break
        if not found:
            return chosen
        take(others_alike(found[0].sizes, units))
        readings = self.readings([t.sizes for t in chosen], free)
        for trial, reading in zip(chosen, readings, strict=True):
            (found if reading is None or reading.meant else self.dropped).append(trial)
        return found

    def beyond_tiles(self, sizes: Mapping[str, int]) -> Iterator[Mapping[str, int]]:
        """Sizes at which each task of a BANG C kernel works on several tiles, and on a part of one."""
        kernels = [k for k in self.kernels.values() if k.tasks]
        tile = max((t for k in kernels for t in _tiles(k)), default=0)
        for name in self.sizes:
            unit = gcd(_LANES, sizes[name])
            size = (2 * tile * _TASKS + tile // 3) // unit * unit
            if name not in self.fixed and size > sizes[name]:
                yield {**sizes, name: size}

    def memory(
        self, kernel: Function, scalars: Mapping[str, Scalar], values: Mapping[str, Values]
    ) -> tuple[dict[str, Buffer], tuple[Pointer | int | float | None, ...]]:
        """A buffer for each array of a kernel that is called by itself, and the call's arguments."""
        given = dict(self.overrides.shapes)
        buffers: dict[str, Buffer] = {}
        arguments: list[Pointer | int | float | None] = []
        for param in kernel.params:
            if not param.is_pointer:
                arguments.append(scalars.get(param.name, 0))
                continue
            size = None
            if param.name in given:
                shape = [stated.evaluate(e, scalars, f"--shape {param.name}") for e in given[param.name]]
                size = int(np.prod(shape, dtype=np.int64)) * param.dtype.bytes
            contents = None
            if param.name in values and values[param.name].kind == "permutation":
                contents = np.arange(PROBE_ELEMENTS).astype(numpy_of(param.dtype))
            elif param.name in values:
                count = size // param.dtype.bytes if size else PROBE_ELEMENTS
                case = make_case({}, {param.name: count}, values={param.name: values[param.name]})
                contents = draw(argument_of(param, Role.IN), case)
            buffers[param.name] = Buffer(param.name, size, contents)
            arguments.append(Pointer(param.name))
        return buffers, tuple(arguments)

    def _settled(
        self,
        steps: Sequence[Step | Fill],
        buffers: Mapping[str, Buffer],
        values: Mapping[str, Values],
        sizes: Mapping[str, int],
        filled_from: Mapping[str, str],
    ) -> Observation:
        """How far the steps reach, under the contents that index arrays will have in the cases.

        Contents depend on an array's extent, and other extents on the contents: the first run gives the
        extents of the
        index arrays, further ones, with the seeds of the cases, the reach of what they index.
        """
        first = self._under_data(observe(steps, buffers), steps, buffers)
        self._ran(sizes, steps, buffers, first)
        if not first.clean:
            return first
        for room in (_room_alongside(steps, buffers, first), self.room_for_data(steps, buffers)):
            first = _with_room(first, room)
        left = {name for name, use in self.index_uses().items() if use == "index"} - values.keys()
        if not values and not left:
            return first
        extents, _ = self.extents(first, sizes)
        by_entry = {p.name: p for p in self.entry.params}
        merged = first
        # Behind a flag that was set before by chance a place may be hidden: more draws find it.
        drawn = dict(buffers)
        flagged = any(flags(step.kernel) for step in steps if isinstance(step, Step))
        for as_long_as_seen, seed in product((False, True), _SEEDS + _MORE_SEEDS * flagged):
            if as_long_as_seen:
                extents, _ = self.extents(merged, sizes)
            drawn = dict(buffers)
            for key, buffer in buffers.items():
                name = filled_from.get(key, key)
                if name != key and name in by_entry and key in merged.reach:  # a copy: the kernels use that
                    used = -(-merged.reach[key].high // by_entry[name].dtype.bytes)
                    extents[name] = max(extents.get(name, 0), used)
                if (name in values or name in left) and name in by_entry and name in extents:
                    # Row starts end where the array ends; other indices may be needed beyond what was seen
                    # yet. Those left to chance are of both signs in the cases.
                    given = {name: values[name]} if name in values else {}
                    exact = as_long_as_seen or any(
                        v.kind in ("offsets", "permutation") for v in given.values()
                    )
                    count = extents[name] if exact else max(extents[name], 1 << 12)
                    case = make_case({}, {name: count}, values=given, seed=seed)
                    drawn[key] = replace(buffer, contents=draw(argument_of(by_entry[name], Role.IN), case))
            again = observe(steps, drawn, seed)
            if not again.clean:
                return again
            merged = merged.joined(again)
        picks = {key for key in drawn if values.get(filled_from.get(key, key), _NO_VALUES).kind == "index"}
        merged = where_equal(steps, drawn, merged, picks)
        self._ran(sizes, steps, drawn, merged)
        return _with_room(merged, room)

    def room_for_data(self, steps: Sequence[Step | Fill], buffers: Mapping[str, Buffer]) -> dict[str, int]:
        """Bytes of buffers of unknown size that data may ask for, where something bounds what they pick."""
        room: dict[str, int] = {}
        anywhere: list[bool] = []
        for step in steps:
            if not isinstance(step, Step):
                continue
            places = dict(zip((p.name for p in step.kernel.params), step.arguments, strict=False))
            scalars = {name: v for name, v in places.items() if isinstance(v, int)}
            found = data_reach(step.kernel, step.launch, scalars)
            anywhere += [found.anywhere] if found.anywhere or index_arrays(step.kernel) else []
            for name, size in found.needed.items():
                place = places.get(name)
                if isinstance(place, Pointer) and buffers[place.key].size is None:
                    room[place.key] = max(room.get(place.key, 0), place.offset + size)
        self.anywhere = bool(anywhere) and all(anywhere)
        return room

    def _under_data(
        self, reach: Observation, steps: Sequence[Step | Fill], buffers: Mapping[str, Buffer]
    ) -> Observation:
        """What was seen, and what other data show where data decide what is written at all: a filter that
        keeps everything, or nothing, or a part. An array that some reach further into has room for as much
        as any that is read. So it is where data seem to decide that an array is not used at all."""
        run = [step for step in steps if isinstance(step, Step)]
        places = [
            (param, value.key, param.name in written_by_data(step.kernel))
            for step in run
            for param, value in zip(step.kernel.params, step.arguments, strict=False)
            if isinstance(value, Pointer)
        ]
        decided = {key for _, key, is_decided in places if is_decided}
        used = frozenset[str]().union(*(arrays_read(step.kernel.body) for step in run))
        unseen = any(param.name in used and not reach.reach[key].high for param, key, _ in places)
        if not reach.clean or not (decided or unseen):
            return reach
        free = {
            key: param
            for param, key, _ in places
            if buffers[key].contents is None and param.dtype.kind is not Kind.BOOL
        }
        seen = reach
        for low, high in _DATA:
            drawn = dict(buffers)
            for key, param in free.items():
                if key not in decided:
                    between = Values("uniform", *_within(param.dtype, low, high))
                    case = make_case({}, {param.name: PROBE_ELEMENTS}, values={param.name: between})
                    drawn[key] = replace(buffers[key], contents=draw(argument_of(param, Role.IN), case))
            again = observe(steps, drawn)
            if again.clean:
                seen = seen.joined(again)
        seen = where_equal(steps, buffers, seen)
        longest = max((used.high for key, used in seen.reach.items() if key not in decided), default=0)
        room = {
            key: replace(used, high=max(used.high, longest))
            for key, used in seen.reach.items()
            if key in decided and buffers[key].size is None and used.high > reach.reach[key].high
        }
        return replace(seen, reach={**seen.reach, **room})

    def _ran(
        self,
        sizes: Mapping[str, int],
        steps: Sequence[Step | Fill],
        buffers: Mapping[str, Buffer],
        reach: Observation,
    ) -> None:
        """Remembers the launches of a run in which nothing was wrong: others reach anywhere."""
        if reach.clean:
            self.ran[frozenset(sizes.items())] = settings_of(steps, buffers, reach)

    def overrides_cases(self) -> list[Trial]:
        """Further values that the user stated for arguments, one case each, whatever comes of it."""
        extra: list[Trial] = []
        longest = max((len(self.overrides.scalar_choices(n)) for n in self.sizes), default=0)
        for i in range(1, longest):
            for name in self.sizes:
                choices = self.overrides.scalar_choices(name)
                if choices:
                    self.fixed[name] = int(choices[min(i, len(choices) - 1)])
            self.deadline = time.thread_time() + SECONDS
            found = self.collect(candidates(self.sizes, self.fixed), 24)
            extra += [replace(trial, stated=True) for trial in found[:1]]
        return extra

    def run(self) -> list[Trial]:
        return self.two_sizes()

    def extents(
        self, reach: Observation, sizes: Mapping[str, int]
    ) -> tuple[dict[str, int], dict[str, tuple[int, ...]]]:
        """Elements of each pointer parameter: stated, else how far it was accessed."""
        scalars = {**sizes, **self.numbers}
        extents: dict[str, int] = {}
        shapes: dict[str, tuple[int, ...]] = {}
        given = dict(self.overrides.shapes)
        for param in self.entry.params:
            if not param.is_pointer:
                continue
            if param.name in given:
                where = f"--shape {param.name}"
                shape = tuple(stated.evaluate(e, scalars, where) for e in given[param.name])
                shapes[param.name] = shape
                extents[param.name] = int(np.prod(shape, dtype=np.int64))
                continue
            used = reach.reach.get(param.name)
            unit = param.dtype.bytes * param.lanes
            if used and used.high:
                extents[param.name] = -(-used.high // unit) * param.lanes
            else:
                extents[param.name] = param.lanes if self.checked else PROBE_ELEMENTS * param.lanes
        return extents, shapes


def _room_alongside(
    steps: Sequence[Step | Fill], buffers: Mapping[str, Buffer], reach: Observation
) -> dict[str, int]:
    """Bytes of buffers of unknown size that are read for some elements only, beside what is written."""
    room: dict[str, int] = {}
    for step in steps:
        if not isinstance(step, Step):
            continue
        places = dict(zip((p.name for p in step.kernel.params), step.arguments, strict=False))
        widths = {p.name: p.dtype.bytes for p in step.kernel.params}
        for name, other in read_alongside(step.kernel):
            place, beside = places.get(name), places.get(other)
            if isinstance(place, Pointer) and isinstance(beside, Pointer) and buffers[place.key].size is None:
                elements = (reach.reach[beside.key].high - beside.offset) // widths[other]
                room[place.key] = max(room.get(place.key, 0), place.offset + elements * widths[name])
    return room


def _with_room(reach: Observation, room: Mapping[str, int]) -> Observation:
    """What was seen, with buffers that are used at all as large as `room` says."""
    more = {
        key: replace(used, high=max(used.high, room[key]))
        for key, used in reach.reach.items()
        if used.high and key in room
    }
    return replace(reach, reach={**reach.reach, **more})


def _within(dtype: DType, low: float, high: float) -> tuple[float, float]:
    """The part of a range that a type holds."""
    if dtype.is_float:
        return low, high
    ends = int_limits(dtype)
    return min(max(low, ends[0]), ends[1]), min(max(high, ends[0]), ends[1])


def _does_as_much(trial: Trial, other: Trial) -> bool:
    """Whether nothing is wrong and all arrays are used that the other uses: windows that take several steps
    may leave a rest at the end of what they read."""
    if trial.findings or trial.fault or trial.flaws >= UNWRITTEN or trial.roles != other.roles:
        return False
    used = dict(trial.case.extents)
    return all(extent <= 1 or used[name] > 1 for name, extent in other.case.extents)


def _scaled(sizes: Mapping[str, int], free: Sequence[str]) -> Iterator[dict[str, int]]:
    """The same sizes with one of them twice or three times as large."""
    for factor in (2, 3):
        for name in free:
            yield {**sizes, name: factor * sizes[name]}


def _tiles(kernel: Function) -> Iterator[int]:
    """The steps of loops and the bounds of counts that are numbers: what a scratchpad holds at a time."""
    for node in walk(kernel.body):
        match node:
            case For(step=Const(value=value)) | Select(then=Const(value=value)):
                yield int(value) if _SMALLEST_TILE <= value <= _LARGEST_TILE else 0
            case Call(function="min", args=(_, Const(value=value)) | (Const(value=value), _)):
                yield int(value) if _SMALLEST_TILE <= value <= _LARGEST_TILE else 0
            case Binary(op="/" | "%", right=Const(value=value)) if node.dtype.is_integer:
                yield int(value) if _SMALLEST_TILE <= value <= _LARGEST_TILE else 0


def in_modes(uses: Mapping[str, str], observed: Callable[[int], Trial]) -> Iterator[Trial]:
    """The trials of one candidate under ever tamer contents of its index arrays."""
    trial: Trial | None = None
    for mode in range(bool({"offsets", "lengths", "counter"} & {*uses.values()}), UNIQUE):
        trial = observed(mode)
        yield trial
        if {*uses.values()} <= {*CONTENTS}:
            return
    if trial is not None and "index" in uses.values() and any(f.code == "race" for f in trial.findings):
        yield observed(UNIQUE)


def _is_a_bug(tried: Sequence[Trial], free: Sequence[str]) -> bool:
    """Whether the same thing went wrong at many sizes, each of the `free` ones a multiple of a tile in some,
    and not for want of memory: then no sizes will help."""
    ran = [t for t in tried if t.findings]
    if len(ran) < _ALIKE or not all(any(t.sizes.get(name, 0) % _TILE == 0 for t in tried) for name in free):
        return False
    common = set.intersection(
        *({(f.code, f.range) for f in t.findings if f.code != "out-of-bounds"} for t in ran)
    )
    return bool(common)


def endless_loop(tried: Sequence[Trial]) -> Finding | None:
    """The loop in which everything ended that was tried, and that more than once."""
    loops = [t.endless for t in tried if t.endless is not None and t.endless.range is not None]
    same = len(loops) == len(tried) >= _ENDLESS and len({loop.range for loop in loops}) == 1
    return loops[0] if same else None


def _is_no_less(sizes: Mapping[str, int], given_up: Trial) -> bool:
    """Whether there is as much to do as in a trial that was given up."""
    if given_up.slow:
        return _LESS * prod(sizes.values()) > prod(given_up.sizes.values())
    return all(sizes[name] >= size for name, size in given_up.sizes.items())


def badness(trial: Trial) -> tuple[bool, bool, int]:
    return (bool(trial.fault), bool(trial.findings), trial.flaws)


def _plain_number(param: Param, position: int) -> Scalar:
    """A value for a float or bool parameter: nothing that hides a term, unlike its neighbours."""
    if param.dtype.name == "bool":
        return True
    return (0.75, 0.625, 0.875, 0.5, 0.9375, 0.8125)[position % 6]


def numpy_of(dtype: DType) -> str:
    return f"{'i' if dtype.kind is Kind.INT else 'u'}{dtype.bytes}"
