"""Unsigned comparisons and indices as the signed ones that are meant.

One unsigned comparison that tests both ends of a range is the two that it stands for:

    (unsigned)(i - 1) < (unsigned)n ? x[i - 1] : 0   -->   0 <= i - 1 && i - 1 < n ? x[i - 1] : 0

Applies where the value may be negative, which as an unsigned number is beyond every bound. The bound
itself is taken to fit a signed type, like all arithmetic of indices. What was never a signed number (a hash,
a state of a generator) is compared as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Set
from dataclasses import replace
from functools import partial

from xpiler.ir.affine import bounds, prove_le
from xpiler.ir.build import and_, binary, cast, const, le, lt, not_
from xpiler.ir.nodes import (
    Assign,
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
    Stmt,
    Var,
    While,
)
from xpiler.ir.rewrite import map_expr, walk
from xpiler.ir.types import I32, I64, U32, U64, DType
from xpiler.passes.facts import Facts

Rewrite = Callable[[Expr, Facts], Expr]

_SIGNED = {U32: I32, U64: I64}
_LARGE = 1 << 24  # no factor or shift of a place in memory
_SWAPPED = {">": "<", ">=": "<="}


def signed_tests(function: Function) -> Function:
    """Everywhere in the function."""
    body = _block(function.body, Facts.of(function), _plain)
    return function if body == function.body else replace(function, body=body)


def plain_numbers(function: Function) -> Function:
    """What is unsigned only for a built-in's sake, and known not to be negative, as signed numbers.

    for k0 in 0..K: if ((unsigned)k0 + (unsigned)k < (unsigned)K)   -->   if (k0 + k < K)
    a[(unsigned)k0 + (unsigned)k]                                   -->   a[(int64_t)k0 + (int64_t)k]
    (int)((unsigned)block / (unsigned)tiles) * 16 + thread          -->   block / tiles * 16 + thread

    An extent that a counter is divided by is positive. Parameters count as sizes, which fit a signed type;
    what was read from memory, hashed or carried on in a variable has any bits and stays unsigned.
    """
    body = _block(function.body, Facts.of(function), partial(_of_numbers, counts=_counts(function)))
    return function if body == function.body else replace(function, body=body)


def _block(block: Block, facts: Facts, rewrite: Rewrite) -> Block:
    return replace(block, body=tuple(_stmt(s, facts, rewrite) for s in block.body))


def _stmt(stmt: Stmt, facts: Facts, rewrite: Rewrite) -> Stmt:
    def plain(expr: Expr) -> Expr:
        return rewrite(expr, facts)

    match stmt:
        case For(body=body):
            return replace(stmt, body=_block(body, facts.inside(stmt), rewrite))
        case If(condition=condition, then=then, otherwise=otherwise):
            condition = map_expr(condition, plain)
            yes = _block(then, facts.where(condition), rewrite)
            no = _block(otherwise, facts.where(condition, False), rewrite)
            return replace(stmt, condition=condition, then=yes, otherwise=no)
        case While(condition=condition, body=body):
            return replace(stmt, condition=map_expr(condition, plain), body=_block(body, facts, rewrite))
        case Block():
            return _block(stmt, facts, rewrite)
        case Assign() | Decl():
            return map_expr(stmt, plain)
    return stmt


def _counts(function: Function) -> frozenset[str]:
    """The variables that hold sizes and places: parameters, counters, and what is computed of them once."""
    stores = [s.target for s in walk(function.body) if isinstance(s, Assign)]
    assigned = {target.name for target in stores if isinstance(target, Var)}
    found = {p.name for p in function.params if not p.is_pointer} - assigned
    for stmt in walk(function.body):
        if isinstance(stmt, For):
            found.add(stmt.var)
        elif isinstance(stmt, Decl) and isinstance(stmt.init, Expr) and _of_counts(stmt.init, found):
            found |= {stmt.name} - assigned
    return frozenset(found)


def _of_counts(value: Expr, counts: Set[str]) -> bool:
    """Whether a value is arithmetic on sizes and places alone, without the large factors of hashes."""
    for part in walk(value):
        match part:
            case Var(name=name) if name not in counts and "." not in name:  # `blockIdx.x`
                return False
            case Const(value=number) if abs(number) >= _LARGE:
                return False
            case Load() | Call():
                return False
    return True


def _of_numbers(expr: Expr, facts: Facts, counts: frozenset[str]) -> Expr:
    match expr:
        case Binary(op="<" | "<=" | ">" | ">=") if not _of_counts(expr, counts):
            return expr
        case Cast(operand=Binary(op="/" | "%") as quotient) if not _of_counts(quotient, counts):
            return expr
        case Binary(op="<" | "<=" | ">" | ">=" as op, left=left, right=right) if left.dtype in _SIGNED:
            sides = [_signed(side, _SIGNED[left.dtype]) for side in (left, right)]
            if all(side is not None and _is_number(side, facts) for side in sides):
                return binary(op, *(side for side in sides if side is not None))
        case Cast(dtype=dtype, operand=Binary(op="/" | "%" as op, left=left, right=right)) if (
            dtype == _SIGNED.get(left.dtype)
        ):
            count, extent = _signed(left, dtype), _signed(right, dtype)
            if count is not None and extent is not None and _is_number(count, facts):
                return binary(op, count, extent)
        case Load(index=index) if any(i.dtype == U32 for i in index):
            return replace(expr, index=tuple(_wide(i, facts) for i in index))
    return expr


def _wide(index: Expr, facts: Facts) -> Expr:
    """An unsigned index of numbers, in an arithmetic that it does not leave."""
    if index.dtype != U32:
        return index
    wide = _signed(index, I64)
    return wide if wide is not None and _of_casts(index, facts) else index


def _of_casts(index: Expr, facts: Facts) -> bool:
    match index:
        case Const():
            return True
        case Cast(operand=operand) if operand.dtype.is_signed:
            return _is_number(operand, facts)
        case Binary(op="+" | "*", left=left, right=right):
            return _of_casts(left, facts) and _of_casts(right, facts)
    return False


def _is_number(value: Expr, facts: Facts) -> bool:
    """Whether it is known not to be negative, as the end of a loop from zero on is not inside it."""
    if prove_le(0, value, facts.ranges):
        return True
    counters = (name for name, stop in facts.below if stop == value)
    return any(facts.ranges.get(name, (None, None))[0] == 0 for name in counters)


def _plain(expr: Expr, facts: Facts) -> Expr:
    match expr:
        case Binary(op=">" | ">=" as op, left=left, right=right) if left.dtype in _SIGNED:
            return _plain(replace(expr, op=_SWAPPED[op], left=right, right=left), facts)
        case Binary(op="<" | "<=", left=Const(value=value)) if value >= 1 << (expr.left.dtype.bits - 1):
            return expr  # a pattern of bits
        case Binary(op="<" | "<=" as op, left=left, right=right) if left.dtype in _SIGNED:
            low, high = (_signed(side, _SIGNED[left.dtype]) for side in (left, right))
            if low is None or high is None or not _was_signed(left, facts) or not _is_arithmetic(right):
                return expr
            if _may_be_negative(low, facts):
                return and_(le(const(0, low.dtype), low), binary(op, low, high))
            if _may_be_negative(high, facts) and _subtracts(high):  # beyond the bound when it is negative
                beyond = lt(high, low) if op == "<=" else le(high, low)
                return not_(and_(le(const(0, high.dtype), high), beyond))
    return expr


def _was_signed(value: Expr, facts: Facts) -> bool:
    """Whether an unsigned number was made of signed ones, or of such as fit a signed type."""
    match value:
        case Const():
            return True
        case Cast(operand=operand) if operand.dtype.is_integer:
            return operand.dtype.is_signed or operand.dtype.bits < value.dtype.bits
        case Binary(op="+" | "-" | "*", left=left, right=right):
            return _was_signed(left, facts) and _was_signed(right, facts)
    high = bounds(value, facts.ranges)[1]
    return high is not None and high < 1 << (value.dtype.bits - 1)


def _is_arithmetic(value: Expr) -> bool:
    """Whether a bound is no pattern of bits."""
    match value:
        case Binary(op=op, left=left, right=right):
            return op in "+-*/%" and _is_arithmetic(left) and _is_arithmetic(right)
    return True


def _may_be_negative(value: Expr, facts: Facts) -> bool:
    low = bounds(value, facts.ranges)[0]
    return low is None or low < 0


def _subtracts(value: Expr) -> bool:
    """Whether it is computed with negative numbers, as a bound that is only read is not."""
    match value:
        case Binary(op="-"):
            return True
        case Binary(op="+" | "*", left=left, right=right):
            return _subtracts(left) or _subtracts(right)
        case Const(value=number):
            return number < 0
        case Cast(operand=operand):
            return _subtracts(operand)
    return False


def _signed(expr: Expr, dtype: DType) -> Expr | None:
    """The same number before it was taken for an unsigned one."""
    match expr:
        case Const(value=value):
            return (
                const(value, dtype)
                if value < 1 << (dtype.bits - 1)
                else const(value - (1 << dtype.bits), dtype)
            )
        case Cast(operand=operand) if operand.dtype.is_integer and operand.dtype.bits <= dtype.bits:
            return cast(operand, dtype)
        case Binary(op="+" | "-" | "*" as op, left=left, right=right):
            sides = _signed(left, dtype), _signed(right, dtype)
            return None if sides[0] is None or sides[1] is None else binary(op, sides[0], sides[1])
    return cast(expr, dtype)
