"""Chooses the loops whose iterations become the lanes of a vector register.

    for (ty) THREADS for (tx) THREADS  a[ty * n + tx] = ...    -->    for (ty) for (tx) VECTOR  a[ty * n + tx] = ...

Threads of a block are independent between barriers, so any of their loops may be taken: the one with the most accesses
of consecutive (stride 1) or equal (stride 0) elements. Serial loops are taken only if they are shown independent or fold
into a scalar with an associative operator (a float sum is then added up in another order).
"""

from __future__ import annotations

from dataclasses import replace

from xpiler.ir.nodes import (
    Assign,
    Atomic,
    Binary,
    Block,
    Call,
    Cast,
    Const,
    Decl,
    Expr,
    For,
    Function,
    If,
    Load,
    LoopKind,
    Stmt,
    Unary,
    Var,
    While,
)
from xpiler.ir.rewrite import walk

FAR = 1 << 20  # the stride of an access that is neither consecutive nor equal

UNIT, EQUAL, OTHER = 4, 2, -3  # worth of an access by its stride


def vectorize(function: Function) -> tuple[Function, list[str]]:
    """The function with VECTOR loops, and notes on what was done (for the user)."""
    notes: list[str] = []
    body = _block(function.body, notes)
    return replace(function, body=body), notes


def _block(block: Block, notes: list[str]) -> Block:
    return Block(tuple(_stmt(s, notes) for s in block.body), range=block.range)


def _stmt(stmt: Stmt, notes: list[str]) -> Stmt:
    match stmt:
        case For(kind=LoopKind.THREADS):
            return _nest(stmt, notes)
        case For(kind=LoopKind.PARALLEL) if not _has(stmt, LoopKind.THREADS):
            return _nest(stmt, notes)
        case For(body=body) | While(body=body):
            return replace(stmt, body=_block(body, notes))
        case If(then=then, otherwise=otherwise):
            return replace(stmt, then=_block(then, notes), otherwise=_block(otherwise, notes))
        case Block():
            return _block(stmt, notes)
    return stmt


def _has(loop: For, kind: LoopKind) -> bool:
    return any(isinstance(n, For) and n.kind is kind for n in walk(loop.body))


def perfect_nest(loop: For) -> list[For]:
    """The loop and those directly inside it, of the same kind, with nothing in between."""
    nest = [loop]
    while len(nest[-1].body.body) == 1:
        inner = nest[-1].body.body[0]
        if not isinstance(inner, For) or inner.kind is not loop.kind:
            break
        nest.append(inner)
    return nest


def _nest(loop: For, notes: list[str]) -> Stmt:
    """One loop of a perfect nest of independent loops becomes VECTOR."""
    nest = perfect_nest(loop)
    scores = [_score(candidate, nest) for candidate in nest]
    best = max(range(len(nest)), key=lambda i: (scores[i], i))
    if scores[best] <= 0:
        return _rebuild(nest, None)
    return _rebuild(nest, best)


def _rebuild(nest: list[For], chosen: int | None) -> For:
    inner: For | None = None
    for i in range(len(nest) - 1, -1, -1):
        body = nest[i].body if inner is None else Block((inner,), range=nest[i].body.range)
        kind = nest[i].kind
        if i == chosen:
            kind = LoopKind.VECTOR
        elif kind is LoopKind.THREADS:
            kind = LoopKind.SERIAL
        inner = replace(nest[i], body=body, kind=kind)
    assert inner is not None
    return inner


def _score(loop: For, nest: list[For]) -> int:
    """How well the accesses of the nest's body suit `loop` as lanes; 0 or less: not worth it."""
    if loop.step != Const(loop.step.dtype, 1):
        return 0
    extent = _extent(loop)
    if extent is not None and extent < 4:
        return 0
    strides = Strides(loop.var)
    strides.block(nest[-1].body, 0)
    return strides.score if extent is None or extent >= 16 else strides.score // 2


def _extent(loop: For) -> int | None:
    if isinstance(loop.start, Const) and isinstance(loop.stop, Const):
        return int(loop.stop.value) - int(loop.start.value)
    return None


class Strides:
    """Adds up the worth of all accesses if the loop over `var` became lanes; inner loops count eight times."""

    def __init__(self, var: str) -> None:
        self.known: dict[str, int] = {var: 1}
        self.private: set[str] = set()
        self.score = 1

    def block(self, block: Block, depth: int) -> None:
        for stmt in block.body:
            self.stmt(stmt, depth)

    def stmt(self, stmt: Stmt, depth: int) -> None:
        match stmt:
            case Decl(name=name, shape=(), init=init):
                if isinstance(init, Expr):
                    self._reads(init, depth)
                    self.known[name] = self.of(init)
            case Decl(name=name):
                self.private.add(name)
            case Assign(target=target, value=value):
                self._reads(value, depth)
                if isinstance(target, Load):
                    self._access(target, depth)
                elif self.of(value) != 0:
                    self.known[target.name] = FAR
            case Atomic(place=place, args=args, target=target):
                self._access(place, depth)
                for arg in args:
                    self._reads(arg, depth)
                if target is not None:
                    self.known[target.name] = FAR
            case For(var=var, start=start, stop=stop, body=body):
                self._reads(stop, depth)
                self.known[var] = self.of(start)
                self.block(body, depth + 1)
            case While(condition=condition, body=body, advance=advance):
                self._reads(condition, depth + 1)
                self.block(body, depth + 1)
                self.block(advance, depth + 1)
            case If(condition=condition, then=then, otherwise=otherwise):
                self._reads(condition, depth)
                self.block(then, depth)
                self.block(otherwise, depth)
            case Block():
                self.block(stmt, depth)

    def _reads(self, expr: Expr, depth: int) -> None:
        for node in walk(expr):
            if isinstance(node, Load):
                self._access(node, depth)
            elif isinstance(node, Call):
                self.score += 2 * 8 ** min(depth, 3)

    def _access(self, load: Load, depth: int) -> None:
        if load.array in self.private:
            return
        *outer, last = (self.of(i) for i in load.index)
        stride = FAR if any(outer) else last
        worth = UNIT if stride == 1 else EQUAL if stride == 0 else OTHER
        self.score += worth * 8 ** min(depth, 3)

    def of(self, expr: Expr) -> int:
        """Change of a value from one iteration to the next; FAR if it is not a small constant."""
        match expr:
            case Var(name=name):
                return self.known.get(name, 0)
            case Cast(operand=operand):
                return self.of(operand)
            case Unary(op="-", operand=operand):
                inner = self.of(operand)
                return FAR if inner == FAR else -inner
            case Binary(op="+" | "-" as op, left=left, right=right):
                a, b = self.of(left), self.of(right)
                return FAR if FAR in (a, b) else a + b if op == "+" else a - b
            case Binary(op="*", left=left, right=right):
                for this, other in ((left, right), (right, left)):
                    if isinstance(other, Const) and self.of(this) != FAR:
                        return self.of(this) * int(other.value)
        if any(isinstance(n, Var) and self.known.get(n.name, 0) for n in walk(expr)):
            return FAR
        return 0
