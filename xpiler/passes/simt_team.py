"""Code that a team of threads (a block, or a warp) runs together.

    float s = 0;                                    float s = 0;
    for i in 0..n: s += x[i];               -->     for (i = threadIdx.x; i < n; i += 256) s += x[i];
    parallel for i in 0..n: y[i] = x[i]/s;          s = block_sum(s);
                                                    for (i = threadIdx.x; i < n; i += 256) y[i] = x[i]/s;

Control flow and scalars outside of shared-out loops are the same in every thread; single elements are
stored by the first. A barrier stands wherever one phase touches what another thread may have touched since
the last one: none between loops in which each thread has the same elements. It always applies: what cannot
be shared out is done by one thread, or by all alike.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from xpiler.ir.affine import coefficient
from xpiler.ir.build import add, cast, ceil_div, const, div, eq, is_const, lt, maximum, mod, mul, sub
from xpiler.ir.nodes import (
    Assign,
    Atomic,
    Barrier,
    Binary,
    Block,
    Break,
    Collective,
    Const,
    Continue,
    Decl,
    Expr,
    For,
    If,
    Load,
    LoopKind,
    Ref,
    Return,
    Space,
    Stmt,
    Unary,
    Var,
    While,
)
from xpiler.ir.rewrite import free_vars, rename, substitute, uses, walk, walk_exprs, walk_stmts
from xpiler.ir.types import I32, DType
from xpiler.passes.accesses import declared
from xpiler.passes.coalescing import quality, trips
from xpiler.passes.facts import Facts
from xpiler.passes.independence import accumulators, independent, independent_iterations
from xpiler.passes.names import Names
from xpiler.passes.reduction_values import NAMES, identity, is_idempotent
from xpiler.passes.simt_memory import bytes_of, spread_in_pieces
from xpiler.passes.structured import spliced
from xpiler.passes.sync import leaves_loop

WORTH_SHARING = 16  # loops of fewer iterations stay whole
WARP = 32
_MARGIN = 0.25
_MOST_PIECES = 8 << 10  # bytes of an array that every warp of a block has for itself


@dataclass(frozen=True)
class Team:
    """`rank` counts the threads of the team from 0; `scope` is that of its barriers. Of a block whose warps
    may take whole iterations, `warp` and `lane` are variables with each thread's place."""

    size: int
    rank: Var
    scope: str
    warp: Var | None = None
    lane: Var | None = None


Owner = tuple[object, ...]  # by which rule threads own the elements that a phase touches


@dataclass
class _Hazards:
    """Arrays that threads have read or written since the last barrier, and by which rule each element was the
    same thread's in all of that (None: by none)."""

    aliases: Mapping[str, frozenset[str]]
    read: dict[str, Owner | None] = field(default_factory=dict)
    written: dict[str, Owner | None] = field(default_factory=dict)

    def meet(self, reads: Mapping[str, Owner | None], writes: Mapping[str, Owner | None]) -> bool:
        return self._among({**reads, **writes}, self.written) or self._among(writes, self.read)

    def add(self, reads: Mapping[str, Owner | None], writes: Mapping[str, Owner | None]) -> None:
        for old, new in ((self.read, reads), (self.written, writes)):
            for name, owner in new.items():
                old[name] = owner if old.get(name, owner) == owner else None

    def clear(self) -> None:
        self.read.clear()
        self.written.clear()

    def copy(self) -> _Hazards:
        return _Hazards(self.aliases, dict(self.read), dict(self.written))

    def join(self, other: _Hazards) -> None:
        self.add(other.read, other.written)

    def _among(self, names: Mapping[str, Owner | None], before: Mapping[str, Owner | None]) -> bool:
        for name, owner in names.items():
            if name in before and (owner is None or before[name] != owner):
                return True
            if any(alias in before for alias in self.aliases.get(name, ()) if alias != name):
                return True
        return False


def cooperate(stmts: Sequence[Stmt], team: Team, facts: Facts, names: Names) -> tuple[tuple[Stmt, ...], bool]:
    """The statements as the code of each thread of a team, and whether anything was shared out."""
    worker = _Cooperation(team, names, _Hazards(facts.aliases), uses(Block(tuple(stmts))).vars_assigned)
    body = worker.body(stmts, facts)
    return tuple(_joined(body, team)), worker.shared


def in_turn(loop: For, team: Team, facts: Facts, names: Names) -> tuple[tuple[Stmt, ...], bool]:
    """A loop whose iterations the team takes one after the other, each of them together."""
    worker = _Cooperation(team, names, _Hazards(facts.aliases), uses(loop).vars_assigned)
    return tuple(_joined(worker.serial_loop(loop, facts), team)), worker.shared


def worth_sharing(stmts: Sequence[Stmt], facts: Facts) -> bool:
    """Whether the statements hold a loop that a team could share out and that is not short."""
    worker = _Cooperation(Team(WARP, Var(I32, "threadIdx.x"), "warp"), None, _Hazards({}), frozenset())
    return worker.has_work(stmts, facts)


class _Cooperation:
    """`changing`: the variables that are not the same from the first statement to the last."""

    def __init__(self, team: Team, names: Names | None, hazards: _Hazards, changing: frozenset[str]) -> None:
        self.team = team
        self.names = names
        self.hazards = hazards
        self.changing = changing
        self.shared = False

    # -------------------------------------------------------------------------------------- statements

    def body(self, stmts: Sequence[Stmt], facts: Facts) -> list[Stmt]:
        out: list[Stmt] = []
        for stmt in spliced(stmts):
            out += self.stmt(stmt, facts, out)
        return out

    def stmt(self, stmt: Stmt, facts: Facts, before: Sequence[Stmt]) -> list[Stmt]:
        match stmt:
            case Decl(shape=shape) if shape:
                return [replace(stmt, space=Space.SHARED)]
            case Decl() | Assign(target=Var()) | Return() | Break() | Continue() | Barrier():
                return [*self.phase(stmt), stmt]
            case For():
                done = self.share_out(stmt, facts, before)
                if done is not None:
                    return done
                if self.has_work(stmt.body.body, facts.inside(stmt)):
                    return self.serial_loop(stmt, facts)
            case While() if self.has_work(stmt.body.body, facts):
                return self.while_loop(stmt, facts)
            case If(condition=condition) if self.has_work((*stmt.then.body, *stmt.otherwise.body), facts):
                return self.branch(stmt, facts, condition)
        return self.leaf(stmt)

    def phase(self, stmt: Stmt, owners: Mapping[str, Owner] | None = None) -> list[Stmt]:
        """The barrier that a statement needs before it; what it touches is remembered. `owners`: by which
        rule an element is one thread's, of the arrays where there is one."""
        found = uses(stmt)
        known = owners or {}
        reads = {name: known.get(name) for name in found.arrays_read - found.arrays_declared}
        writes = {name: known.get(name) for name in found.arrays_written - found.arrays_declared}
        barrier: list[Stmt] = []
        if self.hazards.meet(reads, writes):
            barrier = [Barrier(self.team.scope)]
            self.hazards.clear()
        self.hazards.add(reads, writes)
        return barrier

    def leaf(self, stmt: Stmt) -> list[Stmt]:
        """By all threads alike if it only computes, else by the first."""
        found = uses(stmt)
        before = self.phase(stmt)
        if not found.arrays_written - found.arrays_declared:
            return [*before, stmt]
        first: list[Stmt] = [stmt]
        after: list[Stmt] = []
        for name in sorted(found.vars_assigned - found.vars_declared):
            dtype = _dtype_of(name, stmt)
            if self.team.scope == "warp":
                from_first = (Var(dtype, name), const(0), const(WARP))
                after.append(Collective("shfl", Var(dtype, name), from_first))
                continue
            assert self.names is not None
            box = self.names.fresh(f"{name}_shared")
            place = Load(dtype, box, (const(0),))
            before.append(Decl(box, dtype, (const(1),), Space.SHARED))
            first.append(Assign(place, Var(dtype, name)))
            after += [Barrier(self.team.scope), Assign(Var(dtype, name), place)]
            self.hazards.clear()
            self.hazards.add({box: None}, {})
        return [*before, If(eq(self.team.rank, 0), Block(tuple(first))), *after]

    def serial_loop(self, loop: For, facts: Facts) -> list[Stmt]:
        heads = self.phase(Decl("?", I32, (), init=add(cast(loop.stop, I32), cast(loop.start, I32))))
        body = self._twice(loop.body.body, facts.inside(loop))
        return [*heads, replace(loop, body=Block(tuple(body)), kind=LoopKind.SERIAL)]

    def while_loop(self, loop: While, facts: Facts) -> list[Stmt]:
        test = Decl("?", loop.condition.dtype, (), init=loop.condition)
        before = self.phase(test)
        stmts = (*loop.body.body, *loop.advance.body)
        self._twice(stmts, facts, test)
        body = self.body(loop.body.body, facts)
        advance = self.body(loop.advance.body, facts)
        last = self.phase(test)
        if loop.advance.body:
            return [*before, replace(loop, body=Block(tuple(body)), advance=Block((*advance, *last)))]
        return [*before, replace(loop, body=Block((*body, *last)))]

    def _twice(self, stmts: Sequence[Stmt], facts: Facts, test: Stmt | None = None) -> list[Stmt]:
        """A loop's body: what one iteration leaves behind meets the next one."""
        entry = self.hazards.copy()
        first = self.body(stmts, facts)
        if test is not None:
            self.phase(test)
        entry.join(self.hazards)
        self.hazards = entry.copy()
        taken = self.body(stmts, facts)
        self.hazards.join(entry)
        return taken if taken != first else first

    def branch(self, stmt: If, facts: Facts, condition: Expr) -> list[Stmt]:
        before = self.phase(Decl("?", condition.dtype, (), init=condition))
        entry = self.hazards.copy()
        then = self.body(stmt.then.body, facts.where(condition))
        after_then = self.hazards
        self.hazards = entry
        otherwise = self.body(stmt.otherwise.body, facts.where(condition, False))
        self.hazards.join(after_then)
        return [*before, replace(stmt, then=Block(tuple(then)), otherwise=Block(tuple(otherwise)))]

    # -------------------------------------------------------------------------------------- loops

    def has_work(self, stmts: Sequence[Stmt], facts: Facts) -> bool:
        for stmt in stmts:
            match stmt:
                case Block(body=body):
                    found = self.has_work(body, facts)
                case For():
                    found = self._sharable(stmt, facts) or self.has_work(stmt.body.body, facts.inside(stmt))
                case While(body=body):
                    found = self.has_work(body.body, facts)
                case If(condition=condition, then=then, otherwise=otherwise):
                    found = self.has_work(then.body, facts.where(condition)) or self.has_work(
                        otherwise.body, facts.where(condition, False)
                    )
                case _:
                    found = False
            if found:
                return True
        return False

    def _sharable(self, loop: For, facts: Facts) -> bool:
        nest = rectangular_nest(loop)
        length = length_of(nest)
        return (length is None or length >= WORTH_SHARING) and (
            is_parallel(loop, facts) or bool(_reductions(loop, facts))
        )

    def share_out(self, loop: For, facts: Facts, before: Sequence[Stmt]) -> list[Stmt] | None:
        """The loop with its iterations spread over the team; None if it is short or has an order."""
        if not self._sharable(loop, facts):
            return None
        self.shared = True
        reductions = {} if is_parallel(loop, facts) else _reductions(loop, facts)
        if not reductions:
            nest = self.parallel_part(loop, facts)
            by_warps = self.over_warps(nest, facts)
            if by_warps is not None:
                return by_warps
        else:
            nest = rectangular_nest(loop)
        around: list[For] = []
        if reductions and len(nest) > 1:  # one long row after the other
            last = trips(nest[-1])
            if last is None or last >= self.team.size:
                around, nest = nest[:-1], nest[-1:]
        body: Block = nest[-1].body
        opened: list[Stmt] = []
        closed: list[Stmt] = []
        direct = _at_identity(before)
        for name, op in reductions.items():
            dtype = _dtype_of(name, loop)
            part = name
            start = identity(op, dtype)
            if not is_idempotent(op) and direct.get(name) != start:
                assert self.names is not None
                part = self.names.fresh(f"{name}_part")
                opened.append(Decl(part, dtype, (), init=start))
                body = rename(body, {name: part})
            total = Var(dtype, part)
            closed.append(Collective(f"reduce_{NAMES[op]}", total, (total,), scope=self.team.scope))
            if part != name:
                closed.append(Assign(Var(dtype, name), total, op))
        shared = spread(nest, body, self.team, self.names)
        for outer in reversed(around):
            shared = [replace(outer, body=Block(tuple(shared)), kind=LoopKind.SERIAL)]
        owners = self.owners(nest[0], body) if len(nest) == 1 else {}
        barrier = self.phase(Block(tuple(shared)), owners)
        if closed and self.team.scope == "block":
            self.hazards.clear()
        return [*barrier, *opened, *shared, *closed]

    def owners(self, loop: For, body: Block) -> dict[str, Owner]:
        """The arrays of which an iteration of a loop that is shared out touches one element, its own: the
        thread that has the iteration has the same element in any loop that counts from the same start."""
        places: dict[str, set[Load]] = {}
        others: set[str] = set()
        for node in walk(body):
            match node:
                case Load(array=array):
                    places.setdefault(array, set()).add(node)
                case Ref(array=array) | Atomic(place=Load(array=array)):
                    others.add(array)
        counter = Var(loop.dtype, "?")
        found: dict[str, Owner] = {}
        for array, loads in places.items():
            (place, *more) = loads
            if more or array in others or len(place.index) != 1 or not is_const(loop.step, 1):
                continue
            index = substitute(place.index[0], {loop.var: counter})
            step = coefficient(index, counter.name)
            if step is None or not step.as_int or (free_vars(index) | free_vars(loop.start)) & self.changing:
                continue
            if not any(isinstance(n, Load) for n in walk(index)):
                found[array] = (loop.start, place.dtype, index)
        return found

    def parallel_part(self, loop: For, facts: Facts) -> list[For]:
        """The loops of a perfect nest, from the outermost on, that are all parallel."""
        nest = [loop]
        inside = facts.inside(loop)
        for inner in rectangular_nest(loop)[1:]:
            if not is_parallel(inner, inside):
                break
            nest.append(inner)
            inside = inside.inside(inner)
        return nest

    def over_warps(self, nest: list[For], facts: Facts) -> list[Stmt] | None:
        """A warp an iteration, where its lanes then read along rows."""
        if self.team.warp is None or self.team.lane is None or self.names is None:
            return None
        inside = facts
        for loop in nest:
            inside = inside.inside(loop)
        body = nest[-1].body.body
        if not prefers_team(nest, body, inside):
            return None
        lanes = Team(WARP, self.team.lane, "warp")
        inner, _ = cooperate(body, lanes, inside, self.names)
        team = Team(self.team.size // WARP, self.team.warp, "block")
        pieces = _piece_a_warp(Block(inner), team)
        if pieces is None:
            return None
        arrays, taken = pieces
        shared = spread(nest, taken, team, self.names)
        return [*arrays, *self.phase(Block((*arrays, *shared))), *shared]


def _piece_a_warp(body: Block, warps: Team) -> tuple[list[Decl], Block] | None:
    """Arrays that a warp shares as its piece of arrays that the block does, with their declarations; None if
    that is too much.

        t[64] of each of 8 warps, t[i]   -->   t[512], t[warp * 64 + i]
    """
    arrays: list[Decl] = []
    for decl in [s for s in walk_stmts(body) if isinstance(s, Decl) and s.space is Space.SHARED]:
        bytes_ = bytes_of(decl)
        if bytes_ is None or decl.init is not None or bytes_ * warps.size > _MOST_PIECES:
            return None
        body = spread_in_pieces(body, decl, warps.rank)
        arrays.append(replace(decl, shape=(const(warps.size * bytes_ // decl.dtype.bytes),)))
    return arrays, body


def prefers_team(nest: Sequence[For], body: Sequence[Stmt], facts: Facts) -> bool:
    """Whether a team should take an iteration of the nest together, rather than each thread one."""
    if not worth_sharing(body, facts):
        return False
    private = declared(body)
    inner = [
        (loop, inside)
        for loop, inside in _big_loops(body, facts)
        if is_parallel(loop, inside) or _reductions(loop, inside)
    ]
    if not inner:
        return False
    alone = max(quality(loop.var, body, facts, private) for loop in nest)
    together = 0.0
    for loop, inside in inner:
        deepest = rectangular_nest(loop)[-1]
        within = inside
        for one in rectangular_nest(loop):
            within = within.inside(one)
        together = max(together, quality(deepest.var, deepest.body.body, within, frozenset()))
    return together > alone + _MARGIN


def _big_loops(stmts: Sequence[Stmt], facts: Facts) -> list[tuple[For, Facts]]:
    found: list[tuple[For, Facts]] = []
    for stmt in stmts:
        match stmt:
            case For():
                length = length_of(rectangular_nest(stmt))
                if length is None or length >= WARP:
                    found.append((stmt, facts))
                found += _big_loops(stmt.body.body, facts.inside(stmt))
            case If(condition=condition, then=then, otherwise=otherwise):
                found += _big_loops(then.body, facts.where(condition))
                found += _big_loops(otherwise.body, facts.where(condition, False))
            case Block(body=body):
                found += _big_loops(body, facts)
            case While(body=inner):
                found += _big_loops(inner.body, facts)
    return found


# ------------------------------------------------------------------------------------------ parts


def is_parallel(loop: For, facts: Facts) -> bool:
    if loop.kind in (LoopKind.PARALLEL, LoopKind.THREADS, LoopKind.VECTOR):
        return True
    if any(leaves_loop(s, (Break,)) for s in loop.body.body):
        return False
    return bool(independent(loop, facts))


def _reductions(loop: For, facts: Facts) -> dict[str, str]:
    """The scalars that a loop accumulates into with their operators, if it does nothing else in order."""
    if any(leaves_loop(s, (Break,)) for s in loop.body.body):
        return {}
    own = declared(loop.body.body)
    found = accumulators(loop.body.body) - own
    operators = {
        s.target.name: s.reduce
        for s in walk_stmts(loop.body)
        if isinstance(s, Assign) and isinstance(s.target, Var) and s.reduce in NAMES
    }
    chosen = {name: op for name, op in sorted(operators.items()) if name in found and op is not None}
    if not chosen:
        return {}
    inside = facts.inside(loop)
    return chosen if independent_iterations((loop,), loop.body.body, inside, frozenset(chosen)) else {}


def rectangular_nest(loop: For) -> list[For]:
    """Loops directly within each other whose bounds do not depend on one another."""
    nest = [loop]
    counters = {loop.var}
    while True:
        body = nest[-1].body.body
        while len(body) == 1 and isinstance(body[0], Block):
            body = body[0].body
        if len(body) != 1 or not isinstance(body[0], For):
            return nest
        inner = body[0]
        bounds = (inner.start, inner.stop, inner.step)
        if any(free_vars(e) & counters or _has_load(e) for e in bounds):
            return nest
        nest.append(inner)
        counters.add(inner.var)


def _has_load(expr: Expr) -> bool:
    return any(isinstance(e, Load) for e in walk_exprs(expr))


def length_of(nest: Sequence[For]) -> int | None:
    total = 1
    for loop in nest:
        own = trips(loop)
        if own is None:
            return None
        total *= own
    return total


def extent(loop: For) -> Expr:
    """How many iterations a loop has, for start <= stop."""
    width = sub(loop.stop, loop.start)
    return width if loop.step == Const(loop.step.dtype, 1) else ceil_div(width, loop.step)


def extents(nest: Sequence[For]) -> list[Expr]:
    """How many iterations each loop of a nest has. At most one of them is below zero: the product of two
    would be a number of iterations, where there are none."""
    found = [extent(loop) for loop in nest]
    doubtful = [i for i, one in enumerate(found) if _may_be_negative(one)]
    for i in doubtful[1:]:
        found[i] = maximum(found[i], const(0, found[i].dtype))
    return found


def _may_be_negative(extent: Expr) -> bool:
    """Sizes are none, nor sums and products of them; differences may be."""
    for e in walk_exprs(extent):
        match e:
            case Binary(op="-") | Unary():
                return True
            case Const(value=number) if number < 0:
                return True
    return False


def value(loop: For, count: Expr) -> Expr:
    """The loop variable in an iteration."""
    return cast(add(loop.start, mul(cast(count, loop.dtype), loop.step)), loop.dtype)


def unravel(nest: Sequence[For], index: Expr) -> list[Stmt]:
    """Declarations of the loop variables out of one row-major index."""
    out: list[Stmt] = []
    rest = index
    for n, loop in reversed(list(enumerate(nest))):
        size = cast(extent(loop), index.dtype)
        digit = rest if n == 0 else mod(rest, size)
        out.insert(0, Decl(loop.var, loop.dtype, (), init=value(loop, digit), range=loop.range))
        rest = div(rest, size)
    return out


def spread(nest: Sequence[For], body: Block, team: Team, names: Names | None) -> list[Stmt]:
    """The loops of a nest together shared out: thread t does the iterations t, t + size..."""
    length = length_of(nest)
    if len(nest) == 1:
        loop = nest[0]
        if length is not None and length <= team.size:
            first = Decl(loop.var, loop.dtype, (), init=value(loop, team.rank), range=loop.range)
            inner = Block((first, *body.body))
            return [inner] if length == team.size else [If(lt(team.rank, length), inner)]
        start = value(loop, team.rank)
        step = mul(const(team.size, loop.dtype), loop.step)
        return [replace(loop, start=start, step=step, body=body, kind=LoopKind.SERIAL)]
    total: Expr = const(1)
    for count in extents(nest):
        total = mul(total, count)
    dtype = total.dtype if total.dtype.bits == 64 else I32
    assert names is not None
    name = names.fresh("index")
    inner = Block((*unravel(nest, Var(dtype, name)), *body.body))
    start, step = cast(team.rank, dtype), const(team.size, dtype)
    return [For(name, dtype, start, cast(total, dtype), step, inner, range=nest[0].range)]


def _at_identity(before: Sequence[Stmt]) -> dict[str, Expr]:
    """Scalars that hold a constant after these statements."""
    known: dict[str, Expr] = {}
    for stmt in before:
        match stmt:
            case Decl(name=name, shape=(), init=Const() as init) if init.dtype == stmt.dtype:
                known[name] = init
            case Assign(target=Var(name=name), value=Const() as init, reduce=None):
                known[name] = init
            case _:
                for name in uses(stmt).vars_assigned:
                    known.pop(name, None)
    return known


def _dtype_of(name: str, stmt: Stmt) -> DType:
    for node in walk_stmts(stmt):
        target = getattr(node, "target", None)
        if isinstance(target, Var) and target.name == name:
            return target.dtype
    raise KeyError(name)


def _joined(stmts: Sequence[Stmt], team: Team) -> list[Stmt]:
    """What the first thread does in a row, under one condition."""
    out: list[Stmt] = []
    first = eq(team.rank, 0)
    for stmt in stmts:
        if isinstance(stmt, (For, While, If)):
            stmt = _below(stmt, team)
        last = out[-1] if out else None
        if (
            isinstance(stmt, If)
            and isinstance(last, If)
            and stmt.condition == last.condition == first
            and not stmt.otherwise.body
            and not last.otherwise.body
        ):
            out[-1] = replace(last, then=Block((*last.then.body, *stmt.then.body)))
        else:
            out.append(stmt)
    return out


def _below(stmt: For | While | If, team: Team) -> Stmt:
    match stmt:
        case For(body=body) | While(body=body):
            return replace(stmt, body=Block(tuple(_joined(body.body, team))))
        case If(then=then, otherwise=otherwise):
            return replace(
                stmt,
                then=Block(tuple(_joined(then.body, team))),
                otherwise=Block(tuple(_joined(otherwise.body, team))),
            )
