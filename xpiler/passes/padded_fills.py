"""A panel that is filled part by part is filled by one loop, which chooses.

    for j in 0..nr: p[j] = b[j]; for j in nr..16: p[j] = 0    -->   for j in 0..16: p[j] = j < nr ? b[j] : 0
    for j in 0..16: { p[j] = b[j]; p[j + 16] = b[j + 16] }    -->   for j in 0..32: p[j] = b[j]
    if (nr == 16) for j in 0..16: p[j] = b[j]                 -->   for j in 0..16: p[j] = j < nr ? b[j] : 0
    else for j in 0..16: p[j] = j < nr ? b[j] : 0

So that there is one value for an element, which its readers can have as well (`cache_removal.py`). In plain
functions; of consecutive loops where they are shown to follow each other, of cases where the general one
computes the same for the number that is asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from xpiler.ir.affine import linear, prove_eq, stride, to_expr
from xpiler.ir.build import add, cast, const, is_const, lt, select, sub
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
    If,
    Load,
    Select,
    Stmt,
    Var,
    While,
)
from xpiler.ir.rewrite import map_expr, rename, substitute, uses, walk_exprs
from xpiler.ir.types import I64
from xpiler.passes.facts import Facts
from xpiler.passes.stated_ends import shown_natural
from xpiler.passes.strips import same_work
from xpiler.passes.structured import spliced


def join_fills(function: Function) -> Function:
    """Everywhere in a plain function."""
    if not function.is_serial:
        return function
    body = _block(function.body, Facts.of(function))
    return function if body == function.body else replace(function, body=body)


def _block(block: Block, facts: Facts) -> Block:
    out: list[Stmt] = []
    for stmt in spliced(block.body):
        one = _inside(stmt, facts)
        joined = _joined(out[-1], one, facts) if out else None
        if joined is None:
            out.append(one)
        else:
            out[-1] = joined
    return replace(block, body=tuple(out))


def _inside(stmt: Stmt, facts: Facts) -> Stmt:
    match stmt:
        case For(body=body):
            loop = replace(stmt, body=_block(body, facts.inside(stmt)))
            return _side_by_side(loop) or loop
        case While(body=body):
            return replace(stmt, body=_block(body, facts))
        case If(condition=condition, then=then, otherwise=otherwise):
            then = _block(then, facts.where(condition))
            otherwise = _block(otherwise, facts.where(condition, False))
            return _general(condition, then, otherwise, facts) or replace(
                stmt, then=then, otherwise=otherwise
            )
    return stmt


# ------------------------------------------------------------------------------------------ part by part


def _joined(first: Stmt, second: Stmt, facts: Facts) -> For | None:
    parts = _fill(first), _fill(second)
    if parts[0] is None or parts[1] is None or not isinstance(first, For) or not isinstance(second, For):
        return None
    behind = _behind(first, second)
    if behind is not None:
        return behind
    names = {second.var: first.var}
    one, other = parts[0], rename(parts[1], names)
    assert isinstance(other, Assign)
    if first.dtype != second.dtype or first.kind != second.kind or not _same_place(one, other):
        return None
    middle = first.stop
    if second.start != middle and not prove_eq(second.start, middle, facts.ranges):
        return None
    if not _at_most(first.start, middle, facts) or not _at_most(middle, second.stop, facts):
        return None
    value = select(lt(Var(first.dtype, first.var), middle), one.value, other.value)
    return replace(first, stop=second.stop, body=Block((replace(one, value=value),)))


def _at_most(low: Expr, high: Expr, facts: Facts) -> bool:
    """Whether it is shown that low <= high."""
    match low, high:
        case Call(function="min", args=sides), _:
            return any(_at_most(side, high, facts) for side in sides)
        case _, Call(function="min", args=sides):
            return all(_at_most(low, side, facts) for side in sides)
    forms = linear(low, facts.ranges), linear(high, facts.ranges)
    return forms[0] is not None and forms[1] is not None and shown_natural(forms[1] - forms[0], facts)


def _fill(stmt: Stmt) -> Assign | None:
    """The only thing that a loop does, if it sets elements to what it reads elsewhere."""
    fills = _fills(stmt)
    return fills[0] if len(fills) == 1 else None


def _fills(stmt: Stmt) -> list[Assign]:
    """All that a loop does, if it sets elements of one array to what it reads elsewhere; numbers with names
    are spelled out."""
    if not isinstance(stmt, For) or not is_const(stmt.step, 1):
        return []
    values: dict[str, Expr] = {}
    found: list[Assign] = []
    for inner in stmt.body.body:
        match inner:
            case Decl(name=name, shape=(), init=Expr() as init) if init.dtype.is_integer and not any(
                isinstance(e, Load) for e in walk_exprs(init)
            ):
                values[name] = cast(substitute(init, values), inner.dtype)
            case Assign(target=Load(array=array), reduce=None):
                spelled = substitute(inner, values)
                assert isinstance(spelled, Assign)
                if array in uses(spelled).arrays_read or (found and not _same_array(found[0], spelled)):
                    return []
                found.append(spelled)
            case _:
                return []
    return found if not uses(stmt.body).vars_set else []


def _same_array(first: Assign, second: Assign) -> bool:
    one, other = first.target, second.target
    return isinstance(one, Load) and isinstance(other, Load) and one.array == other.array


def _same_place(first: Assign, second: Assign) -> bool:
    return _same_array(first, second) and _distance(first, second) == 0


def _distance(first: Assign, second: Assign) -> int | None:
    """How many elements lie between two places of an array; None if that is no number."""
    one, other = first.target, second.target
    assert isinstance(one, Load) and isinstance(other, Load)
    if len(one.index) != 1 or one.dtype != other.dtype or len(other.index) != 1:
        return 0 if one == other else None
    places = linear(one.index[0]), linear(other.index[0])
    return None if places[0] is None or places[1] is None else (places[1] - places[0]).as_int


# ------------------------------------------------------------------------------------------ side by side


def _side_by_side(loop: For) -> For | None:
    """A loop that fills pieces as long as it is, each being how the one before goes on."""
    fills = _fills(loop)
    if len(fills) < 2:
        return None
    first = fills[0]
    fills = sorted(fills, key=lambda fill: _distance(first, fill) or 0)
    whole: For | None = replace(loop, body=Block((fills[0],)))
    for fill in fills[1:]:
        whole = whole and _behind(whole, replace(loop, body=Block((fill,))))
    return whole


def _behind(first: For, second: For) -> For | None:
    """Two fills of pieces of known length, the second one being how the first one goes on."""
    one, other = _fill(first), _fill(second)
    lengths = [loop.stop for loop in (first, second) if is_const(loop.start, 0)]
    if one is None or other is None or not _same_array(one, other) or len(lengths) < 2:
        return None
    counter = Var(first.dtype, first.var)
    target = one.target
    if first.dtype != second.dtype or first.kind != second.kind or not isinstance(lengths[0], Const):
        return None
    if not isinstance(lengths[1], Const) or not isinstance(target, Load) or len(target.index) != 1:
        return None
    like = substitute(other, {second.var: counter})
    assert isinstance(like, Assign)
    if stride(target.index[0], first.var) != 1 or _distance(one, like) != int(lengths[0].value):
        return None
    moved = substitute(like.value, {first.var: sub(counter, lengths[0])})
    if _normal(moved) != _normal(one.value):
        return None
    return replace(first, stop=add(*lengths), body=Block((one,)))


def _normal(expr: Expr) -> Expr:
    """With indices and comparisons in one form."""

    def change(part: Expr) -> Expr:
        match part:
            case Load(index=(index,)) if (form := linear(index)) is not None:
                return replace(part, index=(to_expr(form, I64),))
            case Binary(op="<" | "<=" | ">" | ">=", left=left, right=right) if left.dtype.is_integer:
                forms = linear(left), linear(right)
                if forms[0] is not None and forms[1] is not None:
                    return replace(part, left=to_expr(forms[0] - forms[1], I64), right=const(0, I64))
        return part

    return map_expr(expr, change)


# ------------------------------------------------------------------------------------------ a case of its own


def _general(condition: Expr, then: Block, otherwise: Block, facts: Facts) -> Stmt | None:
    """The general case, if for the number that is asked for it does what the special one does."""
    match condition:
        case Binary(op="==", left=asked, right=Const() as number):
            pass
        case _:
            return None
    if not _are_fills(then.body) or not _are_fills(otherwise.body):
        return None

    def with_number(expr: Expr) -> Expr:
        return number if expr == asked else expr

    special, general = (map_expr(block, with_number) for block in (then, otherwise))
    assert isinstance(special, Block) and isinstance(general, Block)
    if not same_work(special, _decided(general, facts)):
        return None
    return otherwise


def _are_fills(stmts: Sequence[Stmt]) -> bool:
    return len(stmts) == 1 and _fill(stmts[0]) is not None


def _decided(block: Block, facts: Facts) -> Block:
    """With the choices of its loop made that its range decides."""
    (loop,) = block.body
    assert isinstance(loop, For)
    inside = facts.inside(loop)

    def choose(expr: Expr) -> Expr:
        known = inside.decides(expr.condition) if isinstance(expr, Select) else None
        if known is None or not isinstance(expr, Select):
            return expr
        return expr.then if known else expr.otherwise

    body = map_expr(loop.body, choose)
    assert isinstance(body, Block)
    return Block((replace(loop, body=body),))
