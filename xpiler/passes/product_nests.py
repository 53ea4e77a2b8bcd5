"""Sums of products among other steps of a few rows get a nest of their own, where rows share their loads.

    threads r in 0..4:                                     f32 p[4][32];
      f32 p[32];                                           threads r in 0..4: A(r, p[r])
      A(p)                                                 threads r in 0..4: parallel c in 0..n:
      for k: parallel c in 0..n:                    -->      f32 sum = acc[r][c]
        acc[r][c] += p[k] * v[k][c]                          for k: sum += p[r][k] * v[k][c]
      B(r)                                                   acc[r][c] = sum
                                                           threads r in 0..4: B(r)

The rows are independent, so each step may be done for all of them before the next one; a step that waits for
what a loop has computed is one of its own, so that the processor goes on with another row meanwhile. It
applies to loops of few rows around a sum of which a factor is the same in all rows. What lives from one step
to another gets an element a row; a sum for some of the columns only is done for those where a bound says so,
else for all of them where what it reads is there, and the others then get what they had.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from xpiler.ir.affine import simplify
from xpiler.ir.build import const, is_const, minimum, select
from xpiler.ir.nodes import (
    TRUE,
    Assign,
    Atomic,
    Block,
    Const,
    Decl,
    Expr,
    For,
    Function,
    If,
    Load,
    LoopKind,
    Ref,
    Space,
    Stmt,
    Trap,
    Var,
    While,
)
from xpiler.ir.rewrite import (
    arrays_read,
    arrays_written,
    assigned_vars,
    free_vars,
    map_expr,
    map_stmt,
    substitute,
    walk,
    walk_stmts,
)
from xpiler.passes.facts import Facts
from xpiler.passes.folds import REDUCTIONS
from xpiler.passes.independence import independent_iterations
from xpiler.passes.inside_ranges import bound_of
from xpiler.passes.names import Names
from xpiler.passes.vectorize import INDEPENDENT

FEWEST, MOST = 4, 64  # rows
NARROWEST = 8  # columns, where their number is known


def split_products(function: Function) -> Function:
    """In all loops of the function."""
    body = _Split(Names(function), _shapes(function)).block(function.body, Facts.of(function))
    return function if body == function.body else replace(function, body=body)


def _shapes(function: Function) -> dict[str, tuple[int, ...]]:
    found: dict[str, tuple[int, ...]] = {}
    for decl in walk_stmts(function.body):
        if isinstance(decl, Decl) and decl.shape:
            found[decl.name] = tuple(int(e.value) if isinstance(e, Const) else 0 for e in decl.shape)
    return found


@dataclass
class _Split:
    names: Names
    shapes: dict[str, tuple[int, ...]]

    def block(self, block: Block, facts: Facts) -> Block:
        out: list[Stmt] = []
        for stmt in block.body:
            out += self.stmt(stmt, facts)
        return replace(block, body=tuple(out))

    def stmt(self, stmt: Stmt, facts: Facts) -> tuple[Stmt, ...]:
        match stmt:
            case For(body=body):
                apart = self.rows(stmt, facts)
                if apart is not None:
                    return apart
                return (replace(stmt, body=self.block(body, facts.inside(stmt))),)
            case If(condition=condition, then=then, otherwise=otherwise):
                met, unmet = facts.where(condition), facts.where(condition, False)
                return (replace(stmt, then=self.block(then, met), otherwise=self.block(otherwise, unmet)),)
            case Block():
                return (self.block(stmt, facts),)
        return (stmt,)

    def rows(self, loop: For, facts: Facts) -> tuple[Stmt, ...] | None:
        """The loops that replace a loop of rows; None if it is none, or has no such sum in it."""
        if loop.kind not in INDEPENDENT or not is_const(loop.start, 0) or not is_const(loop.step, 1):
            return None
        if not isinstance(loop.stop, Const) or not FEWEST <= int(loop.stop.value) <= MOST:
            return None
        if any(isinstance(s, (While, Atomic, Trap)) for s in walk_stmts(loop.body)):
            return None
        inside = facts.inside(loop)
        pieces: list[tuple[bool, tuple[Stmt, ...]]] = []  # whether it is a product, and its statements
        for stmt in loop.body.body:
            for product, stmts in self.pieces(stmt, loop, inside):
                if product or not pieces or pieces[-1][0]:
                    pieces.append((product, stmts))
                elif _waits(stmts[0], pieces[-1][1]):
                    before, starts = _with_starts(pieces[-1][1])
                    pieces[-1:] = [(False, before), (False, (*starts, *stmts))]
                else:
                    pieces[-1] = False, (*pieces[-1][1], *stmts)
        if not any(product for product, _ in pieces):
            return None
        return self.distributed(loop, [stmts for _, stmts in pieces])

    # ------------------------------------------------------------------------------- what is a product

    def pieces(self, stmt: Stmt, rows: For, facts: Facts) -> Iterator[tuple[bool, tuple[Stmt, ...]]]:
        """A statement as a product and what is done before and after it."""
        loop = _turned(stmt, facts)
        found = self.product(loop, rows, facts) if isinstance(loop, For) else None
        if found is None:
            yield False, (stmt,)
            return
        nest, after = found
        yield True, (nest,)
        if after is not None:
            yield False, (after,)

    def product(self, columns: For, rows: For, facts: Facts) -> tuple[For, For | None] | None:
        """The nest over columns whose sum is kept in a variable, and a loop over them that comes after it."""
        if columns.kind not in INDEPENDENT or not is_const(columns.step, 1) or not is_const(columns.start, 0):
            return None
        if isinstance(columns.stop, Const) and int(columns.stop.value) < NARROWEST:
            return None
        match columns.body.body:
            case (For() as loop,):
                total = _element(loop)
                if total is None or not self.shared(loop, rows, columns):
                    return None
                return self.summed(columns, total, total, loop), None
            case (
                Assign(target=Load() as place, value=value, reduce=None),
                If(
                    condition=condition,
                    then=Block(
                        body=(Assign(target=Load() as first, value=start, reduce=None), For() as loop)
                    ),
                    otherwise=Block(body=()),
                ),
            ):
                if place != first or _element(loop) != place or not self.shared(loop, rows, columns):
                    return None
                exprs = (start, value, condition)
                if any(isinstance(n, Load) for e in exprs for n in walk(e)):
                    return None
                some = _bounded(columns, condition, rows)
                if some is None and not self.exists(loop, condition, columns, facts):
                    return None
                kept = Assign(place, select(condition, place, value))
                return self.summed(some or columns, place, start, loop), replace(columns, body=Block((kept,)))
            case (Assign(target=Load() as place, value=start, reduce=None), For() as loop):
                plain = _element(loop) == place and self.shared(loop, rows, columns)
                if not plain or any(isinstance(n, Load) and n.array == place.array for n in walk(start)):
                    return None
                return self.summed(columns, place, start, loop), None
        return None

    def summed(self, columns: For, place: Load, start: Expr, loop: For) -> For:
        total = Var(place.dtype, self.names.fresh(f"{place.array}_total"))

        def within(stmt: Stmt) -> Stmt:
            if isinstance(stmt, Assign) and stmt.target == place:
                return replace(stmt, target=total)
            return stmt

        body = (Decl(total.name, total.dtype, init=start), map_stmt(loop, within), Assign(place, total))
        return replace(columns, body=Block(body))

    def shared(self, loop: For, rows: For, columns: For) -> bool:
        """Whether something that the sum reads is the same in all rows and another in every column, and
        nothing that it reads is written on the way."""
        loads = [n for s in walk_stmts(loop.body) for n in _read(s)]
        place = _element(loop)
        assert place is not None
        if any(n.array == place.array for n in loads) or {rows.var, columns.var} & free_vars(loop.stop):
            return False
        free = [frozenset().union(*(free_vars(i) for i in n.index)) for n in loads]
        inner = {loop.var} | {d.name for d in walk_stmts(loop.body) if isinstance(d, Decl)}
        return any(rows.var not in f and columns.var in f and f & inner for f in free) and any(
            columns.var not in f for f in free
        )

    def exists(self, loop: For, condition: Expr, columns: For, facts: Facts) -> bool:
        """Whether all columns may be summed, though the program sums some only: the first one is among them,
        so that what depends on no column is there, and the others' elements lie in arrays of that length."""
        if not isinstance(columns.stop, Const):
            return False
        first = simplify(substitute(condition, {columns.var: const(0, columns.dtype)}), facts.ranges)
        if first != TRUE and facts.decides(first) is not True:
            return False
        count = int(columns.stop.value)
        for load in (n for s in walk_stmts(loop.body) for n in _read(s)):
            shape = self.shapes.get(load.array, ())
            for k, index in enumerate(load.index):
                if columns.var not in free_vars(index):
                    continue
                if index != Var(columns.dtype, columns.var) or len(shape) != len(load.index):
                    return False
                if shape[k] < count:
                    return False
        return True

    # --------------------------------------------------------------------------------------- the loops

    def distributed(self, loop: For, pieces: list[tuple[Stmt, ...]]) -> tuple[Stmt, ...] | None:
        """A loop over the rows for each piece, and an element a row of what they have in common."""
        row = Var(loop.dtype, loop.var)
        homes = {
            s.name: (number, s) for number, stmts in enumerate(pieces) for s in stmts if isinstance(s, Decl)
        }
        across = {
            name
            for name, (number, _) in homes.items()
            if any(_mentions(s, name) for stmts in pieces[number + 1 :] for s in stmts)
        }
        if not all(_plain(homes[name][1], loop) for name in across):
            return None

        def read(expr: Expr) -> Expr:
            match expr:
                case Var(name=name) if name in across:
                    return Load(expr.dtype, name, (row,))
                case Load(array=array, index=index) if array in across:
                    return replace(expr, index=(row, *index))
            return expr

        def written(target: Var | Load) -> Var | Load:
            place = read(target)
            assert isinstance(place, (Var, Load))
            return place

        def placed(stmt: Stmt) -> Iterator[Stmt]:
            if not isinstance(stmt, Decl) or stmt.name not in across:
                yield map_expr(stmt, read, written)
            elif isinstance(stmt.init, Expr):
                yield map_expr(Assign(Var(stmt.dtype, stmt.name), stmt.init), read, written)

        heads = [
            Decl(name, decl.dtype, (loop.stop, *decl.shape), Space.LOCAL)
            for name, (_, decl) in homes.items()
            if name in across
        ]
        bodies = [tuple(new for stmt in stmts for new in placed(stmt)) for stmts in pieces]
        loops = [replace(loop, body=Block(body)) for body in bodies if body]
        return (*heads, *loops)


def _plain(decl: Decl, loop: For) -> bool:
    """Whether a variable can have an element a row: all accesses to an array name each dimension of it, as
    what it holds, and its extents are known before the loop."""
    if not decl.shape:
        return True
    inside = {loop.var} | {d.name for d in walk_stmts(loop.body) if isinstance(d, Decl)}
    if decl.init is not None or any(free_vars(e) & inside for e in decl.shape):
        return False
    return all(
        isinstance(n, Load) and len(n.index) == len(decl.shape) and n.dtype == decl.dtype
        for n in walk(loop.body)
        if isinstance(n, (Load, Ref)) and n.array == decl.name
    )


def _waits(stmt: Stmt, before: Sequence[Stmt]) -> bool:
    """Whether a loop needs what a loop before it has computed: the processor waits for a row at such places,
    unless another row is next."""
    late: frozenset[str] = frozenset()
    for other in before:
        changed = arrays_written(other) | assigned_vars(other)
        match other:
            case For():
                late |= changed
            case Decl(name=name, init=Expr() as init) if late & (free_vars(init) | arrays_read(init)):
                late |= {name}
            case Assign(value=value) if late & (free_vars(value) | arrays_read(value)):
                late |= changed
    return isinstance(stmt, For) and bool(late & (free_vars(stmt) | arrays_read(stmt)))


def _with_starts(stmts: tuple[Stmt, ...]) -> tuple[tuple[Stmt, ...], tuple[Stmt, ...]]:
    """The statements, and apart from them the variables they declare last, with numbers to start from."""
    end = len(stmts)
    while end and isinstance(last := stmts[end - 1], Decl) and isinstance(last.init, Const):
        end -= 1
    return stmts[:end], stmts[end:]


def _bounded(columns: For, condition: Expr, rows: For) -> For | None:
    """The columns of which the condition holds, where it is a bound that all rows have in common."""
    bound = bound_of(condition, columns.var) if columns.var in free_vars(condition) else None
    _, high = bound or (None, None)
    inside = {rows.var} | {d.name for d in walk_stmts(rows.body) if isinstance(d, Decl)}
    if high is None or free_vars(high) & inside | free_vars(high) & assigned_vars(rows.body):
        return None
    return replace(columns, stop=minimum(columns.stop, high))


def _turned(stmt: Stmt, facts: Facts) -> Stmt:
    """`for k: parallel c: S` as `parallel c: for k: S`, where no column touches what another writes."""
    match stmt:
        case For(kind=LoopKind.SERIAL, body=Block(body=(*heads, For() as columns))):
            pass
        case _:
            return stmt
    if (
        columns.kind not in INDEPENDENT
        or not is_const(columns.step, 1)
        or {stmt.var} & free_vars(columns.stop)
    ):
        return stmt
    plain = all(isinstance(h, Decl) and not h.shape and isinstance(h.init, Expr) for h in heads)
    if not plain or {h.name for h in heads if isinstance(h, Decl)} & free_vars(columns.stop):
        return stmt
    if not set(arrays_written(columns)).isdisjoint(array for h in heads for array in arrays_read(h)):
        return stmt
    if any(isinstance(n, Load) for n in walk(columns.stop)):
        return stmt
    inner = replace(stmt, body=Block((*heads, *columns.body.body)))
    if not independent_iterations((columns,), (inner,), facts.inside(columns)):
        return stmt
    return replace(columns, body=Block((inner,)))


def _element(loop: For) -> Load | None:
    """The element that all iterations add to, with nothing else in the loop but numbers for it."""
    if loop.kind is not LoopKind.SERIAL or not loop.body.body:
        return None
    *heads, last = loop.body.body
    if not all(isinstance(h, Decl) and not h.shape and isinstance(h.init, Expr) for h in heads):
        return None
    match last:
        case Assign(target=Load(index=index) as place, reduce=reduce) if reduce in REDUCTIONS:
            inner = {loop.var} | {h.name for h in heads if isinstance(h, Decl)}
            if any(free_vars(i) & inner or any(isinstance(n, Load) for n in walk(i)) for i in index):
                return None
            return place
    return None


def _read(stmt: Stmt) -> Iterator[Load]:
    match stmt:
        case Assign(value=Expr() as value) | Decl(init=Expr() as value):
            yield from (n for n in walk(value) if isinstance(n, Load))


def _mentions(stmt: Stmt, name: str) -> bool:
    return any(
        (isinstance(n, Var) and n.name == name) or (isinstance(n, Load) and n.array == name)
        for n in walk(stmt)
    )
