"""What a plain function returns because of its arguments alone is for its wrapper to say.

    int f(const float *x, float *y, int n) {           if (!x || n < 1) return -1;
        if (!x || n < 1) return -1;              -->   f(const float *x, float *y, int n) {
        for (...) y[i] = x[i];                             if (n < 1) return;
        return 0;                                          for (...) y[i] = x[i];
    }                                                  }
                                                       return 0;

A device has no array for a null pointer, and no memory of a negative size: such calls must not come so far.
The function keeps what its checks say of numbers, since its loops are understood by that. A value that
depends on more than scalar arguments is still the function's to store.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from xpiler.ir.build import and_, is_const, not_, or_
from xpiler.ir.nodes import (
    FALSE,
    RETURN,
    Assign,
    Binary,
    Block,
    Call,
    Decl,
    Expr,
    Function,
    If,
    Load,
    Ref,
    Return,
    Stmt,
    Unary,
    Var,
)
from xpiler.ir.rewrite import children, is_used, substitute, uses, walk, walk_exprs
from xpiler.passes.structured import spliced


@dataclass(frozen=True)
class Check:
    """The function returns `value`, None of a function without one, where the condition holds."""

    condition: Expr
    value: Expr | None


@dataclass(frozen=True)
class Checked:
    """A function apart from its checks. `result`: what it returns otherwise, None if the function stores
    that, or has none."""

    checks: tuple[Check, ...]
    function: Function
    result: Expr | None = None


def with_checks_apart(function: Function) -> Checked:
    """The checks at the beginning of a plain function; they may use scalars that are computed before."""
    changed = uses(function.body).vars_set
    arguments = {p.name for p in function.params if p.is_pointer or p.name not in changed}
    known: dict[str, Expr] = {}
    checks: list[Check] = []
    kept: list[Stmt] = []
    rest = list(spliced(function.body.body))
    while rest:
        stmt = rest[0]
        if isinstance(stmt, Decl):
            value = substitute(stmt.init, known) if isinstance(stmt.init, Expr) else None
            if value is not None and stmt.name not in changed and _is_of(value, arguments):
                known[stmt.name] = value
            kept.append(stmt)
        else:
            check = _check(stmt, known, arguments)
            if check is None:
                break
            checks.append(check)
            assert isinstance(stmt, If)
            of_numbers = _of_numbers(stmt.condition)
            if not is_const(of_numbers, 0):
                kept.append(replace(stmt, condition=of_numbers, then=Block((Return(),))))
        rest.pop(0)
    result, body = _result((*kept, *rest), known, arguments)
    params = tuple(p for p in function.params if p.name != RETURN or result is None)
    return Checked(tuple(checks), replace(function, params=params, body=Block(body)), result)


def _check(stmt: Stmt, known: dict[str, Expr], arguments: set[str]) -> Check | None:
    if not isinstance(stmt, If) or stmt.otherwise.body:
        return None
    condition = substitute(stmt.condition, known)
    value: Expr | None
    match spliced(stmt.then.body):
        case (Return(),):
            value = None
        case (Assign(target=Load(array=array), value=stored, reduce=None), Return()) if array == RETURN:
            value = substitute(stored, known)
        case _:
            return None
    told = _is_of(condition, arguments) and (value is None or _is_of(value, arguments))
    return Check(condition, value) if told else None


def _is_of(expr: Expr, arguments: set[str]) -> bool:
    """Whether scalar arguments alone, and whether arrays were passed, tell the value."""
    inside = {id(arg) for e in walk_exprs(expr) if _is_null(e) for arg in children(e)}
    names = {e.name for e in walk_exprs(expr) if isinstance(e, Var)}
    names |= {e.array for e in walk_exprs(expr) if isinstance(e, Ref)}
    loads = any(isinstance(e, (Load, Ref)) and id(e) not in inside for e in walk_exprs(expr))
    return names <= arguments and not loads


def optional_arrays(function: Function) -> frozenset[str]:
    """The arrays that the function does without where they are not passed: it asks for them."""
    tests = (n for n in walk(function.body) if isinstance(n, Expr) and _is_null(n))
    return frozenset(ref.array for test in tests for ref in children(test) if isinstance(ref, Ref))


def _is_null(expr: Expr) -> bool:
    return isinstance(expr, Call) and expr.function == "is_null"


def _of_numbers(condition: Expr) -> Expr:
    """What is left of a check where every array that it asks for is there."""
    match condition:
        case Binary(op="||", left=left, right=right):
            return or_(_of_numbers(left), _of_numbers(right))
        case Binary(op="&&", left=left, right=right):
            return and_(_of_numbers(left), _of_numbers(right))
        case Unary(op="!", operand=operand):
            return not_(_of_numbers(operand))
    return FALSE if _is_null(condition) else condition


def _result(
    body: tuple[Stmt, ...], known: dict[str, Expr], arguments: set[str]
) -> tuple[Expr | None, tuple[Stmt, ...]]:
    """What is returned at the end, and the body without that; None where the body says more of it."""
    match body:
        case (*before, Assign(target=Load(array=array), value=stored, reduce=None), Return()) if (
            array == RETURN
        ):
            value = substitute(stored, known)
            if _is_of(value, arguments) and not is_used(RETURN, Block(tuple(before))):
                return value, tuple(before)
    return None, body
