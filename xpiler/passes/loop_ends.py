"""What a loop that runs says of its last step, and of the size that it counts whole parts of: more than
`facts.py` knows.

    for i in 0..n / 32 * 32 step 32: n >= 32, and i <= n / 32 * 32 - 32
    for i in s..s + n / 32 * 32 step 32: i <= s + n - 32
    for i in n / 32 * 32..n: n >= 1
    e = s + min(64, n - s): e <= n
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from xpiler.ir.affine import coefficient, linear, substitute
from xpiler.ir.affine_form import Affine, FloorDiv, lift, to_expr
from xpiler.ir.build import add, sub
from xpiler.ir.nodes import Binary, Call, Const, Decl, Expr, For, Load, Stmt, Var
from xpiler.ir.rewrite import free_vars, walk
from xpiler.passes.extrema import named
from xpiler.passes.facts import End, Facts, Ranges


def with_ends(ranges: Ranges, loops: Iterable[For], mutable: frozenset[str]) -> dict[str, tuple[End, End]]:
    """What is known in the bodies of the loops, in which `ranges` hold."""
    found = dict(ranges)
    for loop in loops:
        low, high = found.get(loop.var, (None, None))
        if isinstance(high, Expr) and high == sub(loop.stop, 1):
            found[loop.var] = (low, sub(_plain_stop(loop), _last_step(loop)))
        if isinstance(low, Expr) and low == loop.start:
            found[loop.var] = (_plain_start(loop), found[loop.var][1])
        size, least = _least_size(loop)
        if isinstance(size, Var) and size.name not in mutable:
            known = found.get(size.name, (None, None))
            if not isinstance(known[0], int) or known[0] < least:
                found[size.name] = (least, known[1])
    return found


def largest(form: Affine, counters: Sequence[str], ranges: Ranges) -> Affine:
    """What a form is not above: with the ends of counters, inner ones first, in their places."""
    for name in counters:
        factor = coefficient(form, name)
        times = factor.as_int if factor is not None else None
        if not times or name not in form.variables():
            continue
        end = ranges.get(name, (None, None))[times > 0]
        bound = lift(end) if isinstance(end, int) else linear(end, ranges) if end is not None else None
        if bound is not None:
            form = substitute(form, {name: bound})
    return form


def behind(stmt: Stmt, facts: Facts) -> Facts:
    """What is known behind a statement: of a number that it defines for good, what it is or what it is the
    smaller one of."""
    match stmt:
        case Decl(name=name, shape=(), init=Expr() as init) if stmt.dtype.is_integer:
            if ({name} | free_vars(init)) & facts.mutable or any(isinstance(n, Load) for n in walk(init)):
                return facts
            high = _upper(init)
            low = init if high == init else None
            return replace(facts, ranges={**facts.ranges, name: (low, high)})
    return facts


def _upper(value: Expr) -> Expr:
    """A number that the value is not above, without choices of smaller ones in its sum."""
    match named(value):
        case Binary(op="+", left=left, right=right):
            return add(_upper(left), _upper(right))
        case Binary(op="-", left=left, right=right):
            return sub(_upper(left), right)
        case Call(function="min", args=(left, right)):
            return _upper(right if isinstance(left, Const) else left)
    return value


def _plain_stop(loop: For) -> Expr:
    """Where a loop that runs ends at the latest: `s + n / 32 * 32` is not behind `s + n` for positive n."""
    length = linear(sub(loop.stop, loop.start))
    if length is None or length.constant or len(length.terms) != 1:
        return loop.stop
    ((monomial, factor),) = length.terms
    match monomial:
        case (Binary(op="/", left=size, right=Const(value=part)),) if part == factor > 0:
            return add(loop.start, size)
        case (FloorDiv(operand=numerator, divisor=by),) if by.as_int == factor > 0:
            return add(loop.start, to_expr(numerator, loop.dtype))
    return loop.stop


def _plain_start(loop: For) -> End:
    """Where a loop that runs starts at the earliest: `s + n / 32 * 32` is not before s where `s + n` is the
    end, as n is positive then."""
    start, length = linear(loop.start), linear(sub(loop.stop, loop.start))
    for monomial, factor in length.terms if length is not None else ():
        match monomial:
            case (Binary(op="/", left=size, right=Const(value=part)),) if part == -factor > 0:
                whole = Affine(((monomial, int(part)),))
                if start is not None and length is not None and linear(size) == length + whole:
                    low = start - whole
                    return low.as_int if low.as_int is not None else to_expr(low, loop.dtype)
    return loop.start


def _last_step(loop: For) -> int:
    """How far before its end the last iteration of a loop is at least: a step, where the end is a number of
    whole steps from the start."""
    if not isinstance(loop.step, Const) or int(loop.step.value) < 2:
        return 1
    step, length = int(loop.step.value), linear(sub(loop.stop, loop.start))
    if length is None or any(n % step for n in (length.constant, *(factor for _, factor in length.terms))):
        return 1
    return step


def _least_size(loop: For) -> tuple[Expr, int]:
    """The size that a loop goes to the end or the whole parts of, and how large it is at least."""
    size, part = _parts(loop.start)
    if part > 1 and size == loop.stop:  # of a size below 0 the whole parts are not before it
        return size, 1
    if isinstance(loop.start, Const) and loop.start.value >= 0:
        return _parts(loop.stop)
    return loop.start, 0


def _parts(end: Expr) -> tuple[Expr, int]:
    """The size that an end counts whole parts of, `n` of `n / 32 * 32` and of `n / 32`, and that part, 32."""
    factor = end.right if isinstance(end, Binary) and end.op == "*" else None
    whole = end.left if isinstance(end, Binary) and isinstance(factor, Const) and factor.value > 0 else end
    match whole:
        case Binary(op="/", left=size, right=Const(value=part)) if part > 0 and end.dtype.is_integer:
            return size, int(part)
    return end, 1
