"""A loop over independent threads or warps is split in two.

    for t in 0..256: { float v = 0; A; B(v) }   -->   float v[256];  for t: { v[t] = 0; A }   for t: B(v[t])

Legal for loops whose iterations are independent. What the first part declares and the second uses
becomes an array over the iterations.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from xpiler.ir.build import is_const
from xpiler.ir.nodes import Assign, Block, Const, Decl, Expr, For, Load, Ref, Stmt, Var
from xpiler.ir.rewrite import map_expr, map_stmt, walk


def split_loop(loop: For, first: Sequence[Stmt], second: Sequence[Stmt]) -> tuple[Stmt, ...] | None:
    """Declarations and the two loops; None if the loop does not count from 0 by 1 to a constant."""
    if not (is_const(loop.start, 0) and is_const(loop.step, 1) and isinstance(loop.stop, Const)):
        return None
    idle = [s for s in first if isinstance(s, Decl) and not _used(s, first)]
    first = [s for s in first if s not in idle]
    second = [*idle, *second]
    used = _mentioned(second)
    crossing = {s.name: s for s in first if isinstance(s, Decl) and s.name in used}
    if any(isinstance(d.init, tuple) and d.init for d in crossing.values()):
        return None
    if any(isinstance(n, Ref) and n.array in crossing for s in (*first, *second) for n in walk(s)):
        return None
    counter = Var(loop.dtype, loop.var)
    head = [replace(d, shape=(loop.stop, *d.shape), init=None) for d in crossing.values()]
    if any(d.init == () for d in crossing.values()):
        return None
    one = tuple(r for s in first for r in _expanded(s, crossing, counter))
    two = tuple(r for s in second for r in _expanded(s, crossing, counter))
    return (*head, replace(loop, body=Block(one)), replace(loop, body=Block(two)))


def _used(decl: Decl, stmts: Sequence[Stmt]) -> bool:
    return decl.name in _mentioned([s for s in stmts if s is not decl])


def _mentioned(stmts: Sequence[Stmt]) -> set[str]:
    names: set[str] = set()
    for stmt in stmts:
        for node in walk(stmt):
            match node:
                case Var(name=name) | Load(array=name) | Ref(array=name):
                    names.add(name)
    return names


def _expanded(stmt: Stmt, crossing: dict[str, Decl], counter: Var) -> tuple[Stmt, ...]:
    def value(expr: Expr) -> Expr:
        match expr:
            case Var(name=name) if name in crossing:
                return Load(expr.dtype, name, (counter,), range=expr.range)
            case Load(array=array, index=index) if array in crossing:
                return replace(expr, index=(counter, *index))
        return expr

    def place(target: Var | Load) -> Var | Load:
        new = value(target)
        assert isinstance(new, (Var, Load))
        return new

    def initial(inner: Stmt) -> Stmt | tuple[Stmt, ...]:
        if isinstance(inner, Decl) and inner.name in crossing:
            if isinstance(inner.init, Expr):
                return Assign(Var(inner.dtype, inner.name), inner.init, range=inner.range)
            return ()
        return inner

    plain = map_stmt(stmt, initial)
    parts = plain.body if isinstance(plain, Block) else (plain,)
    return tuple(map_expr(s, value, place) for s in parts)
