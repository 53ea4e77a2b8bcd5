"""Loops that count by a variable of the function become counted loops, and the variable's values get names.

    i = 0;                                         for i_1 in 0..end step 16: A(i_1)
    while (i + 16 <= n) { A(i); i += 16; }   -->   int end = max(n, 0) / 16 * 16
    if (i < n) B(i);                               if (end < n) B(end)

Applies to a loop whose body leaves the variable and its bound alone and that is left by its condition only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from xpiler.ir.build import add, cast, const, div, maximum, mul, sub
from xpiler.ir.nodes import (
    Assign,
    Binary,
    Block,
    Break,
    Const,
    Decl,
    Expr,
    For,
    Function,
    Stmt,
    Var,
    While,
)
from xpiler.ir.rewrite import map_stmt, substitute, uses, walk_stmts
from xpiler.passes.names import Names
from xpiler.passes.structured import spliced
from xpiler.passes.sync import leaves_loop


def counted_loops(function: Function) -> Function:
    """Everywhere in the function, inner blocks first."""
    names = Names(function)

    def change(stmt: Stmt) -> Stmt:
        return _Straight(names).block(stmt) if isinstance(stmt, Block) else stmt

    body = map_stmt(function.body, change)
    assert isinstance(body, Block)
    return function if body == function.body else replace(function, body=body)


@dataclass(frozen=True)
class _Counted:
    """`while (var < stop) { body; var += step; }`; `whole`: it ends where a whole step no longer fits."""

    var: Var
    stop: Expr
    step: int
    whole: bool


@dataclass
class _Straight:
    """One block: its own integer variables are followed through its statements."""

    names: Names

    def block(self, block: Block) -> Block:
        out: list[Stmt] = []
        rest = list(spliced(block.body))
        while rest:
            stmt = rest.pop(0)
            counted = _counted(stmt)
            if counted is not None and isinstance(stmt, While):
                self.loop(stmt, counted, out)
            else:
                out.append(stmt)
        return replace(block, body=self.versions(out))

    def loop(self, stmt: While, counted: _Counted, out: list[Stmt]) -> None:
        var, step = counted.var, counted.step
        counter = self.names.fresh(var.name)
        body = substitute(stmt.body, {var.name: Var(var.dtype, counter)})
        end = Var(var.dtype, self.names.fresh(f"{var.name}_end"))
        start: Expr = var
        span = sub(counted.stop, start)
        if not counted.whole and step > 1:
            span = add(span, const(step - 1, var.dtype))
        whole = maximum(span, const(0, var.dtype))
        if step > 1:
            whole = mul(div(whole, const(step, var.dtype)), const(step, var.dtype))
        out.append(Decl(end.name, var.dtype, init=add(start, whole)))
        loop_end: Expr = end if counted.whole or step > 1 else counted.stop
        out.append(For(counter, var.dtype, start, loop_end, const(step, var.dtype), body, range=stmt.range))
        out.append(Assign(var, end, range=stmt.range))

    def versions(self, stmts: Sequence[Stmt]) -> tuple[Stmt, ...]:
        """A variable of the block that only its own statements assign gets a new name at each assignment."""
        own = {s.name for s in stmts if isinstance(s, Decl) and not s.shape and s.dtype.is_integer}
        inner = [
            n.target.name
            for s in stmts
            if not isinstance(s, Assign)
            for n in walk_stmts(s)
            if isinstance(n, Assign) and isinstance(n.target, Var)
        ]
        own -= {*inner, *(t.name for s in stmts for n in walk_stmts(s) for t in _targets(n))}
        current: dict[str, Expr] = {}
        out: list[Stmt] = []
        for stmt in stmts:
            match stmt:
                case Assign(target=Var(name=name, dtype=dtype), value=value, reduce=reduce) if name in own:
                    value = substitute(value, current)
                    if reduce is not None:
                        before = current.get(name, Var(dtype, name))
                        value = Binary(dtype, reduce, before, value) if reduce in "+*&|^" else value
                        if reduce not in "+*&|^":
                            own.discard(name)
                            out.append(substitute(stmt, current))
                            continue
                    if isinstance(value, (Var, Const)):
                        current[name] = value
                    else:
                        new = Var(dtype, self.names.fresh(name))
                        out.append(Decl(new.name, dtype, init=value, range=stmt.range))
                        current[name] = new
                case Decl(name=name, init=Const() as init) if name in own:
                    current[name] = init
                    out.append(stmt)
                case _:
                    out.append(substitute(stmt, current) if current else stmt)
        return tuple(out)


def _targets(stmt: Stmt) -> tuple[Var, ...]:
    target = getattr(stmt, "target", None)
    return (target,) if isinstance(target, Var) and not isinstance(stmt, Assign) else ()


def _counted(stmt: Stmt) -> _Counted | None:
    if not isinstance(stmt, While) or stmt.do_while:
        return None
    body, advance = stmt.body, spliced(stmt.advance.body)
    if not advance and body.body:  # while (...) { ...; i += 16; }
        last = spliced(body.body)[-1]
        if isinstance(last, Assign):
            advance = (last,)
    match advance:
        case (Assign(target=Var() as var, value=Const(value=amount), reduce="+"),) if var.dtype.is_integer:
            step = int(amount)
        case _:
            return None
    if step < 1 or any(leaves_loop(s, (Break,)) for s in body.body) or not stmt.advance.body:
        return None
    head = _head(stmt.condition, var, step)
    if head is None:
        return None
    stop, whole = head
    done, wanted = uses(body), uses(Assign(Var(var.dtype, "?"), stop))
    if var.name in done.vars_assigned or done.vars_assigned & wanted.vars_read:
        return None
    if done.arrays_written & wanted.arrays_read or var.name in wanted.vars_read:
        return None
    return _Counted(var, stop, step, whole)


def _head(condition: Expr, var: Var, step: int) -> tuple[Expr, bool] | None:
    """(bound, whether only whole steps are taken) of `i < n`, `i <= n - 16`, `i + 16 <= n`, `i + 15 < n`."""
    match condition:
        case Binary(op="<" | "<=" as op, left=left, right=right) if left.dtype == var.dtype:
            if left == var:
                last = sub(right, const(1, var.dtype)) if op == "<" else right
                match right:
                    case Binary(op="-", left=bound, right=Const(value=less)) if int(less) == step - (
                        op == "<"
                    ):
                        return bound, True
                return cast(add(last, const(1, var.dtype)) if op == "<=" else right, var.dtype), False
            match left:
                case Binary(op="+", left=Var(name=name), right=Const(value=more)) if name == var.name:
                    if int(more) == step - (op == "<"):
                        return right, True
    return None
