"""A loop over a number that is taken apart becomes the loops over its digits.

    for id in 0..n: f(id / channels, id % channels)        for pixel in 0..ceil(n / channels):
                                                    -->      for c in 0..min(channels, n - pixel*channels):
                                                               f(pixel, c)

The lowest digit is split off, so that it can become the lanes of a vector. Done for independent loops, and
for others where no digit is left over: `for i in 0..rows * columns`.
"""

from __future__ import annotations

from dataclasses import replace

from xpiler.ir.affine import linear
from xpiler.ir.affine_form import divide_out, to_expr
from xpiler.ir.build import add, cast, ceil_div, const, div, is_const, lt, maximum, minimum, mod, mul, sub
from xpiler.ir.nodes import Binary, Block, Const, Decl, Expr, For, Function, If, LoopKind, Stmt, Var
from xpiler.ir.rewrite import (
    arrays_read,
    assigned_vars,
    free_vars,
    map_body,
    map_expr,
    map_stmt,
    substitute,
    uses,
    walk,
)
from xpiler.ir.types import DType
from xpiler.passes.facts import mutable_vars
from xpiler.passes.names import Names
from xpiler.passes.parallel import mark_parallel

INDEPENDENT = (LoopKind.PARALLEL, LoopKind.THREADS)


def split_digits(function: Function) -> Function:
    """All independent loops whose variable is taken apart by a loop-invariant divisor."""
    names = Names(function)

    def change(stmt: Stmt) -> Stmt:
        if isinstance(stmt, For) and stmt.step == Const(stmt.step.dtype, 1):
            split = split_digit(stmt, names)
            if split is None or stmt.kind in INDEPENDENT:
                return split or stmt
            while (more := split_digit(split, names)) is not None:
                split = more
            return split
        return stmt

    return map_body(function, change)


def split_serial_digits(function: Function) -> Function:
    """Loops that no independence was shown of, where one of their digits' loops then is independent. Threads
    count so what rows of a length that no number says have together, or all elements of a tensor:

        for i in 0..rows * n: j = i / n; y[j * stride + i % n] = ...
          -->   for j in 0..rows: parallel for k in 0..n: y[j * stride + k] = ...

        for i in 0..n: y[(i / w) * stride + i % w] = ...
          -->   if (0 < n)  for j in 0..ceil(n / w):
                              parallel for k in 0..min(w, n - j*w): y[j * stride + k] = ...
    """
    names = Names(function)

    def change(stmt: Stmt) -> Stmt:
        if not isinstance(stmt, For) or stmt.kind in INDEPENDENT or stmt.step != Const(stmt.step.dtype, 1):
            return stmt
        split = split_digit(stmt, names, left_over=True)
        if split is None:
            return stmt
        while (more := split_digit(split, names, left_over=True)) is not None:
            split = more
        if isinstance(split.stop, Const) or split_digit(stmt, names) is not None:
            return split
        return If(lt(const(0, stmt.dtype), stmt.stop), Block((split,)))  # an empty loop divides by nothing

    split = map_body(function, change)
    if split is function:
        return function
    marked = mark_parallel(split).function
    return marked if _independent_loops(marked) > _independent_loops(function) else function


def _independent_loops(function: Function) -> int:
    return sum(isinstance(n, For) and n.kind in INDEPENDENT for n in walk(function.body))


def split_digit(loop: For, names: Names, *, left_over: bool = False) -> For | None:
    """A loop that counts from 0 by 1 as the loops over the lowest digit and the rest. `left_over`: also where
    no independence is known and the last one of the rest may be short of digits; the caller sees to it that
    there is a number to take apart."""
    radix = radix_of(loop)
    if radix is None or loop.start != Const(loop.dtype, 0):
        return None
    count = _quotient(loop.stop, radix, loop.dtype)
    if loop.kind not in INDEPENDENT and count is None and not left_over:
        return None
    kind = LoopKind.PARALLEL if loop.kind in INDEPENDENT else LoopKind.SERIAL
    low_name, high_name = (_named(loop, op, radix) for op in "%/")
    low = Var(loop.dtype, low_name or names.fresh(f"{loop.var}_low"))
    high = Var(loop.dtype, high_name or names.fresh(f"{loop.var}_high"))
    radix = cast(radix, loop.dtype)
    whole = add(mul(high, radix), low)

    def change(e: Expr) -> Expr:
        match e:
            case Binary(op="%", left=Var(name=loop.var), right=right) if right == radix:
                return low
            case Binary(op="/", left=Var(name=loop.var), right=right) if right == radix:
                return high
            case Binary(op="%" | "/" as op, left=Var(name=loop.var), right=divisor):
                quotient = _quotient(divisor, radix, e.dtype)
                assert quotient is not None
                if op == "/":
                    return div(high, quotient)
                return add(mul(mod(high, quotient), radix), low)
        return e

    unnamed = map_stmt(loop.body, lambda s: () if _is_named(s, (low_name, high_name)) else s)
    body = map_expr(unnamed, change)
    assert isinstance(body, Block)
    body = substitute(body, {loop.var: whole})
    assert isinstance(body, Block)
    body = _inlined(body, low.name)
    head: list[Stmt] = []
    rest = list(body.body)
    while rest and _stays(rest[0], low.name, body):
        head.append(rest.pop(0))
    inner = replace(
        loop,
        var=low.name,
        stop=minimum(radix, sub(loop.stop, mul(high, radix))),
        body=Block(tuple(rest)),
        kind=kind,
    )
    if count is not None:
        inner = replace(inner, stop=radix)
    else:
        count = ceil_div(loop.stop, radix if left_over else _at_least_1(radix))
    return replace(loop, var=high.name, stop=count, body=Block((*head, inner)), kind=kind)


def _at_least_1(radix: Expr) -> Expr:
    """A divisor for a count that is needed before it is known that there is a number to take apart: where
    there is none, the radix may be 0."""
    return radix if isinstance(radix, Const) else maximum(radix, const(1, radix.dtype))


def radix_of(loop: For) -> Expr | None:
    """The divisor of the lowest digit: all others are its multiples, by their form or as numbers."""
    found: list[Expr] = []
    by_remainder: list[Expr] = []
    written = assigned_vars(loop.body) | {d.name for d in walk(loop.body) if isinstance(d, Decl)}
    for node in walk(loop.body):
        if isinstance(node, Binary) and node.op in ("%", "/") and node.left == Var(loop.dtype, loop.var):
            if free_vars(node.right) & (written | {loop.var}):
                return None
            found.append(node.right)
            if node.op == "%":
                by_remainder.append(node.right)
    different = list(dict.fromkeys(found))
    if len(different) == 1:
        return different[0]
    for radix in dict.fromkeys(by_remainder):
        if not is_const(radix, 1) and all(_quotient(d, radix, loop.dtype) is not None for d in different):
            return radix
    return None


def _quotient(divisor: Expr, radix: Expr, dtype: DType) -> Expr | None:
    """divisor / radix, if that leaves no rest."""
    whole, by = linear(divisor), linear(radix)
    if whole is None or by is None:
        return None
    number, unit = whole.as_int, by.as_int
    if number is not None and unit is not None:
        return const(number // unit, dtype) if unit and number % unit == 0 else None
    quotient, rest = divide_out(whole, by)
    return to_expr(quotient, dtype) if rest.as_int == 0 else None


def _named(loop: For, op: str, radix: Expr) -> str:
    """What the program calls a digit, if it has one name for it in the loop."""
    digit = Binary(loop.dtype, op, Var(loop.dtype, loop.var), cast(radix, loop.dtype))
    declared = [n for n in walk(loop.body) if isinstance(n, Decl)]
    names = [d.name for d in declared if d.init == digit and d.dtype == loop.dtype]
    once = [name for name in names if sum(d.name == name for d in declared) == 1]
    return once[0] if once and once[0] not in mutable_vars(loop) else ""


def _is_named(stmt: Stmt, digits: tuple[str, str]) -> bool:
    return isinstance(stmt, Decl) and stmt.name in digits


def _inlined(body: Block, low: str) -> Block:
    """Integers that depend on the lowest digit, put in where they are used."""
    values: dict[str, Expr] = {}
    changed = assigned_vars(body)
    out: list[Stmt] = []
    for stmt in body.body:
        stmt = substitute(stmt, values)
        match stmt:
            case Decl(name=name, shape=(), init=Expr() as init, dtype=dtype) if (
                dtype.is_integer and low in free_vars(init) and name not in changed
            ):
                values[name] = init
            case _:
                out.append(stmt)
    return Block(tuple(out), range=body.range)


def _stays(stmt: Stmt, low: str, body: Block) -> bool:
    """Whether it is one value for all of the lowest digit: not what the body goes on to change."""
    if not isinstance(stmt, Decl) or not isinstance(stmt.init, Expr) or not stmt.dtype.is_integer:
        return False
    inside = uses(body)
    changed = stmt.name in inside.vars_set or arrays_read(stmt.init) & inside.arrays_written
    return not changed and low not in free_vars(stmt.init)
