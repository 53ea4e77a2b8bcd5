"""Thread loops that no longer need to be apart are put together, and values go back from arrays to scalars.

    for t: acc[t] = 0                        for t:
    for k: { for t: acc[t] += a[k] }   -->     float acc = 0;  for k: acc += a[k];  c[t] = acc
    for t: c[t] = acc[t]

Legal where different threads touch different memory in all of the fused statements together
(`independence.py`): then their order does not matter, and thread after thread is as good as statement after
statement. Memory that only one of the statements touches does not count: the threads keep their order there.
Uniform control flow moves inside the thread loop if what it tests is not written there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from operator import is_

from xpiler.ir.nodes import (
    Assign,
    Block,
    Decl,
    Expr,
    For,
    Function,
    If,
    Load,
    LoopKind,
    Ref,
    Stmt,
    Var,
    While,
)
from xpiler.ir.rewrite import is_used, map_expr, rebuild, rename, uses, walk_users
from xpiler.passes.aliasing import with_aliases
from xpiler.passes.facts import Facts
from xpiler.passes.independence import independent_iterations
from xpiler.passes.structured import spliced


def fuse_threads(
    function: Function, *, outer: bool = False, array: str = "", beside: bool = False
) -> Function:
    """Fuse neighbouring thread loops wherever that is legal, then undo expansions that fusion made
    needless. `outer`: of nests that differ inside, the outer loops that they share. `array`: only in blocks
    that use it. `beside`: loops over steps stay around those over threads."""
    facts = Facts.of(function)
    body = _Fuser(outer, array, beside).block(function.body, facts)
    body = contracted(body)
    return function if body == function.body else replace(function, body=body)


@dataclass(frozen=True)
class _Nest:
    """Perfectly nested thread loops and what is inside."""

    loops: tuple[For, ...]
    body: tuple[Stmt, ...]

    @property
    def head(self) -> tuple[tuple[Expr, Expr], ...]:
        return tuple((loop.start, loop.stop) for loop in self.loops)

    def outermost(self, count: int) -> _Nest:
        """The same with fewer loops."""
        inside = (_Nest(self.loops[count:], self.body).stmt(),) if self.loops[count:] else self.body
        return _Nest(self.loops[:count], inside)

    def stmt(self) -> For:
        inner: tuple[Stmt, ...] = self.body
        for loop in reversed(self.loops):
            inner = (replace(loop, body=Block(inner)),)
        result = inner[0]
        assert isinstance(result, For)
        return result


def thread_nest(stmt: Stmt) -> _Nest | None:
    loops: list[For] = []
    body: tuple[Stmt, ...] = (stmt,)
    while len(body) == 1 and isinstance(body[0], For) and body[0].kind is LoopKind.THREADS:
        loops.append(body[0])
        body = spliced(body[0].body.body)
    return _Nest(tuple(loops), body) if loops else None


@dataclass(frozen=True)
class _Fuser:
    outer: bool
    array: str
    beside: bool

    def block(self, block: Block, facts: Facts) -> Block:
        if self.array and not is_used(self.array, block):
            return block
        return _with_body(block, self.body(block.body, facts))

    def body(self, stmts: Sequence[Stmt], facts: Facts) -> tuple[Stmt, ...]:
        inner = [self._below(s, facts) for s in spliced(stmts)]
        # Declarations of arrays do not stand in the way: they go first, unless that is before their sizes.
        named = {s.name for s in inner if isinstance(s, Decl) and not s.shape}
        arrays = [
            s
            for s in inner
            if isinstance(s, Decl) and s.shape and s.init is None and not uses(s).vars_read & named
        ]
        out: list[Stmt] = []
        rest = [s for s in inner if s not in arrays]
        for position, stmt in enumerate(rest):
            fused = self._joined(out, stmt, facts, rest[position + 1 :])
            if fused is None:
                out.append(stmt)
        return (*arrays, *out)

    def _below(self, stmt: Stmt, facts: Facts) -> Stmt:
        match stmt:
            case For(body=body):
                inside = self.block(body, facts.inside(stmt))
                return stmt if inside is body else replace(stmt, body=inside)
            case If(condition=condition):
                then = self.block(stmt.then, facts.where(condition))
                otherwise = self.block(stmt.otherwise, facts.where(condition, False))
                is_same = then is stmt.then and otherwise is stmt.otherwise
                return stmt if is_same else replace(stmt, then=then, otherwise=otherwise)
            case While(body=body):
                inside = self.block(body, facts)
                return stmt if inside is body else replace(stmt, body=inside)
        return stmt

    def _joined(self, out: list[Stmt], stmt: Stmt, facts: Facts, later: Sequence[Stmt]) -> bool | None:
        """Fuse `stmt` into the last thread nest of `out`, with scalar declarations between them; those that
        are read `later` go before it."""
        turned = self._as_nest(stmt, facts)
        if turned is None:
            return None
        between: list[Stmt] = []
        n = len(out)
        while n and isinstance(out[n - 1], Decl):
            n -= 1
        between = out[n:]
        previous = self._as_nest(out[n - 1], facts) if n else None
        if previous is not None and previous.head != turned.head:
            depth = max(len(previous.loops), len(turned.loops))
            deep, deep_turned = (self._as_deep(nest, depth, facts) for nest in (previous, turned))
            shared = _shared(previous, turned) if self.outer and None in (deep, deep_turned) else 0
            if shared:
                deep, deep_turned = previous.outermost(shared), turned.outermost(shared)
            previous, turned = deep, deep_turned
        if previous is not None and turned is not None and previous.head == turned.head:
            read = uses(Block(tuple(later))).vars_read if between else frozenset()
            before = between if any(isinstance(d, Decl) and d.name in read for d in between) else []
            if before and not _may_go_before(before, previous):
                return None
            fused = self._fused(previous, [] if before else between, turned, facts)
            if fused is not None:
                out[n - 1 :] = [*before, fused.stmt()]
                return True
        return None

    def _fused(self, first: _Nest, between: Sequence[Stmt], second: _Nest, facts: Facts) -> _Nest | None:
        names = {b.var: a.var for a, b in zip(first.loops, second.loops, strict=True) if a.var != b.var}
        moved = tuple(rename(s, names) for s in second.body)
        declared = {s.name for s in first.body if isinstance(s, Decl)}
        moved = tuple(
            s for s in moved if not (isinstance(s, Decl) and s.name in declared and s in first.body)
        )
        if any(isinstance(s, Decl) and s.name in declared for s in moved):
            return None
        body = (*first.body, *between, *moved)
        for decl in between:
            if uses(decl).arrays_read & uses(Block(body)).arrays_written:
                return None
        before, after = (uses(Block(part)) for part in ((*first.body, *between), moved))
        mine, others = (part.arrays_read | part.arrays_written for part in (before, after))
        shared = (with_aliases(mine, facts.aliases) & others) | (mine & with_aliases(others, facts.aliases))
        ordered = (mine | others) - shared  # in one of the statements only: as without fusion
        if not _independent(first.loops, body, facts, ordered):
            return None
        return _Nest(first.loops, body)

    def _as_deep(self, nest: _Nest, depth: int, facts: Facts) -> _Nest | None:
        """The nest with more loops: those inside, where only values are computed first."""
        while len(nest.loops) < depth:
            *heads, last = nest.body
            for loop in nest.loops:
                facts = facts.inside(loop)
            inner = self._as_nest(last, facts)
            values = tuple(
                h.init for h in heads if isinstance(h, Decl) and not h.shape and isinstance(h.init, Expr)
            )
            if inner is None or len(values) < len(heads) or not _head_is_safe(values, inner):
                return None
            nest = _Nest((*nest.loops, *inner.loops), (*heads, *inner.body))
        return nest

    def _as_nest(self, stmt: Stmt, facts: Facts) -> _Nest | None:
        """The statement as thread loops around everything: it is one, or uniform control flow around one."""
        nest = thread_nest(stmt)
        if nest is not None:
            return nest
        match stmt:
            case For(kind=LoopKind.SERIAL | LoopKind.UNROLLED, body=Block(body=(*heads, only))) if (
                not self.beside
            ):
                # What all threads compute alike before they part each computes by itself.
                values = _values_of(heads)
                inner = self._as_nest(only, facts.inside(stmt)) if values is not None else None
                if inner is None or not _head_is_safe((stmt.start, stmt.stop, stmt.step), inner):
                    return None
                if values is None or not _head_is_safe(values, inner):
                    return None
                turned = _Nest(inner.loops, (replace(stmt, body=Block((*heads, *inner.body))),))
                return turned if _independent(turned.loops, turned.body, facts) else None
            case If(condition=condition, then=Block(body=(*heads, only)), otherwise=Block(body=())):
                inner = self._as_nest(only, facts.where(condition))
                values = _values_of(heads)
                if inner is None or values is None or not _head_is_safe((condition, *values), inner):
                    return None
                return _Nest(inner.loops, (replace(stmt, then=Block((*heads, *inner.body))),))
            case If(condition=condition, then=Block(body=(one,)), otherwise=Block(body=(other,))):
                inner = self._as_nest(one, facts.where(condition))
                second = self._as_nest(other, facts.where(condition, False))
                if inner is None or second is None or inner.head != second.head:
                    return None
                if not _head_is_safe((condition,), inner) or not _head_is_safe((condition,), second):
                    return None
                names = {
                    b.var: a.var for a, b in zip(inner.loops, second.loops, strict=True) if a.var != b.var
                }
                if set(names.values()) & uses(Block(second.body)).vars_declared:
                    return None
                sides = Block(inner.body), Block(tuple(rename(s, names) for s in second.body))
                return _Nest(inner.loops, (replace(stmt, then=sides[0], otherwise=sides[1]),))
        return None


def _values_of(heads: Sequence[Stmt]) -> tuple[Expr, ...] | None:
    """What the statements compute, if all that they do is to define scalars."""
    values = [h.init for h in heads if isinstance(h, Decl) and not h.shape]
    found = tuple(v for v in values if isinstance(v, Expr))
    return found if len(found) == len(heads) else None


def _with_body(block: Block, body: tuple[Stmt, ...]) -> Block:
    """The block itself where its statements are the same objects: what is known of it stays known."""
    is_same = len(body) == len(block.body) and all(map(is_, body, block.body))
    return block if is_same else Block(body, range=block.range)


def _shared(first: _Nest, second: _Nest) -> int:
    """How many outer loops two nests have alike."""
    pairs = zip(first.head, second.head, strict=False)
    return next((n for n, (a, b) in enumerate(pairs) if a != b), min(len(first.loops), len(second.loops)))


def _may_go_before(declarations: Sequence[Stmt], nest: _Nest) -> bool:
    """Whether declarations have the same values before a nest as after it."""
    inside = uses(Block(nest.body))
    read = [uses(declaration) for declaration in declarations]
    return not any(
        names.vars_read & inside.vars_assigned or names.arrays_read & inside.arrays_written for names in read
    )


def _head_is_safe(parts: Sequence[Expr], inner: _Nest) -> bool:
    """Whether evaluating the head once a thread instead of once a team gives the same."""
    found = uses(Block(inner.body))
    counters = {loop.var for loop in inner.loops}
    for part in parts:
        names = uses(Assign(Var(part.dtype, "?"), part))
        if names.vars_read & (found.vars_assigned | counters) or names.arrays_read & found.arrays_written:
            return False
    return True


def _independent(
    loops: Sequence[For], body: Sequence[Stmt], facts: Facts, ordered: frozenset[str] = frozenset()
) -> bool:
    for loop in loops:
        facts = facts.inside(loop)
    answer = independent_iterations(loops, body, facts, ordered=ordered)
    return bool(answer)


# ------------------------------------------------------------------------------------------ contraction


def contracted(block: Block) -> Block:
    """Arrays over threads that every thread uses only at its own place, within one nest, become scalars
    in the nest."""
    body = list(spliced(block.body))
    for n, decl in enumerate(body):
        if not (isinstance(decl, Decl) and decl.shape and decl.init is None):
            continue
        users = [m for m, s in enumerate(body) if m != n and is_used(decl.name, s)]
        if len(users) != 1:
            continue
        nest = thread_nest(body[users[0]])
        if nest is None:
            continue
        own = _own_index(decl, nest)
        if own is None:
            continue
        inner = tuple(_without_places(s, decl.name, own) for s in nest.body)
        local = replace(decl, shape=_others(decl.shape, own))
        body[users[0]] = _Nest(nest.loops, (local, *inner)).stmt()
        body[n] = Block(())
    return _with_body(block, tuple(_contracted_below(s) for s in spliced(body)))


def _contracted_below(stmt: Stmt) -> Stmt:
    def change(child: object, field: str) -> object:
        return contracted(child) if isinstance(child, Block) else child

    result: Stmt = rebuild(stmt, change)
    return result


def _own_index(decl: Decl, nest: _Nest) -> frozenset[int] | None:
    """The dimensions that the thread's counters index in every access, one for each counter."""
    counters = [Var(loop.dtype, loop.var) for loop in nest.loops]
    places = [set(range(len(decl.shape))) for _ in counters]
    for node in walk_users(Block(nest.body), decl.name):
        if isinstance(node, Ref) and node.array == decl.name:
            return None
        if not isinstance(node, Load) or node.array != decl.name:
            continue
        if node.dtype != decl.dtype or len(node.index) != len(decl.shape):
            return None
        for counter, own in zip(counters, places, strict=True):
            own &= {n for n, index in enumerate(node.index) if index == counter}
    return frozenset(min(own) for own in places) if all(places) else None


def _others(parts: tuple[Expr, ...], places: frozenset[int]) -> tuple[Expr, ...]:
    return tuple(part for n, part in enumerate(parts) if n not in places)


def _without_places(stmt: Stmt, array: str, places: frozenset[int]) -> Stmt:
    def change(expr: Expr) -> Expr:
        if isinstance(expr, Load) and expr.array == array:
            rest = _others(expr.index, places)
            return replace(expr, index=rest) if rest else Var(expr.dtype, array, range=expr.range)
        return expr

    def place(target: Var | Load) -> Var | Load:
        new = change(target)
        assert isinstance(new, (Var, Load))
        return new

    return map_expr(stmt, change, place)
