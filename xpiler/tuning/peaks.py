"""The limits of a device: what it can do a second at most, measured, and how fast a call can be at all.

    peaks of arithmetic by type, bandwidth by level of memory  +  the work of a call
      -->  the longer of its arithmetic at the peaks and its traffic at the bandwidth: the roofline

After Williams, Waterman and Patterson. The bandwidth is that of the nearest level that holds all that the
call touches, because calls that are timed follow each other on the same arrays.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xpiler.errors import Refusal
from xpiler.gate import cache, sandbox
from xpiler.gate.compilers import Compiler, host_compiler
from xpiler.gate.execute import program_threads
from xpiler.gate.sandbox import Limits
from xpiler.tuning.work import Work

_SOURCE = Path(__file__).with_name("peaks.cpp")
_INSTEAD = {"f16": "f32", "bf16": "f32", "i8": "i32"}  # where a processor does not compute in a type itself
_PRIVATE = ("L1", "L2")  # of one core


@dataclass(frozen=True)
class Level:
    """A level of memory: bytes that it holds (0: whatever there is), and bytes a second from it, of one
    thread and of all."""

    name: str
    bytes: int
    one: float
    all: float


@dataclass(frozen=True)
class Limit:
    """Seconds that a call takes at least, and what it waits for then: `f32 arithmetic`, `L2`, `DRAM`."""

    seconds: float
    bound: str


@dataclass(frozen=True)
class Peaks:
    """`operations`: a second, by type, of one thread and of all `threads` that a program is given."""

    threads: int
    operations: Mapping[str, tuple[float, float]]
    memory: tuple[Level, ...]

    def limit(self, work: Work) -> Limit | None:
        """None where the work is not known to need anything."""
        arithmetic = {kind: count / self._rate(kind) for kind, count in work.operations.items()}
        level = self.level_of(work.bytes)
        moving = work.bytes / level.all
        computing = sum(arithmetic.values())
        if not max(moving, computing):
            return None
        if moving >= computing:
            return Limit(moving, level.name)
        return Limit(computing, f"{max(arithmetic, key=arithmetic.__getitem__)} arithmetic")

    def level_of(self, size: float) -> Level:
        """The nearest level that holds so many bytes, spread over the threads."""
        for level in self.memory:
            if not level.bytes or size <= level.bytes * (self.threads if level.name in _PRIVATE else 1):
                return level
        return self.memory[-1]

    def _rate(self, kind: str) -> float:
        known = kind if kind in self.operations else _INSTEAD.get(kind, "f32")
        return self.operations[known][1]

    def raised(self, other: Peaks) -> Peaks:
        """The greater of each: what was measured on a busy machine is too little, never too much."""
        operations = {
            kind: (max(one, other.operations[kind][0]), max(all_, other.operations[kind][1]))
            for kind, (one, all_) in self.operations.items()
            if kind in other.operations
        }
        levels = tuple(
            Level(a.name, a.bytes, max(a.one, b.one), max(a.all, b.all))
            for a, b in zip(self.memory, other.memory, strict=True)
        )
        return Peaks(self.threads, {**other.operations, **self.operations, **operations}, levels)

    def describe(self) -> list[str]:
        """Lines for people."""
        arithmetic = ", ".join(
            f"{kind} {one / 1e9:.0f} / {all_ / 1e9:.0f}" for kind, (one, all_) in self.operations.items()
        )
        memory = ", ".join(f"{v.name} {v.one / 1e9:.0f} / {v.all / 1e9:.0f}" for v in self.memory)
        return [
            f"GOP/s of one thread / of {self.threads}: {arithmetic}",
            f"GB/s of one thread / of {self.threads}: {memory}",
        ]

    def to_json(self) -> dict[str, Any]:
        return {
            "threads": self.threads,
            "operations": {kind: list(rates) for kind, rates in self.operations.items()},
            "memory": {v.name: [v.bytes, v.one, v.all] for v in self.memory},
        }

    @classmethod
    def of_json(cls, told: Mapping[str, Any]) -> Peaks:
        """Raises KeyError, TypeError or ValueError for what is none."""
        operations = {kind: (float(a), float(b)) for kind, (a, b) in told["operations"].items()}
        levels = tuple(
            Level(name, int(size), float(one), float(all_))
            for name, (size, one, all_) in told["memory"].items()
        )
        if not levels or not all(v.one > 0 < v.all for v in levels) or "f32" not in operations:
            raise ValueError("no peaks")
        return cls(int(told["threads"]), operations, levels)


def measured_peaks() -> Peaks:
    """Of the processor of this machine; takes some seconds. Raises Refusal where that cannot be measured."""
    compiler = host_compiler()
    program = _program(compiler)
    with tempfile.TemporaryDirectory(prefix="xpiler-peaks-") as folder:
        scratch = Path(folder)
        shutil.copy2(program, scratch / "peaks")
        command = [str(scratch / "peaks"), str(program_threads())]
        done = sandbox.run(command, cwd=scratch, limits=Limits(cpu=120, wall=180))
    try:
        if done.ok:
            return Peaks.of_json(json.loads(done.stdout))
    except (ValueError, KeyError, TypeError):
        pass
    raise Refusal("peaks", f"the limits of the processor cannot be measured: {done.describe()}")


def _program(compiler: Compiler) -> Path:
    flags = ("-std=c++17", "-O3", "-march=native", "-pthread")
    source = _SOURCE.read_bytes()
    log: list[str] = []

    def make(path: Path) -> bool:
        with tempfile.TemporaryDirectory(prefix="xpiler-build-") as folder:
            done = compiler.compile([*flags, str(_SOURCE), "-o", "peaks"], Path(folder))
            log.append(done.stderr)
            if done.ok:
                shutil.copy2(Path(folder) / "peaks", path)
            return done.ok

    made = cache.fetch("peaks", cache.key(source, *flags, *compiler.command, compiler.version), make)
    if made is None:
        raise Refusal("peaks", f"the program that measures a processor does not compile: {log[0][:300]}")
    return made
