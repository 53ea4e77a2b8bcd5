"""The sizes and data of a kernel that the file's own `main` launches: those of the launches that it makes.

A run of the program records what the memory of a launch holds (`record_memory` of the emulators), so that
offsets, indices and flags are what the program has there, of which data made up at random would be nonsense.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from xpiler.gate.arrays import Array, storage
from xpiler.gate.bound import bind
from xpiler.gate.contract import Case, Launch, Role, Scalar, Values, make_case
from xpiler.gate.infer_arguments import argument_of, roles_of
from xpiler.gate.infer_search import MAX_THREADS, UNIQUE, Question, Search, Trial, badness
from xpiler.gate.infer_settings import settings_of
from xpiler.gate.inputs import draw
from xpiler.gate.observe import Buffer, Pointer, Step, observe, uninitialised_globals
from xpiler.gate.tasks import interpreted
from xpiler.gate.trace import Memory, TracedLaunch, squeezed
from xpiler.ir.index_arrays import index_arrays
from xpiler.ir.interpret_state import Finding
from xpiler.ir.nodes import Call, Expr, For, If, Load, Param, Ref, Select, While
from xpiler.ir.rewrite import walk

_MAX_PROGRAM_ELEMENTS = 1 << 24  # larger arrays of a program are not copied for a test
_RECORDED = 4  # recorded launches of a kernel that it is tried with
_MADE_UP = 2  # of them with data made up besides


@dataclass(frozen=True)
class _Call:
    """A launch that was seen, by the kernel's parameters. `given`: what the program had there, by name."""

    scalars: Mapping[str, Scalar]
    extents: Mapping[str, int]
    launch: Launch
    shape: Launch
    arguments: tuple[Pointer | int | float | None, ...]
    given: Mapping[str, Values]

    @property
    def sizes(self) -> dict[str, int]:
        return {name: int(value) for name, value in self.scalars.items() if isinstance(value, int)}


class ProgramSearch(Search):
    """A kernel that the file's own `main` launches: the launches that it really makes."""

    def __init__(self, question: Question) -> None:
        super().__init__(question)
        self.kernel = self.kernels[self.entry.kernels[0]]
        self.program = question.program
        self.recorded = False  # a launch's memory was recorded, so findings are those of the program's data
        self.doubts: list[Finding] = []  # what data made up show, and the program's own do not

    @cached_property
    def _tested_for_null(self) -> frozenset[str]:
        """Arrays whose absence the kernel asks for."""
        tests = [n for n in walk(self.kernel.body) if isinstance(n, Call) and n.function == "is_null"]
        return frozenset(ref.array for test in tests for ref in test.args if isinstance(ref, Ref))

    @property
    def decided_by_data(self) -> bool:
        """Whether data decide what the kernel does: then made-up data are not what the program hands it."""
        arrays = {param.name for param in self.kernel.params if param.is_pointer}
        deciding: list[Expr] = []
        for node in walk(self.kernel.body):
            match node:
                case If(condition=e) | While(condition=e) | Select(condition=e):
                    deciding.append(e)
                case For(start=start, stop=stop):
                    deciding += [start, stop]
        return bool(self.index_uses()) or any(
            isinstance(n, Load) and n.array in arrays for e in deciding for n in walk(e)
        )

    @property
    def made_up(self) -> bool:
        """Whether the findings are those of data that the program may never hand the kernel."""
        return not self.recorded and self.decided_by_data

    def index_uses(self) -> dict[str, str]:
        return dict(index_arrays(self.kernel))

    def run(self) -> list[Trial]:
        launched = any(site.kernel == self.kernel.name for site in self.unit.launches)
        if not launched or self.overrides.grid or self.overrides.block or self.fixed:
            return []
        trace = self.program()
        if trace is None:
            return []
        calls = [call for la in trace.launches if self._is_ours(la) if (call := self._call(la)) is not None]
        recorded = [call for call in calls if call.given or not call.extents]
        self.recorded = bool(recorded)
        trials: list[Trial] = []
        for number, call in enumerate(_chosen(recorded or calls)):
            trials += self._recorded(call, number < _MADE_UP) if recorded else self._made_up(call)
        if trials:
            own = " and the memory that it has there" if self.recorded else ""
            self.notes.append(f"launches as the program makes them{own}")
        return sorted(trials, key=badness)

    def _is_ours(self, launch: TracedLaunch) -> bool:
        name = squeezed(launch.kernel)
        others = {squeezed(k.spelling) for k in self.unit.program.kernels if k is not self.kernel}
        if name in others:
            return False
        mine = {self.kernel.name, self.kernel.template, squeezed(self.kernel.spelling)}
        same = name in mine or name.split("<")[0].split("::")[-1] in mine
        return same and bind(self.kernel, launch.arguments) is not None

    def _call(self, launch: TracedLaunch) -> _Call | None:
        """The launch by the kernel's parameters; None if it cannot be repeated."""
        scalars: dict[str, Scalar] = {}
        extents: dict[str, int] = {}
        given: dict[str, Values] = {}
        arguments: list[Pointer | int | float | None] = []
        for param, argument in zip(
            self.kernel.params, bind(self.kernel, launch.arguments) or (), strict=True
        ):
            if isinstance(argument, Memory):
                unit = param.dtype.bytes * param.lanes
                count = (argument.size - argument.offset) // unit * param.lanes
                extents[param.name] = count
                arguments.append(Pointer(param.name))
                if argument.key in launch.contents:
                    data = launch.contents[argument.key][argument.offset :][: count * param.dtype.bytes]
                    given[param.name] = Values("given", data=data)
            elif param.is_pointer and param.member and param.name not in self._tested_for_null:
                # A list of tensors that is not full: nothing is there, so nothing may be accessed.
                extents[param.name] = 0
                given[param.name] = Values("given", data=b"")
                arguments.append(Pointer(param.name))
            elif param.is_pointer or argument is None:
                return None
            else:
                scalars[param.name] = argument
                arguments.append(argument)
        shape = interpreted(self.kernel, launch.launch)
        if shape is None or sum(extents.values()) > _MAX_PROGRAM_ELEMENTS:
            return None
        for decl in uninitialised_globals(self.kernel):
            if decl.name in launch.contents:
                given[decl.name] = Values("given", data=launch.contents[decl.name])
        return _Call(scalars, extents, launch.launch, shape, tuple(arguments), given)

    def _recorded(self, call: _Call, with_made_up: bool) -> list[Trial]:
        """The launch on the program's memory, and on data made up for what decides nothing, if that works."""
        own = self._trial(call, call.given)
        floats = {p.name for p in self.kernel.params if p.is_pointer and p.dtype.is_float}
        kept = {n: v for n, v in call.given.items() if n not in floats} if self.decided_by_data else {}
        if not with_made_up or own.findings or own.fault or len(kept) == len(call.given):
            return [own]
        other = self._trial(call, kept)
        if other.fault:
            return [own]
        self.doubts += other.findings
        return [own] if other.findings else [own, other]

    def _made_up(self, call: _Call) -> list[Trial]:
        """The launch on data made up, the tamest that is needed."""
        best: Trial | None = None
        for mode in range(UNIQUE + 1 if self.index_uses() else 1):
            trial = self._trial(call, self.values(mode))
            if best is None or badness(trial) < badness(best):
                best = trial
            if not trial.findings:
                break
        assert best is not None
        return [best]

    def _trial(self, call: _Call, values: Mapping[str, Values]) -> Trial:
        case = make_case(call.scalars, call.extents, call.launch, values=values)
        if call.shape.threads > MAX_THREADS:
            self.checked = False
            return Trial(call.sizes, case, self._roles({}), (), 1)
        buffers = {
            name: Buffer(name, count * self._param(name).dtype.bytes, self._contents(name, case))
            for name, count in call.extents.items()
        }
        variables = {
            decl.name: np.frombuffer(values[decl.name].data, storage(decl.dtype)).copy()
            for decl in uninitialised_globals(self.kernel)
            if decl.name in values
        }
        steps = [Step(self.kernel, call.shape, call.arguments)]
        reach = observe(steps, buffers, variables=variables)
        self.ran.setdefault(frozenset(call.sizes.items()), settings_of(steps, buffers, reach))
        if reach.unfinished and self.recorded:  # nothing has to be found out: the program made this launch
            self.checked = False
            return Trial(call.sizes, case, self._roles({}), (), 1)
        roles = self._roles({name: used.role for name, used in reach.reach.items()})
        why = reach.unfinished
        return Trial(call.sizes, case, roles, reach.findings, 0, why, endless=reach.endless)

    def _roles(self, seen: Mapping[str, Role]) -> dict[str, Role]:
        arrays = [param.name for param in self.kernel.params if param.is_pointer]
        return roles_of(self.kernel, {name: seen.get(name, Role.IN) for name in arrays})

    def _contents(self, name: str, case: Case) -> Array | None:
        return draw(argument_of(self._param(name), Role.IN), case) if name in dict(case.values) else None

    def _param(self, name: str) -> Param:
        return next(p for p in self.kernel.params if p.name == name)


def _chosen(calls: Sequence[_Call]) -> Iterator[_Call]:
    """The first launch and the last, then those between, each different from the others."""
    distinct = list({_key(call): call for call in calls}.values())
    few = _RECORDED if any(call.given for call in distinct) else 2
    yield from [*distinct[:1], *distinct[1:][-1:], *distinct[1:-1]][:few]


def _key(call: _Call) -> tuple[object, ...]:
    given = tuple((name, values.data) for name, values in call.given.items())
    return call.launch, tuple(call.scalars.items()), given
