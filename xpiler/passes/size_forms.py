"""Sizes of memory as polynomials, whatever integers they were computed in.

    (int)(4ul * (u64)rows * (u64)cols / 4ul + 16ul)   -->   rows * cols + 16

Only for numbers of elements and bytes that memory was taken or copied for: those did not overflow.
"""

from __future__ import annotations

from collections.abc import Mapping

from xpiler.ir.build import binary, cast, const, div, mul
from xpiler.ir.nodes import Binary, Cast, Const, Expr, Var
from xpiler.ir.types import I64

Monomial = tuple[object, ...]  # names and quotients, sorted
Form = Mapping[Monomial, int]


def size_form(expr: Expr, sizes: frozenset[str]) -> Form | None:
    """The size over the names in `sizes`; None if it is made of anything else."""
    match expr:
        case Cast(operand=operand) if expr.dtype.is_integer and operand.dtype.is_integer:
            return size_form(operand, sizes)
        case Const(value=int(value)):
            return _tidy({(): value})
        case Var(name=name):
            return {(name,): 1} if name in sizes else None
        case Binary(op="+" | "-" | "*" | "/" as op, left=left, right=right) if expr.dtype.is_integer:
            a, b = size_form(left, sizes), size_form(right, sizes)
            return None if a is None or b is None else _combined(op, a, b)
    return None


def plain_size(expr: Expr, sizes: Mapping[str, Var]) -> Expr | None:
    """The size in 64 bits, factors and summands where they are, divided where that leaves no rest."""
    form = size_form(expr, frozenset(sizes))
    if form is None:
        return None
    plain = _plain(expr)
    return plain if size_form(plain, frozenset(sizes)) == form else None


def _plain(expr: Expr) -> Expr:
    match expr:
        case Cast(operand=operand):
            return _plain(operand)
        case Binary(op="/", left=left, right=right):
            above, below = _plain(left), _plain(right)
            exact = _divided(above, below.value) if isinstance(below, Const) else None
            return exact if exact is not None else div(above, below)
        case Binary(op=op, left=left, right=right):
            return binary(op, _plain(left), _plain(right))
    return cast(expr, I64)


def _divided(expr: Expr, by: object) -> Expr | None:
    """A sum or product without the factor `by`; None if it has none."""
    match expr:
        case Const(value=int(value)) if isinstance(by, int) and by > 0 and value % by == 0:
            return const(value // by, I64)
        case Binary(op="*", left=left, right=right):
            for one, other in ((left, right), (right, left)):
                if (less := _divided(one, by)) is not None:
                    return mul(less, other)
        case Binary(op="+" | "-" as op, left=left, right=right):
            a, b = _divided(left, by), _divided(right, by)
            return binary(op, a, b) if a is not None and b is not None else None
    return None


def difference(larger: Form | None, smaller: Form | None) -> int | None:
    """How much larger one is than the other, if that is a number."""
    if larger is None or smaller is None:
        return None
    rest = _combined("-", larger, smaller)
    return rest.get((), 0) if set(rest) <= {()} else None


def _combined(op: str, a: Form, b: Form) -> Form:
    out: dict[Monomial, int] = {}
    match op:
        case "*":
            for left, m in a.items():
                for right, n in b.items():
                    key = tuple(sorted((*left, *right), key=repr))
                    out[key] = out.get(key, 0) + m * n
        case "/":
            by = b.get((), 0) if set(b) == {()} else 0
            if by > 0 and all(n % by == 0 for n in a.values()):
                return {key: n // by for key, n in a.items()}
            quotient = ("/", tuple(sorted(a.items(), key=repr)), tuple(sorted(b.items(), key=repr)))
            return {(quotient,): 1}
        case _:
            out = dict(a)
            for key, n in b.items():
                out[key] = out.get(key, 0) + (n if op == "+" else -n)
    return _tidy(out)


def _tidy(form: dict[Monomial, int]) -> Form:
    return {key: n for key, n in form.items() if n}
