"""Tasks, clusters and cores of BANG C, first under names of their own, then as blocks and threads.

    row = taskId; row += taskDim      is     row = blockIdx.x; row += gridDim.x
    coreId, __sync_cluster()          is     threadIdx.x, __syncthreads()     in blocks of a cluster's cores

The memory core of a cluster runs the same text, but only copies to and from SRAM. In the IR the first core
does its work, at the place in the text where the memory core does it. Where it meets the cores at barriers of
its own, these are those of the cores:

    if (__is_mpu()) { load(); __sync_cluster(); } else { __sync_cluster(); use(); }
    if (coreId == 0) load();  __sync_cluster();  use();
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from xpiler.frontend.lower_builtins import Invocation
from xpiler.frontend.lower_context import constant, number
from xpiler.frontend.lower_registry import method
from xpiler.frontend.lower_streams import waited
from xpiler.frontend.lower_values import VOID_VALUE, Value
from xpiler.ir import build
from xpiler.ir.nodes import (
    EMPTY,
    FALSE,
    TRUE,
    Assign,
    Barrier,
    Binary,
    Block,
    Decl,
    Expr,
    Function,
    If,
    Return,
    Space,
    Stmt,
    Var,
)
from xpiler.ir.rewrite import map_expr, map_stmt, substitute, uses, walk
from xpiler.ir.types import BOOL, U32
from xpiler.platforms.bang_tasks import CORES, GRID, LINEAR

_MEMORY_CORE = 0x80  # its `coreId`
CORE = Var(U32, "core.id")
_AXES = "xyz"
_NAMES: dict[str, Expr] = {
    "taskId": Var(U32, "task.id"),
    "taskDim": Var(U32, "task.dim"),
    **{f"taskId{a.upper()}": Var(U32, f"taskIdx.{a}") for a in _AXES},
    **{f"taskDim{a.upper()}": Var(U32, f"taskDim.{a}") for a in _AXES},
    "clusterId": Var(U32, "cluster.id"),
    "clusterDim": Var(U32, "cluster.dim"),
    "coreId": CORE,
    "coreDim": build.const(CORES, U32),
}
ON_MEMORY_CORE = Binary(BOOL, "==", CORE, build.const(_MEMORY_CORE, U32))
ON_FIRST_CORE = Binary(BOOL, "==", CORE, build.const(0, U32))


def task_variable(name: str) -> Value | None:
    """A built-in variable by its name."""
    found = _NAMES.get(name)
    return None if found is None else number(found)


# ------------------------------------------------------------------------------------------ builtins


@method("bang", "__sync", "__sync_io", "__sync_move", "__sync_compute", "__sync_io_move_compute")
def _drained(call: Invocation) -> Value:
    """Streams of one core: copies are done at once, so there is nothing to wait for."""
    waited(call.ctx, call.name)
    return VOID_VALUE


@method("bang", "__sync_cluster", "__sync_all_ipu_within_cluster", "__sync_cluster_wait")
def _cluster(call: Invocation) -> Value:
    waited(call.ctx, call.name)
    call.ctx.emit(Barrier("block"))
    return VOID_VALUE


@method("bang", "__sync_all", "__sync_all_ipu", "__sync_all_wait")
def _all(call: Invocation) -> Value:
    waited(call.ctx, call.name)
    call.ctx.emit(Barrier("grid"))
    return VOID_VALUE


@method("bang", "__sync_all_mpu", "__sync_cluster_arrive", "__sync_all_arrive")
def _arrive(call: Invocation) -> Value:
    """What arrived is waited for later; the memory cores have nothing to order among themselves."""
    return VOID_VALUE


@method("bang", "__is_mpu", "__is_ipu")
def _kind(call: Invocation) -> Value:
    return number(ON_MEMORY_CORE if call.name == "__is_mpu" else build.not_(ON_MEMORY_CORE))


@method("bang", "__abort")
def _abort(call: Invocation) -> Value:
    call.ctx.emit(Return())
    return constant(0, U32)


# ------------------------------------------------------------------------------------------ tasks to blocks


def as_blocks(function: Function) -> Function:
    """The kernel with blocks and threads for its tasks; its grid is then that of the blocks."""
    body = _on_first_core(function.body)
    used = {n.name for n in walk(body) if isinstance(n, Var)}
    clustered = any(name.startswith(("core.", "cluster.")) for name in used) or any(
        (isinstance(n, Barrier) and n.scope == "block") or (isinstance(n, Decl) and n.space is Space.SHARED)
        for n in walk(body)
    )
    linear = not any(name.startswith(("taskIdx.", "taskDim.", "cluster.")) for name in used)
    cores = CORES if clustered else 1
    body = substitute(body, _values(linear, clustered))
    grid = _grid(function.grid_size, linear, cores)
    return replace(
        function,
        body=body,
        block_size=(cores, 1, 1),
        grid_size=grid,
        tasks=LINEAR if linear else GRID,
    )


def _grid(
    tasks: tuple[int | None, int | None, int | None], linear: bool, cores: int
) -> tuple[int | None, int | None, int | None]:
    x, y, z = tasks
    if not linear:
        return (None if x is None else x // cores), y, z
    if x is None or y is None or z is None:
        return None, 1, 1
    return x * y * z // cores, 1, 1


def _values(linear: bool, clustered: bool) -> Mapping[str, Expr]:
    index: list[Expr] = [Var(U32, f"blockIdx.{a}") for a in _AXES]
    extent: list[Expr] = [Var(U32, f"gridDim.{a}") for a in _AXES]
    values: dict[str, Expr] = {"cluster.id": index[0], "cluster.dim": extent[0]}
    if clustered:
        core = Var(U32, "threadIdx.x")
        values[CORE.name] = core
        cores = build.const(CORES, U32)
        index[0] = build.add(build.mul(index[0], cores), core)
        extent[0] = build.mul(extent[0], cores)
    for axis, i, n in zip(_AXES, index, extent, strict=True):
        values[f"taskIdx.{axis}"], values[f"taskDim.{axis}"] = i, n
    if linear:
        return {**values, "task.id": index[0], "task.dim": extent[0]}
    rows = build.add(build.mul(index[2], extent[1]), index[1])
    values["task.id"] = build.add(build.mul(rows, extent[0]), index[0])
    values["task.dim"] = build.mul(build.mul(extent[0], extent[1]), extent[2])
    return values


def _on_first_core(body: Block) -> Block:
    """What only the memory core does is done by the first core; what it leaves out others do."""
    unread = _own_of_memory_core(body)

    def change(stmt: Stmt) -> Stmt | tuple[Stmt, ...]:
        if not isinstance(stmt, If):
            return stmt
        if stmt.condition == build.not_(ON_MEMORY_CORE):
            stmt = If(ON_MEMORY_CORE, stmt.otherwise, stmt.then, range=stmt.range)
        parts = _conjuncts(stmt.condition)
        if ON_MEMORY_CORE not in parts:
            return stmt
        rest = tuple(p for p in parts if p != ON_MEMORY_CORE)
        kept = tuple(s for s in stmt.then.body if not isinstance(s, Return) and not _sets(s, unread))
        own, others = _between_barriers(kept), _between_barriers(stmt.otherwise.body)
        if all(isinstance(s, Barrier) for s in kept):  # it only waits where the cores do
            return stmt.otherwise.body
        if rest or [b and b.scope for _, b in own] != [b and b.scope for _, b in others]:
            own, others = [(kept, None)], [(stmt.otherwise.body, None)]
        merged: list[Stmt] = []
        for (steps, _), (beside, barrier) in zip(own, others, strict=True):
            guarded = If(build.and_(*rest, ON_FIRST_CORE), Block(steps), EMPTY, range=stmt.range)
            merged += [*((guarded,) if steps else ()), *beside, *((barrier,) if barrier is not None else ())]
        return tuple(merged)

    changed = map_stmt(body, change)
    assert isinstance(changed, Block)
    known = {ON_MEMORY_CORE: FALSE, build.not_(ON_MEMORY_CORE): TRUE}
    never = map_expr(changed, lambda e: known.get(e, e))
    assert isinstance(never, Block)
    return never


def _between_barriers(body: Sequence[Stmt]) -> list[tuple[tuple[Stmt, ...], Barrier | None]]:
    """What is done before each barrier of a block, with that one, and after the last."""
    found: list[tuple[tuple[Stmt, ...], Barrier | None]] = []
    steps: list[Stmt] = []
    for stmt in body:
        if isinstance(stmt, Barrier) and stmt.scope in ("block", "grid"):  # others are of one core
            found.append((tuple(steps), stmt))
            steps = []
        else:
            steps.append(stmt)
    return [*found, (tuple(steps), None)]


def _own_of_memory_core(body: Block) -> frozenset[str]:
    """Scalars to which the memory core gives values that it does no work by: the cores have their own."""
    choices = [s for s in walk(body) if isinstance(s, If)]
    if any(ON_FIRST_CORE in _conjuncts(s.condition) for s in choices):
        return frozenset()  # it also copies outside of its branches
    branches = [s for s in choices if ON_MEMORY_CORE in _conjuncts(s.condition)]
    read = frozenset().union(*(uses(s.then).vars_read for s in branches))
    return frozenset(
        s.target.name
        for branch in branches
        for s in branch.then.body
        if isinstance(s, Assign) and isinstance(s.target, Var) and s.target.name not in read
    )


def _sets(stmt: Stmt, names: frozenset[str]) -> bool:
    return isinstance(stmt, Assign) and isinstance(stmt.target, Var) and stmt.target.name in names


def _conjuncts(expr: Expr) -> tuple[Expr, ...]:
    match expr:
        case Binary(op="&&", left=left, right=right):
            return (*_conjuncts(left), *_conjuncts(right))
    return (expr,)
