"""Sums over a tile stop where the tile was filled up with numbers that add nothing.

    for (s) step 32:                                            for (s) step 32:
      for k in 0..32: v[k] = s + k < n ? V[s + k] : 0             ...
      for t in 0..32: x[t] = s + t < n ? x[t] : -inf              ...
      for t in 0..32: p[t] = exp(x[t] - top)              -->     ...
      for k in 0..32: sum += p[k] * v[k]                          for k in 0..min(32, n - s): sum += ..

The last tile of a length that is no multiple of its own is mostly filling, and of a short one nearly half of
all work is. Of products whose factors all are 0 there: they were read so from memory, or are the exponential
of -inf less a number. (Less -inf or NaN that is NaN, and so it is for elements that the tile has, of which
there is one at least, where what is subtracted is the largest.) All that a sum reads was filled in the same
way.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum

from xpiler.ir.build import is_const, minimum
from xpiler.ir.nodes import (
    Assign,
    Binary,
    Block,
    Call,
    Const,
    Decl,
    Expr,
    For,
    Function,
    Load,
    LoopKind,
    Select,
    Stmt,
    Var,
)
from xpiler.ir.rewrite import (
    arrays_read,
    arrays_written,
    assigned_vars,
    free_vars,
    map_stmt,
    substitute,
    walk_stmts,
)
from xpiler.passes.facts import mutable_vars
from xpiler.passes.folds import folded
from xpiler.passes.inside_ranges import bound_of, parts_of
from xpiler.passes.later_peaks import EXPONENTIALS
from xpiler.passes.vectorize import INDEPENDENT


def stop_at_fillings(function: Function) -> Function:
    """In the steps of all serial loops of a function."""
    shapes = {d.name: d.shape for d in walk_stmts(function.body) if isinstance(d, Decl) and d.shape}
    writes = Counter(
        s.target.array
        for s in walk_stmts(function.body)
        if isinstance(s, Assign) and isinstance(s.target, Load)
    )
    fixed = frozenset(p.name for p in function.params if not p.is_pointer) - mutable_vars(function)

    def change(stmt: Stmt) -> Stmt:
        if not isinstance(stmt, For) or stmt.kind is not LoopKind.SERIAL:
            return stmt
        steps = _Steps(shapes, writes, fixed, _changing(stmt.body), {})
        body = tuple(steps.step(s) for s in stmt.body.body)
        return stmt if body == stmt.body.body else replace(stmt, body=replace(stmt.body, body=body))

    body = map_stmt(function.body, change)
    assert isinstance(body, Block)
    return function if body == function.body else replace(function, body=body)


def _changing(block: Block) -> frozenset[str]:
    """Variables that are not the same all through a block."""
    inside = {s.name for s in walk_stmts(block) if isinstance(s, Decl)}
    return assigned_vars(block) | inside | {s.var for s in walk_stmts(block) if isinstance(s, For)}


class _Filling(Enum):
    """What the elements behind the end are. FADED: exponentials of LOWEST less something."""

    ZERO = 0
    LOWEST = 1
    FADED = 2


@dataclass(frozen=True)
class _Tail:
    """Elements of an array from `limit` to `stop` along one dimension."""

    dimension: int
    stop: Const
    limit: Expr
    filling: _Filling


@dataclass
class _Steps:
    """The steps of a loop, in their order. `writes`: how often the function's text writes each array."""

    shapes: Mapping[str, tuple[Expr, ...]]
    writes: Mapping[str, int]
    fixed: frozenset[str]
    changing: frozenset[str]
    tails: dict[str, _Tail]

    def step(self, stmt: Stmt) -> Stmt:
        """The statement with its sums shortened by what those before it say; it says something itself."""
        written = arrays_written(stmt)
        known = {array: tail for array, tail in self.tails.items() if array not in written}
        changed = map_stmt(stmt, lambda s: self.shortened(s, known) if isinstance(s, For) else s)
        self.learn(stmt, ())
        return changed

    def shortened(self, loop: For, tails: Mapping[str, _Tail]) -> For:
        if loop.kind is not LoopKind.SERIAL or not is_const(loop.start, 0) or not is_const(loop.step, 1):
            return loop
        *heads, last = loop.body.body or (loop,)
        values: dict[str, Expr] = {}
        for head in heads:
            if not isinstance(head, Decl) or head.shape or not isinstance(head.init, Expr):
                return loop
            values[head.name] = substitute(head.init, values)
        fold = folded(last) if isinstance(last, Assign) and isinstance(last.target, Var) else None
        if fold is None or fold[0] != "+" or not isinstance(fold[1], Binary) or fold[1].op != "*":
            return loop
        tail = self.tail(substitute(fold[1], values), loop, tails)
        return loop if tail is None else replace(loop, stop=minimum(loop.stop, tail[1]))

    # ---------------------------------------------------------------------------------- what is known

    def learn(self, stmt: Stmt, loops: tuple[For, ...]) -> None:
        match stmt:
            case For(body=body) if (
                stmt.kind in INDEPENDENT and is_const(stmt.start, 0) and is_const(stmt.step, 1)
            ):
                for inner in body.body:
                    self.learn(inner, (*loops, stmt))
                return
            case Assign(target=Load(array=array) as place, value=value, reduce=None):
                tail = self.filled(place, value, loops)
                if tail is not None:
                    self.tails[array] = tail
                    return
        for array in arrays_written(stmt):
            self.tails.pop(array, None)

    def filled(self, place: Load, value: Expr, loops: tuple[For, ...]) -> _Tail | None:
        """What the statement leaves behind the end, if it writes all of the array that is ever written."""
        by_index = [next((n for n in loops if i == Var(n.dtype, n.var)), None) for i in place.index]
        counters = [n for n in by_index if n is not None]
        shape = self.shapes.get(place.array, ())
        if len(counters) != len(shape) or len({n.var for n in counters}) != len(shape):
            return None
        if {n.var for n in loops} != {n.var for n in counters}:
            return None
        if self.writes[place.array] != 1:
            if any(n.stop != extent for n, extent in zip(counters, shape, strict=True)):
                return None
        elif any(arrays_read(n.stop) or not free_vars(n.stop) <= self.fixed for n in counters):
            return None
        for dimension, loop in enumerate(counters):
            found = self.tail(value, loop, self.tails)
            if found is not None and isinstance(loop.stop, Const):
                return _Tail(dimension, loop.stop, found[1], found[0])
        return None

    def tail(self, value: Expr, loop: For, tails: Mapping[str, _Tail]) -> tuple[_Filling, Expr] | None:
        """What a value is where the loop's counter is behind the end, and the end."""
        counter = Var(loop.dtype, loop.var)
        match value:
            case Select(condition=condition, otherwise=Const(value=number)) if number in (0, -math.inf):
                filling = _Filling.LOWEST if number else _Filling.ZERO
                for part in parts_of(condition):
                    if loop.var not in free_vars(part):
                        continue
                    _, high = bound_of(part, loop.var) or (None, None)
                    if high is not None and not free_vars(high) & self.changing:
                        return filling, high
            case Load(array=array, index=index) if array in tails:
                tail = tails[array]
                others = (i for d, i in enumerate(index) if d != tail.dimension)
                own = len(index) > tail.dimension and index[tail.dimension] == counter
                if own and tail.stop == loop.stop and not any(loop.var in free_vars(i) for i in others):
                    return tail.filling, tail.limit
            case Call(function=function, args=(Binary(op="-", left=left, right=right),)) if (
                function in EXPONENTIALS
            ):
                inside = {loop.var} | {s.name for s in walk_stmts(loop.body) if isinstance(s, Decl)}
                found = self.tail(left, loop, tails)
                if found is not None and found[0] is _Filling.LOWEST and not free_vars(right) & inside:
                    return _Filling.FADED, found[1]
            case Binary(op="*", left=left, right=right):
                found, other = self.tail(left, loop, tails), self.tail(right, loop, tails)
                if found is None or other is None or found[1] != other[1]:
                    return None
                if _Filling.LOWEST not in (found[0], other[0]):
                    return _Filling.ZERO, found[1]
        return None
