"""Registers of a plain function that never meet become loops over independent threads.

    float acc[6][16];                                     for i in 0..rows: threads lane:
    for i in 0..6: threads lane: acc[i][lane] = 0           float acc = 0
    for k: for i in 0..rows: threads lane:          -->     for k: acc += a(i) * b(lane)
      acc[i][lane] += a(i) * b(lane)                        c(i, lane) = acc
    for i in 0..rows: threads lane: c(i, lane) = acc[i][lane]

Works on one dimension of a local array at a time. What is written out register by register (`acc[0]`,
`acc[1]`) is a loop first (`copies.py`). Applies where all accesses count through the dimension, and where the
loops over it can be fused into one (`thread_fusion.py`), so that the array loses the dimension.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, replace

from xpiler.ir.build import cast, const, is_const
from xpiler.ir.nodes import (
    Assign,
    Block,
    Const,
    Decl,
    Expr,
    For,
    Function,
    Load,
    LoopKind,
    Ref,
    Stmt,
    Var,
)
from xpiler.ir.rewrite import (
    free_vars,
    is_used,
    map_body,
    map_expr,
    map_stmt,
    rebuild,
    substitute,
    uses,
    walk,
    walk_stmts,
    walk_users,
)
from xpiler.ir.types import I32, DType
from xpiler.passes.cache_removal import is_copy
from xpiler.passes.copies import template
from xpiler.passes.facts import Facts, mutable_vars
from xpiler.passes.independence import independent_iterations
from xpiler.passes.names import Names
from xpiler.passes.register_threads import counts_all_dimensions
from xpiler.passes.structured import spliced
from xpiler.passes.thread_fusion import fuse_threads
from xpiler.passes.tidy import tidy


def spread_tiles(function: Function) -> Function:
    """Every dimension of every such array, outer ones first."""
    if not function.is_serial:
        return function
    if not _dimensions(function):
        return function
    function = _forwarded(function)
    for decls in _alike(function.body):
        packed = _packed(function, decls)
        function = _Spread(packed, _declaration(packed, decls[0].name), 0).result() or function
    tried: set[tuple[str, int]] = set()  # an array, and a dimension counted from its end
    while True:
        open_ones = [(d, n) for d, n in _dimensions(function) if (d.name, n - len(d.shape)) not in tried]
        if not open_ones:
            return function
        decl, dimension = open_ones[0]
        tried.add((decl.name, dimension - len(decl.shape)))
        spread = _Spread(function, decl, dimension).result()
        if spread is None:
            spelled = _with_copies_spelled_out(function)
            spread = None if spelled is function else _Spread(spelled, decl, dimension).result()
        if spread is not None:
            function, tried = spread, set()  # others may be spread now


def _with_copies_spelled_out(function: Function) -> Function:
    """Names of what is read from arrays that nothing writes are what they stand for: `a0` and `a1`, each read
    once for several registers, differ by a step then."""
    written, mutable = uses(function.body).arrays_written, mutable_vars(function)
    decls = [s for s in walk_stmts(function.body) if isinstance(s, Decl)]
    values: dict[str, Expr] = {}
    for decl in decls:
        if decl.shape or not isinstance(decl.init, Expr) or not decl.dtype.is_float or decl.name in mutable:
            continue
        if sum(d.name == decl.name for d in decls) > 1 or free_vars(decl.init) & mutable:
            continue
        arrays = {n.array for n in walk(decl.init) if isinstance(n, Load)}
        if arrays and not arrays & written and is_copy(decl.init):
            values[decl.name] = substitute(decl.init, values)
    if not values:
        return function

    def without(stmt: Stmt) -> Stmt | tuple[Stmt, ...]:
        return () if isinstance(stmt, Decl) and stmt.name in values else stmt

    body = substitute(map_body(function, without).body, values)
    return replace(function, body=body)


def _dimensions(function: Function) -> list[tuple[Decl, int]]:
    """Local arrays with the numbers of their dimensions; those behind stay the same from the end."""
    arrays = [s for s in walk_stmts(function.body) if isinstance(s, Decl) and s.shape and s.init is None]
    return [(a, n) for a in arrays for n, extent in enumerate(a.shape) if isinstance(extent, Const)]


def _alike(block: Block) -> list[list[Decl]]:
    """Local arrays of one type and shape that one block declares: registers with names of their own."""
    found: list[list[Decl]] = []
    for inner in walk(block):
        if isinstance(inner, Block):
            groups: dict[object, list[Decl]] = {}
            for s in inner.body:
                if isinstance(s, Decl) and s.shape and s.init is None:
                    groups.setdefault((s.dtype, s.shape, s.space), []).append(s)
            found += [group for group in groups.values() if len(group) > 1]
    return found


def _packed(function: Function, decls: Sequence[Decl]) -> Function:
    """The arrays as one with a dimension more: `s0[lane]`, `s1[lane]` as `s0[0][lane]`, `s0[1][lane]`."""
    numbers = {d.name: n for n, d in enumerate(decls)}
    name = decls[0].name

    def place(target: Var | Load) -> Var | Load:
        if isinstance(target, Load) and target.array in numbers:
            index = (const(numbers[target.array]), *target.index)
            return replace(target, array=name, index=index)
        return target

    def change(stmt: Stmt) -> Stmt | tuple[Stmt, ...]:
        if isinstance(stmt, Decl) and stmt.name in numbers and stmt.shape:
            return replace(stmt, shape=(const(len(decls)), *stmt.shape)) if stmt.name == name else ()
        return stmt

    body = map_expr(function.body, lambda e: place(e) if isinstance(e, Load) else e, place)
    assert isinstance(body, Block)
    return map_body(replace(function, body=body), change)


def _declaration(function: Function, name: str) -> Decl:
    return next(s for s in walk_stmts(function.body) if isinstance(s, Decl) and s.name == name)


@dataclass
class _Spread:
    """One dimension of one array on its way into threads."""

    function: Function
    decl: Decl
    dimension: int

    def result(self) -> Function | None:
        array = self.decl.name
        if sum(isinstance(s, Decl) and s.name == array for s in walk_stmts(self.function.body)) != 1:
            return None
        if any(isinstance(n, Ref) and n.array == array for n in walk_users(self.function.body, array)):
            return None
        if not counts_all_dimensions(self.function.body, self.decl):
            return None
        extent = self.decl.shape[self.dimension]
        assert isinstance(extent, Const)
        rolled = _Rolled(array, self.dimension, int(extent.value), Names(self.function))
        body = rolled.block(self.function.body, Facts.of(self.function))
        loops = self.loops(body)
        stop = self.common_stop(loops, extent)
        if stop is None:
            return None
        counters = {loop.var for loop in loops}

        def mark(stmt: Stmt) -> Stmt:
            if isinstance(stmt, For) and stmt.var in counters:
                loop = self.counting_in(stmt, stop.dtype)
                return replace(loop, stop=stop, kind=LoopKind.THREADS, unroll=0)
            return stmt

        marked = map_body(replace(self.function, body=body), mark)
        for _ in range(len(self.decl.shape) + 1):
            fused = fuse_threads(marked, outer=True, array=array)
            if not self.is_left(fused):
                return fused
            marked = replace(fused, body=self.outward(fused.body, counters))
            if marked == fused:
                return None
        return None

    def counting_in(self, loop: For, dtype: DType) -> For:
        """The loop with a counter of the type, which has room for all its numbers."""
        if loop.dtype == dtype:
            return loop
        counter = Var(dtype, loop.var)

        old = cast(counter, loop.dtype)

        def place(target: Var | Load) -> Var | Load:
            if not isinstance(target, Load) or not self.is_access(target):
                return target
            return replace(target, index=tuple(counter if i == old else i for i in target.index))

        def change(expr: Expr) -> Expr:
            if expr == Var(loop.dtype, loop.var):
                return old
            return place(expr) if isinstance(expr, Load) else expr

        body = map_expr(loop.body, change, place)
        assert isinstance(body, Block)
        return replace(loop, dtype=dtype, start=const(0, dtype), step=const(1, dtype), body=body)

    def is_access(self, node: object) -> bool:
        return isinstance(node, Load) and node.array == self.decl.name

    def is_left(self, function: Function) -> bool:
        rank = len(self.decl.shape)
        same = (d for d in walk_stmts(function.body) if isinstance(d, Decl) and d.name == self.decl.name)
        return any(len(d.shape) == rank for d in same)

    def loops(self, body: Block) -> list[For]:
        """The loops that count through the dimension; none if an access is not by such a loop."""
        by_name: dict[str, list[For]] = {}
        for loop in walk_stmts(body):
            if isinstance(loop, For):
                by_name.setdefault(loop.var, []).append(loop)
        found: dict[str, For] = {}
        for node in walk_users(body, self.decl.name):
            if isinstance(node, Load) and self.is_access(node):
                if len(node.index) != len(self.decl.shape):
                    return []
                index = node.index[self.dimension]
                loops = by_name.get(index.name, []) if isinstance(index, Var) else []
                if len(loops) != 1 or not is_const(loops[0].start, 0) or not is_const(loops[0].step, 1):
                    return []
                found[loops[0].var] = loops[0]
        return list(found.values())

    def common_stop(self, loops: Sequence[For], extent: Const) -> Expr | None:
        """Where all the loops may end: where most of them do, if those that go through the whole dimension
        do nothing beyond it but set registers."""
        stops = {loop.stop for loop in loops}
        part = [stop for stop in stops if stop != extent]
        if not stops or len(part) > 1:
            return None
        if not part:
            return extent
        if any(n.name in Facts.of(self.function).mutable for n in walk(part[0]) if isinstance(n, Var)):
            return None
        whole = [loop for loop in loops if loop.stop == extent]
        counters = {loop.var for loop in loops}
        return part[0] if all(self.only_sets(loop, counters) for loop in whole) else None

    def only_sets(self, loop: For, counters: set[str]) -> bool:
        """Whether a loop only sets registers, which no loop but those of the dimension uses."""
        targets = {
            s.target.array if isinstance(s, Assign) and isinstance(s.target, Load) else ""
            for s in walk_stmts(loop.body)
            if not isinstance(s, Block | For)
        }
        local = {d.name for d in walk_stmts(self.function.body) if isinstance(d, Decl) and d.shape}
        return targets <= local and all(
            any(isinstance(i, Var) and i.name in counters for i in n.index)
            for n in walk(self.function.body)
            if isinstance(n, Load) and n.array in targets
        )

    def outward(self, block: Block, counters: set[str]) -> Block:
        """Loops over the dimension around the thread loops that they are all in: `threads lane: threads i`
        becomes `threads i: threads lane`."""

        def change(stmt: Stmt) -> Stmt:
            match stmt:
                case For(kind=LoopKind.THREADS, var=var, body=Block(body=inner)) if var not in counters:
                    *heads, last = spliced(inner)
                    if heads or not (isinstance(last, For) and last.var in counters):
                        return stmt
                    bounds = free_vars(replace(last, body=Block(())))
                    if stmt.var in bounds:
                        return stmt
                    return replace(last, body=Block((replace(stmt, body=last.body),)))
            return stmt

        result = map_stmt(block, change)
        assert isinstance(result, Block)
        return result


@dataclass
class _Rolled:
    """What is written out for every place of a dimension, as loops over it."""

    array: str
    dimension: int
    extent: int
    names: Names

    def block(self, block: Block, facts: Facts) -> Block:
        if not is_used(self.array, block):  # there are hundreds of registers, each of them in few places
            return block
        body = [self.below(s, facts) for s in spliced(block.body)]
        about = [self.indices(s) for s in body]
        out: list[Stmt] = []
        at = 0
        while at < len(body):
            count, loop = self.run(body[at:], about[at:], facts)
            out += [loop] if loop is not None else body[at : at + count]
            at += count
        return Block(tuple(out), range=block.range)

    def below(self, stmt: Stmt, facts: Facts) -> Stmt:
        inside = facts.inside(stmt) if isinstance(stmt, For) else facts

        def change(child: object, field: str) -> object:
            return self.block(child, inside) if isinstance(child, Block) else child

        result: Stmt = rebuild(stmt, change)
        return result

    def run(self, body: Sequence[Stmt], about: Sequence[Set[Expr]], facts: Facts) -> tuple[int, For | None]:
        """How many statements a loop replaces, and the loop; else how many stay as they are. `about`: the
        places of the dimension that each statement is about."""
        for length in range(1, min(_LONGEST, len(body) // self.extent) + 1):
            count = length * self.extent
            copies = [body[n : n + length] for n in range(0, count, length)]
            places = [_only(about[n : n + length]) for n in range(0, count, length)]
            if set(places) != set(range(self.extent)) or _reads_of(body[:count], body[count:]):
                continue
            ordered = [copies[places.index(n)] for n in range(self.extent)]
            number = Var(I32, "?copy")
            made = template(ordered, number)
            if made is None:
                continue
            number = Var(I32, self.names.fresh("r"))
            made = substitute(Block(made), {"?copy": number}).body
            loop = For(number.name, I32, const(0), const(self.extent), const(1), Block(made))
            if independent_iterations([loop], made, facts.inside(loop)):
                return count, loop
        return 1, None

    def indices(self, stmt: Stmt) -> Set[Expr]:
        if not is_used(self.array, stmt):
            return frozenset()
        loads = (n for n in walk_users(stmt, self.array) if isinstance(n, Load) and n.array == self.array)
        return {n.index[self.dimension] for n in loads}


_LONGEST = 8  # statements that one register may take


def _only(about: Sequence[Set[Expr]]) -> int | None:
    """The one place that statements are about."""
    found = frozenset[Expr]().union(*about)
    only = next(iter(found)) if len(found) == 1 else None
    return int(only.value) if isinstance(only, Const) else None


def _reads_of(copies: Sequence[Stmt], rest: Sequence[Stmt]) -> bool:
    """Whether scalars of the copies are read behind them."""
    own = {s.name for s in copies if isinstance(s, Decl)}
    return bool(own & uses(Block(tuple(rest))).vars_read)


def _forwarded(function: Function) -> Function:
    """Registers that were just set to a constant, as that constant where they are read:
    `a[1] = 0; v = a[1]; a[0] = v` sets `a[0]` to 0."""
    local = {s.name for s in walk_stmts(function.body) if isinstance(s, Decl) and s.shape}

    def change(stmt: Stmt) -> Stmt:
        if not isinstance(stmt, Block):
            return stmt
        known: dict[Load, Expr] = {}
        out: list[Stmt] = []
        for one in spliced(stmt.body):
            if not isinstance(one, Assign | Decl):
                known = {}
                out.append(one)
                continue
            new = map_expr(one, _looked_up(known))
            match new:
                case Assign(target=Load(array=array) as place, value=value):
                    known = {p: v for p, v in known.items() if p.array != array or _apart(p, place)}
                    if array in local and isinstance(value, Const) and new.reduce is None:
                        known[place] = value
            out.append(new)
        return replace(stmt, body=tuple(out))

    body = map_stmt(function.body, change)
    assert isinstance(body, Block)
    return function if body == function.body else tidy(replace(function, body=body))


def _looked_up(values: Mapping[Load, Expr]) -> Callable[[Expr], Expr]:
    return lambda e: values.get(e, e) if isinstance(e, Load) else e


def _apart(first: Load, second: Load) -> bool:
    pairs = zip(first.index, second.index, strict=True)
    return any(isinstance(a, Const) and isinstance(b, Const) and a != b for a, b in pairs)
