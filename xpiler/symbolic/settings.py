"""Where two programs are run to be compared: launch, sizes, and what their arrays hold.

A kernel runs with its grid of threads, its serial form with the same dimensions as parameters, so that one
setting serves for both.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from xpiler.described import sizes_in_words
from xpiler.ir.index_arrays import index_arrays
from xpiler.ir.interpret import Result, run
from xpiler.ir.interpret_field import Field, random_residues
from xpiler.ir.interpret_log import Log
from xpiler.ir.interpret_native import Native
from xpiler.ir.interpret_reals import Reals
from xpiler.ir.interpret_trace import Trace, inputs
from xpiler.ir.nodes import Barrier, Collective, Decl, Function, Param, Space, Var
from xpiler.ir.rewrite import walk
from xpiler.ir.types import DType

Shape = tuple[int, int, int]
Mode = Literal["native", "field", "trace", "reals"]
SYMBOLIC = ("field", "trace")  # modes whose floats stand for all of their values
Arrays = Mapping[str, npt.NDArray[Any]]
_INDICES = 4  # arrays of indices hold numbers below, if nobody says what they hold


@dataclass(frozen=True)
class Setting:
    """`extents`: elements of each array. `contents`: what integer arrays hold, where that matters."""

    scalars: Mapping[str, int | float | bool] = field(default_factory=dict)
    extents: Mapping[str, int] = field(default_factory=dict)
    grid: Shape = (1, 1, 1)
    block: Shape = (1, 1, 1)
    shared_bytes: int = 0
    contents: Arrays = field(default_factory=dict)

    def describe(self) -> str:
        """`M=37, N=20`."""
        return sizes_in_words((n, v) for n, v in self.scalars.items() if isinstance(v, int))


@dataclass(frozen=True)
class Outcome:
    """The arrays as a run left them, and what went wrong in it."""

    arrays: Arrays
    result: Result

    @property
    def fault(self) -> str:
        """The first error in words, "" if there was none."""
        return self.result.errors[0].message if self.result.errors else ""

    @property
    def unfinished(self) -> bool:
        return any(finding.code == "step-limit" for finding in self.result.errors)


def arguments(function: Function, setting: Setting, mode: Mode, seed: int) -> dict[str, Any]:
    """Data of the mode for each parameter: small whole numbers, random residues, symbols, or reals.

    The same for every function with these parameters.
    """
    given: dict[str, Any] = {}
    indices = index_arrays(function)
    arrays = [(p.name, p.dtype) for p in function.params if p.is_pointer]
    arrays += [(d.name, d.dtype) for d in function.globals if d.init is None and d.name in setting.extents]
    for name, dtype in arrays:
        if name not in setting.extents:
            given[name] = None
        elif name in setting.contents:
            kind: Any = np.dtype(Native().storage_type(dtype))
            given[name] = np.resize(setting.contents[name], setting.extents[name]).astype(kind)
        else:
            given[name] = data_of(name, dtype, setting.extents[name], mode, seed, name in indices)
    for param in function.params:
        if not param.is_pointer and param.name in setting.scalars:
            given[param.name] = _scalar(param, setting.scalars[param.name], mode, seed)
    for name, dims in (("gridDim", setting.grid), ("blockDim", setting.block)):
        given |= {f"{name}.{axis}": extent for axis, extent in zip("xyz", dims, strict=True)}
    given["dynamicShared.bytes"] = setting.shared_bytes
    return given


def data_of(
    name: str, dtype: DType, count: int, mode: Mode, seed: int, is_index: bool = False
) -> npt.NDArray[Any]:
    """What an array holds that nobody says more of."""
    kind: Any = np.dtype(Native().storage_type(dtype))
    rng = np.random.default_rng([seed, *name.encode()])
    if dtype.is_float and mode == "field":
        return random_residues(count, rng)
    if dtype.is_float and mode == "trace":
        return inputs(count, rng)
    if dtype.is_float and mode == "reals":
        return rng.standard_normal(count)
    if dtype.is_float:
        numbers = rng.integers(-4, 5, count)
        if dtype.name == "bf16":
            return (numbers.astype(np.float32).view(np.uint32) >> 16).astype(kind)
        return numbers.astype(kind)
    if is_index or dtype.name == "bool":
        return rng.integers(0, 2 if dtype.name == "bool" else _INDICES, count).astype(kind)
    low, high = np.iinfo(kind).min, np.iinfo(kind).max
    return rng.integers(low, high, count, kind, endpoint=True)


def _scalar(param: Param, value: int | float | bool, mode: Mode, seed: int) -> int | float | bool:
    """A float is a symbol where floats are traced; everywhere else it has its value."""
    if param.dtype.is_float and mode == "trace":
        rng = np.random.default_rng([seed, *param.name.encode()])
        return int(inputs((), rng) | np.int64(1 << 60))
    return value


def numbers_of(mode: Mode, numeric_doubles: bool) -> Native:
    """The arithmetic of a mode. `numeric_doubles`: doubles only ever hold integers."""
    match mode:
        case "field":
            return Field(numeric_doubles=numeric_doubles)
        case "trace":
            return Trace(numeric_doubles=numeric_doubles)
        case "reals":
            return Reals()
    return Native()


def execute(
    function: Function,
    given: Mapping[str, Any],
    setting: Setting,
    mode: Mode | Native,
    *,
    threads: bool | None = None,
    checks: bool = False,
    seconds: float = 2.0,
    step_limit: int = 2_000_000,
    log: Log | None = None,
) -> Outcome:
    """Runs on copies of the arrays. `threads`: whether the function is a kernel with the setting's threads
    (None: if it speaks of them). Raises `Refusal` for what a mode does not have."""
    own = {name: v.copy() if isinstance(v, np.ndarray) else v for name, v in given.items()}
    as_kernel = has_threads(function) if threads is None else threads
    grid, block = (setting.grid, setting.block) if as_kernel else ((1, 1, 1), (1, 1, 1))
    shared = setting.shared_bytes if as_kernel else 0
    result = run(
        function,
        own,
        grid,
        block,
        shared,
        mode=mode,
        checks=checks,
        seconds=seconds,
        step_limit=step_limit,
        log=log,
    )
    return Outcome({name: v for name, v in own.items() if isinstance(v, np.ndarray)}, result)


def has_threads(function: Function) -> bool:
    """Whether the function speaks of threads: what a canonical form does not."""
    return any(
        isinstance(node, (Barrier, Collective))
        or (isinstance(node, Var) and node.name.startswith(("threadIdx.", "blockIdx.")))
        or (isinstance(node, Decl) and node.space is Space.SHARED)
        for node in walk(function.body)
    )
