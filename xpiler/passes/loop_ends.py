"""What a loop that runs says of its last step, and of the size that it counts whole parts of: more than
`facts.py` knows.

    for i in 0..n / 32 * 32 step 32: n >= 32, and i <= n / 32 * 32 - 32
    for i in n / 32 * 32..n: n >= 1
"""

from __future__ import annotations

from collections.abc import Iterable

from xpiler.ir.affine import linear
from xpiler.ir.build import sub
from xpiler.ir.nodes import Binary, Const, Expr, For, Var
from xpiler.passes.facts import End, Ranges


def with_ends(ranges: Ranges, loops: Iterable[For], mutable: frozenset[str]) -> dict[str, tuple[End, End]]:
    """What is known in the bodies of the loops, in which `ranges` hold."""
    found = dict(ranges)
    for loop in loops:
        low, high = found.get(loop.var, (None, None))
        if isinstance(high, Expr) and high == sub(loop.stop, 1):
            found[loop.var] = (low, sub(loop.stop, _last_step(loop)))
        size, least = _least_size(loop)
        if isinstance(size, Var) and size.name not in mutable:
            known = found.get(size.name, (None, None))
            if not isinstance(known[0], int) or known[0] < least:
                found[size.name] = (least, known[1])
    return found


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
