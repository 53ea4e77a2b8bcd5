"""Kernels laid out for an MLU, for tests: instructions as the loop nests that they mean."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from xpiler.backend.bang import with_known_dimensions
from xpiler.frontend import parse
from xpiler.ir.build import const
from xpiler.ir.interpret import run
from xpiler.ir.nodes import Block, Decl, Expr, For, Function, Instr, Space, Stmt
from xpiler.ir.rewrite import map_body, substitute, walk
from xpiler.ir.types import I32
from xpiler.passes.bang_schedule import schedule
from xpiler.passes.canonical import canonicalise
from xpiler.platforms.bang import DEFAULT, TASK, TASKS, Architecture
from xpiler.platforms.bang_instructions import meaning

TASK_COUNT = 5


def canonical(source: str, block: tuple[int, int, int] = (64, 1, 1), **grid: int) -> Function:
    unit = parse(source, "kernel.cu")
    (kernel,) = unit.program.kernels
    function = canonicalise(kernel, block).function
    extents = {f"gridDim.{axis}": grid.get(axis, 1) for axis in "xyz"}
    return with_known_dimensions(function, dict(extents))


def laid_out(function: Function, architecture: Architecture = DEFAULT) -> Function:
    return schedule(function, architecture).function


def expanded(function: Function) -> Function:
    """All tasks one after the other, instructions as what they mean, scratchpads as plain arrays."""

    def change(stmt: Stmt) -> Stmt:
        if isinstance(stmt, Instr):
            return meaning(stmt)
        if isinstance(stmt, Decl) and stmt.space in (Space.NRAM, Space.WRAM):
            return replace(stmt, space=Space.LOCAL)
        return stmt

    body = substitute(map_body(function, change).body, {TASKS.name: const(TASK_COUNT)})
    values = {d.name: d.init for d in body.body if isinstance(d, Decl) and d.name in ("tile", "side", "room")}
    body = substitute(body, {name: init for name, init in values.items() if isinstance(init, Expr)})
    tasks = For(TASK.name, I32, const(0), const(TASK_COUNT), const(1), body)
    return replace(function, body=Block((tasks,)))


def instructions(function: Function) -> list[str]:
    return [n.name for n in walk(function.body) if isinstance(n, Instr)]


def assert_same(function: Function, architecture: Architecture = DEFAULT, **arguments: Any) -> None:
    """The layout computes what the canonical function does."""
    mine = {k: v.copy() if isinstance(v, np.ndarray) else v for k, v in arguments.items()}
    assert not run(function, arguments).errors
    result = run(expanded(laid_out(function, architecture)), mine)
    assert not result.errors, result.errors
    for name, value in arguments.items():
        if isinstance(value, np.ndarray):
            np.testing.assert_allclose(mine[name], value, 1e-4, 1e-4, err_msg=name)


def normal(*shape: int) -> np.ndarray[Any, Any]:
    return np.random.default_rng(7).normal(size=shape).astype(np.float32).reshape(-1)
