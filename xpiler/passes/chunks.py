"""A loop over the chunks that workers get and the loop over a chunk's elements become one.

    c = (n + 15) / 16;                                      for x in 0..n: y[x] = f(x)
    for b in 0..16:                                  -->
      for x in b*c..min(b*c + c, n): y[x] = f(x)

Applies where the number of the chunk is used for its ends only. The elements keep their order, and a chunk
that is empty has none in either form: so it does not matter whether the loop asks for it, as in
`if (b*c >= n) break`, or begins it at the end, `min(b*c, n)`. Workers that run at the same time are given up
only for elements that can as well.
"""

from __future__ import annotations

from dataclasses import replace

from xpiler.ir.affine import Overflow, linear, simplify
from xpiler.ir.affine_form import Affine, of_var, split_by_var, to_expr
from xpiler.ir.build import is_const, minimum, mul, sub
from xpiler.ir.nodes import (
    Binary,
    Block,
    Break,
    Call,
    Cast,
    Const,
    Continue,
    Decl,
    Expr,
    For,
    Function,
    If,
    Load,
    LoopKind,
    Select,
    Stmt,
    Var,
)
from xpiler.ir.rewrite import free_vars, map_body, map_expr, substitute, walk, walk_stmts
from xpiler.passes.even_chunks import known_values, merged_even
from xpiler.passes.facts import Facts, Ranges, mutable_vars
from xpiler.passes.independence import independent
from xpiler.passes.strips import of_the_sum
from xpiler.passes.structured import spliced
from xpiler.passes.sync import leaves_loop

_MOST = 2**31 - 1


def merge_chunks(function: Function) -> Function:
    """All such pairs of loops. A parameter that is negative is no size: then no chunk has any element."""
    mutable, facts = mutable_vars(function), Facts.of(function)
    sizes = {p.name: (0, _MOST) for p in function.params if not p.is_pointer and p.dtype.is_integer}

    values = known_values(list(walk_stmts(function.body)), mutable)

    def change(stmt: Stmt) -> Stmt:
        merged = None
        if isinstance(stmt, For):
            merged = _merged(stmt, mutable, sizes) or merged_even(stmt, values, sizes)
        if not isinstance(stmt, For) or merged is None:
            return stmt
        return stmt if stmt.kind is LoopKind.PARALLEL and not independent(merged, facts) else merged

    return map_body(function, change)


def _merged(chunks: For, mutable: frozenset[str], sizes: Ranges) -> For | None:
    def plain(expr: Expr) -> Expr:
        return simplify(substitute(expr, names), sizes, Overflow.IGNORED)

    *heads, inner = spliced(chunks.body.body)
    asked: list[tuple[Expr, Expr]] = []
    match inner:
        case If(
            condition=Binary(op="<", left=left, right=right) | Binary(op=">", left=right, right=left),
            then=then,
            otherwise=Block(body=()),
        ):
            asked.append((left, right))
            *more, inner = spliced(then.body)
            heads += more
    if not (isinstance(inner, For) and _counts(chunks) and is_const(inner.step, 1)):
        return None
    names: dict[str, Expr] = {}
    for head in heads:
        empty = _leaves_if_empty(head)
        if empty is not None:
            asked.append((plain(empty[0]), plain(empty[1])))
            continue
        if not (isinstance(head, Decl) and not head.shape and isinstance(head.init, Expr)):
            return None
        if head.name in mutable or not head.dtype.is_integer or any(isinstance(n, Load) for n in walk(head)):
            return None
        names[head.name] = plain(head.init)
    if free_vars(inner.body) & set(names) or chunks.dtype != inner.dtype:
        return None
    if any(leaves_loop(s, (Break, Continue)) for s in inner.body.body):
        return None
    start, stop = plain(inner.start), plain(inner.stop)
    if is_const(start, 0) and chunks.var in free_vars(inner.body):
        asked = [(plain(low), plain(high)) for low, high in asked]
        if not all(is_const(low, 0) and _same_as(high, {stop}) for low, high in asked):
            return None
        return _of_counts(chunks, inner, stop, sizes)
    ends = _smaller_of(stop)
    if ends is None or chunks.var in free_vars(inner.body):
        return None
    counter = of_var(chunks.var, chunks.dtype)
    for last, whole in (ends, ends[::-1]):
        first = _inside(start, whole)
        begin, form = linear(first), linear(last)
        size = None if begin is None else _multiplied(begin, chunks)
        if size is None or form is None or _mentions(whole, chunks.var) or form != counter * size + size:
            continue
        begins = {first, start}
        if not all(_same_as(low, begins) and _same_as(high, {stop, whole}) for low, high in asked):
            return None
        length = to_expr(size, chunks.dtype)
        end = whole if _covers(chunks.stop, length, whole) else minimum(mul(chunks.stop, length), whole)
        return replace(
            inner, start=chunks.start, stop=simplify(end, {}, Overflow.IGNORED), kind=LoopKind.SERIAL
        )
    return None


def _of_counts(chunks: For, inner: For, stop: Expr, sizes: Ranges) -> For | None:
    """Of chunks that count their own elements, `for x in 0..min(c, n - b*c): f(b*c + x)`."""
    match stop:  # none where there are less than none
        case Select(condition=Binary(op=">=" | "<="), then=Const(value=0), otherwise=less):
            stop = less
    ranges = {**sizes, chunks.var: (0, sub(chunks.stop, 1)), inner.var: (0, None)}
    for length, left in _alternatives(stop):
        size, rest = linear(length, ranges), linear(left, ranges)
        if size is None or rest is None or chunks.var in size.variables() or not size.terms:
            continue
        whole = rest + of_var(chunks.var, chunks.dtype) * size
        if chunks.var in whole.variables():
            continue
        element = Var(inner.dtype, inner.var)
        body = of_the_sum(inner.body, chunks.var, inner.var, element, ranges, size)
        if body is None:
            return None
        end = to_expr(whole, inner.dtype)
        if not _covers(chunks.stop, length, end) and not _covers(length, chunks.stop, end):
            end = minimum(mul(chunks.stop, length), end)
        return replace(inner, stop=end, body=body, kind=LoopKind.SERIAL)
    return None


def _alternatives(count: Expr) -> list[tuple[Expr, Expr]]:
    """(a, b) and (b, a) of what a count is the smaller one of."""
    match count:
        case Call(function="min", args=(first, second)):
            return [(first, second), (second, first)]
        case Select(
            condition=Binary(op="<" | "<=" | ">" | ">=" as op, left=left, right=right),
            then=one,
            otherwise=two,
        ):
            tested, chosen = linear(sub(left, right)), linear(sub(one, two))
            if tested is not None and chosen is not None and tested == (chosen if "<" in op else -chosen):
                return [(one, two), (two, one)]
    return []


def _leaves_if_empty(stmt: Stmt) -> tuple[Expr, Expr] | None:
    """Of `if (first >= last) break;` the two."""
    match stmt:
        case If(condition=condition, then=Block(body=(Break(),)), otherwise=Block(body=())):
            match condition:
                case Binary(op=">=", left=left, right=right) | Binary(op="<=", left=right, right=left):
                    return left, right
    return None


def _inside(first: Expr, whole: Expr) -> Expr:
    """`e` of `min(e, whole)`: chunks that begin behind the end are empty."""
    ends = _smaller_of(first)
    if ends is None or not _same_as(whole, set(ends)):
        return first
    return ends[1] if _same_as(whole, {ends[0]}) else ends[0]


def _same_as(expr: Expr, others: set[Expr]) -> bool:
    form = linear(expr)
    return expr in others or (form is not None and any(linear(o) == form for o in others))


def _counts(loop: For) -> bool:
    return is_const(loop.start, 0) and is_const(loop.step, 1)


def _multiplied(start: Affine, chunks: For) -> Affine | None:
    """c of `c * number`; None if it is anything else, or depends on the number."""
    parts = split_by_var(start, Var(chunks.dtype, chunks.var))
    if parts is None:
        return None
    factor, rest = parts
    if rest.terms or not factor.terms or chunks.var in factor.variables():
        return None
    return factor


def _smaller_of(expr: Expr) -> tuple[Expr, Expr] | None:
    match expr:
        case Call(function="min", args=(first, second)):
            return first, second
        case Select(condition=Binary(op="<" | "<=", left=left, right=right), then=then, otherwise=otherwise):
            return (
                (then, otherwise)
                if (linear(left), linear(right)) == (linear(then), linear(otherwise))
                else None
            )
        case Select(condition=Binary(op=">" | ">=", left=left, right=right), then=then, otherwise=otherwise):
            return (
                (then, otherwise)
                if (linear(left), linear(right)) == (linear(otherwise), linear(then))
                else None
            )
    return None


def _covers(count: Expr, length: Expr, whole: Expr) -> bool:
    """Whether the chunks reach the end: their length is `(whole + count - 1) / count`, or
    `whole / count + (whole % count > 0)`."""
    match map_expr(length, _bare):
        case Binary(
            op="+", left=Binary(op="/") as parts, right=Binary(op=">" | "!=", left=left, right=right)
        ):
            same = map_expr(whole, _bare), map_expr(count, _bare)
            if (parts.left, parts.right) == same and is_const(right, 0):
                return isinstance(left, Binary) and (left.op, left.left, left.right) == ("%", *same)
    match _bare(length):
        case Binary(op="/", left=Binary(op="+" | "-") as top, right=right):
            forms = [linear(map_expr(e, _bare)) for e in (top, whole, count, right)]
            known = [form for form in forms if form is not None]
            return (
                len(known) == len(forms)
                and known[3] == known[2]
                and (known[0] - known[1] - known[2]).as_int == -1
            )
    return False


def _bare(expr: Expr) -> Expr:
    while isinstance(expr, Cast) and expr.operand.dtype.is_integer:
        expr = expr.operand
    return expr


def _mentions(expr: Expr, name: str) -> bool:
    return any(isinstance(n, Var) and n.name == name for n in walk(expr))
