"""The sizes of a kernel that the file's own `main` launches: those of the launches that it makes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from xpiler.gate.arrays import Array
from xpiler.gate.bound import bind
from xpiler.gate.contract import Case, Role, Scalar, Values, make_case
from xpiler.gate.infer_arguments import argument_of
from xpiler.gate.infer_search import MAX_THREADS, UNIQUE, Question, Search, Trial, badness
from xpiler.gate.infer_settings import settings_of
from xpiler.gate.inputs import draw
from xpiler.gate.observe import Buffer, Pointer, Step, observe
from xpiler.gate.tasks import interpreted
from xpiler.gate.trace import Memory, TracedLaunch, squeezed
from xpiler.ir.index_arrays import index_arrays
from xpiler.ir.nodes import Expr, For, Function, If, Load, Select, While
from xpiler.ir.rewrite import walk

_MAX_PROGRAM_ELEMENTS = 1 << 24  # larger arrays of a program are not copied for a test


class ProgramSearch(Search):
    """A kernel that the file's own `main` launches: the launches that it really makes."""

    def __init__(self, question: Question) -> None:
        super().__init__(question)
        self.kernel = self.kernels[self.entry.kernels[0]]
        self.program = question.program

    @property
    def made_up(self) -> bool:
        """Whether data decide what the kernel does: that of the trials is not what the program hands it."""
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
        distinct = list({(la.launch, _scalars_of(self.kernel, la)): la for la in launches}.values())
        chosen = distinct[:1] + distinct[1:][-1:]
        trials = [trial for launch in chosen if (trial := self._trial(launch)) is not None]
        if trials:
            self.notes.append("launches as the program makes them")
        return sorted(trials, key=badness)

    def case_at(
        self, sizes: Mapping[str, int], extents: Mapping[str, int], values: Mapping[str, Values]
    ) -> Case | None:
        """The program makes the launches that it makes."""
        return None

    def _is_ours(self, launch: TracedLaunch) -> bool:
        name = squeezed(launch.kernel)
        others = {squeezed(k.spelling) for k in self.unit.program.kernels if k is not self.kernel}
        if name in others:
            return False
        mine = {self.kernel.name, self.kernel.template, squeezed(self.kernel.spelling)}
        same = name in mine or name.split("<")[0].split("::")[-1] in mine
        return same and bind(self.kernel, launch.arguments) is not None

    def _trial(self, launch: TracedLaunch) -> Trial | None:
        scalars: dict[str, Scalar] = {}
        extents: dict[str, int] = {}
        buffers: dict[str, Buffer] = {}
        arguments: list[Pointer | int | float | None] = []
        for param, argument in zip(
            self.kernel.params, bind(self.kernel, launch.arguments) or (), strict=True
        ):
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
        shape = interpreted(self.kernel, launch.launch)
        if shape is None:
            return None
        if shape.threads > MAX_THREADS:
            self.checked = False
            return Trial(sizes, make_case(scalars, extents, launch.launch), {}, (), 1)
        best: Trial | None = None
        for mode in range(UNIQUE + 1 if self.index_uses() else 1):
            values = self.values(mode)
            filled = {
                name: replace(buffer, contents=self._contents(name, extents[name], values[name]))
                if name in values
                else buffer
                for name, buffer in buffers.items()
            }
            steps = [Step(self.kernel, shape, tuple(arguments))]
            reach = observe(steps, filled)
            roles = {name: used.role for name, used in reach.reach.items()}
            case = make_case(scalars, extents, launch.launch, values=values)
            why = reach.unfinished
            trial = Trial(sizes, case, roles, reach.findings, 0, why, endless=reach.endless)
            if best is None or badness(trial) < badness(best):
                best = trial
                self.ran[frozenset(sizes.items())] = settings_of(steps, filled, reach)
            if not trial.findings:
                break
        return best

    def _contents(self, name: str, count: int, values: Values) -> Array:
        param = next(p for p in self.kernel.params if p.name == name)
        return draw(argument_of(param, Role.IN), make_case({}, {name: count}, values={name: values}))


def _scalars_of(kernel: Function, launch: TracedLaunch) -> tuple[int | float, ...]:
    return tuple(a for a in bind(kernel, launch.arguments) or () if isinstance(a, int | float))
