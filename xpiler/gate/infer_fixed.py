"""Candidate sizes for wrappers around kernels whose extents are fixed numbers: read, solved for, then
tried like any."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping

from xpiler.frontend.host_model import HostModel, LaunchModel, model_host
from xpiler.frontend.syntax import analyse
from xpiler.frontend.unit import Unit
from xpiler.gate.contract import Launch
from xpiler.gate.entries import Entry
from xpiler.gate.index_reach import reach_of_indices
from xpiler.gate.infer_launch import evaluate_grid, infer_grid
from xpiler.gate.observe import Buffer, Pointer, Step, observe
from xpiler.gate.solve_sizes import Constraint, domain, solve
from xpiler.gate.tasks import interpreted
from xpiler.ir.nodes import Function

_MAX_GRIDS = 48
_SECONDS = 3.0  # of processor time to look for a grid
_MAX_BLOCKS = 1 << 12


def fixed_candidates(unit: Unit, entry: Entry, kernels: Mapping[str, Function]) -> list[dict[str, int]]:
    """Sizes under which the wrapper gives each kernel just the memory and the blocks that it needs.

    Empty if a kernel has integer parameters (its extents are not fixed), or if the wrapper cannot be read.
    """
    scalars = [p.name for p in entry.params if not p.is_pointer and p.dtype.is_integer]
    if (
        not scalars
        or not kernels
        or any(not p.is_pointer and p.dtype.is_integer for k in kernels.values() for p in k.params)
    ):
        return []
    syntax = analyse(unit.text, unit.file, platform=unit.platform)
    function = next(
        (f for f in syntax.host_functions if f.name == entry.function and f.body is not None), None
    )
    if function is None:
        return []
    model = model_host(syntax, function)
    constraints: list[Constraint] = []
    for launch in model.launches:
        kernel = _kernel(kernels, launch)
        if kernel is None:
            continue
        if kernel.tasks:
            constraints += _constraints_of_tasks(model, launch, kernel)
            continue
        block = _numbers(launch.block)
        if block is not None:
            constraints += _constraints(model, launch, kernel, block, scalars)
    if not constraints:
        return []
    return solve(constraints, scalars, domain(tuple(kernels.values()), (c.value for c in constraints)))


def _kernel(kernels: Mapping[str, Function], launch: LaunchModel) -> Function | None:
    return next(
        (k for k in kernels.values() if launch.kernel in (k.name, k.template, k.spelling.split("<")[0])), None
    )


def _numbers(formulas: tuple[str | None, str | None, str | None]) -> tuple[int, int, int] | None:
    """The dimensions, where they are numbers."""
    values = []
    for formula in formulas:
        if formula is None or re.search(r"[A-Za-z_]", formula):
            return None
        values.append(int(eval(formula)))
    return values[0], values[1], values[2]


def _constraints_of_tasks(model: HostModel, launch: LaunchModel, kernel: Function) -> list[Constraint]:
    tasks = _numbers(launch.grid)
    shape = None if tasks is None else interpreted(kernel, Launch(tasks, (1, 1, 1)))
    return [] if shape is None else _sizes(model, launch, kernel, shape.grid, shape.block)


def _constraints(
    model: HostModel, launch: LaunchModel, kernel: Function, block: tuple[int, int, int], scalars: list[str]
) -> list[Constraint]:
    grid = _numbers(launch.grid) or evaluate_grid(infer_grid(kernel, block), {})
    if all(extent > 0 for extent in grid):
        return [*_grid(launch, grid), *_sizes(model, launch, kernel, grid, block)]
    return _search_grids(model, launch, kernel, block, scalars, grid)


def _grid(launch: LaunchModel, grid: tuple[int, int, int]) -> list[Constraint]:
    return [
        Constraint(f, extent)
        for f, extent in zip(launch.grid, grid, strict=True)
        if f is not None and extent > 0
    ]


def _sizes(
    model: HostModel,
    launch: LaunchModel,
    kernel: Function,
    grid: tuple[int, int, int],
    block: tuple[int, int, int],
) -> list[Constraint]:
    needed = reach_of_indices(kernel, grid, block)
    if needed is None:
        buffers = {p.name: Buffer(p.name, None) for p in kernel.params if p.is_pointer}
        arguments = tuple(Pointer(p.name) if p.is_pointer else 0.5 for p in kernel.params)
        observed = observe([Step(kernel, Launch(grid, block), arguments)], buffers)
        needed = {name: used.high for name, used in observed.reach.items()} if observed.clean else {}
    passed = {
        param.name: launch.arguments[place]
        for position, param in enumerate(kernel.params)
        if not param.member
        and (place := param.argument if param.argument >= 0 else position) < len(launch.arguments)
    }
    return [
        Constraint(model.bytes[passed[param.name]], needed[param.name])
        for param in kernel.params
        if param.is_pointer and passed.get(param.name) in model.bytes and needed.get(param.name, 0) > 0
    ]


def _search_grids(
    model: HostModel,
    launch: LaunchModel,
    kernel: Function,
    block: tuple[int, int, int],
    scalars: list[str],
    known: tuple[int, int, int],
) -> list[Constraint]:
    """Axes that no guard bounds: grids that the wrapper can make, the one whose memory fits is the one."""
    values = domain((kernel,), ())
    tried = 0
    deadline = time.thread_time() + _SECONDS
    for grid in _grids(values, known):
        if tried >= _MAX_GRIDS or time.thread_time() > deadline:
            break
        constraints = _grid(launch, grid)
        if not solve(constraints, scalars, domain((kernel,), (c.value for c in constraints))):
            continue
        tried += 1
        sizes = _sizes(model, launch, kernel, grid, block)
        needed = domain((kernel,), (c.value for c in sizes))
        if sizes and solve([*constraints, *sizes], scalars, needed):
            return [*constraints, *sizes]
    return []


def _grids(values: list[int], known: tuple[int, int, int]) -> list[tuple[int, int, int]]:
    free = [axis for axis in range(3) if known[axis] == 0]
    choices = [v for v in values if v <= _MAX_BLOCKS]
    grids: list[tuple[int, int, int]] = []
    if len(free) == 1:
        for value in choices:
            grid = list(known)
            grid[free[0]] = value
            grids.append((grid[0], grid[1], grid[2]))
    elif len(free) == 2:
        for first in choices[:24]:
            for second in choices[:24]:
                grid = list(known)
                grid[free[0]], grid[free[1]] = first, second
                grids.append((grid[0], grid[1], grid[2]))
    return sorted(grids, key=lambda g: g[0] * g[1] * g[2])
