"""Devices as the cost model sees them: figures that their makers publish, rounded.

They stand for a class of devices where none is there to be measured. What follows from them is an estimate.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Processor:
    """A core with vectors of `vector` bytes. Cycles a second; `levels`: bytes that a cache holds, and bytes a
    cycle that come into it from behind; `start`: cycles until threads run."""

    name: str = "a server's core with AVX-512"
    cycles: float = 3.0e9
    vector: int = 64
    registers: int = 32
    threads: int = 2
    levels: tuple[tuple[int, float], ...] = ((48 << 10, 40.0), (1 << 20, 12.0), (16 << 20, 4.0))
    start: float = 6000.0


@dataclass(frozen=True)
class Gpu:
    """`units`: multiprocessors, each with `lanes` lanes and at most `resident` threads; bytes a second of
    memory and of the cache in front of it; operations a second of the matrix units."""

    name: str
    units: int
    cycles: float
    lanes: int
    warp: int
    resident: int
    memory: float
    cache: float
    cache_bytes: int
    matrix: float
    launch: float = 4e-6


@dataclass(frozen=True)
class Accelerator:
    """`cores` that compute on scratchpads: bytes a cycle of a vector instruction, and cycles until it starts;
    multiply-adds a cycle of the matrix unit; bytes a second of memory for all, cycles until a copy starts."""

    name: str
    cores: int
    cycles: float
    vector: int
    start: float
    matrix: float
    memory: float
    copy: float
    launch: float = 1e-5


PROCESSOR = Processor()
GPUS = {
    "cuda": Gpu("a data-centre GPU, 108 SMs", 108, 1.41e9, 64, 32, 2048, 1.5e12, 4e12, 40 << 20, 3e14),
    "hip": Gpu("a CDNA GPU, 110 CUs", 110, 1.7e9, 64, 64, 2048, 1.6e12, 3.5e12, 8 << 20, 1.9e14),
}
ACCELERATOR = Accelerator("an MLU with 32 cores", 32, 1.0e9, 128, 40.0, 1024.0, 3e11, 400.0)
