"""Blocks that fill an array alike, step by step, go through the steps together and fill it once.

    parallel b in 0..G:                        parallel b0 in 0..G step 8:  n = min(8, G - b0)
      f32 keys[32], total[4];                    f32 keys[32], total[8][4];
      for t: total[t] = 0                        parallel b in 0..n: for t: total[b][t] = 0
      for s in 0..S step 32:             -->     for s in 0..S step 32:
        for k: keys[k] = K[s + k]                  for k: keys[k] = K[s + k]
        for t: total[t] += f(b, t, keys)           parallel b in 0..n: for t:
                                                     total[b][t] += f(b0 + b, t, keys)
      for t: y[b * 4 + t] = total[t]             parallel b in 0..n: for t: y[(b0 + b) * 4 + t] = total[b][t]

What blocks stage in shared memory each stages for itself, on multiprocessors of their own; a processor that
goes through them one by one would copy it again for every one. Blocks are independent of each other, so
that their steps may alternate; arrays that a block fills by itself get one more dimension, within `ROOM`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from xpiler.ir.build import add, const, is_const, minimum, sub
from xpiler.ir.nodes import (
    Atomic,
    Barrier,
    Block,
    Break,
    Collective,
    Const,
    Continue,
    Decl,
    Expr,
    For,
    Function,
    Instr,
    Load,
    LoopKind,
    Ref,
    Return,
    Stmt,
    Trap,
    Var,
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
)
from xpiler.passes.aliasing import Aliases, may_be_same, with_aliases
from xpiler.passes.facts import mutable_vars
from xpiler.passes.interior_rows import is_number
from xpiler.passes.knobs import Knob
from xpiler.passes.names import Names
from xpiler.passes.sync import leaves_loop

TOGETHER = Knob("shared_stages.blocks", (1, 2, 4, 8, 16), 16, "blocks that share what they stage; 1: none do")
ROOM = 128 * 1024  # bytes of all blocks' own arrays

_ORDERED = (
    Atomic,
    Barrier,
    Collective,
    Instr,
    Ref,
    Trap,
    Return,
)  # what may not alternate with other blocks'


def share_stages(function: Function) -> Function:
    """All such loops of a function, innermost ones first."""
    if TOGETHER.value == 1:
        return function
    names, aliases, mutable = Names(function), may_be_same(function.params), mutable_vars(function)

    def change(stmt: Stmt) -> Stmt:
        if not isinstance(stmt, For) or stmt.kind is not LoopKind.PARALLEL:
            return stmt
        plain = is_const(stmt.start, 0) and is_const(stmt.step, 1)
        return (_shared(stmt, names, aliases, mutable) or stmt) if plain else stmt

    body = map_stmt(function.body, change)
    assert isinstance(body, Block)
    return function if body == function.body else replace(function, body=body)


def _shared(blocks: For, names: Names, aliases: Aliases, mutable: frozenset[str]) -> For | None:
    if any(isinstance(n, _ORDERED) for n in walk(blocks.body)):
        return None
    numbers: dict[str, Expr] = {}
    body = _without_numbers(blocks.body, mutable, numbers)
    declared = {d.name: d for d in _declared(body.body)}
    if not declared or any(d.init is not None or not d.shape for d in declared.values()):
        return None
    written = with_aliases(arrays_written(body) - set(declared), aliases)
    own = _own_arrays(blocks.var, body, frozenset(declared), written)
    steps = _Steps(blocks.var, frozenset(declared), own, written)
    if not any(steps.shares(s) for s in body.body if isinstance(s, For)):
        return None
    if any(not isinstance(n, Const) for name in own for n in declared[name].shape):
        return None
    size = sum(
        math.prod(int(n.value) for n in declared[name].shape if isinstance(n, Const))
        * declared[name].dtype.bytes
        for name in own
    )
    count = TOGETHER.value
    while count > 1 and count * size > ROOM:
        count //= 2
    if count == 1 or _changed(body) - written - arrays_written(body):
        return None
    dtype = blocks.dtype
    first, many = (Var(dtype, names.fresh(f"{blocks.var}_{which}")) for which in ("first", "many"))
    each = replace(blocks, stop=many)
    alternating = _Alternating(steps, each, add(first, Var(dtype, blocks.var)), count)
    together = const(count, dtype)
    head = Decl(many.name, dtype, init=minimum(together, sub(blocks.stop, first)))
    return replace(blocks, var=first.name, step=together, body=Block((head, *alternating.stmts(body.body))))


def _without_numbers(block: Block, mutable: frozenset[str], values: dict[str, Expr]) -> Block:
    """The statements with integers that they declare put in where they are used; also in serial loops."""
    out: list[Stmt] = []
    for stmt in block.body:
        stmt = substitute(stmt, values)
        if is_number(stmt, mutable):
            assert isinstance(stmt, Decl) and isinstance(stmt.init, Expr)
            values[stmt.name] = stmt.init
        elif isinstance(stmt, For) and stmt.kind is LoopKind.SERIAL:
            out.append(replace(stmt, body=_without_numbers(stmt.body, mutable, values)))
        else:
            out.append(stmt)
    return replace(block, body=tuple(out))


def _declared(stmts: Sequence[Stmt]) -> Iterator[Decl]:
    """What statements, and serial loops among them, declare for themselves."""
    for stmt in stmts:
        if isinstance(stmt, Decl):
            yield stmt
        elif isinstance(stmt, For) and stmt.kind is LoopKind.SERIAL:
            yield from _declared(stmt.body.body)


def _leaves(stmts: Sequence[Stmt]) -> Iterator[Stmt]:
    """The statements, and those of serial loops among them."""
    for stmt in stmts:
        if isinstance(stmt, For) and stmt.kind is LoopKind.SERIAL:
            yield from _leaves(stmt.body.body)
        elif not isinstance(stmt, Decl):
            yield stmt


def _own_arrays(var: str, body: Block, declared: frozenset[str], written: frozenset[str]) -> frozenset[str]:
    """Arrays and variables of a block that may differ from those of another."""
    own: frozenset[str] = frozenset()
    while True:
        steps = _Steps(var, declared, own, written)
        found = own.union(*(_changed(s) & declared for s in _leaves(body.body) if not steps.is_alike(s)))
        if found == own:
            return own
        own = found


def _changed(stmt: Stmt) -> frozenset[str]:
    """What a statement changes of what was there before it."""
    inside = {n.name if isinstance(n, Decl) else n.var for n in walk(stmt) if isinstance(n, (Decl, For))}
    return (arrays_written(stmt) | assigned_vars(stmt)) - inside


@dataclass(frozen=True)
class _Steps:
    """`declared`: the blocks' own memory; of it `own` differs from block to block; `written`: other memory
    that blocks write."""

    var: str
    declared: frozenset[str]
    own: frozenset[str]
    written: frozenset[str]

    def is_alike(self, stmt: Stmt) -> bool:
        """Whether a statement does the same in all blocks, and nothing that a block could see of another."""
        touched = arrays_read(stmt) | arrays_written(stmt) | free_vars(stmt)
        if self.var in touched or touched & self.own or arrays_read(stmt) & self.written:
            return False
        return _changed(stmt) <= self.declared

    def alternates(self, loop: For) -> bool:
        """Whether a loop has the same steps in all blocks."""
        if loop.kind is not LoopKind.SERIAL or any(
            leaves_loop(s, (Break, Continue, Return)) for s in loop.body.body
        ):
            return False
        ends = (loop.start, loop.stop, loop.step)
        names = frozenset().union(*(free_vars(e) for e in ends))
        reads = frozenset().union(*(arrays_read(e) for e in ends))
        return not names & (self.own | {self.var}) and not reads

    def shares(self, loop: For) -> bool:
        """Whether blocks gain by going through a loop together: an array is filled alike in each step."""
        if not self.alternates(loop):
            return False
        fills = any(isinstance(s, For) and self.is_alike(s) for s in loop.body.body)
        return fills and not self.is_alike(loop)


@dataclass(frozen=True)
class _Alternating:
    steps: _Steps
    each: For
    block: Expr
    count: int

    def stmts(self, stmts: Sequence[Stmt]) -> list[Stmt]:
        out: list[Stmt] = []
        for stmt in stmts:
            match stmt:
                case Decl(name=name) if name in self.steps.own:
                    out.append(replace(stmt, shape=(const(self.count), *stmt.shape)))
                case Decl():
                    out.append(stmt)
                case _ if self.steps.is_alike(stmt):
                    out.append(stmt)
                case For(body=body) if self.steps.shares(stmt):
                    out.append(replace(stmt, body=Block(tuple(self.stmts(body.body)))))
                case _:
                    out.append(replace(self.each, body=Block((self.own(stmt),))))
        return out

    def own(self, stmt: Stmt) -> Stmt:
        """A statement of one of the blocks, on that block's part of the arrays."""
        which = Var(self.each.dtype, self.each.var)

        def part(place: Var | Load) -> Var | Load:
            if isinstance(place, Load) and place.array in self.steps.own:
                return replace(place, index=(which, *place.index))
            return place

        moved: Stmt = substitute(stmt, {self.each.var: self.block})
        changed: Stmt = map_expr(moved, lambda e: part(e) if isinstance(e, Load) else e, part)
        return changed
