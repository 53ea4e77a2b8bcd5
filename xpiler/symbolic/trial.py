"""One run of a kernel at a launch with all values given: what is tried, and with which data."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from xpiler.ir.affine_form import Affine
from xpiler.ir.interpret import Endless, Finding, run
from xpiler.ir.interpret_log import Log
from xpiler.ir.interpret_native import Native
from xpiler.ir.nodes import (
    Assign,
    Atomic,
    Barrier,
    Block,
    Collective,
    Decl,
    Expr,
    For,
    Function,
    If,
    Load,
    LoopKind,
    Ref,
    Stmt,
    Var,
    While,
)
from xpiler.ir.rewrite import children, free_vars, walk
from xpiler.ir.types import DType
from xpiler.symbolic.compared import Numbers, Sizes, numbers_compared, sizes_compared, steering
from xpiler.symbolic.dependence import Dependence
from xpiler.symbolic.waits import Waits

ENDLESS = 1 << 40  # elements of an array whose extent nobody knows
_STORED = 1 << 16  # elements of an array that exist; indices beyond go around
_LANES = 1 << 13  # threads that run in a trial, about
STEPS = 60_000
MIXED, RAMP, SAME, WILD, EDGE = "mixed", "ramp", "same", "wild", "edge"
MADE_UP = frozenset({WILD, EDGE})  # data that nobody would hand over, but to show what a kernel does with it


@dataclass(frozen=True)
class Trial:
    """`extents`: of arrays whose size is known; `aliases`: arrays that are one, to the name of the first;
    `starts`: elements that lie before those that begin within what was allocated;
    `data`: what arrays hold; `strained`: parameters with values that may not be meant."""

    grid: tuple[int, int, int]
    block: tuple[int, int, int]
    scalars: Mapping[str, int | float]
    shared_bytes: int = 0
    extents: Mapping[str, int] = field(default_factory=dict)
    aliases: Mapping[str, str] = field(default_factory=dict)
    starts: Mapping[str, int] = field(default_factory=dict)
    data: str = MIXED
    strained: frozenset[str] = frozenset()
    host: Mapping[str, int] = field(default_factory=dict)  # of the host function that launches
    is_launched: bool = False  # host code makes this launch


@dataclass(frozen=True)
class Observed:
    """`stopped`: why the run was given up, "" if it was not. `blocks`: how many of how many ran. `cancelled`:
    whether nobody wants to know what it shows."""

    trial: Trial
    log: Log
    findings: tuple[Finding, ...]
    stopped: str
    blocks: tuple[int, int]
    cancelled: Callable[[], bool] = lambda: False


def observe(
    kernel: Function,
    trial: Trial,
    frame: Frame,
    deadline: float,
    cancelled: Callable[[], bool] = lambda: False,
) -> Observed:
    """Run the trial and keep all accesses. Raises `Refusal` for what the interpreter does not have."""
    log = Log(frame.shown, frame.spins, frame.waits, whole_warps=kernel.warp_size == 32)
    log.streams.is_busy = frame.is_asynchronous
    log.copies.is_busy = frame.copies
    arguments = arguments_of(kernel, trial, frame)
    total = trial.grid[0] * trial.grid[1] * trial.grid[2]
    blocks = chosen_blocks(trial.grid, trial.block)
    seconds = max(0.05, deadline - time.thread_time())
    result = run(
        kernel,
        arguments,
        trial.grid,
        trial.block,
        trial.shared_bytes,
        step_limit=STEPS,
        seconds=seconds,
        blocks=blocks,
        log=log,
        cancelled=cancelled,
    )
    stopped = next((f.message for f in result.findings if f.code == "step-limit"), "")
    return Observed(
        trial, log, result.findings, stopped, (total if blocks is None else len(blocks), total), cancelled
    )


def arguments_of(kernel: Function, trial: Trial, frame: Frame) -> dict[str, Any]:
    """What a trial hands to the kernel: arrays are fresh ones."""
    arguments: dict[str, Any] = dict(trial.scalars)
    stored: dict[str, npt.NDArray[Any]] = {}
    for position, param in enumerate(p for p in kernel.params if p.is_pointer):
        name = trial.aliases.get(param.name, param.name)
        if name not in stored:
            numbers = frame.compared.get(param.name, ())
            if trial.data != EDGE and (trial.data != MIXED or param.name in frame.steering):
                numbers = ()
            elif trial.data == EDGE:
                numbers = (*numbers, *_around(frame.sizes.get(param.name, ()), trial))
            fresh = _fresh(param.dtype, trial.data, position, numbers)
            stored[name] = np.zeros_like(fresh) if param.name in frame.words else fresh.copy()
        arguments[param.name] = Endless(stored[name], trial.extents.get(param.name, ENDLESS))
    return arguments


def _around(sizes: Sequence[Affine], trial: Trial) -> tuple[int, ...]:
    values = (number_at(size, trial) for size in sizes)
    return tuple(v + beside for v in values if v is not None for beside in (-1, 0, 1))


def number_at(form: Affine, trial: Trial) -> int | None:
    """What a form of parameters and extents of the grid is in a trial."""
    launched = {f"gridDim.{axis}": blocks for axis, blocks in zip("xyz", trial.grid, strict=True)}
    total = 0
    for monomial, factor in form.terms:
        for atom in monomial:
            name = getattr(atom, "name", "")
            value = trial.scalars.get(name, launched.get(name))
            if not isinstance(value, int):
                return None
            factor *= value
        total += factor
    return total


@lru_cache(maxsize=64)
def _fresh(dtype: DType, data: str, position: int, numbers: tuple[int | float, ...] = ()) -> npt.NDArray[Any]:
    """Small numbers with many repetitions and both signs for floats; or a ramp of different ones; or, for
    indices, one number everywhere, while floats have the other sign than before, so that each element, the
    first and the last among them, is seen with both; or numbers of both signs that are larger than any index;
    `numbers` among them."""
    rng = np.random.default_rng(7 + position)
    kind = np.dtype(Native().storage_type(dtype))
    if kind == np.bool_:
        return rng.integers(0, 2, _STORED).astype(np.bool_)
    if dtype.name == "bf16":
        return rng.integers(0x3C00, 0x4200, _STORED).astype(kind)
    if data == SAME and not dtype.is_float:
        return np.ones(_STORED, kind)
    if data == WILD and not dtype.is_float and dtype.bits >= 32:
        signs = rng.choice([-1, 1] if dtype.is_signed else [1], _STORED)
        return (signs * rng.integers(1 << 30, (1 << 31) - 1, _STORED)).astype(kind)
    if data == RAMP:
        values = np.arange(_STORED)
        return (
            values % 4096 if dtype.is_float else values % (1 << min(dtype.bits - dtype.is_signed, 16))
        ).astype(kind)
    usual = rng.uniform(-2, 2, _STORED) if dtype.is_float else rng.integers(0, 5, _STORED)
    usual = -usual if data == SAME and dtype.is_float else usual
    if kind.kind in "iu":
        numbers = tuple(n for n in numbers if np.iinfo(kind).min <= n <= np.iinfo(kind).max)
    if not numbers:
        return usual.astype(kind)
    return np.where(rng.integers(0, 2, _STORED) == 0, usual, rng.choice(numbers, _STORED)).astype(kind)


def chosen_blocks(grid: tuple[int, int, int], block: tuple[int, int, int]) -> list[int] | None:
    """Of many blocks some: the first, their neighbours along each axis, the last; None: all."""
    total = grid[0] * grid[1] * grid[2]
    threads = block[0] * block[1] * block[2]
    if total <= 4 or total * threads <= _LANES:
        return None
    x, y, z = grid
    wanted = {
        0,
        1,
        total - 1,
        total - 2,
        x - 1,
        x,
        x + 1,
        x * y,
        x * (y - 1),
        2,
        3,
        total // 2,
        total // 2 + 1,
    }
    kept = sorted(n for n in wanted if 0 <= n < total)
    if z > 1:
        kept = sorted({*kept, *(n for n in (x * y + 1, x * y * (z - 1)) if n < total)})
    return kept


def block_numbers(trial: Trial, ordinals: Any) -> Any:
    """The numbers within the grid of blocks that a log counts in the order in which they ran."""
    chosen = chosen_blocks(trial.grid, trial.block)
    return ordinals if chosen is None else np.asarray(chosen)[ordinals]


@dataclass(frozen=True)
class Frame:
    """What a trial has to know of a kernel: which variables explain an access, which atomics are spun on,
    the arrays of words that threads compare and swap: they begin as zeros, as locks do; the loops in
    which threads wait for others; the numbers and sizes that data are compared with; and the arrays whose
    elements pick others. `is_asynchronous`: streams of a core, `copies`: threads copy without waiting."""

    shown: Mapping[int, tuple[str, ...]]
    spins: frozenset[int]
    words: frozenset[str]
    is_asynchronous: bool = False
    copies: bool = False
    waits: frozenset[int] = frozenset()
    compared: Numbers = field(default_factory=dict)
    sizes: Sizes = field(default_factory=dict)
    steering: frozenset[str] = frozenset()

    @staticmethod
    def of(
        kernel: Function, defined: Mapping[str, Expr] | None = None, dependence: Dependence | None = None
    ) -> Frame:
        """Without `dependence` nothing is known of the data."""
        shown: dict[int, tuple[str, ...]] = {}
        spins: set[int] = set()
        _visit(kernel.body, (), shown, spins)
        swaps = (n for n in walk(kernel.body) if isinstance(n, Atomic) and n.op in ("cas", "exch"))
        words = frozenset(n.place.array for n in swaps)
        issues = (n for n in walk(kernel.body) if isinstance(n, Barrier) and n.scope.startswith("issue"))
        return Frame(
            shown,
            frozenset(spins),
            words,
            any(issues),
            any(isinstance(n, Barrier) and n.scope.startswith("copies") for n in walk(kernel.body)),
            Waits.of(kernel).loops,
            numbers_compared(kernel, defined or {}, dependence) if dependence is not None else {},
            sizes_compared(kernel, defined or {}, dependence) if dependence is not None else {},
            steering(kernel, dependence) if dependence is not None else frozenset(),
        )


def _visit(stmt: Stmt, names: tuple[str, ...], shown: dict[int, tuple[str, ...]], spins: set[int]) -> None:
    if names:
        shown[id(stmt)] = names
        for node in _own(stmt):
            if isinstance(node, (Load, Ref)):
                shown[id(node)] = names
    match stmt:
        case Block(body=body):
            for child in body:
                _visit(child, names, shown, spins)
        case If():
            _visit(stmt.then, names, shown, spins)
            _visit(stmt.otherwise, names, shown, spins)
        case For():  # a vector's lanes have no name in the text
            inner = names if stmt.kind is LoopKind.VECTOR else (*names, stmt.var)
            _visit(stmt.body, inner, shown, spins)
        case While():
            counters = [
                s.target.name
                for s in stmt.advance.body
                if isinstance(s, Assign) and isinstance(s.target, Var)
            ]
            spins |= _spun_on(stmt)
            inner = tuple(dict.fromkeys([*names, *counters]))
            _visit(stmt.body, inner, shown, spins)
            _visit(stmt.advance, inner, shown, spins)


def _counters(loop: While) -> list[str]:
    """Variables that the loop steps."""
    stepped = (*loop.advance.body, *loop.body.body)
    tested = free_vars(loop.condition)
    assigned = [s.target.name for s in stepped if isinstance(s, Assign) and isinstance(s.target, Var)]
    return [name for name in assigned if name in tested]


def _own(stmt: Stmt) -> list[Any]:
    """Expressions of a statement, not those of statements within."""
    found: list[Any] = []
    stack: list[Any] = [c for c in children(stmt) if not isinstance(c, Stmt)]
    while stack:
        node = stack.pop()
        found.append(node)
        stack += children(node)
    return found


def _spun_on(loop: While) -> set[int]:
    """Atomics of a loop that does nothing else but try them."""
    atomics: set[int] = set()
    for node in (*walk(loop.body), *walk(loop.advance)):
        match node:
            case Atomic(op="cas" | "exch"):
                atomics.add(id(node))
            case Assign(target=Load()) | Atomic() | Barrier(scope="block") | Collective() | For() | While():
                return set()
            case Decl(shape=shape) if shape:
                return set()
    return atomics
