"""What is needed to run an entry: its arguments with types and roles, and the cases to run it on.

The lead of a translation infers a `Contract` from the text (`gate/infer.py`); what a person states on the
command line or in `KERNEL.xpiler.toml` (`gate/overrides.py`) wins over what was inferred.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from math import prod
from typing import Literal

from xpiler.described import sizes_in_words
from xpiler.ir.types import DType

Scalar = int | float | bool
EntryKind = Literal["host", "kernel", "main"]
FillKind = Literal[
    "integers",
    "normal",
    "positive",
    "boundary",
    "edges",
    "special",
    "landmarks",
    "magnitudes",
    "sizes",
    "wide",
    "spread",
    "powers",
    "below",
    "above",
    "faint",
    "offset",
    "full",
]

ValueKind = Literal[
    "index",
    "spread",
    "offsets",
    "growing",
    "lengths",
    "permutation",
    "pieces",
    "uniform",
    "halves",
    "constant",
    "flags",
    "bf16",
    "f16",
    "f32",
    "f64",
    "given",
]


class Role(Enum):
    """What the entry does with an argument."""

    IN = "in"  # a pointer that is only read
    OUT = "out"  # a pointer whose old contents do not matter: poisoned before the call
    INOUT = "inout"
    SCALAR = "scalar"


@dataclass(frozen=True)
class Argument:
    """One parameter of the entry, in the order of its signature.

    A `float4*` has dtype f32 and `lanes` 4. A handle that is always null (a `cudaStream_t`) is a u64 scalar
    of value 0. Of a struct by value each member is an argument: `member` of the parameter. `place`: which
    parameter of a kernel it is, -1 the one after that of the argument before.
    """

    name: str
    dtype: DType
    is_pointer: bool
    role: Role
    lanes: int = 1
    place: int = -1
    member: str = ""


@dataclass(frozen=True)
class Launch:
    """The shape of a kernel launch: blocks, threads a block, bytes of dynamic shared memory."""

    grid: tuple[int, int, int]
    block: tuple[int, int, int]
    shared_bytes: int = 0

    @property
    def threads(self) -> int:
        return prod(self.grid) * prod(self.block)


@dataclass(frozen=True)
class Values:
    """How to fill a pointer argument whose contents have a meaning.

    `index`: integers in [low, high), some of `beyond` among them. `spread`: the same from 0, as many of
    each magnitude. `offsets`: non-decreasing from `low` to `high` (row starts of a CSR matrix).
    `growing`: from `low`, each larger than the one before by 1 to `high`; `lengths`: those steps.
    Of both, some steps are 0 where it is `beyond`.
    `permutation`: each of low, low+1, ... once. `pieces`: of one sequence of integers in [low, high), the
    same for all arrays of a case, shifted by a little more or less from piece to piece. `uniform`: floats
    in [low, high). `halves`: half a unit beside whole numbers there, the half or twice of that.
    `constant`: all `low`. `flags`: what integers otherwise are, half of them zero. `bf16`, `f16`, `f32`,
    `f64`: integers that are the bits of such numbers. `given`: the elements of `data` as they are stored,
    what the file's program has there at a launch.
    """

    kind: ValueKind
    low: float = 0
    high: float = 0
    data: bytes = field(default=b"", repr=False)
    beyond: tuple[int, ...] = ()


@dataclass(frozen=True)
class Case:
    """One set of inputs to run the entry on.

    `extents` counts scalars of the argument's dtype (a `float4*` of 8 vectors has 32). `shapes` is only for
    reports: coordinates of the first wrong element. `fill` says how arrays without special `values` are drawn
    from `seed`; `landmarks` are the magnitudes that data of that kind are drawn around. `missing`: arrays
    that are only read, for which the call gets a null pointer. `types`: what the call takes arrays for whose
    type the signature does not say (see `used_types.py`).
    """

    scalars: tuple[tuple[str, Scalar], ...] = ()
    extents: tuple[tuple[str, int], ...] = ()
    launch: Launch | None = None
    values: tuple[tuple[str, Values], ...] = ()
    seed: int = 0
    fill: FillKind = "normal"
    shapes: tuple[tuple[str, tuple[int, ...]], ...] = ()
    landmarks: tuple[float, ...] = ()
    missing: tuple[str, ...] = ()
    types: tuple[tuple[str, DType], ...] = ()

    def scalar(self, name: str) -> Scalar:
        return dict(self.scalars)[name]

    def extent(self, name: str) -> int:
        return dict(self.extents)[name]

    def shape(self, name: str) -> tuple[int, ...]:
        """The shape for reports: what is known, else one dimension."""
        return dict(self.shapes).get(name) or (self.extent(name),)

    @property
    def all_given(self) -> bool:
        """Whether nothing is drawn: all contents are those of a launch of the program."""
        given = {name for name, values in self.values if values.kind == "given"}
        return bool(given) and given >= {name for name, _ in self.extents}

    def describe(self) -> str:
        """`m=100, n=37; normal values, seed 2`."""
        scalars = sizes_in_words(self.scalars) if self.scalars else ""
        words = {
            "integers": "small integers",
            "normal": "normal values",
            "positive": "positive values",
            "boundary": "boundary values",
            "edges": "boundary values but subnormal ones",
            "special": "infinities and NaN",
            "landmarks": "the numbers of the texts",
            "magnitudes": "the ends of integer types",
            "sizes": "the ends of unsigned integer types",
            "wide": "large integers",
            "spread": "values of all magnitudes",
            "powers": "halves and powers of two",
            "below": "values far below zero",
            "above": "values far above zero",
            "faint": "floats near zero",
            "offset": "floats near one another",
            "full": "bytes near the end of their type",
        }
        drawn = f"{words[self.fill]}, seed {self.seed}"
        given = [name for name, values in self.values if values.kind == "given"]
        if self.all_given:
            drawn = "memory as at a launch of the program"
        elif given:
            drawn = f"{', '.join(given)} as at a launch of the program, else {drawn}"
        if pieces := [name for name, values in self.values if values.kind == "pieces"]:
            drawn += f", {' and '.join(pieces)} of pieces of one sequence"
        if parts := [n for n, v in self.values if v.kind in ("growing", "lengths") and v.beyond]:
            drawn += f", empty parts in {', '.join(parts)}"
        if self.missing:
            drawn += f", no {', '.join(self.missing)}"
        return f"{scalars + '; ' if scalars else ''}{drawn}"


@dataclass(frozen=True)
class Setup:
    """A call that has to come before the entry: `create(n)` before `run(handle, x, y)`.

    `arguments` are names of the contract's arguments in the callee's order, "" for the object that is set up.
    `object` is the entry's parameter that the object is handed to, "" if the call sets up variables of the
    file. `form` says how the object is made: `returned` by the call, left in an `out` parameter, filled in at
    its `place`, or, made before, filled in `again`.
    """

    callee: str
    arguments: tuple[str, ...]
    object: str = ""
    form: str = ""


@dataclass(frozen=True)
class Contract:
    """How to call one entry and how to judge what it computes.

    `kernel_spelling` is what a launch calls (`gemm<float, 16>`); for a host function in a namespace its full
    name. `reduction_length`
    is the longest sum that an output element goes through (0: not known). `accumulator` is the narrowest
    float type that sums are kept in (None: f32 or wider). `notes` says in words what was inferred, for the
    evidence. `globals` are `__constant__` and `__device__` variables without initialiser that the kernels
    use: further inputs, filled and compared like pointer arguments of the variable's size. `arch` is the
    architecture that BANG C is written and run for ("": the emulator's own). `before` are calls that come
    first; `handed` is then what the entry itself is given, by name (empty: all arguments). `signature` is the
    type of the entry as a function pointer where its name is overloaded. `cooperative`: the blocks of the
    kernel wait for one another, so that its launch has to say so.
    """

    entry: str
    kind: EntryKind
    arguments: tuple[Argument, ...] = ()
    cases: tuple[Case, ...] = ()
    kernel_spelling: str = ""
    fast_math: bool = False
    reduction_length: int = 0
    accumulator: DType | None = None
    notes: tuple[str, ...] = ()
    globals: tuple[Argument, ...] = ()
    arch: str = ""
    before: tuple[Setup, ...] = ()
    handed: tuple[str, ...] = ()
    signature: str = ""
    cooperative: bool = False

    def argument(self, name: str) -> Argument:
        for argument in (*self.arguments, *self.globals):
            if argument.name == name:
                return argument
        raise KeyError(name)

    @property
    def pointers(self) -> tuple[Argument, ...]:
        """Everything with an array of data: pointer arguments, then globals."""
        return (*(argument for argument in self.arguments if argument.is_pointer), *self.globals)

    @property
    def outputs(self) -> tuple[Argument, ...]:
        return tuple(a for a in self.pointers if a.role in (Role.OUT, Role.INOUT))


def make_case(
    scalars: Mapping[str, Scalar],
    extents: Mapping[str, int],
    launch: Launch | None = None,
    *,
    shapes: Mapping[str, Iterable[int]] | None = None,
    values: Mapping[str, Values] | None = None,
    seed: int = 0,
    fill: FillKind = "normal",
) -> Case:
    """A `Case` from plain mappings."""
    return Case(
        tuple(scalars.items()),
        tuple(extents.items()),
        launch,
        tuple((values or {}).items()),
        seed,
        fill,
        tuple((name, tuple(shape)) for name, shape in (shapes or {}).items()),
    )


def with_fills(case: Case, seeds: Iterable[int], fills: Iterable[FillKind]) -> tuple[Case, ...]:
    """The same sizes with every seed and every kind of data."""
    seeds = tuple(seeds)
    return tuple(replace(case, seed=seed, fill=fill) for fill in fills for seed in seeds)
