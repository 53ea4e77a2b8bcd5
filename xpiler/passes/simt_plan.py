"""What a serial function becomes on a GPU: kernels, and what the host does to run them.

    for t in 0..steps: { parallel for i: A; parallel for i: B }
    -->
    HostLoop t { Launch(kernel A, grid, block); Launch(kernel B, grid, block) }

Everything the host computes (grids, loop bounds, sizes of scratch memory) is an expression over the scalar
parameters.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from xpiler.ir.nodes import Block, Decl, Expr, For, Param
from xpiler.ir.types import DType


@dataclass(frozen=True)
class Scratch:
    """Global memory of `count` elements for the kernels of a plan or of one iteration of a loop."""

    name: str
    dtype: DType
    count: Expr


@dataclass(frozen=True)
class Launch:
    """One kernel and its launch. `params`: of the source function and scratch arrays, as far as used.
    `native`: its main loop is spread over threads."""

    name: str
    params: tuple[Param, ...]
    body: Block
    grid: tuple[Expr, Expr, Expr]
    block: tuple[int, int, int]
    native: bool


@dataclass(frozen=True)
class HostLoop:
    """The head of `loop` run on the host around launches. `scratch`: memory of which each iteration needs its
    own amount."""

    loop: For
    steps: tuple[Step, ...]
    scratch: tuple[Scratch, ...] = ()


@dataclass(frozen=True)
class HostBranch:
    condition: Expr
    then: tuple[Step, ...]
    otherwise: tuple[Step, ...]


Step = Launch | HostLoop | HostBranch


@dataclass(frozen=True)
class Plan:
    """`lets`: named arithmetic on the scalar parameters, known to the host and to every kernel."""

    lets: tuple[Decl, ...]
    steps: tuple[Step, ...]
    scratch: tuple[Scratch, ...]
    notes: tuple[str, ...]

    @property
    def launches(self) -> tuple[Launch, ...]:
        return tuple(_launches(self.steps))

    @property
    def is_one_launch(self) -> bool:
        """Whether a single kernel without scratch memory does everything."""
        return len(self.steps) == 1 and isinstance(self.steps[0], Launch) and not self.scratch

    @property
    def native(self) -> bool:
        return any(launch.native for launch in self.launches)


def _launches(steps: Sequence[Step]) -> Iterator[Launch]:
    for step in steps:
        match step:
            case Launch():
                yield step
            case HostLoop(steps=inner):
                yield from _launches(inner)
            case HostBranch(then=then, otherwise=otherwise):
                yield from _launches(then)
                yield from _launches(otherwise)
