"""Loops that count by a variable of the function become counted loops, and the variable's values get names.

    i = 0;                                         for i_1 in 0..end step 16: A(i_1)
    while (i + 16 <= n) { A(i); i += 16; }   -->   int end = max(n, 0) / 16 * 16
    if (i < n) B(i);                               if (end < n) B(end)

Applies to a loop whose body leaves the variable and its bound alone and that is left by its condition only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from xpiler.ir.build import add, cast, const, div, is_const, maximum, minimum, mul, sub
from xpiler.ir.nodes import (
    Assign,
    Binary,
    Block,
    Break,
    Cast,
    Const,
    Continue,
    Decl,
    Expr,
    For,
    Function,
    Load,
    Stmt,
    Var,
    While,
)
from xpiler.ir.rewrite import free_vars, map_stmt, substitute, uses, walk, walk_stmts
from xpiler.ir.types import BOOL
from xpiler.passes.names import Names
from xpiler.passes.structured import spliced
from xpiler.passes.sync import leaves_loop


def counted_loops(function: Function) -> Function:
    """Everywhere in the function, inner blocks first."""
    names = Names(function)

    def change(stmt: Stmt) -> Stmt:
        return _Straight(names, function.is_serial).block(stmt) if isinstance(stmt, Block) else stmt

    body = map_stmt(function.body, change)
    assert isinstance(body, Block)
    return function if body == function.body else replace(function, body=body)


@dataclass(frozen=True)
class _Counted:
    """`while (var < stop) { body; var += step; }`; `whole`: it ends where a whole step no longer fits.
    `followers`: variables that grow along with it, and by how much."""

    var: Var
    stop: Expr
    step: Expr
    whole: bool
    body: Block
    followers: tuple[tuple[Var, Expr], ...] = ()


@dataclass
class _Straight:
    """One block: its own integer variables are followed through its statements. `strips`: loops by several
    elements end where a step does, as `passes/strips.py` asks of them."""

    names: Names
    strips: bool

    def block(self, block: Block) -> Block:
        out: list[Stmt] = []
        rest = list(spliced(block.body))
        while rest:
            stmt = rest.pop(0)
            counted = _counted(stmt)
            if counted is not None:
                self.loop(stmt, counted, out)
            else:
                out.append(stmt)
        return replace(block, body=self.versions(out))

    def loop(self, stmt: Stmt, counted: _Counted, out: list[Stmt]) -> None:
        var, step = counted.var, counted.step
        counter = self.names.fresh(var.name)
        body = substitute(counted.body, {var.name: Var(var.dtype, counter)})
        end = Var(var.dtype, self.names.fresh(f"{var.name}_end"))
        start: Expr = var
        span = sub(counted.stop, start)
        wide = not is_const(step, 1)
        if not counted.whole and wide:
            span = add(span, sub(step, const(1, var.dtype)))
        whole = maximum(span, const(0, var.dtype))
        if wide:
            whole = mul(div(whole, step), step)
        out.append(Decl(end.name, var.dtype, init=add(start, whole)))
        by_steps = counted.whole or (wide and self.strips)
        loop_end: Expr = end if by_steps else counted.stop
        for follower, amount in counted.followers:
            body = substitute(
                body, {follower.name: _grown(follower, amount, Var(var.dtype, counter), counted)}
            )
        out.append(For(counter, var.dtype, start, loop_end, step, body, range=stmt.range))
        for follower, amount in counted.followers:
            out.append(Assign(follower, _grown(follower, amount, end, counted), range=stmt.range))
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
        *rest, last = spliced(body.body)
        if growth(last) is not None and not any(leaves_loop(s, (Continue,)) for s in rest):
            body, advance = replace(body, body=tuple(rest)), (last,)
    steps = [growth(s) for s in advance]
    grown = [s for s in steps if s is not None]
    read = uses(Assign(Var(BOOL, "?"), stmt.condition)).vars_read
    counters = [(var, amount) for var, amount in grown if var.name in read]
    if len(grown) != len(advance) or len(counters) != 1 or not _is_positive(counters[0][1]):
        return None
    var, step = counters[0][0], cast(counters[0][1], counters[0][0].dtype)
    followers = tuple(s for s in grown if s[0] != var)
    changed = uses(body).vars_assigned | {v.name for v, _ in grown}
    if len({v.name for v, _ in grown}) != len(grown):
        return None
    if any(
        v.name in uses(body).vars_assigned or free_vars(Assign(v, by)) & changed - {v.name}
        for v, by in followers
    ):
        return None
    if any(leaves_loop(s, (Break,)) for s in body.body) or uses(body).vars_assigned & free_vars(
        Assign(Var(BOOL, "?"), step)
    ):
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
    return _Counted(var, stop, step, whole, body, followers)


def growth(stmt: Stmt) -> tuple[Var, Expr] | None:
    """The variable and the amount of `v += amount` or `v = v + amount`, maybe added in a wider type."""
    match stmt:
        case Assign(
            target=Var() as var,
            value=Cast(dtype=dtype, operand=Binary(op="+", left=Cast(operand=left), right=wide)),
            reduce=None,
        ) if left == var and dtype == var.dtype and dtype.bits <= wide.dtype.bits and wide.dtype.is_integer:
            amount = cast(wide, dtype)
        case Assign(target=Var() as var, value=amount, reduce="+"):
            pass
        case Assign(target=Var() as var, value=Binary(op="+", left=left, right=amount), reduce=None) if (
            left == var
        ):
            pass
        case _:
            return None
    names = {n.name for n in walk(amount) if isinstance(n, Var)}
    plain = not any(isinstance(n, Load) for n in walk(amount))
    return (var, amount) if var.dtype.is_integer and plain and var.name not in names else None


def _grown(follower: Var, amount: Expr, counter: Expr, counted: _Counted) -> Expr:
    """The follower's value where the counter has come to `counter`."""
    rounds = div(sub(counter, counted.var), counted.step)
    return add(follower, mul(cast(rounds, follower.dtype), cast(amount, follower.dtype)))


def _is_positive(step: Expr) -> bool:
    """A number above 0, or one of threads or blocks."""
    match step:
        case Const(value=value):
            return value >= 1
        case Var(name=name):
            return name.startswith(("gridDim.", "blockDim."))
        case Cast(operand=operand):
            return step.dtype.is_integer and _is_positive(operand)
        case Binary(op="*", left=left, right=right):
            return _is_positive(left) and _is_positive(right)
    return False


def _head(condition: Expr, var: Var, by: Expr) -> tuple[Expr, bool] | None:
    """(bound, whether only whole steps are taken) of `i < n`, `i <= n - 16`, `i + 16 <= n`, `i + 15 < n`,
    `a + i < n`, and of two of them, of which the lower bound holds."""
    step = int(by.value) if isinstance(by, Const) else 0
    match condition:
        case Binary(op="&&", left=first, right=second):
            one, two = _head(first, var, by), _head(second, var, by)
            if one is None or two is None or one[1] or two[1] or not _is_free(two[0]):
                return None
            return minimum(one[0], two[0]), False
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
                    if var.dtype.is_signed:
                        stop = sub(right, const(int(more) - (op == "<="), var.dtype))
                        return stop, False
            ahead = _ahead(left, var) if var.dtype.is_signed else None
            if ahead is not None and var.name not in free_vars(right):
                stop = sub(right, ahead)
                return (add(stop, const(1, var.dtype)) if op == "<=" else stop), False
    return None


def _ahead(expr: Expr, var: Var) -> Expr | None:
    """What is added to the counter: `a + b` of `a + (i + b)`."""
    match expr:
        case Binary(op="+", left=left, right=right):
            for one, other in ((left, right), (right, left)):
                if one == var and var.name not in free_vars(other):
                    return other
                inner = _ahead(one, var)
                if inner is not None and var.name not in free_vars(other):
                    return add(other, inner)
    return None


def _is_free(bound: Expr) -> bool:
    """Whether it may be asked for where the text would not come to it."""
    return all(
        not isinstance(n, Load) and not (isinstance(n, Binary) and n.op in "/%" and not _is_positive(n.right))
        for n in walk(bound)
    )
