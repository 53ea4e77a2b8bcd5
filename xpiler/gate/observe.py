"""What a sequence of launches does to memory, by running the kernels' IR: extents, roles, and what is wrong.

Device memory is a set of byte buffers. One whose size is known is checked against it; one whose size is
not known (a
pointer argument of the entry) grows until nothing reaches beyond it, and the reach is its extent.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from xpiler.gate.contract import Launch, Role
from xpiler.gate.trace import VARIABLE
from xpiler.ir.interpret import Result, run
from xpiler.ir.interpret_state import Finding
from xpiler.ir.nodes import Const, Decl, Function

_START_BYTES = 1 << 18
_BYTES_A_THREAD, _MOST_START_BYTES = 16, 1 << 22  # what is too small is found by running all again
_LIMIT_BYTES = 1 << 26
_SECONDS = 2.0  # for one launch
_SECONDS_OF_ALL = 5.0  # for the launches of a call before the last one
_LARGE = 1 << 21  # threads; a larger launch may take longer
_SECONDS_OF_LARGE = 8.0
_ENDS, _BETWEEN = 2, 64  # blocks at each end of an axis, and others
_STEPS = 1_000_000  # loop iterations of all threads together: a second or so


@dataclass(frozen=True)
class Buffer:
    """`size` in bytes, None if not known. `contents` fills its beginning (None: random)."""

    key: str
    size: int | None
    contents: npt.NDArray[Any] | None = None


@dataclass(frozen=True)
class Pointer:
    key: str
    offset: int = 0  # bytes


@dataclass(frozen=True)
class Step:
    """A launch of `kernel` with its arguments in order. `sampled`: some blocks may stand for all, where all
    take too long: those at the ends of the grid reach furthest, if the grid is of the size of the data."""

    kernel: Function
    launch: Launch
    arguments: tuple[Pointer | int | float | None, ...]
    sampled: bool = False


@dataclass(frozen=True)
class Fill:
    """Host code sets `count` bytes to `data`, over and over: `cudaMemset`, or a copy of one number."""

    to: Pointer
    data: bytes
    count: int


@dataclass
class Reach:
    """How a buffer was used, in bytes. `read_first`: something was read before it was written."""

    low: int = 0
    high: int = 0  # exclusive
    read: bool = False
    written: bool = False
    read_first: bool = False
    written_bytes: int = 0

    def joined(self, other: Reach) -> Reach:
        return Reach(
            min(self.low, other.low),
            max(self.high, other.high),
            self.read or other.read,
            self.written or other.written,
            self.read_first or other.read_first,
            max(self.written_bytes, other.written_bytes),
        )

    @property
    def role(self) -> Role:
        if not self.written:
            return Role.IN
        return Role.INOUT if self.read_first else Role.OUT


@dataclass(frozen=True)
class Observation:
    """`findings` are the errors; `reach` by buffer; `unfinished` says why the run was given up, "" if it
    was not; `endless`: the loop that it was in; `stale`: what was left in a scratchpad from before reached
    memory of the device or decided something; `partial`: only some blocks of a large launch were run; `slow`:
    there was too much to do for all launches together."""

    findings: tuple[Finding, ...]
    reach: dict[str, Reach] = field(default_factory=dict)
    unfinished: str = ""
    endless: Finding | None = None
    stale: bool = False
    partial: bool = False
    slow: bool = False

    @property
    def clean(self) -> bool:
        return not self.findings and not self.unfinished

    def joined(self, other: Observation) -> Observation:
        """What either of two runs of the same steps showed."""
        reach = {key: used.joined(other.reach[key]) for key, used in self.reach.items()}
        unfinished, endless = self.unfinished or other.unfinished, self.endless or other.endless
        stale, partial = self.stale or other.stale, self.partial or other.partial
        slow, findings = self.slow or other.slow, (*self.findings, *other.findings)
        return Observation(findings, reach, unfinished, endless, stale, partial, slow)


def observe(
    steps: Sequence[Step | Fill],
    buffers: Mapping[str, Buffer],
    seed: int = 0,
    variables: Mapping[str, npt.NDArray[Any]] | None = None,
) -> Observation:
    """Runs the steps one after the other, again with larger buffers while unknown ones are overrun.

    `variables`: what variables of the file hold before, as far as that is known.
    """
    threads = max((step.launch.threads for step in steps if isinstance(step, Step)), default=0)
    start = max(_START_BYTES, min(_BYTES_A_THREAD * threads, _MOST_START_BYTES))
    sizes = {key: buffer.size if buffer.size is not None else start for key, buffer in buffers.items()}
    while True:
        observation = _observe(steps, buffers, sizes, seed, variables or {})
        grown = False
        for key, buffer in buffers.items():
            reach = observation.reach.get(key)
            if buffer.size is None and reach and reach.high > sizes[key]:
                if reach.high > _LIMIT_BYTES:
                    return replace(
                        observation, unfinished=f"{key} would need more than {_LIMIT_BYTES >> 20} MiB"
                    )
                sizes[key] = max(reach.high + 64, 2 * sizes[key])
                grown = True
        if observation.unfinished:  # what lies beyond a buffer of unknown size was not found out
            known = tuple(f for f in observation.findings if f.code != "out-of-bounds")
            return replace(observation, findings=known)
        if not grown:
            return observation


def _observe(
    steps: Sequence[Step | Fill],
    buffers: Mapping[str, Buffer],
    sizes: Mapping[str, int],
    seed: int,
    given: Mapping[str, npt.NDArray[Any]],
) -> Observation:
    memory = {key: _fill(buffer, sizes[key], seed) for key, buffer in buffers.items()}
    reach = {key: Reach() for key in buffers}
    fresh = {key: np.ones(sizes[key], np.bool_) for key in buffers}
    findings: dict[tuple[str, object], Finding] = {}
    unfinished, endless, stale, partial, slow = "", None, False, False, False
    variables = {name: contents.copy() for name, contents in given.items()}
    fills: dict[str, list[Fill]] = {}  # of variables, until a kernel reads them
    begun = time.thread_time()
    for step in steps:
        if isinstance(step, Fill) and step.to.key not in memory:
            fills.setdefault(step.to.key, []).append(step)
            continue
        if isinstance(step, Fill):
            part = slice(step.to.offset, step.to.offset + step.count)
            memory[step.to.key][part] = np.resize(
                np.frombuffer(step.data, np.uint8), memory[step.to.key][part].size
            )
            fresh[step.to.key][part] = False
            continue
        arguments: dict[str, Any] = {}
        for decl in uninitialised_globals(step.kernel):
            arguments[decl.name] = variables.setdefault(decl.name, _contents_of(decl, seed))
            for fill in fills.pop(f"{VARIABLE}{decl.name}", ()):
                part = arguments[decl.name].view(np.uint8)[fill.to.offset : fill.to.offset + fill.count]
                part[:] = np.resize(np.frombuffer(fill.data, np.uint8), part.size)
        places: dict[str, Pointer] = {}
        for param, value in zip(step.kernel.params, step.arguments, strict=False):
            if isinstance(value, Pointer):
                places[param.name] = value
                if param.dtype.name == "bool":
                    memory[value.key] &= 1  # what was never written is true or false all the same
                arguments[param.name] = _view(
                    memory[value.key], value.offset, param.dtype.bytes, param.dtype.name
                )
            elif param.is_pointer:
                arguments[param.name] = None
            else:
                arguments[param.name] = 0 if value is None else value
        left = begun + _SECONDS_OF_ALL - time.thread_time()
        if left < 0:
            unfinished = f"its {sum(isinstance(s, Step) for s in steps)} launches take too long together"
            slow = True
            break
        result, sampled = _run(step, arguments)
        partial |= sampled
        for finding in result.findings:
            if finding.code == "step-limit":
                unfinished = finding.message
                endless = finding if "rounds" in finding.values else None
            elif finding.severity == "error":
                findings.setdefault((finding.code, finding.range), finding)
            stale |= finding.code == "uninitialised-read" and finding.severity == "warning"
        for name, place in places.items():
            usage = result.usage.get(name)
            if usage is None or usage.low is None or usage.high is None:
                continue
            width = next(p.dtype.bytes for p in step.kernel.params if p.name == name)
            used = reach[place.key]
            used.low = min(used.low, place.offset + usage.low * width)
            used.high = max(used.high, place.offset + (usage.high + 1) * width)
            used.read |= bool(usage.read.any())
            used.written |= bool(usage.written.any())
            first = np.repeat(usage.read_first, width)
            window = fresh[place.key][place.offset : place.offset + first.size]
            used.read_first |= bool((first[: window.size] & window).any())
            written = np.repeat(usage.written, width)
            window[written[: window.size]] = False
    for key, used in reach.items():
        used.written_bytes = int((~fresh[key]).sum())
    return Observation(tuple(findings.values()), reach, unfinished, endless, stale, partial, slow)


def _run(step: Step, arguments: dict[str, Any]) -> tuple[Result, bool]:
    """What the launch does, and whether only some blocks were run."""
    launch = step.launch
    large = launch.threads > _LARGE

    def run_of(given: dict[str, Any], blocks: list[int] | None) -> Result:
        seconds = _SECONDS_OF_LARGE if large and blocks is None else _SECONDS
        where = launch.grid, launch.block, launch.shared_bytes
        return run(step.kernel, given, *where, step_limit=_STEPS, seconds=seconds, blocks=blocks)

    if not large or not step.sampled:
        return run_of(arguments, None), False
    before = {k: v.copy() for k, v in arguments.items() if isinstance(v, np.ndarray)}
    whole = run_of(arguments, None)
    if not any(f.code == "step-limit" for f in whole.findings):
        return whole, False
    for name, contents in before.items():
        arguments[name][...] = contents
    return run_of(arguments, _some_blocks(launch)), True


def _some_blocks(launch: Launch) -> list[int]:
    """The blocks at the ends of each axis, and some between."""
    draws = np.random.default_rng(launch.threads)
    axes = [sorted({*range(min(_ENDS, n)), *range(max(0, n - _ENDS), n)}) for n in launch.grid]
    x, y, _ = launch.grid
    corners = {i + x * (j + y * k) for i, j, k in product(*axes)}
    return sorted(corners | set(draws.integers(0, prod(launch.grid), _BETWEEN).tolist()))


def uninitialised_globals(kernel: Function) -> tuple[Decl, ...]:
    """The `__constant__` and `__device__` variables that only other code fills."""
    taken = {param.name for param in kernel.params}
    return tuple(
        d
        for d in kernel.globals
        if d.init is None and d.name not in taken and all(isinstance(e, Const) for e in d.shape)
    )


def extent_of(decl: Decl) -> int:
    """Elements of a variable whose shape is constant."""
    return prod(int(e.value) for e in decl.shape if isinstance(e, Const))


def _contents_of(decl: Decl, seed: int) -> npt.NDArray[Any]:
    """As in the cases: floats are random, integers, which may be indices or counters, 0."""
    size = extent_of(decl) * decl.dtype.bytes
    if not decl.dtype.is_float:
        return np.zeros(extent_of(decl), _numpy(decl.dtype.name))
    return _fill(Buffer(decl.name, size), size, seed).view(_numpy(decl.dtype.name))


def _fill(buffer: Buffer, size: int, seed: int) -> npt.NDArray[np.uint8]:
    """Small positive numbers whatever the type: bytes 0..63 are finite as any float."""
    rng = np.random.default_rng([seed, *buffer.key.encode(), size & 0xFFFF])
    data = rng.integers(0, 64, size, np.uint8)
    if buffer.contents is not None:
        given = np.ascontiguousarray(buffer.contents).view(np.uint8).reshape(-1)[:size]
        data[: given.size] = given
    return data


def _view(memory: npt.NDArray[np.uint8], offset: int, width: int, dtype: str) -> npt.NDArray[Any]:
    part = memory[offset:]
    return part[: part.size // width * width].view(_numpy(dtype))


def _numpy(dtype: str) -> np.dtype[Any]:
    if dtype == "bf16":
        return np.dtype(np.uint16)
    names = {"i": "int", "u": "uint", "f": "float"}
    return np.dtype(np.bool_) if dtype == "bool" else np.dtype(names[dtype[0]] + dtype[1:])
