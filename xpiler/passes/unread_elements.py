"""Elements of an array that nobody reads are not computed.

    f32 acc[128];                                         f32 acc[128];
    parallel i in 0..128: acc[i] = 0                      parallel i in 0..min(128, n): acc[i] = 0
    for s:                                                for s:
      parallel i in 0..128: acc[i] *= g            -->      parallel i in 0..min(128, n): acc[i] *= g
      parallel i in 0..min(n, 128): acc[i] += v[s][i]       parallel i in 0..min(n, 128): acc[i] += v[s][i]
    parallel i in 0..128: if (i < n) y[i] = acc[i]        parallel i in 0..128: if (i < n) y[i] = acc[i]

A kernel's registers and tiles have room for the largest size, and what it does to all of them at a smaller
one is for nothing. Of local arrays that are read, along one dimension, below a bound that is known from the
beginning; loops that do nothing but change all elements one by one end there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from xpiler.ir.affine import linear
from xpiler.ir.build import is_const, minimum
from xpiler.ir.nodes import (
    Assign,
    Atomic,
    Binary,
    Block,
    Call,
    Const,
    Decl,
    Expr,
    For,
    Function,
    If,
    Instr,
    Load,
    Ref,
    Stmt,
    Var,
    While,
)
from xpiler.ir.rewrite import children, free_vars, map_stmt, walk
from xpiler.passes.facts import mutable_vars
from xpiler.passes.inside_ranges import parts_of
from xpiler.passes.vectorize import INDEPENDENT

Dimension = tuple[str, int]  # of an array


def skip_unread(function: Function) -> Function:
    """In all loops over whole arrays."""
    shapes = {d.name: d for d in walk(function.body) if isinstance(d, Decl) and d.shape and d.init is None}
    for node in walk(function.body):
        match node:
            case Ref(array=array) | Atomic(place=Load(array=array)):
                shapes.pop(array, None)
            case Instr():
                return function
    mutable = mutable_vars(function)
    fixed = frozenset(p.name for p in function.params if not p.is_pointer) - mutable
    uses = _Uses(shapes, fixed, mutable)
    uses.stmt(function.body, (), ())
    ends = {
        where: next(iter(bounds))
        for where, bounds in uses.bounds.items()
        if where in uses.whole and len(bounds) == 1 and None not in bounds
    }

    def change(stmt: Stmt) -> Stmt:
        where = uses.changed_by(stmt) if isinstance(stmt, For) else None
        end = ends.get(where) if where is not None else None
        if not isinstance(stmt, For) or end is None:
            return stmt
        return replace(stmt, stop=minimum(stmt.stop, end))

    body = map_stmt(function.body, change) if ends else function.body
    assert isinstance(body, Block)
    return function if body == function.body else replace(function, body=body)


@dataclass
class _Uses:
    """How a function enters its arrays. `whole`: dimensions that loops go through element by element;
    `bounds`: below what all others enter them, None where nothing says so."""

    shapes: Mapping[str, Decl]
    fixed: frozenset[str]
    mutable: frozenset[str]
    whole: set[Dimension] = field(default_factory=set)
    bounds: dict[Dimension, set[Expr | None]] = field(default_factory=dict)

    def changed_by(self, loop: For) -> Dimension | None:
        """The dimension of which the loop changes all elements, each by itself, and does nothing else."""
        if loop.kind not in INDEPENDENT or not is_const(loop.start, 0) or not is_const(loop.step, 1):
            return None
        match loop.body.body:
            case (Assign(target=Load(array=array, index=index) as place, value=value),) if (
                array in self.shapes
            ):
                pass
            case _:
                return None
        if any(isinstance(n, Load) and n.array == array and n != place for n in walk(value)):
            return None
        if any(isinstance(n, Load) for i in index for n in walk(i)):
            return None
        own = [d for d, i in enumerate(index) if loop.var in free_vars(i)]
        if len(own) != 1 or index[own[0]] != Var(loop.dtype, loop.var):
            return None
        shape = self.shapes[array].shape
        if len(shape) != len(index) or shape[own[0]] != loop.stop or not isinstance(loop.stop, Const):
            return None
        return array, own[0]

    def stmt(self, stmt: Stmt, loops: tuple[For, ...], conditions: tuple[Expr, ...]) -> None:
        match stmt:
            case For(body=body):
                here = (*loops, stmt)
                for end in (stmt.start, stmt.stop, stmt.step):
                    self.expr(end, loops, conditions)
                where = self.changed_by(stmt)
                if where is not None:
                    self.whole.add(where)
                    (change,) = body.body
                    assert isinstance(change, Assign) and isinstance(change.target, Load)
                    self.load(change.target, here, conditions, but=where[1])
                    for load in _loads(change.value):
                        if load != change.target:
                            self.load(load, here, conditions)
                    return
                self.stmt(body, here, conditions)
            case If(condition=condition, then=then, otherwise=otherwise):
                self.expr(condition, loops, conditions)
                self.stmt(then, loops, (*conditions, *parts_of(condition)))
                self.stmt(otherwise, loops, conditions)
            case Block(body=statements):
                for inner in statements:
                    self.stmt(inner, loops, conditions)
            case While(body=body, advance=advance):
                self.expr(stmt.condition, loops, conditions)
                self.stmt(body, loops, conditions)
                self.stmt(advance, loops, conditions)
            case _:
                for child in children(stmt):
                    if isinstance(child, Expr):
                        self.expr(child, loops, conditions)

    def expr(self, expr: Expr, loops: tuple[For, ...], conditions: tuple[Expr, ...]) -> None:
        for load in _loads(expr):
            self.load(load, loops, conditions)

    def load(
        self, load: Load, loops: tuple[For, ...], conditions: tuple[Expr, ...], but: int | None = None
    ) -> None:
        decl = self.shapes.get(load.array)
        if decl is None:
            return
        exact = len(decl.shape) == len(load.index) and load.dtype == decl.dtype
        for d, extent in enumerate(decl.shape):
            if d == but:
                continue
            end = self.end(load.index[d], extent, loops, conditions) if exact else None
            self.bounds.setdefault((load.array, d), set()).add(end)

    def end(
        self, index: Expr, extent: Expr, loops: tuple[For, ...], conditions: tuple[Expr, ...]
    ) -> Expr | None:
        """What the index stays below, beside the extent itself."""
        found: list[Expr] = []
        for loop in loops:
            if index == Var(loop.dtype, loop.var) and is_const(loop.start, 0):
                match loop.stop:
                    case Call(function="min", args=(left, right)) if extent in (left, right):
                        found.append(right if left == extent else left)
                    case stop:
                        found.append(stop)
        form = None if free_vars(index) & self.mutable else linear(index)
        for condition in conditions:
            match condition:
                case Binary(op="<", left=left, right=right) if form is not None:
                    if left.dtype.is_signed and linear(left) == form:
                        found.append(right)
        known = (e for e in found if free_vars(e) and free_vars(e) <= self.fixed and not any(_loads(e)))
        return next(known, None)


def _loads(expr: Expr) -> Iterator[Load]:
    return (n for n in walk(expr) if isinstance(n, Load))
