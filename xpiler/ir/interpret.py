"""Runs a kernel on the host, one NumPy operation an IR operation over all threads of many blocks, and checks
it.

    result = run(kernel, {"a": a, "b": b, "n": 1000}, grid=(4, 1, 1), block=(256, 1, 1))
    b                  # as the kernel left it
    result.findings    # out-of-bounds, uninitialised-read, race, barrier-divergence, shuffle-inactive...

Threads run in lockstep, blocks in chunks. A program without races computes the same in any order, so that
the result is the one of the GPU but for the order of floating-point atomics. Functions without threads
(canonical programs) run too: loops whose iterations are independent run as lanes.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from xpiler.errors import Refusal
from xpiler.ir.interpret_declare import Arrays
from xpiler.ir.interpret_field import Field
from xpiler.ir.interpret_log import Log
from xpiler.ir.interpret_memory import Memory, Usage
from xpiler.ir.interpret_native import Native, bf16_bits, bf16_values, round_bf16
from xpiler.ir.interpret_program import Compiled, compiled
from xpiler.ir.interpret_reals import Reals
from xpiler.ir.interpret_state import (
    Cancelled,
    Clock,
    Finding,
    Launch,
    Recorder,
    Site,
    State,
    StepLimit,
    lane_code,
)
from xpiler.ir.interpret_statements import Statements
from xpiler.ir.interpret_trace import Trace
from xpiler.ir.nodes import Atomic, Barrier, Const, Function, Space
from xpiler.ir.rewrite import walk
from xpiler.ir.types import DType

__all__ = ["Cancelled", "Endless", "Finding", "Log", "Result", "Site", "Usage", "run"]

Shape = tuple[int, int, int]
Mode = Literal["native", "field", "trace", "reals"]
_LANES = 1 << 15  # lanes of a chunk: a few lane arrays stay in the second-level cache
_STEPS = 50_000_000
_MANY_ROUNDS = 1000  # of a `while`: less often it was not that loop which took long
_ALIGNED = 16  # bytes: the widest access there is, and what memory allocators keep to


@dataclass(frozen=True, eq=False)
class Endless:
    """An array argument with room for `extent` elements, of which only `data` is stored: element `i` lies in
    `data[i % data.size]`. For runs that ask where a kernel reaches, not what it computes."""

    data: npt.NDArray[Any]
    extent: int = 1 << 40


@dataclass(frozen=True)
class Result:
    """What a run showed. `usage`: by global array; `steps`: loop iterations run, of all lanes together."""

    findings: tuple[Finding, ...]
    usage: dict[str, Usage]
    steps: int

    @property
    def errors(self) -> tuple[Finding, ...]:
        return tuple(f for f in self.findings if f.severity == "error")


def run(
    function: Function,
    arguments: Mapping[str, Any],
    grid: Shape = (1, 1, 1),
    block: Shape = (1, 1, 1),
    shared_bytes: int = 0,
    *,
    mode: Mode | Native = "native",
    checks: bool = True,
    step_limit: int = _STEPS,
    seconds: float = 60.0,
    lanes: int = _LANES,
    blocks: Sequence[int] | None = None,
    log: Log | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Result:
    """Run one launch; arrays in `arguments` are changed in place.

    Arrays are flat or of any shape, C-contiguous, of the parameter's type; bf16 as uint16 bits or as
    float32; None is a null pointer. In the modes `field` and `trace` floats are residues (`interpret_field`)
    or hashes of their own computation (`interpret_trace`), arrays of them int64; in the mode `reals` all are
    float64. Without `checks` only
    accesses out of bounds are found. `step_limit`, `seconds`: when to give up. `lanes`: about how many
    threads run at a time. `blocks`: the numbers of those that run, if not all. `log`: keeps all accesses, in
    place of the checks for races. `cancelled` is asked all the time; once it says yes, `Cancelled` is raised.
    Raises `Refusal` where an argument is missing or of another type, or the program has what the interpreter
    cannot run.
    """
    with compiled(function, _numeric(mode)) as program:
        clock = Clock(step_limit, time.thread_time() + seconds)
        clock.cancelled = cancelled
        return _run(program, arguments, grid, block, shared_bytes, checks, lanes, blocks, log, clock)


def _run(
    program: Compiled,
    arguments: Mapping[str, Any],
    grid: Shape,
    block: Shape,
    shared_bytes: int,
    checks: bool,
    lanes: int,
    blocks: Sequence[int] | None,
    log: Log | None,
    clock: Clock,
) -> Result:
    function, numeric, arrays = program.function, program.numeric, program.arrays
    warp_size = function.warp_size
    scalars, memories, copied_back = _bind(function, arguments, numeric, arrays, checks and log is None)
    recorder = Recorder()
    threads = block[0] * block[1] * block[2]
    numbers = np.arange(grid[0] * grid[1] * grid[2]) if blocks is None else np.asarray(blocks)
    total = numbers.size
    chunk = _blocks_at_a_time(function, threads, total, lanes)
    setup = State(
        1,
        scalars,
        memories,
        numeric,
        recorder,
        clock,
        Launch(grid, block, warp_size, shared_bytes, 1),
        checks,
        log=log,
    )
    _declare_globals(function, arrays, program.statements, setup)
    with np.errstate(all="ignore"):
        try:
            for first in range(0, total, chunk):
                launch = Launch(grid, block, warp_size, shared_bytes, min(chunk, total - first))
                variables = {**_indices(launch, numbers[first : first + launch.blocks], first), **scalars}
                state = State(
                    threads * launch.blocks,
                    variables,
                    dict(memories),
                    numeric,
                    recorder,
                    clock,
                    launch,
                    checks,
                    log=log,
                )
                program.body(state, None)
        except StepLimit as limit:
            recorder.add(function, _unended(function, limit))
    for values, bits in copied_back:
        values[...] = bf16_values(bits).reshape(values.shape)
    stored = (m for m in memories.values() if m.space is Space.GLOBAL and not m.wrap)
    usage = {memory.name: memory.usage() for memory in stored}
    return Result(tuple(recorder.found.values()), usage, clock.steps)


def _unended(function: Function, limit: StepLimit) -> Finding:
    if limit.rounds < _MANY_ROUNDS and not limit.certain:
        return Finding("step-limit", f"the program did not end within {limit}", function.range, {})
    message = f"this loop did not end within {limit}"
    return Finding("step-limit", message, limit.loop, {"rounds": limit.rounds})


def _numeric(mode: Mode | Native) -> Native:
    match mode:
        case Native():
            return mode
        case "native":
            return Native()
        case "field":
            return Field()
        case "trace":
            return Trace()
        case "reals":
            return Reals()


@functools.lru_cache(maxsize=64)
def _waits(function: Function) -> tuple[bool, bool]:
    """Whether blocks wait for all others, and whether they try again until they win."""
    nodes = list(walk(function.body))
    return (
        any(isinstance(n, Barrier) and n.scope == "grid" for n in nodes),
        any(isinstance(n, Atomic) and n.op in ("cas", "exch") for n in nodes),
    )


def _blocks_at_a_time(function: Function, threads: int, total: int, lanes: int) -> int:
    for_all, until_won = _waits(function)
    if for_all:
        return total
    if until_won:
        return 1  # each round of all blocks lets only one through
    return max(1, min(total, lanes // max(threads, 1)))


def _indices(launch: Launch, numbers: npt.NDArray[Any], first: int) -> dict[str, Any]:
    """Indices and identities of the lanes of the blocks of these numbers, the `first` and following that
    run."""
    threads = launch.threads
    thread = np.tile(np.arange(threads), launch.blocks)
    block = np.repeat(np.arange(launch.blocks), threads)
    number_of_block = np.repeat(numbers, threads)
    found: dict[str, Any] = {
        "@thread": thread,
        "@block": block,
        "@slot": block * launch.slots + thread,
        "@code": lane_code(block + first, 0, thread),
        "@warp_epoch": np.zeros(thread.size, np.int32),
        "warpSize": np.int32(launch.warp_size),
        "dynamicShared.bytes": np.uint32(launch.shared_bytes),
    }
    for kind, number, extents in (
        ("threadIdx", thread, launch.block),
        ("blockIdx", number_of_block, launch.grid),
    ):
        rest = number
        for axis, extent in zip("xyz", extents, strict=True):
            index = (rest % extent).astype(np.uint32)
            found[f"{kind}.{axis}"] = index if np.any(index != index[0]) else index[0]
            rest = rest // extent
    for kind, extents in (("blockDim", launch.block), ("gridDim", launch.grid)):
        for axis, extent in zip("xyz", extents, strict=True):
            found[f"{kind}.{axis}"] = np.uint32(extent)
    return found


def _bind(
    function: Function, arguments: Mapping[str, Any], numeric: Native, arrays: Arrays, checks: bool
) -> tuple[dict[str, Any], dict[str, Memory], list[tuple[Any, Any]]]:
    """Scalars, global memories, and the arrays to copy back in the end."""
    scalars: dict[str, Any] = {}
    memories: dict[str, Memory] = {}
    copied_back: list[tuple[Any, Any]] = []
    globals_given = [(d.name, d.dtype) for d in function.globals if d.name in arguments]
    pointers = [(p.name, p.dtype) for p in function.params if p.is_pointer] + globals_given
    for name, dtype in pointers:
        given = _argument(function, arguments, name)
        nothing = np.zeros(0, numeric.storage_type(dtype))
        stored = given.data if isinstance(given, Endless) else given
        data, values = _array(nothing if stored is None else stored, name, dtype, numeric)
        if values is not None:
            copied_back.append((values, data))
        extent = given.extent if isinstance(given, Endless) else data.size
        memories[name] = arrays.parameter(name, dtype, data, extent, checks)
        memories[name].null = given is None
        memories[name].phase = 0 if isinstance(given, Endless) else data.ctypes.data % _ALIGNED
        scalars[f"@base {name}"] = np.int64(0)
    for decl in function.globals:
        shape = tuple(int(extent.value) for extent in decl.shape if isinstance(extent, Const))
        if decl.name in memories and len(shape) == len(decl.shape) > 1:
            memories[decl.name].shape = shape
    for param in function.params:
        if not param.is_pointer:
            value = _argument(function, arguments, param.name)
            scalars[param.name] = numeric.const(
                value.item() if isinstance(value, np.generic) else value, param.dtype
            )
    return scalars, memories, copied_back


def _declare_globals(function: Function, arrays: Arrays, statements: Statements, setup: State) -> None:
    """`__device__` and `__constant__` variables that were not handed in: zero but for their initialisers."""
    for decl in function.globals:
        if decl.name in setup.memories:
            continue
        zeroed = decl if decl.init is not None else replace(decl, init=())
        arrays.declare(zeroed, statements.expressions)(setup, None)
        if setup.checks and setup.log is None and decl.space is Space.GLOBAL:
            arrays.watch(setup.memories[decl.name])


def _argument(function: Function, arguments: Mapping[str, Any], name: str) -> Any:
    if name not in arguments:
        raise Refusal("missing-argument", f"{function.name} needs an argument {name}", function.range)
    return arguments[name]


def _array(given: Any, name: str, dtype: DType, numeric: Native) -> tuple[Any, npt.NDArray[Any] | None]:
    """The memory of an array argument (a view), and, where it had to be converted, the array to copy back
    to."""
    if not isinstance(given, np.ndarray) or not given.flags.c_contiguous:
        raise Refusal("argument-type", f"argument {name} has to be a C-contiguous array")
    wanted = np.dtype(numeric.storage_type(dtype))
    if given.dtype == wanted:
        return given.reshape(-1), None
    if dtype.name == "bf16" and given.dtype == np.float32:
        return bf16_bits(round_bf16(given.reshape(-1))), given
    raise Refusal("argument-type", f"argument {name} has to be of {wanted} ({dtype}), not {given.dtype}")
