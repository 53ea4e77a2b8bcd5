"""The contract of an entry, found by asking the program.

For a host wrapper: call it in the emulator with candidate sizes (kernels not run), read from the trace
which memory its
launches get, run those launches in the IR interpreter, and take the first sizes that it digests: nothing
out of bounds,
nothing raced or undefined, outputs written whole. For a bare kernel the launch comes from its guards. If
no sizes are
digested the first finding is reported as what it is: a bug of the source, with its place.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np

from xpiler.errors import Diagnostic, Refusal
from xpiler.frontend.unit import Unit
from xpiler.gate import overrides as stated
from xpiler.gate.arrays import Array
from xpiler.gate.contract import Argument, Case, Contract, Launch, Role, Scalar, Values, make_case
from xpiler.gate.dataflow import index_arrays
from xpiler.gate.entries import Entry
from xpiler.gate.execute import Build
from xpiler.gate.infer_fixed import fixed_candidates
from xpiler.gate.infer_launch import LaunchFormula, block_candidates, evaluate_grid, infer_grid, stated_extent
from xpiler.gate.infer_sizes import FINER, candidates, granule_of, structured
from xpiler.gate.inputs import draw
from xpiler.gate.observe import (
    Buffer,
    Observation,
    Pointer,
    Step,
    extent_of,
    observe,
    uninitialised_globals,
)
from xpiler.gate.overrides import Overrides
from xpiler.gate.trace import Memory, Trace, TracedLaunch, trace_host
from xpiler.ir.build import const
from xpiler.ir.interpret_state import Finding
from xpiler.ir.nodes import Call, Const, Decl, Expr, Function, Param, Space, Var
from xpiler.ir.rewrite import walk
from xpiler.ir.types import BF16, F16, U64, DType, Kind

_BATCH = 8
_GOOD_ENOUGH = 6  # candidates after which an imperfect but clean one is taken
_ALIKE = 10  # trials with the same finding that make it a bug: every granule was among them
_SECONDS = 12.0  # of processor time for the whole search: a busy machine must not change what is found
_PROBE_ELEMENTS = 1 << 16
_SEEDS = (1, 2, 11, 12)  # of the cases, see `_cases`
_UNIQUE = 3  # the mode of `values` in which indices are all different
_MAX_THREADS = 1 << 17  # larger launches are not interpreted
_MAX_PROGRAM_ELEMENTS = 1 << 24  # larger arrays of a program are not copied for a test
_MAX_LAUNCHES = 64
_BLOCK_SIZE = 256
_FEW_BLOCKS = (5, 3, 2)
_UNCONSTRAINED = 5  # a size that the extents of the kernels say nothing about (a number of steps)
_DEFAULT_SHARED = 48 * 1024  # dynamic shared memory of a kernel without a launch: what every device has

Builder = Callable[[Contract], Build]


@dataclass(frozen=True)
class Inference:
    """`contract.cases` is empty if no sizes were digested; `findings` are then the reasons.

    `formula` is the launch of a bare kernel; `checked` says whether the kernels' IR was run; `assumed` is
    what the user has to be asked for where the launch becomes part of the translation (the grid of a kernel
    that works with any), None if nothing.
    """

    contract: Contract
    formula: LaunchFormula | None
    findings: tuple[Finding, ...]
    checked: bool
    assumed: Diagnostic | None = None


@dataclass(frozen=True)
class Trial:
    """One candidate that was tried: what it leads to and how good it is (0: flawless)."""

    sizes: Mapping[str, int]
    case: Case
    roles: Mapping[str, Role]
    findings: tuple[Finding, ...]
    flaws: int
    fault: str = ""


def infer_contract(
    unit: Unit, entry: Entry, overrides: Overrides, builder: Builder, program: Callable[[], Trace | None]
) -> Inference:
    """The contract of `entry`. `builder` compiles the source for a provisional contract; `program` runs
    the file's
    `main` and tells what it launched (None if there is none, or it fails).

    Raises Refusal for what only the user can tell (a grid that no guard bounds), naming the flag to add.
    """
    search: _Search
    if entry.kind == "host":
        search = _HostSearch(unit, entry, overrides, builder)
        found = search.run()
    else:
        search = _ProgramSearch(unit, entry, overrides, program)
        found = search.run()
        if not found or _badness(found[0])[:2] != (False, False):
            try:
                alone = _KernelSearch(unit, entry, overrides)
                others = alone.run()
            except Refusal:
                if not found:
                    raise
            else:
                if not found or (others and _badness(others[0]) < _badness(found[0])):
                    search, found = alone, others
    usable = [trial for trial in found if not trial.findings and not trial.fault]
    kernels = [k for k in unit.program.kernels if k.name in entry.kernels]
    arguments = tuple(_argument(p, _role(p, usable, overrides)) for p in entry.params)
    variables = _variables(kernels, arguments)
    contract = Contract(
        entry=entry.name,
        kind=entry.kind,
        arguments=arguments,
        cases=tuple(_with_variables(case, variables) for case in _cases(usable)),
        kernel_spelling=entry.spelling,
        fast_math=_flag(overrides.fast_math, any(_uses_fast_math(k) for k in kernels)),
        reduction_length=overrides.reduction_length or 0,
        accumulator=_accumulator(kernels),
        notes=tuple(search.notes),
        globals=tuple(_variable(decl) for decl in variables),
    )
    if contract.globals and not builder(contract).ok:  # not visible at the end: in a namespace or a class
        contract = replace(contract, globals=())
    if not usable:
        first = found[0] if found else None
        if first is None or (first.fault and not first.findings):
            why = f": {first.fault}" if first and first.fault else ""
            raise Refusal(
                "contract-sizes",
                f"no sizes were found with which {entry.name} runs{why}",
                entry.range,
                "state them, for example --arg n=1024",
            )
        return Inference(contract, search.formula, first.findings, True, search.assumed)
    return Inference(contract, search.formula, (), search.checked, search.assumed)


def provisional_contract(unit: Unit, entry: Entry) -> Contract:
    """What is known of an entry before anything was run: how to call it."""
    kernels = [k for k in unit.program.kernels if k.name in entry.kernels]
    arguments = tuple(_argument(p, Role.OUT if p.is_pointer else Role.SCALAR) for p in entry.params)
    return Contract(
        entry.name,
        entry.kind,
        arguments,
        kernel_spelling=entry.spelling,
        globals=tuple(_variable(decl) for decl in _variables(kernels, arguments)),
    )


def _variables(kernels: Sequence[Function], arguments: Sequence[Argument]) -> tuple[Decl, ...]:
    """Variables without initialiser that the kernels use; not those whose name an argument has too."""
    found = {decl.name: decl for kernel in kernels for decl in uninitialised_globals(kernel)}
    taken = {argument.name for argument in arguments}
    return tuple(decl for name, decl in found.items() if name not in taken and name.isidentifier())


def _variable(decl: Decl) -> Argument:
    return Argument(decl.name, decl.dtype, True, Role.IN if decl.space is Space.CONSTANT else Role.INOUT)


def _with_variables(case: Case, variables: Sequence[Decl]) -> Case:
    extents = tuple((decl.name, extent_of(decl)) for decl in variables)
    shapes = tuple(
        (decl.name, tuple(int(e.value) for e in decl.shape if isinstance(e, Const))) for decl in variables
    )
    # An integer may be an index or a counter: 0, what it is before anybody sets it.
    zeros = tuple((decl.name, Values("constant", 0)) for decl in variables if not decl.dtype.is_float)
    return replace(
        case, extents=case.extents + extents, shapes=case.shapes + shapes, values=case.values + zeros
    )


def _flag(stated_value: bool | None, inferred: bool) -> bool:
    return inferred if stated_value is None else stated_value


def _argument(param: Param, role: Role) -> Argument:
    if is_handle(param):
        return Argument(param.name, U64, False, Role.SCALAR)
    return Argument(param.name, param.dtype, param.is_pointer, role, param.lanes)


def is_handle(param: Param) -> bool:
    """A stream or other opaque object of the runtime: null stands for the default one."""
    return not param.is_pointer and any(
        word in param.spelling for word in ("Stream_t", "Event_t", "Handle_t", "stream_t")
    )


def _role(param: Param, usable: Sequence[Trial], overrides: Overrides) -> Role:
    if not param.is_pointer:
        return Role.SCALAR
    given = dict(overrides.roles).get(param.name)
    if given is not None:
        return given
    roles = {trial.roles[param.name] for trial in usable if param.name in trial.roles}
    if not roles:
        return Role.IN if param.is_const else Role.INOUT
    return roles.pop() if len(roles) == 1 else Role.INOUT


def _cases(trials: Sequence[Trial]) -> Iterator[Case]:
    """Exact data and ordinary data at the first sizes; other seeds, other data at the others."""
    for number, trial in enumerate(trials):
        fills: tuple[str, ...] = ("normal", "integers") if number == 0 else ("normal", "boundary")
        for seed, fill in enumerate(fills):
            yield replace(trial.case, seed=10 * number + seed + 1, fill=fill)  # type: ignore[arg-type]


def _uses_fast_math(kernel: Function) -> bool:
    return any(isinstance(node, Call) and node.fast for node in walk(kernel.body))


def _accumulator(kernels: Sequence[Function]) -> DType | None:
    """The narrowest float type that a kernel computes in (not merely loads)."""
    narrow = {F16, BF16}
    for kernel in kernels:
        for node in walk(kernel.body):
            dtype = getattr(node, "dtype", None)
            if dtype in narrow and type(node).__name__ in ("Binary", "Call"):
                return dtype if isinstance(dtype, DType) else None
    return None


class _Search:
    """What both kinds of search share."""

    def __init__(self, unit: Unit, entry: Entry, overrides: Overrides) -> None:
        self.unit, self.entry, self.overrides = unit, entry, overrides
        self.kernels = {k.name: k for k in unit.program.kernels if k.name in entry.kernels}
        self.notes: list[str] = []
        self.formula: LaunchFormula | None = None
        self.assumed: Diagnostic | None = None
        self.checked = True
        self.deadline = time.thread_time() + _SECONDS
        scalars = [p for p in entry.params if not p.is_pointer and not is_handle(p)]
        self.sizes = [p.name for p in scalars if p.dtype.is_integer and p.dtype.name != "bool"]
        self.fixed: dict[str, int] = {}
        self.numbers: dict[str, Scalar] = {}
        for param in scalars:
            chosen = overrides.scalar_choices(param.name)
            if chosen and param.name in self.sizes:
                self.fixed[param.name] = int(chosen[0])
            elif param.name not in self.sizes:
                self.numbers[param.name] = chosen[0] if chosen else _plain_number(param, len(self.numbers))

    def values(self, mode: int) -> dict[str, Values]:
        """Contents of index arrays by entry parameter; mode 0 leaves them to chance, `_UNIQUE` makes each
        index occur once (threads that scatter by an index array must not meet)."""
        given = dict(self.overrides.values)
        if mode == 0:
            return given
        uses = self.index_uses()
        high = 8 if mode == 1 else 2
        index = Values("permutation", 0) if mode == _UNIQUE else Values("index", 0, high)
        made = {name: Values("offsets", 0, 24) if use == "offsets" else index for name, use in uses.items()}
        return {**made, **given}

    def index_uses(self) -> dict[str, str]:
        raise NotImplementedError

    def attempt(self, sizes: Mapping[str, int]) -> Iterator[Trial]:
        raise NotImplementedError

    def collect(self, stream: Iterator[Mapping[str, int]], limit: int) -> list[Trial]:
        """Tries candidates until one is flawless; the best one first."""
        tried: list[Trial] = []
        for sizes in stream:
            for trial in self.attempt(sizes):
                tried.append(trial)
                if not trial.findings and not trial.fault:
                    break
            best = min(tried, key=_badness) if tried else None
            if best is not None and _badness(best) == (False, False, 0):
                break
            clean = [t for t in tried if not t.findings and not t.fault]
            if not clean and _is_a_bug(tried):
                break
            if (
                len(tried) >= limit
                or (clean and len(tried) >= _GOOD_ENOUGH)
                or time.thread_time() > self.deadline
            ):
                break
        # Of candidates equally bad the first is the most ordinary one: its findings are the ones to show.
        return sorted(tried, key=_badness)

    def two_sizes(self, preferred: Sequence[Mapping[str, int]] = ()) -> list[Trial]:
        """The first sizes that work, and others that do so too where the entry takes more than one."""

        def stream(seed: int) -> Iterator[Mapping[str, int]]:
            rest = dict.fromkeys(self.sizes, _UNCONSTRAINED)
            yield from ({**rest, **p, **self.fixed} for p in preferred if seed == 0)
            yield from candidates(self.sizes, self.fixed, seed)

        first = self.collect(stream(0), 220)
        if not first or first[0].findings or first[0].fault:
            return first
        free = [name for name in self.sizes if name not in self.fixed]
        granule = granule_of(first[0].sizes, free) if free else None
        if granule == 64:
            finer = self.collect(iter([{**self.fixed, **structured(free, g, 0)} for g in FINER]), len(FINER))
            first = [t for t in finer[:1] if _badness(t) <= _badness(first[0])] or first
        chosen = [first[0]]
        if preferred and dict(first[0].sizes) in [dict(p) for p in preferred]:
            return chosen  # the kernel's extents are fixed: there are no other sizes
        if len(self.fixed) < len(self.sizes):
            granule = granule_of(first[0].sizes, free)
            similar = [] if granule is None else [{**self.fixed, **structured(free, granule, 1)}]
            others = self.collect((s for s in (*similar, *islice(stream(1), 24)) if s != first[0].sizes), 24)
            chosen += [t for t in others[:1] if not t.findings and not t.fault and t.flaws <= first[0].flaws]
        more = self.overrides_cases()
        return [*chosen, *more]

    def _settled(
        self,
        steps: Sequence[Step],
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
        first = observe(steps, buffers)
        if not values or not first.clean:
            return first
        extents, _ = self.extents(first, sizes)
        by_entry = {p.name: p for p in self.entry.params}
        merged = first
        for seed in _SEEDS:
            drawn = dict(buffers)
            for key, buffer in buffers.items():
                name = filled_from.get(key, key)
                if name in values and name in by_entry and name in extents:
                    # Row starts end where the array ends; other indices may be needed beyond what was seen
                    # yet.
                    exact = values[name].kind in ("offsets", "permutation")
                    count = extents[name] if exact else max(extents[name], 1 << 12)
                    case = make_case({}, {name: count}, values={name: values[name]}, seed=seed)
                    drawn[key] = replace(buffer, contents=draw(_argument(by_entry[name], Role.IN), case))
            again = observe(steps, drawn, seed)
            if not again.clean:
                return again
            merged = merged.joined(again)
        return merged

    def overrides_cases(self) -> list[Trial]:
        """Further values that the user stated for arguments, one case each."""
        extra: list[Trial] = []
        longest = max((len(self.overrides.scalar_choices(n)) for n in self.sizes), default=0)
        for i in range(1, longest):
            for name in self.sizes:
                choices = self.overrides.scalar_choices(name)
                if choices:
                    self.fixed[name] = int(choices[min(i, len(choices) - 1)])
            extra += [
                t
                for t in self.collect(candidates(self.sizes, self.fixed), 24)[:1]
                if not t.findings and not t.fault
            ]
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
                extents[param.name] = param.lanes if self.checked else _PROBE_ELEMENTS * param.lanes
        return extents, shapes


def _in_modes(uses: Mapping[str, str], observed: Callable[[int], Trial]) -> Iterator[Trial]:
    """The trials of one candidate under ever tamer contents of its index arrays."""
    trial: Trial | None = None
    for mode in range("offsets" in uses.values(), _UNIQUE):
        trial = observed(mode)
        yield trial
        if not uses:
            return
    if trial is not None and "index" in uses.values() and any(f.code == "race" for f in trial.findings):
        yield observed(_UNIQUE)


def _is_a_bug(tried: Sequence[Trial]) -> bool:
    """Whether the same thing went wrong at many sizes, and not for want of memory: then no sizes will
    help."""
    ran = [t for t in tried if t.findings]
    if len(ran) < _ALIKE:
        return False
    common = set.intersection(
        *({(f.code, f.range) for f in t.findings if f.code != "out-of-bounds"} for t in ran)
    )
    return bool(common)


def _badness(trial: Trial) -> tuple[bool, bool, int]:
    return (bool(trial.fault), bool(trial.findings), trial.flaws)


def _plain_number(param: Param, position: int) -> Scalar:
    """A value for a float or bool parameter: nothing that hides a term, unlike its neighbours."""
    if param.dtype.name == "bool":
        return True
    return (0.75, 0.625, 0.875, 0.5, 0.9375, 0.8125)[position % 6]


# ------------------------------------------------------------------------------------------------ host
# wrappers


class _HostSearch(_Search):
    def __init__(self, unit: Unit, entry: Entry, overrides: Overrides, builder: Builder) -> None:
        super().__init__(unit, entry, overrides)
        self.sites: dict[str, list[Function]] = {}
        for site in unit.launches:
            if site.kernel in self.kernels:
                for key in {_squeezed(site.spelling), _squeezed(site.spelling).split("<")[0]}:
                    self.sites.setdefault(key, []).append(self.kernels[site.kernel])
        provisional = provisional_contract(unit, entry)
        traced = replace(provisional, globals=())  # kernels are not run, so variables need no contents
        built = builder(provisional)
        self.build = replace(built, contract=traced) if built.ok else builder(traced)
        if not self.build.ok and sum(f.name == entry.name for f in unit.host_functions) > 1:
            raise Refusal(
                "overloaded-entry",
                f"{entry.name} is overloaded, and an entry is called by its name alone",
                entry.range,
                "give the function to check a name of its own, or name another one with --entry",
            )
        if not self.build.ok:
            raise Refusal("source-compile", f"the source does not compile: {self.build.error}", entry.range)
        self.uses: dict[str, str] = {}  # how the entry's arrays are used, learnt from the traces
        self.traces: dict[tuple[tuple[str, int], ...], Trace] = {}

    def run(self) -> list[Trial]:
        preferred = fixed_candidates(self.unit, self.entry, self.kernels)
        self._notice_block_sizes()
        self.deadline = time.thread_time() + _SECONDS
        return self.two_sizes(preferred)

    def index_uses(self) -> dict[str, str]:
        return self.uses

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
            pointers = [p for p in self.entry.params if p.is_pointer]
            cases = [
                make_case({**self.numbers, **s}, {p.name: _PROBE_ELEMENTS * p.lanes for p in pointers})
                for s in missing
            ]
            for one, trace in zip(missing, trace_host(self.build, cases), strict=True):
                self.traces[tuple(sorted(one.items()))] = trace
        return [self.traces[tuple(sorted(s.items()))] for s in sizes]

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
        if trace.fault or not trace.launches:
            yield Trial(sizes, blank, {}, (), 0, trace.fault or "the call launches no kernel")
            return
        self._learn_uses(trace)
        yield from _in_modes(self.uses, lambda mode: self._observed(sizes, trace, mode))

    def _observed(self, sizes: Mapping[str, int], trace: Trace, mode: int) -> Trial:
        scalars = {**self.numbers, **sizes}
        copied: dict[str, int] = {}
        roles: dict[str, set[Role]] = {}
        for copy in trace.copies:
            for side, role in ((copy.source, Role.IN), (copy.to, Role.OUT)):
                if side is not None and side.name:
                    copied[side.name] = max(copied.get(side.name, 0), side.offset + copy.bytes)
                    roles.setdefault(side.name, set()).add(role)
        filled_from = _filled_from(trace)
        by_entry = {p.name: p for p in self.entry.params}
        values = self.values(mode)
        buffers: dict[str, Buffer] = {}
        steps: list[Step] = []
        for launch in trace.launches:
            kernel = self._kernel(launch.kernel, len(launch.arguments))
            if launch.launch.threads > _MAX_THREADS or len(trace.launches) > _MAX_LAUNCHES:
                return Trial(
                    sizes, make_case(scalars, {}), {}, (), 0, "the launches are too large to be checked"
                )
            if kernel is None:
                self.checked = False
                continue
            arguments: list[Pointer | int | float | None] = []
            for argument in launch.arguments:
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
            steps.append(Step(kernel, launch.launch, tuple(arguments)))
        reach = self._settled(steps, buffers, values, sizes, filled_from)
        extents, shapes = self.extents(reach, sizes)
        for name, size in copied.items():
            if name in by_entry and name not in shapes:
                unit = by_entry[name].dtype.bytes * by_entry[name].lanes
                extents[name] = -(-size // unit) * by_entry[name].lanes
        given: dict[str, Role] = {
            name: Role.INOUT if len(r) > 1 else next(iter(r)) for name, r in roles.items()
        }
        for param in self.entry.params:
            used = reach.reach.get(param.name)
            if param.is_pointer and param.name not in given and used is not None:
                given[param.name] = used.role
        case = make_case(
            scalars, extents, shapes=shapes, values={k: v for k, v in values.items() if k in extents}
        )
        return Trial(sizes, case, given, reach.findings, self._flaws(trace, reach), reach.unfinished)

    def _learn_uses(self, trace: Trace) -> None:
        """Which arrays of the entry hold indices, by where its launches pass them."""
        filled_from = _filled_from(trace)
        for launch in trace.launches:
            kernel = self._kernel(launch.kernel, len(launch.arguments))
            uses = index_arrays(kernel) if kernel else {}
            for param, argument in zip(kernel.params if kernel else (), launch.arguments, strict=False):
                if param.name in uses and isinstance(argument, Memory):
                    origin = argument.name or filled_from.get(argument.key, "")
                    if origin:
                        self.uses.setdefault(origin, uses[param.name])

    def _contents(self, param: Param, values: Values, size: int | None) -> Array:
        if values.kind == "permutation":  # sorted: as many as are used are then no larger than their number
            return np.arange(_PROBE_ELEMENTS).astype(_numpy_of(param.dtype))
        count = (size or _PROBE_ELEMENTS * param.dtype.bytes) // param.dtype.bytes
        case = make_case({}, {param.name: count}, values={param.name: values})
        return draw(_argument(param, Role.IN), case)

    def _kernel(self, spelling: str, count: int) -> Function | None:
        name = _squeezed(spelling)
        for key in (name, name.split("<")[0], name.split("::")[-1], name.split("<")[0].split("::")[-1]):
            fitting = [k for k in self.sites.get(key, []) if len(k.params) == count]
            if fitting:
                return fitting[0]
        return None

    def _flaws(self, trace: Trace, reach: Observation) -> int:
        """Copied-out memory that was not written whole, device memory far from being used up."""
        flaws = 0
        for copy in trace.copies:
            if copy.to and copy.to.name and copy.source:
                used = reach.reach.get(copy.source.key)
                flaws += used is not None and used.written and used.written_bytes < copy.bytes
        for key, used in reach.reach.items():
            size = next(
                (
                    a.size
                    for la in trace.launches
                    for a in la.arguments
                    if isinstance(a, Memory) and a.key == key
                ),
                0,
            )
            if key.startswith("#") and used.high < size:
                flaws += 1
            if used.high == 0:
                flaws += 1
        return flaws


def _filled_from(trace: Trace) -> dict[str, str]:
    """The entry's array that each allocation is a copy of."""
    copies = [c for c in trace.copies if c.source and c.source.name and c.to and not c.to.name]
    return {c.to.key: c.source.name for c in copies if c.to and c.source}


def _numpy_of(dtype: DType) -> str:
    return f"{'i' if dtype.kind is Kind.INT else 'u'}{dtype.bytes}"


def _squeezed(spelling: str) -> str:
    return "".join(spelling.split())


# ------------------------------------------------------------------------------------------------ launched
# by a main


class _ProgramSearch(_Search):
    """A kernel that the file's own `main` launches: the launches that it really makes."""

    def __init__(
        self, unit: Unit, entry: Entry, overrides: Overrides, program: Callable[[], Trace | None]
    ) -> None:
        super().__init__(unit, entry, overrides)
        self.kernel = self.kernels[entry.kernels[0]]
        self.program = program

    def index_uses(self) -> dict[str, str]:
        return dict(index_arrays(self.kernel))

    def run(self) -> list[Trial]:
        launched = any(site.kernel == self.kernel.name for site in self.unit.launches)
        if not launched or self.overrides.grid or self.overrides.block or self.fixed:
            return []
        trace = self.program()
        if trace is None:
            return []
        launches = [la for la in trace.launches if self._is_ours(la)]
        distinct = list({(la.launch, _scalars_of(la)): la for la in launches}.values())
        chosen = distinct[:1] + distinct[1:][-1:]
        trials = [trial for launch in chosen if (trial := self._trial(launch)) is not None]
        if trials:
            self.notes.append("launches as the program makes them")
        return sorted(trials, key=_badness)

    def _is_ours(self, launch: TracedLaunch) -> bool:
        name = _squeezed(launch.kernel)
        others = {_squeezed(k.spelling) for k in self.unit.program.kernels if k is not self.kernel}
        if name in others:
            return False
        mine = {self.kernel.name, self.kernel.template, _squeezed(self.kernel.spelling)}
        same = name in mine or name.split("<")[0].split("::")[-1] in mine
        return same and len(launch.arguments) == len(self.kernel.params)

    def _trial(self, launch: TracedLaunch) -> Trial | None:
        scalars: dict[str, Scalar] = {}
        extents: dict[str, int] = {}
        buffers: dict[str, Buffer] = {}
        arguments: list[Pointer | int | float | None] = []
        for param, argument in zip(self.kernel.params, launch.arguments, strict=True):
            if isinstance(argument, Memory):
                unit = param.dtype.bytes * param.lanes
                extents[param.name] = (argument.size - argument.offset) // unit * param.lanes
                buffers[param.name] = Buffer(param.name, extents[param.name] * param.dtype.bytes)
                arguments.append(Pointer(param.name))
            elif param.is_pointer or argument is None:
                return None
            else:
                scalars[param.name] = argument
                arguments.append(argument)
        if sum(extents.values()) > _MAX_PROGRAM_ELEMENTS:
            return None
        sizes = {name: int(value) for name, value in scalars.items() if isinstance(value, int)}
        if launch.launch.threads > _MAX_THREADS:
            self.checked = False
            return Trial(sizes, make_case(scalars, extents, launch.launch), {}, (), 1)
        best: Trial | None = None
        for mode in range(_UNIQUE + 1 if self.index_uses() else 1):
            values = self.values(mode)
            filled = {
                name: replace(buffer, contents=self._contents(name, extents[name], values[name]))
                if name in values
                else buffer
                for name, buffer in buffers.items()
            }
            reach = observe([Step(self.kernel, launch.launch, tuple(arguments))], filled)
            roles = {name: used.role for name, used in reach.reach.items()}
            case = make_case(scalars, extents, launch.launch, values=values)
            trial = Trial(sizes, case, roles, reach.findings, 0, reach.unfinished)
            best = trial if best is None or _badness(trial) < _badness(best) else best
            if not trial.findings:
                break
        return best

    def _contents(self, name: str, count: int, values: Values) -> Array:
        param = next(p for p in self.kernel.params if p.name == name)
        return draw(_argument(param, Role.IN), make_case({}, {name: count}, values={name: values}))


def _scalars_of(launch: TracedLaunch) -> tuple[int | float, ...]:
    return tuple(a for a in launch.arguments if isinstance(a, int | float))


# ------------------------------------------------------------------------------------------------ bare
# kernels


class _KernelSearch(_Search):
    def __init__(self, unit: Unit, entry: Entry, overrides: Overrides) -> None:
        super().__init__(unit, entry, overrides)
        self.kernel = self.kernels[entry.kernels[0]]
        self.block = (1, 1, 1)

    def index_uses(self) -> dict[str, str]:
        return dict(index_arrays(self.kernel))

    def run(self) -> list[Trial]:
        best: list[Trial] = []
        for block in self._blocks():
            self.block = block
            self.formula = self._formula(block)
            self._assume_grid()
            found = self.two_sizes()
            if found and not found[0].findings and not found[0].fault:
                self.notes.append(f"block {','.join(map(str, block))}" + self._grid_note())
                return found
            best = best or found
            if time.thread_time() > self.deadline:
                break
        return best

    def _formula(self, block: tuple[int, int, int]) -> LaunchFormula:
        shared: Expr | int = _DEFAULT_SHARED if _has_dynamic_shared(self.kernel) else 0
        if self.overrides.shared_bytes is not None:
            shared = stated_extent(self.overrides.shared_bytes, self.kernel)
        if self.overrides.grid is None:
            return replace(infer_grid(self.kernel, block), shared=shared)
        x, y, z = (stated_extent(e, self.kernel) for e in (*self.overrides.grid, 1, 1)[:3])
        return LaunchFormula((x, y, z), block, shared)

    def _blocks(self) -> list[tuple[int, int, int]]:
        if self.overrides.block is not None:
            scalars = {**self.fixed, **self.numbers}
            extents = [stated.evaluate(e, scalars, "--block") for e in self.overrides.block]
            x, y, z = (*extents, 1, 1)[:3]
            return [(x, y, z)]
        return block_candidates(self.kernel)

    def _assume_grid(self) -> None:
        """A few blocks along the axes that nothing bounds: the kernel works with any number of them."""
        assert self.formula is not None
        self.assumed = None
        missing = [axis for axis, extent in zip("xyz", self.formula.grid, strict=True) if extent is None]
        if self.overrides.grid is not None or not missing:
            return
        x, y, z = (
            const(few) if extent is None else extent
            for extent, few in zip(self.formula.grid, _FEW_BLOCKS, strict=True)
        )
        self.formula = replace(self.formula, grid=(x, y, z))
        axes = ", ".join(f"blockIdx.{axis}" for axis in missing)
        self.assumed = Diagnostic(
            "contract-grid",
            f"how many blocks {self.kernel.name} is launched with cannot be inferred: no guard bounds {axes}",
            self.kernel.range,
            remedy="state the launch, for example --grid 64 --block 256; expressions over scalar parameters "
            "are allowed",
        )

    def _grid_note(self) -> str:
        if self.assumed is not None and self.formula is not None:
            extents = ",".join(str(e.value) if isinstance(e, Const) else "?" for e in self.formula.grid)
            return f", grid {extents} (? from the guards; the rest assumed, any works)"
        return "" if self.overrides.grid is not None else ", grid from the guards"

    def launch(self, sizes: Mapping[str, int]) -> Launch | None:
        scalars = {**sizes, **self.numbers}
        assert self.formula is not None
        grid = evaluate_grid(self.formula, scalars)
        if any(extent < 1 for extent in grid):
            return None
        shared = _DEFAULT_SHARED if _has_dynamic_shared(self.kernel) else 0
        if self.overrides.shared_bytes is not None:
            shared = stated.evaluate(self.overrides.shared_bytes, scalars, "--shared")
        return Launch(grid, self.block, shared)

    def attempt(self, sizes: Mapping[str, int]) -> Iterator[Trial]:
        launch = self.launch(sizes)
        if launch is None or launch.threads > _MAX_THREADS:
            yield Trial(sizes, make_case({}, {}), {}, (), 0, "the launch would be empty or huge")
            return
        uses = self.index_uses()
        yield from _in_modes(uses, lambda mode: self._observed(sizes, launch, mode))

    def _observed(self, sizes: Mapping[str, int], launch: Launch, mode: int) -> Trial:
        scalars = {**self.numbers, **sizes}
        values = self.values(mode)
        given = dict(self.overrides.shapes)
        buffers: dict[str, Buffer] = {}
        arguments: list[Pointer | int | float | None] = []
        for param in self.kernel.params:
            if not param.is_pointer:
                arguments.append(scalars.get(param.name, 0))
                continue
            size = None
            if param.name in given:
                shape = [stated.evaluate(e, scalars, f"--shape {param.name}") for e in given[param.name]]
                size = int(np.prod(shape, dtype=np.int64)) * param.dtype.bytes
            contents = None
            if param.name in values and values[param.name].kind == "permutation":
                contents = np.arange(_PROBE_ELEMENTS).astype(_numpy_of(param.dtype))
            elif param.name in values:
                count = size // param.dtype.bytes if size else _PROBE_ELEMENTS
                case = make_case({}, {param.name: count}, values={param.name: values[param.name]})
                contents = draw(_argument(param, Role.IN), case)
            buffers[param.name] = Buffer(param.name, size, contents)
            arguments.append(Pointer(param.name))
        reach = self._settled([Step(self.kernel, launch, tuple(arguments))], buffers, values, sizes, {})
        extents, shapes = self.extents(reach, sizes)
        roles = {name: used.role for name, used in reach.reach.items()}
        case = make_case(scalars, extents, launch, shapes=shapes, values=values)
        return Trial(sizes, case, roles, reach.findings, 0, reach.unfinished)


def _has_dynamic_shared(kernel: Function) -> bool:
    return any(isinstance(node, Var) and node.name == "dynamicShared.bytes" for node in walk(kernel.body))
