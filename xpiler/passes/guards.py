"""Guards on a loop variable become the bounds of its loop.

    for i in 0..g*256: if (i < n) c[i] = a[i]                  -->   for i in 0..min(n, g*256): c[i] = a[i]
    for k in 0..(K+3)/4*4: s += (k < K ? a[k] : 0) * (...)     -->   for k in 0..K: s += a[k] * b[k]

A guard counts if nothing that the rest of the body does is seen outside when it does not hold: the rest
only computes scalars of the body. In a sum it also counts if all that is added beyond the guard is zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from xpiler.ir.affine import linear, of_var, prove_le, simplify, to_expr
from xpiler.ir.build import and_, cast, is_const, minimum, mul, sub
from xpiler.ir.nodes import (
    Assign,
    Atomic,
    Binary,
    Block,
    Break,
    Call,
    Cast,
    Const,
    Decl,
    Expr,
    For,
    Function,
    If,
    Instr,
    Load,
    Select,
    Stmt,
    Trap,
    Var,
    While,
)
from xpiler.ir.rewrite import assigned_vars, free_vars, map_expr, substitute, walk_exprs, walk_stmts
from xpiler.ir.types import BOOL
from xpiler.passes.facts import Facts, mutable_vars
from xpiler.passes.folds import folded
from xpiler.passes.stated_ends import shown_natural
from xpiler.passes.structured import spliced
from xpiler.passes.sync import leaves_loop
from xpiler.passes.tidy import simplified


def fold_guards(function: Function) -> Function:
    """Everywhere, inner loops first. In plain functions, whose loops count through tiles, a guard on the
    element counts as well: `for x in 0..16: if (i + x < n)` ends at n - i."""
    body = _Guards(elements=function.is_serial).fold(function.body, Facts.of(function))
    return function if body == function.body else replace(function, body=body)


@dataclass(frozen=True)
class _Guards:
    elements: bool

    def fold(self, block: Block, facts: Facts) -> Block:
        body = tuple(r for s in spliced(block.body) for r in self.fold_stmt(s, facts))
        return Block(body, range=block.range)

    def fold_stmt(self, stmt: Stmt, facts: Facts) -> tuple[Stmt, ...]:
        match stmt:
            case For():
                inside = facts.inside(stmt)
                loop = replace(stmt, body=self.fold(stmt.body, inside))
                return (_bounded_sum(_bounded(loop, facts, self.elements), facts, self.elements),)
            case If(condition=condition):
                return (
                    replace(
                        stmt,
                        then=self.fold(stmt.then, facts.where(condition)),
                        otherwise=self.fold(stmt.otherwise, facts.where(condition, False)),
                    ),
                )
            case While():
                return (replace(stmt, body=self.fold(stmt.body, facts)),)
        return (stmt,)


# ------------------------------------------------------------------------------------------ around the body


def _bounded(loop: For, facts: Facts, elements: bool) -> For:
    """The conjuncts of a guard around all effects of the body that bound the loop variable from above."""
    body = spliced(loop.body.body)
    guard, inner = _guard(body)
    if guard is None or any(leaves_loop(s, (Break,)) for s in body):
        return loop
    stop = loop.stop
    kept, known = list[Expr](), list[Expr]()
    for conjunct in _conjuncts(guard):
        bound = _upper(conjunct, loop) or _upper_of_wide(conjunct, loop, facts)
        bound = bound or (_upper_of_element(conjunct, loop) if elements else None)
        if bound is None or free_vars(_as_stmt(bound)) & (_assigned(body) | {loop.var}) or _loads(bound):
            kept.append(conjunct)
        else:
            stop = bound if _reaches(stop, bound, facts) else minimum(bound, stop)
            known.append(conjunct)
    if stop is loop.stop:
        return loop
    condition = and_(*kept)
    new = inner if isinstance(condition, Const) and condition.value else (If(condition, Block(inner)),)
    result = replace(loop, stop=simplify(stop, facts.ranges))
    held = Block(new)
    for conjunct in known:
        held = _decided(held, conjunct, True)
    return replace(result, body=simplified(held, facts.inside(result)))


def _guard(body: Sequence[Stmt]) -> tuple[Expr | None, tuple[Stmt, ...]]:
    """The condition under which the body has any effect, and the body without that condition; a loop
    around a guarded body hands its guard out."""
    effects = [n for n, s in enumerate(body) if _has_effects(s, body)]
    if len(effects) != 1:
        return None, ()
    n = effects[0]
    values = _numbers(body, n)
    match body[n]:
        case If(condition=condition, then=then, otherwise=Block(body=())):
            condition = substitute(condition, values)
            if _assigned(body[:n]) & free_vars(_as_stmt(condition)) or _loads(condition):
                return None, ()
            if free_vars(_as_stmt(condition)) & {s.name for s in body if isinstance(s, Decl)}:
                return None, ()
            return condition, (*body[:n], *then.body, *body[n + 1 :])
        case For() as loop if n == len(body) - 1:
            condition_, inner = _guard(spliced(loop.body.body))
            if condition_ is None:
                return None, ()
            own = {loop.var}
            outer = [c for c in _conjuncts(condition_) if not free_vars(_as_stmt(c)) & own]
            rest = [c for c in _conjuncts(condition_) if free_vars(_as_stmt(c)) & own]
            found = substitute(and_(*outer), values)
            if not outer or free_vars(_as_stmt(found)) & {s.name for s in body if isinstance(s, Decl)}:
                return None, ()
            new = inner if not rest else (If(and_(*rest), Block(inner)),)
            return found, (*body[:n], replace(loop, body=Block(new)))
    return None, ()


def _numbers(body: Sequence[Stmt], end: int) -> dict[str, Expr]:
    """The integers that the first statements compute from what the loop's body does not change."""
    values: dict[str, Expr] = {}
    changed = mutable_vars(Block(tuple(body)))
    for stmt in body[:end]:
        match stmt:
            case Decl(name=name, shape=(), init=Expr() as init, dtype=dtype) if (
                dtype.is_integer and not _loads(init) and name not in changed
            ):
                values[name] = substitute(init, values)
    return values


def _has_effects(stmt: Stmt, body: Sequence[Stmt]) -> bool:
    """Whether the statement does more than set scalars and arrays that the body declares itself."""
    own = {s.name for s in body if isinstance(s, Decl)} | {
        s.name for s in walk_stmts(stmt) if isinstance(s, Decl)
    }
    for inner in walk_stmts(stmt):
        match inner:
            case Assign(target=Var(name=name) | Load(array=name)):
                if name not in own:
                    return True
            case Atomic() | Instr() | Trap() | Break() | While():
                return True
    return False


def _conjuncts(condition: Expr) -> list[Expr]:
    if isinstance(condition, Binary) and condition.op == "&&":
        return [*_conjuncts(condition.left), *_conjuncts(condition.right)]
    return [condition]


def _upper(condition: Expr, loop: For) -> Expr | None:
    """`stop` such that the condition says `loop.var < stop`."""
    match condition:
        case Binary(op="<", left=left, right=right) if _is_counter(left, loop) and right.dtype == loop.dtype:
            return right
        case Binary(op=">", left=left, right=right) if _is_counter(right, loop) and left.dtype == loop.dtype:
            return left
        case Binary(op="<=", left=left, right=Const(value=value)) if _is_counter(left, loop):
            return Const(loop.dtype, int(value) + 1)
        case Binary(op="<", left=Binary(op="/", left=left, right=by), right=right) if (
            _is_counter(left, loop) and is_const(loop.start, 0) and right.dtype == loop.dtype == by.dtype
        ):  # the extents that a counter is divided by are positive
            return mul(right, by)
    return None


def _upper_of_wide(condition: Expr, loop: For, facts: Facts) -> Expr | None:
    """The same where a wider type compares the counter of a loop of known length."""
    match condition:
        case Binary(op="<", left=Cast(dtype=wide, operand=counter), right=right) if (
            _is_counter(counter, loop)
            and isinstance(loop.stop, Const)
            and wide.is_integer
            and wide.is_signed
            and wide.bits > loop.dtype.bits
        ):
            form = linear(right, facts.ranges)
            if form is None or not shown_natural(form, facts):
                return None  # what is far below 0 has no place in the counter's type
            return cast(minimum(cast(loop.stop, wide), right), loop.dtype)
    return None


def _upper_of_element(condition: Expr, loop: For) -> Expr | None:
    """The same of a condition on an element of a tile: `stop - start` of `start + loop.var < stop`."""
    match condition:
        case Binary(op="<", left=left, right=right) if (
            right.dtype == left.dtype == loop.dtype
            and is_const(loop.step, 1)
            and isinstance(loop.stop, Const)
        ):
            counter = of_var(loop.var, loop.dtype)
            form = linear(left)
            start = None if form is None else form - counter
            if start is None or loop.var in start.variables() | free_vars(_as_stmt(right)):
                return None
            return sub(right, to_expr(start, loop.dtype))
    return None


def _is_counter(expr: Expr, loop: For) -> bool:
    return isinstance(expr, Var) and expr.name == loop.var


def _loads(expr: Expr) -> bool:
    return any(isinstance(e, Load) for e in walk_exprs(expr))


def _assigned(body: Sequence[Stmt]) -> frozenset[str]:
    return assigned_vars(Block(tuple(body)))


def _as_stmt(expr: Expr) -> Stmt:
    return Assign(Var(expr.dtype, "?"), expr)


# ------------------------------------------------------------------------------------------ in a sum


def _bounded_sum(loop: For, facts: Facts, elements: bool) -> For:
    """`s += e` where e is zero beyond a guard inside it: the loop stops at the guard."""
    body = spliced(loop.body.body)
    if len(body) != 1:
        return loop
    assign = body[0]
    if not isinstance(assign, Assign):
        return loop
    if isinstance(assign.target, Load):
        if assign.reduce != "+" or loop.var in free_vars(_as_stmt(assign.target)):
            return loop
        value = assign.value
    else:
        fold = folded(assign)
        if fold is None or fold[0] != "+":
            return loop
        value = fold[1]
    for conjunct in _inner_guards(value):
        bound = _upper(conjunct, loop) or (_upper_of_element(conjunct, loop) if elements else None)
        if bound is None or loop.var in free_vars(_as_stmt(bound)) or _loads(bound):
            continue
        beyond = facts.inside(loop).where(conjunct, False)
        none = _decided(Block((replace(assign, value=value, reduce="+"),)), conjunct, False)
        outside = simplified(none, beyond).body
        if len(outside) == 1 and isinstance(outside[0], Assign) and _is_zero(outside[0].value):
            stop = bound if _reaches(loop.stop, bound, facts) else minimum(bound, loop.stop)
            result = replace(loop, stop=simplify(stop, facts.ranges))
            held = _decided(result.body, conjunct, True)
            return replace(result, body=simplified(held, facts.inside(result)))
    return loop


def _decided(block: Block, condition: Expr, holds: bool) -> Block:
    """The block where the condition is known to hold, or not to."""
    found = map_expr(block, lambda e: Const(BOOL, holds) if e == condition else e)
    assert isinstance(found, Block)
    return found


def _inner_guards(value: Expr) -> list[Expr]:
    return [c for e in walk_exprs(value) if isinstance(e, Select) for c in _conjuncts(e.condition)]


def _is_zero(expr: Expr) -> bool:
    match expr:
        case Const(value=value):
            return value == 0
        case Cast(operand=operand):
            return _is_zero(operand)
        case Binary(op="*", left=left, right=right):
            return _is_zero(left) and _is_zero(right)
        case Call(function="dp4a", args=(left, right, start)):
            return (_is_zero(left) or _is_zero(right)) and _is_zero(start)
        case Select(then=then, otherwise=otherwise):
            return _is_zero(then) and _is_zero(otherwise)
    return False


def _reaches(stop: Expr, bound: Expr, facts: Facts) -> bool:
    """Whether stop >= bound: shown by ranges, or stop is bound rounded up to a multiple: (bound + m - 1)
    / m * m."""
    if prove_le(bound, stop, facts.ranges):
        return True
    match stop:
        case Binary(op="*", left=Binary(op="/", left=top, right=Const(value=m)), right=Const(value=n)) if (
            m == n
        ):
            form, wanted = linear(top, facts.ranges), linear(bound, facts.ranges)
            return form is not None and wanted is not None and not (form - wanted - (int(m) - 1)).terms
    return False
