"""Arrays of which the data decide whether, or how far, they are written: what a filter keeps, what it counts.

if (x[i] > limit) out[atomicAdd(count, 1)] = x[i];      `out` and `count`
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, field

from xpiler.ir.index_arrays import index_arrays
from xpiler.ir.nodes import Assign, Atomic, Block, Decl, Expr, For, Function, If, Load, Stmt, Var, While
from xpiler.ir.rewrite import walk

_ROUNDS = 4  # a chain through variables and scratchpads settles in a few


@functools.lru_cache(maxsize=64)  # a search runs a kernel many times
def written_by_data(kernel: Function) -> frozenset[str]:
    """Pointer parameters whose every write stands under a condition on data, or at an index that was counted
    under one."""
    params = {p.name for p in kernel.params if p.is_pointer}
    search = _Search(params - index_arrays(kernel).keys())
    for _ in range(_ROUNDS):
        known = len(search.data), len(search.counted)
        search.always.clear()
        search.block(kernel.body, guarded=False)
        if known == (len(search.data), len(search.counted)):
            break
    return frozenset((params & search.sometimes) - search.always)


@dataclass
class _Search:
    """`data`: arrays and variables that hold data. `counted`: variables that change under conditions on data.
    `sometimes`, `always`: arrays that are written under such a condition, and without one."""

    data: set[str]
    counted: set[str] = field(default_factory=set)
    sometimes: set[str] = field(default_factory=set)
    always: set[str] = field(default_factory=set)

    def block(self, body: Block, guarded: bool) -> None:
        for stmt in body.body:
            self.statement(stmt, guarded)

    def statement(self, stmt: Stmt, guarded: bool) -> None:
        match stmt:
            case Block():
                self.block(stmt, guarded)
            case Decl(name=name, init=Expr() as init):
                self.assigned(name, init, guarded=False)
            case Assign(target=Var(name=name), value=value):
                self.assigned(name, value, guarded)
            case Assign(target=Load() as place, value=value):
                self.assigned(place.array, value, guarded=False)
                self.written(place, guarded)
            case Atomic(place=place, target=target):
                self.written(place, guarded)
                if target is not None:
                    self.assigned(target.name, place, guarded)
            case If(condition=condition, then=then, otherwise=otherwise):
                decided = guarded or self.on_data(condition)
                self.block(then, decided)
                self.block(otherwise, decided)
                if not guarded:
                    self.always |= _stored(then) & _stored(otherwise)
            case For(stop=stop, body=body):
                self.block(body, guarded or self.depends(stop, self.counted))
            case While(condition=condition, body=body, advance=advance):
                decided = guarded or self.on_data(condition)
                self.block(body, decided)
                self.block(advance, decided)

    def assigned(self, name: str, value: Expr, guarded: bool) -> None:
        if self.depends(value, self.data):
            self.data.add(name)
        if guarded or self.depends(value, self.counted):
            self.counted.add(name)

    def written(self, place: Load, guarded: bool) -> None:
        decided = guarded or any(self.depends(index, self.counted) for index in place.index)
        (self.sometimes if decided else self.always).add(place.array)

    def on_data(self, condition: Expr) -> bool:
        return self.depends(condition, self.data | self.counted)

    def depends(self, value: Expr, names: set[str]) -> bool:
        return any(
            (isinstance(node, Var) and node.name in names) or (isinstance(node, Load) and node.array in names)
            for node in walk(value)
        )


def _stored(body: Block) -> set[str]:
    """Arrays that are stored to somewhere in it."""
    return {
        node.target.array for node in walk(body) if isinstance(node, Assign) and isinstance(node.target, Load)
    }
