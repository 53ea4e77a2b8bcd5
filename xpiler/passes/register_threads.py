"""A thread's registers that never meet become threads of their own.

    float acc[4][4];                                    threads i in 0..4: threads j in 0..4:
    acc[0][0] = 0; acc[0][1] = 0; ...                     float acc = 0
    for k: for i: for j: acc[i][j] += a(i) * b(j)  -->    for k: acc += a(i) * b(j)
    for i: { row = f(i);                                  row = f(i)
      if (row < m) for j: c[..] = acc[i][j] }             if (row < m) c[..] = acc

Applies to a local array whose last dimensions every statement goes through whole, in the same order, by loops
that do nothing else, or one by one with constants; and where the loops can be fused into one nest
(`thread_fusion.py`), so that the array becomes a scalar.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from xpiler.ir.build import is_const
from xpiler.ir.nodes import Assign, Block, Const, Decl, Expr, For, Function, If, Load, LoopKind, Stmt, Var
from xpiler.ir.rewrite import (
    arrays_read,
    arrays_written,
    assigned_vars,
    free_vars,
    is_used,
    map_body,
    rebuild,
    walk_stmts,
    walk_users,
)
from xpiler.passes.names import Names
from xpiler.passes.structured import spliced
from xpiler.passes.thread_fusion import fuse_threads


def spread_registers(function: Function) -> Function:
    """Every such array, one after the other."""
    arrays = [d for d in walk_stmts(function.body) if isinstance(d, Decl) and d.shape and d.init is None]
    for decl in arrays:
        function = _Spread(function, decl).result() or function
    return function


@dataclass
class _Spread:
    """One array on its way into threads."""

    function: Function
    decl: Decl

    def result(self) -> Function | None:
        extents = [int(e.value) if isinstance(e, Const) else 0 for e in self.decl.shape]
        if not all(extents) or not counts_all_dimensions(self.function.body, self.decl):
            return None
        names = Names(self.function)
        rolled = _Rolled(self.decl.name, extents, names).block(self.function.body)
        first = self.first_register(rolled, extents)
        if first is None:
            return None
        self.extents, self.first = extents[first:], first
        marked = map_body(replace(self.function, body=rolled), self.mark)
        fused = fuse_threads(marked)
        left = any(
            isinstance(d, Decl) and d.name == self.decl.name and d.shape for d in walk_stmts(fused.body)
        )
        return None if left else fused

    def first_register(self, body: Block, extents: list[int]) -> int | None:
        """The first of the last dimensions, at most two, that loops count through in every access."""
        loops = {loop.var: loop for loop in walk_stmts(body) if isinstance(loop, For)}
        counted = [True] * len(extents)
        for load in walk_users(body, self.decl.name):
            if isinstance(load, Load) and load.array == self.decl.name:
                for n, (index, extent) in enumerate(zip(load.index, extents, strict=True)):
                    loop = loops.get(index.name) if isinstance(index, Var) else None
                    counted[n] &= (
                        loop is not None and loop.kind is not LoopKind.THREADS and _goes(loop, extent)
                    )
        first = len(extents)
        while first and counted[first - 1] and len(extents) - first < 2:
            first -= 1
        return first if first < len(extents) else None

    def mark(self, stmt: Stmt) -> Stmt:
        """The loops of a statement over the registers as thread loops around everything in them."""
        if not isinstance(stmt, For) or not self.uses(stmt):
            return stmt
        loops: list[For] = []
        body = self.nested(stmt, loops)
        loads = walk_users(Block(body), self.decl.name)
        found = (n.index[self.first :] for n in loads if isinstance(n, Load) and self.is_register(n))
        if [Var(loop.dtype, loop.var) for loop in loops] != list(next(found, ())):
            return stmt
        for loop in reversed(loops):
            body = (replace(loop, body=Block(body), kind=LoopKind.THREADS, unroll=0),)
        marked = body[0]
        assert isinstance(marked, For)
        return marked

    def nested(self, loop: For, loops: list[For]) -> tuple[Stmt, ...]:
        """What is inside the loops over registers, `loops`, with what stands between them moved inside."""
        depth = len(loops)
        if depth == len(self.extents) or not _goes(loop, self.extents[depth]):
            return (loop,)
        loops.append(loop)
        body = spliced(loop.body.body)
        return self.inside(body, loops)

    def inside(self, body: Sequence[Stmt], loops: list[For]) -> tuple[Stmt, ...]:
        *heads, last = body
        if not all(isinstance(h, Decl) and not h.shape and isinstance(h.init, Expr) for h in heads):
            return tuple(body)
        if len(loops) == len(self.extents):
            return tuple(body)
        match last:
            case For():
                count = len(loops)
                inner = self.nested(last, loops)
                return (*heads, *inner) if len(loops) > count else tuple(body)
            case If(condition=condition, then=then, otherwise=Block(body=())):
                changed = assigned_vars(then) | set(arrays_written(then))
                if changed & (free_vars(condition) | set(arrays_read(condition))):
                    return tuple(body)
                return (*heads, replace(last, then=Block(self.inside(spliced(then.body), loops))))
        return tuple(body)

    def uses(self, stmt: Stmt) -> bool:
        return is_used(self.decl.name, stmt)

    def is_register(self, node: object) -> bool:
        return isinstance(node, Load) and node.array == self.decl.name


def counts_all_dimensions(body: Block, array: Decl) -> bool:
    """Whether every access has an index for each dimension: none takes the array for a longer row."""
    loads = (n for n in walk_users(body, array.name) if isinstance(n, Load) and n.array == array.name)
    return all(len(load.index) == len(array.shape) for load in loads)


def _goes(loop: For, extent: int) -> bool:
    return is_const(loop.start, 0) and is_const(loop.step, 1) and is_const(loop.stop, extent)


@dataclass
class _Rolled:
    """Assignments of one value to all elements, one by one, as loops."""

    array: str
    extents: list[int]
    names: Names

    def block(self, block: Block) -> Block:
        if not is_used(self.array, block):
            return block
        body = list(spliced(block.body))
        out: list[Stmt] = []
        while body:
            count, loop = self.run(body)
            out.append(loop if loop is not None else self.below(body[0]))
            del body[:count]
        return Block(tuple(out), range=block.range)

    def below(self, stmt: Stmt) -> Stmt:
        def change(child: object, field: str) -> object:
            return self.block(child) if isinstance(child, Block) else child

        result: Stmt = rebuild(stmt, change)
        return result

    def run(self, body: Sequence[Stmt]) -> tuple[int, For | None]:
        """How many statements a loop replaces, and the loop."""
        match body[0]:
            case Assign(
                target=Load(array=self.array, index=index) as target, value=value, reduce=None
            ) if not (arrays_read(value)):
                first = len(index)
                while first and is_const(index[first - 1], 0):
                    first -= 1
                extents = self.extents[first:]
                count = math.prod(extents)
                if first == len(index) or len(body) < count:
                    return 1, None
                for number, stmt in enumerate(body[:count]):
                    digits: list[Expr] = []
                    for extent in reversed(extents):
                        digits.insert(0, Const(index[-1].dtype, number % extent))
                        number //= extent
                    place = replace(target, index=(*index[:first], *digits))
                    if stmt != Assign(place, value):
                        return 1, None
                counters = [Var(index[-1].dtype, self.names.fresh(c)) for c in "ij"[: len(extents)]]
                if len(counters) < len(extents):
                    return 1, None
                inner: Stmt = Assign(replace(target, index=(*index[:first], *counters)), value)
                zero, one = Const(index[-1].dtype, 0), Const(index[-1].dtype, 1)
                for counter, extent in reversed(list(zip(counters, extents, strict=True))):
                    stop = Const(counter.dtype, extent)
                    inner = For(counter.name, counter.dtype, zero, stop, one, Block((inner,)))
                assert isinstance(inner, For)
                return count, inner
        return 1, None
