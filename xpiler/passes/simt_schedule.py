"""A serial function on a GPU: which loops become kernels, and how the threads of each share the work.

    parallel for row: {max; sum; parallel for col}      -->  a block a row, its threads along the row
    parallel for row: parallel for col: {sum over k}    -->  a thread an element
    A; B (nests one after the other)                    -->  kernels launched in order

Scalars and local arrays that live from one kernel to the next move to global memory. It always applies: code
without any parallel loop is run by one thread.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from xpiler.errors import Refusal
from xpiler.ir.build import add, cast, ceil_div, const, div, ge, maximum, mod, mul, var
from xpiler.ir.nodes import (
    Block,
    Break,
    Cast,
    Const,
    Continue,
    Decl,
    Expr,
    For,
    Function,
    If,
    Load,
    LoopKind,
    Param,
    Ref,
    Return,
    Space,
    Stmt,
    Var,
    While,
)
from xpiler.ir.rewrite import free_vars, map_expr, uses, walk, walk_exprs, walk_stmts
from xpiler.ir.types import I32, I64, U32, DType
from xpiler.passes.facts import Facts
from xpiler.passes.names import Names
from xpiler.passes.product_fragments import on_tensor_cores
from xpiler.passes.product_tiles import tiled
from xpiler.passes.products import find_product
from xpiler.passes.simt_bind import ONE, bind_threads, index_of, index_type, is_a_step, total
from xpiler.passes.simt_memory import (
    bytes_of,
    elements,
    mentions,
    plain_atomics,
    spread_array,
    spread_in_pieces,
    to_memory,
    with_whole_pieces,
)
from xpiler.passes.simt_plan import HostBranch, HostLoop, Launch, Plan, Scratch, Step
from xpiler.passes.simt_prepare import prepare
from xpiler.passes.simt_team import (
    WARP,
    Team,
    cooperate,
    in_turn,
    is_parallel,
    length_of,
    prefers_team,
    rectangular_nest,
    spread,
    unravel,
    value,
    worth_sharing,
)
from xpiler.passes.structured import spliced
from xpiler.passes.sync import leaves_loop

THREADS = 256
ROWS = THREADS // WARP  # of a block, a warp each
SHARED_BYTES = 46 * 1024
PRIVATE_BYTES = 16 * 1024  # of an array that a thread has for itself
BLOCKS_A_ROW, MOST_BLOCKS = 64, 1024  # where nothing says how many there should be
SMALL_BYTES = 1024  # of an array that is better off with its thread


def schedule(function: Function) -> Plan:
    """The kernels of a canonical function, and what the host does between them."""
    return _Scheduler(prepare(function)).plan()


class _StaysTogether(Exception):
    """What several kernels would share has a size that the host does not know."""


@dataclass
class _Scheduler:
    function: Function
    lets: list[Decl] = field(default_factory=list)
    scratch: list[Scratch] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.names = Names(self.function)
        self.thread = Var(I32, self.names.fresh("thread"))
        self.warp, self.lane = Var(I32, self.names.fresh("warp")), Var(I32, self.names.fresh("lane"))
        self.facts = Facts.of(self.function)
        self.known = {p.name for p in self.function.params if not p.is_pointer}  # scalars of the host

    # -------------------------------------------------------------------------------------- the host

    def plan(self) -> Plan:
        body = self._without_lets(spliced(self.function.body.body))
        try:
            steps = self._steps(self._promoted(body, self.facts), self.facts)
        except _StaysTogether:
            self.scratch.clear()
            steps = [self._block_launch(body, self.facts)]
        plan = Plan(tuple(self.lets), tuple(steps), tuple(self.scratch), tuple(self.notes))
        if plan.native:
            return plan
        note = f"{self.function.name}: one thread does all the work, as no loop is known to be parallel"
        return replace(plan, notes=(*plan.notes, note))

    def _without_lets(self, body: Sequence[Stmt]) -> list[Stmt]:
        """Named arithmetic on scalar parameters goes to host and kernels alike."""
        out: list[Stmt] = []
        for stmt in body:
            match stmt:
                case Decl(name=name, shape=(), init=Expr() as init) if (
                    name not in self.facts.mutable and self._is_known(init)
                ):
                    self.lets.append(stmt)
                    self.known.add(name)
                case _:
                    out.append(stmt)
        return out

    def _is_known(self, *exprs: Expr) -> bool:
        """Whether the host can compute it."""
        return all(
            free_vars(expr) <= self.known and not any(isinstance(e, (Load, Ref)) for e in walk_exprs(expr))
            for expr in exprs
        )

    def _steps(self, body: Sequence[Stmt], facts: Facts) -> list[Step]:
        steps: list[Step] = []
        pending: list[Stmt] = []

        def flush() -> None:
            later = [  # without a value, for a kernel that comes after this one
                d for d in pending if isinstance(d, Decl) and d.init is None and not _mentioned(d, pending)
            ]
            code = tuple(s for s in pending if s not in later)
            if any(not isinstance(s, Decl) for s in code):
                steps.append(self._block_launch(code, facts))
            pending[:] = later

        for stmt in body:
            match stmt:
                case For() if self._is_grid(stmt, facts):
                    flush()
                    steps.append(self._nest(stmt, facts))
                case For() if self._on_host(stmt, facts):
                    flush()
                    self.known.add(stmt.var)
                    inner = self._kernels(spliced(stmt.body.body), facts.inside(stmt))
                    memory = self._memory_of_iteration(stmt.var)
                    steps.append(HostLoop(replace(stmt, body=Block(())), tuple(inner), memory))
                    self.known.discard(stmt.var)
                case If(condition=condition) if self._is_known(condition) and self._has_grid(stmt, facts):
                    flush()
                    then = self._kernels(spliced(stmt.then.body), facts.where(condition))
                    otherwise = self._kernels(spliced(stmt.otherwise.body), facts.where(condition, False))
                    steps.append(HostBranch(condition, tuple(then), tuple(otherwise)))
                case _:
                    pending.append(stmt)
        flush()
        return steps

    def _memory_of_iteration(self, counter: str) -> tuple[Scratch, ...]:
        """Takes the memory that is as large as the counter of a host loop says out of that for all kernels.
        Where an iteration launches nothing its size may come out negative."""
        own = [s for s in self.scratch if counter in free_vars(s.count)]
        self.scratch = [s for s in self.scratch if s not in own]
        return tuple(replace(s, count=maximum(s.count, const(0, s.count.dtype))) for s in own)

    def _kernels(self, body: Sequence[Stmt], facts: Facts) -> list[Step]:
        return self._steps(self._promoted(body, facts), facts)

    def _is_grid(self, loop: For, facts: Facts) -> bool:
        return self._is_known(loop.start, loop.stop, loop.step) and is_parallel(loop, facts)

    def _on_host(self, loop: For, facts: Facts) -> bool:
        return (
            self._is_known(loop.start, loop.stop, loop.step)
            and not any(leaves_loop(s, (Break, Continue, Return)) for s in loop.body.body)
            and self._has_grid(loop, facts, worth_launches=True)
        )

    def _has_grid(self, stmt: For | If, facts: Facts, *, worth_launches: bool = False) -> bool:
        """Whether there is a loop inside that a grid can take. `worth_launches`: one that is more than a
        block takes in a step."""
        if isinstance(stmt, For):
            bodies, counter = [(stmt.body.body, facts.inside(stmt))], {stmt.var}
        else:
            yes, no = facts.where(stmt.condition), facts.where(stmt.condition, False)
            bodies, counter = [(stmt.then.body, yes), (stmt.otherwise.body, no)], set()
        self.known |= counter
        found = any(
            (isinstance(s, For) and self._is_grid(s, f) and not (worth_launches and is_a_step(s)))
            or (isinstance(s, For | If) and self._has_grid(s, f, worth_launches=worth_launches))
            for b, f in bodies
            for s in spliced(b)
        )
        self.known -= counter
        return found

    # -------------------------------------------------------------------------------------- between kernels

    def _promoted(self, body: Sequence[Stmt], facts: Facts) -> list[Stmt]:
        """Scalars and arrays that several of the kernels of a body use live in global memory."""
        groups = self._groups(body, facts)
        out = Block(tuple(body))
        for stmt in body:
            if not isinstance(stmt, Decl):
                continue
            users = [(s, g) for s, g in zip(body, groups, strict=True) if mentions(s, stmt.name)]
            by_grid = any(self._stands_alone(s, facts) for s, _ in users)
            if len({g for _, g in users}) < 2 and not by_grid:
                continue
            if not self._is_known(*stmt.shape):
                raise _StaysTogether
            name = stmt.name if stmt.shape else self.names.fresh(f"{stmt.name}_buffer")
            self.scratch.append(Scratch(name, stmt.dtype, elements(stmt)))
            out = to_memory(out, stmt, name)
        return list(out.body)

    def _groups(self, body: Sequence[Stmt], facts: Facts) -> list[int]:
        """The number of the kernel that each statement will be in."""
        groups, current = [], 0
        for stmt in body:
            alone = self._stands_alone(stmt, facts)
            current += 2 * alone
            groups.append(current - alone)
        return groups

    def _stands_alone(self, stmt: Stmt, facts: Facts) -> bool:
        match stmt:
            case For():
                return self._is_grid(stmt, facts) or self._on_host(stmt, facts)
            case If(condition=condition):
                return self._is_known(condition) and self._has_grid(stmt, facts)
        return False

    # -------------------------------------------------------------------------------------- kernels

    def _kernel(
        self, body: Block, grid: tuple[Expr, Expr, Expr], block: tuple[int, int, int], native: bool
    ) -> Launch:
        body = map_expr(plain_atomics(body), _narrow_index, _narrow_place)
        used = uses(body)
        needed = set(used.vars_read)
        lets: list[Decl] = []
        for let in reversed(self.lets):
            if let.name in needed and isinstance(let.init, Expr):
                lets.insert(0, let)
                needed |= free_vars(let.init)
        arrays = used.arrays_read | used.arrays_written | {n.array for n in walk(body) if isinstance(n, Ref)}
        params = [p for p in self.function.params if p.name in (arrays if p.is_pointer else needed)]
        memory = [Param(s.name, s.dtype, True) for s in self.scratch if s.name in arrays]
        constant = [
            replace(p, is_const=p.is_pointer and p.name not in used.arrays_written)
            for p in (*params, *memory)
        ]
        own = {p.name for p in self.function.params} | {d.name for d in self.lets}
        counters = [Param(n, _dtype_of(n, body), False) for n in sorted(needed & self.known - own)]
        whole = Block((*lets, *body.body))
        return Launch(self.function.name, (*constant, *counters), whole, grid, block, native)

    def _nest(self, loop: For, facts: Facts) -> Launch:
        nest, body, inside = self._parallel_nest(loop, facts)
        product = find_product(nest, body, self.facts.mutable)
        if product is not None:
            tiles = on_tensor_cores(product, self.names, self.thread, self.warp)
            tiles = tiles or tiled(product, self.names, self.thread)
            return self._kernel(tiles.body, tiles.grid, tiles.block, True)
        *heads, inner = body.body
        movable = all(_movable(h, inner, self.facts.mutable) for h in heads)
        if isinstance(inner, For) and movable and is_parallel(inner, inside):
            return self._uneven_nest(nest, heads, inner, inside)
        keeps = any(isinstance(s, Decl) and s.shape and not _fits(s, SMALL_BYTES) for s in body.body)
        if prefers_team(nest, body.body, inside) or (keeps and worth_sharing(body.body, inside)):
            return self._team_nest(nest, body, inside)
        arrays = [d for d in walk_stmts(body) if isinstance(d, Decl) and d.shape]
        large = [d for d in arrays if not _fits(d, PRIVATE_BYTES)]
        private = frozenset(d.name for d in arrays)
        bound = bind_threads(nest, body, facts, self.names, private, flat=bool(large))
        kernel = bound.body
        for decl in large:
            decl = self._reserved(decl, kernel, bound.threads)
            kernel = spread_array(kernel, decl, bound.thread, bound.threads)
        return self._kernel(kernel, bound.grid, bound.block, True)

    def _parallel_nest(self, loop: For, facts: Facts) -> tuple[list[For], Block, Facts]:
        """Parallel loops around each other, with pure arithmetic between them moved inside."""
        nest = [loop]
        inside = facts.inside(loop)
        moved: list[Stmt] = []
        counters = {loop.var}
        while True:
            *heads, inner = spliced(nest[-1].body.body)
            if not isinstance(inner, For) or not all(_movable(h, loop, self.facts.mutable) for h in heads):
                break
            bounds = (inner.start, inner.stop, inner.step)
            if not self._is_known(*bounds) or any(free_vars(e) & counters for e in bounds):
                break
            if not is_parallel(inner, inside):
                break
            moved += heads
            nest.append(inner)
            counters.add(inner.var)
            inside = inside.inside(inner)
        return nest, Block((*moved, *spliced(nest[-1].body.body))), inside

    def _team_nest(self, nest: list[For], body: Block, facts: Facts) -> Launch:
        """A block an iteration; a warp where one short row is all there is to do."""
        dtype = index_type(nest)
        count = total(nest, dtype)
        if _suits_warp(body):
            row = var(self.names.fresh("row"), dtype)
            block = mul(Var(U32, "blockIdx.x"), Var(U32, "blockDim.y"))
            first = cast(add(block, Var(U32, "threadIdx.y")), dtype)
            head = [Decl(row.name, dtype, (), init=first), If(ge(row, count), Block((Return(),)))]
            head += unravel(nest, row)
            code, shared = cooperate(body.body, Team(WARP, self.lane, "warp"), facts, self.names)
            lane = Decl(self.lane.name, I32, (), init=cast(Var(U32, "threadIdx.x"), I32))
            grid = (ceil_div(count, const(ROWS, dtype)), ONE, ONE)
            return self._kernel(Block((lane, *head, *code)), grid, (WARP, ROWS, 1), shared)
        heads = unravel(nest, cast(Var(U32, "blockIdx.x"), dtype))
        kernel, size, shared = self._block_code(body.body, facts)
        number = cast(Var(U32, "blockIdx.x"), I64)
        kernel = self._large_shared(Block((*heads, *kernel.body)), number, cast(count, I64))
        return self._kernel(kernel, (count, ONE, ONE), (size, 1, 1), shared)

    def _uneven_nest(self, nest: list[For], heads: Sequence[Stmt], loop: For, facts: Facts) -> Launch:
        """A parallel loop whose bounds differ between the iterations around it: each of those is a row of
        blocks, which share the loop out."""
        dtype = index_type(nest)
        count = total(nest, dtype)
        rows = max(1, min(BLOCKS_A_ROW, MOST_BLOCKS // int(count.value))) if isinstance(count, Const) else 32
        top = [*unravel(nest, cast(Var(U32, "blockIdx.x"), dtype)), *heads]
        grid = (count, const(rows), ONE)
        if prefers_team((loop,), loop.body.body, facts.inside(loop)):
            row = cast(Var(U32, "blockIdx.y"), loop.dtype)
            step = mul(loop.step, const(rows, loop.dtype))
            shared_out = replace(loop, start=value(loop, row), step=step, kind=LoopKind.SERIAL)
            kernel, size, shared = self._block_code([shared_out], facts, rows_in_turn=True)
            blocks = mul(cast(count, I64), const(rows, I64))
            number = add(mul(cast(Var(U32, "blockIdx.x"), I64), const(rows, I64)), cast(row, I64))
            kernel = self._large_shared(Block((*top, *kernel.body)), number, blocks)
            return self._kernel(kernel, grid, (size, 1, 1), shared)
        parts = self._inner_nest(loop, facts)
        rank = var(self.names.fresh("index"), I32)
        first = Decl(rank.name, I32, (), init=index_of("y", I32, "x"))
        team = Team(rows * THREADS, rank, "grid")
        code = spread(parts, parts[-1].body, team, self.names)
        arrays = [d for d in walk_stmts(Block(tuple(code))) if isinstance(d, Decl) and d.shape]
        kernel = Block((*top, first, *code))
        thread = add(mul(cast(Var(U32, "blockIdx.x"), I64), const(team.size, I64)), cast(rank, I64))
        for decl in arrays:
            if not _fits(decl, PRIVATE_BYTES):
                threads = mul(cast(count, I64), const(team.size, I64))
                decl = self._reserved(decl, kernel, threads)
                kernel = spread_array(kernel, decl, thread, threads)
        return self._kernel(kernel, grid, (THREADS, 1, 1), True)

    def _inner_nest(self, loop: For, facts: Facts) -> list[For]:
        """The loop with those parallel loops inside that one index can count."""
        nest, inside = [loop], facts.inside(loop)
        for inner in rectangular_nest(loop)[1:]:
            if not is_parallel(inner, inside):
                break
            nest.append(inner)
            inside = inside.inside(inner)
        return nest

    def _block_launch(self, body: Sequence[Stmt], facts: Facts) -> Launch:
        kernel, size, shared = self._block_code(body, facts)
        kernel = self._large_shared(kernel, const(0, I64), const(1, I64))
        return self._kernel(kernel, (ONE, ONE, ONE), (size if shared else 1, 1, 1), shared)

    def _block_code(
        self, body: Sequence[Stmt], facts: Facts, *, rows_in_turn: bool = False
    ) -> tuple[Block, int, bool]:
        size = _block_size(body)
        team = Team(size, self.thread, "block", self.warp, self.lane)
        if rows_in_turn:
            (loop,) = body
            assert isinstance(loop, For)
            code, shared = in_turn(loop, team, facts, self.names)
        else:
            code, shared = cooperate(body, team, facts, self.names)
        index, warp = Var(U32, "threadIdx.x"), const(WARP, U32)
        places = ((self.thread, index), (self.warp, div(index, warp)), (self.lane, mod(index, warp)))
        used = uses(Block(code)).vars_read
        heads = [Decl(v.name, I32, (), init=cast(e, I32)) for v, e in places if v.name in used]
        return Block((*heads, *code)), size, shared

    def _large_shared(self, kernel: Block, block: Expr, blocks: Expr) -> Block:
        """Arrays of a block that do not fit into shared memory live in global memory."""
        left = SHARED_BYTES
        for decl in walk_stmts(kernel):
            if not isinstance(decl, Decl) or decl.space is not Space.SHARED:
                continue
            size = bytes_of(decl)
            if size is not None and size <= left:
                left -= size
                continue
            kernel = spread_in_pieces(kernel, self._reserved(decl, kernel, blocks), block)
        return kernel

    def _reserved(self, decl: Decl, kernel: Block, owners: Expr) -> Decl:
        """The array with global memory for all owners."""
        if not self._is_known(*decl.shape):
            raise Refusal(
                "array-size",
                f"there is no room for the array `{decl.name}`: shared memory is too small for it",
                decl.range,
                "give it a smaller constant size",
            )
        decl = with_whole_pieces(decl, kernel)
        self.scratch.append(Scratch(decl.name, decl.dtype, mul(elements(decl), owners)))
        return decl


def _mentioned(decl: Decl, among: Sequence[Stmt]) -> bool:
    return any(mentions(stmt, decl.name) for stmt in among)


def _narrow_index(expr: Expr) -> Expr:
    """`a[(long)i]` says no more than `a[i]`."""
    if isinstance(expr, Load):
        index = tuple(_narrow(i) for i in expr.index)
        return expr if index == expr.index else replace(expr, index=index)
    return expr


def _narrow_place(place: Var | Load) -> Var | Load:
    narrowed = _narrow_index(place)
    assert isinstance(narrowed, (Var, Load))
    return narrowed


def _narrow(index: Expr) -> Expr:
    if isinstance(index, Cast) and isinstance(index.operand, Var) and index.operand.dtype.is_integer:
        return index.operand if index.dtype.bits >= index.operand.dtype.bits else index
    return index


def _suits_warp(body: Block) -> bool:
    """One loop over a row, or rows that are short, and nothing to keep in shared memory."""
    if any(isinstance(s, Decl) and s.shape for s in walk_stmts(body)):
        return False
    stmts = spliced(body.body)
    if any(isinstance(s, (While, If)) for s in stmts):
        return False
    lengths = [length_of(rectangular_nest(s)) for s in stmts if isinstance(s, For)]
    return len(lengths) == 1 or all(n is not None and n <= 8 * WARP for n in lengths)


def _movable(stmt: Stmt, loop: Stmt, mutable: frozenset[str]) -> bool:
    """Whether it is a name whose value is the same further inside: it reads nothing that the nest writes."""
    if not isinstance(stmt, Decl) or stmt.shape or not isinstance(stmt.init, Expr) or stmt.name in mutable:
        return False
    written = uses(loop).arrays_written
    return not any(
        (isinstance(e, Load) and e.array in written) or (isinstance(e, Var) and e.name in mutable)
        for e in walk_exprs(stmt.init)
    )


def _fits(decl: Decl, limit: int) -> bool:
    size = bytes_of(decl)
    return size is not None and size <= limit


def _block_size(body: Sequence[Stmt]) -> int:
    """As many threads as the longest loop has iterations, at most 256, in whole warps."""
    longest = 0
    for stmt in walk_stmts(Block(tuple(body))):
        if isinstance(stmt, For):
            length = length_of(rectangular_nest(stmt))
            if length is None:
                return THREADS
            longest = max(longest, length)
    return max(WARP, min(THREADS, -(-longest // WARP) * WARP))


def _dtype_of(name: str, body: Block) -> DType:
    return next(n.dtype for n in walk(body) if isinstance(n, Var) and n.name == name)
