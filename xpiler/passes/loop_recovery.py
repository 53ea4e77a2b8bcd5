"""Loop recovery: a kernel for many threads becomes a function with explicit loops over blocks and threads.

    s[threadIdx.x] = a[i];              for block_x in 0..gridDim.x:
    __syncthreads();             -->      for thread_x in 0..256: s[thread_x] = a[i]
    b[i] = s[255 - threadIdx.x];          for thread_x in 0..256: b[i] = s[255 - thread_x]

Applies to every well-defined kernel. Threads between two meeting points are independent, so they may run
one after the
other; control flow around meeting points stays around the thread loops where all threads agree on it and
becomes masks
where they do not; warps become a loop around lanes where only warps meet; values that live across a
meeting point become
arrays over the threads. Blocks may run in any order, and at the same time, as a launch has it; they stay in
order where one may wait for what another has done.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from xpiler.ir.affine import coefficient, lift, linear
from xpiler.ir.build import cast, const, div, is_const, var
from xpiler.ir.nodes import (
    EMPTY,
    Atomic,
    Binary,
    Block,
    Const,
    Decl,
    Expr,
    For,
    Function,
    If,
    Load,
    LoopKind,
    Param,
    Space,
    Stmt,
    Trap,
    Var,
    While,
)
from xpiler.ir.rewrite import free_vars, map_expr, map_stmt, substitute, uses, walk_exprs, walk_stmts
from xpiler.ir.types import I32, U32
from xpiler.passes.casts import push_casts
from xpiler.passes.collectives import Collectives
from xpiler.passes.detensorize import detensorize, with_shapes
from xpiler.passes.expansion import Expansion, Member
from xpiler.passes.facts import MOST_BLOCKS, End, Facts, mutable_vars
from xpiler.passes.masking import Masking
from xpiler.passes.mfma import with_tiles
from xpiler.passes.names import Names
from xpiler.passes.narrow_warps import lanes_together
from xpiler.passes.regions import Cutter, Item, Nest, Once, Region
from xpiler.passes.structured import without_returns, without_team_exits
from xpiler.passes.sync import Team, team, team_of
from xpiler.passes.targets import with_plain_targets
from xpiler.passes.teams import AXES, BLOCK_NAMES, THREAD_NAMES, Launch, block, launch, thread
from xpiler.passes.tidy import inlined, simplified
from xpiler.passes.tile_digits import split_lanes
from xpiler.passes.tile_threads import mark_tiles
from xpiler.passes.uniformity import analyse
from xpiler.passes.unique import with_unique_names

SHARED_BYTES = "dynamicShared.bytes"  # the third launch argument, as the frontend calls it


def recover_loops(
    kernel: Function,
    block_size: tuple[int | None, ...] | None = None,
    grid_size: tuple[int | None, ...] = (None, None, None),
    shared_bytes: int | None = None,
) -> Function:
    """The serial meaning of a kernel.

    Dimensions that are None, and the size of dynamic shared memory if `shared_bytes` is None, become
    parameters `blockDim.x`, `gridDim.y`, `dynamicShared.bytes`... of the result, after the kernel's own.
    """
    sizes = kernel.block_size if block_size is None else block_size
    names = Names(kernel)
    shape = launch(sizes, grid_size, lanes_together(kernel))
    body = _with_dimensions(_shared_scalars_as_arrays(kernel.body, names), shape)
    if shared_bytes is not None:
        body = substitute(body, {SHARED_BYTES: const(shared_bytes, U32)})
    body = without_returns(with_shapes(with_tiles(body, shape, names), shape), names)
    written = _written(kernel, body)
    recovery = _Recovery(
        shape, names, written, LoopKind.SERIAL if ordered(body, written) else LoopKind.PARALLEL
    )
    whole = team(body) is Team.GRID
    stmts = recovery.recover(Team.GRID, body.body) if whole else (recovery.block_loops(body.body),)
    serial = detensorize(_localised(_lanes_as_threads(Block(stmts))), names)
    result = push_casts(serial, frozenset(recovery.indices))
    assert isinstance(result, Block)
    tiles = {s.name for s in walk_stmts(body) if isinstance(s, Decl) and s.space is Space.FRAGMENT}
    result = split_lanes(result, tiles, names) if tiles else result
    found = _with_parameters(replace(kernel, body=with_unique_names(result, names)))
    return mark_tiles(found, tiles) if tiles else found


def _with_dimensions(body: Block, shape: Launch) -> Block:
    values: dict[str, Expr] = {}
    for axis in AXES:
        values[f"blockDim.{axis}"] = cast(shape.block[axis], U32)
        values[f"gridDim.{axis}"] = cast(shape.grid[axis], U32)
    return substitute(body, values)


def _with_parameters(function: Function) -> Function:
    """Launch dimensions that are still variables become parameters."""
    free = free_vars(function.body)
    wanted = [f"{dims}.{axis}" for dims in ("gridDim", "blockDim") for axis in "xyz"]
    extra = tuple(Param(name, I32, False, spelling="int") for name in wanted if name in free)
    if SHARED_BYTES in free:
        extra = (*extra, Param(SHARED_BYTES, U32, False, spelling="unsigned"))
    return replace(function, params=(*function.params, *extra))


def _shared_scalars_as_arrays(body: Block, names: Names) -> Block:
    scalars = {
        s.name: s for s in walk_stmts(body) if isinstance(s, Decl) and s.space is Space.SHARED and not s.shape
    }
    if not scalars:
        return body
    places: dict[str, Expr] = {n: Load(d.dtype, n, (const(0),)) for n, d in scalars.items()}

    def change(stmt: Stmt) -> Stmt:
        if isinstance(stmt, Decl) and stmt.name in scalars:
            return replace(stmt, shape=(const(1),))
        return stmt

    result = map_stmt(substitute(with_plain_targets(body, scalars, names), places), change)
    assert isinstance(result, Block)
    return result


def _written(kernel: Function, body: Block) -> frozenset[str]:
    """Arrays whose values may change under the threads' feet: written global memory, and what atomics
    touch."""
    outside = {p.name for p in kernel.params if p.is_pointer} | {d.name for d in kernel.globals}
    atomics = {s.place.array for s in walk_stmts(body) if isinstance(s, Atomic)}
    return frozenset(uses(body).arrays_written & outside | atomics)


def ordered(body: Block, written: frozenset[str]) -> bool:
    """Whether blocks may talk to each other, which they only can by atomic operations whose old value they
    look at and by waiting for memory to change. Anything else that passes between blocks is a race."""
    for stmt in walk_stmts(body):
        match stmt:
            case Atomic(op="cas" | "exch") | Atomic(target=Var()):
                return True
            case While(condition=condition):
                if any(isinstance(e, Load) and e.array in written for e in walk_exprs(condition)):
                    return True
    return False


def _lanes_as_threads(body: Block) -> Block:
    """Vector instructions do for their lanes what code does for threads: later passes treat them alike. What
    they require of their operands a program that is right grants them."""

    def change(stmt: Stmt) -> Stmt | tuple[Stmt, ...]:
        if isinstance(stmt, Trap) and stmt.kind == "requirement":
            return ()
        if isinstance(stmt, For) and stmt.kind is LoopKind.VECTOR:
            return replace(stmt, kind=LoopKind.THREADS)
        return stmt

    result = map_stmt(body, change)
    assert isinstance(result, Block)
    return result


def _localised(body: Block) -> Block:
    """Shared arrays and scratchpads are plain arrays once threads are loops."""

    def change(stmt: Stmt) -> Stmt:
        if isinstance(stmt, Decl) and stmt.space in (Space.SHARED, Space.NRAM, Space.WRAM):
            return replace(stmt, space=Space.LOCAL)
        return stmt

    result = map_stmt(body, change)
    assert isinstance(result, Block)
    return result


@dataclass
class _Recovery:
    launch: Launch
    names: Names
    written: frozenset[str]
    blocks: LoopKind  # of the loops over blocks

    def __post_init__(self) -> None:
        self.accumulators: set[str] = set()
        self.threads = {a: self.names.fresh(f"thread_{a}") for a in AXES}
        self.warp = var(self.names.fresh("warp"), I32)
        self.lane = var(self.names.fresh("lane"), I32)
        self.indices = {self.warp.name, self.lane.name, *self.threads.values()}

    def recover(
        self, level: Team, stmts: Sequence[Stmt], lane: Expr | None = None, warp: Expr | None = None
    ) -> tuple[Stmt, ...]:
        """The body of one team: no two threads of it meet in what is returned."""
        body = Block(tuple(stmts))
        if level is Team.BLOCK:
            body = _hoisted_shared(body)
        body = Block(tuple(_flat(without_team_exits(body, self.names, level))))
        varying = frozenset({lane.name}) if isinstance(lane, Var) else THREAD_NAMES
        if level is Team.GRID:
            shared = {s.name for s in walk_stmts(body) if isinstance(s, Decl) and s.space is Space.SHARED}
            varying = THREAD_NAMES | BLOCK_NAMES | shared
        uniformity = analyse(body, level, varying, self.written, self.launch.warp)
        masking = Masking(level, uniformity, self.names, self.accumulators)
        masked = masking.body(body.body, None)
        index = self.launch.flat_thread() if lane is None else lane
        size = self.launch.warp
        lanes = const(size) if warp is None else self.launch.lanes(warp)
        collectives = Collectives(level, uniformity, self.names, index, lanes, size, self.accumulators)
        masked = collectives.body(masked)
        cutter = Cutter(level, uniformity.names, self.accumulators, collectives.team_arrays)
        items = cutter.cut(masked)
        of_team = self.accumulators | collectives.team_arrays | cutter.team_scalars
        expansion = Expansion(
            self._member(level, index), self._warp_member(level), cutter.team_scalars, self.names
        )
        items = expansion.apply(items, of_team)
        return self._emit(level, items, lane, warp)

    def _member(self, level: Team, index: Expr) -> Member:
        """How a thread is addressed in arrays over the team."""
        if level is Team.WARP:
            return Member((const(self.launch.warp),), (index,))
        shape = [(self.launch.block[a], thread(a)) for a in AXES]
        if level is Team.GRID:
            shape = [(self.launch.grid[a], block(a)) for a in AXES] + shape
        used = [(e, i) for e, i in shape if not is_const(e, 1)] or [(const(1), const(0))]
        return Member(tuple(e for e, _ in used), tuple(i for _, i in used))

    def _warp_member(self, level: Team) -> Member:
        index = div(self.launch.flat_thread(), self.launch.warp)
        if level is Team.GRID:
            grid = [(self.launch.grid[a], block(a)) for a in AXES if not is_const(self.launch.grid[a], 1)]
            return Member((*(e for e, _ in grid), self.launch.warps), (*(i for _, i in grid), index))
        return Member((self.launch.warps,), (index,))

    # ------------------------------------------------------------------ loops

    def _emit(
        self, level: Team, items: Sequence[Item], lane: Expr | None, warp: Expr | None
    ) -> tuple[Stmt, ...]:
        out: list[Stmt] = []
        for item in items:
            match item:
                case Once(stmt=stmt):
                    out.append(_for_first(stmt, lane))
                case Nest(stmt=If() as stmt, body=body, otherwise=otherwise):
                    yes, no = self._emit(level, body, lane, warp), self._emit(level, otherwise, lane, warp)
                    head = _for_first(replace(stmt, then=EMPTY, otherwise=EMPTY), lane)
                    assert isinstance(head, If)
                    out.append(replace(head, then=Block(yes), otherwise=Block(no)))
                case Nest(stmt=For() | While() as stmt, body=body):
                    head = _for_first(replace(stmt, body=EMPTY), lane)
                    assert isinstance(head, (For, While))
                    out.append(replace(head, body=Block(self._emit(level, body, lane, warp))))
                case Region(stmts=stmts):
                    out.append(self._region(level, tuple(stmts), lane, warp))
        return tuple(out)

    def _region(self, level: Team, stmts: tuple[Stmt, ...], lane: Expr | None, warp: Expr | None) -> Stmt:
        match level:
            case Team.GRID:
                return self.block_loops(stmts)
            case Team.WARP:
                assert isinstance(lane, Var) and warp is not None
                return _loop(lane.name, self.launch.lanes(warp), stmts, self._kind(stmts))
        if team_of(stmts) is Team.WARP:
            return self._warp_loop(stmts)
        return self._thread_loops(stmts)

    def _kind(self, stmts: tuple[Stmt, ...]) -> LoopKind:
        assigned = uses(Block(stmts)).vars_assigned
        return LoopKind.SERIAL if assigned & self.accumulators else LoopKind.THREADS

    def block_loops(self, stmts: tuple[Stmt, ...]) -> Stmt:
        inner = self.recover(Team.BLOCK, stmts)
        values: dict[str, Expr] = {}
        loops: list[tuple[str, Expr]] = []
        for axis in AXES:
            extent = self.launch.grid[axis]
            if is_const(extent, 1):
                values[f"blockIdx.{axis}"] = const(0, U32)
                continue
            counter = self.names.fresh(f"block_{axis}")
            self.indices.add(counter)
            values[f"blockIdx.{axis}"] = cast(var(counter, I32), U32)
            loops.append((counter, extent))
        result: Stmt = substitute(Block(inner), values)
        for counter, extent in reversed(loops):
            result = _loop(counter, extent, _flat(result), self.blocks)
        return result

    def _thread_loops(self, stmts: tuple[Stmt, ...]) -> Stmt:
        kind = self._kind(stmts)
        values: dict[str, Expr] = {}
        loops: list[tuple[str, Expr]] = []
        for axis in AXES:
            extent = self.launch.block[axis]
            if is_const(extent, 1):
                values[f"threadIdx.{axis}"] = const(0, U32)
                continue
            counter = self.threads[axis]
            values[f"threadIdx.{axis}"] = cast(var(counter, I32), U32)
            loops.append((counter, extent))
        result: Stmt = substitute(Block(stmts), values)
        for counter, extent in reversed(loops):
            result = _loop(counter, extent, _flat(result), kind)
        return result

    def _warp_loop(self, stmts: tuple[Stmt, ...]) -> Stmt:
        """Only the lanes of each warp meet in this region: warps one after the other."""
        warp, lane = self.warp, self.lane
        inside = substitute(Block(stmts), self.launch.thread_of(warp, lane))
        inside = push_casts(inside, frozenset(self.indices))
        # Digits of the thread index that do not depend on the lane have to be seen to be uniform.
        mutable = mutable_vars(inside)
        last = self.launch.warp - 1  # and no block has more warps than that
        ranges: dict[str, tuple[End, End]] = {lane.name: (0, last), warp.name: (0, 31)}
        ranges |= dict.fromkeys(BLOCK_NAMES, (0, MOST_BLOCKS - 1))
        inside = simplified(inlined(inside, mutable), Facts(mutable, ranges))
        inside = map_expr(inside, lambda e: _of_whole_warps(e, lane, self.launch.warp))
        assert isinstance(inside, Block)
        body = self.recover(Team.WARP, inside.body, lane, warp)
        if is_const(self.launch.warps, 1):
            return substitute(Block(body), {warp.name: const(0)})
        return _loop(warp.name, self.launch.warps, body, self._kind(body))


def _loop(counter: str, extent: Expr, body: tuple[Stmt, ...], kind: LoopKind) -> For:
    return For(counter, I32, const(0), extent, const(1), Block(body), kind)


def _of_whole_warps(expr: Expr, lane: Var, size: int) -> Expr:
    """`warp * 32 + lane < 64` is `warp * 32 < 64`: all lanes of a warp are on one side of such a bound."""
    match expr:
        case Binary(op="<" | ">=", left=left, right=Const(value=bound)) if bound % size == 0:
            pass
        case Binary(op="<=" | ">", left=left, right=Const(value=bound)) if bound % size == size - 1:
            pass
        case _:
            return expr
    form = linear(left)
    if form is None or coefficient(left, lane.name) != lift(1):
        return expr
    others = [times for monomial, times in form.terms if monomial != (lane,)]
    if any(times % size for times in others):
        return expr
    return replace(expr, left=substitute(left, {lane.name: const(0, lane.dtype)}))


def _for_first(stmt: Stmt, lane: Expr | None) -> Stmt:
    """What a team evaluates once, its first lane evaluates: operands of warp instructions are equal in
    all lanes."""
    return substitute(stmt, {lane.name: const(0)}) if isinstance(lane, Var) else stmt


def _flat(stmt: Stmt) -> tuple[Stmt, ...]:
    return stmt.body if isinstance(stmt, Block) else (stmt,)


def _hoisted_shared(body: Block) -> Block:
    """Shared arrays exist as long as the block: their declarations go first."""
    shared = [s for s in walk_stmts(body) if isinstance(s, Decl) and s.space is Space.SHARED]
    if not shared:
        return body

    def drop(stmt: Stmt) -> Stmt | tuple[Stmt, ...]:
        return () if isinstance(stmt, Decl) and stmt.space is Space.SHARED else stmt

    rest = map_stmt(body, drop)
    assert isinstance(rest, Block)
    return Block((*shared, *rest.body))
