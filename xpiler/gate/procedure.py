"""What a call of an entry does to its arrays, in the IR: launches of kernels and copies, one after the other.

    relu(x, y, n):  cudaMemcpy(d_x, x); relu_kernel<<<4, 256>>>(d_x, d_y, n); cudaMemcpy(y, d_y)
      -->  copy x to #1; launch relu_kernel on #1, #2; copy #2 to y

Host code is not interpreted: it is run, and the trace of the run tells the steps. So they can be run again
on any kind of numbers. A plain function is one step.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from xpiler.errors import Refusal
from xpiler.frontend.unit import Unit
from xpiler.gate.arrays import decode, storage
from xpiler.gate.bound import bind
from xpiler.gate.contract import Argument, Case, Contract, Launch
from xpiler.gate.inputs import draw
from xpiler.gate.launched import LaunchedKernels
from xpiler.gate.observe import extent_of
from xpiler.gate.program_files import OtherFile
from xpiler.gate.tasks import interpreted
from xpiler.gate.trace import Memory, Trace, TracedCopy
from xpiler.ir.interpret import Result, run
from xpiler.ir.interpret_native import Native
from xpiler.ir.interpret_state import Finding
from xpiler.ir.nodes import RETURN, Barrier, Cast, Collective, Const, Decl, Function, Instr, Load
from xpiler.ir.rewrite import walk, walk_stmts
from xpiler.ir.types import DType
from xpiler.symbolic.comparisons import without_choices
from xpiler.symbolic.decisions import computes_whole_numbers
from xpiler.symbolic.settings import SYMBOLIC, Mode, Outcome, Setting, data_of, numbers_of

_LEAST = 0.005  # seconds
_PADDING = 64  # elements behind an allocation, as allocators leave them


@dataclass(frozen=True)
class Step:
    """A run of `function`. `arguments`: by parameter, and by variable of the file that it reads."""

    function: Function
    launch: Launch
    arguments: Mapping[str, Memory | int | float | bool | None]


@dataclass(frozen=True)
class Procedure:
    """The steps of one call."""

    steps: tuple[Step | TracedCopy, ...]

    @property
    def functions(self) -> tuple[Function, ...]:
        return tuple(dict.fromkeys(step.function for step in self.steps if isinstance(step, Step)))


def threads(procedure: Procedure) -> int:
    """How many all its launches have."""
    return sum(step.launch.threads for step in procedure.steps if isinstance(step, Step))


def alike(one: Procedure, other: Procedure) -> bool:
    """Whether they are the same steps of the same programs, whatever these are called."""
    return _anonymous(one) == _anonymous(other)


def _anonymous(procedure: Procedure) -> list[Any]:
    return [
        step
        if isinstance(step, TracedCopy)
        else (_nameless(step.function), step.launch, dict(step.arguments))
        for step in procedure.steps
    ]


def _nameless(function: Function) -> Function:
    lanes = (
        function.warp_size if any(isinstance(n, (Barrier, Collective, Instr)) for n in walk(function)) else 0
    )
    return replace(
        function, name="", spelling="", template="", namespace="", launch_bounds=None, warp_size=lanes
    )


def of_function(function: Function, case: Case, launch: Launch | None = None) -> Procedure:
    """A call of the function itself with the arguments of the case by their names."""
    arguments: dict[str, Memory | int | float | bool | None] = {}
    for param in function.params:
        if param.is_pointer:
            # A status that the contract does not ask for goes to memory that nobody looks at.
            extent = dict(case.extents).get(param.name, 1 if param.name == RETURN else None)
            if extent is None:
                raise Refusal("procedure", f"{function.name} has an array {param.name} of its own")
            arguments[param.name] = Memory(param.name, param.name, 0, extent * param.dtype.bytes)
        elif param.name in dict(case.scalars):
            arguments[param.name] = case.scalar(param.name)
    arguments |= _variables(function, case)
    return Procedure((Step(function, launch or Launch((1, 1, 1), (1, 1, 1)), arguments),))


def of_trace(unit: Unit, trace: Trace, case: Case, others: Sequence[OtherFile] = ()) -> Procedure:
    """The steps that host code, linked with `others`, was seen to make. Raises Refusal for those that have
    no IR."""
    if trace.fault:
        raise Refusal("procedure", trace.fault)
    return Procedure(tuple(_in_order(unit, trace, case, others)))


def _in_order(
    unit: Unit, trace: Trace, case: Case, others: Sequence[OtherFile]
) -> Iterator[Step | TracedCopy]:
    copies = list(trace.copies)
    kernels = LaunchedKernels(unit, {k.name: k for k in unit.program.kernels}, others)
    for number, launch in enumerate(trace.launches):
        yield from (c for c in copies if c.after == number)
        fitting = kernels.fitting(launch)
        if len(fitting) != 1:
            raise Refusal("procedure", f"which kernel {launch.kernel} is cannot be told")
        (kernel,) = fitting
        shape = interpreted(kernel, launch.launch)
        if shape is None:
            raise Refusal("procedure", f"{kernel.name} is launched with clusters that are not full")
        arguments: dict[str, Memory | int | float | bool | None] = {}
        for param, value in zip(kernel.params, bind(kernel, launch.arguments) or (), strict=True):
            if value is None and not param.is_pointer:
                raise Refusal("procedure", f"the argument {param.name} of {kernel.name} is not a number")
            arguments[param.name] = value
        arguments |= _variables(kernel, case, copies)
        yield Step(kernel, shape, arguments)
    yield from (c for c in copies if c.after >= len(trace.launches))


def _variables(kernel: Function, case: Case, copies: Sequence[TracedCopy] = ()) -> dict[str, Memory]:
    """The variables of the file that a kernel reads, as memory: what the call copies there, or the data that
    the case has for them."""
    extents = dict(case.extents)
    filled = {c.to.variable: c.to.size for c in copies if c.to is not None and c.to.variable}
    found: dict[str, Memory] = {}
    for decl in kernel.globals:
        size = extent_of(decl) * decl.dtype.bytes
        if decl.name not in filled and decl.name in extents:
            found[decl.name] = Memory(decl.name, decl.name, 0, extents[decl.name] * decl.dtype.bytes)
        elif decl.name not in filled and decl.init is None:
            raise Refusal("procedure", f"nothing in the call says what the variable {decl.name} holds")
        if decl.name in filled and decl.init is not None:
            raise Refusal("procedure", f"the variable {decl.name} begins with other numbers than it is given")
        if decl.name in filled:
            found[decl.name] = Memory.of_variable(decl.name, 0, max(size, filled[decl.name]))
    return found


@dataclass
class EntryRuns:
    """A procedure on the arrays of a case, run once a kind of data and seed: see `equivalence_runs.Pair`."""

    procedure: Procedure
    contract: Contract
    case: Case
    until: float  # of the thread's processor time
    done: dict[tuple[Mode, int], Outcome] = field(default_factory=dict)

    @property
    def setting(self) -> Setting:
        return Setting(dict(self.case.scalars), dict(self.case.extents))

    @property
    def is_whole(self) -> bool:
        return any(map(computes_whole_numbers, self.procedure.functions))

    def at(self, mode: Mode, seed: int) -> Outcome:
        found = self.done.get((mode, seed))
        if found is None:
            found = self.done[mode, seed] = self._run(mode, seed)
        return found

    def errors(self) -> tuple[Finding, ...]:
        """What is wrong on data of the case, where all accesses are checked."""
        return tuple(self._run("native", 1, checks=True).result.errors)

    def undefined(self, races: bool) -> Finding | None:
        """An access beyond an array of a number of elements that a function has itself, on data of the case;
        with `races` also what threads do to each other's memory with no barrier between. What is as long as
        sizes say may be shorter than the function needs, at sizes that nobody means."""
        fixed = {
            s.name
            for f in self.procedure.functions
            for s in (*walk_stmts(f.body), *f.globals)
            if isinstance(s, Decl) and s.shape and all(isinstance(extent, Const) for extent in s.shape)
        }
        for finding in self.errors():
            if races and finding.code == "race":
                return finding
            if finding.code == "out-of-bounds" and finding.array in fixed:
                return finding
        return None

    def _run(self, mode: Mode, seed: int, checks: bool = False) -> Outcome:
        numeric = numbers_of(mode, all(map(has_index_doubles, self.procedure.functions)))
        memory: dict[str, npt.NDArray[Any]] = {}
        for argument in self.contract.pointers:
            if argument.name in dict(self.case.extents):
                memory[argument.name] = self._contents(argument, mode, seed)
        entry = {a.name: a for a in self.contract.pointers}
        result = Result((), {}, 0)
        for step in self.procedure.steps:
            if isinstance(step, TracedCopy):
                _copy(step, memory, self.procedure, entry, numeric)
                continue
            arguments: dict[str, Any] = {}
            for param in step.function.params:
                value = step.arguments.get(param.name)
                if isinstance(value, Memory):
                    arguments[param.name] = _view(value, param.dtype, memory, entry, numeric)
                elif param.name in step.arguments:
                    arguments[param.name] = value
            for decl in step.function.globals:
                place = step.arguments.get(decl.name)
                if isinstance(place, Memory):
                    view = _view(place, decl.dtype, memory, entry, numeric)
                    arguments[decl.name] = view[: extent_of(decl)]
            launch = step.launch
            result = run(
                without_choices(step.function) if mode in SYMBOLIC else step.function,
                arguments,
                launch.grid,
                launch.block,
                launch.shared_bytes,
                mode=numeric,
                checks=checks,
                seconds=max(self.until - time.thread_time(), _LEAST),
            )
            if result.errors:
                break
        return Outcome({name: memory[name] for name in entry if name in memory}, result)

    def _contents(self, argument: Argument, mode: Mode, seed: int) -> npt.NDArray[Any]:
        if not argument.dtype.is_float or dict(self.case.values).get(argument.name):
            drawn = draw(argument, replace(self.case, seed=self.case.seed + seed - 1))
            return drawn.copy()  # what was recorded is not to be written
        return data_of(argument.name, argument.dtype, self.case.extent(argument.name), mode, seed)


def _view(
    where: Memory,
    dtype: DType,
    memory: dict[str, npt.NDArray[Any]],
    entry: Mapping[str, Argument],
    numeric: Native,
) -> npt.NDArray[Any]:
    """The elements of a type from a place on. An allocation has the type that it is first used as."""
    kind = np.dtype(numeric.storage_type(dtype))
    if where.key not in memory:
        elements = (where.size + dtype.bytes - 1) // dtype.bytes + _PADDING
        memory[where.key] = np.zeros(elements, kind)
    data = memory[where.key]
    known = entry[where.key].dtype if where.key in entry else dtype
    if data.dtype.kind in "iu" and kind.kind in "iu" and known.is_integer and dtype.is_integer:
        rest = data.view(np.uint8)[where.offset :]
        return rest[: rest.size // kind.itemsize * kind.itemsize].view(kind)  # whole numbers have bits
    if data.dtype != kind or known.bytes != dtype.bytes or where.offset % dtype.bytes:
        raise Refusal("procedure", f"memory is used as {dtype} and as another type")
    return data[where.offset // dtype.bytes :]


def _copy(
    copy: TracedCopy,
    memory: dict[str, npt.NDArray[Any]],
    procedure: Procedure,
    entry: Mapping[str, Argument],
    numeric: Native,
) -> None:
    if copy.to is None:
        return  # host code looks at a result
    sides = [side for side in (copy.to, copy.source) if side is not None]
    dtype = next((d for side in sides if (d := _type_of(side, procedure, entry)) is not None), None)
    if dtype is None:
        return  # nothing uses it
    to = _view(copy.to, dtype, memory, entry, numeric)
    count = copy.size // dtype.bytes
    if copy.source is not None:
        to[:count] = _view(copy.source, dtype, memory, entry, numeric)[:count]
    elif copy.data and not any(copy.data):
        to[:count] = numeric.const(0, dtype)
    elif len(copy.data) == copy.size:
        stored = np.frombuffer(copy.data, storage(dtype), count)
        for at, value in enumerate(decode(stored, dtype) if dtype.is_float else stored):
            to[at] = numeric.const(value.item(), dtype)
    else:
        raise Refusal("procedure", "host code fills memory with values of its own")


def _type_of(where: Memory, procedure: Procedure, entry: Mapping[str, Argument]) -> DType | None:
    if where.key in entry:
        return entry[where.key].dtype
    for step in procedure.steps:
        if isinstance(step, Step):
            for param in step.function.params:
                value = step.arguments.get(param.name)
                if isinstance(value, Memory) and value.key == where.key:
                    return param.dtype
            for decl in step.function.globals:
                if decl.name == where.variable:
                    return decl.dtype
    return None


@functools.lru_cache(maxsize=64)
def has_index_doubles(function: Function) -> bool:
    """Whether doubles only ever hold integers: no double comes from memory, or from another float."""
    if any(p.dtype.name == "f64" for p in function.params):
        return False
    for node in walk(function.body):
        match node:
            case Load(dtype=dtype) if dtype.name == "f64" and _is_global(function, node.array):
                return False
            case Cast(operand=operand, dtype=dtype):
                names = {operand.dtype.name, dtype.name}
                if "f64" in names and names & {"f32", "f16", "bf16"}:
                    return False
    return True


def _is_global(function: Function, array: str) -> bool:
    return any(p.name == array for p in function.params)
